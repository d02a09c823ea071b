//! Which files the globs reach right now.
//!
//! Walks from each glob's longest literal folder, every sweep anew, and knows nothing of yesterday. Not for
//! opening files. The trap: a folder that cannot be read proves nothing about the files in it, so it is
//! reported beside them and never taken for empty.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::distant::{self, Entry};
use super::identity::{FileId, Seen};
use super::own::Own;
use super::settings::WILD;
use super::{Glob, Settings, Watch};

/// How many folders deep `**` goes.
const DEEPEST: usize = 32;

/// Where nothing is a log.
const SYSTEM: [&str; 3] = ["/proc", "/sys", "/dev"];

/// What one walk found.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// Every path that a glob matches and that leads to something, with the logs whose globs do.
    pub(super) files: HashMap<PathBuf, (Seen, Vec<usize>)>,
    /// The logs of which something is there.
    pub(super) present: HashSet<usize>,
    /// Every folder looked into for a log that wants hints, and those in which the files lie that links lead to.
    pub(super) folders: BTreeMap<PathBuf, FileId>,
    /// Where files lie whose last name is a link, and that link, for logs that want hints: events tell of the files.
    pub(super) links: HashMap<PathBuf, PathBuf>,
    /// Folders and paths that could not be looked at, and for which logs.
    pub(super) errors: BTreeMap<PathBuf, (io::Error, BTreeSet<usize>)>,
    /// Logs with a glob that could not even be begun to walk.
    pub(super) dark: HashSet<usize>,
    /// Logs with a folder or a path among the errors, the dark ones included.
    pub(super) blind: HashSet<usize>,
}

impl Reached {
    /// Takes the files out, in the order of their paths. Compared as bytes: name by name, ten thousand paths take as long
    /// as all the rest of a walk.
    pub(super) fn take_sorted(&mut self) -> Vec<(PathBuf, (Seen, Vec<usize>))> {
        let mut sorted: Vec<_> = std::mem::take(&mut self.files).into_iter().collect();
        sorted.sort_unstable_by(|(one, _), (other, _)| one.as_os_str().cmp(other.as_os_str()));
        sorted
    }

    /// Whether nothing can be known of this path, because of a folder or a file that could not be looked at.
    pub(super) fn hides(&self, path: &Path) -> bool {
        !self.errors.is_empty() && path.ancestors().any(|above| self.errors.contains_key(above))
    }
}

/// All globs of all logs, ready to walk.
#[derive(Debug)]
pub(super) struct Globs {
    plans: Vec<Plan>,
    /// Per log.
    exclude: Vec<Vec<Glob>>,
    /// Links resolved where they lead somewhere.
    never: Vec<PathBuf>,
    own: Own,
}

/// One glob of one log.
#[derive(Debug)]
struct Plan {
    log: usize,
    glob: Glob,
    /// The longest literal folder; the whole path of a glob without wildcards.
    root: PathBuf,
    /// What each name below the root must match, level by level; empty for a path without wildcards.
    steps: Vec<Step>,
    hints: bool,
}

#[derive(Debug)]
enum Step {
    /// A name that matches this.
    Name(Glob),
    /// Anything, however deep; the whole path decides.
    Deep,
}

/// The folder that holds all a glob can reach, but for what links lead to.
pub(super) fn root(glob: &Glob) -> PathBuf {
    Plan::new(0, glob, false).folder().to_owned()
}

impl Globs {
    pub(super) fn new(settings: &Settings) -> Self {
        let plans = settings.logs.iter().enumerate().flat_map(|(log, entry)| {
            let hints = entry.watch != Watch::Poll;
            let globs = entry.files.iter().filter(|glob| !glob.is_stdin());
            globs.map(move |glob| Plan::new(log, glob, hints))
        });
        let never = settings
            .never
            .iter()
            .map(|path| distant::real(path).unwrap_or_else(|_| path.clone()));
        Self {
            plans: plans.collect(),
            exclude: settings.logs.iter().map(|log| log.exclude.clone()).collect(),
            never: never.collect(),
            own: Own::of_this_process(),
        }
    }

