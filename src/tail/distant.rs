//! File systems that may never answer, and how they are asked without hanging with them.
//!
//! What somebody else serves (another machine over a network, or a process through FUSE) may leave a question open for
//! as long as it likes, and who asked hangs in the kernel. So such a mount is asked by threads of its own, a few at
//! most, and waited for no longer than a second or a few; what has no answer by then is an error of the kind `TimedOut`. As
//! long as a question is open, nothing is asked about the same file or path; what it brings in the end is thrown away,
//! and asked once more. All others are asked where the question arises.
//!
//! Which mounts those are is read from the table of mounts. Where a path leads is found out name by name and link by
//! link, and only up to the first name that lies in one of them, so that even this asks none of them.
//!
//! The trap: a descriptor is closed by asking, too (FUSE is told of it), so [`Handle`](super::handle::Handle) leaves
//! that to the same threads.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{DirEntry, File, FileType, ReadDir};
use std::io::{self, Read as _, Seek as _};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::identity::Seen;
use super::seam;

/// For so long an answer is waited for, at first.
const PATIENCE: Duration = Duration::from_secs(1);

/// And for no longer than this. What answers within it, but too late, is slow and not dead, and waited for longer then.
const LONGEST: Duration = Duration::from_secs(5);

/// Once answers were waited for as long as the patience lasts, nothing is asked until so many times as long have passed:
/// one mount takes no more than about a fifth of the time of all others.
const SPAN: u32 = 5;

/// An answer that comes within this was not waited for.
const PROMPT: Duration = Duration::from_millis(100);

/// So many questions to one mount may be open; then it is asked nothing more.
const MOST: usize = 4;

/// The most links that a path is followed through, as in the kernel (`MAXSYMLINKS`).
const MOST_LINKS: usize = 40;

/// The kernel's table of the mounts that this process sees; see `proc_pid_mountinfo(5)`.
const TABLE: &str = "/proc/self/mountinfo";

/// Kinds of file systems that are served by somebody else, beside all that begin with `fuse.`; as they are called in
/// the kernel's `Documentation/filesystems` and in the modules of those that are not part of it.
const SERVED: [&str; 22] = [
    "9p", "afs", "autofs", "beegfs", "ceph", "cifs", "coda", "fuse", "fuseblk", "gfs2", "gpfs", "lustre",
    "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs", "wekafs",
];

/// Those of this process. Read at the first question, and again when the table has changed.
static MOUNTS: LazyLock<Mutex<Mounts>> = LazyLock::new(|| Mutex::new(Mounts::read()));

/// Sees what was mounted and taken away since the last look, and forgets where paths led then.
pub(super) fn look_again() {
    mounts().look_again();
}

/// Lets go of all threads. Those that were started before this one was given fewer rights have more.
pub(super) fn begin_anew() {
    *mounts() = Mounts::read();
}

/// What this path leads into, if that may never answer.
pub(super) fn of(path: &Path) -> Option<Arc<Distant>> {
    mounts().of(path)
}

/// Asks about a path: here, or where it can be waited for.
pub(super) fn ask<T: Send + 'static>(
    path: &Path,
    question: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    seam::pass()?;
    let Some(distant) = of(path) else {
        return question(path);
    };
    let path = path.to_owned();
    distant.ask(Subject::Path(path.clone()), move || question(&path))
}

/// Where a path leads with all its links resolved.
pub(super) fn real(path: &Path) -> io::Result<PathBuf> {
    ask(path, Path::canonicalize)
}

/// Whether a path leads to a folder. An error says that there is no answer.
pub(super) fn is_folder(path: &Path) -> io::Result<bool> {
    ask(path, |path| Ok(path.is_dir()))
}

fn mounts() -> MutexGuard<'static, Mounts> {
    // Nobody panics while holding it; and what it holds is true at any moment.
    MOUNTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The mounts that may never answer, and where paths lead.
