//! Polls, webhooks, and what chats show to a bot that looks at them.

use botapi::{BotApi, ChatConfig, ChatKind, ChatState};
use serde_json::{Value, json};

use crate::client::{FORUM, GROUP, PERSON, api, call, refused};

const CHANNEL: i64 = -1_009;

fn poll(api: &BotApi, body: &Value) -> Vec<Value> {
    let heard = call(api, "getUpdates", body);
    assert_eq!(heard.status, 200, "{}", heard.description());
    heard.json()["result"].as_array().unwrap().clone()
}

fn result(api: &BotApi, method: &str, body: &Value) -> Value {
    let heard = call(api, method, body);
    assert_eq!(heard.status, 200, "{}", heard.description());
    heard.json()["result"].clone()
}

#[test]
fn updates_that_nobody_confirms_stay_for_the_next_one() {
    let api = api();
    api.updates().say(PERSON, 7, "hello", None);
    assert_eq!(poll(&api, &json!({})), poll(&api, &json!({})));
    assert_eq!(api.updates().waiting(), 1);
}

#[test]
fn the_kinds_asked_for_hold_for_what_comes_later_and_until_others_are() {
    let api = api();
    api.updates().say(PERSON, 7, "before", None);
    assert_eq!(
        poll(&api, &json!({ "allowed_updates": ["my_chat_member"] })).len(),
        1
    );
    api.updates().say(PERSON, 7, "not wanted", None);
    api.updates().membership(GROUP, 7, "left", "member");
    assert_eq!(poll(&api, &json!({})).len(), 2);
    assert_eq!(
        result(&api, "getWebhookInfo", &json!({}))["allowed_updates"],
        json!(["my_chat_member"])
    );
    poll(&api, &json!({ "allowed_updates": [] }));
    api.updates().say(PERSON, 7, "wanted again", None);
    api.updates().push(json!({ "message_reaction": {} }));
    assert_eq!(poll(&api, &json!({})).len(), 3);
    let info = result(&api, "getWebhookInfo", &json!({}));
    assert!(info.get("allowed_updates").is_none());
}

#[test]
fn a_webhook_closes_get_updates_and_keeps_what_waits() {
    let api = api();
    api.updates().say(PERSON, 7, "hello", None);
    let hook = json!({ "url": "https://bot.example.com/secret/path" });
    assert_eq!(result(&api, "setWebhook", &hook), json!(true));
    let closed = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
    refused(&api, "getUpdates", &json!({}), 409, closed);
    let info = result(&api, "getWebhookInfo", &json!({}));
    assert_eq!(
        (&info["url"], &info["pending_update_count"]),
        (&hook["url"], &json!(1))
    );
    assert_eq!(result(&api, "deleteWebhook", &json!({})), json!(true));
    assert_eq!(poll(&api, &json!({})).len(), 1);
    result(&api, "setWebhook", &hook);
    result(&api, "deleteWebhook", &json!({ "drop_pending_updates": true }));
    assert_eq!(poll(&api, &json!({})).len(), 0);
    assert_eq!(api.updates().webhook(), None);
}

#[test]
fn a_webhook_ends_the_poll_under_way() {
    let api = api();
    let heard = std::thread::scope(|scope| {
        let poll = scope.spawn(|| call(&api, "getUpdates", &json!({ "timeout": 50 })));
        let hook = json!({ "url": "https://bot.example.com/" });
        // The poll may come second; then it is refused at its beginning.
        call(&api, "setWebhook", &hook);
        poll.join().unwrap()
    });
    assert_eq!(heard.status, 409);
    assert!(heard.description().to_lowercase().contains("webhook"));
}

#[test]
fn a_webhook_needs_https_and_a_secret_of_few_characters() {
    let api = api();
    let with = |secret: &str| json!({ "url": "https://bot.example.com/", "secret_token": secret });
    for (body, wording) in [
        (
            json!({ "url": "http://bot.example.com/" }),
            "bad webhook: An HTTPS URL must be provided for webhook",
        ),
        (with(&"s".repeat(257)), "secret token is too long"),
        (with("s s"), "secret token contains unallowed characters"),
    ] {
        refused(&api, "setWebhook", &body, 400, &format!("Bad Request: {wording}"));
    }
    assert_eq!(result(&api, "setWebhook", &with("Some_secret-1")), json!(true));
    assert_eq!(result(&api, "setWebhook", &json!({ "url": "" })), json!(true));
    assert_eq!(api.updates().webhook(), None);
}

