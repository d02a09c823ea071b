//! rules.toml -> settings that the rooms below can trust.
//!
//! Two steps: `raw` mirrors the text, `check` turns the mirror into the `Settings` of each room. Both
//! go on after a problem, so a user sees everything that is wrong at once, each with its place and its cure.
//! After [`parse`] nothing can be missing, contradictory or uncompiled.
//!
//! Not here: defaults that a room owns (they are constants of its `Settings`), the command line, when rules.toml is
//! read again (the engine's `reload`).
//!
//! The trap: `${VAR}` is expanded *after* TOML was parsed and only inside string values. Whoever moves that
//! to the text before parsing lets an environment variable write rules.

mod check;
mod environment;
mod expand;
mod find;
mod include;
mod key;
mod keys;
mod outline;
mod pattern;
mod problem;
mod raw;
mod reach;
mod schema;
mod secret;
mod table;
mod texts;
mod token;
mod value;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use environment::Environment;
pub use find::{ConfigError, find};
pub use outline::Outline;
pub use problem::{Problem, Problems};
pub use reach::{Reach, reach};
pub use schema::schema;
pub use texts::Texts;
pub use token::{TokenSource, TokenSourceError};
pub(crate) use value::{duration, show_duration};

use crate::model::{ChatTarget, LogName};
use crate::{event, fence, incident, message, scan, tail, telegram};
use problem::{Part, Report, Source};

/// The largest rules.toml that is read, with all that it includes, in bytes.
pub const MAX_FILE: usize = 1024 * 1024;

/// Everything rules.toml says, checked, sorted by the room it is for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What to follow. `from` and `never` are for the caller to fill.
    pub tail: tail::Settings,
    /// How the bytes of each log are read and what is looked for in them; same order as `tail.logs`.
    pub logs: Vec<LogRules>,
    /// How incidents live.
    pub incident: incident::Settings,
    /// What every message says.
    pub message: message::Settings,
    /// When the program calls itself ill.
    pub health: Health,
    /// What may be opened.
    pub fence: Fence,
    /// How to reach Telegram.
    pub telegram: telegram::Settings,
    /// Where the token is.
    pub token: TokenSource,
    /// How many `tests` of rules were run. All passed: one that fails is a problem.
    pub tests: usize,
    /// What is allowed but probably not meant, in the order of the file.
    pub warnings: Vec<Problem>,
    /// The file these settings were read from.
    pub path: PathBuf,
    /// What the file says, entry by entry, for telling what is different in the next one.
    pub outline: Outline,
}

/// `[health]`: after how long of silence something is wrong, and who is to notice it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The logs are looked at, and what there is to store is stored, at least this often.
    pub read_within: Duration,
    /// While something is owed, a request to Telegram succeeds at least this often.
    pub deliver_within: Duration,
    /// Who hears that all is well, as long as it is.
    pub heartbeat: Option<telegram::HeartbeatUrl>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            read_within: Duration::from_secs(30),
            deliver_within: Duration::from_mins(5),
            heartbeat: None,
        }
    }
}

/// `[fence]`: what may be opened once it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fence {
    /// Whether the kernel is asked to hold it.
    pub landlock: Landlock,
    /// Folders that may be read beside those that the rest of rules.toml names.
    pub read: Vec<PathBuf>,
}

/// `landlock` of [`Fence`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Landlock {
    /// Where the kernel has it.
    #[default]
    Auto,
    /// Nothing starts without it.
    Require,
    /// Never.
    Off,
}

/// What the reader needs to know about one log beyond where it is.
#[derive(Clone, Debug)]
pub struct LogRules {
    /// Which log.
    pub name: LogName,
    /// How its bytes form events.
    pub event: event::Settings,
    /// What to look for in them: the rules that look at this log, in the order of rules.toml.
    pub scan: scan::Settings,
}

/// What an id of a chat looks like, for whoever wrote something else.
pub(crate) const CHAT_ID_HELP: &str = check::chats::ID_HELP;

