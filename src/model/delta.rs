//! What one turn changes, and what a store holds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    AccountKey, BelowCount, ChatState, Delivery, DeliveryKey, DigestRow, FileKey, FoundCount, Gap, Incident,
    IncidentId, KeptLine, LedgerRow, LogName, NoticeKey, NoticeRow, Now, Position, RuleName, StoreId, Timer,
    Timestamp, Waiting, WaitingKey,
};

/// Counts the commits of a store. A commit names the turn it follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TurnNo(pub u64);

/// Everything that stands or falls together: one value, one transaction. Rows are whole values, so applying
/// a delta is deterministic and needs no clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// What the reader learned.
    pub host: HostDelta,
    /// What follows from it, and from Telegram's answers.
    pub ledger: LedgerDelta,
}

/// The reader's half of a [`Delta`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostDelta {
    /// Positions that moved.
    pub positions: Vec<Position>,
    /// Generations that can never come back.
    pub forgotten: Vec<FileKey>,
    /// Logs that were read for the first time with this store.
    pub logs_seen: Vec<LogName>,
    /// New totals of what rules found.
    pub found: Vec<FoundCount>,
    /// Totals of rules that are long gone.
    pub found_gone: Vec<RuleName>,
    /// Bytes destroyed before they were read.
    pub gaps: Vec<Gap>,
}

/// The ledger's half of a [`Delta`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LedgerDelta {
    /// Incidents that changed. Shared with their owner: ten thousand may change at once, and a copy of each would weigh
    /// as much as all of them.
    pub incidents: Vec<Arc<Incident>>,
    /// Incidents that are over and told.
    pub incidents_gone: Vec<IncidentId>,
    /// Deliveries that changed; shared too.
    pub deliveries: Vec<Arc<Delivery>>,
    /// Deliveries that have nothing left to tell.
    pub deliveries_gone: Vec<DeliveryKey>,
    /// Lines queued for a rule with `ring = "all"`.
    pub lines: Vec<(LineKey, KeptLine)>,
    /// Lines whose message was confirmed, or that fell over the bound.
    pub lines_gone: Vec<LineKey>,
    /// Accounts that changed.
    pub accounts: Vec<LedgerRow>,
    /// Accounts of rules and chats that are long gone.
    pub accounts_gone: Vec<AccountKey>,
    /// Chats that changed.
    pub chats: Vec<ChatState>,
    /// The gate of the whole bot, if it changed.
    pub token_gate: Option<TokenGate>,
    /// What is remembered between two digests, if it changed.
    pub digest: Option<DigestRow>,
    /// Windows of `at_least` that changed.
    pub waiting: Vec<Waiting>,
    /// Windows that are empty.
    pub waiting_gone: Vec<WaitingKey>,
    /// New totals of what stayed below `at_least`.
    pub below: Vec<BelowCount>,
    /// Totals of rules that are long gone.
    pub below_gone: Vec<RuleName>,
    /// Notices that changed.
    pub notices: Vec<NoticeRow>,
    /// Notices for chats that get none any more.
    pub notices_gone: Vec<NoticeKey>,
}

/// When the bot may send again, to any chat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenGate {
    /// Fires when it opens; absent while it is open.
    pub until: Option<Timer>,
    /// Telegram cannot be reached.
    #[serde(default)]
    pub outage: Option<Outage>,
    /// When this row was last written.
    pub saved: Now,
}

/// Telegram cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// When the first request found nobody there.
    pub since: Timestamp,
    /// Fires when it has lasted long enough to be told.
    pub blip: Timer,
    /// How many incidents were folded when it began.
    pub folded: u64,
}

/// Which queued line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LineKey {
    /// Whose line, for whom.
    pub delivery: DeliveryKey,
    /// Its place in the queue, from 0.
    pub seq: u64,
}

/// Everything a store holds, as read at start.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The store's id.
    pub store: StoreId,
    /// Its last turn.
    pub turn: TurnNo,
    /// Positions of all known generations.
    pub positions: Vec<Position>,
    /// Logs that were read before with this store: `start` no longer speaks of their files.
    pub logs_seen: Vec<LogName>,
    /// What rules found.
    pub found: Vec<FoundCount>,
    /// The newest gaps.
    pub gaps: Vec<Gap>,
    /// Incidents that are open, or over and not told everywhere.
    pub incidents: Vec<Arc<Incident>>,
    /// Their deliveries.
    pub deliveries: Vec<Arc<Delivery>>,
    /// Queued lines, ordered by key.
    pub lines: Vec<(LineKey, KeptLine)>,
    /// Accounts.
    pub accounts: Vec<LedgerRow>,
    /// Chats.
    pub chats: Vec<ChatState>,
    /// The gate of the whole bot.
    pub token_gate: TokenGate,
    /// What is remembered between two digests.
    pub digest: DigestRow,
    /// Windows of `at_least`.
    pub waiting: Vec<Waiting>,
    /// What stayed below `at_least`.
    pub below: Vec<BelowCount>,
    /// Notices, and their pauses.
    pub notices: Vec<NoticeRow>,
}

impl State {
    /// What a store holds when it is created.
    pub fn empty(store: StoreId) -> Self {
        Self {
            store,
            turn: TurnNo::default(),
            positions: Vec::new(),
            logs_seen: Vec::new(),
            found: Vec::new(),
            gaps: Vec::new(),
            incidents: Vec::new(),
            deliveries: Vec::new(),
            lines: Vec::new(),
            accounts: Vec::new(),
            chats: Vec::new(),
            token_gate: TokenGate::default(),
            digest: DigestRow::default(),
            waiting: Vec::new(),
            below: Vec::new(),
            notices: Vec::new(),
        }
    }
}
