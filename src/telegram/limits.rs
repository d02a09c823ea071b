//! When the next request may go out: below Telegram's limits, so that a 429 is the exception.
//!
//! Telegram's own limits are unwritten and change; these are a courtesy, and a 429 overrules them. One that
//! comes although the limits were kept means that somebody else sends with the same bot, or that Telegram
//! allows less today: the chat's rate is halved, and comes back step by step. Who goes first when several
//! want to is not decided here; only that the last place of a burst waits for what is critical.
//!
//! The trap: a plain quota of N per minute lets almost 2N through in its first minute, N at once and N more
//! as they come back. [`quota`] splits N into a burst and a refill, so that the two together are N.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{NotUntil, Quota, RateLimiter};
use tokio::time::Instant;

use crate::model::{ChatTarget, Rate};

const MINUTE: Duration = Duration::from_mins(1);

/// How many requests may go out at once.
const BURST: u32 = 3;

/// Below this there is no burst: a burst of 3 and a refill of N - 3 would leave rings less than two places
/// beside the edits.
const BURST_FROM: u32 = 9;

/// How many places of a chat's rate edits cannot have.
const KEPT_FOR_RINGS: u32 = 2;

/// A rate is halved so often at most: an eighth of the limit is left.
const MOST_HALVINGS: u32 = 3;

/// After so long without a 429 one halving is taken back.
const CALM: Duration = Duration::from_mins(2);

/// What a place is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A new message of a critical rule: it may have the last place.
    Critical,
    /// Any other new message.
    Ring,
    /// An edit of a live message; edits have a smaller rate inside the chat's.
    Edit,
}

/// The rate of one chat, and inside it the smaller one of its edits.
///
/// In any span of `limit.per` at most `limit.count` places are given, the requests before the start
/// included. Edits get at most half of them and leave two; of a limit of 2 they may have 1, of a limit of 1
/// every other one, since edits that never go out would leave matches pending for ever.
///
/// Where the limit has a burst (9 and more), its last place is for what is critical: everything else leaves it, so
/// however much is owed, a critical message waits for nothing if the one before it was `per / (count - 3)` ago (4 s
/// in a group with 18 a minute), and for the rest of that time at most if not. The place costs nobody a share of the
/// rate: only the burst of the others is shorter by one.
///
/// Each 429 halves all of that, down to an eighth; every two minutes without one double it again.
#[derive(Debug)]
pub struct ChatLimits {
    limit: Rate,
    halvings: u32,
    /// When the next halving is taken back.
    calm_at: Instant,
    all: Pace,
    edits: Pace,
    /// The places given within `limit.per`, oldest first; what is left of another rate is counted from them.
    given: VecDeque<(Instant, Class)>,
}

impl ChatLimits {
    /// Full limits, less what `recent` has used: the ages of the requests made before (those of the last
    /// minute are enough for limits per minute). Which of them were edits is not known, so all count as
    /// both. `slowed` is what [`ChatLimits::slowed`] said before a restart, with what is left of its time.
    pub fn new(limit: Rate, recent: &[Duration], slowed: Option<Slow>) -> Self {
        let now = Instant::now();
        let mut given: Vec<Instant> = recent.iter().filter_map(|age| now.checked_sub(*age)).collect();
        given.sort_unstable();
        let mut limits = Self {
            limit,
            halvings: 0,
            calm_at: now,
            all: Pace::new(limit, recent),
            edits: Pace::new(edits_within(limit), recent),
            given: given.into_iter().map(|at| (at, Class::Edit)).collect(),
        };
        if let Some(slow) = slowed {
            limits.go_on(slow);
        }
        limits
    }

    /// Takes a place, or says how long there is none at least. A refusal uses nothing up.
    pub fn check(&mut self, class: Class) -> Result<(), Duration> {
        self.recover();
        match class {
            Class::Critical => self.all.check()?,
            Class::Ring => self.all.check_and_leave_one()?,
            Class::Edit => {
                let before = self.edits.mark();
                self.edits.check()?;
                self.all
                    .check_and_leave_one()
                    .inspect_err(|_| self.edits.back_to(before))?;
            }
        }
        self.remember(class);
        Ok(())
    }

    /// Telegram answered 429 and is not asked again before `closed` has passed: the rate is halved.
    pub fn flooded(&mut self, closed: Duration) {
        self.recover();
        self.calm_at = Instant::now() + closed + CALM;
        self.halve((self.halvings + 1).min(MOST_HALVINGS));
    }

