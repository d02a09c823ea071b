//! The figures of a round or of a whole campaign, and the one line that sums them up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// What was counted. Those from `lost` on must be 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Lines written.
    pub lines: u64,
    /// Those that a rule must match.
    pub matches: u64,
    /// New messages.
    pub messages: u64,
    /// Times that the process died, or ended while its calls failed.
    pub kills: u64,
    /// Those that were SIGKILL at a random moment.
    pub kills_at_random: u64,
    /// Those of them that fell between an attempt and its settlement.
    pub kills_in_flight: u64,
    /// Faults by their class.
    pub faults: BTreeMap<String, u64>,
    /// How often it ended at each of its crash points.
    #[serde(default)]
    pub points: BTreeMap<String, u64>,
    /// Requests that the server answered wrongly, late or not at all.
    #[serde(default)]
    pub answers: u64,
    /// Requests of which the program could not know whether they arrived.
    pub struck: u64,
    /// What this machine could not do.
    pub skipped: BTreeSet<String>,
    /// Lines that a rotator destroyed before they were read.
    pub destroyed: u64,
    /// Messages that came again.
    pub repeats: u64,
    /// The most memory that was resident, in KiB.
    pub memory_kib: u64,
    /// How long the slowest last canary took, in milliseconds.
    pub canary_ms: u64,
    /// I1: owed and not told.
    pub lost: u64,
    /// I1: told and not written.
    pub invented: u64,
    /// I1: sums, or newest lines, that are not right.
    pub wrong_totals: u64,
    /// I3: told, and not as they were written.
    pub torn: u64,
    /// I4: told out of order.
    pub disordered: u64,
    /// I5: came again without a word.
    pub unlabelled: u64,
    /// Rows of the ledger that do not add up, or not to what was written.
    pub ledger_errors: u64,
    /// I7: requests that broke the limits.
    pub floods: u64,
    /// I8: files that hold the token.
    pub sightings: u64,
    /// I9: samples over a bound.
    pub over_bounds: u64,
    /// I10: what nobody was told.
    pub untold: u64,
    /// Crash points that it did not come by.
    #[serde(default)]
    pub points_missed: u64,
    /// Panics in the program's log.
    pub panics: u64,
    /// Ends that were not good.
    pub bad_ends: u64,
}

impl Figures {
    /// Adds a round's.
    pub fn add(&mut self, other: &Self) {
        for (class, count) in &other.faults {
            *self.faults.entry(class.clone()).or_default() += count;
        }
        for (point, count) in &other.points {
            *self.points.entry(point.clone()).or_default() += count;
        }
        self.skipped.extend(other.skipped.iter().cloned());
        self.memory_kib = self.memory_kib.max(other.memory_kib);
        self.canary_ms = self.canary_ms.max(other.canary_ms);
        let sums = [
            (&mut self.lines, other.lines),
            (&mut self.matches, other.matches),
            (&mut self.messages, other.messages),
            (&mut self.kills, other.kills),
            (&mut self.kills_at_random, other.kills_at_random),
            (&mut self.kills_in_flight, other.kills_in_flight),
            (&mut self.answers, other.answers),
            (&mut self.points_missed, other.points_missed),
            (&mut self.struck, other.struck),
            (&mut self.destroyed, other.destroyed),
            (&mut self.repeats, other.repeats),
            (&mut self.lost, other.lost),
            (&mut self.invented, other.invented),
            (&mut self.wrong_totals, other.wrong_totals),
            (&mut self.torn, other.torn),
            (&mut self.disordered, other.disordered),
            (&mut self.unlabelled, other.unlabelled),
            (&mut self.ledger_errors, other.ledger_errors),
            (&mut self.floods, other.floods),
            (&mut self.sightings, other.sightings),
            (&mut self.over_bounds, other.over_bounds),
            (&mut self.untold, other.untold),
            (&mut self.panics, other.panics),
            (&mut self.bad_ends, other.bad_ends),
        ];
        for (sum, part) in sums {
            *sum += part;
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<_> = self
            .faults
            .iter()
            .map(|(class, count)| format!("{class} {count}"))
            .collect();
        write!(
            out,
            "lines {}, matches {}, messages {}, kills {} ({} between attempt and settle), faults {} ({}), crash points {}, \
             wrong answers {}, requests in doubt {}, repeats {}, destroyed unread {}, canary within {} ms, memory {} MiB; lost {}, invented {}, wrong \
             totals {}, torn {}, out of order {}, unlabelled repeats {}, ledger errors {}, floods {}, token sightings \
             {}, over bounds {}, untold {}, points missed {}, panics {}, bad ends {}",
            self.lines,
            self.matches,
            self.messages,
            self.kills,
            self.kills_in_flight,
            self.faults.values().sum::<u64>(),
            faults.join(" "),
            self.points.len(),
            self.answers,
            self.struck,
            self.repeats,
            self.destroyed,
            self.canary_ms,
            self.memory_kib / 1024,
            self.lost,
            self.invented,
            self.wrong_totals,
            self.torn,
            self.disordered,
            self.unlabelled,
            self.ledger_errors,
            self.floods,
            self.sightings,
            self.over_bounds,
            self.untold,
            self.points_missed,
            self.panics,
            self.bad_ends,
        )
    }
}

/// Figures, and what is wrong with them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The figures.
    pub figures: Figures,
    /// The first few things that are wrong, in words; empty when all is well.
    pub wrong: Vec<String>,
}

impl Verdict {
    /// Whether all is well.
    pub fn passes(&self) -> bool {
        self.wrong.is_empty()
    }

    /// Adds a round's; `name` leads what is wrong with it.
    pub fn add(&mut self, name: &str, other: &Self) {
        self.figures.add(&other.figures);
        self.wrong
            .extend(other.wrong.iter().map(|wrong| format!("{name}: {wrong}")));
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}: {}",
            self.figures,
            if self.passes() { "PASS" } else { "FAIL" }
        )
    }
}
