//! The herald: keeps `status.json` true while the engine runs, and says the same to whoever asks.
//!
//! It asks the ledger, listens to the reader's pulse, and writes what it knows every second, whatever the
//! ledger does: a ledger that does not answer is just what `health` has to hear of.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::model::{Moment, Now};
use crate::tail::{Descriptors, FileStatus, Settings, Tailer};

use super::beside::{Safety, replace};
use super::clock::Clock;
use super::courier::lanes::Roster;
use super::ledger::Ask;
use super::status::{Books, Sources, Status};

/// The name of the file in the state folder.
pub(super) const FILE: &str = "status.json";
/// How often it is replaced; more rarely where there are very many files, as they are looked at ([`Settings::pace`]).
const EVERY: Duration = Duration::from_secs(1);

/// The reader's sign of life; one writer, one reader, never held for longer than a copy.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulse(Arc<Mutex<Beat>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Beat {
    /// The reader's last turn; absent until the first sweep is done.
    pub(super) at: Option<Moment>,
    /// When these were listed.
    pub(super) listed: Option<Moment>,
    pub(super) files: Arc<Vec<FileStatus>>,
    pub(super) descriptors: Descriptors,
}

impl Pulse {
    /// The reader is alive; its files are copied at most once a second, and more rarely where they are very many.
    pub(super) fn beat(&self, now: Now, tailer: &Tailer) {
        let mut beat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if beat.at.is_none_or(|at| now.moment - at >= EVERY) {
            let pace = EVERY * Settings::pace(beat.files.len());
            if beat.listed.is_none_or(|listed| now.moment - listed >= pace) {
                beat.files = Arc::new(tailer.files());
                beat.listed = Some(now.moment);
            }
            beat.descriptors = tailer.descriptors();
            beat.at = Some(now.moment);
        }
    }

    pub(super) fn read(&self) -> Beat {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// When a request last succeeded, in any lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Success(Arc<AtomicU64>);

impl Success {
    pub(super) fn mark(&self, now: Now) {
        self.0.fetch_max(now.moment.0, Ordering::Relaxed);
    }

    fn last(&self) -> Moment {
        Moment(self.0.load(Ordering::Relaxed))
    }
}

/// What whoever asks is told.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) status: Status,
    /// It was healthy once: what is written from then on is owed.
    pub(super) ready: bool,
    /// What the ledger said last; absent before it said anything.
    pub(super) books: Option<Arc<Books>>,
}

/// What it knows, and where it writes.
pub(super) struct Herald {
    /// Absent: it writes nothing, and answers only.
    folder: Option<PathBuf>,
    sees: Senses,
    /// Who wants to hear how things stand.
    listeners: mpsc::Receiver<oneshot::Sender<Report>>,
    /// Dropped at the end: then the file goes.
    end: oneshot::Receiver<()>,
}

/// What it knows it from.
pub(super) struct Senses {
    pub(super) clock: Clock,
    pub(super) asks: Sender<Ask>,
    pub(super) pulse: Pulse,
    pub(super) success: Success,
    /// The chats, and when the program calls itself ill.
    pub(super) roster: watch::Receiver<Arc<Roster>>,
}

/// Where a fresh report is asked for.
pub(super) type Listen = mpsc::Sender<oneshot::Sender<Report>>;
/// A herald at work. Dropping the sender ends it.
pub(super) type AtWork = (oneshot::Sender<()>, JoinHandle<()>);

/// What it remembers from one status to the next.
struct Memory {
    started: Now,
    /// The last books the ledger handed out.
    books: Option<Arc<Books>>,
    /// A question that the ledger has not answered yet. At most one is open, so a stuck ledger is not flooded
    /// with them.
    open: Option<oneshot::Receiver<Books>>,
    /// When a request last succeeded, or began to be owed.
    delivering_since: Moment,
    /// It was healthy once.
    ready: bool,
}

impl Herald {
    /// Begins, where state is kept somewhere or somebody may ask. Else nobody ever answers who asks.
    pub(super) fn start(folder: Option<PathBuf>, asked: bool, sees: Senses) -> (Listen, Option<AtWork>) {
        let (listen, listeners) = mpsc::channel(1);
        let (stop, end) = oneshot::channel();
        let wanted = folder.is_some() || asked;
        let herald = wanted.then_some(Self {
            folder,
            sees,
            listeners,
            end,
        });
        (listen, herald.map(|herald| (stop, tokio::spawn(herald.run()))))
    }

