//! File systems that may never answer, and how they are asked without hanging with them.
//!
//! What somebody else serves (another machine over a network, or a process through FUSE) may leave a question open for
//! as long as it likes, and who asked hangs in the kernel. So such a mount is asked by threads of its own, a few at
//! most, and waited for no longer than a second or a few; what has no answer by then is an error of the kind `TimedOut`. As
//! long as a question is open, nothing is asked about the same file or path; what it brings in the end is thrown away,
//! and asked once more. All others are asked where the question arises.
//!
//! Which mounts those are, and where a path leads, stands in `mounts`; what is in a folder, in `folder`.
//!
//! The trap: a descriptor is closed by asking, too (FUSE is told of it), so [`Handle`](super::handle::Handle) leaves
//! that to the same threads.

mod folder;
mod mounts;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

pub(super) use self::folder::{Entry, list};
use self::mounts::Mounts;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
