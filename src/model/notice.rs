//! What the program has to say about itself, and how far a chat was told of it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{
    AttemptId, Changes, ChatName, Form, Gap, Hindsight, LogName, Moment, Now, RuleName, Timer, Timestamp,
};

/// So many notices wait in one row; further ones are counted.
pub const KEPT_NOTICES: usize = 20;

/// What notices are about; those of one kind share a message, and a pause after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeKind {
    /// The program itself.
    Started,
    /// Logs and their files.
    Files,
    /// Bytes that were destroyed unread.
    Gaps,
    /// Where messages go.
    Chats,
    /// Texts that Telegram does not take.
    Texts,
    /// Edits of rules.toml, and mounts that hide what is done to a file.
    Rules,
    /// Times in which nothing was told or read.
    Blind,
    /// The daily digest.
    Digest,
    /// Bounds that something fell over, and rules that match too much.
    Bounds,
}

impl NoticeKind {
    /// Its word on disk.
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Files => "files",
            Self::Gaps => "gaps",
            Self::Chats => "chats",
            Self::Texts => "texts",
            Self::Rules => "rules",
            Self::Blind => "blind",
            Self::Digest => "digest",
            Self::Bounds => "bounds",
        }
    }
}

/// One thing worth telling. Names and paths in it are not our words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// A run began, and the first look at the logs is done.
    Started {
        /// Files that are followed.
        files: u64,
        /// Rules in force.
        rules: u64,
        /// No state was found: so many files are followed from their end.
        fresh: Option<u64>,
        /// Pieces of the state that were damaged and set aside.
        set_aside: u64,
        /// The state is older than the last run left it.
        #[serde(default)]
        rolled_back: bool,
        /// Earlier runs that nobody was told of.
        earlier: u64,
    },
    /// A file cannot be read.
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// A file that could not be read is read now.
    Readable {
        /// The file.
        path: String,
    },
    /// No file of a log is there.
    Missing {
        /// The log.
        log: LogName,
        /// Its globs.
        globs: String,
    },
    /// More files match than the process may hold open.
    TooManyOpen,
    /// Files that were deleted take much of the disk because they are held open until they are read.
    Deleted {
        /// How many.
        files: u64,
        /// Bytes of the disk.
        bytes: u64,
    },
    /// Bytes were destroyed before they were read.
    Gap(Gap),
    /// A chat takes no messages; what it is owed waits.
    Parked {
        /// The chat.
        chat: ChatName,
        /// Telegram's words.
        why: String,
    },
    /// A chat was parked for `retention`: what it was owed is failed.
    GivenUp {
        /// The chat.
        chat: ChatName,
        /// Since when it takes no messages.
        since: Timestamp,
        /// When it was given up, the last time.
        until: Timestamp,
        /// So many matches are failed by that.
        matches: u64,
    },
    /// A parked chat takes messages again.
    Returned {
        /// The chat.
        chat: ChatName,
    },
    /// A group became a supergroup.
    Moved {
        /// The chat.
        chat: ChatName,
        /// Its new id.
        to: i64,
    },
    /// Telegram refused the text of a message for good.
    Refused {
        /// The rule it was for.
        rule: RuleName,
        /// The chat it was for.
        chat: ChatName,
        /// So many matches are failed by that.
        matches: u64,
    },
    /// Telegram refused the link buttons of a message; it was sent without them.
    ButtonsRefused {
        /// The rule whose buttons they are.
        rule: RuleName,
        /// Telegram's words.
        why: String,
    },
    /// The lines of an incident could not be sent as a document; its message stands without it.
    DocumentRefused {
        /// The rule that wants it.
        rule: RuleName,
        /// Telegram's words, or what happened instead of them.
        why: String,
    },
    /// rules.toml was edited, and what it says now is in force.
    Reloaded {
        /// What is different.
        changes: Box<Changes>,
        /// What rules that are new or changed would have found already; at most three.
        hindsight: Vec<Hindsight>,
    },
    /// rules.toml is broken, or cannot be read: what was in force before stays.
    NotReloaded {
        /// The first of its problems.
        problem: Box<RulesProblem>,
        /// How many more there are.
        more: u64,
        /// The run began like this, with the last good copy of rules.toml.
        at_start: bool,
    },
    /// What happened since the digest before.
    Digest(Box<super::Digest>),
    /// Telegram could not be reached, and is back.
    Unreachable {
        /// When the first request found nobody there.
        from: Timestamp,
        /// When the first answer came.
        to: Timestamp,
        /// So many incidents had something to tell meanwhile.
        incidents: u64,
    },
    /// The state could not be written, and can be again: reading paused meanwhile.
    Unwritten {
        /// When the first commit failed.
        from: Timestamp,
        /// When one succeeded.
        to: Timestamp,
    },
    /// A rule has more than is kept of it.
    Overflow {
        /// The rule.
        rule: RuleName,
        /// What fell over its bound.
        bound: Bound,
    },
    /// A rule matches most lines of a log.
    Greedy {
        /// The rule.
        rule: RuleName,
        /// The log.
        log: LogName,
        /// About so many of a hundred lines.
        percent: u64,
    },
    /// A file is mounted by itself, and something else stands in its place outside: this process sees the old one
    /// for good.
    StaleMount {
        /// The file.
        path: String,
    },
    /// Log files that are mounted one by one: when they are rotated outside, nobody here can see it.
    SingleMounts {
        /// The files.
        paths: super::Names,
    },
}

