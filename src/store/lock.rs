//! Who owns the folder: one process, by a lock on a file of its own.
//!
//! `SQLite`'s locks are not used for this: they would tell the second process "database is locked" and not
//! who locks it. The lock ends with the process, however it ends, so there is nothing to clean up; the
//! number in the file is for people only.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;

/// The name of the lock file.
pub(super) const LOCK: &str = "lock";

/// Whoever only looks whether the folder is used ([`holder`]) holds the lock for a moment, so a start that finds
/// it held tries so often more, with this pause before each.
const MORE: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

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
    /// Takes the lock of a folder, within a moment or not at all.
    pub(super) fn take(dir: &Path) -> Result<Self, Refused> {
        let mut file = open(&dir.join(LOCK)).map_err(Refused::Io)?;
        for more in (0..=MORE).rev() {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if more > 0 => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(Refused::Held(number(&mut file))),
                Err(TryLockError::Error(error)) => return Err(Refused::Io(error)),
            }
        }
        // What counts is the lock; a full disk that cannot take the number is no reason to stop.
        let _ = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

/// Opens a file of the state folder, or makes one that is its owner's alone.
pub(super) fn open(path: &Path) -> io::Result<File> {
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

/// A process that has a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number, as it wrote itself down; in a container the number may be one of another container.
    pub pid: Option<u32>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}

/// Who has the lock of a folder now. Makes nothing and writes nothing.
pub(super) fn holder(dir: &Path) -> io::Result<Option<Holder>> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(no_follow())
        .open(dir.join(LOCK));
    let mut file = match opened {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        opened => opened?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(Holder {
            pid: number(&mut file),
        })),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn number(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
