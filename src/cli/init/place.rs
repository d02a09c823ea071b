//! Where the files go: nothing is overwritten unasked, and nothing is left half-written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::cli::Failure;

use super::{COMPOSE, RULES};

/// What Compose reads if there is no compose.yaml.
const OTHER_COMPOSE: [&str; 3] = ["compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// Whether the files may be written.
pub(super) fn free(dir: &Path, force: bool) -> Result<(), Failure> {
    let in_the_way = |why: String| Err(Failure::Running(why));
    let targets = [RULES, COMPOSE].map(|name| dir.join(name));
    if let Some(folder) = targets.iter().find(|target| target.is_dir()) {
        return in_the_way(format!("{} is a folder; move it away", folder.display()));
    }
    if force {
        return Ok(());
    }
    // A link that leads nowhere is there, too.
    let there = |path: &PathBuf| fs::symlink_metadata(path).is_ok();
    let taken: Vec<_> = targets
        .iter()
        .filter(|target| there(target))
        .map(|target| target.display().to_string())
        .collect();
    match taken.as_slice() {
        [] => {}
        [one] => return in_the_way(format!("{one} is there already; --force overwrites it")),
        both => {
            return in_the_way(format!(
                "{} are there already; --force overwrites them",
                both.join(" and ")
            ));
        }
    }
    match OTHER_COMPOSE
        .map(|name| dir.join(name))
        .iter()
        .find(|path| there(path))
    {
        None => Ok(()),
        Some(other) => in_the_way(format!(
            "{} is there already, and `docker compose` would read a new {COMPOSE} in its place; name another folder, \
             such as {}, or write it all the same with --force",
            other.display(),
            dir.join("tailgram").display()
        )),
    }
}

/// Writes all of the files, or none as far as a file system allows that: each is complete and on the disk
/// under another name before the first one gets its own.
pub(super) fn write(dir: &Path, files: &[(&str, &str)]) -> Result<(), Failure> {
    fs::create_dir_all(dir).map_err(|error| no_folder(dir, &error))?;
    let mut drafts = Vec::new();
    for (name, text) in files {
        let target = dir.join(name);
        drafts.push(Draft::write(dir, name, text).map_err(|error| not_written(&target, &error))?);
    }
    let mut new: Vec<PathBuf> = Vec::new();
    for draft in drafts {
        let (target, was_there) = (draft.target.clone(), draft.target.exists());
        if let Err(error) = draft.publish() {
            // What this run made is taken back; what it overwrote is gone.
            for path in new {
                drop(fs::remove_file(path));
            }
            return Err(not_written(&target, &error));
        }
        if !was_there {
            new.push(target);
        }
    }
    Ok(())
}

fn no_folder(dir: &Path, error: &io::Error) -> Failure {
    let hint = if dir.is_file() {
        "; DIR is the folder to write to. A glob stands in quotes, or the shell makes several words of it"
    } else {
        ""
    };
    Failure::Running(format!(
        "the folder {} cannot be made: {error}{hint}",
        dir.display()
    ))
}

fn not_written(target: &Path, error: &io::Error) -> Failure {
    Failure::Running(format!(
        "{} cannot be written: {error}; name a folder where it can: tailgram init DIR",
        target.display()
    ))
}

/// A file under a name of its own; removed unless it is published.
struct Draft {
    path: PathBuf,
    target: PathBuf,
}

impl Draft {
    fn write(dir: &Path, name: &str, text: &str) -> io::Result<Self> {
        let draft = Self {
            path: dir.join(format!(".{name}.{:016x}", fastrand::u64(..))),
            target: dir.join(name),
        };
        let mut file: File = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&draft.path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(draft)
    }

    fn publish(self) -> io::Result<()> {
        fs::rename(&self.path, &self.target)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Once it is published there is nothing under this name.
        drop(fs::remove_file(&self.path));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn both_files_are_written_or_none() {
        let folder = tempfile::tempdir().unwrap();
        // What stood in the way only after it was looked for: nothing takes the place of a folder.
        fs::create_dir(folder.path().join(COMPOSE)).unwrap();
        let error = write(folder.path(), &[(RULES, "rules"), (COMPOSE, "compose")]).unwrap_err();
        assert!(
            error.to_string().contains("compose.yaml cannot be written"),
            "{error}"
        );
        let names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, [COMPOSE]);
    }
}
