//! The door of the room.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    Account, AccountKey, AttemptId, AttemptKind, Card, ChatName, ChatTarget, Delivery, DeliveryKey, Ended,
    Incident, IncidentId, LedgerDelta, Moment, Notice, NoticeCard, NoticeKey, Now, Outcome, Phase, Rendered,
    Row, RuleName, State, Text, Timer,
};

use super::absence::Watch;
use super::booking::{self, Settled};
use super::delivery::{self, Decided, Order, Subject};
use super::digest::{DigestSettings, Look};
use super::grouper::Grouper;
use super::policy::{Class, Decision, HoldReason, SendReason, View, decide};
use super::rows::Rows;
use super::settings::{Ring, RuleSettings, Settings};
use super::silence::SilentHours;
use super::{chat, fold, limit, notices, threshold};

/// All incidents, what every chat knows of them, and the ledger. One owner, one thread.
#[derive(Debug)]
pub struct Incidents {
    pub(super) rules: BTreeMap<RuleName, Arc<RuleSettings>>,
    pub(super) rows: Rows,
    pub(super) grouper: Grouper,
    /// All chats, in the order of rules.toml.
    pub(super) chats: Vec<ChatName>,
    /// Those that are told notices.
    pub(super) noticed: Vec<ChatName>,
    pub(super) silent: BTreeMap<ChatName, SilentHours>,
    pub(super) digest: Option<DigestSettings>,
    /// How long what a parked chat is owed is kept.
    pub(super) retention: Duration,
    pub(super) look: Look,
    /// Of the rules with `absent`.
    pub(super) watches: BTreeMap<RuleName, Watch>,
    /// Rules whose link buttons Telegram refused, which was told.
    without_buttons: BTreeSet<RuleName>,
    /// The same of documents.
    without_document: BTreeSet<RuleName>,
    pub(super) draw: fastrand::Rng,
}

/// What a chat is owed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Something may be sent now.
    Due {
        /// How urgent the most urgent of it is.
        class: Class,
        /// Why.
        reason: SendReason,
    },
    /// Nothing may be sent now.
    Hold {
        /// Ask again then; absent: when something changed.
        until: Option<Moment>,
    },
}

/// One line of the ledger as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerLine {
    /// Which account.
    pub key: AccountKey,
    /// Its columns.
    pub account: Account,
    /// Matches whose fate is open: Σ (applied - settled) over the deliveries, and what is folded.
    pub pending: u64,
    /// Messages with sound that Telegram took.
    pub rings: u64,
    /// Edits that Telegram took.
    pub edits: u64,
    /// Its rule left rules.toml, or tells its chat no longer.
    pub removed: bool,
}

