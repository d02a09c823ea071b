//! What the globs reach right now, and what of it could be followed: for people who check their rules.toml.
//!
//! Opens every file once and lets it go. Not for following, and not a promise: what is found here is true at
//! this moment only, and the [`Tailer`](super::Tailer) asks again. The trap: a path may be refused by a folder on
//! the way, and then nothing is known about the file itself, so what refuses is told, not what was asked for.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::discover::Globs;
use super::identity::{self, Seen};
use super::pipe;
use super::settings::WILD;
use super::{Glob, LogSettings, Settings, distant};
use crate::model::{Format, LogName, Manner};

/// What one log's globs reach.
#[derive(Debug)]
pub struct Surveyed {
    /// The log.
    pub log: LogName,
    /// Every path that is reached and is no folder, and every one that could not be looked at, by path.
    pub paths: BTreeMap<PathBuf, Standing>,
    /// The globs that reach nothing.
    pub empty: Vec<Empty>,
}

/// A glob that reaches nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Empty {
    /// The glob, as the user wrote it.
    pub glob: String,
    /// The first folder on the way to its files that is not there, if that is why.
    pub missing: Option<PathBuf>,
}

/// How a path stands.
#[derive(Debug)]
pub enum Standing {
    /// It would be followed.
    Readable {
        /// Its size in bytes.
        size: u64,
        /// What its lines are; [`Format::Auto`] if nothing tells.
        format: Format,
    },
    /// It is compressed, and would be left alone.
    Compressed,
    /// It is a FIFO that is named, or stdin, and would be read.
    Pipe,
    /// It is no regular file, and would be left alone.
    NotRegular,
    /// It lies under /proc, /sys or /dev, or in our own state, and would be left alone.
    Forbidden,
    /// It cannot be read.
    Unreadable(Refusal),
}

/// Who may do what where reading failed.
#[derive(Debug)]
pub struct Refusal {
    /// What refuses: the file, or a folder on the way to it.
    pub path: PathBuf,
    /// The user it belongs to.
    pub owner: u32,
    /// The group it belongs to.
    pub group: u32,
    /// Its permission bits.
    pub mode: u32,
    /// The permission bits that reading needs there, as those of others: 4 is read, 1 is search.
    pub needs: u32,
    /// What the system said.
    pub error: io::Error,
}

/// Walks the globs of every log, in the order of `settings`, and tries every file.
pub fn survey(settings: &Settings) -> Vec<Surveyed> {
    settings
        .logs
        .iter()
        .map(|log| {
            let mut surveyed = Surveyed {
                log: log.name.clone(),
                paths: BTreeMap::new(),
                empty: Vec::new(),
            };
            for glob in &log.files {
                surveyed.add(glob, log, settings);
            }
            surveyed
        })
        .collect()
}

impl Surveyed {
    /// Walks one glob by itself, so that one which reaches nothing is found out.
    fn add(&mut self, glob: &Glob, log: &LogSettings, settings: &Settings) {
        if glob.is_stdin() {
            self.paths.insert(pipe::STDIN.into(), Standing::Pipe);
            return;
        }
        let alone = LogSettings {
            files: vec![glob.clone()],
            ..log.clone()
        };
        let globs = Globs::new(&Settings {
            logs: vec![alone],
            ..settings.clone()
        });
        let reached = globs.walk();
        let files = reached.files.into_iter().filter(|(_, (seen, _))| !seen.folder);
        let files = files.map(|(path, (seen, _))| {
            let standing = Standing::of(&path, &seen, &globs, log);
            (path, standing)
        });
        let errors = reached.errors.into_iter().map(|(path, (error, _))| {
            let refusal = Refusal::of(&path, error);
            (path, Standing::Unreadable(refusal))
        });
        let mut found = files.chain(errors).peekable();
        if found.peek().is_none() {
            self.empty.push(Empty::of(glob));
        }
        self.paths.extend(found);
    }
}

impl Empty {
    fn of(glob: &Glob) -> Self {
        let path = Path::new(glob.source());
        // What is literal of the way; the last name is that of files.
        let wild = |folder: &Path| folder.to_string_lossy().contains(WILD);
        let folders = path.ancestors().skip(1);
        let literal = folders.filter(|folder| !folder.as_os_str().is_empty() && !wild(folder));
        let missing = literal
            .take_while(|folder| !distant::ask(folder, |folder| Ok(folder.exists())).unwrap_or(true))
            .last();
        Self {
            glob: glob.source().to_owned(),
            missing: missing.map(PathBuf::from),
        }
    }
}

