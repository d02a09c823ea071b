//! How waiting ends: a half line is handed over, a file is let go, another one is released.
//!
//! The trap: bytes may have come since the last look, so nothing is given up on without one more.

use super::super::follow::Follower;
use super::super::{Chunk, Mode, Source, Turn};
use super::Tailer;
use crate::model::{FileKey, Now};

/// Positions of files that ended which are kept, so that a later glob does not read them again.
const MOST_FINISHED: usize = 10_000;

impl Tailer {
    /// A file that waits for another is released once that was read to its end, or let go.
    pub(super) fn release(&mut self, index: usize) {
        let Some(after) = self.followers[index].after else {
            return;
        };
        let before = self.held(after);
        let gone = before.is_none() && !self.is_sought(after);
        // A copy that is tied to its original has nothing that is not read there.
        let original = before.and_then(|copy| self.held(copy.copy_of?));
        let lets_go = original.or(before).is_some_and(Follower::lets_go);
        if gone || lets_go || self.waits_for_itself(after) {
            let follower = &mut self.followers[index];
            follower.older = follower.after.take();
        }
    }

    /// Whether a chain of waiting files leads back to this one: then nobody would ever be read. A copy waits for its
    /// original, too.
    fn waits_for_itself(&self, key: FileKey) -> bool {
        let mut at = key;
        for _ in 0..self.followers.len() {
            let mut followers = self.followers.iter();
            let next = followers.find(|follower| follower.source.key == at);
            match next.and_then(|follower| follower.after.or(follower.copy_of)) {
                Some(next) if next == key => return true,
                Some(next) => at = next,
                None => return false,
            }
        }
        true
    }

    /// Hands over half lines, and events that go on, that waited long enough.
    pub(super) fn flush(&mut self, now: Now, turn: &mut Turn, visit: &mut dyn FnMut(&Source, Chunk<'_>)) {
        for index in 0..self.followers.len() {
            let open = self.followers[index].has_open();
            // Behind an event there may be half a line, which has a patience of its own.
            if self.flush_one(index, now, turn, visit) && open {
                self.flush_one(index, now, turn, visit);
            }
        }
    }

    fn flush_one(
        &mut self,
        index: usize,
        now: Now,
        turn: &mut Turn,
        visit: &mut dyn FnMut(&Source, Chunk<'_>),
    ) -> bool {
        let patience = self.patience(&self.followers[index]);
        let follower = &mut self.followers[index];
        // What the rest of a copy waits for was destroyed with its original, and what came after that comes after it.
        let no_more = follower.over || follower.held_out(now, self.settings.hold);
        // A single pass waits for nobody but for who writes into a pipe.
        let last_look = self.mode == Mode::Once && !follower.is_flowing();
        let waited = no_more || now.moment - follower.grew() >= patience;
        let due = follower.has_half()
            && !follower.waits()
            && !follower.is_unpacking()
            && (waited || follower.is_full() || last_look);
        // A last look: its rest may have come just now.
        if !due || (self.mode == Mode::Forever && follower.changed(now).is_err()) || follower.hot {
            return false;
        }
        let last = last_look || follower.over || follower.held_out(now, self.settings.hold);
        let act = if last {
            Follower::flush_all
        } else {
            Follower::flush
        };
        let full = follower.is_full();
        let progress = self.lend(index, now, visit, act);
        self.note_progress(index, progress, now, turn);
        // Behind it stands what a pipe was waiting for room for.
        self.followers[index].hot |= full;
        true
    }

    /// Lets go of files that were rotated away, read to their end, and quiet for long enough.
    pub(super) fn finish(&mut self, now: Now, turn: &mut Turn) {
        self.let_go_of_archives(now, turn);
        let may_go = |follower: &Follower| follower.refused || follower.unlinked.is_some();
        if self.followers.iter().any(may_go) {
            self.let_go(now, turn);
        }
        self.bound_shelf(turn);
    }

    fn let_go(&mut self, now: Now, turn: &mut Turn) {
        let mut kept = Vec::with_capacity(self.followers.len());
        for mut follower in std::mem::take(&mut self.followers) {
            let over = self.mode == Mode::Forever
                && follower.packed.is_none()
                && follower.held_out(now, self.settings.hold)
                && !follower.waits()
                && follower.changed(now).is_ok()
                && !follower.hot
                && !follower.has_half();
            // Absent: it stays, since it is not over, or that cannot be known now.
            let deleted = match (follower.refused, over) {
                (true, _) => Some(true),
                (false, true) => follower.is_deleted().ok(),
                (false, false) => None,
            };
            let Some(deleted) = deleted else {
                kept.push(follower);
                continue;
            };
            if deleted {
                turn.forgotten.push(follower.source.key);
            } else {
                let log = &self.settings.logs[follower.source.logs[0]].name;
                let position = follower.position(log, true);
                turn.positions.push(position.clone());
                self.shelf.insert(position);
            }
        }
        self.followers = kept;
    }

    pub(super) fn bound_shelf(&mut self, turn: &mut Turn) {
        while self.shelf.len() > MOST_FINISHED {
            let finished = self.shelf.values().filter(|position| position.finished);
            let Some(oldest) = finished
                .min_by_key(|position| position.at)
                .map(|position| position.key)
            else {
                return;
            };
            self.shelf.remove(&oldest);
            turn.forgotten.push(oldest);
        }
    }
}
