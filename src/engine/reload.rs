//! Hot reload: rules.toml is edited while the program runs.
//!
//! ```text
//! [reload thread]  looks at the file, waits until it rests, checks it, compiles it, counts in hindsight
//!       |  the chats                              ^ SIGHUP
//!       v                                         |
//! [caller's thread]  opens lanes for new chats ---+
//!       |  what wakes the lanes
//!       v
//! [reader thread]  between two turns: other globs, other patterns        (`Tailer::reconfigure`, a new `Lens`)
//!       |  a batch, behind all rows that were read under the old settings
//!       v
//! [ledger thread]  other timers, chats, words                            (`Incidents::reconfigure`)
//!       |  with the next answer to each lane
//!       v
//! [lane per chat]  another place, another limit; of a chat that left: its end, once it is told everything
//! ```
//!
//! So a line is matched by the rules in force when it is read, and what was found is told under the settings that came
//! right behind it. Nothing is stopped for it: reading pauses for as long as it takes to walk the held files once. What
//! the connection to Telegram is built from (the server, the proxy, the token) stays as it was at the start, and the
//! notice names it.
//!
//! The file is looked at by content, twice a second, and never by events: that sees an editor's rename, a write in
//! place, a bind mount and a `ConfigMap`'s swapped link alike. What is broken changes nothing and is told. What is good
//! is kept in the state folder, for a start that finds rules.toml broken.

mod change;
mod debounce;
mod good;
mod hindsight;
mod mount;
mod watching;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::config::{self, Environment, Health, Problems, Texts};
use crate::model::Notice;
use crate::tail::{self, FileState, Waker};
use crate::telegram::ChatSettings;

use super::clock::Clock;
use super::counts::Counts;
use super::herald::Pulse;
use super::ledger::{Adoption, Ask};
use super::tally::Lens;
use change::Judged;
use debounce::{Debounce, Verdict};
use mount::Mounts;

pub use good::last_good;
pub(super) use mount::TABLE as MOUNTS;
pub(super) use watching::{News, Sources, Watching, news};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often mounts are looked at.
const LOOK_AT_MOUNTS: Duration = Duration::from_secs(5);

/// What is watched, and what a run begins with.
#[derive(Debug)]
pub struct Watched {
    /// rules.toml.
    pub path: PathBuf,
    /// What it said when it was read for this run, or the last good copy of it.
    pub texts: Texts,
    /// What it says instead, where the run begins with the last good copy.
    pub broken: Option<(Texts, Problems)>,
    /// What it is read in.
    pub env: Environment,
}

/// Chats for which there must be lanes before their matches come.
pub(super) struct Proposal {
    pub(super) chats: Vec<ChatSettings>,
    pub(super) health: Health,
    /// What wakes the lanes.
    pub(super) lanes: oneshot::Sender<Vec<Arc<Notify>>>,
}

/// What the reader takes between two turns.
pub(super) struct Change {
    pub(super) lens: Lens,
    pub(super) tail: tail::Settings,
    /// For the ledger, behind what was read so far.
    pub(super) adoption: Adoption,
    /// When it was known that there is something to take.
    pub(super) seen: Instant,
}

/// The thread's state.
pub(super) struct Reload {
    pub(super) watched: Watched,
    /// The settings in force.
    pub(super) settings: config::Settings,
    /// The state folder; absent when state is kept nowhere.
    pub(super) folder: Option<PathBuf>,
    /// SIGHUP; closed at the end of the run.
    pub(super) signals: Receiver<()>,
    pub(super) proposals: mpsc::Sender<Proposal>,
    pub(super) changes: Sender<Change>,
    pub(super) waker: Waker,
    pub(super) asks: Sender<Ask>,
    pub(super) pulse: Pulse,
    pub(super) counts: Counts,
    pub(super) clock: Clock,
}

/// The run is ending; nobody listens any more.
struct Ending;

