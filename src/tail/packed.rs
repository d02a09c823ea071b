//! The rest of a generation that was compressed before it was read to its end.
//!
//! An archive says nothing about what it was made of, so it is unpacked from its first byte up to the place where reading
//! stopped; there the bytes must be what they were. Only what is owed is looked for: an archive is never read for its
//! own sake. The trap: unpacking up to there may take long, and others want to be read meanwhile; it goes step by step.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use super::Source;
use super::archive::{Archive, End, STEP};
use super::handle::Handle;
use super::identity::{self, FileId};
use super::recover;
use crate::model::{FileKey, Gap, GapKind, Now, Position, Timestamp};

/// So many steps one turn makes towards the place where reading stopped.
const STEPS: usize = 4 * 1024 * 1024 / STEP;

/// What is lost if no archive has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    pub(super) kind: GapKind,
    /// Bytes that are known to be missing.
    pub(super) bytes: u64,
    /// All that was ever seen of it had been read: nothing is told unless an archive shows that there was more.
    pub(super) doubtful: bool,
}

impl Loss {
    pub(super) fn gap(self, path: &str, now: Now) -> Gap {
        Gap {
            path: path.to_owned(),
            at: now.wall,
            kind: self.kind,
            bytes: self.bytes,
        }
    }
}

/// A generation that is looked for in archives.
#[derive(Debug)]
pub(super) struct Search {
    /// Where reading stopped.
    pub(super) owed: Position,
    pub(super) source: Source,
    /// What is to be read to its end before it.
    pub(super) after: Option<FileKey>,
    pub(super) loss: Loss,
    /// The archives that were not looked into yet.
    left: VecDeque<PathBuf>,
    open: Option<(PathBuf, Archive)>,
}

/// How far a search came.
#[derive(Debug)]
pub(super) enum Sought {
    NotYet,
    /// No archive has it.
    Nowhere,
    /// This one could not be read.
    Unread {
        path: PathBuf,
        error: io::Error,
    },
    Found(Box<Packed>),
}

impl Search {
    /// Nothing, if there is no archive beside the path that could be it. What shows no bytes cannot be recognised.
    pub(super) fn begin(owed: Position, source: Source, loss: Loss) -> io::Result<Option<Self>> {
        if identity::was_never_opened(&owed) || owed.identity.head.len == 0 {
            return Ok(None);
        }
        let left = recover::archives(Path::new(&*source.path))?;
        Ok((!left.is_empty()).then(|| Self {
            owed,
            source,
            after: None,
            loss,
            left: left.into(),
            open: None,
        }))
    }

    /// Looks on for the length of a turn. The longest line may have to be read again.
    pub(super) fn go_on(&mut self, longest: usize) -> Sought {
        for _ in 0..STEPS {
            let Some((path, mut archive)) = self.open.take() else {
                let Some(path) = self.left.pop_front() else {
                    return Sought::Nowhere;
                };
                match Archive::open(&path, longest) {
                    Ok(archive) => self.open = archive.map(|archive| (path, archive)),
                    Err(error) if recover::is_for_now(&error) => return Sought::Unread { path, error },
                    Err(_) => {}
                }
                continue;
            };
            match self.is_it(&mut archive) {
                Ok(None) => self.open = Some((path, archive)),
                Ok(Some(true)) => return Sought::Found(Box::new(self.found(path, archive))),
                Ok(Some(false)) => {}
                Err(error) => return Sought::Unread { path, error },
            }
        }
        Sought::NotYet
    }

    /// Unpacks a step. Whether the archive holds what is owed, once that can be told.
    fn is_it(&self, archive: &mut Archive) -> io::Result<Option<bool>> {
        let head = u64::from(self.owed.identity.head.len);
        let needed = self.owed.offset.max(head);
        let before = archive.size();
        archive.unpack(before, needed)?;
        if let Some(End::Unread(_)) = archive.end
            && let Some(End::Unread(error)) = archive.end.take()
        {
            return Err(error);
        }
        let size = archive.size();
        if size >= needed || archive.end.is_some() {
            return identity::fits_position(archive.file(), &self.owed).map(Some);
        }
        // Most archives are told by their first bytes.
        let told = before < head && size >= head;
        let other = told
            && !self
                .owed
                .identity
                .head
                .fits(&identity::first_bytes(archive.file())?);
        Ok(other.then_some(false))
    }

    fn found(&self, path: PathBuf, archive: Archive) -> Packed {
        let identity = self.owed.identity;
        Packed {
            path,
            archive,
            id: FileId {
                dev: identity.dev,
                ino: identity.ino,
            },
            at: self.owed.at,
            from: self.owed.offset,
            loss: self.loss,
        }
    }
}

/// A rest that was found.
#[derive(Debug)]
pub(super) struct Packed {
    /// The archive.
    pub(super) path: PathBuf,
    archive: Archive,
    /// The generation, as it was known before it was compressed, and when its position moved last then.
    id: FileId,
    at: Timestamp,
    /// Where its rest begins.
    from: u64,
    loss: Loss,
}

impl Packed {
    /// What was unpacked, as a file.
    pub(super) fn file(&self) -> Handle {
        self.archive.file().clone()
    }

    /// Unpacks a little more than was read.
    pub(super) fn unpack(&mut self, at: u64) -> io::Result<()> {
        self.archive.unpack(at, u64::MAX)
    }

    /// How the archive ended, if it has.
    pub(super) fn end(&self) -> Option<&End> {
        self.archive.end.as_ref()
    }

    /// What the generation is found again by.
    pub(super) fn origin(&self) -> (FileId, Timestamp) {
        (self.id, self.at)
    }

    /// What is lost although all that could be unpacked was read. A file that was cut lost what nobody saw, whatever
    /// an archive has.
    pub(super) fn loss(&self) -> Option<Loss> {
        let unpacked = self.archive.size().saturating_sub(self.from);
        let whole = matches!(self.archive.end, Some(End::Whole));
        let cut = self.loss.kind == GapKind::Truncated && !self.loss.doubtful;
        (!whole || cut).then(|| Loss {
            bytes: self.loss.bytes.saturating_sub(unpacked),
            ..self.loss
        })
    }
}