    /// Goes on with another limit, less what was used lately.
    pub fn change(&mut self, limit: Rate) {
        if limit != self.limit {
            self.limit = limit;
            self.pace();
        }
    }

    /// How far the rate is from whole, for whoever remembers it over a restart; absent: it is whole.
    pub fn slowed(&mut self) -> Option<Slow> {
        self.recover();
        let steps_after_this = self.halvings.checked_sub(1)?;
        Some(Slow {
            halvings: self.halvings,
            whole_in: self.calm_at.saturating_duration_since(Instant::now()) + CALM * steps_after_this,
        })
    }

    /// Takes up a rate that was halved before a restart.
    fn go_on(&mut self, Slow { halvings, whole_in }: Slow) {
        let steps = whole_in.as_millis().div_ceil(CALM.as_millis());
        // A gate that is still closed makes the first step longer, and no halving more.
        let halvings = u32::try_from(steps)
            .unwrap_or(u32::MAX)
            .min(halvings)
            .min(MOST_HALVINGS);
        self.calm_at = Instant::now() + whole_in.saturating_sub(CALM * halvings.saturating_sub(1));
        self.halve(halvings);
    }

    /// Takes back the halvings that have had their time.
    fn recover(&mut self) {
        let mut halvings = self.halvings;
        while halvings > 0 && self.calm_at <= Instant::now() {
            halvings -= 1;
            self.calm_at += CALM;
        }
        self.halve(halvings);
    }

    /// Goes on at another rate, less what was used lately.
    fn halve(&mut self, halvings: u32) {
        if halvings == self.halvings {
            return;
        }
        self.halvings = halvings;
        self.pace();
    }

    fn pace(&mut self) {
        let rate = Rate {
            count: (self.limit.count >> self.halvings).max(1),
            ..self.limit
        };
        let now = Instant::now();
        let ages = |of: &dyn Fn(Class) -> bool| -> Vec<Duration> {
            let places = self.given.iter().filter(|(_, class)| of(*class));
            places.map(|(at, _)| now - *at).collect()
        };
        self.all = Pace::new(rate, &ages(&|_| true));
        self.edits = Pace::new(edits_within(rate), &ages(&|class| class == Class::Edit));
    }

    fn remember(&mut self, class: Class) {
        let now = Instant::now();
        let long_ago = |(at, _): &(Instant, Class)| now - *at > edits_within(self.limit).per;
        while self.given.front().is_some_and(long_ago) {
            self.given.pop_front();
        }
        self.given.push_back((now, class));
    }
}

/// How far a chat's rate is from whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slow {
    /// How often it is halved now.
    pub halvings: u32,
    /// How long until it is whole, if no further 429 comes.
    pub whole_in: Duration,
}

/// The rate of the whole bot: 25 requests a second over all chats, the last place of whose burst is for what is
/// critical here too.
///
/// Ask it before the chat's: a place of this one that is then not used is back within a moment.
#[derive(Debug)]
pub struct BotLimits(Pace);

impl BotLimits {
    /// A full limit. Nothing is replayed: a restart takes longer than a second.
    pub fn new() -> Self {
        Self(Pace::new(
            Rate {
                count: 25,
                per: Duration::from_secs(1),
            },
            &[],
        ))
    }

    /// Takes a place, or says how long there is none at least.
    pub fn check(&self, class: Class) -> Result<(), Duration> {
        match class {
            Class::Critical => self.0.check(),
            Class::Ring | Class::Edit => self.0.check_and_leave_one(),
        }
    }
}

impl Default for BotLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// The rate of a chat whose entry names no `limit`: 45 a minute for people, 18 a minute for groups,
/// supergroups and channels, whose ids are negative or names.
pub fn default_limit(target: &ChatTarget) -> Rate {
    let count = match target {
        ChatTarget::Id(id) if *id > 0 => 45,
        ChatTarget::Id(_) | ChatTarget::Username(_) => 18,
    };
    Rate { count, per: MINUTE }
}

/// What edits may have of a chat's limit.
fn edits_within(limit: Rate) -> Rate {
    match limit.count {
        0 | 1 => Rate {
            count: 1,
            per: limit.per.saturating_mul(2),
        },
        count => Rate {
            count: (count / 2).min(count - KEPT_FOR_RINGS).max(1),
            ..limit
        },
    }
}

