//! An incident: the open group of a rule's matches with the same `by` values.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Context, IncidentId, KeptLine, Logged, Now, RuleName, Severity, ShapeCount, Timer, Timestamp};

/// The `by` values of an incident, as (name, value), in the order of the rule's `by`. Shared: an incident's values are
/// also its key among the open ones, and stand in every status.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct By(pub Arc<Vec<(String, String)>>);

impl FromIterator<(String, String)> for By {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(values: I) -> Self {
        Self(Arc::new(values.into_iter().collect()))
    }
}

impl By {
    /// The values that the incident for "all further values" has once a rule is at its bound of open
    /// incidents.
    pub fn others(names: &[String]) -> Self {
        let others = names.iter().map(|name| (name.clone(), "others".to_owned()));
        others.collect()
    }

    /// Whether a line that resolves, with these values, means this incident; a missing value agrees with
    /// all.
    pub fn agrees(&self, values: &[Option<String>]) -> bool {
        self.0
            .iter()
            .zip(values)
            .all(|((_, mine), theirs)| theirs.as_ref().is_none_or(|theirs| theirs == mine))
    }
}

/// What a match says by name, for the texts and links of rules.toml that ask for it: captures, fields, `file`, `log`.
pub type Values = BTreeMap<String, String>;

/// Where an incident is in its life. It passes each phase once, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The first burst is gathered; everything in it belongs to the opening.
    Gathering {
        /// `wait` after the first match.
        until: Timer,
    },
    /// It goes on.
    Open,
    /// It ended.
    Over {
        /// When.
        at: Timestamp,
        /// How.
        ended: Ended,
    },
}

/// How an incident ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// Nothing matched for `quiet`.
    Quiet,
    /// A line matched the rule's `resolve`.
    Resolved {
        /// That line.
        line: String,
    },
    /// The rule left rules.toml, or the chat that is told did.
    RuleRemoved,
    /// The rule says something else now: other `by` values, other chats.
    RuleChanged,
}

/// One incident. One life: opened, ended and counted once, whatever the number of chats that hear of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its random id.
    pub id: IncidentId,
    /// The rule that opened it.
    pub rule: RuleName,
    /// The `by` values that tell it from the rule's other incidents.
    pub by: By,
    /// The severity of the rule.
    pub severity: Severity,
    /// Where it is in its life.
    pub phase: Phase,
    /// Fires when nothing matched for `quiet`; started again by every match.
    pub quiet: Timer,
    /// When the first match was read.
    pub first: Timestamp,
    /// When the last match was read.
    pub last: Timestamp,
    /// When its matches say they were written; absent if none says it.
    #[serde(default)]
    pub logged: Option<Logged>,
    /// How many matches it has. Only grows.
    pub total: u64,
    /// Its shapes in order of first appearance; counts and `other` add up to `total`.
    pub shapes: Vec<ShapeCount>,
    /// Matches whose shape had no place among the kept ones.
    pub other: u64,
    /// The newest lines, oldest first; bounded by [`KEPT_LINES`](super::KEPT_LINES) and
    /// [`KEPT_BYTES`](super::KEPT_BYTES), and never empty, but where something is absent.
    pub lines: VecDeque<KeptLine>,
    /// The files its matches stood in, newest last; at most eight: their paths, of a known container's log its name.
    pub files: Vec<Arc<str>>,
    /// What is missing, where that is what it is about: then its one match stands in no file, and only what is found
    /// ends it.
    #[serde(default)]
    pub absent: Option<Absence>,
    /// What its newest match says by name; only names that the rule asks for.
    #[serde(default)]
    pub values: Values,
    /// What stands around its newest match, where the rule asks for that and it is known.
    #[serde(default)]
    pub context: Option<Context>,
    /// When this row was last written; what its timers are resumed with.
    pub saved: Now,
}

/// Nothing was found for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// For how long, when the incident opened.
    #[serde(with = "super::time::duration_ms")]
    pub after: Duration,
    /// When something was found last; absent if that was before the run that opened it.
    pub last: Option<Timestamp>,
}

impl Incident {
    /// Whether it ended.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over { .. })
    }

    /// When it is over if nothing matches; absent where that is no end.
    pub fn quiet_until(&self) -> Option<Timer> {
        (!self.is_over() && self.absent.is_none()).then_some(self.quiet)
    }

    /// Turns the timers of a stored row into timers of this process.
    pub fn resume(&mut self, now: Now) {
        self.quiet = self.quiet.resume(self.saved, now);
        if let Phase::Gathering { until } = &mut self.phase {
            *until = until.resume(self.saved, now);
        }
        self.saved = now;
    }
}
