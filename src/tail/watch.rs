//! Hints that something changed, and the bell that interrupts a wait.
//!
//! The contract says which lie is allowed: a lost hint costs time, never data; a false one costs a look. The
//! sweep in `tailer` is what is relied on.
//!
//! Where a mount may never answer ([`distant`]), its threads do the asking, with an instance for that mount alone: if they
//! hang, that instance is given up, and the others go on.
//!
//! The trap: the notify callback runs on a foreign thread that must never wait for us, or the kernel's queue
//! overflows. It puts a path into a bounded set and rings.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::distant::{self, Distant, Subject};
use super::identity::FileId;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _, event::ModifyKind};

/// Beyond so many different paths between two turns a hint says "look at everything".
const MOST_HINTS: usize = 4096;

/// Interrupts [`Tailer::wait`](super::Tailer::wait), from any thread.
#[derive(Clone, Debug, Default)]
pub struct Waker(Arc<Bell>);

#[derive(Debug, Default)]
struct Bell {
    hints: Mutex<Hints>,
    rung: Condvar,
}

/// What was hinted at since the last turn.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// `wake` was called.
    woken: bool,
    /// Names came or went, or hints were lost: everything is to be looked at.
    pub(super) sweep: bool,
    /// Files that were written to.
    pub(super) paths: HashSet<PathBuf>,
    /// Pipes that have something to read, by their tokens; at most one for each that is watched.
    pub(super) pipes: HashSet<u64>,
}

impl Hints {
    fn any(&self) -> bool {
        self.woken || self.sweep || !self.paths.is_empty() || !self.pipes.is_empty()
    }
}

impl Waker {
    /// A bell nobody rang yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the wait that goes on, or else the next one.
    pub fn wake(&self) {
        self.ring(|hints| hints.woken = true);
    }

    /// Takes what was hinted at.
    pub(super) fn take(&self) -> Hints {
        std::mem::take(&mut *self.hints())
    }

    /// Waits until there is something to take, at most so long.
    pub(super) fn wait(&self, longest: Duration) {
        let quiet = |hints: &mut Hints| !hints.any();
        let waited = self.0.rung.wait_timeout_while(self.hints(), longest, quiet);
        let (mut hints, _) = waited.unwrap_or_else(PoisonError::into_inner);
        hints.woken = false;
    }

    /// There is something to read of this pipe.
    pub(super) fn tell_of_pipe(&self, token: u64) {
        self.ring(|hints| {
            hints.pipes.insert(token);
        });
    }

    fn ring(&self, change: impl FnOnce(&mut Hints)) {
        change(&mut self.hints());
        self.0.rung.notify_all();
    }

    fn hints(&self) -> MutexGuard<'_, Hints> {
        // Hints stay true whatever a panicking holder did to them.
        self.0.hints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an event of the kernel means to us.
    fn notice(&self, event: notify::Result<Event>) {
        match event {
            Ok(event) if event.need_rescan() => self.ring(|hints| hints.sweep = true),
            Ok(event) => match event.kind {
                // Our own reads raise these: listening would be a loop.
                EventKind::Access(_) => {}
                EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => self.ring(|hints| {
                    hints.paths.extend(event.paths);
                    if hints.paths.len() > MOST_HINTS {
                        hints.sweep = true;
                        hints.paths.clear();
                    }
                }),
                _ => self.ring(|hints| hints.sweep = true),
            },
            Err(_) => self.ring(|hints| hints.sweep = true),
        }
    }
}

/// The folders the kernel tells us about. Nothing is asked of the kernel before the first folder.
#[derive(Debug)]
pub(super) struct Watcher {
    waker: Waker,
    /// Absent until a folder is to be watched, and after the kernel refused.
    kernel: Option<RecommendedWatcher>,
    /// One for each mount that may never answer, by where it is mounted.
    far: HashMap<PathBuf, RecommendedWatcher>,
    /// What is watched, and which folder that was: a folder made anew under its old name is another one.
    watched: BTreeMap<PathBuf, FileId>,
    /// The kernel gave no instance; it is not asked again.
    refused: bool,
}

