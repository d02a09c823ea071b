//! How long a chat that is gone is waited for.
//!
//! What a parked chat is owed stays pending for `retention`. When that has passed the chat is asked once more, so whoever
//! mended it while the program was down, or while Telegram was away, loses nothing. If it refuses again, all that it is
//! owed is failed and another chat is told how much that was. What is found after that waits for as long again: nothing is
//! kept for ever, and a chat that comes back hears of the last while.
//!
//! The trap: an incident that is open keeps its delivery, or its further matches would never reach the chat again.

use crate::model::{
    AccountKey, ChatName, ChatState, DeliveryKey, Form, Incident, Moment, Notice, Now, Outcome, RefusalKind,
    Timer,
};

use super::incidents::Incidents;

impl Incidents {
    /// Takes what a chat answered, after that is booked: if it is gone, and was for `retention`, what it is owed is given
    /// up. How many matches that were.
    pub(super) fn heed_refusal(&mut self, chat: &ChatName, outcome: &Outcome, now: Now) -> u64 {
        if !matches!(outcome, Outcome::Refused(refusal) if refusal.kind == RefusalKind::ChatGone) {
            return 0;
        }
        let row = self.rows.chat_mut(chat);
        let Some(parked) = &mut row.parked else { return 0 };
        let whole = Timer::start(now.moment, self.retention);
        let since = parked.since;
        let running = parked.until.unwrap_or(whole);
        let over = running.fired(now.moment);
        let until = if over { whole } else { running };
        parked.until = Some(until);
        ask_by(row, until, now.moment);
        if !over {
            return 0;
        }
        let matches = self.give_up(chat);
        if matches > 0 {
            let notice = Notice::GivenUp {
                chat: chat.clone(),
                since,
                until: now.wall,
                matches,
            };
            self.notice_elsewhere(chat, &notice, now);
        }
        matches
    }

    /// The time of chats that are gone goes on at the length of now.
    pub(super) fn fit_retention(&mut self, now: Now) {
        let length = self.retention;
        let until = |chat: &ChatState| chat.parked.as_ref().and_then(|parked| parked.until);
        let others = self.rows.chats().filter_map(|chat| {
            let until = until(chat).filter(|until| until.length != length)?;
            Some((chat.name.clone(), until.relength(length, now.moment)))
        });
        for (name, until) in others.collect::<Vec<_>>() {
            let row = self.rows.chat_mut(&name);
            if let Some(parked) = &mut row.parked {
                parked.until = Some(until);
            }
            ask_by(row, until, now.moment);
        }
    }

    /// Fails all that a chat is owed, but for what is under way.
    fn give_up(&mut self, chat: &ChatName) -> u64 {
        let own = self.rows.deliveries(chat);
        let owing = own.filter(|delivery| delivery.attempt.is_none());
        let keys: Vec<DeliveryKey> = owing.map(|delivery| delivery.key.clone()).collect();
        let own = self.rows.accounts().filter(|row| row.key.chat == *chat);
        let accounts: Vec<AccountKey> = own.map(|row| row.key.clone()).collect();
        let matches: u64 = keys.iter().map(|key| self.give_up_one(key)).sum();
        let folded: u64 = accounts.iter().map(|account| self.fail_folded(account)).sum();
        matches + folded
    }

    fn give_up_one(&mut self, key: &DeliveryKey) -> u64 {
        let Some(delivery) = self.rows.delivery(key) else {
            return 0;
        };
        let pending = delivery.pending();
        let incident = self.rows.incident(key.incident);
        if incident.is_none_or(Incident::is_over) {
            self.fail(key);
        } else if pending > 0 {
            let account = AccountKey {
                rule: delivery.rule.clone(),
                chat: key.chat.clone(),
            };
            self.rows.columns_mut(&account).failed += pending;
            self.settle_as_failed(key);
        }
        pending
    }

    /// The delivery goes on with what is found from now on.
    fn settle_as_failed(&mut self, key: &DeliveryKey) {
        while self.rows.pop_line(key).is_some() {}
        if let Some(delivery) = self.rows.delivery_mut(key) {
            delivery.settled = delivery.applied;
            delivery.dropped = 0;
            delivery.shown_ahead.clear();
            delivery.form = Form::default();
            delivery.owed_since = None;
        }
    }
}

/// A chat that is gone is asked at the end of its time at the latest. What a 429 said still holds.
fn ask_by(row: &mut ChatState, until: Timer, now: Moment) {
    let end = Timer::start(now, until.remaining(now));
    if !row.flooded {
        row.gate = row.gate.map(|gate| if gate.due <= end.due { gate } else { end });
    }
}
