//! How the bytes of a log form events.
//!
//! The room answers one question: which event holds this byte of this chunk? It never walks a chunk by
//! itself; an event exists only around a hit of the scan. What an event *means* is not decided here.
//!
//! The law: **any split of the same bytes into chunks of whole lines gives the same events.** The trap:
//! whatever an answer depends on must lie inside the event's own range (plus the position of the chunk in its
//! file). A rule such as "the line before this one" needs that line in the same chunk, and only `tail` can
//! promise that, by holding bytes back.
//!
//! Doors that are open:
//! - *Formats* (docker, CRI, JSON): a variant of [`Format`] and a step that decodes a chunk into a scratch
//!   chunk of plain lines, with a table of where each line came from. The scan then runs over the scratch
//!   chunk, [`Events::around`] is asked about it as before, and the table turns its range into a raw one.
//! - *Multi-line*: a variant of [`Multiline`] that says whether a line begins an event, used by
//!   [`Events::around`] to widen its range in both directions, and by `tail` to cut chunks only where an event
//!   begins. Callers already go on from [`Event::range`]`.end` and hand the whole text to the rules.

mod around;
mod settings;

pub use around::{Event, Events, decode};
pub use settings::{Format, Multiline, Settings};