#[derive(Debug)]
struct Mounts {
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
    fn read() -> Self {
        let mut mounts = Self {
            table: File::open(TABLE).ok(),
            distant: Vec::new(),
            folders: HashMap::new(),
        };
        mounts.take_over();
        mounts
    }

    fn look_again(&mut self) {
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

    fn of(&mut self, path: &Path) -> Option<Arc<Distant>> {
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

/// What no answer is as an error.
#[derive(Debug, thiserror::Error)]
#[error("what is mounted at {} gives no answer", .mount.display())]
struct NoAnswer {
    mount: PathBuf,
}

/// Where that is mounted that gave no answer, if that is the error.
pub(super) fn silent(error: &io::Error) -> Option<&Path> {
    let error = error.get_ref()?.downcast_ref::<NoAnswer>()?;
    Some(&error.mount)
}

/// What a question is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// Whatever lies there.
    Path(PathBuf),
    /// An open file, by its number here.
    Open(u64),
}

/// A mount that may never answer.
#[derive(Debug)]
pub(super) struct Distant {
    /// The kernel's number of it.
    id: u64,
    root: PathBuf,
    state: Mutex<State>,
    jobs: Sender<Job>,
    /// Where new threads take them from.
    waiting: Receiver<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Debug)]
struct State {
    /// For how long an answer is waited for now.
    patience: Duration,
    /// When the span began in which waiting is counted, and how much of it there was.
    since: Instant,
    waited: Duration,
    threads: usize,
    /// Jobs that are waiting or under way.
    busy: usize,
    /// What has no answer yet, and nobody waits for any more.
    open: Vec<Subject>,
}

impl State {
    fn new() -> Self {
        Self {
            patience: PATIENCE,
            since: Instant::now(),
            waited: Duration::ZERO,
            threads: 0,
            busy: 0,
            open: Vec::new(),
        }
    }

    /// Whether it was waited for long enough of late.
    fn is_tiring(&mut self) -> bool {
        if self.since.elapsed() >= self.patience * SPAN {
            (self.since, self.waited) = (Instant::now(), Duration::ZERO);
        }
        self.waited >= self.patience
    }
}

impl Distant {
    fn new(id: u64, root: PathBuf) -> Self {
        let (jobs, waiting) = unbounded();
        Self {
            id,
            root,
            state: Mutex::new(State::new()),
            jobs,
            waiting,
        }
    }

    /// Where it is mounted.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether a question about this would be refused, since an earlier one has no answer yet, or answers were waited for
    /// too much.
    pub(super) fn is_silent(&self, subject: &Subject) -> bool {
        let mut state = self.state();
        state.open.len() >= MOST || state.open.contains(subject) || state.is_tiring()
    }

    /// Asks, and waits for the answer as long as is bearable.
    pub(super) fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        subject: Subject,
        question: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        if self.is_silent(&subject) {
            return Err(self.no_answer());
        }
        let (sender, answer) = bounded(1);
        let (own, about) = (Arc::downgrade(self), subject.clone());
        let begun = Instant::now();
        let patience = self.state().patience;
        self.begin(Box::new(move || {
            let said = question();
            let Some(distant) = own.upgrade() else { return };
            let mut state = distant.state();
            let unheard = sender.send(said);
            if unheard.is_err() {
                state.open.retain(|open| *open != about);
                let took = begun.elapsed();
                if took < LONGEST {
                    state.patience = state.patience.max(2 * took).min(LONGEST);
                }
            }
            drop(state);
            // What nobody waited for may be a file, and then letting go of it is a question, too.
            drop(unheard);
            distant.state().busy -= 1;
        }))?;
        let said = answer.recv_timeout(patience);
        let took = begun.elapsed();
        if took < PROMPT
            && let Ok(said) = said
        {
            return said;
        }
        // While this is held no answer comes; so it is either here by now, or finds nobody.
        let mut state = self.state();
        state.waited += took;
        if let Ok(said) = said {
            return said;
        }
        if let Ok(said) = answer.try_recv() {
            return said;
        }
        state.open.push(subject);
        drop(answer);
        Err(self.no_answer())
    }

