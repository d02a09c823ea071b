//! Rows become incidents.
//!
//! 1. A row of matches goes to the open incident with its rule and `by` values, or opens one.
//! 2. `wait` runs from the first match and is not prolonged; `quiet` runs from the last.
//! 3. A row that resolves ends the open incidents it agrees with.
//! 4. Past [`OPEN_INCIDENTS`] a rule's further `by` values share one incident named `others`.
//! 5. Every match is routed to each of the rule's chats at the moment it is taken: `matched`, `applied` and
//!    the queue move together, here and nowhere else.

use std::collections::BTreeMap;

use crate::model::{
    AccountKey, Bound, By, ChatName, Context, Delivery, DeliveryKey, Ended, Form, Found, Incident,
    IncidentId, KEPT_BYTES, KEPT_LINES, KEPT_SHAPES, KeptLine, Logged, Now, Phase, QUEUE_BYTES, Resolve,
    RuleName, Timer, Values,
};

use super::booking;
use super::rows::Rows;
use super::settings::{Ring, RuleSettings};

/// At most this many open incidents per rule.
pub(super) const OPEN_INCIDENTS: usize = 1_000;
/// At most this many paths are kept per incident.
const FILES: usize = 8;

/// Which incidents are open: the index of [`Rows`] by what a match knows.
#[derive(Debug, Default)]
pub(super) struct Grouper {
    open: BTreeMap<RuleName, BTreeMap<By, IncidentId>>,
}

impl Grouper {
    /// Finds the open incidents among restored rows.
    pub(super) fn restore(rows: &Rows) -> Self {
        let mut grouper = Self::default();
        for incident in rows.incidents().filter(|incident| !incident.is_over()) {
            grouper
                .open
                .entry(incident.rule.clone())
                .or_default()
                .insert(incident.by.clone(), incident.id);
        }
        grouper
    }

    /// Whether a rule has an open incident with these `by` values.
    pub(super) fn is_open(&self, rule: &RuleName, by: &By) -> bool {
        self.open.get(rule).is_some_and(|open| open.contains_key(by))
    }

    /// A rule's open incident with these `by` values.
    pub(super) fn open(&self, rule: &RuleName, by: &By) -> Option<IncidentId> {
        self.open.get(rule)?.get(by).copied()
    }

    /// Takes a row of matches.
    pub(super) fn found(
        &mut self,
        rows: &mut Rows,
        rule: &RuleSettings,
        found: &Found,
        now: Now,
        draw: &mut fastrand::Rng,
    ) {
        let id = self.incident_for(rows, rule, found, now, draw);
        let Some(incident) = rows.incident_mut(id) else {
            return;
        };
        let (before, had_others) = (incident.total, incident.other > 0);
        absorb(incident, found, rule.ring, now);
        let overflows = !had_others && incident.other > 0;
        incident.quiet = Timer::start(now.moment, rule.quiet);
        if overflows {
            rows.overflows.push((rule.name.clone(), Bound::Shapes));
        }
        let chats: Vec<ChatName> = rows
            .deliveries_of(id)
            .map(|delivery| delivery.key.chat.clone())
            .collect();
        for chat in chats {
            route(
                rows,
                rule,
                &DeliveryKey { incident: id, chat },
                found,
                before,
                now,
            );
        }
    }

    /// Takes what is known now around a match. If it is not the newest one any more, nobody wants to know.
    pub(super) fn context(&mut self, rows: &mut Rows, rule: &RuleName, by: &By, context: Context, now: Now) {
        let Some(open) = self.open.get(rule) else { return };
        let names: Vec<String> = by.0.iter().map(|(name, _)| name.clone()).collect();
        let Some(&id) = open.get(by).or_else(|| open.get(&By::others(&names))) else {
            return;
        };
        let Some(incident) = rows.incident(id) else { return };
        let known = incident.context.as_ref();
        if known.is_none_or(|known| known.origin != context.origin || *known == context) {
            return;
        }
        if let Some(incident) = rows.incident_mut(id) {
            incident.context = Some(context);
            incident.saved = now;
        }
        let told = |delivery: &&Delivery| delivery.message_id.is_some() || delivery.attempt.is_some();
        let told = rows.deliveries_of(id).filter(told);
        let keys: Vec<DeliveryKey> = told.map(|delivery| delivery.key.clone()).collect();
        for key in keys {
            if let Some(delivery) = rows.delivery_mut(&key) {
                delivery.refresh = true;
                delivery.owed_since.get_or_insert(now.moment);
            }
        }
    }

