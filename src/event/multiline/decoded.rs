//! Events of lines that were decoded one by one, stream by stream.
//!
//! The streams of a container stand interleaved in one file, so an event has no range of its own, and nothing can be
//! looked for around a hit: all lines are decoded anyway, and on the way each is asked which event it goes on with. A
//! stream that falls silent would hold everything back; so an event also ends where the next line of its stream is
//! further than [`REACH`] behind it. That, too, the bytes tell.

use std::ops::Range;

use super::joiner::{Joiner, State};

/// An event is over when so many bytes of other streams stand behind it.
pub(in crate::event) const REACH: usize = 16 * 1024;

/// Whose line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::event) enum Slot {
    Stdout,
    Stderr,
    /// What no stream wrote.
    Text,
}

const SLOTS: usize = 3;

/// How lines of one file form events.
#[derive(Clone, Copy, Debug)]
pub(in crate::event) struct Decoded<'m> {
    pub(in crate::event) joiner: Joiner<'m>,
    /// Where the chunk begins in the file.
    pub(in crate::event) offset: u64,
    /// An event ends with the line with which it reaches this many bytes of the file.
    pub(in crate::event) longest: usize,
}

/// An event that is being put together, or was.
#[derive(Clone, Debug)]
pub(in crate::event) struct Record {
    /// All bytes of its lines in the chunk, and of what lies between them.
    pub(in crate::event) raw: Range<usize>,
    /// Its lines, each with a newline.
    pub(in crate::event) text: Vec<u8>,
    /// A part of it was cut, or it was ended although it may go on.
    pub(in crate::event) cut: bool,
    /// It can only be the rest of another event.
    pub(in crate::event) rest: bool,
    state: State,
    /// Where its last line begins in `text`.
    last: usize,
}

/// Gets every event that is over.
pub(in crate::event) type Told<'t> = dyn FnMut(&Record) + 't;

/// The events of a chunk, while its lines come in.
#[derive(Debug)]
pub(in crate::event) struct Gather<'m> {
    decoded: Decoded<'m>,
    open: [Option<Record>; SLOTS],
}

impl<'m> Gather<'m> {
    pub(in crate::event) fn new(decoded: Decoded<'m>) -> Self {
        Self {
            decoded,
            open: [None, None, None],
        }
    }

    /// Takes an entry: one line, or several where a program wrote them at once.
    pub(in crate::event) fn take(
        &mut self,
        slot: Slot,
        raw: &Range<usize>,
        text: &[u8],
        cut: bool,
        told: &mut Told<'_>,
    ) {
        self.silent(raw.start, told);
        let lines = text.split(|&byte| byte == b'\n').enumerate();
        for (number, line) in lines {
            // No two events begin at the same byte.
            let begin = (raw.start + number).min(raw.end);
            self.line(slot, begin..raw.end, line, told);
        }
        if let Some(record) = &mut self.open[slot as usize] {
            record.cut |= cut;
            if cut {
                self.close(slot as usize, told);
            }
        }
        self.full(raw.end, told);
    }

    /// Everything ends here.
    pub(in crate::event) fn end(&mut self, told: &mut Told<'_>) {
        for slot in 0..SLOTS {
            self.close(slot, told);
        }
    }

    /// Where the first event begins that may still go on.
    pub(in crate::event) fn since(&self) -> Option<usize> {
        self.open.iter().flatten().map(|record| record.raw.start).min()
    }

    fn line(&mut self, slot: Slot, raw: Range<usize>, line: &[u8], told: &mut Told<'_>) {
        let Decoded { joiner, offset, .. } = self.decoded;
        let place = offset + raw.start as u64;
        let bare = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(record) = &mut self.open[slot as usize] {
            let before = record.text[record.last..].trim_ascii_end();
            if let Some(state) = joiner.next(record.state, before, bare, place) {
                record.state = state;
                record.last = record.text.len();
                record.raw.end = raw.end;
                record.push(line);
                return;
            }
            self.close(slot as usize, told);
        }
        let mut record = Record {
            rest: place > 0 && joiner.is_rest(bare, place),
            state: joiner.first(bare, place),
            raw,
            text: Vec::new(),
            cut: false,
            last: 0,
        };
        record.push(line);
        let over = record.state == State::Complete;
        self.open[slot as usize] = Some(record);
        if over {
            self.close(slot as usize, told);
        }
    }

    /// Events that the next byte is too far behind.
    fn silent(&mut self, at: usize, told: &mut Told<'_>) {
        for slot in 0..SLOTS {
            if self.open[slot]
                .as_ref()
                .is_some_and(|record| at >= record.raw.end + REACH)
            {
                self.close(slot, told);
            }
        }
    }

    /// Events that are as long as they get.
    fn full(&mut self, at: usize, told: &mut Told<'_>) {
        for slot in 0..SLOTS {
            // An entry of pieces comes when its last piece does, so a record may have begun behind it.
            if let Some(record) = &mut self.open[slot]
                && at.saturating_sub(record.raw.start) >= self.decoded.longest
            {
                record.cut |= record.raw.end == at;
                self.close(slot, told);
            }
        }
    }

    fn close(&mut self, slot: usize, told: &mut Told<'_>) {
        if let Some(record) = self.open[slot].take() {
            told(&record);
        }
    }
}

impl Record {
    fn push(&mut self, line: &[u8]) {
        self.text.extend_from_slice(line);
        self.text.push(b'\n');
    }
}
