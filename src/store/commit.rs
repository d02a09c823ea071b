//! The one write.
//!
//! A delta goes into one transaction, and the number of the turn with it. What a failure means:
//! - `Full`, `ReadOnly`: rolled back, the connection is as good as before.
//! - `Io`, `Damaged`: in doubt. The connection is dropped, without letting it write once more, and the next
//!   commit opens the file anew. A failed sync is one of these: the system may take for written what never was, so it
//!   is not asked to sync again, but everything the log holds is written once more (see `renew`).
//!
//! The trap: a commit that reported a failure may be on disk all the same. So after a failure in doubt the
//! file may be one turn ahead of what the caller knows, and the same delta is written again over it. That
//! changes nothing, because rows are whole values and the numbers of gaps do not move with a failure; and
//! nobody else can have written, because the lock was ours all the time.

use std::io::ErrorKind;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::fault::{self, Fault};
use super::row::{self, Line, Meta, ONLY, Row};
use super::{Store, folder, open, schema};
use crate::model::{
    BelowCount, Delivery, Delta, FoundCount, Gap, HostDelta, Incident, LedgerDelta, LedgerRow, NoticeRow,
    Position, TurnNo, Waiting,
};

/// At most this many gaps are kept; the oldest go first.
pub(super) const KEPT_GAPS: u64 = 100;

/// Why a delta was not committed. Except after [`CommitError::MovedOn`] the same delta can be tried again.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The disk is full. Nothing was written.
    #[error("no room left on the disk of the state; free some, nothing is lost meanwhile")]
    Full,
    /// Writing is forbidden. Nothing was written.
    #[error("the state cannot be written any more ({0}); mount its volume writable again")]
    ReadOnly(String),
    /// The disk or the system failed. The next commit opens the file anew.
    #[error("writing the state failed ({0}); look at the disk it lies on")]
    Io(String),
    /// The file makes no sense any more. It stays so until the next start sets it aside.
    #[error("the state was damaged while in use ({0}); restart, and a new one begins")]
    Damaged(String),
    /// The delta follows another turn than the store's last one: its author does not know what the store
    /// holds. Nothing was written.
    #[error(
        "a change that follows turn {} was refused: the state is at turn {}; restart to read it anew",
        expected.0, found.0
    )]
    MovedOn {
        /// The turn the delta follows.
        expected: TurnNo,
        /// The store's last turn.
        found: TurnNo,
    },
}

impl Store {
    /// Commits a delta that follows the turn `follows`, whole or not at all, and returns its own turn. It is
    /// on disk when this returns.
    ///
    /// Within a delta, what is gone wins over what changed. An empty delta is not written and takes no turn.
    /// After a failure the caller tries **the same** delta again, when it likes.
    pub fn commit(&mut self, follows: TurnNo, delta: &Delta) -> Result<TurnNo, CommitError> {
        if follows != self.turn {
            return Err(CommitError::MovedOn {
                expected: follows,
                found: self.turn,
            });
        }
        if *delta == Delta::default() {
            return Ok(self.turn);
        }
        let mut connection = self.take_connection()?;
        match self.write(&mut connection, delta) {
            Ok(next_gap) => {
                self.connection = Some(connection);
                self.next_gap = next_gap;
                self.turn = next(follows);
                self.unsure = false;
                if let Some(mark) = &self.mark {
                    mark.set(self.id, self.turn);
                }
                Ok(self.turn)
            }
            Err(error) => Err(self.failed(connection, &error)),
        }
    }

    /// Writes a delta and the number of its turn; returns the number for the next gap.
    pub(super) fn write(&self, connection: &mut Connection, delta: &Delta) -> rusqlite::Result<u64> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let next_gap = host(&transaction, &delta.host, self.next_gap)?;
        ledger(&transaction, &delta.ledger)?;
        let meta = Meta {
            store: self.id,
            turn: next(self.turn),
            schema: schema::SCHEMA,
        };
        schema::put_meta(&transaction, meta)?;
        transaction.commit()?;
        Ok(next_gap)
    }

    /// Keeps or drops the connection after a failure. The transaction rolled back when it was dropped.
    pub(super) fn failed(&mut self, connection: Connection, error: &rusqlite::Error) -> CommitError {
        let fault = fault::sort(error);
        let in_doubt = !matches!(fault, Fault::Full | Fault::ReadOnly) || !connection.is_autocommit();
        if in_doubt && self.path.is_some() {
            self.unsure = true;
            // Closing would copy the log into the file, and nobody knows whether the log is sound. If even
            // this setting fails, what is copied passed its checksums.
            let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            drop(connection);
            // `SQLite` does not say why a write failed; this is the one reason that has a cure of its own.
            let writable = self.path.as_deref().map_or(Ok(()), writable);
            if let (Fault::Io, Err(read_only @ CommitError::ReadOnly(_))) = (fault, writable) {
                return read_only;
            }
        } else {
            if fault == Fault::Full {
                // The log may be the larger part of what we take up: the next attempt finds its room free. If
                // copying it needs room as well, nothing is worse than before.
                let _ = schema::copy_log(&connection);
            }
            self.connection = Some(connection);
        }
        told(fault, error)
    }

    fn take_connection(&mut self) -> Result<Connection, CommitError> {
        match (self.connection.take(), &self.path) {
            (Some(connection), _) => Ok(connection),
            (None, Some(path)) => self.reopen(path),
            (None, None) => Err(CommitError::Io("the store in memory is gone".to_owned())),
        }
    }

    fn reopen(&self, path: &Path) -> Result<Connection, CommitError> {
        writable(path)?;
        let open = || {
            let connection = open::connect(path)?;
            if let Some(why) = schema::broken(&connection)? {
                return Ok(Err(CommitError::Damaged(why)));
            }
            Ok(Ok(connection))
        };
        let connection = open().map_err(|error: rusqlite::Error| told(fault::sort(&error), &error))??;
        self.recognise(&connection)?;
        renew(&connection).map_err(|error| told(fault::sort(&error), &error))?;
        Ok(connection)
    }

    /// Whether a file that was opened anew is where we left it: at our turn, or at the one whose commit
    /// ended in doubt.
    fn recognise(&self, connection: &Connection) -> Result<(), CommitError> {
        let meta = schema::meta(connection).filter(|meta| meta.store == self.id);
        let Some(Meta { turn: found, .. }) = meta else {
            return Err(CommitError::Damaged("another file lies in its place".to_owned()));
        };
        if found == self.turn || (self.unsure && found == next(self.turn)) {
            return Ok(());
        }
        Err(CommitError::MovedOn {
            expected: self.turn,
            found,
        })
    }
}

