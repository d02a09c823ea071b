//! The store: everything that must survive the process, in one `SQLite` file.
//!
//! For: reading a [`State`](crate::model::State) at start and writing one [`Delta`](crate::model::Delta)
//! per turn, whole or not at all. Not for: deciding anything. No clock is read here, no timer resumed, no
//! row looked up again; a row is a key, a serialised value and a checksum, and that is all this room knows
//! of it.
//!
//! Two rules shape every file below:
//! 1. [`Store::commit`] is the only write of state. A position without its matches cannot be expressed.
//! 2. Content never stops a start. A damaged row is set aside, a damaged file is renamed, both are told in
//!    [`Opened::damage`]. What does stop a start is the folder (rights, room, a second process) and a store
//!    that a newer version wrote; none of these is touched.
//!
//! The trap: `SQLite` tries to be helpful when a connection closes, and copies its log (the WAL) into the
//! file. For a file that is damaged, newer, or whose last sync failed that is a write we do not want, so
//! connections are born with that switched off and get it only once they are trusted (`open`).

mod commit;
mod damage;
mod fault;
mod folder;
mod image;
mod lock;
mod mark;
mod open;
mod read;
mod row;
mod schema;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use rusqlite::Connection;

use crate::model::{StoreId, TurnNo};

pub use commit::CommitError;
pub use damage::Damage;
pub use lock::Holder;
pub use open::{OpenError, Opened};

/// The name of the database inside the state folder.
const FILE: &str = "state.db";
/// What `SQLite` appends to the name of a database for its log.
const WAL: &str = "-wal";

/// An open store. It has one owner; dropping it writes the log back into the file and frees the folder.
#[derive(Debug)]
pub struct Store {
    /// Absent after a fault that leaves the connection in doubt, until the next commit opens it again.
    /// Always dropped before `lock`.
    connection: Option<Connection>,
    /// Where to open it again; absent for a store in memory.
    path: Option<PathBuf>,
    /// Its id, from its creation.
    id: StoreId,
    /// The last turn that is known to be committed.
    turn: TurnNo,
    /// The number the next gap gets. Grows only with a commit, so a retried delta writes the same rows.
    next_gap: u64,
    /// The last commit ended in doubt: what it wrote may turn up when the file is opened again.
    unsure: bool,
    /// Where the turn stands outside of the database; absent for a store in memory.
    mark: Option<mark::Mark>,
    /// Held for as long as the store lives; nothing but its drop matters.
    _lock: Option<lock::Lock>,
}