impl Reload {
    /// Watches until the run ends.
    pub(super) fn run(mut self) {
        let mut debounce = Debounce::default();
        let mut mounts = Mounts::default();
        let mut next_mounts = Instant::now();
        if let Some((texts, problems)) = self.watched.broken.take() {
            debounce.refuse(texts);
            self.tell(change::refused(&problems, true));
        } else {
            self.keep();
        }
        loop {
            let asked = match self.signals.recv_timeout(LOOK) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // Before the first sweep nobody knows which files there are.
            if next_mounts <= Instant::now() && self.pulse.read().at.is_some() {
                self.look_at_mounts(&mut mounts);
                let pace = tail::Settings::pace(self.pulse.read().files.len());
                next_mounts = Instant::now() + LOOK_AT_MOUNTS * pace;
            }
            let texts = Texts::read(&self.watched.path, &self.watched.env);
            let verdict = debounce.look(&texts, &self.watched.texts, asked, Instant::now());
            match verdict {
                Verdict::Wait => {}
                Verdict::Back => {
                    tracing::info!("rules.toml says again what is in force");
                }
                Verdict::Load => match self.load(texts.clone()) {
                    Ok(true) => {
                        self.counts.reload(true);
                        debounce.taken();
                    }
                    Ok(false) => {
                        self.counts.reload(false);
                        debounce.refuse(texts);
                    }
                    Err(Ending) => return,
                },
            }
        }
    }

    /// Takes what the file says, if it is good. Whether it is in force now.
    fn load(&mut self, texts: Texts) -> Result<bool, Ending> {
        let seen = Instant::now();
        let judged = match change::judge(&texts, &self.settings, &self.watched.env) {
            Ok(judged) => judged,
            Err(problems) => {
                tracing::error!("rules.toml is broken; the rules in force stay\n{problems}");
                self.tell(change::refused(&problems, false));
                return Ok(false);
            }
        };
        let Judged {
            settings,
            lens,
            changes,
        } = judged;
        if changes.is_empty() {
            tracing::info!("rules.toml was read again; nothing in it means something else");
        } else {
            let names: Vec<&str> = settings.outline.new_rules(&self.settings.outline).collect();
            let hindsight = hindsight::count(&settings, &lens, &names, self.clock.now());
            change::log(&changes, &settings, &hindsight);
            let notice = Notice::Reloaded {
                changes: Box::new(changes),
                hindsight,
            };
            self.hand_on(&settings, lens, notice, seen)?;
        }
        self.settings = settings;
        self.watched.texts = texts;
        self.keep();
        Ok(true)
    }

    /// Puts other settings on their way; returns when the reader is sure to take them next.
    fn hand_on(
        &self,
        settings: &config::Settings,
        lens: Lens,
        notice: Notice,
        seen: Instant,
    ) -> Result<(), Ending> {
        let chats = settings.telegram.chats.clone();
        let (lanes, open) = oneshot::channel();
        let proposal = Proposal {
            chats: chats.clone(),
            health: settings.health.clone(),
            lanes,
        };
        self.proposals.blocking_send(proposal).map_err(|_| Ending)?;
        let change = Change {
            lens,
            tail: settings.tail.clone(),
            adoption: Adoption {
                incident: settings.incident.clone(),
                chats,
                message: settings.message.clone(),
                lanes: open.blocking_recv().map_err(|_| Ending)?,
                notice,
            },
            seen,
        };
        self.changes.send(change).map_err(|_| Ending)?;
        self.waker.wake();
        Ok(())
    }

    /// Files that are mounted one by one are told once; when one of them is replaced outside, that is told too.
    fn look_at_mounts(&self, mounts: &mut Mounts) {
        let rules = self.watched.path.clone();
        let files = self.pulse.read().files;
        let logs = files.iter().filter(|file| file.state == FileState::Following);
        let logs: Vec<PathBuf> = logs.map(|file| PathBuf::from(&file.path)).collect();
        let found = mounts.look(&rules, &logs);
        if found.rules {
            tracing::warn!(
                path = %rules.display(),
                "rules.toml is mounted as a single file: once an editor replaces it outside, this process sees the old \
                 one for good. Mount its folder instead"
            );
        }
        if found.logs.count > 0 {
            let paths = found.logs.clone();
            tracing::error!(
                ?paths,
                "log files are mounted one by one: their rotation outside cannot be seen from here. Mount their folder \
                 instead, and restart"
            );
            self.tell(Notice::SingleMounts { paths });
        }
        for path in found.stale {
            let path = path.display().to_string();
            tracing::error!(
                path,
                "is mounted as a single file and was replaced outside: mount its folder instead, and restart"
            );
            self.tell(Notice::StaleMount { path });
        }
    }

    /// Keeps what is in force for the next start.
    fn keep(&self) {
        if let Some(folder) = &self.folder
            && let Err(error) = good::keep(folder, &self.watched.texts)
        {
            tracing::warn!(%error, "the last good rules.toml could not be kept for the next start");
        }
    }

    fn tell(&self, notice: Notice) {
        // A ledger that is gone is told of by whoever waits for it.
        drop(self.asks.send(Ask::Tell { notice }));
    }
}
