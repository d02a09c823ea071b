//! `control.sock`: other commands ask the running process.
//!
//! The socket lies in the state folder while a process holds the folder's lock, so "somebody answers here" and
//! "somebody owns this state" are the same thing. Only the owner's user may connect (0600, and the kernel is asked
//! who it is), and root.
//!
//! # Protocol
//!
//! A connection carries one question. The asker writes one line of JSON and keeps its side open; the process answers
//! with one or more lines of JSON, the last of which is never a `waiting`, and closes.
//!
//! ```text
//! > {"v":1,"ask":"status"}
//! < {"is":"status","status":{…}}
//!
//! > {"v":1,"ask":"send","chat":"ops","text":"the deploy is done","patience_ms":60000}
//! < {"is":"waiting","chat":"ops","seconds":12.5,"why":"429: Too Many Requests: retry after 13"}
//! < {"is":"sent","chat":"ops","message_id":17}
//!
//! > {"v":2,"ask":"anything"}
//! < {"is":"error","kind":"version","why":"…"}
//! ```
//!
//! - `v` is the version of this protocol, [`VERSION`]. Two things hold in every version: a question is a line of JSON
//!   with a `v`, and an answer that `is` an `error` has a `kind` and a `why` for people. So programs of different
//!   versions understand that they do not understand each other. Fields may be added within a version.
//! - `chat` may be left out where the process knows only one. It is a name of the rules.toml that the process runs
//!   with; so are token, proxy, limits and gates.
//! - `patience_ms` is how long a `send` may wait for its turn, at most a minute. When it is over, or when the asker
//!   closes its side (its writing side is enough), the message is not sent any more. If it was under way at that
//!   moment, what became of it is told all the same.
//! - The kinds of error are those of [`ErrorKind`].
//!
//! # Bounds
//!
//! A question has at most 64 KiB and comes within 5 s; an answer is read within 5 s; 8 connections at once, a further
//! one is told so and closed; no connection lasts longer than 90 s. What breaks one of these, or writes rubbish, loses
//! its connection and disturbs nobody else.

mod client;
mod server;
mod socket;
mod wire;

pub use client::{AskError, Note, send, status};
pub use wire::{ErrorKind, VERSION};

pub(super) use server::{Control, Server};

/// The name of the socket in the state folder.
pub const SOCKET: &str = "control.sock";