/// What has a bound per rule or incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// Incidents that are open at once: further `by` values share one.
    Incidents,
    /// Shapes of an incident: further ones are new to nobody.
    Shapes,
    /// Lines that `ring = "all"` keeps until they are sent: further ones are counted only.
    Lines,
}

/// What is wrong with rules.toml, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesProblem {
    /// The file.
    pub path: String,
    /// Its line, from 1; absent if it is the file as a whole.
    pub line: Option<u64>,
    /// Its column in characters, from 1.
    pub column: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

impl Notice {
    /// What it is about.
    pub fn kind(&self) -> NoticeKind {
        match self {
            Self::Started { .. } => NoticeKind::Started,
            Self::Unreadable { .. }
            | Self::Readable { .. }
            | Self::Missing { .. }
            | Self::TooManyOpen
            | Self::Deleted { .. }
            | Self::SingleMounts { .. } => NoticeKind::Files,
            Self::Gap(_) => NoticeKind::Gaps,
            Self::Parked { .. } | Self::GivenUp { .. } | Self::Returned { .. } | Self::Moved { .. } => {
                NoticeKind::Chats
            }
            Self::Refused { .. } | Self::ButtonsRefused { .. } | Self::DocumentRefused { .. } => {
                NoticeKind::Texts
            }
            Self::Reloaded { .. } | Self::NotReloaded { .. } | Self::StaleMount { .. } => NoticeKind::Rules,
            Self::Unreachable { .. } | Self::Unwritten { .. } => NoticeKind::Blind,
            Self::Digest(_) => NoticeKind::Digest,
            Self::Overflow { .. } | Self::Greedy { .. } => NoticeKind::Bounds,
        }
    }
}

/// Which row of notices.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NoticeKey {
    /// Who is told.
    pub chat: ChatName,
    /// Of what.
    pub kind: NoticeKind,
}

/// The notices of one kind that one chat is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeRow {
    /// Which row.
    pub key: NoticeKey,
    /// What waits, with the time it was noticed, oldest first; at most [`KEPT_NOTICES`].
    pub waiting: VecDeque<(Timestamp, Notice)>,
    /// How many more there were that found no place.
    pub dropped: u64,
    /// Not before this fires: what belongs together is gathered, and a kind that was told pauses.
    pub pause: Option<Timer>,
    /// The message in flight; committed before it is sent.
    pub attempt: Option<NoticeAttempt>,
    /// The next message says "may repeat".
    pub repeat: bool,
    /// What Telegram has not refused yet: the next text goes out in this form.
    #[serde(default, alias = "plain", deserialize_with = "Form::stored")]
    pub form: Form,
    /// When it began to owe something.
    pub owed_since: Option<Moment>,
    /// When this row was last written; what its timers are resumed with.
    pub saved: Now,
}

/// A message of notices in flight, and what its success means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeAttempt {
    /// Tells this attempt from the next.
    pub id: AttemptId,
    /// How many of the waiting ones it tells.
    pub told: usize,
    /// How many of the dropped ones it counts.
    pub dropped: u64,
}

impl NoticeRow {
    /// A row that owes nothing.
    pub fn new(key: NoticeKey, now: Now) -> Self {
        Self {
            key,
            waiting: VecDeque::new(),
            dropped: 0,
            pause: None,
            attempt: None,
            repeat: false,
            form: Form::default(),
            owed_since: None,
            saved: now,
        }
    }

    /// Turns the timers of a stored row into timers of this process.
    pub fn resume(&mut self, now: Now) {
        self.pause = self.pause.map(|pause| pause.resume(self.saved, now));
        if self.owed_since.is_some() {
            self.owed_since = Some(now.moment);
        }
        self.saved = now;
    }
}

/// Everything one message of notices says.
#[derive(Clone, Copy, Debug)]
pub struct NoticeCard<'a> {
    /// Oldest first.
    pub notices: &'a VecDeque<(Timestamp, Notice)>,
    /// How many more there were.
    pub dropped: u64,
    /// It may have arrived before; it says so.
    pub repeat: bool,
    /// As little as possible: Telegram refused all of it.
    pub short: bool,
    /// When it is sent: what was noticed long before says when.
    pub now: Timestamp,
}
