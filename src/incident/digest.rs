//! The daily digest: when it is due, and what it says.
//!
//! What it told of is remembered in a stored row, which changes in the commit that holds the notice: so a restart neither
//! repeats a digest nor skips one, and a start after a missed time tells it at once, with its span.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::ToSpan;
use jiff::tz::TimeZone;

use crate::model::{
    AccountKey, ChatName, Digest, DigestCount, DigestSpan, Moment, Notice, Now, RuleName, Timer, Timestamp,
};

use super::incidents::Incidents;
use super::notices;

/// Whatever the clock on the wall does, two digests are this far apart.
const PAUSE: Duration = Duration::from_hours(1);
/// The clock on the wall is looked at this often.
const LOOK: Duration = Duration::from_secs(1);
/// So many of the noisiest rules are named.
const NOISIEST: usize = 3;

/// When, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestSettings {
    /// Who is told.
    pub chat: ChatName,
    /// At which minute of the day.
    pub at: u16,
    /// Whose day.
    pub zone: TimeZone,
}

impl DigestSettings {
    /// The first such time behind another one. Where a clock that is put forward leaves it out, it is as much later; where
    /// it comes twice, it is the first.
    pub(super) fn after(&self, since: Timestamp) -> Option<Timestamp> {
        let since = jiff::Timestamp::from_millisecond(since.0).ok()?;
        let hour = i8::try_from(self.at / 60).ok()?;
        let minute = i8::try_from(self.at % 60).ok()?;
        let time = jiff::civil::Time::new(hour, minute, 0, 0).ok()?;
        let today = since.to_zoned(self.zone.clone()).date();
        (0..=3).find_map(|days| {
            let day = today.checked_add(days.days()).ok()?;
            let at = day
                .to_datetime(time)
                .to_zoned(self.zone.clone())
                .ok()?
                .timestamp();
            (at > since).then(|| Timestamp(at.as_millisecond()))
        })
    }
}

/// When the next digest is looked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    /// The clock on the wall is looked at again.
    again: Moment,
    /// When the next digest is due, on the wall and by the other clock.
    due: Option<(Timestamp, Moment)>,
}

impl Look {
    /// When there is something to do.
    pub(super) fn due(&self) -> Option<Moment> {
        self.due.map(|(_, moment)| moment)
    }
}

impl Incidents {
    /// Tells the digest if it is time.
    pub(super) fn tell_digest(&mut self, now: Now) {
        let fired = self.look.due().is_some_and(|due| due <= now.moment);
        if now.moment < self.look.again && !fired {
            return;
        }
        self.look.again = now.moment + LOOK;
        let Some(settings) = self.digest.clone() else {
            self.look.due = None;
            if self.rows.digest().is_some() {
                self.rows.set_digest(None);
            }
            return;
        };
        let span = match self.rows.digest() {
            Some(span) => span.clone(),
            None => self.begin_span(None, now),
        };
        // A clock that was put back: no span begins in the future.
        let due = settings.after(span.since.min(now.wall));
        let pause = span.pause.map_or(now.moment, |pause| pause.due);
        let due = due.map(|due| {
            let left = u64::try_from(due.0.saturating_sub(now.wall.0)).unwrap_or_default();
            (due, pause.max(now.moment + Duration::from_millis(left)))
        });
        let Some((wall, moment)) = due else {
            self.look.due = None;
            return;
        };
        if moment <= now.moment {
            let digest = Notice::Digest(Box::new(self.digest_of(&span, now)));
            notices::add(&mut self.rows, &[settings.chat], &digest, now);
            self.begin_span(Some(Timer::start(now.moment, PAUSE)), now);
            self.look.due = None;
            // The next one is looked for at once: whoever waits for it sleeps until then.
            self.look.again = now.moment;
            return self.tell_digest(now);
        }
        let known = self.look.due;
        if known.is_none_or(|(known, at)| known != wall || at <= now.moment) {
            self.look.due = Some((wall, moment));
        }
    }

    fn begin_span(&mut self, pause: Option<Timer>, now: Now) -> DigestSpan {
        let count = |row: &crate::model::LedgerRow| DigestCount {
            key: row.key.clone(),
            account: row.account,
            opened: row.opened,
            rung: row.rung,
        };
        let span = DigestSpan {
            since: now.wall,
            pause,
            before: self.rows.accounts().map(count).collect(),
        };
        self.rows.set_digest(Some(span.clone()));
        span
    }

