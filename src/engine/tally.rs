//! Folds the hits of one turn into rows: a storm leaves here as a few values.

use std::cell::{LazyCell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use jiff::tz::TimeZone;
use regex::Regex;

use super::places::Places;
use super::shares::Shares;
use crate::config::LogRules;
use crate::event::{self, Event, Events, Fields, Place, Placed, Reference, Scratch, Search};
use crate::incident::{self, Around, Ring};
use crate::message;
use crate::model::{
    By, Found, KEPT_BYTES, KEPT_LINES, KEPT_SHAPES, KEPT_TEXT, KeptLine, Logged, Now, Origin, QUEUE_BYTES,
    Resolve, Row, RuleName, SAMPLE_CHARS, ShapeCount, ShapeId, Timestamp, Values, without_controls,
};
use crate::scan::{self, Pattern, Redactor, Says, ScanError, Scanner, Verdict};
use crate::tail::{Chunk, Ending, Source};

use super::around::{self, Spot};

/// A `by` value is cut to this many characters.
const BY_CHARS: usize = 120;
/// Any other value that a rule's texts and links ask for is cut to this many characters.
const VALUE_CHARS: usize = 1_000;

/// How the bytes of the logs are looked at; shared by all turns.
pub(super) struct Lens {
    host: String,
    /// That of times in records that name none.
    zone: TimeZone,
    places: RefCell<Places>,
    logs: Vec<LogLens>,
    /// The built-in redaction.
    redactor: Arc<Redactor>,
}

/// One log's half of the [`Lens`].
struct LogLens {
    /// Its place among the logs.
    index: usize,
    name: String,
    /// Shared with the matches whose surroundings are still awaited: they may outlive this lens.
    events: Arc<Events>,
    scanner: Scanner,
    rules: Vec<RuleLens>,
}

struct RuleLens {
    name: RuleName,
    by: Vec<String>,
    /// The further names that its texts and links ask for.
    values: Vec<String>,
    /// `ring = "all"`: every line is kept.
    keeps_all: bool,
    /// It forwards what it finds, or waits for signs of life: finding much is what it is for.
    finds_all: bool,
    /// The lines around its matches that are wanted.
    around: Option<Around>,
    /// The rule's own redaction, on top of the built-in one; absent where it has none.
    redactor: Option<Arc<Redactor>>,
}

impl Lens {
    /// Compiles what the rules look for.
    pub(super) fn compile(
        message: &message::Settings,
        logs: &[LogRules],
        incidents: &incident::Settings,
    ) -> Result<Self, ScanError> {
        let settings = |name: &RuleName| incidents.rules.iter().find(|rule| rule.name == *name);
        let keeps_all = |name: &RuleName| settings(name).is_some_and(|rule| rule.ring == Ring::All);
        let log = |(index, log): (usize, &LogRules)| {
            let rules = log.scan.rules.iter().map(|rule: &scan::RuleSettings| RuleLens {
                name: rule.name.clone(),
                by: rule.by.clone(),
                values: rule.values.clone(),
                keeps_all: keeps_all(&rule.name),
                finds_all: keeps_all(&rule.name)
                    || settings(&rule.name).is_some_and(|rule| rule.absent.is_some()),
                around: settings(&rule.name).and_then(|rule| rule.around),
                redactor: redactor(&rule.redact).map(Arc::new),
            });
            Ok(LogLens {
                index,
                name: log.name.to_string(),
                events: Arc::new(Events::new(log.event.clone())),
                scanner: Scanner::compile(&log.scan)?,
                rules: rules.collect(),
            })
        };
        Ok(Self {
            host: message.host.clone(),
            zone: message.zone.clone(),
            places: RefCell::default(),
            redactor: Arc::default(),
            logs: logs.iter().enumerate().map(log).collect::<Result<_, _>>()?,
        })
    }

    /// The names of the logs.
    pub(super) fn logs(&self) -> impl Iterator<Item = &str> {
        self.logs.iter().map(|log| log.name.as_str())
    }

    /// How many rules look at each log.
    pub(super) fn rules_per_log(&self) -> impl Iterator<Item = usize> {
        self.logs.iter().map(|log| log.rules.len())
    }

    /// The names of a log and of a rule that looks at it; none if it is meant to find whatever there is.
    pub(super) fn picky_rule(&self, log: usize, rule: usize) -> Option<(&str, &RuleName)> {
        let log = self.logs.get(log)?;
        let rule = log.rules.get(rule).filter(|rule| !rule.finds_all)?;
        Some((&log.name, &rule.name))
    }

    /// The names of the logs that reach a file.
    pub(super) fn logs_of(&self, source: &Source) -> impl Iterator<Item = &str> {
        let logs = source.logs.iter().filter_map(|index| self.logs.get(*index));
        logs.map(|log| log.name.as_str())
    }
}

/// What a rule's `redact` hides. Its patterns compiled for bytes already; that they compile for text too is
/// checked with rules.toml, so none is ever left out here.
fn redactor(patterns: &[Pattern]) -> Option<Redactor> {
    let regexes = patterns
        .iter()
        .filter_map(|pattern| Regex::new(pattern.source()).ok());
    let regexes: Vec<Regex> = regexes.collect();
    (!regexes.is_empty()).then(|| Redactor::new(&regexes))
}

impl Lens {
    /// A captured value without secrets, then cut. Alone it is just a word, so it is looked at beside its
    /// name: what `password=(?P<password>\S+)` captured is recognised by the name.
    fn value(&self, rule: &RuleLens, name: &str, value: &str, most: usize) -> String {
        let value = &*without_controls(value);
        let pair = format!("{name}={value}");
        match rule.redactor.as_ref().unwrap_or(&self.redactor).redact(&pair) {
            std::borrow::Cow::Borrowed(_) => value.chars().take(most).collect(),
            std::borrow::Cow::Owned(redacted) => {
                let value = redacted
                    .strip_prefix(name)
                    .and_then(|rest| rest.strip_prefix('='));
                value.unwrap_or(&redacted).chars().take(most).collect()
            }
        }
    }
}

/// The rows of one turn under construction.
pub(super) struct Tally<'l> {
    lens: &'l Lens,
    shares: &'l mut Shares,
    now: Now,
    rows: Vec<Row>,
    /// Where the row of a rule and its `by` values is, unless a resolve sealed it.
    open: HashMap<RuleName, HashMap<By, usize>>,
    /// How many events each rule found.
    found: BTreeMap<RuleName, u64>,
    /// The newest match of each row whose rule wants to know what stands around it.
    spots: BTreeMap<usize, Spot>,
    verdict: Verdict,
    scratch: Scratch,
}

