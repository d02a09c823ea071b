//! `follow --gnu`: the command line of GNU tail, with its warnings, refusals and exit codes.
//!
//! What follows `--gnu` is not for clap: options may be shortened and stand behind operands, `-n5` and `-fn5` are words
//! of it, and a mistake is told in other words and exits with 1.

mod options;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use signal_hook::consts::SIGPIPE;

use self::options::{Given, Opt, given};
use super::printer;
use crate::cli::{Failure, print};
use crate::engine::process;
use crate::gnu::{self, Begin, By, End, Follow, Note, Screen, Settings};

const HELP: &str = "\
Usage: tail [OPTION]... [FILE]...
The options of GNU tail that `tailgram follow --gnu` knows. Without FILE, or where it is -, stdin is read.

  -c, --bytes=[+]NUM           begin with the last NUM bytes, or with byte NUM
  -n, --lines=[+]NUM           begin with the last NUM lines (10), or with line NUM
  -z, --zero-terminated        lines end with NUL
  -f, --follow[=HOW]           go on with what is written; HOW is `descriptor` or `name`
  -F                           --follow=name --retry
      --retry                  try again what cannot be opened
      --pid=PID                end after this process; of several, after the last
  -s, --sleep-interval=N       the time between two looks, in seconds (1)
      --max-unchanged-stats=N  taken and not needed: each look asks where a name leads
      ---disable-inotify       ask the kernel for no file events
      --debug                  say how it waits
  -q, --quiet, --silent        never print which file speaks
  -v, --verbose                always print which file speaks
      --help, --version

NUM may end with b (512), kB, K, MB, M, GB, G, and so on.
";

/// Why the command line is refused.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    /// An option is none, or has no argument that fits.
    Usage(String),
    /// What was asked for cannot be.
    Asked(String),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Help,
    Version,
    /// To show files, after words of warning.
    Show(Settings, Vec<Warning>),
}

/// What is taken and has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Warning {
    RetryIgnored,
    RetryOnce,
    PidIgnored,
}

impl From<Warning> for Note {
    fn from(warning: Warning) -> Self {
        match warning {
            Warning::RetryIgnored => Self::RetryIgnored,
            Warning::RetryOnce => Self::RetryOnce,
            Warning::PidIgnored => Self::PidIgnored,
        }
    }
}

pub(super) fn run(args: Vec<OsString>) -> Result<(), Failure> {
    match read(args) {
        Ok(Task::Help) => print(HELP.as_bytes()),
        Ok(Task::Version) => print(concat!("tail (tailgram) ", env!("CARGO_PKG_VERSION"), "\n").as_bytes()),
        Ok(Task::Show(settings, warnings)) => show(&settings, &warnings),
        Err(Refused::Usage(words)) => Err(refuse(&format!(
            "{words}\nTry 'tail --help' for more information."
        ))),
        Err(Refused::Asked(words)) => Err(refuse(&words)),
    }
}

fn show(settings: &Settings, warnings: &[Warning]) -> Result<(), Failure> {
    let out = printer::stdout().map_err(Failure::running)?;
    let err = io::stderr()
        .as_fd()
        .try_clone_to_owned()
        .map_err(Failure::running)?;
    let mut screen = Screen::new(out, File::from(err));
    for warning in warnings {
        screen.say(&Note::from(*warning));
    }
    match gnu::tail(settings, &mut screen, process::exists) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::Told),
        Err(End::Unwritten(error)) => {
            screen.say(&Note::CannotWrite(error));
            Err(Failure::Told)
        }
        Err(End::Closed) => {
            // As everybody dies of it who does not ask the kernel for another end; Rust's runtime did.
            let _ = signal_hook::low_level::emulate_default_handler(SIGPIPE);
            Err(Failure::Told)
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the final word to the person who typed the command"
)]
fn refuse(words: &str) -> Failure {
    eprintln!("tail: {words}");
    Failure::Told
}

