//! Which lines form one event.
//!
//! **The design.** Whether a line goes on with the event above it is decided from the line and the little that is
//! remembered of that event ([`State`]), never from what comes behind. So an event's end is a function of the bytes
//! from its beginning on, and of what the first lines of the file taught ([`Habit`]), which are bytes of the file
//! too: any split into chunks, and any restart, finds the same events. No chunk is walked for that. Where a hit is,
//! [`Borders`] goes *back* to the nearest line that begins an event whatever stands above it ([`Joiner::is_sure`]:
//! a record's head, or a line that follows enough lines that have nothing to do with traces), and from there
//! *forward*, event by event, to the one with the hit. Chunks begin at a border, for `tail` hands out no more than
//! [`Borders::whole`] allows: that is the same walk, back from the chunk's end, and what is left over is the last
//! event, which may still grow. It waits for its log's `flush`; a rotation, a deletion and the end of a single pass
//! end it, as does its size: with the line with which it reaches `max_line` it is full, cut and marked, and what
//! follows begins another event, which is marked as a continuation because its first line can be nothing else. The
//! stored position is the first byte that was not handed out, so an event that waits is read again after a crash.
//! Formats that wrap lines (docker, CRI) ask the same [`Joiner`] about each decoded line, stream by stream.

mod borders;
mod decoded;
mod head;
mod joiner;
mod learn;
mod trace;

pub(super) use borders::{Borders, End};
pub(super) use decoded::{Decoded, Gather, REACH, Record, Slot};
pub(super) use joiner::Joiner;
pub(super) use learn::{SAMPLE, learn};

/// How lines form events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Multiline {
    /// Every line is an event.
    #[default]
    Off,
    /// Learned from the first lines of each file, and traces of all languages.
    Auto,
    /// Traces of one language, below the record they belong to.
    Language(Language),
    /// Lines that match begin events.
    Start(LinePattern),
    /// Lines that match go on with the event above.
    Continue(LinePattern),
}

/// Whose stack traces are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Python.
    Python,
    /// Java and all that runs on its machine; Kotlin.
    Java,
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// JavaScript on Node.js.
    Node,
    /// Ruby.
    Ruby,
    /// PHP.
    Php,
    /// C# and all that runs on .NET or Mono.
    Dotnet,
}

impl Language {
    /// All of them, with the names they have in rules.toml.
    pub const ALL: [(&'static str, Self); 8] = [
        ("python", Self::Python),
        ("java", Self::Java),
        ("go", Self::Go),
        ("rust", Self::Rust),
        ("node", Self::Node),
        ("ruby", Self::Ruby),
        ("php", Self::Php),
        ("dotnet", Self::Dotnet),
    ];
}

/// A pattern that is asked about single lines.
#[derive(Clone, Debug)]
pub struct LinePattern(regex::bytes::Regex);

impl LinePattern {
    /// Asks about lines without their newlines.
    pub fn new(regex: regex::bytes::Regex) -> Self {
        Self(regex)
    }

    fn matches(&self, line: &[u8]) -> bool {
        self.0.is_match(line)
    }
}

impl PartialEq for LinePattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for LinePattern {}

#[cfg(test)]
mod tests;
