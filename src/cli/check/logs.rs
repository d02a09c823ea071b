//! `tailgram check --logs`: what the globs reach now, and what to do about files that cannot be read.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::Path;

use crate::cli::Failure;
use crate::tail::{self, Refusal, Standing, Surveyed};

use super::count;

/// Prints the list; a failure if something cannot be read.
pub(super) fn list(settings: &tail::Settings) -> Result<(), Failure> {
    let surveyed = tail::survey(settings);
    let me = Me::of_process();
    let page: String = surveyed.iter().map(|log| section(log, &me)).collect();
    crate::cli::print(page.as_bytes())?;
    let all = surveyed.iter().flat_map(|log| log.paths.values());
    match all
        .filter(|standing| matches!(standing, Standing::Unreadable(_)))
        .count()
    {
        0 => Ok(()),
        refused => Err(Failure::Running(format!(
            "{} cannot be read; the cure stands beside each",
            count(refused, "path")
        ))),
    }
}

/// Who asks.
struct Me {
    uid: u32,
    gid: u32,
    /// All groups, `gid` among them.
    groups: Vec<u32>,
}

impl Me {
    fn of_process() -> Self {
        let gid = rustix::process::getegid().as_raw();
        // Without the list, the advice may name a group that we have; it does no harm.
        let others = rustix::process::getgroups().unwrap_or_default();
        let groups = others.into_iter().map(rustix::process::Gid::as_raw);
        Self {
            uid: rustix::process::geteuid().as_raw(),
            gid,
            groups: groups.chain([gid]).collect(),
        }
    }
}

fn section(log: &Surveyed, me: &Me) -> String {
    let mut section = format!("\nlog {}\n", log.log);
    for (path, standing) in &log.paths {
        let how = match standing {
            // Of an empty file nobody knows what it will be.
            Standing::Readable { size: 0, .. } => show_size(0),
            Standing::Readable { size, format } => format!("{}, {}", show_size(*size), format.as_str()),
            Standing::Compressed => "compressed, left alone".to_owned(),
            Standing::Pipe if path == Path::new("stdin") => "read while it runs".to_owned(),
            Standing::Pipe => "a pipe, read while it runs".to_owned(),
            Standing::NotRegular => "not a regular file, left alone".to_owned(),
            Standing::Forbidden => {
                "left alone, as are all of /proc, /sys, /dev and tailgram's own state".to_owned()
            }
            Standing::Unreadable(refusal) => unreadable(path, refusal, me),
        };
        // Writing into a String cannot fail, here and below.
        let _ = writeln!(section, "  {}  {how}", shown(path));
    }
    for empty in &log.empty {
        let why = empty.missing.as_ref().map(|folder| {
            let folder = shown(folder);
            format!(": there is no {folder} (in a container: is it mounted?)")
        });
        let _ = writeln!(
            section,
            "  {}  reaches nothing yet{}",
            shown(Path::new(&empty.glob)),
            why.unwrap_or_default()
        );
    }
    section
}

fn unreadable(path: &Path, refusal: &Refusal, me: &Me) -> String {
    let subject = if refusal.path == path {
        "it".to_owned()
    } else {
        format!("the folder {}", shown(&refusal.path))
    };
    let mut text = format!(
        "CANNOT BE READ: {}\n    {subject} belongs to uid {}, gid {} with mode {:04o}; this process is uid {}, gid {}",
        refusal.error, refusal.owner, refusal.group, refusal.mode, me.uid, me.gid
    );
    if refusal.error.kind() == ErrorKind::PermissionDenied {
        let _ = write!(text, "\n    {}", cure(refusal, me));
    }
    text
}

