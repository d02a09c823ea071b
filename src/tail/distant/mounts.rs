//! Which mounts may never answer, and which paths lead into them.
//!
//! They are read from the table of mounts. Where a path leads is found out name by name and link by link, and only up to
//! the first name that lies in one of them, so that even this asks none of them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::super::own::TABLE;
use super::Distant;

/// The most links that a path is followed through, as in the kernel (`MAXSYMLINKS`).
const MOST_LINKS: usize = 40;

/// Kinds of file systems that are served by somebody else, beside all that begin with `fuse.`; as they are called in
/// the kernel's `Documentation/filesystems` and in the modules of those that are not part of it.
const SERVED: [&str; 22] = [
    "9p", "afs", "autofs", "beegfs", "ceph", "cifs", "coda", "fuse", "fuseblk", "gfs2", "gpfs", "lustre",
    "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs", "wekafs",
];

/// The mounts that may never answer, and where paths lead.
#[derive(Debug)]
pub(super) struct Mounts {
    /// Held open, since the kernel says through it whether it changed; absent where there is no /proc.
    table: Option<File>,
    distant: Vec<Arc<Distant>>,
    /// Where folders led since the last look.
    folders: HashMap<PathBuf, Place>,
}

/// Where a path leads.
#[derive(Clone, Debug)]
enum Place {
    /// Here, with all links resolved.
    Near(PathBuf),
    Far(Arc<Distant>),
}

impl Mounts {
    pub(super) fn read() -> Self {
        let mut mounts = Self {
            table: File::open(TABLE).ok(),
            distant: Vec::new(),
            folders: HashMap::new(),
        };
        mounts.take_over();
        mounts
    }

    /// Sees what was mounted and taken away since the last look, and forgets where paths led then.
    pub(super) fn look_again(&mut self) {
        self.folders.clear();
        if self.has_changed() {
            self.take_over();
        }
    }

    fn has_changed(&self) -> bool {
        let Some(table) = &self.table else { return false };
        let mut asked = [PollFd::new(table, PollFlags::PRI)];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut asked, Some(&at_once)).is_ok_and(|changed| changed > 0)
    }

    /// Mounts that stay keep their threads, and what is open there.
    fn take_over(&mut self) {
        let mut bytes = Vec::new();
        let read = self.table.as_mut().map(|table| {
            table.rewind()?;
            table.read_to_end(&mut bytes)
        });
        // What cannot be read says nothing.
        if !matches!(read, Some(Ok(_))) {
            return;
        }
        let earlier = std::mem::take(&mut self.distant);
        let served = bytes.split(|&byte| byte == b'\n').filter_map(served);
        // Where the root itself may not answer, nothing here goes on without it.
        let served = served.filter(|(_, root)| root != Path::new("/"));
        self.distant = served
            .map(|(id, root)| {
                let known = earlier.iter().find(|known| known.id == id && known.root == root);
                known.map_or_else(|| Arc::new(Distant::new(id, root)), Arc::clone)
            })
            .collect();
    }

    /// What this path leads into, if that may never answer.
    pub(super) fn of(&mut self, path: &Path) -> Option<Arc<Distant>> {
        if self.distant.is_empty() {
            return None;
        }
        let path = std::path::absolute(path).ok()?;
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return None;
        };
        let known = self.folders.get(folder).cloned();
        let place = known.unwrap_or_else(|| {
            let place = self.walk(PathBuf::from("/"), folder, 0);
            self.folders.insert(folder.to_owned(), place.clone());
            place
        });
        let place = match place {
            Place::Near(folder) => self.walk(folder, Path::new(name), 0),
            // Something may be mounted at the very name.
            Place::Far(_) => self.walk(PathBuf::from("/"), &path, 0),
        };
        match place {
            Place::Near(_) => None,
            Place::Far(distant) => Some(distant),
        }
    }

    /// The mount that a path lies in which begins with `real` and goes on with names `ahead`, if `real` lies in one of
    /// them. Of mounts within mounts the innermost: a dead one says nothing about what it is mounted in.
    fn at_root(&self, real: &Path, ahead: &Path) -> Option<Arc<Distant>> {
        let begins = |distant: &&Arc<Distant>| real.starts_with(&distant.root);
        self.distant.iter().find(begins)?;
        let whole = real.join(ahead);
        let around = self
            .distant
            .iter()
            .filter(|distant| whole.starts_with(&distant.root));
        around
            .max_by_key(|distant| distant.root.as_os_str().len())
            .cloned()
    }

    /// Goes on from a folder without links.
    fn walk(&self, mut real: PathBuf, ahead: &Path, links: usize) -> Place {
        let mut names = ahead.components();
        while let Some(name) = names.next() {
            match name {
                Component::RootDir => real = PathBuf::from("/"),
                Component::ParentDir => _ = real.pop(),
                Component::CurDir | Component::Prefix(_) => {}
                Component::Normal(name) => real.push(name),
            }
            if let Some(distant) = self.at_root(&real, names.as_path()) {
                return Place::Far(distant);
            }
            // The kernel follows no further either.
            if links == MOST_LINKS || !matches!(name, Component::Normal(_)) {
                continue;
            }
            if let Ok(target) = std::fs::read_link(&real) {
                real.pop();
                // What comes behind the link is part of where it leads.
                let rest = target.join(names.as_path());
                return self.walk(real, &rest, links + 1);
            }
        }
        Place::Near(real)
    }
}

