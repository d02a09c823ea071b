//! What became of a request: an outcome is booked, once, in one place.
//!
//! Everything a confirmation settles was fixed in the attempt before it was sent, so nothing here looks at
//! what changed meanwhile. Whatever else happens, the attempt is released: what it would have settled stays
//! pending, unless Telegram refused its text for good.

use std::time::Duration;

use crate::model::{
    AccountKey, Attempt, AttemptId, AttemptKind, Delivery, DeliveryKey, Form, Incident, Now, Outcome, Timer,
};

use super::chat::{self, Heard};
use super::rows::Rows;
use super::settings::{Ring, RuleSettings};
use super::{fold, limit};

/// A document that may have arrived this often is given up: something on the way takes texts and no documents, and each
/// further try would hold the chat's other messages up.
const DOCUMENT_TRIES: u32 = 10;
/// The pause before a follow-up ring grows to this at most.
const RING_PAUSE: Duration = Duration::from_mins(30);

/// What an outcome led to; for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Telegram has it.
    Confirmed,
    /// It will be sent again.
    Later,
    /// The chat is gone; what it is owed waits.
    Parked {
        /// So many matches waited for `retention` and are failed.
        given_up: u64,
    },
    /// The token is wrong; nothing is sent for a while.
    TokenWrong,
    /// Telegram refused the link buttons; it will be sent again without them.
    WithoutButtons,
    /// Telegram refused the document; the message stands without it.
    WithoutDocument,
    /// Telegram refused the text for good: so many matches are failed.
    GaveUp {
        /// How many.
        matches: u64,
    },
    /// The answer to an attempt that is not known any more.
    Stale,
}

/// Books the outcome of an attempt. `retry` is when to try again where Telegram did not say.
pub(super) fn settle(
    rows: &mut Rows,
    rule: &RuleSettings,
    key: &DeliveryKey,
    attempt: AttemptId,
    outcome: &Outcome,
    retry: Duration,
    now: Now,
) -> Settled {
    let known = |delivery: &mut Delivery| match &delivery.attempt {
        Some(mine) if mine.id == attempt => delivery.attempt.take(),
        _ => None,
    };
    let Some(attempt) = rows.delivery_mut(key).and_then(known) else {
        return Settled::Stale;
    };
    let was_new_message = attempt.kind.is_new_message();
    let is_document = attempt.kind == AttemptKind::Document;
    let heard = chat::hear(rows, &key.chat, outcome, retry, now);
    let mut booking = Booking {
        rows,
        rule,
        key,
        attempt,
        now,
    };
    match heard {
        Heard::Confirmed(message_id) => booking.sent(message_id),
        Heard::Later => booking.later(Settled::Later),
        Heard::Unsure => {
            booking.may_have_arrived();
            if booking.is_in_vain() {
                booking.without_document()
            } else {
                booking.later(Settled::Later)
            }
        }
        Heard::Parked => booking.later(Settled::Parked { given_up: 0 }),
        Heard::TokenWrong => booking.later(Settled::TokenWrong),
        Heard::MessageGone | Heard::ButtonsRefused | Heard::TextRefused if is_document => {
            booking.without_document()
        }
        Heard::MessageGone if !was_new_message => booking.message_gone(),
        Heard::ButtonsRefused => booking.refused_buttons(),
        Heard::MessageGone | Heard::TextRefused => booking.refused_text(),
    }
}

/// An attempt found when the store was opened may have arrived.
pub(super) fn found_at_start(rows: &mut Rows, rule: &RuleSettings, key: &DeliveryKey, now: Now) {
    let Some(attempt) = rows
        .delivery_mut(key)
        .and_then(|delivery| delivery.attempt.take())
    else {
        return;
    };
    let mut booking = Booking {
        rows,
        rule,
        key,
        attempt,
        now,
    };
    booking.may_have_arrived();
    booking.release();
}

/// One outcome being booked.
struct Booking<'a> {
    rows: &'a mut Rows,
    rule: &'a RuleSettings,
    key: &'a DeliveryKey,
    attempt: Box<Attempt>,
    now: Now,
}