    /// Takes a row that resolves. With nothing open it does nothing.
    pub(super) fn resolve(&mut self, rows: &mut Rows, resolve: &Resolve, now: Now) {
        let Some(open) = self.open.get(&resolve.rule) else {
            return;
        };
        let ended: Vec<IncidentId> = open
            .iter()
            .filter(|(by, _)| by.agrees(&resolve.by))
            .map(|(_, incident)| *incident)
            .collect();
        for id in ended {
            self.end(
                rows,
                id,
                Ended::Resolved {
                    line: resolve.text.clone(),
                },
                now,
            );
        }
    }

    /// Ends an incident.
    pub(super) fn end(&mut self, rows: &mut Rows, id: IncidentId, ended: Ended, now: Now) {
        let Some(incident) = rows.incident_mut(id) else {
            return;
        };
        let resolved = matches!(ended, Ended::Resolved { .. });
        incident.phase = Phase::Over { at: now.wall, ended };
        let (rule, by) = (incident.rule.clone(), incident.by.clone());
        if let Some(open) = self.open.get_mut(&rule) {
            open.remove(&by);
        }
        let keys: Vec<DeliveryKey> = rows
            .deliveries_of(id)
            .map(|delivery| delivery.key.clone())
            .collect();
        for key in keys {
            if let Some(delivery) = rows.delivery_mut(&key) {
                // A chat that never heard of it needs no reply: its one message says how it ended.
                delivery.resolve_told = !resolved || delivery.message_id.is_none();
                delivery.owed_since.get_or_insert(now.moment);
            }
            // One whose matches another message told has nothing left to say.
            booking::finish(rows, &key);
        }
        // A rule that no chat shows reaches nobody who would have to be told.
        if rows.deliveries_of(id).next().is_none() {
            rows.remove_incident(id);
        }
    }

    fn incident_for(
        &mut self,
        rows: &mut Rows,
        rule: &RuleSettings,
        found: &Found,
        now: Now,
        draw: &mut fastrand::Rng,
    ) -> IncidentId {
        let open = self.open.entry(rule.name.clone()).or_default();
        if let Some(id) = open.get(&found.by) {
            return *id;
        }
        let others = By::others(&rule.by);
        let by = if open.len() < OPEN_INCIDENTS {
            found.by.clone()
        } else {
            if !open.contains_key(&others) {
                rows.overflows.push((rule.name.clone(), Bound::Incidents));
            }
            others
        };
        *open.entry(by.clone()).or_insert_with(|| {
            let incident = begin(rule, by, found, now, draw);
            let id = incident.id;
            rows.add_incident(incident);
            for chat in &rule.chats {
                rows.add_delivery(owing_nothing(
                    DeliveryKey {
                        incident: id,
                        chat: chat.clone(),
                    },
                    rule,
                    now,
                ));
            }
            id
        })
    }
}

fn begin(rule: &RuleSettings, by: By, found: &Found, now: Now, draw: &mut fastrand::Rng) -> Incident {
    let phase = if rule.wait.is_zero() {
        Phase::Open
    } else {
        Phase::Gathering {
            until: Timer::start(now.moment, rule.wait),
        }
    };
    Incident {
        id: IncidentId::draw(draw),
        rule: rule.name.clone(),
        by,
        severity: rule.severity,
        phase,
        quiet: Timer::start(now.moment, rule.quiet),
        first: found.first,
        last: found.last,
        logged: None,
        total: 0,
        shapes: Vec::new(),
        other: 0,
        lines: std::collections::VecDeque::new(),
        files: Vec::new(),
        absent: None,
        values: Values::new(),
        context: None,
        saved: now,
    }
}

fn owing_nothing(key: DeliveryKey, rule: &RuleSettings, now: Now) -> Delivery {
    Delivery {
        key,
        rule: rule.name.clone(),
        applied: 0,
        settled: 0,
        told_elsewhere: 0,
        message_id: None,
        replaces: false,
        end_told: false,
        resolve_told: true,
        document_owed: false,
        shown_shapes: std::collections::BTreeSet::new(),
        shown_ahead: Vec::new(),
        pause: None,
        ring_pause: None,
        follow_ups: 0,
        told_severity: None,
        remind: None,
        attempt: None,
        repeat: false,
        unsure: 0,
        form: Form::default(),
        no_buttons: false,
        refresh: false,
        owed_since: None,
        carried: None,
        queued: 0,
        dropped: 0,
        opening_lines: Vec::new(),
        opening_before: 0,
        opening_dropped: 0,
        saved: now,
    }
}

