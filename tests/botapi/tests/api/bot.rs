//! Tokens, methods, updates and what a bot answers to people.

use serde_json::{Value, json};

use crate::client::{GROUP, PERSON, api, call, get, post, raw, refused, send};

#[test]
fn a_wrong_token_is_told_apart_from_a_malformed_one() {
    let api = api();
    for (path, code, wording) in [
        ("/bot123:other/getMe", 401, "Unauthorized"),
        (
            "/bot0123:other/getMe",
            401,
            "Unauthorized: invalid token specified",
        ),
        ("/bot123:/getMe", 401, "Unauthorized: invalid token specified"),
        ("/botnonsense/getMe", 404, "Not Found"),
        ("/bot12x:abc/getMe", 404, "Not Found"),
        ("/getMe", 404, "Not Found"),
        ("/", 404, "Not Found"),
    ] {
        let heard = post(&api, path, "{}").unwrap();
        assert_eq!(
            (heard.status, heard.description().as_str()),
            (code, wording),
            "{path}"
        );
    }
    assert_eq!(api.journal().counts().refused, 7);
}

#[test]
fn the_token_never_reaches_the_journal() {
    let api = api();
    call(&api, "getMe", &json!({}));
    post(&api, "/bot123:secret-part/getMe", "{}").unwrap();
    let journal = api.journal().to_json().to_string();
    assert!(!journal.contains(api.token()) && !journal.contains("secret-part"));
}

#[test]
fn get_me_works_by_get_and_post_and_unknown_methods_do_not() {
    let api = api();
    assert_eq!(call(&api, "getMe", &json!({})).json()["result"]["is_bot"], true);
    assert_eq!(get(&api, &format!("/bot{}/getme", api.token())).status, 200);
    refused(&api, "sendPigeon", &json!({}), 404, "Not Found: method not found");
    refused(
        &api,
        "sendDocument",
        &json!({}),
        400,
        "Bad Request: there is no document in the request",
    );
}

#[test]
fn a_body_that_is_no_json_object_is_refused() {
    let api = api();
    let path = format!("/bot{}/sendMessage", api.token());
    for body in ["{", "[]", "{\"text\":\"\\ud800\"}"] {
        let heard = post(&api, &path, body).unwrap();
        assert_eq!(
            (heard.status, heard.description().as_str()),
            (400, "Bad Request: can't parse JSON object in the request"),
            "{body}"
        );
    }
}

#[test]
fn commands_are_checked_by_name_description_and_number() {
    let api = api();
    let menu = |name: &str, description: &str, count: usize| json!({ "commands": vec![json!({ "command": name, "description": description }); count] });
    assert_eq!(
        call(&api, "setMyCommands", &menu("mute_1", "Be quiet", 100)).json()["result"],
        true
    );
    for (body, wording) in [
        (menu("Mute", "x", 1), "BOT_COMMAND_INVALID"),
        (menu("", "x", 1), "BOT_COMMAND_INVALID"),
        (menu(&"m".repeat(33), "x", 1), "BOT_COMMAND_INVALID"),
        (menu("mute", "", 1), "BOT_COMMAND_DESCRIPTION_INVALID"),
        (
            menu("mute", &"x".repeat(257), 1),
            "BOT_COMMAND_DESCRIPTION_INVALID",
        ),
        (menu("mute", "x", 101), "BOT_COMMANDS_TOO_MUCH"),
        (json!({}), "can't parse commands: array expected"),
    ] {
        refused(
            &api,
            "setMyCommands",
            &body,
            400,
            &format!("Bad Request: {wording}"),
        );
    }
}

#[test]
fn updates_come_in_order_and_go_when_confirmed() {
    let api = api();
    let first = api.updates().say(PERSON, 7, "/status", None);
    api.updates().push(json!({ "poll": {} }));
    let poll = |body: Value| {
        call(&api, "getUpdates", &body).json()["result"]
            .as_array()
            .unwrap()
            .clone()
    };
    assert_eq!(poll(json!({ "limit": 1 }))[0]["message"]["text"], "/status");
    assert_eq!(poll(json!({})).len(), 2);
    assert_eq!(poll(json!({ "offset": first + 1 })).len(), 1);
    assert_eq!(poll(json!({ "offset": first + 2 })).len(), 0);
    assert_eq!(api.updates().waiting(), 0);
}

#[test]
fn a_poll_waits_for_an_update() {
    let api = api();
    let heard = std::thread::scope(|scope| {
        let poll = scope.spawn(|| call(&api, "getUpdates", &json!({ "timeout": 15 })));
        api.updates().say(PERSON, 7, "hello", None);
        poll.join().unwrap()
    });
    assert_eq!(heard.json()["result"][0]["message"]["from"]["id"], 7);
}

#[test]
fn of_two_polls_the_first_gets_the_conflict() {
    let api = api();
    std::thread::scope(|scope| {
        let polls: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| call(&api, "getUpdates", &json!({ "timeout": 15 }))))
            .collect();
        let conflicted = |journal: &botapi::Journal| journal.counts().conflicts == 1;
        assert!(api.journal().wait(std::time::Duration::from_secs(10), conflicted));
        api.updates().say(PERSON, 7, "hello", None);
        let mut statuses: Vec<_> = polls
            .into_iter()
            .map(|poll| poll.join().unwrap().status)
            .collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
    });
    let wording =
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    assert!(api.journal().refusals().contains(wording));
}

#[test]
fn a_pressed_button_is_answered_once_and_in_time() {
    let api = api();
    send(&api, GROUP, "x");
    let query = api.updates().press(GROUP, 1, 7, "mute");
    let update = call(&api, "getUpdates", &json!({})).json()["result"][0].clone();
    assert_eq!(update["callback_query"]["data"], "mute");
    assert_eq!(update["callback_query"]["id"], json!(query));
    let answer = json!({ "callback_query_id": query, "text": "done" });
    let long = json!({ "callback_query_id": query, "text": "x".repeat(201) });
    refused(
        &api,
        "answerCallbackQuery",
        &long,
        400,
        "Bad Request: MESSAGE_TOO_LONG",
    );
    assert_eq!(call(&api, "answerCallbackQuery", &answer).json()["result"], true);
    let late = "Bad Request: query is too old and response timeout expired or query ID is invalid";
    refused(&api, "answerCallbackQuery", &answer, 400, late);
    let old = api.updates().press(GROUP, 1, 7, "mute");
    api.updates().expire(&old);
    refused(
        &api,
        "answerCallbackQuery",
        &json!({ "callback_query_id": old }),
        400,
        late,
    );
}

#[test]
fn a_body_beyond_all_measure_is_refused_unread() {
    let api = api();
    let request = format!(
        "POST /bot{}/sendMessage HTTP/1.1\r\nhost: t\r\ncontent-length: 99999999\r\n\r\n",
        api.token()
    );
    let heard = raw(&api, request.as_bytes()).unwrap();
    assert_eq!(
        (heard.status, heard.description().as_str()),
        (413, "Request Entity Too Large")
    );
}
