//! One request, begun from a snapshot.
//!
//! An attempt says what its success means *before* it is sent: what it settles, which shapes it shows, whom
//! else it tells of. So a confirmation can be booked without looking at anything that changed meanwhile.

use crate::model::{
    AccountKey, Attempt, AttemptId, AttemptKind, Card, CardKind, Carried, ChatName, Delivery, DeliveryKey,
    Document, Ended, Form, Incident, KeptLine, NoticeKey, Now, Phase, Rendered, Text, Timestamp,
};

use super::policy::{SendReason, new_shapes, rises};
use super::rows::Rows;
use super::settings::{Ring, RuleSettings};
use super::{chat, fold, limit};

/// A message that may have arrived this often makes no sound when it is sent again.
const SOUNDING_REPEATS: u32 = 3;
/// No message has room for more lines than this.
const LINES: usize = 2_100;

/// What to send. Everything else about it stands in the delivery's attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What it is about; given back with the outcome.
    pub subject: Subject,
    /// Which attempt; given back too.
    pub attempt: AttemptId,
    /// Why it is sent.
    pub reason: SendReason,
    /// A new message or an edit.
    pub call: OrderCall,
    /// Without sound.
    pub silent: bool,
    /// Without entities: Telegram refused them.
    pub plain: bool,
    /// The text.
    pub text: Text,
    /// What comes with it; the text is its caption.
    pub document: Option<Document>,
    /// The supergroup that the chat became.
    pub moved_to: Option<i64>,
    /// The chat's topic is gone.
    pub topic_gone: bool,
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An incident.
    Incident {
        /// Whose delivery.
        key: DeliveryKey,
        /// What the request is for.
        kind: AttemptKind,
    },
    /// The program itself.
    Notices(NoticeKey),
}

impl Subject {
    /// Who is told.
    pub fn chat(&self) -> &ChatName {
        match self {
            Self::Incident { key, .. } => &key.chat,
            Self::Notices(key) => &key.chat,
        }
    }
}

/// Which call of the Bot API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderCall {
    /// A new message.
    Send {
        /// The message it replies to.
        reply_to: Option<i64>,
    },
    /// An edit.
    Edit {
        /// The message it changes.
        message_id: i64,
    },
}

/// What [`begin`] was told by the policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decided {
    pub(super) kind: AttemptKind,
    pub(super) sounds: bool,
    pub(super) reason: SendReason,
    /// The attempt cannot be stored: a crash would forget it, so a new message says that it may repeat.
    pub(super) unwritten: bool,
    /// The chat left rules.toml.
    pub(super) left: bool,
}

