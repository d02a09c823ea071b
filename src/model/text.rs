//! Text with entities, as Telegram takes it: no markup, so nothing in a log line can be markup.

use serde::{Deserialize, Serialize};

/// A text and what is special about its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The visible text.
    pub text: String,
    /// Its entities, ordered by offset, outer before inner.
    pub entities: Vec<Entity>,
}

/// A part of a text that is shown in a special way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// What is special.
    #[serde(rename = "type")]
    pub kind: EntityKind,
    /// Where it begins, in UTF-16 code units.
    pub offset: usize,
    /// How long it is, in UTF-16 code units; never 0.
    pub length: usize,
}

/// The kinds of entity this program uses; the names are the Bot API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// Bold text; never text from a log.
    Bold,
    /// Inline monowidth text; shields from links and mentions.
    Code,
    /// A monowidth block; shields too.
    Pre,
    /// A quote that is folded until it is tapped; does not shield, so it holds a `pre`.
    ExpandableBlockquote,
}