/// The quota that gives at most `limit.count` places in any span of `limit.per`.
///
/// A limiter with a burst of b and a place back every t gives at most b + per / t in such a span. So a burst
/// of 3 goes with N - 3 coming back; without a burst, N come one by one, a hair slower than evenly.
fn quota(limit: Rate) -> Quota {
    let count = limit.count.max(1);
    let per = limit.per.max(Duration::from_millis(1));
    let (burst, every) = if count < BURST_FROM {
        (1, per / count + Duration::from_millis(1))
    } else {
        (BURST, per / (count - BURST))
    };
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    // Only a period of zero has no quota: a rate of more than one a nanosecond, which is no limit at all.
    let one_by_one = Quota::with_period(every).unwrap_or(Quota::per_second(NonZeroU32::MAX));
    one_by_one.allow_burst(burst)
}

/// One governor limiter over tokio's clock, with a state that can be put back.
#[derive(Debug)]
struct Pace {
    limiter: RateLimiter<NotKeyed, Slot, TokioClock, NoOpMiddleware<Duration>>,
    slot: Slot,
    /// Whether there is ever more than one place at once.
    bursts: bool,
}

impl Pace {
    fn new(limit: Rate, recent: &[Duration]) -> Self {
        let slot = Slot::default();
        let clock = TokioClock::pinned_at_start(limit.per);
        let quota = quota(limit);
        let bursts = quota.burst_size().get() > 1;
        let limiter = RateLimiter::new(quota, slot.clone(), clock);
        let pace = Self {
            limiter,
            slot,
            bursts,
        };
        pace.replay(limit, recent);
        pace.limiter.clock().release();
        pace
    }

    /// Takes the places that past requests used, oldest first, each at its own time or, where the limiter
    /// would not have allowed that, at the first time it allows. So requests made under a higher limit
    /// count too, and the next place comes later. The newest `count` decide; older ones change nothing.
    fn replay(&self, limit: Rate, recent: &[Duration]) {
        let mut ages: Vec<Duration> = recent.iter().copied().filter(|&age| age <= limit.per).collect();
        ages.sort_unstable();
        ages.truncate(usize::try_from(limit.count).unwrap_or(usize::MAX));
        for age in ages.into_iter().rev() {
            let clock = self.limiter.clock();
            clock.pin(limit.per.saturating_sub(age));
            if let Err(not_yet) = self.limiter.check() {
                clock.pin(not_yet.earliest_possible());
                // At its own earliest time it cannot refuse again; if it did, one place would not be counted.
                let _ = self.limiter.check();
            }
        }
    }

    fn check(&self) -> Result<(), Duration> {
        self.limiter.check().map_err(|not_yet: NotUntil<Duration>| {
            // Rounded up to a timer's tick: a caller that waits this long and asks again gets a place.
            let wait = not_yet.wait_time_from(self.limiter.clock().now());
            wait.max(Duration::from_millis(1))
        })
    }

    /// Takes a place unless it is the last one; where there is only ever one, that.
    fn check_and_leave_one(&self) -> Result<(), Duration> {
        if !self.bursts {
            return self.check();
        }
        let before = self.mark();
        self.check()?;
        let one = self.mark();
        let another = self.check();
        self.back_to(if another.is_ok() { one } else { before });
        another
    }

    fn mark(&self) -> Option<Nanos> {
        *lock(&self.slot.0)
    }

    fn back_to(&self, mark: Option<Nanos>) {
        *lock(&self.slot.0) = mark;
    }
}

/// The state of a limiter: the time at which it will be full again. Governor's own state can be neither read
/// nor put back, and an edit that got a place of its own but none of the chat's has to put one back.
#[derive(Clone, Debug, Default)]
struct Slot(Arc<Mutex<Option<Nanos>>>);

impl StateStore for Slot {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut full_at = lock(&self.0);
        let (answer, next) = decide(*full_at)?;
        *full_at = Some(next);
        Ok(answer)
    }
}

/// Tokio's clock for governor, so that tests with paused time are exact. It can be pinned to a time, which
/// is how the past is replayed; its zero lies `room` before it was made.
#[derive(Clone, Debug)]
struct TokioClock {
    made: Instant,
    room: Duration,
    pinned: Arc<Mutex<Option<Duration>>>,
}

impl TokioClock {
    fn pinned_at_start(room: Duration) -> Self {
        Self {
            made: Instant::now(),
            room,
            pinned: Arc::new(Mutex::new(Some(Duration::ZERO))),
        }
    }

    fn pin(&self, at: Duration) {
        *lock(&self.pinned) = Some(at);
    }

    fn release(&self) {
        *lock(&self.pinned) = None;
    }
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        lock(&self.pinned).unwrap_or_else(|| self.room + self.made.elapsed())
    }
}

/// No code panics while it holds one of these locks, and a number is never half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod critical;
#[cfg(test)]
mod tests;
