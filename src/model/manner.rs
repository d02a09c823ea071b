//! How the bytes of one file are to be read, as far as its path and its first bytes tell.
//!
//! `tail` learns it of every file and carries it along; what it means for events is `event`'s to say. It is never
//! stored: the same first bytes give the same form again after a restart, whatever was appended since.

use std::fmt::Debug;

use super::{Habit, LineEnd};

/// What a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Each file tells it by its first lines and its path.
    #[default]
    Auto,
    /// The line is the text.
    Plain,
    /// A line of Docker's json-file driver: the text is in `log`.
    Docker,
    /// The line is the text, and a JSON object.
    Json,
    /// The line is the text, and `key=value` pairs.
    Logfmt,
    /// A line of a Kubernetes container: time, stream, whether the text goes on, text.
    Cri,
}

impl Format {
    /// Its word in rules.toml.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Plain => "plain",
            Self::Docker => "docker",
            Self::Json => "json",
            Self::Logfmt => "logfmt",
            Self::Cri => "cri",
        }
    }
}

/// What is known of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// What its lines are; [`Format::Auto`] as long as nothing tells.
    pub format: Format,
    /// How its lines end.
    pub line_end: LineEnd,
    /// How its records begin.
    pub habit: Habit,
    /// Whether more of the file can tell more.
    pub open: bool,
}

impl Manner {
    /// So many first bytes of a file are looked at, at most: as much as one line that wraps a text may be long.
    pub const FIRST: usize = 128 * 1024;
}

/// What has to be known of a log's lines where they are read.
pub trait Joints: Debug + Send + Sync {
    /// What the first bytes of a file, at most [`Manner::FIRST`], and its path tell. The law: the longer beginning of
    /// the same file only adds to it what changes nothing about the lines before.
    fn manner(&self, path: &str, first: &[u8]) -> Manner;

    /// How many bytes from the start of `lines`, which are whole lines and begin with an event, hold no event that
    /// goes on behind them, whatever follows: at most `upto`, which may be less than all. `offset` is where they
    /// stand in the file. What is left of all lines is no longer than the log's `max_line`.
    fn whole(&self, manner: Manner, lines: &[u8], offset: u64, upto: usize) -> usize;
}
