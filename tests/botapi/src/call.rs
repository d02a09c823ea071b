//! One call of a method: from its path and body to its verdict in the journal.
//!
//! The trap: judging and recording happen under one lock and without waiting in between, so a client that
//! hangs up in the middle can never leave a message stored and its request unrecorded.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::body::Bytes;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until};

use crate::faults::FaultKind;
use crate::journal::{Request, Verdict};
use crate::wire::{Answer, Refusal};
use crate::{Shared, World, form, methods};

/// Longest getUpdates wait in seconds, as the real server clips it.
const LONGEST_POLL_S: u64 = 50;

/// A method called with its parameters.
pub(crate) struct Call {
    /// As the client wrote it; never with a part of the token.
    method: String,
    /// The parameters, or why the call is refused before anything looks at them.
    body: Result<Map<String, Value>, Refusal>,
}

impl Call {
    /// Reads a call from its path `/bot<token>/<method>` and its body.
    pub(crate) fn parse(path: &str, token: &str, headers: &HeaderMap, body: &Bytes) -> Self {
        let (given, method) = path
            .strip_prefix("/bot")
            .and_then(|rest| rest.split_once('/'))
            .unwrap_or_default();
        Self {
            method: method.to_owned(),
            body: check_token(given, token).and_then(|()| parameters(headers, body)),
        }
    }

    fn chat(&self, world: &World) -> Option<i64> {
        let named = self.body.as_ref().ok()?.get("chat_id")?;
        match world.chats.find(Some(named)) {
            Ok(chat) => Some(chat.id),
            Err(_) => named.as_i64(),
        }
    }

    /// The fault that strikes this call.
    pub(crate) fn strike(&self, hall: &Shared) -> Option<FaultKind> {
        let mut world = hall.world();
        let (chat, now) = (self.chat(&world), world.clock.now_ms());
        world.faults.take(&self.method, chat, now)
    }

    /// Judges and records the call; none when a fault kept it from being judged.
    pub(crate) async fn settle(&self, hall: &Shared, fault: Option<&FaultKind>) -> Option<Answer> {
        if fault.is_some_and(|fault| !fault.stores()) {
            self.record(&mut hall.world(), Verdict::Unjudged, fault);
            return None;
        }
        if self.method.eq_ignore_ascii_case("getUpdates") {
            return Some(self.poll(hall, fault).await);
        }
        let mut world = hall.world();
        let outcome = self
            .body
            .clone()
            .and_then(|params| methods::perform(&mut world, &self.method, &params));
        // A poll under way has to see that a webhook was set.
        hall.news.notify_waiters();
        Some(match outcome {
            Ok((result, verdict)) => self.finish(&mut world, verdict, fault, Answer::ok(&result)),
            Err(refusal) => {
                let verdict = verdict_of(&refusal);
                self.finish(&mut world, verdict, fault, Answer::refused(&refusal))
            }
        })
    }

    /// Records a refusal and words it.
    fn refuse(&self, world: &mut World, refusal: &Refusal) -> Answer {
        self.finish(world, verdict_of(refusal), None, Answer::refused(refusal))
    }

    /// Records first, then lets the answer go; a journal that cannot be written is the worst of refusals.
    fn finish(
        &self,
        world: &mut World,
        verdict: Verdict,
        fault: Option<&FaultKind>,
        answer: Answer,
    ) -> Answer {
        if self.record(world, verdict, fault) {
            return answer;
        }
        Answer::refused(&Refusal::plain(
            500,
            "Internal Server Error: the journal file cannot be written",
        ))
    }

    fn record(&self, world: &mut World, verdict: Verdict, fault: Option<&FaultKind>) -> bool {
        let request = Request {
            n: world.journal.next_request(),
            at: world.clock.unix_ms(),
            method: self.method.clone(),
            chat: self.chat(world),
            body: self.body.as_ref().map_or(Value::Null, |body| json!(body)),
            verdict,
            fault: fault.map(|fault| fault.name().to_owned()),
        };
        world.journal.record(request).is_ok()
    }

    /// getUpdates: takes the queue over and waits until something is in it.
    async fn poll(&self, hall: &Shared, fault: Option<&FaultKind>) -> Answer {
        let params = match &self.body {
            Ok(params) => params,
            Err(refusal) => return self.refuse(&mut hall.world(), refusal),
        };
        let seconds = params
            .get("timeout")
            .and_then(Value::as_u64)
            .unwrap_or(0)
            .min(LONGEST_POLL_S);
        let until = Instant::now() + Duration::from_secs(seconds);
        let mine = {
            let mut world = hall.world();
            if world.updates.has_webhook() {
                return self.refuse(&mut world, &webhook_is_active());
            }
            world.updates.allow(params);
            world.updates.owner += 1;
            world.updates.owner
        };
        // The poll that had the queue until now has to see that.
        hall.news.notify_waiters();
        loop {
            // Asked for before looking, so that an update pushed in between is not slept through.
            let news = hall.news.notified();
            if let Some(answer) = self.look(hall, params, mine, Instant::now() >= until, fault) {
                return answer;
            }
            tokio::select! { () = news => {} () = sleep_until(until) => {} }
        }
    }

    /// One look into the queue; none when it is worth waiting on.
    fn look(
        &self,
        hall: &Shared,
        params: &Map<String, Value>,
        mine: u64,
        over: bool,
        fault: Option<&FaultKind>,
    ) -> Option<Answer> {
        let mut world = hall.world();
        if world.updates.owner != mine {
            world.journal.conflict();
            let refusal = if world.updates.has_webhook() {
                Refusal::plain(409, "Conflict: terminated by setWebhook request")
            } else {
                conflict()
            };
            return Some(self.refuse(&mut world, &refusal));
        }
        let updates = world.updates.next(params);
        if updates.is_empty() && !over {
            return None;
        }
        let answer = Answer::ok(&Value::Array(updates));
        Some(self.finish(&mut world, Verdict::Done, fault, answer))
    }
}

fn conflict() -> Refusal {
    Refusal::plain(
        409,
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
    )
}

/// The real server takes three seconds to say so.
fn webhook_is_active() -> Refusal {
    Refusal::plain(
        409,
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook \
         first",
    )
}

fn verdict_of(refusal: &Refusal) -> Verdict {
    let seconds = refusal
        .parameters
        .as_ref()
        .and_then(|found| found.get("retry_after"))
        .and_then(Value::as_u64);
    match seconds {
        Some(retry_after) => Verdict::Flood { retry_after },
        None => Verdict::Refused {
            code: refusal.code,
            description: refusal.description.clone(),
        },
    }
}

/// Tells a wrong token from a malformed one, as the real server does.
fn check_token(given: &str, token: &str) -> Result<(), Refusal> {
    let (id, secret) = given.split_once(':').unwrap_or_default();
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::plain(404, "Not Found"));
    }
    if id.starts_with('0') || secret.is_empty() || given.len() > 80 {
        return Err(Refusal::plain(401, "Unauthorized: invalid token specified"));
    }
    if given == token {
        Ok(())
    } else {
        Err(Refusal::plain(401, "Unauthorized"))
    }
}

/// Makes the body's JSON object, or that of a form; a body of another type is no parameters at all.
fn parameters(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, Refusal> {
    let content_type = headers.get(hyper::header::CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if let Some(boundary) = form::boundary(content_type) {
        return form::parameters(boundary, body);
    }
    if !content_type.starts_with("application/json") || body.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(body).map_err(|_| Refusal::bad("can't parse JSON object in the request"))
}
