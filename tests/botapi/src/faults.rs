//! Faults: what goes wrong between a request and its answer, on command.
//!
//! A fault is a rule. Rules are asked in the order they were set; the first that fits and wins its dice is
//! taken. A count makes a queue, no count makes a mode. The trap: a fault that stores the message still
//! judges it first, so a bad request under "answer lost" is refused, not stored, and its answer is lost too.
//! A port that truly refuses connections is `BotApi::stop` or `/_test/close`, not a fault.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Shared;

/// What goes wrong. Durations are milliseconds of real time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// 429 with any JSON value, or none, as `retry_after`. Nothing is stored.
    TooMany {
        /// What `parameters.retry_after` and the header say; absent: no parameters and no header.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<Value>,
    },
    /// A JSON refusal of any status and wording. Nothing is stored.
    Error {
        /// HTTP status.
        status: u16,
        /// `error_code` in the body.
        code: u16,
        /// `description` in the body.
        description: String,
    },
    /// A page of HTML, as a proxy or gateway sends it.
    Html {
        /// HTTP status.
        status: u16,
        /// Whether the request was carried out before.
        #[serde(default)]
        store: bool,
    },
    /// 200 without a body.
    Empty {
        /// Whether the request was carried out before.
        #[serde(default)]
        store: bool,
    },
    /// The right answer, cut in its middle, with a length that says so.
    Truncated {
        /// Whether the request was carried out before.
        #[serde(default)]
        store: bool,
    },
    /// The right answer, and the connection dies in its middle.
    HalfAnswer {
        /// Whether the request was carried out before.
        #[serde(default)]
        store: bool,
    },
    /// The connection is held without an answer, then closed.
    Stall {
        /// How long.
        ms: u64,
        /// Whether the request was carried out before.
        #[serde(default)]
        store: bool,
    },
    /// The request is carried out and the connection closed without an answer.
    AnswerLost,
    /// The connection is closed without an answer; nothing is stored.
    Refuse,
    /// The connection is reset (RST) without an answer; nothing is stored.
    Reset,
    /// The request is carried out; its answer comes byte by byte.
    Slow {
        /// Pause before each byte.
        ms_per_byte: u64,
    },
    /// The request is carried out; its answer is blown up to this size.
    Huge {
        /// Size of the body in bytes.
        bytes: usize,
    },
    /// The request waits before it is carried out and answered properly.
    Delay {
        /// How long.
        ms: u64,
    },
    /// The request is carried out at once; the right answer waits. A client that dies meanwhile was heard.
    Late {
        /// How long.
        ms: u64,
    },
}

impl FaultKind {
    /// The name of the kind, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TooMany { .. } => "too_many",
            Self::Error { .. } => "error",
            Self::Html { .. } => "html",
            Self::Empty { .. } => "empty",
            Self::Truncated { .. } => "truncated",
            Self::HalfAnswer { .. } => "half_answer",
            Self::Stall { .. } => "stall",
            Self::AnswerLost => "answer_lost",
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::Slow { .. } => "slow",
            Self::Huge { .. } => "huge",
            Self::Delay { .. } => "delay",
            Self::Late { .. } => "late",
        }
    }

    /// Whether the request is carried out although its answer suffers.
    pub fn stores(&self) -> bool {
        match self {
            Self::TooMany { .. } | Self::Error { .. } | Self::Refuse | Self::Reset => false,
            Self::AnswerLost
            | Self::Slow { .. }
            | Self::Huge { .. }
            | Self::Delay { .. }
            | Self::Late { .. } => true,
            Self::Html { store, .. }
            | Self::Empty { store }
            | Self::Truncated { store }
            | Self::HalfAnswer { store }
            | Self::Stall { store, .. } => *store,
        }
    }
}

/// A fault and when it strikes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Only requests of this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only requests to this chat.
    #[serde(default)]
    pub chat: Option<i64>,
    /// How often it strikes; absent: for ever.
    #[serde(default)]
    pub count: Option<u64>,
    /// Chance for each fitting request, 0 to 1; absent: 1.
    #[serde(default)]
    pub probability: Option<f64>,
    /// Strikes no sooner than this many milliseconds after it was set.
    #[serde(default)]
    pub after_ms: u64,
    /// Strikes for this many milliseconds from then on; absent: for ever.
    #[serde(default)]
    pub for_ms: Option<u64>,
}

impl Fault {
    /// A fault that strikes every request until it is cleared.
    pub fn always(kind: FaultKind) -> Self {
        Self {
            kind,
            method: None,
            chat: None,
            count: None,
            probability: None,
            after_ms: 0,
            for_ms: None,
        }
    }

    /// A fault that strikes the next request.
    pub fn once(kind: FaultKind) -> Self {
        Self::always(kind).times(1)
    }

