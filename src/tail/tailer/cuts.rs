//! Files that were cut to nothing and begin again, and the copies that rotators make before they do that.
//!
//! 1. A copy that appears while its original is whole is tied to it: the original reads those bytes.
//! 2. When the original is cut, its copy goes on where the original stopped, before the original's new bytes.
//! 3. Where no glob reaches a copy, one may lie beside the file; it is followed like a rotated generation.
//! 4. What no copy has is a gap.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::super::follow::Follower;
use super::super::handle::Handle;
use super::super::identity::Seen;
use super::super::packed::Loss;
use super::super::trail::{self, Original};
use super::super::{Mode, Source, Turn, identity, recover};
use super::lost::Beside;
use super::{HINTED_SWEEP, Tailer, failed, text};
use crate::model::{FileKey, Gap, GapKind, Head, Identity, Mark, Moment, Now, Position, Timestamp};

/// So often copies are looked at again that could not be looked at.
const MOST_TRIES: u8 = 10;

/// So often nothing is learned about the place of a copy, ten minutes long, before that counts as a try.
const MOST_UNANSWERED: u16 = 6_000;

/// A file that was cut.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) old: FileKey,
    pub(super) new: FileKey,
    pub(super) path: Arc<str>,
    pub(super) at: u64,
    pub(super) head: Head,
    pub(super) before: Head,
    pub(super) trail: Vec<Mark>,
    /// The line at `at` was handed over in part.
    inside_line: bool,
    pub(super) lost: u64,
    /// When the position in it last moved.
    pub(super) since: Timestamp,
    /// The copy that has what was not read.
    pub(super) copy: Option<FileKey>,
    /// That may be compressed, and is looked for.
    packed: bool,
    /// How often nothing could be learned about its copies, because the system failed.
    tries: u8,
    /// How often its place could not be looked at.
    unanswered: u16,
    /// When it is tried again.
    again: Moment,
}

impl Cut {
    /// Nothing had been read of it, and copies of what it is now go on as its copies.
    pub(super) fn is_hollow(&self) -> bool {
        self.old == self.new
    }

    /// The file as it was.
    pub(super) fn original(&self) -> Original<'_> {
        Original {
            head: self.head,
            before: self.before,
            at: self.at,
            trail: &self.trail,
            since: self.since,
        }
    }
}

impl Tailer {
    /// The file begins again under a new key. The rest of the old generation may stand in a copy.
    pub(super) fn cut(&mut self, index: usize, lost: u64, now: Now, turn: &mut Turn) {
        let hollow = self.followers[index].at == 0 && lost == 0;
        if hollow && !self.changed_beside(self.followers[index].path()) {
            // Nothing was read of it, and nobody made a copy of what it may have been meanwhile.
            return;
        }
        let drawn = FileKey::draw(&mut self.random);
        let follower = &mut self.followers[index];
        // Nothing was handed out under this key.
        let new = if hollow { follower.source.key } else { drawn };
        let (old, path, at) = (follower.source.key, follower.source.path.clone(), follower.at);
        let (head, before, since) = (follower.head, follower.before, follower.moved);
        let (trail, inside_line) = (follower.marks(), follower.is_inside_line());
        if let Err(error) = follower.restart(new, now) {
            follower.cool_down();
            let note = failed(follower, &error);
            return self.say(note, turn);
        }
        self.cuts.push(Cut {
            old,
            new,
            path,
            at,
            head,
            before,
            trail,
            inside_line,
            lost,
            since,
            copy: None,
            packed: false,
            tries: 0,
            unanswered: 0,
            again: now.moment,
        });
    }

