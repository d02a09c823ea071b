//! `[health]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::word;
use crate::config::problem::Report;
use crate::config::{Health, raw};

/// The status is written once a second, so less than a few of them says nothing.
const READ_BOUNDS: RangeInclusive<Duration> = Duration::from_secs(3)..=Duration::from_hours(1);
const DELIVER_BOUNDS: RangeInclusive<Duration> = Duration::from_secs(3)..=Duration::from_hours(24);

pub(super) fn check(health: &raw::Health, report: &mut Report<'_>) -> Health {
    let default = Health::default();
    let read = word::duration(health.read_within.as_ref(), "read_within", &READ_BOUNDS, report);
    let deliver = word::duration(
        health.deliver_within.as_ref(),
        "deliver_within",
        &DELIVER_BOUNDS,
        report,
    );
    Health {
        read_within: read.unwrap_or(default.read_within),
        deliver_within: deliver.unwrap_or(default.deliver_within),
    }
}
