//! Accounts that nobody adds to any more: their rule left rules.toml, or tells their chat no longer.
//!
//! What is still pending in them an hour later is failed: until then the last messages are made, and whoever took a
//! line out by mistake can put it back. The accounts are kept for longer, marked, so that whoever cleans up rules.toml
//! can still look up what became of the matches; then they go.

use std::time::Duration;

use crate::model::{AccountKey, ChatName, DeliveryKey, LedgerRow, Moment, Now, RuleName, Timer};

use super::incidents::Incidents;

/// So long is an account kept after it was removed.
const KEPT: Duration = Duration::from_hours(30 * 24);
/// For an hour what is pending in it is delivered still, if that can be done: then so much is left of the time.
const LEFT: Duration = Duration::from_hours(30 * 24 - 1);

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

    /// Fails what is still pending in accounts that were removed long enough ago.
    pub(super) fn fail_what_removed_accounts_owe(&mut self, now: Moment) {
        let late = |removed: Timer| removed.remaining(now) <= LEFT;
        let late = self.rows.accounts().filter(|row| row.removed.is_some_and(late));
        let late: Vec<AccountKey> = late.map(|row| row.key.clone()).collect();
        for account in late {
            for key in self.deliveries_of(&account) {
                self.fail(&key);
            }
            self.fail_folded(&account);
        }
    }

    /// Fails what is folded in an account. How many matches that were.
    pub(super) fn fail_folded(&mut self, account: &AccountKey) -> u64 {
        let folded = self.rows.account(account).map_or(0, LedgerRow::folded);
        if folded > 0 {
            let row = self.rows.account_mut(account);
            row.account.failed += folded;
            (row.fold, row.fold_next) = (None, None);
        }
        folded
    }

    /// When something has to be failed next.
    pub(super) fn next_failure(&self) -> Option<Moment> {
        let owing = |row: &&LedgerRow| row.folded() > 0 || !self.deliveries_of(&row.key).is_empty();
        let removed = |row: &LedgerRow| row.removed;
        let owing = self
            .rows
            .accounts()
            .filter(|row| row.removed.is_some())
            .filter(owing);
        let early = u64::try_from(LEFT.as_millis()).unwrap_or(u64::MAX);
        let due = |removed: Timer| Moment(removed.due.0.saturating_sub(early));
        owing.filter_map(removed).map(due).min()
    }

    /// Forgets the accounts that were kept long enough.
    pub(super) fn forget_removed_accounts(&mut self, now: Moment) {
        let fired = |removed: Option<Timer>| removed.is_some_and(|removed| removed.fired(now));
        let forgotten = self.rows.accounts().filter(|row| fired(row.removed));
        let forgotten: Vec<AccountKey> = forgotten.map(|row| row.key.clone()).collect();
        for account in forgotten {
            self.rows.remove_account(&account);
        }
    }

    fn deliveries_of(&self, account: &AccountKey) -> Vec<DeliveryKey> {
        let own = self.rows.deliveries(&account.chat);
        own.filter(|delivery| delivery.rule == account.rule)
            .map(|delivery| delivery.key.clone())
            .collect()
    }

    /// The chats that left rules.toml and are still told something: the last words about their incidents.
    pub fn leaving(&self) -> Vec<ChatName> {
        let told = self.rows.chats_told();
        told.filter(|chat| !self.chats.contains(chat)).cloned().collect()
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
