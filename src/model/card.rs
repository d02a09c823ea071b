//! What a message is made from, and what comes of it.

use super::{Carried, Covers, Incident, KeptLine, ShapeId, Text, Timestamp};

/// Everything one message about an incident says.
#[derive(Clone, Debug)]
pub struct Card<'a> {
    /// The incident.
    pub incident: &'a Incident,
    /// Which message about it.
    pub kind: CardKind<'a>,
    /// It may have arrived before; it says so.
    pub repeat: bool,
    /// As little of the log as possible: Telegram refused all of it.
    pub short: bool,
    /// How many of the incident's matches another message told already.
    pub told_elsewhere: u64,
    /// Other incidents it tells of.
    pub carried: Option<&'a Carried>,
}

/// Which message about an incident.
#[derive(Clone, Debug)]
pub enum CardKind<'a> {
    /// The incident's own message: opening, edits and the last edit.
    Live,
    /// A short reply that shows these new shapes.
    FollowUp(Vec<ShapeId>),
    /// A short reply that says how bad it is by now, and shows these new shapes, if there are any.
    Raised(Vec<ShapeId>),
    /// A short reply that says that it still goes on.
    Reminder {
        /// When that is said.
        at: Timestamp,
    },
    /// The short reply that shows the line that resolved it.
    Resolved,
    /// The reply that brings all kept lines, as a document.
    Document,
    /// `ring = "all"`: these lines, in order; as many as fit, at least one.
    Lines {
        /// The lines, oldest first.
        lines: Vec<&'a KeptLine>,
        /// How many lines were delivered before these.
        before: u64,
        /// Matches whose lines were lost to the bound of the queue.
        dropped: u64,
    },
}

/// A finished message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// What is sent.
    pub text: Text,
    /// What it covers.
    pub covers: Covers,
    /// What comes with it; the text is its caption.
    pub document: Option<Document>,
}

/// A file that comes with a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Its name, in characters that every system takes.
    pub name: String,
    /// What stands in it.
    pub content: String,
}
