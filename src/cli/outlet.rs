//! Stderr that never holds the program up.
//!
//! A pipe that nobody reads is full after 64 KiB, and who writes to it then waits: a ledger or a lane that waits there
//! delivers nothing. So a line that does not go in is left out, counted, and told with the next one that goes in.
//!
//! The trap: that a pipe takes something says nothing about how much. It takes one page without waiting, so longer lines
//! go in page by page.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracing_subscriber::fmt::MakeWriter;

use super::log::Format;

/// What a pipe that takes anything takes without waiting.
const PAGE: usize = 4_096;
/// How long whoever reads may take for what is there, until lines are left out.
const PATIENCE: Duration = Duration::from_millis(100);

/// The way out for the log.
#[derive(Debug)]
pub(super) struct Outlet {
    format: Format,
    left_out: Mutex<LeftOut>,
}

/// What did not go in since the last line that did.
#[derive(Debug, Default)]
struct LeftOut {
    lines: u64,
    /// Of the last line a part went in.
    torn: bool,
}

impl Outlet {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            left_out: Mutex::default(),
        }
    }

    /// Whether something of a line goes in now, or before its time is over.
    fn takes_a_page(patience: Duration) -> bool {
        let stderr = io::stderr();
        let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
        let patience = Timespec::try_from(patience).ok();
        // Where the question itself fails, the answer of the write is as good.
        poll(&mut ready, patience.as_ref()).map_or(true, |ready| ready > 0)
    }

    /// Writes as much of it as goes in.
    fn write_pages(text: &[u8], patience: Duration) -> io::Result<usize> {
        let mut written = 0;
        for page in text.chunks(PAGE) {
            if !Self::takes_a_page(patience) {
                break;
            }
            io::stderr().write_all(page)?;
            written += page.len();
        }
        Ok(written)
    }

    fn confession(&self, LeftOut { lines, torn }: &LeftOut) -> String {
        let (at, end) = (jiff::Timestamp::now(), if *torn { "\n" } else { "" });
        let words = format!("nobody read this log for a while, lines missing here: {lines}");
        match self.format {
            Format::Text => format!("{end}{at:.6}  WARN {words}\n"),
            Format::Json => format!(
                "{end}{{\"timestamp\":\"{at:.6}\",\"level\":\"WARN\",\"fields\":{{\"message\":\"{words}\"}}}}\n"
            ),
        }
    }
}

/// One line under way to stderr: the log writes each with one call.
pub(super) struct Line<'a>(&'a Outlet);

impl Write for Line<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut left_out = self.0.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        // Who did not read for that long once is not waited for again.
        let patience = if left_out.lines == 0 {
            PATIENCE
        } else {
            Duration::ZERO
        };
        if left_out.lines > 0 {
            let confession = self.0.confession(&left_out);
            if Outlet::write_pages(confession.as_bytes(), patience)? == 0 {
                left_out.lines += 1;
                return Ok(text.len());
            }
            *left_out = LeftOut::default();
        }
        let written = Outlet::write_pages(text, patience)?;
        if written < text.len() {
            left_out.lines += 1;
            left_out.torn = written > 0;
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Outlet {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}
