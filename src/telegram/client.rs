//! The connection to the Bot API: one method per kind of question, one deadline for each.
//!
//! It neither repeats nor paces requests and keeps no state about chats; its caller does. What an answer
//! means is decided in `outcome`, what a request looks like in `wire`.
//!
//! The trap: a server that answers slowly, endlessly or not at all must cost one deadline and 64 KiB, never
//! more, so the body is read piece by piece under the same deadline as everything before it.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Proxy, RequestBuilder, Response, Url};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::form::Form;
use super::outcome::{Answer, Verdict, done, sort, sort_document, sort_error};
use super::redact::Redactor;
use super::settings::Settings;
use super::token::Token;
use super::wire::Body;
use crate::failpoint;
use crate::model::{ChatTarget, Document, Outcome, Text};

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// DNS, TCP, TLS and a proxy's handshake together. Well below `whole`, so that a network that is away is
    /// known as such, not as a message that may have arrived.
    connect: Duration,
    /// From the first step of connecting to the last byte of the answer.
    whole: Duration,
}

const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    whole: Duration::from_secs(15),
};

/// How long an unused connection is kept. Servers and the boxes between drop idle ones silently, and a
/// message written into a dropped one may or may not have arrived; keeping them for a short time makes that
/// rare, and a new connection costs little at the pace of messages.
const IDLE: Duration = Duration::from_secs(20);

/// The longest answer that is read. Telegram repeats the message in it: 4096 characters, escaped, and their
/// entities.
const LONGEST_ANSWER: usize = 64 * 1024;

/// A client of the Bot API for one bot. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// `https://host/botTOKEN/`, which methods are appended to.
    base: Arc<str>,
    pub(super) redactor: Redactor,
    /// The deadline of one request.
    deadline: Duration,
}

/// One message or edit, rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The chat.
    pub chat: ChatTarget,
    /// The forum topic; absent for the chat itself.
    pub topic: Option<i64>,
    /// What it says.
    pub text: Text,
    /// A file that a new message brings; the text is its caption.
    pub document: Option<Document>,
    /// Leaves the entities out: Telegram refused them before.
    pub plain: bool,
    /// Makes no sound. Edits never do.
    pub silent: bool,
    /// A new message or an edit.
    pub call: Call,
}

/// The two things this program does to a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A new message.
    Send {
        /// The message it replies to; if that is gone, it is sent all the same.
        reply_to: Option<i64>,
    },
    /// A new text for a message of ours.
    Edit {
        /// Which message.
        message_id: i64,
    },
}

/// The bot behind a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bot {
    /// Its user id.
    pub id: i64,
    /// Its name without the `@`.
    pub username: String,
    /// Whether it sees all messages of its groups. Otherwise, in privacy mode, commands and answers to it.
    pub reads_groups: bool,
}

/// Why there can be no client. No text in it holds the token, the URL or the proxy, for both of the latter
/// can hold passwords.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// `api_url` is not a URL that requests can be sent to.
    #[error("api_url must look like https://api.telegram.org, without a query: {0}")]
    Url(&'static str),
    /// `api_url` holds a user name or a password.
    #[error("api_url holds a user name or password, which Telegram never asks for; take it out")]
    UserInfo,
    /// `proxy` is not understood.
    #[error("proxy must look like http://host:port, https://…, socks5://… or socks5h://…: {0}")]
    Proxy(String),
    /// TLS cannot be set up, most often because the image holds no CA certificates.
    #[error(
        "cannot set up HTTPS ({0}); install the CA certificates (package ca-certificates) or set SSL_CERT_FILE"
    )]
    Tls(String),
}

