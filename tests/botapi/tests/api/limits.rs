//! Flood limits as a client meets them; the arithmetic is tested where it lives.

use std::time::Duration;

use botapi::{BotApi, ChatConfig, ChatKind, Clock, Config, LimitConfig, Verdict};
use serde_json::json;

use crate::client::{GROUP, call, send};

fn limited(clock: &Clock) -> BotApi {
    let limits = LimitConfig {
        group_per_window: 2,
        ..LimitConfig::default()
    };
    let group = ChatConfig::new(GROUP, ChatKind::Group);
    BotApi::spawn(Config::default().chat(group).clock(clock.clone()).limits(limits))
}

#[test]
fn over_the_limit_comes_a_429_that_says_when_to_come_again() {
    let clock = Clock::manual();
    let api = limited(&clock);
    send(&api, GROUP, "one");
    let edit = json!({ "chat_id": GROUP, "message_id": 1, "text": "two" });
    assert_eq!(
        call(&api, "editMessageText", &edit).status,
        200,
        "an edit takes from the same budget"
    );
    let heard = send(&api, GROUP, "three");
    assert_eq!(heard.status, 429);
    assert_eq!(heard.description(), "Too Many Requests: retry after 60");
    assert_eq!(heard.json()["parameters"], json!({ "retry_after": 60 }));
    assert!(heard.head.contains("\r\nretry-after: 60"), "{}", heard.head);
    assert_eq!(api.journal().messages(GROUP).len(), 1);
    assert_eq!(api.journal().floods(), 1);
    assert_eq!(
        api.journal().requests()[2].verdict,
        Verdict::Flood { retry_after: 60 }
    );
    clock.advance(Duration::from_mins(1));
    assert_eq!(send(&api, GROUP, "three").status, 200);
}

#[test]
fn coming_too_early_makes_the_wait_grow() {
    let clock = Clock::manual();
    let api = limited(&clock);
    for _ in 0..3 {
        send(&api, GROUP, "x");
    }
    clock.advance(Duration::from_secs(30));
    assert_eq!(send(&api, GROUP, "x").json()["parameters"]["retry_after"], 35);
}

#[test]
fn a_malformed_request_costs_nothing_and_limits_can_be_lifted() {
    let clock = Clock::manual();
    let api = limited(&clock);
    for _ in 0..5 {
        assert_eq!(send(&api, GROUP, "").status, 400);
    }
    for _ in 0..2 {
        assert_eq!(send(&api, GROUP, "x").status, 200);
    }
    assert_eq!(send(&api, GROUP, "x").status, 429);
    api.limits().off();
    assert_eq!(send(&api, GROUP, "x").status, 200);
}
