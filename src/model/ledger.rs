//! The account of every match, per rule and chat.

use serde::{Deserialize, Serialize};

use super::{Carried, ChatName, ChatTarget, Now, RuleName, Timer, Timestamp};

/// Which account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountKey {
    /// The rule that matched.
    pub rule: RuleName,
    /// The chat the match was routed to.
    pub chat: ChatName,
}

/// The columns of one account. None is derived from the others, so that
/// matched = shown + counted + muted + failed + pending is a law that can be broken, and is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Matches routed to the chat.
    pub matched: u64,
    /// Their own text stood in a confirmed message.
    pub shown: u64,
    /// Part of a confirmed total, without their own text.
    pub counted: u64,
    /// A mute covered them.
    pub muted: u64,
    /// Refused for good.
    pub failed: u64,
}

impl Account {
    /// What the columns grew by since they were like that.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            matched: self.matched.saturating_sub(before.matched),
            shown: self.shown.saturating_sub(before.shown),
            counted: self.counted.saturating_sub(before.counted),
            muted: self.muted.saturating_sub(before.muted),
            failed: self.failed.saturating_sub(before.failed),
        }
    }

    /// The sums of the columns of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            matched: self.matched + other.matched,
            shown: self.shown + other.shown,
            counted: self.counted + other.counted,
            muted: self.muted + other.muted,
            failed: self.failed + other.failed,
        }
    }
}

/// Everything kept per rule and chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// Which account.
    pub key: AccountKey,
    /// Its columns.
    pub account: Account,
    /// The rings inside the window of the rule's `limit`; each fires when it leaves the window.
    pub rings: Vec<Timer>,
    /// Messages with sound that Telegram took.
    #[serde(default)]
    pub rung: u64,
    /// Edits that Telegram took.
    #[serde(default)]
    pub edited: u64,
    /// Incidents that were routed to the chat.
    #[serde(default)]
    pub opened: u64,
    /// Ended incidents that never got a message, folded; their matches are pending.
    pub fold: Option<Carried>,
    /// What was folded while a message that tells of `fold` is in flight; pending too.
    pub fold_next: Option<Carried>,
    /// Fires when the account is forgotten: its rule left rules.toml, or tells this chat no longer. Absent while
    /// it does.
    #[serde(default)]
    pub removed: Option<Timer>,
    /// When this row was last written; what its timers are resumed with.
    pub saved: Now,
}

impl LedgerRow {
    /// An empty account.
    pub fn new(key: AccountKey, now: Now) -> Self {
        Self {
            key,
            account: Account::default(),
            rings: Vec::new(),
            rung: 0,
            edited: 0,
            opened: 0,
            fold: None,
            fold_next: None,
            removed: None,
            saved: now,
        }
    }

    /// Matches that are folded, and pending.
    pub fn folded(&self) -> u64 {
        self.fold
            .iter()
            .chain(&self.fold_next)
            .map(|fold| fold.matches)
            .sum()
    }

    /// Turns the timers of a stored row into timers of this process.
    pub fn resume(&mut self, now: Now) {
        for timer in self.rings.iter_mut().chain(&mut self.removed) {
            *timer = timer.resume(self.saved, now);
        }
        self.saved = now;
    }
}

/// What is known of a chat beyond rules.toml.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatState {
    /// The chat's name.
    pub name: ChatName,
    /// Where rules.toml said it is when the rest of this was learned; absent in rows that never knew.
    #[serde(default)]
    pub target: Option<ChatTarget>,
    /// The supergroup that its group became.
    pub moved_to: Option<i64>,
    /// Nothing is sent before this fires: a 429, or the pause after a failure.
    pub gate: Option<Timer>,
    /// Whether `gate` was closed by a 429 rather than by a failure.
    #[serde(default)]
    pub flooded: bool,
    /// Why nothing is sent, if the chat is gone. `gate` is then the time of the next probe.
    pub parked: Option<Parked>,
    /// The forum topic is gone: messages go to the chat itself.
    pub topic_gone: bool,
    /// The requests of the last minute; each fires a minute after it was made. Replayed into the limiter
    /// at start.
    pub requests: Vec<Timer>,
    /// How far its rate is from whole, after 429s. Taken up by the limiter at start.
    #[serde(default)]
    pub slowed: Option<Slowed>,
    /// When this row was last written; what its timers are resumed with.
    pub saved: Now,
}

/// A chat's rate that 429s halved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slowed {
    /// How often.
    pub halvings: u32,
    /// Fires when it is whole again, if no further 429 comes.
    pub whole: Timer,
}

impl ChatState {
    /// A chat of which nothing is known.
    pub fn new(name: ChatName, now: Now) -> Self {
        Self {
            name,
            target: None,
            moved_to: None,
            gate: None,
            flooded: false,
            parked: None,
            topic_gone: false,
            requests: Vec::new(),
            slowed: None,
            saved: now,
        }
    }

    /// Whether all this was learned about the chat that rules.toml names now: at the same place, or already at
    /// the one it moved to.
    pub fn is_about(&self, target: &ChatTarget) -> bool {
        self.target.as_ref().is_none_or(|known| known == target)
            || self.moved_to.map(ChatTarget::Id).as_ref() == Some(target)
    }

    /// Where messages go for a chat that rules.toml says is at `target`.
    pub fn place(&self, target: &ChatTarget) -> ChatTarget {
        let moved_to = self.moved_to.filter(|_| self.is_about(target));
        moved_to.map_or_else(|| target.clone(), ChatTarget::Id)
    }

    /// Turns the timers of a stored row into timers of this process.
    pub fn resume(&mut self, now: Now) {
        let whole = self.slowed.iter_mut().map(|slowed| &mut slowed.whole);
        let until = self.parked.iter_mut().filter_map(|parked| parked.until.as_mut());
        for timer in self
            .gate
            .iter_mut()
            .chain(&mut self.requests)
            .chain(whole)
            .chain(until)
        {
            *timer = timer.resume(self.saved, now);
        }
        self.saved = now;
    }
}

/// Why a chat gets nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Telegram's words.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
    /// Fires when what the chat is owed is given up, if it refuses once more; absent in rows of older versions.
    #[serde(default)]
    pub until: Option<Timer>,
}

/// What a rule found, before mutes and thresholds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundCount {
    /// The rule.
    pub rule: RuleName,
    /// Events that passed `match`/`all` and that `unless` did not drop.
    pub found: u64,
}
