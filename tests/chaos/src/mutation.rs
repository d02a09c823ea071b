//! The check of the checker: a run's files, changed in one place, must turn it red.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use botapi::{Request, Verdict as Answer};

use crate::checker;
use crate::jsonl::{self, Journal};
use crate::line::{Line, MARK, Rule, Word};
use crate::site::{Site, TOKEN};
use crate::told;
use crate::truth::{CUT, Truth};

/// One way to spoil a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A line that was told is not.
    LoseLine,
    /// A message comes again without a word.
    Repeat,
    /// A column of the ledger is one too high.
    Ledger,
    /// The token stands in the log.
    Token,
    /// All lines of one writer's time with a file that was renamed are missing.
    LoseFile,
    /// A digit of a checksum is another one.
    Checksum,
    /// Two lines changed places.
    Swap,
    /// A live message says one match more.
    Total,
}

fn broken(why: &str) -> io::Error {
    io::Error::other(format!("this run is too small to be spoiled: {why}"))
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::LoseLine,
        Self::Repeat,
        Self::Ledger,
        Self::Token,
        Self::LoseFile,
        Self::Checksum,
        Self::Swap,
        Self::Total,
    ];

    /// Whether a copy of a run, spoiled in this way, is noticed.
    pub fn is_noticed(self, run: &Site, scratch: &Path) -> io::Result<bool> {
        let copy = Site::at(scratch);
        if scratch.exists() {
            fs::remove_dir_all(scratch)?;
        }
        fs::create_dir_all(copy.logs())?;
        for entry in fs::read_dir(run.logs())? {
            let entry = entry?;
            fs::copy(entry.path(), copy.logs().join(entry.file_name()))?;
        }
        let files = [Site::truth, Site::record, Site::notes, Site::status, Site::log];
        for file in files {
            fs::copy(file(run), file(&copy))?;
        }
        self.spoil(&copy)?;
        let noticed = !checker::read(&copy)?.verdict().passes();
        fs::remove_dir_all(scratch)?;
        Ok(noticed)
    }

    fn spoil(self, site: &Site) -> io::Result<()> {
        match self {
            Self::Ledger => return miscount(site),
            Self::Token => {
                let mut log = fs::File::options().append(true).open(site.log())?;
                return writeln!(log, "error sending request for url (http://x/bot{TOKEN}/getMe)");
            }
            _ => {}
        }
        let mut record: Vec<Request> = jsonl::read(&site.record())?;
        match self {
            Self::LoseLine => {
                let (_, line) = forwarded(&record).next().ok_or_else(|| broken("no line"))?;
                drop_lines(&mut record, &[line]);
            }
            Self::LoseFile => drop_lines(&mut record, &of_a_renamed_file(site)?),
            Self::Repeat => repeat(&mut record)?,
            Self::Checksum => {
                let (at, line) = forwarded(&record).next().ok_or_else(|| broken("no line"))?;
                let text = line.to_string();
                let digit = if text.ends_with("0.") { "1." } else { "0." };
                let changed = format!("{}{digit}", &text[..text.len() - 2]);
                let spoiled = record_text(&record, at).replace(&text, &changed);
                set_text(&mut record[at], &spoiled);
            }
            Self::Swap => swap(&mut record)?,
            Self::Total => miscount_message(&mut record)?,
            Self::Ledger | Self::Token => {}
        }
        fs::remove_file(site.record())?;
        let file = Journal::open(&site.record())?;
        record.iter().try_for_each(|request| file.append(request))
    }
}

fn record_text(record: &[Request], at: usize) -> String {
    record[at].body["text"].as_str().unwrap_or_default().to_owned()
}

fn set_text(request: &mut Request, text: &str) {
    request.body["text"] = text.into();
}

/// Lines that new messages of [`Rule::Every`] brought, without those that a rotator may destroy, and where.
fn forwarded(record: &[Request]) -> impl Iterator<Item = (usize, Line)> {
    let stored = record.iter().enumerate().filter(|(_, request)| {
        matches!(request.verdict, Answer::Stored { .. })
            && !request.body["text"].to_string().contains("may repeat")
    });
    stored.flat_map(|(at, request)| {
        let text = request.body["text"].as_str().unwrap_or_default();
        // The writer of the log that is cut speaks of one unit only, its first.
        let lines: Vec<_> = told::lines(text).flatten().collect();
        let of_every = lines
            .into_iter()
            .filter(|line| line.word == Word::Rule(Rule::Every));
        of_every.map(move |line| (at, line)).collect::<Vec<_>>()
    })
}

