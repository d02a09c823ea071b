//! How long a chat that is gone is waited for, told as stories.

use super::*;

const HOUR: u64 = 3_600_000;
const WEEK: u64 = 7 * 24 * HOUR;

/// A world with two chats, of which `me` hears notices and `ops` the incidents of these rules.
fn world_of(rules: Vec<RuleSettings>) -> World {
    let mut world = World::new(1);
    world.settings = Settings {
        rules,
        chats: vec![ChatName::new("ops"), ChatName::new("me")],
        notices: vec![ChatName::new("me")],
        ..Settings::default()
    };
    name_all(&mut world);
    world.reload(0);
    world
}

/// One that opens at once.
fn prompt(name: &str) -> RuleSettings {
    RuleSettings {
        wait: Duration::ZERO,
        by: vec!["k".into()],
        quiet: Duration::from_hours(30 * 24),
        ..RuleSettings::new(name, "ops")
    }
}

/// Lets time pass hour by hour; the chat refuses whatever it is sent. How often that was.
fn refuse_for(world: &mut World, ms: u64) -> u64 {
    let mut asked = 0;
    let end = world.now.moment.0 + ms;
    loop {
        while world.deliver(0, Answer::Gone) {
            asked += 1;
        }
        world.commit();
        world.check_ledger().unwrap();
        let left = end - world.now.moment.0;
        if left == 0 {
            return asked;
        }
        world.pass(left.min(HOUR));
    }
}

/// (matched, failed, pending) of all that `ops` was told.
fn ops(world: &World) -> (u64, u64, u64) {
    let ledger = world.incidents.ledger();
    let own = ledger.iter().filter(|line| line.key.chat.as_str() == "ops");
    own.fold((0, 0, 0), |(matched, failed, pending), line| {
        let account = line.account;
        (
            matched + account.matched,
            failed + account.failed,
            pending + line.pending,
        )
    })
}

/// What the other chat waits to hear of chats that were given up: how long each was gone, and how many matches that cost.
fn given_up(world: &World) -> Vec<(u64, u64)> {
    let rows = world.disk.notices.iter();
    let mine = rows.filter(|row| row.key.chat.as_str() == "me");
    mine.flat_map(|row| &row.waiting)
        .filter_map(|(_, notice)| match notice {
            Notice::GivenUp {
                since,
                until,
                matches,
                ..
            } => Some(((until.0 - since.0).unsigned_abs(), *matches)),
            _ => None,
        })
        .collect()
}

#[test]
fn what_a_chat_that_is_gone_for_the_retention_is_owed_is_failed_and_told_once_to_another_chat() {
    let mut world = world_of(vec![prompt("new")]);
    world.matches(0, 0, &[1], 3);
    world.matches(0, 1, &[1, 2], 10);
    refuse_for(&mut world, WEEK - 1);
    assert_eq!(ops(&world), (23, 0, 23));
    assert_eq!(given_up(&world), []);
    // It is asked at the very end of that time, not at the next full hour.
    assert_eq!(refuse_for(&mut world, 1), 1);
    assert_eq!(ops(&world), (23, 23, 0));
    assert_eq!(given_up(&world), [(WEEK, 23)]);
    refuse_for(&mut world, 2 * WEEK);
    assert_eq!(
        given_up(&world),
        [(WEEK, 23)],
        "there was nothing more to give up"
    );
}

#[test]
fn what_is_found_for_a_chat_that_was_given_up_waits_for_as_long_again_and_is_one_notice_with_the_first() {
    let mut world = world_of(vec![prompt("new")]);
    world.matches(0, 0, &[1], 3);
    refuse_for(&mut world, WEEK);
    world.matches(0, 0, &[1], 4);
    refuse_for(&mut world, WEEK - 1);
    assert_eq!(ops(&world), (7, 3, 4));
    refuse_for(&mut world, 1);
    assert_eq!(ops(&world), (7, 7, 0));
    assert_eq!(given_up(&world), [(2 * WEEK, 7)]);
}

#[test]
fn a_chat_that_comes_back_after_it_was_given_up_is_told_the_open_incident_and_what_is_found_then() {
    let mut world = world_of(vec![prompt("new")]);
    world.matches(0, 0, &[1], 3);
    refuse_for(&mut world, WEEK);
    world.matches(0, 0, &[1], 2);
    world.pass(HOUR);
    assert!(world.deliver(0, Answer::Sent));
    world.commit();
    assert_eq!(ops(&world), (5, 3, 0));
    world.matches(0, 0, &[1], 1);
    world.pass(HOUR);
    assert!(world.deliver(0, Answer::Sent));
    world.commit();
    assert_eq!(ops(&world), (6, 3, 0));
    check(&world);
    // Its next absence has the whole time again.
    world.matches(0, 0, &[2], 1);
    world.pass(HOUR);
    refuse_for(&mut world, WEEK - 1);
    assert_eq!(ops(&world), (7, 3, 1));
}

