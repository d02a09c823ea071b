//! What people did where the bot can see it: long polling, and the webhook that closes it.
//!
//! Updates are only looked at: unless a poll names where to begin, Telegram keeps them for whoever asks next.
//! The trap: a poll that names a place confirms everything before it, for every program that uses the bot,
//! and the kinds that a poll asks for stay asked for. So both are left to the caller, and neither is the
//! default.

use std::time::Duration;

use serde_json::{Value, json};

use super::chat::{Chat, ChatKind};
use super::client::Client;
use super::outcome::{Conflict, conflict, done, sort};
use super::redact::Redactor;
use crate::model::Outcome;

/// The most updates that one poll brings.
pub const MOST_UPDATES: usize = 100;

/// The longest that Telegram lets a poll wait.
const LONGEST_WAIT: Duration = Duration::from_secs(50);

/// How much longer than it asked Telegram to wait a poll waits for the answer.
const GRACE: Duration = Duration::from_secs(15);

/// The longest answer that is read: a hundred long messages, each of which quotes another one.
const LONGEST_ANSWER: usize = 8 * 1024 * 1024;

/// The kinds of updates in which a chat can be seen for the first time. All of them come by default; a bot
/// that was told to want fewer is told to want these too.
const KINDS: [&str; 3] = ["message", "channel_post", "my_chat_member"];

/// The kinds of updates that are a message.
const MESSAGES: [&str; 4] = ["message", "edited_message", "channel_post", "edited_channel_post"];

/// What to ask for.
#[derive(Clone, Debug, Default)]
pub struct Poll {
    /// Confirms all updates before this one. None: those that nobody confirmed yet, and they stay.
    pub from: Option<i64>,
    /// How long to wait for the first one; at most 50 s. Telegram counts seconds, so a part is a whole one.
    pub wait: Duration,
    /// What the bot was told to want; see [`Webhook::kinds`].
    pub kinds: Option<Vec<String>>,
}

/// What a poll brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Each update that shows a chat, by its number.
    pub sights: Vec<(i64, Sight)>,
    /// How many updates there were, those that show nothing included.
    pub updates: usize,
    /// The number of the last one.
    pub last: Option<i64>,
}

/// What an update shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The bot is in this chat, and somebody did something, perhaps in a topic.
    Here(Chat, Option<Topic>),
    /// The bot was put out of this chat, or blocked by this person.
    Gone(Chat),
    /// The group with this id became this supergroup.
    Moved(i64, Chat),
}

/// A topic of a forum group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its id.
    pub id: i64,
    /// Its name where the update tells it. Foreign text.
    pub name: Option<String>,
}

/// Why a poll brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollError {
    /// Updates go to a webhook.
    Webhook,
    /// Another program asks for this bot's updates.
    OtherPoller,
    /// Anything else.
    Failed(Outcome),
}

/// What getWebhookInfo says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Webhook {
    /// The host that updates are sent to, if there is a webhook. Its path is often a secret and is never read.
    pub host: Option<String>,
    /// The kinds of updates that the bot was told to want; none: the default ones.
    pub kinds: Option<Vec<String>>,
}

impl Client {
    /// Waits for updates and says which chats they show. Ends 15 s after the wait at the latest.
    pub async fn poll(&self, poll: &Poll) -> Result<Page, PollError> {
        let wait = poll.wait.min(LONGEST_WAIT);
        let body = body(poll, wait);
        let answer = self.post("getUpdates", &body, wait + GRACE, LONGEST_ANSWER).await;
        let answer = answer.map_err(PollError::Failed)?;
        match conflict(&answer) {
            Some(Conflict::Webhook) => return Err(PollError::Webhook),
            Some(Conflict::OtherPoller) => return Err(PollError::OtherPoller),
            None => {}
        }
        let updates = done(sort(&answer, &self.redactor)).map_err(PollError::Failed)?;
        Ok(Page::read(&updates, &self.redactor))
    }

