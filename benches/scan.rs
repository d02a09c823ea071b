//! The scan beside two plain ways to do the same, on the same bytes in the same run.
//!
//! `cargo bench --bench scan`; `BENCH_MIB` (256) and `BENCH_ROUNDS` (7) shrink or grow it. Rounds are
//! interleaved, time is that of the processor, and medians are printed, so other load on the machine hurts all
//! rows alike: believe the ratios, not the MB/s. Rows that do not select the same lines are VOID, and the run then fails.
//!
//! - `tailgram`: candidate, around and judge over chunks of whole lines, as the engine does it; it knows which
//!   rules matched.
//! - `set per line`: `RegexSet` on every line; it knows which rules matched.
//! - `grep`: `grep-searcher` with all rules in one matcher, Unicode off; it only knows that some rule matched.
//! - then the formats: the same lines as a container runtime would have written them, beside the plain ones. Speeds are
//!   those of the text, not of what wraps it; nearly nothing matches. None may need more than three times as long as the
//!   plain one.
//! - then lines beside events of several lines (`multiline = "auto"`), with what is held back at the end of each chunk.
//!   The events may need a quarter more time than the lines, which is a fifth less speed.
//! - then the Unicode rows: the same scan over a log with 1 % of lines beyond ASCII, beside pure ASCII.

#![allow(clippy::print_stdout, missing_docs)]

mod logs;

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use grep_regex::RegexMatcherBuilder;
use grep_searcher::{Searcher, SearcherBuilder, Sink, SinkMatch};
use regex::bytes::RegexSet;
use tailgram::event::{Events, Format, Multiline, Scratch, Search};
use tailgram::model::{Joints as _, Manner, RuleName};
use tailgram::scan::{Pattern, RuleSettings, Scanner, Settings, Verdict, no_fields};

use logs::Recipe;

/// Bytes read at once, as `tail` does it.
const CHUNK: usize = 256 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let mib = knob("BENCH_MIB", 256);
    let rounds = knob("BENCH_ROUNDS", 7).max(1);
    let ascii = Recipe {
        bytes: mib << 20,
        alerts: 1e-3,
        foreign: 0.0,
        seed: 7,
    };
    let ascii_log = logs::make(ascii);
    println!("{mib} MiB, {rounds} interleaved rounds, medians");
    let mut void = false;
    for count in [1, 20, 200] {
        void |= !beside_others(count, &ascii_log, rounds)?;
    }
    let quiet_log = logs::make(Recipe {
        alerts: 1e-5,
        seed: 9,
        ..ascii
    });
    for count in [1, 20, 200] {
        void |= !formats(count, &quiet_log, rounds)?;
    }
    for count in [1, 20, 200] {
        void |= !several_lines(count, &quiet_log, rounds)?;
    }
    drop(quiet_log);
    let foreign_log = logs::make(Recipe {
        foreign: 0.01,
        seed: 8,
        ..ascii
    });
    for count in [1, 20, 200] {
        void |= !unicode(count, &ascii_log, &foreign_log, rounds)?;
    }
    if void {
        Err("some rows are VOID: they did not select the same lines".into())
    } else {
        Ok(())
    }
}

fn knob(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// What a way to search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    /// Lines that some rule matched.
    lines: u64,
    /// Matches, counted once per line and rule, where the way to search knows them.
    matches: Option<u64>,
}

/// One way to search, its times and what it found.
struct Row<'a> {
    name: &'a str,
    bytes: usize,
    search: Box<dyn FnMut() -> Count + 'a>,
    times: Vec<Duration>,
    count: Option<Count>,
}

impl<'a> Row<'a> {
    fn new(name: &'a str, log: &'a [u8], mut search: impl FnMut(&[u8]) -> Count + 'a) -> Self {
        let search = Box::new(move || search(black_box(log)));
        Self {
            name,
            bytes: log.len(),
            search,
            times: Vec::new(),
            count: None,
        }
    }

    fn run(&mut self) {
        let start = Clock::now();
        self.count = Some((self.search)());
        self.times.push(start.elapsed());
    }

