//! How a rule's incidents live, checked.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{ChatName, LogName, Rate, RuleName, Severity};

use super::digest::DigestSettings;
use super::silence::SilentHours;

/// Everything the room needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The rules, in the order of rules.toml.
    pub rules: Vec<RuleSettings>,
    /// All chats of rules.toml.
    pub chats: Vec<ChatName>,
    /// Those of them that are told notices.
    pub notices: Vec<ChatName>,
    /// When messages make no sound, for the chats that say so.
    pub silent: BTreeMap<ChatName, SilentHours>,
    /// When a digest is told, and to whom; absent: never.
    pub digest: Option<DigestSettings>,
    /// How long what a chat that is gone is owed is kept; never nothing.
    pub retention: Duration,
}

impl Settings {
    /// The default of [`Settings::retention`].
    pub const RETENTION: Duration = Duration::from_hours(7 * 24);
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            chats: Vec::new(),
            notices: Vec::new(),
            silent: BTreeMap::new(),
            digest: None,
            retention: Self::RETENTION,
        }
    }
}

/// The incident half of one `[[rules]]` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSettings {
    /// Its name.
    pub name: RuleName,
    /// How loud it is.
    pub severity: Severity,
    /// Who is told, no chat twice: those of its chats that show rules of its severity, which may be none.
    pub chats: Vec<ChatName>,
    /// What tells its incidents apart.
    pub by: Vec<String>,
    /// What it takes to open one; absent: a single match.
    pub at_least: Option<AtLeast>,
    /// Its matches are signs of life: it opens when none was found for so long. Such a rule has no `by`, no `at_least`,
    /// and forwards no lines.
    pub absent: Option<Absent>,
    /// How long the first burst is gathered.
    pub wait: Duration,
    /// The least time between two requests for one incident in one chat.
    pub every: Duration,
    /// How long without a match until it is over.
    pub quiet: Duration,
    /// How often it rings again while it goes on; absent: never.
    pub remind: Option<Duration>,
    /// What rings after the opening.
    pub ring: Ring,
    /// At most so many rings per chat; absent: no bound.
    pub limit: Option<Rate>,
    /// The lines around its newest match that are told; absent: none.
    pub around: Option<Around>,
    /// All kept lines follow as a document when an incident is over, where its message does not show all of them.
    pub attach: bool,
}

impl RuleSettings {
    /// The default of [`RuleSettings::wait`].
    pub const WAIT: Duration = Duration::from_secs(2);
    /// The default of [`RuleSettings::every`].
    pub const EVERY: Duration = Duration::from_secs(30);
    /// The default of [`RuleSettings::quiet`].
    pub const QUIET: Duration = Duration::from_mins(10);
    /// The default of [`RuleSettings::limit`], which `ring = "all"` does not have.
    pub const LIMIT: Rate = Rate {
        count: 12,
        per: Duration::from_hours(1),
    };

    /// A rule with every default, told to `chat`.
    pub fn new(name: &str, chat: &str) -> Self {
        Self {
            name: RuleName::new(name),
            severity: Severity::default(),
            chats: vec![ChatName::new(chat)],
            by: Vec::new(),
            at_least: None,
            absent: None,
            wait: Self::WAIT,
            every: Self::EVERY,
            quiet: Self::QUIET,
            remind: None,
            ring: Ring::default(),
            limit: Some(Self::LIMIT),
            around: None,
            attach: false,
        }
    }
}

impl RuleSettings {
    /// Whether this chat gets the lines of what is over; one that is told its last word does not.
    pub(super) fn attaches_for(&self, chat: &ChatName) -> bool {
        self.attach && self.chats.contains(chat)
    }
}

/// How many lines around a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// Before it.
    pub before: usize,
    /// Behind it.
    pub after: usize,
}

/// So many found events within so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtLeast {
    /// How many, per `by` values.
    pub count: u64,
    /// The length of the window that slides over them.
    pub within: Duration,
}

/// Nothing found for so long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// How long.
    pub after: Duration,
    /// In these logs, all of which have to be read to their ends meanwhile.
    pub logs: Vec<LogName>,
}

/// What rings after the opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ring {
    /// A shape not yet shown in this incident.
    #[default]
    New,
    /// Nothing.
    First,
    /// Every match is forwarded, batched, in order.
    All,
}