#[test]
fn ended_folded_and_forwarded_matches_are_given_up_too_and_their_rows_go() {
    let brief = RuleSettings {
        quiet: Duration::from_secs(10),
        ..prompt("new")
    };
    let all = RuleSettings {
        ring: Ring::All,
        limit: None,
        ..prompt("all")
    };
    let mut world = world_of(vec![brief, all]);
    // The chat has a message of one of them, which says nothing of its end yet.
    world.matches(0, 0, &[1], 1);
    assert!(world.deliver(0, Answer::Sent));
    for by in 1..9 {
        world.matches(0, by, &[1], 2);
        world.pass(20_000);
    }
    world.matches(1, 0, &[1], 5);
    refuse_for(&mut world, WEEK - 1);
    assert!(world.disk.accounts.iter().any(|row| row.folded() > 0));
    assert!(!world.disk.lines.is_empty());
    refuse_for(&mut world, HOUR);
    assert_eq!(ops(&world), (22, 21, 0));
    assert_eq!(given_up(&world)[0].1, 21);
    assert!(world.disk.lines.is_empty());
    assert!(world.disk.accounts.iter().all(|row| row.folded() == 0));
    let open: Vec<_> = world
        .disk
        .incidents
        .iter()
        .map(|incident| &incident.rule)
        .collect();
    assert_eq!(
        open,
        [&RuleName::new("all")],
        "nobody is told the others any more"
    );
    assert_eq!(world.disk.deliveries.len(), 1);
}

#[test]
fn a_chat_is_asked_once_more_before_it_is_given_up_however_long_the_process_was_down() {
    for (answer, expected) in [(Answer::Gone, (3, 3, 0)), (Answer::Sent, (3, 0, 0))] {
        let mut world = world_of(vec![prompt("new")]);
        world.matches(0, 0, &[1], 3);
        refuse_for(&mut world, HOUR);
        world.restart(i32::try_from(20 * HOUR).unwrap());
        for _ in 0..10 {
            world.restart(i32::try_from(20 * HOUR).unwrap());
        }
        world.pass(0);
        world.commit();
        assert_eq!(ops(&world), (3, 0, 3), "nobody asked it yet");
        // Nor does a Telegram that is away say anything about it.
        assert!(world.deliver(0, Answer::Wait));
        world.pass(5_000);
        assert!(world.deliver(0, answer));
        world.commit();
        assert_eq!(ops(&world), expected);
    }
}

#[test]
fn the_time_a_chat_is_gone_goes_on_over_restarts_and_under_another_retention() {
    let mut world = world_of(vec![prompt("new")]);
    world.matches(0, 0, &[1], 3);
    refuse_for(&mut world, 3 * 24 * HOUR);
    world.restart(0);
    refuse_for(&mut world, HOUR);
    let longer = |days: u64| Settings {
        retention: Duration::from_hours(24 * days),
        ..world.settings.clone()
    };
    let (two_weeks, four_days) = (longer(14), longer(4));
    world.reconfigure(two_weeks);
    refuse_for(&mut world, 10 * 24 * HOUR);
    assert_eq!(ops(&world), (3, 0, 3));
    // It is late by then, and is asked at once.
    world.pass(60_000);
    world.reconfigure(four_days);
    assert!(world.deliver(0, Answer::Gone));
    world.commit();
    assert_eq!(ops(&world), (3, 3, 0));
}

#[test]
fn a_chat_that_moved_in_rules_toml_has_the_whole_time_again() {
    let mut world = world_of(vec![prompt("new")]);
    world.matches(0, 0, &[1], 3);
    refuse_for(&mut world, WEEK - HOUR);
    world.at = -7;
    world.restart(0);
    refuse_for(&mut world, WEEK - HOUR);
    assert_eq!(ops(&world), (3, 0, 3));
}

#[test]
fn an_answer_to_a_letter_gives_up_what_is_owed_as_any_other() {
    let mut world = world_of(vec![prompt("new")]);
    world.matches(0, 0, &[1], 3);
    refuse_for(&mut world, HOUR);
    world.pass(WEEK);
    let gone = world.answer(Answer::Gone);
    let (chat, now) = (ChatName::new("ops"), world.now);
    world.incidents.hear(&chat, &gone, Duration::from_secs(5), now);
    world.commit();
    assert_eq!(ops(&world), (3, 3, 0));
    check(&world);
}