impl<'l> Tally<'l> {
    pub(super) fn new(lens: &'l Lens, shares: &'l mut Shares, now: Now) -> Self {
        Self {
            lens,
            shares,
            now,
            rows: Vec::new(),
            open: HashMap::new(),
            found: BTreeMap::new(),
            spots: BTreeMap::new(),
            verdict: Verdict::default(),
            scratch: Scratch::default(),
        }
    }

    /// Looks at a chunk with the rules of every log that reaches its file.
    pub(super) fn chunk(&mut self, source: &Source, chunk: Chunk<'_>) {
        let lens = self.lens;
        // A rule that looks at several of the file's logs still finds an event once.
        let mut seen: Option<HashSet<(usize, RuleName)>> = (source.logs.len() > 1).then(HashSet::new);
        for log in source.logs.iter().filter_map(|index| lens.logs.get(*index)) {
            self.log(log, source, chunk, &mut seen);
        }
    }

    /// The rows, what each rule found, and the matches whose surroundings are wanted.
    pub(super) fn finish(self) -> (Vec<Row>, BTreeMap<RuleName, u64>, Vec<Spot>) {
        (self.rows, self.found, self.spots.into_values().collect())
    }

    /// Candidate first: a line exists as a value only from here on, and only around a hit.
    fn log(
        &mut self,
        log: &'l LogLens,
        source: &Source,
        chunk: Chunk<'_>,
        seen: &mut Option<HashSet<(usize, RuleName)>>,
    ) {
        self.shares.read(log.index, chunk.bytes);
        let mut at = 0;
        let mut verdict = std::mem::take(&mut self.verdict);
        let mut scratch = std::mem::take(&mut self.scratch);
        let (lens, now) = (self.lens, self.now);
        let place = LazyCell::new(|| lens.places.borrow_mut().of(source, now));
        // Lines that wrap texts are searched as they stand, before any is decoded.
        let search = Search {
            find: &|format, lines| log.scanner.wrapped_candidate(format, lines),
            pieces: &|format| log.scanner.finds_pieces(format),
        };
        let lines = log
            .events
            .candidates(chunk.bytes, chunk.offset, source.manner, &mut scratch, search);
        while let Some(hit) = lines
            .bytes()
            .get(at..)
            .and_then(|rest| log.scanner.candidate(rest))
        {
            let Placed { event, next } = lines.around(at, at + hit);
            let fields = LazyCell::new(|| lines.fields(&event).at(place.clone()));
            log.scanner
                .judge(event.text, &|name| fields.get(name), &mut verdict);
            if !verdict.findings.is_empty() {
                let seen_as = Seen {
                    source,
                    chunk,
                    event: &event,
                    fields: &fields,
                    place: &place,
                    zone: &lens.zone,
                };
                self.event(log, seen_as, &mut verdict, seen);
            }
            at = next;
        }
        self.verdict = verdict;
        self.scratch = scratch;
    }