/// Makes texts of what is owed. Pure: the same card gives the same message.
pub trait Render {
    /// A message about an incident.
    fn incident(&mut self, card: &Card<'_>) -> Rendered;
    /// A message of notices.
    fn notices(&mut self, card: &NoticeCard<'_>) -> Text;
}

/// Of all that a chat is owed, the least goes first: the more urgent, then the older. A reminder (`true`) goes after what
/// is as urgent: it says nothing new, and as long as its incident goes on it would take every place of the `limit` that
/// something untold waits for.
type Rank = (Class, bool, Option<Moment>, Option<IncidentId>);

/// The most urgent thing that a chat is owed.
struct Best {
    rank: Rank,
    reason: SendReason,
    what: What,
}

enum What {
    Incident {
        key: DeliveryKey,
        kind: AttemptKind,
        sounds: bool,
    },
    Notices(NoticeKey),
}

impl Incidents {
    /// Takes up what a store holds. Attempts found in it may have arrived; incidents of rules that are no
    /// longer in rules.toml end; what chats that are no longer there were owed is failed.
    pub fn restore(settings: &Settings, state: State, now: Now, draw: fastrand::Rng) -> Self {
        let rows = Rows::restore(state, now);
        let grouper = Grouper::restore(&rows);
        let mut incidents = Self {
            rules: BTreeMap::new(),
            rows,
            grouper,
            chats: Vec::new(),
            noticed: Vec::new(),
            silent: BTreeMap::new(),
            digest: None,
            retention: settings.retention,
            look: Look::default(),
            watches: BTreeMap::new(),
            without_buttons: BTreeSet::new(),
            without_document: BTreeSet::new(),
            draw,
        };
        incidents.adopt(settings);
        incidents.take_over(now);
        incidents
    }

    /// Takes up where rules.toml says that the chats are. Once, right after [`Incidents::restore`]: a chat that
    /// is somewhere else than before has none of the messages sent so far, and is not the one that refused.
    pub fn locate<'a>(&mut self, chats: impl IntoIterator<Item = (&'a ChatName, &'a ChatTarget)>) {
        for (chat, target) in chats {
            chat::locate(&mut self.rows, chat, target);
        }
    }

    /// Takes the rows of a turn, in order. What is due by then happens first.
    pub fn apply(&mut self, rows: Vec<Row>, now: Now) {
        self.tick(now);
        for row in rows {
            match row {
                Row::Found(found) => {
                    let Some(rule) = self.rules.get(&found.rule) else {
                        continue;
                    };
                    if rule.absent.is_some() {
                        self.sign_of_life(&found, now);
                        self.fold_untold(&found.rule);
                        continue;
                    }
                    for found in threshold::take(&mut self.rows, &self.grouper, rule, found, now) {
                        self.grouper
                            .found(&mut self.rows, rule, &found, now, &mut self.draw);
                    }
                }
                Row::Context { rule, by, context } => {
                    self.grouper.context(&mut self.rows, &rule, &by, context, now);
                }
                Row::Resolve(resolve) => {
                    self.grouper.resolve(&mut self.rows, &resolve, now);
                    self.fold_untold(&resolve.rule);
                }
            }
        }
        for (rule, bound) in std::mem::take(&mut self.rows.overflows) {
            self.notice(&Notice::Overflow { rule, bound }, now);
        }
    }

    /// Lets time pass: `wait` and `quiet` run out.
    pub fn tick(&mut self, now: Now) {
        let moment = now.moment;
        self.tell_digest(now);
        self.fail_what_removed_accounts_owe(moment);
        self.forget_removed_accounts(moment);
        self.forget_below();
        self.expire_windows(moment);
        let opens = |incident: &&Incident| matches!(incident.phase, Phase::Gathering { until } if until.fired(moment));
        let opened: Vec<IncidentId> = self
            .rows
            .incidents()
            .filter(opens)
            .map(|incident| incident.id)
            .collect();
        self.open(&opened);
        let ends = |incident: &&Incident| incident.quiet_until().is_some_and(|quiet| quiet.fired(moment));
        let ended: Vec<(IncidentId, RuleName)> = self
            .rows
            .incidents()
            .filter(ends)
            .map(|incident| (incident.id, incident.rule.clone()))
            .collect();
        for (id, rule) in ended {
            self.grouper.end(&mut self.rows, id, Ended::Quiet, now);
            self.fold_untold(&rule);
        }
    }

    /// Cuts every `wait` short (`run --once`, shutdown): what is gathered opens now.
    pub fn cut_wait_short(&mut self) {
        let gathering = |incident: &&Incident| matches!(incident.phase, Phase::Gathering { .. });
        let opened: Vec<IncidentId> = self
            .rows
            .incidents()
            .filter(gathering)
            .map(|incident| incident.id)
            .collect();
        self.open(&opened);
    }

    /// When [`Incidents::tick`] has something to do next.
    pub fn next_tick(&self) -> Option<Moment> {
        let next = |incident: &Incident| {
            let until = match incident.phase {
                Phase::Gathering { until } => Some(until),
                Phase::Open | Phase::Over { .. } => None,
            };
            let timers = until.into_iter().chain(incident.quiet_until());
            timers.map(|timer| timer.due).min()
        };
        let windows = self.rows.all_waiting().flat_map(|window| &window.found);
        let leaves = windows.map(|(timer, _)| timer.due);
        let incidents = self.rows.incidents().filter_map(next);
        let others = self.next_failure().into_iter().chain(self.look.due());
        incidents.chain(leaves).chain(others).min()
    }

    /// What `chat` is owed now.
    pub fn ask(&self, chat: &ChatName, now: Now) -> Asked {
        if let Some(until) = self.gate(chat, now) {
            return Asked::Hold { until: Some(until) };
        }
        match self.best(chat, now) {
            Ok(Best {
                rank: (class, ..),
                reason,
                ..
            }) => Asked::Due { class, reason },
            Err(until) => Asked::Hold { until },
        }
    }

    /// Begins the most urgent request that `chat` is owed, if it is of `class` or more urgent. The caller
    /// commits [`Incidents::changes`] before it sends a new message; where it cannot (`unwritten`), the message says
    /// that it may repeat, for a crash would forget that it was sent.
    pub fn take(
        &mut self,
        chat: &ChatName,
        class: Class,
        unwritten: bool,
        now: Now,
        render: &mut dyn Render,
    ) -> Option<Order> {
        if self.gate(chat, now).is_some() {
            return None;
        }
        let Best {
            rank: (best, ..),
            reason,
            what,
        } = self.best(chat, now).ok()?;
        if best > class {
            return None;
        }
        match what {
            What::Incident { key, kind, sounds } => {
                let rule = self.rule(&self.rows.delivery(&key)?.rule);
                let decided = Decided {
                    kind,
                    sounds,
                    reason,
                    unwritten,
                    left: !self.chats.contains(chat),
                };
                let render = &mut |card: &Card<'_>| render.incident(card);
                delivery::begin(&mut self.rows, &rule, &key, decided, now, &mut self.draw, render)
            }
            What::Notices(key) => {
                let render = &mut |card: &NoticeCard<'_>| render.notices(card);
                notices::begin(&mut self.rows, &key, unwritten, now, &mut self.draw, render)
            }
        }
    }

    /// A request that was begun is not made after all: nothing is booked, and it is owed as before.
    pub fn withdraw(&mut self, subject: &Subject, attempt: AttemptId, now: Now) {
        let not_sent = Outcome::Wait {
            after: Some(Duration::ZERO),
            flood: false,
            why: String::new(),
        };
        self.book(subject, attempt, &not_sent, Duration::ZERO, now);
    }

    /// Books what became of a request. `retry` is how long to wait where Telegram did not say.
    pub fn settle(
        &mut self,
        subject: &Subject,
        attempt: AttemptId,
        outcome: &Outcome,
        retry: Duration,
        now: Now,
    ) -> Settled {
        self.hear_of_outage(outcome, now);
        self.book(subject, attempt, outcome, retry, now)
    }

    fn book(
        &mut self,
        subject: &Subject,
        attempt: AttemptId,
        outcome: &Outcome,
        retry: Duration,
        now: Now,
    ) -> Settled {
        let chat = subject.chat();
        let was_parked = self.is_parked(chat);
        let (settled, rule) = match subject {
            Subject::Incident { key, .. } => {
                let Some(delivery) = self.rows.delivery(key) else {
                    return Settled::Stale;
                };
                let rule = self.rule(&delivery.rule);
                let settled = booking::settle(&mut self.rows, &rule, key, attempt, outcome, retry, now);
                self.fold_untold(&rule.name);
                (settled, Some(rule.name.clone()))
            }
            Subject::Notices(key) => {
                let settled = notices::settle(&mut self.rows, key, attempt, outcome, retry, now);
                (settled, None)
            }
        };
        let given_up = self.heed_refusal(chat, outcome, now);
        self.notice_outcome(chat, was_parked, outcome, now);
        match (settled, rule) {
            (Settled::Parked { .. }, _) => return Settled::Parked { given_up },
            (Settled::GaveUp { matches }, Some(rule)) => {
                let chat = chat.clone();
                self.notice(&Notice::Refused { rule, chat, matches }, now);
            }
            // Once per rule and run: each further incident would only say it again.
            (Settled::WithoutButtons, Some(rule)) if self.without_buttons.insert(rule.clone()) => {
                if let Outcome::Refused(refusal) = outcome {
                    let why = refusal.why.clone();
                    self.notice(&Notice::ButtonsRefused { rule, why }, now);
                }
            }
            (Settled::WithoutDocument, Some(rule)) if self.without_document.insert(rule.clone()) => {
                let why = match outcome {
                    Outcome::Refused(refusal) => &refusal.why,
                    Outcome::Unsure { why } | Outcome::Wait { why, .. } => why,
                    Outcome::Sent { .. } | Outcome::Moved { .. } => "",
                };
                let why = why.to_owned();
                self.notice(&Notice::DocumentRefused { rule, why }, now);
            }
            _ => {}
        }
        settled
    }

    /// Has something to say about the program itself, to the chats that want to hear it.
    pub fn notice(&mut self, notice: &Notice, now: Now) {
        notices::add(&mut self.rows, &self.noticed, notice, now);
    }

    /// What an outcome means for its chat, for the others to know.
    pub(super) fn notice_outcome(&mut self, chat: &ChatName, was_parked: bool, outcome: &Outcome, now: Now) {
        let notice = match (
            was_parked,
            self.rows.chat(chat).and_then(|chat| chat.parked.as_ref()),
        ) {
            (false, Some(parked)) => Notice::Parked {
                chat: chat.clone(),
                why: parked.why.clone(),
            },
            (true, None) => Notice::Returned { chat: chat.clone() },
            _ => match outcome {
                Outcome::Moved { to } => Notice::Moved {
                    chat: chat.clone(),
                    to: *to,
                },
                _ => return,
            },
        };
        match notice {
            Notice::Moved { .. } => self.notice(&notice, now),
            _ => self.notice_elsewhere(chat, &notice, now),
        }
    }

    /// Has something to say of a chat that takes no messages: another one is told, even one that hears no notices
    /// otherwise.
    pub(super) fn notice_elsewhere(&mut self, chat: &ChatName, notice: &Notice, now: Now) {
        let others = |chats: &[ChatName]| -> Vec<ChatName> {
            chats.iter().filter(|other| *other != chat).cloned().collect()
        };
        let mut told = others(&self.noticed);
        if told.is_empty() && !self.noticed.is_empty() {
            let listens = |other: &ChatName| !self.is_parked(other);
            told = others(&self.chats).into_iter().filter(listens).take(1).collect();
        }
        notices::add(&mut self.rows, &told, notice, now);
    }

    pub(super) fn is_parked(&self, chat: &ChatName) -> bool {
        self.rows.chat(chat).is_some_and(|chat| chat.parked.is_some())
    }

    /// The rows that changed since the last call, as whole values.
    pub fn changes(&mut self, now: Now) -> LedgerDelta {
        self.rows.changes(now)
    }

    /// The ledger, computed from the rows.
    pub fn ledger(&self) -> Vec<LedgerLine> {
        let pending = |key: &AccountKey| {
            let own = self
                .rows
                .deliveries(&key.chat)
                .filter(|delivery| delivery.rule == key.rule);
            own.map(Delivery::pending).sum::<u64>()
        };
        let line = |row: &crate::model::LedgerRow| LedgerLine {
            key: row.key.clone(),
            account: row.account,
            pending: pending(&row.key) + row.folded(),
            rings: row.rung,
            edits: row.edited,
            removed: row.removed.is_some(),
        };
        self.rows.accounts().map(line).collect()
    }

    /// All incidents that are open, or over and not told everywhere.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.rows.incidents()
    }

