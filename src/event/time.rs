//! The time that a record says it has. It is shown and decides nothing.
//!
//! It stands at the beginning of a text, or in a field with a well-known name. A time without an offset is taken to be
//! in the zone that messages are written in. The trap is nonsense that looks like a time: what is no date of the
//! calendar, lies before 1990, or more than a day ahead of our own clock, is no time.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use crate::model::Timestamp;

/// So much of a text is looked at, in bytes.
pub(super) const HEAD: usize = 128;

/// A time may begin at so many places of it.
const PLACES: usize = 8;

/// 1990-01-01: nothing that is followed today was written before.
const EARLIEST: i64 = 631_152_000_000;

/// Clocks and zones differ by less than this, in milliseconds.
const AHEAD: i64 = 24 * 60 * 60 * 1000;

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// What a time is read with.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'z> {
    /// Our own clock: no time lies far ahead of it, and it lends a year to times without one.
    pub now: Timestamp,
    /// The zone of times without an offset.
    pub zone: &'z TimeZone,
}

/// The time near the beginning of a text: the first that is one.
pub(super) fn of_text(text: &[u8], reference: Reference<'_>) -> Option<Timestamp> {
    let head = &text[..text.len().min(HEAD)];
    let begins = |at: &usize| {
        let before = at.checked_sub(1).map(|at| head[at]);
        head[*at].is_ascii_alphanumeric()
            && before
                .is_none_or(|before| !before.is_ascii_alphanumeric() && !matches!(before, b'.' | b'-' | b'_'))
    };
    let mut places = (0..head.len()).filter(begins).take(PLACES);
    places.find_map(|at| {
        let mut cursor = Cursor(&head[at..]);
        read(&mut cursor, at == 0, reference)
    })
}

/// The time that a field's value is: a number since the epoch, or any of the forms of a text.
pub(super) fn of_value(value: &str, reference: Reference<'_>) -> Option<Timestamp> {
    if let Ok(number) = value.parse::<f64>() {
        return epoch(number).filter(|time| is_likely(*time, reference));
    }
    let head = &value.as_bytes()[..value.len().min(HEAD)];
    read(&mut Cursor(head), true, reference)
}

/// One of the forms. A bare number is a time only where a line begins.
fn read(cursor: &mut Cursor<'_>, leads: bool, reference: Reference<'_>) -> Option<Timestamp> {
    let start = cursor.0;
    let mut tried = |form: fn(&mut Cursor<'_>, Reference<'_>) -> Option<Timestamp>| {
        cursor.0 = start;
        form(cursor, reference).filter(|time| is_likely(*time, reference))
    };
    let found = tried(year_first)
        .or_else(|| tried(day_first))
        .or_else(|| tried(month_first));
    found.or_else(|| leads.then(|| tried(|cursor, _| since_epoch(cursor)))?)
}

fn is_likely(time: Timestamp, reference: Reference<'_>) -> bool {
    (EARLIEST..=reference.now.0.saturating_add(AHEAD)).contains(&time.0)
}

/// `2026-01-02T03:04:05.678+09:00`, `2026/01/02 03:04:05`, `2026-01-02 03:04:05,678`.
fn year_first(cursor: &mut Cursor<'_>, reference: Reference<'_>) -> Option<Timestamp> {
    let year = cursor.number(4..=4)?;
    let between = cursor.any(b"-/.")?;
    let month = cursor.number(1..=2)?;
    cursor.any(&[between])?;
    let day = cursor.number(1..=2)?;
    cursor.any(b"T t_")?;
    let clock = cursor.clock()?;
    let offset = cursor.offset();
    at(year, month, day, clock, offset, reference)
}

