//! What another rules.toml changes, told as stories.

use super::*;

/// Another rules.toml while the process runs.
fn reconfigure_with(world: &mut World, rules: Vec<RuleSettings>, chats: &[&str]) {
    let settings = Settings {
        rules,
        chats: chats.iter().map(|chat| ChatName::new(chat)).collect(),
        ..Settings::default()
    };
    world.reconfigure(settings);
    world.commit();
}

fn account(world: &World, chat: &str) -> (u64, u64, u64) {
    let ledger = world.incidents.ledger();
    let line = ledger.iter().find(|line| line.key.chat.as_str() == chat).unwrap();
    (line.account.matched, line.account.failed, line.pending)
}

#[test]
fn an_open_incident_goes_on_under_other_times_with_the_time_that_passed() {
    let rule = RuleSettings::new("new", "ops");
    let mut world = world_with(rule.clone());
    world.matches(0, 0, &[1], 1);
    assert_eq!(kinds(&mut world, 10), [(2, AttemptKind::Open)]);
    let quick = RuleSettings {
        every: Duration::from_secs(15),
        quiet: Duration::from_mins(1),
        ..rule
    };
    reconfigure_with(&mut world, vec![quick], &["ops"]);
    world.matches(0, 0, &[1], 1);
    // `every` since the opening at 2 s, `quiet` since the match at 10 s.
    assert_eq!(
        kinds(&mut world, 100),
        [(7, AttemptKind::Edit), (60, AttemptKind::End)]
    );
    assert_eq!(account(&world, "ops"), (2, 0, 0));
}

#[test]
fn an_incident_whose_by_values_cannot_be_made_any_more_ends_and_the_next_match_opens_another() {
    let rule = |by: &str| RuleSettings {
        by: vec![by.into()],
        ..RuleSettings::new("new", "ops")
    };
    let mut world = world_with(rule("user"));
    world.matches(0, 0, &[1], 1);
    assert_eq!(kinds(&mut world, 10), [(2, AttemptKind::Open)]);
    reconfigure_with(&mut world, vec![rule("host")], &["ops"]);
    assert_eq!(kinds(&mut world, 10), [(1, AttemptKind::End)]);
    world.matches(0, 0, &[1], 1);
    assert_eq!(kinds(&mut world, 10), [(2, AttemptKind::Open)]);
}

#[test]
fn a_removed_rules_incident_gets_its_last_edit_and_what_nobody_could_tell_within_an_hour_is_failed() {
    let rule = |name| RuleSettings::new(name, "ops");
    let mut world = world_with(rule("old"));
    world.matches(0, 0, &[1], 1);
    assert_eq!(kinds(&mut world, 10), [(2, AttemptKind::Open)]);
    world.matches(0, 0, &[1], 4);
    reconfigure_with(&mut world, vec![rule("new")], &["ops"]);
    let order = world.take(0).unwrap();
    assert_eq!(kind(&order), Some(AttemptKind::End));
    assert!(order.text.text.contains("removed"), "{}", order.text.text);
    world.settle(&order, Answer::Gone);
    world.pass(30 * 60_000);
    assert_eq!(account(&world, "ops"), (5, 0, 4));
    world.restart(0);
    assert_eq!(
        world.incidents.next_tick().map(|at| at - world.now.moment),
        Some(Duration::from_mins(30))
    );
    world.pass(30 * 60_000 - 1);
    assert_eq!(account(&world, "ops"), (5, 0, 4));
    world.pass(1);
    assert_eq!(account(&world, "ops"), (5, 4, 0));
    world.commit();
    assert!(world.disk.deliveries.is_empty() && world.disk.incidents.is_empty());
}