impl Booking<'_> {
    fn account(&self) -> AccountKey {
        AccountKey {
            rule: self.rule.name.clone(),
            chat: self.key.chat.clone(),
        }
    }

    fn sent(&mut self, message_id: i64) -> Settled {
        self.take_a_place_of_the_limit();
        self.count_message();
        self.settle_own_matches();
        self.settle_others_matches();
        self.advance(message_id);
        self.finish();
        Settled::Confirmed
    }

    /// What people were told, and whether it rang; no column of the account.
    fn count_message(&mut self) {
        let account = self.account();
        let row = self.rows.account_mut(&account);
        if self.attempt.kind.is_new_message() {
            row.rung += u64::from(self.attempt.sounds);
        } else {
            row.edited += 1;
        }
    }

    /// The columns: what stood in the text is shown, the rest of what it covered is counted.
    fn settle_own_matches(&mut self) {
        let account = self.account();
        for _ in 0..self.attempt.lines {
            let line = self.rows.pop_line(self.key);
            if self.attempt.kind == AttemptKind::Open
                && let (Some(line), Some(delivery)) = (line, self.rows.delivery_mut(self.key))
            {
                delivery.opening_lines.push(line);
            }
        }
        let Some(delivery) = self.rows.delivery_mut(self.key) else {
            return;
        };
        if self.attempt.kind == AttemptKind::Open {
            delivery.opening_before = delivery.settled;
            delivery.opening_dropped = self.attempt.dropped;
        }
        let covered = self.attempt.upto.saturating_sub(delivery.settled);
        let shown = if self.rule.ring == Ring::All {
            self.attempt.lines
        } else {
            delivery.shown_ahead.extend(&self.attempt.shown);
            delivery.shown_ahead.sort_unstable();
            delivery.shown_ahead.dedup();
            let upto = self.attempt.upto;
            let (settled, ahead) = delivery
                .shown_ahead
                .iter()
                .partition::<Vec<u64>, _>(|nth| **nth <= upto);
            delivery.shown_ahead = ahead;
            (settled.len() as u64).min(covered)
        };
        delivery.settled += covered;
        forget_dropped(delivery, self.attempt.dropped);
        let columns = self.rows.columns_mut(&account);
        columns.shown += shown;
        columns.counted += covered - shown;
    }

    /// What the message told of other incidents is counted.
    fn settle_others_matches(&mut self) {
        let account = self.account();
        if self.attempt.folds {
            let told = fold::land(self.rows, &account, true);
            self.rows.columns_mut(&account).counted += told;
        }
        for (incident, upto) in std::mem::take(&mut self.attempt.held) {
            let key = DeliveryKey {
                incident,
                chat: self.key.chat.clone(),
            };
            let Some(delivery) = self.rows.delivery_mut(&key) else {
                continue;
            };
            let told = upto.saturating_sub(delivery.settled);
            delivery.settled += told;
            delivery.told_elsewhere += told;
            delivery.dropped = delivery.dropped.min(delivery.pending());
            delivery.owed_since = (delivery.pending() > 0).then_some(self.now.moment);
            self.rows.columns_mut(&account).counted += told;
            finish(self.rows, &key);
        }
    }

    /// The delivery's own state after a confirmation.
    fn advance(&mut self, message_id: i64) {
        let (every, now) = (self.rule.every, self.now.moment);
        let remind = self.rule.remind.map(|remind| Timer::start(now, remind));
        let attaches = self.rule.attaches_for(&self.key.chat) && !self.attempt.whole;
        let Some(delivery) = self.rows.delivery_mut(self.key) else {
            return;
        };
        // Only a new message tells of a shape: an edit that happens to show one has told nobody.
        if self.attempt.kind.is_new_message() {
            delivery.shown_shapes.extend(&self.attempt.shapes);
        }
        delivery.pause = Some(Timer::start(now, every));
        delivery.form = Form::default();
        // The silent replacement of a lost message tells of no rise.
        if self.attempt.kind.is_new_message() && !(delivery.replaces && delivery.told_severity.is_some()) {
            delivery.told_severity = Some(self.attempt.severity);
        }
        if self.attempt.kind.is_new_message() {
            delivery.repeat = false;
            delivery.unsure = 0;
        }
        match self.attempt.kind {
            AttemptKind::Open => {
                delivery.message_id = Some(message_id);
                delivery.replaces = false;
                delivery.ring_pause = Some(Timer::start(now, every));
                // The replacement of a lost message keeps the pace of the lost one.
                delivery.remind = delivery.remind.or(remind);
                delivery.carried = self.attempt.carried.take();
                delivery.end_told = self.attempt.over;
                delivery.document_owed = self.attempt.over && attaches;
            }
            AttemptKind::Reply => {
                delivery.follow_ups += 1;
                delivery.ring_pause = Some(Timer::start(now, ring_pause(every, delivery.follow_ups)));
            }
            AttemptKind::Remind => delivery.remind = remind,
            AttemptKind::Resolved => delivery.resolve_told = true,
            AttemptKind::End => {
                delivery.end_told = true;
                delivery.document_owed = attaches;
            }
            AttemptKind::Document => delivery.document_owed = false,
            AttemptKind::Batch | AttemptKind::Edit => {}
        }
        delivery.owed_since = (delivery.pending() > 0).then_some(now);
    }

    /// Nothing is settled, and it is tried again.
    fn later(&mut self, settled: Settled) -> Settled {
        self.release();
        settled
    }

    /// The next delivery makes a new message in its place.
    fn message_gone(&mut self) -> Settled {
        lose_message(self.rows, self.key);
        finish(self.rows, self.key);
        self.later(Settled::Later)
    }

    fn may_have_arrived(&mut self) {
        if self.attempt.kind.is_new_message() {
            self.take_a_place_of_the_limit();
            if let Some(delivery) = self.rows.delivery_mut(self.key) {
                delivery.repeat = true;
                delivery.unsure += 1;
            }
        }
    }

    /// The incident goes on without them. A refusal of buttons that were not even there is one of the text.
    fn refused_buttons(&mut self) -> Settled {
        match self.rows.delivery_mut(self.key) {
            Some(delivery) if !delivery.no_buttons => delivery.no_buttons = true,
            _ => return self.refused_text(),
        }
        self.later(Settled::WithoutButtons)
    }

    /// What the message says stays said.
    fn without_document(&mut self) -> Settled {
        if let Some(delivery) = self.rows.delivery_mut(self.key) {
            (delivery.document_owed, delivery.repeat, delivery.unsure) = (false, false, 0);
        }
        self.finish();
        Settled::WithoutDocument
    }

    /// Whether this is a document that may have arrived too often.
    fn is_in_vain(&self) -> bool {
        let delivery = self.rows.delivery(self.key);
        self.attempt.kind == AttemptKind::Document
            && delivery.is_some_and(|delivery| delivery.unsure >= DOCUMENT_TRIES)
    }

    /// First with less of it, form by form; then what this text alone would have settled is failed. Other
    /// incidents it told of stay pending.
    fn refused_text(&mut self) -> Settled {
        self.release();
        let account = self.account();
        let attaches = self.rule.attaches_for(&self.key.chat);
        let Some(delivery) = self.rows.delivery_mut(self.key) else {
            return Settled::Stale;
        };
        if let Some(less) = delivery.form.less() {
            delivery.form = less;
            return Settled::Later;
        }
        let failed = self.attempt.upto.saturating_sub(delivery.settled);
        delivery.settled += failed;
        forget_dropped(delivery, self.attempt.dropped);
        delivery.form = Form::default();
        delivery.pause = Some(Timer::start(self.now.moment, self.rule.every));
        if self.attempt.kind.is_new_message() {
            delivery.shown_shapes.extend(&self.attempt.shapes);
        }
        if self.attempt.kind == AttemptKind::Remind {
            let moment = self.now.moment;
            delivery.remind = self.rule.remind.map(|remind| Timer::start(moment, remind));
        }
        delivery.end_told |= self.attempt.kind == AttemptKind::End;
        // What the last edit could not say, its lines may.
        delivery.document_owed |= self.attempt.kind == AttemptKind::End && attaches;
        delivery.resolve_told |= self.attempt.kind == AttemptKind::Resolved;
        delivery.shown_ahead.retain(|nth| *nth > self.attempt.upto);
        for _ in 0..self.attempt.lines {
            self.rows.pop_line(self.key);
        }
        self.rows.columns_mut(&account).failed += failed;
        self.finish();
        Settled::GaveUp { matches: failed }
    }

    /// The attempt is over without having settled anything.
    fn release(&mut self) {
        if let Some(delivery) = self
            .rows
            .delivery_mut(self.key)
            .filter(|_| self.attempt.refreshes)
        {
            delivery.refresh = true;
        }
        if self.attempt.folds {
            let account = self.account();
            fold::land(self.rows, &account, false);
        }
    }

    /// Once for a message, however often it has to be sent.
    fn take_a_place_of_the_limit(&mut self) {
        let free = self
            .rows
            .delivery(self.key)
            .is_some_and(|delivery| delivery.replaces || delivery.repeat);
        let counts = matches!(
            self.attempt.kind,
            AttemptKind::Open | AttemptKind::Reply | AttemptKind::Remind | AttemptKind::Batch
        );
        if counts && !free {
            let account = self.account();
            limit::take(self.rows.account_mut(&account), self.rule.limit, self.now.moment);
        }
    }

    fn finish(&mut self) {
        finish(self.rows, self.key);
    }
}

