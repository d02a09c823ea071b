//! What to follow, checked.

use std::time::Duration;

use crate::model::LogName;

/// Everything the room needs to know. Built by `config`, or by hand.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The logs, in the order of rules.toml; a file that several of them reach is read by the first and
    /// seen by all.
    pub logs: Vec<LogSettings>,
    /// Overrides every log's `start` (`run --from`).
    pub from: Option<Start>,
    /// How often every followed file and every glob is looked at, hints or not.
    pub sweep: Duration,
    /// How long a rotated file's descriptor is held after its last growth.
    pub hold: Duration,
    /// Folders whose files are never followed (the state folder).
    pub never: Vec<std::path::PathBuf>,
}

impl Settings {
    /// The default of [`Settings::sweep`].
    pub const SWEEP: Duration = Duration::from_secs(1);
    /// The default of [`Settings::hold`].
    pub const HOLD: Duration = Duration::from_mins(1);
}

/// One `[[logs]]` entry.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Its name.
    pub name: LogName,
    /// Globs of the files to follow.
    pub files: Vec<Glob>,
    /// Globs of files to leave alone; one without a slash is compared with the file's name alone.
    pub exclude: Vec<Glob>,
    /// Where to begin in files that exist when this log is read for the first time with a store.
    pub start: Start,
    /// Bytes of a line that are looked at.
    pub max_line: usize,
    /// How long an unfinished last line waits for growth before it becomes an event.
    pub partial: Duration,
    /// How changes are noticed.
    pub watch: Watch,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Only what is written from now on.
    #[default]
    End,
    /// What is there already, too.
    Beginning,
}

/// How changes are noticed. The sweep runs in every mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watch {
    /// Events where the kernel gives them.
    #[default]
    Auto,
    /// Events; a failure to get them is an error in the log.
    Events,
    /// The sweep alone: no inotify call is ever made.
    Poll,
}

/// A checked glob.
#[derive(Clone, Debug)]
pub struct Glob {
    source: String,
    matcher: globset::GlobMatcher,
}

impl Glob {
    /// Checks a glob. `*` and `?` stop at a slash, `**` does not.
    ///
    /// The error is a sentence that says what is wrong with the glob.
    pub fn parse(source: &str) -> Result<Self, String> {
        let glob = globset::GlobBuilder::new(source)
            .literal_separator(true)
            .build()
            .map_err(|error| error.kind().to_string())?;
        Ok(Self {
            source: source.to_owned(),
            matcher: glob.compile_matcher(),
        })
    }

    /// The glob as the user wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it matches the whole path.
    pub fn matches(&self, path: &std::path::Path) -> bool {
        self.matcher.is_match(path)
    }
}
