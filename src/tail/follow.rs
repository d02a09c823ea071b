//! One file's life, from the moment it is met until it is rotated away, read to its end, and quiet. It is held open, but
//! for files that are idle while many others are followed ([`Descriptor`]).
//!
//! A look at a file goes like this:
//! 1. `fstat` the held descriptor, or `stat` the path of a closed file: did size or time of writing change? Only then is it read.
//! 2. Compare its first bytes with the head: a file that was overwritten from its start is another one.
//! 3. Read from a KiB *before* the offset, in the same call as the new bytes. If that KiB is not what it was,
//!    the file was cut and grew again past the offset, which no size can show.
//! 4. Learn what its first bytes tell about its lines, as long as they are too few to tell everything.
//! 5. Hand out whole lines; what is left is half a line, measured but not kept: it is read again with its
//!    rest.
//! 6. NULs where a line should begin are space that nobody wrote to yet, or a hole. They are skipped once
//!    something stands behind them and waited at until then.
//!
//! Where the unit is bytes, 4 to 6 do not apply: what was read is handed out.
//!
//! The trap: 2 and 3 come before any byte is handed out, also when a half line is given up on.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::SeekFrom;

use super::buffer::{self, Piece};
use super::descriptor::{Descriptor, Opened};
use super::identity::{self, FileId, Seen};
use super::lookout::Lookout;
use super::packed::Packed;
use super::pipe::Pipe;
use super::trail::{self, Original, Trail};
use super::{Chunk, Ending, LogSettings, Source, Unit};
use crate::model::{
    FileKey, Head, Identity, Joints, LineEnd, LogName, Manner, Mark, Moment, Now, Position, Timestamp,
};

/// How much of a file is read in one turn, at least; also the longest stretch of NULs looked at.
pub(super) const READ: usize = 256 * 1024;

/// How many NULs are looked through in one turn.
const MOST_ZEROS: usize = 16 * 1024 * 1024;

/// From this length on a half line is not read again before its newline was seen.
const LONG_HALF: u64 = 4096;

/// So much of a file's beginning is looked at first: it nearly always tells what there is to know.
const GLANCE: usize = 4096;

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is nothing more to read right now.
    Idle,
    /// There is more.
    More,
    /// The bytes before the offset are gone, and so many after it that were never read.
    Truncated { lost: u64 },
    /// It is not text at all.
    Compressed,
}

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
    /// There is, or may be, something to read.
    pub(super) hot: bool,
    /// The position was not handed out since it changed.
    pub(super) dirty: bool,
    /// When the position last moved.
    pub(super) moved: Timestamp,
}

/// What a reader lends to the file it reads.
pub(super) struct Reading<'a> {
    pub(super) buffer: &'a mut [u8],
    pub(super) unit: Unit,
    pub(super) max_line: usize,
    /// The logs that a source's indexes speak of.
    pub(super) logs: &'a [LogSettings],
    pub(super) now: Now,
    pub(super) visit: &'a mut dyn FnMut(&Source, Chunk<'_>),
}

