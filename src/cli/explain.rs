//! `tailgram explain`: for each line which rule matches and where, or why not.
//!
//! The same decision as a run makes, one rule after the other. Nothing is stored and nothing is sent.

mod names;

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::config::{self, Environment, LogRules};
use crate::event::{Events, Fields, Scratch};
use crate::message::Clean;
use crate::model::{Joints as _, Manner};
use crate::scan::{Decided, Pattern, RuleSettings};

use super::{Failure, Options};

/// So much of a file is explained.
const MOST: u64 = 64 * 1024 * 1024;
/// So much of a pattern or a value is quoted, in characters.
const QUOTED: usize = 80;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file whose lines to explain; `-` is stdin
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Read the lines as those of this log [default: the logs that reach the file or read stdin, else all]
    #[arg(long, value_name = "NAME")]
    log: Option<String>,
    /// Speak of this rule alone, and of every line
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// List the names that templates and buttons can say; with a file also the fields of its lines
    #[arg(long)]
    fields: bool,
}

pub(super) fn run(options: &Options, args: &Args, env: &Environment) -> Result<(), Failure> {
    if args.fields {
        // What is always there is told even where rules.toml is not right yet: that may be why somebody asks.
        super::print(names::always().as_bytes())?;
    }
    let settings = super::settings(options, env)?;
    let logs = logs(&settings, args)?;
    if let Some(rule) = &args.rule {
        let rules = settings.incident.rules.iter().map(|rule| rule.name.as_str());
        known("rule", rule, &rules.collect::<Vec<_>>())?;
    }
    let Some(file) = &args.file else {
        if args.fields {
            return super::print(names::of_rules(&logs, args.rule.as_deref()).as_bytes());
        }
        return Err(Failure::Usage(
            "explain needs a file, `-` for stdin, or --fields".to_owned(),
        ));
    };
    let bytes = read(file)?;
    if args.fields {
        let mut page = names::of_rules(&logs, args.rule.as_deref());
        page.push_str(&names::of_lines(&logs, file, &bytes));
        return super::print(page.as_bytes());
    }
    let colour = std::io::stdout().is_terminal();
    for log in &logs {
        let page = Explained {
            log,
            manner: manner(log, file, &bytes),
            rule: args.rule.as_deref(),
            colour,
        };
        page.print(&bytes)?;
    }
    Ok(())
}

/// What the lines are, read as those of this log.
fn manner(log: &LogRules, file: &Path, bytes: &[u8]) -> Manner {
    let first = &bytes[..bytes.len().min(Manner::FIRST)];
    log.event.manner(&file.to_string_lossy(), first)
}

/// The logs whose rules are asked.
fn logs<'s>(settings: &'s config::Settings, args: &Args) -> Result<Vec<&'s LogRules>, Failure> {
    if let Some(name) = &args.log {
        let names: Vec<_> = settings.logs.iter().map(|log| log.name.as_str()).collect();
        known("log", name, &names)?;
        let asked = settings.logs.iter().filter(|log| log.name.as_str() == name);
        return Ok(asked.collect());
    }
    let stdin = args.file.as_deref() == Some(Path::new("-"));
    let path = args
        .file
        .as_ref()
        .filter(|_| !stdin)
        .and_then(|file| std::path::absolute(file).ok());
    let globs_match =
        |at: usize, path: &Path| settings.tail.logs[at].files.iter().any(|glob| glob.matches(path));
    let all = || settings.logs.iter().enumerate();
    let reached: Vec<_> = all()
        .filter(|(at, _)| {
            (stdin && settings.tail.logs[*at].reads_stdin())
                || path.as_ref().is_some_and(|path| globs_match(*at, path))
        })
        .map(|(_, log)| log)
        .collect();
    if reached.is_empty() {
        return Ok(settings.logs.iter().collect());
    }
    Ok(reached)
}

