//! The fence: what this process may open since it started, held by the kernel (Landlock).
//!
//! A fact of the whole process, like its user id, so it is kept here once and for all: whoever was refused a file
//! asks [`shuts_out`] why. It can be raised once, never lowered, and holds for threads that are started later; so it
//! has to stand before the first of them. Looking at names, sizes and owners is never refused, opening is.
//!
//! The trap: the kernel knows the folders themselves, not their names. A folder that is removed and made anew is
//! another one, and outside; so for folders that come and go the one above them is named.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};
use rustix::fs::{Mode, OFlags};

/// What is asked of the kernel; an older one gives what it has.
const WANTED: ABI = ABI::V6;

/// Why a file is not opened. A message has room for few words.
pub const WHY: &str = "it is outside the fence";
/// What to do about it.
pub const CURE: &str = "restart tailgram, or name its folder in `read` below [fence] for links";

/// What is inside, links resolved.
static INSIDE: OnceLock<Inside> = OnceLock::new();

#[derive(Debug)]
struct Inside {
    folders: Vec<PathBuf>,
    /// Held open, or the kernel would forget that they are inside: files of /proc are made up at every look.
    _held: Vec<OwnedFd>,
}

/// What may be opened from now on.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Read beneath these, or these alone where they are files. Of one that is not there yet, the nearest folder
    /// above it that is.
    pub read: BTreeSet<PathBuf>,
    /// Write beneath this.
    pub write: Option<PathBuf>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raised {
    /// It stands.
    Stands {
        /// What is inside, links resolved.
        folders: Vec<PathBuf>,
        /// The version of Landlock that the kernel and we have in common.
        abi: u32,
        /// Folders that are not there, for whose sake everything may be read.
        wide: Vec<PathBuf>,
    },
    /// The kernel has none, or does not let us.
    Missing,
}

/// Raises the fence around this thread and all that it starts. Fails only where the kernel has Landlock and refuses
/// it to us.
pub fn raise(plan: &Plan) -> Result<Raised, RulesetError> {
    let wide = plan.read.iter().filter(|path| is_wide(path));
    let wide = wide.cloned().collect();
    let read = outermost(plan.read.iter().filter_map(|path| there(path)).collect());
    let write = plan.write.as_deref().and_then(there);
    let held = read.iter().filter(|path| path.starts_with("/proc"));
    let held =
        held.filter_map(|path| rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok());
    let held = held.collect();
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WANTED))?
        .scope(Scope::from_all(WANTED))?
        .create()?
        .add_rules(path_beneath_rules(&read, reading()))?
        .add_rules(path_beneath_rules(&write, writing()))?
        .restrict_self()?;
    let LandlockStatus::Available { effective_abi, .. } = status.landlock else {
        return Ok(Raised::Missing);
    };
    if status.ruleset == RulesetStatus::NotEnforced {
        return Ok(Raised::Missing);
    }
    let folders: Vec<PathBuf> = read.into_iter().chain(write).collect();
    let inside = Inside {
        folders: folders.clone(),
        _held: held,
    };
    // A second fence would lie within the first; nobody raises one.
    drop(INSIDE.set(inside));
    Ok(Raised::Stands {
        folders,
        abi: effective_abi as u32,
        wide,
    })
}

/// Whether it is the fence that refuses this path, links resolved as they lead now.
pub fn shuts_out(path: &Path) -> bool {
    INSIDE.get().is_some_and(|inside| {
        let real = real(path);
        !inside.folders.iter().any(|folder| real.starts_with(folder))
    })
}

/// Never to run anything.
fn reading() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{ReadFile | ReadDir})
}

/// All that the store, its socket and the files beside it need. Nothing there is a folder, a link or a device.
fn writing() -> BitFlags<AccessFs> {
    reading() | make_bitflags!(AccessFs::{WriteFile | Truncate | RemoveFile | MakeReg | MakeSock})
}

/// The nearest thing on the way to `path` that is there.
fn there(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().find_map(|step| step.canonicalize().ok())
}

/// Without the paths that lie beneath others of them: a folder of links may lead to thousands.
fn outermost(paths: BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let mut outermost: Vec<PathBuf> = Vec::new();
    // What lies beneath a path comes right behind it.
    for path in paths {
        if !outermost.last().is_some_and(|outer| path.starts_with(outer)) {
            outermost.push(path);
        }
    }
    outermost
}

/// Whether all of the machine is what is nearest to it.
fn is_wide(path: &Path) -> bool {
    there(path).is_some_and(|there| there == Path::new("/"))
}

/// The path with its links resolved as far as it is there.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let resolved = path.ancestors().find_map(|step| {
        let rest = path.strip_prefix(step).ok()?;
        Some(step.canonicalize().ok()?.join(rest))
    });
    resolved.unwrap_or(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn of_what_is_not_there_the_nearest_folder_that_is_stands_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().canonicalize().unwrap();
        assert_eq!(there(&folder.path().join("not/yet")), Some(here.clone()));
        assert_eq!(there(&here), Some(here.clone()));
        assert!(!is_wide(&here.join("not")));
        assert!(is_wide(Path::new("/nonexistent/folder")) && is_wide(Path::new("/")));
    }

    #[test]
    fn links_are_resolved_as_far_as_the_way_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().canonicalize().unwrap();
        std::fs::create_dir(here.join("a")).unwrap();
        std::os::unix::fs::symlink(here.join("a"), here.join("b")).unwrap();
        assert_eq!(real(&here.join("b/x.log")), here.join("a/x.log"));
    }

    #[test]
    fn a_folder_brings_along_what_lies_beneath_it() {
        let paths = ["/a/b/c", "/a/b", "/a/b-c", "/a/b/d/e", "/x"].map(PathBuf::from);
        let expected = ["/a/b", "/a/b-c", "/x"].map(PathBuf::from);
        assert_eq!(outermost(paths.into_iter().collect()), expected);
    }

    #[test]
    fn without_a_fence_nothing_is_shut_out() {
        assert!(!shuts_out(Path::new("/etc/shadow")));
    }
}
