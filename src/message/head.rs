//! The head of a message: which incident, how bad, how many, since when.
//!
//! What never changes in the life of an incident stands first (rule, host, `by`), what changes after it, so
//! that a batch of lines can leave room for the changes. Every name has its bound; the sum of the bounds
//! leaves more than half of a message to the log.

use std::time::Duration;

use super::Settings;
use super::clock::{Clock, between, duration};
use super::fit;
use super::sanitise::Clean;
use super::text::TextBuilder;
use super::words::{counted, matches, thousands};
use crate::model::{Absence, By, Card, Carried, Ended, Incident, Phase, Severity, Timestamp};

/// Most UTF-16 units of a rule's or host's name, of one `by` value with its name, and of a path.
const NAME: usize = 80;
const VALUE: usize = 140;
const PATH: usize = 100;
/// So many `by` values are shown.
const VALUES: usize = 6;
/// Times closer than this, in milliseconds, are the same to a reader.
const SAME_TIME: u64 = 60_000;
/// The list of an incident's files ends at this many, so there may be more.
const MOST_FILES: usize = 8;

/// Writes heads about one incident.
pub(super) struct Head<'a> {
    settings: &'a Settings,
    card: &'a Card<'a>,
    incident: &'a Incident,
    clock: Clock,
}

impl<'a> Head<'a> {
    pub(super) fn new(settings: &'a Settings, card: &'a Card<'a>) -> Self {
        let incident = card.incident;
        Self {
            settings,
            card,
            incident,
            clock: Clock::new(&settings.zone, incident.last),
        }
    }

    /// Rule, host and `by` values: the lines that stay the same.
    pub(super) fn names(&self, out: &mut TextBuilder, lead: &str) {
        out.say(mark(self.incident))
            .say(" ")
            .say(lead)
            .code(&name(self.incident.rule.as_str(), NAME));
        out.say(" on ").code(&name(&self.settings.host, NAME));
        self.values(out);
    }

    /// How many, since when: the lines that change.
    pub(super) fn state(&self, out: &mut TextBuilder) {
        self.repeats(out);
        out.say("\n").bold(&self.sum());
        if let Some(absence) = self.incident.absent {
            return self.last_found(out, absence);
        }
        self.told_elsewhere(out);
        out.say("\n")
            .say(&self.clock.span(self.incident.first, self.incident.last));
        self.logged(out);
    }

    /// The same below a template, which may have said how many by itself.
    pub(super) fn state_below(&self, out: &mut TextBuilder, said: bool) {
        self.repeats(out);
        if !said {
            out.say("\n").say(self.mark()).say(" ").bold(&self.sum());
            self.told_elsewhere(out);
            out.say("\n")
                .say(&self.clock.span(self.incident.first, self.incident.last));
            self.logged(out);
        }
        self.carried(out);
    }

    fn told_elsewhere(&self, out: &mut TextBuilder) {
        if self.card.told_elsewhere > 0 {
            out.say(&format!(
                ", of them {} told before",
                thousands(self.card.told_elsewhere)
            ));
        }
    }

