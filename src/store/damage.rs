//! What was damaged or is missing, and where the damaged was put. Nothing damaged is ever deleted at once: people want to look.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::{FILE, WAL};
use crate::model::TurnNo;

/// At most this many damaged files are kept; the oldest goes first.
const KEPT: usize = 5;

/// Something that could not be read and was set aside, or that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The whole file: a fresh store took its place.
    File {
        /// Where it lies now.
        kept: PathBuf,
        /// What was wrong.
        why: String,
    },
    /// One row: everything else was loaded.
    Row {
        /// The kind of the row, as far as it could be read.
        kind: String,
        /// Its key, as far as it could be read.
        key: String,
        /// What was wrong.
        why: String,
    },
    /// Commits are missing: everything that is there is sound, and older than what the last run left.
    RolledBack {
        /// The turn that was committed.
        committed: TurnNo,
        /// The turn that was found.
        found: TurnNo,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { kept, why } => {
                write!(
                    f,
                    "the state was damaged ({why}) and was set aside as {}; a new one begins",
                    kept.display()
                )
            }
            Self::Row { kind, key, why } => {
                write!(
                    f,
                    "one row of the state was damaged ({kind} {key:?}: {why}) and was set aside"
                )
            }
            Self::RolledBack { committed, found } => {
                write!(
                    f,
                    "the state is older than it was left: its last turn is {}, and turn {} was committed (was its log, \
                     state.db-wal, cut or removed, or a copy put back?); what came between is read again, and messages \
                     about it may repeat",
                    found.0, committed.0
                )
            }
        }
    }
}

/// Renames the database and its log to `state.db.bad.N`, N one above the highest there is.
pub(super) fn set_aside(dir: &Path, why: String) -> io::Result<Damage> {
    let kept = numbers(dir)?;
    let next = kept.last().map_or(1, |last| last.saturating_add(1));
    for number in kept.iter().rev().skip(KEPT - 1) {
        for suffix in ["", WAL] {
            remove(&bad(dir, *number, suffix))?;
        }
    }
    // The file first: after a crash between the two, a log without a file is found and set aside in turn. The
    // other way round the damaged file would be read without its log, and might look sound.
    for suffix in ["", WAL] {
        rename(&with(dir, suffix), &bad(dir, next, suffix))?;
    }
    remove(&with(dir, "-journal"))?;
    remove(&with(dir, "-shm"))?;
    Ok(Damage::File {
        kept: bad(dir, next, ""),
        why,
    })
}

/// The path of the database with a suffix.
pub(super) fn with(dir: &Path, suffix: &str) -> PathBuf {
    dir.join(format!("{FILE}{suffix}"))
}

fn bad(dir: &Path, number: u64, suffix: &str) -> PathBuf {
    dir.join(format!("{FILE}.bad.{number}{suffix}"))
}

/// The numbers in use, ascending.
fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        numbers.extend(number(&entry?.file_name()));
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn number(name: &OsString) -> Option<u64> {
    let rest = name.to_str()?.strip_prefix(FILE)?.strip_prefix(".bad.")?;
    rest.strip_suffix(WAL).unwrap_or(rest).parse().ok()
}

fn remove(path: &Path) -> io::Result<()> {
    absent_is_fine(std::fs::remove_file(path))
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    absent_is_fine(std::fs::rename(from, to))
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