    /// What is known of the chats.
    pub fn chats(&self) -> impl Iterator<Item = &crate::model::ChatState> {
        self.rows.chats()
    }

    /// How many deliveries have something to tell that does not wait for a place of their rule's `limit`, nor
    /// for a chat or a token that was refused: what `run --once` waits for.
    pub fn undelivered(&self, now: Now) -> usize {
        let waits = |delivery: &&Delivery| match self.decide(delivery, now) {
            Some(Decision::Hold(HoldReason::Limit, _)) | None => false,
            Some(Decision::Hold(HoldReason::InFlight, _) | Decision::Send { .. }) => {
                !self.refuses(&delivery.key.chat, now)
            }
            Some(Decision::Hold(..)) => delivery.pending() > 0 && !self.refuses(&delivery.key.chat, now),
        };
        // Nobody goes to a chat that left rules.toml before the start.
        let waits = |delivery: &&Delivery| self.chats.contains(&delivery.key.chat) && waits(delivery);
        // No pass waits for what it has to say about itself: a kind that was told pauses for longer than a pass lasts, and
        // a Telegram that is away hears of it the next time.
        let told = |hold: HoldReason, until: Option<Moment>| {
            hold == HoldReason::Pause && until.is_some_and(|until| until - now.moment > notices::GATHER)
        };
        let notices = self.rows.all_notices().filter(|row| {
            let waits = match notices::decide(row, now.moment) {
                Ok(()) => true,
                Err((hold, until)) => hold != HoldReason::NothingOwed && !told(hold, until),
            };
            waits && self.gate(&row.key.chat, now).is_none()
        });
        self.rows.all_deliveries().filter(waits).count() + notices.count()
    }

