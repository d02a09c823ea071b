//! The laws of the limits, in paused time.
#![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction)]

use proptest::prelude::*;

use super::*;

pub(super) fn per_minute(count: u32) -> Rate {
    Rate { count, per: MINUTE }
}

/// Runs a future in a runtime whose time only moves when it is told to.
pub(super) fn in_paused_time<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(future)
}

/// The largest number of `times` in any span of `per`, both ends included.
fn busiest(times: &[Duration], per: Duration) -> usize {
    let within = |from: Duration| {
        times
            .iter()
            .filter(|&&time| time >= from && time <= from + per)
            .count()
    };
    times.iter().map(|&from| within(from)).max().unwrap_or(0)
}

/// Asks at each step (a pause in ms and a class) and returns when rings and edits got their places, in
/// time since `recent` could begin.
async fn given(limit: Rate, recent: &[Duration], asks: &[(u64, bool)]) -> Vec<(Duration, Class)> {
    let (mut limits, start) = (ChatLimits::new(limit, recent, None), Instant::now());
    let mut given = Vec::new();
    for &(pause, ring) in asks {
        tokio::time::advance(Duration::from_millis(pause)).await;
        let class = if ring { Class::Ring } else { Class::Edit };
        if limits.check(class).is_ok() {
            given.push((limit.per + start.elapsed(), class));
        }
    }
    given
}

