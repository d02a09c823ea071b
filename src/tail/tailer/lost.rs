//! Generations that no glob reaches: the one that was being read when the process ended, and those that were
//! born while nobody looked.
//!
//! The trap: what cannot be looked at is not gone. Only a folder that was read without finding the file
//! makes a gap; a file in it that cannot be opened is tried again at every sweep.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use super::super::follow::Follower;
use super::super::handle::Handle;
use super::super::identity::{self, FileId, Seen};
use super::super::packed::Loss;
use super::super::trail::{self, Original};
use super::super::{Note, Source, Turn, recover};
use super::begin::is_numbered_after;
use super::sweep::{Group, Vacant};
use super::{Tailer, text, unreadable};
use crate::model::{FileKey, Gap, GapKind, LogName, Manner, Now, Position, Timestamp};

/// Where successors of a generation are looked for.
pub(super) struct Beside<'a> {
    pub(super) siblings: &'a [recover::Sibling],
    /// They were born, and written to, after this.
    pub(super) since: Timestamp,
    /// What lies at the path, if something was read of it before: copies of it are no generations. A file that was
    /// read and cut in place is the same.
    pub(super) current: Option<Handle>,
}

/// What became of a file that a position speaks of.
enum Reopened {
    /// It is read on.
    Goes(Box<Follower>),
    /// The rest of it stands in a copy, which is read by itself.
    Copied,
    /// It cannot be found.
    Nowhere,
}

impl Tailer {
    pub(super) fn recovery_is_owed(&self) -> bool {
        self.shelf.values().any(|position| !position.finished)
    }

    /// Finds again what was being read when the process ended, and what was born since.
    pub(super) fn recover(
        &mut self,
        groups: &BTreeMap<FileId, Group>,
        now: Now,
        turn: &mut Turn,
        queue: &mut HashMap<PathBuf, FileKey>,
    ) {
        let mut owed: Vec<Position> = self
            .shelf
            .values()
            .filter(|position| !position.finished)
            .cloned()
            .collect();
        owed.sort_by_key(|position| position.at);
        let mut by_inode: HashMap<u64, Vec<&Group>> = HashMap::new();
        for (id, group) in groups {
            by_inode.entry(id.ino).or_default().push(group);
        }
        let inodes: HashSet<u64> = owed.iter().map(|position| position.identity.ino).collect();
        let mut listings = recover::Listings::default();
        for position in owed {
            if !self.shelf.contains_key(&position.key) {
                // Taken up as a successor of one before.
                continue;
            }
            let Some(log) = self.settings.logs.iter().position(|log| log.name == position.log) else {
                continue;
            };
            let path = PathBuf::from(&position.path);
            let mut resumable = true;
            let Ok(reached) = Self::reached(&position, by_inode.get(&position.identity.ino)) else {
                // Nothing can be known now, and so nothing is dropped.
                continue;
            };
            if let Some(group) = reached {
                let in_place = group.paths.contains(&path);
                if in_place && (self.drop_contradiction(&position, group, turn) || position.offset > 0) {
                    continue;
                }
                if !in_place {
                    // It was renamed to where a glob reaches it, and what is at its path now comes after it.
                    self.begin(group, now, turn, queue);
                }
                // Any file begins as an empty one did, or as half a line; it may have been written to, copied and cut since.
                resumable = !in_place;
            }
            // A folder that is away may come back with the file in it.
            let Ok(siblings) = listings.siblings(&path, position.identity.ino) else {
                continue;
            };
            let stray = self.strays.get(&position.key).copied();
            let since = stray.map_or(position.at, |stray| stray.since);
            if resumable {
                match recover::was_rewritten(&position, &siblings) {
                    Ok(false) => {}
                    // It is taken up where a glob reaches it, like any file there.
                    Ok(true) => {
                        if let Some(group) = groups.values().find(|group| group.paths.contains(&path)) {
                            self.drop_contradiction(&position, group, turn);
                        }
                        continue;
                    }
                    // Nothing can be known now, and so nothing is dropped.
                    Err(_) => continue,
                }
            }
            let source = |path: &Path| Source {
                key: position.key,
                path: text(path),
                logs: vec![log],
                manner: Manner::default(),
            };
            // Under its old path, beside which its successors are looked for again after the next crash.
            let resumed = if resumable && self.shelf.contains_key(&position.key) {
                self.take_up(&position, &siblings, &source(&path), groups, now, turn)
            } else {
                Ok(())
            };
            if let Err(note) = resumed {
                self.say(note, turn);
                if self.is_watched(&position.path) {
                    continue;
                }
            }
            let mut last = source(&path);
            let ahead = queue.get(&path).copied();
            let sought = self.is_sought(position.key);
            let mut held = self.followers.iter_mut();
            match held.find(|follower| follower.source.key == position.key) {
                Some(held) => held.after = ahead,
                None if sought => self.wait_with_search(position.key, ahead),
                // What it waits for is nobody, or what another position at this path has before it.
                None => last.key = ahead.unwrap_or_else(|| FileKey::draw(&mut self.random)),
            }
            let ino = position.identity.ino;
            let beside = self.beside(&path, &siblings, since, &inodes);
            let looked =
                beside.is_ok_and(|beside| self.follow_newer(&beside, groups, &mut last, now, turn, queue));
            queue.insert(path, last.key);
            if !resumable && looked {
                continue;
            }
            self.vacant.push(Vacant {
                last,
                since,
                ino,
                looked,
                // As long as it would have been held.
                until: stray.map(|_| now.moment + self.settings.hold),
            });
        }
    }

