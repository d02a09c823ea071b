//! Two clocks, kept apart: [`Timestamp`] is shown and stored, [`Moment`] decides.
//!
//! The wall clock can jump in either direction, so no decision compares two of its readings. The
//! monotonic clock does not survive the process, so nothing stored trusts its readings alone: a stored
//! value carries the [`Now`] at which it was saved, and [`Timer::resume`] turns it into a timer of this
//! process.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Wall-clock time in milliseconds since the Unix epoch. For people and for the disk, never for decisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// When records say that they were written: the earliest and the latest of some. Shown, and never more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logged {
    /// The earliest.
    pub first: Timestamp,
    /// The latest.
    pub last: Timestamp,
}

impl Logged {
    /// Of a single record.
    pub fn at(time: Timestamp) -> Self {
        Self {
            first: time,
            last: time,
        }
    }

    /// Of the records of both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }

    /// Of the records of two sets, of which each may know nothing.
    pub fn of_both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.with(other)),
            (one, other) => one.or(other),
        }
    }
}

/// Monotonic time in milliseconds since an arbitrary start that differs from process to process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, length: Duration) -> Moment {
        Moment(self.0.saturating_add(millis(length)))
    }
}

impl Sub<Moment> for Moment {
    type Output = Duration;

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    fn sub(self, earlier: Moment) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Both clocks, read together, once per turn. An argument everywhere below the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// What decisions are made with.
    pub moment: Moment,
    /// What people are shown.
    pub wall: Timestamp,
}

/// A point in the future together with how long the wait was when it began.
///
/// The length is the bound that makes a stored timer safe: however the wall clock jumped while the
/// program was down, what remains is between nothing and the whole length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timer {
    /// When it fires.
    pub due: Moment,
    /// How long it was when it was set.
    #[serde(with = "duration_ms")]
    pub length: Duration,
}

impl Timer {
    /// A timer that fires `length` after `from`.
    pub fn start(from: Moment, length: Duration) -> Self {
        Self {
            due: from + length,
            length,
        }
    }

    /// Whether it has fired.
    pub fn fired(self, now: Moment) -> bool {
        self.due <= now
    }

    /// What is left of it.
    pub fn remaining(self, now: Moment) -> Duration {
        self.due - now
    }

    /// The timer that it would be, had it been set with this length.
    #[must_use]
    pub fn relength(self, length: Duration, now: Moment) -> Self {
        let passed = if self.fired(now) {
            self.length.saturating_add(now - self.due)
        } else {
            self.length.saturating_sub(self.remaining(now))
        };
        Self {
            due: now + length.saturating_sub(passed),
            length,
        }
    }

    /// The same timer in the process that runs at `now`, after it was saved at `saved` by another one:
    /// remaining = clamp(wall deadline - wall now, 0, length).
    #[must_use]
    pub fn resume(self, saved: Now, now: Now) -> Self {
        let left_when_saved = i64::try_from(millis(self.due - saved.moment)).unwrap_or(i64::MAX);
        let deadline = saved.wall.0.saturating_add(left_when_saved);
        let left = u64::try_from(deadline.saturating_sub(now.wall.0)).unwrap_or(0);
        let left = Duration::from_millis(left).min(self.length);
        Self {
            due: now.moment + left,
            length: self.length,
        }
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

pub(super) mod duration_ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::model) fn serialize<S: Serializer>(length: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(super::millis(*length))
    }

    pub(in crate::model) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(moment: u64, wall: i64) -> Now {
        Now {
            moment: Moment(moment),
            wall: Timestamp(wall),
        }
    }

    #[test]
    fn a_timer_goes_on_where_it_was_after_a_restart() {
        let saved = now(5_000, 1_000_000);
        let timer = Timer::start(Moment(5_000), Duration::from_mins(1));
        let resumed = timer.resume(saved, now(70, 1_020_000));
        assert_eq!(resumed.due, Moment(70 + 40_000));
    }

    #[test]
    fn a_timer_with_another_length_keeps_the_time_that_passed() {
        let minute = Timer::start(Moment(5_000), Duration::from_mins(1));
        let at = Moment(25_000);
        let hour = minute.relength(Duration::from_hours(1), at);
        assert_eq!(hour, Timer::start(Moment(5_000), Duration::from_hours(1)));
        assert_eq!(hour.relength(Duration::from_mins(1), at), minute);
        assert!(minute.relength(Duration::from_secs(19), at).fired(at));
        // Also of one that has fired.
        let later = Moment(95_000);
        let longer = minute.relength(Duration::from_mins(2), later);
        assert_eq!(longer, Timer::start(Moment(5_000), Duration::from_mins(2)));
    }

    #[test]
    fn a_clock_that_jumped_back_never_makes_a_timer_longer_than_it_was() {
        let saved = now(5_000, 1_000_000);
        let timer = Timer::start(Moment(5_000), Duration::from_mins(1));
        let resumed = timer.resume(saved, now(70, -9_000_000));
        assert_eq!(resumed.remaining(Moment(70)), Duration::from_mins(1));
    }

    #[test]
    fn a_clock_that_jumped_ahead_fires_a_timer_at_once() {
        let saved = now(5_000, 1_000_000);
        let timer = Timer::start(Moment(5_000), Duration::from_mins(1));
        assert!(timer.resume(saved, now(70, i64::MAX)).fired(Moment(70)));
    }
}
