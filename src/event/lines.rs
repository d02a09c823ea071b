//! The lines of a chunk as the rules see them.

use std::borrow::Cow;

use memchr::memrchr;

use super::wrapped::{self, Scratch};
use super::{Event, Events, Fields, Format};

/// The plain lines of one chunk: the chunk itself, or what it was decoded to.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'c> {
    events: &'c Events,
    chunk: &'c [u8],
    bytes: &'c [u8],
    /// Where they came from, if they are not the chunk itself.
    scratch: Option<&'c Scratch>,
}

/// An event, and where the search goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<'c> {
    /// The event; its range is one of the chunk.
    pub event: Event<'c>,
    /// Where the next event begins in [`Lines::bytes`].
    pub next: usize,
}

impl Events {
    /// The plain lines of a chunk. `scratch` is overwritten where they have to be decoded.
    pub fn lines<'c>(&'c self, chunk: &'c [u8], scratch: &'c mut Scratch) -> Lines<'c> {
        let format = self.settings.format;
        if !format.is_wrapped() {
            return Lines {
                events: self,
                chunk,
                bytes: chunk,
                scratch: None,
            };
        }
        scratch.fill(format, chunk, self.settings.longest());
        let scratch: &Scratch = scratch;
        Lines {
            events: self,
            chunk,
            bytes: scratch.bytes(),
            scratch: Some(scratch),
        }
    }
}

impl<'c> Lines<'c> {
    /// What is searched.
    pub fn bytes(&self) -> &'c [u8] {
        self.bytes
    }

    /// The event that holds the byte `at` of [`Lines::bytes`]; the chunk begins `offset` bytes into its file.
    pub fn around(&self, at: usize, offset: u64) -> Placed<'c> {
        let event = self.events.around(self.bytes, at, offset);
        let next = event.range.end;
        let event = match self.scratch {
            Some(scratch) => scratch.at_origin(event),
            None => event,
        };
        Placed { event, next }
    }

    /// What an event says field by field.
    pub fn fields(&self, event: &Event<'_>) -> Fields {
        let format = self.events.settings.format;
        let fields = Fields::of(format, event.text);
        if !format.is_wrapped() {
            return fields;
        }
        let start = memrchr(b'\n', &self.chunk[..event.range.start]).map_or(0, |newline| newline + 1);
        let line = self.chunk[start..].split(|&byte| byte == b'\n').next();
        fields.wrapped(wrapped::about(format, line.unwrap_or_default()))
    }
}

/// The text and the fields of a single line of a log, for lines that somebody shows us: a whole line of a file,
/// or where a line would wrap the text, the text alone.
pub fn sample(format: Format, line: &[u8]) -> (Cow<'_, [u8]>, Fields) {
    let text = wrapped::unwrap(format, line).unwrap_or(Cow::Borrowed(line));
    let fields = Fields::of(format, &text).wrapped(wrapped::about(format, line));
    (text, fields)
}
