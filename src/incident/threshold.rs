//! `at_least`: a rule opens only when so many events were found within so long, per `by` values.
//!
//! Until then found events wait in a window that slides; those that leave it are `below`. Neither is matched
//! yet, so no account knows of them: found = matched + below + waiting. While an incident is open its events
//! pass by here.

use crate::model::{By, Found, KEPT_BYTES, Moment, Now, RuleName, Timer, Waiting, WaitingKey};

use super::grouper::{Grouper, OPEN_INCIDENTS};
use super::incidents::Incidents;
use super::rows::Rows;
use super::settings::{AtLeast, RuleSettings};

/// What the incidents hear of a row of found events: it, with all that waited for it; or nothing yet.
pub(super) fn take(
    rows: &mut Rows,
    grouper: &Grouper,
    rule: &RuleSettings,
    mut found: Found,
    now: Now,
) -> Vec<Found> {
    let Some(at_least) = rule.at_least else {
        return vec![found];
    };
    if grouper.is_open(&rule.name, &found.by) {
        return vec![found];
    }
    let key = key_for(rows, rule, &found.by);
    found.by = key.by.clone();
    if grouper.is_open(&rule.name, &found.by) {
        return vec![found];
    }
    let window = rows.waiting_mut(&key);
    window
        .found
        .push_back((Timer::start(now.moment, at_least.within), found));
    if window.count() < at_least.count {
        trim(window);
        return Vec::new();
    }
    let opening = std::mem::take(&mut window.found);
    rows.remove_waiting(&key);
    opening.into_iter().map(|(_, found)| found).collect()
}

/// Past the bound of open incidents further `by` values share a window, as they share an incident.
fn key_for(rows: &Rows, rule: &RuleSettings, by: &By) -> WaitingKey {
    let key = |by: By| WaitingKey {
        rule: rule.name.clone(),
        by,
    };
    let own = key(by.clone());
    if rows.waits(&own) || rows.windows(&rule.name) < OPEN_INCIDENTS {
        own
    } else {
        key(By::others(&rule.by))
    }
}

/// Drops the oldest lines until the bound of an incident holds. The newest line always stays; numbers do not
/// change.
fn trim(window: &mut Waiting) {
    let mut bytes: usize = window.found.iter().map(|(_, found)| found.kept).sum();
    let newest = window.found.len().saturating_sub(1);
    for (at, (_, found)) in window.found.iter_mut().enumerate() {
        let least = usize::from(at == newest);
        while bytes > KEPT_BYTES && found.lines.len() > least {
            let length = found.lines.pop_front().map_or(0, |line| line.text.len());
            bytes -= length;
            found.kept -= length;
        }
    }
}

impl Incidents {
    /// What left its window is below.
    pub(super) fn expire_windows(&mut self, now: Moment) {
        let left = |window: &&Waiting| window.found.iter().any(|(timer, _)| timer.fired(now));
        let keys: Vec<WaitingKey> = self
            .rows
            .all_waiting()
            .filter(left)
            .map(|window| window.key.clone())
            .collect();
        for key in keys {
            let window = self.rows.waiting_mut(&key);
            let before = window.count();
            window.found.retain(|(timer, _)| !timer.fired(now));
            let left = before - window.count();
            self.leave_below(&key, left);
        }
    }

    /// Windows under the rules of now: they have the lengths of now, one that is full by now opens, and what waited
    /// for a threshold that is gone, or with `by` values that can no longer be made, is below.
    pub(super) fn fit_windows(&mut self, now: Now) {
        let keys: Vec<WaitingKey> = self.rows.all_waiting().map(|window| window.key.clone()).collect();
        for key in keys {
            let rule = self.rules.get(&key.rule).cloned();
            let at_least = rule.as_ref().and_then(|rule| rule.at_least);
            let names = |rule: &RuleSettings| key.by.0.iter().map(|(name, _)| name).eq(&rule.by);
            match (rule, at_least) {
                (Some(rule), Some(at_least)) if names(&rule) => self.fit_window(&key, &rule, at_least, now),
                _ => {
                    let window = self.rows.waiting_mut(&key);
                    let left = window.count();
                    window.found.clear();
                    self.leave_below(&key, left);
                }
            }
        }
        self.expire_windows(now.moment);
    }

    fn fit_window(&mut self, key: &WaitingKey, rule: &RuleSettings, at_least: AtLeast, now: Now) {
        let Some(window) = self.rows.waiting(key) else {
            return;
        };
        if window
            .found
            .iter()
            .any(|(timer, _)| timer.length != at_least.within)
        {
            for (timer, _) in &mut self.rows.waiting_mut(key).found {
                *timer = timer.relength(at_least.within, now.moment);
            }
            self.expire_windows(now.moment);
        }
        let full = |window: &Waiting| window.count() >= at_least.count;
        if !self.rows.waiting(key).is_some_and(full) {
            return;
        }
        let opening = std::mem::take(&mut self.rows.waiting_mut(key).found);
        self.rows.remove_waiting(key);
        for (_, found) in opening {
            self.grouper
                .found(&mut self.rows, rule, &found, now, &mut self.draw);
        }
    }

    fn leave_below(&mut self, key: &WaitingKey, left: u64) {
        if self.rows.waiting_mut(key).found.is_empty() {
            self.rows.remove_waiting(key);
        }
        *self.rows.below_mut(&key.rule) += left;
    }

    /// Forgets what stayed below in rules that are long gone.
    pub(super) fn forget_below(&mut self) {
        let rules: Vec<RuleName> = self
            .rows
            .rules_below()
            .filter(|rule| !self.knows(rule))
            .cloned()
            .collect();
        for rule in rules {
            self.rows.remove_below(&rule);
        }
    }

    /// How many found events of a rule stayed below its threshold, and how many wait for it.
    pub fn unopened(&self, rule: &RuleName) -> (u64, u64) {
        let own = self.rows.all_waiting().filter(|window| window.key.rule == *rule);
        (self.rows.below(rule), own.map(Waiting::count).sum())
    }
}