    /// Has something done there, sometime.
    pub(super) fn send(self: &Arc<Self>, job: impl FnOnce() + Send + 'static) {
        let own = Arc::downgrade(self);
        let done = self.begin(Box::new(move || {
            job();
            if let Some(distant) = own.upgrade() {
                distant.state().busy -= 1;
            }
        }));
        // Without a thread the job was dropped here, and with it what it was to do away with.
        drop(done);
    }

    /// Puts a job before the threads, and sees to it that there is one for it.
    fn begin(&self, job: Job) -> io::Result<()> {
        let mut state = self.state();
        if state.busy >= state.threads && state.threads < MOST {
            let jobs = self.waiting.clone();
            let spawned = thread::Builder::new()
                .name("distant".to_owned())
                .spawn(move || jobs.iter().for_each(|job| job()));
            match spawned {
                Ok(_) => state.threads += 1,
                Err(_) if state.threads == 0 => return Err(self.no_answer()),
                // Those that are there will do.
                Err(_) => {}
            }
        }
        state.busy += 1;
        // The other end is ours, too.
        drop(self.jobs.send(job));
        Ok(())
    }

    fn no_answer(&self) -> io::Error {
        let mount = self.root.clone();
        io::Error::new(io::ErrorKind::TimedOut, NoAnswer { mount })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counters and names; true at any moment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stands in a folder.
pub(super) enum Entries {
    Near(ReadDir),
    Far(std::vec::IntoIter<Entry>),
}

/// One name in a folder.
pub(super) enum Entry {
    Near(DirEntry),
    /// Without the open folder, since closing that is a question, too.
    Far {
        path: PathBuf,
        name: OsString,
        kind: Option<FileType>,
        mount: Arc<Distant>,
    },
}

/// Lists a folder.
pub(super) fn list(folder: &Path) -> io::Result<Entries> {
    seam::pass()?;
    let Some(distant) = of(folder) else {
        return std::fs::read_dir(folder).map(Entries::Near);
    };
    let subject = Subject::Path(folder.to_owned());
    let (folder, mount) = (folder.to_owned(), Arc::clone(&distant));
    let listed = distant.ask(subject, move || {
        let far = |entry: DirEntry| Entry::Far {
            path: entry.path(),
            name: entry.file_name(),
            kind: entry.file_type().ok(),
            mount: Arc::clone(&mount),
        };
        let entries = std::fs::read_dir(folder)?;
        entries
            .map(|entry| entry.map(far))
            .collect::<io::Result<Vec<_>>>()
    })?;
    Ok(Entries::Far(listed.into_iter()))
}

impl Iterator for Entries {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Near(entries) => Some(entries.next()?.map(Entry::Near)),
            Self::Far(entries) => entries.next().map(Ok),
        }
    }
}

