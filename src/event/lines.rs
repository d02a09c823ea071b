//! The lines of a chunk as the rules see them.

use super::wrapped::Scratch;
use super::{Event, Events, Format};

/// The plain lines of one chunk: the chunk itself, or what it was decoded to.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'c> {
    events: &'c Events,
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
        if format == Format::Plain {
            return Lines {
                events: self,
                bytes: chunk,
                scratch: None,
            };
        }
        scratch.fill(format, chunk, self.settings.longest());
        let scratch: &Scratch = scratch;
        Lines {
            events: self,
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
}