    /// A file that is held went on from another position: this one, which speaks of the same file, said something else,
    /// and is dropped.
    fn drop_contradiction(&mut self, position: &Position, group: &Group, turn: &mut Turn) -> bool {
        let held = self
            .followers
            .iter()
            .any(|follower| follower.id() == group.seen.id);
        if held {
            self.shelf.remove(&position.key);
            turn.forgotten.push(position.key);
        }
        held
    }

    /// Opens again what a position speaks of, or gives it up. The note says why it is to be tried again.
    fn take_up(
        &mut self,
        position: &Position,
        siblings: &[recover::Sibling],
        source: &Source,
        groups: &BTreeMap<FileId, Group>,
        now: Now,
        turn: &mut Turn,
    ) -> Result<(), Note> {
        if self.make_room().is_err() {
            self.waiting += 1;
            return Err(Note::TooManyOpen);
        }
        match self.reopen(position, siblings, source.clone(), now)? {
            Reopened::Goes(mut follower) => {
                follower.unlinked = Some(now.moment);
                if follower.id().ino != position.identity.ino {
                    follower.over = true;
                    // Between the copying and the cut there was time to write what nobody saw.
                    self.tell_lost(position, GapKind::Truncated, now, turn);
                }
                self.hold(*follower);
            }
            Reopened::Copied => {
                turn.forgotten.push(position.key);
                self.tell_lost(position, GapKind::Truncated, now, turn);
            }
            Reopened::Nowhere => {
                let known = Original::stored(position);
                self.put_aside_copies(&known, siblings, &position.log, source, now, turn)
                    .map_err(|(sibling, error)| closed(sibling, &error))?;
                let sought = self.search_archives(position, source, self.loss(position, groups));
                if !sought.map_err(|error| unreadable(Path::new(&position.path), None, &error))? {
                    self.give_up(position, groups, now, turn);
                }
            }
        }
        self.shelf.remove(&position.key);
        Ok(())
    }