/// Reads the whole command line.
fn read(args: Vec<OsString>) -> Result<Task, Refused> {
    let Given {
        options,
        mut operands,
    } = given(args)?;
    let mut asked = Asked::default();
    for (option, value) in options {
        match option {
            Opt::Help => return Ok(Task::Help),
            Opt::Version => return Ok(Task::Version),
            option => asked.take(option, value.as_deref())?,
        }
    }
    if operands.is_empty() {
        operands.push("-".into());
    }
    asked.settle(operands)
}

/// What was asked for so far.
#[derive(Debug)]
struct Asked {
    begin: Begin,
    line_end: u8,
    follow: Option<By>,
    retry: bool,
    headers: Option<bool>,
    pids: Vec<u32>,
    sleep: Duration,
    events: bool,
    debug: bool,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            begin: Begin::LastLines(10),
            line_end: b'\n',
            follow: None,
            retry: false,
            headers: None,
            pids: Vec::new(),
            sleep: Duration::from_secs(1),
            events: true,
            debug: false,
        }
    }
}

impl Asked {
    fn take(&mut self, option: Opt, value: Option<&OsStr>) -> Result<(), Refused> {
        let text = value.unwrap_or_default().to_string_lossy();
        match option {
            Opt::Bytes => self.begin = begin(&text, "bytes", Begin::LastBytes, Begin::FromByte)?,
            Opt::Lines => self.begin = begin(&text, "lines", Begin::LastLines, Begin::FromLine)?,
            Opt::Zero => self.line_end = 0,
            Opt::Follow => self.follow = Some(by(value.map(|_| &*text))?),
            Opt::FollowName => (self.follow, self.retry) = (Some(By::Name), true),
            Opt::Retry => self.retry = true,
            Opt::Pid => self.pids.push(pid(&text)?),
            Opt::Sleep => self.sleep = seconds(&text)?,
            Opt::MaxUnchanged => {
                text.parse::<u64>()
                    .map_err(|_| invalid("maximum number of unchanged stats between opens", &text))?;
            }
            Opt::NoEvents => self.events = false,
            Opt::Debug => self.debug = true,
            Opt::Quiet => self.headers = Some(false),
            Opt::Verbose => self.headers = Some(true),
            // Read before.
            Opt::Help | Opt::Version => {}
        }
        Ok(())
    }

    fn settle(self, files: Vec<OsString>) -> Result<Task, Refused> {
        let mut warnings = Vec::new();
        match self.follow {
            None if self.retry => warnings.push(Warning::RetryIgnored),
            Some(By::Descriptor) if self.retry => warnings.push(Warning::RetryOnce),
            _ => {}
        }
        if self.follow.is_none() && !self.pids.is_empty() {
            warnings.push(Warning::PidIgnored);
        }
        if self.follow == Some(By::Name) && files.iter().any(|file| file == "-") {
            return Err(Refused::Asked("cannot follow '-' by name".to_owned()));
        }
        let retry = self.retry;
        let settings = Settings {
            headers: self.headers.unwrap_or(files.len() > 1),
            files,
            begin: self.begin,
            line_end: self.line_end,
            follow: self.follow.map(|by| Follow { by, retry }),
            pids: self.pids,
            sleep: self.sleep.max(super::SHORTEST),
            events: self.events,
            debug: self.debug,
        };
        Ok(Task::Show(settings, warnings))
    }
}

fn invalid(what: &str, text: &str) -> Refused {
    Refused::Asked(format!("invalid {what}: '{text}'"))
}