impl Entry {
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::Near(entry) => entry.path(),
            Self::Far { path, .. } => path.clone(),
        }
    }

    pub(super) fn name(&self) -> OsString {
        match self {
            Self::Near(entry) => entry.file_name(),
            Self::Far { name, .. } => name.clone(),
        }
    }

    /// Links not followed; absent where it could not be told.
    pub(super) fn kind(&self) -> Option<FileType> {
        match self {
            Self::Near(entry) => entry.file_type().ok(),
            Self::Far { kind, .. } => *kind,
        }
    }

    /// Looks at what it leads to. Asked through the folder, a file costs less than by its whole path.
    pub(super) fn seen(self) -> io::Result<Seen> {
        if self.kind().is_some_and(|kind| kind.is_symlink()) {
            return Seen::at(&self.path());
        }
        seam::pass()?;
        let path = self.path();
        let meta = match self {
            Self::Near(entry) => entry.metadata(),
            Self::Far { path, mount, .. } => {
                mount.ask(Subject::Path(path.clone()), move || path.symlink_metadata())
            }
        }?;
        if meta.is_symlink() {
            return Seen::at(&path);
        }
        Ok(Seen::of(&meta))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    fn mount(root: &Path) -> Arc<Distant> {
        Arc::new(Distant::new(7, root.to_owned()))
    }

    fn about(name: &str) -> Subject {
        Subject::Path(name.into())
    }

    /// Asks what is answered once the returned sender is dropped.
    fn leave_open(mount: &Arc<Distant>, name: &str) -> Sender<()> {
        let (answer, heard) = bounded(0);
        let said = mount.ask(about(name), move || Ok(heard.recv().is_ok()));
        assert_eq!(said.unwrap_err().kind(), io::ErrorKind::TimedOut);
        // As if it had not been waited for lately.
        mount.state().waited = Duration::ZERO;
        answer
    }

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
        let far = mount(&dir.join("far"));
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

    #[test]
    fn what_has_no_answer_is_not_asked_again_until_it_has_and_stops_no_other() {
        let mount = mount(Path::new("/far"));
        let one = leave_open(&mount, "one");
        assert!(mount.is_silent(&about("one")) && !mount.is_silent(&about("two")));
        let refused = mount.ask(about("one"), || -> io::Result<()> { panic!("it was asked") });
        assert_eq!(
            refused.unwrap_err().to_string(),
            "what is mounted at /far gives no answer"
        );
        assert_eq!(mount.ask(about("two"), || Ok(2)).unwrap(), 2);
        drop(one);
        while mount.is_silent(&about("one")) {
            thread::yield_now();
        }
        assert_eq!(mount.ask(about("one"), || Ok(1)).unwrap(), 1);
    }

    #[test]
    fn a_mount_that_answers_nothing_holds_a_few_threads_and_is_asked_again_once_one_is_free() {
        let mount = mount(Path::new("/far"));
        let mut open: Vec<_> = (0..MOST)
            .map(|name| leave_open(&mount, &name.to_string()))
            .collect();
        assert!(mount.is_silent(&about("another")));
        assert!(mount.ask(about("another"), || Ok(())).is_err());
        drop(open.pop());
        while mount.is_silent(&about("another")) {
            thread::yield_now();
        }
        assert_eq!(mount.ask(about("another"), || Ok(5)).unwrap(), 5);
        assert_eq!(mount.state().threads, MOST);
    }

    #[test]
    fn a_slow_mount_is_not_waited_for_all_the_time_and_one_that_answered_late_is_waited_for_longer() {
        let mount = mount(Path::new("/far"));
        let slow = || {
            thread::sleep(2 * PROMPT);
            Ok(())
        };
        let answered = (0..1_000).take_while(|_| mount.ask(about("slow"), slow).is_ok());
        let answered = answered.count();
        // Each was waited for at least so long.
        assert!((1..=5).contains(&answered), "{answered}");
        assert!(mount.is_silent(&about("another")));
        mount.state().since = Instant::now().checked_sub(PATIENCE * SPAN).unwrap();
        drop(leave_open(&mount, "late"));
        while mount.is_silent(&about("late")) {
            thread::yield_now();
        }
        assert!(mount.state().patience >= 2 * PATIENCE);
    }

    #[test]
    fn what_comes_too_late_is_let_go_where_it_came_and_threads_end_with_their_mount() {
        let mount = mount(Path::new("/far"));
        let (gone, dropped) = bounded::<()>(0);
        let (answer, heard) = bounded::<()>(0);
        let said = mount.ask(about("file"), move || {
            let _ = heard.recv();
            Ok(gone)
        });
        assert!(said.is_err());
        drop(answer);
        assert!(dropped.recv().is_err());
        let (ended, end) = bounded::<()>(0);
        mount.send(move || drop(ended));
        assert!(end.recv().is_err());
        let threads = mount.waiting.clone();
        drop(mount);
        // Whoever waits for jobs hears that none will come.
        assert!(threads.recv().is_err());
    }
}
