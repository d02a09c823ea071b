//! Where it is shown: bytes and headers on stdout, notes on stderr, in the order in which they arise.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Write};

use super::note::{self, Note};

/// Why it ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// Nobody reads stdout any more.
    #[error("stdout is closed")]
    Closed,
    /// stdout cannot be written.
    #[error(transparent)]
    Unwritten(io::Error),
}

/// stdout and stderr, neither with a buffer.
#[derive(Debug)]
pub struct Screen {
    pub(super) out: File,
    err: File,
    headers: bool,
    /// Which operand spoke last.
    last: Option<usize>,
}

impl Screen {
    /// Shows on `out` and says on `err`.
    pub fn new(out: File, err: File) -> Self {
        Self {
            out,
            err,
            headers: false,
            last: None,
        }
    }

    /// From here on a line says which file speaks.
    pub(super) fn with_headers(&mut self, headers: bool) {
        self.headers = headers;
    }

    /// Says it. Nothing can be said about a stderr that cannot be written to.
    pub fn say(&mut self, note: &Note) {
        let _ = self.err.write_all(format!("{note}\n").as_bytes());
    }

    /// Says which file speaks, if another one did before.
    pub(super) fn head(&mut self, operand: usize, name: &OsString) -> Result<(), End> {
        if !self.headers || self.last == Some(operand) {
            return Ok(());
        }
        let lead = if self.last.is_some() { "\n" } else { "" };
        self.last = Some(operand);
        self.write(format!("{lead}==> {} <==\n", note::bare(name)).as_bytes())
    }

    /// Shows bytes of a file.
    pub(super) fn show(&mut self, operand: usize, name: &OsString, bytes: &[u8]) -> Result<(), End> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.head(operand, name)?;
        self.write(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.out.write_all(bytes).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => End::Closed,
            _ => End::Unwritten(error),
        })
    }
}
