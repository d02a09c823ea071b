//! How far one chat was told of one incident: the row behind "Delivery" in ARCHITECTURE.md.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    AttemptId, By, ChatName, Form, IncidentId, KeptLine, Moment, Now, RuleName, Severity, ShapeId, Timer,
    Timestamp,
};

/// Which delivery.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryKey {
    /// What is told.
    pub incident: IncidentId,
    /// Who is told.
    pub chat: ChatName,
}

/// What one chat knows of one incident. `applied - settled` of all rows, with what is folded, is the
/// ledger's `pending`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a row: each of them is one fact about the message, and every combination can occur"
)]
pub struct Delivery {
    /// Which delivery.
    pub key: DeliveryKey,
    /// The incident's rule: the other half of the ledger's key.
    pub rule: RuleName,
    /// Matches routed here. Only grows.
    pub applied: u64,
    /// How many of them are final in the ledger: covered by a confirmed text, or given up. Only grows,
    /// never past `applied`.
    pub settled: u64,
    /// How many of the settled ones another message told ("3 other incidents were held back"), so that
    /// this incident's own message does not claim them twice.
    pub told_elsewhere: u64,
    /// The live message, once confirmed.
    pub message_id: Option<i64>,
    /// The live message existed and is gone (deleted, or the group migrated): its replacement is silent.
    pub replaces: bool,
    /// The confirmed text said "over".
    pub end_told: bool,
    /// The reply to a `resolve` was confirmed, or is not owed.
    pub resolve_told: bool,
    /// The kept lines are owed as a document: the text that said "over" did not show all of them.
    #[serde(default)]
    pub document_owed: bool,
    /// The shapes that a confirmed message of this incident in this chat showed.
    pub shown_shapes: BTreeSet<ShapeId>,
    /// The ordinals of unsettled matches whose text stood in a confirmed reply: the next text of the live
    /// message settles them as shown.
    pub shown_ahead: Vec<u64>,
    /// Not before this fires: `every` after the last request.
    pub pause: Option<Timer>,
    /// The next follow-up ring not before this fires.
    pub ring_pause: Option<Timer>,
    /// Follow-up rings confirmed so far: each doubles the pause before the next.
    pub follow_ups: u32,
    /// The severity that the newest ring told; absent until the chat has its message.
    #[serde(default)]
    pub told_severity: Option<Severity>,
    /// The next reminder not before this fires; absent until the chat has its message.
    #[serde(default)]
    pub remind: Option<Timer>,
    /// The request in flight. New messages commit it before they are sent, so one found at start may have
    /// arrived.
    pub attempt: Option<Box<Attempt>>,
    /// The next new message says "may repeat".
    pub repeat: bool,
    /// How often in a row a new message may have arrived.
    #[serde(default)]
    pub unsure: u32,
    /// What Telegram has not refused yet: the next text goes out in this form.
    #[serde(default, alias = "plain", deserialize_with = "Form::stored")]
    pub form: Form,
    /// Telegram refused the link buttons of this incident: it is told without them.
    #[serde(default)]
    pub no_buttons: bool,
    /// More became known of what stands around the newest match than the live message says.
    #[serde(default)]
    pub refresh: bool,
    /// When it began to owe something; the oldest goes first.
    pub owed_since: Option<Moment>,
    /// What the live message says about other incidents; every edit says it again.
    pub carried: Option<Carried>,
    /// `ring = "all"`: lines queued so far; the sequence number of the next.
    pub queued: u64,
    /// `ring = "all"`: matches that fell over the bound of the queue and that no confirmed text counted.
    pub dropped: u64,
    /// `ring = "all"`: the lines in the opening message, which its edits repeat.
    pub opening_lines: Vec<KeptLine>,
    /// `ring = "all"`: how many lines were delivered before those.
    #[serde(default)]
    pub opening_before: u64,
    /// `ring = "all"`: how many lost lines the opening message counts, which its edits count again.
    #[serde(default)]
    pub opening_dropped: u64,
    /// When this row was last written; what its timers are resumed with.
    pub saved: Now,
}

impl Delivery {
    /// Matches that the ledger calls pending.
    pub fn pending(&self) -> u64 {
        self.applied - self.settled
    }

