//! The judge of a message's text: length, cleaning, link previews, and what is left to be seen.
//!
//! It measures by itself and shares nothing with the program under test. Not modelled: Telegram also trims
//! white space at both ends and hides some rarer characters. The trap: entity offsets count UTF-16 units of
//! the text as it was *sent*; cleaning drops characters, so offsets move before they are stored.

use serde_json::{Map, Value, json};

use crate::entities::{self, Entity};
use crate::findings::{self, Live};
use crate::journal::Document;
use crate::keyboard;
use crate::wire::Refusal;

/// Most UTF-16 units of a text.
const TEXT_UNITS: usize = 4096;
/// Most UTF-16 units of a caption.
const CAPTION_UNITS: usize = 1024;
/// Most bytes of a text before anything is parsed.
const TEXT_BYTES: usize = 32 * 1024;

/// Fields of a message that the server reads; it passes over others in silence, and typing errors with them.
const FIELDS: [&str; 13] = [
    "caption",
    "caption_entities",
    "chat_id",
    "document",
    "message_id",
    "message_thread_id",
    "text",
    "entities",
    "link_preview_options",
    "disable_notification",
    "protect_content",
    "reply_parameters",
    "reply_markup",
];

/// A message that passed, as a person would see it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    pub(crate) text: String,
    pub(crate) entities: Vec<Entity>,
    pub(crate) live: Vec<Live>,
    pub(crate) keyboard: Option<Value>,
    /// What Telegram would let pass but a person would mind.
    pub(crate) complaints: Vec<String>,
}

/// Judges everything of a request that does not depend on a chat.
pub(crate) fn draft(params: &Map<String, Value>) -> Result<Draft, Refusal> {
    if params.contains_key("parse_mode") {
        return Err(Refusal::bad("unsupported parse_mode"));
    }
    let raw = match params.get("text") {
        None => return Err(Refusal::bad("message text is empty")),
        Some(Value::String(raw)) => raw,
        Some(_) => return Err(Refusal::bad("can't parse text: string expected")),
    };
    let cleaned = Cleaned::of(raw)?;
    let entities = entities::judge(params.get("entities"), &cleaned)?;
    let live = findings::live(&cleaned.text, &entities);
    let complaints = complaints(params, &entities, &live);
    Ok(Draft {
        text: cleaned.text,
        entities,
        live,
        keyboard: keyboard::judge(params)?,
        complaints,
    })
}

/// The file of a request.
pub(crate) fn document(params: &Map<String, Value>) -> Result<Document, Refusal> {
    let document = match params.get("document") {
        None => return Err(Refusal::bad("there is no document in the request")),
        Some(Value::Object(file)) => serde_json::from_value::<Document>(json!(file)).ok(),
        Some(_) => None,
    };
    let document = document.ok_or_else(|| Refusal::bad("wrong file identifier/HTTP URL specified"))?;
    if document.bytes == 0 {
        return Err(Refusal::bad("file must be non-empty"));
    }
    Ok(document)
}

/// Judges the text that comes with a file, which may be absent.
pub(crate) fn caption(params: &Map<String, Value>) -> Result<Draft, Refusal> {
    if params.contains_key("parse_mode") {
        return Err(Refusal::bad("unsupported parse_mode"));
    }
    let raw = params.get("caption").and_then(Value::as_str).unwrap_or_default();
    let cleaned = Cleaned::clean(raw);
    if cleaned.text.encode_utf16().count() > CAPTION_UNITS {
        return Err(Refusal::bad("message caption is too long"));
    }
    let entities = entities::judge(params.get("caption_entities"), &cleaned)?;
    let live = findings::live(&cleaned.text, &entities);
    let mut complaints = complaints(params, &entities, &live);
    if params.get("document").and_then(|file| file.get("utf8")) == Some(&Value::Bool(false)) {
        complaints.push("the document is not UTF-8".to_owned());
    }
    Ok(Draft {
        text: cleaned.text,
        entities,
        live,
        keyboard: keyboard::judge(params)?,
        complaints,
    })
}

/// Refuses nulls anywhere, which the real server reads as the text "null".
pub(crate) fn refuse_nulls(params: &Map<String, Value>) -> Result<(), Refusal> {
    for (name, value) in params {
        if value.is_null() {
            return Err(Refusal::bad(match name.as_str() {
                "parse_mode" => "unsupported parse_mode",
                "reply_markup" => "object expected as reply markup",
                "entities" => "can't parse entities: array expected, got null",
                "chat_id" => "chat not found",
                other => return Err(Refusal::bad(&format!("can't parse field \"{other}\": got null"))),
            }));
        }
        if holds_null(value) {
            return Err(Refusal::bad(&format!(
                "can't parse {name}: a field inside is null"
            )));
        }
    }
    Ok(())
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(fields) => fields.values().any(holds_null),
        _ => false,
    }
}

/// A cleaned text together with the way from sent offsets to stored ones.
pub(crate) struct Cleaned {
    /// What a person sees.
    pub(crate) text: String,
    /// For each UTF-16 unit sent, and the end: its unit in `text`; none inside a surrogate pair.
    units: Vec<Option<usize>>,
}

impl Cleaned {
    fn of(raw: &str) -> Result<Self, Refusal> {
        if raw.len() > TEXT_BYTES {
            return Err(Refusal::bad("text is too long"));
        }
        let cleaned = Self::clean(raw);
        if cleaned.text.is_empty() {
            return Err(Refusal::bad("message text is empty"));
        }
        if cleaned.text.chars().all(char::is_whitespace) {
            return Err(Refusal::bad("text must be non-empty"));
        }
        if cleaned.text.encode_utf16().count() > TEXT_UNITS {
            return Err(Refusal::bad("message is too long"));
        }
        Ok(cleaned)
    }

    fn clean(raw: &str) -> Self {
        let mut text = String::with_capacity(raw.len());
        let mut units = Vec::with_capacity(raw.len() + 1);
        let mut seen = 0;
        for sent in raw.chars() {
            units.push(Some(seen));
            if sent.len_utf16() == 2 {
                units.push(None);
            }
            if let Some(shown) = shown(sent) {
                text.push(shown);
                seen += shown.len_utf16();
            }
        }
        units.push(Some(seen));
        Self { text, units }
    }

    /// UTF-16 units of the text as it was sent.
    pub(crate) fn sent_units(&self) -> usize {
        self.units.len() - 1
    }

    /// The stored unit of a sent unit; none out of bounds and inside a surrogate pair.
    pub(crate) fn unit(&self, sent: usize) -> Option<usize> {
        self.units.get(sent).copied().flatten()
    }
}

/// What a person sees of one character, if anything.
fn shown(sent: char) -> Option<char> {
    match sent {
        '\r' | '\u{2028}'..='\u{202e}' => None,
        '\n' => Some('\n'),
        '\0'..='\u{1f}' => Some(' '),
        other => Some(other),
    }
}

fn complaints(params: &Map<String, Value>, entities: &[Entity], live: &[Live]) -> Vec<String> {
    let unknown = params.keys().filter(|name| !FIELDS.contains(&name.as_str()));
    let mut complaints: Vec<_> = unknown
        .map(|name| format!("field \"{name}\" is ignored"))
        .collect();
    let off = params
        .get("link_preview_options")
        .and_then(|options| options.get("is_disabled"))
        == Some(&Value::Bool(true));
    let has_url =
        live.iter().any(|found| found.kind == "url") || entities.iter().any(|e| e.kind == "text_link");
    if has_url && !off {
        complaints.push("link preview is not disabled".to_owned());
    }
    complaints
}
