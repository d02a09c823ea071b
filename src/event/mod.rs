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
//! Formats that wrap lines (docker, CRI) are decoded first: [`Events::lines`] makes a scratch chunk of plain
//! lines, with a table of where each came from. The scan runs over these, and [`Lines::around`] turns places in
//! them into places in the chunk. A program's line may come in several pieces; `Settings`, as
//! [`Joints`](crate::model::Joints), tells `tail` up to where nothing is open, and `tail` holds the rest back.
//!
//! Lines of that kind that cannot matter need not be decoded: [`Events::candidates`] has them searched as they stand first
//! (`sift.rs`).
//!
//! What a file is, where rules.toml leaves that open, its path and its first lines tell (`recognise.rs`); `tail` asks
//! for it through [`Joints`](crate::model::Joints) and carries the answer, a [`Manner`](crate::model::Manner), along.
//! Lines in other encodings than UTF-8 are decoded like wrapped ones.
//!
//! In JSON and logfmt the line is the text; what it says field by field ([`Fields`]) is read only of events that
//! somebody asks about.
//!
//! An event may have several lines: `multiline` says how they are put together.

mod around;
mod cri;
mod docker;
mod encoding;
mod fields;
mod level;
mod lines;
mod multiline;
mod place;
mod recognise;
mod settings;
mod sift;
mod time;
mod wrapped;

pub(in crate::event) use around::plain_head;
pub use around::{Event, Events, decode};
pub use encoding::Encoding;
pub use fields::Fields;
pub use lines::{Lines, Placed, sample};
pub use multiline::{Language, LinePattern, Multiline};
pub use place::Place;
pub use settings::Settings;
pub use sift::Search;
pub use time::Reference;
pub use wrapped::Scratch;

pub use crate::model::Format;
