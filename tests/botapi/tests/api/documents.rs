//! Files, and the forms that they come in.

use botapi::{BotApi, ChatConfig, ChatKind, Config, LimitConfig};
use serde_json::{Value, json};

use crate::client::{FORUM, GROUP, Heard, api, call, raw, refused};

/// Sends a form that was put together by hand.
fn form(api: &BotApi, content_type: &str, body: &[u8]) -> Heard {
    let head = format!(
        "POST /bot{}/sendDocument HTTP/1.1\r\nhost: t\r\ncontent-type: {content_type}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        api.token(),
        body.len()
    );
    raw(api, &[head.as_bytes(), body].concat()).unwrap()
}

/// A form of these fields and one file.
fn body(fields: &[(&str, &str)], name: &str, content: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.bytes());
    }
    let head = format!(
        "--xx\r\nContent-Disposition: form-data; name=\"document\"; filename=\"{name}\"\r\n\
         Content-Type: text/plain\r\n\r\n"
    );
    body.extend(head.bytes());
    body.extend(content);
    body.extend(b"\r\n--xx--\r\n");
    body
}

fn upload(api: &BotApi, fields: &[(&str, &str)], name: &str, content: &[u8]) -> Heard {
    form(
        api,
        "multipart/form-data; boundary=xx",
        &body(fields, name, content),
    )
}

/// Uploads to the group and expects exactly this refusal.
#[track_caller]
fn upload_refused(api: &BotApi, fields: &[(&str, &str)], content: &[u8], code: u16, description: &str) {
    let group = GROUP.to_string();
    let fields = [fields, &[("chat_id", group.as_str())]].concat();
    let heard = upload(api, &fields, "a.log", content);
    assert_eq!((heard.status, heard.description().as_str()), (code, description));
}

#[test]
fn a_document_is_stored_as_it_came_with_its_caption_and_what_it_answers() {
    let api = api();
    let first = call(
        &api,
        "sendMessage",
        &json!({ "chat_id": FORUM, "text": "x", "message_thread_id": 5 }),
    );
    assert_eq!(first.status, 200);
    let chat = FORUM.to_string();
    let fields = [
        ("chat_id", chat.as_str()),
        ("message_thread_id", "5"),
        ("caption", "lines of x"),
        ("caption_entities", r#"[{"type":"code","offset":9,"length":1}]"#),
        ("disable_notification", "true"),
        ("reply_parameters", r#"{"message_id":1}"#),
    ];
    let content = "first\r\n--x\r\nlast\n";
    let heard = upload(&api, &fields, "x-2026-11-29.log", content.as_bytes());
    assert_eq!(heard.status, 200, "{heard:?}");
    let result = &heard.json()["result"];
    assert_eq!(result["caption"], "lines of x");
    assert_eq!(result["document"]["file_name"], "x-2026-11-29.log");
    assert_eq!(result["text"], Value::Null);
    let message = api.journal().messages(FORUM).remove(1);
    let document = message.document.unwrap();
    assert_eq!((document.content.as_str(), document.utf8), (content, true));
    assert_eq!(document.bytes, content.len() as u64);
    assert_eq!(
        (message.silent, message.thread, message.reply_to),
        (true, Some(5), Some(1))
    );
    assert_eq!(message.entities.len(), 1);
    assert_eq!(message.complaints, Vec::<String>::new());
}

#[test]
fn a_request_without_a_file_is_refused() {
    let api = api();
    for (value, wording) in [
        (Value::Null, "there is no document in the request"),
        (json!("AgADBAAD"), "wrong file identifier/HTTP URL specified"),
    ] {
        let mut body = json!({ "chat_id": GROUP });
        if !value.is_null() {
            body["document"] = value;
        }
        refused(
            &api,
            "sendDocument",
            &body,
            400,
            &format!("Bad Request: {wording}"),
        );
    }
    upload_refused(&api, &[], b"", 400, "Bad Request: file must be non-empty");
}

#[test]
fn a_caption_may_fill_1024_units_and_not_one_more() {
    let api = api();
    let group = GROUP.to_string();
    for caption in ["a".repeat(1_024), "🔥".repeat(512)] {
        let fields = [("chat_id", group.as_str()), ("caption", caption.as_str())];
        assert_eq!(upload(&api, &fields, "a.log", b"x").status, 200);
    }
    let long = "🔥".repeat(512) + "a";
    upload_refused(
        &api,
        &[("caption", &long)],
        b"x",
        400,
        "Bad Request: message caption is too long",
    );
}

#[test]
fn a_document_over_the_limit_is_refused_as_a_body_is() {
    let api = BotApi::spawn(Config {
        document_bytes: 10,
        ..Config::default()
            .chat(ChatConfig::new(GROUP, ChatKind::Group))
            .limits(LimitConfig::off())
    });
    let group = GROUP.to_string();
    assert_eq!(
        upload(&api, &[("chat_id", &group)], "a", b"0123456789").status,
        200
    );
    upload_refused(&api, &[], b"0123456789a", 413, "Request Entity Too Large");
}

#[test]
fn a_chat_may_take_texts_and_no_documents() {
    let api = BotApi::spawn(
        Config::default()
            .chat(ChatConfig::new(GROUP, ChatKind::Group).without_documents())
            .limits(LimitConfig::off()),
    );
    let wording = "Bad Request: not enough rights to send documents to the chat";
    upload_refused(&api, &[], b"x", 400, wording);
    let text = call(&api, "sendMessage", &json!({ "chat_id": GROUP, "text": "x" }));
    assert_eq!(text.status, 200);
}

#[test]
fn a_form_that_is_no_form_is_refused() {
    let api = api();
    let whole = body(&[("chat_id", "-7")], "a.log", b"x");
    let typed = |content_type: &str, body: &[u8]| form(&api, content_type, body).description();
    let good = "multipart/form-data; boundary=xx";
    assert_eq!(typed(good, &whole), "");
    assert_eq!(
        typed("multipart/form-data", &whole),
        "Bad Request: boundary not found"
    );
    let broken = "Bad Request: can't parse multipart form data";
    assert_eq!(typed("multipart/form-data; boundary=xy", &whole), broken);
    assert_eq!(typed(good, &whole[..whole.len() - 8]), broken);
    assert_eq!(
        typed(good, b"--xx\r\nContent-Type: text/plain\r\n\r\nx\r\n--xx--\r\n"),
        broken
    );
    let twice = body(&[("chat_id", "-7"), ("chat_id", "-7")], "a.log", b"x");
    assert_eq!(
        typed(good, &twice),
        "Bad Request: field \"chat_id\" is there twice"
    );
    let fields = [("chat_id", "-7"), ("reply_parameters", "{")];
    assert_eq!(
        typed(good, &body(&fields, "a.log", b"x")),
        "Bad Request: can't parse reply_parameters JSON object"
    );
}

#[test]
fn a_document_that_is_not_utf_8_is_minded() {
    let api = api();
    let group = GROUP.to_string();
    assert_eq!(upload(&api, &[("chat_id", &group)], "a", b"\xff\xfe").status, 200);
    assert_eq!(api.journal().complaints(), ["the document is not UTF-8"]);
}

#[test]
fn a_document_has_no_text_to_edit() {
    let api = api();
    let group = GROUP.to_string();
    assert_eq!(upload(&api, &[("chat_id", &group)], "a", b"x").status, 200);
    refused(
        &api,
        "editMessageText",
        &json!({ "chat_id": GROUP, "message_id": 1, "text": "y" }),
        400,
        "Bad Request: there is no text in the message to edit",
    );
}
