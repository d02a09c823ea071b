//! Found events that wait for a threshold.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{By, Found, Now, RuleName, Timer};

/// Whose events wait.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WaitingKey {
    /// The rule that found them.
    pub rule: RuleName,
    /// The values of its `by`.
    pub by: By,
}

/// The window of `at_least`: what a rule found for the same `by` values, and which opens nothing yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Whose window.
    pub key: WaitingKey,
    /// What was found, oldest first; each leaves the window when its timer fires. Never empty in a store.
    pub found: VecDeque<(Timer, Found)>,
    /// When this row was last written; what its timers are resumed with.
    pub saved: Now,
}

impl Waiting {
    /// An empty window.
    pub fn new(key: WaitingKey, now: Now) -> Self {
        Self {
            key,
            found: VecDeque::new(),
            saved: now,
        }
    }

    /// How many events wait.
    pub fn count(&self) -> u64 {
        self.found.iter().map(|(_, found)| found.count).sum()
    }

    /// Turns the timers of a stored row into timers of this process.
    pub fn resume(&mut self, now: Now) {
        for (timer, _) in &mut self.found {
            *timer = timer.resume(self.saved, now);
        }
        self.saved = now;
    }
}

/// How many of a rule's found events left the window and opened nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BelowCount {
    /// The rule.
    pub rule: RuleName,
    /// So many. Only grows.
    pub below: u64,
}
