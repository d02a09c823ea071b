//! Rows: what crosses from the reader to the ledger.
//!
//! The reader folds the matches of a turn into a few rows, so a storm crosses as a handful of values and
//! never as a message per match. Rows are plain values; nothing in them points into this process.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{By, FileKey, Logged, RuleName, Timestamp, Values};

/// At most this many lines are kept per incident.
pub const KEPT_LINES: usize = 200;
/// At most this many bytes of lines are kept per incident.
pub const KEPT_BYTES: usize = 64 * 1024;
/// At most this many bytes of one line are kept; the rest of a longer line is cut and the line marked.
pub const KEPT_TEXT: usize = 16 * 1024;
/// At most this many bytes of lines wait per rule and chat for `ring = "all"`, and per row.
pub const QUEUE_BYTES: usize = 8 * 1024 * 1024;
/// At most this many shapes are told apart per incident; later ones are `other`.
pub const KEPT_SHAPES: usize = 200;
/// At most this many characters of a shape's sample are kept.
pub const SAMPLE_CHARS: usize = 300;

/// Where a line stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The generation of the file.
    pub file: FileKey,
    /// The offset of the line's first byte in it.
    pub offset: u64,
}

/// The fingerprint of a match: a hash of its text with numbers, ids, addresses, quoted strings and paths
/// blanked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShapeId(pub u64);

/// The text of one match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptLine {
    /// Where it stood.
    pub origin: Origin,
    /// The path of its file when it was read.
    pub path: Arc<str>,
    /// When it was read.
    pub at: Timestamp,
    /// Which match of its row (later: of its incident) it is, counted from 1.
    pub nth: u64,
    /// Its shape.
    pub shape: ShapeId,
    /// The text, decoded; at most [`KEPT_TEXT`] bytes.
    pub text: String,
    /// Whether text is missing at the end (`max_line`, or [`KEPT_TEXT`]).
    pub cut: bool,
}

/// How often a shape was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShapeCount {
    /// The shape.
    pub id: ShapeId,
    /// The first text that had it; at most [`SAMPLE_CHARS`] characters.
    pub sample: String,
    /// Which match of the row (later: of the incident) that text was, counted from 1.
    pub nth: u64,
    /// How many matches had it.
    pub count: u64,
    /// When it was last seen; "newest last" sorts by it.
    pub last: Timestamp,
}

/// The lines around a match, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// Which match.
    pub origin: Origin,
    /// The lines before it, in order.
    pub before: Vec<String>,
    /// Those behind it, as far as they are known.
    pub after: Vec<String>,
}

/// All matches of one rule with the same `by` values in one turn, between two resolves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The rule that matched.
    pub rule: RuleName,
    /// The values of the rule's `by`.
    pub by: By,
    /// How many matches.
    pub count: u64,
    /// When the first was read.
    pub first: Timestamp,
    /// When the last was read.
    pub last: Timestamp,
    /// When they say they were written; absent if none says it.
    #[serde(default)]
    pub logged: Option<Logged>,
    /// The shapes in order of first appearance; their counts and `other` add up to `count`.
    pub shapes: Vec<ShapeCount>,
    /// Matches whose shape had no place among [`KEPT_SHAPES`].
    pub other: u64,
    /// The newest lines, in order. For a rule with `ring = "all"` every line up to [`QUEUE_BYTES`], the oldest
    /// first; what is missing is `count` less their number.
    pub lines: VecDeque<KeptLine>,
    /// The bytes of `lines`.
    pub kept: usize,
    /// The files the matches stood in, newest last; at most eight: their paths, of a known container's log its name.
    pub files: Vec<Arc<str>>,
    /// What the newest match says by name; only names that the rule asks for.
    #[serde(default)]
    pub values: Values,
    /// What stands around the newest match; absent where the rule does not ask for it.
    #[serde(default)]
    pub context: Option<Context>,
}

/// A line that ends open incidents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolve {
    /// The rule whose `resolve` matched.
    pub rule: RuleName,
    /// The `by` values that the line has, in the order of the rule's `by`; a missing one agrees with all.
    pub by: Vec<Option<String>>,
    /// When it was read.
    pub at: Timestamp,
    /// The line.
    pub text: String,
}

/// One row. Rows of a turn keep the order of their first match; a resolve seals the rows before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Row {
    /// Matches.
    Found(Found),
    /// An end.
    Resolve(Resolve),
    /// More is known of the lines around a match.
    Context {
        /// The rule that matched.
        rule: RuleName,
        /// The values of its `by`.
        by: By,
        /// All that is known now.
        context: Context,
    },
}
