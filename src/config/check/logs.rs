//! `[[logs]]`.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::word;
use crate::config::keys;
use crate::config::pattern::{self, Role};
use crate::config::problem::Report;
use crate::config::raw;
use crate::config::table::{Word, Words};
use crate::event::{self, Encoding, Format, Language, LinePattern, Multiline};
use crate::model::{LineEnd, LogName};
use crate::scan::Pattern;
use crate::tail::{Glob, LogSettings, Start, Watch};

/// The default of `partial`.
pub(in crate::config) const PARTIAL: Duration = Duration::from_secs(5);

/// The default of `flush`.
pub(in crate::config) const FLUSH: Duration = Duration::from_secs(1);

/// Those of `partial` and of `flush`.
const PARTIAL_BOUNDS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(10);
const MAX_LINE_BOUNDS: RangeInclusive<usize> = 256..=1024 * 1024;

/// One log, for each room that deals with it.
pub(super) struct Log {
    pub(super) tail: LogSettings,
    pub(super) event: event::Settings,
    pub(super) ignore: Vec<Pattern>,
}

/// Checks all of them.
pub(super) fn check(logs: &[raw::Log], report: &mut Report<'_>) -> Vec<Log> {
    word::unique("log", logs.iter().filter_map(|log| log.name.as_ref()), report);
    logs.iter().map(|log| check_one(log, report)).collect()
}

fn check_one(log: &raw::Log, report: &mut Report<'_>) -> Log {
    if let Some(name) = &log.name {
        log_name(name, report);
    }
    let max_line = word::size(log.max_line.as_ref(), "max_line", &MAX_LINE_BOUNDS, report)
        .unwrap_or(event::Settings::MAX_LINE);
    let event = event::Settings {
        format: format(log.format.as_ref(), report),
        multiline: multiline(log.multiline.as_ref(), report),
        encoding: encoding(log, report),
        overwrite: overwrite(log.carriage_return.as_ref(), report),
        max_line,
    };
    let flush = word::duration(log.flush.as_ref(), "flush", &PARTIAL_BOUNDS, report).unwrap_or(FLUSH);
    let partial = word::duration(log.partial.as_ref(), "partial", &PARTIAL_BOUNDS, report).unwrap_or(PARTIAL);
    Log {
        tail: LogSettings {
            name: LogName::new(log.name.as_ref().map_or("", |name| &name.value)),
            files: globs(log.files.as_ref(), true, report),
            exclude: globs(log.exclude.as_ref(), false, report),
            start: start(log.start.as_ref(), report),
            max_line: event.longest(),
            partial,
            joints: Some(Arc::new(event.clone())),
            flush,
            watch: watch(log.watch.as_ref(), report),
        },
        event,
        ignore: pattern::compile(log.ignore.as_ref(), Role::Ignore, report),
    }
}

/// A log's name is not a number, so that commands can tell names from numbers.
fn log_name(name: &Word, report: &mut Report<'_>) {
    word::name(name, report);
    if !name.value.is_empty() && name.value.chars().all(|c| c.is_ascii_digit()) {
        report.problem(
            &name.at,
            "a log's name cannot be a number".into(),
            format!("put a letter in front: \"log{}\"", name.value),
        );
    }
}

const FORMATS: [(&str, Format); 6] = [
    ("auto", Format::Auto),
    ("plain", Format::Plain),
    ("docker", Format::Docker),
    ("cri", Format::Cri),
    ("json", Format::Json),
    ("logfmt", Format::Logfmt),
];

/// The format of a log; none if what is written is none, which is told where logs are checked.
pub(super) fn format_of(log: &raw::Log) -> Option<Format> {
    let Some(word) = &log.format else {
        return Some(Format::default());
    };
    let found = FORMATS.iter().find(|(name, _)| *name == word.value);
    found.map(|(_, format)| *format)
}

fn format(word: Option<&Word>, report: &mut Report<'_>) -> Format {
    let others = [
        ("text", "plain"),
        ("json-file", "docker"),
        ("kubernetes", "cri"),
        ("containerd", "cri"),
    ];
    word::choice(word, "format", &FORMATS, &others, report).unwrap_or_default()
}

/// The default of `multiline`.
const MULTILINE: Multiline = Multiline::Auto;

fn multiline(written: Option<&raw::Multiline>, report: &mut Report<'_>) -> Multiline {
    let Some(written) = written else { return MULTILINE };
    let found = match written {
        raw::Multiline::Word(word) => multiline_word(word, report),
        raw::Multiline::Patterns {
            count: 1,
            start,
            continues,
            ..
        } => {
            let start = start
                .as_ref()
                .and_then(|word| line_pattern(word, Role::Start, report));
            let goes_on = continues
                .as_ref()
                .and_then(|word| line_pattern(word, Role::Continue, report));
            start.map(Multiline::Start).or(goes_on.map(Multiline::Continue))
        }
        raw::Multiline::Patterns { count, at, .. } => {
            let what = if *count == 0 {
                "`multiline` says nothing"
            } else {
                "`multiline` says both how events start and how they continue"
            };
            let help = "write one of the two: { start = '^\\d{4}-' }, or { continue = '^\\s' }";
            report.problem(at, what.to_owned(), help);
            None
        }
    };
    found.unwrap_or(MULTILINE)
}

