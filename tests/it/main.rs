//! The laws of the whole program: the real binary, real files, a real HTTP server on loopback.
//!
//! One file per theme; a new law goes to the file whose name it would answer to. `support` builds the sandbox
//! that a test plays in.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    unreachable_pub,
    missing_docs
)]

mod support;

mod attach;
mod bad_input;
mod chats;
mod check;
mod conditions;
mod control;
mod deploy;
mod descriptors;
mod disk;
mod documents;
mod failpoints;
mod fence;
mod filesystems;
mod floors;
mod follow;
mod formats;
mod gaps;
mod gnu;
mod hazards;
mod health;
mod heartbeat;
mod init;
mod keys;
mod kill;
mod listen;
mod multiline;
mod notices;
mod once;
mod outage;
mod pipes;
mod planted;
mod proxy;
mod refusals;
mod reload;
mod reloads;
mod road;
mod rotation;
mod rotators;
mod schema;
mod secrecy;
mod shutdown;
mod status;
mod stderr;
mod storm;
mod unicode;
mod watches;
mod words;
