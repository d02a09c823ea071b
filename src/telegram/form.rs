//! A message with a document, as a form of several parts (RFC 7578).
//!
//! It is written here because the HTTP client's own form carries a table of all file endings, to guess types from, and
//! this program sends nothing but text. The trap: no part may hold the line that parts are divided by, so one is taken
//! that stands in none of them.

use super::client::{Call, Request};
use super::wire::{Reply, topic};
use crate::model::Document;

/// The body of a `sendDocument` request.
pub(super) struct Form {
    boundary: String,
    body: String,
}

impl Form {
    /// A message with this document; the request's text is its caption.
    pub(super) fn of(request: &Request, document: &Document) -> Self {
        let fields = fields(request);
        let mut form = Self {
            boundary: boundary(&fields, &document.content),
            body: String::with_capacity(document.content.len() + 2_048),
        };
        for (name, value) in &fields {
            form.part(&format!("name=\"{name}\""), value);
        }
        let file = format!(
            "name=\"document\"; filename=\"{}\"\r\nContent-Type: text/plain; charset=utf-8",
            quotable(&document.name)
        );
        form.part(&file, &document.content);
        form.body.extend(["--", &form.boundary, "--\r\n"]);
        form
    }

    /// What the header has to say.
    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// All parts.
    pub(super) fn into_body(self) -> String {
        self.body
    }

    fn part(&mut self, head: &str, value: &str) {
        let head = ["--", &self.boundary, "\r\nContent-Disposition: form-data; ", head];
        self.body.extend(head);
        self.body.extend(["\r\n\r\n", value, "\r\n"]);
    }
}

fn fields(request: &Request) -> Vec<(&'static str, String)> {
    let mut fields = vec![("chat_id", request.chat.to_string())];
    if let Some(topic) = topic(request) {
        fields.push(("message_thread_id", topic.to_string()));
    }
    if !request.text.text.is_empty() {
        fields.push(("caption", request.text.text.clone()));
    }
    if !request.plain && !request.text.entities.is_empty() {
        fields.push(("caption_entities", json(&request.text.entities)));
    }
    if request.silent {
        fields.push(("disable_notification", "true".to_owned()));
    }
    if let Call::Send {
        reply_to: Some(message_id),
    } = request.call
    {
        fields.push(("reply_parameters", json(&Reply::to(message_id))));
    }
    fields
}

#[expect(
    clippy::expect_used,
    reason = "plain structs of numbers and strings, which always have a form in JSON"
)]
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain values")
}

/// A line that stands nowhere in the parts.
fn boundary(fields: &[(&'static str, String)], content: &str) -> String {
    let stands_in = |boundary: &str| {
        let mut values = fields.iter().map(|(_, value)| value.as_str()).chain([content]);
        values.any(|value| value.contains(boundary))
    };
    let mut number = 0_u64;
    loop {
        let boundary = format!("tailgram-part-{number}");
        if !stands_in(&boundary) {
            return boundary;
        }
        number += 1;
    }
}

/// A name without what would end its quotes, as browsers write it.
fn quotable(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChatTarget, Entity, EntityKind, Text};

    fn request(text: &str) -> Request {
        Request {
            chat: ChatTarget::Id(-7),
            topic: None,
            text: Text {
                text: text.to_owned(),
                entities: vec![Entity {
                    kind: EntityKind::Code,
                    offset: 0,
                    length: 1,
                    url: None,
                }],
                buttons: Vec::new(),
            },
            document: None,
            plain: false,
            silent: false,
            call: Call::Send { reply_to: None },
        }
    }

    fn document(content: &str) -> Document {
        Document {
            name: "a.log".to_owned(),
            content: content.to_owned(),
        }
    }

    #[test]
    fn every_field_is_a_part_and_the_document_is_the_last() {
        let request = Request {
            topic: Some(5),
            silent: true,
            call: Call::Send { reply_to: Some(9) },
            ..request("x on web-1")
        };
        let form = Form::of(&request, &document("one\ntwo\n"));
        assert_eq!(
            form.content_type(),
            "multipart/form-data; boundary=tailgram-part-0"
        );
        let field = |name: &str, value: &str| {
            format!("--tailgram-part-0\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let expected = [
            field("chat_id", "-7"),
            field("message_thread_id", "5"),
            field("caption", "x on web-1"),
            field("caption_entities", r#"[{"type":"code","offset":0,"length":1}]"#),
            field("disable_notification", "true"),
            field(
                "reply_parameters",
                r#"{"message_id":9,"allow_sending_without_reply":true}"#,
            ),
            "--tailgram-part-0\r\nContent-Disposition: form-data; name=\"document\"; filename=\"a.log\"\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\none\ntwo\n\r\n--tailgram-part-0--\r\n"
                .to_owned(),
        ];
        assert_eq!(form.into_body(), expected.concat());
    }

    #[test]
    fn no_line_of_a_log_can_end_a_part() {
        let nasty = "x\r\n--tailgram-part-0--\r\n";
        let form = Form::of(&request("tailgram-part-1"), &document(nasty));
        assert!(form.content_type().ends_with("=tailgram-part-2"));
        assert_eq!(form.into_body().matches("--tailgram-part-2\r\n").count(), 4);
    }

    #[test]
    fn a_plain_caption_has_no_entities_and_the_general_topic_is_never_named() {
        let request = Request {
            plain: true,
            topic: Some(1),
            ..request("x")
        };
        let body = Form::of(&request, &document("y")).into_body();
        assert!(!body.contains("caption_entities") && !body.contains("message_thread_id"));
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let document = Document {
            name: "a\"; name=\"chat_id\r\n.log".to_owned(),
            content: String::new(),
        };
        let body = Form::of(&request("x"), &document).into_body();
        assert!(body.contains("filename=\"a%22; name=%22chat_id%0D%0A.log\""));
    }
}
