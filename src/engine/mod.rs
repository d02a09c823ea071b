//! The wiring: which thread owns what, and how they are started and stopped.
//!
//! ```text
//! notify callback --hint--> [reader thread] --batches, bounded--> [ledger thread] <--requests-- lanes --> Telegram
//! sweep ---------------------^  tail, event, scan                  incidents, store  --wake-->
//!
//! rules.toml --[reload thread]--> other settings, to the reader and behind its rows to the ledger
//! other commands --control.sock--> letters to the lanes, and the herald's status
//! scrapers --HTTP, if asked for--> the herald's report, and what was counted
//! ```
//!
//! The reader blocks on files, the ledger on the disk, the lanes wait for the network: two plain threads and
//! one tokio runtime on the caller's thread. Backpressure points up the road only: a slow disk stops the
//! reader and the log file is the buffer; a slow Telegram stops nothing, incidents just count.
//!
//! [`follow`] is the short road: files in, bytes out.

mod around;
mod beside;
#[cfg(test)]
mod candidates;
mod clock;
pub mod control;
mod counts;
mod courier;
mod ends;
mod fence;
mod follow;
mod heartbeat;
mod herald;
mod http;
mod ledger;
mod messenger;
mod places;
pub mod process;
mod reader;
mod reload;
mod run;
mod shares;
pub mod status;
mod tally;

pub use fence::enclose;
pub use follow::{Follow, Viewer, follow};
pub use ledger::LedgerError;
pub use messenger::{Delivering, Messenger};
pub use reload::{Watched, last_good};
pub use run::{EngineError, Plan, Summary, run};
pub use status::Status;
