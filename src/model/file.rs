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
