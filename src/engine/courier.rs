//! The courier: one lane per chat, so that no chat waits for another.
//!
//! A lane's loop is: register interest, ask the ledger, wait. In this order, for a change that comes between
//! the question and the wait must not be slept through.
//!
//! Beside what the ledger owes, a lane carries letters: messages that somebody sends by hand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use tokio::sync::{Notify, oneshot, watch};

use crate::failpoint::{self, Point};
use crate::incident::{Asked, Class, Order, OrderCall, Settled, Subject};
use crate::model::{ChatName, ChatState, ChatTarget, Moment, Now, Outcome, Rate, RefusalKind, Slowed, Timer};
use crate::telegram::{self, Backoff, BotLimits, Call, ChatLimits, ChatSettings, Request, default_limit};

use super::clock::Clock;
use super::counts::Counts;
use super::herald::Success;
use super::ledger::{Ask, Due};
use super::messenger::{Messenger, describe};

pub(super) mod lanes;
pub(super) mod letter;

use letter::LetterBox;

/// After a refused token, nothing is sent for this long.
const TOKEN_PAUSE: Duration = Duration::from_mins(1);

/// The ledger thread is gone; whoever waits for the threads says why.
#[derive(Debug)]
pub(super) struct LedgerGone;

/// What all lanes share.
#[derive(Clone)]
pub(super) struct Courier {
    pub(super) asks: Sender<Ask>,
    pub(super) messenger: Arc<dyn Messenger>,
    pub(super) bot: Arc<BotLimits>,
    pub(super) clock: Clock,
    /// When a request last succeeded.
    pub(super) success: Success,
    pub(super) counts: Counts,
    /// True once the lanes should deliver what is due right now and end.
    pub(super) stopping: watch::Receiver<bool>,
}

impl Courier {
    /// Makes a request and says what became of it. A letter has no subject.
    async fn send(&self, chat: &ChatName, subject: Option<&Subject>, request: &Request) -> Outcome {
        let began = Instant::now();
        let outcome = self.messenger.deliver(chat, subject, request).await;
        let now = self.clock.now();
        self.counts.request(chat, request, &outcome, began.elapsed(), now);
        outcome
    }
}

/// One chat's way to Telegram. At most one request is in flight.
pub(super) struct Lane {
    courier: Courier,
    chat: Arc<ChatSettings>,
    wake: Arc<Notify>,
    limits: ChatLimits,
    backoff: Backoff,
    letters: LetterBox,
    /// The trouble that was logged last, so that it is said once.
    trouble: Option<String>,
}

impl Lane {
    pub(super) fn new(
        courier: Courier,
        chat: &ChatSettings,
        wake: Arc<Notify>,
        letters: LetterBox,
        known: Option<&ChatState>,
        draw: &mut fastrand::Rng,
    ) -> Self {
        let now = courier.clock.now();
        Self {
            limits: ChatLimits::new(
                limit(chat),
                &ages(known, now),
                known.and_then(|chat| slow(chat, now)),
            ),
            backoff: Backoff::new(draw.fork()),
            courier,
            chat: Arc::new(chat.clone()),
            wake,
            letters,
            trouble: None,
        }
    }

    /// Delivers until it is told to stop, then until nothing is due at once; or until its chat is told everything and
    /// was taken out of rules.toml.
    pub(super) async fn run(mut self) -> Result<(), LedgerGone> {
        let wake = self.wake.clone();
        let mut stopping = self.courier.stopping.clone();
        loop {
            let changed = wake.notified();
            let stop = *stopping.borrow_and_update();
            let until = match self.step().await? {
                Step::Delivered => continue,
                Step::Wait(until) => until,
                Step::Gone => return Ok(()),
            };
            if stop {
                return Ok(());
            }
            tokio::select! {
                () = changed => {}
                () = self.letters.arrival() => {}
                () = sleep_until(self.courier.clock, until) => {}
                _ = stopping.changed() => {}
            }
        }
    }

