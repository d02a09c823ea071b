//! The rows of the ledger in memory, and which of them the next commit has to write.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::model::{
    Account, AccountKey, BelowCount, Bound, By, ChatName, ChatState, Delivery, DeliveryKey, DigestRow,
    DigestSpan, Incident, IncidentId, KeptLine, LedgerDelta, LedgerRow, LineKey, NoticeKey, NoticeKind,
    NoticeRow, Now, Outage, RuleName, State, Timer, TokenGate, Waiting, WaitingKey,
};

/// All rows. Reading is free; a row is changed only through a `*_mut` method, which marks it.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Shared with the delta that writes them: while the disk takes nothing, a row that changes is copied first.
    incidents: BTreeMap<IncidentId, Arc<Incident>>,
    deliveries: BTreeMap<ChatName, BTreeMap<IncidentId, Arc<Delivery>>>,
    /// Lines of `ring = "all"`, in order; a queue without lines has no entry.
    queues: BTreeMap<DeliveryKey, Queue>,
    accounts: BTreeMap<AccountKey, LedgerRow>,
    chats: BTreeMap<ChatName, ChatState>,
    notices: BTreeMap<ChatName, BTreeMap<NoticeKind, NoticeRow>>,
    /// Windows of `at_least`.
    waiting: BTreeMap<RuleName, BTreeMap<By, Waiting>>,
    below: BTreeMap<RuleName, u64>,
    token_gate: TokenGate,
    digest: DigestRow,
    /// Fires when a token that was refused is tried again. Not stored: whoever mends a token restarts.
    token_pause: Option<Timer>,
    /// What fell over its bound since somebody asked.
    pub(super) overflows: Vec<(RuleName, Bound)>,
    changed: Changed,
}

/// Lines that wait for one delivery.
#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<(u64, KeptLine)>,
    /// The sum of their texts' lengths.
    bytes: usize,
}

impl Queue {
    fn push(&mut self, seq: u64, line: KeptLine) {
        self.bytes += line.text.len();
        self.lines.push_back((seq, line));
    }
}

/// Marks since the last commit.
#[derive(Debug, Default)]
struct Changed {
    incidents: BTreeSet<IncidentId>,
    incidents_gone: BTreeSet<IncidentId>,
    deliveries: BTreeSet<DeliveryKey>,
    deliveries_gone: BTreeSet<DeliveryKey>,
    lines: BTreeMap<LineKey, KeptLine>,
    lines_gone: BTreeSet<LineKey>,
    accounts: BTreeSet<AccountKey>,
    accounts_gone: BTreeSet<AccountKey>,
    chats: BTreeSet<ChatName>,
    notices: BTreeSet<NoticeKey>,
    notices_gone: BTreeSet<NoticeKey>,
    waiting: BTreeSet<WaitingKey>,
    waiting_gone: BTreeSet<WaitingKey>,
    below: BTreeSet<RuleName>,
    below_gone: BTreeSet<RuleName>,
    token_gate: bool,
    digest: bool,
}

impl Rows {
    /// The rows of a store, with their timers resumed. Nothing is marked: every timer counts from the
    /// moment its row was written, and that stands in the row.
    pub(super) fn restore(state: State, now: Now) -> Self {
        let mut rows = Self {
            token_gate: state.token_gate,
            digest: state.digest,
            ..Self::default()
        };
        rows.digest.resume(now);
        if let Some(until) = &mut rows.token_gate.until {
            *until = until.resume(state.token_gate.saved, now);
        }
        if let Some(outage) = &mut rows.token_gate.outage {
            outage.blip = outage.blip.resume(state.token_gate.saved, now);
        }
        for mut incident in state.incidents {
            Arc::make_mut(&mut incident).resume(now);
            rows.incidents.insert(incident.id, incident);
        }
        for mut delivery in state.deliveries {
            Arc::make_mut(&mut delivery).resume(now);
            rows.deliveries
                .entry(delivery.key.chat.clone())
                .or_default()
                .insert(delivery.key.incident, delivery);
        }
        for (key, line) in state.lines {
            rows.queues.entry(key.delivery).or_default().push(key.seq, line);
        }
        for mut row in state.accounts {
            row.resume(now);
            rows.accounts.insert(row.key.clone(), row);
        }
        for mut chat in state.chats {
            chat.resume(now);
            // A chat that refused is asked once more at each start, for whoever mended it restarts.
            chat.gate = chat.gate.filter(|_| chat.parked.is_none());
            // So is a topic: whoever opened it again, or wrote another one into rules.toml, restarts too.
            chat.topic_gone = false;
            rows.chats.insert(chat.name.clone(), chat);
        }
        for mut row in state.notices {
            row.resume(now);
            rows.notices
                .entry(row.key.chat.clone())
                .or_default()
                .insert(row.key.kind, row);
        }
        for mut window in state.waiting {
            window.resume(now);
            rows.waiting
                .entry(window.key.rule.clone())
                .or_default()
                .insert(window.key.by.clone(), window);
        }
        let below = state.below.into_iter();
        rows.below = below.map(|count| (count.rule, count.below)).collect();
        rows
    }

