//! The state folder: whether we may write in it, and what to say when we may not.
//!
//! The usual trouble is a container: a volume that belongs to root while the program runs as another
//! user, or no volume at all. The texts here are written for the person who meets that.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::damage::with;
use super::lock::{LOCK, no_follow};
use super::open::OpenError;
use super::{FILE, WAL};

/// The folder with symbolic links resolved, made (0700) if only its last part was missing.
pub(super) fn prepare(dir: &Path) -> Result<PathBuf, OpenError> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::NoFolder {
                dir: dir.to_owned(),
                uid: uid(),
            });
        }
        Err(error) => return Err(refused(dir, error)),
    }
    let dir = dir.canonicalize().map_err(|error| refused(dir, error))?;
    if !dir.is_dir() {
        return Err(OpenError::NotAFolder { dir });
    }
    // Asked at once, since later it would show as SQLite's "unable to open database file": files that we may
    // write in a folder where we may not make its log.
    access(&dir, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| refused(&dir, error.into()))?;
    ours_alone(&dir)?;
    Ok(dir)
}

/// Refuses a folder where somebody else may put files in the place of ours.
fn ours_alone(dir: &Path) -> Result<(), OpenError> {
    let found = fs::metadata(dir).map_err(|error| refused(dir, error))?;
    let (owner, mode) = (found.uid(), found.mode() & 0o7777);
    if owner == uid() && mode & 0o022 == 0 {
        return Ok(());
    }
    Err(OpenError::Shared {
        dir: dir.to_owned(),
        uid: uid(),
        owner,
        mode,
    })
}

/// Makes an empty database if there is none, so that it never exists with other rights than 0600, and
/// checks that ours is a file we can write. `SQLite` gives its log the rights of the database.
pub(super) fn make_file(dir: &Path) -> Result<Made, OpenError> {
    only_files(dir)?;
    let path = with(dir, "");
    let made = match open(&path, true) {
        Ok(file) => {
            return match file.sync_all().and_then(|()| sync(dir)) {
                Ok(()) => Ok(Made::New),
                Err(error) => {
                    unmake(dir);
                    Err(refused(dir, error))
                }
            };
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open(&path, false),
        Err(error) => Err(error),
    };
    let file = made.map_err(|error| refused(&path, error))?;
    // Rights that someone widened are narrowed; a file of another user that we may write stays as it is.
    let _ = file.set_permissions(fs::Permissions::from_mode(0o600));
    let length = file.metadata().map_err(|error| refused(&path, error))?.len();
    // To SQLite a file of one byte is an empty one, too (unixFileSize in its os_unix.c, ticket 3260).
    Ok(if length <= 1 { Made::Empty } else { Made::Found })
}

/// Takes away what this start has made and could not fill: the next one would take it for a state that was lost.
pub(super) fn unmake(dir: &Path) {
    // One that cannot be removed is told of then.
    for name in [WAL, ""] {
        drop(fs::remove_file(with(dir, name)));
    }
}

/// What [`make_file`] met.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// There was none.
    New,
    /// There was one without a byte in it, or with one alone.
    Empty,
    /// There was one.
    Found,
}

/// Opens a file of ours for reading and writing.
pub(super) fn open(path: &Path, create: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(create)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(path)
}

/// Refuses links of both kinds, pipes and devices in place of our files: someone else may have planted them.
pub(super) fn only_files(dir: &Path) -> Result<(), OpenError> {
    for path in [with(dir, ""), with(dir, WAL), dir.join(LOCK)] {
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() && found.nlink() > 1 => return Err(OpenError::Linked { path }),
            Ok(found) if found.is_file() => {}
            Ok(_) => return Err(OpenError::NotAFile { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refused(&path, error)),
        }
    }
    Ok(())
}

/// Writes the folder itself to disk: without it a new or renamed file may be gone after a power cut.
pub(super) fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// The error for a path that the system did not let us use.
pub(super) fn refused(path: &Path, source: io::Error) -> OpenError {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::Full {
            path: path.to_owned(),
        },
        io::ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly {
            path: path.to_owned(),
        },
        io::ErrorKind::PermissionDenied => OpenError::Denied {
            path: path.to_owned(),
            uid: uid(),
            owner: owner(path),
            source,
        },
        _ => OpenError::Io {
            path: path.to_owned(),
            why: source.to_string(),
        },
    }
}

/// "owned by uid 0, mode 755", of the path or, if it does not exist, of the folder it would lie in.
fn owner(path: &Path) -> String {
    path.ancestors()
        .find_map(|path| fs::metadata(path).ok().map(|found| (path, found)))
        .map_or_else(
            || "of unknown owner".to_owned(),
            |(path, found)| {
                format!(
                    "{} is owned by uid {}, mode {:o}",
                    path.display(),
                    found.uid(),
                    found.mode() & 0o7777
                )
            },
        )
}

/// The user whose rights count.
pub(super) fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether a database lies in the folder at all.
pub(super) fn has_file(dir: &Path) -> bool {
    dir.join(FILE).symlink_metadata().is_ok()
}