    fn digest_of(&self, span: &DigestSpan, now: Now) -> Digest {
        let before: BTreeMap<&AccountKey, &DigestCount> =
            span.before.iter().map(|count| (&count.key, count)).collect();
        let mut digest = Digest {
            from: span.since,
            to: now.wall,
            ..Digest::default()
        };
        // Several chats hear of the same incidents and matches; a rule has as many as the chat that heard of most.
        let mut opened: BTreeMap<&RuleName, u64> = BTreeMap::new();
        let mut matched: BTreeMap<&RuleName, u64> = BTreeMap::new();
        for row in self.rows.accounts() {
            let was = before.get(&row.key);
            let account = was.map(|was| was.account).unwrap_or_default();
            let grown = row.account.since(&account);
            digest.account = digest.account.and(&grown);
            digest.rings += row.rung.saturating_sub(was.map_or(0, |was| was.rung));
            let new = row.opened.saturating_sub(was.map_or(0, |was| was.opened));
            for (counts, count) in [(&mut opened, new), (&mut matched, grown.matched)] {
                let most = counts.entry(&row.key.rule).or_default();
                *most = (*most).max(count);
            }
        }
        digest.incidents = opened.values().sum();
        digest.pending = self.ledger().iter().map(|line| line.pending).sum();
        let quiet = self.rules.values().filter(|rule| {
            let found = matched.get(&rule.name).copied().unwrap_or_default();
            // Silence is what a rule with `absent` hopes for.
            found == 0 && rule.absent.is_none()
        });
        digest.quiet = quiet.map(|rule| rule.name.to_string()).collect();
        let mut noisiest: Vec<(RuleName, u64)> = matched
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(rule, count)| (rule.clone(), count))
            .collect();
        noisiest.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        noisiest.truncate(NOISIEST);
        digest.noisiest = noisiest;
        digest
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::incident::Settings;
    use crate::model::{State, StoreId};

    const DAY: i64 = 86_400_000;