/// The pause after so many follow-up rings.
pub(super) fn ring_pause(every: Duration, follow_ups: u32) -> Duration {
    let doubled = every.saturating_mul(2u32.saturating_pow(follow_ups));
    doubled.min(RING_PAUSE.max(every))
}

/// A text counted so many lost lines. While it was under way rules.toml may have changed what counts as lost, but
/// never more than is pending.
fn forget_dropped(delivery: &mut Delivery, told: u64) {
    delivery.dropped = delivery.dropped.saturating_sub(told).min(delivery.pending());
}

/// The live message is gone; the next delivery makes a silent one in its place.
pub(super) fn lose_message(rows: &mut Rows, key: &DeliveryKey) {
    if let Some(delivery) = rows.delivery_mut(key)
        && delivery.message_id.take().is_some()
    {
        delivery.replaces = true;
        delivery.opening_lines.clear();
    }
}

/// Takes the delivery away if there is nothing left to tell.
pub(super) fn finish(rows: &mut Rows, key: &DeliveryKey) {
    let Some(delivery) = rows.delivery(key) else {
        return;
    };
    let over = rows.incident(key.incident).is_some_and(Incident::is_over);
    let told = delivery.message_id.is_none()
        || (delivery.end_told && delivery.resolve_told && !delivery.document_owed);
    if over && told && delivery.pending() == 0 && delivery.attempt.is_none() {
        rows.remove_delivery(key);
    }
}
