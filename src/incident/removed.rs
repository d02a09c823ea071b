//! Accounts that nobody adds to any more: their rule left rules.toml, or tells their chat no longer.
//!
//! They are kept for a while, marked, so that whoever cleans up rules.toml can still look up what became of
//! the matches; then they go, and what was still pending in them is failed first.

use std::time::Duration;

use crate::model::{AccountKey, DeliveryKey, Moment, Now, RuleName, Timer};

use super::incidents::Incidents;

/// So long is an account kept after it was removed.
const KEPT: Duration = Duration::from_hours(30 * 24);

impl Incidents {
    /// Marks the accounts that no rule adds to; one that came back is an account like any other.
    pub(super) fn mark_removed_accounts(&mut self, now: Now) {
        let tells = |key: &AccountKey| {
            let rule = self.rules.get(&key.rule);
            rule.is_some_and(|rule| rule.chats.contains(&key.chat))
        };
        let changed = self
            .rows
            .accounts()
            .filter(|row| tells(&row.key) == row.removed.is_some());
        let changed: Vec<AccountKey> = changed.map(|row| row.key.clone()).collect();
        for key in changed {
            let row = self.rows.account_mut(&key);
            row.removed = match row.removed {
                Some(_) => None,
                None => Some(Timer::start(now.moment, KEPT)),
            };
        }
    }

    /// Forgets the accounts that were kept long enough.
    pub(super) fn forget_removed_accounts(&mut self, now: Moment) {
        let fired = |removed: Option<Timer>| removed.is_some_and(|removed| removed.fired(now));
        let forgotten = self.rows.accounts().filter(|row| fired(row.removed));
        let forgotten: Vec<AccountKey> = forgotten.map(|row| row.key.clone()).collect();
        for account in forgotten {
            let deliveries = self.rows.deliveries(&account.chat);
            let deliveries: Vec<DeliveryKey> = deliveries
                .filter(|delivery| delivery.rule == account.rule)
                .map(|delivery| delivery.key.clone())
                .collect();
            for key in deliveries {
                self.fail(&key);
            }
            self.rows.remove_account(&account);
        }
    }

    /// Whether a rule is in rules.toml.
    pub fn has(&self, rule: &RuleName) -> bool {
        self.rules.contains_key(rule)
    }

    /// Whether a rule is in rules.toml, or has an account that is kept.
    pub fn knows(&self, rule: &RuleName) -> bool {
        self.has(rule) || self.rows.accounts().any(|row| row.key.rule == *rule)
    }
}
