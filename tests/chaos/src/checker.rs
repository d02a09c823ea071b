//! The checker: reads a round's files and nothing else, and computes what must hold.
//!
//! The names I1 to I10 are the design's. Lines that a copying rotator destroyed may have been told and need not have
//! been; all others are owed. After the state itself was damaged (K7) nothing is owed but what is said about it: then
//! conservation, order and labels are not judged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use botapi::{Request, Verdict as Answer};

use crate::jsonl;
use crate::line::{Id, Line, Rule, Word};
use crate::notes::Note;
use crate::site::{Manner, SECRET, Site, chat_name};
use crate::status::{Account, Status};
use crate::told::{self, Kind, Told};
use crate::truth::{CUT, Truth};
use crate::verdict::{Figures, Verdict};

/// The most memory, in KiB: the design's 64 MiB.
const MEMORY: u64 = 64 * 1024;
/// Descriptors beside those of the files.
const DESCRIPTORS: u64 = 32;
/// Threads: the runtime's, the reader's, the ledger's, those of the watch, and tokio's for blocking work.
const THREADS: u64 = 24;
/// So long it waits for answers when it is asked to end, in milliseconds, and a little less.
const PATIENCE: u64 = 7_000;
/// So many deaths say something about where they fell.
const ENOUGH_DEATHS: u64 = 20;

/// What the server may refuse.
const HARMLESS: [&str; 2] = ["not modified", "upgraded to a supergroup"];

/// What the files say.
pub struct Reading {
    figures: Figures,
    /// The first few things that are wrong, in words.
    wrong: Vec<String>,
    damaged: bool,
    /// Its disk took nothing for a while.
    forgetful: bool,
    sung: bool,
}

/// Everything a round left behind.
struct Files {
    truth: BTreeMap<Id, Line>,
    /// Lines that were destroyed: no file has them.
    destroyed: BTreeSet<Id>,
    manner: Manner,
    record: Vec<Request>,
    told: Vec<Told>,
    notes: Vec<Note>,
    status: Status,
    log: String,
}

/// Reads a round.
pub fn read(site: &Site) -> io::Result<Reading> {
    let files = Files::read(site)?;
    let mut reading = Reading {
        figures: Figures::default(),
        wrong: Vec::new(),
        damaged: files.suffered(|class, _| class == "K7"),
        forgetful: files
            .suffered(|class, what| class == "V1" || what.contains("ENOSPC") || what.contains("EIO")),
        sung: false,
    };
    reading.doings(&files);
    reading.texts(&files);
    reading.forwarded(&files);
    reading.incidents(&files);
    reading.ledger(&files);
    reading.liveness(&files);
    reading.limits(&files);
    reading.figures.sightings = sightings(&site.folder)?;
    reading.honesty(&files);
    Ok(reading)
}

impl Files {
    fn read(site: &Site) -> io::Result<Self> {
        let record: Vec<Request> = jsonl::read(&site.record())?;
        let status = fs::read(site.status()).unwrap_or_default();
        let notes: Vec<Note> = jsonl::read(&site.notes())?;
        let mut files = Self {
            manner: manner(&notes),
            truth: BTreeMap::new(),
            destroyed: BTreeSet::new(),
            told: told::messages(&record),
            record,
            notes,
            status: serde_json::from_slice(&status).unwrap_or_default(),
            log: String::from_utf8_lossy(&fs::read(site.log()).unwrap_or_default()).into_owned(),
        };
        let kept = kept(&site.logs())?;
        for truth in jsonl::read(&site.truth())? {
            let Truth::Wrote { file, lines } = truth else {
                continue;
            };
            for line in lines {
                if file == CUT && !kept.contains(&line.id) {
                    files.destroyed.insert(line.id);
                }
                files.truth.insert(line.id, line);
            }
        }
        Ok(files)
    }

    fn rules(&self) -> impl Iterator<Item = Rule> {
        Rule::of_round(self.manner.chorus)
    }

