//! One file's life, from the moment it is met until it is rotated away, read to its end, and quiet. It is held open, but
//! for files that are idle while many others are followed ([`Descriptor`]).
//!
//! What a look asks, and which bytes come of it, stands in `reading`; what is done at NULs, in `zeros`.

mod reading;
mod zeros;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Source;
use super::descriptor::{Descriptor, Opened};
use super::handle::Handle;
use super::identity::{self, FileId, Seen};
use super::lookout::Lookout;
use super::packed::Packed;
use super::pipe::Pipe;
use super::trail::{self, Original, Trail};
use crate::model::{
    FileKey, Head, Identity, LineEnd, LogName, Manner, Mark, Moment, Now, Position, Timestamp,
};

pub(super) use self::reading::{Progress, READ, Reading};

/// A file that is held open.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent facts, no states of one machine"
)]
pub(super) struct Follower {
    /// Its inode cannot be reused as long as this is open.
    descriptor: Descriptor,
    /// Where it lies, if it was closed after it lost its path.
    hidden: Option<PathBuf>,
    /// Whose bytes, under which path, for which logs; what the visitor is told.
    pub(super) source: Source,
    /// The first bytes; grows with the file.
    pub(super) head: Head,
    /// The last bytes before `at`. Its length is always the smaller of `at` and a KiB.
    pub(super) before: Head,
    /// The same without the NULs at its end.
    solid: Head,
    /// What stood before some of the offsets that were passed.
    trail: Trail,
    /// The first byte that was not handed out: what the position says.
    pub(super) at: u64,
    /// How much of the line that holds `at` was handed out or cut away; 0 at the start of a line.
    taken: usize,
    /// How many bytes after `at` wait for more: whole lines of an event that goes on, then half a line.
    half: u64,
    /// How many of these are whole lines.
    open: u64,
    /// Size when the bytes before `at` were last found unchanged: what is lost by a cut is counted from it.
    proven: u64,
    /// Size and time of writing at the last look; `None` makes the next look a read.
    stamp: Option<(u64, i128)>,
    /// Bytes from `at` up to here are NULs, while a long run of them is looked through.
    zeros_to: u64,
    /// The stamp at which nothing but NULs stood behind `at`.
    hollow: Option<(u64, i128)>,
    /// It was written to since it was looked at last, and was empty then.
    touched: bool,
    /// It was never read.
    unread: bool,
    /// Nothing was handed out yet, not even an empty chunk.
    unseen: bool,
    /// When new bytes were last seen.
    grew: Moment,
    /// When it was last seen to be written to. Reading what lay there when it was met is no sign of a writer.
    pub(super) active: Option<Moment>,
    /// It was written to while it was closed, and could not be opened then.
    pub(super) missed: bool,
    /// Since when no path that we follow leads here.
    pub(super) unlinked: Option<Moment>,
    /// Nothing from here on is read (`--once`).
    pub(super) stop: Option<u64>,
    /// It is read only after this one was read to its end.
    pub(super) after: Option<FileKey>,
    /// The generation that was read before it, once that is so.
    pub(super) older: Option<FileKey>,
    /// It is a rotator's copy of this one, which is not cut yet and reads the same bytes itself.
    pub(super) copy_of: Option<FileKey>,
    /// It is a copy of a file that was cut since: nobody writes to it, and what is there is all of it.
    pub(super) over: bool,
    /// Where its bytes come from, if not from a file in a folder.
    pub(super) packed: Option<Box<Packed>>,
    /// The pipe that its bytes come from.
    pub(super) pipe: Option<Box<Pipe>>,
    /// It is not text after all, and is to be let go.
    pub(super) refused: bool,
    /// Looking at it or reading it failed, and that was told.
    pub(super) failed: bool,
    /// There is, or may be, something to read.
    pub(super) hot: bool,
    /// The position was not handed out since it changed.
    pub(super) dirty: bool,
    /// When the position last moved.
    pub(super) moved: Timestamp,
}

