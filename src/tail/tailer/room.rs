//! Which files are held open where not all can be, and what becomes of those that lost their path while they were closed.
//!
//! 1. Up to [`Budget::keep`] nothing is closed. Beyond it, files that nobody writes to are, those that were written to
//!    longest ago first; a writer that was seen within [`Budget::idle`] may rotate its file and go on, and is listened to.
//! 2. At [`Budget::most`] the same order decides who makes room for whom. What was rotated away comes last, and what was
//!    deleted stays open.
//! 3. A closed file whose path leads elsewhere is looked for like one that was read before a restart.
//!
//! The trap: what cannot be opened for want of a descriptor is neither gone nor unreadable; it waits, and that is told.

use std::collections::BTreeMap;
use std::io;

use rustix::io::Errno;

#[cfg(doc)]
use super::super::descriptor::Budget;
use super::super::discover::Reached;
use super::super::follow::Follower;
use super::super::identity::{self, FileId, Seen};
use super::super::{Note, Turn};
use super::sweep::Group;
use super::{Tailer, unreadable};
use crate::model::{Now, Timestamp};

/// Beyond the budget by so many, files are closed in the middle of a turn too.
const SLACK: usize = 32;

/// How many descriptors there are, and who waits for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptors {
    /// Files that are held open.
    pub open: usize,
    /// So many may be.
    pub most: usize,
    /// Files that could not be opened since the last sweep because too many are.
    pub waiting: usize,
    /// Bytes of the disk that deleted files took at the last sweep because they are held open.
    pub deleted_bytes: u64,
}

/// A file that lost its path while it was closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stray {
    /// The last sweep that saw it there: what is missed was born later.
    pub(super) since: Timestamp,
    /// It had bytes that were not handed out.
    pub(super) unread: bool,
}

impl Tailer {
    /// How many descriptors there are, and who waits for one.
    pub fn descriptors(&self) -> Descriptors {
        Descriptors {
            open: self.open,
            most: self.budget.most,
            waiting: self.waiting,
            deleted_bytes: self.deleted,
        }
    }

    pub(super) fn count_open(&mut self) {
        let open = self
            .followers
            .iter()
            .filter(|follower| follower.is_open())
            .count();
        self.open = open + self.more_descriptors();
    }

    /// Holds one more file.
    pub(super) fn hold(&mut self, follower: Follower) {
        self.open += usize::from(follower.is_open());
        if let Some(names) = &mut self.names {
            names.add(self.followers.len(), &follower);
        }
        self.followers.push(follower);
    }

    /// Sees to it that one more file may be opened. The error says that too many are open, and none can be closed.
    pub(super) fn make_room(&mut self) -> io::Result<()> {
        let most = self.budget.most;
        if self.open < most {
            return Ok(());
        }
        self.count_open();
        let surplus = (self.open + 1).saturating_sub(most);
        // Some more, so that not every file that is opened makes us look through all.
        self.close(surplus.max(most / 8), |_| true);
        if self.open < most {
            Ok(())
        } else {
            Err(Errno::MFILE.into())
        }
    }

    /// The system gives no descriptor although we counted on one: somebody else holds them.
    pub(super) fn give_some_back(&mut self) {
        self.close(self.open.div_ceil(8), |_| true);
    }

    /// Closes idle files beyond those that are kept open.
    pub(super) fn close_idle(&mut self, now: Now) {
        let surplus = self.open.saturating_sub(self.budget.keep);
        if surplus > 0 {
            let idle = self.budget.idle;
            // What waits for its rest is not read to its end, and what was not begun is no worse off than before.
            let may = |f: &Follower| {
                let idle = f.unlinked.is_none() && !f.is_active(now, idle) && !f.waits();
                idle && (f.hot || f.is_done_with())
            };
            self.close(surplus, may);
        }
    }

    /// The same while many files are met or read, now and then.
    pub(super) fn close_idle_in_passing(&mut self, now: Now) {
        if self.open.saturating_sub(SLACK) > self.budget.keep {
            self.close_idle(now);
        }
    }

    /// Closes so many of the files that may be: first those that still have their path and are copies of none, of these
    /// the ones of which nothing would be lost if they vanished then, of these the ones that were written to longest ago.
    fn close(&mut self, surplus: usize, may: impl Fn(&Follower) -> bool) {
        let followers = &self.followers;
        let mut closable: Vec<usize> = (0..followers.len())
            .filter(|&index| followers[index].is_open() && may(&followers[index]))
            .collect();
        closable.sort_by_key(|&index| {
            let follower = &followers[index];
            let missed = (follower.copy_of.is_some(), follower.unlinked.is_some());
            let order = (follower.active, follower.written());
            (missed, !follower.is_done_with(), order)
        });
        let mut left = surplus;
        for index in closable {
            if left == 0 {
                return;
            }
            if self.followers[index].close() {
                (left, self.open) = (left - 1, self.open - 1);
            }
        }
    }

    /// Opens a closed file again, to read it. Whether it is open now.
    pub(super) fn open_again(&mut self, index: usize, turn: &mut Turn) -> bool {
        if self.followers[index].is_open() {
            return true;
        }
        let opened = self.make_room().and_then(|()| self.followers[index].open());
        let follower = &mut self.followers[index];
        let Err(error) = opened else {
            self.open += 1;
            follower.missed = false;
            return true;
        };
        follower.missed |= !follower.is_unread();
        follower.cool_down();
        if error.kind() == io::ErrorKind::NotFound {
            // The next look knows where it went.
            self.look_soon();
        } else if identity::is_out_of_descriptors(&error) {
            self.starve(turn);
        } else {
            let path = follower.path().to_owned();
            let seen = Seen::at(&path).ok();
            self.say(unreadable(&path, seen.as_ref(), &error), turn);
        }
        false
    }

    /// A file waits for a descriptor.
    pub(super) fn starve(&mut self, turn: &mut Turn) {
        self.waiting += 1;
        self.give_some_back();
        self.say(Note::TooManyOpen, turn);
    }

    /// What was said of those that wait is forgotten once nobody does, so that it is said again when they do again.
    pub(super) fn count_waiting(&mut self) {
        if std::mem::take(&mut self.waiting) == 0 {
            self.said.remove(&Note::TooManyOpen.subject());
        }
    }

    /// Closed files whose path leads elsewhere now become positions, and are looked for like those of an earlier run.
    pub(super) fn set_strays_aside(
        &mut self,
        groups: &BTreeMap<FileId, Group>,
        reached: &Reached,
        now: Now,
        turn: &mut Turn,
    ) {
        let since = self.swept.map_or(now.wall, |swept| swept.wall);
        let is_stray = |follower: &mut Follower| {
            !follower.is_open()
                && !reached.hides(follower.path())
                && if follower.is_hidden() {
                    follower
                        .stat()
                        .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
                } else {
                    let group = groups.get(&follower.id());
                    !group.is_some_and(|group| follower.is(&group.seen))
                }
        };
        for follower in self.followers.extract_if(.., is_stray) {
            if follower.copy_of.is_some() {
                // The original has all of it; if that is cut, copies are looked for again.
                continue;
            }
            let log = &self.settings.logs[follower.source.logs[0]].name;
            let position = follower.position(log, false);
            let unread = follower.has_more();
            if follower.dirty {
                turn.positions.push(position.clone());
            }
            self.strays.insert(position.key, Stray { since, unread });
            self.shelf.insert(position);
        }
    }
}
