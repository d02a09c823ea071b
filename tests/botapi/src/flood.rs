//! Flood control: how much one chat and one bot may send.
//!
//! The real limits are unspecified. These are chosen from what users report, on the strict side:
//! every chat has a bucket (1/s, 20 at most) and takes at most 5 in any second; a group, supergroup or
//! channel takes 20 in any minute, a private chat 60; the bot as a whole 30 in any second. Sends and edits
//! share all of them. The trap: asking again before `retry_after` has passed is punished, each time more.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::Shared;
use crate::chats::ChatKind;

/// The longest wait a 429 asks for, however often the sender comes too early, in seconds.
const LONGEST_WAIT_S: u64 = 3600;

/// How much is allowed. Fields left out of JSON keep their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitConfig {
    /// False switches all limits off.
    pub enabled: bool,
    /// Messages that one chat takes in any second.
    pub per_second: usize,
    /// Capacity of a chat's bucket, in messages.
    pub bucket: f64,
    /// Messages per second that flow back into a chat's bucket.
    pub refill_per_second: f64,
    /// Messages that a group, supergroup or channel takes in any window.
    pub group_per_window: usize,
    /// Messages that a private chat takes in any window.
    pub private_per_window: usize,
    /// Length of that window, in milliseconds.
    pub window_ms: u64,
    /// Messages that the whole bot may send in any second.
    pub bot_per_second: usize,
    /// Seconds added for the first request that comes before `retry_after` is over; doubled for each next.
    pub penalty_s: u64,
}

impl Default for LimitConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            per_second: 5,
            bucket: 20.0,
            refill_per_second: 1.0,
            group_per_window: 20,
            private_per_window: 60,
            window_ms: 60_000,
            bot_per_second: 30,
            penalty_s: 5,
        }
    }
}

impl LimitConfig {
    /// No limits at all.
    pub fn off() -> Self {
        Self {
            enabled: false,
            ..Self::default()
        }
    }
}

/// One counter: a chat's, or the bot's.
#[derive(Debug, Default)]
struct Lane {
    /// Times of accepted messages, oldest first; only the longest window is kept.
    sent: VecDeque<u64>,
    /// Missing messages in the bucket; a bucket that was never used misses none.
    used: f64,
    /// When `used` was last brought up to date.
    drained_at: u64,
    /// Until when every request is refused.
    closed_until: u64,
    /// Requests that came too early since the last accepted one.
    strikes: u32,
}

impl Lane {
    /// Milliseconds until `max` per `window` leaves room for one more.
    fn wait_for_window(&self, max: usize, window: u64, now: u64) -> u64 {
        let Some(oldest) = self.sent.len().checked_sub(max) else {
            return 0;
        };
        self.sent
            .get(oldest)
            .map_or(window, |at| (at + window).saturating_sub(now))
    }

    /// Milliseconds until the bucket holds one message.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "spans of a test run in milliseconds are far below 2^52 and never negative"
    )]
    fn wait_for_bucket(&mut self, config: &LimitConfig, now: u64) -> u64 {
        let refilled = now.saturating_sub(self.drained_at) as f64 / 1000.0 * config.refill_per_second;
        self.used = (self.used - refilled).max(0.0);
        self.drained_at = now;
        let missing = (self.used + 1.0 - config.bucket).max(0.0);
        (missing / config.refill_per_second * 1000.0).ceil() as u64
    }

    /// Refuses a request that comes while the lane is closed, and closes it for longer.
    fn punish(&mut self, config: &LimitConfig, now: u64) -> Option<u64> {
        let left = self.closed_until.checked_sub(now).filter(|left| *left > 0)?;
        let penalty = config.penalty_s.saturating_mul(1 << self.strikes.min(16));
        self.strikes += 1;
        Some(self.close(left + penalty * 1000, now))
    }

    /// Closes the lane for whole seconds and returns them.
    fn close(&mut self, wait_ms: u64, now: u64) -> u64 {
        let seconds = wait_ms.div_ceil(1000).clamp(1, LONGEST_WAIT_S);
        self.closed_until = now + seconds * 1000;
        seconds
    }

    fn accept(&mut self, keep_ms: u64, now: u64) {
        self.sent.push_back(now);
        self.used += 1.0;
        self.strikes = 0;
        while self.sent.front().is_some_and(|at| at + keep_ms < now) {
            self.sent.pop_front();
        }
    }
}

/// All lanes and the limits they obey.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    config: LimitConfig,
    lanes: BTreeMap<i64, Lane>,
    bot: Lane,
}