fn drop_lines(record: &mut [Request], lines: &[Line]) {
    let gone: Vec<String> = lines.iter().map(ToString::to_string).collect();
    for request in record {
        let text = request.body["text"].as_str().unwrap_or_default();
        let stays = |line: &&str| !gone.iter().any(|gone| line.contains(gone.as_str()));
        let left: Vec<&str> = text.lines().filter(stays).collect();
        let left = left.join("\n");
        set_text(request, &left);
    }
}

/// What one writer wrote through one descriptor into the log that is renamed.
fn of_a_renamed_file(site: &Site) -> io::Result<Vec<Line>> {
    let mut lines: Vec<Line> = Vec::new();
    for truth in jsonl::read(&site.truth())? {
        if let Truth::Wrote { file, lines: wrote } = truth
            && file != CUT
        {
            let of_first = |line: &&Line| {
                lines
                    .first()
                    .is_none_or(|first: &Line| first.id.series == line.id.series)
            };
            let more: Vec<Line> = wrote.iter().filter(of_first).cloned().collect();
            lines.extend(more);
        }
    }
    Ok(lines)
}

/// A message comes again of which no line had come twice before.
fn repeat(record: &mut Vec<Request>) -> io::Result<()> {
    let chat = |at: usize| record[at].chat;
    let once = |at: usize, line: &Line| {
        let line = line.to_string();
        let beside = record.iter().enumerate().filter(|(other, request)| {
            *other != at && request.chat == chat(at) && matches!(request.verdict, Answer::Stored { .. })
        });
        !beside
            .into_iter()
            .any(|(other, _)| record_text(record, other).contains(&line))
    };
    let found = forwarded(record).find(|(at, line)| once(*at, line));
    let (at, _) = found.ok_or_else(|| broken("every line came twice"))?;
    let mut again = record[at].clone();
    let ids = record.iter().filter_map(|request| match request.verdict {
        Answer::Stored { message_id } if request.chat == again.chat => Some(message_id),
        _ => None,
    });
    again.verdict = Answer::Stored {
        message_id: ids.max().unwrap_or_default() + 1,
    };
    record.push(again);
    Ok(())
}

/// Exchanges two neighbours of one series.
fn swap(record: &mut [Request]) -> io::Result<()> {
    let all: Vec<_> = forwarded(record).collect();
    let pair = all.windows(2).find(|pair| {
        let [(at, one), (beside, two)] = pair else {
            return false;
        };
        // Of a line that came before, the first coming counts.
        let earlier = |line: &Line| {
            let line = line.to_string();
            (0..*at).any(|before| record_text(record, before).contains(&line))
        };
        at == beside && one.id.series == two.id.series && !earlier(one) && !earlier(two)
    });
    let Some([(at, one), (_, two)]) = pair else {
        return Err(broken("no two lines of a series in a message"));
    };
    let (one, two) = (one.to_string(), two.to_string());
    let text = record_text(record, *at);
    set_text(
        &mut record[*at],
        &text
            .replace(&one, "\u{0}")
            .replace(&two, &one)
            .replace('\u{0}', &two),
    );
    Ok(())
}

/// One match more in the final text of a live message.
fn miscount_message(record: &mut [Request]) -> io::Result<()> {
    let is_live = |request: &Request| {
        let text = request.body["text"].as_str().unwrap_or_default();
        let head = text.lines().next().unwrap_or_default();
        head.contains(" storm on ") && !head.contains(" new in ") && text.contains(MARK)
    };
    let told = |request: &&mut Request| {
        matches!(request.verdict, Answer::Stored { .. } | Answer::Edited { .. }) && is_live(request)
    };
    // The last that was told of any of them is a final text.
    let last = record
        .iter_mut()
        .rev()
        .find(told)
        .ok_or_else(|| broken("no live message"))?;
    let text = last.body["text"].as_str().unwrap_or_default();
    let more = |line: &str| match line
        .strip_suffix(" matches")
        .or_else(|| line.strip_suffix(" match"))
    {
        Some(number) => format!("{number}1 matches"),
        None => line.to_owned(),
    };
    let text = text.lines().map(more).collect::<Vec<_>>().join("\n");
    set_text(last, &text);
    Ok(())
}

fn miscount(site: &Site) -> io::Result<()> {
    let mut status: serde_json::Value = serde_json::from_slice(&fs::read(site.status())?)?;
    let shown = &mut status["ledger"][0]["shown"];
    *shown = (shown.as_u64().ok_or_else(|| broken("no ledger"))? + 1).into();
    fs::write(site.status(), serde_json::to_vec(&status)?)
}
