//! The Bot API, seen from the sending side: one request in, one sorted [`Outcome`](crate::model::Outcome) out.
//!
//! [`Client`] sends, [`ChatLimits`] and [`BotLimits`] say when it may, [`Backoff`] how long to pause after a
//! failure that named no time. Deciding *what* to send, and what an outcome means for the ledger, happens
//! elsewhere.
//!
//! The trap of this room: Telegram puts the token into the URL, and HTTP errors like to quote URLs. Every
//! text that leaves the room passes `redact` first.

mod backoff;
mod client;
mod limits;
mod outcome;
mod redact;
mod settings;
mod token;
mod wire;

pub use backoff::Backoff;
pub use client::{Bot, Call, Client, ClientError, Request};
pub use limits::{BotLimits, ChatLimits, Class, default_limit};
pub use settings::{ChatSettings, Settings};
pub use token::{Token, TokenError};
