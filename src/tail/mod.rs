//! Following files: finds them, notices that they grew, and hands out what is in them, each byte once: whole
//! lines to whoever searches them, bytes as they come to whoever shows them ([`Unit`]).
//!
//! One turn of a [`Tailer`] walks the globs when that is due, looks at the files that may have changed, and
//! reads a fair share of each. What it hands out and the [positions](crate::model::Position) it returns go
//! into one commit of the store; reading resumes there after a crash.
//!
//! Not here: what an event is, what is looked for, where positions are stored.
//!
//! The trap of the room: everything that decides is asked of the *held descriptor*. Paths and file events
//! are rumours; a path is only how a descriptor was come by. Where more files are followed than may be open, idle ones
//! are closed, and known again by what was read of them.

mod archive;
mod buffer;
mod descriptor;
mod discover;
mod distant;
mod follow;
mod handle;
mod identity;
mod lines;
mod lookout;
mod note;
mod own;
mod packed;
mod pipe;
mod recover;
mod seam;
mod settings;
mod survey;
mod tailer;
#[cfg(test)]
mod tests;
mod trail;
mod watch;
mod window;

use std::sync::Arc;

use crate::model::{FileKey, Gap, LogName, Manner, Position};

pub use descriptor::raise_limit;
pub use note::Note;
pub use settings::{Glob, LogSettings, Settings, Start, Unit, Watch};
pub use survey::{Empty, Refusal, Standing, Surveyed, survey};
pub use tailer::{Descriptors, LetGo, Tailer};
pub use watch::Waker;

/// How long following goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Until the process ends.
    #[default]
    Forever,
    /// Every file up to the size it has at the first turn (`run --once`). An unfinished last line is an
    /// event; files that appear later are left for the next run.
    Once,
}

/// Whose bytes a chunk holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The generation of the file.
    pub key: FileKey,
    /// The path it was last seen under; for people.
    pub path: Arc<str>,
    /// Indexes into [`Settings::logs`] of the logs whose globs reach it, never empty, ascending. The first one
    /// decides how it is read.
    pub logs: Vec<usize>,
    /// What its first bytes tell about its lines, as the first of the logs reads them.
    pub manner: Manner,
}

/// Lines of one file, or bytes where those are the [`Unit`], in the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Where in the file `bytes` begin.
    pub offset: u64,
    /// One or more lines with their newlines, exactly as written. The last one has none if `ending` says so.
    /// Where the unit is bytes, a file's first chunk may be empty: it was taken up, and nothing is there to show.
    pub bytes: &'a [u8],
    /// How the last line ends.
    pub ending: Ending,
    /// The first line is the rest of one that was handed over without its newline.
    pub continued: bool,
}

/// How the last line of a chunk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With its newline.
    Newline,
    /// It has no newline and was not waited for (any longer): the file was rotated away or deleted, the line did
    /// not grow for the log's `partial`, this is a single pass, or the unit is bytes. What follows continues it.
    Flushed,
    /// It is longer than the log's `max_line`; the rest up to its newline is skipped.
    Cut,
}

/// What a turn learned, besides the lines.
#[derive(Debug, Default)]
pub struct Turn {
    /// Positions that changed. They cover exactly what was handed out, and go into the same commit.
    pub positions: Vec<Position>,
    /// Generations that can never come back; their positions are to be removed.
    pub forgotten: Vec<FileKey>,
    /// Logs that were read for the first time.
    pub logs_seen: Vec<LogName>,
    /// Bytes destroyed before they were read.
    pub gaps: Vec<Gap>,
    /// What people should know.
    pub notes: Vec<Note>,
    /// Files that `start` sends to their end, begun in this turn.
    pub at_end: usize,
    /// There is more to read right now: take another turn before waiting.
    pub more: bool,
}

/// One file, for `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// Its path, or the glob that reaches nothing yet.
    pub path: String,
    /// The log that reads it.
    pub log: LogName,
    /// How it stands.
    pub state: FileState,
    /// Bytes handed out.
    pub offset: u64,
    /// Bytes it had at the last look.
    pub size: u64,
}

/// How a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It is held open and read.
    Following,
    /// Nothing is there yet.
    Waiting,
    /// It cannot be opened.
    Unreadable,
    /// It was rotated away or deleted, and read to its end.
    Finished,
}
