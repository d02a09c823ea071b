//! What became of a request to Telegram, sorted once, at the wire.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ChatTarget {
    /// A numeric chat id: positive for people, negative for groups, -100… for supergroups and channels.
    Id(i64),
    /// `@name` of a public channel or supergroup.
    Username(String),
}

impl std::fmt::Display for ChatTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ChatTarget::Id(id) => write!(f, "{id}"),
            ChatTarget::Username(name) => f.write_str(name),
        }
    }
}

/// The sorted answer to one request. No text in it holds the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Telegram has it. "Message is not modified" counts as this.
    Sent {
        /// The message's id.
        message_id: i64,
    },
    /// Known not to have been sent: 429, refused connections, DNS, TLS, a page of a proxy. Send it again later.
    Wait {
        /// How long Telegram said to wait; absent when it did not say.
        after: Option<Duration>,
        /// Whether this was a 429, which closes the chat's gate.
        flood: bool,
        /// What happened, for people.
        why: String,
    },
    /// The group became a supergroup: send it again, to this id.
    Moved {
        /// The supergroup's id.
        to: i64,
    },
    /// It may or may not have arrived: a timeout or reset after the body went out, a 5xx, an unreadable
    /// 200.
    Unsure {
        /// What happened, for people.
        why: String,
    },
    /// Refused for good. Sending the same again cannot succeed.
    Refused(Refusal),
}

/// Why Telegram refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which kind of trouble.
    pub kind: RefusalKind,
    /// Telegram's own words.
    pub why: String,
}

/// The kinds of refusal that callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The bot was blocked or kicked, the chat is gone or was never there.
    ChatGone,
    /// The forum topic is gone or closed; the chat itself is fine.
    TopicGone,
    /// The message to edit is gone.
    MessageGone,
    /// The token is wrong or revoked: a 401 or 404 of Telegram's own.
    TokenWrong,
    /// The link buttons below the text.
    Buttons,
    /// The document that came with it; texts go on.
    Document,
    /// This text, and only this text.
    Text,
}
