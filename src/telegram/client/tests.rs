//! The client against a server made of bytes: every class of answer and every way to fail to answer.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod server;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use self::server::{Deed, Server, answer, read_request};
use super::{Bot, Call, Client, ClientError, Patience, Request, Settings, Token};
use crate::model::{ChatTarget, Outcome, RefusalKind, Text};

const CANARY: &str = "4242:AAcanary-CANARY_canary-CANARY_canary";

fn settings(api_url: &str) -> Settings {
    Settings {
        api_url: api_url.to_owned(),
        proxy: None,
        chats: Vec::new(),
    }
}

fn canary() -> Token {
    Token::parse(CANARY).unwrap()
}

fn client(api_url: &str) -> Client {
    Client::build(&settings(api_url), canary()).unwrap()
}

/// A client that gives up connecting early, and everything else a little later.
fn hasty(api_url: &str) -> Client {
    let patience = Patience {
        connect: Duration::from_millis(200),
        whole: Duration::from_millis(400),
    };
    Client::with_patience(&settings(api_url), &canary(), patience).unwrap()
}

fn request(call: Call) -> Request {
    Request {
        chat: ChatTarget::Id(-1_007),
        topic: None,
        text: Text {
            text: "disk full".to_owned(),
            ..Text::default()
        },
        document: None,
        plain: false,
        silent: false,
        call,
    }
}

fn message() -> Request {
    request(Call::Send { reply_to: None })
}

/// Delivers and checks on the way that no text of the outcome holds the token.
async fn deliver(client: &Client, request: &Request) -> Outcome {
    let outcome = client.deliver(request).await;
    holds_no_token(&format!("{outcome:?} {client:?} {request:?}"));
    outcome
}

fn holds_no_token(text: &str) {
    assert!(!text.contains("CANARY"), "{text}");
}

fn is_unsure(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unsure { .. })
}

fn is_wait(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Wait {
            after: None,
            flood: false,
            ..
        }
    )
}

#[tokio::test]
async fn a_message_is_sent_with_its_id_and_goes_to_the_bots_own_path() {
    let body =
        r#"{"ok":true,"result":{"message_id":77,"date":"soon","chat":null,"new_thing":{"a":[1]}},"extra":1}"#;
    let mut server = Server::that_answers(200, "", body).await;
    assert_eq!(
        deliver(&client(&server.url()), &message()).await,
        Outcome::Sent { message_id: 77 }
    );
    let seen = server.requests.recv().await.unwrap();
    assert!(
        seen.starts_with(&format!("POST /bot{CANARY}/sendMessage HTTP/1.1\r\n")),
        "{seen}"
    );
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("user-agent: tailgram/"), "{head}");
    assert!(
        head.to_lowercase().contains("content-type: application/json"),
        "{head}"
    );
    assert!(!body.contains("null") && !body.contains("parse_mode"), "{body}");
}