/// Adds a row's matches to an incident.
fn absorb(incident: &mut Incident, found: &Found, ring: Ring, now: Now) {
    let before = incident.total;
    incident.total += found.count;
    incident.last = incident.last.max(found.last);
    incident.logged = Logged::of_both(incident.logged, found.logged);
    incident.saved = now;
    absorb_shapes(incident, found, before);
    // Most incidents are small and stay so: their first row gets the room that it needs, and not that of four lines.
    if incident.lines.is_empty() && ring != Ring::All {
        incident.lines.reserve_exact(found.lines.len().min(KEPT_LINES));
    }
    for line in &found.lines {
        // The lines of `ring = "all"` wait in queues; the incident needs the newest one only.
        if ring == Ring::All {
            incident.lines.clear();
        }
        incident.lines.push_back(KeptLine {
            nth: before + line.nth,
            ..line.clone()
        });
    }
    trim(&mut incident.lines);
    if incident.files.is_empty() {
        incident.files.reserve_exact(found.files.len());
    }
    for path in &found.files {
        incident.files.retain(|known| known != path);
        incident.files.push(path.clone());
    }
    let surplus = incident.files.len().saturating_sub(FILES);
    incident.files.drain(..surplus);
    incident.values.clone_from(&found.values);
    incident.context.clone_from(&found.context);
}

fn absorb_shapes(incident: &mut Incident, found: &Found, before: u64) {
    incident.other += found.other;
    if incident.shapes.is_empty() {
        incident.shapes.reserve_exact(found.shapes.len().min(KEPT_SHAPES));
    }
    for shape in &found.shapes {
        if let Some(known) = incident.shapes.iter_mut().find(|known| known.id == shape.id) {
            known.count += shape.count;
            known.last = known.last.max(shape.last);
        } else if incident.shapes.len() < KEPT_SHAPES {
            let nth = before + shape.nth;
            incident
                .shapes
                .push(crate::model::ShapeCount { nth, ..shape.clone() });
        } else {
            incident.other += shape.count;
        }
    }
}

/// Drops the oldest lines until the bounds hold. The newest line always stays.
fn trim(lines: &mut std::collections::VecDeque<KeptLine>) {
    let mut bytes: usize = lines.iter().map(|line| line.text.len()).sum();
    while lines.len() > 1 && (lines.len() > KEPT_LINES || bytes > KEPT_BYTES) {
        if let Some(line) = lines.pop_front() {
            bytes -= line.text.len();
        }
    }
}

/// Routes a row's matches to one chat.
fn route(rows: &mut Rows, rule: &RuleSettings, key: &DeliveryKey, found: &Found, before: u64, now: Now) {
    let account = AccountKey {
        rule: rule.name.clone(),
        chat: key.chat.clone(),
    };
    rows.columns_mut(&account).matched += found.count;
    if let Some(delivery) = rows.delivery_mut(key) {
        delivery.applied += found.count;
        delivery.owed_since.get_or_insert(now.moment);
    }
    if rule.ring == Ring::All {
        queue(rows, &account, key, found, before);
    }
}

/// Queues a row's lines. What has no place in the queue stays pending until a message says how many were
/// not kept.
fn queue(rows: &mut Rows, account: &AccountKey, key: &DeliveryKey, found: &Found, before: u64) {
    let mut room = QUEUE_BYTES.saturating_sub(rows.queued_bytes(account));
    let mut kept = 0;
    for line in &found.lines {
        let Some(left) = room.checked_sub(line.text.len()) else {
            break;
        };
        room = left;
        kept += 1;
        let Some(delivery) = rows.delivery_mut(key) else {
            return;
        };
        let seq = delivery.queued;
        delivery.queued += 1;
        rows.push_line(
            key,
            seq,
            KeptLine {
                nth: before + line.nth,
                ..line.clone()
            },
        );
    }
    if let Some(delivery) = rows.delivery_mut(key) {
        let first = delivery.dropped == 0 && found.count > kept;
        delivery.dropped += found.count - kept;
        if first {
            rows.overflows.push((account.rule.clone(), Bound::Lines));
        }
    }
}