    /// Lets copies go on where the files they were made of were cut, and counts what no copy has.
    pub(super) fn settle_cuts(&mut self, now: Now, turn: &mut Turn) {
        if self.cuts.iter().all(|cut| now.moment < cut.again) {
            return;
        }
        let mut cuts = std::mem::take(&mut self.cuts);
        for cut in &mut cuts {
            if cut.is_hollow() {
                self.hand_on_others(cut.new);
            } else {
                self.hand_on(cut);
            }
        }
        self.cuts = cuts;
        if self.mode == Mode::Forever {
            // The copy may be younger than the last sweep.
            self.sweep(now, turn);
        }
        for index in (0..self.cuts.len()).rev() {
            let Some(mut cut) = self.cuts.get(index).cloned() else {
                continue;
            };
            if now.moment < cut.again {
                continue;
            }
            self.begin_anew(&cut, now);
            let tied = self.followers.iter().any(|copy| copy.copy_of == Some(cut.old));
            let known = !tied || cut.is_hollow();
            let settled = if known {
                self.settle(&mut cut, now, turn)
            } else {
                Err(recover::moved())
            };
            // A place that gives no answer says nothing, however often it is asked.
            if settled.as_ref().is_err_and(identity::may_pass) && cut.unanswered < MOST_UNANSWERED {
                cut.unanswered += 1;
            } else {
                cut.tries += 1;
            }
            let settled = settled.is_ok();
            let over = settled || cut.tries == MOST_TRIES;
            if !cut.is_hollow() && (over || cut.copy.is_some()) {
                // Until now a new process would have looked for the copy; from now on that has a position of its own.
                turn.forgotten.push(cut.old);
            }
            if over {
                if !settled && !cut.packed {
                    Self::tell_gap(&cut, cut.lost, now, turn);
                }
                self.cuts.remove(index);
            } else {
                self.wait_for_copies(&cut);
                cut.again = now.moment + HINTED_SWEEP;
                self.cuts[index] = cut;
                self.look_soon();
            }
        }
    }

    /// Nothing is read of a file behind a cut before that is settled; so that it was cut once more is noticed here. What
    /// was copied of it in between is none of its copies any more.
    fn begin_anew(&mut self, cut: &Cut, now: Now) {
        let mut followers = self.followers.iter_mut();
        let current = followers.find(|follower| follower.source.key == cut.new && follower.at == 0);
        let Some(current) = current else { return };
        if current.is_whole().is_ok_and(|whole| !whole) {
            if current.restart(cut.new, now).is_err() {
                // What cannot be read now cannot be compared either: it is tried again with the cut.
                current.cool_down();
            }
            self.hand_on_others(cut.new);
        }
    }

    /// An error says that the place of the copy could not be looked at.
    fn settle(&mut self, cut: &mut Cut, now: Now, turn: &mut Turn) -> io::Result<()> {
        let mut before = cut.copy;
        if self.mode == Mode::Forever {
            let beside = Beside {
                siblings: &self.born_after(cut.new, recover::siblings(Path::new(&*cut.path))?),
                since: cut.since,
                current: self.file_of(cut.new)?,
            };
            // Where nothing had been read, all copies since are read from their beginnings, in their order.
            if before.is_none() && !cut.is_hollow() {
                cut.copy = self.copy_beside(cut, &beside, now)?;
                cut.packed = cut.copy.is_none() && self.search_copy(cut, turn)?;
            }
            before = self.cut_again(cut, &beside, now, turn)?.or(cut.copy);
        }
        let has = |key: &FileKey| self.followers.iter().find(|follower| follower.source.key == *key);
        let copied = cut
            .copy
            .as_ref()
            .and_then(has)
            .map_or(0, |copy| copy.size().saturating_sub(cut.at));
        let bytes = cut.lost.saturating_sub(copied);
        // There was time to write what nobody saw: between the copying and the cut, or since the last look. An empty
        // file that was touched is told of only if there was something in between.
        // What an archive does not have is told when it was read.
        if !cut.packed && (bytes > 0 || cut.at > 0 || before.is_some()) {
            Self::tell_gap(cut, bytes, now, turn);
        }
        self.make_wait(cut.new, before);
        self.close_copies(before);
        Ok(())
    }

