//! Whose turn it is when not everything fits.

use super::*;

/// The next delivery, an edit: of which incident, and the total in its text.
fn one_edit(world: &mut World) -> (String, u64) {
    let order = world.take(0).unwrap();
    assert_eq!(kind(&order), Some(AttemptKind::Edit));
    let Subject::Incident { key, .. } = &order.subject else {
        panic!("no incident: {order:?}");
    };
    let mut all = world.incidents.incidents();
    let incident = all.find(|incident| incident.id == key.incident).unwrap();
    let by = incident.by.0.first().unwrap().1.clone();
    drop(all);
    let total = order.text.text.split(' ').next().unwrap().parse().unwrap();
    world.settle(&order, Answer::Sent);
    (by, total)
}

#[test]
fn edits_that_do_not_fit_go_round_by_age_with_the_newest_totals() {
    let mut world = world_with(RuleSettings {
        by: vec!["k".into()],
        ..RuleSettings::new("new", "ops")
    });
    for by in 0..4 {
        world.matches(0, by, &[1], 1);
    }
    assert_eq!(kinds(&mut world, 5), [(2, AttemptKind::Open); 4]);
    world.pass(60_000);
    // They fall behind in this order; each is owed more while it waits.
    for by in [2, 0, 3, 1] {
        world.matches(0, by, &[1], 1);
        world.pass(1_000);
    }
    for round in 1..4 {
        for (turn, by) in [2_u64, 0, 3, 1].into_iter().enumerate() {
            let (told, total) = one_edit(&mut world);
            assert_eq!(told, by.to_string(), "round {round}");
            // One of the opening, one of falling behind, and what came to all in the turns before.
            assert_eq!(total, 2 + 4 * (round - 1) + turn as u64, "round {round}");
            for by in 0..4 {
                world.matches(0, by, &[1], 1);
            }
            world.pass(10_000);
        }
    }
}