    /// The same fault, this many times.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// The same fault for one method only.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// The same fault for one chat only.
    #[must_use]
    pub fn chat(mut self, chat: i64) -> Self {
        self.chat = Some(chat);
        self
    }

    /// The same fault with a chance between 0 and 1.
    #[must_use]
    pub fn probability(mut self, chance: f64) -> Self {
        self.probability = Some(chance);
        self
    }

    /// The same fault within a span of the server's clock, in milliseconds from when it is set.
    #[must_use]
    pub fn within(mut self, after_ms: u64, for_ms: u64) -> Self {
        (self.after_ms, self.for_ms) = (after_ms, Some(for_ms));
        self
    }

    fn fits(&self, method: &str, chat: Option<i64>, age: u64) -> bool {
        self.count != Some(0)
            && self
                .method
                .as_deref()
                .is_none_or(|only| only.eq_ignore_ascii_case(method))
            && self.chat.is_none_or(|only| Some(only) == chat)
            && age >= self.after_ms
            && self
                .for_ms
                .is_none_or(|span| age < self.after_ms.saturating_add(span))
    }
}

/// All rules in force.
#[derive(Debug)]
pub(crate) struct FaultTable {
    rules: Vec<(u64, Fault)>,
    dice: Dice,
}

impl FaultTable {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            dice: Dice(seed | 1),
        }
    }

    pub(crate) fn push(&mut self, fault: Fault, now: u64) {
        self.rules.push((now, fault));
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The fault that strikes this request, if any; its count goes down by one.
    pub(crate) fn take(&mut self, method: &str, chat: Option<i64>, now: u64) -> Option<FaultKind> {
        let Self { rules, dice } = self;
        let struck = rules.iter_mut().find(|(set_at, fault)| {
            fault.fits(method, chat, now.saturating_sub(*set_at)) && dice.wins(fault.probability)
        });
        let kind = struck.map(|(_, fault)| {
            fault.count = fault.count.map(|left| left - 1);
            fault.kind.clone()
        });
        rules.retain(|(_, fault)| fault.count != Some(0));
        kind
    }
}

/// A small generator with a seed, so that a failing mix of faults can be run again.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn wins(&mut self, chance: Option<f64>) -> bool {
        let Some(chance) = chance else { return true };
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The upper 32 bits are exact in an f64.
        let upper = u32::try_from(self.0 >> 32).unwrap_or(u32::MAX);
        f64::from(upper) / f64::from(u32::MAX) < chance
    }
}

/// The tests' hand on the faults.
#[derive(Clone, Debug)]
pub struct Faults(pub(crate) Shared);

impl Faults {
    /// Adds a rule behind those already set.
    pub fn push(&self, fault: Fault) {
        let mut world = self.0.world();
        let now = world.clock.now_ms();
        world.faults.push(fault, now);
    }

    /// Lets the next request suffer this.
    pub fn once(&self, kind: FaultKind) {
        self.push(Fault::once(kind));
    }

    /// Lets every request suffer this until [`Faults::clear`].
    pub fn always(&self, kind: FaultKind) {
        self.push(Fault::always(kind));
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.0.world().faults.clear();
    }

    /// How many rules can still strike.
    pub fn pending(&self) -> usize {
        self.0.world().faults.rules.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_taken_in_order_and_then_empty() {
        let mut table = FaultTable::new(1);
        table.push(Fault::once(FaultKind::Refuse), 0);
        table.push(Fault::once(FaultKind::AnswerLost).times(2), 0);
        let taken: Vec<_> = (0..4).map(|_| table.take("sendMessage", None, 0)).collect();
        let lost = Some(FaultKind::AnswerLost);
        assert_eq!(taken, [Some(FaultKind::Refuse), lost.clone(), lost, None]);
    }

    #[test]
    fn a_fault_keeps_to_its_method_chat_and_span() {
        let mut table = FaultTable::new(1);
        table.push(
            Fault::always(FaultKind::Refuse)
                .method("sendMessage")
                .chat(-7)
                .within(100, 50),
            1000,
        );
        assert_eq!(table.take("getMe", Some(-7), 1120), None);
        assert_eq!(table.take("sendMessage", Some(7), 1120), None);
        assert_eq!(table.take("sendMessage", Some(-7), 1099), None);
        assert_eq!(table.take("sendmessage", Some(-7), 1100), Some(FaultKind::Refuse));
        assert_eq!(table.take("sendMessage", Some(-7), 1150), None);
    }

    #[test]
    fn a_chance_is_kept_roughly_and_repeats_with_its_seed() {
        let strikes = || {
            let mut table = FaultTable::new(42);
            table.push(Fault::always(FaultKind::Refuse).probability(0.3), 0);
            (0..1000)
                .filter(|_| table.take("getMe", None, 0).is_some())
                .count()
        };
        assert_eq!(strikes(), strikes());
        assert!((200..400).contains(&strikes()), "{}", strikes());
    }
}