fn multiline_word(word: &Word, report: &mut Report<'_>) -> Option<Multiline> {
    let words = [("auto", None), ("off", None)];
    let languages = Language::ALL.map(|(name, language)| (name, Some(language)));
    let choices: Vec<_> = words.into_iter().chain(languages).collect();
    let others = [
        ("none", "off"),
        ("false", "off"),
        ("no", "off"),
        ("true", "auto"),
        ("py", "python"),
        ("kotlin", "java"),
        ("scala", "java"),
        ("golang", "go"),
        ("js", "node"),
        ("javascript", "node"),
        ("nodejs", "node"),
        ("rb", "ruby"),
        ("rails", "ruby"),
        (".net", "dotnet"),
        ("csharp", "dotnet"),
        ("c#", "dotnet"),
    ];
    let language = word::choice(Some(word), "multiline", &choices, &others, report)?;
    Some(match language {
        Some(language) => Multiline::Language(language),
        None if word.value == "off" => Multiline::Off,
        None => Multiline::Auto,
    })
}

/// A pattern that is asked about single lines.
fn line_pattern(word: &Word, role: Role, report: &mut Report<'_>) -> Option<LinePattern> {
    let pattern = pattern::compile_one(word, role, report)?;
    if pattern.is_across() {
        let what = "this pattern speaks of line ends, and is asked about one line at a time".to_owned();
        report.problem(&word.at, what, "take `\\n` and (?s) out");
        return None;
    }
    Some(LinePattern::new(pattern.regex().clone()))
}

/// What is written that does not work with another encoding than UTF-8 is told here.
fn encoding(log: &raw::Log, report: &mut Report<'_>) -> Encoding {
    let Some(word) = &log.encoding else {
        return Encoding::default();
    };
    let Some(encoding) = Encoding::of(word.value.trim()) else {
        let names = || Encoding::NAMES.into_iter();
        let help = match keys::nearest(&word.value, names()) {
            Some(like) => format!("did you mean \"{like}\"?"),
            None => "it takes the names that browsers know, such as \"euc-kr\", \"gbk\", \"shift_jis\", \"utf-16le\", \"windows-1252\""
                .to_owned(),
        };
        report.problem(
            &word.at,
            format!("{:?} is not a value of `encoding`", word.value),
            help,
        );
        return Encoding::default();
    };
    let docker = format_of(log) == Some(Format::Docker);
    let cri = format_of(log) == Some(Format::Cri) && encoding.line_end() != LineEnd::Byte;
    if !encoding.is_utf8() && (docker || cri) {
        let format = format_of(log).map_or("", Format::as_str);
        let what = format!("a log of format = {format:?} is never in {}", encoding.name());
        report.problem(
            &word.at,
            what,
            "the container runtime writes UTF-8: take the line out".to_owned(),
        );
    }
    encoding
}

fn start(word: Option<&Word>, report: &mut Report<'_>) -> Start {
    let choices = [("end", Start::End), ("beginning", Start::Beginning)];
    word::choice(
        word,
        "start",
        &choices,
        &[("begin", "beginning"), ("start", "beginning"), ("tail", "end")],
        report,
    )
    .unwrap_or_default()
}

fn overwrite(word: Option<&Word>, report: &mut Report<'_>) -> bool {
    let choices = [("show", false), ("overwrite", true)];
    let slips = [("keep", "show"), ("collapse", "overwrite"), ("last", "overwrite")];
    word::choice(word, "carriage_return", &choices, &slips, report).unwrap_or_default()
}

fn watch(word: Option<&Word>, report: &mut Report<'_>) -> Watch {
    let choices = [
        ("auto", Watch::Auto),
        ("events", Watch::Events),
        ("poll", Watch::Poll),
    ];
    word::choice(
        word,
        "watch",
        &choices,
        &[("inotify", "events"), ("polling", "poll")],
        report,
    )
    .unwrap_or_default()
}

fn globs(words: Option<&Words>, files: bool, report: &mut Report<'_>) -> Vec<Glob> {
    let words = words.map_or(&[][..], |words| &words.value);
    words
        .iter()
        .filter_map(|word| glob(word, files, report))
        .collect()
}

fn glob(word: &Word, files: bool, report: &mut Report<'_>) -> Option<Glob> {
    let text = word.value.as_str();
    let refused = match text {
        "" => Some((
            "this glob is empty".to_owned(),
            "name files, such as /var/log/app/*.log".to_owned(),
        )),
        "-" if files => return Some(Glob::stdin()),
        "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0" if files => {
            Some((format!("{text:?} is no log"), "stdin is \"-\" here".into()))
        }
        _ if text.starts_with("~/") => Some((
            "`~` is not filled in here".into(),
            format!("write ${{HOME}}{}", &text[1..]),
        )),
        _ if files && text.ends_with('/') => Some((
            format!("{text:?} is a folder"),
            format!("name the files in it: \"{text}*.log\""),
        )),
        _ if text.contains('\0') => Some(("no path holds a NUL character".into(), "take it out".into())),
        _ => None,
    };
    if let Some((what, help)) = refused {
        report.problem(&word.at, what, help);
        return None;
    }
    // Paths that are found have no `.` in front, and a glob is compared with them as text.
    match Glob::parse(text.trim_start_matches("./")) {
        Ok(glob) => Some(glob),
        Err(error) => {
            let help = "`*` and `?` stop at a slash, `**` does not; [abc] and {a,b} must be closed; a backslash takes the next character literally";
            report.problem(&word.at, format!("{text:?} is not a glob: {error}"), help);
            None
        }
    }
}
