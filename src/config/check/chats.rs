//! `[chats]`.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::word;
use crate::config::problem::Report;
use crate::config::table::{NumberOrText, Spot, Word};
use crate::config::{keys, raw, value};
use crate::incident::SilentHours;
use crate::model::{ChatName, ChatTarget, Rate, Severity};
use crate::telegram::ChatSettings;

/// What a chat takes per minute if nobody says otherwise; the sender's own defaults.
const GROUP: u32 = 18;
const PRIVATE: u32 = 45;

/// Below this nothing would be left for edits, since some places a minute are kept for rings.
const LEAST: u32 = 4;

/// Ids of the Bot API fit in 52 bits.
const ID_BITS: u32 = 52;

/// The topic every forum group has; Telegram refuses its id and wants none.
const GENERAL_TOPIC: i64 = 1;

pub(in crate::config) const ID_HELP: &str = "an id is a number such as 53395910 (a person), -1001234567890 (a group), or \"@name\" of a public channel";

/// One chat, for each room that deals with it.
pub(super) struct Chat {
    pub(super) telegram: ChatSettings,
    pub(super) silent: Option<SilentHours>,
    /// Its own, if it says one.
    pub(super) zone: Option<TimeZone>,
    /// Rules below it are not told here.
    pub(super) show_level: Severity,
}

/// Checks all of them. `zone` is whose day it is where a chat does not say it; `digest` is the chat that is told one.
pub(super) fn check(
    chats: &[raw::Chat],
    digest: Option<&str>,
    zone: &TimeZone,
    report: &mut Report<'_>,
) -> Vec<Chat> {
    // In one file the parser sees to that.
    word::unique("chat", chats.iter().map(|chat| &chat.name), report);
    let check = |chat: &raw::Chat| {
        let telegram = check_one(chat, report);
        let own = chat.timezone.as_ref().and_then(|word| timezone(word, report));
        if chat.silent_hours.is_none() && digest != Some(chat.name.value.as_str()) {
            warn_of_idle_zone(chat, report);
        }
        Chat {
            telegram,
            silent: silent(chat, own.as_ref().unwrap_or(zone), report),
            zone: own,
            show_level: word::severity(chat.show_level.as_ref(), "show_level", report)
                .unwrap_or(Severity::Info),
        }
    };
    chats.iter().map(check).collect()
}

/// Who is told notices: those that say so; if none says anything, the first one.
pub(super) fn noticed(chats: &[raw::Chat]) -> Vec<ChatName> {
    let says = |chat: &raw::Chat| chat.notices.as_ref().map(|notices| notices.value);
    let name = |chat: &raw::Chat| ChatName::new(&chat.name.value);
    if chats.iter().any(|chat| says(chat) == Some(true)) {
        return chats
            .iter()
            .filter(|chat| says(chat) == Some(true))
            .map(name)
            .collect();
    }
    chats
        .iter()
        .take(1)
        .filter(|chat| says(chat).is_none())
        .map(name)
        .collect()
}

fn check_one(chat: &raw::Chat, report: &mut Report<'_>) -> ChatSettings {
    word::name(&chat.name, report);
    let target = chat
        .id
        .as_ref()
        .and_then(|id| target(id, report))
        .unwrap_or(ChatTarget::Id(0));
    ChatSettings {
        name: ChatName::new(&chat.name.value),
        topic: chat.topic.as_ref().and_then(|id| topic(id, report)),
        limit: chat.limit.as_ref().and_then(|word| limit(word, &target, report)),
        target,
    }
}

fn warn_of_idle_zone(chat: &raw::Chat, report: &mut Report<'_>) {
    if let Some(word) = &chat.timezone {
        let what = "`timezone` does nothing without `silent_hours`".to_owned();
        let help =
            "add silent_hours = \"22:00-07:00\", or set the variable TZ if you mean the times in messages";
        report.warn(Some(&word.at), what, help);
    }
}

/// When it is silent.
fn silent(chat: &raw::Chat, zone: &TimeZone, report: &mut Report<'_>) -> Option<SilentHours> {
    let word = chat.silent_hours.as_ref()?;
    let Some((from, to)) = value::hours(&word.value) else {
        report.problem(
            &word.at,
            format!("{:?} is no part of the day", word.value),
            "write two times with a line between them: silent_hours = \"22:00-07:00\"",
        );
        return None;
    };
    if from == to {
        report.problem(
            &word.at,
            format!("{:?} ends where it begins", word.value),
            "write \"00:00-24:00\" for all day, or take the line out for never",
        );
        return None;
    }
    Some(SilentHours {
        from,
        to,
        zone: zone.clone(),
    })
}

