//! Text with entities, as Telegram takes it: no markup, so nothing in a log line can be markup.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

/// A text and what is special about its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The visible text.
    pub text: String,
    /// Its entities, ordered by offset, outer before inner.
    pub entities: Vec<Entity>,
    /// The link buttons below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<LinkButton>,
}

/// A button below a message that opens a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkButton {
    /// What stands on it.
    pub text: String,
    /// The page.
    pub url: String,
}

/// How much of a text goes out. What Telegram refused is sent again with less of it, down to the last form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// All of it, with its entities.
    #[default]
    Formatted,
    /// Without entities.
    Plain,
    /// Without entities, and with little of what the log said.
    Short,
}

impl Form {
    /// Whether entities are sent.
    pub fn is_plain(self) -> bool {
        self != Self::Formatted
    }

    /// The next one to try; absent: there is nothing left to leave out.
    pub fn less(self) -> Option<Self> {
        match self {
            Self::Formatted => Some(Self::Plain),
            Self::Plain => Some(Self::Short),
            Self::Short => None,
        }
    }

    /// Reads a form from a row; rows from before there were three of them say whether it is plain.
    pub(super) fn stored<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Stored {
            Form(Form),
            Plain(bool),
        }
        Ok(match Stored::deserialize(from)? {
            Stored::Form(form) => form,
            Stored::Plain(true) => Self::Plain,
            Stored::Plain(false) => Self::Formatted,
        })
    }
}

/// A part of a text that is shown in a special way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// What is special.
    #[serde(rename = "type")]
    pub kind: EntityKind,
    /// Where it begins, in UTF-16 code units.
    pub offset: usize,
    /// How long it is, in UTF-16 code units; never 0.
    pub length: usize,
    /// Where a link leads; links only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Arc<str>>,
}

/// The kinds of entity this program uses; the names are the Bot API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// Bold text; never text from a log.
    Bold,
    /// Italic text; never text from a log. This and the next four come from templates only.
    Italic,
    /// Underlined text; never text from a log.
    Underline,
    /// Text that is struck through; never text from a log.
    Strikethrough,
    /// Text that is hidden until it is tapped; does not shield.
    Spoiler,
    /// A link; never text from a log.
    TextLink,
    /// A quote; does not shield.
    Blockquote,
    /// Inline monowidth text; shields from links and mentions.
    Code,
    /// A monowidth block; shields too.
    Pre,
    /// A quote that is folded until it is tapped; does not shield, so it holds a `pre`.
    ExpandableBlockquote,
}
