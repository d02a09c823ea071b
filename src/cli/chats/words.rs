//! What `chats` says besides the list.

use std::path::Path;
use std::time::Duration;

use crate::config;
use crate::model::{ChatTarget, Outcome, RefusalKind};
use crate::telegram::{Bot, Chat, ChatKind, ChatSettings, Standing};

use super::super::Failure;
use super::listing::{kind, shown};

/// Said when there are more updates than Telegram shows.
pub(super) const FULL: &str = "100 updates or more wait for whoever reads this bot's updates, and Telegram shows the oldest 100 only. If no \
     other program needs them, `tailgram chats --confirm` goes on behind them.";

pub(super) fn ignored(path: &Path, problems: usize) -> String {
    let problems = if problems == 1 {
        "1 problem".to_owned()
    } else {
        format!("{problems} problems")
    };
    let path = path.display();
    format!("{path} has {problems}; `tailgram check` shows all. Here only [telegram] and [chats] are read.\n")
}

/// Who the bot is.
pub(super) fn introduction(bot: &Bot) -> String {
    format!("This is @{}.", bot.username)
}

/// What to do so that chats are seen.
pub(super) fn invitation(bot: &Bot, wait: Option<Duration>) -> String {
    let name = &bot.username;
    let wait = wait.map_or_else(
        || "until Ctrl-C".to_owned(),
        |wait| format!("for {}", config::show_duration(wait)),
    );
    let in_groups = if bot.reads_groups {
        "write something there".to_owned()
    } else {
        format!("write /start@{name} there (in privacy mode it sees commands only)")
    };
    format!(
        "Now, in Telegram:\n  \
         for yourself: open https://t.me/{name} and press Start, or write to it\n  \
         for a group: add @{name} to it, then {in_groups}\n  \
         for a topic: the same, in the topic\n  \
         for a channel: make @{name} an administrator that may post\n\
         Waiting {wait}."
    )
}

/// A chat of rules.toml, as a comment.
pub(super) fn known(chat: &ChatSettings, found: &Result<(Chat, Standing), Outcome>, bot: &Bot) -> String {
    let id = match &chat.target {
        ChatTarget::Id(id) => id.to_string(),
        ChatTarget::Username(name) => format!("{name:?}"),
    };
    let topic = chat.topic.map(|topic| format!(", topic = {topic}"));
    let state = match found {
        Ok((found, standing)) => state(chat, found, *standing, bot),
        Err(Outcome::Moved { to }) => format!("it became a supergroup; write id = {to}"),
        Err(Outcome::Refused(refusal)) if refusal.kind == RefusalKind::ChatGone => {
            format!("{}; {}", refusal.why, cure(&chat.target, bot))
        }
        Err(outcome) => format!("cannot be asked: {}", why(outcome)),
    };
    format!(
        "# [chats.{}] id = {id}{}: {state}\n",
        chat.name,
        topic.unwrap_or_default()
    )
}

/// What is so with a chat that is there.
fn state(chat: &ChatSettings, found: &Chat, standing: Standing, bot: &Bot) -> String {
    let what = format!("{} {}", kind(found), shown(&found.title));
    match standing {
        Standing::Outside => format!(
            "{what}: the bot is not in it; {}",
            cure(&ChatTarget::Id(found.id), bot)
        ),
        Standing::MayNotWrite if found.kind == ChatKind::Channel => {
            format!(
                "{what}: the bot may not post; make @{} an administrator that may",
                bot.username
            )
        }
        Standing::MayNotWrite => {
            format!("{what}: the bot may not write; let its members, or the bot, send messages")
        }
        Standing::MayWrite if chat.topic.is_some() && !found.forum => {
            format!("{what}: it has no topics; take `topic` out")
        }
        Standing::MayWrite => format!("ok, {what}"),
    }
}

/// What brings the bot into a chat.
fn cure(target: &ChatTarget, bot: &Bot) -> String {
    let name = &bot.username;
    match target {
        ChatTarget::Id(id) if *id > 0 => {
            format!("that person has to open https://t.me/{name} and press Start")
        }
        ChatTarget::Id(_) => format!(
            "add @{name} to it, or look at the id: those of groups are negative, of supergroups and channels they begin \
             with -100"
        ),
        ChatTarget::Username(_) => {
            format!(
                "look at its name, and make @{name} an administrator of the channel or a member of the group"
            )
        }
    }
}

/// Updates go to a webhook.
pub(super) fn webhook(host: &str) -> String {
    format!(
        "the bot's updates go to a webhook at {host}, so chats cannot be seen here. If nothing needs that webhook any \
         more, `tailgram chats --delete-webhook` takes it away and goes on; else use a bot of its own for tailgram: \
         @BotFather makes one"
    )
}

pub(super) fn webhook_gone(host: &str) -> String {
    format!("The webhook at {host} is taken away. What waited to be sent to it is seen here.")
}

pub(super) fn webhook_stays(outcome: &Outcome) -> String {
    format!("the webhook could not be taken away: {}", why(outcome))
}

/// Another program reads the updates.
pub(super) fn other_poller(bot: &Bot) -> String {
    format!(
        "another program asks Telegram for the updates of @{}, and only one can have them. Stop it while this runs, or \
         use a bot of its own for tailgram: @BotFather makes one",
        bot.username
    )
}

/// Nobody wrote.
pub(super) fn nothing(bot: &Bot, wait: Duration, trouble: Option<&str>) -> String {
    let wait = config::show_duration(wait);
    match trouble {
        Some(why) => format!("saw no chat in {wait}; Telegram could not be asked: {why}"),
        None => format!(
            "saw no chat in {wait}. Write to @{}, or add it to a group and write /start@{0} there, then run this \
             again; --wait 30m waits longer",
            bot.username
        ),
    }
}

/// Ctrl-C.
pub(super) fn stopped() -> Failure {
    Failure::Running("stopped before it was done".to_owned())
}

/// What to do with the list.
pub(super) fn next(name: &str) -> String {
    format!("\nPaste the lines you want into rules.toml, then try: tailgram send --chat {name} hello")
}

/// Telegram does not say who the bot is.
pub(super) fn no_bot(outcome: &Outcome) -> Failure {
    Failure::Running(match outcome {
        Outcome::Refused(refusal) if refusal.kind == RefusalKind::TokenWrong => format!(
            "Telegram does not know this token ({}); copy it again from @BotFather",
            refusal.why
        ),
        outcome => format!("Telegram cannot be asked: {}", why(outcome)),
    })
}

/// How long to pause after a failed poll, where Telegram says it; what cannot become better ends the command.
pub(super) fn pause(outcome: &Outcome) -> Result<Option<Duration>, Failure> {
    match outcome {
        Outcome::Wait { after, .. } => Ok(*after),
        Outcome::Unsure { .. } => Ok(None),
        outcome => Err(no_bot(outcome)),
    }
}

/// Why it failed.
pub(super) fn why(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Wait { why, .. } | Outcome::Unsure { why } => why.clone(),
        Outcome::Refused(refusal) => refusal.why.clone(),
        Outcome::Moved { to } => format!("it moved to {to}"),
        Outcome::Sent { .. } => "an answer to something else".to_owned(),
    }
}
