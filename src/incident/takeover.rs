//! Taking up what a store holds. Between two starts rules.toml may have changed, an attempt may have arrived,
//! and a damaged row may have been set aside; after this every row has the rows it belongs to.

use std::collections::BTreeSet;

use crate::model::{AccountKey, ChatName, DeliveryKey, Ended, IncidentId, Now, Timer};

use super::booking;
use super::incidents::Incidents;
use super::settings::Ring;

impl Incidents {
    /// Mends the restored rows, step by step. The order matters: an incident is compared with its rule's chats
    /// only after the chats that are gone were taken from it.
    pub(super) fn take_over(&mut self, chats: &[ChatName], now: Now) {
        self.settle_attempts_found(now);
        self.fit_queues_to_rules();
        self.fit_reminders_to_rules(now);
        self.fail_deliveries_of_nothing();
        self.end_incidents_of_removed_rules(now);
        self.fail_what_removed_chats_were_owed(chats);
        self.end_incidents_that_reach_other_chats(now);
        self.forget_what_is_told();
        self.mark_removed_accounts(now);
        self.fit_windows_to_rules();
    }

    fn keys(&self) -> Vec<DeliveryKey> {
        self.rows
            .all_deliveries()
            .map(|delivery| delivery.key.clone())
            .collect()
    }

    /// An attempt in the store may have arrived.
    fn settle_attempts_found(&mut self, now: Now) {
        for key in self.keys() {
            let rule = self.rows.delivery(&key).map(|delivery| self.rule(&delivery.rule));
            if let Some(rule) = rule {
                booking::found_at_start(&mut self.rows, &rule, &key, now);
            }
        }
    }

    /// A rule that forwards no longer has no queue; one that forwards now has lost the lines so far.
    fn fit_queues_to_rules(&mut self) {
        for key in self.keys() {
            let Some(delivery) = self.rows.delivery(&key) else {
                continue;
            };
            let forwards = self.rule(&delivery.rule).ring == Ring::All;
            let dropped = if forwards {
                delivery
                    .pending()
                    .saturating_sub(self.rows.queue(&key).count() as u64)
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

    /// Reminders go on at the pace that rules.toml says now.
    fn fit_reminders_to_rules(&mut self, now: Now) {
        for key in self.keys() {
            let Some(delivery) = self.rows.delivery(&key) else {
                continue;
            };
            let wanted = self.rule(&delivery.rule).remind;
            let told = delivery.message_id.is_some() || delivery.replaces;
            if !told || delivery.remind.map(|timer| timer.length) == wanted {
                continue;
            }
            if let Some(delivery) = self.rows.delivery_mut(&key) {
                delivery.remind = wanted.map(|remind| Timer::start(now.moment, remind));
            }
        }
    }

    /// The incident's row was set aside: nobody can say any more what happened.
    fn fail_deliveries_of_nothing(&mut self) {
        for key in self.keys() {
            if self.rows.incident(key.incident).is_none() {
                self.fail(&key);
            }
        }
    }

    fn end_incidents_of_removed_rules(&mut self, now: Now) {
        let removed = self.rows.incidents().filter(|incident| !incident.is_over());
        let removed = removed.filter(|incident| !self.rules.contains_key(&incident.rule));
        let removed: Vec<IncidentId> = removed.map(|incident| incident.id).collect();
        for id in removed {
            self.grouper.end(&mut self.rows, id, Ended::RuleRemoved, now);
        }
    }

    fn fail_what_removed_chats_were_owed(&mut self, chats: &[ChatName]) {
        for key in self.keys() {
            if !chats.contains(&key.chat) {
                self.fail(&key);
            }
        }
        let gone = self
            .rows
            .accounts()
            .filter(|row| !chats.contains(&row.key.chat) && row.folded() > 0);
        let gone: Vec<AccountKey> = gone.map(|row| row.key.clone()).collect();
        for account in gone {
            let row = self.rows.account_mut(&account);
            row.account.failed += row.folded();
            (row.fold, row.fold_next) = (None, None);
        }
    }

    /// An open incident must reach exactly its rule's chats, or its further matches would reach nobody new, or
    /// nobody at all. It ends; the next match opens one that does.
    fn end_incidents_that_reach_other_chats(&mut self, now: Now) {
        let open: Vec<IncidentId> = self.rows.incidents().map(|incident| incident.id).collect();
        for id in open {
            let Some(incident) = self.rows.incident(id) else {
                continue;
            };
            let rule = self.rule(&incident.rule);
            let wanted: BTreeSet<&ChatName> = rule.chats.iter().collect();
            let reached: BTreeSet<&ChatName> = self
                .rows
                .deliveries_of(id)
                .map(|delivery| &delivery.key.chat)
                .collect();
            // A rule that no chat shows has incidents that reach nobody.
            let orphan = reached.is_empty() && (incident.is_over() || !wanted.is_empty());
            if wanted != reached && !incident.is_over() {
                self.grouper.end(&mut self.rows, id, Ended::Quiet, now);
            }
            if orphan {
                self.rows.remove_incident(id);
            }
        }
    }

    fn forget_what_is_told(&mut self) {
        for key in self.keys() {
            booking::finish(&mut self.rows, &key);
        }
    }

    /// What a delivery owes is failed, and the delivery goes.
    pub(super) fn fail(&mut self, key: &DeliveryKey) {
        let Some(delivery) = self.rows.delivery(key) else {
            return;
        };
        let (rule, pending) = (delivery.rule.clone(), delivery.pending());
        let account = AccountKey {
            rule,
            chat: key.chat.clone(),
        };
        self.rows.columns_mut(&account).failed += pending;
        self.rows.remove_delivery(key);
    }
}
