//! NULs where a line should begin: space that a writer reserved, or a hole.

use std::io;

use super::super::identity;
use super::Follower;
use super::reading::{Progress, READ, Reading};
use crate::model::Now;

/// How many NULs are looked through in one turn.
const MOST_ZEROS: usize = 16 * 1024 * 1024;

impl Follower {
    /// Stands before NULs: goes on behind them if anything stands there, else waits.
    pub(super) fn pass_zeros(&mut self, end: u64, with: &mut Reading<'_>) -> io::Result<Progress> {
        let end = self.line_end().floor_offset(end);
        for _ in 0..MOST_ZEROS / READ {
            let Some(from) = self.next_data(end)? else { break };
            let wanted = usize::try_from(end - from)
                .unwrap_or(usize::MAX)
                .min(with.buffer.len());
            let read = identity::read_at(&*self.file()?, &mut with.buffer[..wanted], from)?;
            let run = self.line_end().zeros(&with.buffer[..read]);
            self.zeros_to = from + run as u64;
            if run < read {
                // What can fail comes first: a place and the KiB before it belong together.
                let before = identity::before(&*self.file()?, self.zeros_to)?;
                (self.at, self.before) = (self.zeros_to, before);
                (self.half, self.open) = (0, 0);
                (self.dirty, self.moved) = (true, with.now.wall);
                return Ok(self.settle(true));
            }
            if read == 0 {
                break;
            }
        }
        let more = self.next_data(end)?.is_some();
        if !more && self.pipe.is_some() {
            return self.skip_zeros(end, with.now);
        }
        if !more {
            self.hollow = self.stamp;
            self.zeros_to = 0;
        }
        Ok(self.settle(more))
    }

    /// What came through a pipe is not filled in later.
    fn skip_zeros(&mut self, end: u64, now: Now) -> io::Result<Progress> {
        let before = identity::before(&*self.file()?, end)?;
        self.solid = identity::solid_before(&*self.file()?, end)?;
        self.before = before;
        (self.at, self.half, self.open, self.zeros_to) = (end, 0, 0, 0);
        (self.dirty, self.moved) = (true, now.wall);
        Ok(self.settle(false))
    }

    /// Where the next byte before `end` is that may not be a NUL; holes are jumped over.
    fn next_data(&self, end: u64) -> io::Result<Option<u64>> {
        let from = self.at.max(self.zeros_to);
        let data = self.file()?.next_data(from)?;
        Ok(data.filter(|data| *data < end))
    }
}
