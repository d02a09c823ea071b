//! `absent`, beside somebody who writes down every word of the reader and adds up.

use super::*;

/// The rule's only log.
fn app() -> LogName {
    LogName::new("app")
}

/// What the reader said since the last sign of life or start: when, and whether the log was read to its end.
#[derive(Debug, Default)]
pub(super) struct Alive {
    words: Vec<(Moment, bool)>,
    absent: bool,
}

impl Alive {
    /// The time begins anew; what is open stays open.
    pub(super) fn restart(&mut self) {
        self.words.clear();
    }

    /// The incident cannot go on.
    pub(super) fn ends(&mut self) {
        self.absent = false;
    }

    /// After a crash it is as the disk has it.
    pub(super) fn remember(&mut self, absent: bool) {
        self.absent = absent;
    }

    pub(super) fn is_absent(&self) -> bool {
        self.absent
    }

    fn sign(&mut self, now: Moment) {
        let at_end = self.words.last().is_some_and(|(_, at_end)| *at_end);
        self.words = vec![(now, at_end)];
        self.absent = false;
    }

    /// Returns whether it opens: the time between words that follow each other, if both said that all was read and the
    /// reader was not held up between them, adds up to what the rule says.
    fn word(&mut self, at: Moment, at_end: bool, after: Duration) -> bool {
        self.words.push((at, at_end));
        let steps = self.words.windows(2).filter(|pair| pair[0].1 && pair[1].1);
        let steps = steps.map(|pair| pair[1].0 - pair[0].0);
        let lived: Duration = steps.filter(|step| *step <= Duration::from_secs(10)).sum();
        let opens = at_end && lived >= after && !self.absent;
        self.absent |= opens;
        opens
    }
}

impl World {
    /// The reader says so often, at such a pause in seconds, whether all was read. With a sign of life behind the first
    /// half of its words.
    pub(super) fn read(&mut self, words: u8, pause: u8, at_end: bool, sign: bool) {
        let rule = self.settings.rules.iter().find(|rule| rule.absent.is_some());
        let Some(after) = rule
            .and_then(|rule| rule.absent.as_ref())
            .map(|absent| absent.after)
        else {
            return;
        };
        let logs: &[LogName] = if at_end { &[app()] } else { &[] };
        for word in 0..words {
            if sign && word == words / 2 {
                self.sign();
            }
            self.pass(u64::from(pause) * 1_000);
            let opens = self.alive.word(self.now.moment, at_end, after);
            if opens {
                *self.fed.entry(RuleName::new("alive")).or_default() += 1;
            }
            let opened = self.incidents.read_to_end(logs, self.now.moment, self.now);
            assert_eq!(opened, opens, "{:?}", self.alive);
        }
        self.commit();
    }

    fn sign(&mut self) {
        let found = Found {
            rule: RuleName::new("alive"),
            by: By::default(),
            count: 2,
            first: self.now.wall,
            last: self.now.wall,
            logged: None,
            values: crate::model::Values::new(),
            context: None,
            shapes: Vec::new(),
            other: 2,
            lines: [].into(),
            kept: 0,
            files: vec!["a.log".into()],
        };
        self.incidents.apply(vec![Row::Found(found)], self.now);
        self.alive.sign(self.now.moment);
    }

    /// Whom the rule tells by rules.toml.
    pub(super) fn chats_of_alive(&self) -> Option<Vec<ChatName>> {
        let mut rules = self.settings.rules.iter();
        let alive = rules.find(|rule| rule.name.as_str() == "alive")?;
        Some(alive.chats.clone())
    }

    pub(super) fn is_absent(&self) -> bool {
        let mut open = self.incidents.incidents().filter(|incident| !incident.is_over());
        open.any(|incident| incident.rule.as_str() == "alive")
    }
}

/// A world whose only rule misses its sign of life after five minutes.
fn alive() -> World {
    let rule = settings()
        .rules
        .into_iter()
        .find(|rule| rule.absent.is_some())
        .unwrap();
    let (after, logs) = (Duration::from_mins(5), vec![app()]);
    world_with(RuleSettings {
        chats: vec![ChatName::new("ops")],
        absent: Some(Absent { after, logs }),
        ..rule
    })
}

/// The next request, and its answer.
fn told(world: &mut World) -> Option<AttemptKind> {
    let order = world.take(0)?;
    world.settle(&order, Answer::Sent);
    kind(&order)
}

#[test]
fn what_is_absent_opens_once_reminds_and_is_over_with_the_next_sign_of_life() {
    let mut world = alive();
    world.read(60, 5, true, false);
    assert!(!world.is_absent(), "the first word begins the time");
    world.read(1, 5, true, false);
    assert!(world.is_absent());
    world.pass(2_000);
    assert_eq!(told(&mut world), Some(AttemptKind::Open));
    // Longer than `quiet`: only a sign of life ends it.
    for _ in 0..3 {
        world.pass(240_000);
        assert_eq!(told(&mut world), Some(AttemptKind::Remind));
    }
    world.read(100, 5, true, false);
    assert_eq!(world.incidents.incidents().count(), 1);
    world.run(&Op::Read {
        words: 1,
        pause: 1,
        at_end: true,
        sign: true,
    });
    assert!(!world.is_absent());
    assert_eq!(told(&mut world), Some(AttemptKind::Resolved));
    assert_eq!(told(&mut world), Some(AttemptKind::End));
    let ledger = world.incidents.ledger();
    assert_eq!((ledger[0].account.matched, ledger[0].pending), (1, 0));
}

#[test]
fn the_time_stands_while_a_backlog_is_read_and_while_the_log_cannot_be_seen() {
    let mut world = alive();
    world.read(50, 5, true, false);
    world.read(200, 5, false, false);
    // A reader that was held up for an hour.
    world.pass(3_600_000);
    world.read(11, 5, true, false);
    assert!(!world.is_absent());
    world.read(1, 5, true, false);
    assert!(world.is_absent());
}

#[test]
fn a_start_begins_the_time_anew_and_keeps_what_is_open() {
    let mut world = alive();
    world.read(59, 5, true, false);
    world.restart(0);
    world.read(60, 5, true, false);
    assert!(!world.is_absent());
    world.read(1, 5, true, false);
    assert!(world.is_absent());
    world.restart(0);
    assert!(world.is_absent());
    world.read(200, 5, true, false);
    assert_eq!(world.incidents.incidents().count(), 1, "nothing opens twice");
    world.sign();
    assert!(!world.is_absent());
}

#[test]
fn a_rule_that_is_turned_round_ends_what_it_had_open() {
    let mut world = alive();
    world.read(61, 5, true, false);
    world.pass(2_000);
    assert_eq!(told(&mut world), Some(AttemptKind::Open));
    let rule = RuleSettings {
        absent: None,
        ..world.settings.rules[0].clone()
    };
    restart_with(&mut world, rule);
    assert_eq!(told(&mut world), Some(AttemptKind::End));
    assert!(!world.is_absent());
}
