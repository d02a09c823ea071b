//! What an answer means, sorted once, so that no other code reads a status or one of Telegram's sentences.
//!
//! The order of doubt: what surely was not sent is a wait, what Telegram surely refused is a refusal, and
//! all else is unsure. A wrong "unsure" costs a repeated message, a wrong "not sent" or "refused" costs an
//! unmarked repetition or a lost one.
//!
//! The trap: only `ok`, `result`, `description` and `parameters` are read, each for itself. A message that
//! Telegram took stays taken, however odd the rest of the answer is.

use std::time::Duration;

use serde_json::Value;

use super::redact::Redactor;
use crate::model::{Outcome, Refusal, RefusalKind};

/// No 429 holds a chat for longer than this before Telegram is asked again.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// And none for less.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// An answer as it came over the wire.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The header of that name.
    pub(super) retry_after: Option<String>,
    /// The body; absent if it was too long, came too late or broke off.
    pub(super) body: Option<Vec<u8>>,
}

/// What an answer amounts to.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Telegram did it; this is its `result`.
    Done(Value),
    /// An edit would have changed nothing.
    Unchanged,
    /// It was not done, or nobody knows.
    Not(Outcome),
}

/// A sentence of Telegram's, in lower case, and the refusal it stands for. The first that fits decides.
const SENTENCES: &[(&str, RefusalKind)] = &[
    ("message thread not found", RefusalKind::TopicGone),
    ("topic_closed", RefusalKind::TopicGone),
    ("topic_deleted", RefusalKind::TopicGone),
    ("topic_id_invalid", RefusalKind::TopicGone),
    ("message to edit not found", RefusalKind::MessageGone),
    ("message can't be edited", RefusalKind::MessageGone),
    ("message_id_invalid", RefusalKind::MessageGone),
    ("chat not found", RefusalKind::ChatGone),
    ("rights to send documents", RefusalKind::Document),
    ("chat_send_docs_forbidden", RefusalKind::Document),
    ("not enough rights", RefusalKind::ChatGone),
    ("have no rights to send", RefusalKind::ChatGone),
    ("need administrator rights", RefusalKind::ChatGone),
    ("bot was blocked", RefusalKind::ChatGone),
    ("bot was kicked", RefusalKind::ChatGone),
    ("bot is not a member", RefusalKind::ChatGone),
    ("user is deactivated", RefusalKind::ChatGone),
    ("chat was deleted", RefusalKind::ChatGone),
    ("chat was deactivated", RefusalKind::ChatGone),
    ("chat_write_forbidden", RefusalKind::ChatGone),
    ("chat_admin_required", RefusalKind::ChatGone),
    ("chat_restricted", RefusalKind::ChatGone),
    ("channel_private", RefusalKind::ChatGone),
    ("peer_id_invalid", RefusalKind::ChatGone),
    ("user_is_blocked", RefusalKind::ChatGone),
    ("inline keyboard", RefusalKind::Buttons),
    ("reply markup", RefusalKind::Buttons),
    ("reply_markup_", RefusalKind::Buttons),
    ("button_", RefusalKind::Buttons),
];

/// Why getUpdates is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    /// Updates are sent to a webhook.
    Webhook,
    /// Somebody else asks for them.
    OtherPoller,
}

/// Whether an answer of getUpdates says that somebody else has the updates.
pub(super) fn conflict(answer: &Answer) -> Option<Conflict> {
    if answer.status != 409 {
        return None;
    }
    let body: Value = serde_json::from_slice(answer.body.as_deref()?).ok()?;
    let description = body.get("description")?.as_str()?.to_lowercase();
    Some(if description.contains("webhook") {
        Conflict::Webhook
    } else {
        Conflict::OtherPoller
    })
}

/// The result of a question, which an "unchanged" never answers.
pub(super) fn done(verdict: Verdict) -> Result<Value, Outcome> {
    match verdict {
        Verdict::Done(result) => Ok(result),
        Verdict::Not(outcome) => Err(outcome),
        Verdict::Unchanged => Err(Outcome::Unsure {
            why: "Telegram took a question for an edit".to_owned(),
        }),
    }
}

