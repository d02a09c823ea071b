//! A file that grows and can be read again only around the place that is read: what comes out of an archive or a pipe is
//! appended to it, and it is followed like any other file.
//!
//! It has no name and lies in memory. It holds the first bytes and a window around the place that is read; what lies
//! before is given back, and a run of NULs at the end of what is appended is a hole. So it may grow to any length.
//!
//! Not here: where its bytes come from, and how many may wait in it; that is the business of whoever appends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, MemfdFlags};

use super::handle::Handle;
use super::identity;
use crate::model::Head;

/// So much before the place that is read can be asked for again, beyond a line.
const KEPT: u64 = 64 * 1024;

/// What lies before is given back in pieces of this size.
const PIECE: u64 = 64 * 1024;

/// The first bytes stay, for they say which file it is; whole pages, since no less is given back.
const FIRST: u64 = 4096;

/// The file.
#[derive(Debug)]
pub(super) struct Window {
    file: Arc<File>,
    /// The same, for whoever reads it.
    shown: Handle,
    /// How much was appended.
    size: u64,
    /// Up to here all but the first bytes was given back.
    freed: u64,
    /// The longest line that may be asked for again.
    longest: u64,
}

impl Window {
    /// An empty one. `name` is for whoever looks at this process from outside.
    pub(super) fn new(name: &str, longest: usize) -> io::Result<Self> {
        let file = Arc::new(File::from(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?));
        Ok(Self {
            shown: Handle::from(Arc::clone(&file)),
            file,
            size: 0,
            freed: FIRST,
            longest: longest as u64,
        })
    }

    /// The file to read from.
    pub(super) fn file(&self) -> &Handle {
        &self.shown
    }

    /// How much was appended.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Lines may be longer from now on.
    pub(super) fn widen(&mut self, longest: usize) {
        self.longest = self.longest.max(longest as u64);
    }

    /// Whether what stood from `from` on is still there.
    pub(super) fn has(&self, from: u64) -> bool {
        from >= self.freed || self.freed == FIRST
    }

    /// Puts bytes to the end of the file.
    pub(super) fn append(&mut self, new: &[u8]) -> io::Result<()> {
        let written = identity::written(new);
        self.file.write_all_at(&new[..written], self.size)?;
        let size = self.size + new.len() as u64;
        if written < new.len() {
            self.file.set_len(size)?;
        }
        self.size = size;
        Ok(())
    }

    /// What lies well before `at` is no longer needed.
    pub(super) fn give_back(&mut self, at: u64) -> io::Result<()> {
        let needed = at.saturating_sub(self.longest + KEPT + u64::from(Head::FULL)) / PIECE * PIECE;
        if needed > self.freed {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(&self.file, flags, self.freed, needed - self.freed)?;
            self.freed = needed;
        }
        Ok(())
    }
}
