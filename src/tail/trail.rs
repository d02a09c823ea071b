//! What a file looked like on the way: by this a copy is known that ends before the place up to which its original
//! was read.
//!
//! A rotator copies a log and cuts it afterwards. What is written in between is read by whoever is awake, and then the
//! copy is *shorter* than what was read; once the original is cut, nothing on disk says what the copy was made of. So
//! the hashes that every read leaves behind anyway are kept for some offsets: dense where reading is now, and thinner
//! with every power of two towards the beginning.
//!
//! The trap: equal bytes are no proof by themselves where logs repeat themselves. A shorter copy was also *written*
//! before its original was read past its end, and nothing that came later can have been.

use std::io;

use super::handle::Handle;
use super::identity::{self, Seen};
use crate::model::{Head, Mark, Position, Timestamp};

/// How many marks a file keeps.
const MOST: usize = 24;

/// How many of the newest are never thinned out.
const DENSE: usize = 8;

/// A part of a copy that was compared says something about the rest of it from this length on.
const TELLING: u64 = 16;

/// Offsets that were passed, ascending, with what stood before them.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail(Vec<Mark>);

impl Trail {
    /// As it was stored.
    pub(super) fn of(marks: &[Mark]) -> Self {
        Self(marks.to_vec())
    }

    /// What is to be stored.
    pub(super) fn marks(&self) -> Vec<Mark> {
        self.0.clone()
    }

    /// Reading went on from `at` over the first `used` bytes behind the lead of `read`; the lead is what stood before `at`.
    pub(super) fn pass(&mut self, at: u64, read: &[u8], lead: usize, used: usize) {
        let end = at + used as u64;
        let mut step = TELLING;
        while step < end {
            if step > at {
                self.note(step, &read[..lead + usize::try_from(step - at).unwrap_or(used)]);
            }
            step *= 4;
        }
        self.note(end, &read[..lead + used]);
    }

    /// What stands before `offset` ends `read`.
    fn note(&mut self, offset: u64, read: &[u8]) {
        if offset == 0 || self.0.last().is_some_and(|last| last.offset >= offset) {
            return;
        }
        let before = &read[read.len().saturating_sub(Head::FULL as usize)..];
        self.0.push(Mark::new(offset, Head::of(before)));
        if self.0.len() > MOST {
            self.thin_out();
        }
    }

    /// Forgets the mark whose neighbours are nearest to each other, as seen from the beginning.
    fn thin_out(&mut self) {
        let ratio = |index: &usize| {
            let before = index.checked_sub(1).map_or(1, |index| self.0[index].offset);
            // Exact to a millionth; offsets are far from 2^44.
            (u128::from(self.0[index + 1].offset) << 20) / u128::from(before.max(1))
        };
        if let Some(least) = (0..self.0.len() - DENSE).min_by_key(ratio) {
            self.0.remove(least);
        }
    }
}

/// A file of which something was read, and how it looked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Original<'a> {
    pub(super) head: Head,
    /// What stood before `at`.
    pub(super) before: Head,
    /// How far it was read.
    pub(super) at: u64,
    pub(super) trail: &'a [Mark],
    /// When that place was reached.
    pub(super) since: Timestamp,
}

impl<'a> Original<'a> {
    /// The file of a stored position.
    pub(super) fn stored(position: &'a Position) -> Self {
        Self {
            head: position.identity.head,
            before: position.before,
            at: position.offset,
            trail: &position.trail,
            since: position.at,
        }
    }

    /// If `file` is a copy of this one: how far it was read already, together with its original.
    ///
    /// An error says that it cannot be known now.
    pub(super) fn copied_to(&self, file: &Handle) -> io::Result<Option<u64>> {
        let seen = Seen::held(file)?;
        if self.at == 0 || seen.size == 0 {
            return Ok(None);
        }
        // A copy that is shorter than the head is compared by what stands before some offset alone: that reaches back to
        // its first byte.
        let begins = u64::from(self.head.len) > seen.size || self.head.fits(&identity::first_bytes(file)?);
        if seen.size >= self.at {
            let same = begins && identity::before(file, self.at)? == self.before;
            return Ok(same.then_some(self.at));
        }
        let passed = i128::from(self.since.0) * 1_000_000 + identity::CLOCK_SLACK;
        let marks = self.trail.iter().rev();
        let mark = marks.clone().find(|mark| mark.offset <= seen.size);
        let Some(mark) = mark.filter(|mark| mark.offset == seen.size || mark.offset >= TELLING) else {
            return Ok(None);
        };
        let same = seen.written <= passed && begins && identity::before(file, mark.offset)? == mark.before();
        Ok(same.then_some(seen.size))
    }
}

