//! The chats that exist and the state each of them is in.
//!
//! Only configured chats exist; every other id is "chat not found". The trap: a state refuses with a
//! different wording for each chat type, and clients tell them apart by wording only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Shared;
use crate::wire::Refusal;

/// What a chat is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

impl ChatKind {
    /// The word used in `chat.type` and in refusals.
    pub fn word(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Group => "group",
            Self::Supergroup => "supergroup",
            Self::Channel => "channel",
        }
    }

    /// The reverse of [`ChatKind::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Private, Self::Group, Self::Supergroup, Self::Channel]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

/// Whether the bot may write to a chat, and why not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatState {
    /// Messages are accepted.
    #[default]
    Ok,
    /// The person blocked the bot.
    Blocked,
    /// The bot was thrown out.
    Kicked,
    /// The person's account is gone.
    Deactivated,
    /// The id leads nowhere.
    NotFound,
    /// The group became a supergroup with this id.
    Migrated {
        /// The supergroup's id.
        to: i64,
    },
    /// The bot left or was never a member.
    Left,
    /// The bot is a member without the right to write.
    WriteForbidden,
    /// The group was deleted.
    Deleted,
    /// The person never pressed Start.
    NotStarted,
}

/// A chat as a test wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatConfig {
    /// The chat's id, as Telegram numbers it (groups negative, supergroups from -100…).
    pub id: i64,
    /// What the chat is.
    #[serde(rename = "type")]
    pub kind: ChatKind,
    /// Whether it takes messages.
    #[serde(default)]
    pub state: ChatState,
    /// Ids of its open topics; 1, the General topic, never belongs here.
    #[serde(default)]
    pub topics: Vec<i64>,
    /// Ids of its closed topics.
    #[serde(default)]
    pub closed_topics: Vec<i64>,
    /// Whether its members may not send files.
    #[serde(default)]
    pub refuses_documents: bool,
    /// Its public name, without `@`.
    #[serde(default)]
    pub username: Option<String>,
    /// Its title, or the person's name; absent: one made of the id.
    #[serde(default)]
    pub title: Option<String>,
}

impl ChatConfig {
    /// A chat that takes messages and has neither topics nor a public name.
    pub fn new(id: i64, kind: ChatKind) -> Self {
        Self {
            id,
            kind,
            state: ChatState::Ok,
            topics: Vec::new(),
            closed_topics: Vec::new(),
            refuses_documents: false,
            username: None,
            title: None,
        }
    }

    /// The same chat in another state.
    #[must_use]
    pub fn state(mut self, state: ChatState) -> Self {
        self.state = state;
        self
    }

    /// The same chat with these open topics.
    #[must_use]
    pub fn topics(mut self, topics: &[i64]) -> Self {
        self.topics = topics.to_vec();
        self
    }

    /// The same chat where nobody may send files.
    #[must_use]
    pub fn without_documents(mut self) -> Self {
        self.refuses_documents = true;
        self
    }

    /// The same chat with a public name.
    #[must_use]
    pub fn username(mut self, name: &str) -> Self {
        self.username = Some(name.trim_start_matches('@').to_owned());
        self
    }

    /// The same chat with a title, or a person of this name.
    #[must_use]
    pub fn title(mut self, title: &str) -> Self {
        self.title = Some(title.to_owned());
        self
    }

    /// The chat as it appears in results.
    pub(crate) fn to_json(&self) -> Value {
        let mut chat = json!({ "id": self.id, "type": self.kind.word() });
        let title = self.title.as_deref();
        if self.kind == ChatKind::Private {
            chat["first_name"] = json!(title.unwrap_or("Person"));
        } else {
            chat["title"] = title.map_or_else(|| json!(format!("Chat {}", self.id)), Value::from);
        }
        if let Some(name) = &self.username {
            chat["username"] = json!(name);
        }
        if !self.topics.is_empty() || !self.closed_topics.is_empty() {
            chat["is_forum"] = json!(true);
        }
        chat
    }

    /// The chat as getChat shows it: with what its members may do, in groups.
    pub(crate) fn to_full_json(&self) -> Value {
        let mut chat = self.to_json();
        if matches!(self.kind, ChatKind::Group | ChatKind::Supergroup) {
            let may_send = self.kind == ChatKind::Supergroup || self.state != ChatState::WriteForbidden;
            chat["permissions"] = json!({ "can_send_messages": may_send, "can_invite_users": true });
        }
        chat
    }

    /// What the bot is in the chat, as getChatMember shows it; its `user` is left to the caller. Only
    /// supergroups restrict single members.
    pub(crate) fn bot_as_member(&self) -> Value {
        let may_write = self.state != ChatState::WriteForbidden;
        match self.kind {
            ChatKind::Channel => json!({ "status": "administrator", "can_post_messages": may_write }),
            ChatKind::Supergroup if !may_write => {
                json!({ "status": "restricted", "is_member": true, "can_send_messages": false })
            }
            _ => json!({ "status": "member" }),
        }
    }

