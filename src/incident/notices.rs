//! Notices: what the program says about itself, to the chats that want to hear it.
//!
//! They share the road of the incidents' messages (gates, attempts, lanes) and nothing else: a notice belongs
//! to no rule and moves no column of the ledger. Per chat and kind there is one row, and one message at a
//! time: what comes within a moment is gathered into it, and after it that kind pauses, so that a file that
//! flaps all night makes six messages an hour. Notices make no sound: whoever is woken is woken by a rule.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::{
    AttemptId, ChatName, Form, KEPT_NOTICES, Moment, Notice, NoticeAttempt, NoticeCard, NoticeKey,
    NoticeKind, NoticeRow, Now, Outcome, Text, Timer,
};

use super::booking::Settled;
use super::chat::{self, Heard};
use super::delivery::{Order, OrderCall, Subject};
use super::policy::{HoldReason, SendReason};
use super::rows::Rows;

/// What belongs together is noticed within this long.
pub(super) const GATHER: Duration = Duration::from_secs(1);
/// At most one message per kind and chat in this long.
const PAUSE: Duration = Duration::from_mins(10);
/// Whoever starts it wants to hear that it did; a crash loop is told of once a minute.
const PAUSE_OF_STARTS: Duration = Duration::from_mins(1);
/// Whoever edits rules.toml waits to hear whether it was taken, and mends it at once if not.
const PAUSE_OF_RULES: Duration = Duration::from_secs(15);

/// Takes a notice for each of these chats.
pub(super) fn add(rows: &mut Rows, chats: &[ChatName], notice: &Notice, now: Now) {
    for chat in chats {
        let key = NoticeKey {
            chat: chat.clone(),
            kind: notice.kind(),
        };
        let row = rows.notice_mut(&key);
        if row.waiting.is_empty() && row.pause.is_none_or(|pause| pause.fired(now.moment)) {
            row.pause = Some(Timer::start(now.moment, gathers(notice)));
        }
        row.owed_since.get_or_insert(now.moment);
        keep(row, notice, now);
    }
}

/// The start is the first message of a run; nothing else comes with it.
fn gathers(notice: &Notice) -> Duration {
    match notice {
        Notice::Started { .. } => Duration::ZERO,
        _ => GATHER,
    }
}

fn keep(row: &mut NoticeRow, notice: &Notice, now: Now) {
    // One that is in flight stays as it was told.
    let in_flight = row.attempt.map_or(0, |attempt| attempt.told);
    let mut notice = notice.clone();
    sum_up(row, in_flight, &mut notice);
    let earlier = row.waiting.iter().skip(in_flight).map(|(_, notice)| notice);
    if let Notice::Started {
        fresh,
        set_aside,
        rolled_back,
        earlier: before,
        ..
    } = &mut notice
    {
        // Only the newest start matters, and that there were others, and what they lost.
        for old in earlier {
            if let Notice::Started {
                fresh: was_fresh,
                set_aside: was_set_aside,
                rolled_back: was_rolled_back,
                earlier: runs,
                ..
            } = old
            {
                *fresh = (*fresh).or(*was_fresh);
                *set_aside += was_set_aside;
                *rolled_back |= was_rolled_back;
                *before += runs + 1;
            }
        }
        row.waiting.truncate(in_flight);
    } else if earlier.into_iter().any(|waiting| *waiting == notice) {
        return;
    }
    if row.waiting.len() < KEPT_NOTICES {
        row.waiting.push_back((now.wall, notice));
    } else {
        row.dropped += 1;
    }
}

/// What a chat that is gone for long loses again and again is one sentence.
fn sum_up(row: &mut NoticeRow, in_flight: usize, notice: &mut Notice) {
    let Notice::GivenUp {
        chat, since, matches, ..
    } = notice
    else {
        return;
    };
    let mut waiting = row.waiting.iter().skip(in_flight);
    let same = waiting.position(|(_, old)| {
        matches!(old, Notice::GivenUp { chat: other, since: from, .. } if other == chat && from == since)
    });
    let old = same.and_then(|at| row.waiting.remove(in_flight + at));
    if let Some((_, Notice::GivenUp { matches: before, .. })) = old {
        *matches += before;
    }
}

