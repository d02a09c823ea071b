//! Lengths of time, sizes and rates: `"30s"`, `"64KiB"`, `"18/min"`.
//!
//! One number, one unit. No fractions and no sums ("1h30m"): `"90m"` says the same and cannot be misread.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::model::Rate;

/// Reads a length of time.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// Reads a size, in bytes.
pub(super) fn size(text: &str) -> Option<usize> {
    let (number, unit) = split(text)?;
    let bytes: u64 = match unit {
        "B" => 1,
        "KB" | "kB" => 1_000,
        "KiB" => 1024,
        "MB" => 1_000_000,
        "MiB" => 1024 * 1024,
        _ => return None,
    };
    number
        .checked_mul(bytes)
        .and_then(|bytes| usize::try_from(bytes).ok())
}

/// Reads a rate. Its count is at least 1.
pub(super) fn rate(text: &str) -> Option<Rate> {
    let (count, unit) = text.split_once('/')?;
    let seconds = match unit.trim() {
        "s" | "sec" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let count = count.trim().parse().ok().filter(|count| *count > 0)?;
    Some(Rate {
        count,
        per: Duration::from_secs(seconds),
    })
}

/// Reads a part of the day, as minutes since midnight: from the first up to the second, over midnight if that is
/// the earlier one. Only the end can be 24:00.
pub(super) fn hours(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (minute(from.trim())?, minute(to.trim())?);
    (from < DAY).then_some((from, to))
}

/// Reads a time of the day, as minutes since midnight.
pub(super) fn time_of_day(text: &str) -> Option<u16> {
    minute(text.trim()).filter(|minute| *minute < DAY)
}

/// Minutes of a day.
const DAY: u16 = 24 * 60;

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, least: usize| {
        let digits = (least..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| digits)
    };
    let (hours, minutes) = (number(hours, 1)?, number(minutes, 2)?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= DAY).then_some(minute)
}

/// A length of time as one would write it in rules.toml.
pub(crate) fn show_duration(length: Duration) -> String {
    let millis = length.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let fits = units
        .iter()
        .find(|(size, _)| millis > 0 && millis.is_multiple_of(*size));
    match fits {
        Some((size, unit)) => format!("{}{unit}", millis / size),
        None if millis == 0 => "0s".into(),
        None => format!("{millis}ms"),
    }
}

/// A size as one would write it in rules.toml.
pub(super) fn show_size(bytes: usize) -> String {
    match bytes {
        _ if bytes >= 1024 * 1024 && bytes.is_multiple_of(1024 * 1024) => {
            format!("{}MiB", bytes / (1024 * 1024))
        }
        _ if bytes >= 1024 && bytes.is_multiple_of(1024) => format!("{}KiB", bytes / 1024),
        _ => format!("{bytes}B"),
    }
}

/// Whether it is in bounds; if not, the sentence that names them.
pub(super) fn within<T: PartialOrd + Copy>(
    value: T,
    bounds: &RangeInclusive<T>,
    show: fn(T) -> String,
) -> Result<T, String> {
    if bounds.contains(&value) {
        return Ok(value);
    }
    Err(format!(
        "write a value between \"{}\" and \"{}\"",
        show(*bounds.start()),
        show(*bounds.end())
    ))
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..digits].parse().ok()?, text[digits..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_one_number_and_one_unit() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("10m", 600_000),
            ("4h", 14_400_000),
            ("2d", 172_800_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
            assert_eq!(show_duration(Duration::from_millis(millis)), text);
        }
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "1.5h",
            "1h30m",
            "10 minutes",
            "5S",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_know_both_kinds_of_kilo() {
        for (text, bytes) in [
            ("256B", 256),
            ("64KiB", 65_536),
            ("64KB", 64_000),
            ("1MiB", 1_048_576),
            ("1 MB", 1_000_000),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "64", "64K", "64kib", "KiB", "-1B", "18446744073709551615MiB"] {
            assert_eq!(size(text), None, "{text}");
        }
        assert_eq!(
            (show_size(65_536), show_size(1_048_576), show_size(300)),
            ("64KiB".into(), "1MiB".into(), "300B".into())
        );
    }

    #[test]
    fn a_part_of_the_day_has_two_times_and_only_its_end_is_midnight_at_night() {
        for (text, minutes) in [
            ("22:00-07:00", (1_320, 420)),
            ("7:30 - 24:00", (450, 1_440)),
            ("00:00-00:01", (0, 1)),
        ] {
            assert_eq!(hours(text), Some(minutes), "{text}");
        }
        for text in [
            "",
            "22-07",
            "22:00",
            "22:00-",
            "24:00-07:00",
            "22:60-07:00",
            "25:00-07:00",
            "22:0-07:00",
            "+2:00-07:00",
            "22:00-24:01",
            "222:00-07:00",
        ] {
            assert_eq!(hours(text), None, "{text}");
        }
    }

    #[test]
    fn rates_count_at_least_one() {
        let of = |count, seconds| {
            Some(Rate {
                count,
                per: Duration::from_secs(seconds),
            })
        };
        assert_eq!(rate("18/min"), of(18, 60));
        assert_eq!(rate("12/h"), of(12, 3_600));
        assert_eq!(rate("1/s"), of(1, 1));
        assert_eq!(rate("5 / d"), of(5, 86_400));
        for text in [
            "",
            "18",
            "/min",
            "0/h",
            "-1/h",
            "1.5/h",
            "12/hour/day",
            "12/w",
            "4294967296/s",
        ] {
            assert_eq!(rate(text), None, "{text}");
        }
    }
}