impl Follower {
    /// Begins at `at`. `taken` bytes of the line there are behind it already.
    pub(super) fn new(file: Handle, source: Source, at: u64, taken: usize, now: Now) -> io::Result<Self> {
        let seen = Seen::held(&file)?;
        let head = Head::of(&identity::first_bytes(&file)?);
        let before = identity::before(&file, at)?;
        let solid = identity::solid_before(&file, at)?;
        Ok(Self {
            descriptor: Descriptor::new(file, &seen),
            hidden: None,
            source,
            head,
            before,
            solid,
            trail: Trail::default(),
            at,
            taken,
            half: 0,
            open: 0,
            proven: seen.size,
            stamp: None,
            zeros_to: 0,
            hollow: None,
            touched: false,
            unread: true,
            unseen: true,
            grew: now.moment,
            active: None,
            missed: false,
            unlinked: None,
            stop: None,
            after: None,
            older: None,
            copy_of: None,
            over: false,
            packed: None,
            pipe: None,
            refused: false,
            failed: false,
            hot: true,
            dirty: true,
            moved: now.wall,
        })
    }

    /// Goes on where a stored position ends.
    pub(super) fn resume(
        file: Handle,
        source: Source,
        stored: &Position,
        max_line: usize,
        now: Now,
    ) -> io::Result<Self> {
        let at = source.manner.line_end.floor_offset(stored.offset);
        let before = || identity::line_before(&file, at, max_line, source.manner.line_end);
        let taken = if stored.inside_line {
            // At least one character: a line whose start is out of sight is still a line that was begun.
            before()?.max(source.manner.line_end.width())
        } else if identity::was_never_opened(stored) {
            before()?
        } else {
            0
        };
        let mut follower = Self::new(file, source, at, taken, now)?;
        (follower.moved, follower.trail) = (stored.at, Trail::of(&stored.trail));
        Ok(follower)
    }

    /// Goes on in the same file under another descriptor, which a path leads to again.
    pub(super) fn reopen(&mut self, file: Handle, seen: &Seen) {
        (self.descriptor, self.hidden) = (Descriptor::new(file, seen), None);
        (self.unlinked, self.stamp, self.hollow) = (None, None, None);
        (self.hot, self.dirty) = (true, true);
    }

    /// Device and inode.
    pub(super) fn id(&self) -> FileId {
        self.descriptor.id
    }

    /// When it was born, where the filesystem knows.
    pub(super) fn born(&self) -> Option<i128> {
        self.descriptor.born
    }

    /// Whether `stat` speaks of this very file.
    pub(super) fn is(&self, seen: &Seen) -> bool {
        self.descriptor.is(seen)
    }

    /// Whether its descriptor is held.
    pub(super) fn is_open(&self) -> bool {
        self.descriptor.held().is_some()
    }

    /// Holds the descriptor again. An error of the kind `NotFound` says that its path leads elsewhere.
    pub(super) fn open(&mut self) -> io::Result<()> {
        let path = self.hidden.as_deref().unwrap_or(Path::new(&*self.source.path));
        self.descriptor.open_again(path)
    }

    /// Gives the descriptor back, until there is something to read. Whether it did: what no path leads to any more stays
    /// open.
    pub(super) fn close(&mut self) -> bool {
        if self.pipe.is_some() {
            return false;
        }
        if self.unlinked.is_some() {
            self.hidden = self.descriptor.whereabouts();
            if self.hidden.is_none() {
                return false;
            }
        }
        self.descriptor.close();
        true
    }

    /// A path that a glob reaches leads to it.
    pub(super) fn found(&mut self) {
        (self.unlinked, self.hidden) = (None, None);
    }

    /// Whether it was closed after it lost its path.
    pub(super) fn is_hidden(&self) -> bool {
        self.hidden.is_some() && !self.is_open()
    }

