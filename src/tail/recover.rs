//! Where the bytes are that we knew under a path: after downtime, and after rotations between two looks.
//!
//! Looks only at the path's own folder, and where the path is a link at that of the file it leads to, at names a rotator
//! would give. The trap: a file that cannot be found,
//! a file that cannot be opened and a folder that cannot be read are different things; only the first is a
//! loss.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::distant;
use super::handle::Handle;
use super::identity::{self, FileId, Seen};
use crate::model::{Head, Position};

/// A file in the folder of a followed path.
#[derive(Clone, Debug)]
pub(super) struct Sibling {
    pub(super) path: PathBuf,
    pub(super) seen: Seen,
    /// Its name is one that a rotator would give.
    pub(super) generation: bool,
}

/// How often a folder is listed again.
const MOST_LISTS: usize = 5;

/// The most links that the last name of a path is followed through.
const MOST_LINKS: usize = 40;

/// Where the path leads when the links at its end are followed, whether anything is there or not.
///
/// An error says that it cannot be known now.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut at = path.to_owned();
    for _ in 0..MOST_LINKS {
        match distant::ask(&at, Path::read_link) {
            Ok(next) => at = folder(&at).join(next),
            Err(error) if identity::may_pass(&error) => return Err(error),
            // It is no link, or there is nothing.
            Err(_) => break,
        }
    }
    Ok(at)
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// The folders that [`siblings`] lists.
pub(super) fn folders(path: &Path) -> io::Result<[PathBuf; 2]> {
    Ok([folder(path).to_owned(), folder(&target(path)?).to_owned()])
}

/// All regular files beside `path`, itself included, and beside the file that it leads to; compressed ones are left out.
///
/// A file that is renamed while its folder is listed may not be in the list, so it is listed until it stays the same.
pub(super) fn siblings(path: &Path) -> io::Result<Vec<Sibling>> {
    let ids = |found: &[Sibling]| {
        found
            .iter()
            .map(|sibling| sibling.seen.id)
            .collect::<HashSet<FileId>>()
    };
    let mut found = list(path)?;
    for _ in 0..MOST_LISTS {
        let before = ids(&found);
        found = list(path)?;
        if ids(&found) == before {
            break;
        }
    }
    Ok(found)
}

fn list(path: &Path) -> io::Result<Vec<Sibling>> {
    let target = target(path)?;
    if target == path {
        return beside(&[path]);
    }
    if folder(&target) == folder(path) {
        return beside(&[path, &target]);
    }
    let mut found = beside(&[path])?;
    match beside(&[&target]) {
        Ok(more) => found.extend(more),
        Err(error) if is_for_now(&error) => return Err(error),
        // The link leads nowhere, or where nothing may be looked at.
        Err(_) => {}
    }
    Ok(found)
}

/// All regular files in the folder of these paths.
fn beside(paths: &[&Path]) -> io::Result<Vec<Sibling>> {
    let bases = || {
        paths
            .iter()
            .map(|path| path.file_name().unwrap_or_default().to_string_lossy())
    };
    let mut found = Vec::new();
    for entry in distant::list(folder(paths[0]))? {
        let entry = entry?;
        let path = entry.path();
        if identity::has_compressed_name(&path) {
            continue;
        }
        let seen = match Seen::at(&path) {
            Ok(seen) => seen,
            // It may be the one that is looked for; the folder is asked again.
            Err(error) if identity::may_pass(&error) => return Err(error),
            Err(_) => continue,
        };
        if seen.regular {
            let name = entry.name();
            let generation = bases().any(|base| identity::is_generation(&name.to_string_lossy(), &base));
            found.push(Sibling {
                path,
                seen,
                generation,
            });
        }
    }
    Ok(found)
}

/// Folders that were listed for one look, so that many files which went at once do not list theirs once each.
#[derive(Debug, Default)]
pub(super) struct Listings(HashMap<PathBuf, Vec<Sibling>>);

impl Listings {
    /// The generations of `path`, and whatever has this inode.
    pub(super) fn siblings(&mut self, path: &Path, ino: u64) -> io::Result<Vec<Sibling>> {
        if distant::ask(path, |path| Ok(path.is_symlink()))? {
            // Where it leads is another folder, and has other names.
            return siblings(path);
        }
        let listed = match self.0.entry(folder(path).to_owned()) {
            Entry::Occupied(listed) => listed.into_mut(),
            Entry::Vacant(vacant) => {
                let mut listed = siblings(path)?;
                listed.sort_by(|one, other| name(&one.path).cmp(name(&other.path)));
                vacant.insert(listed)
            }
        };
        let base = name(path).to_string_lossy();
        // All that a rotator makes of a name begins with it, at least up to its extension.
        let stem = base.rsplit_once('.').map_or(&*base, |(stem, _)| stem);
        let begins = |sibling: &Sibling| {
            name(&sibling.path)
                .as_encoded_bytes()
                .starts_with(stem.as_bytes())
        };
        let from = listed.partition_point(|sibling| name(&sibling.path).as_encoded_bytes() < stem.as_bytes());
        let alike = listed[from..].iter().take_while(|sibling| begins(sibling));
        let others = listed
            .iter()
            .filter(|sibling| sibling.seen.id.ino == ino && !begins(sibling));
        let beside = alike.chain(others).map(|sibling| Sibling {
            generation: identity::is_generation(&name(&sibling.path).to_string_lossy(), &base),
            ..sibling.clone()
        });
        Ok(beside.collect())
    }
}

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// Whether what lies at the path of a position is not the file it speaks of and agrees with it all the same: whoever
/// wrote it anew kept what stood there. A KiB has to agree before that is believed.
///
/// An error says that it cannot be known now.
pub(super) fn was_rewritten(position: &Position, siblings: &[Sibling]) -> io::Result<bool> {
    let path = Path::new(&position.path);
    if position.offset < u64::from(Head::FULL) {
        return Ok(false);
    }
    let same = siblings
        .iter()
        .filter(|sibling| sibling.seen.id.ino == position.identity.ino);
    for sibling in same {
        // The file itself is still there, under whatever name.
        if open_fitting(sibling, position)?.is_some() {
            return Ok(false);
        }
    }
    let current = open_regular(path)?;
    current.map_or(Ok(false), |file| identity::fits_position(&file, position))
}

