//! A rule's `limit`: at most so many rings in any such span, per chat.

use crate::model::{LedgerRow, Moment, Rate, Timer};

/// When there is a place for one more ring; absent: now.
pub(super) fn limited_until(row: Option<&LedgerRow>, limit: Option<Rate>, now: Moment) -> Option<Moment> {
    let (row, limit) = (row?, limit?);
    let mut inside: Vec<Moment> = row
        .rings
        .iter()
        .filter(|ring| !ring.fired(now))
        .map(|ring| ring.due)
        .collect();
    let over = inside.len().checked_sub(limit.count as usize)?;
    inside.sort_unstable();
    // With `over` more than allowed, that many and one more have to leave the window first.
    inside.get(over).copied()
}

/// Whether the next ring leaves no place; one that has its place already takes none.
pub(super) fn leaves_none(
    row: Option<&LedgerRow>,
    limit: Option<Rate>,
    now: Moment,
    takes_one: bool,
) -> bool {
    let Some(limit) = limit else { return false };
    let inside = row.map_or(0, |row| row.rings.iter().filter(|ring| !ring.fired(now)).count());
    inside + usize::from(takes_one) >= limit.count as usize
}

/// Takes a place.
pub(super) fn take(row: &mut LedgerRow, limit: Option<Rate>, now: Moment) {
    row.rings.retain(|ring| !ring.fired(now));
    if let Some(limit) = limit {
        row.rings.push(Timer::start(now, limit.per));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{AccountKey, ChatName, Now, RuleName};

    #[test]
    fn no_span_of_the_limits_length_ever_holds_more_rings_than_the_limit() {
        let key = AccountKey {
            rule: RuleName::new("r"),
            chat: ChatName::new("c"),
        };
        let mut row = LedgerRow::new(key, Now::default());
        let limit = Some(Rate {
            count: 3,
            per: Duration::from_mins(1),
        });
        let mut taken = Vec::new();
        for second in 0..600u64 {
            let now = Moment(second * 1_000);
            if limited_until(Some(&row), limit, now).is_none() {
                take(&mut row, limit, now);
                taken.push(second);
            }
        }
        assert_eq!(taken.len(), 30);
        assert!(taken.windows(4).all(|four| four[3] - four[0] >= 60));
    }

    #[test]
    fn a_used_up_limit_says_when_its_next_place_is_free() {
        let key = AccountKey {
            rule: RuleName::new("r"),
            chat: ChatName::new("c"),
        };
        let mut row = LedgerRow::new(key, Now::default());
        let limit = Some(Rate {
            count: 1,
            per: Duration::from_mins(1),
        });
        take(&mut row, limit, Moment(5_000));
        assert_eq!(
            limited_until(Some(&row), limit, Moment(6_000)),
            Some(Moment(65_000))
        );
        assert_eq!(limited_until(Some(&row), limit, Moment(65_000)), None);
    }
}
