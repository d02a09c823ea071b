//! The hours in which a chat hears nothing but what is critical.
//!
//! They are hours of the wall in the chat's zone: where the clock is put forward the hour that does not exist is
//! not missed, and where it is put back the hour that comes twice is silent twice.

use jiff::tz::TimeZone;

use crate::model::Timestamp;

/// From one time of the day to another, over midnight if the end is the earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilentHours {
    /// The first silent minute of the day.
    pub from: u16,
    /// The first minute that is not silent any more, up to 24:00; never the same as `from`.
    pub to: u16,
    /// Whose day.
    pub zone: TimeZone,
}

impl SilentHours {
    /// Whether a message makes no sound at this time. A time that no clock shows is not silent: what could ring
    /// rather rings.
    pub fn cover(&self, at: Timestamp) -> bool {
        let Ok(at) = jiff::Timestamp::from_millisecond(at.0) else {
            return false;
        };
        let time = at.to_zoned(self.zone.clone()).time();
        let minute = u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs());
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// Zones that are odd in one way or another: half hours, a whole day left out, clocks put forward in the evening, at
    /// midnight or by half an hour.
    const ZONES: [&str; 8] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "America/Santiago",
        "Africa/Casablanca",
        "Pacific/Apia",
    ];

    proptest! {
        #[test]
        fn silence_is_what_a_clock_on_the_wall_of_the_zone_says(
            zone in prop::sample::select(&ZONES[..]), from in 0..1_440u16, length in 1..1_440u16, at in 0..4_102_444_800i64,
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let offset = zone.to_offset(jiff::Timestamp::from_second(at).unwrap()).seconds();
            let on_the_wall = (at + i64::from(offset)).rem_euclid(86_400) / 60;
            let since = (on_the_wall - i64::from(from)).rem_euclid(1_440);
            let to = (from + length) % 1_440;
            let hours = SilentHours { from, to, zone };
            prop_assert_eq!(hours.cover(Timestamp(at * 1_000)), since < i64::from(length));
        }
    }

    fn hours(from: u16, to: u16, zone: &str) -> SilentHours {
        SilentHours {
            from: from * 60,
            to: to * 60,
            zone: TimeZone::get(zone).unwrap(),
        }
    }

    fn covers(hours: &SilentHours, at: &str) -> bool {
        let at: jiff::Timestamp = at.parse().unwrap();
        hours.cover(Timestamp(at.as_millisecond()))
    }

    #[test]
    fn silence_begins_with_its_first_minute_and_ends_before_its_last_over_midnight_and_within_a_day() {
        let night = hours(22, 7, "UTC");
        for (at, silent) in [
            ("2026-11-21T21:59:59.999Z", false),
            ("2026-11-21T22:00:00Z", true),
            ("2026-11-22T00:00:00Z", true),
            ("2026-11-22T06:59:59.999Z", true),
            ("2026-11-22T07:00:00Z", false),
        ] {
            assert_eq!(covers(&night, at), silent, "{at}");
        }
        let noon = hours(12, 13, "UTC");
        for (at, silent) in [
            ("2026-11-21T11:59:59Z", false),
            ("2026-11-21T12:00:00Z", true),
            ("2026-11-21T12:59:59Z", true),
            ("2026-11-21T13:00:00Z", false),
        ] {
            assert_eq!(covers(&noon, at), silent, "{at}");
        }
        let always = hours(0, 24, "UTC");
        assert!(covers(&always, "2026-11-21T23:59:59Z") && covers(&always, "2026-11-22T00:00:00Z"));
    }

    #[test]
    fn the_hours_are_those_of_the_zone() {
        let seoul = hours(22, 7, "Asia/Seoul");
        assert!(!covers(&seoul, "2026-11-21T12:59:59Z"));
        assert!(covers(&seoul, "2026-11-21T13:00:00Z"));
        assert!(covers(&seoul, "2026-11-21T21:59:59Z"));
        assert!(!covers(&seoul, "2026-11-21T22:00:00Z"));
    }

    #[test]
    fn when_the_clock_is_put_forward_the_missing_hour_is_not_waited_for() {
        // 2026-03-29 in Berlin: after 01:59:59 comes 03:00.
        let hours = hours(1, 2, "Europe/Berlin");
        assert!(covers(&hours, "2026-03-29T00:59:59Z"));
        assert!(!covers(&hours, "2026-03-29T01:00:00Z"));
    }

    #[test]
    fn when_the_clock_is_put_back_the_hour_that_comes_twice_is_silent_twice() {
        // 2026-10-25 in Berlin: after the first 02:59:59 comes 02:00 again.
        let hours = hours(2, 3, "Europe/Berlin");
        for (at, silent) in [
            ("2026-10-24T23:59:59Z", false),
            ("2026-10-25T00:00:00Z", true),
            ("2026-10-25T00:59:59Z", true),
            ("2026-10-25T01:00:00Z", true),
            ("2026-10-25T01:59:59Z", true),
            ("2026-10-25T02:00:00Z", false),
        ] {
            assert_eq!(covers(&hours, at), silent, "{at}");
        }
    }
}