    fn event(
        &mut self,
        log: &'l LogLens,
        at: Seen<'_>,
        verdict: &mut Verdict,
        seen: &mut Option<HashSet<(usize, RuleName)>>,
    ) {
        let hit = Hit::new(at, &self.lens.redactor, self.now);
        for finding in verdict.findings.drain(..) {
            let Some(rule) = log.rules.get(finding.rule) else {
                continue;
            };
            let again = seen
                .as_mut()
                .is_some_and(|seen| !seen.insert((at.event.range.start, rule.name.clone())));
            if again {
                continue;
            }
            let own = rule.redactor.as_ref();
            let own = own.map(|redactor| Hit::new(at, redactor, self.now));
            let hit = own.as_ref().unwrap_or(&hit);
            match finding.says {
                Says::Match { by, values } => {
                    self.shares.matched(log.index, finding.rule);
                    let by = self.fill(rule, &rule.by, by, BY_CHARS, log, at);
                    let pairs = rule
                        .by
                        .iter()
                        .cloned()
                        .zip(by.into_iter().map(Option::unwrap_or_default));
                    let values = self.fill(rule, &rule.values, values, VALUE_CHARS, log, at);
                    let values = rule.values.iter().cloned().zip(values);
                    let values = values.filter_map(|(name, value)| Some((name, value?)));
                    let row = self.add(rule, pairs.collect(), values.collect(), hit);
                    self.spot(rule, log, row, at);
                }
                Says::Resolve { by } => {
                    let by = self.fill(rule, &rule.by, by, BY_CHARS, log, at);
                    self.resolve(rule, by, hit);
                }
            }
        }
    }

    /// The values of these names: what captures and fields gave, without secrets, and what is neither.
    fn fill(
        &self,
        rule: &RuleLens,
        names: &[String],
        captured: Vec<Option<String>>,
        most: usize,
        log: &LogLens,
        at: Seen<'_>,
    ) -> Vec<Option<String>> {
        let known = |name: &str| match name {
            "file" => Some(at.source.path.to_string()),
            "host" => Some(self.lens.host.clone()),
            "log" => Some(log.name.clone()),
            _ => {
                let field = name.strip_prefix("fields.").unwrap_or(name);
                let value = at.fields.get(field).or_else(|| at.fields.get(name))?;
                Some(self.lens.value(rule, name, &value, most))
            }
        };
        names
            .iter()
            .zip(captured)
            .map(|(name, value)| {
                value
                    .map(|value| self.lens.value(rule, name, &value, most))
                    .or_else(|| known(name))
            })
            .collect()
    }

    /// Remembers a match whose surroundings are wanted, in place of the one before it.
    fn spot(&mut self, rule: &'l RuleLens, log: &'l LogLens, row: usize, at: Seen<'_>) {
        let Some(wish) = rule.around else { return };
        let range = at.event.range.clone();
        let spot = Spot {
            row,
            origin: Origin {
                file: at.source.key,
                offset: at.chunk.offset + range.start as u64,
            },
            end: at.chunk.offset + range.end as u64,
            hash: around::hash(&at.chunk.bytes[range]),
            manner: at.source.manner,
            wish,
            events: Arc::clone(&log.events),
            redactor: Arc::clone(rule.redactor.as_ref().unwrap_or(&self.lens.redactor)),
        };
        self.spots.insert(row, spot);
    }

