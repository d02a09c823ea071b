//! The high-water mark: which turn was committed last, kept outside of the database.
//!
//! `SQLite` takes its log as far as the log makes sense and forgets the rest without a word: a log that was cut, removed
//! or put back from a copy looks like an older store that is perfectly sound. So after each commit its turn is
//! written here, over the same 60 bytes. A store that is found below its mark has lost commits.
//!
//! The mark is never synced. A killed process leaves it exact, since what was written is the kernel's; after a power cut it
//! may be older than the store, and then it accuses nobody. It is written after the commit, so it is never ahead of a
//! store that is sound. What cannot be read, or names another store, says nothing.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::lock;
use crate::model::{StoreId, TurnNo};

/// The name of the file.
pub(super) const MARK: &str = "turn";

/// The open mark of a folder.
#[derive(Debug)]
pub(super) struct Mark {
    /// Absent where it cannot be made or written; the store does without.
    file: Option<File>,
}

impl Mark {
    /// Opens the mark of a folder, or makes one. Fails never: a store without a mark is as good as before.
    pub(super) fn open(dir: &Path) -> Self {
        let open = || -> io::Result<File> {
            let file = lock::open(&dir.join(MARK))?;
            // A pipe or a device in its place is nothing to write to.
            if file.metadata()?.is_file() {
                Ok(file)
            } else {
                Err(io::ErrorKind::InvalidInput.into())
            }
        };
        Self { file: open().ok() }
    }

    /// The turn that this store committed last, as far as the mark knows.
    pub(super) fn turn(&self, store: StoreId) -> Option<TurnNo> {
        let mut bytes = [0; 128];
        let read = self.file.as_ref()?.read_at(&mut bytes, 0).ok()?;
        let text = std::str::from_utf8(&bytes[..read]).ok()?;
        let turn = TurnNo(text.split(' ').nth(1)?.parse().ok()?);
        (text == line(store, turn)).then_some(turn)
    }

    /// This turn is committed.
    pub(super) fn set(&self, store: StoreId, turn: TurnNo) {
        if let Some(file) = &self.file {
            // What cannot be written stays behind, and then it misses a loss; it never makes one up.
            let _ = file.write_all_at(line(store, turn).as_bytes(), 0);
        }
    }
}

/// Always of one length, so that a new line covers the old one.
fn line(store: StoreId, turn: TurnNo) -> String {
    let what = format!("{:016x} {:020}", store.0, turn.0);
    format!("{what} {:016x}\n", xxh3_64(what.as_bytes()))
}