fn asks() -> impl Strategy<Value = Vec<(u64, bool)>> {
    let pause = prop_oneof![3 => 0u64..50, 3 => 0u64..3_000, 1 => 0u64..70_000];
    prop::collection::vec((pause, any::<bool>()), 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_span_gets_more_places_than_the_limit(
        count in 1u32..50, per in prop_oneof![Just(1_000u64), Just(60_000), Just(3_600_000)], asks in asks(),
    ) {
        let limit = Rate { count, per: Duration::from_millis(per) };
        let given = in_paused_time(given(limit, &[], &asks));
        let times: Vec<_> = given.iter().map(|&(time, _)| time).collect();
        let edits: Vec<_> =
            given.iter().filter(|(_, class)| *class == Class::Edit).map(|&(time, _)| time).collect();
        prop_assert!(busiest(&times, limit.per) <= count as usize);
        let edit_limit = if count < 3 { 1 } else { (count / 2).min(count - 2) };
        prop_assert!(busiest(&edits, limit.per) <= edit_limit as usize);
    }

    #[test]
    fn a_restart_gives_no_place_twice(
        count in 1u32..50, before in asks(), down in 0u64..50_000, after in asks(),
    ) {
        let limit = per_minute(count);
        let old: Vec<_> =
            in_paused_time(given(limit, &[], &before)).into_iter().map(|(time, _)| time).collect();
        let stopped = old.last().copied().unwrap_or_default() + Duration::from_millis(down);
        let ages: Vec<_> = old.iter().map(|&time| stopped - time).filter(|&age| age <= MINUTE).collect();
        let new = in_paused_time(given(limit, &ages, &after));
        let new = new.into_iter().map(|(time, _)| stopped + time - MINUTE);
        let times: Vec<_> = old.iter().copied().chain(new).collect();
        prop_assert!(busiest(&times, MINUTE) <= count as usize);
    }

    #[test]
    fn any_past_leaves_at_most_the_rest_of_the_limit(
        count in 1u32..50, ages in prop::collection::vec(0u64..=60_000, 0..200), after in asks(),
    ) {
        let limit = per_minute(count);
        let ages: Vec<_> = ages.into_iter().map(Duration::from_millis).collect();
        let new = in_paused_time(given(limit, &ages, &after));
        let past: Vec<_> = ages.iter().map(|&age| MINUTE - age).collect();
        for (n, &(time, _)) in new.iter().enumerate() {
            let news = new[..=n].iter().filter(|(earlier, _)| *earlier + MINUTE >= time).count();
            let olds = past.iter().filter(|&&earlier| earlier + MINUTE >= time).count();
            prop_assert!(news + olds <= count as usize, "{news} + {olds}");
        }
    }

    #[test]
    fn greedy_edits_leave_rings_two_places_a_minute(count in 3u32..50, step in 10u64..500) {
        let asks: Vec<_> = (0..180_000 / step).flat_map(|_| [(step, false), (0, true)]).collect();
        let given = in_paused_time(given(per_minute(count), &[], &asks));
        for minute in 1..=2 {
            let rings = given.iter().filter(|(time, class)| {
                *class == Class::Ring && *time > MINUTE * minute && *time <= MINUTE * (minute + 1)
            });
            prop_assert!(rings.count() >= 2);
        }
    }

    #[test]
    fn a_place_is_there_after_the_wait_that_was_named(count in 1u32..50, asks in asks(), ring: bool) {
        in_paused_time(async move {
            let mut limits = ChatLimits::new(per_minute(count), &[], None);
            for (pause, ring) in asks {
                tokio::time::advance(Duration::from_millis(pause)).await;
                let _ = limits.check(if ring { Class::Ring } else { Class::Edit });
            }
            let class = if ring { Class::Ring } else { Class::Edit };
            // An edit may have to wait for its own rate first and for the chat's then.
            for _ in 0..2 {
                if let Err(wait) = limits.check(class) {
                    tokio::time::advance(wait).await;
                } else {
                    return Ok(());
                }
            }
            prop_assert!(limits.check(class).is_ok());
            Ok(())
        })?;
    }
}

#[test]
fn a_group_has_a_burst_of_three_and_fifteen_more_in_the_first_minute() {
    in_paused_time(async {
        let mut limits = ChatLimits::new(default_limit(&ChatTarget::Id(-5)), &[], None);
        let mut places = 0;
        while limits.check(Class::Critical).is_ok() {
            places += 1;
        }
        assert_eq!(places, 3);
        for _ in 0..600 {
            tokio::time::advance(Duration::from_millis(100)).await;
            places += u32::from(limits.check(Class::Critical).is_ok());
        }
        assert_eq!(places, 18);
    });
}

#[test]
fn small_limits_give_their_places_and_no_more() {
    for count in 1..4u32 {
        let every_100_ms: Vec<_> = (0..6_000).map(|_| (100, true)).collect();
        let given = in_paused_time(given(per_minute(count), &[], &every_100_ms));
        let (least, most) = (
            usize::try_from(count * 10 - 1).unwrap(),
            usize::try_from(count * 10).unwrap(),
        );
        assert!((least..=most).contains(&given.len()), "{count}: {}", given.len());
    }
}

#[test]
fn edits_of_a_limit_of_one_still_go_out() {
    let asks: Vec<_> = (0..6_000).map(|_| (100, false)).collect();
    let given = in_paused_time(given(per_minute(1), &[], &asks));
    assert!(given.len() >= 4, "{}", given.len());
}

#[test]
fn an_edit_that_the_chat_refuses_keeps_its_own_place() {
    in_paused_time(async {
        let mut limits = ChatLimits::new(per_minute(6), &[], None);
        limits.check(Class::Ring).unwrap();
        let wait = limits.check(Class::Edit).unwrap_err();
        for _ in 0..50 {
            limits.check(Class::Edit).unwrap_err();
        }
        tokio::time::advance(wait).await;
        limits.check(Class::Edit).unwrap();
    });
}

#[test]
fn the_whole_bot_sends_at_most_25_a_second() {
    in_paused_time(async {
        let (limits, start) = (BotLimits::new(), Instant::now());
        let mut times = Vec::new();
        for _ in 0..5_000 {
            tokio::time::advance(Duration::from_millis(1)).await;
            if limits.check(Class::Critical).is_ok() {
                times.push(start.elapsed());
            }
        }
        let busiest = busiest(&times, Duration::from_millis(999));
        assert!((20..=25).contains(&busiest), "{busiest}");
    });
}

#[test]
fn people_get_more_than_groups_and_channels() {
    assert_eq!(default_limit(&ChatTarget::Id(42)).count, 45);
    assert_eq!(default_limit(&ChatTarget::Id(-42)).count, 18);
    assert_eq!(default_limit(&ChatTarget::Username("@ops".to_owned())).count, 18);
}

/// How many places a chat gets within a minute that asks ten times a second.
async fn places_in_a_minute(limits: &mut ChatLimits) -> u32 {
    let mut places = 0;
    for _ in 0..600 {
        tokio::time::advance(Duration::from_millis(100)).await;
        places += u32::from(limits.check(Class::Critical).is_ok());
    }
    places
}

#[test]
fn each_429_halves_the_rate_down_to_an_eighth() {
    in_paused_time(async {
        let mut rates = Vec::new();
        for floods in 0..6 {
            let mut limits = ChatLimits::new(per_minute(40), &[], None);
            for _ in 0..floods {
                limits.flooded(Duration::ZERO);
            }
            rates.push(places_in_a_minute(&mut limits).await);
        }
        let expected: [u32; 6] = [40, 20, 10, 5, 5, 5];
        assert!(
            rates
                .iter()
                .zip(expected)
                .all(|(&rate, most)| rate == most || rate + 1 == most),
            "{rates:?}"
        );
    });
}

#[test]
fn the_rate_comes_back_step_by_step_in_minutes_without_a_429() {
    in_paused_time(async {
        let mut limits = ChatLimits::new(per_minute(40), &[], None);
        for _ in 0..3 {
            limits.flooded(Duration::from_mins(1));
        }
        let mut rates = Vec::new();
        for _ in 0..10 {
            rates.push(places_in_a_minute(&mut limits).await);
        }
        // A minute closed and two of calm, then two at each step; what was given before a step counts after it.
        let expected = [5, 5, 5, 10, 10, 20, 20, 40, 40, 40];
        assert!(
            rates
                .iter()
                .zip(expected)
                .all(|(rate, expected)| rate.abs_diff(expected) <= 3),
            "{rates:?}"
        );
        assert!(rates.iter().all(|&rate| rate <= 40), "{rates:?}");
    });
}

#[test]
fn a_halved_rate_still_keeps_places_for_rings() {
    in_paused_time(async {
        let mut limits = ChatLimits::new(per_minute(18), &[], None);
        limits.flooded(Duration::ZERO);
        let (mut rings, mut edits) = (0, 0);
        for _ in 0..600 {
            tokio::time::advance(Duration::from_millis(100)).await;
            edits += u32::from(limits.check(Class::Edit).is_ok());
            rings += u32::from(limits.check(Class::Ring).is_ok());
        }
        assert!(edits <= 4 && rings >= 2 && edits + rings <= 9, "{edits} {rings}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_429_at_any_moment_gives_a_place_more(
        count in 1u32..50, asks in asks(), floods in prop::collection::vec((0usize..400, 0u64..90), 0..6),
    ) {
        let limit = per_minute(count);
        let given = in_paused_time(async move {
            let (mut limits, start) = (ChatLimits::new(limit, &[], None), Instant::now());
            let mut given = Vec::new();
            for (step, (pause, ring)) in asks.into_iter().enumerate() {
                tokio::time::advance(Duration::from_millis(pause)).await;
                for (_, closed) in floods.iter().filter(|(at, _)| *at == step) {
                    limits.flooded(Duration::from_secs(*closed));
                }
                let class = if ring { Class::Ring } else { Class::Edit };
                if limits.check(class).is_ok() {
                    given.push(start.elapsed());
                }
            }
            given
        });
        prop_assert!(busiest(&given, MINUTE) <= count as usize);
    }
}
