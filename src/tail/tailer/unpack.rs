//! What was compressed before it was read to its end: it is searched for, read like any other file, and let go.
//!
//! One archive is open at a time, since each costs memory: the oldest search goes first.
//!
//! The trap: until a search is over, whatever comes after what it looks for has to wait, as for a file that is held.

use std::io;
use std::path::PathBuf;

use super::super::archive::End;
use super::super::follow::Follower;
use super::super::packed::{Loss, Packed, Search, Sought};
use super::super::{Note, Source, Turn};
use super::Tailer;
use crate::model::{FileKey, Now, Position};

impl Tailer {
    /// Looks for what is owed in the archives beside its path. Whether there are any; then it is neither held nor
    /// shelved until the search is over.
    ///
    /// An error says that it cannot be known now.
    pub(super) fn search_archives(
        &mut self,
        owed: &Position,
        source: &Source,
        loss: Loss,
    ) -> io::Result<bool> {
        let Some(search) = Search::begin(owed.clone(), source.clone(), loss)? else {
            return Ok(false);
        };
        self.searches.push_back(search);
        Ok(true)
    }

    /// Whether a file is looked for.
    pub(super) fn is_sought(&self, key: FileKey) -> bool {
        self.searches.iter().any(|search| search.owed.key == key)
    }

    pub(super) fn wait_with_search(&mut self, key: FileKey, after: Option<FileKey>) {
        let mut searches = self.searches.iter_mut();
        if let Some(search) = searches.find(|search| search.owed.key == key) {
            search.after = after;
        }
    }

    /// Whether something is to be unpacked that waits for nothing else.
    pub(super) fn has_packed(&self) -> bool {
        let mut packed = self.followers.iter().filter(|follower| follower.packed.is_some());
        match packed.next() {
            Some(follower) => follower.is_unpacking() && !follower.waits(),
            None => !self.searches.is_empty(),
        }
    }

    /// Goes on with the one archive that is open, or the oldest search.
    pub(super) fn unpack(&mut self, now: Now, turn: &mut Turn) {
        let mut followers = self.followers.iter_mut();
        if let Some(follower) = followers.find(|follower| follower.packed.is_some()) {
            if !follower.waits() && follower.at_end() {
                let unpacked = follower.unpack(now);
                if let Err(error) = unpacked {
                    self.shelve_packed(&error.to_string(), turn);
                }
            }
            return;
        }
        let Some(mut search) = self.searches.pop_front() else {
            return;
        };
        match search.go_on(super::longest(&self.settings)) {
            Sought::NotYet => self.searches.push_front(search),
            Sought::Nowhere => {
                if !search.loss.doubtful {
                    turn.gaps.push(search.loss.gap(&search.owed.path, now));
                }
                turn.forgotten.push(search.owed.key);
            }
            Sought::Unread { path, error } => self.shelve(search.owed, path, error.to_string(), turn),
            Sought::Found(packed) => self.take_up_packed(search, *packed, now, turn),
        }
    }

    fn take_up_packed(&mut self, search: Search, packed: Packed, now: Now, turn: &mut Turn) {
        let path = packed.path.clone();
        match self.resume_packed(&search, &packed, now) {
            Ok(mut follower) => {
                follower.packed = Some(Box::new(packed));
                (follower.unlinked, follower.after) = (Some(now.moment), search.after);
                self.hold(follower);
            }
            Err(error) => self.shelve(search.owed, path, error.to_string(), turn),
        }
    }

    fn resume_packed(&self, search: &Search, packed: &Packed, now: Now) -> io::Result<Follower> {
        let file = packed.file();
        let source = Source {
            manner: self.manner(&file, search.source.logs[0])?,
            ..search.source.clone()
        };
        let max_line = self.settings.logs[source.logs[0]].max_line;
        Follower::resume(file, source, &search.owed, max_line, now)
    }

    /// What could not be read is looked for again.
    fn shelve(&mut self, owed: Position, path: PathBuf, error: String, turn: &mut Turn) {
        self.shelf.insert(owed);
        self.say(Note::Failed { path, error }, turn);
    }

    /// The archive that is open goes back to what is looked for.
    fn shelve_packed(&mut self, error: &str, turn: &mut Turn) {
        let open = self
            .followers
            .iter()
            .position(|follower| follower.packed.is_some());
        let Some(index) = open else { return };
        let follower = self.followers.remove(index);
        let owed = follower.position(&self.settings.logs[follower.source.logs[0]].name, false);
        let path = follower.packed.map(|packed| packed.path).unwrap_or_default();
        turn.positions.push(owed.clone());
        self.shelve(owed, path, error.to_owned(), turn);
    }

    /// Lets go of an archive that was read to its end, and tells what it did not have.
    pub(super) fn let_go_of_archives(&mut self, now: Now, turn: &mut Turn) {
        let over = |follower: &Follower| {
            let ended = follower.packed.is_some() && !follower.is_unpacking();
            ended && follower.at_end() && !follower.has_half() && !follower.waits()
        };
        let Some(index) = self.followers.iter().position(over) else {
            return;
        };
        let packed = self.followers[index].packed.as_ref();
        if let Some(End::Unread(error)) = packed.and_then(|packed| packed.end()) {
            let error = error.to_string();
            return self.shelve_packed(&error, turn);
        }
        let follower = self.followers.remove(index);
        turn.forgotten.push(follower.source.key);
        let Some(packed) = follower.packed else { return };
        if let Some(loss) = packed.loss() {
            turn.gaps.push(loss.gap(&follower.source.path, now));
        }
        if let Some(End::Damaged(error)) = packed.end() {
            let (path, error) = (packed.path.clone(), error.to_string());
            self.say(Note::Damaged { path, error }, turn);
        }
    }

    /// Puts searches back, to be begun again: they speak of logs that may be others now.
    pub(super) fn end_searches(&mut self) {
        let owed = std::mem::take(&mut self.searches)
            .into_iter()
            .map(|search| search.owed);
        owed.for_each(|owed| self.shelf.insert(owed));
    }
}