    /// Megabytes per second, in the median round.
    fn speed(&mut self) -> f64 {
        self.times.sort();
        #[expect(clippy::cast_precision_loss, reason = "exact up to petabytes")]
        let megabytes = self.bytes as f64 / 1e6;
        megabytes / self.times[self.times.len() / 2].as_secs_f64()
    }
}

/// What the processor has spent on this thread, where the system tells; else the time of day. Everything runs
/// on one thread, so the two are the same on a quiet machine, and the first is fairer on a busy one.
#[derive(Clone, Copy)]
enum Clock {
    Processor(Duration),
    Wall(Instant),
}

impl Clock {
    fn now() -> Self {
        processor_time().map_or_else(|| Self::Wall(Instant::now()), Self::Processor)
    }

    fn elapsed(self) -> Duration {
        match self {
            Self::Processor(start) => processor_time().unwrap_or(start).saturating_sub(start).max(TICK),
            Self::Wall(start) => start.elapsed(),
        }
    }
}

/// The processor's time is kept in steps of about this much, so logs below 64 MiB are too small to believe.
const TICK: Duration = Duration::from_millis(4);

fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace()
        .next()?
        .parse()
        .ok()
        .map(Duration::from_nanos)
}

/// Runs all rows in turn, `rounds` times after one round to warm up.
fn interleave(rows: &mut [Row<'_>], rounds: usize) {
    for round in 0..=rounds {
        rows.iter_mut().for_each(Row::run);
        if round == 0 {
            for row in rows.iter_mut() {
                row.times.clear();
            }
        }
    }
}

/// Prints the rows; the first one is what the others are compared with. Whoever needs more than `most` times as long as
/// it is marked; that depends on the machine and what else it does, so it is no failure.
fn print(title: &str, rows: &mut [Row<'_>], same_log: bool, most: f64) -> bool {
    println!("\n{title}");
    let (first, ours, first_name) = (rows[0].count, rows[0].speed(), rows[0].name);
    let mut good = true;
    for row in rows {
        let speed = row.speed();
        let fits = match (row.count, first) {
            (Some(row), Some(first)) if same_log => {
                row.lines == first.lines && (row.matches.is_none() || row.matches == first.matches)
            }
            (row, _) => row.is_some_and(|row| row.lines > 0),
        };
        good &= fits;
        let lines = row.count.map_or(0, |count| count.lines);
        let void = if fits { "" } else { "  VOID" };
        let slow = if ours / speed > most { "  SLOW" } else { "" };
        println!(
            "  {:<14} {speed:>7.0} MB/s  {} is {:>5.2}x  {lines} lines{void}{slow}",
            row.name,
            first_name,
            ours / speed
        );
    }
    good
}

fn beside_others(count: usize, log: &[u8], rounds: usize) -> Result<bool, Box<dyn Error>> {
    let rules = logs::rules(count);
    let set = RegexSet::new(&rules)?;
    let matcher = RegexMatcherBuilder::new()
        .unicode(false)
        .line_terminator(Some(b'\n'))
        .build_many(&rules)?;
    let mut searcher = SearcherBuilder::new().line_number(false).build();
    let mut rows = [
        Row::new("tailgram", log, tailgram(&rules)?),
        Row::new("set per line", log, |log| set_per_line(&set, log)),
        Row::new("grep", log, |log| grep(&mut searcher, &matcher, log)),
    ];
    interleave(&mut rows, rounds);
    Ok(print(&format!("{count} rules"), &mut rows, true, f64::INFINITY))
}

/// The same lines in every format, found by the same rules.
fn formats(count: usize, log: &[u8], rounds: usize) -> Result<bool, Box<dyn Error>> {
    let rules = logs::rules(count);
    let (docker, cri) = (wrap(log, docker_line)?, wrap(log, cri_line)?);
    let mut rows = vec![Row::new(
        "plain",
        log,
        in_format(Format::Plain, Multiline::Off, &rules)?,
    )];
    for (name, format, wrapped) in [
        ("auto", Format::Auto, log),
        ("json", Format::Json, log),
        ("docker", Format::Docker, &docker),
        ("docker, auto", Format::Auto, &docker),
        ("cri", Format::Cri, &cri),
        ("cri, auto", Format::Auto, &cri),
    ] {
        let mut row = Row::new(name, wrapped, in_format(format, Multiline::Off, &rules)?);
        row.bytes = log.len();
        rows.push(row);
    }
    interleave(&mut rows, rounds);
    Ok(print(&format!("{count} rules, formats"), &mut rows, true, 3.0))
}

/// Events of several lines beside lines. What matches stands in the first line of an event, so both find as many.
fn several_lines(count: usize, log: &[u8], rounds: usize) -> Result<bool, Box<dyn Error>> {
    let rules = logs::rules(count);
    let mut rows = [
        Row::new("lines", log, in_format(Format::Plain, Multiline::Off, &rules)?),
        Row::new(
            "multi-line",
            log,
            in_format(Format::Plain, Multiline::Auto, &rules)?,
        ),
    ];
    interleave(&mut rows, rounds);
    Ok(print(
        &format!("{count} rules, events of several lines"),
        &mut rows,
        true,
        1.25,
    ))
}

fn wrap(log: &[u8], line: fn(&str, &mut String)) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut wrapped = String::with_capacity(log.len() * 2);
    for text in std::str::from_utf8(log)?.lines() {
        line(text, &mut wrapped);
        wrapped.push('\n');
    }
    Ok(wrapped.into_bytes())
}

fn docker_line(text: &str, out: &mut String) {
    let log = serde_json::Value::from(format!("{text}\n"));
    out.push_str(r#"{"log":"#);
    out.push_str(&log.to_string());
    out.push_str(r#","stream":"stdout","time":"2026-01-02T03:04:05.678901234Z"}"#);
}

fn cri_line(text: &str, out: &mut String) {
    out.push_str("2026-01-02T03:04:05.678901234+00:00 stdout F ");
    out.push_str(text);
}

/// The scan of one format as the engine runs it, with what `tail` asks before.
fn in_format(
    format: Format,
    multiline: Multiline,
    rules: &[String],
) -> Result<impl FnMut(&[u8]) -> Count + use<>, Box<dyn Error>> {
    let scanner = scanner(rules)?;
    let settings = tailgram::event::Settings {
        format,
        multiline,
        max_line: tailgram::event::Settings::MAX_LINE,
        ..Default::default()
    };
    let events = Events::new(settings.clone());
    let mut scratch = Scratch::default();
    Ok(move |log: &[u8]| {
        let (mut verdict, mut lines, mut matches) = (Verdict::default(), 0, 0);
        let manner: Manner = settings.manner("bench.log", &log[..log.len().min(Manner::FIRST)]);
        let mut start = 0;
        while start < log.len() {
            let rest = &log[start..];
            let most = rest.len().min(CHUNK);
            let len = memchr::memrchr(b'\n', &rest[..most]).map_or(rest.len(), |newline| newline + 1);
            let offset = start as u64;
            let whole = settings.whole(manner, &rest[..len], offset, len);
            // What waits is read again, with what follows.
            let len = if len < rest.len() && whole > 0 { whole } else { len };
            start += len;
            let search = Search {
                find: &|format, lines| scanner.wrapped_candidate(format, lines),
                pieces: &|format| scanner.finds_pieces(format),
            };
            let plain = events.candidates(&rest[..len], offset, manner, &mut scratch, search);
            let mut at = 0;
            while let Some(hit) = scanner.candidate(&plain.bytes()[at..]) {
                let placed = plain.around(at, at + hit);
                scanner.judge(placed.event.text, &no_fields, &mut verdict);
                lines += u64::from(!verdict.findings.is_empty());
                matches += verdict.findings.len() as u64;
                at = placed.next;
            }
        }
        Count {
            lines,
            matches: Some(matches),
        }
    })
}

fn unicode(count: usize, ascii: &[u8], foreign: &[u8], rounds: usize) -> Result<bool, Box<dyn Error>> {
    let rules = logs::rules(count);
    let set = RegexSet::new(&rules)?;
    let ours = tailgram(&rules)?;
    if ours(foreign) != set_per_line(&set, foreign) {
        println!("\n{count} rules, 1 % of lines beyond ASCII: VOID");
        return Ok(false);
    }
    let mut rows = [
        Row::new("1 % foreign", foreign, &ours),
        Row::new("ASCII", ascii, &ours),
    ];
    interleave(&mut rows, rounds);
    Ok(print(
        &format!("{count} rules, 1 % of lines beyond ASCII"),
        &mut rows,
        false,
        f64::INFINITY,
    ))
}

fn scanner(rules: &[String]) -> Result<Scanner, Box<dyn Error>> {
    let rules = rules.iter().map(|source| {
        let matches = vec![Pattern::parse(source)?];
        let none = Vec::new;
        Ok(RuleSettings {
            name: RuleName::new(source),
            matches,
            all: none(),
            conditions: Vec::new(),
            unless: none(),
            resolve: none(),
            by: Vec::new(),
            values: Vec::new(),
            redact: none(),
        })
    });
    let rules = rules.collect::<Result<_, Box<dyn Error>>>()?;
    Ok(Scanner::compile(&Settings {
        ignore: Vec::new(),
        rules,
    })?)
}

/// The scan as the engine runs it.
fn tailgram(rules: &[String]) -> Result<impl Fn(&[u8]) -> Count, Box<dyn Error>> {
    let scanner = scanner(rules)?;
    let max_line = tailgram::event::Settings::MAX_LINE;
    let events = Events::new(tailgram::event::Settings {
        format: Format::Plain,
        multiline: Multiline::Off,
        max_line,
        ..Default::default()
    });
    Ok(move |log: &[u8]| {
        let (mut verdict, mut lines, mut matches) = (Verdict::default(), 0, 0);
        for (offset, chunk) in chunks(log) {
            let mut at = 0;
            while let Some(hit) = scanner.candidate(&chunk[at..]) {
                let event = events.around(chunk, at + hit, offset);
                scanner.judge(event.text, &no_fields, &mut verdict);
                lines += u64::from(!verdict.findings.is_empty());
                matches += verdict.findings.len() as u64;
                at = event.range.end;
            }
        }
        Count {
            lines,
            matches: Some(matches),
        }
    })
}

/// Chunks of whole lines with their offsets.
fn chunks(log: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &log[start..];
        let most = rest.len().min(CHUNK);
        let len = memchr::memrchr(b'\n', &rest[..most]).map_or(rest.len(), |newline| newline + 1);
        let offset = start as u64;
        start += len;
        (len > 0).then_some((offset, &rest[..len]))
    })
}

fn set_per_line(set: &RegexSet, log: &[u8]) -> Count {
    let (mut lines, mut matches) = (0, 0);
    for line in log.split_inclusive(|&byte| byte == b'\n') {
        let found = set
            .matches(line.strip_suffix(b"\n").unwrap_or(line))
            .iter()
            .count() as u64;
        lines += u64::from(found > 0);
        matches += found;
    }
    Count {
        lines,
        matches: Some(matches),
    }
}

/// Counts the lines that `grep-searcher` reports.
struct Lines(u64);

impl Sink for Lines {
    type Error = std::io::Error;

    fn matched(&mut self, _: &Searcher, _: &SinkMatch<'_>) -> Result<bool, Self::Error> {
        self.0 += 1;
        Ok(true)
    }
}

fn grep(searcher: &mut Searcher, matcher: &grep_regex::RegexMatcher, log: &[u8]) -> Count {
    let mut lines = Lines(0);
    // A search of memory that fails counts nothing, and the row is VOID.
    let done = searcher.search_slice(matcher, log, &mut lines);
    Count {
        lines: if done.is_ok() { lines.0 } else { 0 },
        matches: None,
    }
}