/// Whether both files begin alike and have the same (at most) last KiB before `offset`.
pub(super) fn agree(one: &Handle, other: &Handle, offset: u64) -> io::Result<bool> {
    let reach = |file: &Handle| Ok::<_, io::Error>(Seen::held(file)?.size >= offset);
    let shared = |bytes: Vec<u8>| {
        let len = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        Head::of(&bytes[..len])
    };
    Ok(reach(one)?
        && reach(other)?
        && shared(identity::first_bytes(one)?) == shared(identity::first_bytes(other)?)
        && identity::before(one, offset)? == identity::before(other, offset)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn file(bytes: &[u8]) -> Handle {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.into()
    }

    /// The trail of a file that came in reads of these lengths.
    fn trail(bytes: &[u8], reads: &[usize]) -> (Trail, usize) {
        let (mut trail, mut at) = (Trail::default(), 0);
        for read in reads {
            let lead = at.min(Head::FULL as usize);
            let used = (*read).min(bytes.len() - at);
            trail.pass(at as u64, &bytes[at - lead..at + used], lead, used);
            at += used;
        }
        (trail, at)
    }

    fn numbered(lines: usize) -> Vec<u8> {
        (0..lines)
            .flat_map(|number| format!("line {number}\n").into_bytes())
            .collect()
    }

    proptest! {
        #[test]
        fn a_copy_of_any_length_is_known_from_sixteen_bytes_on_and_a_file_that_differs_is_not(
            reads in prop::collection::vec(1usize..20_000, 1..80), share in 0.0..1.0f64, spoiled in any::<bool>(),
        ) {
            let bytes = numbered(200_000);
            let (trail, at) = trail(&bytes, &reads);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a length")]
            let size = (at as f64 * share) as usize;
            prop_assume!(size >= 16);
            let mut copy = bytes[..size].to_vec();
            if spoiled {
                copy[..16].copy_from_slice(b"another one here");
            }
            let original = Original {
                head: Head::of(&bytes[..at]),
                before: Head::of(&bytes[at.saturating_sub(1024)..at]),
                at: at as u64,
                trail: &trail.marks(),
                since: Timestamp(i64::MAX / 2_000_000),
            };
            prop_assert!(trail.0.len() <= MOST);
            prop_assert!(trail.0.is_sorted_by_key(|mark| mark.offset));
            let known = original.copied_to(&file(&copy)).unwrap();
            prop_assert_eq!(known, (!spoiled).then_some(size as u64));
        }
    }

    #[test]
    fn a_file_that_was_written_after_the_original_was_read_past_its_end_is_no_copy() {
        let bytes = numbered(100);
        let (trail, at) = trail(&bytes, &[bytes.len()]);
        let original = |since| Original {
            head: Head::of(&bytes),
            before: Head::of(&bytes[at.saturating_sub(1024)..]),
            at: at as u64,
            trail: &trail.0,
            since,
        };
        let copy = file(&bytes[..at - 50]);
        let now = i64::try_from(Seen::of(&copy.metadata().unwrap()).written / 1_000_000).unwrap();
        assert!(original(Timestamp(now)).copied_to(&copy).unwrap().is_some());
        assert!(
            original(Timestamp(now - 60_000))
                .copied_to(&copy)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn what_two_files_share_is_compared_up_to_the_offset() {
        let (one, other) = (file(b"one\ntwo\nthree\n"), file(b"one\ntwo\n"));
        assert!(agree(&one, &other, 8).unwrap());
        assert!(!agree(&one, &other, 9).unwrap());
        assert!(!agree(&one, &file(b"one\nTWO\n"), 8).unwrap());
    }
}
