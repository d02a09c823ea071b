//! What Telegram says about a chat, and what the bot may do in it.
//!
//! Read tolerantly: a field that is absent or odd is a guess, never an error. The trap: titles are foreign
//! text. They leave this room without the token and on one line, and with nothing else taken out.

use serde_json::{Value, json};

use super::client::{Bot, Client};
use super::redact::Redactor;
use crate::model::{ChatTarget, Outcome};

/// A chat as Telegram describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// Its id.
    pub id: i64,
    /// What it is.
    pub kind: ChatKind,
    /// Its title, or the person's name. Foreign text, perhaps empty.
    pub title: String,
    /// Whether it has topics.
    pub forum: bool,
}

/// What a chat is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatKind {
    /// One person.
    Private,
    /// A basic group.
    Group,
    /// A supergroup, perhaps with topics.
    Supergroup,
    /// A channel.
    Channel,
}

/// What the bot is in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may write there, as far as one can know without writing.
    MayWrite,
    /// It is there and may not write.
    MayNotWrite,
    /// It is not there.
    Outside,
}

impl Chat {
    /// Reads a `Chat` object; none if it is not one.
    pub(super) fn read(chat: &Value, redactor: &Redactor) -> Option<Self> {
        let text = |name: &str| chat.get(name).and_then(Value::as_str).unwrap_or_default();
        let kind = match text("type") {
            "private" => ChatKind::Private,
            "group" => ChatKind::Group,
            "supergroup" => ChatKind::Supergroup,
            "channel" => ChatKind::Channel,
            _ => return None,
        };
        let person = format!("{} {}", text("first_name"), text("last_name"));
        let title = match (text("title"), person.trim(), text("username")) {
            ("", "", "") => String::new(),
            ("", "", username) => format!("@{username}"),
            ("", person, _) => person.to_owned(),
            (title, ..) => title.to_owned(),
        };
        Some(Self {
            id: chat.get("id")?.as_i64()?,
            kind,
            title: redactor.clean(&title),
            forum: chat.get("is_forum") == Some(&Value::Bool(true)),
        })
    }
}

impl Client {
    /// Asks about a chat, and what the bot is in it. Whether a topic exists cannot be asked.
    pub async fn look_up(&self, target: &ChatTarget, bot: &Bot) -> Result<(Chat, Standing), Outcome> {
        let chat_id = match target {
            ChatTarget::Id(id) => json!(id),
            ChatTarget::Username(name) => json!(name),
        };
        let found = self.ask("getChat", &json!({ "chat_id": chat_id })).await?;
        let chat = Chat::read(&found, &self.redactor).ok_or_else(|| Outcome::Unsure {
            why: "the answer to getChat names no chat".to_owned(),
        })?;
        if chat.kind == ChatKind::Private {
            return Ok((chat, Standing::MayWrite));
        }
        let who = json!({ "chat_id": chat_id, "user_id": bot.id });
        let member = self.ask("getChatMember", &who).await?;
        let standing = standing(&member, chat.kind, &found["permissions"]);
        Ok((chat, standing))
    }
}

/// What a `ChatMember` may do. In groups members have the permissions of all; those of channels only read.
fn standing(member: &Value, kind: ChatKind, permissions: &Value) -> Standing {
    let forbidden = |of: &Value, right: &str| of.get(right) == Some(&Value::Bool(false));
    let status = member.get("status").and_then(Value::as_str).unwrap_or_default();
    let may = match status {
        "left" | "kicked" => return Standing::Outside,
        "creator" => true,
        "administrator" => kind != ChatKind::Channel || !forbidden(member, "can_post_messages"),
        "restricted" => !forbidden(member, "can_send_messages"),
        _ => kind != ChatKind::Channel && !forbidden(permissions, "can_send_messages"),
    };
    if may {
        Standing::MayWrite
    } else {
        Standing::MayNotWrite
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::token::Token;
    use super::*;

    #[test]
    fn a_chat_is_called_by_its_title_or_the_persons_name() {
        let redactor = Redactor::new(&Token::parse("42:AAcanaryCANARYcanary").unwrap());
        for (chat, title) in [
            (json!({"id": 1, "type": "private", "first_name": "Ann"}), "Ann"),
            (
                json!({"id": 1, "type": "private", "first_name": "Ann", "last_name": "Lee", "username": "al"}),
                "Ann Lee",
            ),
            (json!({"id": 1, "type": "private", "username": "al"}), "@al"),
            (json!({"id": 1, "type": "private"}), ""),
            (json!({"id": -1, "type": "group", "title": "a\nb"}), "a b"),
            (
                json!({"id": -1, "type": "channel", "title": "42:AAcanaryCANARYcanary"}),
                "[token]",
            ),
        ] {
            assert_eq!(Chat::read(&chat, &redactor).unwrap().title, title, "{chat}");
        }
        for no_chat in [
            json!(null),
            json!({}),
            json!({"id": "1", "type": "group"}),
            json!({"id": 1, "type": "sender"}),
        ] {
            assert_eq!(Chat::read(&no_chat, &redactor), None, "{no_chat}");
        }
    }

    #[test]
    fn who_may_write_depends_on_status_and_kind() {
        use ChatKind::{Channel, Group, Supergroup};
        use Standing::{MayNotWrite, MayWrite, Outside};
        let all = json!({ "can_send_messages": true });
        let nobody = json!({ "can_send_messages": false });
        for (member, kind, permissions, expected) in [
            (json!({"status": "member"}), Group, &all, MayWrite),
            (json!({"status": "member"}), Group, &nobody, MayNotWrite),
            (json!({"status": "member"}), Channel, &Value::Null, MayNotWrite),
            (json!({"status": "administrator"}), Supergroup, &nobody, MayWrite),
            (
                json!({"status": "administrator", "can_post_messages": true}),
                Channel,
                &Value::Null,
                MayWrite,
            ),
            (
                json!({"status": "administrator", "can_post_messages": false}),
                Channel,
                &Value::Null,
                MayNotWrite,
            ),
            (
                json!({"status": "restricted", "can_send_messages": false}),
                Supergroup,
                &all,
                MayNotWrite,
            ),
            (json!({"status": "left"}), Supergroup, &all, Outside),
            (json!({"status": "kicked"}), Group, &all, Outside),
        ] {
            assert_eq!(
                standing(&member, kind, permissions),
                expected,
                "{member} {kind:?}"
            );
        }
    }
}
