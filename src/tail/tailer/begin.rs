//! Where reading of a file begins: known identity, a rotator's copy, `start`, or its first byte.
//!
//! The trap: two different logs often begin with the same lines, so a copy is believed only where the name,
//! the head and the last KiB before the offset all agree.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::super::follow::Follower;
use super::super::handle::Handle;
use super::super::identity::{self, FileId, Seen};
use super::super::trail::Original;
use super::super::{Mode, Note, Source, Start, Turn, Unit, distant, lines, recover};
use super::cuts::Cut;
use super::sweep::Group;
use super::{Tailer, text, unreadable};
use crate::failpoint::{self, Point};
use crate::model::{FileKey, Head, Identity, LogName, Now, Position};

impl Tailer {
    /// Takes up a file that is not held yet.
    pub(super) fn begin(
        &mut self,
        group: &Group,
        now: Now,
        turn: &mut Turn,
        queue: &HashMap<PathBuf, FileKey>,
    ) {
        let path = &group.paths[0];
        if self.holds(group.seen.id) {
            return;
        }
        if self.refused.contains(&group.seen.id) || (self.mode == Mode::Once && self.swept.is_some()) {
            return;
        }
        match self.try_begin(group, now, turn) {
            Ok(Some(mut follower)) => {
                let readable = Note::Readable { path: path.clone() };
                // What only waited for a descriptor was not told by name.
                let told = matches!(self.said.get(&readable.subject()), Some(Note::Unreadable { .. }));
                if self.unreadable.remove(&group.seen.id).is_some() && told {
                    self.say(readable, turn);
                }
                turn.at_end += usize::from(self.start_of(follower.source.logs[0], path) == Start::End);
                follower.after = follower.after.or_else(|| self.predecessor(path, queue));
                self.put_before_younger(&mut follower);
                if follower.after.is_some() {
                    failpoint::reach(Point::RotateSwitch);
                }
                if self.mode == Mode::Once {
                    follower.stop = Some(follower.size());
                }
                // What was born while we looked has a writer.
                follower.active = self.swept.map(|_| now.moment);
                self.hold(follower);
                self.close_idle_in_passing(now);
            }
            Ok(None) => {}
            // It was renamed or deleted since it was looked at, or its original was cut; the next sweep knows more.
            Err(error) if error.kind() == io::ErrorKind::NotFound || recover::is_moved(&error) => {}
            Err(error) => {
                let log = group.logs.first().copied().unwrap_or_default();
                if self.start_of(log, path) == Start::End {
                    self.store_end(group, log, now, turn);
                }
                self.unreadable.insert(group.seen.id, (path.clone(), log));
                if identity::is_out_of_descriptors(&error) {
                    return self.starve(turn);
                }
                self.say(unreadable(path, Some(&group.seen), &error), turn);
            }
        }
    }

    pub(super) fn try_begin(
        &mut self,
        group: &Group,
        now: Now,
        turn: &mut Turn,
    ) -> io::Result<Option<Follower>> {
        let path = &group.paths[0];
        let real = self.real_path(path)?;
        // Who shows bytes shows those of any file that is named.
        let own = self.settings.unit == Unit::Lines && self.globs.is_own(&real, group.seen.id);
        if own || self.globs.forbids(&real) {
            self.refused.insert(group.seen.id);
            self.say(Note::Forbidden { path: real }, turn);
            return Ok(None);
        }
        self.make_room()?;
        let file = identity::open(path)?;
        // A link may have been swapped since; what was opened says where it leads.
        if file.path().is_ok_and(|opened| self.globs.forbids(&opened)) {
            return Ok(None);
        }
        let seen = Seen::held(&file)?;
        if seen.id != group.seen.id || !seen.regular {
            // The path leads elsewhere since it was looked at; the next sweep knows more.
            return Ok(None);
        }
        if self.settings.unit == Unit::Lines && identity::is_compressed(&identity::first_bytes(&file)?) {
            self.refused.insert(seen.id);
            self.say(Note::Compressed { path: path.clone() }, turn);
            return Ok(None);
        }
        if let Some(held) = self.mounted_anew(&file, &seen, group)? {
            self.followers[held].reopen(file, &seen);
            self.unreadable.remove(&seen.id);
            return Ok(None);
        }
        self.place(file, &seen, group, now).map(Some)
    }

