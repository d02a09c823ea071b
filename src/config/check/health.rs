//! `[health]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::url::Url;
use super::word;
use crate::config::problem::Report;
use crate::config::table::Word;
use crate::config::{Health, raw};
use crate::telegram::HeartbeatUrl;

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
    let heartbeat = health.heartbeat_url.as_ref();
    Health {
        read_within: read.unwrap_or(default.read_within),
        deliver_within: deliver.unwrap_or(default.deliver_within),
        heartbeat: heartbeat.and_then(|word| heartbeat_url(word, report)),
    }
}

/// Says what is wrong without saying what is written: whoever knows the URL can keep a switch quiet that should ring.
fn heartbeat_url(word: &Word, report: &mut Report<'_>) -> Option<HeartbeatUrl> {
    let text = word.value.trim();
    let url = Url::read(text, &["https", "http"])
        .and_then(|_| HeartbeatUrl::parse(text).ok_or_else(|| "is no URL".to_owned()));
    match url {
        Ok(url) => Some(url),
        Err(why) => {
            let help = "write the whole URL that your dead man's switch gave you: \"https://hc-ping.com/…\"";
            report.problem(&word.at, format!("`heartbeat_url` {why}"), help);
            None
        }
    }
}