    /// Whether this process itself writes the file at a path with its links resolved.
    pub(super) fn is_own(&self, real: &Path, id: FileId) -> bool {
        self.own.has(real, id)
    }

    /// Walks the folders.
    pub(super) fn walk(&self) -> Reached {
        let mut reached = Reached::default();
        for plan in &self.plans {
            Walk {
                globs: self,
                plan,
                reached: &mut reached,
                visited: HashSet::new(),
            }
            .start();
        }
        reached
    }

    /// Every folder that is opened, or whose files are, when the globs are followed; links as they lead now. What asked
    /// for them may be given fewer rights then, and leaves no threads behind that had more.
    pub(super) fn folders(&self) -> BTreeSet<PathBuf> {
        let roots = self.plans.iter().map(Plan::folder).map(Path::to_owned);
        let reached = self.walk();
        let real = |path: &Path| distant::real(path).ok();
        let files = reached
            .files
            .keys()
            .filter_map(|path| Some(real(path)?.parent()?.to_owned()));
        let links = reached.folders.keys().filter_map(|path| real(path));
        let folders = roots.chain(files).chain(links).collect();
        distant::begin_anew();
        folders
    }

    /// Whether a path with its links resolved is out of reach.
    pub(super) fn forbids(&self, path: &Path) -> bool {
        let mut never = SYSTEM
            .iter()
            .map(Path::new)
            .chain(self.never.iter().map(PathBuf::as_path));
        never.any(|folder| path.starts_with(folder))
    }

    /// The logs whose globs match this path as it is written, ascending.
    pub(super) fn logs_of(&self, path: &Path) -> Vec<usize> {
        let matching = self.plans.iter().filter(|plan| {
            // The walk leaves out a leading `./` that the glob does not have, and the other way round.
            let bare = path.strip_prefix(".").unwrap_or(path);
            let dotted = Path::new(".").join(bare);
            let matches = |path: &Path| plan.glob.matches(path);
            (matches(path) || matches(bare) || matches(&dotted)) && !self.excludes(plan.log, path)
        });
        let mut logs: Vec<usize> = matching.map(|plan| plan.log).collect();
        logs.sort_unstable();
        logs.dedup();
        logs
    }

    fn excludes(&self, log: usize, path: &Path) -> bool {
        self.exclude[log].iter().any(|glob| {
            let name_alone = !glob.source().contains('/');
            if name_alone {
                path.file_name().is_some_and(|name| glob.matches(Path::new(name)))
            } else {
                glob.matches(path)
            }
        })
    }
}

impl Plan {
    fn new(log: usize, glob: &Glob, hints: bool) -> Self {
        if let Some(path) = glob.path() {
            return Self {
                log,
                glob: glob.clone(),
                root: path.to_owned(),
                steps: Vec::new(),
                hints,
            };
        }
        let source = glob.source();
        let names: Vec<&str> = source.split('/').collect();
        let literal = names.iter().take_while(|name| !name.contains(WILD)).count();
        let plan = |root: PathBuf, steps| Self {
            log,
            glob: glob.clone(),
            root,
            steps,
            hints,
        };
        if literal == names.len() {
            return plan(PathBuf::from(source), Vec::new());
        }
        let mut root = names[..literal].join("/");
        if root.is_empty() {
            root.push_str(if source.starts_with('/') { "/" } else { "." });
        }
        // A brace or bracket may hold a slash, and then the pieces are no globs of their own.
        let whole = source.contains(['{', '[', '\\']);
        let steps = names[literal..].iter().map(|name| match Glob::parse(name) {
            Ok(glob) if !whole && !name.contains("**") => Step::Name(glob),
            _ => Step::Deep,
        });
        plan(PathBuf::from(root), steps.collect())
    }

    /// The folder that holds all it can reach but for links: of a single file that one's, for its name may go to
    /// another file.
    fn folder(&self) -> &Path {
        if !self.steps.is_empty() {
            return &self.root;
        }
        let folder = self.root.parent().filter(|folder| *folder != Path::new(""));
        folder.unwrap_or(Path::new("."))
    }
}

