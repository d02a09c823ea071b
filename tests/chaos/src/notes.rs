//! What the driver did to the program, on disk: the checker counts from here.

use serde::{Deserialize, Serialize};

/// One thing that was done, or noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// The round as it was planned.
    Round {
        /// Its theme.
        theme: String,
        /// Its seed.
        seed: u64,
        /// Whether Telegram's limits are in force on both sides.
        polite: bool,
        /// Whether many more persons are told of one rule.
        #[serde(default)]
        chorus: bool,
    },
    /// A fault was injected.
    Fault {
        /// K1, K2, …
        class: String,
        /// In words.
        what: String,
    },
    /// The process died, or ended while its calls failed.
    Death {
        /// Whether it was SIGKILL at a time of the rig's choosing.
        random: bool,
        /// How many new messages were between their attempt and their settlement, seen from the wire.
        in_flight: u64,
    },
    /// It was to end at a crash point.
    Point {
        /// The point's name.
        point: String,
        /// Whether it came there.
        reached: bool,
    },
    /// A request for a new message was struck on the wire after it was written.
    Struck {
        /// How.
        harm: String,
    },
    /// The process ended when it was asked to, with this status.
    Ended {
        /// Its exit code; absent: a signal.
        code: Option<i32>,
        /// How many new messages were on the wire when it ended: those that were not answered within its patience.
        #[serde(default)]
        in_flight: u64,
        /// How long it took to end, in milliseconds.
        #[serde(default)]
        took: u64,
    },
    /// A sample of what the process held.
    Sample {
        /// The most memory that was ever resident, in KiB.
        memory_kib: u64,
        /// Open descriptors.
        descriptors: u64,
        /// Files it could be following.
        files: u64,
        /// Threads.
        threads: u64,
    },
    /// rules.toml was edited while it ran, and names this host from now on.
    Edited {
        /// The host.
        host: String,
    },
    /// What this machine cannot do.
    Skipped {
        /// The class.
        class: String,
        /// Why.
        why: String,
    },
    /// All faults are over; a canary was written.
    Calm {
        /// When, Unix milliseconds.
        at: u64,
    },
}