fn known(kind: &str, name: &str, names: &[&str]) -> Result<(), Failure> {
    if names.contains(&name) {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "there is no {kind} named {name:?}; there are {}",
        names.join(", ")
    )))
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(MOST).read_to_end(&mut bytes)
    } else {
        let open = std::fs::File::open(file);
        open.and_then(|file| file.take(MOST).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::Running(format!("{} cannot be read: {error}", file.display())))?;
    if bytes.len() as u64 == MOST {
        tracing::warn!("only the first 64 MiB are explained");
    }
    Ok(bytes)
}

/// The lines of one log, explained.
struct Explained<'s> {
    log: &'s LogRules,
    manner: Manner,
    /// The only rule to speak of.
    rule: Option<&'s str>,
    colour: bool,
}

/// What a rule says of an event, and the stretches that decided.
struct Said {
    sign: char,
    words: String,
    at: Vec<Range<usize>>,
}

impl Explained<'_> {
    fn print(&self, bytes: &[u8]) -> Result<(), Failure> {
        let events = Events::new(self.log.event.clone());
        let mut scratch = Scratch::default();
        let lines = events.lines(bytes, 0, self.manner, &mut scratch);
        let (mut at, mut number) = (0, 1);
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        while at < lines.bytes().len() {
            let placed = lines.around(at, at);
            let fields = lines.fields(&placed.event);
            let page = self.event(number, placed.event.text, &fields);
            match out.write_all(page.as_bytes()) {
                // Whoever closed it, such as `head`, has seen enough.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                written => written.map_err(Failure::running)?,
            }
            number += memchr::memchr_iter(b'\n', &lines.bytes()[at..placed.next]).count();
            at = placed.next;
        }
        match out.flush() {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::running(error)),
            _ => Ok(()),
        }
    }

    fn event(&self, number: usize, text: &[u8], fields: &Fields) -> String {
        let ignored = self.log.scan.ignore.iter().find(|pattern| finds(pattern, text));
        let said: Vec<(&RuleSettings, Said)> = self
            .log
            .scan
            .rules
            .iter()
            .filter(|rule| self.rule.is_none_or(|only| rule.name.as_str() == only))
            .filter_map(|rule| Some((rule, self.says(rule, text, fields)?)))
            .collect();
        let marked: Vec<Range<usize>> = match ignored {
            Some(pattern) => stretches(pattern, text),
            None => said
                .iter()
                .flat_map(|(_, said)| said.at.iter().cloned())
                .collect(),
        };
        let lead = format!("{}:{number}: ", self.log.name);
        let mut page = line(&lead, text, &marked, self.colour);
        if let Some(pattern) = ignored {
            let _ = writeln!(page, "  - no rule sees it: `ignore` {} finds it", quoted(pattern));
            return page;
        }
        for (rule, said) in &said {
            let _ = writeln!(page, "  {} {}: {}", said.sign, rule.name, said.words);
        }
        if said.is_empty() {
            page.push_str("  - no rule speaks of it\n");
        }
        page
    }

    /// What one rule says; of a line in which it finds nothing only if it was asked for by name.
    fn says(&self, rule: &RuleSettings, text: &[u8], fields: &Fields) -> Option<Said> {
        let said = |sign: char, words: String, pattern: Option<&Pattern>| Said {
            sign,
            words,
            at: pattern
                .map(|pattern| stretches(pattern, text))
                .unwrap_or_default(),
        };
        Some(match rule.decide(text, &|name| fields.get(name)) {
            Decided::Match(Some(pattern)) => said(
                '+',
                format!(
                    "matches: {} finds it{}",
                    quoted(pattern),
                    values(rule, text, fields)
                ),
                Some(pattern),
            ),
            Decided::Match(None) => {
                let mut said = said('+', format!("matches{}", values(rule, text, fields)), None);
                said.at = rule
                    .all
                    .iter()
                    .flat_map(|pattern| stretches(pattern, text))
                    .collect();
                said
            }
            Decided::Resolve(pattern) => said(
                '+',
                format!("ends its incidents: `resolve` {} finds it", quoted(pattern)),
                Some(pattern),
            ),
            Decided::Unless(pattern) => said(
                '-',
                format!("would match, but `unless` {} drops it", quoted(pattern)),
                Some(pattern),
            ),
            // Not worth a word where the rule has found nothing else either.
            Decided::NotAll(_)
                if self.rule.is_none()
                    && !rule
                        .matches
                        .iter()
                        .chain(&rule.all)
                        .any(|other| finds(other, text)) =>
            {
                return None;
            }
            Decided::NotAll(pattern) => said('-', format!("`all` {} finds nothing", quoted(pattern)), None),
            Decided::NotWhere(condition) => {
                let is = match fields.get(&condition.field) {
                    Some(value) => format!("the field {:?} is {}", condition.field, shown(&value)),
                    None => format!("there is no field {:?}", condition.field),
                };
                said('-', format!("`where` does not hold: {is}"), None)
            }
            Decided::NotMatch if self.rule.is_some() => said('-', "`match` finds nothing".to_owned(), None),
            Decided::NotMatch => return None,
        })
    }
}

