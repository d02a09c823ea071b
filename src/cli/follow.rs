//! `tailgram follow`: the files and how to show them.
//!
//! What is shown stands in `printer`, what is said about it on stderr in `words`. `gnu` is another command under the same
//! name, with the manners of GNU tail.

mod gnu;
mod printer;
mod words;

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::engine::{self, Follow};
use crate::model::LogName;
use crate::tail::{self, Glob, LogSettings, Settings, Start, Unit, Watch};

use self::printer::Printer;
use super::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How much to begin with: the last K lines, or with +K all from line K on
    #[arg(
        short = 'n',
        long,
        value_name = "[+]K",
        default_value = "10",
        allow_hyphen_values = true,
        value_parser = start
    )]
    lines: Start,
    /// Never print which file speaks
    #[arg(short, long, overrides_with = "verbose")]
    quiet: bool,
    /// Always print which file speaks [default: with several files]
    #[arg(short, long, overrides_with = "quiet")]
    verbose: bool,
    /// The time between two looks at the files, in seconds; fractions are fine
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    sleep_interval: Duration,
    /// End once this process is gone
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(i32::MAX)))]
    pid: Option<u32>,
    /// Look by the clock alone, and ask the kernel for no file events
    #[arg(long)]
    poll: bool,
    /// Do as GNU tail does, also where that is another thing; all that follows is read as its command line
    #[arg(
        long,
        value_name = "ARGS",
        num_args = 0..,
        allow_hyphen_values = true,
        conflicts_with_all = ["lines", "quiet", "verbose", "sleep_interval", "pid", "poll", "files"],
    )]
    gnu: Option<Vec<OsString>>,
    /// The files; one that is not there yet is waited for
    #[arg(required_unless_present = "gnu", value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Between two looks there is at least this much time.
const SHORTEST: Duration = Duration::from_millis(1);

pub(super) fn run(args: Args) -> Result<(), Failure> {
    tail::raise_limit();
    if let Some(line) = args.gnu {
        return gnu::run(line);
    }
    let files = once_each(args.files);
    let logs = files.iter().map(|file| log(file, args.lines, args.poll));
    let tail = Settings {
        logs: logs.collect::<Result<_, _>>()?,
        from: None,
        sweep: args.sleep_interval.max(SHORTEST),
        hold: Settings::HOLD,
        deleted: Settings::DELETED,
        never: Vec::new(),
        unit: Unit::Bytes,
    };
    let output = printer::stdout().map_err(Failure::running)?;
    let plan = Follow {
        tail,
        pid: args.pid,
        output: output.try_clone().map_err(Failure::running)?.into(),
    };
    let headers = args.verbose || (files.len() > 1 && !args.quiet);
    let mut printer = Printer::new(files, headers, output);
    engine::follow(plan, &mut printer).map_err(Failure::running)?;
    printer.finish()
}

/// A file that was named twice is shown once.
fn once_each(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut met = HashSet::new();
    files.retain(|file| met.insert(file.clone()));
    files
}

/// Each file is a log of its own, so that a chunk's log says which one speaks.
fn log(file: &Path, start: Start, poll: bool) -> Result<LogSettings, Failure> {
    if file == Path::new("-") {
        return Err(Failure::Usage(
            "follow reads files, not stdin; a file with the name - is ./-".to_owned(),
        ));
    }
    // The kernel names files in its events by whole paths.
    let whole = std::path::absolute(file)
        .map_err(|error| Failure::Usage(format!("{:?} names no file: {error}", file.display())))?;
    Ok(LogSettings {
        name: LogName::new(&file.to_string_lossy()),
        files: vec![Glob::exactly(whole)],
        exclude: Vec::new(),
        start,
        max_line: 0,
        partial: Duration::ZERO,
        joints: None,
        flush: Duration::ZERO,
        watch: if poll { Watch::Poll } else { Watch::Auto },
    })
}

/// `K` and `-K` are lines before the end, `+K` is a line's number.
fn start(text: &str) -> Result<Start, String> {
    let (number, from): (&str, fn(u64) -> Start) = match text.strip_prefix('+') {
        Some(number) => (number, Start::Line),
        None => (text.strip_prefix('-').unwrap_or(text), Start::Last),
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|_| is_number);
    number.map(from).ok_or_else(|| {
        "it takes a number of lines, such as 10, or with a plus the first line to show, such as +1".to_owned()
    })
}

fn seconds(text: &str) -> Result<Duration, String> {
    let length = text
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    length.ok_or_else(|| "it takes a number of seconds, such as 1 or 0.2".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_number_of_lines_is_read_as_tail_reads_it() {
        assert_eq!(start("10"), Ok(Start::Last(10)));
        assert_eq!(start("-10"), Ok(Start::Last(10)));
        assert_eq!(start("+10"), Ok(Start::Line(10)));
        for wrong in ["", "-", "+", "++1", "-+1", "1x", "1.5", "99999999999999999999"] {
            assert!(start(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn seconds_may_have_fractions_and_are_never_negative() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        for wrong in ["", "-1", "nan", "inf", "1s", "1e300"] {
            assert!(seconds(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_file_named_twice_is_shown_once() {
        let files = ["a", "b", "a"].map(PathBuf::from);
        assert_eq!(once_each(files.to_vec()), files[..2]);
    }
}