    /// Its bytes, through the descriptor that is held or one for this moment.
    pub(super) fn file(&self) -> io::Result<Opened<'_>> {
        self.descriptor.get(self.lies_at())
    }

    /// Where it is to be looked for.
    fn lies_at(&self) -> &Path {
        self.hidden.as_deref().unwrap_or(self.path())
    }

    /// Whether bytes are known to be there that were not handed out.
    pub(super) fn has_more(&self) -> bool {
        self.half > 0 || self.size() != self.at || self.missed
    }

    /// Whether nothing would be lost if it was closed now and vanished then.
    pub(super) fn is_done_with(&self) -> bool {
        self.at_end() && !self.has_more()
    }

    /// Whether it was written to within `idle`, under our eyes.
    pub(super) fn is_active(&self, now: Now, idle: Duration) -> bool {
        self.active.is_some_and(|active| now.moment - active < idle)
    }

    /// When it was last written to, for comparing files that were never seen to be.
    pub(super) fn written(&self) -> i128 {
        self.stamp.map_or(0, |(_, written)| written)
    }

    /// Asks whether anything changed.
    pub(super) fn look(&mut self, now: Now) -> io::Result<()> {
        let seen = self.stat()?;
        self.look_at(&seen, now)
    }

    /// The same, when `seen` is what was just learned of it.
    pub(super) fn look_at(&mut self, seen: &Seen, now: Now) -> io::Result<()> {
        if !self.changed_to(seen, now) && self.size() > self.at + self.half {
            // Something lies there that was no line when it was read: space reserved by the writer, who may
            // fill it without changing the size, and through a memory map without changing the time.
            let mut byte = [0];
            let probe = self.hollow.is_some() && self.hollow == self.stamp;
            self.hot |=
                !probe || (identity::read_at(&*self.file()?, &mut byte, self.at)? == 1 && byte != [0]);
        }
        Ok(())
    }

    /// What is there of it now: asked of the descriptor, or of the path of a closed file.
    pub(super) fn stat(&self) -> io::Result<Seen> {
        if let Some(file) = self.descriptor.held() {
            return Seen::held(file);
        }
        let seen = Seen::at(self.lies_at())?;
        let same = self.is(&seen);
        same.then_some(seen).ok_or(io::ErrorKind::NotFound.into())
    }

    /// Whether size or time of writing changed since the last look; then there is something to read.
    pub(super) fn changed(&mut self, now: Now) -> io::Result<bool> {
        let seen = self.stat()?;
        Ok(self.changed_to(&seen, now))
    }

    fn changed_to(&mut self, seen: &Seen, now: Now) -> bool {
        let stamp = (seen.size, seen.written);
        if self.stamp == Some(stamp) {
            return false;
        }
        if self.stamp.is_none_or(|(size, _)| seen.size != size) {
            self.grew = now.moment;
        }
        if self.stamp.is_some() {
            self.active = Some(now.moment);
        }
        // Nobody cuts what comes through a pipe.
        self.touched |= self.head.len == 0 && self.stamp.is_some() && self.pipe.is_none();
        // Whoever goes on writing it is no rotator.
        self.over &= self.stamp.is_none_or(|(size, _)| seen.size == size);
        (self.stamp, self.hot) = (Some(stamp), true);
        true
    }

    /// Whether all that the file has (or, for a single pass, had) was handed out, but for half a line.
    pub(super) fn at_end(&self) -> bool {
        !self.hot
    }

    /// Whether it was at its end when it was looked at last, and that look went well.
    pub(super) fn is_read(&self) -> bool {
        let reading = self.pipe.as_ref().is_some_and(|pipe| pipe.may_have_more());
        self.at_end() && self.stamp.is_some() && !self.is_unpacking() && !reading
    }

    /// Whether more may come out of the archive that it is read from.
    pub(super) fn is_unpacking(&self) -> bool {
        self.packed.as_ref().is_some_and(|packed| packed.end().is_none())
    }

    /// Unpacks a little more, once what was unpacked before is read.
    pub(super) fn unpack(&mut self, now: Now) -> io::Result<()> {
        let at = self.at;
        let Some(packed) = self.packed.as_mut().filter(|packed| packed.end().is_none()) else {
            return Ok(());
        };
        packed.unpack(at)?;
        let ended = packed.end().is_some();
        self.changed(now)?;
        self.over = ended;
        Ok(())
    }

    /// Reads a little more of its pipe, once what was read before is done with.
    pub(super) fn pump(&mut self, buffer: &mut [u8], lookout: &Lookout, now: Now) -> io::Result<()> {
        let (at, done) = (self.at, self.at_end());
        let Some(pipe) = self.pipe.as_mut().filter(|_| done) else {
            return Ok(());
        };
        let pumped = pipe.pump(at, buffer, lookout);
        let ended = pipe.ended;
        self.changed(now)?;
        self.over = ended;
        pumped
    }

    /// Whether what stands at its beginning is compressed.
    pub(super) fn has_compressed_bytes(&self) -> bool {
        let first = self.file().and_then(|file| identity::first_bytes(&file));
        first.is_ok_and(|first| identity::is_compressed(&first))
    }

    /// Whether more may come through its pipe.
    pub(super) fn is_flowing(&self) -> bool {
        self.pipe.as_ref().is_some_and(|pipe| !pipe.ended)
    }

    /// Whether what waits for its rest fills all the room there is for what comes through a pipe.
    pub(super) fn is_full(&self) -> bool {
        self.pipe.as_ref().is_some_and(|pipe| pipe.is_full(self.at))
    }

    /// Whether no name leads to the file any more.
    ///
    /// An error says that it cannot be known now.
    pub(super) fn is_deleted(&self) -> io::Result<bool> {
        // A closed file whose path leads elsewhere may still lie somewhere.
        let Some(held) = self.descriptor.held() else {
            return Ok(false);
        };
        Ok(Seen::of(&held.metadata()?).links == 0)
    }

    /// So much of the disk is free once its descriptor is closed; absent while a name leads to it.
    pub(super) fn kept(&self) -> Option<u64> {
        // What comes out of a pipe or an archive is no file of anybody else.
        let own = self.pipe.is_some() || self.packed.is_some();
        let seen = Seen::of(&self.descriptor.held().filter(|_| !own)?.metadata().ok()?);
        (seen.links == 0).then_some(seen.disk)
    }

    /// Whether it waits for another file to be read first.
    pub(super) fn waits(&self) -> bool {
        self.after.is_some() || self.copy_of.is_some()
    }

    /// Whether nobody who waits for it has to wait any longer: what was handed out is all it has, or all that will be.
    /// The end of a file that others still write to is not waited for; one that cannot be read has none.
    pub(super) fn lets_go(&self) -> bool {
        let rest = self.is_unpacking() || (self.over && self.has_half() && self.is_read());
        self.at_end() && !self.waits() && !rest
    }

    /// Whether it was never read.
    pub(super) fn is_unread(&self) -> bool {
        self.unread
    }

    /// Whether a glob reaches it, nothing was read of it yet, and nobody else reads the same bytes.
    pub(super) fn is_untouched(&self) -> bool {
        self.unlinked.is_none() && self.unread && self.copy_of.is_none()
    }

    /// Whether half a line waits, or an event that goes on.
    pub(super) fn has_half(&self) -> bool {
        self.half > 0
    }

    /// Whether whole lines wait, of an event that goes on.
    pub(super) fn has_open(&self) -> bool {
        self.open > 0
    }

    /// When it last grew.
    pub(super) fn grew(&self) -> Moment {
        self.grew
    }

    /// When it will have been quiet for `hold` since it lost its path; absent while it has one.
    pub(super) fn holds_out(&self, hold: Duration) -> Option<Moment> {
        self.unlinked.map(|since| self.grew.max(since) + hold)
    }

    /// Whether it lost its path, and was quiet for `hold` since.
    pub(super) fn held_out(&self, now: Now, hold: Duration) -> bool {
        self.holds_out(hold).is_some_and(|due| due <= now.moment)
    }

    /// The size at the last look.
    pub(super) fn size(&self) -> u64 {
        self.stamp.map_or(self.proven, |(size, _)| size)
    }

    /// The file begins again: another generation, in the same inode.
    pub(super) fn restart(&mut self, key: FileKey, now: Now) -> io::Result<()> {
        // What can fail comes first: a life that ended by half would be nobody's.
        self.head = Head::of(&identity::first_bytes(&*self.file()?)?);
        (self.source.key, self.trail) = (key, Trail::default());
        (self.at, self.taken, self.half, self.proven, self.zeros_to) = (0, 0, 0, 0, 0);
        self.open = 0;
        self.source.manner = Manner {
            open: true,
            ..self.source.manner
        };
        (self.before, self.solid) = (Head::of(&[]), Head::of(&[]));
        (self.copy_of, self.after, self.older, self.over) = (None, None, None, false);
        (self.hot, self.dirty, self.moved, self.grew) = (true, true, now.wall, now.moment);
        Ok(())
    }

    /// A copy takes over where the original was cut, or follows how far the original was read.
    pub(super) fn skip_to(&mut self, at: u64, max_line: usize) -> io::Result<()> {
        let at = at.min(Seen::held(&*self.file()?)?.size);
        let at = self.line_end().floor_offset(at);
        if at != self.at {
            let before = identity::before(&*self.file()?, at)?;
            let solid = identity::solid_before(&*self.file()?, at)?;
            self.taken = identity::line_before(&*self.file()?, at, max_line, self.line_end())?;
            (self.at, self.before, self.solid, self.half, self.open) = (at, before, solid, 0, 0);
        }
        Ok(())
    }

    /// Lets go of what cannot be read right now, until the next look.
    pub(super) fn cool_down(&mut self) {
        (self.hot, self.stamp) = (false, None);
    }

    /// What is to be stored.
    pub(super) fn position(&self, log: &LogName, finished: bool) -> Position {
        // What is read from an archive is found again by what it was made of.
        let (id, at) = self
            .packed
            .as_ref()
            .map_or((self.id(), self.moved), |packed| packed.origin());
        Position {
            key: self.source.key,
            identity: Identity {
                dev: id.dev,
                ino: id.ino,
                head: self.head,
            },
            path: self.source.path.to_string(),
            log: log.clone(),
            offset: self.at,
            before: self.before,
            trail: self.trail.marks(),
            finished,
            inside_line: self.is_inside_line(),
            at,
        }
    }

    /// Whether the line at its place was handed over in part.
    pub(super) fn is_inside_line(&self) -> bool {
        self.taken > 0
    }

    /// What stood before some of the offsets that were passed.
    pub(super) fn marks(&self) -> Vec<Mark> {
        self.trail.marks()
    }

    /// If `file` is a copy of this one: how far it was read already, together with this one.
    pub(super) fn copied_to(&self, file: &Handle) -> io::Result<Option<u64>> {
        let marks = self.trail.marks();
        let known = Original {
            head: self.head,
            before: self.before,
            at: self.at,
            trail: &marks,
            since: self.moved,
        };
        if let Some(at) = known.copied_to(file)? {
            return Ok(Some(at));
        }
        // While the original lies there uncut, its own bytes say more than any hash.
        let size = Seen::held(file)?.size;
        let same = trail::agree(&*self.file()?, file, size)?;
        // In this order: an original that is whole now was so then. A cut that was not noticed yet is, soon.
        if !self.is_whole()? {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(same.then_some(size.min(self.at)))
    }

    /// Whether the bytes before `at` are still what they were when they were read.
    pub(super) fn is_whole(&self) -> io::Result<bool> {
        identity::fits(&*self.file()?, self.head, self.before, self.at)
    }

    /// How its lines end.
    fn line_end(&self) -> LineEnd {
        self.source.manner.line_end
    }

    /// The path it was last seen under.
    pub(super) fn path(&self) -> &Path {
        Path::new(&*self.source.path)
    }
}
