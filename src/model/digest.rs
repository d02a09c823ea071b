//! The daily digest: what it says, and what is remembered from one to the next.

use serde::{Deserialize, Serialize};

use super::{Account, AccountKey, Names, Now, RuleName, Timer, Timestamp};

/// What happened between two times, over all rules and chats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// The end of the digest before, or the start of the first run that makes one.
    pub from: Timestamp,
    /// When it was made.
    pub to: Timestamp,
    /// Incidents that began.
    pub incidents: u64,
    /// Messages with sound that Telegram took.
    pub rings: u64,
    /// What the columns of the ledger grew by.
    pub account: Account,
    /// What is pending now.
    pub pending: u64,
    /// The rules with the most matches, the first of them first; at most three.
    pub noisiest: Vec<(RuleName, u64)>,
    /// Rules of rules.toml that matched nothing.
    pub quiet: Names,
}

/// What is remembered from one digest to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestRow {
    /// What the next one tells of; absent while rules.toml wants none.
    pub span: Option<DigestSpan>,
    /// When this row was last written; what its timer is resumed with.
    pub saved: Now,
}

/// What the next digest tells of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestSpan {
    /// When it began.
    pub since: Timestamp,
    /// It is not told before this fires, however the clock on the wall jumps; absent for the first one.
    pub pause: Option<Timer>,
    /// The accounts as they were then.
    pub before: Vec<DigestCount>,
}

/// One account at the beginning of a span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestCount {
    /// Which account.
    pub key: AccountKey,
    /// Its columns.
    pub account: Account,
    /// Incidents that were routed to it.
    pub opened: u64,
    /// Messages with sound.
    pub rung: u64,
}

impl DigestRow {
    /// Turns the timer of a stored row into one of this process.
    pub fn resume(&mut self, now: Now) {
        if let Some(span) = &mut self.span {
            span.pause = span.pause.map(|pause| pause.resume(self.saved, now));
        }
        self.saved = now;
    }
}
