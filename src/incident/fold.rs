//! What has no message of its own: ended incidents that were never told, and incidents past the rule's
//! `limit`. The rule's next message sums them up.

use crate::model::{AccountKey, Carried, Delivery, DeliveryKey, Incident, IncidentId, Phase};

use super::rows::Rows;

/// So many ended, untold incidents are kept whole per rule and chat; older ones are folded.
const KEPT_OVER: usize = 3;

/// Folds the ended, untold incidents of an account that are too many, the oldest first.
pub(super) fn enforce(rows: &mut Rows, account: &AccountKey) {
    let mut untold: Vec<(&Incident, &Delivery)> = waiting(rows, account)
        .filter(|(incident, _)| incident.is_over())
        .collect();
    untold.sort_by_key(|(incident, _)| (incident.first, incident.id));
    let surplus = untold.len().saturating_sub(KEPT_OVER);
    let folded: Vec<(DeliveryKey, Carried)> = untold[..surplus]
        .iter()
        .filter(|(_, delivery)| !held_in_flight(rows, delivery))
        .map(|(incident, delivery)| (delivery.key.clone(), unsettled(incident, delivery)))
        .collect();
    for (key, carried) in folded {
        let in_flight = rows.deliveries(&account.chat).any(|delivery| {
            delivery.rule == account.rule && delivery.attempt.as_ref().is_some_and(|attempt| attempt.folds)
        });
        let row = rows.account_mut(account);
        // A message that tells of `fold` may be under way: what comes now must not be settled by it.
        let place = if in_flight {
            &mut row.fold_next
        } else {
            &mut row.fold
        };
        *place = Some(match place.take() {
            Some(sum) => sum.and(carried),
            None => carried,
        });
        rows.remove_delivery(&key);
    }
}

/// What the opening of `key` has to tell besides itself: the incidents of the same rule that cannot have a
/// message now, with how many matches of each.
pub(super) fn held_back(
    rows: &Rows,
    account: &AccountKey,
    key: &DeliveryKey,
) -> (Vec<(IncidentId, u64)>, Option<Carried>) {
    let others = waiting(rows, account).filter(|(_, delivery)| delivery.key != *key);
    let others: Vec<_> = others
        .filter(|(incident, _)| !matches!(incident.phase, Phase::Gathering { .. }))
        .collect();
    let held = others
        .iter()
        .map(|(_, delivery)| (delivery.key.incident, delivery.applied))
        .collect();
    let sum = others
        .iter()
        .map(|(incident, delivery)| unsettled(incident, delivery))
        .reduce(Carried::and);
    (held, sum)
}

/// Puts what was folded meanwhile where the next message looks. `settled` says whether the message in
/// flight, which told of `fold`, arrived; how many matches that settled is returned.
pub(super) fn land(rows: &mut Rows, account: &AccountKey, settled: bool) -> u64 {
    let row = rows.account_mut(account);
    let told = if settled { row.fold.take() } else { None };
    row.fold = match (row.fold.take(), row.fold_next.take()) {
        (Some(old), Some(new)) => Some(old.and(new)),
        (old, new) => old.or(new),
    };
    told.map_or(0, |told| told.matches)
}

/// Incidents of a rule whose matches are pending in a chat that has no message of them. Those with queued
/// lines wait for nobody's summary: every line is owed.
fn waiting<'a>(
    rows: &'a Rows,
    account: &'a AccountKey,
) -> impl Iterator<Item = (&'a Incident, &'a Delivery)> {
    rows.deliveries(&account.chat)
        .filter(|delivery| delivery.rule == account.rule && delivery.message_id.is_none())
        .filter(|delivery| delivery.attempt.is_none() && delivery.pending() > 0)
        // A sum could not say that a part of it may have been told; its own message can.
        .filter(|delivery| !delivery.repeat)
        .filter(|delivery| !rows.has_queue(&delivery.key))
        .filter_map(|delivery| Some((rows.incident(delivery.key.incident)?, delivery)))
}

fn held_in_flight(rows: &Rows, delivery: &Delivery) -> bool {
    let holds = |other: &Delivery| {
        let held = other
            .attempt
            .as_ref()
            .map(|attempt| attempt.held.as_slice())
            .unwrap_or_default();
        held.iter().any(|(id, _)| *id == delivery.key.incident)
    };
    rows.deliveries(&delivery.key.chat).any(holds)
}

fn unsettled(incident: &Incident, delivery: &Delivery) -> Carried {
    Carried::one(&incident.by, delivery.pending(), incident.first, incident.last)
}
