//! The Bot API: one request in, one sorted [`Outcome`](crate::model::Outcome) out.
//!
//! [`Client`] sends, [`ChatLimits`] and [`BotLimits`] say when it may, [`Backoff`] how long to pause after a
//! failure that named no time. Deciding *what* to send, and what an outcome means for the ledger, happens
//! elsewhere. `chat` asks about chats and `updates` looks at what people did, for those who set a bot up. `heartbeat` asks
//! somebody else, and only goes the same way.
//!
//! The trap of this room: Telegram puts the token into the URL, and HTTP errors like to quote URLs. Every
//! text that leaves the room passes `redact` first.

#[cfg(test)]
mod any_json;
mod backoff;
mod chat;
mod client;
mod form;
mod heartbeat;
mod limits;
mod outcome;
mod redact;
mod settings;
mod token;
mod updates;
mod wire;

pub use backoff::Backoff;
pub use chat::{Chat, ChatKind, Standing};
pub use client::{Bot, Call, Client, ClientError, Request};
pub use heartbeat::{Heartbeat, HeartbeatUrl};
pub use limits::{BotLimits, ChatLimits, Class, Slow, default_limit};
pub use settings::{ChatSettings, Settings};
pub use token::{Token, TokenError};
pub use updates::{MOST_UPDATES, Page, Poll, PollError, Sight, Topic, Webhook};
