//! Letters, which somebody sends by hand: they belong to no incident and are stored nowhere. What is known here is how
//! one reaches its chat, and what its outcome says about the chat.

use std::time::Duration;

use crate::model::{ChatName, Moment, Now, Outcome};

use super::chat;
use super::incidents::Incidents;

/// How a letter reaches its chat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// Not before then; absent: now.
    pub closed_until: Option<Moment>,
    /// The supergroup that the chat became.
    pub moved_to: Option<i64>,
    /// The chat's topic is gone.
    pub topic_gone: bool,
}

impl Incidents {
    /// How a letter reaches `chat` now. The pauses of a parked chat and of a refused token do not count: they only
    /// space out the questions that nobody asked, and this one somebody asks.
    pub fn way(&self, chat: &ChatName, now: Now) -> Way {
        let known = self.rows.chat(chat);
        let own = known
            .filter(|chat| chat.parked.is_none())
            .and_then(|chat| chat.gate);
        let closed = own.into_iter().chain(self.rows.flood_gate());
        let closed = closed.filter(|gate| !gate.fired(now.moment));
        Way {
            closed_until: closed.map(|gate| gate.due).max(),
            moved_to: known.and_then(|chat| chat.moved_to),
            topic_gone: known.is_some_and(|chat| chat.topic_gone),
        }
    }

    /// Books what the outcome of a letter says about its chat and the bot. `retry` is how long to wait where Telegram
    /// does not say.
    pub fn hear(&mut self, chat: &ChatName, outcome: &Outcome, retry: Duration, now: Now) {
        let was_parked = self.is_parked(chat);
        self.hear_of_outage(outcome, now);
        chat::requested(&mut self.rows, chat, now);
        chat::hear(&mut self.rows, chat, outcome, retry, now);
        self.heed_refusal(chat, outcome, now);
        self.notice_outcome(chat, was_parked, outcome, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::Settings;
    use crate::model::{Refusal, RefusalKind, State, StoreId, Timestamp};

    fn at(seconds: u64) -> Now {
        Now {
            moment: Moment(seconds * 1_000),
            wall: Timestamp(0),
        }
    }

    fn incidents() -> Incidents {
        let store = StoreId::draw(&mut fastrand::Rng::with_seed(1));
        Incidents::restore(
            &Settings::default(),
            State::empty(store),
            at(0),
            fastrand::Rng::with_seed(1),
        )
    }

    fn hear(incidents: &mut Incidents, chat: &str, outcome: &Outcome, seconds: u64) {
        let retry = Duration::from_secs(5);
        incidents.hear(&ChatName::new(chat), outcome, retry, at(seconds));
    }

    fn closed_until(incidents: &Incidents, chat: &str, seconds: u64) -> Option<u64> {
        let way = incidents.way(&ChatName::new(chat), at(seconds));
        way.closed_until.map(|until| until.0 / 1_000)
    }

    fn wait(seconds: u64) -> Outcome {
        Outcome::Wait {
            after: Some(Duration::from_secs(seconds)),
            flood: true,
            why: String::new(),
        }
    }

    fn refused(kind: RefusalKind) -> Outcome {
        Outcome::Refused(Refusal {
            kind,
            why: String::new(),
        })
    }

    const SENT: Outcome = Outcome::Sent { message_id: 1 };

    #[test]
    fn a_flood_heard_by_hand_closes_the_chat_and_two_close_the_bot() {
        let mut incidents = incidents();
        hear(&mut incidents, "a", &wait(30), 100);
        assert_eq!(closed_until(&incidents, "a", 100), Some(130));
        assert_eq!(closed_until(&incidents, "b", 100), None);
        assert_eq!(closed_until(&incidents, "a", 130), None);
        hear(&mut incidents, "b", &wait(40), 105);
        for chat in ["a", "b", "c"] {
            assert_eq!(closed_until(&incidents, chat, 106), Some(145), "{chat}");
        }
        hear(&mut incidents, "a", &SENT, 146);
        assert_eq!(closed_until(&incidents, "a", 146), None);
    }

    #[test]
    fn a_parked_chat_and_a_refused_token_are_asked_by_hand_at_any_time() {
        let mut incidents = incidents();
        hear(&mut incidents, "a", &refused(RefusalKind::ChatGone), 100);
        hear(&mut incidents, "b", &refused(RefusalKind::TokenWrong), 100);
        let parked = |incidents: &Incidents| incidents.chats().any(|chat| chat.parked.is_some());
        assert!(parked(&incidents));
        for chat in ["a", "b"] {
            assert_eq!(closed_until(&incidents, chat, 101), None, "{chat}");
            assert!(
                incidents.gate(&ChatName::new(chat), at(101)).is_some(),
                "alerts wait"
            );
        }
        hear(&mut incidents, "a", &SENT, 102);
        assert!(!parked(&incidents));
    }

    #[test]
    fn every_request_by_hand_counts_for_the_limiter_of_the_next_start() {
        let mut incidents = incidents();
        for (second, outcome) in [(100, SENT), (101, wait(1)), (102, refused(RefusalKind::Text))] {
            hear(&mut incidents, "a", &outcome, second);
        }
        let changes = incidents.changes(at(103));
        assert_eq!(changes.chats.len(), 1);
        assert_eq!(changes.chats[0].requests.len(), 3);
        hear(&mut incidents, "a", &SENT, 161);
        assert_eq!(incidents.changes(at(161)).chats[0].requests.len(), 2);
    }

    #[test]
    fn a_moved_chat_and_a_lost_topic_show_the_way() {
        let mut incidents = incidents();
        hear(&mut incidents, "a", &Outcome::Moved { to: -1_007 }, 100);
        hear(&mut incidents, "a", &refused(RefusalKind::TopicGone), 100);
        let way = incidents.way(&ChatName::new("a"), at(100));
        assert_eq!((way.moved_to, way.topic_gone), (Some(-1_007), true));
    }
}
