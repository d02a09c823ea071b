//! Texts, entities and keyboards.

use serde_json::{Value, json};

use crate::client::{GROUP, api, call, refused, send};

fn with(more: &Value) -> Value {
    let mut body = json!({ "chat_id": GROUP, "text": "hello world" });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn entity(kind: &str, offset: i64, length: i64) -> Value {
    json!({ "type": kind, "offset": offset, "length": length })
}

#[test]
fn a_text_may_fill_4096_units_and_not_one_more() {
    let api = api();
    assert_eq!(send(&api, GROUP, &"a".repeat(4096)).status, 200);
    assert_eq!(send(&api, GROUP, &"🔥".repeat(2048)).status, 200);
    for text in ["a".repeat(4097), "🔥".repeat(2048) + "a"] {
        let body = json!({ "chat_id": GROUP, "text": text });
        refused(
            &api,
            "sendMessage",
            &body,
            400,
            "Bad Request: message is too long",
        );
    }
}

#[test]
fn a_text_without_anything_to_see_is_refused() {
    let api = api();
    let empty = "Bad Request: message text is empty";
    refused(&api, "sendMessage", &json!({ "chat_id": GROUP }), 400, empty);
    refused(&api, "sendMessage", &with(&json!({ "text": "" })), 400, empty);
    refused(
        &api,
        "sendMessage",
        &with(&json!({ "text": "\r\u{202e}" })),
        400,
        empty,
    );
    let blank = "Bad Request: text must be non-empty";
    refused(
        &api,
        "sendMessage",
        &with(&json!({ "text": " \n\t" })),
        400,
        blank,
    );
}

#[test]
fn a_raw_text_over_32_kib_is_refused_before_it_is_measured() {
    let body = json!({ "chat_id": GROUP, "text": "a".repeat(32 * 1024 + 1) });
    refused(&api(), "sendMessage", &body, 400, "Bad Request: text is too long");
}

#[test]
fn a_text_must_be_a_string() {
    refused(
        &api(),
        "sendMessage",
        &with(&json!({ "text": 5 })),
        400,
        "Bad Request: can't parse text: string expected",
    );
}

#[test]
fn a_null_anywhere_is_refused() {
    let api = api();
    for (name, wording) in [
        ("parse_mode", "unsupported parse_mode"),
        ("reply_markup", "object expected as reply markup"),
        ("entities", "can't parse entities: array expected, got null"),
        ("chat_id", "chat not found"),
        (
            "message_thread_id",
            "can't parse field \"message_thread_id\": got null",
        ),
    ] {
        let body = with(&json!({ name: null }));
        for method in ["sendMessage", "editMessageText"] {
            refused(&api, method, &body, 400, &format!("Bad Request: {wording}"));
        }
    }
    let nested = with(&json!({ "reply_parameters": { "message_id": 1, "quote": null } }));
    let wording = "Bad Request: can't parse reply_parameters: a field inside is null";
    refused(&api, "sendMessage", &nested, 400, wording);
}

#[test]
fn a_parse_mode_is_refused() {
    refused(
        &api(),
        "sendMessage",
        &with(&json!({ "parse_mode": "HTML" })),
        400,
        "Bad Request: unsupported parse_mode",
    );
}

#[test]
fn control_characters_become_spaces_and_entities_move_with_the_text() {
    let api = api();
    let body =
        json!({ "chat_id": GROUP, "text": "a\tb\r\u{202a}\u{7}c\nd", "entities": [entity("code", 5, 3)] });
    assert_eq!(call(&api, "sendMessage", &body).status, 200);
    let message = &api.journal().messages(GROUP)[0];
    assert_eq!(message.text, "a b c\nd");
    assert_eq!((message.entities[0].offset, message.entities[0].length), (3, 3));
}

#[test]
fn entities_that_telegram_would_have_to_repair_are_refused() {
    let api = api();
    let quote = |offset, length| entity("blockquote", offset, length);
    for (entities, wording) in [
        (json!("x"), "array expected"),
        (json!([entity("bold", 0, 0)]), "an entity is empty"),
        (json!([entity("bold", 6, 6)]), "an entity ends behind the text"),
        (json!([entity("loud", 0, 1)]), "unsupported type \"loud\""),
        (
            json!([entity("bold", 0, 5), entity("italic", 3, 5)]),
            "\"bold\" and \"italic\" cross",
        ),
        (
            json!([entity("bold", 0, 5), entity("code", 1, 2)]),
            "\"code\" inside \"bold\"",
        ),
        (
            json!([entity("pre", 0, 5), entity("bold", 1, 2)]),
            "\"bold\" inside \"pre\"",
        ),
        (
            json!([entity("pre", 0, 5), quote(1, 2)]),
            "\"blockquote\" inside \"pre\"",
        ),
        (
            json!([quote(0, 5), entity("expandable_blockquote", 1, 2)]),
            "quotes do not nest",
        ),
        (
            json!([entity("bold", 0, 5), entity("bold", 1, 2)]),
            "\"bold\" inside itself",
        ),
        (
            json!([{ "type": "text_link", "offset": 0, "length": 1, "url": "http://grafana:3000" }]),
            "wrong link URL \"http://grafana:3000\"",
        ),
    ] {
        let wording = format!("Bad Request: can't parse entities: {wording}");
        refused(
            &api,
            "sendMessage",
            &with(&json!({ "entities": entities })),
            400,
            &wording,
        );
    }
    for bad in [
        json!([{ "type": "bold", "offset": -1, "length": 1 }]),
        json!([{ "type": "bold" }]),
    ] {
        let heard = call(&api, "sendMessage", &with(&json!({ "entities": bad })));
        assert!(
            heard
                .description()
                .starts_with("Bad Request: can't parse entities: malformed entity"),
            "{heard:?}"
        );
    }
}

#[test]
fn an_entity_must_not_split_a_surrogate_pair() {
    let api = api();
    let wording = "Bad Request: can't parse entities: an entity splits a surrogate pair";
    for cut in [entity("bold", 1, 1), entity("bold", 0, 1)] {
        refused(
            &api,
            "sendMessage",
            &with(&json!({ "text": "🔥!", "entities": [cut] })),
            400,
            wording,
        );
    }
    let whole = with(&json!({ "text": "🔥!", "entities": [entity("bold", 0, 2)] }));
    assert_eq!(call(&api, "sendMessage", &whole).status, 200);
}

#[test]
fn good_nesting_passes() {
    let api = api();
    for entities in [
        json!([entity("expandable_blockquote", 0, 5), entity("pre", 0, 5)]),
        json!([entity("pre", 0, 5), entity("blockquote", 0, 5)]),
        json!([entity("bold", 0, 5), entity("italic", 1, 2), entity("code", 5, 3)]),
    ] {
        let heard = call(&api, "sendMessage", &with(&json!({ "entities": entities })));
        assert_eq!(heard.status, 200, "{heard:?}");
    }
}

#[test]
fn a_hundred_code_entities_pass_and_one_more_does_not() {
    let api = api();
    let body = |count: i64| {
        let codes: Vec<_> = (0..count).map(|n| entity("code", n * 2, 1)).collect();
        json!({ "chat_id": GROUP, "text": "a ".repeat(101) + "!", "entities": codes })
    };
    assert_eq!(call(&api, "sendMessage", &body(100)).status, 200);
    let wording = "Bad Request: can't parse entities: more than 100 pre, code, quote and link entities";
    refused(&api, "sendMessage", &body(101), 400, wording);
}

#[test]
fn live_text_is_found_outside_code_and_not_inside() {
    let api = api();
    let text = "ask @alice or #ops, https://a.example";
    call(&api, "sendMessage", &with(&json!({ "text": text })));
    let kinds: Vec<_> = api.journal().live().into_iter().map(|live| live.kind).collect();
    assert_eq!(kinds, ["mention", "hashtag", "url"]);
    let shielded = with(&json!({ "text": text, "entities": [entity("pre", 0, 37)] }));
    call(&api, "sendMessage", &shielded);
    assert!(api.journal().messages(GROUP)[1].live.is_empty());
}

#[test]
fn a_url_without_a_word_about_previews_is_complained_of() {
    let api = api();
    let text = json!({ "text": "see https://a.example" });
    let mut quiet = with(&text);
    quiet["link_preview_options"] = json!({ "is_disabled": true });
    call(&api, "sendMessage", &quiet);
    assert!(api.journal().complaints().is_empty());
    call(&api, "sendMessage", &with(&text));
    assert_eq!(api.journal().complaints(), ["link preview is not disabled"]);
}

#[test]
fn keyboards_are_judged_button_by_button() {
    let api = api();
    let keys = |button: Value| with(&json!({ "reply_markup": { "inline_keyboard": [[button]] } }));
    for (button, wording) in [
        (
            json!({ "text": "x", "callback_data": "a".repeat(65) }),
            "BUTTON_DATA_INVALID",
        ),
        (json!({ "text": "x", "callback_data": "" }), "BUTTON_DATA_INVALID"),
        (
            json!({ "text": "x", "callback_data": "é".repeat(33) }),
            "BUTTON_DATA_INVALID",
        ),
        (
            json!({ "text": "x", "copy_text": { "text": "a".repeat(257) } }),
            "BUTTON_COPY_TEXT_INVALID",
        ),
        (
            json!({ "text": "x" }),
            "text buttons are unallowed in the inline keyboard",
        ),
        (
            json!({ "text": " ", "callback_data": "a" }),
            "can't parse inline keyboard button: field \"text\" must be non-empty",
        ),
        (
            json!({ "text": "x", "url": "http://grafana:3000" }),
            "inline keyboard button URL 'http://grafana:3000' is invalid: Wrong HTTP URL",
        ),
    ] {
        refused(
            &api,
            "sendMessage",
            &keys(button),
            400,
            &format!("Bad Request: {wording}"),
        );
    }
    for (markup, wording) in [
        (json!("x"), "object expected as reply markup"),
        (
            json!({ "keyboard": [] }),
            "can't parse reply markup: inline_keyboard expected",
        ),
        (
            json!({ "inline_keyboard": [5] }),
            "can't parse inline keyboard: array of arrays expected",
        ),
        (
            json!({ "inline_keyboard": [vec![json!({ "text": "x", "callback_data": "x" }); 101]] }),
            "REPLY_MARKUP_TOO_LONG",
        ),
    ] {
        refused(
            &api,
            "sendMessage",
            &with(&json!({ "reply_markup": markup })),
            400,
            &format!("Bad Request: {wording}"),
        );
    }
    for button in [
        json!({ "text": "x", "callback_data": "a".repeat(64) }),
        json!({ "text": "x", "url": "https://grafana.example.org/d/1" }),
    ] {
        assert_eq!(call(&api, "sendMessage", &keys(button)).status, 200);
    }
}

#[test]
fn a_link_that_does_not_look_public_is_refused_and_leaves_no_message() {
    let api = api();
    let keys =
        |url: &str| with(&json!({ "reply_markup": { "inline_keyboard": [[{ "text": "x", "url": url }]] } }));
    for url in [
        "http://localhost/x",
        "grafana",
        "ftp://a.example",
        "https://",
        "https://a..example",
        "https://a b.example",
    ] {
        let wording = format!("Bad Request: inline keyboard button URL '{url}' is invalid: Wrong HTTP URL");
        refused(&api, "sendMessage", &keys(url), 400, &wording);
    }
    assert!(api.journal().messages(GROUP).is_empty());
    send(&api, GROUP, "one");
    let mut edit = keys("http://localhost/x");
    edit["message_id"] = json!(1);
    let wording = "Bad Request: inline keyboard button URL 'http://localhost/x' is invalid: Wrong HTTP URL";
    refused(&api, "editMessageText", &edit, 400, wording);
    assert_eq!(api.journal().messages(GROUP)[0].text, "one");
    for url in [
        "http://10.0.0.7:3000/d",
        "https://a.example/%20?x=1#y",
        "tg://resolve?domain=x",
    ] {
        assert_eq!(call(&api, "sendMessage", &keys(url)).status, 200, "{url}");
    }
}

#[test]
fn a_keyboard_without_buttons_is_none() {
    let api = api();
    let empty = with(&json!({ "reply_markup": { "inline_keyboard": [] } }));
    assert_eq!(call(&api, "sendMessage", &empty).status, 200);
    assert!(api.journal().messages(GROUP)[0].keyboard.is_none());
}

#[test]
fn a_field_that_telegram_does_not_know_is_complained_of() {
    let api = api();
    assert_eq!(
        call(
            &api,
            "sendMessage",
            &with(&json!({ "disable_notifications": true }))
        )
        .status,
        200
    );
    assert_eq!(
        api.journal().complaints(),
        ["field \"disable_notifications\" is ignored"]
    );
}
