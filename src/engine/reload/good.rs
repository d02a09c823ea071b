//! The last good rules.toml, kept beside the state: a start that finds a broken one goes on with it.
//!
//! It may hold a token, so only the owner may read it. The trap: half a copy would be worse than none, so it is
//! written beside the old one and renamed.

use std::io;
use std::path::Path;

use crate::config::{MAX_FILE, Texts};
use crate::engine::beside::{self, Safety, replace};

/// Its name in the state folder.
const FILE: &str = "rules.good";

/// The last texts at `path` that were in force, if this state folder keeps them.
pub fn last_good(folder: &Path, path: &Path) -> Option<Texts> {
    Texts::recall(&read(folder).ok()?, path)
}

/// Keeps them.
pub(super) fn keep(folder: &Path, texts: &Texts) -> io::Result<()> {
    let Some(bytes) = texts.keep() else {
        return Ok(());
    };
    // Every start comes by here.
    if read(folder).is_ok_and(|kept| kept == bytes) {
        return Ok(());
    }
    replace(folder, FILE, &bytes, Safety::PowerCut)
}

fn read(folder: &Path) -> io::Result<Vec<u8>> {
    // Escapes make it longer than what it was made of.
    beside::read(folder, FILE, 8 * MAX_FILE as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::Environment;

    #[test]
    fn what_was_kept_is_found_again_for_the_same_path_alone_and_by_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rules.toml");
        std::fs::write(&path, "host = \"ä\"\n").unwrap();
        let texts = Texts::read(&path, &Environment::default());
        assert_eq!(last_good(dir.path(), &path), None);
        keep(dir.path(), &texts).unwrap();
        keep(dir.path(), &texts).unwrap();
        assert_eq!(last_good(dir.path(), &path), Some(texts));
        assert_eq!(last_good(dir.path(), Path::new("/another")), None);
        let mode = std::fs::metadata(dir.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_damaged_is_none_and_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rules.toml");
        std::fs::write(&path, "x = 1\n").unwrap();
        std::fs::write(dir.path().join(FILE), "{\"version\":1,\"pa").unwrap();
        assert_eq!(last_good(dir.path(), &path), None);
        keep(dir.path(), &Texts::read(&path, &Environment::default())).unwrap();
        assert!(last_good(dir.path(), &path).is_some());
    }
}