/// The number and the place of a mount, if this line of the table speaks of one that somebody else serves.
fn served(line: &[u8]) -> Option<(u64, PathBuf)> {
    let mut fields = line.split(|&byte| byte == b' ');
    let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let root = fields.nth(3)?;
    // As many fields as there are, up to a lone dash.
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    let kind = std::str::from_utf8(kind).ok()?;
    let is_served = SERVED.contains(&kind) || kind.starts_with("fuse.");
    is_served.then(|| (id, PathBuf::from(OsString::from_vec(unescaped(root)))))
}

/// In the table, what would end a field stands as a backslash and three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let octal = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits.get(..3)?).ok()?;
        u8::from_str_radix(digits, 8).ok()
    };
    let (mut plain, mut rest) = (Vec::with_capacity(field.len()), field);
    while let Some((&first, behind)) = rest.split_first() {
        if let Some(byte) = octal(behind).filter(|_| first == b'\\') {
            plain.push(byte);
            rest = &behind[3..];
        } else {
            plain.push(first);
            rest = behind;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn mounts_that_others_serve_are_told_from_the_table() {
        let served = |line: &str| served(line.as_bytes());
        let nfs =
            "42 28 0:47 / /mnt/the\\040logs rw,relatime shared:1 master:2 - nfs4 host:/logs rw,vers=4.2";
        assert_eq!(served(nfs), Some((42, PathBuf::from("/mnt/the logs"))));
        assert!(served("43 28 0:48 / /s rw - fuse.sshfs me@host: rw").is_some());
        assert!(served("43 28 0:48 / /s rw - fuse me rw").is_some());
        for near in [
            "44 28 8:1 / /nfs rw - ext4 /dev/sda1 rw",
            "45 28 0:4 / /f rw - fusectl none rw",
            "46 28 0:5",
            "",
        ] {
            assert_eq!(served(near), None, "{near}");
        }
    }

    #[test]
    fn a_path_is_followed_through_its_links_to_what_it_lies_in() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(dir.join("near/deep")).unwrap();
        std::fs::create_dir(dir.join("far")).unwrap();
        symlink("../far/logs", dir.join("near/folder")).unwrap();
        symlink("deep/../folder/app.log", dir.join("near/file")).unwrap();
        symlink("loop", dir.join("near/loop")).unwrap();
        let far = Arc::new(Distant::new(7, dir.join("far")));
        let mut mounts = Mounts {
            table: None,
            distant: vec![far],
            folders: HashMap::new(),
        };
        for _ in 0..2 {
            for path in [
                "far",
                "far/x",
                "near/folder",
                "near/folder/x/y",
                "near/file",
                "near/../far/x",
                "near/deep/../../far",
            ] {
                assert!(mounts.of(&dir.join(path)).is_some(), "{path}");
            }
            for path in [
                "",
                "near",
                "near/x",
                "near/deep/x",
                "farther/x",
                "near/loop",
                "near/loop/x",
                "far/../near/../nea",
            ] {
                let is_far = mounts.of(&dir.join(path)).is_some();
                // To go back out of it, it has to be asked where that leads.
                assert_eq!(is_far, path.starts_with("far/"), "{path}");
            }
        }
    }
}
