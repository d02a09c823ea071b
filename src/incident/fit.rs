//! Queues and timers under other rules.
//!
//! A timer that rules.toml gave another length keeps the time that has passed: what was due under the new length
//! already is due now. Rows are marked as changed only where something changed.

use crate::model::{AccountKey, DeliveryKey, Incident, IncidentId, LedgerRow, Now, Phase, Timer};

use super::booking::ring_pause;
use super::incidents::Incidents;
use super::settings::{Ring, RuleSettings};

impl Incidents {
    /// A rule that forwards no longer has no queue; one that forwards now has lost the lines so far.
    pub(super) fn fit_queues(&mut self) {
        for key in self.keys() {
            let Some(delivery) = self.rows.delivery(&key) else {
                continue;
            };
            let forwards = self.rule(&delivery.rule).ring == Ring::All;
            let queued = self.rows.queue(&key).count() as u64;
            let dropped = if forwards {
                delivery.pending().saturating_sub(queued)
            } else {
                0
            };
            let changed = dropped != delivery.dropped;
            while !forwards && self.rows.pop_line(&key).is_some() {}
            if changed && let Some(delivery) = self.rows.delivery_mut(&key) {
                delivery.dropped = dropped;
            }
        }
    }

    /// A rule that attaches nothing any more, or tells the chat no longer, owes no document.
    pub(super) fn fit_documents(&mut self) {
        for key in self.keys() {
            let stray = self.rows.delivery(&key).is_some_and(|delivery| {
                delivery.document_owed && !self.rule(&delivery.rule).attaches_for(&key.chat)
            });
            if stray && let Some(delivery) = self.rows.delivery_mut(&key) {
                delivery.document_owed = false;
            }
        }
    }

    /// `wait`, `quiet`, `every`, `remind`, `limit` and `retention` go on at the lengths of now.
    pub(super) fn fit_timers(&mut self, now: Now) {
        let open = self.rows.incidents().filter(|incident| !incident.is_over());
        let open: Vec<IncidentId> = open.map(|incident| incident.id).collect();
        for id in open {
            self.fit_incident(id, now);
        }
        for key in self.keys() {
            self.fit_delivery(&key, now);
        }
        self.fit_retention(now);
        let limited = self.rows.accounts().filter(|row| !row.rings.is_empty());
        let limited: Vec<AccountKey> = limited.map(|row| row.key.clone()).collect();
        for account in limited {
            self.fit_limit(&account, now);
        }
    }

    fn fit_incident(&mut self, id: IncidentId, now: Now) {
        let Some(incident) = self.rows.incident(id) else {
            return;
        };
        let Some(rule) = self.rules.get(&incident.rule) else {
            return;
        };
        let (phase, quiet) = fitted(incident, rule, now);
        let same = phase == incident.phase && quiet == incident.quiet && incident.severity == rule.severity;
        let severity = rule.severity;
        if !same && let Some(incident) = self.rows.incident_mut(id) {
            (incident.phase, incident.quiet, incident.severity) = (phase, quiet, severity);
        }
    }

    fn fit_delivery(&mut self, key: &DeliveryKey, now: Now) {
        let Some(delivery) = self.rows.delivery(key) else {
            return;
        };
        let rule = self.rule(&delivery.rule);
        let moment = now.moment;
        let fit = |timer: Timer, length| {
            if timer.length == length {
                timer
            } else {
                timer.relength(length, moment)
            }
        };
        let pause = delivery.pause.map(|pause| fit(pause, rule.every));
        let after_ring = ring_pause(rule.every, delivery.follow_ups);
        let ring_pause = delivery.ring_pause.map(|pause| fit(pause, after_ring));
        let told = delivery.message_id.is_some() || delivery.replaces;
        // A reminder that was not wanted before has its whole time from now on.
        let remind = rule.remind.filter(|_| told);
        let remind = remind.map(|remind| {
            let known = delivery.remind.map(|timer| fit(timer, remind));
            known.unwrap_or_else(|| Timer::start(moment, remind))
        });
        let before = (delivery.pause, delivery.ring_pause, delivery.remind);
        let after = (pause, ring_pause, remind);
        if before != after
            && let Some(delivery) = self.rows.delivery_mut(key)
        {
            (delivery.pause, delivery.ring_pause, delivery.remind) = after;
        }
    }

    fn fit_limit(&mut self, account: &AccountKey, now: Now) {
        let limit = self.rules.get(&account.rule).and_then(|rule| rule.limit);
        let Some(limit) = limit else { return };
        let same = |row: &LedgerRow| row.rings.iter().all(|ring| ring.length == limit.per);
        if self.rows.account(account).is_some_and(same) {
            return;
        }
        for ring in &mut self.rows.account_mut(account).rings {
            *ring = ring.relength(limit.per, now.moment);
        }
    }
}

/// Where an incident is in its life, and when it is over, by the lengths of now.
fn fitted(incident: &Incident, rule: &RuleSettings, now: Now) -> (Phase, Timer) {
    let fit = |timer: Timer, length| {
        if timer.length == length {
            timer
        } else {
            timer.relength(length, now.moment)
        }
    };
    let phase = match &incident.phase {
        Phase::Gathering { until } => Phase::Gathering {
            until: fit(*until, rule.wait),
        },
        phase => phase.clone(),
    };
    (phase, fit(incident.quiet, rule.quiet))
}
