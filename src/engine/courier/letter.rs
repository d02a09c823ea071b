//! Letters: messages that somebody sends by hand, beside what the ledger owes.
//!
//! A letter goes the way of its chat's lane, so it keeps the same limits and gates, and its outcome is booked like
//! any other. It belongs to no incident and is stored nowhere: whoever sent it waits for it, and if they give up it
//! is not sent later.
//!
//! Letters and the ledger take turns, an alert first: a storm does not starve whoever waits at a terminal, and a
//! script that sends in a loop takes at most every second place from the alerts.
//!
//! The trap: giving up and sending may happen at the same moment. Both sides first take the one [`Claim`], and only
//! one of them gets it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::engine::ledger::Ask;
use crate::engine::messenger::describe;
use crate::incident::{Class, Way};
use crate::model::{ChatName, ChatTarget, Moment, Outcome, RefusalKind, Text};
use crate::telegram::{Call, Request};

use super::{Lane, Learned, LedgerGone, Step};

/// So many letters wait in a lane, and as many on their way to it.
const PLACES: usize = 4;
/// A wait that grew by less than this is not told again.
const MUCH: Duration = Duration::from_secs(1);

/// A message that somebody sends by hand.
#[derive(Debug)]
pub(in crate::engine) struct Letter {
    text: Text,
    /// Its sender's patience ends then.
    until: Instant,
    claim: Claim,
    fate: watch::Sender<Fate>,
}

/// What the sender of a letter holds. Dropped, the letter is given up.
#[derive(Debug)]
pub(in crate::engine) struct Receipt {
    claim: Claim,
    fate: watch::Receiver<Fate>,
}

/// Where a letter is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Fate {
    /// It waits for its turn, or is under way.
    Queued,
    /// The chat takes no message before then.
    Held {
        /// When it does again.
        until: Instant,
        /// Why, as far as it is known.
        why: Option<String>,
    },
    /// Telegram has it.
    Sent {
        /// The message's id.
        message_id: i64,
    },
    /// It may or may not have arrived.
    Unsure {
        /// What happened.
        why: String,
    },
    /// It was not sent and never will be.
    NotSent {
        /// Why not.
        why: String,
    },
}

/// The right to decide whether a letter is sent: one of its two sides has it, or nobody yet.
#[derive(Clone, Debug, Default)]
struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Takes it, unless the other side was faster.
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    fn is_taken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn give_back(&self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Letter {
    /// A letter that may wait until then, and the receipt for it.
    pub(in crate::engine) fn new(text: Text, until: Instant) -> (Self, Receipt) {
        let (sender, fate) = watch::channel(Fate::Queued);
        let claim = Claim::default();
        let receipt = Receipt {
            claim: claim.clone(),
            fate,
        };
        let letter = Self {
            text,
            until,
            claim,
            fate: sender,
        };
        (letter, receipt)
    }

    /// Holds it until then, and tells; false if its sender does not wait that long: then this is its end.
    fn hold(&self, until: Instant, held: &Held<'_>) -> bool {
        if until > self.until {
            let seconds = until.duration_since(Instant::now()).as_secs_f32().ceil();
            let Held { chat, why } = held;
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            self.fate.send_replace(Fate::NotSent {
                why: format!("{chat} takes messages again in {seconds} s{why}; not sent"),
            });
            return false;
        }
        // A moment is not worth a word.
        let short = until < Instant::now() + MUCH;
        self.fate.send_if_modified(|fate| {
            let told = short || matches!(fate, Fate::Held { until: told, .. } if until < *told + MUCH);
            if !told {
                let why = held.why.map(str::to_owned);
                *fate = Fate::Held { until, why };
            }
            !told
        });
        true
    }
}

/// Why letters have to wait.
struct Held<'a> {
    chat: &'a ChatName,
    why: Option<&'a str>,
}

impl Receipt {
    /// Waits for the next thing to tell, the letter's end at last; absent: its lane ended before that.
    pub(in crate::engine) async fn news(&mut self) -> Option<Fate> {
        self.fate.changed().await.ok()?;
        Some(self.fate.borrow_and_update().clone())
    }

    /// Gives up: true if the letter is not sent from now on, false if it is under way at this moment.
    pub(in crate::engine) fn give_up(&self) -> bool {
        self.claim.take()
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Where letters to one chat are handed in.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Door {
    /// The chat.
    pub(in crate::engine) chat: ChatName,
    letters: mpsc::Sender<Letter>,
}

/// Why a letter was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Closed {
    /// Too many letters wait already.
    Full,
    /// The lane has ended.
    Ended,
}

impl Door {
    /// A door, and the box behind it.
    pub(in crate::engine) fn new(chat: &ChatName) -> (Self, LetterBox) {
        let (letters, incoming) = mpsc::channel(PLACES);
        let door = Self {
            chat: chat.clone(),
            letters,
        };
        let letter_box = LetterBox {
            incoming,
            waiting: VecDeque::new(),
            first: false,
        };
        (door, letter_box)
    }

    /// Whether the lane behind it has ended.
    pub(in crate::engine) fn is_closed(&self) -> bool {
        self.letters.is_closed()
    }