    /// The marked rows, as whole values; the marks are cleared.
    pub(super) fn changes(&mut self, now: Now) -> LedgerDelta {
        let changed = std::mem::take(&mut self.changed);
        let mut delta = LedgerDelta {
            incidents_gone: changed.incidents_gone.into_iter().collect(),
            deliveries_gone: changed.deliveries_gone.into_iter().collect(),
            lines: changed.lines.into_iter().collect(),
            lines_gone: changed.lines_gone.into_iter().collect(),
            accounts_gone: changed.accounts_gone.into_iter().collect(),
            notices_gone: changed.notices_gone.into_iter().collect(),
            waiting_gone: changed.waiting_gone.into_iter().collect(),
            below_gone: changed.below_gone.into_iter().collect(),
            ..LedgerDelta::default()
        };
        for id in &changed.incidents {
            if let Some(incident) = self.incidents.get_mut(id) {
                Arc::make_mut(incident).saved = now;
                delta.incidents.push(Arc::clone(incident));
            }
        }
        for key in &changed.deliveries {
            if let Some(delivery) = self
                .deliveries
                .get_mut(&key.chat)
                .and_then(|chat| chat.get_mut(&key.incident))
            {
                Arc::make_mut(delivery).saved = now;
                delta.deliveries.push(Arc::clone(delivery));
            }
        }
        for key in &changed.accounts {
            if let Some(row) = self.accounts.get_mut(key) {
                row.saved = now;
                delta.accounts.push(row.clone());
            }
        }
        for name in &changed.chats {
            if let Some(chat) = self.chats.get_mut(name) {
                chat.saved = now;
                delta.chats.push(chat.clone());
            }
        }
        for key in &changed.notices {
            if let Some(row) = self
                .notices
                .get_mut(&key.chat)
                .and_then(|chat| chat.get_mut(&key.kind))
            {
                row.saved = now;
                delta.notices.push(row.clone());
            }
        }
        for key in &changed.waiting {
            let window = self
                .waiting
                .get_mut(&key.rule)
                .and_then(|rule| rule.get_mut(&key.by));
            if let Some(window) = window {
                window.saved = now;
                delta.waiting.push(window.clone());
            }
        }
        for rule in changed.below {
            let below = self.below.get(&rule).copied().unwrap_or_default();
            delta.below.push(BelowCount { rule, below });
        }
        if changed.token_gate {
            self.token_gate.saved = now;
            delta.token_gate = Some(self.token_gate);
        }
        if changed.digest {
            self.digest.saved = now;
            delta.digest = Some(self.digest.clone());
        }
        delta
    }

