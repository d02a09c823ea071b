//! Telegram was unreachable: told once it is back, with what it made late.
//!
//! An outage begins with the first request that finds nobody there and ends with the first answer of any kind. It stands
//! in a stored row, so a restart in the middle of it changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::{Delivery, Notice, Now, Outage, Outcome, RuleName, Timer};

use super::incidents::Incidents;
use super::policy::{Decision, HoldReason};

/// A shorter one is nobody's news.
const BLIP: Duration = Duration::from_mins(1);

impl Incidents {
    /// What an outcome says about Telegram as a whole. Before it is booked, while what it ends is still owed.
    pub(super) fn hear_of_outage(&mut self, outcome: &Outcome, now: Now) {
        let unreachable = matches!(
            outcome,
            Outcome::Wait { flood: false, .. } | Outcome::Unsure { .. }
        );
        match (unreachable, self.rows.outage()) {
            (true, None) => {
                let outage = Outage {
                    since: now.wall,
                    blip: Timer::start(now.moment, BLIP),
                    folded: self.folded(),
                };
                self.rows.token_gate_mut().outage = Some(outage);
            }
            (false, Some(outage)) => {
                let late = self.late(outage, now);
                self.rows.token_gate_mut().outage = None;
                if late > 0 && outage.blip.fired(now.moment) {
                    let notice = Notice::Unreachable {
                        from: outage.since,
                        to: now.wall,
                        incidents: late,
                    };
                    self.notice(&notice, now);
                }
            }
            _ => {}
        }
    }

    /// How many incidents have something to tell that only Telegram kept back.
    fn late(&self, outage: Outage, now: Now) -> u64 {
        let due = self.rows.all_deliveries().filter(|delivery| {
            self.chats.contains(&delivery.key.chat)
                && !self.is_parked(&delivery.key.chat)
                && self.is_due(delivery, now)
        });
        let incidents: BTreeSet<_> = due.map(|delivery| delivery.key.incident).collect();
        incidents.len() as u64 + self.folded().saturating_sub(outage.folded)
    }

    /// Whether this could be told this moment, if only Telegram took it.
    pub(super) fn is_due(&self, delivery: &Delivery, now: Now) -> bool {
        matches!(
            self.decide(delivery, now),
            Some(Decision::Send { .. } | Decision::Hold(HoldReason::InFlight, _))
        )
    }