impl Client {
    /// A client for this bot. Connects to nothing yet.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "whoever makes a client has no further use for the token"
    )]
    pub fn build(settings: &Settings, token: Token) -> Result<Self, ClientError> {
        Self::with_patience(settings, &token, PATIENCE)
    }

    /// A client with other timeouts, for tests.
    fn with_patience(settings: &Settings, token: &Token, patience: Patience) -> Result<Self, ClientError> {
        let api = api_url(&settings.api_url)?;
        let redactor = Redactor::new(token);
        let base = format!("{}/bot{}/", api.as_str().trim_end_matches('/'), token.reveal());
        let http = http(&api, settings.proxy.as_deref(), patience.connect, &redactor)?;
        Ok(Self {
            http,
            base: base.into(),
            redactor,
            deadline: patience.whole,
        })
    }

    /// Sends one message or edit, once, and says what became of it within 15 s.
    ///
    /// Dropping the future leaves it open whether Telegram has it.
    pub async fn deliver(&self, request: &Request) -> Outcome {
        let verdict = if let Some(document) = &request.document {
            self.upload(request, document).await
        } else {
            let (method, body) = Body::of(request);
            self.call(method, &body).await
        };
        match (verdict, request.call) {
            (Verdict::Not(outcome), _) => outcome,
            (Verdict::Done(_) | Verdict::Unchanged, Call::Edit { message_id }) => {
                Outcome::Sent { message_id }
            }
            (Verdict::Done(message), Call::Send { .. }) => match message["message_id"].as_i64() {
                Some(message_id) => Outcome::Sent { message_id },
                None => Outcome::Unsure {
                    why: "the answer names no message_id".to_owned(),
                },
            },
            (Verdict::Unchanged, Call::Send { .. }) => Outcome::Unsure {
                why: "Telegram took a new message for an edit".to_owned(),
            },
        }
    }

    /// Asks who the token's bot is. The error is sorted like that of a message.
    pub async fn who(&self) -> Result<Bot, Outcome> {
        let me = self.ask("getMe", &Value::Object(serde_json::Map::new())).await?;
        match (me["id"].as_i64(), me["username"].as_str()) {
            (Some(id), Some(username)) => Ok(Bot {
                id,
                username: self.redactor.clean(username),
                reads_groups: me["can_read_all_group_messages"] == Value::Bool(true),
            }),
            _ => Err(Outcome::Unsure {
                why: "the answer to getMe names no bot".to_owned(),
            }),
        }
    }

    /// Asks something that changes nothing, or that may be done twice, and returns its result.
    pub(super) async fn ask(&self, method: &str, body: &impl Serialize) -> Result<Value, Outcome> {
        done(self.call(method, body).await)
    }

    async fn call(&self, method: &str, body: &impl Serialize) -> Verdict {
        match self.post(method, body, self.deadline, LONGEST_ANSWER).await {
            Ok(answer) => sort(&answer, &self.redactor),
            Err(outcome) => Verdict::Not(outcome),
        }
    }

    /// A new message with a document.
    async fn upload(&self, request: &Request, document: &Document) -> Verdict {
        let form = Form::of(request, document);
        let post = self
            .http
            .post(format!("{}sendDocument", self.base))
            .header(CONTENT_TYPE, form.content_type())
            .body(form.into_body());
        match self.exchange(post, self.deadline, LONGEST_ANSWER).await {
            Ok(answer) => sort_document(&answer, &self.redactor),
            Err(outcome) => Verdict::Not(outcome),
        }
    }

    /// One request, and its answer of at most `longest` bytes within the deadline.
    pub(super) async fn post(
        &self,
        method: &str,
        body: &impl Serialize,
        deadline: Duration,
        longest: usize,
    ) -> Result<Answer, Outcome> {
        let request = self.http.post(format!("{}{method}", self.base)).json(body);
        self.exchange(request, deadline, longest).await
    }

    async fn exchange(
        &self,
        request: RequestBuilder,
        deadline: Duration,
        longest: usize,
    ) -> Result<Answer, Outcome> {
        let until = Instant::now() + deadline;
        match timeout_at(until, failpoint::send(request)).await {
            Ok(Ok(response)) => Ok(read(response, until, longest).await),
            Ok(Err(error)) => Err(sort_error(error, &self.redactor)),
            // Connecting has its own, shorter timeout, so by now the request was under way.
            Err(_) => Err(Outcome::Unsure {
                why: format!("no answer in {deadline:?}"),
            }),
        }
    }
}

impl std::fmt::Debug for Client {
    /// Shows nothing: the HTTP client's own `Debug` could show headers or proxies, and the base is the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// The answer, with as much of a body as is any use: all of it or nothing.
async fn read(mut response: Response, until: Instant, longest: usize) -> Answer {
    let status = response.status().as_u16();
    let header = response.headers().get(reqwest::header::RETRY_AFTER);
    let retry_after = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = timeout_at(until, whole_body(&mut response, longest))
        .await
        .ok()
        .flatten();
    Answer {
        status,
        retry_after,
        body,
    }
}

/// The body, or nothing if it breaks off or is longer than that.
async fn whole_body(response: &mut Response, longest: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > longest {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

fn api_url(text: &str) -> Result<Url, ClientError> {
    let url = Url::parse(text).map_err(|_| ClientError::Url("this is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ClientError::Url("its scheme is neither https nor http"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ClientError::UserInfo);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(ClientError::Url("there is a '?' or '#' in it"));
    }
    Ok(url)
}

/// What talks to a server of this scheme, through this proxy or that of the environment.
pub(super) fn http(
    to: &Url,
    proxy: Option<&str>,
    connect: Duration,
    redactor: &Redactor,
) -> Result<reqwest::Client, ClientError> {
    // Another part of the process may have chosen a provider already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("tailgram/", env!("CARGO_PKG_VERSION")))
        .referer(false)
        // A redirect would carry the token to wherever it points.
        .redirect(Policy::none())
        .connect_timeout(connect)
        .pool_idle_timeout(IDLE);
    if let Some(proxy) = proxy {
        let proxy =
            Proxy::all(proxy).map_err(|error| ClientError::Proxy(redactor.chain(&error.without_url())))?;
        builder = builder.proxy(proxy);
    }
    if to.scheme() == "http" && !proxy.is_some_and(|proxy| proxy.starts_with("https")) {
        // Nothing to verify: an image without CA certificates can still talk to its own Bot API server.
        builder = builder.tls_certs_only([]);
    }
    builder
        .build()
        .map_err(|error| ClientError::Tls(redactor.chain(&error.without_url())))
}

#[cfg(test)]
mod tests;
