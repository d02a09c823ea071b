//! Matches become incidents, and incidents become things to say. Pure: matches, time and outcomes go in,
//! decisions with their reasons come out. No I/O, no clock; chance only for ids, from a generator that is
//! handed in.
//!
//! The door is [`Incidents`]. Behind it, `grouper` grows incidents from rows, `policy` decides what a chat
//! is owed, `delivery` begins requests, `booking` settles their outcomes, `chat` hears what they say of the chat,
//! `letter` is what somebody sends by hand, `notices` what the program says about itself, `outage` the times without Telegram, `digest` what a day was like, `fold` sums up what
//! has to wait, `removed` forgets accounts, `threshold` lets found events wait for `at_least`, `absence` waits for signs of life, `takeover` mends what a start finds and what another
//! rules.toml changes (`fit` its queues and timers), and `rows` remembers which rows
//! the next commit must write.
//!
//! The trap: a count that moves without its row being marked as changed is lost by the next crash. So rows
//! are reached for change only through the `*_mut` methods of `rows::Rows`, which mark them.

mod absence;
mod booking;
mod chat;
mod delivery;
mod digest;
mod fit;
mod fold;
mod grouper;
mod incidents;
#[cfg(test)]
mod laws;
mod letter;
mod limit;
mod notices;
mod outage;
mod policy;
mod removed;
mod retention;
mod rows;
mod settings;
mod silence;
mod takeover;
mod threshold;

pub use booking::Settled;
pub use delivery::{Order, OrderCall, Subject};
pub use digest::DigestSettings;
pub use incidents::{Asked, Incidents, LedgerLine, Render};
pub use letter::Way;
pub use policy::{Class, HoldReason, SendReason};
pub use settings::{Absent, Around, AtLeast, Ring, RuleSettings, Settings};
pub use silence::SilentHours;