/// `02/Jan/2026:03:04:05 +0900`, as web servers write it; `02 Jan 2026 03:04:05`, `02-Jan-2026 03:04:05`.
fn day_first(cursor: &mut Cursor<'_>, reference: Reference<'_>) -> Option<Timestamp> {
    let day = cursor.number(1..=2)?;
    let between = cursor.any(b"/ -")?;
    let month = cursor.month()?;
    cursor.any(&[between])?;
    let year = cursor.number(4..=4)?;
    cursor.any(b": ")?;
    let clock = cursor.clock()?;
    let offset = cursor.offset();
    at(year, month, day, clock, offset, reference)
}

/// `Jan  2 03:04:05`, as syslog writes it, and `Jan 02 03:04:05 2026`, as Apache does. Without a year it is the one that
/// makes it the newest time that is not ahead.
fn month_first(cursor: &mut Cursor<'_>, reference: Reference<'_>) -> Option<Timestamp> {
    let month = cursor.month()?;
    cursor.any(b" ")?;
    cursor.skip(b" ");
    let day = cursor.number(1..=2)?;
    cursor.any(b" ")?;
    let clock = cursor.clock()?;
    let mut ahead = Cursor(cursor.0);
    let year = ahead.any(b" ").and_then(|_| ahead.number(4..=4));
    if let Some(year) = year {
        return at(year, month, day, clock, None, reference);
    }
    let this_year = i64::from(
        jiff::Timestamp::from_millisecond(reference.now.0)
            .ok()?
            .to_zoned(reference.zone.clone())
            .year(),
    );
    // From next year, which may have begun where it was written, back to the last 29 February.
    let mut years = (0..=9).map(|back| this_year + 1 - back);
    years.find_map(|year| {
        let time = at(year, month, day, clock, None, reference)?;
        is_likely(time, reference).then_some(time)
    })
}

/// `1767323045`, `1767323045.678`, and the same in milli-, micro- and nanoseconds.
fn since_epoch(cursor: &mut Cursor<'_>) -> Option<Timestamp> {
    let digits = cursor.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = cursor
        .0
        .get(..digits)
        .filter(|_| matches!(digits, 10 | 13 | 16 | 19))?;
    let behind = &cursor.0[digits..];
    let fraction = digits == 10 && matches!(behind, [b'.', digit, ..] if digit.is_ascii_digit());
    let ends = behind
        .first()
        .is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b':' | b'|' | b';'));
    let number: f64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    (fraction || ends).then(|| epoch(number))?
}

/// The time that is so many seconds, milli-, micro- or nanoseconds after the epoch: the unit that makes it one of our
/// days.
fn epoch(number: f64) -> Option<Timestamp> {
    let ms = match number.abs() {
        size if !size.is_finite() || size < 5e8 => return None,
        size if size < 1e11 => number * 1e3,
        size if size < 1e14 => number,
        size if size < 1e17 => number / 1e3,
        size if size < 1e20 => number / 1e6,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "below 1e14 as the match says")]
    let ms = ms as i64;
    Some(Timestamp(ms))
}

/// Hour, minute, second, nanosecond.
type Clock = (i64, i64, i64, i64);

fn at(
    year: i64,
    month: i64,
    day: i64,
    clock: Clock,
    offset: Option<i32>,
    reference: Reference<'_>,
) -> Option<Timestamp> {
    let (hour, minute, second, nano) = clock;
    let small = |number: i64| i8::try_from(number).ok();
    let civil = DateTime::new(
        i16::try_from(year).ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        // A leap second is shown as the one before it.
        small(if second == 60 { 59 } else { second })?,
        i32::try_from(nano).ok()?,
    )
    .ok()?;
    let time = match offset {
        Some(seconds) => Offset::from_seconds(seconds).ok()?.to_timestamp(civil).ok()?,
        None => civil.to_zoned(reference.zone.clone()).ok()?.timestamp(),
    };
    Some(Timestamp(time.as_millisecond()))
}

/// What is left of a text.
struct Cursor<'t>(&'t [u8]);

