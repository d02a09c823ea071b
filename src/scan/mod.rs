//! From text to matches: which rules speak of this line, and with which `by` values.
//!
//! The order of *meaning* is line by line: `ignore`, then `resolve`, then `match`, `all` and `where`, then `unless`.
//! The order of *work* is the other way round, because almost no line matters:
//!
//! 1. [`Scanner::candidate`] runs one combined search over a whole chunk and names a byte of the next line
//!    that may matter. It may be wrong about a line that does not matter; it never skips one that does.
//! 2. The caller finds the event around that byte (the `event` room's job, not ours).
//! 3. [`Scanner::judge`] decides about the event's text, exactly: as if every pattern had been tried on it
//!    alone, with Unicode on.
//!
//! The trap: step 1 sees the raw line, with its carriage return, byte order mark and everything beyond
//! `max_line`; step 3 sees the text. So step 1 may rely on nothing but "the text is a piece of the line".
//!
//! Not here: what an event is, mutes, thresholds, time. [`shape`] is the fingerprint by which matches of one
//! incident are told apart; of an event of several lines it is that of its [`outline`].

mod condition;
mod finder;
mod outline;
mod over;
mod quoted;
mod redact;
mod ruleset;
mod settings;
mod shape;
mod verdict;

pub use condition::{Condition, Field, Side, Test, no_fields};
pub use outline::outline;
pub use redact::Redactor;
pub use ruleset::{ScanError, Scanner};
pub use settings::{Decided, Pattern, PatternError, RuleSettings, Settings};
pub use shape::shape;
pub use verdict::{Finding, Says, Verdict};

#[cfg(test)]
mod law;