    /// Incidents that ended untold and have no delivery of their own any more. One that several chats wait for is one.
    fn folded(&self) -> u64 {
        let mut of_rule: BTreeMap<&RuleName, u64> = BTreeMap::new();
        for row in self.rows.accounts() {
            let folds = row.fold.iter().chain(&row.fold_next);
            let folded = folds.map(|fold| fold.incidents).sum();
            let most = of_rule.entry(&row.key.rule).or_default();
            *most = (*most).max(folded);
        }
        of_rule.values().sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::VecDeque;

    use super::*;
    use crate::incident::{RuleSettings, Settings};
    use crate::model::{
        Bound, ChatName, Found, Moment, QUEUE_BYTES, Row, ShapeCount, ShapeId, State, StoreId, Timestamp,
        TokenGate, Values,
    };

    fn at(seconds: u64) -> Now {
        Now {
            moment: Moment(seconds * 1_000),
            wall: Timestamp(i64::try_from(seconds).unwrap() * 1_000),
        }
    }

    fn settings() -> Settings {
        let rule = RuleSettings {
            by: vec!["n".to_owned()],
            wait: Duration::ZERO,
            limit: None,
            quiet: Duration::from_hours(9),
            ..RuleSettings::new("r", "ops")
        };
        let all = RuleSettings {
            ring: crate::incident::Ring::All,
            limit: None,
            ..RuleSettings::new("all", "ops")
        };
        Settings {
            rules: vec![rule, all],
            chats: vec![ChatName::new("ops"), ChatName::new("me")],
            notices: vec![ChatName::new("me")],
            ..Settings::default()
        }
    }

    fn restore(state: &State, now: Now) -> Incidents {
        Incidents::restore(
            &settings(),
            state.clone(),
            now,
            fastrand::Rng::with_seed(now.moment.0),
        )
    }

    fn empty() -> State {
        State::empty(StoreId::draw(&mut fastrand::Rng::with_seed(1)))
    }

    /// A match, whose text is of this shape.
    fn found(rule: &str, by: u64, shape: u64) -> Found {
        let names: &[&str] = if rule == "r" { &["n"] } else { &[] };
        let by = names.iter().map(|name| ((*name).to_owned(), by.to_string()));
        Found {
            rule: RuleName::new(rule),
            by: by.collect(),
            count: 1,
            first: Timestamp(0),
            last: Timestamp(0),
            logged: None,
            shapes: vec![ShapeCount {
                id: ShapeId(shape),
                sample: String::new(),
                nth: 1,
                count: 1,
                last: Timestamp(0),
            }],
            other: 0,
            lines: VecDeque::new(),
            kept: 0,
            files: Vec::new(),
            values: Values::new(),
            context: None,
        }
    }

    fn feed(incidents: &mut Incidents, range: std::ops::Range<u64>, now: Now) {
        let rows = range.map(|by| Row::Found(found("r", by, 1)));
        incidents.apply(rows.collect(), now);
    }

    fn answer(incidents: &mut Incidents, outcome: &Outcome, now: Now) {
        incidents.hear(&ChatName::new("me"), outcome, Duration::from_secs(1), now);
    }

    fn away() -> Outcome {
        Outcome::Wait {
            after: None,
            flood: false,
            why: "no connection".to_owned(),
        }
    }

    const SENT: Outcome = Outcome::Sent { message_id: 1 };

    fn told(incidents: &Incidents) -> Vec<Notice> {
        let rows = incidents.rows.all_notices();
        rows.flat_map(|row| row.waiting.iter().map(|(_, notice)| notice.clone()))
            .collect()
    }

    fn unreachable(from: u64, to: u64, incidents: u64) -> Notice {
        let (from, to) = (at(from).wall, at(to).wall);
        Notice::Unreachable { from, to, incidents }
    }

    #[test]
    fn an_outage_is_told_once_it_is_over_with_the_incidents_it_made_late() {
        let mut incidents = restore(&empty(), at(100));
        answer(&mut incidents, &away(), at(110));
        feed(&mut incidents, 0..12, at(120));
        // More of the same is no further incident, and no further outage.
        feed(&mut incidents, 0..5, at(130));
        answer(&mut incidents, &away(), at(200));
        assert_eq!(told(&incidents), []);
        answer(&mut incidents, &SENT, at(530));
        assert_eq!(told(&incidents), [unreachable(110, 530, 12)]);
        answer(&mut incidents, &SENT, at(531));
        assert_eq!(told(&incidents).len(), 1);
    }

    #[test]
    fn a_blip_an_outage_in_which_nothing_was_owed_and_a_flood_are_nobodys_news() {
        let mut incidents = restore(&empty(), at(100));
        answer(&mut incidents, &away(), at(110));
        answer(&mut incidents, &SENT, at(9_000));
        feed(&mut incidents, 0..3, at(9_000));
        answer(&mut incidents, &away(), at(9_001));
        answer(&mut incidents, &SENT, at(9_060));
        let flood = Outcome::Wait {
            after: Some(Duration::from_mins(5)),
            flood: true,
            why: String::new(),
        };
        answer(&mut incidents, &flood, at(9_100));
        answer(&mut incidents, &SENT, at(9_500));
        assert_eq!(told(&incidents), []);
    }

    #[test]
    fn an_outage_goes_on_over_a_restart() {
        let mut incidents = restore(&empty(), at(100));
        answer(&mut incidents, &away(), at(110));
        feed(&mut incidents, 0..3, at(120));
        let delta = incidents.changes(at(121));
        let state = State {
            incidents: delta.incidents,
            deliveries: delta.deliveries,
            accounts: delta.accounts,
            chats: delta.chats,
            token_gate: delta.token_gate.unwrap(),
            ..empty()
        };
        // Another process: its monotonic clock began anew, and a moment after the last commit.
        let now = |seconds: u64| Now {
            moment: Moment(seconds * 1_000),
            wall: at(seconds + 121).wall,
        };
        let mut incidents = restore(&state, now(1));
        feed(&mut incidents, 3..4, now(2));
        let mut brief = restore(&state, now(1));
        answer(&mut brief, &SENT, now(40));
        assert_eq!(told(&brief), [], "by then it had lasted 51 seconds");
        answer(&mut incidents, &SENT, now(60));
        assert_eq!(told(&incidents), [unreachable(110, 181, 4)]);
        let TokenGate { outage, .. } = incidents.changes(now(60)).token_gate.unwrap();
        assert_eq!(outage, None);
    }

    #[test]
    fn what_falls_over_a_bound_is_told_once_for_what_it_is() {
        let mut incidents = restore(&empty(), at(100));
        let overflow = |rule: &str, bound| Notice::Overflow {
            rule: RuleName::new(rule),
            bound,
        };
        feed(&mut incidents, 0..1_000, at(100));
        assert_eq!(told(&incidents), []);
        feed(&mut incidents, 1_000..1_010, at(101));
        feed(&mut incidents, 1_010..1_020, at(102));
        assert_eq!(told(&incidents), [overflow("r", Bound::Incidents)]);
        let mut incidents = restore(&empty(), at(100));
        for shape in 0..210 {
            incidents.apply(vec![Row::Found(found("r", 1, shape))], at(100));
            assert_eq!(told(&incidents).len(), usize::from(shape >= 200), "{shape}");
        }
        assert_eq!(told(&incidents), [overflow("r", Bound::Shapes)]);
        let mut incidents = restore(&empty(), at(100));
        let mut many = found("all", 0, 1);
        // Of its lines the reader kept none, as there was no room for them.
        many.count = QUEUE_BYTES as u64;
        incidents.apply(vec![Row::Found(many.clone())], at(100));
        incidents.apply(vec![Row::Found(many)], at(101));
        assert_eq!(told(&incidents), [overflow("all", Bound::Lines)]);
    }
}
