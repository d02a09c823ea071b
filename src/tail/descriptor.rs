//! The descriptor of a followed file, which is closed while nobody writes to the file and many others are followed.
//!
//! What is closed is known by its device, its inode and the time of its birth, and opened again under its path; the
//! bytes are compared by whoever reads them (head, and the KiB before the offset).
//!
//! The trap: while it is closed its inode is free to be used for another file. So a path is believed only if all that
//! is known agrees, and what was written and deleted in between can only be guessed at.

use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Settings;
use super::handle::Handle;
use super::identity::{self, FileId, Seen};

/// So many files are held open for as long as nothing is written to them.
const KEEP: usize = 256;

/// What the rest of the process needs: the store, sockets, a folder that is listed, rules.toml being looked at.
const RESERVE: usize = 40;

/// So few files may be held open even where the process may hold hardly any.
const LEAST: usize = 4;

/// How many files are held open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Beyond so many, files that are idle are closed.
    pub(super) keep: usize,
    /// Beyond so many, nothing is opened before something else was closed.
    pub(super) most: usize,
    /// A file that nobody wrote to for so long is idle.
    pub(super) idle: Duration,
}

impl Budget {
    /// What this process may have, by its soft limit.
    pub(super) fn of_process() -> Self {
        let limit = getrlimit(Resource::Nofile).current;
        let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let most = (limit - RESERVE.min(limit / 2)).max(LEAST);
        Self {
            keep: KEEP.min(most),
            most,
            idle: Settings::HOLD,
        }
    }

    /// Everything stays open, whatever the process may have: for whoever follows descriptors and no paths.
    pub(super) fn boundless() -> Self {
        Self {
            keep: usize::MAX,
            most: usize::MAX,
            idle: Settings::HOLD,
        }
    }
}

/// Lets this process hold as many files as it is ever allowed to. The soft limit is low for the sake of programs that
/// use `select`, and this is none.
pub fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // A system that refuses leaves us with less, which is counted with.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: maximum,
                maximum,
            },
        );
    }
}

/// A file's descriptor, open or closed.
#[derive(Debug)]
pub(super) struct Descriptor {
    pub(super) id: FileId,
    /// When the file was born, where the filesystem knows.
    pub(super) born: Option<i128>,
    file: Option<Handle>,
}

/// A descriptor to ask: the one that is held, or one for just this question.
pub(super) enum Opened<'a> {
    Held(&'a Handle),
    Lent(Handle),
}

impl Deref for Opened<'_> {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        match self {
            Self::Held(file) => file,
            Self::Lent(file) => file,
        }
    }
}

impl Descriptor {
    pub(super) fn new(file: Handle, seen: &Seen) -> Self {
        Self {
            id: seen.id,
            born: seen.born,
            file: Some(file),
        }
    }

    pub(super) fn held(&self) -> Option<&Handle> {
        self.file.as_ref()
    }

    /// The file to ask, which lies at `path` if it is closed. An error of the kind `NotFound` says that it lies there no
    /// longer.
    pub(super) fn get(&self, path: &Path) -> io::Result<Opened<'_>> {
        match &self.file {
            Some(file) => Ok(Opened::Held(file)),
            None => self.open(path).map(Opened::Lent),
        }
    }

    /// Holds it again.
    pub(super) fn open_again(&mut self, path: &Path) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(self.open(path)?);
        }
        Ok(())
    }

    /// The path that leads to it now, whatever it was opened under; none if there is none, or nobody knows.
    pub(super) fn whereabouts(&self) -> Option<PathBuf> {
        let path = self.file.as_ref()?.path().ok()?;
        Seen::at(&path)
            .is_ok_and(|seen| self.id == seen.id)
            .then_some(path)
    }

    /// Its inode may be used again from now on.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// Whether this is what `stat` says about the very file. What is held is known by its inode alone.
    pub(super) fn is(&self, seen: &Seen) -> bool {
        let reborn = || self.born.zip(seen.born).is_some_and(|(own, other)| own != other);
        self.id == seen.id && (self.file.is_some() || !reborn())
    }

    fn open(&self, path: &Path) -> io::Result<Handle> {
        let file = identity::open(path)?;
        let same = self.is(&Seen::held(&file)?);
        same.then_some(file).ok_or(io::ErrorKind::NotFound.into())
    }
}