    /// What the eye sees first.
    pub(super) fn mark(&self) -> &'static str {
        mark(self.incident)
    }

    /// A time of the incident.
    pub(super) fn second(&self, at: Timestamp) -> String {
        self.clock.second(at)
    }

    /// When the records say they were written, where that says something else: they were read late, or their clock is
    /// another one.
    fn logged(&self, out: &mut TextBuilder) {
        let Some(logged) = self.incident.logged else {
            return;
        };
        let differ = |one: Timestamp, other: Timestamp| one.0.abs_diff(other.0) > SAME_TIME;
        if differ(logged.first, self.incident.first) || differ(logged.last, self.incident.last) {
            let span = self.clock.span(logged.first, logged.last);
            out.say(&format!("\nin the log {span}"));
        }
    }

    /// How long it has gone on at that time, and how many.
    pub(super) fn still(&self, out: &mut TextBuilder, at: Timestamp) {
        self.repeats(out);
        let after = between(self.incident.first, at);
        if let Some(absence) = self.incident.absent {
            let after = duration(absence.after + after);
            out.say("\n").bold(&format!("still nothing found, for {after}"));
            return self.last_found(out, absence);
        }
        let total = matches(self.incident.total);
        out.say("\n")
            .bold(&format!("still going on after {}, {total}", duration(after)));
        out.say("\n")
            .say(&self.clock.span(self.incident.first, self.incident.last));
    }

    /// How many of all matches are in the document.
    pub(super) fn attached(&self, out: &mut TextBuilder, count: u64) {
        self.repeats(out);
        let total = self.incident.total;
        let lines = if count < total {
            format!("the newest {} of {}", thousands(count), matches(total))
        } else {
            format!("all {}", matches(total))
        };
        out.say("\n").bold(&lines);
        out.say("\n")
            .say(&self.clock.span(self.incident.first, self.incident.last));
    }

    /// When what is absent was found last, if that is known.
    fn last_found(&self, out: &mut TextBuilder, absence: Absence) {
        if let Some(last) = absence.last {
            out.say(&format!("\nlast found {}", self.clock.span(last, last)));
        }
    }

    fn repeats(&self, out: &mut TextBuilder) {
        if self.card.repeat {
            out.say("\n⚠ ").bold("may repeat").say(" an earlier message");
        }
    }

    /// The files its matches stood in, at most `most` of them by name, newest last.
    pub(super) fn files(&self, out: &mut TextBuilder, most: usize) {
        let files = &self.incident.files;
        let hidden = files.len().saturating_sub(most);
        for path in &files[hidden..] {
            out.say("\n").code(&name(path, PATH));
        }
        if files.len() >= MOST_FILES && hidden > 0 {
            out.say(" and others");
        } else if hidden > 0 {
            out.say(&format!(" and {}", counted(hidden as u64, "other", "others")));
        }
    }

    /// What it tells of other incidents.
    pub(super) fn carried(&self, out: &mut TextBuilder) {
        let Some(carried) = self.card.carried else { return };
        let span = self.clock.minutes(carried.first, carried.last);
        let incidents = counted(carried.incidents, "earlier incident", "earlier incidents");
        let were = if carried.incidents == 1 { "was" } else { "were" };
        out.say(&format!(
            "\n{incidents}, {}, {span}, {were} held back",
            matches(carried.matches)
        ));
        largest(out, carried);
    }

    /// `4,812 matches`, or how it ended.
    pub(super) fn sum(&self) -> String {
        let Phase::Over { at, ended } = &self.incident.phase else {
            return self.total(Duration::ZERO);
        };
        let after = between(self.incident.first, *at);
        let over = format!("over after {}, {}", duration(after), self.total(after));
        match ended {
            Ended::Quiet => over,
            Ended::Resolved { .. } => format!("resolved: {over}"),
            Ended::RuleRemoved => format!("rule removed: {over}"),
            Ended::RuleChanged => format!("rule changed: {over}"),
        }
    }

    /// How many there were, or for how long there was nothing: that and the time since it opened.
    fn total(&self, since: Duration) -> String {
        match self.incident.absent {
            Some(absence) => format!("nothing found for {}", duration(absence.after + since)),
            None => matches(self.incident.total),
        }
    }

    fn values(&self, out: &mut TextBuilder) {
        let By(values) = &self.incident.by;
        for (at, (key, value)) in values.iter().take(VALUES).enumerate() {
            out.say(if at == 0 { "\n" } else { " " })
                .code(&name(&format!("{key}={value}"), VALUE));
        }
        if values.len() > VALUES {
            out.say(&format!(" and {} more", values.len() - VALUES));
        }
    }
}

/// The largest of the incidents that were held back; nothing for a rule without `by`, where all are alike.
fn largest(out: &mut TextBuilder, carried: &Carried) {
    let named = carried.largest.iter().filter(|(by, _)| !by.0.is_empty());
    for (at, (by, count)) in named.take(3).enumerate() {
        let values: Vec<_> = by.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
        out.say(if at == 0 { "; most in " } else { ", " })
            .code(&name(&values.join(" "), VALUE));
        out.say(" ").say(&thousands(*count));
    }
}

/// A name on one line, within its bound.
fn name(text: &str, most: usize) -> Clean {
    fit::middle(&Clean::line(text), most).text
}

/// What the eye sees first.
fn mark(incident: &Incident) -> &'static str {
    match (&incident.phase, incident.severity) {
        // Nobody knows whether it is over: only the rule is gone, or another one.
        (
            Phase::Over {
                ended: Ended::RuleRemoved | Ended::RuleChanged,
                ..
            },
            _,
        ) => "⚪",
        (Phase::Over { .. }, _) => "✅",
        (_, Severity::Critical) => "🚨",
        (_, Severity::Error) => "🔴",
        (_, Severity::Warning) => "🟡",
        (_, Severity::Info) => "🔵",
    }
}