    /// Adds a match to its row; returns where that is.
    fn add(&mut self, rule: &RuleLens, by: By, values: Values, hit: &Hit<'_>) -> usize {
        match self.found.get_mut(&rule.name) {
            Some(found) => *found += 1,
            None => drop(self.found.insert(rule.name.clone(), 1)),
        }
        let open = match self.open.get_mut(&rule.name) {
            Some(open) => open,
            None => self.open.entry(rule.name.clone()).or_default(),
        };
        let rows = &mut self.rows;
        let index = *open.entry(by).or_insert_with_key(|by| {
            rows.push(Row::Found(hit.row(rule, by.clone())));
            rows.len() - 1
        });
        if let Some(Row::Found(row)) = self.rows.get_mut(index) {
            hit.add_to(row, rule.keeps_all);
            row.values = values;
        }
        index
    }

    /// A resolve seals the rule's rows: the next match begins others.
    fn resolve(&mut self, rule: &RuleLens, by: Vec<Option<String>>, hit: &Hit<'_>) {
        self.open.remove(&rule.name);
        let text = hit.text.chars().take(SAMPLE_CHARS).collect();
        self.rows.push(Row::Resolve(Resolve {
            rule: rule.name.clone(),
            by,
            at: hit.now.wall,
            text,
        }));
    }
}

/// A long text of many lines without those in its middle: its beginning says when, its end says what. None if its
/// lines are too long for that.
fn without_middle(text: &str) -> Option<String> {
    let most = KEPT_TEXT / 2 - 64;
    let head = text[..text.floor_char_boundary(most)].rfind('\n')?;
    let rest = text.ceil_char_boundary(text.len() - most);
    let tail = rest + text[rest..].find('\n')?;
    let missing = text.get(head + 1..tail)?.matches('\n').count() + 1;
    Some(format!("{}\n… {missing} lines …{}", &text[..head], &text[tail..]))
}

/// An event that some rule found, and where.
#[derive(Clone, Copy)]
struct Seen<'e> {
    source: &'e Source,
    chunk: Chunk<'e>,
    event: &'e Event<'e>,
    fields: &'e Fields,
    place: &'e Place,
    zone: &'e TimeZone,
}

/// One event that matters, decoded.
struct Hit<'e> {
    text: std::borrow::Cow<'e, str>,
    cut: bool,
    shape: ShapeId,
    origin: Origin,
    path: &'e Arc<str>,
    /// The file as people are told of it.
    file: Arc<str>,
    /// When the record says it was written.
    logged: Option<Timestamp>,
    now: Now,
}

impl<'e> Hit<'e> {
    /// Secrets are taken out before anything else is made of the text: its shape, what is stored, what is
    /// sent. And before it is cut, for a secret cut in half is not recognised.
    fn new(at: Seen<'e>, redactor: &Redactor, now: Now) -> Self {
        let Seen {
            source,
            chunk,
            event,
            fields,
            place,
            zone,
        } = at;
        let last = event.range.end == chunk.bytes.len();
        let decoded = match (fields.message(), event.parts().1) {
            (Some(message), []) => without_controls(message),
            (Some(message), below) => {
                format!("{}\n{}", without_controls(message), event::decode(below)).into()
            }
            (None, _) => event::decode(event.text),
        };
        let decoded = if decoded.contains("\r\n") {
            decoded.replace("\r\n", "\n").into()
        } else {
            decoded
        };
        let mut text = match redactor.redact(&decoded) {
            std::borrow::Cow::Owned(redacted) => redacted.into(),
            std::borrow::Cow::Borrowed(_) => decoded,
        };
        if text.len() > KEPT_TEXT
            && let Some(shorter) = without_middle(&text)
        {
            text = shorter.into();
        }
        let cut = event.cut || (last && chunk.ending == Ending::Cut) || text.len() > KEPT_TEXT;
        if text.len() > KEPT_TEXT {
            let end = text.floor_char_boundary(KEPT_TEXT);
            text = match text {
                std::borrow::Cow::Borrowed(text) => text[..end].into(),
                std::borrow::Cow::Owned(text) => text[..end].to_owned().into(),
            };
        }
        if event.rest || (chunk.continued && event.range.start == 0) {
            text = format!("(continued) {text}").into();
        }
        let (shape, _) = scan::shape(&scan::outline(&text));
        let origin = Origin {
            file: source.key,
            offset: chunk.offset + event.range.start as u64,
        };
        Self {
            text,
            cut,
            shape,
            origin,
            path: &source.path,
            file: place.label().unwrap_or(&source.path).clone(),
            logged: fields.time(event.text, Reference { now: now.wall, zone }),
            now,
        }
    }

