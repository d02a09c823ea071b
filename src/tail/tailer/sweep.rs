//! The sweep: every glob walked, every file looked at, hints or not.
//!
//! The trap is the order: files that are held are recognised first, then those that lost their path are
//! marked, then new ones are begun. Any other order takes a renamed file for a new one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::super::discover::Reached;
use super::super::identity::{self, FileId, Seen};
use super::super::{Mode, Note, Turn, Watch, recover};
use super::{Tailer, text, unreadable};
use crate::model::Now;

/// All paths that lead to one file.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) seen: Seen,
    pub(super) paths: Vec<PathBuf>,
    pub(super) logs: BTreeSet<usize>,
}

impl Tailer {
    /// Walks the globs, and looks at every file.
    pub(super) fn sweep(&mut self, now: Now, turn: &mut Turn) {
        let reached = self.globs.walk();
        let groups = self.group(&reached, turn);
        let mut queue = HashMap::new();
        if self.recovery_is_owed() {
            self.recover(&groups, now, turn, &mut queue);
        }
        self.recognise(&groups);
        self.miss(&groups, &reached, now);
        let held: HashSet<FileId> = self.followers.iter().map(|follower| follower.id).collect();
        let mut new: Vec<&Group> = groups
            .iter()
            .filter(|(id, _)| !held.contains(id))
            .map(|(_, group)| group)
            .collect();
        new.sort_by(|one, other| one.paths.cmp(&other.paths));
        for group in new {
            self.begin(group, now, turn, &queue);
        }
        self.look(now, turn);
        self.follow_originals();
        self.tell_logs(&reached, turn);
        self.watch(&reached, turn);
        self.unreadable.retain(|id, _| groups.contains_key(id));
        self.refused.retain(|id| groups.contains_key(id));
        self.swept = Some(now);
        self.next_sweep = now.moment + self.settings.sweep;
    }

    /// One group per file, however many paths lead to it.
    pub(super) fn group(&mut self, reached: &Reached, turn: &mut Turn) -> BTreeMap<FileId, Group> {
        let mut groups: BTreeMap<FileId, Group> = BTreeMap::new();
        for (path, (seen, logs)) in &reached.files {
            if identity::has_compressed_name(path) {
                self.say(Note::Compressed { path: path.clone() }, turn);
            } else if seen.regular {
                let empty = || Group {
                    seen: *seen,
                    paths: Vec::new(),
                    logs: BTreeSet::new(),
                };
                let group = groups.entry(seen.id).or_insert_with(empty);
                group.paths.push(path.clone());
                group.logs.extend(logs);
            } else if !path.is_dir() {
                self.say(Note::NotRegular { path: path.clone() }, turn);
            }
        }
        for (path, error) in &reached.errors {
            let seen = Seen::at(path).ok();
            self.say(unreadable(path, seen.as_ref(), error), turn);
        }
        groups
    }

    /// Held files that are still reached keep their key, whatever they are called now.
    pub(super) fn recognise(&mut self, groups: &BTreeMap<FileId, Group>) {
        for follower in &mut self.followers {
            let Some(group) = groups.get(&follower.id) else {
                continue;
            };
            follower.unlinked = None;
            follower.source.logs = group.logs.iter().copied().collect();
            if !group.paths.iter().any(|path| path == follower.path()) {
                follower.source.path = text(&group.paths[0]);
                follower.dirty = true;
            }
        }
    }

    /// Held files that no path leads to any more were rotated away or deleted. Whole generations may have
    /// come and gone beside them since the last sweep.
    pub(super) fn miss(&mut self, groups: &BTreeMap<FileId, Group>, reached: &Reached, now: Now) {
        let mut missed = Vec::new();
        for follower in &mut self.followers {
            // In a folder that cannot be read, nothing can be seen to be gone.
            let blind = reached
                .errors
                .iter()
                .any(|(path, _)| follower.path().starts_with(path));
            if follower.unlinked.is_none() && !blind && !groups.contains_key(&follower.id) {
                follower.unlinked = Some(now.moment);
                missed.push(follower.source.clone());
            }
        }
        if self.mode == Mode::Once {
            return;
        }
        let since = self.swept.map_or(now.wall, |swept| swept.wall);
        for source in missed {
            let siblings = recover::siblings(Path::new(&*source.path)).unwrap_or_default();
            self.follow_newer(&siblings, since, groups, &source, now);
        }
    }

    pub(super) fn look(&mut self, now: Now, turn: &mut Turn) {
        let mut failed = Vec::new();
        for follower in &mut self.followers {
            if let Err(error) = follower.look(now) {
                failed.push(Note::Failed {
                    path: follower.path().to_owned(),
                    error: error.to_string(),
                });
            }
        }
        for note in failed {
            self.say(note, turn);
        }
    }

    pub(super) fn tell_logs(&mut self, reached: &Reached, turn: &mut Turn) {
        if self.swept.is_none() {
            let fresh = self
                .settings
                .logs
                .iter()
                .zip(&self.fresh)
                .filter(|(_, fresh)| **fresh);
            turn.logs_seen.extend(fresh.map(|(log, _)| log.name.clone()));
        }
        // Between a rotator's rename and its create no path leads to the log, but its file is still held.
        let held = self
            .followers
            .iter()
            .flat_map(|follower| follower.source.logs.iter());
        let reached_logs = reached.files.values().flat_map(|(_, logs)| logs.iter());
        let present: HashSet<usize> = reached_logs.chain(held).copied().collect();
        for index in 0..self.settings.logs.len() {
            let log = &self.settings.logs[index];
            let globs = log.files.iter().map(|glob| glob.source().to_owned()).collect();
            let note = Note::Missing {
                log: log.name.clone(),
                globs,
            };
            if present.contains(&index) || !reached.errors.is_empty() {
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
