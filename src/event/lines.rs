//! The lines of a chunk as the rules see them.

use std::borrow::Cow;

use memchr::memrchr;

use super::wrapped::{self, Scratch};
use super::{Event, Events, Fields, Format};
use crate::model::Manner;

/// The plain lines of one chunk: the chunk itself, or what it was decoded to.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'c> {
    events: &'c Events,
    chunk: &'c [u8],
    bytes: &'c [u8],
    /// What a line of the chunk is.
    format: Format,
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
    /// The plain lines of a chunk from a file of this form. `scratch` is overwritten where they have to be decoded.
    pub fn lines<'c>(&'c self, chunk: &'c [u8], manner: Manner, scratch: &'c mut Scratch) -> Lines<'c> {
        let decoder = self.settings.decoder(manner);
        let lines = Lines {
            events: self,
            chunk,
            bytes: chunk,
            format: decoder.format,
            scratch: None,
        };
        if decoder.is_idle() {
            return lines;
        }
        scratch.fill(&decoder, chunk, self.settings.longest());
        let scratch: &Scratch = scratch;
        Lines {
            bytes: scratch.bytes(),
            scratch: Some(scratch),
            ..lines
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
        let format = self.format;
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
    let format = match format {
        Format::Auto => wrapped::recognise(line).unwrap_or(format),
        _ => format,
    };
    let text = wrapped::unwrap(format, line).unwrap_or(Cow::Borrowed(line));
    let fields = Fields::of(format, &text).wrapped(wrapped::about(format, line));
    (text, fields)
}
