//! What stands in a folder, wherever that lies.

use std::ffi::OsString;
use std::fs::{DirEntry, FileType, ReadDir};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::identity::Seen;
use super::super::seam;
use super::{Distant, Subject, of};

/// What stands in a folder.
pub(in crate::tail) enum Entries {
    Near(ReadDir),
    Far(std::vec::IntoIter<Entry>),
}

/// One name in a folder.
pub(in crate::tail) enum Entry {
    Near(DirEntry),
    /// Without the open folder, since closing that is a question, too.
    Far {
        path: PathBuf,
        name: OsString,
        kind: Option<FileType>,
        mount: Arc<Distant>,
    },
}

/// Lists a folder.
pub(in crate::tail) fn list(folder: &Path) -> io::Result<Entries> {
    seam::pass()?;
    let Some(distant) = of(folder) else {
        return std::fs::read_dir(folder).map(Entries::Near);
    };
    let subject = Subject::Path(folder.to_owned());
    let (folder, mount) = (folder.to_owned(), Arc::clone(&distant));
    let listed = distant.ask(subject, move || {
        let far = |entry: DirEntry| Entry::Far {
            path: entry.path(),
            name: entry.file_name(),
            kind: entry.file_type().ok(),
            mount: Arc::clone(&mount),
        };
        let entries = std::fs::read_dir(folder)?;
        entries
            .map(|entry| entry.map(far))
            .collect::<io::Result<Vec<_>>>()
    })?;
    Ok(Entries::Far(listed.into_iter()))
}

impl Iterator for Entries {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Near(entries) => Some(entries.next()?.map(Entry::Near)),
            Self::Far(entries) => entries.next().map(Ok),
        }
    }
}

impl Entry {
    pub(in crate::tail) fn path(&self) -> PathBuf {
        match self {
            Self::Near(entry) => entry.path(),
            Self::Far { path, .. } => path.clone(),
        }
    }

    pub(in crate::tail) fn name(&self) -> OsString {
        match self {
            Self::Near(entry) => entry.file_name(),
            Self::Far { name, .. } => name.clone(),
        }
    }

    /// Links not followed; absent where it could not be told.
    pub(in crate::tail) fn kind(&self) -> Option<FileType> {
        match self {
            Self::Near(entry) => entry.file_type().ok(),
            Self::Far { kind, .. } => *kind,
        }
    }

    /// Looks at what it leads to. Asked through the folder, a file costs less than by its whole path.
    pub(in crate::tail) fn seen(self) -> io::Result<Seen> {
        if self.kind().is_some_and(|kind| kind.is_symlink()) {
            return Seen::at(&self.path());
        }
        seam::pass()?;
        // It may have become a link since its name was listed.
        match self {
            Self::Near(entry) => {
                let meta = entry.metadata()?;
                if meta.is_symlink() {
                    return Seen::at(&entry.path());
                }
                Ok(Seen::of(&meta))
            }
            Self::Far { path, mount, .. } => {
                let asked = path.clone();
                let meta = mount.ask(Subject::Path(path.clone()), move || asked.symlink_metadata())?;
                if meta.is_symlink() {
                    return Seen::at(&path);
                }
                Ok(Seen::of(&meta))
            }
        }
    }
}