/// Whether the row may be told now, or when to look again.
pub(super) fn decide(row: &NoticeRow, now: Moment) -> Result<(), (HoldReason, Option<Moment>)> {
    if row.attempt.is_some() {
        return Err((HoldReason::InFlight, None));
    }
    if row.waiting.is_empty() {
        return Err((HoldReason::NothingOwed, None));
    }
    match row.pause.filter(|pause| !pause.fired(now)) {
        Some(pause) => Err((HoldReason::Pause, Some(pause.due))),
        None => Ok(()),
    }
}

/// Renders what waits and books the attempt. One that cannot be stored says that it may repeat.
pub(super) fn begin(
    rows: &mut Rows,
    key: &NoticeKey,
    unwritten: bool,
    now: Now,
    draw: &mut fastrand::Rng,
    render: &mut dyn FnMut(&NoticeCard<'_>) -> Text,
) -> Option<Order> {
    let row = rows.notice(key)?;
    let attempt = NoticeAttempt {
        id: AttemptId::draw(draw),
        told: row.waiting.len(),
        dropped: row.dropped,
    };
    let known = rows.chat(&key.chat);
    let order = Order {
        subject: Subject::Notices(key.clone()),
        attempt: attempt.id,
        reason: SendReason::Notice,
        call: OrderCall::Send { reply_to: None },
        silent: true,
        plain: row.form.is_plain(),
        text: render(&NoticeCard {
            notices: &row.waiting,
            dropped: row.dropped,
            repeat: row.repeat || unwritten,
            short: row.form == Form::Short,
            now: now.wall,
        }),
        document: None,
        moved_to: known.and_then(|chat| chat.moved_to),
        topic_gone: known.is_some_and(|chat| chat.topic_gone),
    };
    rows.notice_mut(key).attempt = Some(attempt);
    chat::requested(rows, &key.chat, now);
    Some(order)
}

/// Books the outcome of an attempt.
pub(super) fn settle(
    rows: &mut Rows,
    key: &NoticeKey,
    attempt: AttemptId,
    outcome: &Outcome,
    retry: Duration,
    now: Now,
) -> Settled {
    let mine = |row: &NoticeRow| row.attempt.filter(|mine| mine.id == attempt);
    let Some(attempt) = rows.notice(key).and_then(mine) else {
        return Settled::Stale;
    };
    let heard = chat::hear(rows, &key.chat, outcome, retry, now);
    let row = rows.notice_mut(key);
    row.attempt = None;
    match heard {
        Heard::Confirmed(_) => {
            told(row, attempt, now);
            Settled::Confirmed
        }
        Heard::Later => Settled::Later,
        Heard::Unsure => {
            row.repeat = true;
            Settled::Later
        }
        Heard::Parked => Settled::Parked { given_up: 0 },
        Heard::TokenWrong => Settled::TokenWrong,
        Heard::MessageGone | Heard::ButtonsRefused | Heard::TextRefused => {
            if let Some(less) = row.form.less() {
                row.form = less;
                return Settled::Later;
            }
            told(row, attempt, now);
            Settled::GaveUp { matches: 0 }
        }
    }
}

/// What the attempt held is done with, and its kind pauses.
fn told(row: &mut NoticeRow, attempt: NoticeAttempt, now: Now) {
    row.waiting.drain(..attempt.told.min(row.waiting.len()));
    row.dropped -= attempt.dropped.min(row.dropped);
    (row.repeat, row.form) = (false, Form::default());
    let pause = match row.key.kind {
        NoticeKind::Started => PAUSE_OF_STARTS,
        NoticeKind::Rules => PAUSE_OF_RULES,
        _ => PAUSE,
    };
    row.pause = Some(Timer::start(now.moment, pause));
    row.owed_since = (!row.waiting.is_empty()).then_some(now.moment);
}

/// After a start: an attempt may have arrived.
pub(super) fn settle_attempts_found(rows: &mut Rows) {
    let tried = rows.all_notices().filter(|row| row.attempt.is_some());
    let tried: Vec<NoticeKey> = tried.map(|row| row.key.clone()).collect();
    for key in tried {
        let row = rows.notice_mut(&key);
        (row.attempt, row.repeat) = (None, true);
    }
}

/// Chats that are gone are owed none.
pub(super) fn forget_others(rows: &mut Rows, chats: &BTreeSet<&ChatName>) {
    let others = rows.all_notices().filter(|row| !chats.contains(&row.key.chat));
    let others: Vec<NoticeKey> = others.map(|row| row.key.clone()).collect();
    for key in others {
        rows.remove_notice(&key);
    }
}