/// Sorts an answer.
pub(super) fn sort(answer: &Answer, redactor: &Redactor) -> Verdict {
    let json = answer
        .body
        .as_deref()
        .and_then(|body| serde_json::from_slice::<Value>(body).ok());
    let said = Said {
        status: answer.status,
        json: json.unwrap_or(Value::Null),
        redactor,
    };
    match answer.status {
        200..=299 => accepted(&said),
        429 => Verdict::Not(Outcome::Wait {
            after: said.retry_after(answer.retry_after.as_deref()),
            flood: true,
            why: said.why(),
        }),
        401 | 404 if said.is_telegram() => said.refused(RefusalKind::TokenWrong),
        400 | 403 if said.is_telegram() => refused(&said),
        // Redirects are not followed: the token must not travel to where an answer points. The rest of these
        // come from servers in between (a proxy's 407, a login page's 401, a body limit's 413), or name a
        // passing state.
        300..=499 => Verdict::Not(Outcome::Wait {
            after: None,
            flood: false,
            why: said.why(),
        }),
        _ => Verdict::Not(Outcome::Unsure { why: said.why() }),
    }
}

/// Sorts the answer to a document. Whatever is wrong with it, texts go on: what would be a refusal of the text is one of
/// the document, and so is the body limit of a server in between, which no later try would meet better.
pub(super) fn sort_document(answer: &Answer, redactor: &Redactor) -> Verdict {
    match sort(answer, redactor) {
        Verdict::Not(Outcome::Wait { why, .. }) if answer.status == 413 => {
            Verdict::Not(document_refused(why))
        }
        Verdict::Not(Outcome::Refused(refusal)) if refusal.kind == RefusalKind::Text => {
            Verdict::Not(document_refused(refusal.why))
        }
        verdict => verdict,
    }
}

fn document_refused(why: String) -> Outcome {
    let kind = RefusalKind::Document;
    Outcome::Refused(Refusal { kind, why })
}

/// Sorts an error that came instead of an answer.
///
/// Only an error while connecting (DNS, TCP, TLS, a proxy's refusal, the connect timeout) or while building
/// the request is known to have come before the request's first byte. Of a kept connection that the other
/// side closes while it is idle, the HTTP client notices that nothing was written and takes another one by
/// itself; what is left after that may have been read by Telegram.
pub(super) fn sort_error(error: reqwest::Error, redactor: &Redactor) -> Outcome {
    let error = error.without_url();
    let why = redactor.chain(&error);
    if error.is_connect() || error.is_builder() {
        Outcome::Wait {
            after: None,
            flood: false,
            why,
        }
    } else {
        Outcome::Unsure { why }
    }
}

fn accepted(said: &Said<'_>) -> Verdict {
    match (said.json.get("ok"), said.json.get("result")) {
        (Some(Value::Bool(true)), result) => Verdict::Done(result.cloned().unwrap_or(Value::Null)),
        _ => Verdict::Not(Outcome::Unsure {
            why: format!("an unreadable answer: {}", said.why()),
        }),
    }
}

fn refused(said: &Said<'_>) -> Verdict {
    if let Some(to) = said.parameter("migrate_to_chat_id").and_then(whole_number) {
        return Verdict::Not(Outcome::Moved { to });
    }
    let description = said.description().to_lowercase();
    if description.contains("message is not modified") {
        return Verdict::Unchanged;
    }
    let known = SENTENCES
        .iter()
        .find(|(sentence, _)| description.contains(sentence))
        .map(|&(_, kind)| kind);
    let otherwise = if said.status == 403 {
        RefusalKind::ChatGone
    } else {
        RefusalKind::Text
    };
    said.refused(known.unwrap_or(otherwise))
}

/// An answer whose body was parsed, as far as it can be.
struct Said<'a> {
    status: u16,
    /// Null if the body was not JSON.
    json: Value,
    redactor: &'a Redactor,
}