    /// Whether a fault of this class and in these words was injected.
    fn suffered(&self, is: impl Fn(&str, &str) -> bool) -> bool {
        let fault = |note: &Note| matches!(note, Note::Fault { class, what } if is(class, what));
        self.notes.iter().any(fault)
    }

    /// What a rule must have found.
    fn matches(&self, rule: Rule) -> impl Iterator<Item = &Line> {
        self.truth
            .values()
            .filter(move |line| line.word == Word::Rule(rule))
    }

    /// What a chat was told of a rule, in order.
    fn told_of(&self, rule: Rule, chat: i64) -> impl Iterator<Item = &Told> {
        self.told
            .iter()
            .filter(move |told| told.chat == chat && told.rule() == Some(rule))
    }
}

/// Who was told, and under which limits.
fn manner(notes: &[Note]) -> Manner {
    let round = notes.iter().find_map(|note| match note {
        Note::Round { polite, chorus, .. } => Some(Manner {
            polite: *polite,
            chorus: *chorus,
        }),
        _ => None,
    });
    round.unwrap_or_default()
}

/// The lines that stand in the log that is cut, or in one of its copies.
fn kept(logs: &Path) -> io::Result<BTreeSet<Id>> {
    let mut kept = BTreeSet::new();
    for entry in fs::read_dir(logs)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(CUT) {
            let text = fs::read_to_string(entry.path())?;
            kept.extend(text.lines().filter_map(Line::read).map(|line| line.id));
        }
    }
    Ok(kept)
}

/// How many files hold the secret.
fn sightings(folder: &Path) -> io::Result<u64> {
    let mut seen = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            seen += sightings(&path)?;
        } else if path.is_file() {
            let bytes = fs::read(&path)?;
            let mut windows = bytes.windows(SECRET.len());
            seen += u64::from(windows.any(|window| window == SECRET.as_bytes()));
        }
    }
    Ok(seen)
}

impl Reading {
    /// Whether everything that will be told is told; for whoever waits for it.
    pub fn is_settled(&self) -> bool {
        let figures = &self.figures;
        // The ledger, too: what a full disk made forgotten may be told already, and the last line still unread.
        let exact = figures.lost == 0 && figures.wrong_totals == 0 && figures.ledger_errors == 0;
        self.sung && (self.damaged || exact)
    }

    /// The verdict.
    pub fn verdict(self) -> Verdict {
        Verdict {
            figures: self.figures,
            wrong: self.wrong,
        }
    }

    fn wrong(&mut self, what: String) {
        if self.wrong.len() < 12 {
            self.wrong.push(what);
        }
    }

    /// What was done, and what must follow from it by itself.
    fn doings(&mut self, files: &Files) {
        for note in &files.notes {
            match note {
                Note::Fault { class, .. } => *self.figures.faults.entry(class.clone()).or_default() += 1,
                Note::Death { random, in_flight } => {
                    self.figures.kills += 1;
                    self.figures.kills_in_flight += u64::from(*in_flight > 0);
                    self.figures.kills_at_random += u64::from(*random);
                }
                Note::Point { point, reached: true } => {
                    *self.figures.points.entry(point.clone()).or_default() += 1;
                }
                Note::Point { point, .. } => {
                    self.figures.points_missed += 1;
                    self.wrong(format!("it did not come by its crash point {point}"));
                }
                Note::Struck { .. } => self.figures.struck += 1,
                Note::Skipped { class, why } => {
                    self.figures.skipped.insert(format!("{class}: {why}"));
                }
                Note::Ended {
                    code,
                    in_flight,
                    took,
                } => self.ended(*code, *in_flight, *took),
                Note::Sample { .. } => self.sample(note),
                Note::Edited { host } => self.edited(files, host),
                Note::Round { .. } | Note::Calm { .. } => {}
            }
        }
        let panics = panics(files);
        self.figures.lines = files.truth.len() as u64;
        self.figures.matches = files.rules().map(|rule| files.matches(rule).count() as u64).sum();
        self.figures.messages = files.told.len() as u64;
        self.figures.panics = panics;
        if self.figures.panics > 0 {
            self.wrong(format!("its log tells of {panics} panics"));
        }
        let faulted = |request: &&Request| {
            request.fault.is_some() && request.method.eq_ignore_ascii_case("sendMessage")
        };
        self.figures.struck += files.record.iter().filter(faulted).count() as u64;
        let answers = files.record.iter().filter(|request| request.fault.is_some());
        self.figures.answers += answers.count() as u64;
        let Figures {
            kills,
            kills_at_random,
            kills_in_flight,
            ..
        } = self.figures;
        // Kills at chosen calls fall where those calls are, most of them at the start; those before a damage anywhere.
        let aims = files.suffered(|class, _| class == "K1");
        if aims && kills == kills_at_random && kills >= ENOUGH_DEATHS && kills_in_flight * 10 < kills {
            self.wrong(format!(
                "only {kills_in_flight} of {kills} kills fell between attempt and settle"
            ));
        }
    }

