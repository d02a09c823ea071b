//! A client as plain as a socket, so that nothing between test and server repairs what a fault broke.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use botapi::{BotApi, ChatConfig, ChatKind, Config, LimitConfig};
use serde_json::{Value, json};

/// A group that takes messages.
pub(crate) const GROUP: i64 = -7;
/// A supergroup with the topics 5 and 6, the latter closed.
pub(crate) const FORUM: i64 = -1_007;
/// A private chat.
pub(crate) const PERSON: i64 = 7;

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Heard {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn description(&self) -> String {
        self.json()["description"].as_str().unwrap_or_default().to_owned()
    }
}

/// A server without limits that has the usual chats.
pub(crate) fn api() -> BotApi {
    let forum = ChatConfig {
        closed_topics: vec![6],
        ..ChatConfig::new(FORUM, ChatKind::Supergroup).topics(&[5])
    };
    BotApi::spawn(
        Config::default()
            .chat(ChatConfig::new(GROUP, ChatKind::Group))
            .chat(forum)
            .chat(ChatConfig::new(PERSON, ChatKind::Private).username("person"))
            .limits(LimitConfig::off()),
    )
}

/// Sends raw bytes; reads until the server closes. The error is what the socket said instead of an answer.
pub(crate) fn raw(api: &BotApi, sent: &[u8]) -> std::io::Result<Heard> {
    let mut stream = TcpStream::connect(api.addr())?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(sent)?;
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard)?;
    let split = heard
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or(ErrorKind::UnexpectedEof)?;
    let top = String::from_utf8_lossy(&heard[..split]).to_lowercase();
    let status = top
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or(ErrorKind::InvalidData)?;
    Ok(Heard {
        status,
        head: top,
        body: heard[split + 4..].to_vec(),
    })
}

pub(crate) fn post(api: &BotApi, path: &str, body: &str) -> std::io::Result<Heard> {
    let length = body.len();
    let headers = "content-type: application/json\r\nconnection: close";
    let request =
        format!("POST {path} HTTP/1.1\r\nhost: t\r\n{headers}\r\ncontent-length: {length}\r\n\r\n{body}");
    raw(api, request.as_bytes())
}

pub(crate) fn get(api: &BotApi, path: &str) -> Heard {
    raw(
        api,
        format!("GET {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").as_bytes(),
    )
    .unwrap()
}

pub(crate) fn try_call(api: &BotApi, method: &str, body: &Value) -> std::io::Result<Heard> {
    post(api, &format!("/bot{}/{method}", api.token()), &body.to_string())
}

pub(crate) fn call(api: &BotApi, method: &str, body: &Value) -> Heard {
    try_call(api, method, body).unwrap()
}

pub(crate) fn send(api: &BotApi, chat: i64, text: &str) -> Heard {
    call(api, "sendMessage", &json!({ "chat_id": chat, "text": text }))
}

/// Calls and expects exactly this refusal.
#[track_caller]
pub(crate) fn refused(api: &BotApi, method: &str, body: &Value, code: u16, description: &str) {
    let heard = call(api, method, body);
    assert_eq!((heard.status, heard.description().as_str()), (code, description));
    assert_eq!(heard.json()["error_code"], code);
    assert_eq!(heard.json()["ok"], false);
}
