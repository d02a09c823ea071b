//! What goes back over the wire: refusals in Telegram's words and the envelope around results.
//!
//! Wordings are kept here or next to the rule that speaks them, never built by tests. The trap: the body's
//! `error_code` and the HTTP status are two fields, equal in every answer of the real server.

use serde_json::{Value, json};

/// A refusal as Telegram words it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    /// Both the HTTP status and the `error_code` of the body.
    pub(crate) code: u16,
    /// The full description, prefix included.
    pub(crate) description: String,
    /// `parameters` of the answer, where there are any.
    pub(crate) parameters: Option<Value>,
}

impl Refusal {
    /// 400 with its usual prefix.
    pub(crate) fn bad(text: &str) -> Self {
        Self {
            code: 400,
            description: format!("Bad Request: {text}"),
            parameters: None,
        }
    }

    /// 403 with its usual prefix.
    pub(crate) fn forbidden(text: &str) -> Self {
        Self {
            code: 403,
            description: format!("Forbidden: {text}"),
            parameters: None,
        }
    }

    /// Any code with the whole description given.
    pub(crate) fn plain(code: u16, description: &str) -> Self {
        Self {
            code,
            description: description.to_owned(),
            parameters: None,
        }
    }

    /// 429 for a number of whole seconds.
    pub(crate) fn flood(seconds: u64) -> Self {
        Self {
            code: 429,
            description: format!("Too Many Requests: retry after {seconds}"),
            parameters: Some(json!({ "retry_after": seconds })),
        }
    }

    /// The JSON body of this refusal.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "ok": false, "error_code": self.code, "description": self.description });
        if let Some(parameters) = &self.parameters {
            body["parameters"] = parameters.clone();
        }
        body
    }
}

/// An answer ready to be written: status, body, and the seconds of a `Retry-After` header.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            content_type: "application/json",
            retry_after: None,
            body: body.to_string().into_bytes(),
        }
    }

    /// `{"ok":true,"result":…}`.
    pub(crate) fn ok(result: &Value) -> Self {
        Self::json(200, &json!({ "ok": true, "result": result }))
    }

    /// A refusal, with its header when it is a 429.
    pub(crate) fn refused(refusal: &Refusal) -> Self {
        let retry_after = refusal
            .parameters
            .as_ref()
            .and_then(|found| found.get("retry_after"));
        Self {
            retry_after: retry_after.map(ToString::to_string),
            ..Self::json(refusal.code, &refusal.body())
        }
    }
}