    /// The copy may have been compressed already: what is owed of it is stored, and looked for in archives.
    ///
    /// An error says that it cannot be known now.
    fn search_copy(&mut self, cut: &mut Cut, turn: &mut Turn) -> io::Result<bool> {
        let mut followers = self.followers.iter();
        let Some(current) = followers.find(|follower| follower.source.key == cut.new) else {
            return Ok(false);
        };
        let source = Source {
            key: FileKey::draw(&mut self.random),
            ..current.source.clone()
        };
        let owed = Position {
            key: source.key,
            identity: Identity {
                dev: current.id().dev,
                ino: current.id().ino,
                head: cut.head,
            },
            path: cut.path.to_string(),
            log: self.settings.logs[source.logs[0]].name.clone(),
            offset: cut.at,
            before: cut.before,
            trail: cut.trail.clone(),
            finished: false,
            inside_line: cut.inside_line,
            at: cut.since,
        };
        let loss = Loss {
            kind: GapKind::Truncated,
            bytes: cut.lost,
            doubtful: false,
        };
        let sought = !cut.is_hollow() && self.search_archives(&owed, &source, loss)?;
        if sought {
            cut.copy = Some(owed.key);
            turn.positions.push(owed);
        }
        Ok(sought)
    }

    fn tell_gap(cut: &Cut, bytes: u64, now: Now, turn: &mut Turn) {
        turn.gaps.push(Gap {
            path: cut.path.to_string(),
            at: now.wall,
            kind: GapKind::Truncated,
            bytes,
        });
    }

    /// What was put aside before a cut is not written to any more, nor is what that waits for.
    fn close_copies(&mut self, newest: Option<FileKey>) {
        let mut next = newest;
        for _ in 0..self.followers.len() {
            let mut followers = self.followers.iter_mut();
            let Some(copy) = followers.find(|follower| Some(follower.source.key) == next) else {
                return;
            };
            (copy.over, next) = (true, copy.after);
        }
    }

    /// Those of these files that may be copies of one that is held: they are younger than it.
    fn born_after(&self, file: FileKey, mut siblings: Vec<recover::Sibling>) -> Vec<recover::Sibling> {
        let born = self.held(file).and_then(Follower::born);
        let older = |sibling: &recover::Sibling| {
            sibling
                .seen
                .born
                .zip(born)
                .is_some_and(|(own, other)| own < other)
        };
        siblings.retain(|sibling| !older(sibling));
        siblings
    }

    /// The bytes of a file that is held; none if it is not.
    fn file_of(&self, key: FileKey) -> io::Result<Option<Handle>> {
        let mut followers = self.followers.iter();
        let follower = followers.find(|follower| follower.source.key == key);
        follower.map(|held| Ok(held.file()?.clone())).transpose()
    }

    /// What `file` waited for until now comes before all that it is to wait for.
    fn make_wait(&mut self, file: FileKey, after: Option<FileKey>) {
        let Some(after) = after else { return };
        let place = |followers: &[Follower], key| followers.iter().position(|held| held.source.key == key);
        let Some(index) = place(&self.followers, file) else {
            return;
        };
        let earlier = self.followers[index].after.replace(after);
        let mut last = after;
        for _ in 0..self.followers.len() {
            let Some(index) = place(&self.followers, last) else {
                return;
            };
            match self.followers[index].after {
                _ if Some(last) == earlier => return,
                Some(next) => last = next,
                None => {
                    self.followers[index].after = earlier;
                    return;
                }
            }
        }
    }

    /// What was written after the cut comes after what a copy may still have.
    fn wait_for_copies(&mut self, cut: &Cut) {
        let tied = self.followers.iter().find(|copy| copy.copy_of == Some(cut.old));
        self.make_wait(cut.new, tied.map(|copy| copy.source.key));
    }

