//! The lines of a chunk as the rules see them.

use std::borrow::Cow;

use memchr::memrchr;

use super::multiline::End;
use super::wrapped::{self, Scratch};
use super::{Event, Events, Fields, Format, Multiline};
use crate::model::Manner;

/// The plain lines of one chunk: the chunk itself, or what it was decoded to.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'c> {
    events: &'c Events,
    chunk: &'c [u8],
    /// Where the chunk begins in its file.
    offset: u64,
    manner: Manner,
    bytes: &'c [u8],
    /// Where the first of `bytes` comes from in the file.
    begin: u64,
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
    /// The plain lines of a chunk that begins with an event, `offset` bytes into a file of this manner. `scratch` is
    /// overwritten where they have to be decoded.
    pub fn lines<'c>(
        &'c self,
        chunk: &'c [u8],
        offset: u64,
        manner: Manner,
        scratch: &'c mut Scratch,
    ) -> Lines<'c> {
        let decoder = self.settings.decoder(manner);
        if decoder.is_idle() {
            return Lines {
                events: self,
                chunk,
                offset,
                manner,
                bytes: chunk,
                begin: offset,
                format: decoder.format,
                scratch: None,
            };
        }
        scratch.fill(&decoder, self.settings.joints(manner, offset), chunk);
        self.decoded(chunk, offset, manner, scratch)
    }

    /// The lines of a chunk that were decoded.
    pub(super) fn decoded<'c>(
        &'c self,
        chunk: &'c [u8],
        offset: u64,
        manner: Manner,
        scratch: &'c Scratch,
    ) -> Lines<'c> {
        Lines {
            events: self,
            chunk,
            offset,
            manner,
            bytes: scratch.bytes(),
            begin: offset + scratch.begin() as u64,
            format: self.settings.decoder(manner).format,
            scratch: Some(scratch),
        }
    }
}

impl<'c> Lines<'c> {
    /// What is searched.
    pub fn bytes(&self) -> &'c [u8] {
        self.bytes
    }

    /// The event that holds the byte `at` of [`Lines::bytes`]. `from` is the [`Placed::next`] of the event before, 0
    /// for the first.
    pub fn around(&self, from: usize, at: usize) -> Placed<'c> {
        let Some(scratch) = self.scratch else {
            return self.undecoded(from, at);
        };
        let Some((range, rest)) = scratch.event_around(at) else {
            let event = self.events.around(self.bytes, at, self.begin);
            let next = event.range.end;
            return Placed {
                event: scratch.at_origin(event),
                next,
            };
        };
        let next = range.end;
        let event = self.events.event(self.bytes, range, self.begin);
        let event = scratch.at_origin(event);
        Placed {
            event: Event { rest, ..event },
            next,
        }
    }

    fn undecoded(&self, from: usize, at: usize) -> Placed<'c> {
        let settings = &self.events.settings;
        if settings.multiline == Multiline::Off {
            let event = self.events.around(self.bytes, at, self.offset);
            let next = event.range.end;
            return Placed { event, next };
        }
        let borders = settings.borders(self.manner, self.bytes, self.offset);
        let at = at.min(self.bytes.len().saturating_sub(1));
        let (range, end) = borders.around(from, at);
        let rest = borders.is_rest(&range);
        let event = self.events.event(self.bytes, range, self.offset);
        let next = event.range.end;
        let cut = event.cut || end == End::Full;
        Placed {
            event: Event { cut, rest, ..event },
            next,
        }
    }

    /// What an event says field by field.
    pub fn fields(&self, event: &Event<'_>) -> Fields {
        let format = self.format;
        let fields = Fields::of(format, event.parts().0);
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
