//! Generations that no glob reaches: the one that was being read when the process ended, and those that were
//! born while nobody looked.
//!
//! The trap: what cannot be looked at is not gone. Only a folder that was read without finding the file
//! makes a gap; a file in it that cannot be opened is tried again at every sweep.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use super::super::follow::Follower;
use super::super::identity::{self, FileId, Seen};
use super::super::{Note, Source, Turn, recover};
use super::sweep::{Group, Vacant};
use super::{Tailer, text, unreadable};
use crate::model::{FileKey, Gap, GapKind, Manner, Now, Position, Timestamp};

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
        for position in owed {
            let Some(log) = self.settings.logs.iter().position(|log| log.name == position.log) else {
                continue;
            };
            if Self::is_reached(&position, by_inode.get(&position.identity.ino)) {
                continue;
            }
            let path = PathBuf::from(&position.path);
            // A folder that is away may come back with the file in it.
            let Ok(siblings) = recover::siblings(&path) else {
                continue;
            };
            let source = |path: &Path| Source {
                key: position.key,
                path: text(path),
                logs: vec![log],
                manner: Manner::default(),
            };
            // Under its old path, beside which its successors are looked for again after the next crash.
            match self.reopen(&position, &siblings, source(&path), now) {
                Ok(Some(mut follower)) => {
                    self.shelf.remove(&position.key);
                    follower.unlinked = Some(now.moment);
                    self.followers.push(follower);
                }
                Ok(None) => {
                    self.shelf.remove(&position.key);
                    Self::give_up(&position, groups, now, turn);
                }
                Err(note) => {
                    self.say(note, turn);
                    if self.is_watched(&position.path) {
                        continue;
                    }
                }
            }
            let mut last = source(&path);
            last.key = self.follow_newer(&siblings, position.at, groups, &last, now);
            queue.insert(path, last.key);
            self.vacant.push(Vacant {
                last,
                since: position.at,
                looked: true,
            });
        }
    }

    /// Opens the file that a position speaks of. The note says why it is to be tried again.
    fn reopen(
        &self,
        position: &Position,
        siblings: &[recover::Sibling],
        source: Source,
        now: Now,
    ) -> Result<Option<Follower>, Note> {
        let found = recover::find(position, siblings)
            .map_err(|(sibling, error)| unreadable(&sibling.path, Some(&sibling.seen), &error))?;
        let Some(file) = found.filter(|file| !self.is_held(file)) else {
            return Ok(None);
        };
        let path = PathBuf::from(&*source.path);
        let manner = self.manner(&file, source.logs[0]);
        let source = Source {
            manner: manner.unwrap_or(source.manner),
            ..source
        };
        let max_line = self.settings.logs[source.logs[0]].max_line;
        let resumed = Follower::resume(file, source, position, max_line, now);
        resumed.map(Some).map_err(|error| Note::Failed {
            path,
            error: error.to_string(),
        })
    }

    /// Whether successors of a file at this path are found by other means: through the file that is there
    /// now, or as beside every path that has none.
    fn is_watched(&self, path: &str) -> bool {
        let vacant = self.vacant.iter().map(|vacant| &vacant.last);
        let held = self.followers.iter().map(|follower| &follower.source);
        vacant.chain(held).any(|source| *source.path == *path)
    }

    /// Whether a glob reaches the very file, so that `begin` will resume it.
    fn is_reached(position: &Position, same_inode: Option<&Vec<&Group>>) -> bool {
        same_inode.into_iter().flatten().any(|group| {
            match identity::open(&group.paths[0]) {
                Ok(file) => identity::fits_position(&file, position).unwrap_or(true),
                // Not to be read right now; that is no reason to give it up.
                Err(_) => true,
            }
        })
    }

    fn is_held(&self, file: &File) -> bool {
        file.metadata().is_ok_and(|meta| {
            let id = Seen::of(&meta).id;
            self.followers.iter().any(|follower| follower.id == id)
        })
    }

    /// Whether a stored position goes on in this file, which is then a copy of the file it speaks of: that position
    /// says where reading begins.
    fn is_owed(&self, file: &File) -> bool {
        let owed = self.shelf.values();
        let mut owed = owed.filter(|position| !position.finished && position.offset > 0);
        owed.any(|position| identity::fits_position(file, position).unwrap_or(false))
    }

    fn give_up(position: &Position, groups: &BTreeMap<FileId, Group>, now: Now, turn: &mut Turn) {
        turn.forgotten.push(position.key);
        if identity::was_never_opened(position) {
            // What nobody could read was not lost by us, and has been told.
            return;
        }
        let id = FileId {
            dev: position.identity.dev,
            ino: position.identity.ino,
        };
        let kind = if groups.contains_key(&id) {
            GapKind::Truncated
        } else {
            GapKind::Vanished
        };
        turn.gaps.push(Gap {
            path: position.path.clone(),
            at: now.wall,
            kind,
            bytes: 0,
        });
    }

    /// Follows generations that no glob reaches and that were born since; each waits for the one before.
    /// Returns the newest.
    pub(super) fn follow_newer(
        &mut self,
        siblings: &[recover::Sibling],
        since: Timestamp,
        groups: &BTreeMap<FileId, Group>,
        old: &Source,
        now: Now,
    ) -> FileKey {
        let mut last = old.key;
        for sibling in recover::newer(siblings, i128::from(since.0) * 1_000_000) {
            let known = groups.contains_key(&sibling.seen.id)
                || self
                    .followers
                    .iter()
                    .any(|follower| follower.id == sibling.seen.id);
            let Some(file) = recover::open_regular(&sibling.path).filter(|_| !known) else {
                continue;
            };
            let first = identity::first_bytes(&file).unwrap_or_default();
            let copied = self
                .followers
                .iter()
                .any(|f| recover::is_copy(&file, f.head, f.before, f.at));
            let owed = copied || self.shelved(&file, sibling.seen.id).is_some() || self.is_owed(&file);
            if identity::is_compressed(&first) || owed {
                continue;
            }
            let key = FileKey::draw(&mut self.random);
            let source = Source {
                key,
                path: old.path.clone(),
                logs: old.logs.clone(),
                manner: Manner {
                    open: true,
                    ..Manner::default()
                },
            };
            if let Ok(mut follower) = Follower::new(file, source, 0, 0, now) {
                follower.unlinked = Some(now.moment);
                follower.after = Some(last);
                self.followers.push(follower);
                last = key;
            }
        }
        last
    }
}
