//! The sweep: every glob walked, every file looked at, hints or not.
//!
//! The trap is the order: files that are held are recognised first, then those that lost their path are
//! marked, then new ones are begun. Any other order takes a renamed file for a new one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::super::discover::Reached;
use super::super::follow::Follower;
use super::super::identity::{self, FileId, Seen};
use super::super::{Mode, Note, Settings, Source, Turn, Unit, Watch, distant, recover};
use super::names::Names;
use super::{Tailer, failed, text, unreadable};
use crate::model::{FileKey, Moment, Now, Timestamp};

/// All paths that lead to one file.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) seen: Seen,
    pub(super) paths: Vec<PathBuf>,
    pub(super) logs: BTreeSet<usize>,
    /// It was held when the sweep began.
    held: bool,
}

impl Group {
    fn add(groups: &mut BTreeMap<FileId, Self>, path: PathBuf, seen: &Seen, logs: &[usize]) {
        let empty = || Self {
            seen: *seen,
            paths: Vec::new(),
            logs: BTreeSet::new(),
            held: false,
        };
        let group = groups.entry(seen.id).or_insert_with(empty);
        group.paths.push(path);
        group.logs.extend(logs);
    }
}

/// A path that its file was renamed or deleted from, and that no held file has taken since.
#[derive(Debug)]
pub(super) struct Vacant {
    /// The newest known generation, with the path that is vacant.
    pub(super) last: Source,
    /// The last sweep that saw a file there: what is missed was born later.
    pub(super) since: Timestamp,
    /// The inode of the file that lay there.
    pub(super) ino: u64,
    /// Its folder was listed at least once since then.
    pub(super) looked: bool,
    /// It is looked at for so long although that generation is not held.
    pub(super) until: Option<Moment>,
}

impl Tailer {
    /// Walks the globs, and looks at every file.
    pub(super) fn sweep(&mut self, now: Now, turn: &mut Turn) {
        distant::look_again();
        self.hear_again(turn);
        let mut reached = self.globs.walk();
        self.pace = Settings::pace(reached.files.len());
        let (mut groups, fifos) = self.group(&mut reached, turn);
        let mut queue = HashMap::new();
        self.count_waiting();
        self.recognise(&mut groups);
        self.set_strays_aside(&groups, &reached, now, turn);
        self.miss(&groups, &reached, now);
        let mut new: Vec<&Group> = groups.values().filter(|group| !group.held).collect();
        let owed = self.recovery_is_owed();
        if owed || !new.is_empty() || !self.vacant.is_empty() {
            self.names = Some(Names::of(&self.followers));
        }
        self.look_beside_vacant_paths(&groups, now, turn, &mut queue);
        if owed {
            self.recover(&groups, now, turn, &mut queue);
        }
        new.sort_by_key(|group| (group.logs.first(), &group.paths));
        for group in new {
            self.begin(group, now, turn, &queue);
        }
        self.take_up_pipes(&fifos, &reached, now, turn);
        self.names = None;
        self.real_folders = HashMap::new();
        self.drop_taken_paths(now);
        self.look(&groups, now, turn);
        self.follow_originals();
        self.tell_logs(&reached, turn);
        self.watch(&reached, turn);
        self.unseen.retain(|(_, path)| reached.hides(path));
        self.links = reached.links;
        let there = |id: &FileId| groups.contains_key(id) || fifos.contains_key(id);
        self.unreadable.retain(|id, _| there(id));
        self.refused.retain(there);
        self.strays.retain(|key, _| self.shelf.contains_key(key));
        self.blind = reached.blind;
        self.swept = Some(now);
        self.next_sweep = now.moment + self.settings.sweep * self.pace;
        self.next_glance = now.moment + self.settings.sweep;
    }

    /// One group per file, however many paths lead to it; and one per FIFO that is named, with the logs that name it.
    pub(super) fn group(
        &mut self,
        reached: &mut Reached,
        turn: &mut Turn,
    ) -> (BTreeMap<FileId, Group>, BTreeMap<FileId, Group>) {
        let mut groups: BTreeMap<FileId, Group> = BTreeMap::new();
        let mut fifos: BTreeMap<FileId, Group> = BTreeMap::new();
        for (path, (seen, logs)) in reached.take_sorted() {
            let named = self.naming(&path, &seen, &logs);
            if identity::has_compressed_name(&path) && self.settings.unit == Unit::Lines {
                self.say(Note::Compressed { path }, turn);
            } else if seen.regular {
                Group::add(&mut groups, path, &seen, &logs);
            } else if !named.is_empty() {
                Group::add(&mut fifos, path, &seen, &named);
            } else if !seen.folder || self.is_meant(&path, &logs) {
                self.say(Note::NotRegular { path }, turn);
            }
        }
        let hidden: HashSet<PathBuf> = reached.errors.keys().cloned().collect();
        let shown = self.hidden.extract_if(|path| !hidden.contains(path));
        for path in shown.collect::<Vec<_>>() {
            if !reached.hides(&path) {
                self.show_again(&path, turn);
            }
        }
        self.hidden = hidden;
        for (path, (error, _)) in &reached.errors {
            let seen = Seen::at(path).ok();
            self.say(unreadable(path, seen.as_ref(), error), turn);
        }
        (groups, fifos)
    }

