//! `absent`: a rule whose matches are signs of life, and which opens when none was found for so long.
//!
//! Its time runs only while its logs are read to their ends: what was not read yet may hold a sign, so a backlog is
//! read first, and a log of which nothing can be seen (no file, one that cannot be read) proves nothing. That is what
//! [`Incidents::read_to_end`] hears from the reader, about once a second. After a start the time begins anew, and so it
//! does with every sign of life.
//!
//! The opening is one match, made here. Signs of life are found and never matched, so no account knows of them; the
//! next one ends the incident, and nothing else of its own does.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Absence, By, Ended, Found, LogName, Moment, Now, RuleName, SAMPLE_CHARS, Timestamp};

use super::incidents::Incidents;
use super::settings::{Absent, RuleSettings};

/// Between two words of the reader at most so much counts: if more passed, it was held up and read nothing.
const STEP: Duration = Duration::from_secs(10);

/// What is known of one rule's signs of life.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    /// How much of its time has run since the last one.
    lived: Duration,
    /// Until when its logs are known to have been read to their ends; absent while they are not.
    read: Option<Moment>,
    /// When the last sign was read; absent before the first of this run.
    last: Option<Timestamp>,
}

/// The watches of the rules of now; those that go on keep the time that passed.
pub(super) fn watches<'r>(
    rules: impl Iterator<Item = &'r RuleSettings>,
    before: &BTreeMap<RuleName, Watch>,
) -> BTreeMap<RuleName, Watch> {
    let absent = rules.filter(|rule| rule.absent.is_some());
    absent
        .map(|rule| {
            let known = before.get(&rule.name).copied().unwrap_or_default();
            (rule.name.clone(), known)
        })
        .collect()
}

impl Incidents {
    /// Exactly these logs had been read to their ends at `at`, with everything found in them applied. Returns whether an
    /// incident opened.
    pub fn read_to_end(&mut self, logs: &[LogName], at: Moment, now: Now) -> bool {
        let rules: Vec<RuleName> = self.watches.keys().cloned().collect();
        let mut opened = false;
        for name in rules {
            let (Some(rule), Some(watch)) = (self.rules.get(&name).cloned(), self.watches.get_mut(&name))
            else {
                continue;
            };
            let Some(Absent { after, logs: own }) = &rule.absent else {
                continue;
            };
            let all = own.iter().all(|log| logs.contains(log));
            let before = watch.read;
            watch.read = all.then(|| before.map_or(at, |before| before.max(at)));
            let step = before.map_or(Duration::ZERO, |before| at - before);
            if all && step <= STEP {
                watch.lived += step;
            }
            let due = all && watch.lived >= *after;
            if due && !self.grouper.is_open(&name, &By::default()) {
                let absence = Absence {
                    after: *after,
                    last: watch.last,
                };
                self.open_absence(&rule, absence, now);
                opened = true;
            }
        }
        opened
    }

    /// Takes what a rule with `absent` found: its time begins anew, and what is open is over.
    pub(super) fn sign_of_life(&mut self, found: &Found, now: Now) {
        let Some(watch) = self.watches.get_mut(&found.rule) else {
            return;
        };
        watch.lived = Duration::ZERO;
        watch.last = Some(found.last);
        // What was read until now has nothing to do with the time that begins.
        watch.read = watch.read.map(|read| read.max(now.moment));
        let Some(open) = self.grouper.open(&found.rule, &By::default()) else {
            return;
        };
        let text = found.lines.back().map_or("", |line| &line.text);
        let line = text.chars().take(SAMPLE_CHARS).collect();
        self.grouper
            .end(&mut self.rows, open, Ended::Resolved { line }, now);
    }

    /// The opening is one match, which stands in no file.
    fn open_absence(&mut self, rule: &RuleSettings, absence: Absence, now: Now) {
        let nothing = Found {
            rule: rule.name.clone(),
            by: By::default(),
            count: 1,
            first: now.wall,
            last: now.wall,
            logged: None,
            values: crate::model::Values::new(),
            context: None,
            shapes: Vec::new(),
            other: 1,
            lines: [].into(),
            kept: 0,
            files: Vec::new(),
        };
        self.grouper
            .found(&mut self.rows, rule, &nothing, now, &mut self.draw);
        let open = self.grouper.open(&rule.name, &By::default());
        if let Some(incident) = open.and_then(|open| self.rows.incident_mut(open)) {
            incident.absent = Some(absence);
        }
    }
}