/// Whether NFS made this name: of a file that was deleted while somebody holds it, and who holds it may be us.
fn is_silly(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".nfs")
}

/// One plan being walked.
struct Walk<'a> {
    globs: &'a Globs,
    plan: &'a Plan,
    reached: &'a mut Reached,
    /// Folders on the way, so that a link to a folder above is walked once.
    visited: HashSet<FileId>,
}

impl Walk<'_> {
    fn start(&mut self) {
        let plan = self.plan;
        if plan.steps.is_empty() {
            let is_link = distant::ask(&plan.root, |path| Ok(path.is_symlink()));
            self.file(&plan.root, None, is_link.unwrap_or(false));
            if let Some(folder) = plan
                .root
                .ancestors()
                .skip(1)
                .find(|folder| distant::is_folder(folder).unwrap_or(false))
            {
                self.remember(folder);
            }
            return;
        }
        self.folder(&plan.root, 0, 0);
    }

    fn folder(&mut self, folder: &Path, level: usize, depth: usize) {
        if depth > DEEPEST || self.globs.forbids(folder) {
            return;
        }
        let entries = match distant::list(folder) {
            Ok(entries) => entries,
            Err(error) => return self.failed(folder, error),
        };
        if !self.remember(folder) {
            return;
        }
        for entry in entries {
            match entry {
                Ok(entry) => self.entry(entry, level, depth),
                Err(error) => return self.failed(folder, error),
            }
        }
    }

    fn entry(&mut self, entry: Entry, level: usize, depth: usize) {
        let path = match entry.path().strip_prefix(".") {
            Ok(relative) if !self.plan.glob.source().starts_with("./") => relative.to_owned(),
            _ => entry.path(),
        };
        let last = level + 1 == self.plan.steps.len();
        let name = entry.name();
        if is_silly(&name) {
            return;
        }
        let kind = entry.kind();
        let is_link = kind.is_some_and(|kind| kind.is_symlink());
        let deeper = match &self.plan.steps[level] {
            Step::Name(glob) if !glob.matches(Path::new(&name)) => return,
            Step::Name(_) if last => return self.file(&path, Some(entry), is_link),
            Step::Name(_) => level + 1,
            Step::Deep => {
                if self.plan.glob.matches(&path) {
                    self.file(&path, Some(entry), is_link);
                }
                level
            }
        };
        let is_folder = if is_link {
            distant::is_folder(&path)
        } else {
            Ok(kind.is_some_and(|kind| kind.is_dir()))
        };
        match is_folder {
            Ok(true) => self.folder(&path, deeper, depth + 1),
            Ok(false) => {}
            Err(error) => self.failed(&path, error),
        }
    }

    fn file(&mut self, path: &Path, entry: Option<Entry>, is_link: bool) {
        let log = self.plan.log;
        if self.globs.excludes(log, path) {
            return;
        }
        if let Some((_, logs)) = self.reached.files.get_mut(path) {
            self.reached.present.insert(log);
            if !logs.contains(&log) {
                logs.push(log);
            }
            return;
        }
        let seen = entry.map_or_else(|| Seen::at(path), Entry::seen);
        match seen {
            Ok(seen) => {
                self.reached.present.insert(log);
                self.reached.files.insert(path.to_owned(), (seen, vec![log]));
                if is_link && seen.regular && self.plan.hints {
                    self.remember_target(path);
                }
            }
            Err(error) => self.failed(path, error),
        }
    }

    /// What is written to a file is told where the file lies, and not where a link to it does.
    fn remember_target(&mut self, link: &Path) {
        let Ok(real) = distant::real(link) else { return };
        let Some(folder) = real.parent() else { return };
        if let Ok(seen) = Seen::at(folder) {
            self.reached.folders.insert(folder.to_owned(), seen.id);
            self.reached.links.insert(real, link.to_owned());
        }
    }

    /// Whether the folder is met for the first time by this glob's `**`.
    fn remember(&mut self, folder: &Path) -> bool {
        let folder = if folder == OsStr::new("") {
            Path::new(".")
        } else {
            folder
        };
        let seen = match Seen::at(folder) {
            Ok(seen) => seen,
            Err(error) => {
                self.failed(folder, error);
                return false;
            }
        };
        if self.plan.hints {
            self.reached.folders.insert(folder.to_owned(), seen.id);
        }
        self.visited.insert(seen.id)
    }

    /// What is not there yet is waited for; anything else is worth telling.
    fn failed(&mut self, path: &Path, error: io::Error) {
        if !matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        ) {
            let empty = || (error, BTreeSet::new());
            let (_, logs) = self.reached.errors.entry(path.to_owned()).or_insert_with(empty);
            logs.insert(self.plan.log);
            self.reached.blind.insert(self.plan.log);
            if path == self.plan.root {
                self.reached.dark.insert(self.plan.log);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::model::LogName;
    use crate::tail::{LogSettings, Start, Unit};

    fn globs(dir: &Path, files: &[&str], exclude: &[&str]) -> Globs {
        let parse = |glob: &&str| Glob::parse(glob).unwrap();
        let log = LogSettings {
            name: LogName::new("app"),
            files: files
                .iter()
                .map(|glob| parse(&dir.join(glob).to_str().unwrap()))
                .collect(),
            exclude: exclude.iter().map(parse).collect(),
            start: Start::Beginning,
            max_line: 100,
            partial: Duration::from_secs(5),
            joints: None,
            flush: Duration::from_secs(1),
            watch: Watch::Poll,
        };
        Globs::new(&Settings {
            logs: vec![log],
            from: None,
            sweep: Settings::SWEEP,
            hold: Settings::HOLD,
            deleted: Settings::DELETED,
            never: Vec::new(),
            unit: Unit::Lines,
        })
    }

    fn names(dir: &Path, globs: &Globs) -> Vec<String> {
        let mut reached = globs.walk();
        let paths = reached.take_sorted().into_iter().map(|(path, _)| path);
        paths
            .map(|path| path.strip_prefix(dir).unwrap().display().to_string())
            .collect()
    }

    #[test]
    fn globs_reach_what_they_say_and_excludes_take_it_away() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        fs::create_dir_all(dir.join("a/b/c")).unwrap();
        for file in [
            "x.log",
            "a/y.log",
            "a/b/z.log",
            "a/b/c/w.log",
            "a/b/c/w.txt",
            "a/skip.log",
        ] {
            fs::write(dir.join(file), "").unwrap();
        }
        assert_eq!(names(dir, &globs(dir, &["*.log"], &[])), ["x.log"]);
        assert_eq!(names(dir, &globs(dir, &["a/*/*.log"], &[])), ["a/b/z.log"]);
        assert_eq!(
            names(dir, &globs(dir, &["{x,a/y}.log"], &[])),
            ["a/y.log", "x.log"]
        );
        let deep = globs(dir, &["**/*.log"], &["skip.log"]);
        assert_eq!(
            names(dir, &deep),
            ["a/b/c/w.log", "a/b/z.log", "a/y.log", "x.log"]
        );
        assert_eq!(
            names(dir, &globs(dir, &["x.log", "*.log", "missing.log"], &[])),
            ["x.log"]
        );
    }

    #[test]
    fn a_link_that_leads_back_up_is_walked_once() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        fs::create_dir(dir.join("a")).unwrap();
        fs::write(dir.join("a/x.log"), "").unwrap();
        std::os::unix::fs::symlink(dir, dir.join("a/loop")).unwrap();
        assert_eq!(names(dir, &globs(dir, &["**/*.log"], &[])), ["a/x.log"]);
    }

    #[test]
    fn system_folders_are_out_of_reach() {
        let globs = globs(Path::new("/"), &["proc/*/status"], &[]);
        assert!(globs.walk().files.is_empty());
        assert!(globs.forbids(Path::new("/proc/self/status")));
    }
}
