//! The laws of the room, under any interleaving of matches, time, outcomes and restarts.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::*;

mod absence;
mod attach;
mod reload;
mod retention;
mod turns;

/// What a person's phone holds, and a store that holds what was committed: both know nothing of the code
/// under test beyond the values it hands out.
struct World {
    settings: Settings,
    /// The rules and the chats that there are or were, as operations name them.
    rules: Vec<RuleName>,
    chats: Vec<ChatName>,
    /// Whether something is absent, as somebody with the log and a clock knows it.
    alive: absence::Alive,
    /// The chats that somebody delivers to: those of rules.toml, and those that left it while this process ran.
    lanes: BTreeSet<ChatName>,
    /// Some rule told other chats for a while, so accounts are not of everything that was found.
    other_chats: bool,
    incidents: Incidents,
    disk: State,
    now: Now,
    fed: BTreeMap<RuleName, u64>,
    /// What the last confirmed text of each incident claims, per chat.
    claims: BTreeMap<(ChatName, IncidentId), u64>,
    /// How often each attempt that may have arrived was sent again without saying so.
    unlabelled: u64,
    maybe_arrived: BTreeSet<Owed>,
    notices: Noticed,
    /// Which incidents brought which chat their lines in a document that does not say "may repeat".
    documents: BTreeSet<(ChatName, IncidentId)>,
    next_message: i64,
    /// Where rules.toml says that every chat is.
    at: i64,
    /// While the disk takes nothing: what was so when it took something last.
    full: Option<Remembered>,
    seed: u64,
}

/// What a crash while the disk takes nothing leaves of what was sent since: nothing but a label. Nor does it leave
/// anything of another rules.toml that ended what is absent.
#[derive(Clone, Debug)]
struct Remembered {
    /// Whether something is absent, and the chats that were told.
    absent: (bool, Option<Vec<ChatName>>),
    claims: BTreeMap<(ChatName, IncidentId), u64>,
    maybe_arrived: BTreeSet<Owed>,
    notices: Noticed,
}

/// What a request is about, whichever attempt it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owed {
    Incident(DeliveryKey),
    Notices(NoticeKey),
}

impl Owed {
    fn of(order: &Order) -> Self {
        match &order.subject {
            Subject::Incident { key, .. } => Self::Incident(key.clone()),
            Subject::Notices(key) => Self::Notices(key.clone()),
        }
    }
}

/// Notices by number: what was fed, and what a person heard of each.
#[derive(Clone, Debug, Default)]
struct Noticed {
    fed: u64,
    told: BTreeSet<u64>,
    /// In a text that was refused for good.
    refused: BTreeSet<u64>,
    /// Told only as a number.
    dropped: u64,
}

#[derive(Clone, Debug)]
enum Op {
    Notices {
        count: u8,
    },
    Matches {
        rule: usize,
        by: u8,
        shapes: Vec<u8>,
        count: u8,
    },
    /// The reader says for a while, at each such pause, whether the log is read to its end; between two words there may
    /// be a sign of life.
    Read {
        words: u8,
        pause: u8,
        at_end: bool,
        sign: bool,
    },
    Resolve {
        rule: usize,
        by: Option<u8>,
    },
    Pass {
        seconds: u16,
    },
    Deliver {
        chat: usize,
        outcome: Answer,
    },
    /// A chat is gone, and still is when `retention` has passed; meanwhile the process may be another one.
    GoneForLong {
        chat: usize,
        restart: bool,
    },
    CrashInFlight {
        chat: usize,
        committed: bool,
    },
    Restart {
        wall_jump: i32,
    },
    /// The disk takes nothing, or takes it again.
    Disk {
        full: bool,
    },
    /// Another rules.toml: for the process that runs, perhaps while a request is under way, or for the next one.
    Reload {
        other: Other,
        running: bool,
        in_flight: Option<(usize, Answer)>,
    },
    /// A restart with other ids in rules.toml.
    Elsewhere {
        at: i64,
    },
}

/// What another rules.toml says other than [`settings`].
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one line of rules.toml, and all combinations can be written"
)]
struct Other {
    /// One rule is gone.
    rule: bool,
    /// One chat is gone.
    chat: bool,
    /// One rule tells a chat less.
    tells: bool,
    /// Rules that forwarded do no longer, and others do.
    rings: bool,
    /// All times are others.
    times: bool,
    /// Other names in `by`.
    by: bool,
    severity: bool,
    /// Rules that attached their lines do no longer, and others do.
    attach: bool,
    /// A lower threshold, or none.
    threshold: Option<u8>,
}

fn other() -> impl Strategy<Value = Other> {
    let rare = || prop::bool::weighted(0.25);
    let threshold = prop_oneof![2 => Just(None), 1 => (0..6u8).prop_map(Some)];
    let first = (rare(), rare(), rare(), rare());
    (first, (rare(), rare(), rare(), rare(), threshold)).prop_map(|((rule, chat, tells, rings), rest)| {
        Other {
            rule,
            chat,
            tells,
            rings,
            times: rest.0,
            by: rest.1,
            severity: rest.2,
            attach: rest.3,
            threshold: rest.4,
        }
    })
}

/// What rules.toml says then.
fn other_settings(other: Other) -> Settings {
    let mut settings = settings();
    for rule in &mut settings.rules {
        if other.chat {
            rule.chats.retain(|chat| chat.as_str() != "me");
        }
        if other.tells && rule.name.as_str() == "limited" {
            rule.chats.retain(|chat| chat.as_str() != "ops");
        }
        let matches = rule.absent.is_none();
        if other.rings && matches {
            // What forwards every line attaches none.
            rule.attach &= rule.ring == Ring::First;
            rule.ring = match rule.ring {
                Ring::All => Ring::New,
                Ring::New => Ring::All,
                Ring::First => Ring::First,
            };
        }
        if other.times {
            (rule.wait, rule.every) = (Duration::from_secs(7), Duration::from_secs(11));
            (rule.quiet, rule.remind) = (Duration::from_mins(3), Some(Duration::from_mins(1)));
            settings.retention = Duration::from_hours(9);
            let per = Duration::from_mins(10);
            rule.limit = rule.limit.map(|_| Rate { count: 3, per });
            if let Some(absent) = &mut rule.absent {
                absent.after = Duration::from_secs(25);
            }
        }
        if other.attach && matches && rule.ring != Ring::All {
            rule.attach = !rule.attach;
        }
        if other.by && matches {
            rule.by = vec!["other".into()];
        }
        if other.severity {
            rule.severity = match rule.severity {
                Severity::Info => Severity::Critical,
                Severity::Critical => Severity::Warning,
                severity => severity,
            };
        }
        if let (Some(count), Some(_)) = (other.threshold, rule.at_least) {
            let within = Duration::from_secs(40);
            let count = u64::from(count);
            rule.at_least = (count > 1).then_some(AtLeast { count, within });
        }
    }
    if other.rule {
        settings.rules.retain(|rule| rule.name.as_str() != "first");
    }
    if other.chat {
        settings.chats.retain(|chat| chat.as_str() != "me");
        settings.silent.clear();
    }
    settings
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Sent,
    Wait,
    Flood,
    Unsure,
    Moved,
    Gone,
    Topic,
    Message,
    Token,
    Document,
    Text,
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        12 => Just(Answer::Sent),
        1 => Just(Answer::Wait),
        1 => Just(Answer::Flood),
        2 => Just(Answer::Unsure),
        1 => Just(Answer::Moved),
        1 => Just(Answer::Gone),
        1 => Just(Answer::Topic),
        1 => Just(Answer::Message),
        1 => Just(Answer::Token),
        1 => Just(Answer::Document),
        2 => Just(Answer::Text),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let in_flight = prop::option::of((0..2usize, answer()));
    prop_oneof![
        1 => (1..30u8).prop_map(|count| Op::Notices { count }),
        6 => (0..8usize, 0..6u8, prop::collection::vec(0..9u8, 1..4), 1..9u8)
            .prop_map(|(rule, by, shapes, count)| Op::Matches { rule, by, shapes, count }),
        3 => (1..12u8, 1..12u8, prop::bool::weighted(0.8), prop::bool::weighted(0.3))
            .prop_map(|(words, pause, at_end, sign)| Op::Read { words, pause, at_end, sign }),
        1 => (0..8usize, prop::option::of(0..6u8)).prop_map(|(rule, by)| Op::Resolve { rule, by }),
        5 => prop_oneof![0..5u16, 20..90u16, 500..4000u16].prop_map(|seconds| Op::Pass { seconds }),
        10 => (0..2usize, answer()).prop_map(|(chat, outcome)| Op::Deliver { chat, outcome }),
        1 => (0..2usize, any::<bool>()).prop_map(|(chat, restart)| Op::GoneForLong { chat, restart }),
        1 => (0..2usize, any::<bool>()).prop_map(|(chat, committed)| Op::CrashInFlight { chat, committed }),
        1 => (-100_000..100_000i32).prop_map(|wall_jump| Op::Restart { wall_jump }),
        1 => any::<bool>().prop_map(|full| Op::Disk { full }),
        1 => (other(), any::<bool>(), in_flight).prop_map(|(other, running, in_flight)| Op::Reload { other, running, in_flight }),
        1 => (-102..-98i64).prop_map(|at| Op::Elsewhere { at }),
    ]
}

