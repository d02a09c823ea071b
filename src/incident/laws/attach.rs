//! `attach = "lines"`: the kept lines of an incident that is over, as a document.

use super::*;

fn attaching() -> RuleSettings {
    RuleSettings {
        attach: true,
        quiet: Duration::from_mins(1),
        ..RuleSettings::new("new", "ops")
    }
}

/// Takes what is due until it is the document.
fn document(world: &mut World) -> Order {
    for _ in 0..200 {
        world.pass(1_000);
        while let Some(order) = world.take(0) {
            if kind(&order) == Some(AttemptKind::Document) {
                return order;
            }
            world.settle(&order, Answer::Sent);
        }
    }
    panic!("no document");
}

fn is_told(world: &mut World) -> bool {
    world.commit();
    world.disk.deliveries.is_empty() && world.disk.incidents.is_empty()
}

#[test]
fn lines_that_the_last_text_does_not_show_follow_once_as_a_silent_reply() {
    let mut world = world_with(attaching());
    world.matches(0, 0, &[1, 2], 3);
    let order = document(&mut world);
    assert_eq!((order.silent, order.reason), (true, SendReason::KeptLines));
    assert_eq!(order.call, OrderCall::Send { reply_to: Some(2) });
    assert!(order.document.is_some());
    assert!(!is_told(&mut world), "it is owed until it is there");
    world.settle(&order, Answer::Sent);
    assert!(is_told(&mut world));
    let line = &world.incidents.ledger()[0];
    assert_eq!((line.account.matched, line.pending), (6, 0), "it settles nothing");
}

#[test]
fn lines_that_the_last_text_shows_are_not_sent_again() {
    let mut world = world_with(attaching());
    world.matches(0, 0, &[1], 1);
    assert_eq!(
        kinds(&mut world, 90),
        [(2, AttemptKind::Open), (60, AttemptKind::End)]
    );
    assert!(is_told(&mut world));
}

#[test]
fn a_resolved_incident_brings_its_lines_behind_what_says_so() {
    let mut world = world_with(attaching());
    world.matches(0, 0, &[1, 2], 1);
    assert_eq!(kinds(&mut world, 5), [(2, AttemptKind::Open)]);
    world.run(&Op::Resolve { rule: 0, by: None });
    let told: Vec<_> = kinds(&mut world, 5).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(
        told,
        [AttemptKind::Resolved, AttemptKind::End, AttemptKind::Document]
    );
}

#[test]
fn an_incident_that_was_over_before_anybody_was_told_brings_its_lines_too() {
    let mut world = world_with(attaching());
    world.matches(0, 0, &[1, 2], 1);
    world.pass(61_000);
    let told: Vec<_> = kinds(&mut world, 5).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(told, [AttemptKind::Open, AttemptKind::Document]);
}

#[test]
fn a_document_that_may_have_arrived_says_so_when_it_is_sent_again() {
    let mut world = world_with(attaching());
    world.matches(0, 0, &[1, 2], 1);
    let first = document(&mut world);
    assert!(!first.text.text.contains("may repeat"));
    world.settle(&first, Answer::Unsure);
    let second = document(&mut world);
    assert!(second.text.text.contains("may repeat"));
    world.run(&Op::Restart { wall_jump: 0 });
    let third = document(&mut world);
    assert!(third.text.text.contains("may repeat"));
    world.settle(&third, Answer::Sent);
    assert!(is_told(&mut world));
}

/// Another chat, which nobody delivers to, is owed the notices.
fn noticing(world: &mut World) {
    world.settings.chats.push(ChatName::new("me"));
    world.settings.notices = vec![ChatName::new("me")];
    world.reload(0);
}

/// What the chat that hears notices is owed about documents.
fn refusals_noticed(world: &World) -> Vec<&Notice> {
    let rows = world.disk.notices.iter().flat_map(|row| &row.waiting);
    let notices = rows.map(|(_, notice)| notice);
    notices
        .filter(|notice| matches!(notice, Notice::DocumentRefused { .. }))
        .collect()
}

#[test]
fn without_the_right_to_send_documents_the_message_stands_alone_and_it_is_told_once() {
    for answer in [Answer::Document, Answer::Text, Answer::Message] {
        let mut world = world_with(attaching());
        noticing(&mut world);
        for _ in 0..2 {
            world.matches(0, 0, &[1, 2], 1);
            let order = document(&mut world);
            world.settle(&order, answer);
            assert!(is_told(&mut world));
            assert!(
                world.incidents.ledger()[0].account.failed == 0,
                "nothing of the log is lost"
            );
        }
        assert_eq!(refusals_noticed(&world).len(), 1, "{answer:?}");
    }
}

#[test]
fn a_document_that_never_gets_through_is_given_up_and_holds_nothing_up() {
    let mut world = world_with(attaching());
    noticing(&mut world);
    world.matches(0, 0, &[1, 2], 1);
    let mut tries = 0;
    while !is_told(&mut world) {
        let order = document(&mut world);
        world.settle(&order, Answer::Unsure);
        tries += 1;
        assert!(tries <= 10);
    }
    assert_eq!((tries, refusals_noticed(&world).len()), (10, 1));
}

#[test]
fn rules_toml_may_take_the_document_back_while_it_is_owed() {
    let mut world = world_with(attaching());
    world.matches(0, 0, &[1, 2], 1);
    let order = document(&mut world);
    world.incidents.withdraw(&order.subject, order.attempt, world.now);
    let mut settings = world.settings.clone();
    settings.rules[0].attach = false;
    world.reconfigure(settings);
    assert!(is_told(&mut world));
}

#[test]
fn what_is_removed_from_rules_toml_brings_no_lines() {
    let mut world = world_with(attaching());
    world.matches(0, 0, &[1, 2], 1);
    assert_eq!(kinds(&mut world, 5), [(2, AttemptKind::Open)]);
    let mut settings = world.settings.clone();
    settings.rules.clear();
    world.reconfigure(settings);
    assert_eq!(kinds(&mut world, 5), [(1, AttemptKind::End)]);
    assert!(is_told(&mut world));
}

#[test]
fn a_chat_that_is_told_its_last_word_gets_no_lines() {
    let mut world = world_with(attaching());
    world.matches(0, 0, &[1, 2], 1);
    assert_eq!(kinds(&mut world, 5), [(2, AttemptKind::Open)]);
    let mut settings = world.settings.clone();
    settings.chats = vec![ChatName::new("me")];
    settings.rules[0].chats.clone_from(&settings.chats);
    world.reconfigure(settings);
    assert_eq!(kinds(&mut world, 5), [(1, AttemptKind::End)]);
    assert!(is_told(&mut world));
}