impl Standing {
    /// Asks the same questions as the tailer, in the same order.
    fn of(path: &Path, seen: &Seen, globs: &Globs, log: &LogSettings) -> Self {
        if identity::has_compressed_name(path) {
            return Self::Compressed;
        }
        let named = seen.fifo && log.names(path);
        if !seen.regular && !named {
            return Self::NotRegular;
        }
        match distant::real(path) {
            Ok(real) if globs.forbids(&real) => Self::Forbidden,
            // Opening it would let a writer begin, and then make it fail.
            Ok(_) if named => match distant::ask(path, may_read) {
                Ok(()) => Self::Pipe,
                Err(error) => Self::Unreadable(Refusal::of(path, error)),
            },
            Ok(_) => Self::opened(path, seen.size, log)
                .unwrap_or_else(|error| Self::Unreadable(Refusal::of(path, error))),
            Err(error) => Self::Unreadable(Refusal::of(path, error)),
        }
    }

    fn opened(path: &Path, size: u64, log: &LogSettings) -> io::Result<Self> {
        let file = identity::open(path)?;
        let mut first = vec![0; Manner::FIRST];
        let read = identity::read_at(&file, &mut first, 0)?;
        let first = &first[..read];
        if identity::is_compressed(first) {
            return Ok(Self::Compressed);
        }
        let told = log
            .joints
            .as_ref()
            .map(|joints| joints.manner(&path.to_string_lossy(), first));
        Ok(Self::Readable {
            size,
            format: told.unwrap_or_default().format,
        })
    }
}

fn may_read(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(path, rustix::fs::Access::READ_OK)?)
}