    fn wall(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn digest(at: u16, zone: &str) -> DigestSettings {
        DigestSettings {
            chat: ChatName::new("me"),
            at,
            zone: TimeZone::get(zone).unwrap(),
        }
    }

    fn settings(at: u16, zone: &str) -> Settings {
        Settings {
            chats: vec![ChatName::new("me")],
            notices: Vec::new(),
            digest: Some(digest(at, zone)),
            ..Settings::default()
        }
    }

    /// A process, its store, and a clock on the wall that may jump.
    struct World {
        settings: Settings,
        incidents: Incidents,
        disk: State,
        now: Now,
        /// The digests so far.
        told: Vec<Digest>,
    }

    impl World {
        fn new(settings: Settings, wall: Timestamp) -> Self {
            let disk = State::empty(StoreId::draw(&mut fastrand::Rng::with_seed(1)));
            let now = Now {
                moment: Moment(86_400_000),
                wall,
            };
            let mut world = Self {
                incidents: Incidents::restore(&settings, disk.clone(), now, fastrand::Rng::with_seed(2)),
                settings,
                disk,
                now,
                told: Vec::new(),
            };
            world.turn();
            world
        }

        /// Lets time pass, commits, and takes what is told.
        fn turn(&mut self) {
            self.incidents.tick(self.now);
            let delta = self.incidents.changes(self.now);
            if let Some(row) = delta.digest {
                self.disk.digest = row;
            }
            for row in delta.notices {
                for (_, notice) in &row.waiting {
                    match notice {
                        Notice::Digest(digest) => self.told.push((**digest).clone()),
                        other => panic!("{other:?}"),
                    }
                }
                self.incidents.rows.notice_mut(&row.key).waiting.clear();
            }
        }

        fn pass(&mut self, seconds: u64) {
            self.now.moment = self.now.moment + Duration::from_secs(seconds);
            self.now.wall.0 += i64::try_from(seconds).unwrap() * 1_000;
            self.turn();
        }

        fn restart(&mut self, away: u64) {
            self.now.wall.0 += i64::try_from(away).unwrap() * 1_000;
            self.now.moment = Moment(86_400_000);
            self.incidents = Incidents::restore(
                &self.settings,
                self.disk.clone(),
                self.now,
                fastrand::Rng::with_seed(3),
            );
            self.turn();
        }
    }

    #[test]
    fn it_comes_at_its_time_with_the_span_since_the_one_before() {
        let start = wall("2026-11-20T06:30:00Z");
        let mut world = World::new(settings(8 * 60, "UTC"), start);
        world.pass(5_399);
        assert_eq!(world.told.len(), 0);
        assert_eq!(
            world.incidents.next_tick(),
            Some(world.now.moment + Duration::from_secs(1))
        );
        world.pass(1);
        assert_eq!(
            (world.told[0].from, world.told[0].to),
            (start, wall("2026-11-20T08:00:00Z"))
        );
        world.pass(3_600);
        world.pass(22 * 3_600);
        assert_eq!(world.told.len(), 1);
        world.pass(3_600);
        assert_eq!(world.told.len(), 2);
        assert_eq!(world.told[1].from, wall("2026-11-20T08:00:00Z"));
    }

    #[test]
    fn one_that_was_missed_comes_once_with_its_whole_span() {
        let mut world = World::new(settings(8 * 60, "UTC"), wall("2026-11-20T09:00:00Z"));
        world.restart(3 * 86_400);
        assert_eq!(world.told.len(), 1);
        assert_eq!(
            (world.told[0].from, world.told[0].to),
            (wall("2026-11-20T09:00:00Z"), wall("2026-11-23T09:00:00Z"))
        );
        world.restart(60);
        world.pass(3_600 * 20);
        assert_eq!(world.told.len(), 1);
    }

    #[test]
    fn a_time_that_a_clock_leaves_out_comes_later_and_one_that_comes_twice_comes_once() {
        let at = digest(150, "Europe/Berlin");
        // In March two o'clock is three; in October it is two twice.
        let next = |since: &str| at.after(wall(since)).unwrap();
        assert_eq!(next("2026-03-28T12:00:00Z"), wall("2026-03-29T01:30:00Z"));
        assert_eq!(next("2026-03-29T01:30:00Z"), wall("2026-03-30T00:30:00Z"));
        assert_eq!(next("2026-10-24T12:00:00Z"), wall("2026-10-25T00:30:00Z"));
        assert_eq!(next("2026-10-25T00:30:00Z"), wall("2026-10-26T01:30:00Z"));
        // Samoa left out a whole day.
        let apia = digest(8 * 60, "Pacific/Apia");
        let last = apia.after(wall("2011-12-29T12:00:00Z")).unwrap();
        assert!(apia.after(last).unwrap().0 - last.0 <= 2 * DAY);
    }

    #[test]
    fn without_one_nothing_is_remembered_and_the_next_begins_anew() {
        let mut world = World::new(settings(8 * 60, "UTC"), wall("2026-11-20T09:00:00Z"));
        let with = world.settings.clone();
        world.settings.digest = None;
        world.restart(86_400);
        assert_eq!((world.told.len(), &world.disk.digest.span), (0, &None));
        world.settings = with;
        world.restart(86_400);
        assert_eq!(world.told.len(), 0);
        world.pass(23 * 3_600);
        assert_eq!(world.told[0].from, wall("2026-11-22T09:00:00Z"));
    }

    proptest! {
        /// Spans follow each other without a hole and without an overlap, whatever restarts and clocks do; and where
        /// clocks do nothing there is one a day.
        #[test]
        fn digests_neither_repeat_nor_skip(
            at in 0..1_440u16,
            zone in prop::sample::select(&["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia"][..]),
            start in 1_300_000_000..1_900_000_000i64,
            steps in prop::collection::vec((0..3u8, 1..200_000u64, -100_000..100_000i64), 1..60),
            jumps in any::<bool>(),
        ) {
            let mut world = World::new(settings(at, zone), Timestamp(start * 1_000));
            let begun = world.now.wall;
            for (step, seconds, jump) in steps {
                match step {
                    // Often enough to be there when it is time.
                    0 => for _ in 0..seconds / 600 { world.pass(600) },
                    1 => world.restart(seconds),
                    _ if jumps => {
                        world.now.wall.0 += jump * 1_000;
                        world.pass(1);
                    }
                    _ => world.pass(1),
                }
            }
            let mut from = begun;
            for told in &world.told {
                prop_assert_eq!(told.from, from);
                from = told.to;
            }
            prop_assert_eq!(world.disk.digest.span.as_ref().unwrap().since, from);
            if !jumps {
                // Each comes at the first such time behind the one before, or later; none is owed for longer than a pause.
                let settings = world.settings.digest.clone().unwrap();
                for pair in world.told.windows(2) {
                    prop_assert!(settings.after(pair[0].to).unwrap() <= pair[1].to, "{:?}", pair);
                }
                let owed = settings.after(from).unwrap();
                prop_assert!(world.now.wall.0 <= owed.0 + 3_600_000 + 600_000);
            }
        }
    }
}