impl Said<'_> {
    /// Whether this is an answer of the Bot API at all, not a page of something in between.
    fn is_telegram(&self) -> bool {
        self.json.get("ok") == Some(&Value::Bool(false))
    }

    fn description(&self) -> &str {
        self.json.get("description").and_then(Value::as_str).unwrap_or("")
    }

    fn parameter(&self, name: &str) -> Option<&Value> {
        self.json.get("parameters")?.get(name)
    }

    /// Telegram's words after the status, or the status alone.
    fn why(&self) -> String {
        match self.redactor.clean(self.description()) {
            words if words.is_empty() => format!("HTTP {}", self.status),
            words => format!("HTTP {}: {words}", self.status),
        }
    }

    fn refused(&self, kind: RefusalKind) -> Verdict {
        Verdict::Not(Outcome::Refused(Refusal {
            kind,
            why: self.why(),
        }))
    }

    /// How long Telegram said to wait: in the body, else in the header. Zero and less count as not said, or
    /// the caller would knock without a pause.
    fn retry_after(&self, header: Option<&str>) -> Option<Duration> {
        let body = self.parameter("retry_after").and_then(seconds);
        let seconds = body.or_else(|| header?.trim().parse().ok().filter(|&s: &f64| s > 0.0))?;
        // What does not fit into a duration is infinite or close to it, and what is none at all would be asked again at
        // once.
        let wait = Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT);
        Some(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT))
    }
}

fn seconds(value: &Value) -> Option<f64> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    (seconds > 0.0).then_some(seconds)
}

