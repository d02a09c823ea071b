//! Learning how the records of a file begin, from its first lines.

use super::Multiline;
use super::head::Head;
use super::joiner::{Joiner, State};
use crate::model::{Habit, Records};

/// At most so many bytes of a file are learned from.
pub(in crate::event) const SAMPLE: usize = 16 * 1024;
/// So many records are enough.
const ENOUGH: usize = 40;
/// Fewer say nothing.
const FEWEST: usize = 5;

/// Learns from lines, each with the offset behind it in the file. `full`: no more lines will ever be given.
/// Nothing as long as there are too few.
pub(in crate::event) fn learn<'l>(lines: impl Iterator<Item = (u64, &'l [u8])>, full: bool) -> Option<Habit> {
    let joiner = Joiner::new(
        &Multiline::Auto,
        Habit {
            from: u64::MAX,
            ..Habit::default()
        },
    );
    let mut seen = Seen::default();
    let (mut before, mut state): (&[u8], _) = (b"", None);
    let mut from = 0;
    for (end, line) in lines {
        let goes_on = state.and_then(|state| joiner.next(state, before, line, 0));
        seen.line(line, goes_on);
        state = Some(goes_on.unwrap_or_else(|| joiner.first(line, 0)));
        (before, from) = (line, end);
        if seen.records >= ENOUGH {
            return Some(seen.habit(from));
        }
    }
    full.then(|| seen.habit(from))
}

/// What was counted.
#[derive(Default)]
struct Seen {
    records: usize,
    /// Records that begin with a time or a level.
    headed: usize,
    /// Records that begin with a few words and a time.
    named: usize,
    /// Lines that are neither blank nor part of a trace.
    text: usize,
    /// Those of them that begin with white space.
    indented: usize,
}

impl Seen {
    fn line(&mut self, line: &[u8], goes_on: Option<State>) {
        if line.trim_ascii().is_empty() || matches!(goes_on, Some(State::Trace { .. })) {
            return;
        }
        self.text += 1;
        if line[0].is_ascii_whitespace() {
            self.indented += 1;
        }
        if goes_on.is_some() {
            return;
        }
        self.records += 1;
        match Head::of(line) {
            Some(Head::Time | Head::Level) => self.headed += 1,
            Some(Head::Named) => self.named += 1,
            Some(Head::Object) | None => {}
        }
    }

    fn habit(&self, from: u64) -> Habit {
        let most = |count: usize| self.records >= FEWEST && count * 10 >= self.records * 8;
        let records = if most(self.headed) {
            Records::Headed
        } else if most(self.headed + self.named) {
            Records::Named
        } else {
            Records::Any
        };
        Habit {
            records,
            // One huge event at the beginning says nothing, unless nothing else is there at all.
            indented: self.indented * 2 > self.text && (self.records >= FEWEST || self.indented == self.text),
            from,
        }
    }
}
