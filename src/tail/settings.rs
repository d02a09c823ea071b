//! What to follow, checked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::discover::{self, Globs};
use crate::model::{Joints, LogName};

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
    /// Deleted files may take so many bytes of the disk, because they are held open, before that is told.
    pub deleted: u64,
    /// Folders whose files are never followed (the state folder).
    pub never: Vec<PathBuf>,
    /// What chunks are made of.
    pub unit: Unit,
}

impl Settings {
    /// The default of [`Settings::sweep`].
    pub const SWEEP: Duration = Duration::from_secs(1);
    /// So many files are looked at in each sweep; with more of them sweeps are as many times as far from each other, up to
    /// [`Settings::RAREST`] times. What is held open is looked at every [`Settings::sweep`] all the same.
    pub const CROWD: usize = 2_000;
    /// See [`Settings::CROWD`].
    pub const RAREST: u32 = 5;

    /// How many times as far from each other sweeps over so many files are.
    pub fn pace(files: usize) -> u32 {
        u32::try_from(files / Self::CROWD).map_or(Self::RAREST, |crowds| crowds.clamp(1, Self::RAREST))
    }
    /// The default of [`Settings::hold`].
    pub const HOLD: Duration = Duration::from_mins(1);
    /// The default of [`Settings::deleted`].
    pub const DELETED: u64 = 1 << 30;

    /// The folders that following opens, or whose files it opens, in the order of their names; links as they lead
    /// now. Walks all globs.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        Globs::new(self).folders()
    }
}

/// What chunks are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Whole lines of text, for whoever searches them: a line is cut at `max_line`, its end is waited for, space
    /// that nobody wrote to yet is skipped, compressed files are left alone, and no file keeps another waiting.
    #[default]
    Lines,
    /// The bytes as they were written, as soon as they are there, for whoever shows them; compressed files and NULs
    /// are bytes like others. What the first sweep finds is read file by file, in the order of the logs.
    Bytes,
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
    /// Bytes of a line that are looked at. Without a meaning where the unit is bytes, as is `partial`.
    pub max_line: usize,
    /// How long an unfinished last line waits for growth before it becomes an event.
    pub partial: Duration,
    /// What its files' first bytes say about their lines, and where events may end. At most `max_line` bytes are
    /// ever held back. Absent: lines end with a byte, and every line is whole by itself.
    pub joints: Option<Arc<dyn Joints>>,
    /// How long lines that are not whole wait for growth before they are handed out as they stand.
    pub flush: Duration,
    /// How changes are noticed.
    pub watch: Watch,
}

impl LogSettings {
    /// Whether one of its `files` is stdin.
    pub fn reads_stdin(&self) -> bool {
        self.files.iter().any(Glob::is_stdin)
    }

    /// Whether one of its `files` is this path in so many words, without a wildcard.
    pub(super) fn names(&self, path: &Path) -> bool {
        let mut globs = self.files.iter();
        globs.any(|glob| glob.is_literal() && glob.matches(path))
    }

    /// The folders that hold all its globs can reach, but for what links lead to.
    pub fn roots(&self) -> Vec<PathBuf> {
        let files = self.files.iter().filter(|glob| !glob.is_stdin());
        files.map(discover::root).collect()
    }
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Only what is written from now on.
    #[default]
    End,
    /// What is there already, too.
    Beginning,
    /// So many lines before the end; what stands behind the last newline is a line.
    Last(u64),
    /// The line with this number, counted from 1; the end of a file that does not have it.
    Line(u64),
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

/// What makes a name a pattern.
pub(super) const WILD: [char; 5] = ['*', '?', '[', '{', '\\'];

/// A checked glob.
#[derive(Clone, Debug)]
pub struct Glob {
    source: String,
    reach: Reach,
}

#[derive(Clone, Debug)]
enum Reach {
    Pattern(globset::GlobMatcher),
    Path(PathBuf),
    Stdin,
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
            reach: Reach::Pattern(glob.compile_matcher()),
        })
    }

    /// One that reaches this path alone, whatever characters are in it.
    pub fn exactly(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            source: path.to_string_lossy().into_owned(),
            reach: Reach::Path(path),
        }
    }

    /// The one for stdin, which no path leads to.
    pub fn stdin() -> Self {
        Self {
            source: "-".to_owned(),
            reach: Reach::Stdin,
        }
    }

    /// Whether it is the one for stdin.
    pub fn is_stdin(&self) -> bool {
        matches!(self.reach, Reach::Stdin)
    }

    /// Whether it has no wildcard, and so can reach one path alone.
    fn is_literal(&self) -> bool {
        match self.reach {
            Reach::Path(_) => true,
            Reach::Pattern(_) => !self.source.contains(WILD),
            Reach::Stdin => false,
        }
    }

    /// The glob as the user wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it matches the whole path.
    pub fn matches(&self, path: &Path) -> bool {
        match &self.reach {
            Reach::Pattern(matcher) => matcher.is_match(path),
            Reach::Path(only) => only == path,
            Reach::Stdin => false,
        }
    }

    /// Whether its last name is not just any.
    pub(super) fn is_choosy(&self) -> bool {
        let name = self.source.rsplit('/').next().unwrap_or_default();
        self.path().is_some() || name.contains(|letter| letter != '*')
    }

    /// The one path it reaches, if it was made from one.
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.reach {
            Reach::Path(path) => Some(path),
            Reach::Pattern(_) | Reach::Stdin => None,
        }
    }
}