    /// An empty row for the first match of its kind.
    fn row(&self, rule: &RuleLens, by: By) -> Found {
        Found {
            rule: rule.name.clone(),
            by,
            count: 0,
            first: self.now.wall,
            last: self.now.wall,
            logged: None,
            shapes: Vec::new(),
            other: 0,
            lines: VecDeque::new(),
            kept: 0,
            files: Vec::new(),
            values: Values::new(),
            context: None,
        }
    }

    fn add_to(&self, row: &mut Found, keeps_all: bool) {
        row.count += 1;
        row.logged = Logged::of_both(row.logged, self.logged.map(Logged::at));
        self.count_shape(row);
        if row.files.last() != Some(&self.file) {
            row.files.retain(|file| *file != self.file);
            row.files.push(self.file.clone());
            let surplus = row.files.len().saturating_sub(8);
            row.files.drain(..surplus);
        }
        if keeps_all && row.kept + self.text.len() > QUEUE_BYTES {
            return;
        }
        row.kept += self.text.len();
        row.lines.push_back(self.line(row.count));
        while !keeps_all && row.lines.len() > 1 && (row.lines.len() > KEPT_LINES || row.kept > KEPT_BYTES) {
            row.kept -= row.lines.pop_front().map_or(0, |line| line.text.len());
        }
    }

    fn count_shape(&self, row: &mut Found) {
        // The newest shapes stand last and repeat most, so the search begins there.
        if let Some(known) = row.shapes.iter_mut().rev().find(|known| known.id == self.shape) {
            known.count += 1;
            known.last = self.now.wall;
        } else if row.shapes.len() < KEPT_SHAPES {
            let sample = self.text.chars().take(SAMPLE_CHARS).collect();
            row.shapes.push(ShapeCount {
                id: self.shape,
                sample,
                nth: row.count,
                count: 1,
                last: self.now.wall,
            });
        } else {
            row.other += 1;
        }
    }

    fn line(&self, nth: u64) -> KeptLine {
        KeptLine {
            origin: self.origin,
            path: self.path.clone(),
            at: self.now.wall,
            nth,
            shape: self.shape,
            text: self.text.clone().into_owned(),
            cut: self.cut,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn rule() -> RuleLens {
        RuleLens {
            name: RuleName::new("r"),
            by: Vec::new(),
            values: Vec::new(),
            keeps_all: false,
            finds_all: false,
            around: None,
            redactor: None,
        }
    }

    #[test]
    fn a_long_event_loses_its_middle_and_a_single_line_its_end() {
        let lines: Vec<_> = (0..2000).map(|n| format!("line {n}")).collect();
        let short = without_middle(&lines.join("\n")).unwrap();
        assert!(
            short.len() <= KEPT_TEXT
                && short.starts_with("line 0\nline 1\n")
                && short.ends_with("\nline 1999")
        );
        let mark = short.lines().position(|line| line.starts_with('…')).unwrap();
        let missing: usize = short
            .lines()
            .nth(mark)
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(short.lines().count() - 1 + missing, 2000);
        assert_eq!(without_middle(&"한".repeat(KEPT_TEXT)), None);
        assert_eq!(without_middle(&format!("a\n{}", "x".repeat(2 * KEPT_TEXT))), None);
    }

    #[test]
    fn a_by_value_is_cut_only_after_secrets_were_taken_out() {
        let message = message::Settings {
            host: "host".into(),
            zone: TimeZone::UTC,
            rules: BTreeMap::new(),
        };
        let lens = Lens::compile(&message, &[], &incident::Settings::default()).unwrap();
        let long = "한".repeat(500);
        let by_value = |name: &str, value: &str| lens.value(&rule(), name, value, BY_CHARS);
        assert_eq!(by_value("user", &long), "한".repeat(BY_CHARS));
        // The whole is recognised by its three parts; its first 120 characters are just letters.
        let token = format!("eyJ{}.eyJ{}.{}", "a".repeat(100), "b".repeat(100), "c".repeat(43));
        assert_eq!(by_value("who", &token), "[redacted]");
        assert_eq!(by_value("password", "hunter2"), "[redacted]");
        assert_eq!(by_value("user", "\u{1b}[1mann\u{1b}[0m"), "ann");
    }
}