    /// One request, of the ledger's or a letter's: in turn, if both have one.
    async fn step(&mut self) -> Result<Step, LedgerGone> {
        let letter = if self.letters.first {
            Some(self.letter().await?)
        } else {
            None
        };
        if let Some(Step::Delivered) = letter {
            return Ok(Step::Delivered);
        }
        let until = match self.owed().await? {
            Step::Delivered => {
                self.letters.first = true;
                return Ok(Step::Delivered);
            }
            Step::Wait(until) => until,
            Step::Gone => return Ok(Step::Gone),
        };
        let letter = match letter {
            Some(letter) => letter,
            None => self.letter().await?,
        };
        Ok(match letter {
            Step::Delivered | Step::Gone => Step::Delivered,
            Step::Wait(other) => Step::Wait([until, other].into_iter().flatten().min()),
        })
    }

    /// One delivery, if one is due and has its place.
    async fn owed(&mut self) -> Result<Step, LedgerGone> {
        let chat = self.chat.name.clone();
        let class = match self.ask(|reply| Ask::Due { chat, reply }).await? {
            (Due::Gone, _) => return Ok(Step::Gone),
            (Due::Asked(asked), place) => {
                self.settle_in(place);
                match asked {
                    Asked::Hold { until } => return Ok(Step::Wait(until)),
                    Asked::Due { class, .. } => class,
                }
            }
        };
        if let Err(wait) = self.place(class) {
            return Ok(Step::Wait(Some(self.courier.clock.now().moment + wait)));
        }
        let chat = self.chat.name.clone();
        let Some((order, place)) = self.ask(|reply| Ask::Take { chat, class, reply }).await? else {
            return Ok(Step::Delivered);
        };
        // An order and the place it is for belong together: rules.toml may have moved the chat meanwhile.
        self.settle_in(place);
        self.deliver(order).await?;
        Ok(Step::Delivered)
    }

    /// The chat is where rules.toml says now.
    fn settle_in(&mut self, place: Option<Arc<ChatSettings>>) {
        if let Some(place) = place
            && !Arc::ptr_eq(&place, &self.chat)
        {
            self.limits.change(limit(&place));
            self.chat = place;
        }
    }

    async fn deliver(&mut self, order: Order) -> Result<(), LedgerGone> {
        let request = self.request(&order);
        let outcome = self
            .courier
            .send(&self.chat.name, Some(&order.subject), &request)
            .await;
        failpoint::reach(Point::AfterResponse);
        tracing::debug!(chat = %self.chat.name, subject = ?order.subject, reason = ?order.reason, ?outcome, "delivered");
        let Learned { retry, slowed } = self.learn(&outcome);
        let (subject, attempt) = (order.subject, order.attempt);
        let settled = self
            .ask(|reply| Ask::Settle {
                subject,
                attempt,
                outcome,
                retry,
                slowed,
                reply,
            })
            .await?;
        match settled {
            Settled::GaveUp { matches } => {
                tracing::error!(chat = %self.chat.name, matches, "Telegram refused a text for good; its matches are counted as failed");
            }
            Settled::Parked { given_up: matches } if matches > 0 => {
                tracing::error!(chat = %self.chat.name, matches, "the chat was gone for longer than `retention`; what it was owed is counted as failed");
            }
            _ => {}
        }
        Ok(())
    }

    fn request(&self, order: &Order) -> Request {
        Request {
            chat: order
                .moved_to
                .map_or_else(|| self.chat.target.clone(), ChatTarget::Id),
            topic: self.chat.topic.filter(|_| !order.topic_gone),
            text: order.text.clone(),
            document: order.document.clone(),
            plain: order.plain,
            silent: order.silent,
            call: match order.call {
                OrderCall::Send { reply_to } => Call::Send { reply_to },
                OrderCall::Edit { message_id } => Call::Edit { message_id },
            },
        }
    }

    /// Takes a place in both limits. The bot's is asked first: one that is not used is back in a moment.
    fn place(&mut self, class: Class) -> Result<(), Duration> {
        let class = match class {
            Class::CriticalRing => telegram::Class::Critical,
            _ if class.is_new_message() => telegram::Class::Ring,
            _ => telegram::Class::Edit,
        };
        self.courier.bot.check(class)?;
        self.limits.check(class)
    }

