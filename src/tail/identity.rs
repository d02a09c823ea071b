//! How a file is opened, looked at and recognised.
//!
//! Not for deciding what follows from it; that is `tailer`'s. The trap: a path says nothing about the bytes
//! behind it, so everything that decides about a held file asks its descriptor.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::io::Errno;

use super::handle::Handle;
use super::{distant, seam};
use crate::model::{Head, LineEnd, Position};

/// Clocks of filesystems lag, those of other machines more: times this close, in nanoseconds, are the same.
pub(super) const CLOCK_SLACK: i128 = 1_000_000_000;

/// What `st_blocks` counts in, whatever the file system does.
const BLOCK: u64 = 512;

/// Device and inode: names a file as long as it is held open, and no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FileId {
    pub(super) dev: u64,
    pub(super) ino: u64,
}

/// What `stat` says about a file, as far as we care.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) id: FileId,
    pub(super) size: u64,
    /// When it was last written, in nanoseconds of the wall clock.
    pub(super) written: i128,
    /// When it was born, where the filesystem knows.
    pub(super) born: Option<i128>,
    pub(super) regular: bool,
    pub(super) folder: bool,
    pub(super) fifo: bool,
    pub(super) owner: u32,
    pub(super) mode: u32,
    /// Names that lead to it; 0 when it was deleted.
    pub(super) links: u64,
    /// Bytes of the disk that it takes.
    pub(super) disk: u64,
}

impl Seen {
    pub(super) fn of(meta: &Metadata) -> Self {
        let born = meta
            .created()
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        Self {
            id: FileId {
                dev: meta.dev(),
                ino: meta.ino(),
            },
            size: meta.len(),
            written: i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()),
            born: born.and_then(|time| i128::try_from(time.as_nanos()).ok()),
            regular: meta.is_file(),
            folder: meta.is_dir(),
            fifo: meta.file_type().is_fifo(),
            owner: meta.uid(),
            mode: meta.mode() & 0o7777,
            links: meta.nlink(),
            disk: meta.blocks().saturating_mul(BLOCK),
        }
    }

    /// Looks at what is open, wherever it lies by now.
    pub(super) fn held(file: &Handle) -> io::Result<Self> {
        seam::pass()?;
        file.metadata().map(|meta| Self::of(&meta))
    }

    /// Looks at whatever the path leads to, symlinks followed.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        distant::ask(path, |path| std::fs::metadata(path).map(|meta| Self::of(&meta)))
    }
}

/// Opens for reading without ever waiting for a writer or becoming a terminal's owner, whatever the path
/// turned into since it was looked at.
pub(super) fn open(path: &Path) -> io::Result<Handle> {
    #[cfg(test)]
    heed_mode(path)?;
    seam::pass()?;
    Handle::open(path)
}

/// Tests may run as root, whom no mode keeps out: here the owner's bit speaks for everyone.
#[cfg(test)]
fn heed_mode(path: &Path) -> io::Result<()> {
    let may_read = Seen::at(path)?.mode & 0o400 != 0;
    may_read
        .then_some(())
        .ok_or(io::ErrorKind::PermissionDenied.into())
}

/// Whether opening failed because so many files are open already, whatever the file.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    let full = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|code| full.contains(&code))
}

/// Whether the system failed, or gave no answer, which says nothing about the file.
pub(super) fn may_pass(error: &io::Error) -> bool {
    let failed = [
        Errno::IO,
        Errno::STALE,
        Errno::NOMEM,
        Errno::NOTCONN,
        Errno::HOSTDOWN,
    ]
    .map(Errno::raw_os_error);
    let failed = error.raw_os_error().is_some_and(|code| failed.contains(&code));
    failed || error.kind() == io::ErrorKind::TimedOut
}

/// Reads at `offset` until `buffer` is full or the file ends.
pub(super) fn read_at(file: &Handle, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    seam::pass()?;
    file.read_at(buffer, offset)
}

/// The first bytes, as far as a head reaches. NULs at their end are left out: they are space that a writer
/// reserved, and will be something else once it is written to.
pub(super) fn first_bytes(file: &Handle) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; Head::FULL as usize];
    let read = read_at(file, &mut bytes, 0)?;
    bytes.truncate(written(&bytes[..read]));
    Ok(bytes)
}

/// The hash of the (at most) last KiB before `offset`.
pub(super) fn before(file: &Handle, offset: u64) -> io::Result<Head> {
    last_kib(file, offset).map(|bytes| Head::of(&bytes))
}

/// The same without the NULs at its end: what stays when the space they hold is written to.
pub(super) fn solid_before(file: &Handle, offset: u64) -> io::Result<Head> {
    last_kib(file, offset).map(|bytes| solid(&bytes))
}

/// The hash of `bytes` without the NULs at their end.
pub(super) fn solid(bytes: &[u8]) -> Head {
    Head::of(&bytes[..written(bytes)])
}