/// Archives beside `path`, and beside the file that it leads to, that may have been made of a generation of it, newest
/// first.
pub(super) fn archives(path: &Path) -> io::Result<Vec<PathBuf>> {
    let target = target(path)?;
    let mut found = archives_of(path)?;
    if target != path {
        match archives_of(&target) {
            Ok(more) => found.extend(more),
            Err(error) if is_for_now(&error) => return Err(error),
            // As above: the link leads nowhere.
            Err(_) => {}
        }
    }
    found.sort();
    found.dedup();
    Ok(found.into_iter().rev().map(|(_, path)| path).collect())
}

fn archives_of(path: &Path) -> io::Result<Vec<(i128, PathBuf)>> {
    let base = path.file_name().unwrap_or_default().to_string_lossy();
    let mut found = Vec::new();
    for entry in distant::list(folder(path))? {
        let entry = entry?;
        let path = entry.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if !identity::has_compressed_name(&path) || !(name == base || identity::is_generation(&name, &base)) {
            continue;
        }
        match Seen::at(&path) {
            Ok(seen) if seen.regular => found.push((seen.born.unwrap_or(seen.written), path)),
            // It may be the one that is looked for.
            Err(error) if identity::may_pass(&error) => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(found)
}

/// The generation that `position` speaks of, among `siblings`: by inode and head, else a rotator's copy of
/// it. The error is that of a sibling that may be the one, and could not be looked into.
pub(super) fn find<'a>(
    position: &Position,
    siblings: &'a [Sibling],
) -> Result<Option<Handle>, (&'a Sibling, io::Error)> {
    let is_same = |sibling: &&Sibling| sibling.seen.id.ino == position.identity.ino;
    let same = siblings.iter().filter(is_same);
    // A copy of next to nothing proves nothing.
    let copies = siblings
        .iter()
        .filter(|sibling| sibling.generation && position.offset > 0);
    let mut closed = None;
    for sibling in same.chain(copies) {
        match open_fitting(sibling, position) {
            Ok(Some(file)) => return Ok(Some(file)),
            // Old generations may stay closed for ever, and are not what a missing file is waited for.
            Err(error) if is_same(&sibling) || is_for_now(&error) => {
                closed.get_or_insert((sibling, error));
            }
            Ok(None) | Err(_) => {}
        }
    }
    closed.map_or(Ok(None), Err)
}

fn open_fitting(sibling: &Sibling, position: &Position) -> io::Result<Option<Handle>> {
    let opened = identity::open(&sibling.path);
    let file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => moved(),
        _ => error,
    })?;
    let seen = Seen::held(&file)?;
    if seen.id != sibling.seen.id {
        return Err(moved());
    }
    let fits = seen.regular && identity::fits_position(&file, position)?;
    Ok(fits.then_some(file))
}

/// Generations that were born, and written to, since `since` (nanoseconds of the wall clock), oldest first.
pub(super) fn newer(siblings: &[Sibling], since: i128) -> Vec<&Sibling> {
    // The kernel stamps files with a clock that lags behind by up to a tick.
    let since = since - 20_000_000;
    let mut newer: Vec<&Sibling> = siblings
        .iter()
        .filter(|sibling| sibling.generation)
        .filter(|sibling| sibling.seen.written >= since && sibling.seen.born.is_none_or(|born| born >= since))
        .collect();
    // Late writers write to older ones last; only where the filesystem knows no birth is that the best guess.
    newer.sort_by_key(|sibling| {
        (
            sibling.seen.born.unwrap_or(sibling.seen.written),
            sibling.seen.written,
        )
    });
    newer
}

/// Whether the system failed in a way that says nothing about the file.
pub(super) fn is_for_now(error: &io::Error) -> bool {
    identity::is_out_of_descriptors(error) || identity::may_pass(error) || is_moved(error)
}

/// Opens a file that was listed. An error says that it cannot be known now: also if its name leads elsewhere since then,
/// as while a rotator counts its old files up.
pub(super) fn open_listed(sibling: &Sibling) -> io::Result<Option<Handle>> {
    let file = open_regular(&sibling.path)?;
    let seen = match &file {
        Some(file) => Seen::held(file),
        None => Seen::at(&sibling.path),
    };
    if seen.is_ok_and(|seen| seen.id == sibling.seen.id) {
        Ok(file)
    } else {
        Err(moved())
    }
}

/// What was listed under a name lies elsewhere now, and was not looked into: it is no more gone than it is there.
pub(super) fn moved() -> io::Error {
    io::Error::new(
        io::ErrorKind::Interrupted,
        "its names move while they are looked at",
    )
}

/// Whether names moved; the next listing may show where to.
pub(super) fn is_moved(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}

/// Opens what is a regular file and may be read, and nothing else. An error says that it cannot be known now.
pub(super) fn open_regular(path: &Path) -> io::Result<Option<Handle>> {
    let opened = identity::open(path).and_then(|file| Ok(Seen::held(&file)?.regular.then_some(file)));
    match opened {
        Err(error) if !is_for_now(&error) => Ok(None),
        other => other,
    }
}
