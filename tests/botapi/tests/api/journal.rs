//! The journal's file and the tests' door over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use botapi::{BotApi, ChatConfig, ChatKind, Config, FaultKind, Request, Verdict};
use serde_json::{Value, json};

use crate::client::{GROUP, api, call, get, post, send, try_call};

#[test]
fn every_request_is_in_the_file_with_its_verdict_when_the_answer_arrives() {
    let path = std::env::temp_dir().join(format!("botapi-journal-{}.jsonl", std::process::id()));
    let config = Config {
        journal: Some(path.clone()),
        ..Config::default()
    };
    let api = BotApi::spawn(config.chat(ChatConfig::new(GROUP, ChatKind::Group)));
    let lines = || -> Vec<Request> {
        let text = std::fs::read_to_string(&path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    send(&api, GROUP, "one");
    assert_eq!(lines()[0].verdict, Verdict::Stored { message_id: 1 });
    send(&api, GROUP, "");
    assert!(matches!(lines()[1].verdict, Verdict::Refused { code: 400, .. }));
    api.faults().once(FaultKind::AnswerLost);
    try_call(&api, "sendMessage", &json!({ "chat_id": GROUP, "text": "two" })).unwrap_err();
    assert_eq!(
        (lines()[2].fault.as_deref(), lines()[2].body["text"].clone()),
        (Some("answer_lost"), json!("two"))
    );
    assert_eq!(lines(), api.journal().requests());
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_message_is_kept_as_a_person_would_see_it() {
    let api = api();
    let body = json!({
        "chat_id": GROUP, "text": "x", "disable_notification": true, "protect_content": true,
    });
    call(&api, "sendMessage", &body);
    let message = &api.journal().messages(GROUP)[0];
    assert!(message.silent && message.protected && message.sent_at > 0);
    assert_eq!(api.journal().requests()[0].body, body);
}

#[test]
fn a_server_in_another_process_is_steered_over_http() {
    let api = api();
    let set = |what: &str, body: Value| {
        let heard = post(&api, &format!("/_test/{what}"), &body.to_string()).unwrap();
        assert_eq!(heard.status, 200, "{what}: {}", heard.json());
    };
    assert_eq!(get(&api, "/_test/ready").json(), json!({ "ok": true }));
    set(
        "chats",
        json!([{ "id": 50, "type": "private" }, { "id": -51, "type": "group", "state": "kicked" }]),
    );
    set(
        "chats",
        json!({ "id": -52, "type": "group", "state": { "migrated": { "to": -10_052 } } }),
    );
    assert_eq!(
        [
            send(&api, 50, "x").status,
            send(&api, -51, "x").status,
            send(&api, -52, "x").status
        ],
        [200, 403, 400]
    );
    set(
        "faults",
        json!({ "kind": "too_many", "retry_after": 3, "count": 1, "chat": 50 }),
    );
    assert_eq!(
        [send(&api, 50, "x").status, send(&api, 50, "x").status],
        [429, 200]
    );
    set(
        "faults",
        json!([{ "kind": "html", "status": 500 }, { "kind": "reset" }]),
    );
    assert_eq!(send(&api, 50, "x").status, 500);
    set("faults", json!({ "clear": true }));
    set("limits", json!({ "per_second": 1 }));
    assert_eq!(
        [send(&api, 50, "x").status, send(&api, 50, "x").status],
        [200, 429]
    );
    set("updates", json!({ "message": { "text": "hi" } }));
    assert_eq!(api.updates().waiting(), 1);
    let journal = get(&api, "/_test/journal").json();
    assert_eq!(journal["counts"]["floods"], 1);
    assert_eq!(journal["messages"].as_array().unwrap().len(), 3);
    assert_eq!(journal, api.journal().to_json());
}

#[test]
fn the_port_can_be_closed_for_a_while_over_http() {
    let api = api();
    assert_eq!(post(&api, "/_test/close", "").unwrap().status, 400);
    assert_eq!(post(&api, "/_test/close?ms=500", "").unwrap().status, 200);
    assert!(
        sooner_or_later(|| TcpStream::connect(api.addr()).is_err()),
        "it closes"
    );
    assert!(
        sooner_or_later(|| post(&api, "/_test/limits", "{}").is_ok()),
        "it opens again"
    );
}

fn sooner_or_later(happens: impl Fn() -> bool) -> bool {
    (0..5000).any(|_| {
        std::thread::sleep(Duration::from_millis(2));
        happens()
    })
}

#[test]
fn the_program_prints_its_url_and_serves_there() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_botapi"))
        .args(["--chat", "-7:group", "--token", "123:abc", "--no-limits"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut url)
        .unwrap();
    let addr = url.trim().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(addr).unwrap();
    stream
        .write_all(b"GET /bot123:abc/getMe HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
}

#[test]
fn the_program_explains_itself_when_it_is_called_wrongly() {
    for args in [
        &["--chat", "x"][..],
        &["--listen", "here"],
        &["--token"],
        &["--what", "x"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_botapi"))
            .args(args)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("usage: botapi"));
    }
}

#[test]
fn what_the_test_door_cannot_read_is_refused() {
    let api = api();
    assert_eq!(post(&api, "/_test/chats", "{\"id\":1}").unwrap().status, 400);
    assert_eq!(
        post(&api, "/_test/faults", "{\"kind\":\"flood\"}")
            .unwrap()
            .status,
        400
    );
    assert_eq!(get(&api, "/_test/nothing").status, 404);
}

#[test]
fn an_answer_never_goes_out_over_a_journal_that_cannot_be_written() {
    let full = std::path::PathBuf::from("/dev/full");
    if !full.exists() {
        return;
    }
    let api = BotApi::spawn(Config {
        journal: Some(full),
        ..Config::default()
    });
    let heard = call(&api, "getMe", &json!({}));
    assert_eq!(heard.status, 500);
    assert_eq!(
        heard.description(),
        "Internal Server Error: the journal file cannot be written"
    );
    assert!(api.journal().requests().is_empty());
}
