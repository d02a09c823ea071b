//! Every fault, seen from the client's side of the socket and from the journal's.

use botapi::{BotApi, Fault, FaultKind};
use serde_json::{Value, json};

use crate::client::{GROUP, Heard, PERSON, api, call, get, raw, send, try_call};

fn try_send(api: &BotApi) -> std::io::Result<Heard> {
    try_call(api, "sendMessage", &json!({ "chat_id": GROUP, "text": "x" }))
}

fn stored(api: &BotApi) -> usize {
    api.journal().messages(GROUP).len()
}

#[test]
fn an_injected_429_carries_any_value() {
    let api = api();
    for value in [
        json!(35),
        json!(0),
        json!(-3),
        json!("7"),
        json!(1.5),
        json!(99_999_999),
    ] {
        api.faults().once(FaultKind::TooMany {
            retry_after: Some(value.clone()),
        });
        let heard = send(&api, GROUP, "x");
        assert_eq!(
            (heard.status, &heard.json()["parameters"]["retry_after"]),
            (429, &value)
        );
        assert!(heard.head.contains("retry-after: "));
    }
    api.faults().once(FaultKind::TooMany { retry_after: None });
    let heard = send(&api, GROUP, "x");
    assert_eq!((heard.status, heard.json().get("parameters")), (429, None));
    assert!(!heard.head.contains("retry-after"));
    assert_eq!(
        (
            stored(&api),
            api.journal().floods(),
            api.journal().counts().faults
        ),
        (0, 0, 7)
    );
}

#[test]
fn any_refusal_can_be_put_in_the_servers_mouth() {
    let api = api();
    api.faults().once(FaultKind::Error {
        status: 200,
        code: 500,
        description: "odd".into(),
    });
    let heard = send(&api, GROUP, "x");
    assert_eq!(
        (
            heard.status,
            heard.json()["ok"].clone(),
            heard.description().as_str()
        ),
        (200, json!(false), "odd")
    );
    assert_eq!(stored(&api), 0);
}

#[test]
fn a_gateway_answers_in_html() {
    let api = api();
    for (store, after) in [(false, 0), (true, 1)] {
        api.faults().once(FaultKind::Html { status: 502, store });
        let heard = send(&api, GROUP, "x");
        assert_eq!(heard.status, 502);
        assert!(heard.body.starts_with(b"<html>") && heard.head.contains("text/html"));
        assert_eq!(stored(&api), after);
    }
}

#[test]
fn an_answer_can_be_empty_cut_or_die_half_way() {
    let api = api();
    api.faults().once(FaultKind::Empty { store: true });
    let heard = send(&api, GROUP, "x");
    assert_eq!((heard.status, heard.body.len(), stored(&api)), (200, 0, 1));
    for kind in [
        FaultKind::Truncated { store: true },
        FaultKind::HalfAnswer { store: true },
    ] {
        api.faults().once(kind);
        let heard = send(&api, GROUP, "x");
        assert_eq!(heard.status, 200);
        assert!(!heard.body.is_empty() && serde_json::from_slice::<Value>(&heard.body).is_err());
    }
    assert_eq!(stored(&api), 3);
    api.faults().once(FaultKind::Truncated { store: false });
    send(&api, GROUP, "x");
    assert_eq!(stored(&api), 3);
}

#[test]
fn without_an_answer_the_journal_still_tells_what_happened() {
    let api = api();
    for (kind, after) in [
        (FaultKind::AnswerLost, 1),
        (FaultKind::Stall { ms: 1, store: true }, 2),
        (FaultKind::Stall { ms: 1, store: false }, 2),
        (FaultKind::Refuse, 2),
        (FaultKind::Reset, 2),
    ] {
        let name = kind.name();
        api.faults().once(kind);
        assert!(try_send(&api).is_err(), "{name}");
        assert_eq!(stored(&api), after, "{name}");
        assert_eq!(
            api.journal().requests().last().unwrap().fault.as_deref(),
            Some(name)
        );
    }
    assert_eq!(send(&api, GROUP, "x").status, 200, "and then all is well again");
}

#[test]
fn a_reset_is_a_reset() {
    let api = api();
    api.faults().once(FaultKind::Reset);
    assert_eq!(
        try_send(&api).unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
}

#[test]
fn slow_huge_and_late_answers_are_right_in_the_end() {
    let api = api();
    api.faults().once(FaultKind::Slow { ms_per_byte: 0 });
    assert_eq!(try_send(&api).unwrap().status, 200);
    api.faults().once(FaultKind::Huge { bytes: 10_000_000 });
    let heard = send(&api, GROUP, "x");
    assert_eq!(
        (heard.body.len(), heard.json()["ok"].clone()),
        (10_000_000, json!(true))
    );
    api.faults().once(FaultKind::Delay { ms: 1 });
    assert_eq!(send(&api, GROUP, "x").json()["result"]["message_id"], 3);
    assert_eq!(stored(&api), 3);
}

#[test]
fn a_bad_request_is_refused_under_a_fault_that_stores() {
    let api = api();
    api.faults().once(FaultKind::AnswerLost);
    assert!(try_call(&api, "sendMessage", &json!({ "chat_id": GROUP, "text": "" })).is_err());
    assert_eq!(stored(&api), 0);
    assert_eq!(api.journal().counts().refused, 1);
}

#[test]
fn a_fault_keeps_to_its_method_and_chat_and_can_be_cleared() {
    let api = api();
    api.faults().push(
        Fault::always(FaultKind::Html {
            status: 500,
            store: false,
        })
        .method("sendMessage")
        .chat(GROUP),
    );
    assert_eq!(send(&api, PERSON, "x").status, 200);
    assert_eq!(call(&api, "getMe", &json!({})).status, 200);
    assert_eq!(send(&api, GROUP, "x").status, 500);
    assert_eq!(get(&api, "/_test/ready").status, 200);
    api.faults().clear();
    assert_eq!((send(&api, GROUP, "x").status, api.faults().pending()), (200, 0));
}

#[test]
fn a_stopped_server_refuses_connections_and_comes_back_on_its_port() {
    let api = api();
    send(&api, GROUP, "before");
    let url = api.url();
    api.stop();
    assert_eq!(
        try_send(&api).unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
    api.restart();
    send(&api, GROUP, "after");
    assert_eq!((api.url(), stored(&api)), (url, 2));
}

#[test]
fn a_kept_connection_serves_many_requests_and_suffers_faults_too() {
    let api = api();
    let body = json!({ "chat_id": GROUP, "text": "x" }).to_string();
    let request = format!(
        "POST /bot{}/sendMessage HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        api.token(),
        body.len()
    );
    api.faults().push(Fault::once(FaultKind::Slow { ms_per_byte: 0 }));
    api.faults().push(Fault::once(FaultKind::Delay { ms: 1 }));
    api.faults().push(Fault::once(FaultKind::AnswerLost));
    // Three requests in one go: two are answered, the third is carried out and cut off.
    let heard = raw(&api, request.repeat(3).as_bytes()).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&heard.body)
            .matches("HTTP/1.1 200")
            .count(),
        1
    );
    assert_eq!(stored(&api), 3);
}
