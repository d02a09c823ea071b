//! Files that are mounted one by one, as containers often have them.
//!
//! Such a mount is tied to an inode. When the file is replaced outside (an editor that renames, a rotation), the
//! process inside sees the old one for good, and no event and no `stat` by path says so. Only the kernel's table of
//! mounts does: the root of the mount is where the inode is now, or `//deleted`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::model::Names;

/// The kernel's table.
pub(in crate::engine) const TABLE: &str = "/proc/self/mountinfo";

/// What is mounted, as it was at the first look.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    /// The roots of those that are files of ours.
    roots: BTreeMap<PathBuf, Vec<u8>>,
    /// Those that were told to be stale.
    stale: BTreeSet<PathBuf>,
}

/// What is new at a look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// rules.toml is a mount of its own.
    pub(super) rules: bool,
    /// Logs that are mounts of their own.
    pub(super) logs: Names,
    /// Files that were replaced outside.
    pub(super) stale: Vec<PathBuf>,
}

impl Mounts {
    /// Looks at the table; without one there is nothing to find.
    pub(super) fn look(&mut self, rules: &Path, logs: &[PathBuf]) -> Found {
        std::fs::read(TABLE).map_or_else(|_| Found::default(), |table| self.look_in(&table, rules, logs))
    }

    fn look_in(&mut self, table: &[u8], rules: &Path, logs: &[PathBuf]) -> Found {
        let points = points(table);
        let mut found = Found::default();
        let mut single = Vec::new();
        // Resolving the links of ten thousand paths costs more than reading them: only those are resolved that can be one.
        let names: BTreeSet<_> = points.keys().filter_map(|point| point.file_name()).collect();
        let may_be =
            |path: &Path| path.file_name().is_some_and(|name| names.contains(name)) || path.is_symlink();
        for (path, is_rules) in std::iter::once((rules, true)).chain(logs.iter().map(|path| (&**path, false)))
        {
            if !may_be(path) {
                continue;
            }
            // The kernel knows mounts by where they are, whatever links lead there.
            let real = path.canonicalize().or_else(|_| std::path::absolute(path));
            let real = real.unwrap_or_else(|_| path.to_owned());
            let Some(root) = points.get(&real) else {
                continue;
            };
            match self.roots.get(&real) {
                None => {
                    self.roots.insert(real.clone(), root.clone());
                    if is_rules {
                        found.rules = true;
                    } else {
                        single.push(path.display().to_string());
                    }
                    // It may have been replaced before the first look.
                    if root.ends_with(b"//deleted") && self.stale.insert(real) {
                        found.stale.push(path.to_owned());
                    }
                }
                Some(first) if first != root && self.stale.insert(real.clone()) => {
                    found.stale.push(path.to_owned());
                }
                Some(_) => {}
            }
        }
        found.logs = single.into_iter().collect();
        found
    }
}

/// Where something is mounted, and which part of its file system it is. Of several mounts at one place the last one
/// is seen.
fn points(table: &[u8]) -> BTreeMap<PathBuf, Vec<u8>> {
    let line = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let point = OsString::from_vec(unescape(point));
        Some((PathBuf::from(point), unescape(root)))
    };
    table.split(|byte| *byte == b'\n').filter_map(line).collect()
}

/// Blanks, tabs, newlines and backslashes are written as three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *byte == b'\\');
        let digits = digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok());
        out.push(digits.unwrap_or(*byte));
        rest = if digits.is_some() { &after[3..] } else { after };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rules_root: &str, log_root: &str) -> Vec<u8> {
        format!(
            "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
             30 22 8:1 {rules_root} /etc/tailgram/rules.toml ro,relatime shared:1 - ext4 /dev/sda1 rw\n\
             31 22 8:1 {log_root} /logs/my\\040app.log ro - ext4 /dev/sda1 rw\n"
        )
        .into_bytes()
    }

    fn look(mounts: &mut Mounts, table: &[u8]) -> Found {
        let logs = ["/logs/my app.log".into(), "/logs/other.log".into()];
        mounts.look_in(table, Path::new("/etc/tailgram/rules.toml"), &logs)
    }

    #[test]
    fn files_that_are_mounts_of_their_own_are_found_once() {
        let mut mounts = Mounts::default();
        let expected = Found {
            rules: true,
            logs: std::iter::once("/logs/my app.log".to_owned()).collect(),
            stale: Vec::new(),
        };
        assert_eq!(
            look(&mut mounts, &table("/data/a/rules.toml", "/l/app.log")),
            expected
        );
        let again = look(&mut mounts, &table("/data/a/rules.toml", "/l/app.log"));
        assert_eq!(again, Found::default());
    }

    #[test]
    fn a_mount_whose_file_was_renamed_or_deleted_outside_is_stale_once() {
        let mut mounts = Mounts::default();
        look(&mut mounts, &table("/data/a/rules.toml", "/l/app.log"));
        let replaced = table("/data/a/rules.toml//deleted", "/l/app.log.1");
        let found = look(&mut mounts, &replaced);
        let stale: Vec<PathBuf> = vec!["/etc/tailgram/rules.toml".into(), "/logs/my app.log".into()];
        assert_eq!(found.stale, stale);
        assert_eq!(look(&mut mounts, &replaced), Found::default());
    }

    #[test]
    fn a_mount_that_is_stale_from_the_start_is_told() {
        let mut mounts = Mounts::default();
        let found = look(&mut mounts, &table("/data/a/rules.toml//deleted", "/l/app.log"));
        assert_eq!(found.stale, [PathBuf::from("/etc/tailgram/rules.toml")]);
    }

    #[test]
    fn rubbish_in_the_table_is_passed_over() {
        assert_eq!(points(b"\n\x00\n1 2 3\na b c d\\04 e\\999\n").len(), 1);
    }
}