    /// Asks whether updates go to a webhook, and which are wanted.
    pub async fn webhook(&self) -> Result<Webhook, Outcome> {
        let info = self.ask("getWebhookInfo", &json!({})).await?;
        let kinds = info.get("allowed_updates").and_then(Value::as_array);
        let words = |kinds: &Vec<Value>| {
            kinds
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        Ok(Webhook {
            host: host(info["url"].as_str().unwrap_or_default(), &self.redactor),
            kinds: kinds.map(words),
        })
    }

    /// Takes the webhook away. What waits to be sent to it waits for the next poll instead.
    pub async fn delete_webhook(&self) -> Result<(), Outcome> {
        self.ask("deleteWebhook", &json!({})).await.map(drop)
    }
}

fn body(poll: &Poll, wait: Duration) -> Value {
    let seconds = wait.as_millis().div_ceil(1000);
    let mut body = json!({ "timeout": u64::try_from(seconds).unwrap_or(0), "limit": MOST_UPDATES });
    if let Some(from) = poll.from {
        body["offset"] = json!(from);
    }
    if let Some(kinds) = poll.kinds.as_deref().and_then(more_kinds) {
        body["allowed_updates"] = json!(kinds);
    }
    body
}

/// What the bot has to be told to want, if it wants too little. Nothing is taken off what it wants.
fn more_kinds(wanted: &[String]) -> Option<Vec<&str>> {
    let mut kinds: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let missing: Vec<&str> = KINDS.into_iter().filter(|kind| !kinds.contains(kind)).collect();
    kinds.extend(&missing);
    (!missing.is_empty()).then_some(kinds)
}

/// The host of a webhook; a URL that cannot be read is one all the same.
fn host(url: &str, redactor: &Redactor) -> Option<String> {
    if url.is_empty() {
        return None;
    }
    let url = reqwest::Url::parse(url).ok();
    let host = url.as_ref().and_then(reqwest::Url::host_str);
    Some(redactor.clean(host.unwrap_or("an unreadable address")))
}

impl Page {
    fn read(updates: &Value, redactor: &Redactor) -> Self {
        let updates = updates.as_array().map(Vec::as_slice).unwrap_or_default();
        let number = |update: &Value| update.get("update_id").and_then(Value::as_i64);
        let sight = |update: &Value| Some((number(update)?, Sight::read(update, redactor)?));
        Self {
            sights: updates.iter().filter_map(sight).collect(),
            updates: updates.len(),
            last: updates.iter().filter_map(number).max(),
        }
    }
}

impl Sight {
    fn read(update: &Value, redactor: &Redactor) -> Option<Self> {
        if let Some(change) = update.get("my_chat_member") {
            return Self::of_membership(change, redactor);
        }
        let message = MESSAGES.iter().find_map(|kind| update.get(kind));
        Self::of_message(
            message.or_else(|| update.pointer("/callback_query/message"))?,
            redactor,
        )
    }

    fn of_membership(change: &Value, redactor: &Redactor) -> Option<Self> {
        let chat = Chat::read(change.get("chat")?, redactor)?;
        let status = change.pointer("/new_chat_member/status").and_then(Value::as_str);
        Some(match status {
            Some("left" | "kicked") => Self::Gone(chat),
            _ => Self::Here(chat, None),
        })
    }