/// Renders a snapshot of what is owed and books the attempt.
pub(super) fn begin(
    rows: &mut Rows,
    rule: &RuleSettings,
    key: &DeliveryKey,
    decided: Decided,
    now: Now,
    draw: &mut fastrand::Rng,
    render: &mut dyn FnMut(&Card<'_>) -> Rendered,
) -> Option<Order> {
    let account = AccountKey {
        rule: rule.name.clone(),
        chat: key.chat.clone(),
    };
    let incident = rows.incident(key.incident)?;
    let farewell = decided.left.then(|| farewell(incident)).flatten();
    let incident = farewell.as_ref().unwrap_or(incident);
    let delivery = rows.delivery(key)?;
    let (held, carried, folds) = tells_of(rows, rule, &account, delivery, decided.kind, now);
    let mut card = card(
        rows,
        rule,
        incident,
        delivery,
        decided.kind,
        carried.as_ref(),
        now.wall,
    );
    card.repeat |= decided.unwritten && decided.kind.is_new_message();
    let mut rendered = render(&card);
    if delivery.no_buttons {
        rendered.text.buttons.clear();
    }
    // Answers can be lost for hours while the messages arrive: the first repeats ring, the others do not.
    let sounds = decided.sounds && delivery.unsure < SOUNDING_REPEATS;
    let (lines, dropped) = match decided.kind {
        AttemptKind::Open | AttemptKind::Batch if rule.ring == Ring::All => {
            (rendered.covers.lines as u64, delivery.dropped)
        }
        _ => (0, 0),
    };
    let upto = match decided.kind {
        AttemptKind::Reply | AttemptKind::Remind | AttemptKind::Resolved | AttemptKind::Document => {
            delivery.settled
        }
        _ if rule.ring == Ring::All => (delivery.settled + lines + dropped).min(delivery.applied),
        _ => delivery.applied,
    };
    let settled = delivery.settled;
    let attempt = Attempt {
        id: AttemptId::draw(draw),
        kind: decided.kind,
        sounds,
        severity: incident.severity,
        upto,
        shown: rendered
            .covers
            .shown
            .into_iter()
            .filter(|nth| *nth > settled)
            .collect(),
        shapes: rendered.covers.shapes,
        lines,
        dropped,
        held,
        carried,
        folds,
        over: incident.is_over() && upto == delivery.applied,
        whole: rendered.covers.whole,
        refreshes: delivery.refresh
            && matches!(
                decided.kind,
                AttemptKind::Open | AttemptKind::Edit | AttemptKind::End
            ),
        at: now.wall,
    };
    let content = (rendered.text, rendered.document);
    let order = order(rows, delivery, &attempt, decided, content)?;
    if let Some(delivery) = rows.delivery_mut(key) {
        delivery.refresh &= !attempt.refreshes;
        delivery.attempt = Some(Box::new(attempt));
    }
    chat::requested(rows, &key.chat, now);
    Some(order)
}

/// What a chat that left is told of an incident that ended because of that: for it the rule is removed.
fn farewell(incident: &Incident) -> Option<Incident> {
    let Phase::Over {
        at,
        ended: Ended::RuleChanged,
    } = incident.phase
    else {
        return None;
    };
    let ended = Ended::RuleRemoved;
    Some(Incident {
        phase: Phase::Over { at, ended },
        ..incident.clone()
    })
}

fn order(
    rows: &Rows,
    delivery: &Delivery,
    attempt: &Attempt,
    decided: Decided,
    (text, document): (Text, Option<Document>),
) -> Option<Order> {
    let call = match attempt.kind {
        AttemptKind::Edit | AttemptKind::End => OrderCall::Edit {
            message_id: delivery.message_id?,
        },
        AttemptKind::Open => OrderCall::Send { reply_to: None },
        AttemptKind::Reply
        | AttemptKind::Remind
        | AttemptKind::Batch
        | AttemptKind::Resolved
        | AttemptKind::Document => OrderCall::Send {
            reply_to: delivery.message_id,
        },
    };
    let chat = rows.chat(&delivery.key.chat);
    Some(Order {
        subject: Subject::Incident {
            key: delivery.key.clone(),
            kind: attempt.kind,
        },
        attempt: attempt.id,
        reason: decided.reason,
        call,
        silent: !attempt.sounds,
        plain: delivery.form.is_plain(),
        text,
        document,
        moved_to: chat.and_then(|chat| chat.moved_to),
        topic_gone: chat.is_some_and(|chat| chat.topic_gone),
    })
}

type Tells = (Vec<(crate::model::IncidentId, u64)>, Option<Carried>, bool);

/// Other incidents that this message tells of. An opening settles the rule's folded ones, and those that
/// would have to wait because it takes the limit's last place; edits repeat what the message said before.
fn tells_of(
    rows: &Rows,
    rule: &RuleSettings,
    account: &AccountKey,
    delivery: &Delivery,
    kind: AttemptKind,
    now: Now,
) -> Tells {
    match kind {
        AttemptKind::Edit | AttemptKind::End => (Vec::new(), delivery.carried.clone(), false),
        AttemptKind::Reply
        | AttemptKind::Remind
        | AttemptKind::Batch
        | AttemptKind::Resolved
        | AttemptKind::Document => (Vec::new(), None, false),
        AttemptKind::Open => {
            let row = rows.account(account);
            let folded = row.and_then(|row| row.fold.clone());
            let folds = folded.is_some();
            let last =
                limit::leaves_none(row, rule.limit, now.moment, !delivery.repeat) && !delivery.replaces;
            let (held, held_sum) = if last {
                fold::held_back(rows, account, &delivery.key)
            } else {
                (Vec::new(), None)
            };
            // Before an opening only a lost message has told of others. A total that replaces it stands for all of it;
            // forwarded lines are told once, and so is what stood with them.
            let before = delivery.carried.clone().filter(|_| rule.ring != Ring::All);
            let carried = [before, folded, held_sum]
                .into_iter()
                .flatten()
                .reduce(Carried::and);
            (held, carried, folds)
        }
    }
}

fn card<'a>(
    rows: &'a Rows,
    rule: &RuleSettings,
    incident: &'a Incident,
    delivery: &'a Delivery,
    kind: AttemptKind,
    carried: Option<&'a Carried>,
    now: Timestamp,
) -> Card<'a> {
    let lines = |lines: Vec<&'a KeptLine>, before, dropped| CardKind::Lines {
        lines,
        before,
        dropped,
    };
    let kind_of_card = match kind {
        AttemptKind::Open | AttemptKind::Batch if rule.ring == Ring::All => lines(
            rows.queue(&delivery.key).take(LINES).collect(),
            delivery.settled,
            delivery.dropped,
        ),
        AttemptKind::Edit | AttemptKind::End if rule.ring == Ring::All => {
            let (before, dropped) = (delivery.opening_before, delivery.opening_dropped);
            lines(delivery.opening_lines.iter().collect(), before, dropped)
        }
        AttemptKind::Open | AttemptKind::Batch | AttemptKind::Edit | AttemptKind::End => CardKind::Live,
        AttemptKind::Reply if rises(incident, delivery) => {
            CardKind::Raised(new_shapes(incident, delivery).collect())
        }
        AttemptKind::Reply => CardKind::FollowUp(new_shapes(incident, delivery).collect()),
        AttemptKind::Remind => CardKind::Reminder { at: now },
        AttemptKind::Resolved => CardKind::Resolved,
        AttemptKind::Document => CardKind::Document,
    };
    Card {
        incident,
        kind: kind_of_card,
        repeat: delivery.repeat && kind.is_new_message(),
        short: delivery.form == Form::Short,
        told_elsewhere: delivery.told_elsewhere,
        carried,
    }
}