fn settings() -> Settings {
    let chats = vec![ChatName::new("ops"), ChatName::new("me")];
    let rule = |name: &str| RuleSettings {
        chats: chats.clone(),
        by: vec!["k".into()],
        ..RuleSettings::new(name, "ops")
    };
    let limit = Some(Rate {
        count: 2,
        per: Duration::from_mins(2),
    });
    Settings {
        digest: None,
        retention: Duration::from_hours(2),
        rules: vec![
            RuleSettings {
                attach: true,
                ..rule("new")
            },
            RuleSettings {
                limit,
                attach: true,
                remind: Some(Duration::from_mins(3)),
                ..rule("limited")
            },
            RuleSettings {
                ring: Ring::First,
                attach: true,
                wait: Duration::ZERO,
                every: Duration::ZERO,
                ..rule("first")
            },
            RuleSettings {
                ring: Ring::All,
                limit: None,
                every: Duration::from_secs(1),
                remind: Some(Duration::from_mins(5)),
                ..rule("all")
            },
            RuleSettings {
                severity: Severity::Info,
                limit,
                quiet: Duration::from_secs(30),
                ..rule("quiet")
            },
            RuleSettings {
                severity: Severity::Critical,
                chats: vec![chats[1].clone()],
                ..rule("critical")
            },
            // No chat shows it.
            RuleSettings {
                chats: Vec::new(),
                ..rule("nobody")
            },
            RuleSettings {
                at_least: Some(AtLeast {
                    count: 20,
                    within: Duration::from_secs(90),
                }),
                quiet: Duration::from_secs(30),
                ..rule("often")
            },
            RuleSettings {
                by: Vec::new(),
                absent: Some(Absent {
                    after: Duration::from_mins(1),
                    logs: vec![LogName::new("app")],
                }),
                remind: Some(Duration::from_mins(4)),
                ..rule("alive")
            },
        ],
        silent: [(chats[1].clone(), mornings())].into(),
        notices: vec![chats[0].clone()],
        chats,
    }
}

/// Silent from midnight to noon, in a zone that puts its clocks forward and back.
fn mornings() -> SilentHours {
    SilentHours {
        from: 0,
        to: 720,
        zone: jiff::tz::TimeZone::get("Europe/Berlin").unwrap(),
    }
}

/// When the clocks of 2024 were put forward and back there, in seconds.
const SUMMER: std::ops::Range<i64> = 1_711_846_800..1_729_990_800;
/// Some day, and two hours before each of these.
const STARTS: [Timestamp; 3] = [
    Timestamp(1_700_000_000_000),
    Timestamp((SUMMER.start - 7_200) * 1_000),
    Timestamp((SUMMER.end - 7_200) * 1_000),
];

/// The same as somebody in Berlin with a clock sees it.
fn is_morning(at: Timestamp) -> bool {
    let seconds = at.0.div_euclid(1_000);
    let ahead = if SUMMER.contains(&seconds) { 7_200 } else { 3_600 };
    (seconds + ahead).rem_euclid(86_400) < 43_200
}

struct Texts;

impl Render for Texts {
    fn incident(&mut self, card: &Card<'_>) -> Rendered {
        render(card)
    }

    /// The numbers of the notices it tells, and of those it counts.
    fn notices(&mut self, card: &NoticeCard<'_>) -> Text {
        let number = |notice: &Notice| match notice {
            Notice::Readable { path } => path.clone(),
            _ => String::new(),
        };
        let told = card.notices.iter().map(|(_, notice)| number(notice));
        let told: Vec<String> = told.filter(|number| !number.is_empty()).collect();
        let repeat = if card.repeat { "may repeat" } else { "" };
        Text {
            text: format!("{};{};{repeat}", told.join(" "), card.dropped),
            ..Text::default()
        }
    }
}

/// The kind of an order about an incident.
fn kind(order: &Order) -> Option<AttemptKind> {
    match &order.subject {
        Subject::Incident { kind, .. } => Some(*kind),
        Subject::Notices(_) => None,
    }
}

fn is_new_message(order: &Order) -> bool {
    kind(order).is_none_or(AttemptKind::is_new_message)
}

