//! Who owns the folder: one process, by a lock on a file of its own.
//!
//! `SQLite`'s locks are not used for this: they would tell the second process "database is locked" and not
//! who locks it. The lock ends with the process, however it ends, so there is nothing to clean up; the
//! number in the file is for people only.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// The name of the lock file.
pub(super) const LOCK: &str = "lock";

/// The folder is ours until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Why it is not.
#[derive(Debug)]
pub(super) enum Refused {
    /// Another process has it: its number, if it could be read.
    Held(Option<u32>),
    /// The file could not be made or locked.
    Io(io::Error),
}

impl Lock {
    /// Takes the lock of a folder, at once or not at all.
    pub(super) fn take(dir: &Path) -> Result<Self, Refused> {
        let mut file = open(&dir.join(LOCK)).map_err(Refused::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Refused::Held(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(Refused::Io(error)),
        }
        // What counts is the lock; a full disk that cannot take the number is no reason to stop.
        let _ = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(path)
}

/// Opening fails on a symbolic link, which someone else may have planted.
pub(super) fn no_follow() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC)
        .bits()
        .cast_signed()
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
