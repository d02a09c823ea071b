//! What the command line asks for.

use std::ffi::OsString;
use std::time::Duration;

/// Which files are shown, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// As they were typed; `-` is stdin.
    pub files: Vec<OsString>,
    /// How much of each is shown first.
    pub begin: Begin,
    /// The byte that ends a line.
    pub line_end: u8,
    /// Absent: it ends once the beginning was shown.
    pub follow: Option<Follow>,
    /// Whether a line says which file speaks.
    pub headers: bool,
    /// It ends when none of these processes is left; none are named: it does not end.
    pub pids: Vec<u32>,
    /// The time between two turns.
    pub sleep: Duration,
    /// Whether the kernel is asked for file events.
    pub events: bool,
    /// Whether it says how it waits.
    pub debug: bool,
}

/// How much of a file is shown first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// So many lines before the end.
    LastLines(u64),
    /// So many bytes before the end.
    LastBytes(u64),
    /// From this line on; the first is 1, and so is 0.
    FromLine(u64),
    /// From this byte on; the first is 1, and so is 0.
    FromByte(u64),
}

impl Begin {
    /// Whether nothing is to be shown.
    pub fn is_nothing(self) -> bool {
        matches!(self, Self::LastLines(0) | Self::LastBytes(0))
    }
}

/// What is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follow {
    /// A name or what it led to first.
    pub by: By,
    /// Whether what cannot be opened is tried again.
    pub retry: bool,
}

/// What stays the same while it is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The name: another file that it leads to is shown from its beginning.
    Name,
    /// The file, whatever its name is.
    Descriptor,
}