#[test]
fn a_message_in_a_topic_answers_the_one_that_opened_it() {
    let api = api();
    api.updates().open_topic(FORUM, 7, 5, "Alerts");
    api.updates().say(FORUM, 7, "hello", Some(5));
    let updates = poll(&api, &json!({}));
    for update in &updates {
        assert_eq!(update["message"]["message_thread_id"], 5);
        assert_eq!(update["message"]["is_topic_message"], true);
        assert_eq!(update["message"]["chat"]["is_forum"], true);
    }
    assert_eq!(updates[0]["message"]["forum_topic_created"]["name"], "Alerts");
    assert_eq!(
        updates[1]["message"]["reply_to_message"]["forum_topic_created"]["name"],
        "Alerts"
    );
}

#[test]
fn posts_memberships_and_upgrades_have_their_own_shapes() {
    let api = api();
    api.chats()
        .set(ChatConfig::new(CHANNEL, ChatKind::Channel).title("News"));
    api.updates().post(CHANNEL, "today");
    api.updates().membership(GROUP, 7, "left", "member");
    api.updates().upgrade(GROUP, FORUM, 7);
    let updates = poll(&api, &json!({}));
    let post = &updates[0]["channel_post"];
    assert_eq!(
        (&post["chat"]["title"], &post["chat"]["type"], post.get("from")),
        (&json!("News"), &json!("channel"), None)
    );
    let member = &updates[1]["my_chat_member"];
    assert_eq!(
        (&member["new_chat_member"]["status"], &member["chat"]["id"]),
        (&json!("member"), &json!(GROUP))
    );
    assert_eq!(updates[2]["message"]["migrate_to_chat_id"], FORUM);
    assert_eq!(updates[3]["message"]["migrate_from_chat_id"], GROUP);
}

#[test]
fn a_chat_shows_who_it_is_and_what_the_bot_may_do_in_it() {
    let api = api();
    let about = |id: i64| result(&api, "getChat", &json!({ "chat_id": id }));
    let bot_in = |id: i64| result(&api, "getChatMember", &json!({ "chat_id": id, "user_id": 42 }));
    assert_eq!(about(PERSON)["first_name"], "Person");
    assert_eq!(about(GROUP)["permissions"]["can_send_messages"], true);
    assert_eq!(about(FORUM)["is_forum"], true);
    assert_eq!(bot_in(GROUP)["status"], "member");
    for (kind, id, status, field) in [
        (ChatKind::Supergroup, FORUM, "restricted", "can_send_messages"),
        (ChatKind::Channel, CHANNEL, "administrator", "can_post_messages"),
    ] {
        api.chats()
            .set(ChatConfig::new(id, kind).state(ChatState::WriteForbidden));
        assert_eq!(
            (&bot_in(id)["status"], &bot_in(id)[field]),
            (&json!(status), &json!(false))
        );
    }
    api.chats().state(GROUP, ChatState::WriteForbidden);
    assert_eq!(about(GROUP)["permissions"]["can_send_messages"], false);
    refused(
        &api,
        "getChatMember",
        &json!({ "chat_id": GROUP, "user_id": 7 }),
        400,
        "Bad Request: member not found",
    );
}

#[test]
fn a_chat_that_is_gone_or_strange_shows_nothing() {
    let api = api();
    let look = |id: i64, code: u16, wording: &str| {
        for method in ["getChat", "getChatMember"] {
            refused(
                &api,
                method,
                &json!({ "chat_id": id, "user_id": 42 }),
                code,
                wording,
            );
        }
    };
    look(12_345, 400, "Bad Request: chat not found");
    api.chats().state(PERSON, ChatState::NotStarted);
    look(PERSON, 400, "Bad Request: chat not found");
    api.chats().state(GROUP, ChatState::Kicked);
    look(GROUP, 403, "Forbidden: bot was kicked from the group chat");
    api.chats().state(PERSON, ChatState::Blocked);
    assert_eq!(
        result(&api, "getChat", &json!({ "chat_id": PERSON }))["id"],
        PERSON
    );
}