    /// Writes a status every second, whatever the ledger does: a ledger that does not answer is what
    /// `health` has to hear of.
    pub(super) async fn run(mut self) {
        let started = self.sees.clock.now();
        let mut memory = Memory {
            started,
            books: None,
            open: None,
            delivering_since: started.moment,
            ready: false,
        };
        let mut page = Page::default();
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    let Report { status, .. } = self.look(&mut memory).await;
                    if let Some(folder) = &self.folder {
                        page.write(folder, status).await;
                    }
                    tick.reset_after(EVERY * Settings::pace(self.sees.pulse.read().files.len()));
                }
                Some(listener) = self.listeners.recv() => {
                    // One that went away meanwhile needs no answer.
                    drop(listener.send(self.look(&mut memory).await));
                }
                _ = &mut self.end => break,
            }
        }
        if let Some(folder) = &self.folder {
            page.remove(folder).await;
        }
    }

    /// A fresh report; one from the last books if the ledger does not answer in time.
    async fn look(&self, memory: &mut Memory) -> Report {
        let mut open = memory.open.take().unwrap_or_else(|| self.ask());
        match tokio::time::timeout(EVERY / 2, &mut open).await {
            Ok(Ok(new)) => memory.books = Some(Arc::new(new)),
            Ok(Err(_)) => {}
            Err(_) => memory.open = Some(open),
        }
        let roster = self.sees.roster.borrow().clone();
        let now = self.sees.clock.now();
        let books = memory.books.clone();
        memory.delivering_since = if books.as_ref().is_some_and(|books| books.owes) {
            memory.delivering_since.max(self.sees.success.last())
        } else {
            now.moment
        };
        let status = Status::of(&Sources {
            started: memory.started,
            now,
            beat: self.sees.pulse.read(),
            books: books.as_deref(),
            chats: &roster.chats,
            health: &roster.health,
            delivering_since: memory.delivering_since,
        });
        memory.ready |= status.healthy;
        Report {
            status,
            ready: memory.ready,
            books,
        }
    }

    fn ask(&self) -> oneshot::Receiver<Books> {
        let (reply, answer) = oneshot::channel();
        // A ledger that is gone drops the reply, and the answer says so.
        drop(self.sees.asks.try_send(Ask::Books { reply }));
        answer
    }
}

/// `status.json` being written.
#[derive(Default)]
struct Page {
    /// The last write, if it is not done yet.
    under_way: Option<JoinHandle<std::io::Result<()>>>,
    /// Whether the log says that it cannot be written.
    said: bool,
}

impl Page {
    /// Writes on a thread of its own: a state volume that hangs must stop neither the lanes nor whoever asks for
    /// the status. While one write hangs, no other is begun.
    async fn write(&mut self, folder: &Path, status: Status) {
        if let Some(last) = self.under_way.take_if(|last| last.is_finished()) {
            let written = last.await.unwrap_or_else(|died| Err(std::io::Error::other(died)));
            self.say(written);
        }
        if self.under_way.is_none() {
            let folder = folder.to_owned();
            self.under_way = Some(tokio::task::spawn_blocking(move || write(&folder, &status)));
        }
    }

    /// No process, no status. A write that is under way would bring the file back, so it is waited for.
    async fn remove(&mut self, folder: &Path) {
        if let Some(last) = self.under_way.take() {
            let _ = last.await;
        }
        // One that is not there is as good as removed; one that stays is seen to be old.
        drop(std::fs::remove_file(folder.join(FILE)));
    }

    fn say(&mut self, written: std::io::Result<()>) {
        match written {
            Err(error) if !self.said => {
                tracing::warn!(%error, "status.json cannot be written; health will turn red");
                self.said = true;
            }
            Err(_) => {}
            Ok(()) => self.said = false,
        }
    }
}

/// Replaces the file as a whole, so that nobody ever reads half of it.
fn write(folder: &Path, status: &Status) -> std::io::Result<()> {
    replace(folder, FILE, &serde_json::to_vec(status)?, Safety::Crash)
}