    /// The path with its links resolved. Many files lie in few folders: those are resolved once per sweep.
    fn real_path(&mut self, path: &Path) -> io::Result<PathBuf> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return distant::real(path);
        };
        if distant::ask(path, Path::symlink_metadata)?.is_symlink() {
            return distant::real(path);
        }
        if let Some(real) = self.real_folders.get(folder) {
            return Ok(real.join(name));
        }
        let real = distant::real(path)?;
        if let Some(parent) = real.parent() {
            self.real_folders.insert(folder.to_owned(), parent.to_owned());
        }
        Ok(real)
    }

    /// Which held file this one is, if its file system was taken away and came back under another device number: the
    /// inode, the path and the bytes agree, and the path had lost its file.
    ///
    /// An error says that it cannot be known now.
    fn mounted_anew(&self, file: &Handle, seen: &Seen, group: &Group) -> io::Result<Option<usize>> {
        for index in group.paths.iter().flat_map(|path| self.related(path)) {
            let held = &self.followers[index];
            let lost = held.unlinked.is_some() && group.paths.iter().any(|path| path == held.path());
            let moved = held.id().ino == seen.id.ino && held.id().dev != seen.id.dev;
            if lost && moved && identity::fits(file, held.head, held.before, held.at)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Decides where reading begins: known identity, rotator's copy, `start`, or the beginning.
    pub(super) fn place(
        &mut self,
        file: Handle,
        seen: &Seen,
        group: &Group,
        now: Now,
    ) -> io::Result<Follower> {
        let path = &group.paths[0];
        let logs: Vec<usize> = group.logs.iter().copied().collect();
        let (log, max_line) = (logs[0], self.settings.logs[logs[0]].max_line);
        let manner = self.manner(&file, log)?;
        let stored = match self.shelved(&file, seen.id)? {
            None => self.rewritten(&file, path)?,
            known => known,
        };
        if let Some(key) = stored
            && let Some(stored) = self.shelf.remove(&key)
        {
            let source = Source {
                key,
                path: text(path),
                logs,
                manner,
            };
            let resumed = Follower::resume(file, source, &stored, max_line, now);
            if resumed.is_err() {
                // It is neither held nor forgotten, and looked for again.
                self.shelf.insert(stored);
            }
            return resumed;
        }
        let source = Source {
            key: FileKey::draw(&mut self.random),
            path: text(path),
            logs,
            manner,
        };
        if let Some((of, at, tied)) = self.original(&file, path)? {
            let at = manner.line_end.floor_offset(at);
            let taken = identity::line_before(&file, at, max_line, manner.line_end)?;
            let mut follower = Follower::new(file, source, at, taken, now)?;
            // One that was written anew under its old name goes on; a copy of what is cut or gone does not.
            follower.over = !tied && !self.is_held_at(of, path);
            // Whose life goes on under its key reads those bytes itself.
            let ended = |cut: &&mut Cut| cut.old == of && !cut.is_hollow();
            match self.cuts.iter_mut().find(ended) {
                Some(cut) => cut.copy = Some(follower.source.key),
                None => follower.copy_of = tied.then_some(of),
            }
            return Ok(follower);
        }
        let at = match self.start_of(log, path) {
            Start::Beginning => 0,
            Start::End => seen.size,
            Start::Last(count) => lines::last(&file, seen.size, count)?,
            Start::Line(number) => lines::line(&file, number)?,
        };
        let at = manner.line_end.floor_offset(at);
        let taken = identity::line_before(&file, at, max_line, manner.line_end)?;
        Follower::new(file, source, at, taken, now)
    }

    /// Where to begin in a file that is met now: `start` speaks only of those that were there before their log was
    /// ever read.
    fn start_of(&self, log: usize, path: &Path) -> Start {
        let name = &self.settings.logs[log].name;
        let unseen = |(of, dark): &(LogName, PathBuf)| of == name && path.starts_with(dark);
        if self.fresh[log] || self.unseen.iter().any(unseen) {
            self.settings.from.unwrap_or(self.settings.logs[log].start)
        } else {
            Start::Beginning
        }
    }

    /// `start = "end"` speaks of this file, but it cannot be opened: where it ends now has to outlive us, since the
    /// right to read it (a group, a capability) often comes with a restart.
    fn store_end(&mut self, group: &Group, log: usize, now: Now, turn: &mut Turn) {
        let FileId { dev, ino } = group.seen.id;
        let stored = |position: &Position| position.identity.dev == dev;
        if group.seen.size == 0 || self.shelf.with_inode(ino).any(stored) {
            return;
        }
        let none = Head::of(&[]);
        let position = Position {
            key: FileKey::draw(&mut self.random),
            identity: Identity { dev, ino, head: none },
            path: text(&group.paths[0]).to_string(),
            log: self.settings.logs[log].name.clone(),
            offset: group.seen.size,
            before: none,
            trail: Vec::new(),
            finished: false,
            inside_line: false,
            at: now.wall,
        };
        turn.positions.push(position.clone());
        self.shelf.insert(position);
    }

    /// The stored position of this very file. The device number is a hint only: it changes with a remount.
    ///
    /// An error says that it cannot be known now; a file that is taken for a new one then is read twice.
    pub(super) fn shelved(&self, file: &Handle, id: FileId) -> io::Result<Option<FileKey>> {
        let mut same: Vec<&Position> = self.shelf.with_inode(id.ino).collect();
        same.sort_by_key(|stored| (stored.identity.dev != id.dev, std::cmp::Reverse(stored.at)));
        for stored in same {
            if identity::fits_position(file, stored)? {
                return Ok(Some(stored.key));
            }
        }
        Ok(None)
    }

    /// The stored position of the file that was written anew at this path, with what stood there kept. A KiB has to agree
    /// before that is believed.
    fn rewritten(&self, file: &Handle, path: &Path) -> io::Result<Option<FileKey>> {
        let full = u64::from(Head::FULL);
        let owed = self.shelf.at_path(path).filter(|stored| !stored.finished);
        for stored in owed.filter(|stored| stored.offset >= full) {
            if identity::fits_position(file, stored)? {
                return Ok(Some(stored.key));
            }
        }
        Ok(None)
    }

    /// The file that `path` is a rotator's copy of, how far that was read, and whether it still reads the same bytes
    /// itself.
    ///
    /// An error says that it cannot be known now.
    pub(super) fn original(&self, file: &Handle, path: &Path) -> io::Result<Option<(FileKey, u64, bool)>> {
        for cut in self.cuts.iter().filter(|cut| is_named_after(path, &cut.path)) {
            if let Some(at) = cut.original().copied_to(file)? {
                return Ok(Some((cut.old, at, false)));
            }
        }
        let full = u64::from(Head::FULL);
        for index in self.related(path) {
            let live = &self.followers[index];
            if live.pipe.is_some() {
                // Nobody copies what comes through a pipe.
                continue;
            }
            // Who renames a log does not copy it.
            let copied =
                is_named_after(path, &live.source.path) && (live.unlinked.is_none() || live.is_deleted()?);
            // A whole KiB that agrees, of a file that was deleted: it was written anew under its old name.
            let rewritten = !copied && path == live.path() && live.at >= full && live.is_deleted()?;
            if !copied && !rewritten {
                continue;
            }
            let empty = Seen::held(file)?.size == 0;
            if empty && !is_numbered_after(path, live.path()) {
                continue;
            }
            if let Some(at) = live.copied_to(file)? {
                return Ok(Some((live.source.key, at, live.unlinked.is_none())));
            }
        }
        let owed = self.shelf.values();
        for stored in owed.filter(|stored| !stored.finished && is_named_after(path, &stored.path)) {
            if let Some(at) = Original::stored(stored).copied_to(file)? {
                return Ok(Some((stored.key, at, false)));
            }
        }
        Ok(None)
    }

    /// The places of those whose path this one's text begins with, at least.
    pub(super) fn related(&self, path: &Path) -> Vec<usize> {
        let all = || (0..self.followers.len()).collect();
        self.names.as_ref().map_or_else(all, |names| names.related(path))
    }

    /// Whether it is held.
    pub(super) fn holds(&self, id: FileId) -> bool {
        match &self.names {
            Some(names) => names.has(id),
            None => self.followers.iter().any(|follower| follower.id() == id),
        }
    }

    /// Whether that file is held, and was last seen under this path.
    fn is_held_at(&self, file: FileKey, path: &Path) -> bool {
        self.held(file).is_some_and(|follower| follower.path() == path)
    }

    /// What has to be read to its end before a new file under this path.
    pub(super) fn predecessor(&self, path: &Path, queue: &HashMap<PathBuf, FileKey>) -> Option<FileKey> {
        let related = self.related(path).into_iter().rev();
        let replaced = related
            .map(|index| &self.followers[index])
            .find(|f| f.unlinked.is_some() && f.path() == path);
        queue
            .get(path)
            .copied()
            .or_else(|| replaced.map(|follower| follower.source.key))
    }

    /// A generation may be met only after the one that took its place: what is read of that from now on comes behind it.
    fn put_before_younger(&mut self, follower: &mut Follower) {
        if follower.copy_of.is_some() || follower.over {
            return;
        }
        for index in self.related(follower.path()) {
            let younger = &mut self.followers[index];
            let born = follower.born().zip(younger.born());
            let is_older = born.is_some_and(|(own, other)| own < other);
            if is_older && younger.unlinked.is_none() && is_numbered_after(follower.path(), younger.path()) {
                let before = younger.after.replace(follower.source.key);
                follower.after = follower.after.or(before);
            }
        }
    }
}

/// Whether a copy of the file at `original` may lie at `path`: the name of one begins with that of the other.
fn is_named_after(path: &Path, original: &str) -> bool {
    let path = path.to_string_lossy();
    path.len() > original.len() && path.starts_with(original)
}

/// Whether a rotator makes the name of `path` of the other one.
pub(super) fn is_numbered_after(path: &Path, original: &Path) -> bool {
    let name = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    identity::is_generation(&name(path), &name(original))
}