    /// Tells of mounts that did not answer once, and left nothing without an answer for some sweeps.
    fn hear_again(&mut self, turn: &mut Turn) {
        let answers = self.silent.extract_if(.., |_, left| {
            *left -= 1;
            *left == 0
        });
        for (path, _) in answers.collect::<Vec<_>>() {
            let note = Note::Readable { path };
            // It may have been said before: the silence in between is another subject.
            self.said.remove(&note.subject());
            self.say(note, turn);
        }
    }

    /// Tells of a path or a folder that it can be looked at again, if it is still there, and it was told that it could not.
    fn show_again(&mut self, path: &Path, turn: &mut Turn) {
        let note = Note::Readable {
            path: path.to_owned(),
        };
        let told = matches!(self.said.get(&note.subject()), Some(Note::Unreadable { .. }));
        if told && Seen::at(path).is_ok() {
            self.say(note, turn);
        }
    }

    /// The logs among these that name this path, if it leads to a FIFO: one that is met by the way is left alone.
    fn naming(&self, path: &Path, seen: &Seen, logs: &[usize]) -> Vec<usize> {
        let names = |log: &&usize| self.settings.logs[**log].names(path);
        if !seen.fifo || self.settings.unit == Unit::Bytes {
            return Vec::new();
        }
        logs.iter().filter(names).copied().collect()
    }

    /// Whether one of the logs means the name of this path, and not just every name there is: then a folder there is a
    /// mistake.
    fn is_meant(&self, path: &Path, logs: &[usize]) -> bool {
        let mut globs = logs.iter().flat_map(|&log| &self.settings.logs[log].files);
        globs.any(|glob| glob.is_choosy() && glob.matches(path))
    }

    /// Held files that are still reached keep their key, whatever they are called now.
    pub(super) fn recognise(&mut self, groups: &mut BTreeMap<FileId, Group>) {
        for follower in &mut self.followers {
            let group = groups.get_mut(&follower.id());
            let Some(group) = group.filter(|group| follower.is(&group.seen)) else {
                continue;
            };
            group.held = true;
            follower.found();
            if !follower.source.logs.iter().eq(&group.logs) {
                follower.source.logs = group.logs.iter().copied().collect();
            }
            // As text too: a name that is none would be another one at every look.
            let path = follower.path().as_os_str();
            let same = |other: &PathBuf| {
                other.as_os_str() == path || other.to_string_lossy() == *follower.source.path
            };
            if !group.paths.iter().any(same) {
                follower.source.path = text(&group.paths[0]);
                follower.dirty = true;
            }
        }
    }

    /// Held files that no path leads to any more were rotated away or deleted.
    pub(super) fn miss(&mut self, groups: &BTreeMap<FileId, Group>, reached: &Reached, now: Now) {
        let since = self.swept.map_or(now.wall, |swept| swept.wall);
        for follower in &mut self.followers {
            // In a folder that cannot be read, nothing can be seen to be gone.
            let gone = follower.pipe.is_none() && !groups.contains_key(&follower.id());
            if follower.unlinked.is_none() && gone && !reached.hides(follower.path()) {
                follower.unlinked = Some(now.moment);
                self.vacant.push(Vacant {
                    last: follower.source.clone(),
                    since,
                    ino: follower.id().ino,
                    looked: false,
                    until: None,
                });
            }
        }
    }

    /// Whole generations may have come and gone at a path since it lost its file, in this sweep or an earlier
    /// one: a look can fall between the renaming of the old file and the making of the new one.
    pub(super) fn look_beside_vacant_paths(
        &mut self,
        groups: &BTreeMap<FileId, Group>,
        now: Now,
        turn: &mut Turn,
        queue: &mut HashMap<PathBuf, FileKey>,
    ) {
        if self.mode == Mode::Once {
            return;
        }
        let mut vacant = std::mem::take(&mut self.vacant);
        let mut listings = recover::Listings::default();
        for Vacant {
            last,
            since,
            ino,
            looked,
            ..
        } in &mut vacant
        {
            let path = PathBuf::from(&*last.path);
            if !*looked || self.changed_beside(&path) {
                // A folder that is gone has nothing to tell; one that cannot be listed now is listed again.
                *looked = match listings.siblings(&path, *ino) {
                    Ok(siblings) => self
                        .beside(&path, &siblings, *since, &HashSet::from([*ino]))
                        .is_ok_and(|beside| self.follow_newer(&beside, groups, last, now, turn, queue)),
                    Err(error) => !recover::is_for_now(&error),
                };
            }
            queue.insert(path, last.key);
        }
        self.vacant = vacant;
    }

