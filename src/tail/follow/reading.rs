//! Reading a file: what a look asks before a byte is handed out, and which bytes are.
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

use std::io;
use std::sync::Arc;

use super::super::buffer::{self, Piece};
use super::super::identity::{self, Seen};
use super::super::{Chunk, Ending, LogSettings, Source, Unit};
use super::Follower;
use crate::model::{Head, Joints, LineEnd, Manner, Now};

/// How much of a file is read in one turn, at least; also the longest stretch of NULs looked at.
pub(in crate::tail) const READ: usize = 256 * 1024;

/// From this length on a half line is not read again before its newline was seen.
const LONG_HALF: u64 = 4096;

/// So much of a file's beginning is looked at first: it nearly always tells what there is to know.
const GLANCE: usize = 4096;

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tail) enum Progress {
    /// There is nothing more to read right now.
    Idle,
    /// There is more.
    More,
    /// The bytes before the offset are gone, and so many after it that were never read.
    Truncated { lost: u64 },
    /// It is not text at all.
    Compressed,
}

/// What a reader lends to the file it reads.
pub(in crate::tail) struct Reading<'a> {
    pub(in crate::tail) buffer: &'a mut [u8],
    pub(in crate::tail) unit: Unit,
    pub(in crate::tail) max_line: usize,
    /// The logs that a source's indexes speak of.
    pub(in crate::tail) logs: &'a [LogSettings],
    pub(in crate::tail) now: Now,
    pub(in crate::tail) visit: &'a mut dyn FnMut(&Source, Chunk<'_>),
}

impl Follower {
    /// Reads at most one buffer.
    pub(in crate::tail) fn read(&mut self, with: &mut Reading<'_>) -> io::Result<Progress> {
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
    pub(in crate::tail) fn flush(&mut self, with: &mut Reading<'_>) -> io::Result<Progress> {
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
    pub(in crate::tail) fn flush_all(&mut self, with: &mut Reading<'_>) -> io::Result<Progress> {
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

    pub(super) fn settle(&mut self, more: bool) -> Progress {
        self.hot = more;
        if more { Progress::More } else { Progress::Idle }
    }
}
