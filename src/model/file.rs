//! How a file is recognised again, and how far it was read.

use serde::{Deserialize, Serialize};

use super::{FileKey, LogName, Timestamp};

/// A hash of the first bytes of a file. It grows with a short file, up to [`Head::FULL`] bytes, so that
/// small files have one too and equal first lines do not stay equal for long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Head {
    /// How many bytes were hashed.
    pub len: u32,
    /// Their XXH3 hash.
    pub hash: u64,
}

impl Head {
    /// From this many bytes on a head no longer grows.
    pub const FULL: u32 = 1024;

    /// The head of a file that begins with `bytes`; what lies beyond [`Head::FULL`] is not looked at.
    pub fn of(bytes: &[u8]) -> Self {
        let len = u32::try_from(bytes.len()).map_or(Self::FULL, |len| len.min(Self::FULL));
        Self {
            len,
            hash: xxhash_rust::xxh3::xxh3_64(&bytes[..len as usize]),
        }
    }

    /// Whether a file that now begins with `bytes` can be the file this head was taken from. A file with
    /// fewer bytes than the head was taken from is not the same any more.
    pub fn fits(self, bytes: &[u8]) -> bool {
        bytes
            .get(..self.len as usize)
            .is_some_and(|start| Self::of(start) == self)
    }
}

/// What a generation of a file looks like from outside. The inode alone is reused, the head alone confuses
/// equal headers, the device number changes across restarts: inode and head together are the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Device number; a hint only.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Hash of the first bytes.
    pub head: Head,
}

/// What a generation looked like at an offset that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Mark {
    /// The offset, in bytes.
    pub offset: u64,
    /// The XXH3 hash of the (at most) last KiB before it.
    pub hash: u64,
}

impl Mark {
    /// One of a file that had `before` ahead of `offset`.
    pub fn new(offset: u64, before: Head) -> Self {
        Self {
            offset,
            hash: before.hash,
        }
    }

    /// What stood before the offset: all there is, up to a KiB.
    pub fn before(self) -> Head {
        let len = u32::try_from(self.offset).map_or(Head::FULL, |len| len.min(Head::FULL));
        Head { len, hash: self.hash }
    }
}

impl From<(u64, u64)> for Mark {
    fn from((offset, hash): (u64, u64)) -> Self {
        Self { offset, hash }
    }
}

impl From<Mark> for (u64, u64) {
    fn from(mark: Mark) -> Self {
        (mark.offset, mark.hash)
    }
}

/// How far one generation of a file was read: everything before `offset` was handed to the ledger in the
/// same commit that stored this, and nothing after it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The generation.
    pub key: FileKey,
    /// How to recognise it.
    pub identity: Identity,
    /// Where it was last seen.
    pub path: String,
    /// The log that reads it.
    pub log: LogName,
    /// The first byte of the oldest event that the ledger does not have yet.
    pub offset: u64,
    /// Hash of the (at most) last KiB before `offset`: recognises a rotator's copy of this file.
    pub before: Head,
    /// The same at some of the offsets before it, ascending: recognises a copy that ends before `offset`. Rows of
    /// older versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trail: Vec<Mark>,
    /// Whether the file ended: it was rotated away or deleted, read to its end, and let go.
    pub finished: bool,
    /// Whether the line that holds `offset` was already handed over in part (it was cut at `max_line`, or
    /// flushed without its newline): what follows up to the newline is a continuation.
    pub inside_line: bool,
    /// When it last moved.
    pub at: Timestamp,
}

/// Bytes that were destroyed before they were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The file.
    pub path: String,
    /// When it was noticed.
    pub at: Timestamp,
    /// What happened.
    pub kind: GapKind,
    /// How many bytes are known to be lost; what was written and destroyed between two looks is not
    /// known.
    pub bytes: u64,
}

/// Why bytes were never read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GapKind {
    /// The file was cut, or overwritten from its start, with unread bytes in it.
    Truncated,
    /// The generation could not be found again after a restart.
    Vanished,
}