/// Whether the system lets us write. `SQLite` opens a file that it may only read all the same, and what it says of it then
/// may be that the file itself forbids writing, which would be damage.
fn writable(path: &Path) -> Result<(), CommitError> {
    folder::open(path, false)
        .map(drop)
        .map_err(|error| match error.kind() {
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
                CommitError::ReadOnly(error.to_string())
            }
            _ => CommitError::Io(error.to_string()),
        })
}

/// Settings, and a fresh copy of what the log holds: after a failed sync the system may take bytes for
/// written that never were, so they are written once more, to another place.
fn renew(connection: &Connection) -> rusqlite::Result<()> {
    schema::settle(connection)?;
    schema::copy_log(connection)
}

fn host(transaction: &Transaction<'_>, delta: &HostDelta, next_gap: u64) -> rusqlite::Result<u64> {
    put_all(transaction, &delta.positions, |position| row::file(position.key))?;
    put_all(transaction, &delta.logs_seen, |log| log.as_str().to_owned())?;
    put_all(transaction, &delta.found, |found| found.rule.as_str().to_owned())?;
    for key in &delta.forgotten {
        schema::delete::<Position>(transaction, &row::file(*key))?;
    }
    for rule in &delta.found_gone {
        schema::delete::<FoundCount>(transaction, rule.as_str())?;
    }
    gaps(transaction, &delta.gaps, next_gap)
}

fn gaps(transaction: &Transaction<'_>, gaps: &[Gap], mut next: u64) -> rusqlite::Result<u64> {
    if gaps.is_empty() {
        return Ok(next);
    }
    for gap in gaps {
        schema::put(transaction, &row::gap(next), gap)?;
        next += 1;
    }
    let oldest = row::gap(next.saturating_sub(KEPT_GAPS));
    transaction
        .prepare_cached("DELETE FROM rows WHERE kind = ?1 AND key < ?2")?
        .execute((Gap::KIND, oldest))?;
    Ok(next)
}

fn ledger(transaction: &Transaction<'_>, delta: &LedgerDelta) -> rusqlite::Result<()> {
    let incidents = delta.incidents.iter().map(|incident| &**incident);
    put_all(transaction, incidents, |incident| row::incident(incident.id))?;
    let deliveries = delta.deliveries.iter().map(|delivery| &**delivery);
    put_all(transaction, deliveries, |delivery| row::delivery(&delivery.key))?;
    put_all(transaction, &delta.lines, |(key, _)| row::line(key))?;
    put_all(transaction, &delta.accounts, |account| row::account(&account.key))?;
    put_all(transaction, &delta.chats, |chat| chat.name.as_str().to_owned())?;
    put_all(transaction, &delta.token_gate, |_| ONLY.to_owned())?;
    put_all(transaction, &delta.digest, |_| ONLY.to_owned())?;
    put_all(transaction, &delta.notices, |notice| row::notice(&notice.key))?;
    put_all(transaction, &delta.waiting, |waiting| row::waiting(&waiting.key))?;
    put_all(transaction, &delta.below, |below| below.rule.as_str().to_owned())?;
    for key in &delta.waiting_gone {
        schema::delete::<Waiting>(transaction, &row::waiting(key))?;
    }
    for rule in &delta.below_gone {
        schema::delete::<BelowCount>(transaction, rule.as_str())?;
    }
    for id in &delta.incidents_gone {
        schema::delete::<Incident>(transaction, &row::incident(*id))?;
    }
    for key in &delta.deliveries_gone {
        schema::delete::<Delivery>(transaction, &row::delivery(key))?;
    }
    for key in &delta.lines_gone {
        schema::delete::<Line>(transaction, &row::line(key))?;
    }
    for key in &delta.accounts_gone {
        schema::delete::<LedgerRow>(transaction, &row::account(key))?;
    }
    for key in &delta.notices_gone {
        schema::delete::<NoticeRow>(transaction, &row::notice(key))?;
    }
    Ok(())
}

fn put_all<'r, R: Row + 'r>(
    transaction: &Transaction<'_>,
    rows: impl IntoIterator<Item = &'r R>,
    key: impl Fn(&R) -> String,
) -> rusqlite::Result<()> {
    rows.into_iter()
        .try_for_each(|row| schema::put(transaction, &key(row), row))
}

fn next(turn: TurnNo) -> TurnNo {
    TurnNo(turn.0 + 1)
}

fn told(fault: Fault, error: &rusqlite::Error) -> CommitError {
    match fault {
        Fault::Full => CommitError::Full,
        Fault::ReadOnly => CommitError::ReadOnly(error.to_string()),
        Fault::Damaged => CommitError::Damaged(error.to_string()),
        Fault::Busy | Fault::Io => CommitError::Io(error.to_string()),
    }
}
