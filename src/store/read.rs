//! Reading every row, and setting aside those that cannot be read.
//!
//! A row is taken only if its checksum fits and its value decodes; every other row is moved to the table
//! `damaged`, byte for byte, and told. The rest is loaded as if it had never been there: what a lost row
//! means (a position: its file is read anew; an incident: its account has matches nobody will tell) is for
//! those who read the state to say.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::damage::Damage;
use super::fault::{self, Fault};
use super::row::{self, Line, Meta, Row};
use super::schema;
use crate::model::{
    BelowCount, ChatState, Delivery, DigestRow, FoundCount, Gap, Incident, LedgerRow, LogName, NoticeRow,
    Position, State, StoreId, TokenGate, TurnNo, Waiting,
};

/// At most this many damaged rows are kept; the oldest go first.
const KEPT: u32 = 1_000;

/// What [`Store::open`](super::Store::open) needs of a file that was read.
pub(super) struct Loaded {
    pub(super) state: State,
    pub(super) next_gap: u64,
    pub(super) fresh: bool,
    pub(super) damage: Vec<Damage>,
}

/// Every row of a file, sorted into the sound and the damaged.
pub(super) struct Rows {
    /// The rows so far. Its id and turn are those of `meta`, once that is known.
    state: State,
    meta: Option<Meta>,
    next_gap: u64,
    bad: Vec<Bad>,
}

/// A damaged row, by the bytes that find it again.
struct Bad {
    kind: Vec<u8>,
    key: Vec<u8>,
    why: String,
}

/// Reads every row. Changes nothing. Fails only when the table itself cannot be read.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Rows> {
    let mut rows = Rows {
        state: State::empty(StoreId(0)),
        meta: None,
        next_gap: 0,
        bad: Vec::new(),
    };
    let mut statement = connection.prepare("SELECT kind, key, value, sum FROM rows ORDER BY kind, key")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let (kind, key) = (row.get_ref(0)?, row.get_ref(1)?);
        if let Err(why) = rows.take(kind, key, row.get_ref(2)?, row.get_ref(3)?) {
            rows.bad.push(Bad {
                kind: bytes(kind),
                key: bytes(key),
                why,
            });
        }
    }
    rows.state.lines.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(rows)
}

impl Rows {
    fn take(&mut self, kind: ValueRef, key: ValueRef, value: ValueRef, sum: ValueRef) -> Result<(), String> {
        let text = |part: ValueRef| {
            part.as_str()
                .map(str::to_owned)
                .map_err(|_| "it is no text".to_owned())
        };
        let (kind, key, value) = (text(kind)?, text(key)?, text(value)?);
        if sum.as_i64() != Ok(row::sum(&kind, &key, &value)) {
            return Err("its checksum does not fit".to_owned());
        }
        self.decode(&kind, &key, &value)
    }

    fn decode(&mut self, kind: &str, key: &str, value: &str) -> Result<(), String> {
        let state = &mut self.state;
        match kind {
            Meta::KIND => self.meta = Some(row::decode(value)?),
            Position::KIND => state.positions.push(row::decode(value)?),
            LogName::KIND => state.logs_seen.push(row::decode(value)?),
            FoundCount::KIND => state.found.push(row::decode(value)?),
            Incident::KIND => state.incidents.push(Arc::new(row::decode(value)?)),
            Delivery::KIND => state.deliveries.push(Arc::new(row::decode(value)?)),
            Line::KIND => state.lines.push(row::decode(value)?),
            LedgerRow::KIND => state.accounts.push(row::decode(value)?),
            ChatState::KIND => state.chats.push(row::decode(value)?),
            TokenGate::KIND => state.token_gate = row::decode(value)?,
            DigestRow::KIND => state.digest = row::decode(value)?,
            NoticeRow::KIND => state.notices.push(row::decode(value)?),
            Waiting::KIND => state.waiting.push(row::decode(value)?),
            BelowCount::KIND => state.below.push(row::decode(value)?),
            Gap::KIND => {
                let number = row::gap_number(key).ok_or("its key is no number")?;
                state.gaps.push(row::decode(value)?);
                self.next_gap = self.next_gap.max(number + 1);
            }
            _ => return Err("this program knows no such kind".to_owned()),
        }
        Ok(())
    }

    /// The sound rows. `spare` is the store's id if its own is lost.
    pub(super) fn state(self, spare: StoreId) -> State {
        let (store, turn) = self
            .meta
            .map_or((spare, TurnNo::default()), |meta| (meta.store, meta.turn));
        State {
            store,
            turn,
            ..self.state
        }
    }

    /// Moves the damaged rows away and writes the store's row about itself if it was among them. On a full
    /// disk both wait for the next start: the rows are left out and told all the same.
    pub(super) fn settle(mut self, connection: &mut Connection, spare: StoreId) -> rusqlite::Result<Loaded> {
        let bad = std::mem::take(&mut self.bad);
        let lost = self.meta.is_none();
        let next_gap = self.next_gap;
        let state = self.state(spare);
        let meta = Meta {
            store: state.store,
            turn: state.turn,
            schema: schema::SCHEMA,
        };
        if lost || !bad.is_empty() {
            match clear(connection, &bad, meta) {
                Err(error) if fault::sort(&error) == Fault::Full => {}
                other => other?,
            }
        }
        let mut damage: Vec<Damage> = bad.into_iter().map(Bad::told).collect();
        if lost && damage.is_empty() {
            damage.push(gone());
        }
        Ok(Loaded {
            state,
            next_gap,
            fresh: false,
            damage,
        })
    }
}

/// A store without its row about itself: nothing to set aside, but not to be passed over either.
fn gone() -> Damage {
    Damage::Row {
        kind: Meta::KIND.to_owned(),
        key: String::new(),
        why: "it is gone".to_owned(),
    }
}

impl Bad {
    fn told(self) -> Damage {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Damage::Row {
            kind: text(self.kind),
            key: text(self.key),
            why: self.why,
        }
    }
}

fn clear(connection: &mut Connection, bad: &[Bad], meta: Meta) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for row in bad {
        move_away(&transaction, row)?;
    }
    transaction.execute(
        "DELETE FROM damaged WHERE id <= (SELECT max(id) FROM damaged) - ?1",
        [KEPT],
    )?;
    schema::put_meta(&transaction, meta)?;
    transaction.pragma_update(None, "user_version", schema::SCHEMA)?;
    transaction.commit()
}

/// The casts let bytes that are no text find themselves again.
fn move_away(transaction: &Transaction<'_>, row: &Bad) -> rusqlite::Result<()> {
    const THIS: &str = "FROM rows WHERE kind = CAST(?1 AS TEXT) AND key = CAST(?2 AS TEXT)";
    let copy =
        format!("INSERT INTO damaged (kind, key, value, sum, why) SELECT kind, key, value, sum, ?3 {THIS}");
    transaction.execute(&copy, (&row.kind, &row.key, &row.why))?;
    match transaction.execute(&format!("DELETE {THIS}"), (&row.kind, &row.key))? {
        1 => Ok(()),
        // A row that was read and cannot be found: the order of the tree is broken.
        _ => Err(rusqlite::Error::QueryReturnedNoRows),
    }
}

fn bytes(value: ValueRef) -> Vec<u8> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
        _ => Vec::new(),
    }
}
