//! The JSON of the two requests that are sent.
//!
//! The trap: Telegram reads JSON `null` as the text "null" and refuses it, so an absent field is left out.

use serde::{Serialize, Serializer};

use super::client::{Call, Request};
use crate::model::{ChatTarget, Entity, LinkButton};

/// The id of a forum's General topic; Telegram refuses it in a request and takes its absence for it.
const GENERAL_TOPIC: i64 = 1;

/// So many buttons stand side by side: more, and a phone shows little of what stands on them.
const IN_A_ROW: usize = 2;

/// A `sendMessage` or `editMessageText` request, ready for serde. There is no `parse_mode`: formatting goes
/// as entities, so nothing in a log line can be markup.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    #[serde(serialize_with = "chat_id")]
    chat_id: &'a ChatTarget,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_thread_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<i64>,
    text: &'a str,
    #[serde(skip_serializing_if = "<[Entity]>::is_empty")]
    entities: &'a [Entity],
    link_preview_options: LinkPreview,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_notification: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_parameters: Option<Reply>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_markup: Option<Keyboard<'a>>,
}

/// Link buttons. An edit without them takes them away, so every edit carries them again.
#[derive(Debug, Serialize)]
struct Keyboard<'a> {
    inline_keyboard: Vec<&'a [LinkButton]>,
}

impl<'a> Keyboard<'a> {
    fn of(buttons: &'a [LinkButton]) -> Option<Self> {
        let inline_keyboard: Vec<_> = buttons.chunks(IN_A_ROW).collect();
        (!inline_keyboard.is_empty()).then_some(Self { inline_keyboard })
    }
}

/// Always off: Telegram would fetch every URL that stands in a log.
#[derive(Debug, Serialize)]
struct LinkPreview {
    is_disabled: bool,
}

/// What a message answers.
#[derive(Debug, Serialize)]
pub(super) struct Reply {
    message_id: i64,
    /// A reply whose target was deleted is still worth reading.
    allow_sending_without_reply: bool,
}

impl Reply {
    pub(super) fn to(message_id: i64) -> Self {
        Self {
            message_id,
            allow_sending_without_reply: true,
        }
    }
}

/// The topic as a request names it.
pub(super) fn topic(request: &Request) -> Option<i64> {
    request.topic.filter(|&topic| topic != GENERAL_TOPIC)
}

impl<'a> Body<'a> {
    /// The method to call and what to call it with.
    pub(super) fn of(request: &'a Request) -> (&'static str, Self) {
        let body = Self {
            chat_id: &request.chat,
            message_thread_id: None,
            message_id: None,
            text: &request.text.text,
            entities: if request.plain {
                &[]
            } else {
                &request.text.entities
            },
            link_preview_options: LinkPreview { is_disabled: true },
            disable_notification: None,
            reply_parameters: None,
            reply_markup: Keyboard::of(&request.text.buttons),
        };
        match request.call {
            // A message stays in its topic and makes no sound when edited: an edit names neither.
            Call::Edit { message_id } => (
                "editMessageText",
                Self {
                    message_id: Some(message_id),
                    ..body
                },
            ),
            Call::Send { reply_to } => ("sendMessage", body.new_message(request, reply_to)),
        }
    }

    fn new_message(self, request: &Request, reply_to: Option<i64>) -> Self {
        Self {
            message_thread_id: topic(request),
            disable_notification: request.silent.then_some(true),
            reply_parameters: reply_to.map(Reply::to),
            ..self
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference to the field"
)]
fn chat_id<S: Serializer>(target: &&ChatTarget, to: S) -> Result<S::Ok, S::Error> {
    match target {
        ChatTarget::Id(id) => to.serialize_i64(*id),
        ChatTarget::Username(name) => to.serialize_str(name),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::model::{EntityKind, Text};

    fn request(call: Call) -> Request {
        let entities = vec![Entity {
            kind: EntityKind::ExpandableBlockquote,
            offset: 0,
            length: 2,
            url: None,
        }];
        Request {
            chat: ChatTarget::Id(-100_123),
            topic: None,
            text: Text {
                text: "hi <b>".to_owned(),
                entities,
                buttons: Vec::new(),
            },
            document: None,
            plain: false,
            silent: false,
            call,
        }
    }

    fn json_of(request: &Request) -> (&'static str, serde_json::Value) {
        let (method, body) = Body::of(request);
        (method, serde_json::to_value(body).unwrap())
    }

    #[test]
    fn absent_fields_are_left_out() {
        let (method, body) = json_of(&request(Call::Send { reply_to: None }));
        assert_eq!(method, "sendMessage");
        assert_eq!(
            body,
            json!({"chat_id": -100_123, "text": "hi <b>", "link_preview_options": {"is_disabled": true},
                "entities": [{"type": "expandable_blockquote", "offset": 0, "length": 2}]})
        );
    }

    #[test]
    fn a_silent_reply_in_a_topic_says_all_three() {
        let ask = Request {
            topic: Some(7),
            silent: true,
            ..request(Call::Send { reply_to: Some(5) })
        };
        let (_, body) = json_of(&ask);
        assert_eq!(body["message_thread_id"], 7);
        assert_eq!(body["disable_notification"], true);
        assert_eq!(
            body["reply_parameters"],
            json!({"message_id": 5, "allow_sending_without_reply": true})
        );
    }

    #[test]
    fn the_general_topic_is_never_named() {
        let ask = Request {
            topic: Some(1),
            ..request(Call::Send { reply_to: None })
        };
        assert!(json_of(&ask).1.get("message_thread_id").is_none());
    }

    #[test]
    fn a_plain_request_has_no_entities() {
        let ask = Request {
            plain: true,
            ..request(Call::Send { reply_to: None })
        };
        assert!(json_of(&ask).1.get("entities").is_none());
    }

    #[test]
    fn a_message_and_its_edits_carry_the_buttons_two_in_a_row() {
        for call in [Call::Send { reply_to: None }, Call::Edit { message_id: 9 }] {
            let mut ask = request(call);
            let button = |n: u8| LinkButton {
                text: format!("{n}"),
                url: format!("https://a.example/{n}"),
            };
            ask.text.buttons = (1..=3).map(button).collect();
            let url = |n: u8| json!({"text": format!("{n}"), "url": format!("https://a.example/{n}")});
            assert_eq!(
                json_of(&ask).1["reply_markup"],
                json!({"inline_keyboard": [[url(1), url(2)], [url(3)]]})
            );
        }
    }

    #[test]
    fn an_edit_names_its_message_and_nothing_of_a_new_one() {
        let name = ChatTarget::Username("@ops".to_owned());
        let ask = Request {
            chat: name,
            topic: Some(7),
            silent: true,
            ..request(Call::Edit { message_id: 9 })
        };
        let (method, body) = json_of(&ask);
        assert_eq!(method, "editMessageText");
        assert_eq!(
            (&body["chat_id"], &body["message_id"]),
            (&json!("@ops"), &json!(9))
        );
        for absent in [
            "message_thread_id",
            "disable_notification",
            "reply_parameters",
            "parse_mode",
        ] {
            assert!(body.get(absent).is_none(), "{absent}");
        }
    }
}