    /// Follows the copy that lies beside a cut file where no glob reaches it, from where the file was not read.
    fn copy_beside(&mut self, cut: &Cut, beside: &Beside<'_>, now: Now) -> io::Result<Option<FileKey>> {
        // A copy of which nothing was read is known by its beginning, which older generations may share.
        let since = if cut.at > 0 {
            i128::MIN / 2
        } else {
            i128::from(cut.since.0) * 1_000_000
        };
        let fits = |file: &Handle| match cut.at {
            0 if cut.head.len == 0 => Ok(false),
            0 => identity::fits(file, cut.head, cut.before, 0),
            // It may end before bytes that the head was taken from, and that nobody was told of yet.
            at => Ok(cut.original().copied_to(file)? == Some(at)),
        };
        let mut copy = None;
        for sibling in recover::newer(beside.siblings, since).into_iter().rev() {
            // What was written since the cut may be copied already, too, and is read where it lies.
            if self.holds(sibling.seen.id) || beside.has_copy(sibling)? {
                continue;
            }
            if let Some(file) = recover::open_listed(sibling)?
                && fits(&file)?
            {
                copy = Some((&sibling.path, file));
                break;
            }
        }
        let mut followers = self.followers.iter();
        let original = followers.find(|follower| follower.source.key == cut.new);
        let (Some((path, file)), Some(original)) = (copy, original) else {
            return Ok(None);
        };
        let source = Source {
            key: FileKey::draw(&mut self.random),
            path: text(path),
            logs: original.source.logs.clone(),
            manner: self.manner(&file, original.source.logs[0])?,
        };
        let key = source.key;
        let max_line = self.settings.logs[source.logs[0]].max_line;
        let line_end = source.manner.line_end;
        let at = line_end.floor_offset(cut.at);
        let taken = identity::line_before(&file, at, max_line, line_end)?;
        let mut follower = Follower::new(file, source, at, taken, now)?;
        follower.unlinked = Some(now.moment);
        self.hold(follower);
        Ok(Some(key))
    }

    /// Between two looks a file may have been cut, written to, copied and cut again: what was written meanwhile stands
    /// in copies alone. Follows them in their order; the newest, if there is one.
    fn cut_again(
        &mut self,
        cut: &Cut,
        beside: &Beside<'_>,
        now: Now,
        turn: &mut Turn,
    ) -> io::Result<Option<FileKey>> {
        let mut followers = self.followers.iter();
        let Some(current) = followers.find(|follower| follower.source.key == cut.new) else {
            return Ok(None);
        };
        let log = self.settings.logs[current.source.logs[0]].name.clone();
        let (source, id) = (current.source.clone(), current.id());
        let stays =
            |sibling: &recover::Sibling| sibling.path == *Path::new(&*cut.path) && sibling.seen.id == id;
        if !beside.siblings.iter().any(stays) {
            // It was renamed: what lies beside it may be younger, and is found as its successor.
            return Ok(None);
        }
        self.put_aside_copies(&cut.original(), beside.siblings, &log, &source, now, turn)
            .map_err(|(_, error)| error)?;
        // Nobody is behind a key that was just drawn: the first of them waits for no one.
        let first = cut.copy.unwrap_or_else(|| FileKey::draw(&mut self.random));
        let mut last = Source { key: first, ..source };
        // Those that a glob reaches were taken up by the sweep.
        let (reached, mut queue) = (BTreeMap::new(), HashMap::new());
        if !self.follow_newer(beside, &reached, &mut last, now, turn, &mut queue) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        for sibling in recover::newer(beside.siblings, i128::from(cut.since.0) * 1_000_000) {
            let mut followers = self.followers.iter();
            let taken_up = followers.find(|follower| follower.id() == sibling.seen.id);
            let key = taken_up
                .filter(|follower| follower.is_untouched())
                .map(|follower| follower.source.key);
            if let Some(key) = key.filter(|key| ![cut.new, first, last.key].contains(key)) {
                self.make_wait(key, Some(std::mem::replace(&mut last.key, key)));
            }
        }
        Ok((last.key != first).then_some(last.key))
    }