    /// Hands a letter in.
    pub(in crate::engine) fn hand_in(&self, letter: Letter) -> Result<(), Closed> {
        self.letters.try_send(letter).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Closed::Full,
            mpsc::error::TrySendError::Closed(_) => Closed::Ended,
        })
    }
}

/// The letters of one lane.
#[derive(Debug)]
pub(in crate::engine) struct LetterBox {
    incoming: mpsc::Receiver<Letter>,
    /// In the order they came; at most [`PLACES`].
    waiting: VecDeque<Letter>,
    /// The ledger had the last request, so the next one is a letter's.
    pub(super) first: bool,
}

impl LetterBox {
    /// Completes when a letter came in. May be dropped at any time without losing one.
    pub(super) async fn arrival(&mut self) {
        if self.waiting.len() < PLACES
            && let Some(letter) = self.incoming.recv().await
        {
            self.waiting.push_back(letter);
            return;
        }
        // No room, or nobody can hand in anything any more.
        std::future::pending::<()>().await;
    }

    /// Whether somebody waits for a letter.
    fn is_wanted(&mut self) -> bool {
        self.waiting.retain(|letter| !letter.claim.is_taken());
        while self.waiting.len() < PLACES
            && let Ok(letter) = self.incoming.try_recv()
        {
            self.waiting.push_back(letter);
        }
        !self.waiting.is_empty()
    }

    /// The oldest letter whose sender did not give up.
    fn claim(&mut self) -> Option<Letter> {
        while let Some(letter) = self.waiting.pop_front() {
            if letter.claim.take() {
                return Some(letter);
            }
        }
        None
    }

    /// It goes first when the chat takes it; its sender may give up again meanwhile.
    fn put_back(&mut self, letter: Letter) {
        // Whoever went away while it was under way could not take it back, and nobody else can.
        if letter.fate.is_closed() {
            return;
        }
        letter.claim.give_back();
        letter.fate.send_replace(Fate::Queued);
        self.waiting.push_front(letter);
    }
}

impl Lane {
    /// The oldest letter, if there is one and the chat takes it now.
    pub(super) async fn letter(&mut self) -> Result<Step, LedgerGone> {
        if !self.letters.is_wanted() {
            return Ok(Step::Wait(None));
        }
        let chat = self.chat.name.clone();
        let way = self.ask(|reply| Ask::Way { chat, reply }).await?;
        if let Some(until) = way.closed_until {
            let why = self.trouble.clone();
            return Ok(self.hold(until, why.as_deref()));
        }
        if let Err(wait) = self.place(Class::Ring) {
            let until = self.courier.clock.now().moment + wait;
            return Ok(self.hold(until, Some("its limit is used up")));
        }
        if let Some(letter) = self.letters.claim() {
            self.carry(letter, way).await?;
        }
        Ok(Step::Delivered)
    }

    /// Every letter waits until then, or ends.
    fn hold(&mut self, until: Moment, why: Option<&str>) -> Step {
        let opens = self.courier.clock.instant(until).into();
        let held = Held {
            chat: &self.chat.name,
            why,
        };
        self.letters.waiting.retain(|letter| letter.hold(opens, &held));
        Step::Wait((!self.letters.waiting.is_empty()).then_some(until))
    }

    async fn carry(&mut self, letter: Letter, way: Way) -> Result<(), LedgerGone> {
        self.letters.first = false;
        let topic = self.chat.topic.filter(|_| !way.topic_gone);
        let request = Request {
            chat: way
                .moved_to
                .map_or_else(|| self.chat.target.clone(), ChatTarget::Id),
            topic,
            text: letter.text.clone(),
            document: None,
            plain: false,
            silent: false,
            call: Call::Send { reply_to: None },
        };
        let outcome = self.courier.send(&self.chat.name, None, &request).await;
        tracing::debug!(chat = %self.chat.name, ?outcome, "sent by hand");
        let Learned { retry, slowed } = self.learn(&outcome);
        // Told before it is booked: a disk that takes nothing is no concern of whoever waits for this.
        match end(&outcome, topic.is_some()) {
            Some(end) => drop(letter.fate.send_replace(end)),
            None => self.letters.put_back(letter),
        }
        let chat = self.chat.name.clone();
        self.ask(|reply| Ask::Heard {
            chat,
            outcome,
            retry,
            slowed,
            reply,
        })
        .await
    }
}

/// What an outcome means for a letter; absent: it goes again, as soon as the chat takes it.
fn end(outcome: &Outcome, had_topic: bool) -> Option<Fate> {
    match outcome {
        Outcome::Sent { message_id } => Some(Fate::Sent {
            message_id: *message_id,
        }),
        Outcome::Wait { .. } | Outcome::Moved { .. } => None,
        Outcome::Unsure { why } => Some(Fate::Unsure { why: why.clone() }),
        Outcome::Refused(refusal) if refusal.kind == RefusalKind::TopicGone && had_topic => None,
        Outcome::Refused(refusal) => Some(Fate::NotSent {
            why: format!("not sent: {}", describe(refusal)),
        }),
    }
}