    /// I10: an edit of rules.toml took effect where a person sees it.
    fn edited(&mut self, files: &Files, host: &str) {
        let place = format!(" on {host}");
        let named = |told: &Told| {
            let heads = [&told.first, &told.last].map(|text| text.lines().next().unwrap_or_default());
            heads.into_iter().any(|head| head.ends_with(&place))
        };
        if !files.told.iter().any(named) {
            self.figures.untold += 1;
            self.wrong(format!(
                "rules.toml was edited to name the host {host}, and no message does"
            ));
        }
    }

    /// It ends well, and with nothing under way but what the machine did not answer for as long as it may wait.
    fn ended(&mut self, code: Option<i32>, in_flight: u64, took: u64) {
        self.figures.struck += in_flight;
        if code != Some(0) {
            self.figures.bad_ends += 1;
            self.wrong(format!(
                "it ended with {code:?} when it was asked to end, or over a damaged state"
            ));
        }
        if in_flight > 0 && took < PATIENCE {
            self.figures.bad_ends += 1;
            self.wrong(format!(
                "it ended after {took} ms, and did not wait for {in_flight} new messages under way"
            ));
        }
    }

    /// I9.
    fn sample(&mut self, sample: &Note) {
        let Note::Sample {
            memory_kib,
            descriptors,
            files,
            threads,
        } = sample
        else {
            return;
        };
        self.figures.memory_kib = self.figures.memory_kib.max(*memory_kib);
        if *memory_kib > MEMORY || *descriptors > files + DESCRIPTORS || *threads > THREADS {
            self.figures.over_bounds += 1;
            self.wrong(format!("more than it may hold: {sample:?}"));
        }
    }

    /// I3, and no invention: every line in every text is one that was written, whole, and of the text's rule.
    fn texts(&mut self, files: &Files) {
        for told in &files.told {
            let texts = [&told.first, &told.last];
            let changed = told.first != told.last;
            for text in texts.into_iter().take(1 + usize::from(changed)) {
                for line in told::lines(text) {
                    match line {
                        Err(torn) => {
                            self.figures.torn += 1;
                            self.wrong(format!("no line was written like {torn:?}"));
                        }
                        Ok(line) if files.truth.get(&line.id) != Some(&line) || !belongs(&line, told) => {
                            self.figures.invented += 1;
                            self.wrong(format!("nobody wrote, or not for {:?}: {line}", told.rule()));
                        }
                        Ok(_) => {}
                    }
                }
            }
        }
    }