    pub(super) fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().map(|incident| &**incident)
    }

    pub(super) fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.incidents.get(&id).map(|incident| &**incident)
    }

    pub(super) fn incident_mut(&mut self, id: IncidentId) -> Option<&mut Incident> {
        let incident = self.incidents.get_mut(&id)?;
        self.changed.incidents.insert(id);
        Some(Arc::make_mut(incident))
    }

    pub(super) fn add_incident(&mut self, incident: Incident) {
        self.changed.incidents.insert(incident.id);
        self.incidents.insert(incident.id, Arc::new(incident));
    }

    /// The deliveries of one chat.
    pub(super) fn deliveries(&self, chat: &ChatName) -> impl Iterator<Item = &Delivery> {
        let own = self.deliveries.get(chat).into_iter();
        own.flat_map(BTreeMap::values).map(|delivery| &**delivery)
    }

    /// The chats that have deliveries.
    pub(super) fn chats_told(&self) -> impl Iterator<Item = &ChatName> {
        let told = self.deliveries.iter().filter(|(_, own)| !own.is_empty());
        told.map(|(chat, _)| chat)
    }

    pub(super) fn all_deliveries(&self) -> impl Iterator<Item = &Delivery> {
        let all = self.deliveries.values().flat_map(BTreeMap::values);
        all.map(|delivery| &**delivery)
    }

    pub(super) fn deliveries_of(&self, incident: IncidentId) -> impl Iterator<Item = &Delivery> {
        self.deliveries
            .values()
            .filter_map(move |chat| chat.get(&incident))
            .map(|delivery| &**delivery)
    }

    pub(super) fn delivery(&self, key: &DeliveryKey) -> Option<&Delivery> {
        let delivery = self.deliveries.get(&key.chat)?.get(&key.incident)?;
        Some(&**delivery)
    }

    pub(super) fn delivery_mut(&mut self, key: &DeliveryKey) -> Option<&mut Delivery> {
        let delivery = self.deliveries.get_mut(&key.chat)?.get_mut(&key.incident)?;
        self.changed.deliveries.insert(key.clone());
        Some(Arc::make_mut(delivery))
    }

    pub(super) fn add_delivery(&mut self, delivery: Delivery) {
        let account = AccountKey {
            rule: delivery.rule.clone(),
            chat: delivery.key.chat.clone(),
        };
        self.account_mut(&account).opened += 1;
        self.changed.deliveries.insert(delivery.key.clone());
        self.deliveries
            .entry(delivery.key.chat.clone())
            .or_default()
            .insert(delivery.key.incident, Arc::new(delivery));
    }

    /// Takes a delivery away, with its queue; the incident goes with its last delivery once it is over.
    pub(super) fn remove_delivery(&mut self, key: &DeliveryKey) {
        while self.pop_line(key).is_some() {}
        if let Some(chat) = self.deliveries.get_mut(&key.chat) {
            chat.remove(&key.incident);
        }
        self.changed.deliveries.remove(key);
        self.changed.deliveries_gone.insert(key.clone());
        let alone = self.deliveries_of(key.incident).next().is_none();
        if alone && self.incident(key.incident).is_some_and(Incident::is_over) {
            self.remove_incident(key.incident);
        }
    }

    /// Takes an incident away that no delivery belongs to.
    pub(super) fn remove_incident(&mut self, id: IncidentId) {
        self.incidents.remove(&id);
        self.changed.incidents.remove(&id);
        self.changed.incidents_gone.insert(id);
    }

    /// The queued lines of a delivery, oldest first.
    pub(super) fn queue(&self, key: &DeliveryKey) -> impl Iterator<Item = &KeptLine> {
        self.queues
            .get(key)
            .into_iter()
            .flat_map(|queue| &queue.lines)
            .map(|(_, line)| line)
    }

    pub(super) fn has_queue(&self, key: &DeliveryKey) -> bool {
        self.queues.contains_key(key)
    }

    pub(super) fn push_line(&mut self, key: &DeliveryKey, seq: u64, line: KeptLine) {
        self.changed.lines.insert(
            LineKey {
                delivery: key.clone(),
                seq,
            },
            line.clone(),
        );
        self.queues.entry(key.clone()).or_default().push(seq, line);
    }

    pub(super) fn pop_line(&mut self, key: &DeliveryKey) -> Option<KeptLine> {
        let queue = self.queues.get_mut(key)?;
        let (seq, line) = queue.lines.pop_front()?;
        queue.bytes -= line.text.len();
        if queue.lines.is_empty() {
            self.queues.remove(key);
        }
        let key = LineKey {
            delivery: key.clone(),
            seq,
        };
        // A line that the store never saw needs no deletion there.
        if self.changed.lines.remove(&key).is_none() {
            self.changed.lines_gone.insert(key);
        }
        Some(line)
    }

    /// Bytes queued for a rule in a chat.
    pub(super) fn queued_bytes(&self, key: &AccountKey) -> usize {
        let of_rule = self
            .deliveries(&key.chat)
            .filter(|delivery| delivery.rule == key.rule);
        of_rule
            .filter_map(|delivery| self.queues.get(&delivery.key))
            .map(|queue| queue.bytes)
            .sum()
    }

    pub(super) fn accounts(&self) -> impl Iterator<Item = &LedgerRow> {
        self.accounts.values()
    }

    pub(super) fn account(&self, key: &AccountKey) -> Option<&LedgerRow> {
        self.accounts.get(key)
    }

    pub(super) fn account_mut(&mut self, key: &AccountKey) -> &mut LedgerRow {
        self.changed.accounts.insert(key.clone());
        self.changed.accounts_gone.remove(key);
        self.accounts
            .entry(key.clone())
            .or_insert_with(|| LedgerRow::new(key.clone(), Now::default()))
    }

    pub(super) fn remove_account(&mut self, key: &AccountKey) {
        self.accounts.remove(key);
        self.changed.accounts.remove(key);
        self.changed.accounts_gone.insert(key.clone());
    }

    pub(super) fn columns_mut(&mut self, key: &AccountKey) -> &mut Account {
        &mut self.account_mut(key).account
    }

    pub(super) fn chats(&self) -> impl Iterator<Item = &ChatState> {
        self.chats.values()
    }

    pub(super) fn chat(&self, name: &ChatName) -> Option<&ChatState> {
        self.chats.get(name)
    }

    pub(super) fn chat_mut(&mut self, name: &ChatName) -> &mut ChatState {
        self.changed.chats.insert(name.clone());
        self.chats
            .entry(name.clone())
            .or_insert_with(|| ChatState::new(name.clone(), Now::default()))
    }

    pub(super) fn all_notices(&self) -> impl Iterator<Item = &NoticeRow> {
        self.notices.values().flat_map(BTreeMap::values)
    }

    /// The notices for one chat.
    pub(super) fn notices(&self, chat: &ChatName) -> impl Iterator<Item = &NoticeRow> {
        self.notices.get(chat).into_iter().flat_map(BTreeMap::values)
    }

    pub(super) fn notice(&self, key: &NoticeKey) -> Option<&NoticeRow> {
        self.notices.get(&key.chat)?.get(&key.kind)
    }

    pub(super) fn notice_mut(&mut self, key: &NoticeKey) -> &mut NoticeRow {
        self.changed.notices.insert(key.clone());
        self.changed.notices_gone.remove(key);
        self.notices
            .entry(key.chat.clone())
            .or_default()
            .entry(key.kind)
            .or_insert_with(|| NoticeRow::new(key.clone(), Now::default()))
    }

    pub(super) fn remove_notice(&mut self, key: &NoticeKey) {
        if let Some(chat) = self.notices.get_mut(&key.chat) {
            chat.remove(&key.kind);
        }
        self.changed.notices.remove(key);
        self.changed.notices_gone.insert(key.clone());
    }

    pub(super) fn all_waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.values().flat_map(BTreeMap::values)
    }

    /// How many windows a rule has.
    pub(super) fn windows(&self, rule: &RuleName) -> usize {
        self.waiting.get(rule).map_or(0, BTreeMap::len)
    }

    pub(super) fn waiting(&self, key: &WaitingKey) -> Option<&Waiting> {
        self.waiting.get(&key.rule)?.get(&key.by)
    }

    /// Whether there is a window already.
    pub(super) fn waits(&self, key: &WaitingKey) -> bool {
        self.waiting
            .get(&key.rule)
            .is_some_and(|windows| windows.contains_key(&key.by))
    }

    pub(super) fn waiting_mut(&mut self, key: &WaitingKey) -> &mut Waiting {
        self.changed.waiting.insert(key.clone());
        self.changed.waiting_gone.remove(key);
        self.waiting
            .entry(key.rule.clone())
            .or_default()
            .entry(key.by.clone())
            .or_insert_with(|| Waiting::new(key.clone(), Now::default()))
    }

    pub(super) fn remove_waiting(&mut self, key: &WaitingKey) {
        if let Some(windows) = self.waiting.get_mut(&key.rule) {
            windows.remove(&key.by);
        }
        self.changed.waiting.remove(key);
        self.changed.waiting_gone.insert(key.clone());
    }

    pub(super) fn below(&self, rule: &RuleName) -> u64 {
        self.below.get(rule).copied().unwrap_or_default()
    }

    /// The rules that left something below.
    pub(super) fn rules_below(&self) -> impl Iterator<Item = &RuleName> {
        self.below.keys()
    }

    pub(super) fn below_mut(&mut self, rule: &RuleName) -> &mut u64 {
        self.changed.below.insert(rule.clone());
        self.changed.below_gone.remove(rule);
        self.below.entry(rule.clone()).or_default()
    }

    pub(super) fn remove_below(&mut self, rule: &RuleName) {
        self.below.remove(rule);
        self.changed.below.remove(rule);
        self.changed.below_gone.insert(rule.clone());
    }

    pub(super) fn token_gate_mut(&mut self) -> &mut TokenGate {
        self.changed.token_gate = true;
        &mut self.token_gate
    }

    /// When the bot may send again: after a flood, and after a refused token.
    pub(super) fn bot_gates(&self) -> impl Iterator<Item = Timer> {
        self.token_gate.until.into_iter().chain(self.token_pause)
    }

    /// What the next digest tells of.
    pub(super) fn digest(&self) -> Option<&DigestSpan> {
        self.digest.span.as_ref()
    }

    pub(super) fn set_digest(&mut self, span: Option<DigestSpan>) {
        self.changed.digest = true;
        self.digest.span = span;
    }

    /// Since when Telegram cannot be reached.
    pub(super) fn outage(&self) -> Option<Outage> {
        self.token_gate.outage
    }

    /// When the bot may send again after a flood.
    pub(super) fn flood_gate(&self) -> Option<Timer> {
        self.token_gate.until
    }

    pub(super) fn token_pause(&self) -> Option<Timer> {
        self.token_pause
    }

    pub(super) fn pause_token(&mut self, pause: Timer) {
        self.token_pause = Some(pause);
    }
}
