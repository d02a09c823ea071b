//! What the program says of itself: the part of `status --json` that a checker needs.

use serde::Deserialize;

use crate::line::Rule;

/// `status --json`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Status {
    /// The logs.
    pub logs: Vec<Log>,
    /// The account of every match.
    pub ledger: Vec<Account>,
    /// What was destroyed unread.
    pub gaps: Vec<Gap>,
}

/// A log and its files.
#[derive(Clone, Debug, Deserialize)]
pub struct Log {
    /// Its files.
    pub files: Vec<LogFile>,
}

/// A file of a log.
#[derive(Clone, Debug, Deserialize)]
pub struct LogFile {
    /// How many bytes are not read.
    pub lag_bytes: u64,
    /// How many are.
    pub offset: u64,
}

/// A row of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// The rule.
    pub rule: String,
    /// The chat.
    pub chat: String,
    /// All matches.
    pub matched: u64,
    /// Told by their text.
    pub shown: u64,
    /// Told by their number.
    pub counted: u64,
    /// Covered by a mute.
    pub muted: u64,
    /// Refused for good.
    pub failed: u64,
    /// The others.
    pub pending: u64,
}

/// Bytes that were destroyed unread.
#[derive(Clone, Debug, Deserialize)]
pub struct Gap {
    /// Of which file.
    pub path: String,
}

impl Status {
    /// How many files it read something of.
    pub fn followed(&self) -> usize {
        let files = self.logs.iter().flat_map(|log| &log.files);
        files.filter(|file| file.offset > 0).count()
    }

    /// How far it has come: it grows with what is read and with what is told, as long as something is owed. Canaries
    /// do not count, since somebody goes on writing them.
    pub fn progress(&self) -> u64 {
        let owed = self.ledger.iter().filter(|row| row.rule != Rule::Canary.name());
        owed.map(|row| 2 * row.matched - row.pending).sum()
    }

    /// Whether it thinks that all is read and told.
    pub fn owes_nothing(&self) -> bool {
        let mut files = self.logs.iter().flat_map(|log| &log.files);
        files.all(|file| file.lag_bytes == 0) && self.ledger.iter().all(|row| row.pending == 0)
    }
}
