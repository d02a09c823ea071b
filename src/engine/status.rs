//! What a running process says about itself: `status.json`, and the verdict that `health` repeats.
//!
//! The shape is a contract with people's scripts; fields are added, never renamed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Health;
use crate::incident::LedgerLine;
use crate::model::{By, ChatState, ChatTarget, Gap, Incident, Moment, Now, Phase, RuleName, Timestamp};
use crate::tail::{FileState, FileStatus};
use crate::telegram::ChatSettings;

use super::counts;
use super::herald::{Beat, FILE};

/// Everything `status --json` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// When this was written.
    pub written_at: String,
    /// A status older than this was left by a process that is gone or stuck (`[health] read_within`).
    pub read_within_ms: u64,
    /// Whether reading and delivering work.
    pub healthy: bool,
    /// Why not, in words.
    pub reasons: Vec<String>,
    /// What is followed.
    pub logs: Vec<Log>,
    /// How many of these files are open.
    #[serde(default)]
    pub descriptors: Descriptors,
    /// What is open, or over and not told everywhere.
    pub incidents: Arc<[OpenIncident]>,
    /// Who is told.
    pub chats: Vec<Chat>,
    /// Mutes in force; none can be made yet.
    pub mutes: Vec<serde_json::Value>,
    /// The account of every match.
    pub ledger: Vec<Line>,
    /// What rules found.
    pub found: Vec<Found>,
    /// Bytes destroyed before they were read; the newest ones.
    pub gaps: Vec<LostBytes>,
    /// Messages from people who may not command; none are heard yet.
    pub strangers: u64,
}

/// How many files are open. The others are closed while nobody writes to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptors {
    /// Files that are.
    pub open: u64,
    /// So many may be.
    pub most: u64,
    /// Files that could not be opened because so many are.
    pub waiting: u64,
    /// Bytes of the disk that deleted files take because they are held open.
    #[serde(default)]
    pub deleted_bytes: u64,
}

/// One log and its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Its name.
    pub name: String,
    /// Its files.
    pub files: Vec<LogFile>,
}

/// One followed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// Where it is, or the glob that reaches nothing yet.
    pub path: String,
    /// following, waiting, unreadable or finished.
    pub state: String,
    /// Bytes read.
    pub offset: u64,
    /// Bytes there at the last look.
    pub size: u64,
    /// Bytes there and not read.
    pub lag_bytes: u64,
}

/// One incident. There may be ten thousand, and all of them are looked at every second: nothing here is a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenIncident {
    /// Its rule.
    pub rule: RuleName,
    /// Its `by` values.
    #[serde(with = "object")]
    pub by: By,
    /// Where it is in its life.
    pub state: Stage,
    /// When its first match was read (RFC 3339).
    #[serde(with = "moment")]
    pub opened_at: Timestamp,
    /// When its last match was read (RFC 3339).
    #[serde(with = "moment")]
    pub last_at: Timestamp,
    /// Its matches.
    pub total: u64,
    /// Its shapes.
    pub shapes: u64,
}

impl OpenIncident {
    /// What is shown of an incident; its lines stay where they are.
    pub(super) fn of(incident: &Incident) -> Self {
        Self {
            rule: incident.rule.clone(),
            by: incident.by.clone(),
            state: match incident.phase {
                Phase::Gathering { .. } => Stage::Gathering,
                Phase::Open => Stage::Open,
                Phase::Over { .. } => Stage::Over,
            },
            opened_at: incident.first,
            last_at: incident.last,
            total: incident.total,
            shapes: incident.shapes.len() as u64,
        }
    }
}

/// Where an incident is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Its first burst is gathered.
    Gathering,
    /// It goes on.
    Open,
    /// It ended, and not everybody was told.
    Over,
}

impl Stage {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 3] = [Self::Gathering, Self::Open, Self::Over];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gathering => "gathering",
            Self::Open => "open",
            Self::Over => "over",
        }
    }
}

