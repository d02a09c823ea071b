//! Chats, topics, replies and edits.

use botapi::{ChatConfig, ChatKind, ChatState};
use serde_json::json;

use crate::client::{FORUM, GROUP, PERSON, api, call, refused, send};

#[test]
fn each_state_refuses_in_the_words_of_its_chat_type() {
    use ChatKind::{Channel, Group, Private, Supergroup};
    use ChatState::{Blocked, Deactivated, Deleted, Kicked, Left, NotFound, NotStarted, WriteForbidden};
    let api = api();
    for (kind, state, code, wording) in [
        (Private, Blocked, 403, "Forbidden: bot was blocked by the user"),
        (Private, Deactivated, 403, "Forbidden: user is deactivated"),
        (
            Private,
            NotStarted,
            403,
            "Forbidden: bot can't initiate conversation with a user",
        ),
        (Private, NotFound, 400, "Bad Request: private chat not found"),
        (Group, NotFound, 400, "Bad Request: chat not found"),
        (
            Group,
            Kicked,
            403,
            "Forbidden: bot was kicked from the group chat",
        ),
        (
            Supergroup,
            Kicked,
            403,
            "Forbidden: bot was kicked from the supergroup chat",
        ),
        (
            Channel,
            Kicked,
            403,
            "Forbidden: bot was kicked from the channel chat",
        ),
        (
            Group,
            Left,
            403,
            "Forbidden: bot is not a member of the group chat",
        ),
        (
            Supergroup,
            Left,
            403,
            "Forbidden: bot is not a member of the supergroup chat",
        ),
        (
            Channel,
            Left,
            403,
            "Forbidden: bot is not a member of the channel chat",
        ),
        (Group, Deleted, 403, "Forbidden: the group chat was deleted"),
        (
            Group,
            WriteForbidden,
            400,
            "Bad Request: not enough rights to send text messages to the chat",
        ),
        (
            Channel,
            WriteForbidden,
            400,
            "Bad Request: need administrator rights in the channel chat",
        ),
    ] {
        api.chats().set(ChatConfig::new(99, kind).state(state));
        refused(
            &api,
            "sendMessage",
            &json!({ "chat_id": 99, "text": "x" }),
            code,
            wording,
        );
        let edit = json!({ "chat_id": 99, "text": "x", "message_id": 1 });
        refused(&api, "editMessageText", &edit, code, wording);
    }
    api.chats().state(99, ChatState::Ok);
    assert_eq!(send(&api, 99, "back again").status, 200);
}

#[test]
fn a_migrated_group_names_its_supergroup() {
    let api = api();
    api.chats().state(GROUP, ChatState::Migrated { to: FORUM });
    let heard = send(&api, GROUP, "x");
    assert_eq!(heard.status, 400);
    assert_eq!(
        heard.description(),
        "Bad Request: group chat was upgraded to a supergroup chat"
    );
    assert_eq!(heard.json()["parameters"], json!({ "migrate_to_chat_id": FORUM }));
}

#[test]
fn a_chat_is_named_by_number_text_or_public_name() {
    let api = api();
    for id in [json!(PERSON), json!("7"), json!("@Person")] {
        assert_eq!(
            call(&api, "sendMessage", &json!({ "chat_id": id, "text": "x" })).status,
            200
        );
    }
    assert_eq!(api.journal().messages(PERSON).len(), 3);
    for id in [json!(12345), json!("@nobody"), json!(true)] {
        refused(
            &api,
            "sendMessage",
            &json!({ "chat_id": id, "text": "x" }),
            400,
            "Bad Request: chat not found",
        );
    }
    refused(
        &api,
        "sendMessage",
        &json!({ "text": "x" }),
        400,
        "Bad Request: chat_id is empty",
    );
}