/// What lets us in: the line for compose.yaml if some user or group may do what we may not.
fn cure(refusal: &Refusal, me: &Me) -> String {
    let Refusal {
        owner,
        group,
        mode,
        needs,
        ..
    } = refusal;
    let path = shown(&refusal.path);
    let may = |class: u32| (mode >> class) & needs == *needs;
    let letters = match needs {
        5 => "rx",
        1 => "x",
        _ => "r",
    };
    let acl = format!(
        "or, without a container: setfacl -m u:{}:{letters} {path}",
        me.uid
    );
    let as_owner = format!(
        "add to the service in compose.yaml: user: \"{owner}:{group}\" (the state folder must belong to that user then)\n    {acl}"
    );
    // The system asks one class only: the owner if that is us, else the group if we are in it, else others.
    if *owner == me.uid {
        return if may(6) {
            locked_otherwise()
        } else {
            format!("let yourself in: chmod u+{letters} {path}")
        };
    }
    if me.groups.contains(group) {
        return match (may(3), may(6)) {
            (true, _) => locked_otherwise(),
            (false, true) => as_owner,
            (false, false) => format!("nobody may read it: chmod g+{letters} {path}"),
        };
    }
    match (may(0), may(3), may(6)) {
        (true, ..) => locked_otherwise(),
        (_, true, _) => format!("add to the service in compose.yaml: group_add: [\"{group}\"]\n    {acl}"),
        (_, _, true) => as_owner,
        _ => format!("nobody may read it: chmod o+{letters} {path}"),
    }
}

fn locked_otherwise() -> String {
    "its mode would let this process in, so something else does not: an ACL, SELinux, AppArmor or a user namespace"
        .to_owned()
}

/// A path fit for a terminal.
fn shown(path: &Path) -> String {
    path.to_string_lossy().replace(char::is_control, "\u{fffd}")
}

/// A size as people say it.
#[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
fn show_size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first line of the advice to uid 65532 in its own group and group 7.
    fn advice(owner: u32, group: u32, mode: u32, needs: u32) -> String {
        let refusal = Refusal {
            path: "/logs/a.log".into(),
            owner,
            group,
            mode,
            needs,
            error: ErrorKind::PermissionDenied.into(),
        };
        let me = Me {
            uid: 65532,
            gid: 65532,
            groups: vec![7, 65532],
        };
        cure(&refusal, &me).lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_group_that_may_read_is_added_and_an_owner_who_may_is_taken() {
        let compose = "add to the service in compose.yaml: ";
        let group = format!("{compose}group_add: [\"4\"]");
        assert_eq!(advice(0, 4, 0o640, 4), group);
        assert_eq!(advice(0, 4, 0o750, 5), group);
        assert_eq!(advice(0, 4, 0o710, 1), group);
        let user = format!("{compose}user: \"1000:4\" (the state folder must belong to that user then)");
        assert_eq!(advice(1000, 4, 0o600, 4), user);
        assert_eq!(
            advice(1000, 4, 0o740, 5),
            user,
            "a folder must be listed and searched"
        );
    }

    #[test]
    fn no_group_is_added_that_we_are_in_or_that_would_not_be_asked() {
        assert!(advice(0, 7, 0o604, 4).contains("user: \"0:7\""));
        assert_eq!(
            advice(0, 7, 0o004, 4),
            "nobody may read it: chmod g+r /logs/a.log"
        );
        assert_eq!(
            advice(65532, 4, 0o040, 4),
            "let yourself in: chmod u+r /logs/a.log"
        );
        assert_eq!(advice(0, 4, 0, 1), "nobody may read it: chmod o+x /logs/a.log");
        for open in [
            advice(0, 4, 0o644, 4),
            advice(0, 7, 0o640, 4),
            advice(65532, 4, 0o400, 4),
        ] {
            assert!(open.contains("SELinux"), "{open}");
        }
    }

    #[test]
    fn sizes_are_said_as_people_say_them() {
        let shown = [0, 1023, 1024, 1536, 5 << 30, u64::MAX].map(show_size);
        assert_eq!(
            shown,
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 GiB", "16777216.0 TiB"]
        );
    }
}
