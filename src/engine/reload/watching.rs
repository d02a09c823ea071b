//! The engine's end of the reload thread: what it proposes, and SIGHUP, which asks it for a look.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use crossbeam_channel::{Receiver, Sender, bounded, never};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::config;
use crate::engine::clock::Clock;
use crate::engine::counts::Counts;
use crate::engine::herald::Pulse;
use crate::engine::ledger::Ask;
use crate::engine::run::{EngineError, Thread};
use crate::tail::Waker;

use super::{Change, Proposal, Reload, Watched};

/// The thread that watches rules.toml. Dropped, it ends.
pub(in crate::engine) struct Watching {
    thread: Thread<()>,
    /// Asks it for a look.
    looks: Sender<()>,
    proposals: mpsc::Receiver<Proposal>,
    hangup: Signal,
    /// Whether the program was started from a terminal.
    at_terminal: bool,
}

/// What the thread is made from, beside what it watches.
pub(in crate::engine) struct Sources<'a> {
    /// The settings in force.
    pub(in crate::engine) settings: &'a config::Settings,
    /// The state folder; absent when state is kept nowhere.
    pub(in crate::engine) folder: Option<PathBuf>,
    pub(in crate::engine) waker: &'a Waker,
    pub(in crate::engine) asks: &'a Sender<Ask>,
    pub(in crate::engine) pulse: &'a Pulse,
    pub(in crate::engine) counts: &'a Counts,
    pub(in crate::engine) clock: Clock,
}

/// What the engine has to act on.
pub(in crate::engine) enum News {
    /// There are other chats.
    Proposal(Proposal),
    /// The terminal it was started from is gone: here SIGHUP means what it meant first.
    HungUp,
}

impl Watching {
    /// Starts the thread, and says where the reader finds its changes; with nothing to watch there is neither. From here
    /// on SIGHUP ends the program no longer.
    pub(in crate::engine) fn start(
        watched: Option<Watched>,
        sources: Sources<'_>,
    ) -> io::Result<(Option<Self>, Receiver<Change>)> {
        let Some(watched) = watched else {
            return Ok((None, never()));
        };
        let (change_sender, changes) = bounded(1);
        let (proposal_sender, proposals) = mpsc::channel(1);
        let (looks, signals) = bounded(1);
        let reload = Reload {
            watched,
            settings: sources.settings.clone(),
            folder: sources.folder,
            signals,
            proposals: proposal_sender,
            changes: change_sender,
            waker: sources.waker.clone(),
            asks: sources.asks.clone(),
            pulse: sources.pulse.clone(),
            counts: sources.counts.clone(),
            clock: sources.clock,
        };
        let watching = Self {
            hangup: signal(SignalKind::hangup())?,
            at_terminal: io::stdin().is_terminal(),
            thread: Thread::spawn("reload", || reload.run())?,
            looks,
            proposals,
        };
        Ok((Some(watching), changes))
    }

    async fn news(&mut self) -> Result<News, EngineError> {
        loop {
            tokio::select! {
                proposal = self.proposals.recv() => return match proposal {
                    Some(proposal) => Ok(News::Proposal(proposal)),
                    None => Err(self.thread.ended().await.err().unwrap_or(EngineError::Died("reload"))),
                },
                _ = self.hangup.recv() => {
                    if self.at_terminal && !io::stdin().is_terminal() {
                        return Ok(News::HungUp);
                    }
                    // One that waits is as good as many.
                    let _ = self.looks.try_send(());
                }
            }
        }
    }
}

/// Waits for the next thing; without a thread there is none. May be dropped at any time without losing one.
pub(in crate::engine) async fn news(watching: &mut Option<Watching>) -> Result<News, EngineError> {
    match watching {
        Some(watching) => watching.news().await,
        None => std::future::pending().await,
    }
}