    /// I1, I4 and I5 for rules that forward every line.
    fn forwarded(&mut self, files: &Files) {
        for rule in files.rules().filter(|rule| rule.forwards()) {
            for chat in rule.chats() {
                let seen = self.arrivals(files, rule, *chat);
                let owed = files.matches(rule).map(|line| line.id);
                for id in owed.filter(|id| !seen.contains(id)) {
                    if files.destroyed.contains(&id) {
                        self.figures.destroyed += 1;
                    } else if !self.damaged {
                        self.figures.lost += 1;
                        self.wrong(format!(
                            "{} was not told {id:?} of {}",
                            chat_name(*chat),
                            rule.name()
                        ));
                    }
                }
                self.account_of_lines(files, rule, *chat, seen.len() as u64);
            }
        }
    }

    /// The lines that a chat was told.
    fn arrivals(&mut self, files: &Files, rule: Rule, chat: i64) -> BTreeSet<Id> {
        // Each with whether a message that brought it said that it may repeat.
        let mut seen: BTreeMap<Id, bool> = BTreeMap::new();
        let mut newest: BTreeMap<u32, u64> = BTreeMap::new();
        for told in files.told_of(rule, chat) {
            let (mut again, mut labelled) = (0, true);
            for line in told::lines(&told.first).flatten() {
                if let Some(before) = seen.insert(line.id, told.is_labelled()) {
                    again += 1;
                    labelled &= told.is_labelled() || (before && self.forgetful);
                    continue;
                }
                let before = newest.insert(line.id.series, line.id.number);
                if before > Some(line.id.number) && !self.damaged {
                    self.figures.disordered += 1;
                    self.wrong(format!("{:?} came after number {before:?}", line.id));
                }
            }
            self.repeated(told, again, labelled);
        }
        seen.into_keys().collect()
    }

    /// I5: what came again says so. What was told while the disk took nothing said so itself: a crash forgets it, and
    /// then it comes again as if it were new.
    fn repeated(&mut self, told: &Told, lines: u64, labelled: bool) {
        if lines == 0 || self.damaged {
            return;
        }
        self.figures.repeats += 1;
        if !labelled {
            self.figures.unlabelled += 1;
            let head: String = told.first.chars().take(300).collect();
            self.wrong(format!("it came again without a word: {head:?}"));
        }
    }

    /// I1 and I5 for rules that count: per incident the last text of its last message.
    fn incidents(&mut self, files: &Files) {
        for rule in files.rules().filter(|rule| !rule.forwards()) {
            for chat in rule.chats() {
                let live = self.live(files, rule, *chat);
                if self.damaged {
                    continue;
                }
                if rule.lasts() && rule != Rule::Mend {
                    self.units(files, rule, &live);
                } else {
                    // What ended before it could be told is summed up in another message of the rule.
                    self.sum(files, rule, &live);
                }
                self.account_of_counts(files, rule, *chat);
            }
        }
        let Figures {
            repeats,
            kills,
            struck,
            ..
        } = self.figures;
        // One death can leave one new message per chat in doubt.
        let per_death = files.manner.chats().count() as u64;
        if !self.forgetful && repeats > kills * per_death + struck {
            self.wrong(format!(
                "{repeats} repeats of {kills} kills and {struck} requests in doubt"
            ));
        }
    }