/// `by` values as an object, its names sorted.
mod object {
    use std::collections::BTreeMap;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::model::By;

    pub(super) fn serialize<S: Serializer>(by: &By, to: S) -> Result<S::Ok, S::Error> {
        let values = by.0.iter().map(|(name, value)| (name, value));
        values.collect::<BTreeMap<_, _>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<By, D::Error> {
        Ok(BTreeMap::deserialize(from)?.into_iter().collect())
    }
}

/// A time as RFC 3339.
mod moment {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::model::Timestamp;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's shape")]
    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::rfc3339(*at))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(from)?;
        let at = text.parse().map(jiff::Timestamp::as_millisecond);
        // A clock beyond the year 9999 is said as nothing.
        Ok(Timestamp(at.unwrap_or_default()))
    }
}

/// One chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// Its name.
    pub name: String,
    /// Its id, or `@name`.
    pub id: serde_json::Value,
    /// Its topic.
    pub topic: Option<i64>,
    /// ok or parked.
    pub state: String,
    /// Why it is parked.
    pub reason: Option<String>,
    /// When it is sent to again, if not now (RFC 3339).
    pub retry_at: Option<String>,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The rule that matched.
    pub rule: String,
    /// The chat the matches were routed to.
    pub chat: String,
    /// Matches routed to the chat: the sum of the other columns.
    pub matched: u64,
    /// Their own text stood in a confirmed message.
    pub shown: u64,
    /// Part of a confirmed total, without their own text.
    pub counted: u64,
    /// A mute covered them.
    pub muted: u64,
    /// Refused for good.
    pub failed: u64,
    /// Not decided yet.
    pub pending: u64,
    /// Its rule left rules.toml, or tells its chat no longer; kept for 30 days.
    #[serde(default)]
    pub removed: bool,
}

/// What one rule found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The rule.
    pub rule: String,
    /// Events it found.
    pub found: u64,
    /// Found, and left unopened by `at_least`.
    pub below: u64,
    /// Found, and waiting for `at_least`.
    pub waiting: u64,
    /// It left rules.toml; kept as long as its accounts are.
    #[serde(default)]
    pub removed: bool,
}

/// A gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostBytes {
    /// The file.
    pub path: String,
    /// When it was noticed (RFC 3339).
    pub at: String,
    /// truncated or vanished.
    pub kind: String,
    /// How many bytes are known to be lost.
    pub bytes: u64,
}

/// What the ledger thread knows, copied between two turns.
#[derive(Clone, Debug)]
pub(super) struct Books {
    pub(super) now: Now,
    pub(super) incidents: Arc<[OpenIncident]>,
    pub(super) chats: Vec<ChatState>,
    pub(super) ledger: Vec<LedgerLine>,
    pub(super) found: Vec<Found>,
    pub(super) gaps: Vec<Gap>,
    /// Whether something could be told now, if Telegram took it.
    pub(super) owes: bool,
    /// Since when the disk takes nothing.
    pub(super) unwritten_since: Option<Moment>,
}

/// Everything a status is made from.
pub(super) struct Sources<'a> {
    pub(super) started: Now,
    pub(super) now: Now,
    pub(super) beat: Beat,
    /// The last books the ledger handed out; absent before the first.
    pub(super) books: Option<&'a Books>,
    pub(super) chats: &'a [ChatSettings],
    pub(super) health: &'a Health,
    /// When a request last succeeded, or began to be owed.
    pub(super) delivering_since: Moment,
}

