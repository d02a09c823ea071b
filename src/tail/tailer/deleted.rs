//! Deleted files that are held open: what they take of the disk is free only once their descriptors are closed.
//!
//! How much that is has a bound that is told and enforced by nobody. Of a file that is not read to its end, the rest
//! stands nowhere else. One that is goes when it was quiet for [`Settings::hold`], which asks for no event; to close it
//! earlier would lose what a late writer still writes, and while there is one, closing frees nothing.
//!
//! The trap: a writer that goes on, or a reader that does not, lets this grow as long as it likes; so it is weighed in
//! every sweep, and said once until it is less again.

#[cfg(doc)]
use super::super::Settings;
use super::super::follow::Follower;
use super::super::{Note, Turn};
use super::Tailer;

impl Tailer {
    /// Weighs what deleted files take of the disk because they are held open.
    pub(super) fn weigh_deleted(&mut self, turn: &mut Turn) {
        let lost = self
            .followers
            .iter()
            .filter(|follower| follower.unlinked.is_some());
        let kept: Vec<u64> = lost.filter_map(Follower::kept).collect();
        self.deleted = kept.iter().sum();
        let note = Note::Deleted {
            files: kept.len(),
            bytes: self.deleted,
        };
        if self.deleted <= self.settings.deleted {
            self.said.remove(&note.subject());
        } else if !self.said.contains_key(&note.subject()) {
            self.say(note, turn);
        }
    }
}