impl Flood {
    pub(crate) fn new(config: LimitConfig) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// Counts one message to a chat, or says after how many seconds to come again.
    pub(crate) fn admit(&mut self, chat: i64, kind: ChatKind, now: u64) -> Result<(), u64> {
        let config = &self.config;
        if !config.enabled {
            return Ok(());
        }
        let lane = self.lanes.entry(chat).or_default();
        if let Some(seconds) = self.bot.punish(config, now).or_else(|| lane.punish(config, now)) {
            return Err(seconds);
        }
        let bot_wait = self.bot.wait_for_window(config.bot_per_second, 1000, now);
        if bot_wait > 0 {
            return Err(self.bot.close(bot_wait, now));
        }
        let per_window = if kind == ChatKind::Private {
            config.private_per_window
        } else {
            config.group_per_window
        };
        let wait = lane
            .wait_for_bucket(config, now)
            .max(lane.wait_for_window(config.per_second, 1000, now))
            .max(lane.wait_for_window(per_window, config.window_ms, now));
        if wait > 0 {
            return Err(lane.close(wait, now));
        }
        let keep = config.window_ms.max(1000);
        lane.accept(keep, now);
        self.bot.accept(keep, now);
        Ok(())
    }
}

/// The tests' hand on the limits.
#[derive(Clone, Debug)]
pub struct Limits(pub(crate) Shared);

impl Limits {
    /// Replaces the limits and forgets what was sent before.
    pub fn set(&self, config: LimitConfig) {
        self.0.world().flood = Flood::new(config);
    }

    /// Switches all limits off.
    pub fn off(&self) {
        self.set(LimitConfig::off());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flood(config: LimitConfig) -> Flood {
        Flood::new(config)
    }

    #[test]
    fn the_sixth_message_within_a_second_waits() {
        let mut flood = flood(LimitConfig::default());
        for _ in 0..5 {
            assert_eq!(flood.admit(1, ChatKind::Private, 0), Ok(()));
        }
        assert_eq!(flood.admit(1, ChatKind::Private, 0), Err(1));
        assert_eq!(flood.admit(1, ChatKind::Private, 1000), Ok(()));
    }

    #[test]
    fn a_group_takes_twenty_in_any_minute_and_no_more() {
        let mut flood = flood(LimitConfig::default());
        for n in 0..20 {
            assert_eq!(flood.admit(-1, ChatKind::Group, n * 1000), Ok(()));
        }
        assert_eq!(flood.admit(-1, ChatKind::Group, 20_000), Err(40));
        assert_eq!(
            flood.admit(-1, ChatKind::Group, 60_000),
            Ok(()),
            "coming back after the wait is fine"
        );
        assert_eq!(
            flood.admit(-1, ChatKind::Group, 60_000),
            Err(1),
            "the window slides, it does not jump"
        );
    }

    #[test]
    fn a_private_chat_takes_one_a_second_for_ever() {
        let mut flood = flood(LimitConfig::default());
        for n in 0..600 {
            assert_eq!(flood.admit(1, ChatKind::Private, n * 1000), Ok(()));
        }
    }

    #[test]
    fn a_private_chat_never_takes_more_than_sixty_in_any_minute() {
        let mut flood = flood(LimitConfig::default());
        let mut taken: Vec<u64> = Vec::new();
        for now in (0..300_000).step_by(100) {
            if flood.admit(1, ChatKind::Private, now).is_ok() {
                taken.push(now);
            }
        }
        for (n, from) in taken.iter().enumerate() {
            let within = taken[n..].iter().filter(|at| **at < from + 60_000).count();
            assert!(within <= 60, "{within} within a minute from {from}");
        }
    }

    #[test]
    fn coming_back_too_early_makes_the_wait_grow() {
        let mut flood = flood(LimitConfig {
            per_second: 1,
            ..LimitConfig::default()
        });
        assert_eq!(flood.admit(1, ChatKind::Private, 0), Ok(()));
        let waits: Vec<_> = (0..3)
            .filter_map(|_| flood.admit(1, ChatKind::Private, 0).err())
            .collect();
        assert_eq!(waits, [1, 6, 16]);
        assert_eq!(flood.admit(1, ChatKind::Private, 16_000), Ok(()));
    }

    #[test]
    fn a_full_bot_closes_every_chat() {
        let mut flood = flood(LimitConfig {
            bot_per_second: 2,
            ..LimitConfig::default()
        });
        assert_eq!(flood.admit(1, ChatKind::Private, 0), Ok(()));
        assert_eq!(flood.admit(2, ChatKind::Private, 0), Ok(()));
        assert_eq!(flood.admit(3, ChatKind::Private, 0), Err(1));
        assert_eq!(flood.admit(3, ChatKind::Private, 1000), Ok(()));
    }

    #[test]
    fn limits_can_be_switched_off() {
        let mut flood = flood(LimitConfig::off());
        assert!((0..1000).all(|_| flood.admit(-1, ChatKind::Group, 0).is_ok()));
    }
}
