//! Times and durations as a person reads them, in the zone of the settings.
//!
//! A message is read on the day of its last match, so times of that day stand without a date and times of
//! other days with one.

use std::time::Duration;

use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::model::Timestamp;

/// Shows times of one message.
pub(super) struct Clock {
    zone: TimeZone,
    /// The last match: times of its day are shown without a date.
    today: Zoned,
}

impl Clock {
    pub(super) fn new(zone: &TimeZone, today: Timestamp) -> Self {
        Self {
            zone: zone.clone(),
            today: zoned(zone, today),
        }
    }

    /// `02:10:04`, or `Nov 20 02:10:04` on another day.
    pub(super) fn second(&self, at: Timestamp) -> String {
        self.show(at, "%H:%M:%S")
    }

    /// `02:10`, or `Nov 20 02:10` on another day.
    fn minute(&self, at: Timestamp) -> String {
        self.show(at, "%H:%M")
    }

    /// `02:10:04 – 02:17:41`; if it began on another day, both have their dates.
    pub(super) fn span(&self, first: Timestamp, last: Timestamp) -> String {
        let (from, to) = (self.second(first), self.second(last));
        if from == to {
            to
        } else {
            format!("{from} – {to}")
        }
    }

    /// `02:10-07:40`.
    pub(super) fn minutes(&self, first: Timestamp, last: Timestamp) -> String {
        let (from, to) = (self.minute(first), self.minute(last));
        if from == to { to } else { format!("{from}-{to}") }
    }

    fn show(&self, at: Timestamp, time: &str) -> String {
        let at = zoned(&self.zone, at);
        let day = if at.date() == self.today.date() {
            ""
        } else if at.year() == self.today.year() {
            "%b %-d "
        } else {
            "%b %-d %Y "
        };
        at.strftime(&format!("{day}{time}")).to_string()
    }
}

/// A time that cannot be shown becomes the nearest that can: a message is worth more than its clock.
fn zoned(zone: &TimeZone, at: Timestamp) -> Zoned {
    let nearest = if at.0 < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    };
    jiff::Timestamp::from_millisecond(at.0)
        .unwrap_or(nearest)
        .to_zoned(zone.clone())
}

/// The time from `from` to `to`; none if the clock went back.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0))
}

/// `2026-11-29`.
pub(super) fn day(zone: &TimeZone, at: Timestamp) -> String {
    zoned(zone, at).date().to_string()
}

/// `40 s`, `12 min`, `3 h 5 min`, `2 d 4 h`: rounded down, at most two units.
pub(super) fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match () {
        () if seconds < 60 => format!("{seconds} s"),
        () if minutes < 60 => format!("{minutes} min"),
        () if hours < 24 => two(hours, "h", minutes % 60, "min"),
        () => two(days, "d", hours % 24, "h"),
    }
}

fn two(large: u64, unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {unit}")
    } else {
        format!("{large} {unit} {small} {small_unit}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn clock(zone: &str, today: &str) -> Clock {
        Clock::new(&TimeZone::get(zone).unwrap(), at(today))
    }

    #[test]
    fn times_of_the_last_day_have_no_date() {
        let clock = clock("UTC", "2026-11-21T02:17:41Z");
        let shown = clock.span(at("2026-11-21T02:10:04Z"), at("2026-11-21T02:17:41Z"));
        assert_eq!(shown, "02:10:04 – 02:17:41");
    }

    #[test]
    fn the_day_is_the_day_of_the_zone() {
        let clock = clock("Asia/Seoul", "2026-11-20T15:00:00Z");
        let shown = clock.span(at("2026-11-20T14:59:59Z"), at("2026-11-20T15:00:00Z"));
        assert_eq!(shown, "Nov 20 23:59:59 – 00:00:00");
    }

    #[test]
    fn another_year_is_named() {
        let clock = clock("UTC", "2026-01-01T00:00:00Z");
        assert_eq!(
            clock.minutes(at("2025-12-31T23:59:00Z"), at("2026-01-01T00:00:00Z")),
            "Dec 31 2025 23:59-00:00"
        );
    }

    #[test]
    fn a_time_out_of_range_is_shown_as_the_nearest() {
        let clock = clock("Asia/Seoul", "2026-01-01T00:00:00Z");
        assert!(!clock.span(Timestamp(i64::MIN), Timestamp(i64::MAX)).is_empty());
    }

    #[test]
    fn durations_have_at_most_two_units() {
        let shown: Vec<_> = [0, 40, 59, 60, 725, 3_600, 11_100, 86_399, 86_400, 187_200]
            .map(|s| duration(Duration::from_secs(s)))
            .into();
        assert_eq!(
            shown,
            [
                "0 s",
                "40 s",
                "59 s",
                "1 min",
                "12 min",
                "1 h",
                "3 h 5 min",
                "23 h 59 min",
                "1 d",
                "2 d 4 h"
            ]
        );
    }

    #[test]
    fn a_clock_that_went_back_makes_no_negative_duration() {
        assert_eq!(between(Timestamp(5), Timestamp(2)), Duration::ZERO);
    }
}