impl Cursor<'_> {
    /// One of these bytes.
    fn any(&mut self, of: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        of.contains(first).then(|| self.0 = rest)?;
        Some(*first)
    }

    fn skip(&mut self, of: &[u8]) {
        while self.any(of).is_some() {}
    }

    /// A number of so many digits, and no more.
    fn number(&mut self, digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
        let len = self
            .0
            .iter()
            .take(10)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (number, rest) = self.0.split_at(len);
        digits.contains(&len).then(|| self.0 = rest)?;
        std::str::from_utf8(number).ok()?.parse().ok()
    }

    /// `Jan`.
    fn month(&mut self) -> Option<i64> {
        let name = self.0.get(..3)?;
        let month = MONTHS.iter().position(|month| *month == name)?;
        self.0 = &self.0[3..];
        i64::try_from(month + 1).ok()
    }

    /// `03:04:05.678`.
    fn clock(&mut self) -> Option<Clock> {
        let hour = self.number(1..=2)?;
        self.any(b":")?;
        let minute = self.number(2..=2)?;
        self.any(b":")?;
        let second = self.number(2..=2)?;
        Some((hour, minute, second, self.fraction()))
    }

    /// What stands behind the point or comma, in nanoseconds.
    fn fraction(&mut self) -> i64 {
        let [b'.' | b',', rest @ ..] = self.0 else {
            return 0;
        };
        let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if len == 0 {
            return 0;
        }
        let nano = (0..9).fold(0, |nano, at| {
            let digit = rest[..len].get(at).map_or(0, |digit| i64::from(digit - b'0'));
            nano * 10 + digit
        });
        self.0 = &rest[len..];
        nano
    }

    /// `Z`, ` UTC`, `+09:00`, ` +0900`, in seconds east.
    fn offset(&mut self) -> Option<i32> {
        let mut ahead = Cursor(self.0);
        ahead.skip(b" ");
        if self.0.starts_with(b"Z") || ahead.0.starts_with(b"UTC") || ahead.0.starts_with(b"GMT") {
            return Some(0);
        }
        let sign = if ahead.any(b"+-")? == b'-' { -1 } else { 1 };
        let digits = ahead
            .0
            .iter()
            .take(5)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (hours, minutes) = if digits == 4 {
            let number = ahead.number(4..=4)?;
            (number / 100, number % 100)
        } else {
            let hours = ahead.number(2..=2)?;
            let minutes = ahead.any(b":").and_then(|_| ahead.number(2..=2));
            (hours, minutes.unwrap_or(0))
        };
        let fits = hours <= 14 && minutes < 60;
        i32::try_from(sign * (hours * 3600 + minutes * 60))
            .ok()
            .filter(|_| fits)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn stamp(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn read_at(text: &str, zone: &str, now: &str) -> Option<Timestamp> {
        let zone = TimeZone::get(zone).unwrap();
        let reference = Reference {
            now: stamp(now),
            zone: &zone,
        };
        of_text(text.as_bytes(), reference)
    }

    #[track_caller]
    fn says(text: &str, expected: &str) {
        assert_eq!(
            read_at(text, "Asia/Seoul", "2026-06-01T00:00:00Z"),
            Some(stamp(expected)),
            "{text}"
        );
    }

    #[test]
    fn the_forms_that_programs_write_are_read() {
        says("2026-01-02T03:04:05Z x", "2026-01-02T03:04:05Z");
        says(
            "2026-01-02T03:04:05.678901234+09:00 stdout",
            "2026-01-01T18:04:05.678Z",
        );
        says("2026-01-02 03:04:05,678 ERROR x", "2026-01-01T18:04:05.678Z");
        says("2026-01-02 03:04:05.6 UTC [7] LOG", "2026-01-02T03:04:05.6Z");
        says("[2026-01-02 03:04:05 -0500] gunicorn", "2026-01-02T08:04:05Z");
        says("2026/01/02 03:04:05 [error] 1#1", "2026-01-01T18:04:05Z");
        says(
            r#"10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /"#,
            "2026-01-02T03:04:05Z",
        );
        says("[Sun Dec 04 04:47:44 2005] [notice] x", "2005-12-03T19:47:44Z");
        says(
            "[Sat Aug 12 04:05:51.123456 2006] [x]",
            "2006-08-11T19:05:51.123Z",
        );
        says("<34>May 31 22:14:15 host su: x", "2026-05-31T13:14:15Z");
        says("Dec  9 22:14:15 host su: x", "2025-12-09T13:14:15Z");
        says("1767323045 x", "2026-01-02T03:04:05Z");
        says("1767323045.678 x", "2026-01-02T03:04:05Z");
        says("1767323045678 x", "2026-01-02T03:04:05.678Z");
        says("1767323045678901 x", "2026-01-02T03:04:05.678Z");
        says("ERROR [main] 2026-01-02 03:04:05 x", "2026-01-01T18:04:05Z");
        says("2025-12-31T23:59:60Z leap", "2025-12-31T23:59:59Z");
    }

    #[test]
    fn what_is_no_time_of_ours_is_none() {
        for text in [
            "9999-12-31T23:59:59Z x",
            "2026-02-30 03:04:05 x",
            "2026-13-01 03:04:05 x",
            "2026-01-02 25:04:05 x",
            "1960-01-02 03:04:05 x",
            "2026-06-03T00:00:00Z is two days ahead",
            "order 1767323045 is paid",
            "17673230451 x",
            "1767323045x",
            "version 2026.1.2",
            "99999999999999999999999999999999999999",
            "Foo  2 03:04:05",
            "",
        ] {
            assert_eq!(read_at(text, "UTC", "2026-06-01T00:00:00Z"), None, "{text}");
        }
    }

    #[test]
    fn a_time_without_a_year_is_the_newest_that_is_not_ahead() {
        let says = |text: &str, now: &str| read_at(text, "UTC", now);
        assert_eq!(
            says("Dec 31 23:59:59 x", "2026-01-01T00:00:05Z"),
            Some(stamp("2025-12-31T23:59:59Z"))
        );
        assert_eq!(
            says("Jan  1 00:30:00 x", "2025-12-31T23:59:59Z"),
            Some(stamp("2026-01-01T00:30:00Z"))
        );
        assert_eq!(
            says("Feb 29 01:00:00 x", "2026-01-01T00:00:05Z"),
            Some(stamp("2024-02-29T01:00:00Z"))
        );
    }

    #[test]
    fn a_value_is_a_number_or_a_text() {
        let zone = TimeZone::UTC;
        let reference = Reference {
            now: stamp("2026-06-01T00:00:00Z"),
            zone: &zone,
        };
        let says = |value: &str| of_value(value, reference);
        let expected = Some(stamp("2026-01-02T03:04:05.678Z"));
        for value in [
            "1767323045.678",
            "1767323045678",
            "1767323045678123456",
            "2026-01-02T03:04:05.678Z",
            "2026-01-02 03:04:05,678",
        ] {
            let ms = |time: Option<Timestamp>| time.map(|time| time.0 / 10);
            assert_eq!(ms(says(value)), ms(expected), "{value}");
        }
        for value in [
            "",
            "7",
            "NaN",
            "inf",
            "1e300",
            "-1767323045",
            "soon",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(says(value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_every_time_is_likely(
            text in prop::collection::vec(any::<u8>(), 0..150),
            hard in "[0-9]{0,20}[-/. T:]{0,2}(Jan|Feb|[0-9]{1,4}){0,2}[-/ :][0-9]{1,4}[: ][0-9:.,+Z -]{0,24}",
            now in 0i64..4_000_000_000_000,
        ) {
            let reference = Reference { now: Timestamp(now), zone: &TimeZone::UTC };
            for text in [&text, hard.as_bytes()] {
                if let Some(time) = of_text(text, reference) {
                    prop_assert!(is_likely(time, reference));
                }
            }
            of_value(&hard, reference);
        }
    }
}
