//! What this process writes itself. Following that would make every line about a line the next line.
//!
//! A log that goes to a file is known by its inode. In a container it goes through a pipe, and the engine writes the
//! file; then the container's number is known from its mounts, and the file's path holds it.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::Path;

use super::identity::FileId;

/// The kernel's table of mounts.
pub(super) const TABLE: &str = "/proc/self/mountinfo";

/// Files that an engine makes for each container and mounts into it. Where else the number of a container stands in
/// the table, it is that of another one.
const GIVEN: [&str; 4] = [
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/dev/termination-log",
];

/// Which files are our own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Own {
    files: Vec<FileId>,
    /// The number of our container, 64 letters.
    container: Option<String>,
    /// The pod's number, and our name in it.
    pod: Option<(String, String)>,
}

impl Own {
    /// Asks the descriptors of this process, and its mounts.
    pub(super) fn of_this_process() -> Self {
        let (out, err) = (std::io::stdout(), std::io::stderr());
        let mut own =
            std::fs::read_to_string(TABLE).map_or_else(|_| Self::default(), |table| Self::of(&table));
        own.files = [file(out.as_fd()), file(err.as_fd())]
            .into_iter()
            .flatten()
            .collect();
        own
    }

    /// What a table of mounts tells.
    fn of(table: &str) -> Self {
        let mut own = Self::default();
        for line in table.lines() {
            let mut fields = line.split(' ').skip(3);
            let (Some(root), Some(point)) = (fields.next(), fields.next()) else {
                continue;
            };
            if !GIVEN.contains(&point) {
                continue;
            }
            let parts: Vec<&str> = root.split('/').collect();
            let behind = |name: &str| {
                let at = parts.iter().position(|part| *part == name)?;
                parts.get(at + 1).map(|part| (*part).to_owned())
            };
            let number = |id: &String| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            match behind("pods") {
                Some(pod) => own.pod = behind("containers").map(|name| (pod, name)).or(own.pod),
                None => own.container = behind("containers").filter(number).or(own.container),
            }
        }
        own
    }

    /// Whether we write the file at this path, its links resolved.
    pub(super) fn has(&self, real: &Path, id: FileId) -> bool {
        self.files.contains(&id) || self.is_of_container(real) || self.is_of_pod(real)
    }

    /// `…/ID/ID-json.log`, and its rotated ones.
    fn is_of_container(&self, real: &Path) -> bool {
        let name = real.file_name().unwrap_or_default().to_string_lossy();
        self.container.as_ref().is_some_and(|id| {
            name.strip_prefix(id.as_str())
                .is_some_and(|rest| rest.starts_with("-json.log"))
        })
    }

    /// `…/NAMESPACE_POD_UID/CONTAINER/N.log`, and its rotated ones.
    fn is_of_pod(&self, real: &Path) -> bool {
        let mut folders = real
            .ancestors()
            .skip(1)
            .map(|folder| folder.file_name().unwrap_or_default());
        let (Some(container), Some(pod)) = (folders.next(), folders.next()) else {
            return false;
        };
        let ends_with = |pod: &OsStr, uid: &str| pod.to_string_lossy().ends_with(&format!("_{uid}"));
        self.pod
            .as_ref()
            .is_some_and(|(uid, name)| container == name.as_str() && ends_with(pod, uid))
    }
}

/// The file behind a descriptor, if it is one.
fn file(descriptor: std::os::fd::BorrowedFd<'_>) -> Option<FileId> {
    let seen = rustix::fs::fstat(descriptor).ok()?;
    let regular = rustix::fs::FileType::from_raw_mode(seen.st_mode).is_file();
    regular.then_some(FileId {
        dev: seen.st_dev,
        ino: seen.st_ino,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f5e0cc1a0d9b7e4d6a1c3b2a1908f7e6d5c4b3a29181706f5e4d3c2b1a09f8e";
    const OTHER: &str = "aaaa0cc1a0d9b7e4d6a1c3b2a1908f7e6d5c4b3a29181706f5e4d3c2b1a09f8e";
    const NONE: FileId = FileId { dev: 0, ino: 0 };

    #[test]
    fn the_log_of_our_own_container_is_known_and_no_other_one() {
        let own = Own::of(&format!(
            "100 99 8:1 /var/lib/docker/containers/{OTHER} /logs ro - ext4 /dev/sda1 rw\n\
             101 99 8:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname ro - ext4 /dev/sda1 rw\n"
        ));
        let log = |id: &str, rest: &str| format!("/var/lib/docker/containers/{id}/{id}-json.log{rest}");
        assert!(own.has(Path::new(&log(ID, "")), NONE) && own.has(Path::new(&log(ID, ".1")), NONE));
        assert!(!own.has(Path::new(&log(OTHER, "")), NONE));
    }

    #[test]
    fn the_log_of_our_own_container_in_a_pod_is_known_and_not_that_of_its_neighbour() {
        let own = Own::of(
            "101 99 8:1 /var/lib/kubelet/pods/6f-1/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw\n\
             102 99 8:1 /lib/kubelet/pods/6f-1/containers/tailgram/0a1b /dev/termination-log rw - ext4 /dev/sda1 rw\n",
        );
        let has = |path: &str| own.has(Path::new(path), NONE);
        assert!(has("/var/log/pods/shop_web-0_6f-1/tailgram/0.log"));
        assert!(has(
            "/var/log/pods/shop_web-0_6f-1/tailgram/0.log.20260101-000000"
        ));
        assert!(!has("/var/log/pods/shop_web-0_6f-1/app/0.log"));
        assert!(!has("/var/log/pods/shop_web-1_6f-2/tailgram/0.log"));
    }

    #[test]
    fn on_a_machine_that_runs_containers_none_of_them_is_ours() {
        let table = format!("50 20 0:40 / /var/lib/docker/containers/{ID}/mounts/shm rw - tmpfs shm rw\n");
        assert_eq!(Own::of(&table), Own::default());
    }
}