#[test]
fn a_removed_chat_is_told_so_while_its_lane_lives_and_the_others_hear_of_the_next_match() {
    let both = RuleSettings {
        chats: vec![ChatName::new("ops"), ChatName::new("me")],
        ..RuleSettings::new("new", "ops")
    };
    let mut world = world_with(both);
    world.matches(0, 0, &[1], 3);
    world.pass(5_000);
    assert!(world.deliver(0, Answer::Sent) && world.deliver(1, Answer::Sent));
    reconfigure_with(&mut world, vec![RuleSettings::new("new", "ops")], &["ops"]);
    assert_eq!(world.incidents.leaving(), [ChatName::new("me")]);
    let farewell = world.take(1).unwrap();
    assert!(farewell.text.text.contains("removed"), "{}", farewell.text.text);
    world.settle(&farewell, Answer::Sent);
    let changed = world.take(0).unwrap();
    assert!(!changed.text.text.contains("removed"), "{}", changed.text.text);
    world.settle(&changed, Answer::Sent);
    assert!(world.incidents.leaving().is_empty());
    world.matches(0, 0, &[1], 1);
    world.pass(5_000);
    assert!(world.deliver(0, Answer::Sent) && !world.deliver(1, Answer::Sent));
    check(&world);
}

#[test]
fn a_chat_that_comes_back_within_the_hour_is_told_what_it_was_owed() {
    let rule = RuleSettings::new("new", "ops");
    let mut world = world_with(rule.clone());
    world.matches(0, 0, &[1], 3);
    restart_with(&mut world, RuleSettings::new("new", "phone"));
    assert_eq!(
        world.incidents.undelivered(world.now),
        0,
        "a single pass does not wait for it"
    );
    world.pass(59 * 60_000);
    assert_eq!(account(&world, "ops"), (3, 0, 3));
    restart_with(&mut world, rule);
    assert_eq!(kinds(&mut world, 10), [(1, AttemptKind::Open)]);
    assert_eq!(account(&world, "ops"), (3, 0, 0));
}

#[test]
fn a_rise_in_severity_rings_without_the_pause_of_follow_ups_but_not_within_every() {
    let rule = |severity| RuleSettings {
        severity,
        quiet: Duration::from_hours(9),
        ..RuleSettings::new("new", "ops")
    };
    let mut world = world_with(rule(Severity::Warning));
    world.matches(0, 0, &[1], 1);
    assert_eq!(kinds(&mut world, 32), [(2, AttemptKind::Open)]);
    world.matches(0, 0, &[2], 1);
    assert_eq!(kinds(&mut world, 5), [(1, AttemptKind::Reply)]);
    // The next shape has to wait for a minute, a rise only for `every`.
    world.matches(0, 0, &[3], 1);
    reconfigure_with(&mut world, vec![rule(Severity::Critical)], &["ops"]);
    assert_eq!(kinds(&mut world, 25), []);
    world.pass(1_000);
    let order = world.take(0).unwrap();
    let told = (kind(&order), order.reason, order.silent);
    assert_eq!(told, (Some(AttemptKind::Reply), SendReason::Severity, false));
    world.settle(&order, Answer::Sent);
    // Once, and it is remembered over restarts and falls.
    world.restart(0);
    for severity in [Severity::Error, Severity::Critical] {
        reconfigure_with(&mut world, vec![rule(severity)], &["ops"]);
        assert!(
            kinds(&mut world, 600)
                .iter()
                .all(|(_, kind)| *kind != AttemptKind::Reply)
        );
    }
}

#[test]
fn a_window_that_is_full_under_a_lower_threshold_opens() {
    let mut world = five_within_a_minute();
    world.matches(0, 0, &[1], 3);
    world.matches(0, 1, &[1], 1);
    world.pass(10_000);
    let at_least = |count, seconds| RuleSettings {
        at_least: Some(AtLeast {
            count,
            within: Duration::from_secs(seconds),
        }),
        ..world_rule(&five_within_a_minute())
    };
    reconfigure_with(&mut world, vec![at_least(3, 60)], &["ops"]);
    assert_eq!(columns(&mut world), (3, 0, 1));
    // And one that is shorter loses what is older.
    reconfigure_with(&mut world, vec![at_least(3, 10)], &["ops"]);
    assert_eq!(columns(&mut world), (3, 1, 0));
}

fn world_rule(world: &World) -> RuleSettings {
    world.settings.rules[0].clone()
}