#[tokio::test]
async fn a_base_path_and_a_slash_at_its_end_are_kept_apart_from_the_method() {
    let mut server = Server::that_answers(200, "", r#"{"ok":true,"result":true}"#).await;
    let client = client(&format!("http://{}/api/", server.address));
    let edit = request(Call::Edit { message_id: 5 });
    assert_eq!(deliver(&client, &edit).await, Outcome::Sent { message_id: 5 });
    let seen = server.requests.recv().await.unwrap();
    assert!(
        seen.starts_with(&format!("POST /api/bot{CANARY}/editMessageText ")),
        "{seen}"
    );
}

#[tokio::test]
async fn an_edit_that_changes_nothing_is_sent() {
    let body = r#"{"ok":false,"error_code":400,"description":"Bad Request: message is not modified: same"}"#;
    let server = Server::that_answers(400, "", body).await;
    let edit = request(Call::Edit { message_id: 5 });
    assert_eq!(
        deliver(&client(&server.url()), &edit).await,
        Outcome::Sent { message_id: 5 }
    );
}

#[tokio::test]
async fn an_answer_without_a_usable_message_id_is_unsure() {
    for result in [
        r#"{"message_id":"77"}"#,
        r#"{"message_id":7.5}"#,
        "{}",
        "true",
        "null",
        "[1]",
    ] {
        let server = Server::that_answers(200, "", &format!(r#"{{"ok":true,"result":{result}}}"#)).await;
        let outcome = deliver(&client(&server.url()), &message()).await;
        assert!(is_unsure(&outcome), "{result}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_429_waits_as_long_as_the_header_says_if_the_body_does_not() {
    let server = Server::that_answers(429, "Retry-After: 17\r\n", "").await;
    let outcome = deliver(&client(&server.url()), &message()).await;
    let seventeen = Some(Duration::from_secs(17));
    assert!(
        matches!(outcome, Outcome::Wait { after, flood: true, .. } if after == seventeen),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_refusal_carries_telegrams_words_but_never_the_token() {
    let description = format!(
        "Forbidden: bot {CANARY} was blocked, see /bot{}/",
        CANARY.replace(':', "%3A")
    );
    let body = serde_json::json!({"ok": false, "description": description}).to_string();
    for status in [400, 401, 403, 404, 429, 500, 200, 409] {
        let server = Server::that_answers(status, "", &body).await;
        let outcome = deliver(&client(&server.url()), &message()).await;
        assert!(format!("{outcome:?}").contains("was blocked"), "{outcome:?}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let mut elsewhere = Server::that_answers(200, "", r#"{"ok":true,"result":{"message_id":1}}"#).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!(
            "Location: http://{}/bot{CANARY}/sendMessage\r\n",
            elsewhere.address
        );
        let server = Server::that_answers(status, &location, "").await;
        let outcome = deliver(&client(&server.url()), &message()).await;
        assert!(is_wait(&outcome), "{outcome:?}");
    }
    assert!(elsewhere.requests.try_recv().is_err());
}

#[tokio::test]
async fn a_refused_connection_is_a_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let outcome = deliver(&client(&format!("http://{address}")), &message()).await;
    assert!(is_wait(&outcome), "{outcome:?}");
    assert!(format!("{outcome:?}").contains("refused"), "{outcome:?}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_wait() {
    // Reserved to never exist, so the answer is the same with and without a network.
    let outcome = deliver(&client("http://bot-api.invalid"), &message()).await;
    assert!(is_wait(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn a_tls_handshake_that_fails_or_hangs_is_a_wait() {
    let plain = b"HTTP/1.1 400 plain text is spoken here\r\n\r\n".to_vec();
    for said in [plain, Vec::new()] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(&said).await;
            std::future::pending::<()>().await;
        });
        let outcome = deliver(&hasty(&url), &message()).await;
        assert!(is_wait(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_a_wait() {
    let proxy = Server::that_answers(407, "", "").await;
    let through = Settings {
        proxy: Some(format!("http://{}", proxy.address)),
        ..settings("http://bot-api.invalid")
    };
    let outcome = deliver(&Client::build(&through, canary()).unwrap(), &message()).await;
    assert!(is_wait(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn a_tunnel_that_a_proxy_does_not_open_is_a_wait_and_the_proxy_sees_no_token() {
    for (status, page) in [
        (403, ""),
        (404, "<html>who?</html>"),
        (407, "<html>who are you?</html>"),
        (429, ""),
        (502, "<html>no way through</html>"),
        (503, r#"{"ok":false}"#),
    ] {
        let mut proxy = Server::that_answers(status, "Retry-After: 9\r\n", page).await;
        let through = Settings {
            proxy: Some(format!("http://{}", proxy.address)),
            ..settings("https://bot-api.invalid")
        };
        let outcome = deliver(&Client::build(&through, canary()).unwrap(), &message()).await;
        assert!(is_wait(&outcome), "{status}: {outcome:?}");
        let asked = proxy.requests.recv().await.unwrap();
        assert!(asked.starts_with("CONNECT bot-api.invalid:443 "), "{asked}");
        holds_no_token(&asked);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_unsure() {
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"ok\":true".to_vec();
    for deed in [
        Deed::Reset,
        Deed::Say(Vec::new()),
        Deed::Say(b"HTTP/1.1 2".to_vec()),
        Deed::Say(half),
    ] {
        let server = Server::that(deed).await;
        let outcome = deliver(&client(&server.url()), &message()).await;
        assert!(is_unsure(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn silence_after_the_request_is_unsure() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n".to_vec();
    for said in [Vec::new(), head] {
        let server = Server::that(Deed::SayAndHang(said)).await;
        let outcome = deliver(&hasty(&server.url()), &message()).await;
        assert!(is_unsure(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_429_whose_body_never_comes_is_still_a_429() {
    let head = b"HTTP/1.1 429 Too Many\r\nretry-after: 3\r\ncontent-length: 500\r\n\r\n".to_vec();
    let server = Server::that(Deed::SayAndHang(head)).await;
    let outcome = deliver(&hasty(&server.url()), &message()).await;
    assert!(
        matches!(
            outcome,
            Outcome::Wait {
                after: Some(_),
                flood: true,
                ..
            }
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn an_endless_answer_is_left_after_its_bound() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n{\"ok\":true,\"result\":{\"message_id\":1},\"x\":\"".to_vec();
    let server = Server::that(Deed::SayAndFlood(head)).await;
    // The real deadline: if the bound did not hold, this would take all of it and grow all the while.
    let outcome = deliver(&client(&server.url()), &message()).await;
    assert!(is_unsure(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn an_answer_of_ten_megabytes_is_not_read_to_its_end() {
    let padding = "x".repeat(10 * 1024 * 1024);
    let body = format!(r#"{{"ok":true,"result":{{"message_id":1}},"x":"{padding}"}}"#);
    let server = Server::that_answers(200, "", &body).await;
    let outcome = deliver(&client(&server.url()), &message()).await;
    assert!(is_unsure(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn an_answer_that_drips_is_unsure_once_its_time_is_over() {
    let body = r#"{"ok":true,"result":{"message_id":1}}"#;
    let server = Server::that(Deed::Drip(answer(200, "", body))).await;
    let outcome = deliver(&hasty(&server.url()), &message()).await;
    assert!(is_unsure(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn kept_connections_are_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("http://{}", listener.local_addr().unwrap()));
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            read_request(&mut stream).await.unwrap();
            let body = r#"{"ok":true,"result":{"message_id":1}}"#;
            stream.write_all(&answer(200, "", body)).await.unwrap();
        }
    });
    for _ in 0..3 {
        assert_eq!(
            deliver(&client, &message()).await,
            Outcome::Sent { message_id: 1 }
        );
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_costs_no_doubt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Its bytes travel behind the closes: when one has arrived, so has the close before it.
    let mut witness = TcpStream::connect(address).await.unwrap();
    let (mut behind, _) = listener.accept().await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_request(&mut stream).await.unwrap();
            let body = r#"{"ok":true,"result":{"message_id":1}}"#;
            // It promises to keep the connection, and closes it.
            stream
                .write_all(&answer(200, "connection: keep-alive\r\n", body))
                .await
                .unwrap();
            drop(stream);
            behind.write_all(b".").await.unwrap();
        }
    });
    let client = client(&format!("http://{address}"));
    for _ in 0..20 {
        assert_eq!(
            deliver(&client, &message()).await,
            Outcome::Sent { message_id: 1 }
        );
        witness.read_exact(&mut [0]).await.unwrap();
    }
}

#[tokio::test]
async fn the_name_localhost_is_known_without_a_name_server() {
    let server = Server::that_answers(200, "", r#"{"ok":true,"result":{"message_id":1}}"#).await;
    let client = client(&format!("http://localhost:{}", server.address.port()));
    assert_eq!(
        deliver(&client, &message()).await,
        Outcome::Sent { message_id: 1 }
    );
}

#[tokio::test]
async fn the_bot_tells_its_name() {
    let body = r#"{"ok":true,"result":{"id":4242,"is_bot":true,"username":"ops_bot","can":{"fly":1}}}"#;
    let server = Server::that_answers(200, "", body).await;
    let bot = client(&server.url()).who().await.unwrap();
    assert_eq!(
        bot,
        Bot {
            id: 4242,
            username: "ops_bot".to_owned(),
            reads_groups: false
        }
    );
}

#[tokio::test]
async fn a_wrong_token_is_told_by_who() {
    let server = Server::that_answers(401, "", r#"{"ok":false,"description":"Unauthorized"}"#).await;
    let outcome = client(&server.url()).who().await.unwrap_err();
    assert!(
        matches!(&outcome, Outcome::Refused(why) if why.kind == RefusalKind::TokenWrong),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_login_page_in_between_says_nothing_about_the_token() {
    for status in [401, 404] {
        let server = Server::that_answers(status, "", "<html>please sign in</html>").await;
        let outcome = client(&server.url()).who().await.unwrap_err();
        assert!(is_wait(&outcome), "{outcome:?}");
    }
}

#[test]
fn urls_that_cannot_or_must_not_be_used_are_refused_without_being_repeated() {
    for url in [
        "",
        "api",
        "ftp://h",
        "http://",
        "https://h/?a",
        "https://h/#a",
        "file:///etc/passwd",
    ] {
        let error = Client::build(&settings(url), canary()).unwrap_err();
        assert!(matches!(error, ClientError::Url(_)), "{url}: {error}");
    }
    for url in ["https://me@h", "https://me:CANARY@h/", "http://:CANARY@h"] {
        let error = Client::build(&settings(url), canary()).unwrap_err();
        assert!(matches!(error, ClientError::UserInfo), "{url}: {error}");
        holds_no_token(&format!("{error} {error:?}"));
    }
    let proxy = Settings {
        proxy: Some(format!("what://me:{CANARY}@")),
        ..settings("http://127.0.0.1:1")
    };
    let error = Client::build(&proxy, canary()).unwrap_err();
    assert!(matches!(error, ClientError::Proxy(_)), "{error}");
    holds_no_token(&format!("{error} {error:?}"));
}

#[test]
fn settings_do_not_show_the_passwords_of_their_urls() {
    let url = "http://me:CANARY@127.0.0.1:1";
    let settings = Settings {
        proxy: Some(url.to_owned()),
        ..settings(url)
    };
    holds_no_token(&format!("{settings:?}"));
}