    /// Copies that end before the place up to which their original was read hold nothing new. The original is gone, so
    /// this is the last moment to know them by it.
    ///
    /// The error is that of one that may be a copy, and could not be looked into.
    pub(super) fn put_aside_copies<'s>(
        &mut self,
        original: &Original<'_>,
        siblings: &'s [recover::Sibling],
        log: &LogName,
        source: &Source,
        now: Now,
        turn: &mut Turn,
    ) -> Result<(), (&'s recover::Sibling, io::Error)> {
        for sibling in siblings.iter().filter(|sibling| sibling.generation) {
            let copy = self.shorter_copy(original, sibling, source, now);
            let Some(copy) = copy.map_err(|error| (sibling, error))? else {
                continue;
            };
            let copy = copy.position(log, true);
            turn.positions.push(copy.clone());
            self.shelf.insert(copy);
        }
        Ok(())
    }

    fn shorter_copy(
        &mut self,
        original: &Original<'_>,
        sibling: &recover::Sibling,
        source: &Source,
        now: Now,
    ) -> io::Result<Option<Follower>> {
        let Some(file) = recover::open_listed(sibling)? else {
            return Ok(None);
        };
        let known = self.is_held(&file)? || self.shelved(&file, sibling.seen.id)?.is_some();
        let at = if known { None } else { original.copied_to(&file)? };
        let Some(at) = at.filter(|at| *at < original.at) else {
            return Ok(None);
        };
        let max_line = self.settings.logs[source.logs[0]].max_line;
        let source = Source {
            key: FileKey::draw(&mut self.random),
            path: text(&sibling.path),
            logs: source.logs.clone(),
            manner: self.manner(&file, source.logs[0])?,
        };
        let line_end = source.manner.line_end;
        let at = line_end.floor_offset(at);
        let taken = identity::line_before(&file, at, max_line, line_end)?;
        Follower::new(file, source, at, taken, now).map(Some)
    }

    /// Opens the file that a position speaks of. The note says why it is to be tried again.
    fn reopen(
        &self,
        position: &Position,
        siblings: &[recover::Sibling],
        source: Source,
        now: Now,
    ) -> Result<Reopened, Note> {
        let found = recover::find(position, siblings).map_err(|(sibling, error)| closed(sibling, &error))?;
        let path = PathBuf::from(&*source.path);
        let failed = |error: io::Error| Note::Failed {
            path,
            error: error.to_string(),
        };
        let Some(file) = found else {
            return Ok(Reopened::Nowhere);
        };
        match self.is_read_already(&file, position) {
            Ok(None) => {}
            Ok(Some(how)) => return Ok(how),
            Err(error) => return Err(failed(error)),
        }
        let manner = self.manner(&file, source.logs[0]);
        let source = Source {
            manner: manner.unwrap_or(source.manner),
            ..source
        };
        let max_line = self.settings.logs[source.logs[0]].max_line;
        let resumed = Follower::resume(file, source, position, max_line, now);
        resumed
            .map(|follower| Reopened::Goes(Box::new(follower)))
            .map_err(failed)
    }

    /// Whether what a position goes on in is read by other means. A copy that has a position of its own was taken up
    /// before this one could be dropped.
    fn is_read_already(&self, file: &Handle, position: &Position) -> io::Result<Option<Reopened>> {
        let id = Seen::held(file)?.id;
        if self.holds(id) {
            return Ok(Some(Reopened::Nowhere));
        }
        let is_copy = id.ino != position.identity.ino;
        let known = is_copy && self.shelved(file, id)?.is_some();
        Ok(known.then_some(Reopened::Copied))
    }

    /// Whether successors of a file at this path are found by other means: through the file that is there
    /// now, or as beside every path that has none.
    fn is_watched(&self, path: &str) -> bool {
        let vacant = self.vacant.iter().map(|vacant| &vacant.last);
        let held = self.followers.iter().map(|follower| &follower.source);
        let sought = self.searches.iter().map(|search| &search.source);
        vacant
            .chain(held)
            .chain(sought)
            .any(|source| *source.path == *path)
    }

    /// The very file, where a glob reaches it, so that `begin` will resume it.
    ///
    /// An error says that it cannot be known now.
    fn reached<'g>(
        position: &Position,
        same_inode: Option<&Vec<&'g Group>>,
    ) -> io::Result<Option<&'g Group>> {
        for group in same_inode.into_iter().flatten() {
            let opened = identity::open(&group.paths[0]);
            match opened.and_then(|file| identity::fits_position(&file, position)) {
                Ok(false) => {}
                Err(error) if identity::may_pass(&error) => return Err(error),
                // What may not be read is not given up for that.
                Ok(true) | Err(_) => return Ok(Some(*group)),
            }
        }
        Ok(None)
    }

    fn is_held(&self, file: &Handle) -> io::Result<bool> {
        let id = Seen::held(file)?.id;
        Ok(self.holds(id))
    }

    /// Whether a stored position goes on in this file, which is then a copy of the file it speaks of: that position
    /// says where reading begins.
    fn is_owed(&self, file: &Handle) -> io::Result<bool> {
        let owed = self.shelf.values();
        for position in owed.filter(|position| !position.finished && position.offset > 0) {
            if identity::fits_position(file, position)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn give_up(&self, position: &Position, groups: &BTreeMap<FileId, Group>, now: Now, turn: &mut Turn) {
        turn.forgotten.push(position.key);
        if identity::was_never_opened(position) {
            // What nobody could read was not lost by us, and has been told.
            return;
        }
        self.tell_lost(position, self.loss(position, groups).kind, now, turn);
    }

    fn loss(&self, position: &Position, groups: &BTreeMap<FileId, Group>) -> Loss {
        let id = FileId {
            dev: position.identity.dev,
            ino: position.identity.ino,
        };
        // An inode is used again, but then its file is younger than what was read. When that was is known to the
        // millisecond, and a file may be read in the one in which it is born.
        let read = (i128::from(position.at.0) + 1) * 1_000_000;
        let cut = groups
            .get(&id)
            .is_some_and(|group| group.seen.born.is_none_or(|born| born < read));
        let kind = if cut {
            GapKind::Truncated
        } else {
            GapKind::Vanished
        };
        Loss {
            kind,
            bytes: 0,
            doubtful: self.was_read(position),
        }
    }

    /// Whether it was closed with nothing in it that was not handed out.
    fn was_read(&self, position: &Position) -> bool {
        let stray = self.strays.get(&position.key);
        stray.is_some_and(|stray| !stray.unread)
    }

    /// Bytes of it may have been lost. Of what was closed because nobody wrote to it that is said only if somebody did:
    /// files are deleted every day.
    fn tell_lost(&self, position: &Position, kind: GapKind, now: Now, turn: &mut Turn) {
        if self.was_read(position) {
            return;
        }
        turn.gaps.push(Gap {
            path: position.path.clone(),
            at: now.wall,
            kind,
            bytes: 0,
        });
    }

    /// Beside `path`, where something was read of files with these inodes. An error says that the path cannot be looked at now.
    pub(super) fn beside<'s>(
        &self,
        path: &Path,
        siblings: &'s [recover::Sibling],
        since: Timestamp,
        inodes: &HashSet<u64>,
    ) -> io::Result<Beside<'s>> {
        let Some(file) = recover::open_regular(path)? else {
            return Ok(Beside {
                siblings,
                since,
                current: None,
            });
        };
        let id = Seen::held(&file)?.id;
        let known = inodes.contains(&id.ino) || self.holds(id);
        Ok(Beside {
            siblings,
            since,
            current: Some(file).filter(|_| known),
        })
    }

    /// Follows generations that were born since, oldest first; each waits for the one before. `last` becomes the newest.
    /// Whether all of them could be looked at. One whose name moves meanwhile is looked at again, and the younger ones with it:
    /// they come after it.
    pub(super) fn follow_newer(
        &mut self,
        beside: &Beside<'_>,
        groups: &BTreeMap<FileId, Group>,
        last: &mut Source,
        now: Now,
        turn: &mut Turn,
        queue: &mut HashMap<PathBuf, FileKey>,
    ) -> bool {
        let mut complete = true;
        for sibling in recover::newer(beside.siblings, i128::from(beside.since.0) * 1_000_000) {
            let id = sibling.seen.id;
            let group = groups.get(&id);
            let path = group.map_or(&sibling.path, |group| &group.paths[0]);
            let is_another_log =
                path != Path::new(&*last.path) && self.rotates_by_itself(path, beside, queue);
            if self.holds(id) || is_another_log {
                continue;
            }
            let begun = match (beside.has_copy(sibling), group) {
                // Where a glob reaches it, it is taken up after its original.
                (Ok(true), _) => continue,
                (Err(error), _) => Err(error),
                (Ok(false), Some(group)) => self.begin_newer(group, last, now, turn, queue),
                (Ok(false), None) => self.newer(sibling, last, now),
            };
            match begun {
                Ok(None) => {}
                Ok(Some(key)) => last.key = key,
                Err(error) if recover::is_for_now(&error) => return false,
                Err(_) => complete = false,
            }
        }
        complete
    }

    /// A generation that a glob reaches keeps its own name. An error says that it lies elsewhere now.
    fn begin_newer(
        &mut self,
        group: &Group,
        last: &Source,
        now: Now,
        turn: &mut Turn,
        queue: &mut HashMap<PathBuf, FileKey>,
    ) -> io::Result<Option<FileKey>> {
        let held = self.followers.len();
        queue.insert(group.paths[0].clone(), last.key);
        self.begin(group, now, turn, queue);
        let begun = self.followers.get(held).map(|begun| begun.source.key);
        let id = group.seen.id;
        if begun.is_none() && !self.refused.contains(&id) && !self.unreadable.contains_key(&id) {
            return Err(recover::moved());
        }
        Ok(begun)
    }

    /// Whether the file that was read under this path bears a name that a rotator makes of it: then what lies there now
    /// comes after that one, whatever its name looks like beside another. (`app2.log` may be what a rotator made of
    /// `app.log`, and may be a log like it.)
    fn rotates_by_itself(&self, path: &Path, beside: &Beside<'_>, queue: &HashMap<PathBuf, FileKey>) -> bool {
        let shelved = self.shelf.at_path(path).filter(|position| !position.finished);
        let ahead = queue.get(path);
        let held = self.related(path).into_iter().map(|index| &self.followers[index]);
        let held = held.filter(|held| held.path() == path);
        let held = held.chain(ahead.and_then(|ahead| self.held(*ahead)));
        let mut known = shelved
            .map(|position| position.identity.ino)
            .chain(held.map(|held| held.id().ino));
        known.any(|ino| {
            let mut names = beside
                .siblings
                .iter()
                .filter(|sibling| sibling.seen.id.ino == ino);
            names.any(|sibling| is_numbered_after(&sibling.path, path))
        })
    }

    /// A generation that no glob reaches, from its beginning, if it is none that is read in another way.
    fn newer(&mut self, sibling: &recover::Sibling, last: &Source, now: Now) -> io::Result<Option<FileKey>> {
        self.make_room()?;
        let Some(file) = recover::open_listed(sibling)? else {
            return Ok(None);
        };
        if identity::is_compressed(&identity::first_bytes(&file)?)
            || self.shelved(&file, sibling.seen.id)?.is_some()
            || self.is_owed(&file)?
            || self.original(&file, &sibling.path)?.is_some()
        {
            return Ok(None);
        }
        let source = Source {
            key: FileKey::draw(&mut self.random),
            path: last.path.clone(),
            logs: last.logs.clone(),
            manner: Manner {
                open: true,
                ..Manner::default()
            },
        };
        let mut follower = Follower::new(file, source, 0, 0, now)?;
        (follower.unlinked, follower.after) = (Some(now.moment), Some(last.key));
        let key = follower.source.key;
        self.hold(follower);
        Ok(Some(key))
    }
}

/// Why a file in the list is to be tried again.
fn closed(sibling: &recover::Sibling, error: &io::Error) -> Note {
    if recover::is_moved(error) {
        return Note::Failed {
            path: sibling.path.clone(),
            error: error.to_string(),
        };
    }
    unreadable(&sibling.path, Some(&sibling.seen), error)
}

impl Beside<'_> {
    /// Whether it is a copy of what lies at the path now, which is read there.
    pub(super) fn has_copy(&self, sibling: &recover::Sibling) -> io::Result<bool> {
        let copy = self.current.as_ref().zip(recover::open_listed(sibling)?);
        copy.map_or(Ok(false), |(current, file)| {
            let size = Seen::held(&file)?.size;
            Ok(size > 0 && trail::agree(current, &file, size)?)
        })
    }
}