/// `K` and `-K` count from the end, `+K` from the beginning.
fn begin(text: &str, what: &str, last: fn(u64) -> Begin, from: fn(u64) -> Begin) -> Result<Begin, Refused> {
    let (kind, number) = match text.strip_prefix('+') {
        Some(number) => (from, number),
        None => (last, text.strip_prefix('-').unwrap_or(text)),
    };
    let said = if text.starts_with('+') { text } else { number };
    let what = format!("number of {what}");
    let suffix = number.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let (digits, suffix) = number.split_at(number.len() - suffix.len());
    let unit = factor(suffix)
        .filter(|_| !number.is_empty())
        .ok_or_else(|| invalid(&what, said))?;
    let count = match digits {
        // A suffix alone is one of its kind.
        "" => Some(1),
        digits => digits.parse::<u128>().ok(),
    };
    let number = count.and_then(|count| u64::try_from(count.checked_mul(unit)?).ok());
    number.map(kind).ok_or_else(|| {
        Refused::Asked(format!(
            "invalid {what}: '{said}': Value too large for defined data type"
        ))
    })
}

/// What a suffix multiplies with.
fn factor(suffix: &str) -> Option<u128> {
    let mut letters = suffix.chars();
    let power = match letters.next() {
        None => return Some(1),
        Some('b') if suffix.len() == 1 => return Some(512),
        Some('k' | 'K') => 1,
        Some('m' | 'M') => 2,
        Some(letter) => 3 + u32::try_from("GTPEZYRQ".find(letter)?).ok()?,
    };
    let base: u128 = match letters.as_str() {
        "" | "iB" => 1024,
        "B" => 1000,
        _ => return None,
    };
    Some(base.pow(power))
}

/// A value may be shortened.
fn by(value: Option<&str>) -> Result<By, Refused> {
    match value {
        None => Ok(By::Descriptor),
        Some(word) if !word.is_empty() && "name".starts_with(word) => Ok(By::Name),
        Some(word) if !word.is_empty() && "descriptor".starts_with(word) => Ok(By::Descriptor),
        Some(word) => Err(Refused::Usage(format!(
            "invalid argument '{word}' for '--follow'\nValid arguments are:\n  - 'descriptor'\n  - 'name'"
        ))),
    }
}

fn pid(text: &str) -> Result<u32, Refused> {
    let number = text
        .parse::<i32>()
        .ok()
        .and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| invalid("PID", text))
}

/// Any length: what is too large for a clock is for ever.
fn seconds(text: &str) -> Result<Duration, Refused> {
    let length = text.parse::<f64>().ok().filter(|length| *length >= 0.0);
    let length = length.ok_or_else(|| invalid("number of seconds", text))?;
    Ok(Duration::try_from_secs_f64(length).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn settings(line: &str) -> Settings {
        match read(line.split(' ').map(OsString::from).collect()) {
            Ok(Task::Show(settings, _)) => settings,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn options_stand_anywhere_together_and_shortened() {
        let all = settings("a -fn5 --sl=0.5 b --pid 7 --pid=8 -qz ---disable-inotify -- -c");
        assert_eq!(all.files, ["a", "b", "-c"]);
        assert_eq!(all.begin, Begin::LastLines(5));
        let by = By::Descriptor;
        assert_eq!(all.follow, Some(Follow { by, retry: false }));
        assert_eq!((all.pids, all.sleep), (vec![7, 8], Duration::from_millis(500)));
        assert_eq!((all.line_end, all.events, all.headers), (0, false, false));

        let by = By::Name;
        for line in ["-F a", "--follow=name --retry a", "--fol=n --ret a", "-F -- a"] {
            assert_eq!(settings(line).follow, Some(Follow { by, retry: true }), "{line}");
        }
        assert_eq!(settings("-c +2kB a").begin, Begin::FromByte(2000));
        assert_eq!(settings("--lines=-3b a").begin, Begin::LastLines(1536));
        assert!(settings("a b").headers && !settings("a").headers && settings("-v a").headers);
    }

    #[test]
    fn what_has_no_effect_is_told() {
        let warned = |line: &str| match read(line.split(' ').map(OsString::from).collect()) {
            Ok(Task::Show(_, warnings)) => warnings,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(
            warned("--retry --pid=1 a"),
            [Warning::RetryIgnored, Warning::PidIgnored]
        );
        assert_eq!(warned("-f --retry --pid=1 a"), [Warning::RetryOnce]);
        assert_eq!(warned("-F --pid=1 a"), []);
    }
}