impl Follower {
    /// Begins at `at`. `taken` bytes of the line there are behind it already.
    pub(super) fn new(file: File, source: Source, at: u64, taken: usize, now: Now) -> io::Result<Self> {
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
            hot: true,
            dirty: true,
            moved: now.wall,
        })
    }

    /// Goes on where a stored position ends.
    pub(super) fn resume(
        file: File,
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
    pub(super) fn reopen(&mut self, file: File, seen: &Seen) {
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
    pub(super) fn is_deleted(&self) -> bool {
        // A closed file whose path leads elsewhere may still lie somewhere.
        let meta = self.descriptor.held().map(File::metadata);
        meta.is_some_and(|meta| meta.is_ok_and(|meta| Seen::of(&meta).links == 0))
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

    /// Reads at most one buffer.
    pub(super) fn read(&mut self, with: &mut Reading<'_>) -> io::Result<Progress> {
        self.unread = false;
        let size = Seen::held(&*self.file()?)?.size;
        let blank = self.at == 0 && self.head.len == 0;
        if size < self.at || !self.starts_as_before()? {
            return Ok(self.truncated());
        }
        let touched = std::mem::take(&mut self.touched);
        if blank && (touched || self.head.len > 0) && with.unit == Unit::Lines && self.pipe.is_none() {
            // Nothing was known of it until now: it may have been written to, copied, and cut meanwhile. From here on its
            // first bytes tell a file that grew from one that began again.
            self.hot = true;
            return Ok(Progress::Truncated { lost: 0 });
        }
        let end = size.min(self.stop.unwrap_or(u64::MAX));
        if with.unit == Unit::Lines && size > self.at {
            self.learn(with)?;
        }
        let half = self.half;
        if half > LONG_HALF && self.line_end() == LineEnd::Byte && self.still_half(end, with)? {
            return Ok(self.settle(self.half > half && self.at + self.half < end));
        }
        let Some(read) = self.fill(end, with.unit, with.buffer)? else {
            return Ok(self.truncated());
        };
        self.proven = size;
        let lead = self.before.len as usize;
        if with.unit == Unit::Bytes {
            return Ok(self.pass_on(read, end, with));
        }
        if self.at == 0 && self.pipe.is_none() && identity::is_compressed(&with.buffer[..read]) {
            return Ok(Progress::Compressed);
        }
        let read_to = self.at + (read - lead) as u64;
        let new = &with.buffer[lead..read];
        let used = self.hand_out(new, with.max_line, with.logs, with.visit);
        let rest = &new[used..];
        let at_zeros = !rest.is_empty() && self.line_end().zeros(rest) == rest.len();
        self.advance(&with.buffer[..read], used, with.now);
        if at_zeros {
            return self.pass_zeros(end, with);
        }
        // Without progress the rest of the buffer is space that a writer reserved behind half a line.
        Ok(self.settle(used > 0 && read_to < end))
    }

    /// Hands over as it stands what waited long enough, or will have no rest any more: an event that goes on, or
    /// where there is none, half a line.
    pub(super) fn flush(&mut self, with: &mut Reading<'_>) -> io::Result<Progress> {
        if self.has_open() {
            return self.flush_open(with);
        }
        let end = self.at + self.half;
        let Some(read) = self.fill(end, with.unit, with.buffer)? else {
            return Ok(self.truncated());
        };
        let lead = self.before.len as usize;
        let bytes = &with.buffer[lead..read];
        if self.line_end().first(bytes).is_some() {
            self.hot = true;
            return Ok(Progress::More);
        }
        let used = self.line_end().floor(bytes.len());
        if used == 0 {
            // Half a letter is no line. Nothing at all says that the file was cut.
            (self.half, self.hot) = (0, bytes.is_empty());
            return Ok(Progress::Idle);
        }
        let bytes = &bytes[..used];
        let chunk = Chunk {
            offset: self.at,
            bytes,
            ending: Ending::Flushed,
            continued: self.taken > 0,
        };
        (with.visit)(&self.source, chunk);
        self.taken += used;
        let grew = self.grew;
        self.advance(&with.buffer[..read], used, with.now);
        // The file gave nothing new.
        (self.half, self.grew) = (0, grew);
        Ok(Progress::Idle)
    }

    /// The same where nothing more will come: an event that goes on and the half line behind it are handed over
    /// together, for that line may belong to the event.
    pub(super) fn flush_all(&mut self, with: &mut Reading<'_>) -> io::Result<Progress> {
        if !self.has_open() || self.half <= self.open {
            return self.flush(with);
        }
        let lead = self.before.len as usize;
        let Some(read) = self.fill(self.at + self.half, with.unit, with.buffer)? else {
            return Ok(self.truncated());
        };
        let open = usize::try_from(self.open).unwrap_or(usize::MAX);
        let bytes = &with.buffer[lead..read];
        let bytes = &bytes[..self.line_end().floor(bytes.len())];
        let half = bytes.get(open..).unwrap_or_default();
        if half.is_empty() || self.line_end().first(half).is_some() {
            return self.flush(with);
        }
        let (used, taken) = (bytes.len(), half.len());
        self.show_lines(bytes, 0, Ending::Flushed, with.visit);
        self.taken = taken;
        let grew = self.grew;
        self.advance(&with.buffer[..read], used, with.now);
        (self.half, self.open, self.grew) = (0, 0, grew);
        Ok(Progress::Idle)
    }

    fn flush_open(&mut self, with: &mut Reading<'_>) -> io::Result<Progress> {
        let lead = self.before.len as usize;
        let Some(read) = self.fill(self.at + self.half, with.unit, with.buffer)? else {
            return Ok(self.truncated());
        };
        let used = usize::try_from(self.open).unwrap_or(usize::MAX);
        let Some(lines) = with.buffer[..read].get(lead..lead.saturating_add(used)) else {
            return Ok(self.truncated());
        };
        self.show_lines(lines, 0, Ending::Newline, with.visit);
        self.taken = 0;
        let grew = self.grew;
        self.advance(&with.buffer[..read], used, with.now);
        (self.open, self.grew) = (0, grew);
        Ok(Progress::Idle)
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
    pub(super) fn copied_to(&self, file: &File) -> io::Result<Option<u64>> {
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

    /// Looks at the first bytes as long as more of them may tell more.
    fn learn(&mut self, with: &mut Reading<'_>) -> io::Result<()> {
        if !self.source.manner.open {
            return Ok(());
        }
        let log = self.source.logs[0];
        let Some(joints) = with.logs[log].joints.as_ref() else {
            self.source.manner.open = false;
            return Ok(());
        };
        for most in [GLANCE, Manner::FIRST] {
            let most = most.min(with.buffer.len());
            let read = identity::read_at(&*self.file()?, &mut with.buffer[..most], 0)?;
            self.source.manner = joints.manner(&self.source.path, &with.buffer[..read]);
            if !self.source.manner.open || read < most {
                break;
            }
        }
        Ok(())
    }

    /// The path it was last seen under.
    pub(super) fn path(&self) -> &Path {
        Path::new(&*self.source.path)
    }

    fn truncated(&mut self) -> Progress {
        self.hot = true;
        Progress::Truncated {
            lost: self.proven.saturating_sub(self.at),
        }
    }

    /// Compares the head, and lets it grow with a short file.
    fn starts_as_before(&mut self) -> io::Result<bool> {
        let first = identity::first_bytes(&*self.file()?)?;
        let same = self.head.fits(&first);
        let now = Head::of(&first);
        if same && now != self.head {
            self.head = now;
            self.dirty = true;
        }
        Ok(same)
    }

    /// Reads from a KiB before `at` up to `end`. Nothing, if that KiB is not what it was.
    fn fill(&self, end: u64, unit: Unit, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let lead = u64::from(self.before.len);
        let from = self.at - lead;
        let wanted = usize::try_from(end.saturating_sub(from))
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = identity::read_at(
            &*self.file()?,
            &mut buffer[..wanted.max(self.before.len as usize)],
            from,
        )?;
        Ok(buffer[..read]
            .get(..self.before.len as usize)
            .filter(|b| Head::of(b) == self.before || (unit == Unit::Bytes && self.was_filled_in(b)))
            .map(|_| read))
    }

    /// Whether the KiB before `at` differs from what it was by nothing but text in place of NULs that were handed out
    /// as bytes: a writer used the space it had reserved, and what was shown is not shown again.
    fn was_filled_in(&self, before: &[u8]) -> bool {
        self.solid.len < self.before.len && self.solid.fits(before)
    }

    /// Looks for a newline in what came after a long half line, without reading the half itself again.
    fn still_half(&mut self, end: u64, with: &mut Reading<'_>) -> io::Result<bool> {
        let from = self.at + self.half;
        let room = with.max_line.saturating_sub(self.taken) as u64;
        let wanted = usize::try_from(end.saturating_sub(from))
            .unwrap_or(usize::MAX)
            .min(with.buffer.len());
        let read = identity::read_at(&*self.file()?, &mut with.buffer[..wanted], from)?;
        let new = &with.buffer[..read];
        if memchr::memchr(b'\n', new).is_some() || self.half + read as u64 > room {
            return Ok(false);
        }
        self.measure_half(self.half + identity::written(new) as u64, with.now);
        Ok(true)
    }

    /// Hands out all whole lines of `new`, which begin at `at`, but for an event that goes on, and says how many
    /// bytes are done with.
    fn hand_out(
        &mut self,
        new: &[u8],
        max_line: usize,
        logs: &[LogSettings],
        visit: &mut dyn FnMut(&Source, Chunk<'_>),
    ) -> usize {
        let mut used = 0;
        self.open = 0;
        loop {
            match buffer::next_piece(&new[used..], self.taken, max_line, self.line_end()) {
                Piece::Lines { len, ending, taken } => {
                    let done = self.whole(&new[used..used + len], used as u64, ending, logs);
                    let waits = done < len && self.may_go_on(&new[used + len..], max_line);
                    let open = if waits { len - done } else { 0 };
                    let len = len - open;
                    if len > 0 {
                        self.show_lines(&new[used..used + len], used as u64, ending, visit);
                        (used, self.taken) = (used + len, taken);
                    }
                    if waits {
                        self.open = open as u64;
                        return used;
                    }
                }
                Piece::Skip { len, taken } => (used, self.taken) = (used + len, taken),
                Piece::Half { .. } => return used,
            }
        }
    }

    /// How much of these lines, which stand `used` bytes behind `at`, may be handed out: up to where an event ends for
    /// every log. Where their events have no end in common, the first log has its way.
    fn whole(&self, lines: &[u8], used: u64, ending: Ending, logs: &[LogSettings]) -> usize {
        if ending != Ending::Newline {
            return lines.len();
        }
        let (manner, offset) = (self.source.manner, self.at + used);
        let joints = self
            .source
            .logs
            .iter()
            .filter_map(|&log| logs[log].joints.as_ref());
        let mut upto = lines.len();
        loop {
            let ends = joints
                .clone()
                .map(|joints| joints.whole(manner, lines, offset, upto));
            let end = ends.min().unwrap_or(upto);
            if end == upto {
                break;
            }
            upto = end;
        }
        let first = &logs[self.source.logs[0]];
        if upto == 0 && lines.len() >= first.max_line {
            let whole = |joints: &Arc<dyn Joints>| joints.whole(manner, lines, offset, lines.len());
            return first.joints.as_ref().map_or(lines.len(), whole);
        }
        upto
    }

    /// Whether an event before `rest` may go on in it. A line that is cut and a hole end it, whether they are read
    /// now or later.
    fn may_go_on(&self, rest: &[u8], max_line: usize) -> bool {
        let piece = buffer::next_piece(rest, 0, max_line, self.line_end());
        matches!(piece, Piece::Half { .. })
    }

    fn show_lines(&self, bytes: &[u8], used: u64, ending: Ending, visit: &mut dyn FnMut(&Source, Chunk<'_>)) {
        let chunk = Chunk {
            offset: self.at + used,
            bytes,
            ending,
            continued: self.taken > 0,
        };
        visit(&self.source, chunk);
    }

    /// Hands out what was read as bytes; while there is more, up to a newline: another file may speak in between.
    fn pass_on(&mut self, read: usize, end: u64, with: &mut Reading<'_>) -> Progress {
        let new = &with.buffer[self.before.len as usize..read];
        let more = self.at + (new.len() as u64) < end;
        let whole = memchr::memrchr(b'\n', new).map(|newline| newline + 1);
        let used = whole.filter(|_| more).unwrap_or(new.len());
        // The first time also if it is nothing.
        if std::mem::take(&mut self.unseen) || used > 0 {
            self.show(&new[..used], with.visit);
        }
        self.advance(&with.buffer[..read], used, with.now);
        // What is left is read again at once; nothing is waited for.
        self.half = 0;
        self.settle(more)
    }

    fn show(&mut self, bytes: &[u8], visit: &mut dyn FnMut(&Source, Chunk<'_>)) {
        let newline = memchr::memrchr(b'\n', bytes);
        let open = bytes.len() - newline.map_or(0, |newline| newline + 1);
        let chunk = Chunk {
            offset: self.at,
            bytes,
            ending: if open == 0 && newline.is_some() {
                Ending::Newline
            } else {
                Ending::Flushed
            },
            continued: self.taken > 0,
        };
        visit(&self.source, chunk);
        self.taken = newline.map_or(self.taken, |_| 0) + open;
    }

    /// Moves `at` over `used` bytes. `read` holds the KiB before `at` and all that was read after it.
    fn advance(&mut self, read: &[u8], used: usize, now: Now) {
        let done = self.before.len as usize + used;
        let half = self.line_end().written(&read[done..]) as u64;
        if used > 0 {
            self.trail.pass(self.at, read, self.before.len as usize, used);
            self.at += used as u64;
            let before = &read[done.saturating_sub(Head::FULL as usize)..done];
            self.before = Head::of(before);
            self.solid = identity::solid(before);
            (self.dirty, self.moved, self.grew) = (true, now.wall, now.moment);
        }
        self.measure_half(half, now);
    }

    fn measure_half(&mut self, half: u64, now: Now) {
        if half != self.half {
            self.grew = now.moment;
        }
        self.half = half;
    }

    fn settle(&mut self, more: bool) -> Progress {
        self.hot = more;
        if more { Progress::More } else { Progress::Idle }
    }

    /// Stands before NULs: goes on behind them if anything stands there, else waits.
    fn pass_zeros(&mut self, end: u64, with: &mut Reading<'_>) -> io::Result<Progress> {
        let end = self.line_end().floor_offset(end);
        for _ in 0..MOST_ZEROS / READ {
            let Some(from) = self.next_data(end) else { break };
            let wanted = usize::try_from(end - from)
                .unwrap_or(usize::MAX)
                .min(with.buffer.len());
            let read = identity::read_at(&*self.file()?, &mut with.buffer[..wanted], from)?;
            let run = self.line_end().zeros(&with.buffer[..read]);
            self.zeros_to = from + run as u64;
            if run < read {
                self.at = self.zeros_to;
                self.before = identity::before(&*self.file()?, self.at)?;
                (self.half, self.open) = (0, 0);
                (self.dirty, self.moved) = (true, with.now.wall);
                return Ok(self.settle(true));
            }
            if read == 0 {
                break;
            }
        }
        let more = self.next_data(end).is_some();
        if !more && self.pipe.is_some() {
            return self.skip_zeros(end, with.now);
        }
        if !more {
            self.hollow = self.stamp;
            self.zeros_to = 0;
        }
        Ok(self.settle(more))
    }

    /// What came through a pipe is not filled in later.
    fn skip_zeros(&mut self, end: u64, now: Now) -> io::Result<Progress> {
        self.before = identity::before(&*self.file()?, end)?;
        self.solid = identity::solid_before(&*self.file()?, end)?;
        (self.at, self.half, self.open, self.zeros_to) = (end, 0, 0, 0);
        (self.dirty, self.moved) = (true, now.wall);
        Ok(self.settle(false))
    }

    /// Where the next byte before `end` is that may not be a NUL; holes are jumped over.
    fn next_data(&self, end: u64) -> Option<u64> {
        let from = self.at.max(self.zeros_to);
        let file = self.file().ok()?;
        let data = match rustix::fs::seek(&*file, SeekFrom::Data(from)) {
            Ok(data) => data,
            Err(rustix::io::Errno::NXIO) => return None,
            // A filesystem that knows no holes.
            Err(_) => from,
        };
        (data < end).then_some(data)
    }
}