fn last_kib(file: &Handle, offset: u64) -> io::Result<Vec<u8>> {
    let len = offset.min(u64::from(Head::FULL));
    let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
    let read = read_at(file, &mut bytes, offset - len)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// How long `bytes` are without the NULs at their end.
pub(super) fn written(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1)
}

/// Whether a file can be one that began with `head` and had `before` ahead of `offset`.
pub(super) fn fits(file: &Handle, head: Head, before_offset: Head, offset: u64) -> io::Result<bool> {
    Ok(Seen::held(file)?.size >= offset
        && head.fits(&first_bytes(file)?)
        && (offset == 0 || before(file, offset)? == before_offset))
}

/// [`fits`], for a stored position. A file that was never opened has shown no bytes to compare: it is known by
/// its inode, and by not being younger than its position.
pub(super) fn fits_position(file: &Handle, position: &Position) -> io::Result<bool> {
    if was_never_opened(position) {
        let seen = Seen::held(file)?;
        let stored = i128::from(position.at.0) * 1_000_000 + CLOCK_SLACK;
        return Ok(seen.id.ino == position.identity.ino
            && seen.size >= position.offset
            && seen.born.is_none_or(|born| born <= stored));
    }
    if fits(file, position.identity.head, position.before, position.offset)? {
        return Ok(true);
    }
    // The head may reach beyond the position, over bytes that waited for their rest, and a copy may end before those:
    // then what stands before the position reaches back to the first byte.
    let len = Seen::held(file)?.size;
    let short = len < u64::from(position.identity.head.len) && (1..=len).contains(&position.offset);
    Ok(short && before(file, position.offset)? == position.before)
}

/// Whether the position was made of what `stat` says, because the file could not be opened: nothing else has
/// an offset and no bytes before it.
pub(super) fn was_never_opened(position: &Position) -> bool {
    position.offset > 0 && position.before.len == 0
}

/// How many bytes of the line that holds `offset` lie before it, at most `limit`.
pub(super) fn line_before(file: &Handle, offset: u64, limit: usize, end: LineEnd) -> io::Result<usize> {
    let limit = end.floor(limit);
    let len = offset.min(limit as u64);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(limit)];
    let read = read_at(file, &mut bytes, offset - len)?;
    let bytes = &bytes[..read];
    Ok(bytes.len() - end.last(bytes).unwrap_or_default())
}

/// Whether the name says that the file is compressed.
pub(super) fn has_compressed_name(path: &Path) -> bool {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    ["gz", "zst", "xz", "bz2"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

/// Whether the first bytes are those of gzip, zstd, xz or bzip2.
pub(super) fn is_compressed(first: &[u8]) -> bool {
    const MAGIC: [&[u8]; 3] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0"];
    let bzip2 = first.starts_with(b"BZh") && first.get(4..10) == Some(b"1AY&SY");
    bzip2 || MAGIC.iter().any(|magic| first.starts_with(magic))
}

/// Whether `name` looks like what a rotator makes of `base`: `app.log.1`, `app.log-20260102`, `app.log.old`,
/// `app-2026-01-02.log`. Looser than this would read a neighbour that merely begins alike.
pub(super) fn is_generation(name: &str, base: &str) -> bool {
    let numbered = |middle: &str| {
        middle.bytes().any(|byte| byte.is_ascii_digit())
            && middle
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b".-_T:".contains(&byte))
    };
    if let Some(rest) = name.strip_prefix(base) {
        // `app.log.10` is no generation of `app.log.1`.
        let longer = base.ends_with(|last: char| last.is_ascii_digit())
            && rest.starts_with(|next: char| next.is_ascii_digit());
        return (numbered(rest) && !longer) || [".old", ".bak", "~"].contains(&rest);
    }
    let Some((stem, extension)) = base.rsplit_once('.') else {
        return false;
    };
    let middle = name
        .strip_prefix(stem)
        .and_then(|rest| rest.strip_suffix(extension))
        .and_then(|m| m.strip_suffix('.'));
    middle.is_some_and(numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotators_names_are_told_from_neighbours() {
        for name in [
            "app.log.1",
            "app.log-20260102",
            "app.log.2026-01-02T10:00",
            "app.log.old",
            "app-2026-01-02.log",
        ] {
            assert!(is_generation(name, "app.log"), "{name}");
        }
        for name in [
            "app.log",
            "app.log.audit",
            "apply.log",
            "app.log.1.gz",
            "app2.txt",
            "other.log",
        ] {
            assert!(!is_generation(name, "app.log"), "{name}");
        }
        assert!(is_generation("app.log.1.1", "app.log.1") && !is_generation("app.log.10", "app.log.1"));
    }

    #[test]
    fn compressed_bytes_are_known_by_their_first_ones() {
        assert!(is_compressed(b"\x1f\x8b\x08"));
        assert!(is_compressed(b"BZh91AY&SY"));
        assert!(!is_compressed(b"BZh is a word in a log"));
        assert!(!is_compressed(b""));
    }
}