    /// Each incident's live message: where an opening was sent again, the last one.
    fn live<'f>(&mut self, files: &'f Files, rule: Rule, chat: i64) -> Vec<&'f Told> {
        let mut live: Vec<&Told> = Vec::new();
        let mut replies: BTreeMap<(Kind, &str), bool> = BTreeMap::new();
        for told in files.told_of(rule, chat) {
            // An incident that lasts is known by its unit; others of the same unit by when they began, to the second.
            // Two of those may begin in one second, and then the sum tells whether the second was a repetition.
            let same = |other: &&Told| {
                // What was edited is known to the program, and nothing that it would send again; where a crash may have
                // made it forget that, nobody can tell, and both stand in the sum.
                let unknown = !self.forgetful && other.first == other.last;
                let again = (told.is_labelled() && unknown) || other.place != told.place;
                let began = rule.lasts() || (other.since() == told.since() && again);
                other.unit() == told.unit() && began
            };
            let known = live.iter().rposition(same);
            let forgotten = |before: bool| before && self.forgetful;
            let mut labelled =
                told.is_labelled() || forgotten(known.is_some_and(|known| live[known].is_labelled()));
            let again = match (told.kind(), known) {
                (Kind::Opening, Some(known)) => {
                    // Where the group is now, its live messages are replaced.
                    let again = live[known].place == told.place;
                    live[known] = told;
                    again
                }
                (Kind::Opening, None) => {
                    live.push(told);
                    false
                }
                (kind, _) => {
                    let before = replies.insert((kind, told.unit()), told.is_labelled());
                    labelled = told.is_labelled() || forgotten(before == Some(true));
                    rule.lasts() && before.is_some()
                }
            };
            self.repeated(told, u64::from(again), labelled);
        }
        live
    }

    /// The totals unit by unit, and that the newest line stands in the message.
    fn units(&mut self, files: &Files, rule: Rule, live: &[&Told]) {
        let mut owed: BTreeMap<&str, (u64, Id)> = BTreeMap::new();
        for line in files.matches(rule) {
            let unit = owed.entry(&line.unit).or_insert((0, line.id));
            *unit = (unit.0 + 1, unit.1.max(line.id));
        }
        for (unit, (count, newest)) in owed {
            let of_unit = || live.iter().copied().filter(|told| told.unit() == unit);
            let told: u64 = of_unit().map(Told::total).sum();
            self.compare(rule, unit, told, count);
            let stands =
                of_unit().any(|told| told::lines(&told.last).flatten().any(|line| line.id == newest));
            if !stands {
                self.figures.wrong_totals += 1;
                self.wrong(format!(
                    "the newest line of {unit} stands in no message: {newest:?}"
                ));
            }
        }
    }

    /// The total over all units. Where the disk took nothing for a while, a message that said that it may repeat may
    /// be of an incident that a crash made the program forget, and count nothing.
    fn sum(&mut self, files: &Files, rule: Rule, live: &[&Told]) {
        let total = |told: &&Told| told.total() + told.carried();
        let most: u64 = live.iter().map(total).sum();
        let certain: u64 = live.iter().filter(|told| !told.is_labelled()).map(total).sum();
        let written = files.matches(rule).count() as u64;
        let told = if self.forgetful {
            written.clamp(certain, most.max(certain))
        } else {
            most
        };
        self.compare(rule, "all units", told, written);
    }

    fn compare(&mut self, rule: Rule, what: &str, told: u64, written: u64) {
        if told != written {
            self.figures.wrong_totals += 1;
            self.figures.lost += written.saturating_sub(told);
            self.wrong(format!(
                "{} told {told} of {what}, {written} were written",
                rule.name()
            ));
        }
    }

    /// matched = shown + counted + muted + failed + pending; at the end nothing is pending and nothing failed.
    fn ledger(&mut self, files: &Files) {
        for row in &files.status.ledger {
            let sum = row.shown + row.counted + row.muted + row.failed + row.pending;
            // Where an incident's row was damaged, nobody can say what happened: what it owed is failed.
            let failed = if self.damaged { 0 } else { row.failed };
            if row.matched != sum || failed + row.pending + row.muted > 0 {
                self.ledger_error(&format!("does not add up, or something is left: {row:?}"));
            }
        }
        let wanted: usize = files.rules().map(|rule| rule.chats().len()).sum();
        if files.status.ledger.len() != wanted {
            self.ledger_error(&format!("has {} rows, not {wanted}", files.status.ledger.len()));
        }
    }

    fn account_of_lines(&mut self, files: &Files, rule: Rule, chat: i64, told: u64) {
        let row = account(files, rule, chat);
        if !self.damaged && (row.matched != told || row.shown != told) {
            self.ledger_error(&format!("says {row:?}, and {told} lines were told"));
        }
    }

    fn account_of_counts(&mut self, files: &Files, rule: Rule, chat: i64) {
        let (row, written) = (account(files, rule, chat), files.matches(rule).count() as u64);
        if row.matched != written {
            self.ledger_error(&format!("says {row:?}, and {written} lines were written"));
        }
    }

    fn ledger_error(&mut self, what: &str) {
        self.figures.ledger_errors += 1;
        self.wrong(format!("the ledger {what}"));
    }

    /// I6: what was written after the last fault was told to every chat.
    fn liveness(&mut self, files: &Files) {
        let calm = files.notes.iter().find_map(|note| match note {
            Note::Calm { at } => Some(*at),
            _ => None,
        });
        let last = files.matches(Rule::Canary).map(|line| line.id).max();
        let (Some(calm), Some(last)) = (calm, last) else {
            return self.wrong("no canary was written".to_owned());
        };
        let heard = |chat: &i64| {
            let mut told = files.told_of(Rule::Canary, *chat);
            told.find(|told| told::lines(&told.first).flatten().any(|line| line.id == last))
        };
        let heard: Vec<&Told> = Rule::Canary.chats().iter().filter_map(heard).collect();
        self.sung = heard.len() == Rule::Canary.chats().len();
        if !self.sung {
            self.wrong("the last canary did not sing in every chat".to_owned());
        }
        self.figures.canary_ms = heard
            .iter()
            .map(|told| told.at.saturating_sub(calm))
            .max()
            .unwrap_or(0);
    }

    /// I7: where Telegram's limits were in force, they were kept.
    fn limits(&mut self, files: &Files) {
        let flood = |request: &&Request| matches!(request.verdict, Answer::Flood { .. });
        self.figures.floods = files.record.iter().filter(flood).count() as u64;
        if self.figures.floods > 0 {
            self.wrong(format!("{} requests broke the limits", self.figures.floods));
        }
        let refused = files.record.iter().filter_map(|request| match &request.verdict {
            // An edit that went through before a kill and is made again changes nothing.
            // The same for a message to a group that became a supergroup: the answer says where it is.
            Answer::Refused { description, .. }
                if !HARMLESS.iter().any(|part| description.contains(part)) =>
            {
                Some(description)
            }
            _ => None,
        });
        for description in refused {
            self.wrong(format!("the server refused: {description}"));
        }
    }

    /// I8, and I10: what was destroyed unread, and what became of a damaged state, was told.
    fn honesty(&mut self, files: &Files) {
        if self.figures.sightings > 0 {
            self.wrong(format!("{} files hold the token", self.figures.sightings));
        }
        let said = |words: &str| files.told.iter().any(|told| told.first.contains(words));
        if self.figures.destroyed > 0 && files.status.gaps.is_empty() && !said("was cut before it was read") {
            self.figures.untold += 1;
            self.wrong(format!(
                "{} lines were destroyed unread, and nobody was told",
                self.figures.destroyed
            ));
        }
        let hurt = files.log.contains("set aside") || said("no state found") || said("damaged");
        if self.damaged && !hurt {
            self.figures.untold += 1;
            self.wrong("the state was damaged, and nobody was told".to_owned());
        }
    }
}

/// Whether a line may stand in this message: in one of its rule, or as what resolved it.
fn belongs(line: &Line, told: &Told) -> bool {
    match line.word {
        Word::Rule(rule) => told.rule() == Some(rule),
        Word::Mended => told.rule() == Some(Rule::Mend),
        Word::Noise => false,
    }
}

fn account(files: &Files, rule: Rule, chat: i64) -> Account {
    let rows = &files.status.ledger;
    let row = rows
        .iter()
        .find(|row| row.rule == rule.name() && row.chat == chat_name(chat));
    row.cloned().unwrap_or_default()
}

/// How often its log tells of a panic; an ordered crash is an abort and says nothing.
fn panics(files: &Files) -> u64 {
    files.log.lines().filter(|line| line.contains("panicked")).count() as u64
}
