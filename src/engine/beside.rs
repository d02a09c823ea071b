//! Small files beside the store, in the state folder: replaced as a whole, and never through something that somebody
//! else put in their place.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// What a file outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Safety {
    /// The end of the process.
    Crash,
    /// That of the machine.
    PowerCut,
}

/// Puts `bytes` in the place of the file; whoever reads it sees the old ones or the new ones. Only its owner may.
pub(super) fn replace(folder: &Path, name: &str, bytes: &[u8], safety: Safety) -> io::Result<()> {
    let new = folder.join(format!("{name}.new"));
    // One that a crash left behind may have another mode, and a link there may lead anywhere.
    drop(std::fs::remove_file(&new));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    if safety == Safety::PowerCut {
        file.sync_all()?;
    }
    std::fs::rename(new, folder.join(name))
}

/// Reads the file, at most so many bytes. A link, a pipe or a device in its place is an error, and nothing is waited
/// for.
pub(super) fn read(folder: &Path, name: &str, most: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(folder.join(name))?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(format!("{name} is no file")));
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_is_planted_in_the_place_of_a_file_is_replaced_and_never_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        fs::write(here.join("precious"), "do not touch").unwrap();
        for planted in ["status.json", "status.json.new"] {
            symlink(here.join("precious"), here.join(planted)).unwrap();
            replace(here, "status.json", b"{}", Safety::Crash).unwrap();
            fs::remove_file(here.join("status.json")).unwrap();
            fs::hard_link(here.join("precious"), here.join(planted)).unwrap();
            replace(here, "status.json", b"{}", Safety::Crash).unwrap();
            let mode = fs::metadata(here.join("status.json"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(read(here, "status.json", 9).unwrap(), b"{}");
            fs::remove_file(here.join("status.json")).unwrap();
        }
        assert_eq!(fs::read_to_string(here.join("precious")).unwrap(), "do not touch");
    }

    #[test]
    fn what_is_planted_in_the_place_of_a_file_is_not_read_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        fs::write(here.join("precious"), "do not tell").unwrap();
        symlink(here.join("precious"), here.join("rules.good")).unwrap();
        read(here, "rules.good", 9).unwrap_err();
        fs::remove_file(here.join("rules.good")).unwrap();
        let pipe = here.join("rules.good");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        read(here, "rules.good", 9).unwrap_err();
    }
}