impl Refusal {
    /// The nearest thing on the way to `path` that can be looked at is what refuses.
    fn of(path: &Path, error: io::Error) -> Self {
        let here = Path::new(".");
        let mut way = path
            .ancestors()
            .map(|step| if step.as_os_str().is_empty() { here } else { step });
        let looked_at = way.find_map(|step| Some((step, distant::ask(step, Path::metadata).ok()?)));
        let (refuses, about) = looked_at.map_or((path, None), |(step, about)| (step, Some(about)));
        let needs = match &about {
            Some(about) if about.is_dir() && refuses == path => 5,
            Some(about) if about.is_dir() => 1,
            _ => 4,
        };
        Self {
            path: refuses.to_owned(),
            owner: about.as_ref().map_or(0, MetadataExt::uid),
            group: about.as_ref().map_or(0, MetadataExt::gid),
            mode: about.as_ref().map_or(0, |about| about.mode() & 0o7777),
            needs,
            error,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::Duration;

    use super::*;
    use crate::tail::{Start, Watch};

    fn settings(dir: &Path, files: &[&str], never: &[&str]) -> Settings {
        let glob = |glob: &&str| Glob::parse(dir.join(glob).to_str().unwrap()).unwrap();
        let log = LogSettings {
            name: LogName::new("app"),
            files: files.iter().map(glob).collect(),
            exclude: vec![Glob::parse("skip*").unwrap()],
            start: Start::End,
            max_line: 100,
            partial: Duration::from_secs(5),
            joints: None,
            flush: Duration::from_secs(1),
            watch: Watch::Poll,
        };
        Settings {
            logs: vec![log],
            from: None,
            sweep: Settings::SWEEP,
            hold: Settings::HOLD,
            deleted: Settings::DELETED,
            never: never.iter().map(|path| dir.join(path)).collect(),
            unit: crate::tail::Unit::Lines,
        }
    }

    /// Every path below `dir` with a word about how it stands.
    fn told(dir: &Path, surveyed: &Surveyed) -> Vec<String> {
        let word = |standing: &Standing| match standing {
            Standing::Readable { size, .. } => format!("{size}"),
            Standing::Compressed => "compressed".to_owned(),
            Standing::Pipe => "pipe".to_owned(),
            Standing::NotRegular => "not regular".to_owned(),
            Standing::Forbidden => "forbidden".to_owned(),
            Standing::Unreadable(refusal) => {
                let path = refusal.path.strip_prefix(dir).unwrap().display();
                format!("{path} refuses, {:o}, needs {}", refusal.mode, refusal.needs)
            }
        };
        let name = |path: &Path| path.strip_prefix(dir).unwrap().display().to_string();
        let paths = surveyed.paths.iter();
        paths
            .map(|(path, standing)| format!("{}: {}", name(path), word(standing)))
            .collect()
    }

    fn empty(dir: &Path, glob: &str, missing: Option<&str>) -> Empty {
        Empty {
            glob: dir.join(glob).display().to_string(),
            missing: missing.map(|folder| dir.join(folder)),
        }
    }

    #[test]
    fn every_path_is_told_once_with_how_it_stands() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        fs::create_dir_all(dir.join("state/folder.log")).unwrap();
        for (file, text) in [
            ("a.log", "seven..".as_bytes()),
            ("b.log.gz", b""),
            ("c.log", b"\x1f\x8b\x08"),
            ("skip.log", b"x"),
            ("state/own.log", b"x"),
        ] {
            fs::write(dir.join(file), text).unwrap();
        }
        for fifo in ["named.pipe", "met.log"] {
            let fifo = dir.join(fifo);
            rustix::fs::mknodat(rustix::fs::CWD, fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        }
        symlink("/dev/null", dir.join("null.log")).unwrap();
        symlink("/proc/self/status", dir.join("proc.log")).unwrap();
        symlink("nowhere", dir.join("dead.log")).unwrap();
        let mut settings = settings(dir, &["*.log*", "a.log", "named.pipe", "state/*"], &["state"]);
        let surveyed = survey(&settings).remove(0);
        let expected = [
            "a.log: 7",
            "b.log.gz: compressed",
            "c.log: compressed",
            "met.log: not regular",
            "named.pipe: pipe",
            "null.log: not regular",
            "proc.log: forbidden",
        ];
        assert_eq!(told(dir, &surveyed), expected);
        assert_eq!(surveyed.empty, [empty(dir, "state/*", None)]);
        settings.logs[0].files = vec![Glob::stdin()];
        let surveyed = survey(&settings).remove(0);
        assert!(surveyed.empty.is_empty() && surveyed.paths.contains_key(Path::new("stdin")));
    }

    #[test]
    fn each_glob_that_reaches_nothing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        fs::create_dir(dir.join("folder")).unwrap();
        fs::write(dir.join("a.log"), "").unwrap();
        fs::write(dir.join("skip.log"), "").unwrap();
        let globs = [
            "a.log",
            "missing.log",
            "no/where/*/*.log",
            "folder/[a-z]/x.log",
            "folder",
            "skip.*",
        ];
        let surveyed = survey(&settings(dir, &globs, &[])).remove(0);
        assert_eq!(told(dir, &surveyed), ["a.log: 0"]);
        let expected = [
            empty(dir, "missing.log", None),
            empty(dir, "no/where/*/*.log", Some("no")),
            empty(dir, "folder/[a-z]/x.log", None),
            empty(dir, "folder", None),
            empty(dir, "skip.*", None),
        ];
        assert_eq!(surveyed.empty, expected);
    }

    #[test]
    fn a_file_that_refuses_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        fs::write(dir.join("a.log"), "").unwrap();
        fs::set_permissions(dir.join("a.log"), fs::Permissions::from_mode(0o200)).unwrap();
        let surveyed = survey(&settings(dir, &["*.log"], &[])).remove(0);
        assert_eq!(told(dir, &surveyed), ["a.log: a.log refuses, 200, needs 4"]);
        assert!(surveyed.empty.is_empty());
    }

    #[test]
    fn a_folder_on_the_way_that_refuses_is_named() {
        if rustix::process::geteuid().is_root() {
            return; // Root may enter every folder; the test of the whole program gives root up first.
        }
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let modes = [("locked", 0o600), ("dark", 0o300)];
        for folder in ["locked", "dark"] {
            fs::create_dir(dir.join(folder)).unwrap();
            fs::write(dir.join(folder).join("x.log"), "").unwrap();
        }
        for (path, mode) in modes {
            fs::set_permissions(dir.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        let surveyed = survey(&settings(dir, &["locked/x.log", "dark/*.log"], &[])).remove(0);
        for (path, _) in modes {
            fs::set_permissions(dir.join(path), fs::Permissions::from_mode(0o700)).unwrap();
        }
        let expected = [
            "dark: dark refuses, 300, needs 5",
            "locked/x.log: locked refuses, 600, needs 1",
        ];
        assert_eq!(told(dir, &surveyed), expected);
        assert!(surveyed.empty.is_empty());
    }
}