fn timezone(word: &Word, report: &mut Report<'_>) -> Option<TimeZone> {
    let name = word.value.trim();
    let zone = TimeZone::get(name).ok();
    if zone.is_none() {
        let help = match zone_like(name) {
            Some(like) => format!("did you mean \"{like}\"?"),
            None => "write a name such as \"Asia/Seoul\", \"Europe/Berlin\" or \"UTC\"".to_owned(),
        };
        report.problem(&word.at, format!("there is no time zone {name:?}"), help);
    }
    zone
}

/// The zone that was probably meant: by its whole name, else by that of its city.
fn zone_like(name: &str) -> Option<String> {
    fn city(name: &str) -> &str {
        name.rsplit('/').next().unwrap_or(name)
    }
    let spelled = name.replace(' ', "_");
    let all: Vec<String> = jiff::tz::db()
        .available()
        .map(|zone| zone.as_str().to_owned())
        .collect();
    let whole = || keys::nearest(&spelled, all.iter().map(String::as_str));
    let cities = || {
        all.iter()
            .filter(|zone| zone.contains('/'))
            .map(|zone| city(zone))
    };
    let of_city = || {
        let like = keys::nearest(city(&spelled), cities())?;
        all.iter().find(|zone| city(zone) == like).map(String::as_str)
    };
    let found = if spelled.contains('/') {
        whole().or_else(of_city)
    } else {
        of_city().or_else(whole)
    };
    found.map(str::to_owned)
}

/// A chat's id as text: a number, or `@name`. Absent if it is neither.
pub(in crate::config) fn parse(text: &str) -> Option<ChatTarget> {
    let text = text.trim();
    match text.parse() {
        Ok(number) => is_id(number).then_some(ChatTarget::Id(number)),
        Err(_) => is_username(text).then(|| ChatTarget::Username(text.to_owned())),
    }
}

fn is_id(number: i64) -> bool {
    number != 0 && number.unsigned_abs() < 1 << ID_BITS
}

/// Where it is. A number may stand in quotes, since only strings can hold `${VAR}`.
fn target(id: &Spot<NumberOrText>, report: &mut Report<'_>) -> Option<ChatTarget> {
    let (found, shown) = match &id.value {
        NumberOrText::Number(number) => (
            is_id(*number).then_some(ChatTarget::Id(*number)),
            number.to_string(),
        ),
        NumberOrText::Text(text) => (parse(text), format!("{text:?}")),
    };
    let number = match found {
        Some(ChatTarget::Id(number)) => number,
        Some(name) => return Some(name),
        None => {
            report.problem(&id.at, format!("{shown} is not a chat's id"), ID_HELP);
            return None;
        }
    };
    if number.to_string().len() == 13 && number.to_string().starts_with("100") {
        let help = format!("ids of supergroups and channels begin with -100: did you mean -{number}?");
        report.warn(
            Some(&id.at),
            format!("{number} looks like a group's id without its minus sign"),
            help,
        );
    }
    Some(ChatTarget::Id(number))
}

fn is_username(text: &str) -> bool {
    let Some(name) = text.strip_prefix('@') else {
        return false;
    };
    (4..=32).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn topic(id: &Spot<i64>, report: &mut Report<'_>) -> Option<i64> {
    if !(1..=i64::from(i32::MAX)).contains(&id.value) {
        report.problem(
            &id.at,
            format!("{} is not a topic's id", id.value),
            "it is the number after the group's in a link to the topic: t.me/c/1234567890/42",
        );
    }
    Some(id.value).filter(|id| *id != GENERAL_TOPIC)
}

/// Per minute, whatever unit it was written in.
fn limit(word: &Word, target: &ChatTarget, report: &mut Report<'_>) -> Option<Rate> {
    let rate = word::rate(Some(word), report)?;
    let per_minute = u64::from(rate.count) * 60 / rate.per.as_secs().max(1);
    let per_minute = u32::try_from(per_minute).unwrap_or(u32::MAX);
    let (default, kind) = match target {
        ChatTarget::Id(id) if *id > 0 => (PRIVATE, "private chats"),
        _ => (GROUP, "groups and channels"),
    };
    if per_minute < LEAST {
        report.problem(
            &word.at,
            format!("{:?} leaves no room for messages and their edits", word.value),
            format!("write \"{LEAST}/min\" or more"),
        );
        return None;
    }
    if per_minute > default {
        let what = format!(
            "{:?} is more than Telegram is known to take from a bot",
            word.value
        );
        report.warn(
            Some(&word.at),
            what,
            format!("expect delays (429); the default for {kind} is \"{default}/min\""),
        );
    }
    Some(Rate {
        count: per_minute,
        per: Duration::from_mins(1),
    })
}
