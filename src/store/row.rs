//! What a row of the table is: kind, key, value, checksum.
//!
//! Names go to disk, never positions: the kind is a word, the key is made of names and ids, the value is
//! JSON with named fields inside an envelope that carries a version. Not for: SQL, which is in
//! [`commit`](super::commit) and [`read`](super::read).
//!
//! The trap: a kind's word, a key's text and the checksum are a file format. Changing any of them makes
//! every stored row of the kind look damaged.

use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::model::{
    AccountKey, BelowCount, By, ChatState, Delivery, DeliveryKey, DigestRow, FileKey, FoundCount, Gap,
    Incident, IncidentId, KeptLine, LedgerRow, LineKey, LogName, NoticeKey, NoticeRow, Position, StoreId,
    TokenGate, TurnNo, Waiting, WaitingKey,
};

/// The version in every value this program writes. A change of a row type that old rows do not fit raises
/// it, and [`decode`] learns to lift the old ones.
pub(super) const VERSION: u32 = 1;

/// Something that is stored as one row.
pub(super) trait Row: Serialize + DeserializeOwned {
    /// The word for it on disk.
    const KIND: &'static str;
}

macro_rules! kinds {
    ($($type:ty = $kind:literal),* $(,)?) => {
        $(impl Row for $type { const KIND: &'static str = $kind; })*

        /// Every kind, for the tests that fill a store.
        #[cfg(test)]
        pub(super) const KINDS: &[&str] = &[$($kind),*];
    };
}

kinds! {
    Meta = "meta",
    Position = "position",
    LogName = "log",
    FoundCount = "found",
    Gap = "gap",
    Incident = "incident",
    Delivery = "delivery",
    Line = "line",
    LedgerRow = "account",
    ChatState = "chat",
    TokenGate = "token_gate",
    DigestRow = "digest",
    NoticeRow = "notice",
    Waiting = "waiting",
    BelowCount = "below",
}

/// A queued line; the key is in the value too, since the text of a key is not parsed back.
pub(super) type Line = (LineKey, KeptLine);

/// What a store knows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    /// Its id.
    pub(super) store: StoreId,
    /// Its last turn. Written with every commit.
    pub(super) turn: TurnNo,
    /// The schema, once more: `user_version` has no checksum, and one flipped bit in it would otherwise
    /// pass for a newer program's store.
    pub(super) schema: i32,
}

/// The key of a kind that has one row only.
pub(super) const ONLY: &str = "";

/// The key of something that one id names.
pub(super) fn file(key: FileKey) -> String {
    key.to_string()
}

/// The key of an incident.
pub(super) fn incident(id: IncidentId) -> String {
    id.to_string()
}

/// The key of a delivery. Ids have one length, so what follows the blank is the whole name.
pub(super) fn delivery(key: &DeliveryKey) -> String {
    format!("{} {}", key.incident, key.chat)
}

/// The key of a queued line. The number has one length too, so the text sorts as the queue does.
pub(super) fn line(key: &LineKey) -> String {
    format!("{} {:020} {}", key.delivery.incident, key.seq, key.delivery.chat)
}

/// The key of an account. The length of the first name keeps "a b" + "c" and "a" + "b c" apart.
pub(super) fn account(key: &AccountKey) -> String {
    format!("{} {} {}", key.rule.as_str().len(), key.rule, key.chat)
}

/// The key of a window. The lengths keep the names and values apart, as in [`account`].
pub(super) fn waiting(key: &WaitingKey) -> String {
    let WaitingKey { rule, by: By(values) } = key;
    let mut text = format!("{} {rule}", rule.as_str().len());
    for (name, value) in &**values {
        // A `String` takes everything.
        let _ = write!(text, " {} {name} {} {value}", name.len(), value.len());
    }
    text
}

/// The key of a row of notices. No kind's word has a blank, so what follows it is the whole name.
pub(super) fn notice(key: &NoticeKey) -> String {
    format!("{} {}", key.kind.word(), key.chat)
}

/// The key of a gap: gaps have no name, only an order.
pub(super) fn gap(number: u64) -> String {
    format!("{number:020}")
}

/// The number in the key of a gap.
pub(super) fn gap_number(key: &str) -> Option<u64> {
    key.parse().ok()
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    v: u32,
    row: T,
}

/// Only the version, so that a value of another shape can still say which one it is.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// The value of a row. Fails only for a type whose `Serialize` fails, which none of ours does.
pub(super) fn encode<R: Row>(row: &R) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Envelope { v: VERSION, row })
}

