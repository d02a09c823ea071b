//! Where events begin and end in a chunk.

use std::ops::Range;

use memchr::{memchr, memrchr};

use super::joiner::{Joiner, State};
use super::trace::STRANGERS;

/// The borders of events in one chunk, which begins at one.
#[derive(Clone, Copy, Debug)]
pub(in crate::event) struct Borders<'c> {
    pub(in crate::event) joiner: Joiner<'c>,
    /// Whole lines; only the last may lack its newline.
    pub(in crate::event) chunk: &'c [u8],
    /// Where the chunk begins in its file.
    pub(in crate::event) offset: u64,
    /// An event ends with the line with which it reaches this many bytes.
    pub(in crate::event) longest: usize,
}

/// How an event ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::event) enum End {
    /// Another one begins behind it, or nothing can go on with it.
    Sure,
    /// It is as long as events get.
    Full,
    /// With the chunk: it may go on.
    Open,
}

impl Borders<'_> {
    /// The event that holds the byte `at`. `from` is a border at or before it.
    pub(in crate::event) fn around(&self, from: usize, at: usize) -> (Range<usize>, End) {
        let mut start = self.sure_before(from, at);
        loop {
            let (end, how) = self.end(start);
            if end > at || end >= self.chunk.len() {
                return (start..end, how);
            }
            start = end;
        }
    }

    /// The last border that is not behind `upto` and stays one whatever is written behind the chunk.
    pub(in crate::event) fn whole(&self, upto: usize) -> usize {
        let Some(last) = upto.min(self.chunk.len()).checked_sub(1) else {
            return 0;
        };
        let (event, how) = self.around(0, last);
        if event.end <= upto && how != End::Open {
            event.end
        } else {
            event.start
        }
    }

    /// Whether an event can only be the rest of another one. The first bytes of a file are taken for a beginning.
    pub(in crate::event) fn is_rest(&self, event: &Range<usize>) -> bool {
        let place = self.place(event.start);
        let line = event.start..self.line_end(event.start);
        place > 0 && self.joiner.is_rest(self.text(&line), place)
    }

    /// Where the event that begins at `start` ends.
    fn end(&self, start: usize) -> (usize, End) {
        let mut before = start..self.line_end(start);
        let mut state = self.joiner.first(self.text(&before), self.place(start));
        loop {
            let end = before.end;
            if end - start >= self.longest {
                return (end, End::Full);
            }
            if state == State::Complete {
                return (end, End::Sure);
            }
            if end >= self.chunk.len() {
                return (end, End::Open);
            }
            let line = end..self.line_end(end);
            let next = self
                .joiner
                .next(state, self.text(&before), self.text(&line), self.place(end));
            let Some(next) = next else { return (end, End::Sure) };
            (state, before) = (next, line);
        }
    }

    /// A border between `from`, which is one, and `at`: the nearest line back that is sure to begin an event.
    fn sure_before(&self, from: usize, at: usize) -> usize {
        let mut line = self.line_start(at)..self.line_end(at);
        // The lowest line of those without a gap that say nothing about what is above them.
        let (mut lowest, mut strangers) = (0, 0);
        while line.start > from {
            let above = self.line_start(line.start - 1)..line.start;
            let (text, place) = (self.text(&line), self.place(line.start));
            if self.joiner.is_sure(self.text(&above), text, place) {
                return line.start;
            }
            if self.joiner.is_stranger(text, place) {
                if strangers == 0 {
                    lowest = line.start;
                }
                strangers += 1;
                if strangers > STRANGERS {
                    return lowest;
                }
            } else {
                strangers = 0;
            }
            line = above;
        }
        from
    }

    /// A line without its end.
    fn text(&self, line: &Range<usize>) -> &[u8] {
        let text = &self.chunk[line.clone()];
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        text.strip_suffix(b"\r").unwrap_or(text)
    }

    fn place(&self, at: usize) -> u64 {
        self.offset + at as u64
    }

    fn line_start(&self, at: usize) -> usize {
        memrchr(b'\n', &self.chunk[..at]).map_or(0, |newline| newline + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        memchr(b'\n', &self.chunk[at..]).map_or(self.chunk.len(), |newline| at + newline + 1)
    }
}