impl Status {
    pub(super) fn of(sources: &Sources<'_>) -> Self {
        let reasons = reasons(sources);
        let books = sources.books;
        let list = |of: fn(&Books) -> &[LedgerLine]| books.map(of).unwrap_or_default();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: (sources.now.moment - sources.started.moment).as_secs(),
            written_at: rfc3339(sources.now.wall),
            read_within_ms: u64::try_from(sources.health.read_within.as_millis()).unwrap_or(u64::MAX),
            healthy: reasons.is_empty(),
            reasons,
            logs: logs(&sources.beat.files),
            descriptors: Descriptors {
                open: sources.beat.descriptors.open as u64,
                most: sources.beat.descriptors.most as u64,
                waiting: sources.beat.descriptors.waiting as u64,
                deleted_bytes: sources.beat.descriptors.deleted_bytes,
            },
            incidents: books.map(|books| books.incidents.clone()).unwrap_or_default(),
            chats: sources.chats.iter().map(|chat| self::chat(chat, books)).collect(),
            mutes: Vec::new(),
            ledger: list(|books| &books.ledger).iter().map(line).collect(),
            found: books.map(|books| books.found.clone()).unwrap_or_default(),
            gaps: books
                .map(|books| books.gaps.iter().map(gap).collect())
                .unwrap_or_default(),
            strangers: 0,
        }
    }

    /// Reads the status that the process using `folder` wrote last.
    pub fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read(folder.join(FILE)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Whether it is too old to be that of a process that lives.
    pub fn is_stale(&self) -> bool {
        self.age() > Duration::from_millis(self.read_within_ms)
    }

    /// How long ago it was written, by the wall clock.
    pub fn age(&self) -> Duration {
        let written: Option<jiff::Timestamp> = self.written_at.parse().ok();
        let age = written.map(|written| jiff::Timestamp::now().duration_since(written));
        age.and_then(|age| Duration::try_from(age).ok())
            .unwrap_or_default()
    }
}

fn reasons(sources: &Sources<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    let now = sources.now.moment;
    let since = sources.beat.at.unwrap_or(sources.started.moment);
    if now - since > sources.health.read_within {
        reasons.push(format!(
            "the logs were not looked at for {} s",
            (now - since).as_secs()
        ));
    } else if sources.beat.at.is_none() {
        reasons.push("the first look at the logs is not done yet".to_owned());
    }
    match sources.books {
        None => reasons.push("the state is not open yet".to_owned()),
        Some(books) => {
            let age = now - books.unwritten_since.unwrap_or(books.now.moment);
            if age > sources.health.read_within {
                reasons.push(format!("nothing could be stored for {} s", age.as_secs()));
            }
            let silent = now - sources.delivering_since;
            if books.owes && silent > sources.health.deliver_within {
                reasons.push(format!(
                    "something is owed, and no request to Telegram succeeded for {} s",
                    silent.as_secs()
                ));
            }
        }
    }
    reasons
}

fn logs(files: &[FileStatus]) -> Vec<Log> {
    let mut logs: Vec<Log> = Vec::new();
    for file in files {
        let name = file.log.to_string();
        let shown = LogFile {
            path: file.path.clone(),
            state: match file.state {
                FileState::Following => "following",
                FileState::Waiting => "waiting",
                FileState::Unreadable => "unreadable",
                FileState::Finished => "finished",
            }
            .to_owned(),
            offset: file.offset,
            size: file.size,
            lag_bytes: file.size.saturating_sub(file.offset),
        };
        match logs.iter_mut().find(|log| log.name == name) {
            Some(log) => log.files.push(shown),
            None => logs.push(Log {
                name,
                files: vec![shown],
            }),
        }
    }
    logs
}

fn chat(chat: &ChatSettings, books: Option<&Books>) -> Chat {
    let known = books.and_then(|books| books.chats.iter().find(|known| known.name == chat.name));
    let parked = known.and_then(|known| known.parked.as_ref());
    let retry = books.zip(known).and_then(|(books, known)| {
        let gate = known.gate.filter(|gate| !gate.fired(books.now.moment))?;
        let left = i64::try_from(gate.remaining(books.now.moment).as_millis()).unwrap_or(i64::MAX);
        Some(rfc3339(Timestamp(books.now.wall.0.saturating_add(left))))
    });
    let id = match known.map_or_else(|| chat.target.clone(), |known| known.place(&chat.target)) {
        ChatTarget::Id(id) => id.into(),
        ChatTarget::Username(name) => name.into(),
    };
    Chat {
        name: chat.name.to_string(),
        id,
        topic: chat.topic,
        state: if parked.is_some() { "parked" } else { "ok" }.to_owned(),
        reason: parked.map(|parked| parked.why.clone()),
        retry_at: retry,
    }
}