    /// Whether something could be told this moment, if only Telegram took it: what `health` looks at. What a
    /// pause or a `limit` holds back is not owed yet, and a chat that is gone is nobody's illness.
    pub fn owes(&self, now: Now) -> bool {
        let healthy = |chat: &ChatName| self.chats.contains(chat) && !self.is_parked(chat);
        self.rows
            .all_deliveries()
            .any(|delivery| self.is_due(delivery, now) && healthy(&delivery.key.chat))
            || self.rows.all_notices().any(|row| {
                let due = matches!(
                    notices::decide(row, now.moment),
                    Ok(()) | Err((HoldReason::InFlight, _))
                );
                due && !self.is_parked(&row.key.chat)
            })
    }

    /// How many matches wait because their chat or the token was refused.
    pub fn refused(&self, now: Now) -> u64 {
        let refused = self
            .rows
            .all_deliveries()
            .filter(|delivery| self.refuses(&delivery.key.chat, now));
        refused.map(Delivery::pending).sum()
    }

    /// Whether Telegram refused the chat or the token, and it is too early to ask again.
    fn refuses(&self, chat: &ChatName, now: Now) -> bool {
        let early = |gate: Option<Timer>| gate.is_some_and(|gate| !gate.fired(now.moment));
        let parked = self.rows.chat(chat).filter(|chat| chat.parked.is_some());
        early(self.rows.token_pause()) || parked.is_some_and(|chat| early(chat.gate))
    }

