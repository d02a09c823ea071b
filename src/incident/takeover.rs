//! Taking up what a store holds, and what another rules.toml makes of what is there. Between two starts an attempt
//! may have arrived, and a damaged row may have been set aside; rules.toml may have changed then, or while the program
//! runs. After this every row has the rows it belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{AccountKey, ChatName, ChatTarget, DeliveryKey, Ended, Incident, IncidentId, Now};

use super::absence::watches;
use super::digest::Look;
use super::incidents::Incidents;
use super::settings::Settings;
use super::{booking, chat, notices};

impl Incidents {
    /// Takes other settings while running, and where the chats are by them. All that was found under the old ones is
    /// applied before. What can go on goes on under the new ones, with the time that has passed; requests under way
    /// are booked when their outcomes come.
    pub fn reconfigure<'a>(
        &mut self,
        settings: &Settings,
        chats: impl IntoIterator<Item = (&'a ChatName, &'a ChatTarget)>,
        now: Now,
    ) {
        self.tick(now);
        self.adopt(settings);
        self.fit_to_rules(now);
        for (chat, target) in chats {
            chat::locate(&mut self.rows, chat, target);
        }
    }

    /// Knows these settings from now on.
    pub(super) fn adopt(&mut self, settings: &Settings) {
        let rules = settings.rules.iter();
        self.rules = rules
            .map(|rule| (rule.name.clone(), Arc::new(rule.clone())))
            .collect::<BTreeMap<_, _>>();
        self.watches = watches(settings.rules.iter(), &self.watches);
        self.chats.clone_from(&settings.chats);
        self.noticed.clone_from(&settings.notices);
        self.silent.clone_from(&settings.silent);
        self.digest.clone_from(&settings.digest);
        self.retention = settings.retention;
        self.look = Look::default();
    }

    /// Mends the restored rows, step by step.
    pub(super) fn take_over(&mut self, now: Now) {
        self.settle_attempts_found(now);
        notices::settle_attempts_found(&mut self.rows);
        self.fail_deliveries_of_nothing();
        self.fit_to_rules(now);
    }

    /// Makes of the rows what they are under the rules of now.
    fn fit_to_rules(&mut self, now: Now) {
        self.fit_queues();
        self.fit_documents();
        self.fit_timers(now);
        self.end_incidents_of_other_rules(now);
        self.forget_what_is_told();
        self.mark_removed_accounts(now);
        self.fit_windows(now);
        let known: BTreeSet<&ChatName> = self.chats.iter().collect();
        notices::forget_others(&mut self.rows, &known);
    }

    pub(super) fn keys(&self) -> Vec<DeliveryKey> {
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

    /// The incident's row was set aside: nobody can say any more what happened.
    fn fail_deliveries_of_nothing(&mut self) {
        for key in self.keys() {
            if self.rows.incident(key.incident).is_none() {
                self.fail(&key);
            }
        }
    }

    /// An incident that its rule could not have opened, or would tell others of, ends; the next match opens one that
    /// is as rules.toml says. Otherwise its further matches would reach nobody new, or nobody at all.
    fn end_incidents_of_other_rules(&mut self, now: Now) {
        let all: Vec<IncidentId> = self.rows.incidents().map(|incident| incident.id).collect();
        for id in all {
            let Some(incident) = self.rows.incident(id) else {
                continue;
            };
            let why = self.why_it_ends(incident);
            let reached = self.rows.deliveries_of(id).next().is_some();
            // A rule that no chat shows has incidents that reach nobody.
            let orphan = !reached && (incident.is_over() || why.is_some());
            if let Some(why) = why.filter(|_| !incident.is_over()) {
                self.grouper.end(&mut self.rows, id, why, now);
            }
            if orphan {
                self.rows.remove_incident(id);
            }
        }
    }

    /// Why an incident cannot go on under the rules of now; absent if it can.
    fn why_it_ends(&self, incident: &Incident) -> Option<Ended> {
        let Some(rule) = self.rules.get(&incident.rule) else {
            return Some(Ended::RuleRemoved);
        };
        let told = self.rows.deliveries_of(incident.id);
        let told: BTreeSet<&ChatName> = told.map(|delivery| &delivery.key.chat).collect();
        let wanted: BTreeSet<&ChatName> = rule.chats.iter().collect();
        let names = incident.by.0.iter().map(|(name, _)| name);
        let same = told == wanted && names.eq(&rule.by) && incident.absent.is_some() == rule.absent.is_some();
        (!same).then_some(Ended::RuleChanged)
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