fn finds(pattern: &Pattern, text: &[u8]) -> bool {
    pattern.regex().is_match(text)
}

/// Where a pattern finds something, nothing at all left out.
fn stretches(pattern: &Pattern, text: &[u8]) -> Vec<Range<usize>> {
    let found = pattern.regex().find_iter(text).map(|found| found.range());
    found.filter(|range| !range.is_empty()).take(100).collect()
}

/// The values that a match has for the rule's own names.
fn values(rule: &RuleSettings, text: &[u8], fields: &Fields) -> String {
    let captured = |name: &str| {
        let patterns = rule.matches.iter().chain(&rule.all);
        let mut values = patterns.filter_map(|pattern| {
            let captures = pattern.regex().captures(text)?;
            Some(String::from_utf8_lossy(captures.name(name)?.as_bytes()).into_owned())
        });
        values.next()
    };
    let patterns = rule.matches.iter().chain(&rule.all);
    let names = patterns
        .flat_map(Pattern::captures)
        .chain(rule.by.iter().map(String::as_str));
    let mut told: Vec<&str> = Vec::new();
    let mut out = String::new();
    for name in names {
        if told.contains(&name) {
            continue;
        }
        told.push(name);
        if let Some(value) = captured(name).or_else(|| fields.get(name)) {
            out.push_str(if out.is_empty() { "; " } else { ", " });
            let _ = write!(out, "{name}={}", shown(&value));
        }
    }
    out
}

/// A value on one line, without anything that could play with a terminal.
fn shown(value: &str) -> String {
    let mut shown: String = value.chars().take(QUOTED).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("{:?}", Clean::line(&shown).as_str())
}

fn quoted(pattern: &Pattern) -> String {
    let mut shown: String = pattern.source().chars().take(QUOTED).collect();
    if shown.len() < pattern.source().len() {
        shown.push('…');
    }
    format!("'{}'", Clean::line(&shown).as_str())
}

/// The line with its stretches in another colour, or marked on a line of their own.
fn line(lead: &str, text: &[u8], marked: &[Range<usize>], colour: bool) -> String {
    let mut out = String::from(lead);
    let mut carets = " ".repeat(lead.chars().count());
    let mut bounds: Vec<usize> = marked.iter().flat_map(|range| [range.start, range.end]).collect();
    bounds.extend([0, text.len()]);
    bounds.sort_unstable();
    bounds.dedup();
    for piece in bounds.windows(2) {
        let is_marked = marked
            .iter()
            .any(|range| range.start <= piece[0] && piece[1] <= range.end);
        let shown = Clean::line(&String::from_utf8_lossy(&text[piece[0]..piece[1]]));
        let sign = if is_marked { "^" } else { " " };
        carets.push_str(&sign.repeat(shown.as_str().chars().count()));
        if is_marked && colour {
            out.push_str("\u{1b}[1;31m");
            out.push_str(shown.as_str());
            out.push_str("\u{1b}[0m");
        } else {
            out.push_str(shown.as_str());
        }
    }
    out.push('\n');
    if !colour && !marked.is_empty() {
        out.push_str(carets.trim_end());
        out.push('\n');
    }
    out
}
