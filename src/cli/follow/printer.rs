//! What `follow` writes to stdout: the bytes as they are, and headers between files.
//!
//! Every chunk is written at once, past the buffer of the standard library, so that whoever reads sees it now.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::cli::Failure;
use crate::engine::Viewer;
use crate::tail::{Chunk, Note, Source, Turn};

use super::words;

/// stdout without a buffer.
pub(super) fn stdout() -> io::Result<File> {
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

/// Prints what is followed.
pub(super) struct Printer<W> {
    /// As they were typed, one for each log.
    files: Vec<PathBuf>,
    headers: bool,
    out: W,
    /// Which file spoke last.
    last: Option<usize>,
    /// What was there at the start is being shown; of that, a file without a word has a header too.
    beginning: bool,
    /// How many files turned out to be none.
    refused: usize,
    end: Option<End>,
}

/// Why there is nothing more to print.
enum End {
    /// Nobody reads it any more.
    Closed,
    /// It cannot be written.
    Failed(io::Error),
    /// No file is one that can be followed.
    Nothing,
}

impl<W: Write> Printer<W> {
    /// Prints to `out`, with headers or without.
    pub(super) fn new(files: Vec<PathBuf>, headers: bool, out: W) -> Self {
        Self {
            files,
            headers,
            out,
            last: None,
            beginning: true,
            refused: 0,
            end: None,
        }
    }

    /// How it ended.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match self.end {
            None | Some(End::Closed) => Ok(()),
            Some(End::Failed(error)) => Err(Failure::Running(words::unwritten(&error))),
            Some(End::Nothing) => Err(Failure::Running(words::NOTHING.to_owned())),
        }
    }

    fn print(&mut self, file: usize, bytes: &[u8]) -> io::Result<()> {
        if self.headers && self.last != Some(file) {
            let name = self.files[file].as_os_str().as_bytes();
            let lead: &[u8] = if self.last.is_some() { b"\n==> " } else { b"==> " };
            self.out.write_all(&[lead, name, b" <==\n"].concat())?;
        }
        self.last = Some(file);
        self.out.write_all(bytes)?;
        self.out.flush()
    }
}

impl<W: Write> Viewer for Printer<W> {
    fn show(&mut self, source: &Source, chunk: Chunk<'_>) {
        let nothing = chunk.bytes.is_empty() && !self.beginning;
        if nothing || self.end.is_some() {
            return;
        }
        self.end = match self.print(source.logs[0], chunk.bytes) {
            Ok(()) => None,
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Some(End::Closed),
            Err(error) => Some(End::Failed(error)),
        };
    }

    fn heed(&mut self, turn: &Turn) -> ControlFlow<()> {
        words::say(turn);
        if self.beginning {
            let refused = |note: &&Note| matches!(note, Note::NotRegular { .. } | Note::Forbidden { .. });
            self.refused += turn.notes.iter().filter(refused).count();
            self.beginning = turn.more;
        }
        if self.refused == self.files.len() {
            self.end = self.end.take().or(Some(End::Nothing));
        }
        match self.end {
            None => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(()),
        }
    }
}