fn line(line: &LedgerLine) -> Line {
    let account = line.account;
    Line {
        rule: line.key.rule.to_string(),
        chat: line.key.chat.to_string(),
        matched: account.matched,
        shown: account.shown,
        counted: account.counted,
        muted: account.muted,
        failed: account.failed,
        pending: line.pending,
        removed: line.removed,
    }
}

fn gap(gap: &Gap) -> LostBytes {
    LostBytes {
        path: gap.path.clone(),
        at: rfc3339(gap.at),
        kind: counts::gap(gap.kind).to_owned(),
        bytes: gap.bytes,
    }
}

/// A time as a status says it.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|at| at.to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Moment;

    fn at(seconds: u64) -> Now {
        Now {
            moment: Moment(seconds * 1_000),
            wall: Timestamp(0),
        }
    }

    fn books(seconds: u64, owes: bool) -> Books {
        Books {
            now: at(seconds),
            incidents: Arc::default(),
            chats: Vec::new(),
            ledger: Vec::new(),
            found: Vec::new(),
            gaps: Vec::new(),
            owes,
            unwritten_since: None,
        }
    }

    /// The reasons at second 1,000 of a process that started at second 0.
    fn reasons_at_1000(beat: Option<u64>, books: Option<&Books>, delivering_since: u64) -> String {
        let sources = Sources {
            started: at(0),
            now: at(1_000),
            beat: Beat {
                at: beat.map(|beat| at(beat).moment),
                ..Beat::default()
            },
            books,
            chats: &[],
            health: &Health::default(),
            delivering_since: at(delivering_since).moment,
        };
        let status = Status::of(&sources);
        assert_eq!(status.healthy, status.reasons.is_empty());
        status.reasons.join("; ")
    }

    #[test]
    fn reading_storing_and_delivering_is_healthy() {
        assert_eq!(reasons_at_1000(Some(999), Some(&books(999, true)), 900), "");
    }

    #[test]
    fn owing_nothing_is_healthy_however_long_ago_the_last_delivery_was() {
        assert_eq!(reasons_at_1000(Some(999), Some(&books(999, false)), 0), "");
    }

    #[test]
    fn a_reader_that_stopped_is_named() {
        let said = reasons_at_1000(Some(960), Some(&books(999, false)), 1_000);
        assert_eq!(said, "the logs were not looked at for 40 s");
        let never = reasons_at_1000(None, Some(&books(999, false)), 1_000);
        assert_eq!(never, "the logs were not looked at for 1000 s");
    }

    #[test]
    fn a_state_that_takes_nothing_is_named() {
        let said = reasons_at_1000(Some(999), Some(&books(950, false)), 1_000);
        assert_eq!(said, "nothing could be stored for 50 s");
        assert_eq!(
            reasons_at_1000(Some(999), None, 1_000),
            "the state is not open yet"
        );
    }

    #[test]
    fn a_disk_that_takes_nothing_is_named_however_fresh_the_books_are() {
        let full = Books {
            unwritten_since: Some(at(960).moment),
            ..books(999, false)
        };
        let said = reasons_at_1000(Some(999), Some(&full), 1_000);
        assert_eq!(said, "nothing could be stored for 40 s");
    }

    #[test]
    fn a_telegram_that_takes_nothing_is_named() {
        let said = reasons_at_1000(Some(999), Some(&books(999, true)), 600);
        assert_eq!(
            said,
            "something is owed, and no request to Telegram succeeded for 400 s"
        );
    }
}
