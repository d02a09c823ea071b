//! What an outcome says about the chat itself, whatever was sent: gates, parking, moves.
//!
//! Everything sent to a chat is heard here first; what it means for the incident, or for the notices, is
//! booked by their own files. The trap: a gate that is not closed here is a request too many.

use std::time::Duration;

use crate::model::{
    ChatName, ChatTarget, DeliveryKey, Now, Outcome, Parked, Refusal, RefusalKind, Slowed, Timer,
};

use super::booking;
use super::incidents::Incidents;
use super::rows::Rows;

/// A parked chat is tried again this often.
const PROBE: Duration = Duration::from_hours(1);
/// Two 429s of different chats within this long close the gate of the whole bot.
const FLOOD_PAIR: Duration = Duration::from_secs(10);
/// The span of the requests that are kept for the limiter.
const REQUESTS: Duration = Duration::from_mins(1);

/// What is left to be booked by whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Telegram has it, under this id.
    Confirmed(i64),
    /// It did not arrive and is sent again.
    Later,
    /// It may have arrived.
    Unsure,
    /// The chat is gone.
    Parked,
    /// The token is wrong.
    TokenWrong,
    /// The message it was about is gone.
    MessageGone,
    /// Telegram does not take the link buttons.
    ButtonsRefused,
    /// Telegram does not take this text.
    TextRefused,
}

/// Books what an outcome says about a chat. `retry` is when to try again where Telegram did not say.
pub(super) fn hear(rows: &mut Rows, chat: &ChatName, outcome: &Outcome, retry: Duration, now: Now) -> Heard {
    match outcome {
        Outcome::Sent { message_id } => {
            let row = rows.chat_mut(chat);
            (row.gate, row.flooded, row.parked) = (None, false, None);
            Heard::Confirmed(*message_id)
        }
        Outcome::Wait { after, flood, .. } => {
            close(rows, chat, after.unwrap_or(retry), *flood, now);
            Heard::Later
        }
        Outcome::Moved { to } => {
            // A pause, for a server that sends us round in circles.
            close(rows, chat, retry, false, now);
            rows.chat_mut(chat).moved_to = Some(*to);
            lose_messages(rows, chat);
            Heard::Later
        }
        Outcome::Unsure { .. } => {
            close(rows, chat, retry, false, now);
            Heard::Unsure
        }
        Outcome::Refused(refusal) => refused(rows, chat, refusal, retry, now),
    }
}

/// Remembers a request, so that the limits hold over restarts too.
pub(super) fn requested(rows: &mut Rows, chat: &ChatName, now: Now) {
    let requests = &mut rows.chat_mut(chat).requests;
    requests.retain(|request| !request.fired(now.moment));
    requests.push(Timer::start(now.moment, REQUESTS));
}

fn close(rows: &mut Rows, chat: &ChatName, after: Duration, flood: bool, now: Now) {
    let gate = Timer::start(now.moment, after);
    if flood {
        close_the_bot_on_a_second_flood(rows, chat, gate, now);
    }
    let row = rows.chat_mut(chat);
    (row.gate, row.flooded) = (Some(gate), flood);
}

/// Telegram blocks the whole bot when it blocks two chats, so the bot waits for the later of both.
fn close_the_bot_on_a_second_flood(rows: &mut Rows, chat: &ChatName, gate: Timer, now: Now) {
    let now = now.moment;
    let recent =
        |other: &Timer| !other.fired(now) && other.length.saturating_sub(other.remaining(now)) <= FLOOD_PAIR;
    let others = rows.chats().filter(|other| other.name != *chat && other.flooded);
    let latest = others
        .filter_map(|other| other.gate)
        .filter(recent)
        .max_by_key(|other| other.due);
    if let Some(other) = latest {
        let later = if other.due > gate.due { other } else { gate };
        rows.token_gate_mut().until = Some(later);
    }
}

impl Incidents {
    /// Remembers how far a chat's rate is from whole, for the limiter of the next start. Before the outcome that halved
    /// it is booked, so that both are in one commit; without a change there is nothing to remember.
    pub fn slow_down(&mut self, chat: &ChatName, slowed: Option<Slowed>) {
        if slowed.is_some() {
            self.rows.chat_mut(chat).slowed = slowed;
        }
    }
}

/// Takes up where rules.toml says that a chat is. What was learned of another place under this name is
/// forgotten.
pub(super) fn locate(rows: &mut Rows, chat: &ChatName, target: &ChatTarget) {
    if rows
        .chat(chat)
        .is_some_and(|row| row.target.as_ref() == Some(target))
    {
        return;
    }
    let row = rows.chat_mut(chat);
    let about_it = row.is_about(target);
    // Whoever wrote the supergroup's id into rules.toml did what we asked for.
    row.moved_to = row
        .moved_to
        .filter(|to| about_it && ChatTarget::Id(*to) != *target);
    row.target = Some(target.clone());
    if !about_it {
        (row.gate, row.flooded, row.parked, row.topic_gone) = (None, false, None, false);
        row.requests.clear();
        row.slowed = None;
        lose_messages(rows, chat);
    }
}

/// The chat is somewhere else now, where none of the old messages exists.
fn lose_messages(rows: &mut Rows, chat: &ChatName) {
    let keys: Vec<DeliveryKey> = rows
        .deliveries(chat)
        .map(|delivery| delivery.key.clone())
        .collect();
    for key in keys {
        booking::lose_message(rows, &key);
        booking::finish(rows, &key);
    }
}

fn refused(rows: &mut Rows, chat: &ChatName, refusal: &Refusal, retry: Duration, now: Now) -> Heard {
    match refusal.kind {
        RefusalKind::ChatGone => {
            park(rows, chat, &refusal.why, now);
            Heard::Parked
        }
        RefusalKind::TokenWrong => {
            rows.pause_token(Timer::start(now.moment, retry));
            Heard::TokenWrong
        }
        RefusalKind::TopicGone if !rows.chat_mut(chat).topic_gone => {
            rows.chat_mut(chat).topic_gone = true;
            Heard::Later
        }
        RefusalKind::MessageGone => Heard::MessageGone,
        RefusalKind::Buttons => Heard::ButtonsRefused,
        RefusalKind::TopicGone | RefusalKind::Document | RefusalKind::Text => Heard::TextRefused,
    }
}

fn park(rows: &mut Rows, chat: &ChatName, why: &str, now: Now) {
    let row = rows.chat_mut(chat);
    (row.gate, row.flooded) = (Some(Timer::start(now.moment, PROBE)), false);
    let before = row.parked.take();
    row.parked = Some(Parked {
        why: why.to_owned(),
        since: before.as_ref().map_or(now.wall, |parked| parked.since),
        until: before.and_then(|parked| parked.until),
    });
}