    /// Turns the timers of a stored row into timers of this process.
    pub fn resume(&mut self, now: Now) {
        let timers = [&mut self.pause, &mut self.ring_pause, &mut self.remind];
        for timer in timers.into_iter().flatten() {
            *timer = timer.resume(self.saved, now);
        }
        if self.owed_since.is_some() {
            self.owed_since = Some(now.moment);
        }
        self.saved = now;
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttemptKind {
    /// The incident's own message.
    Open,
    /// A short reply that shows new shapes, or says that it is worse now.
    Reply,
    /// A short reply that says that it still goes on.
    Remind,
    /// `ring = "all"`: the next lines.
    Batch,
    /// The reply that says what resolved it.
    Resolved,
    /// The newest totals.
    Edit,
    /// The last edit.
    End,
    /// The reply that brings all kept lines, as a document.
    Document,
}

impl AttemptKind {
    /// Whether it makes a new message. Only these can appear twice, so only these are committed before
    /// they are requested.
    pub fn is_new_message(self) -> bool {
        !matches!(self, AttemptKind::Edit | AttemptKind::End)
    }
}

/// One request and what its success means, fixed when it was rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a row: each of them is one fact about the request"
)]
pub struct Attempt {
    /// Tells this attempt from the next one of the same delivery.
    pub id: AttemptId,
    /// What it is for.
    pub kind: AttemptKind,
    /// Whether it makes the phone sound.
    pub sounds: bool,
    /// The severity it tells.
    #[serde(default)]
    pub severity: Severity,
    /// `applied` when it was rendered: what its success settles.
    pub upto: u64,
    /// The ordinals of the unsettled matches that have their own text in it.
    pub shown: Vec<u64>,
    /// The shapes it shows.
    pub shapes: Vec<ShapeId>,
    /// `ring = "all"`: how many queued lines it holds, from the front.
    pub lines: u64,
    /// `ring = "all"`: how many lost lines it counts.
    pub dropped: u64,
    /// Other incidents of the rule that it tells of, with how many matches of each it settles.
    pub held: Vec<(IncidentId, u64)>,
    /// What it says about other incidents.
    pub carried: Option<Carried>,
    /// Whether `carried` holds the folded incidents of the rule, settling them.
    pub folds: bool,
    /// Whether its text says "over".
    pub over: bool,
    /// Whether its text shows every kept line, all of it.
    #[serde(default)]
    pub whole: bool,
    /// It says what [`Delivery::refresh`] asks for.
    #[serde(default)]
    pub refreshes: bool,
    /// When it was rendered.
    pub at: Timestamp,
}

/// Incidents that have no message of their own, summed up: "7 earlier incidents, 1,204 matches,
/// 02:10-07:40".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// How many incidents.
    pub incidents: u64,
    /// How many matches of theirs.
    pub matches: u64,
    /// When the first match was read.
    pub first: Timestamp,
    /// When the last match was read.
    pub last: Timestamp,
    /// The three largest by matches.
    pub largest: Vec<(By, u64)>,
}

impl Carried {
    /// The sum of one incident's unsettled matches.
    pub fn one(by: &By, matches: u64, first: Timestamp, last: Timestamp) -> Self {
        Self {
            incidents: 1,
            matches,
            first,
            last,
            largest: vec![(by.clone(), matches)],
        }
    }

    /// The sum of both.
    #[must_use]
    pub fn and(mut self, other: Carried) -> Self {
        self.incidents += other.incidents;
        self.matches += other.matches;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        for (by, matches) in other.largest {
            match self.largest.iter_mut().find(|(mine, _)| *mine == by) {
                Some((_, mine)) => *mine += matches,
                None => self.largest.push((by, matches)),
            }
        }
        self.largest
            .sort_by_key(|(_, matches)| std::cmp::Reverse(*matches));
        self.largest.truncate(3);
        self
    }
}

/// What a rendered text covers beyond the total, which it always covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covers {
    /// The ordinals ([`KeptLine::nth`]) of the matches of which at least the first 40 characters (or all,
    /// if shorter) stand in the text; sorted, no duplicates.
    pub shown: Vec<u64>,
    /// The shapes whose sample stands in the text.
    pub shapes: Vec<ShapeId>,
    /// For a card of lines: how many of them, from the front, stand in the text; at least one.
    pub lines: usize,
    /// Of an incident that is over: every kept line stands in the text, all of it.
    pub whole: bool,
}
