//! `[digest]`.

use jiff::tz::TimeZone;

use super::chats::Chat;
use super::word;
use crate::config::problem::Report;
use crate::config::{raw, value};
use crate::incident::DigestSettings;

/// The name of the chat that is told the digest, if there is one.
pub(super) fn told(file: &raw::File) -> Option<&str> {
    let named = file.digest.as_ref()?.chat.as_ref();
    let first = || file.chats.first().map(|chat| &chat.name);
    named.or_else(first).map(|name| name.value.as_str())
}

pub(super) fn check(
    file: &raw::File,
    chats: &[Chat],
    zone: &TimeZone,
    report: &mut Report<'_>,
) -> Option<DigestSettings> {
    let digest = file.digest.as_ref()?;
    if let Some(chat) = &digest.chat {
        let names: Vec<&str> = file.chats.iter().map(|chat| chat.name.value.as_str()).collect();
        word::known(chat, "chat", &names, report);
    }
    let at = digest.at.as_ref()?;
    let Some(minute) = value::time_of_day(&at.value) else {
        let what = format!("{:?} is no time of the day", at.value);
        report.problem(&at.at, what, "write hours and minutes: at = \"08:00\"");
        return None;
    };
    let told = told(file)?;
    let chat = chats.iter().find(|chat| chat.telegram.name.as_str() == told)?;
    Some(DigestSettings {
        chat: chat.telegram.name.clone(),
        at: minute,
        zone: chat.zone.clone().unwrap_or_else(|| zone.clone()),
    })
}
