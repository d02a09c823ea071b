//! The test server under test: every refusal it words and every fault it plays, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bot;
mod chats;
mod client;
mod documents;
mod faults;
mod journal;
mod limits;
mod text;
mod updates;
