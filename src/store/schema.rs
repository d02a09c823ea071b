//! The tables, the settings of a connection, and whether a file is one of ours.
//!
//! One table holds every kind of row: adding a kind is a line in [`row`](super::row) and no migration.
//! `WITHOUT ROWID` makes it one tree, so there is no index that could disagree with it.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OptionalExtension, TransactionBehavior};

use super::row::{self, Meta, ONLY, Row};
use crate::model::{StoreId, TurnNo};

/// The schema this program writes. Raising it needs a step in [`check`] that lifts the old one.
pub(super) const SCHEMA: i32 = 1;

const ROWS: &str = "CREATE TABLE rows (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, \
     sum INTEGER NOT NULL, PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID";
/// Rows that were set aside, for a person to look at. Blobs, since what is damaged need not be text.
const DAMAGED: &str = "CREATE TABLE damaged (id INTEGER PRIMARY KEY, kind ANY, key ANY, value ANY, sum ANY, \
     why TEXT NOT NULL) STRICT";

/// What a file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing in it yet.
    Fresh,
    /// A store of this schema.
    Ours,
    /// A store of a later schema.
    Newer(i32),
    /// A readable database that is no store, with the reason.
    Foreign(String),
}

/// Reads without writing, and keeps closing from writing. Settings that must come first.
pub(super) fn begin(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // Before the first read: with it the index of the log lives on our heap and not in shared memory, which
    // network mounts do not have.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cell_size_check", true)
}

/// The settings under which a trusted file is written.
pub(super) fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // The log is written back every 512 pages (2 MiB); whatever a burst left beyond 4 MiB is cut off then.
    connection.pragma_update(None, "wal_autocheckpoint", 512)?;
    connection.pragma_update(None, "journal_size_limit", 4 * 1024 * 1024)?;
    connection.set_prepared_statement_cache_capacity(8);
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .map(drop)
}

/// What the file behind a connection is. Writes nothing.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<Kind> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 && version == 0 {
        return Ok(Kind::Fresh);
    }
    let found = meta(connection).map_or(version, |meta| meta.schema);
    if found > SCHEMA {
        return Ok(Kind::Newer(found));
    }
    for (name, sql) in [("rows", ROWS), ("damaged", DAMAGED)] {
        if table(connection, name)?.as_deref() != Some(sql) {
            return Ok(Kind::Foreign(format!(
                "its table {name} is not the one this program makes"
            )));
        }
    }
    Ok(Kind::Ours)
}

fn table(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    connection
        .query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [name], |row| {
            row.get(0)
        })
        .optional()
}

/// The store's row about itself, if it is there and sound.
pub(super) fn meta(connection: &Connection) -> Option<Meta> {
    let (value, sum): (String, i64) = connection
        .query_row(
            "SELECT value, sum FROM rows WHERE kind = ?1 AND key = ?2",
            [Meta::KIND, ONLY],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .ok()?;
    if sum != row::sum(Meta::KIND, ONLY, &value) {
        return None;
    }
    row::decode(&value).ok()
}

/// What is wrong with the pages of the file, if anything.
pub(super) fn broken(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Ok(Some(verdict));
    }
    // The system let us open the file for writing, so this stands in its header.
    Ok(connection
        .is_readonly(MAIN_DB)?
        .then(|| "its header forbids writing".to_owned()))
}

/// Makes the tables and the store's row about itself.
pub(super) fn create(connection: &mut Connection, store: StoreId) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(ROWS)?;
    transaction.execute_batch(DAMAGED)?;
    transaction.pragma_update(None, "user_version", SCHEMA)?;
    put_meta(
        &transaction,
        Meta {
            store,
            turn: TurnNo::default(),
            schema: SCHEMA,
        },
    )?;
    transaction.commit()
}

/// Copies the log into the file and empties it. `settle` must have come before.
pub(super) fn copy_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Writes the store's row about itself.
pub(super) fn put_meta(connection: &Connection, meta: Meta) -> rusqlite::Result<()> {
    put(connection, ONLY, &meta)
}

/// Writes one row in place of the one with its key, if there is one.
pub(super) fn put<R: Row>(connection: &Connection, key: &str, value: &R) -> rusqlite::Result<()> {
    let value = row::encode(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let sum = row::sum(R::KIND, key, &value);
    connection
        .prepare_cached(
            "INSERT INTO rows (kind, key, value, sum) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, sum = excluded.sum",
        )?
        .execute((R::KIND, key, value, sum))
        .map(drop)
}

/// Deletes one row; no row is no error.
pub(super) fn delete<R: Row>(connection: &Connection, key: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM rows WHERE kind = ?1 AND key = ?2")?
        .execute((R::KIND, key))
        .map(drop)
}
