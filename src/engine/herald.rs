//! The herald: keeps `status.json` true while the engine runs.
//!
//! It asks the ledger, listens to the reader's pulse, and writes what it knows every second, whatever the
//! ledger does: a ledger that does not answer is just what `health` has to hear of.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::sync::oneshot;

use crate::config::Health;
use crate::model::{Moment, Now};
use crate::tail::FileStatus;
use crate::telegram::ChatSettings;

use super::clock::Clock;
use super::ledger::Ask;
use super::status::{Books, Sources, Status};

/// The name of the file in the state folder.
pub(super) const FILE: &str = "status.json";
/// How often it is replaced.
const EVERY: Duration = Duration::from_secs(1);

/// The reader's sign of life; one writer, one reader, never held for longer than a copy.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulse(Arc<Mutex<Beat>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Beat {
    /// The reader's last turn; absent until the first sweep is done.
    pub(super) at: Option<Moment>,
    pub(super) files: Vec<FileStatus>,
}

impl Pulse {
    /// The reader is alive; its files are copied at most once a second.
    pub(super) fn beat(&self, now: Now, files: impl FnOnce() -> Vec<FileStatus>) {
        let mut beat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if beat.at.is_none_or(|at| now.moment - at >= EVERY) {
            beat.files = files();
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

/// What it knows, and where it writes.
pub(super) struct Herald {
    pub(super) folder: PathBuf,
    pub(super) clock: Clock,
    pub(super) asks: Sender<Ask>,
    pub(super) pulse: Pulse,
    pub(super) success: Success,
    pub(super) chats: Vec<ChatSettings>,
    pub(super) health: Health,
}

impl Herald {
    /// Writes a status every second, whatever the ledger does: a ledger that does not answer is what
    /// `health` has to hear of.
    pub(super) async fn run(self) {
        let started = self.clock.now();
        let mut books: Option<Books> = None;
        let mut delivering_since = started.moment;
        let mut answer = None;
        let mut said = false;
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            // At most one question is open, so a stuck ledger is not flooded with them.
            let mut open = answer.take().unwrap_or_else(|| self.ask());
            match tokio::time::timeout(EVERY / 2, &mut open).await {
                Ok(Ok(new)) => books = Some(new),
                Ok(Err(_)) => {}
                Err(_) => answer = Some(open),
            }
            let now = self.clock.now();
            let owes = books.as_ref().is_some_and(|books| books.owes);
            delivering_since = if owes {
                delivering_since.max(self.success.last())
            } else {
                now.moment
            };
            let status = Status::of(&Sources {
                started,
                now,
                beat: self.pulse.read(),
                books: books.as_ref(),
                chats: &self.chats,
                health: self.health,
                delivering_since,
            });
            // On a thread of its own: a state volume that hangs must not stop the lanes.
            let folder = self.folder.clone();
            let written = tokio::task::spawn_blocking(move || write(&folder, &status)).await;
            match written.unwrap_or_else(|died| Err(std::io::Error::other(died))) {
                Err(error) if !said => {
                    tracing::warn!(%error, "status.json cannot be written; health will turn red");
                    said = true;
                }
                Err(_) => {}
                Ok(()) => said = false,
            }
        }
    }

    fn ask(&self) -> oneshot::Receiver<Books> {
        let (reply, answer) = oneshot::channel();
        // A ledger that is gone drops the reply, and the answer says so.
        drop(self.asks.try_send(Ask::Books { reply }));
        answer
    }
}

/// Replaces the file as a whole, so that nobody ever reads half of it.
fn write(folder: &Path, status: &Status) -> std::io::Result<()> {
    let new: PathBuf = folder.join(format!("{FILE}.new"));
    std::fs::write(&new, serde_json::to_vec(status)?)?;
    std::fs::rename(new, folder.join(FILE))
}

/// Takes the file away at an orderly end: no process, no status.
pub(super) fn remove(folder: &Path) {
    // One that is not there is as good as removed; one that stays is seen to be old.
    drop(std::fs::remove_file(folder.join(FILE)));
}