impl Watcher {
    pub(super) fn new(waker: Waker) -> Self {
        Self {
            waker,
            kernel: None,
            far: HashMap::new(),
            watched: BTreeMap::new(),
            refused: false,
        }
    }

    /// Watches exactly these folders, each on its own (not what lies below). The error says what the
    /// kernel refused; the folders before it are watched all the same.
    pub(super) fn watch(&mut self, wanted: &BTreeMap<PathBuf, FileId>) -> Result<(), String> {
        if self.refused {
            return Ok(());
        }
        let stale = self
            .watched
            .extract_if(.., |path, id| wanted.get(path) != Some(id));
        for (path, _) in stale {
            for kernel in self.kernel.iter_mut().chain(self.far.values_mut()) {
                // It fails when the folder is gone, or is another one's, and then nothing is left to do.
                let _ = kernel.unwatch(&path);
            }
        }
        if !self.far.is_empty() {
            let mounts: Vec<Arc<Distant>> = wanted.keys().filter_map(|path| distant::of(path)).collect();
            let wanted = |root: &Path| mounts.iter().any(|mount| mount.root() == root);
            self.far.retain(|root, _| wanted(root));
        }
        for (path, id) in wanted {
            if self.watched.contains_key(path) {
                continue;
            }
            let watched = match distant::of(path) {
                None => self.add(path).map(|()| true)?,
                Some(mount) => self.add_far(path, &mount)?,
            };
            if watched {
                self.watched.insert(path.clone(), *id);
            }
        }
        Ok(())
    }

    /// Whether the kernel was asked for anything.
    #[cfg(test)]
    pub(super) fn is_asked(&self) -> bool {
        self.kernel.is_some() || !self.far.is_empty()
    }

    fn add(&mut self, path: &Path) -> Result<(), String> {
        let mut kernel = match self.kernel.take() {
            Some(kernel) => kernel,
            None => self.instance().inspect_err(|_| self.refused = true)?,
        };
        let added = kernel.watch(path, RecursiveMode::NonRecursive);
        self.kernel = Some(kernel);
        added.map_err(|error| error.to_string())
    }

    /// Whether a folder is watched that may not answer; what does not is told of by the sweep, and tried again.
    fn add_far(&mut self, path: &Path, mount: &Arc<Distant>) -> Result<bool, String> {
        let subject = Subject::Path(path.to_owned());
        if mount.is_silent(&subject) {
            return Ok(false);
        }
        let mut kernel = match self.far.remove(mount.root()) {
            Some(kernel) => kernel,
            None => self.instance()?,
        };
        let folder = path.to_owned();
        let answer = mount.ask(subject, move || {
            let added = kernel.watch(&folder, RecursiveMode::NonRecursive);
            Ok((kernel, added))
        });
        let Ok((kernel, added)) = answer else {
            // The instance is away, and with it all that it watched.
            let other = |folder: &PathBuf| distant::of(folder).is_none_or(|at| !Arc::ptr_eq(&at, mount));
            self.watched.retain(|folder, _| other(folder));
            return Ok(false);
        };
        self.far.insert(mount.root().to_owned(), kernel);
        added.map(|()| true).map_err(|error| error.to_string())
    }

    fn instance(&self) -> Result<RecommendedWatcher, String> {
        let waker = self.waker.clone();
        let made = notify::recommended_watcher(move |event| waker.notice(event));
        made.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_before_the_wait_is_not_lost() {
        let waker = Waker::new();
        waker.wake();
        waker.wait(Duration::from_hours(1));
    }

    #[test]
    fn too_many_hints_become_one_that_says_everything() {
        let waker = Waker::new();
        for number in 0..=MOST_HINTS {
            let kind = EventKind::Modify(ModifyKind::Any);
            waker.notice(Ok(Event::new(kind).add_path(format!("/{number}").into())));
        }
        let hints = waker.take();
        assert!(hints.sweep && hints.paths.is_empty());
    }

    #[test]
    fn a_read_is_no_hint() {
        let waker = Waker::new();
        let kind = EventKind::Access(notify::event::AccessKind::Read);
        waker.notice(Ok(Event::new(kind).add_path("/a".into())));
        assert!(!waker.take().any());
    }
}
