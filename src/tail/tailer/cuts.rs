//! Files that were cut to nothing and begin again, and the copies that rotators make before they do that.
//!
//! 1. A copy that appears while its original is whole is tied to it: the original reads those bytes.
//! 2. When the original is cut, its copy goes on where the original stopped, before the original's new bytes.
//! 3. Where no glob reaches a copy, one may lie beside the file; it is followed like a rotated generation.
//! 4. What no copy has is a gap.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::super::follow::Follower;
use super::super::{Mode, Note, Source, Turn, identity, recover};
use super::{Tailer, text};
use crate::model::{FileKey, Gap, GapKind, Head, Now, Timestamp};

/// A file that was cut.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) old: FileKey,
    pub(super) new: FileKey,
    pub(super) path: Arc<str>,
    pub(super) at: u64,
    pub(super) head: Head,
    pub(super) before: Head,
    pub(super) lost: u64,
    /// When the position in it last moved.
    pub(super) since: Timestamp,
    /// The copy that has what was not read.
    pub(super) copy: Option<FileKey>,
}

impl Tailer {
    /// The file begins again under a new key. The rest of the old generation may stand in a copy.
    pub(super) fn cut(&mut self, index: usize, lost: u64, now: Now, turn: &mut Turn) {
        let new = FileKey::draw(&mut self.random);
        let follower = &mut self.followers[index];
        let (old, path, at) = (follower.source.key, follower.source.path.clone(), follower.at);
        let (head, before, since) = (follower.head, follower.before, follower.moved);
        if let Err(error) = follower.restart(new, now) {
            follower.cool_down();
            let note = Note::Failed {
                path: follower.path().to_owned(),
                error: error.to_string(),
            };
            return self.say(note, turn);
        }
        turn.forgotten.push(old);
        self.cuts.push(Cut {
            old,
            new,
            path,
            at,
            head,
            before,
            lost,
            since,
            copy: None,
        });
    }

    /// Lets copies go on where the files they were made of were cut, and counts what no copy has.
    pub(super) fn settle_cuts(&mut self, now: Now, turn: &mut Turn) {
        if self.cuts.is_empty() {
            return;
        }
        let mut cuts = std::mem::take(&mut self.cuts);
        for cut in &mut cuts {
            self.hand_on(cut);
        }
        self.cuts = cuts;
        if self.mode == Mode::Forever {
            // The copy may be younger than the last sweep.
            self.sweep(now, turn);
        }
        for mut cut in std::mem::take(&mut self.cuts) {
            let reached = cut.copy.is_some();
            if !reached && self.mode == Mode::Forever {
                cut.copy = self.copy_beside(&cut, now);
            }
            let has = |key: &FileKey| self.followers.iter().find(|follower| follower.source.key == *key);
            let copied = cut
                .copy
                .as_ref()
                .and_then(has)
                .map_or(0, |copy| copy.size().saturating_sub(cut.at));
            let bytes = cut.lost.saturating_sub(copied);
            // A copy that was found only now was not read alongside: between the copying and the cut there was
            // time to write what nobody saw.
            if bytes > 0 || !reached {
                turn.gaps.push(Gap {
                    path: cut.path.to_string(),
                    at: now.wall,
                    kind: GapKind::Truncated,
                    bytes,
                });
            }
            if let Some(follower) = self
                .followers
                .iter_mut()
                .find(|follower| follower.source.key == cut.new)
            {
                follower.after = cut.copy;
            }
        }
    }

    /// Follows the copy that lies beside a cut file where no glob reaches it, from where the file was not read.
    fn copy_beside(&mut self, cut: &Cut, now: Now) -> Option<FileKey> {
        let siblings = recover::siblings(Path::new(&*cut.path)).ok()?;
        // A copy of which nothing was read is known by its beginning, which older generations may share.
        let since = if cut.at > 0 {
            i128::MIN / 2
        } else {
            i128::from(cut.since.0) * 1_000_000
        };
        let fits = |file: &File| match cut.at {
            0 => cut.head.len > 0 && identity::fits(file, cut.head, cut.before, 0).unwrap_or(false),
            at => recover::is_copy(file, cut.head, cut.before, at),
        };
        let held = |sibling: &recover::Sibling| self.followers.iter().any(|f| f.id == sibling.seen.id);
        let newer = recover::newer(&siblings, since);
        let (path, file) = newer
            .into_iter()
            .rev()
            .filter(|sibling| !held(sibling))
            .find_map(|sibling| {
                let file = recover::open_regular(&sibling.path).filter(|file| fits(file))?;
                Some((&sibling.path, file))
            })?;
        let original = self
            .followers
            .iter()
            .find(|follower| follower.source.key == cut.new)?;
        let source = Source {
            key: FileKey::draw(&mut self.random),
            path: text(path),
            logs: original.source.logs.clone(),
            manner: self.manner(&file, original.source.logs[0]).ok()?,
        };
        let max_line = self.settings.logs[source.logs[0]].max_line;
        let line_end = source.manner.line_end;
        let at = line_end.floor_offset(cut.at);
        let taken = identity::line_before(&file, at, max_line, line_end).ok()?;
        let mut follower = Follower::new(file, source, at, taken, now).ok()?;
        follower.unlinked = Some(now.moment);
        self.followers.push(follower);
        self.followers.last().map(|follower| follower.source.key)
    }

    /// A copy made before the cut goes on where the cut file stopped.
    pub(super) fn hand_on(&mut self, cut: &mut Cut) {
        for follower in self
            .followers
            .iter_mut()
            .filter(|follower| follower.copy_of == Some(cut.old))
        {
            let max_line = self.settings.logs[follower.source.logs[0]].max_line;
            if follower.skip_to(cut.at, max_line).is_ok() {
                (follower.copy_of, follower.hot) = (None, true);
                cut.copy = cut.copy.or(Some(follower.source.key));
            }
        }
    }

    /// Copies follow how far their originals were read, until those are cut or gone.
    pub(super) fn follow_originals(&mut self) {
        for index in 0..self.followers.len() {
            let Some(of) = self.followers[index].copy_of else {
                continue;
            };
            // In this order: a copy that is longer than its original is none any more, and the original may
            // only grow in between.
            let size = self.followers[index].size();
            let original = self.followers.iter().find(|follower| follower.source.key == of);
            if original.is_some_and(|original| original.hot) {
                // It is about to be read, and then known not to be cut.
                continue;
            }
            let original = original
                .filter(|o| o.unlinked.is_none())
                .map(|o| (o.at, o.size()));
            let copy = &mut self.followers[index];
            let max_line = self.settings.logs[copy.source.logs[0]].max_line;
            match original {
                Some((at, longest)) if size <= longest => {
                    if copy.skip_to(at, max_line).is_err() {
                        copy.cool_down();
                    }
                }
                _ => (copy.copy_of, copy.hot) = (None, true),
            }
        }
    }
}