    /// Whether names may have come or gone beside a path since that was last listed: listing is not cheap.
    pub(super) fn changed_beside(&self, path: &Path) -> bool {
        let swept = self.swept.map(|swept| i128::from(swept.wall.0) * 1_000_000);
        let changed = |folder: &PathBuf| {
            let changed = Seen::at(folder).ok().map(|seen| seen.written);
            changed
                .zip(swept)
                .is_none_or(|(changed, swept)| changed + identity::CLOCK_SLACK >= swept)
        };
        recover::folders(path).map_or(true, |folders| folders.iter().any(changed))
    }

    /// A path that has a held file again is looked at through that; one whose last generation was let go was
    /// given up on.
    pub(super) fn drop_taken_paths(&mut self, now: Now) {
        let (followers, searches) = (&self.followers, &self.searches);
        self.vacant.retain(|vacant| {
            let taken = |f: &Follower| f.unlinked.is_none() && f.source.path == vacant.last.path;
            let held = |f: &Follower| f.source.key == vacant.last.key;
            let sought = || searches.iter().any(|search| search.owed.key == vacant.last.key);
            let waits = || vacant.until.is_some_and(|until| now.moment < until);
            let goes_on = || waits() || sought() || followers.iter().any(held);
            !vacant.looked || (goes_on() && !followers.iter().any(taken))
        });
    }

    /// Asks every file whether it changed. Of those that are closed the walk has just learned that.
    pub(super) fn look(&mut self, groups: &BTreeMap<FileId, Group>, now: Now, turn: &mut Turn) {
        let mut unseen = Vec::new();
        for follower in &mut self.followers {
            let looked = match groups.get(&follower.id()) {
                _ if follower.is_open() || follower.is_hidden() => follower.look(now),
                Some(group) => follower.look_at(&group.seen, now),
                // In a folder that cannot be read.
                None => continue,
            };
            if let Err(error) = looked {
                follower.cool_down();
                unseen.push(failed(follower, &error));
            }
        }
        for note in unseen {
            self.say(note, turn);
        }
    }

    /// Asks the files that are held open, between two sweeps that are far from each other. The sweep that is to find out
    /// that one was deleted is not waited for: until then its time does not run.
    pub(super) fn glance(&mut self, now: Now, turn: &mut Turn) {
        self.next_glance = now.moment + self.settings.sweep;
        let mut deleted = false;
        let mut unseen = Vec::new();
        for follower in self.followers.iter_mut().filter(|follower| follower.is_open()) {
            deleted |= follower.unlinked.is_none() && follower.kept().is_some();
            if let Err(error) = follower.look(now) {
                follower.cool_down();
                unseen.push(failed(follower, &error));
            }
        }
        for note in unseen {
            self.say(note, turn);
        }
        if deleted {
            self.look_soon();
        }
    }

    pub(super) fn tell_logs(&mut self, reached: &Reached, turn: &mut Turn) {
        // Between a rotator's rename and its create no path leads to the log, but its file is still held.
        let held = self
            .followers
            .iter()
            .flat_map(|follower| follower.source.logs.iter());
        let mut present: HashSet<usize> = reached.present.iter().chain(held).copied().collect();
        // Whatever stdin is, nobody waits for it to appear.
        present.extend((0..self.settings.logs.len()).filter(|&log| self.settings.logs[log].reads_stdin()));
        for index in 0..self.settings.logs.len() {
            let log = &self.settings.logs[index];
            // A log of which nothing could be looked at was not read yet, whatever lies there in the dark.
            let read = present.contains(&index) || !reached.dark.contains(&index);
            if read && std::mem::take(&mut self.fresh[index]) {
                let errors = reached.errors.iter();
                let dark = errors.filter(|(_, (_, logs))| logs.contains(&index));
                let unseen = dark.map(|(path, _)| (log.name.clone(), path.clone()));
                self.unseen.extend(unseen);
                turn.logs_seen.push(log.name.clone());
                self.seen.insert(log.name.clone());
            }
            let globs = log.files.iter().map(|glob| glob.source().to_owned()).collect();
            let note = Note::Missing {
                log: log.name.clone(),
                globs,
            };
            if present.contains(&index) || reached.blind.contains(&index) {
                self.said.remove(&note.subject());
            } else {
                self.say(note, turn);
            }
        }
    }

    pub(super) fn watch(&mut self, reached: &Reached, turn: &mut Turn) {
        if self.mode == Mode::Once {
            return;
        }
        match self.watcher.watch(&reached.folders) {
            Ok(()) => {}
            Err(error) => {
                let asked = self.settings.logs.iter().any(|log| log.watch == Watch::Events);
                self.say(Note::NoHints { error, asked }, turn);
            }
        }
    }
}
