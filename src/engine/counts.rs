//! What is counted for `/metrics` alone, where it happens: bytes read, requests, commits, reloads.
//!
//! It begins at nothing with every start, as scrapers expect of a counter. What must survive a restart is in the rows of
//! the ledger, and `/metrics` reads it there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::{ChatName, GapKind, Now, Outcome, Timestamp};
use crate::telegram::{Call, Request};

/// Upper bounds of the buckets for requests, in seconds; a request has 15.
pub(super) const REQUEST_BUCKETS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0];
/// Upper bounds of the buckets for commits, in seconds.
pub(super) const COMMIT_BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0];

/// The counts, shared by everybody who counts; held for an addition or a copy, never longer.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts(Arc<Mutex<Counted>>);

/// What was counted so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    /// Bytes that were looked at for each log. Those of a file that two logs reach count for both.
    pub(super) read: BTreeMap<String, u64>,
    /// Requests that say something to a chat, by method and outcome.
    pub(super) requests: BTreeMap<(&'static str, &'static str), u64>,
    pub(super) request_time: Histogram<9>,
    /// When each chat last took something.
    pub(super) delivered: BTreeMap<ChatName, Timestamp>,
    pub(super) commit_time: Histogram<9>,
    pub(super) gaps: BTreeMap<&'static str, u64>,
    /// Edits of rules.toml, by what became of them.
    pub(super) reloads: BTreeMap<&'static str, u64>,
    /// Heartbeats, by what became of them.
    pub(super) heartbeats: BTreeMap<&'static str, u64>,
}

/// How long things took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Histogram<const N: usize> {
    /// How many took at most as long as each bound, and no shorter one.
    pub(super) within: [u64; N],
    /// All of them.
    pub(super) count: u64,
    pub(super) sum: Duration,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self {
            within: [0; N],
            count: 0,
            sum: Duration::ZERO,
        }
    }
}

impl<const N: usize> Histogram<N> {
    fn add(&mut self, took: Duration, bounds: &[f64; N]) {
        let bound = bounds.iter().position(|bound| took.as_secs_f64() <= *bound);
        if let Some(bucket) = bound.and_then(|bound| self.within.get_mut(bound)) {
            *bucket += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(took);
    }
}

impl Counts {
    /// Bytes that were looked at for these logs.
    pub(super) fn read<'a>(&self, logs: impl Iterator<Item = &'a str>, bytes: usize) {
        self.with(|counted| {
            for log in logs {
                match counted.read.get_mut(log) {
                    Some(read) => *read += bytes as u64,
                    None => drop(counted.read.insert(log.to_owned(), bytes as u64)),
                }
            }
        });
    }

    /// A request, and what became of it.
    pub(super) fn request(
        &self,
        chat: &ChatName,
        request: &Request,
        outcome: &Outcome,
        took: Duration,
        now: Now,
    ) {
        let method = match request.call {
            Call::Send { .. } if request.document.is_some() => "sendDocument",
            Call::Send { .. } => "sendMessage",
            Call::Edit { .. } => "editMessageText",
        };
        self.with(|counted| {
            *counted.requests.entry((method, word(outcome))).or_default() += 1;
            counted.request_time.add(took, &REQUEST_BUCKETS);
            if matches!(outcome, Outcome::Sent { .. }) {
                counted.delivered.insert(chat.clone(), now.wall);
            }
        });
    }

    /// A commit that the disk took.
    pub(super) fn commit(&self, took: Duration) {
        self.with(|counted| counted.commit_time.add(took, &COMMIT_BUCKETS));
    }

    pub(super) fn gap(&self, kind: GapKind) {
        let kind = gap(kind);
        self.with(|counted| *counted.gaps.entry(kind).or_default() += 1);
    }

    /// An edit of rules.toml that took effect, or was refused.
    pub(super) fn reload(&self, taken: bool) {
        let result = if taken { "taken" } else { "refused" };
        self.with(|counted| *counted.reloads.entry(result).or_default() += 1);
    }

    /// A heartbeat that was heard, or not.
    pub(super) fn heartbeat(&self, heard: bool) {
        let result = if heard { "sent" } else { "failed" };
        self.with(|counted| *counted.heartbeats.entry(result).or_default() += 1);
    }

    /// Forgets the logs that rules.toml does not have any more.
    pub(super) fn keep_logs<'a>(&self, logs: impl Iterator<Item = &'a str>) {
        let kept: BTreeSet<&str> = logs.collect();
        self.with(|counted| counted.read.retain(|log, _| kept.contains(log.as_str())));
    }

    /// Forgets the chats that rules.toml does not have any more.
    pub(super) fn keep_chats<'a>(&self, chats: impl Iterator<Item = &'a ChatName>) {
        let kept: BTreeSet<&ChatName> = chats.collect();
        self.with(|counted| counted.delivered.retain(|chat, _| kept.contains(chat)));
    }

    /// A copy of all of it.
    pub(super) fn all(&self) -> Counted {
        self.with(|counted| counted.clone())
    }

    fn with<T>(&self, change: impl FnOnce(&mut Counted) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An outcome in a word.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Sent { .. } => "sent",
        Outcome::Wait { .. } => "wait",
        Outcome::Unsure { .. } => "unsure",
        Outcome::Moved { .. } => "moved",
        Outcome::Refused(_) => "refused",
    }
}

/// What destroyed bytes, in a word.
pub(super) fn gap(kind: GapKind) -> &'static str {
    match kind {
        GapKind::Truncated => "truncated",
        GapKind::Vanished => "vanished",
    }
}
