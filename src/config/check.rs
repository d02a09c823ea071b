//! The mirror of rules.toml -> settings.
//!
//! Every check goes on after a problem with a stand-in value, so that one run tells everything. What comes
//! out is only good if nothing was reported; [`parse`](super::parse) looks at that, not these functions.

mod buttons;
pub(super) mod chats;
mod conditions;
mod digest;
mod fence;
mod health;
mod logs;
mod names;
mod rule_tests;
mod rules;
mod telegram;
mod template;
mod url;
mod word;

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::problem::Report;
use super::table::Word;
use super::{Environment, LogRules, Settings, raw};
use crate::{incident, message, scan, tail};

/// Characters of `host` at most: it stands in every message.
const MAX_HOST: usize = 64;

/// A chat that is gone is asked at the end of it, so it is no shorter than a second.
const RETENTION: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(400 * 24);

/// Checks everything.
pub(super) fn settings(
    path: &Path,
    file: &raw::File,
    env: &Environment,
    report: &mut Report<'_>,
) -> Settings {
    let zone = zone(env, report);
    let chats = chats::check(&file.chats, digest::told(file), &zone, report);
    let (telegram, token) = telegram::check(file, &chats, env, report);
    let digest = digest::check(file, &chats, &zone, report);
    let logs = logs::check(&file.logs, report);
    let rules = rules::check(file, &chats, report);
    let tests = rules.iter().map(|rule| rule.tests).sum();
    let mut per_log = Vec::new();
    let mut tails = Vec::new();
    for log in logs {
        let looking = rules
            .iter()
            .filter(|rule| rule.looks_at(&log.tail.name))
            .map(|rule| rule.scan.clone());
        let scan = scan::Settings {
            ignore: log.ignore,
            rules: looking.collect(),
        };
        per_log.push(LogRules {
            name: log.tail.name.clone(),
            event: log.event,
            scan,
        });
        tails.push(log.tail);
    }
    Settings {
        tail: tail::Settings {
            logs: tails,
            from: None,
            sweep: tail::Settings::SWEEP,
            hold: tail::Settings::HOLD,
            deleted: tail::Settings::DELETED,
            never: Vec::new(),
            unit: tail::Unit::Lines,
        },
        logs: per_log,
        message: message::Settings {
            host: host(file.host.as_ref(), env, report),
            zone,
            rules: rules
                .iter()
                .map(|rule| (rule.incident.name.clone(), rule.message.clone()))
                .collect(),
        },
        incident: incident::Settings {
            rules: rules.into_iter().map(|rule| rule.incident).collect(),
            chats: telegram.chats.iter().map(|chat| chat.name.clone()).collect(),
            notices: chats::noticed(&file.chats),
            silent: chats
                .into_iter()
                .filter_map(|chat| Some((chat.telegram.name, chat.silent?)))
                .collect(),
            digest,
            retention: word::duration(file.retention.as_ref(), "retention", &RETENTION, report)
                .unwrap_or(incident::Settings::RETENTION),
        },
        health: health::check(&file.health, report),
        fence: fence::check(&file.fence, report),
        telegram,
        token,
        tests,
        warnings: Vec::new(),
        path: path.into(),
        outline: file.outline.clone(),
    }
}

/// The key, else `TAILGRAM_HOST`, else the machine's name.
fn host(key: Option<&Word>, env: &Environment, report: &mut Report<'_>) -> String {
    if let Some(key) = key {
        let name = key.value.trim();
        if let Err(what) = host_name(name) {
            report.problem(
                &key.at,
                format!("`host` {what}"),
                "write a short name: host = \"web-1\"; without the key it is the machine's name",
            );
        }
        return name.to_owned();
    }
    env.host()
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_HOST)
        .collect()
}

fn host_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("is empty"),
        _ if name.chars().any(char::is_control) => Err("holds control characters"),
        _ if name.chars().count() > MAX_HOST => Err("is longer than 64 characters"),
        _ => Ok(()),
    }
}

fn zone(env: &Environment, report: &mut Report<'_>) -> jiff::tz::TimeZone {
    let (zone, wrong) = env.zone();
    if let Some(name) = wrong {
        let what = format!("the environment variable TZ is {name:?}, which is no time zone");
        report.warn(
            None,
            what,
            "times are shown in the machine's zone; set TZ to a name such as Asia/Seoul",
        );
    }
    zone
}
