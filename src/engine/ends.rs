//! Which logs are read to their ends: what the reader tells the ledger for rules with `absent`.
//!
//! It is told when it changes and, while there are any such logs, once a second: the time of `absent` runs from word to
//! word. Without such a rule nothing is told.

use std::time::Duration;

use crate::incident;
use crate::model::{LogName, Moment};
use crate::tail::{self, Tailer};

/// How often the same is told again.
const AGAIN: Duration = Duration::from_secs(1);

/// Which logs had been read to their ends.
pub(super) struct Ends {
    /// The logs that somebody wants to know of, with their places in the settings.
    logs: Vec<(usize, LogName)>,
    told: Option<(Moment, Vec<usize>)>,
}

impl Ends {
    /// Of the logs that rules with `absent` look at.
    pub(super) fn new(tail: &tail::Settings, incidents: &incident::Settings) -> Self {
        let absent = |log: &LogName| {
            let mut rules = incidents.rules.iter().filter_map(|rule| rule.absent.as_ref());
            rules.any(|absent| absent.logs.contains(log))
        };
        let logs = tail.logs.iter().map(|log| log.name.clone()).enumerate();
        Self {
            logs: logs.filter(|(_, name)| absent(name)).collect(),
            told: None,
        }
    }

    /// What is to be told after a turn; absent if that is known.
    pub(super) fn news(&mut self, tailer: &Tailer) -> Option<(Moment, Vec<LogName>)> {
        let places: Vec<usize> = self.logs.iter().map(|(place, _)| *place).collect();
        let (at, read) = tailer.read_to_end(&places).filter(|_| !places.is_empty())?;
        let known = match &self.told {
            Some((told, before)) => *before == read && (read.is_empty() || at - *told < AGAIN),
            None => read.is_empty(),
        };
        if known {
            return None;
        }
        let names = self.logs.iter().filter(|(place, _)| read.contains(place));
        let names = names.map(|(_, name)| name.clone()).collect();
        self.told = Some((at, read));
        Some((at, names))
    }
}