/// A chat's id as somebody typed it; absent if it is none.
pub(crate) fn chat_id(text: &str) -> Option<ChatTarget> {
    check::chats::parse(text)
}

/// Reads and checks a file. A file that cannot be read is a problem like any other, without a line.
pub fn load(path: &Path, env: &Environment) -> Result<Settings, Problems> {
    Texts::read(path, env).check(env)
}

impl Settings {
    /// Says in the log what is allowed and probably not meant.
    pub fn log_warnings(&self) {
        for warning in &self.warnings {
            tracing::warn!(
                line = warning.line(),
                "rules.toml: {}; {}",
                warning.what(),
                warning.help()
            );
        }
    }
}

/// Checks the text of a rules.toml that includes nothing. `path` is only for messages.
pub fn parse(path: &Path, text: &str, env: &Environment) -> Result<Settings, Problems> {
    Texts::of(path, text).check(env)
}

/// The settings, with stand-ins for what is wrong, and what is wrong.
fn judge(whole: &texts::Whole, texts: &Texts, env: &Environment) -> (Settings, Problems) {
    let mut report = Report::new(whole.source());
    let mut mirror = raw::File::read(whole.source(), env, &mut report);
    let patterns = std::mem::take(&mut mirror.include);
    let included = texts.files().zip(patterns);
    let included: Vec<_> = included
        .map(|((path, unread), patterns)| include::Included {
            path,
            unread,
            patterns,
        })
        .collect();
    include::check(&included, &mut report);
    let settings = check::settings(texts.path(), &mirror, env, &mut report);
    let (problems, warnings) = report.finish();
    (Settings { warnings, ..settings }, problems)
}

/// All bytes of the file, at most so many, or what is wrong and its cure. Reading stops one byte past the bound, so
/// that a pipe or a huge file named by mistake costs little.
fn read(path: &Path, most: usize) -> Result<Vec<u8>, (String, String)> {
    let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
    if file.metadata().is_ok_and(|about| about.is_dir()) {
        return Err((
            "this is a directory".into(),
            "name the file in it, such as rules.toml".into(),
        ));
    }
    let mut bytes = Vec::new();
    file.take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| cannot_read(path, &error))?;
    if bytes.len() > most {
        Err(too_large())
    } else {
        Ok(bytes)
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> (String, String) {
    if error.kind() == std::io::ErrorKind::PermissionDenied && fence::shuts_out(path) {
        return (format!("cannot be read: {}", fence::WHY), fence::CURE.into());
    }
    let cure = match error.kind() {
        std::io::ErrorKind::NotFound => "check the path; in a container, check that the folder is mounted",
        std::io::ErrorKind::PermissionDenied => {
            "let the user that runs tailgram read it: chmod a+r, or chown"
        }
        _ => "check the path and the disk it is on",
    };
    (format!("cannot be read: {error}"), cure.into())
}

fn too_large() -> (String, String) {
    let what = format!("is larger than {} KiB", MAX_FILE / 1024);
    (what, "this is hardly a rules.toml; check the path".into())
}

/// The file holds bytes that are not UTF-8, from `at` on.
fn not_text(path: &Path, bytes: &[u8], at: usize) -> Problems {
    let cure = if bytes.contains(&0) {
        "this looks like a binary file or UTF-16; rules.toml is UTF-8 text"
    } else {
        "save the file as UTF-8"
    };
    let text = String::from_utf8_lossy(bytes);
    let parts = [Part {
        at: 0,
        path: path.into(),
    }];
    let mut report = Report::new(Source {
        text: &text,
        parts: &parts,
    });
    // Up to the bad byte both texts are the same, so the offset holds in the lossy one too.
    report.problem(
        &(at..at + char::REPLACEMENT_CHARACTER.len_utf8()),
        "this is not UTF-8".into(),
        cure,
    );
    report.finish().0
}