    /// What the lane itself takes from an outcome, and what of it the ledger has to know.
    fn learn(&mut self, outcome: &Outcome) -> Learned {
        if matches!(outcome, Outcome::Sent { .. }) {
            self.courier.success.mark(self.courier.clock.now());
        }
        self.say_trouble(outcome);
        let retry = self.retry(outcome);
        if let Outcome::Wait {
            after, flood: true, ..
        } = outcome
        {
            self.limits.flooded(after.unwrap_or(retry));
            let slowed = self.limits.slowed().map(|slow| Slowed {
                halvings: slow.halvings,
                whole: Timer::start(self.courier.clock.now().moment, slow.whole_in),
            });
            return Learned { retry, slowed };
        }
        Learned { retry, slowed: None }
    }

    /// When to try again where Telegram does not say.
    fn retry(&mut self, outcome: &Outcome) -> Duration {
        match outcome {
            Outcome::Refused(refusal) if refusal.kind == RefusalKind::TokenWrong => TOKEN_PAUSE,
            Outcome::Wait { .. } | Outcome::Unsure { .. } | Outcome::Moved { .. } => self.backoff.next(),
            Outcome::Sent { .. } | Outcome::Refused(_) => {
                self.backoff.reset();
                Duration::ZERO
            }
        }
    }

    /// Logs trouble when it begins, when it changes, and when it ends.
    fn say_trouble(&mut self, outcome: &Outcome) {
        let trouble = match outcome {
            Outcome::Sent { .. } => None,
            Outcome::Wait { why, .. } | Outcome::Unsure { why } => Some(why.clone()),
            Outcome::Moved { to } => Some(format!(
                "the group became a supergroup: put id = {to} into rules.toml"
            )),
            Outcome::Refused(refusal) => Some(describe(refusal)),
        };
        if trouble == self.trouble {
            return;
        }
        if let Some(trouble) = &trouble {
            tracing::warn!(chat = %self.chat.name, "not delivered: {trouble}");
        } else {
            tracing::info!(chat = %self.chat.name, "delivering again");
        }
        self.trouble = trouble;
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, LedgerGone> {
        let (reply, answer) = oneshot::channel();
        // The queue has no bound of its own, since every lane has one question in it at most; a closed one means that
        // the ledger is gone.
        self.courier.asks.try_send(ask(reply)).map_err(|_| LedgerGone)?;
        answer.await.map_err(|_| LedgerGone)
    }
}

/// What an outcome means beyond itself.
struct Learned {
    /// When to try again where Telegram does not say.
    retry: Duration,
    /// How far the chat's rate is from whole, if this halved it.
    slowed: Option<Slowed>,
}

enum Step {
    Delivered,
    Wait(Option<Moment>),
    /// Nothing will ever be due again.
    Gone,
}

fn limit(chat: &ChatSettings) -> Rate {
    chat.limit.unwrap_or_else(|| default_limit(&chat.target))
}

/// How long ago the requests were made that the store remembers.
fn ages(known: Option<&ChatState>, now: Now) -> Vec<Duration> {
    let requests = known.map(|chat| chat.requests.as_slice()).unwrap_or_default();
    requests
        .iter()
        .map(|request| request.length.saturating_sub(request.remaining(now.moment)))
        .collect()
}

/// What is left of the halvings that the store remembers.
fn slow(known: &ChatState, now: Now) -> Option<telegram::Slow> {
    let slowed = known.slowed.filter(|slowed| !slowed.whole.fired(now.moment))?;
    Some(telegram::Slow {
        halvings: slowed.halvings,
        whole_in: slowed.whole.remaining(now.moment),
    })
}

async fn sleep_until(clock: Clock, until: Option<Moment>) {
    match until {
        Some(until) => tokio::time::sleep_until(clock.instant(until).into()).await,
        None => std::future::pending().await,
    }
}
