//! The laws of the last place, of halved rates over restarts, and of two processes with one bot.
#![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction)]

use proptest::prelude::*;

use super::tests::{in_paused_time, per_minute};
use super::*;

/// How long the last place takes to come back.
fn refill(count: u32) -> Duration {
    MINUTE / (count - BURST) + Duration::from_millis(1)
}

/// What happens in one step of a storm.
#[derive(Clone, Copy, Debug)]
struct Step {
    pause_ms: u64,
    /// How many new messages and edits want a place, one after the other.
    rings: u8,
    edits: u8,
    /// Whether something critical opens, if the one before it was long enough ago.
    critical: bool,
    /// Whether the process is restarted.
    restarts: bool,
}

fn storm() -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![6 => 0u64..200, 3 => 0u64..5_000, 1 => 0u64..40_000];
    let step = (
        pause,
        0..6u8,
        0..6u8,
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.02),
    );
    let step = step.prop_map(|(pause_ms, rings, edits, critical, restarts)| Step {
        pause_ms,
        rings,
        edits,
        critical,
        restarts,
    });
    prop::collection::vec(step, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_else_is_owed_a_critical_message_has_its_place_at_once(count in BURST_FROM..50, storm in storm()) {
        in_paused_time(async move {
            let limit = per_minute(count);
            let mut limits = ChatLimits::new(limit, &[], None);
            let mut given: Vec<Instant> = Vec::new();
            let mut last: Option<Instant> = None;
            for step in storm {
                tokio::time::advance(Duration::from_millis(step.pause_ms)).await;
                let now = Instant::now();
                if step.restarts {
                    let ages: Vec<Duration> = given.iter().map(|at| now - *at).collect();
                    limits = ChatLimits::new(limit, &ages, None);
                }
                for class in [(Class::Ring, step.rings), (Class::Edit, step.edits)] {
                    given.extend((0..class.1).filter(|_| limits.check(class.0).is_ok()).map(|_| now));
                }
                if step.critical && last.is_none_or(|last| now - last >= refill(count)) {
                    prop_assert_eq!(limits.check(Class::Critical), Ok(()));
                    given.push(now);
                    last = Some(now);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_second_critical_message_waits_for_one_place_at_most(count in BURST_FROM..50, storm in storm()) {
        in_paused_time(async move {
            let mut limits = ChatLimits::new(per_minute(count), &[], None);
            for step in storm {
                tokio::time::advance(Duration::from_millis(step.pause_ms)).await;
                for _ in 0..step.rings {
                    let _ = limits.check(Class::Ring);
                }
                if let Err(wait) = limits.check(Class::Critical) {
                    prop_assert!(wait <= refill(count), "{wait:?}");
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn in_the_bot_too_a_critical_message_has_its_place_at_once(chats in prop::collection::vec((0..40u64, 1..60u8), 1..200)) {
        in_paused_time(async move {
            let limits = BotLimits::new();
            for (pause, asks) in chats {
                tokio::time::advance(Duration::from_millis(50 + pause)).await;
                for _ in 0..asks {
                    let _ = limits.check(Class::Ring);
                    let _ = limits.check(Class::Edit);
                }
                prop_assert_eq!(limits.check(Class::Critical), Ok(()));
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_halved_rate_comes_back_at_the_same_time_whether_there_was_a_restart_or_not(
        floods in prop::collection::vec((0u64..400, 0u64..900), 1..8), lives in 0u64..900, later in prop::collection::vec(0u64..200, 1..8),
    ) {
        in_paused_time(async move {
            let mut one = ChatLimits::new(per_minute(40), &[], None);
            for (pause, closed) in floods {
                tokio::time::advance(Duration::from_secs(pause)).await;
                one.flooded(Duration::from_secs(closed));
            }
            tokio::time::advance(Duration::from_secs(lives)).await;
            let remembered = one.slowed();
            let mut other = ChatLimits::new(per_minute(40), &[], remembered);
            for pause in later {
                prop_assert_eq!(one.slowed(), other.slowed());
                tokio::time::advance(Duration::from_secs(pause)).await;
            }
            Ok(())
        })?;
    }
}

#[test]
fn rings_have_all_of_a_groups_rate_but_the_last_place_of_its_burst() {
    in_paused_time(async {
        let mut limits = ChatLimits::new(default_limit(&ChatTarget::Id(-5)), &[], None);
        let mut places = 0;
        while limits.check(Class::Ring).is_ok() {
            places += 1;
        }
        assert_eq!(places, 2);
        assert_eq!(limits.check(Class::Critical), Ok(()));
        // The place that was kept comes back first; then the others have the whole refill again.
        for _ in 0..1_200 {
            tokio::time::advance(Duration::from_millis(100)).await;
            places += u32::from(limits.check(Class::Ring).is_ok());
        }
        assert_eq!(places, 2 + 29);
    });
}

#[test]
fn a_restart_after_the_rate_came_back_begins_with_the_whole_rate() {
    in_paused_time(async {
        let mut limits = ChatLimits::new(per_minute(40), &[], None);
        limits.flooded(Duration::from_secs(10));
        assert_eq!(limits.slowed().unwrap().whole_in, Duration::from_secs(130));
        let nothing_left = Slow {
            halvings: 3,
            whole_in: Duration::ZERO,
        };
        assert_eq!(
            ChatLimits::new(per_minute(40), &[], Some(nothing_left)).slowed(),
            None
        );
        tokio::time::advance(Duration::from_secs(130)).await;
        assert_eq!(limits.slowed(), None);
    });
}

/// What a group takes: 20 messages in any minute, and whole seconds of silence after one more.
#[derive(Default)]
struct Group(VecDeque<Instant>);

impl Group {
    fn send(&mut self) -> Result<(), Duration> {
        let now = Instant::now();
        self.0.retain(|at| now - *at < MINUTE);
        if self.0.len() < 20 {
            self.0.push_back(now);
            return Ok(());
        }
        let opens = self.0.front().map_or(MINUTE, |oldest| MINUTE - (now - *oldest));
        Err(Duration::from_secs(opens.as_secs() + 1))
    }
}

/// Neither knows of the other, and each has something to send at any moment.
#[test]
fn two_processes_with_one_bot_share_its_group_with_few_429s() {
    in_paused_time(async {
        let mut group = Group::default();
        let limit = default_limit(&ChatTarget::Id(-5));
        let mut processes: Vec<_> = (0..2)
            .map(|_| (ChatLimits::new(limit, &[], None), Instant::now(), 0u32))
            .collect();
        let mut floods = 0;
        for _ in 0..36_000 {
            tokio::time::advance(Duration::from_millis(100)).await;
            for (limits, opens, sent) in &mut processes {
                if *opens > Instant::now() || limits.check(Class::Ring).is_err() {
                    continue;
                }
                match group.send() {
                    Ok(()) => *sent += 1,
                    Err(closed) => {
                        floods += 1;
                        limits.flooded(closed);
                        *opens = Instant::now() + closed;
                    }
                }
            }
        }
        let sent: Vec<u32> = processes.iter().map(|(.., sent)| *sent).collect();
        assert!(floods <= 60, "{floods} in an hour, {sent:?} sent");
        assert!(sent.iter().all(|sent| *sent >= 300), "{sent:?}");
        assert!(sent.iter().sum::<u32>() >= 700, "{sent:?}");
    });
}