    /// A copy made before the cut goes on where the cut file stopped. One that cannot be looked at stays tied.
    fn hand_on(&mut self, cut: &mut Cut) {
        for follower in self
            .followers
            .iter_mut()
            .filter(|follower| follower.copy_of == Some(cut.old))
        {
            let max_line = self.settings.logs[follower.source.logs[0]].max_line;
            let copied = follower.file().and_then(|file| {
                // One that ends before that place is older, and another one may have the rest.
                let older = Seen::held(&file)?.size < cut.at;
                Ok((older, cut.original().copied_to(&file)?))
            });
            let skipped = copied.and_then(|(older, at)| {
                // Without a place it goes on where it was last found to be a copy.
                at.map_or(Ok(()), |at| follower.skip_to(at, max_line))?;
                Ok(older)
            });
            if let Ok(older) = skipped {
                (follower.copy_of, follower.hot) = (None, true);
                cut.copy = cut.copy.or((!older).then_some(follower.source.key));
            }
        }
    }

    /// The same where nothing had been read: what is not a copy of the file as it is now is one of what it was.
    fn hand_on_others(&mut self, file: FileKey) {
        let Ok(Some(current)) = self.file_of(file) else {
            return;
        };
        for follower in self
            .followers
            .iter_mut()
            .filter(|follower| follower.copy_of == Some(file))
        {
            let agrees = follower.file().and_then(|file| {
                let size = Seen::held(&file)?.size;
                trail::agree(&current, &file, size)
            });
            if agrees.is_ok_and(|agrees| !agrees) {
                (follower.copy_of, follower.hot) = (None, true);
            }
        }
    }

    /// Copies follow how far their originals were read, until those are cut or gone.
    pub(super) fn follow_originals(&mut self) {
        for index in 0..self.followers.len() {
            let Some(of) = self.followers[index].copy_of else {
                continue;
            };
            if self.cuts.iter().any(|cut| cut.old == of && !cut.is_hollow()) {
                continue;
            }
            let copy = &self.followers[index];
            let original = self.followers.iter().find(|follower| follower.source.key == of);
            if original.is_some_and(|original| original.hot) {
                // It is about to be read, and then known not to be cut.
                continue;
            }
            // In this order: a copy that is longer than its original is none any more, and the original may only grow in
            // between. What was seen of both in one look is not in this order.
            let size = copy.size();
            let original = original.filter(|original| original.unlinked.is_none());
            let followed = original.and_then(|original| match original.stat() {
                Ok(seen) if size <= seen.size.max(original.size()) => Some(Self::same_up_to(original, copy)),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            });
            // One that was cut since it was looked at says nothing any more; that it was is noticed soon.
            let whole = original.is_none_or(|original| original.is_whole().is_ok_and(|whole| whole));
            let copy = &mut self.followers[index];
            let max_line = self.settings.logs[copy.source.logs[0]].max_line;
            let ended = match followed {
                Some(Ok(Some(at))) => {
                    if copy.skip_to(at, max_line).is_err() {
                        copy.cool_down();
                    }
                    false
                }
                Some(Err(_)) => false,
                Some(Ok(None)) | None => whole,
            };
            if ended {
                (copy.copy_of, copy.hot) = (None, true);
            }
        }
    }

    /// How far a tied copy needs not be read; none if it is no copy after all. It may have been tied to its original
    /// when it was still empty, and whoever went on writing it may be no rotator.
    ///
    /// An error says that it cannot be known now.
    fn same_up_to(original: &Follower, copy: &Follower) -> io::Result<Option<u64>> {
        let at = original.at.min(copy.size());
        if at == copy.at || trail::agree(&*original.file()?, &*copy.file()?, at)? {
            return Ok(Some(at));
        }
        // In this order: an original that is whole now was so then.
        if original.is_whole()? {
            Ok(None)
        } else {
            Err(io::ErrorKind::Interrupted.into())
        }
    }
}