/// A text that says in numbers what it claims; it shows some shapes and the newest line, and at most
/// three queued lines.
fn render(card: &Card<'_>) -> Rendered {
    let carried = card.carried.map_or(0, |carried| carried.matches);
    let incident = card.incident;
    let (claim, covers) = match &card.kind {
        CardKind::Live => {
            let shapes: Vec<&ShapeCount> = incident.shapes.iter().rev().take(4).collect();
            let mut shown: Vec<u64> = shapes.iter().map(|shape| shape.nth).collect();
            shown.extend(incident.lines.back().map(|line| line.nth));
            shown.sort_unstable();
            shown.dedup();
            let shapes = shapes.iter().map(|shape| shape.id).collect();
            (
                incident.total - card.told_elsewhere + carried,
                Covers {
                    shown,
                    shapes,
                    lines: 0,
                    whole: incident.is_over() && incident.total == 1,
                },
            )
        }
        CardKind::FollowUp(shapes) | CardKind::Raised(shapes) => {
            let of = |id: &ShapeId| {
                incident
                    .shapes
                    .iter()
                    .find(|shape| shape.id == *id)
                    .map(|shape| shape.nth)
            };
            let mut shown: Vec<u64> = shapes.iter().filter_map(of).collect();
            shown.sort_unstable();
            (
                0,
                Covers {
                    shown,
                    shapes: shapes.clone(),
                    ..Covers::default()
                },
            )
        }
        CardKind::Reminder { .. } | CardKind::Resolved | CardKind::Document => (0, Covers::default()),
        CardKind::Lines { lines, dropped, .. } => {
            let fit = lines.len().min(3);
            (
                fit as u64 + dropped + carried,
                Covers {
                    shown: lines[..fit].iter().map(|l| l.nth).collect(),
                    lines: fit,
                    ..Covers::default()
                },
            )
        }
    };
    let lines = matches!(card.kind, CardKind::Lines { .. });
    let removed = matches!(
        incident.phase,
        Phase::Over {
            ended: Ended::RuleRemoved,
            ..
        }
    );
    let words = [
        (card.repeat, "may repeat"),
        (card.short, "short"),
        (lines, "lines"),
        (removed, "removed"),
    ];
    let words: Vec<&str> = words
        .iter()
        .filter(|(says, _)| *says)
        .map(|(_, word)| *word)
        .collect();
    let text = format!("{claim} {}", words.join(", "));
    Rendered {
        text: Text {
            text,
            ..Text::default()
        },
        covers,
        document: matches!(card.kind, CardKind::Document).then(Document::default),
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let settings = settings();
        let disk = State::empty(StoreId(1));
        let now = Now {
            moment: Moment(10_000),
            wall: STARTS[usize::try_from(seed % 3).unwrap()],
        };
        let incidents = Incidents::restore(&settings, disk.clone(), now, fastrand::Rng::with_seed(seed));
        Self {
            rules: settings.rules.iter().map(|rule| rule.name.clone()).collect(),
            chats: settings.chats.clone(),
            lanes: settings.chats.iter().cloned().collect(),
            other_chats: false,
            alive: absence::Alive::default(),
            settings,
            incidents,
            disk,
            now,
            fed: BTreeMap::new(),
            claims: BTreeMap::new(),
            unlabelled: 0,
            maybe_arrived: BTreeSet::new(),
            notices: Noticed::default(),
            documents: BTreeSet::new(),
            next_message: 1,
            at: -1,
            full: None,
            seed,
        }
    }

    fn run(&mut self, op: &Op) {
        match op {
            // Reading pauses.
            Op::Notices { .. } | Op::Matches { .. } | Op::Read { .. } | Op::Resolve { .. }
                if self.full.is_some() => {}
            Op::Disk { full: false } => self.full = None,
            Op::Disk { full: true } => self.disk_is_full(),
            Op::Notices { count } => {
                for _ in 0..*count {
                    self.notices.fed += 1;
                    let path = self.notices.fed.to_string();
                    self.incidents.notice(&Notice::Readable { path }, self.now);
                }
            }
            Op::Matches {
                rule,
                by,
                shapes,
                count,
            } => self.matches(*rule, *by, shapes, *count),
            Op::Read {
                words,
                pause,
                at_end,
                sign,
            } => self.read(*words, *pause, *at_end, *sign),
            Op::Resolve { rule, by } => {
                let rule = self.rules[*rule].clone();
                let by = vec![by.map(|by| by.to_string())];
                let row = Row::Resolve(Resolve {
                    rule,
                    by,
                    at: self.now.wall,
                    text: "all well".into(),
                });
                self.incidents.apply(vec![row], self.now);
            }
            Op::Pass { seconds } => self.pass(u64::from(*seconds) * 1_000),
            Op::Deliver { chat, outcome } => {
                self.deliver(*chat, *outcome);
            }
            Op::GoneForLong { chat, restart } => self.gone_for_long(*chat, *restart),
            Op::CrashInFlight { chat, committed } => self.crash_in_flight(*chat, *committed),
            Op::Restart { wall_jump } => self.restart(*wall_jump),
            Op::Reload {
                other,
                running: true,
                in_flight,
            } => {
                let chat = in_flight.map(|(chat, answer)| (self.take(chat), answer));
                self.reconfigure(other_settings(*other));
                if let Some((Some(order), answer)) = chat {
                    self.settle(&order, answer);
                }
            }
            Op::Reload { other, .. } => {
                self.commit();
                self.know(other_settings(*other));
                self.reload(0);
            }
            Op::Elsewhere { at } => {
                self.at = *at;
                self.restart(0);
            }
        }
        self.commit();
    }

    /// Whatever it is sent after `retention`, nothing is owed any more once it refuses that.
    fn gone_for_long(&mut self, chat: usize, restart: bool) {
        if !self.deliver(chat, Answer::Gone) {
            return;
        }
        self.commit();
        if restart {
            self.reload(0);
        }
        let length = u64::try_from(self.settings.retention.as_millis()).unwrap();
        self.pass(length);
        let name = self.chats[chat].clone();
        let is_parked = |chats: &ChatState| chats.name == name && chats.parked.is_some();
        let parked = self.incidents.chats().any(is_parked);
        if self.deliver(chat, Answer::Gone) && parked {
            let ledger = self.incidents.ledger();
            let own = ledger.iter().filter(|line| line.key.chat == name);
            assert_eq!(own.map(|line| line.pending).sum::<u64>(), 0);
        }
    }

    fn disk_is_full(&mut self) {
        self.commit();
        let absent = (self.alive.is_absent(), self.chats_of_alive());
        self.full.get_or_insert_with(|| Remembered {
            absent,
            claims: self.claims.clone(),
            maybe_arrived: self.maybe_arrived.clone(),
            notices: self.notices.clone(),
        });
    }

    fn matches(&mut self, rule: usize, by: u8, shapes: &[u8], count: u8) {
        self.matches_of_which_the_reader_kept(usize::MAX, rule, by, shapes, count);
    }

    /// Matches of which only so many lines crossed from the reader.
    fn matches_of_which_the_reader_kept(
        &mut self,
        most: usize,
        rule: usize,
        by: u8,
        shapes: &[u8],
        count: u8,
    ) {
        let rule = self.rules[rule].clone();
        let Some(settings) = self.settings.rules.iter().find(|settings| settings.name == rule) else {
            return;
        };
        let by = settings.by.iter().map(|name| (name.clone(), by.to_string()));
        let by = by.collect();
        let per_shape = u64::from(count);
        let total = per_shape * shapes.len() as u64;
        *self.fed.entry(rule.clone()).or_default() += total;
        let line = |nth: u64, shape: u8| KeptLine {
            origin: Origin {
                file: FileKey(1),
                offset: nth,
            },
            path: "a.log".into(),
            at: self.now.wall,
            nth,
            shape: ShapeId(shape.into()),
            text: format!("shape {shape} match {nth}"),
            cut: false,
        };
        let mut counts: BTreeMap<u8, ShapeCount> = BTreeMap::new();
        let mut lines = std::collections::VecDeque::new();
        for (index, shape) in shapes.iter().enumerate() {
            for n in 0..per_shape {
                let nth = index as u64 * per_shape + n + 1;
                lines.push_back(line(nth, *shape));
                let sample = || format!("shape {shape}");
                let last = self.now.wall;
                let new = || ShapeCount {
                    id: ShapeId((*shape).into()),
                    sample: sample(),
                    nth,
                    count: 0,
                    last,
                };
                counts.entry(*shape).or_insert_with(new).count += 1;
            }
        }
        lines.truncate(most);
        let found = Found {
            values: Values::new(),
            context: None,
            rule,
            by,
            count: total,
            first: self.now.wall,
            last: self.now.wall,
            logged: None,
            shapes: counts.into_values().collect(),
            other: 0,
            kept: 0,
            lines,
            files: vec!["a.log".into()],
        };
        self.incidents.apply(vec![Row::Found(found)], self.now);
    }

    fn pass(&mut self, ms: u64) {
        self.now.moment.0 += ms;
        self.now.wall.0 += i64::try_from(ms).unwrap();
        self.incidents.tick(self.now);
        let leaving = self.incidents.leaving();
        self.lanes
            .retain(|chat| self.settings.chats.contains(chat) || leaving.contains(chat));
    }

    /// What operations mean from now on.
    fn know(&mut self, settings: Settings) {
        let chats = |settings: &Settings| -> BTreeMap<RuleName, Vec<ChatName>> {
            let rules = settings.rules.iter();
            rules
                .map(|rule| (rule.name.clone(), rule.chats.clone()))
                .collect()
        };
        let (before, after) = (chats(&self.settings), chats(&settings));
        let alive = RuleName::new("alive");
        if before.get(&alive) != after.get(&alive) {
            self.alive.ends();
        }
        self.other_chats |= after
            .iter()
            .any(|(rule, chats)| before.get(rule).is_some_and(|before| before != chats));
        self.settings = settings;
        self.forget_notices_of_other_chats();
    }

    /// A chat that left is told nothing of what it was to hear; whatever it hears later is something else.
    fn forget_notices_of_other_chats(&mut self) {
        let known = &self.settings.chats;
        self.maybe_arrived
            .retain(|owed| !matches!(owed, Owed::Notices(key) if !known.contains(&key.chat)));
    }

    /// Another rules.toml while the process runs.
    fn reconfigure(&mut self, settings: Settings) {
        self.know(settings);
        let at = ChatTarget::Id(self.at);
        let chats = self.settings.chats.iter().map(|chat| (chat, &at));
        self.incidents.reconfigure(&self.settings, chats, self.now);
        self.lanes.extend(self.settings.chats.iter().cloned());
    }

    /// One request and its answer; false when nothing was due.
    fn deliver(&mut self, chat: usize, answer: Answer) -> bool {
        let Some(order) = self.take(chat) else {
            return false;
        };
        self.settle(&order, answer);
        true
    }

    /// The answer to a request.
    fn settle(&mut self, order: &Order, answer: Answer) {
        let outcome = self.answer(answer);
        self.remember(order, &outcome);
        let settled = self.incidents.settle(
            &order.subject,
            order.attempt,
            &outcome,
            Duration::from_secs(5),
            self.now,
        );
        let told = matches!(settled, Settled::Confirmed | Settled::GaveUp { .. });
        if let Subject::Notices(key) = &order.subject
            && told
        {
            // Those of other kinds have no numbers.
            if key.kind == NoticeKind::Files {
                self.heard(&order.text.text, settled);
            }
            // What was given up on is not sent again; the next text of its kind is another one.
            self.maybe_arrived.remove(&Owed::of(order));
        }
    }

    /// What a text of notices told.
    fn heard(&mut self, text: &str, settled: Settled) {
        let mut parts = text.split(';');
        let numbers = parts
            .next()
            .unwrap()
            .split_whitespace()
            .map(|n| n.parse::<u64>().unwrap());
        let place = match settled {
            Settled::Confirmed => &mut self.notices.told,
            _ => &mut self.notices.refused,
        };
        place.extend(numbers);
        self.notices.dropped += parts.next().unwrap().parse::<u64>().unwrap();
    }

    fn take(&mut self, chat: usize) -> Option<Order> {
        let chat = self.chats[chat].clone();
        if !self.lanes.contains(&chat) {
            return None;
        }
        let Asked::Due { class, .. } = self.incidents.ask(&chat, self.now) else {
            return None;
        };
        let full = self.full.is_some();
        let order = self.incidents.take(&chat, class, full, self.now, &mut Texts);
        assert!(order.is_some(), "what is due can be taken");
        let order = order?;
        let critical = |key: &DeliveryKey| {
            let mut all = self.incidents.incidents();
            all.any(|i| i.id == key.incident && i.severity == Severity::Critical)
        };
        if let Subject::Incident { key, .. } = &order.subject
            && !order.silent
        {
            let silent = self.settings.silent.contains_key(&chat) && is_morning(self.now.wall);
            assert!(!silent || critical(key), "it sounds in silent hours");
        }
        if is_new_message(&order) {
            self.commit();
            let labelled = order.text.text.contains("may repeat");
            assert!(labelled || !full, "a crash would forget it");
            if self.maybe_arrived.contains(&Owed::of(&order)) && !labelled {
                self.unlabelled += 1;
            }
        }
        Some(order)
    }

    fn answer(&mut self, answer: Answer) -> Outcome {
        let refused = |kind| {
            Outcome::Refused(Refusal {
                kind,
                why: "no".into(),
            })
        };
        match answer {
            Answer::Sent => {
                self.next_message += 1;
                Outcome::Sent {
                    message_id: self.next_message,
                }
            }
            Answer::Wait => Outcome::Wait {
                after: None,
                flood: false,
                why: "refused".into(),
            },
            Answer::Flood => Outcome::Wait {
                after: Some(Duration::from_secs(30)),
                flood: true,
                why: "429".into(),
            },
            Answer::Unsure => Outcome::Unsure {
                why: "timeout".into(),
            },
            Answer::Moved => Outcome::Moved { to: -100 },
            Answer::Gone => refused(RefusalKind::ChatGone),
            Answer::Topic => refused(RefusalKind::TopicGone),
            Answer::Message => refused(RefusalKind::MessageGone),
            Answer::Token => refused(RefusalKind::TokenWrong),
            Answer::Document => refused(RefusalKind::Document),
            Answer::Text => refused(RefusalKind::Text),
        }
    }

    fn remember(&mut self, order: &Order, outcome: &Outcome) {
        match outcome {
            Outcome::Sent { .. } => {
                if is_new_message(order) {
                    self.maybe_arrived.remove(&Owed::of(order));
                }
                let Subject::Incident { key, kind } = &order.subject else {
                    return;
                };
                let claim: u64 = order.text.text.split(' ').next().unwrap().parse().unwrap();
                let place = self.claims.entry((key.chat.clone(), key.incident)).or_default();
                let lines = order.text.text.contains("lines");
                let is_document = *kind == AttemptKind::Document;
                assert_eq!(order.document.is_some(), is_document);
                if is_document && !order.text.text.contains("may repeat") {
                    let first = self.documents.insert((key.chat.clone(), key.incident));
                    assert!(first, "a second document");
                }
                match (lines, kind) {
                    (true, AttemptKind::Open | AttemptKind::Batch) => *place += claim,
                    (false, AttemptKind::Open | AttemptKind::Edit | AttemptKind::End) => *place = claim,
                    _ => {}
                }
            }
            Outcome::Unsure { .. } if is_new_message(order) => {
                self.maybe_arrived.insert(Owed::of(order));
            }
            _ => {}
        }
    }

    /// The process dies between the request and the settle. An edit was not committed before.
    fn crash_in_flight(&mut self, chat: usize, committed: bool) {
        if let Some(order) = self.take(chat) {
            if is_new_message(&order) {
                self.maybe_arrived.insert(Owed::of(&order));
            } else if committed {
                self.commit();
            }
        }
        self.reload(0);
    }

    fn restart(&mut self, wall_jump: i32) {
        self.commit();
        self.reload(wall_jump);
    }

    fn reload(&mut self, wall_jump: i32) {
        if let Some(Remembered {
            absent: (absent, chats),
            claims,
            maybe_arrived,
            notices,
        }) = self.full.take()
        {
            self.alive.remember(absent && chats == self.chats_of_alive());
            (self.claims, self.maybe_arrived, self.notices) = (claims, maybe_arrived, notices);
            self.forget_notices_of_other_chats();
        }
        self.lanes = self.settings.chats.iter().cloned().collect();
        self.alive.restart();
        self.seed += 1;
        self.now.moment = Moment(self.now.moment.0 % 977);
        self.now.wall.0 += i64::from(wall_jump);
        let text = serde_json::to_string(&self.disk.deliveries).unwrap();
        self.disk.deliveries = serde_json::from_str(&text).unwrap();
        let text = serde_json::to_string(&self.disk.waiting).unwrap();
        self.disk.waiting = serde_json::from_str(&text).unwrap();
        let text = serde_json::to_string(&self.disk.notices).unwrap();
        self.disk.notices = serde_json::from_str(&text).unwrap();
        let text = serde_json::to_string(&self.disk.chats).unwrap();
        self.disk.chats = serde_json::from_str(&text).unwrap();
        self.incidents = Incidents::restore(
            &self.settings,
            self.disk.clone(),
            self.now,
            fastrand::Rng::with_seed(self.seed),
        );
        let at = ChatTarget::Id(self.at);
        self.incidents
            .locate(self.settings.chats.iter().map(|chat| (chat, &at)));
    }

    fn commit(&mut self) {
        if self.full.is_some() {
            return;
        }
        let delta = self.incidents.changes(self.now);
        let disk = &mut self.disk;
        for incident in delta.incidents {
            disk.incidents.retain(|row| row.id != incident.id);
            disk.incidents.push(incident);
        }
        disk.incidents
            .retain(|row| !delta.incidents_gone.contains(&row.id));
        for delivery in delta.deliveries {
            disk.deliveries.retain(|row| row.key != delivery.key);
            disk.deliveries.push(delivery);
        }
        disk.deliveries
            .retain(|row| !delta.deliveries_gone.contains(&row.key));
        disk.lines.extend(delta.lines);
        disk.lines.retain(|(key, _)| !delta.lines_gone.contains(key));
        disk.lines.sort_by(|a, b| a.0.cmp(&b.0));
        for account in delta.accounts {
            disk.accounts.retain(|row| row.key != account.key);
            disk.accounts.push(account);
        }
        disk.accounts
            .retain(|row| !delta.accounts_gone.contains(&row.key));
        for chat in delta.chats {
            disk.chats.retain(|row| row.name != chat.name);
            disk.chats.push(chat);
        }
        for row in delta.notices {
            disk.notices.retain(|old| old.key != row.key);
            disk.notices.push(row);
        }
        disk.notices.retain(|row| !delta.notices_gone.contains(&row.key));
        for row in delta.waiting {
            disk.waiting.retain(|old| old.key != row.key);
            disk.waiting.push(row);
        }
        disk.waiting.retain(|row| !delta.waiting_gone.contains(&row.key));
        for row in delta.below {
            disk.below.retain(|old| old.rule != row.rule);
            disk.below.push(row);
        }
        disk.below.retain(|row| !delta.below_gone.contains(&row.rule));
        if let Some(gate) = delta.token_gate {
            disk.token_gate = gate;
        }
    }

    /// matched = shown + counted + muted + failed + Σ (applied - settled), from the rows on disk alone;
    /// and matched is what was fed.
    fn check_ledger(&self) -> Result<(), TestCaseError> {
        for row in &self.disk.accounts {
            let a = row.account;
            let own = self
                .disk
                .deliveries
                .iter()
                .filter(|d| d.rule == row.key.rule && d.key.chat == row.key.chat);
            let mut pending = 0;
            for delivery in own {
                prop_assert!(delivery.settled <= delivery.applied);
                pending += delivery.applied - delivery.settled;
            }
            let folded: u64 = row
                .fold
                .iter()
                .chain(&row.fold_next)
                .map(|fold| fold.matches)
                .sum();
            prop_assert_eq!(
                a.matched,
                a.shown + a.counted + a.muted + a.failed + pending + folded,
                "{:?}",
                row.key
            );
            let unopened = self.below(&row.key.rule) + self.waiting(&row.key.rule);
            if !self.other_chats {
                prop_assert_eq!(a.matched + unopened, self.fed[&row.key.rule], "{:?}", row.key);
            }
        }
        // A full disk does not hear of another rules.toml.
        let windows = self.disk.waiting.iter().filter(|_| self.full.is_none());
        for window in windows {
            let rule = self
                .settings
                .rules
                .iter()
                .find(|rule| rule.name == window.key.rule);
            let count = rule
                .and_then(|rule| rule.at_least)
                .map_or(0, |at_least| at_least.count);
            prop_assert!((1..count).contains(&window.count()), "{:?}", window);
        }
        Ok(())
    }

    /// What is open could have been opened by the rules of now, and tells whom they tell.
    fn check_fit(&self) -> Result<(), TestCaseError> {
        for incident in self.incidents.incidents().filter(|incident| !incident.is_over()) {
            let rule = self.settings.rules.iter().find(|rule| rule.name == incident.rule);
            let Some(rule) = rule else {
                return Err(TestCaseError::fail(format!("{} is gone", incident.rule)));
            };
            let names: Vec<&String> = incident.by.0.iter().map(|(name, _)| name).collect();
            prop_assert_eq!(names, rule.by.iter().collect::<Vec<_>>());
            prop_assert_eq!(incident.severity, rule.severity);
            prop_assert_eq!(incident.quiet.length, rule.quiet);
            prop_assert_eq!(incident.absent.is_some(), rule.absent.is_some());
            let told = self
                .disk
                .deliveries
                .iter()
                .filter(|delivery| delivery.key.incident == incident.id);
            let told: BTreeSet<&ChatName> = told.map(|delivery| &delivery.key.chat).collect();
            prop_assert!(
                self.full.is_some() || told == rule.chats.iter().collect(),
                "{told:?}"
            );
        }
        Ok(())
    }

    /// Found events that stayed below `at_least`, as the disk has it.
    fn below(&self, rule: &RuleName) -> u64 {
        let own = self.disk.below.iter().filter(|row| row.rule == *rule);
        own.map(|row| row.below).sum()
    }

    /// Found events that wait for `at_least`, as the disk has it.
    fn waiting(&self, rule: &RuleName) -> u64 {
        let own = self.disk.waiting.iter().filter(|row| row.key.rule == *rule);
        own.map(Waiting::count).sum()
    }

    /// Telegram works again and time passes: everything that can be told is told.
    fn drain(&mut self) {
        self.full = None;
        self.commit();
        for _ in 0..4_000 {
            let mut idle = true;
            for chat in 0..self.chats.len() {
                while self.deliver(chat, Answer::Sent) {
                    idle = false;
                    self.commit();
                }
            }
            let owed = self.disk.notices.iter().any(|row| !row.waiting.is_empty());
            let owed = owed || self.disk.deliveries.iter().any(|row| row.document_owed);
            if idle && !owed && self.incidents.ledger().iter().all(|line| line.pending == 0) {
                return;
            }
            self.pass(20_000);
            self.commit();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_adds_up_and_everything_is_told_in_the_end(ops in prop::collection::vec(op(), 1..150), seed in 0..u64::MAX / 2) {
        let mut world = World::new(seed);
        for op in &ops {
            world.run(op);
            world.check_ledger()?;
            world.check_fit()?;
            prop_assert_eq!(world.is_absent(), world.alive.is_absent());
        }
        world.drain();
        world.check_ledger()?;
        let ledger = world.incidents.ledger();
        for line in &ledger {
            prop_assert_eq!(line.pending, 0, "still pending after the drain: {:?}", line);
        }
        prop_assert_eq!(world.unlabelled, 0, "a repeat without its label");
        prop_assert!(world.disk.deliveries.iter().all(|row| !row.document_owed), "a document that nobody gets");
        // Every notice was told, stood in a text that was refused, or was counted.
        let Noticed { fed, told, refused, dropped } = &world.notices;
        prop_assert_eq!(*fed, told.union(refused).count() as u64 + dropped);
        // Where nothing failed, the last texts of a chat claim exactly what was matched. A failed text says
        // nothing, and a later one of the same incident claims its matches too.
        for chat in &world.chats {
            let of_chat = || ledger.iter().filter(|line| line.key.chat == *chat);
            if of_chat().all(|line| line.account.failed == 0) {
                let matched: u64 = of_chat().map(|line| line.account.matched).sum();
                let claimed: u64 = world.claims.iter().filter(|((name, _), _)| name == chat).map(|(_, claim)| claim).sum();
                prop_assert_eq!(claimed, matched);
            }
        }
    }
}

/// A world with one rule, for laws that are easier to read as a story.
fn world_with(rule: RuleSettings) -> World {
    let mut world = World::new(1);
    world.settings = Settings {
        chats: rule.chats.clone(),
        notices: Vec::new(),
        silent: BTreeMap::new(),
        rules: vec![rule],
        digest: None,
        retention: Settings::RETENTION,
    };
    name_all(&mut world);
    world.reload(0);
    world
}

/// Operations name what rules.toml has now.
fn name_all(world: &mut World) {
    world.rules = world
        .settings
        .rules
        .iter()
        .map(|rule| rule.name.clone())
        .collect();
    world.chats.clone_from(&world.settings.chats);
}

fn kinds(world: &mut World, seconds: u64) -> Vec<(u64, AttemptKind)> {
    let mut seen = Vec::new();
    for second in 0..seconds {
        world.pass(1_000);
        while let Some(order) = world.take(0) {
            let outcome = world.answer(Answer::Sent);
            world.incidents.settle(
                &order.subject,
                order.attempt,
                &outcome,
                Duration::from_secs(1),
                world.now,
            );
            seen.push((second + 1, kind(&order).unwrap()));
        }
    }
    seen
}

#[test]
fn one_burst_is_one_ring_and_one_end() {
    let mut world = world_with(RuleSettings {
        by: vec!["k".into()],
        ..RuleSettings::new("new", "ops")
    });
    world.matches(0, 0, &[1], 200);
    world.matches(0, 0, &[1], 200);
    assert_eq!(
        kinds(&mut world, 700),
        [(2, AttemptKind::Open), (600, AttemptKind::End)]
    );
}

#[test]
fn a_repeat_edits_and_a_new_shape_rings() {
    let mut world = world_with(RuleSettings::new("new", "ops"));
    world.matches(0, 0, &[1], 1);
    assert_eq!(kinds(&mut world, 10), [(2, AttemptKind::Open)]);
    world.matches(0, 0, &[1], 1);
    assert_eq!(kinds(&mut world, 60), [(22, AttemptKind::Edit)]);
    world.matches(0, 0, &[2], 1);
    assert_eq!(
        kinds(&mut world, 60),
        [(1, AttemptKind::Reply), (31, AttemptKind::Edit)]
    );
}

#[test]
fn follow_up_rings_come_at_doubling_pauses() {
    let mut world = world_with(RuleSettings {
        limit: None,
        ..RuleSettings::new("new", "ops")
    });
    world.matches(0, 0, &[0], 1);
    let mut rings = Vec::new();
    for shape in 1..200u8 {
        world.matches(0, 0, &[shape], 1);
        let seen = kinds(&mut world, 30);
        rings.extend(
            seen.iter()
                .filter(|(_, kind)| *kind == AttemptKind::Reply)
                .map(|(at, _)| u64::from(shape) * 30 + at),
        );
    }
    // Rings join the next `every`, so a pause is at most 30 s longer than its doubling.
    let pauses: Vec<u64> = rings.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let expected = [60, 120, 240, 480, 960, 1_800];
    assert!(pauses.len() >= expected.len(), "{rings:?}");
    for (pause, least) in pauses
        .iter()
        .zip(expected.iter().chain(std::iter::repeat(&1_800)))
    {
        assert!((*least..=least + 60).contains(pause), "{pauses:?}");
    }
}

#[test]
fn past_the_limit_incidents_wait_for_the_rules_next_message() {
    let limit = Some(Rate {
        count: 2,
        per: Duration::from_hours(1),
    });
    let mut world = world_with(RuleSettings {
        limit,
        by: vec!["k".into()],
        ..RuleSettings::new("new", "ops")
    });
    for by in 0..6 {
        world.matches(0, by, &[1], 3);
    }
    let rings: Vec<_> = kinds(&mut world, 900)
        .into_iter()
        .filter(|(_, kind)| kind.is_new_message())
        .collect();
    assert_eq!(rings.len(), 2, "{rings:?}");
    let line = &world.incidents.ledger()[0];
    assert_eq!(
        (line.account.matched, line.pending),
        (18, 0),
        "the second message told of the other four"
    );
}

#[test]
fn an_incident_that_may_have_been_told_is_not_summed_up_in_anothers_message() {
    let mut world = world_with(RuleSettings {
        limit: None,
        by: vec!["k".into()],
        ..RuleSettings::new("new", "ops")
    });
    world.matches(0, 0, &[1], 3);
    world.pass(60_000);
    assert!(world.deliver(0, Answer::Unsure));
    for by in 1..6 {
        world.matches(0, by, &[1], 1);
    }
    // All are over before any of them can be told.
    world.pass(7_200_000);
    let mut labelled = 0;
    while let Some(order) = world.take(0) {
        let outcome = world.answer(Answer::Sent);
        let (subject, attempt, pause) = (&order.subject, order.attempt, Duration::from_secs(1));
        world
            .incidents
            .settle(subject, attempt, &outcome, pause, world.now);
        labelled += u32::from(order.text.text.contains("may repeat"));
    }
    assert_eq!(labelled, 1, "its own message, and that says so");
}

#[test]
fn a_line_that_resolves_ends_the_incident_and_replies() {
    let mut world = world_with(RuleSettings::new("new", "ops"));
    world.matches(0, 0, &[1], 5);
    assert_eq!(kinds(&mut world, 5), [(2, AttemptKind::Open)]);
    world.run(&Op::Resolve { rule: 0, by: None });
    assert_eq!(
        kinds(&mut world, 5),
        [(1, AttemptKind::Resolved), (1, AttemptKind::End)]
    );
    assert_eq!(world.incidents.incidents().count(), 0);
}

#[test]
fn a_lost_live_message_is_replaced_in_silence_and_only_if_something_is_owed() {
    let mut world = world_with(RuleSettings::new("new", "ops"));
    world.matches(0, 0, &[1], 5);
    assert_eq!(kinds(&mut world, 5), [(2, AttemptKind::Open)]);
    world.matches(0, 0, &[1], 5);
    world.pass(60_000);
    assert!(world.deliver(0, Answer::Message));
    let order = world.take(0).unwrap();
    assert_eq!((kind(&order), order.silent), (Some(AttemptKind::Open), true));
}

#[test]
fn an_outage_does_not_use_up_the_rings_of_an_hour() {
    let limit = Some(Rate {
        count: 3,
        per: Duration::from_hours(1),
    });
    let mut world = world_with(RuleSettings {
        limit,
        by: vec!["k".into()],
        ..RuleSettings::new("new", "ops")
    });
    world.matches(0, 0, &[1], 3);
    for _ in 0..10 {
        world.pass(60_000);
        assert!(world.deliver(0, Answer::Unsure), "it is tried again");
    }
    world.pass(60_000);
    assert!(world.deliver(0, Answer::Sent));
    world.matches(0, 1, &[1], 3);
    let rings = kinds(&mut world, 60);
    assert_eq!(rings, [(2, AttemptKind::Open)], "the next incident has a place");
    assert_eq!(world.incidents.ledger()[0].pending, 0);
    assert_eq!(world.unlabelled, 0);
}

#[test]
fn owed_is_what_telegram_could_take_now_and_a_refused_token_does_not_change_that() {
    let mut world = world_with(RuleSettings::new("new", "ops"));
    assert!(!world.incidents.owes(world.now));
    world.matches(0, 0, &[1], 1);
    assert!(!world.incidents.owes(world.now), "`wait` runs");
    world.pass(2_000);
    assert!(world.incidents.owes(world.now));
    assert!(world.deliver(0, Answer::Token));
    assert!(
        world.incidents.owes(world.now),
        "the token is wrong, and that is an illness"
    );
    world.pass(60_000);
    assert!(world.deliver(0, Answer::Sent));
    world.matches(0, 0, &[1], 1);
    assert!(!world.incidents.owes(world.now), "`every` runs");
    world.pass(30_000);
    assert!(world.incidents.owes(world.now));
    assert!(world.deliver(0, Answer::Gone));
    assert!(!world.incidents.owes(world.now), "the chat is parked");
}

/// Another rules.toml at the next start.
fn restart_with(world: &mut World, rule: RuleSettings) {
    world.commit();
    world.settings = Settings {
        notices: Vec::new(),
        silent: BTreeMap::new(),
        chats: rule.chats.clone(),
        rules: vec![rule],
        digest: None,
        retention: Settings::RETENTION,
    };
    name_all(world);
    world.reload(0);
    world.commit();
}

fn check(world: &World) {
    world.check_ledger().unwrap();
}

#[test]
fn after_a_chat_was_renamed_further_matches_reach_the_new_one() {
    let mut world = world_with(RuleSettings::new("new", "ops"));
    world.matches(0, 0, &[1], 2);
    assert_eq!(kinds(&mut world, 5), [(2, AttemptKind::Open)]);
    restart_with(&mut world, RuleSettings::new("new", "phone"));
    assert!(
        world.incidents.incidents().all(Incident::is_over),
        "it reached nobody any more"
    );
    world.matches(0, 0, &[1], 3);
    assert_eq!(kinds(&mut world, 5), [(2, AttemptKind::Open)]);
    let line = world
        .incidents
        .ledger()
        .into_iter()
        .find(|line| line.key.chat.as_str() == "phone")
        .unwrap();
    assert_eq!((line.account.matched, line.pending), (3, 0));
}

#[test]
fn a_chat_that_a_rule_gained_hears_of_the_next_match() {
    let mut world = world_with(RuleSettings::new("new", "ops"));
    world.matches(0, 0, &[1], 2);
    assert_eq!(kinds(&mut world, 5), [(2, AttemptKind::Open)]);
    let both = vec![ChatName::new("ops"), ChatName::new("me")];
    restart_with(
        &mut world,
        RuleSettings {
            chats: both,
            ..RuleSettings::new("new", "ops")
        },
    );
    assert_eq!(kinds(&mut world, 5), [(1, AttemptKind::End)]);
    world.matches(0, 0, &[1], 3);
    world.pass(2_000);
    assert!(world.deliver(1, Answer::Sent), "the new chat");
    assert!(world.deliver(0, Answer::Sent), "the old chat");
}

/// The next request: what it is for, whether it is silent, and where the chat became a supergroup.
fn next(world: &mut World, answer: Answer) -> Option<(AttemptKind, bool, Option<i64>)> {
    world.pass(60_000);
    let order = world.take(0)?;
    let outcome = world.answer(answer);
    let (subject, attempt) = (&order.subject, order.attempt);
    world
        .incidents
        .settle(subject, attempt, &outcome, Duration::from_secs(5), world.now);
    Some((kind(&order).unwrap(), order.silent, order.moved_to))
}

/// A world whose only chat moved, and holds the live message of an incident that goes on.
fn world_with_a_moved_chat() -> World {
    let mut world = world_with(RuleSettings {
        quiet: Duration::from_hours(9),
        ..RuleSettings::new("new", "ops")
    });
    world.matches(0, 0, &[1], 1);
    assert_eq!(
        next(&mut world, Answer::Moved),
        Some((AttemptKind::Open, false, None))
    );
    let opening = Some((AttemptKind::Open, false, Some(-100)));
    assert_eq!(next(&mut world, Answer::Sent), opening);
    world.matches(0, 0, &[1], 1);
    world
}

#[test]
fn another_id_in_rules_toml_is_another_chat_with_none_of_the_old_messages() {
    let mut world = world_with_a_moved_chat();
    world.run(&Op::Elsewhere { at: -2 });
    let replaced = Some((AttemptKind::Open, true, None));
    assert_eq!(next(&mut world, Answer::Sent), replaced);
    world.matches(0, 0, &[1], 1);
    let edit = Some((AttemptKind::Edit, true, None));
    assert_eq!(next(&mut world, Answer::Sent), edit, "and it goes on there");
}

#[test]
fn the_supergroups_id_in_rules_toml_is_the_same_chat_with_its_messages() {
    let mut world = world_with_a_moved_chat();
    world.run(&Op::Elsewhere { at: -100 });
    let edit = Some((AttemptKind::Edit, true, None));
    assert_eq!(next(&mut world, Answer::Sent), edit);
}

#[test]
fn a_restart_with_the_same_id_still_knows_where_the_group_went() {
    let mut world = world_with_a_moved_chat();
    world.restart(0);
    let edit = Some((AttemptKind::Edit, true, Some(-100)));
    assert_eq!(next(&mut world, Answer::Sent), edit);
}

#[test]
fn a_group_that_moves_twice_in_a_row_is_followed_and_one_that_moves_in_circles_waits() {
    let mut world = world_with_a_moved_chat();
    for to in [-200, -300] {
        world.pass(60_000);
        let order = world.take(0).unwrap();
        let outcome = Outcome::Moved { to };
        let (subject, attempt) = (&order.subject, order.attempt);
        world
            .incidents
            .settle(subject, attempt, &outcome, Duration::from_secs(5), world.now);
        assert!(world.take(0).is_none(), "not before the pause is over");
    }
    let replaced = Some((AttemptKind::Open, true, Some(-300)));
    assert_eq!(next(&mut world, Answer::Sent), replaced);
}

#[test]
fn a_chat_that_refused_is_not_parked_any_more_under_another_id() {
    let mut world = world_with(RuleSettings::new("new", "ops"));
    world.matches(0, 0, &[1], 1);
    assert!(next(&mut world, Answer::Gone).is_some());
    let parked = |world: &World| world.incidents.chats().any(|chat| chat.parked.is_some());
    world.restart(0);
    assert!(parked(&world), "the same id is the same chat");
    world.run(&Op::Elsewhere { at: -2 });
    assert!(!parked(&world));
    assert!(next(&mut world, Answer::Sent).is_some());
}

#[test]
fn a_rule_that_forwards_no_longer_tells_its_queued_lines_as_a_total() {
    let all = RuleSettings {
        ring: Ring::All,
        limit: None,
        ..RuleSettings::new("all", "ops")
    };
    let mut world = world_with(all.clone());
    world.matches(0, 0, &[1], 2);
    assert_eq!(kinds(&mut world, 5), [(2, AttemptKind::Open)]);
    world.matches(0, 0, &[1], 50);
    for ring in [Ring::New, Ring::All, Ring::First] {
        restart_with(&mut world, RuleSettings { ring, ..all.clone() });
        check(&world);
    }
    let seen = kinds(&mut world, 700);
    assert_eq!(
        seen.iter().filter(|(_, kind)| kind.is_new_message()).count(),
        0,
        "{seen:?}"
    );
    assert_eq!(world.incidents.ledger()[0].pending, 0);
    assert_eq!(world.incidents.incidents().count(), 0);
}

#[test]
fn what_a_lost_message_told_of_other_incidents_is_not_told_again_with_forwarded_lines() {
    let rule = RuleSettings {
        by: vec!["k".into()],
        quiet: Duration::from_hours(9),
        limit: Some(Rate {
            count: 1,
            per: Duration::from_hours(1),
        }),
        ..RuleSettings::new("new", "ops")
    };
    let mut world = world_with(rule.clone());
    world.matches(0, 0, &[1], 1);
    world.matches(0, 1, &[1], 2);
    let first = |world: &mut World| {
        world.pass(60_000);
        let order = world.take(0).unwrap();
        world.settle(&order, Answer::Sent);
        order.text.text.split(' ').next().unwrap().to_owned()
    };
    assert_eq!(
        first(&mut world),
        "3",
        "its own match and the two that have to wait"
    );
    let (ring, limit) = (Ring::All, None);
    restart_with(&mut world, RuleSettings { ring, limit, ..rule });
    world.run(&Op::Elsewhere { at: -2 });
    world.matches(0, 0, &[1], 1);
    assert_eq!(first(&mut world), "1", "the line of now");
}

#[test]
fn the_last_edit_of_forwarded_lines_still_says_how_many_were_not_kept() {
    let mut world = world_with(RuleSettings {
        ring: Ring::All,
        limit: None,
        ..RuleSettings::new("all", "ops")
    });
    let mut texts = Vec::new();
    world.matches_of_which_the_reader_kept(2, 0, 0, &[1], 9);
    for _ in 0..700 {
        world.pass(1_000);
        while let Some(order) = world.take(0) {
            texts.push((kind(&order).unwrap(), order.text.text.clone()));
            let outcome = world.answer(Answer::Sent);
            let (subject, attempt) = (&order.subject, order.attempt);
            world
                .incidents
                .settle(subject, attempt, &outcome, Duration::ZERO, world.now);
            // The numbers outlive a restart, too.
            world.restart(0);
        }
    }
    let said = |kind| (kind, "9 lines".to_owned());
    assert_eq!(texts, [said(AttemptKind::Open), said(AttemptKind::End)]);
    let account = world.incidents.ledger()[0].account;
    assert_eq!((account.matched, account.shown, account.counted), (9, 2, 7));
}

#[test]
fn a_text_that_is_refused_goes_out_plain_then_short_and_then_its_matches_are_failed() {
    let mut world = world_with(RuleSettings::new("new", "ops"));
    world.matches(0, 0, &[1], 4);
    world.pass(2_000);
    let mut forms = Vec::new();
    let mut last = Settled::Later;
    while last == Settled::Later {
        let order = world.take(0).unwrap();
        forms.push((order.plain, order.text.text.contains("short")));
        let outcome = world.answer(Answer::Text);
        let (subject, attempt) = (&order.subject, order.attempt);
        last = world
            .incidents
            .settle(subject, attempt, &outcome, Duration::ZERO, world.now);
        // How far it got survives a restart.
        world.restart(0);
    }
    assert_eq!(forms, [(false, false), (true, false), (true, true)]);
    assert_eq!(last, Settled::GaveUp { matches: 4 });
    let line = &world.incidents.ledger()[0];
    assert_eq!((line.account.failed, line.pending), (4, 0));
    world.matches(0, 0, &[1], 1);
    world.pass(60_000);
    let order = world.take(0).unwrap();
    assert!(!order.plain, "the next text is another one");
}

#[test]
fn a_short_text_that_telegram_takes_fails_nothing() {
    let mut world = world_with(RuleSettings::new("new", "ops"));
    world.matches(0, 0, &[1], 4);
    world.pass(2_000);
    for answer in [Answer::Text, Answer::Text, Answer::Sent] {
        assert!(world.deliver(0, answer));
    }
    let line = &world.incidents.ledger()[0];
    assert_eq!((line.account.failed, line.pending), (0, 0));
}

#[test]
fn the_account_of_a_removed_rule_is_kept_for_thirty_days_and_then_forgotten() {
    let day = 24 * 3_600_000;
    let rule = |name| RuleSettings::new(name, "ops");
    let mut world = world_with(rule("old"));
    world.matches(0, 0, &[1], 2);
    assert_eq!(kinds(&mut world, 5), [(2, AttemptKind::Open)]);
    world.matches(0, 0, &[1], 3);
    restart_with(&mut world, rule("new"));
    let removed = |world: &World| -> Vec<(u64, bool)> {
        let ledger = world.incidents.ledger();
        ledger
            .iter()
            .map(|line| (line.account.matched, line.removed))
            .collect()
    };
    assert_eq!(removed(&world), [(5, true)]);
    world.pass(20 * day);
    restart_with(&mut world, rule("old"));
    assert_eq!(removed(&world), [(5, false)], "it came back");
    world.pass(20 * day);
    restart_with(&mut world, rule("new"));
    world.pass(29 * day);
    world.restart(0);
    assert_eq!(removed(&world), [(5, true)]);
    let old = RuleName::new("old");
    assert!(world.incidents.knows(&old));
    world.pass(2 * day);
    world.commit();
    assert_eq!(removed(&world), []);
    assert!(world.disk.accounts.is_empty() && !world.incidents.knows(&old));
    assert!(
        world.disk.deliveries.is_empty(),
        "what nobody told by then is told to nobody"
    );
}

#[test]
fn the_account_of_a_chat_that_a_rule_tells_no_longer_is_removed_too() {
    let both = vec![ChatName::new("ops"), ChatName::new("me")];
    let rule = |chats: &[ChatName]| RuleSettings {
        chats: chats.to_vec(),
        ..RuleSettings::new("new", "ops")
    };
    let mut world = world_with(rule(&both));
    world.matches(0, 0, &[1], 2);
    restart_with(&mut world, rule(&both[..1]));
    let removed = |world: &World| -> Vec<(ChatName, bool, u64)> {
        let ledger = world.incidents.ledger().into_iter();
        ledger
            .map(|line| (line.key.chat, line.removed, line.account.failed))
            .collect()
    };
    assert_eq!(
        removed(&world),
        [(both[1].clone(), true, 0), (both[0].clone(), false, 0)]
    );
    world.pass(3_600_000);
    assert_eq!(
        removed(&world),
        [(both[1].clone(), true, 2), (both[0].clone(), false, 0)]
    );
}

#[test]
fn a_removed_forwarding_rule_ends_with_one_edit_whatever_was_queued() {
    let mut world = world_with(RuleSettings {
        ring: Ring::All,
        limit: None,
        ..RuleSettings::new("all", "ops")
    });
    world.matches(0, 0, &[1], 2);
    assert_eq!(kinds(&mut world, 5), [(2, AttemptKind::Open)]);
    world.matches(0, 0, &[1], 50);
    restart_with(&mut world, RuleSettings::new("other", "ops"));
    assert_eq!(kinds(&mut world, 90), [(1, AttemptKind::End)]);
    assert_eq!(world.incidents.ledger()[0].pending, 0);
}

#[test]
fn a_shape_that_came_while_rings_paused_rings_when_the_pause_is_over() {
    let mut world = world_with(RuleSettings::new("new", "ops"));
    world.matches(0, 0, &[1], 1);
    assert_eq!(kinds(&mut world, 40), [(2, AttemptKind::Open)]);
    world.matches(0, 0, &[2], 1);
    assert_eq!(kinds(&mut world, 5), [(1, AttemptKind::Reply)]);
    world.matches(0, 0, &[3], 1);
    // The edit at the end of `every` shows it, and tells nobody; the ring comes after the doubled pause.
    assert_eq!(
        kinds(&mut world, 70),
        [(26, AttemptKind::Edit), (56, AttemptKind::Reply)]
    );
}

#[test]
fn one_chats_failure_and_anothers_429_do_not_close_the_bot() {
    let chats = vec![ChatName::new("ops"), ChatName::new("me")];
    let mut world = world_with(RuleSettings {
        chats,
        ..RuleSettings::new("new", "ops")
    });
    world.matches(0, 0, &[1], 1);
    world.pass(2_000);
    assert!(world.deliver(0, Answer::Unsure));
    assert!(world.deliver(1, Answer::Flood));
    world.pass(6_000);
    assert!(
        world.deliver(0, Answer::Sent),
        "its own pause is over, and the bot is open"
    );
}

#[test]
fn two_chats_429s_close_the_bot_until_the_later_one() {
    let chats = vec![ChatName::new("ops"), ChatName::new("me"), ChatName::new("third")];
    let mut world = world_with(RuleSettings {
        chats,
        ..RuleSettings::new("new", "ops")
    });
    world.matches(0, 0, &[1], 1);
    world.pass(2_000);
    assert!(world.deliver(0, Answer::Flood));
    assert!(world.deliver(1, Answer::Flood));
    assert!(!world.deliver(2, Answer::Sent), "the bot waits");
    world.pass(30_000);
    assert!(world.deliver(2, Answer::Sent));
}

#[test]
fn a_message_whose_answers_are_lost_again_and_again_stops_ringing() {
    let mut world = world_with(RuleSettings::new("new", "ops"));
    world.matches(0, 0, &[1], 1);
    let mut silent = Vec::new();
    for _ in 0..6 {
        world.pass(60_000);
        let order = world.take(0).unwrap();
        silent.push(order.silent);
        let outcome = world.answer(Answer::Unsure);
        world.remember(&order, &outcome);
        world.incidents.settle(
            &order.subject,
            order.attempt,
            &outcome,
            Duration::from_secs(5),
            world.now,
        );
    }
    assert_eq!(silent, [false, false, false, true, true, true]);
}

/// A world with two chats, of which the first hears notices.
fn world_with_notices() -> World {
    let chats = vec![ChatName::new("ops"), ChatName::new("me")];
    let mut world = world_with(RuleSettings {
        chats: chats.clone(),
        ..RuleSettings::new("new", "ops")
    });
    world.settings.notices = chats[..1].to_vec();
    world.reload(0);
    world
}

/// The texts of notices that a chat hears within so many seconds, with the second.
fn heard(world: &mut World, chat: usize, seconds: u64) -> Vec<(u64, String)> {
    let mut heard = Vec::new();
    for second in 0..seconds {
        while let Some(order) = world.take(chat) {
            let outcome = world.answer(Answer::Sent);
            let (subject, attempt) = (&order.subject, order.attempt);
            world
                .incidents
                .settle(subject, attempt, &outcome, Duration::ZERO, world.now);
            if kind(&order).is_none() {
                assert!(order.silent, "notices make no sound");
                heard.push((second, order.text.text.clone()));
            }
        }
        world.pass(1_000);
    }
    heard
}

#[test]
fn notices_of_a_kind_are_gathered_and_then_it_pauses() {
    let mut world = world_with_notices();
    world.run(&Op::Notices { count: 3 });
    let first = heard(&mut world, 0, 100);
    assert_eq!(first, [(1, "1 2 3;0;".to_owned())]);
    world.run(&Op::Notices { count: 30 });
    let numbers: Vec<String> = (4..24).map(|number| number.to_string()).collect();
    assert_eq!(
        heard(&mut world, 0, 700),
        [(501, format!("{};10;", numbers.join(" ")))],
        "ten minutes after the first"
    );
    assert_eq!(
        heard(&mut world, 1, 700),
        [],
        "the other chat did not ask for them"
    );
}

#[test]
fn a_notice_that_already_waits_is_not_kept_twice() {
    let mut world = world_with_notices();
    for _ in 0..5 {
        let path = "7".to_owned();
        world.incidents.notice(&Notice::Readable { path }, world.now);
    }
    assert_eq!(heard(&mut world, 0, 10), [(1, "7;0;".to_owned())]);
}

#[test]
fn of_a_crash_loop_only_the_newest_start_is_told_with_what_the_others_lost() {
    let mut world = world_with_notices();
    let start = |files, fresh| Notice::Started {
        files,
        rules: 1,
        fresh,
        set_aside: 1,
        rolled_back: fresh.is_some(),
        earlier: 0,
    };
    world.incidents.notice(&start(1, Some(4)), world.now);
    for files in 2..6 {
        world.restart(0);
        world.incidents.notice(&start(files, None), world.now);
    }
    world.commit();
    let (_, notice) = world.disk.notices[0].waiting.back().unwrap();
    let expected = Notice::Started {
        files: 5,
        rules: 1,
        fresh: Some(4),
        set_aside: 5,
        rolled_back: true,
        earlier: 4,
    };
    assert_eq!(*notice, expected);
    assert_eq!(world.disk.notices[0].waiting.len(), 1);
}

#[test]
fn of_a_chat_that_is_parked_another_one_is_told_and_of_its_return_too() {
    let mut world = world_with_notices();
    world.matches(0, 0, &[1], 1);
    world.pass(5_000);
    assert!(world.deliver(0, Answer::Gone));
    world.commit();
    let told = |world: &World| -> Vec<(ChatName, Notice)> {
        let rows = world.disk.notices.iter();
        rows.flat_map(|row| {
            row.waiting
                .iter()
                .map(|(_, notice)| (row.key.chat.clone(), notice.clone()))
        })
        .collect()
    };
    let (ops, me) = (ChatName::new("ops"), ChatName::new("me"));
    let parked = Notice::Parked {
        chat: ops.clone(),
        why: "no".into(),
    };
    assert_eq!(told(&world), [(me.clone(), parked)]);
    assert_eq!(heard(&mut world, 1, 10).len(), 1);
    world.pass(3_600_000);
    assert!(world.deliver(0, Answer::Sent));
    world.commit();
    assert_eq!(told(&world), [(me, Notice::Returned { chat: ops })]);
}

#[test]
fn with_nobody_who_hears_notices_there_are_none() {
    let mut world = world_with(RuleSettings::new("new", "ops"));
    world.run(&Op::Notices { count: 3 });
    world.matches(0, 0, &[1], 1);
    world.pass(5_000);
    assert!(world.deliver(0, Answer::Gone));
    world.commit();
    assert!(world.disk.notices.is_empty());
}

#[test]
fn in_silent_hours_only_what_is_critical_sounds_and_nothing_is_rung_again_later() {
    for (severity, sounds) in [(Severity::Error, false), (Severity::Critical, true)] {
        let mut world = world_with(RuleSettings {
            severity,
            ..RuleSettings::new("new", "ops")
        });
        world.settings.silent = [(ChatName::new("ops"), mornings())].into();
        world.reload(0);
        world.now.wall = Timestamp(86_400_000);
        world.matches(0, 0, &[1], 1);
        world.pass(5_000);
        let order = world.take(0).unwrap();
        assert_eq!((kind(&order), order.silent), (Some(AttemptKind::Open), !sounds));
        let sent = world.answer(Answer::Sent);
        world
            .incidents
            .settle(&order.subject, order.attempt, &sent, Duration::ZERO, world.now);
        // The afternoon begins while the incident goes on.
        world.now.wall = Timestamp(86_400_000 + 43_200_000);
        assert_eq!(kinds(&mut world, 500), []);
    }
}

#[test]
fn a_rule_that_no_chat_shows_leaves_no_row_and_ends_over_a_restart() {
    let mut world = world_with(RuleSettings {
        chats: Vec::new(),
        ..RuleSettings::new("nobody", "ops")
    });
    world.matches(0, 0, &[1], 3);
    world.restart(0);
    world.matches(0, 0, &[1], 3);
    world.commit();
    assert_eq!(world.incidents.incidents().map(|i| i.total).sum::<u64>(), 6);
    world.pass(700_000);
    world.commit();
    assert_eq!(world.incidents.incidents().count(), 0);
    assert!(world.disk.incidents.is_empty() && world.disk.accounts.is_empty());
}

/// A rule that reminds every hour of what goes on for hours.
fn reminding() -> RuleSettings {
    RuleSettings {
        quiet: Duration::from_hours(9),
        remind: Some(Duration::from_hours(1)),
        ..RuleSettings::new("new", "ops")
    }
}

#[test]
fn a_reminder_rings_again_and_again_until_it_is_over() {
    let mut world = world_with(RuleSettings {
        quiet: Duration::from_mins(150),
        ..reminding()
    });
    world.matches(0, 0, &[1], 1);
    assert_eq!(
        kinds(&mut world, 20_000),
        [
            (2, AttemptKind::Open),
            (3_602, AttemptKind::Remind),
            (7_202, AttemptKind::Remind),
            (9_000, AttemptKind::End)
        ]
    );
}

#[test]
fn a_reminder_is_a_ring_of_the_limit_and_makes_no_sound_in_silent_hours() {
    let limit = Some(Rate {
        count: 2,
        per: Duration::from_hours(3),
    });
    let mut world = world_with(RuleSettings { limit, ..reminding() });
    world.settings.silent = [(ChatName::new("ops"), mornings())].into();
    world.reload(0);
    world.now.wall = Timestamp(86_400_000 + 43_200_000);
    world.matches(0, 0, &[1], 1);
    // The opening's place is free after three hours; by then the third reminder is due too, once.
    let seen = kinds(&mut world, 11_000);
    let expected = [
        (2, AttemptKind::Open),
        (3_602, AttemptKind::Remind),
        (10_802, AttemptKind::Remind),
    ];
    assert_eq!(seen, expected);
    world.now.wall = Timestamp(2 * 86_400_000);
    world.pass(3_600_000);
    let order = world.take(0).unwrap();
    assert_eq!((kind(&order), order.silent), (Some(AttemptKind::Remind), true));
}

#[test]
fn what_nobody_was_told_of_takes_a_place_of_the_limit_before_a_reminder() {
    let limit = Some(Rate {
        count: 1,
        per: Duration::from_mins(10),
    });
    let mut world = world_with(RuleSettings {
        by: vec!["k".into()],
        limit,
        remind: Some(Duration::from_mins(1)),
        ..reminding()
    });
    world.matches(0, 0, &[1], 1);
    assert_eq!(kinds(&mut world, 2), [(2, AttemptKind::Open)]);
    world.matches(0, 1, &[1], 1);
    // Reminders of the first are due all the time.
    assert_eq!(
        kinds(&mut world, 1_210),
        [(600, AttemptKind::Open), (1_200, AttemptKind::Remind)]
    );
    let line = &world.incidents.ledger()[0];
    assert_eq!((line.account.matched, line.pending), (2, 0));
}

#[test]
fn a_reminder_keeps_its_time_over_a_restart_and_takes_the_pace_of_rules_toml() {
    let mut world = world_with(reminding());
    world.matches(0, 0, &[1], 1);
    assert_eq!(kinds(&mut world, 1_802), [(2, AttemptKind::Open)]);
    world.restart(0);
    assert_eq!(kinds(&mut world, 1_900), [(1_800, AttemptKind::Remind)]);
    let faster = RuleSettings {
        remind: Some(Duration::from_mins(10)),
        ..reminding()
    };
    restart_with(&mut world, faster);
    // A hundred seconds after the reminder before it.
    assert_eq!(kinds(&mut world, 700), [(500, AttemptKind::Remind)]);
    restart_with(
        &mut world,
        RuleSettings {
            remind: None,
            ..reminding()
        },
    );
    assert_eq!(kinds(&mut world, 4_000), []);
}

#[test]
fn a_reminder_that_telegram_refuses_for_good_waits_for_its_next_time_and_fails_no_match() {
    let mut world = world_with(reminding());
    world.matches(0, 0, &[1], 1);
    assert_eq!(kinds(&mut world, 3_600), [(2, AttemptKind::Open)]);
    world.pass(2_000);
    while world.deliver(0, Answer::Text) {}
    world.pass(60_000);
    assert!(!world.deliver(0, Answer::Sent), "it waits for its next time");
    assert_eq!(world.incidents.ledger()[0].account.failed, 0);
}

#[test]
fn after_an_hour_without_telegram_two_million_matches_are_a_handful_of_messages_and_exact_totals() {
    let chats = vec![ChatName::new("ops"), ChatName::new("me")];
    let mut world = world_with(RuleSettings {
        chats: chats.clone(),
        by: vec!["k".into()],
        ..RuleSettings::new("new", "ops")
    });
    // 10,000 bursts of 200 in an hour. The first 25 incidents fall silent in the middle of it and end.
    for burst in 0..10_000u64 {
        let by = u8::try_from(burst % 25).unwrap() + if burst < 4_000 { 0 } else { 25 };
        world.matches(0, by, &[1, 2, 3, 4], 50);
        world.pass(360);
        if burst % 500 == 0 {
            for chat in 0..2 {
                let answer = if burst % 1_000 == 0 {
                    Answer::Wait
                } else {
                    Answer::Unsure
                };
                world.deliver(chat, answer);
            }
            world.commit();
        }
    }
    world.commit();
    let live: Vec<IncidentId> = world
        .incidents
        .incidents()
        .filter(|i| !i.is_over())
        .map(|i| i.id)
        .collect();
    assert_eq!(live.len(), 25);
    let ended = world.incidents.incidents().count() - live.len();
    assert!(
        ended <= 4,
        "three ended incidents wait by name, and one that may have arrived; {ended} do"
    );
    let mut messages: BTreeMap<(ChatName, IncidentId), u32> = BTreeMap::new();
    for _ in 0..4_000 {
        let mut idle = true;
        for (index, chat) in chats.iter().enumerate() {
            while let Some(order) = world.take(index) {
                idle = false;
                let outcome = world.answer(Answer::Sent);
                world.remember(&order, &outcome);
                let (subject, attempt) = (&order.subject, order.attempt);
                world
                    .incidents
                    .settle(subject, attempt, &outcome, Duration::ZERO, world.now);
                let Subject::Incident { key, kind } = &order.subject else {
                    panic!("nobody asked for notices");
                };
                if *kind == AttemptKind::Open {
                    *messages.entry((chat.clone(), key.incident)).or_default() += 1;
                }
                world.commit();
            }
        }
        if idle && world.incidents.ledger().iter().all(|line| line.pending == 0) {
            break;
        }
        world.pass(20_000);
    }
    world.check_ledger().unwrap();
    assert!(messages.values().all(|count| *count == 1), "{messages:?}");
    for chat in &chats {
        let of_chat = messages.keys().filter(|(name, _)| name == chat);
        assert!(of_chat.clone().count() <= 25 + 4, "{}", of_chat.count());
        let claimed: u64 = world
            .claims
            .iter()
            .filter(|((name, _), _)| name == chat)
            .map(|(_, claim)| claim)
            .sum();
        assert_eq!(claimed, 2_000_000);
    }
    for line in world.incidents.ledger() {
        let Account {
            matched,
            shown,
            counted,
            ..
        } = line.account;
        assert_eq!(
            (matched, shown + counted, line.pending),
            (2_000_000, 2_000_000, 0)
        );
    }
    assert_eq!(world.unlabelled, 0);
}

/// A rule that opens at five within a minute, as `status` counts it: matched, below, waiting.
fn five_within_a_minute() -> World {
    world_with(RuleSettings {
        at_least: Some(AtLeast {
            count: 5,
            within: Duration::from_mins(1),
        }),
        by: vec!["k".into()],
        ..RuleSettings::new("often", "ops")
    })
}

fn columns(world: &mut World) -> (u64, u64, u64) {
    world.commit();
    let matched = world
        .incidents
        .ledger()
        .iter()
        .map(|line| line.account.matched)
        .sum();
    let (below, waiting) = world.incidents.unopened(&RuleName::new("often"));
    let rule = RuleName::new("often");
    assert_eq!((below, waiting), (world.below(&rule), world.waiting(&rule)));
    (matched, below, waiting)
}

#[test]
fn what_leaves_the_window_is_below_and_what_fills_it_belongs_to_the_opening() {
    let mut world = five_within_a_minute();
    world.matches(0, 0, &[1], 2);
    world.pass(30_000);
    world.matches(0, 0, &[2], 2);
    assert_eq!(columns(&mut world), (0, 0, 4));
    world.pass(29_999);
    assert_eq!(columns(&mut world), (0, 0, 4));
    world.pass(1);
    assert_eq!(columns(&mut world), (0, 2, 2));
    // Other values have a window of their own.
    world.matches(0, 1, &[1], 4);
    assert_eq!(columns(&mut world), (0, 2, 6));
    world.matches(0, 0, &[3], 3);
    assert_eq!(columns(&mut world), (5, 2, 4));
    let incident = world.incidents.incidents().next().unwrap();
    assert_eq!((incident.total, incident.shapes.len()), (5, 2));
    // While it is open everything belongs to it; then the next one has to fill its window again.
    world.matches(0, 0, &[3], 1);
    assert_eq!(columns(&mut world), (6, 2, 4));
    kinds(&mut world, 700);
    world.matches(0, 0, &[3], 1);
    assert_eq!(columns(&mut world), (6, 6, 1));
}

#[test]
fn a_window_goes_on_over_a_restart_and_is_below_when_rules_toml_has_no_threshold_any_more() {
    let mut world = five_within_a_minute();
    world.matches(0, 0, &[1], 3);
    world.pass(40_000);
    world.restart(0);
    assert_eq!(columns(&mut world), (0, 0, 3));
    world.matches(0, 0, &[1], 1);
    world.pass(20_000);
    assert_eq!(columns(&mut world), (0, 3, 1));
    let rule = RuleSettings {
        at_least: None,
        ..world.settings.rules[0].clone()
    };
    restart_with(&mut world, rule);
    assert_eq!(columns(&mut world), (0, 4, 0));
    world.matches(0, 0, &[1], 1);
    assert_eq!(columns(&mut world), (1, 4, 0));
}

#[test]
fn past_a_thousand_windows_further_values_share_one() {
    let mut world = five_within_a_minute();
    let rule = world.settings.rules[0].name.clone();
    for user in 0..1_500 {
        let by = By::from_iter([("k".into(), user.to_string())]);
        let found = Found {
            values: Values::new(),
            context: None,
            rule: rule.clone(),
            by,
            count: 1,
            first: world.now.wall,
            last: world.now.wall,
            logged: None,
            shapes: Vec::new(),
            other: 1,
            lines: [].into(),
            kept: 0,
            files: Vec::new(),
        };
        world.incidents.apply(vec![Row::Found(found)], world.now);
    }
    world.commit();
    assert_eq!(world.disk.waiting.len(), 1_000);
    let incident: Vec<_> = world
        .incidents
        .incidents()
        .map(|i| (i.by.clone(), i.total))
        .collect();
    assert_eq!(incident, [(By::others(&["k".into()]), 500)]);
    assert_eq!(columns(&mut world), (500, 0, 1_000));
}