    fn of_message(message: &Value, redactor: &Redactor) -> Option<Self> {
        let chat = Chat::read(message.get("chat")?, redactor)?;
        let id = |name: &str| message.get(name).and_then(Value::as_i64);
        if let Some(from) = id("migrate_from_chat_id") {
            return Some(Self::Moved(from, chat));
        }
        if let Some(to) = id("migrate_to_chat_id") {
            let kind = ChatKind::Supergroup;
            return Some(Self::Moved(chat.id, Chat { id: to, kind, ..chat }));
        }
        Some(Self::Here(chat, Topic::read(message, redactor)))
    }
}

impl Topic {
    /// The topic of a message. Without `is_topic_message` a thread is only a chain of answers.
    fn read(message: &Value, redactor: &Redactor) -> Option<Self> {
        if message.get("is_topic_message") != Some(&Value::Bool(true)) {
            return None;
        }
        let names = [
            "/forum_topic_edited/name",
            "/forum_topic_created/name",
            "/reply_to_message/forum_topic_created/name",
        ];
        let name = names.iter().find_map(|path| message.pointer(path)?.as_str());
        Some(Self {
            id: message.get("message_thread_id")?.as_i64()?,
            name: name.map(|name| redactor.clean(name)),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::any_json::any_json;
    use super::super::token::Token;
    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(&Token::parse("42:AAcanaryCANARYcanary").unwrap())
    }

    fn sights(updates: &Value) -> Vec<(i64, Sight)> {
        Page::read(updates, &redactor()).sights
    }

    fn group(id: i64) -> Value {
        json!({ "id": id, "type": "group", "title": "Ops" })
    }

    #[test]
    fn every_kind_of_update_with_a_chat_shows_it() {
        let message = json!({ "chat": group(-7), "text": "hi" });
        for update in [
            json!({ "update_id": 1, "message": message }),
            json!({ "update_id": 1, "edited_message": message }),
            json!({ "update_id": 1, "channel_post": message }),
            json!({ "update_id": 1, "callback_query": { "message": message } }),
            json!({ "update_id": 1, "my_chat_member": {
                "chat": group(-7), "new_chat_member": { "status": "administrator" } } }),
        ] {
            let seen = sights(&json!([update]));
            assert!(
                matches!(&seen[..], [(1, Sight::Here(chat, None))] if chat.id == -7),
                "{update}"
            );
        }
    }

    #[test]
    fn a_thread_is_a_topic_only_where_the_message_says_so() {
        let message = |fields: Value| {
            let mut message = json!({ "chat": group(-7), "message_thread_id": 5 });
            message
                .as_object_mut()
                .unwrap()
                .extend(fields.as_object().unwrap().clone());
            json!([{ "update_id": 1, "message": message }])
        };
        let topic = |updates: &Value| match &sights(updates)[0].1 {
            Sight::Here(_, topic) => topic.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(topic(&message(json!({}))), None);
        let named = |name: Option<&str>| {
            Some(Topic {
                id: 5,
                name: name.map(str::to_owned),
            })
        };
        assert_eq!(topic(&message(json!({ "is_topic_message": true }))), named(None));
        let created = json!({ "is_topic_message": true, "forum_topic_created": { "name": "Alerts" } });
        assert_eq!(topic(&message(created)), named(Some("Alerts")));
        let answer = json!({ "is_topic_message": true,
            "reply_to_message": { "forum_topic_created": { "name": "Alerts" } } });
        assert_eq!(topic(&message(answer)), named(Some("Alerts")));
    }

    #[test]
    fn both_ends_of_an_upgrade_name_the_old_id_and_the_new_chat() {
        let seen = sights(&json!([
            { "update_id": 1, "message": { "chat": group(-7), "migrate_to_chat_id": -1_007 } },
            { "update_id": 2, "message": {
                "chat": { "id": -1_007, "type": "supergroup", "title": "Ops" }, "migrate_from_chat_id": -7 } },
        ]));
        assert_eq!(seen[0].1, seen[1].1);
        assert!(
            matches!(&seen[0].1, Sight::Moved(-7, chat) if chat.id == -1_007),
            "{seen:?}"
        );
    }

    #[test]
    fn a_bot_that_wants_too_little_is_told_to_want_more_and_never_less() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            more_kinds(&words(&["poll", "message", "channel_post", "my_chat_member"])),
            None
        );
        assert_eq!(
            more_kinds(&words(&["callback_query", "message"])),
            Some(vec![
                "callback_query",
                "message",
                "channel_post",
                "my_chat_member"
            ])
        );
        let poll = Poll::default();
        assert_eq!(body(&poll, Duration::ZERO), json!({ "timeout": 0, "limit": 100 }));
    }

    #[test]
    fn of_a_webhook_only_the_host_is_read() {
        let redactor = redactor();
        assert_eq!(host("", &redactor), None);
        for (url, name) in [
            ("https://bot.example.com/hook/secret?x=1", "bot.example.com"),
            ("https://me:secret@bot.example.com:8443/", "bot.example.com"),
            ("secret", "an unreadable address"),
        ] {
            assert_eq!(host(url, &redactor).as_deref(), Some(name));
        }
    }

    proptest! {
        #[test]
        fn no_update_breaks_the_reading_or_shows_the_token(
            id in any::<i64>(), text in ".*", kind in prop::sample::select(vec!["message", "my_chat_member", "x"]),
        ) {
            let title = format!("{text}42:AAcanaryCANARYcanary{text}");
            let chat = json!({ "id": id, "type": "group", "title": title });
            for update in [
                json!([{ "update_id": id, kind: { "chat": chat } }]),
                json!([{ "update_id": id, kind: chat }, id, text]),
                json!({ text: id }),
            ] {
                let page = format!("{:?}", Page::read(&update, &redactor()));
                prop_assert!(!page.contains("CANARY"));
            }
        }

        #[test]
        fn updates_of_any_shape_are_read_and_show_no_chat_that_is_not_in_them(
            updates in any_json(&[
                "update_id", "message", "channel_post", "my_chat_member", "callback_query", "chat", "id", "type", "title",
                "username", "new_chat_member", "status", "is_topic_message", "message_thread_id", "forum_topic_created",
                "reply_to_message", "name", "migrate_to_chat_id", "migrate_from_chat_id",
            ]),
            kind in prop::sample::select(vec!["private", "group", "supergroup", "channel"]),
        ) {
            // A kind that exists, where the draw found none.
            let text = updates.to_string().replace("\"type\":\"", &format!("\"type\":\"{kind}\",\"title\":\""));
            let updates = serde_json::from_str(&text).unwrap_or(updates);
            for updates in [updates.clone(), json!([updates])] {
                let page = Page::read(&updates, &redactor());
                let text = updates.to_string();
                prop_assert!(page.sights.len() <= page.updates);
                for (update, sight) in page.sights {
                    let (Sight::Here(chat, _) | Sight::Gone(chat) | Sight::Moved(_, chat)) = sight;
                    prop_assert!(text.contains(&update.to_string()) && text.contains(&chat.id.to_string()));
                }
            }
        }
    }
}
