//! The heartbeat: a GET that tells a dead man's switch that all is well.
//!
//! It has nothing to do with Telegram but the way: the same proxy, the same certificates, the same patience. The answer
//! says by its status alone whether it was heard. A redirect is not followed: it may lead to the sign-in page of a
//! network, which answers that all is well to whoever comes.
//!
//! The trap: the URL is all that a stranger needs to keep the switch quiet, so it is a secret like a token.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use tokio::time::timeout;

use super::client::{ClientError, http};
use super::redact::Redactor;

/// DNS, TCP, TLS and a proxy's handshake together.
const CONNECT: Duration = Duration::from_secs(5);
/// From the first step of connecting to the head of the answer; its body is not read.
const WHOLE: Duration = Duration::from_secs(10);

/// Where heartbeats go. It has no `Display`, and a `Debug` that shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct HeartbeatUrl(Url);

impl HeartbeatUrl {
    /// An `http` or `https` URL; nothing if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let known = matches!(url.scheme(), "http" | "https") && url.has_host();
        known.then_some(Self(url))
    }
}

impl fmt::Debug for HeartbeatUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeartbeatUrl(…)")
    }
}

/// What sends heartbeats to one URL.
pub struct Heartbeat {
    http: reqwest::Client,
    url: Url,
    redactor: Redactor,
}

impl Heartbeat {
    /// Connects to nothing yet. Without `proxy` the environment says whether there is one, as for Telegram.
    pub fn build(url: &HeartbeatUrl, proxy: Option<&str>) -> Result<Self, ClientError> {
        let HeartbeatUrl(url) = url.clone();
        let redactor = Redactor::of_url(&url);
        Ok(Self {
            http: http(&url, proxy, CONNECT, &redactor)?,
            url,
            redactor,
        })
    }

    /// Sends one, and says within 10 s why it was not heard, if it was not; no word of that holds the URL.
    pub async fn beat(&self) -> Result<(), String> {
        let answer = timeout(WHOLE, self.http.get(self.url.clone()).send()).await;
        let status = match answer {
            // Dropped unread: whatever the body holds, and however long it is, it costs nothing.
            Ok(Ok(response)) => response.status(),
            Ok(Err(error)) => return Err(self.redactor.chain(&error.without_url())),
            Err(_) => return Err(format!("no answer in {WHOLE:?}")),
        };
        if status.is_success() {
            Ok(())
        } else if status.is_redirection() {
            Err(format!(
                "HTTP {}, which leads elsewhere and is not followed: give the URL that it leads to",
                status.as_u16()
            ))
        } else {
            Err(format!("HTTP {}", status.as_u16()))
        }
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// What a server that answers with this, and then goes on sending for as long as somebody listens, is said to say.
    fn answered(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!(
            "http://me:hush@{}/ping/secret?key=1",
            listener.local_addr().unwrap()
        );
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            while stream.write_all(&[b'x'; 4096]).is_ok() {}
        });
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let url = HeartbeatUrl::parse(&url).unwrap();
        let said = runtime.block_on(async { Heartbeat::build(&url, None).unwrap().beat().await });
        // Its connections end with it.
        drop(runtime);
        server.join().unwrap();
        said
    }

    #[test]
    fn any_status_of_success_is_heard_however_long_its_body_is() {
        assert_eq!(answered("HTTP/1.1 200 OK\r\n\r\n"), Ok(()));
        assert_eq!(
            answered("HTTP/1.1 202 Accepted\r\ncontent-length: 99999999999\r\n\r\n"),
            Ok(())
        );
    }

    #[test]
    fn a_redirect_and_a_refusal_are_not_heard() {
        let said = answered("HTTP/1.1 302 Found\r\nlocation: /ping/secret\r\n\r\n").unwrap_err();
        assert!(said.starts_with("HTTP 302, which leads elsewhere"), "{said}");
        assert_eq!(
            answered("HTTP/1.1 404 Not Found\r\n\r\n").unwrap_err(),
            "HTTP 404"
        );
    }

    #[test]
    fn what_goes_wrong_is_told_without_the_url() {
        for answer in [
            "rubbish /ping/secret\r\n\r\n",
            "HTTP/1.1 200\r\nno header\r\n\r\n",
        ] {
            let said = answered(answer).unwrap_err();
            assert!(!said.contains("secret") && !said.contains("hush"), "{said}");
        }
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let url = HeartbeatUrl::parse("http://127.0.0.1:1/ping/secret").unwrap();
        let said = runtime.block_on(async { Heartbeat::build(&url, None).unwrap().beat().await });
        let said = said.unwrap_err();
        assert!(said.contains("refused") && !said.contains("secret"), "{said}");
        assert_eq!(format!("{url:?}"), "HeartbeatUrl(…)");
    }

    #[test]
    fn only_http_has_heartbeats() {
        for text in ["", "x", "ftp://a/b", "http://", "https:", "file:///etc/passwd"] {
            assert_eq!(HeartbeatUrl::parse(text), None, "{text}");
        }
        assert!(HeartbeatUrl::parse("https://hc-ping.com/abc").is_some());
    }
}