/// The row in a value, or what is wrong with it.
pub(super) fn decode<R: Row>(value: &str) -> Result<R, String> {
    let Version { v } = serde_json::from_str(value).map_err(|error| error.to_string())?;
    if v != VERSION {
        return Err(format!("its version is {v}, this program reads {VERSION}"));
    }
    serde_json::from_str::<Envelope<R>>(value)
        .map(|envelope| envelope.row)
        .map_err(|error| error.to_string())
}

/// The checksum of a row. Lengths are part of it, so bytes cannot move from the key into the value. Signed
/// only because `SQLite`'s integers are.
pub(super) fn sum(kind: &str, key: &str, value: &str) -> i64 {
    let mut hash = Xxh3::new();
    for part in [kind, key, value] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.digest().cast_signed()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::model::{ChatName, RuleName};

    proptest! {
        #[test]
        fn two_accounts_never_share_a_key(
            a in "[ab0-9 ]{0,6}", b in "[ab0-9 ]{0,6}", c in "[ab0-9 ]{0,6}", d in "[ab0-9 ]{0,6}",
        ) {
            let key = |rule: &str, chat: &str| {
                account(&AccountKey { rule: RuleName::new(rule), chat: ChatName::new(chat) })
            };
            prop_assert_eq!(key(&a, &b) == key(&c, &d), (a, b) == (c, d));
        }

        #[test]
        fn a_changed_byte_changes_the_sum(kind in ".{1,8}", key in ".{0,8}", value in ".{1,40}") {
            prop_assert_ne!(sum(&kind, &key, &value), sum(&kind, &key, &format!("{value}x")));
            prop_assert_ne!(sum(&kind, &key, &value), sum(&key, &kind, &format!("{value} ")));
        }
    }

    #[test]
    fn windows_of_other_values_never_share_a_key() {
        let key = |values: &[(&str, &str)]| {
            let pairs = values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            waiting(&WaitingKey {
                rule: RuleName::new("r"),
                by: pairs.collect(),
            })
        };
        assert_ne!(key(&[("a", "b 1 c 1 d")]), key(&[("a", "b"), ("c", "d")]));
        assert_ne!(key(&[("a", "")]), key(&[]));
    }

    /// Rows once said only whether the next text was plain.
    #[test]
    fn rows_from_before_there_were_three_forms_are_read() {
        use crate::model::{Form, NoticeKey, NoticeKind, NoticeRow, Now};
        let key = NoticeKey {
            chat: ChatName::new("ops"),
            kind: NoticeKind::Files,
        };
        let row = NoticeRow::new(key, Now::default());
        let new = encode(&row).unwrap();
        for (stored, form) in [("false", Form::Formatted), ("true", Form::Plain)] {
            let old = new.replace(r#""form":"formatted""#, &format!(r#""plain":{stored}"#));
            assert_ne!(old, new);
            assert_eq!(
                decode::<NoticeRow>(&old).unwrap(),
                NoticeRow { form, ..row.clone() }
            );
        }
        let older = new.replace(r#""form":"formatted","#, "");
        assert_eq!(decode::<NoticeRow>(&older).unwrap(), row);
    }

    #[test]
    fn a_value_of_another_version_says_so() {
        let why = decode::<LogName>(r#"{"v":7,"row":{"shape":"unknown"}}"#).unwrap_err();
        assert!(why.contains("version is 7"), "{why}");
    }

    #[test]
    fn kinds_are_told_apart() {
        let mut kinds = KINDS.to_vec();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), KINDS.len());
    }
}