    /// Refuses when the chat's state forbids even to look at it.
    pub(crate) fn admit_reading(&self) -> Result<(), Refusal> {
        match self.state {
            // A person whom the bot knows stays known.
            ChatState::Blocked if self.kind == ChatKind::Private => Ok(()),
            ChatState::WriteForbidden => Ok(()),
            ChatState::NotStarted => Err(Refusal::bad("chat not found")),
            _ => self.admit(),
        }
    }

    /// Refuses when the chat's state forbids writing.
    pub(crate) fn admit(&self) -> Result<(), Refusal> {
        let kind = self.kind.word();
        let private = self.kind == ChatKind::Private;
        Err(match self.state {
            ChatState::Ok => return Ok(()),
            ChatState::Kicked | ChatState::Left | ChatState::Blocked if private => {
                Refusal::forbidden("bot was blocked by the user")
            }
            ChatState::Blocked | ChatState::Kicked => {
                Refusal::forbidden(&format!("bot was kicked from the {kind} chat"))
            }
            ChatState::Left => Refusal::forbidden(&format!("bot is not a member of the {kind} chat")),
            ChatState::Deactivated => Refusal::forbidden("user is deactivated"),
            ChatState::NotStarted => Refusal::forbidden("bot can't initiate conversation with a user"),
            ChatState::Deleted => Refusal::forbidden("the group chat was deleted"),
            ChatState::NotFound if private => Refusal::bad("private chat not found"),
            ChatState::NotFound => Refusal::bad("chat not found"),
            ChatState::WriteForbidden if self.kind == ChatKind::Channel => {
                Refusal::bad("need administrator rights in the channel chat")
            }
            ChatState::WriteForbidden => Refusal::bad("not enough rights to send text messages to the chat"),
            ChatState::Migrated { to } => Refusal {
                parameters: Some(json!({ "migrate_to_chat_id": to })),
                ..Refusal::bad("group chat was upgraded to a supergroup chat")
            },
        })
    }

    /// Refuses files where texts may be allowed.
    pub(crate) fn admit_document(&self) -> Result<(), Refusal> {
        if self.refuses_documents {
            return Err(Refusal::bad("not enough rights to send documents to the chat"));
        }
        Ok(())
    }

    /// Refuses a thread that is unknown, closed, or the General topic, which must be left out.
    pub(crate) fn admit_thread(&self, thread: Option<i64>) -> Result<(), Refusal> {
        match thread {
            Some(id) if self.closed_topics.contains(&id) => Err(Refusal::bad("TOPIC_CLOSED")),
            Some(id) if id == 1 || !self.topics.contains(&id) => {
                Err(Refusal::bad("message thread not found"))
            }
            _ => Ok(()),
        }
    }
}

/// All configured chats.
#[derive(Debug, Default)]
pub(crate) struct ChatTable(BTreeMap<i64, ChatConfig>);

impl ChatTable {
    pub(crate) fn set(&mut self, chat: ChatConfig) {
        self.0.insert(chat.id, chat);
    }

    /// The chat that a `chat_id` value names: an integer, its decimal text, or `@username`.
    pub(crate) fn find(&self, chat_id: Option<&Value>) -> Result<&ChatConfig, Refusal> {
        let found = match chat_id {
            None => return Err(Refusal::bad("chat_id is empty")),
            Some(Value::Number(id)) => id.as_i64().and_then(|id| self.0.get(&id)),
            Some(Value::String(name)) if name.is_empty() => return Err(Refusal::bad("chat_id is empty")),
            Some(Value::String(name)) => self.by_name(name),
            Some(_) => None,
        };
        found.ok_or_else(|| Refusal::bad("chat not found"))
    }

    fn by_name(&self, name: &str) -> Option<&ChatConfig> {
        match name.strip_prefix('@') {
            Some(public) => self.0.values().find(|chat| {
                chat.username
                    .as_deref()
                    .is_some_and(|known| known.eq_ignore_ascii_case(public))
            }),
            None => name.parse().ok().and_then(|id: i64| self.0.get(&id)),
        }
    }
}

/// The tests' hand on the chats.
#[derive(Clone, Debug)]
pub struct Chats(pub(crate) Shared);

impl Chats {
    /// Adds a chat, or replaces the one with the same id; its messages stay.
    pub fn set(&self, chat: ChatConfig) {
        self.0.world().chats.set(chat);
    }

    /// Puts a known chat into another state; an unknown id changes nothing.
    pub fn state(&self, id: i64, state: ChatState) {
        if let Some(chat) = self.0.world().chats.0.get_mut(&id) {
            chat.state = state;
        }
    }

    /// Takes a message away, as a person with the right to delete would. It stays in the journal, marked.
    pub fn delete_message(&self, chat: i64, message_id: i64) {
        if let Some(message) = self.0.world().journal.message_mut(chat, message_id) {
            message.deleted = true;
        }
    }
}