#[test]
fn only_open_topics_take_messages_and_the_general_topic_has_no_number() {
    let api = api();
    let to = |chat: i64, thread: i64| json!({ "chat_id": chat, "text": "x", "message_thread_id": thread });
    assert_eq!(
        call(&api, "sendMessage", &to(FORUM, 5)).json()["result"]["message_thread_id"],
        5
    );
    assert_eq!(api.journal().messages(FORUM)[0].thread, Some(5));
    for (chat, thread) in [(FORUM, 1), (FORUM, 77), (GROUP, 5)] {
        refused(
            &api,
            "sendMessage",
            &to(chat, thread),
            400,
            "Bad Request: message thread not found",
        );
    }
    refused(
        &api,
        "sendMessage",
        &to(FORUM, 6),
        400,
        "Bad Request: TOPIC_CLOSED",
    );
    let word = json!({ "chat_id": FORUM, "text": "x", "message_thread_id": "general" });
    refused(
        &api,
        "sendMessage",
        &word,
        400,
        "Bad Request: field \"message_thread_id\" must be an integer",
    );
}

#[test]
fn a_reply_needs_its_target_unless_it_may_go_without() {
    let api = api();
    send(&api, GROUP, "first");
    let reply = |parameters| json!({ "chat_id": GROUP, "text": "x", "reply_parameters": parameters });
    assert_eq!(
        call(&api, "sendMessage", &reply(json!({ "message_id": 1 }))).status,
        200
    );
    let missing = reply(json!({ "message_id": 50 }));
    refused(
        &api,
        "sendMessage",
        &missing,
        400,
        "Bad Request: message to be replied not found",
    );
    let wording = "Bad Request: can't parse reply parameters: message_id expected";
    refused(&api, "sendMessage", &reply(json!({})), 400, wording);
    let relaxed = reply(json!({ "message_id": 50, "allow_sending_without_reply": true }));
    assert_eq!(call(&api, "sendMessage", &relaxed).status, 200);
    let replies: Vec<_> = api
        .journal()
        .messages(GROUP)
        .iter()
        .map(|message| message.reply_to)
        .collect();
    assert_eq!(replies, [None, Some(1), None]);
}

#[test]
fn message_ids_grow_in_each_chat() {
    let api = api();
    for _ in 0..3 {
        send(&api, GROUP, "x");
    }
    send(&api, PERSON, "x");
    let ids = |chat| {
        api.journal()
            .messages(chat)
            .iter()
            .map(|m| m.message_id)
            .collect::<Vec<_>>()
    };
    assert_eq!((ids(GROUP), ids(PERSON)), (vec![1, 2, 3], vec![1]));
}

#[test]
fn an_edit_replaces_the_text_keeps_the_old_one_and_drops_an_absent_keyboard() {
    let api = api();
    let keyboard = json!({ "inline_keyboard": [[{ "text": "Mute", "callback_data": "m" }]] });
    call(
        &api,
        "sendMessage",
        &json!({ "chat_id": GROUP, "text": "one", "reply_markup": keyboard }),
    );
    assert!(api.journal().messages(GROUP)[0].keyboard.is_some());
    let edit = json!({ "chat_id": GROUP, "message_id": 1, "text": "two" });
    assert_eq!(
        call(&api, "editMessageText", &edit).json()["result"]["text"],
        "two"
    );
    let message = &api.journal().messages(GROUP)[0];
    assert_eq!(
        (message.text.as_str(), message.earlier[0].text.as_str()),
        ("two", "one")
    );
    assert!(message.keyboard.is_none() && message.edited_at.is_some());
    assert_eq!((message.request, message.edits.as_slice()), (1, &[2][..]));
    let equal = "Bad Request: message is not modified: specified new message content and reply markup are \
                 exactly the same as a current content and reply markup of the message";
    refused(&api, "editMessageText", &edit, 400, equal);
}

#[test]
fn an_edit_needs_a_message_that_is_still_there() {
    let api = api();
    let gone = "Bad Request: message to edit not found";
    let edit = json!({ "chat_id": GROUP, "message_id": 1, "text": "two" });
    refused(&api, "editMessageText", &edit, 400, gone);
    send(&api, GROUP, "one");
    api.chats().delete_message(GROUP, 1);
    refused(&api, "editMessageText", &edit, 400, gone);
    assert!(api.journal().messages(GROUP)[0].deleted);
    let nameless = json!({ "chat_id": GROUP, "text": "two" });
    refused(
        &api,
        "editMessageText",
        &nameless,
        400,
        "Bad Request: message identifier is not specified",
    );
    send(&api, GROUP, "next");
    assert_eq!(
        api.journal().messages(GROUP)[1].message_id,
        2,
        "the id of a deleted message is not used again"
    );
}