fn whole_number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::any_json::any_json;
    use super::super::token::Token;
    use super::*;

    fn outcome(status: u16, header: Option<&str>, body: &str) -> Verdict {
        let redactor = Redactor::new(&Token::parse("42:AAcanaryCANARYcanary").unwrap());
        let answer = Answer {
            status,
            retry_after: header.map(str::to_owned),
            body: Some(body.as_bytes().to_vec()),
        };
        sort(&answer, &redactor)
    }

    fn refusal(status: u16, description: &str) -> RefusalKind {
        let body = serde_json::json!({"ok": false, "error_code": status, "description": description});
        match outcome(status, None, &body.to_string()) {
            Verdict::Not(Outcome::Refused(refusal)) => {
                assert!(refusal.why.contains(description), "{}", refusal.why);
                refusal.kind
            }
            other => panic!("{status} {description}: {other:?}"),
        }
    }

    fn flood_wait(header: Option<&str>, parameters: &str) -> Option<u64> {
        match outcome(
            429,
            header,
            &format!(r#"{{"ok":false,"parameters":{parameters}}}"#),
        ) {
            Verdict::Not(Outcome::Wait {
                after, flood: true, ..
            }) => after.map(|after| after.as_secs()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_429_is_a_wait_whatever_its_retry_after_looks_like() {
        assert_eq!(flood_wait(None, r#"{"retry_after":35}"#), Some(35));
        assert_eq!(flood_wait(None, r#"{"retry_after":"35"}"#), Some(35));
        assert_eq!(flood_wait(None, r#"{"retry_after":35.9}"#), Some(35));
        assert_eq!(flood_wait(None, r#"{"retry_after":36000}"#), Some(36_000));
        assert_eq!(flood_wait(None, r#"{"retry_after":1e300}"#), Some(86_400));
        assert_eq!(
            flood_wait(None, r#"{"retry_after":99999999999999999999}"#),
            Some(86_400)
        );
        assert_eq!(flood_wait(Some("9"), r#"{"retry_after":35}"#), Some(35));
        for missing in [
            r#"{"retry_after":0}"#,
            r#"{"retry_after":-3}"#,
            r#"{"retry_after":null}"#,
            r#"{"retry_after":"soon"}"#,
            r#"{"retry_after":"NaN"}"#,
            r#"{"retry_after":[35]}"#,
            r#"{"retry_after":true}"#,
            "{}",
            "7",
        ] {
            assert_eq!(flood_wait(None, missing), None, "{missing}");
            assert_eq!(flood_wait(Some(" 9 "), missing), Some(9), "{missing}");
        }
        assert_eq!(flood_wait(Some("Wed, 21 Oct 2026 07:28:00 GMT"), "{}"), None);
        assert_eq!(flood_wait(Some("NaN"), "{}"), None);
    }

    #[test]
    fn refusals_are_told_apart_by_telegrams_sentences() {
        use RefusalKind::{Buttons, ChatGone, MessageGone, Text, TokenWrong, TopicGone};
        for (status, description, kind) in [
            (403, "Forbidden: bot was blocked by the user", ChatGone),
            (403, "Forbidden: a sentence nobody has seen yet", ChatGone),
            (400, "Bad Request: chat not found", ChatGone),
            (
                400,
                "Bad Request: not enough rights to send text messages to the chat",
                ChatGone,
            ),
            (400, "Bad Request: message thread not found", TopicGone),
            (400, "Bad Request: TOPIC_CLOSED", TopicGone),
            (400, "Bad Request: message to edit not found", MessageGone),
            (400, "Bad Request: message can't be edited", MessageGone),
            (400, "Bad Request: MESSAGE_ID_INVALID", MessageGone),
            (401, "Unauthorized", TokenWrong),
            (404, "Not Found", TokenWrong),
            (
                400,
                "Bad Request: inline keyboard button URL 'http://a' is invalid: Wrong HTTP URL",
                Buttons,
            ),
            (400, "Bad Request: BUTTON_URL_INVALID", Buttons),
            (400, "Bad Request: REPLY_MARKUP_TOO_LONG", Buttons),
            (400, "Bad Request: object expected as reply markup", Buttons),
            (400, "Bad Request: message is too long", Text),
            (400, "Bad Request: can't parse entities: unsupported", Text),
        ] {
            assert_eq!(refusal(status, description), kind, "{description}");
        }
    }

    #[test]
    fn a_migrated_group_names_its_new_id() {
        for id in ["-1001234567890", r#""-1001234567890""#] {
            let body =
                format!(r#"{{"ok":false,"description":"x","parameters":{{"migrate_to_chat_id":{id}}}}}"#);
            let moved = outcome(400, None, &body);
            assert!(
                matches!(
                    moved,
                    Verdict::Not(Outcome::Moved {
                        to: -1_001_234_567_890
                    })
                ),
                "{moved:?}"
            );
        }
    }

    #[test]
    fn a_conflict_says_who_has_the_updates() {
        let answer = |status, description: &str| Answer {
            status,
            retry_after: None,
            body: Some(
                serde_json::json!({"ok": false, "description": description})
                    .to_string()
                    .into_bytes(),
            ),
        };
        for (status, description, conflict_with) in [
            (
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook",
                Some(Conflict::Webhook),
            ),
            (
                409,
                "Conflict: terminated by setWebhook request",
                Some(Conflict::Webhook),
            ),
            (
                409,
                "Conflict: terminated by other getUpdates request",
                Some(Conflict::OtherPoller),
            ),
            (400, "Bad Request: webhook", None),
        ] {
            assert_eq!(
                conflict(&answer(status, description)),
                conflict_with,
                "{description}"
            );
        }
        let page = Answer {
            body: Some(b"<html>Conflict".to_vec()),
            ..answer(409, "")
        };
        assert_eq!(conflict(&page), None);
    }

    #[test]
    fn a_page_of_something_in_between_refuses_nothing() {
        let pages = [
            "<html>go away</html>",
            "",
            r#"{"error":"no route","code":7}"#,
            r#"{"ok":true}"#,
            r#"{"ok":"false"}"#,
        ];
        for status in [302, 400, 401, 403, 404, 407, 408, 413, 421, 451] {
            for page in pages {
                let verdict = outcome(status, Some("9"), page);
                assert!(
                    matches!(
                        verdict,
                        Verdict::Not(Outcome::Wait {
                            after: None,
                            flood: false,
                            ..
                        })
                    ),
                    "{status} {page}: {verdict:?}"
                );
            }
        }
    }

    #[test]
    fn a_message_that_telegram_took_stays_taken_however_odd_the_rest_is() {
        for body in [
            r#"{"ok":true,"result":{"message_id":7,"chat":{"type":"hologram"},"date":"soon"}}"#,
            r#"{"ok":true,"result":{"message_id":7},"error_code":"none","description":[],"parameters":7}"#,
            r#"{"result":{"message_id":7,"entities":null},"new":{"a":[{}]},"ok":true}"#,
        ] {
            let done = outcome(200, None, body);
            assert!(
                matches!(&done, Verdict::Done(result) if result["message_id"] == 7),
                "{body}: {done:?}"
            );
        }
    }

    #[test]
    fn a_refusal_stays_one_however_odd_the_rest_is() {
        use RefusalKind::{ChatGone, Text};
        for (status, body, kind) in [
            (403, r#"{"ok":false}"#, ChatGone),
            (403, r#"{"ok":false,"description":7,"error_code":"x"}"#, ChatGone),
            (400, r#"{"ok":false,"description":null,"parameters":[]}"#, Text),
            (
                400,
                r#"{"ok":false,"parameters":{"migrate_to_chat_id":"soon"}}"#,
                Text,
            ),
            (
                400,
                r#"{"ok":false,"parameters":{"migrate_to_chat_id":-1.5}}"#,
                Text,
            ),
        ] {
            let verdict = outcome(status, None, body);
            assert!(
                matches!(&verdict, Verdict::Not(Outcome::Refused(refusal)) if refusal.kind == kind),
                "{status} {body}: {verdict:?}"
            );
        }
    }

    #[test]
    fn a_broken_server_leaves_it_open_whether_the_message_arrived() {
        for (status, body) in [
            (500, r#"{"ok":false}"#),
            (502, "<html>"),
            (503, ""),
            (200, ""),
            (200, r#"{"ok":tr"#),
            (200, r#"{"ok":false,"description":"who knows"}"#),
            (200, "[]"),
            (200, r#"{"ok":"true","result":{"message_id":7}}"#),
            (200, r#"{"ok":1,"result":{"message_id":7}}"#),
            (200, &"[".repeat(10_000)),
        ] {
            let verdict = outcome(status, None, body);
            assert!(
                matches!(verdict, Verdict::Not(Outcome::Unsure { .. })),
                "{status} {body}: {verdict:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_answer_of_any_kind_breaks_the_sorting_or_shows_the_token(
            status in 100u16..600, header in prop::option::of(".*"), body in ".*", inner in ".*",
        ) {
            let with_token = format!("{inner}42:AAcanaryCANARYcanary{inner}");
            let described = serde_json::json!({"ok": false, "description": with_token}).to_string();
            for body in [&body, &described] {
                let shown = format!("{:?}", outcome(status, header.as_deref(), body));
                prop_assert!(!shown.contains("CANARY"));
            }
        }

        #[test]
        fn an_answer_of_any_shape_is_done_only_if_it_says_so_and_never_holds_a_chat_for_long(
            status in prop_oneof![Just(200), Just(400), Just(403), Just(429), 100u16..600],
            header in prop::option::of("[ ]?(-?[0-9]{1,400}|inf|nan|[0-9.e]{1,9})"),
            mut body in any_json(&[
                "ok", "result", "message_id", "error_code", "description", "parameters", "retry_after", "migrate_to_chat_id",
            ]),
            ok in prop::option::of(any::<bool>()), wait in any_json(&["retry_after", "migrate_to_chat_id"]),
        ) {
            if let (Some(ok), Value::Object(fields)) = (ok, &mut body) {
                fields.insert("ok".to_owned(), ok.into());
                fields.insert("parameters".to_owned(), wait);
            }
            let taken = body.get("ok") == Some(&Value::Bool(true));
            match outcome(status, header.as_deref(), &body.to_string()) {
                Verdict::Done(_) => prop_assert!(taken && (200..300).contains(&status)),
                Verdict::Not(Outcome::Wait { after, .. }) => {
                    prop_assert!(after.is_none_or(|after| !after.is_zero() && after <= LONGEST_WAIT));
                    prop_assert!((300..500).contains(&status));
                }
                Verdict::Not(Outcome::Refused(_) | Outcome::Moved { .. }) | Verdict::Unchanged => {
                    prop_assert!((400..500).contains(&status));
                }
                Verdict::Not(Outcome::Unsure { .. }) => prop_assert!(status != 429),
                Verdict::Not(Outcome::Sent { .. }) => prop_assert!(false, "nothing was asked yet"),
            }
        }

        #[test]
        fn a_body_that_is_no_text_is_never_taken_for_an_answer(
            status in 100u16..600, body in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let redactor = Redactor::new(&Token::parse("42:AAcanaryCANARYcanary").unwrap());
            let verdict = sort(&Answer { status, retry_after: None, body: Some(body) }, &redactor);
            let believed = matches!(verdict, Verdict::Done(_) | Verdict::Not(Outcome::Refused(_) | Outcome::Moved { .. }));
            prop_assert!(!believed, "{:?}", verdict);
        }
    }
}