    /// When `chat` may be sent to again; absent: now.
    pub(super) fn gate(&self, chat: &ChatName, now: Now) -> Option<Moment> {
        let own = self.rows.chat(chat).and_then(|chat| chat.gate);
        let closed = own
            .into_iter()
            .chain(self.rows.bot_gates())
            .filter(|gate| !gate.fired(now.moment));
        closed.map(|gate| gate.due).max()
    }

    /// The most urgent thing that `chat` is owed; or when to look again.
    fn best(&self, chat: &ChatName, now: Now) -> Result<Best, Option<Moment>> {
        let mut best: Option<Best> = None;
        let mut wake: Option<Moment> = None;
        let mut offer = |new: Best| {
            if best.as_ref().is_none_or(|best| new.rank < best.rank) {
                best = Some(new);
            }
        };
        for delivery in self.rows.deliveries(chat) {
            let key = delivery.key.clone();
            match self.decide(delivery, now) {
                Some(Decision::Send {
                    kind,
                    class,
                    sounds,
                    reason,
                }) => offer(Best {
                    rank: (
                        class,
                        kind == AttemptKind::Remind,
                        delivery.owed_since,
                        Some(key.incident),
                    ),
                    reason,
                    what: What::Incident { key, kind, sounds },
                }),
                Some(Decision::Hold(_, until)) => wake = [wake, until].into_iter().flatten().min(),
                None => {}
            }
        }
        for row in self.rows.notices(chat) {
            match notices::decide(row, now.moment) {
                Ok(()) => offer(Best {
                    rank: (Class::Notice, false, row.owed_since, None),
                    reason: SendReason::Notice,
                    what: What::Notices(row.key.clone()),
                }),
                Err((_, until)) => wake = [wake, until].into_iter().flatten().min(),
            }
        }
        best.ok_or(wake)
    }

    pub(super) fn decide(&self, delivery: &Delivery, now: Now) -> Option<Decision> {
        let incident = self.rows.incident(delivery.key.incident)?;
        let rule = self.rule(&delivery.rule);
        let account = AccountKey {
            rule: delivery.rule.clone(),
            chat: delivery.key.chat.clone(),
        };
        let limited_until = limit::limited_until(self.rows.account(&account), rule.limit, now.moment);
        let forwards = rule.ring == Ring::All;
        let queued = forwards && (self.rows.has_queue(&delivery.key) || delivery.dropped > 0);
        Some(decide(&View {
            incident,
            delivery,
            rule: &rule,
            limited_until,
            queued,
            silent: self.is_silent(&delivery.key.chat, now),
            now: now.moment,
        }))
    }

    /// Whether the chat is in its silent hours.
    fn is_silent(&self, chat: &ChatName, now: Now) -> bool {
        self.silent.get(chat).is_some_and(|hours| hours.cover(now.wall))
    }

    /// The settings of a rule; those of a removed one are the defaults, as the last word about its
    /// incidents still has to be said.
    pub(super) fn rule(&self, name: &RuleName) -> Arc<RuleSettings> {
        let removed = || {
            Arc::new(RuleSettings {
                chats: Vec::new(),
                ..RuleSettings::new(name.as_str(), "")
            })
        };
        self.rules.get(name).cloned().unwrap_or_else(removed)
    }

    fn open(&mut self, incidents: &[IncidentId]) {
        for id in incidents {
            if let Some(incident) = self.rows.incident_mut(*id) {
                incident.phase = Phase::Open;
            }
        }
    }

    fn fold_untold(&mut self, rule: &RuleName) {
        let of_rule = self.rows.accounts().filter(|row| row.key.rule == *rule);
        let accounts: Vec<AccountKey> = of_rule.map(|row| row.key.clone()).collect();
        for account in accounts {
            fold::enforce(&mut self.rows, &account);
        }
    }
}
