//! The judge of entities: bounds, surrogate pairs, nesting, and how many there may be.
//!
//! Telegram repairs or drops some of what is refused here; a sender whose entities need repair has a bug,
//! so the oracle says so. The trap: `pre` inside a quote is fine, a quote inside `pre` is not.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::judge::Cleaned;
use crate::wire::Refusal;

/// Most entities of pre, code, quotes and links in one message.
const MOST: usize = 100;

const COUNTED: [&str; 6] = [
    "pre",
    "code",
    "blockquote",
    "expandable_blockquote",
    "text_link",
    "text_mention",
];

const KNOWN: [&str; 20] = [
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "code",
    "pre",
    "text_link",
    "text_mention",
    "custom_emoji",
    "blockquote",
    "expandable_blockquote",
    "mention",
    "hashtag",
    "cashtag",
    "bot_command",
    "url",
    "email",
    "phone_number",
    "date_time",
];

/// A formatted stretch of the stored text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// Its type, as Telegram names it.
    #[serde(rename = "type")]
    pub kind: String,
    /// First UTF-16 unit.
    pub offset: usize,
    /// Length in UTF-16 units.
    pub length: usize,
    /// Every other field, such as `url` or `language`.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Entity {
    /// One unit past the last.
    pub fn end(&self) -> usize {
        self.offset + self.length
    }

    fn is_quote(&self) -> bool {
        self.kind.ends_with("blockquote")
    }

    fn is_code(&self) -> bool {
        self.kind == "pre" || self.kind == "code"
    }

    /// Whether Telegram looks for nothing inside.
    pub(crate) fn shields(&self) -> bool {
        self.is_code() || self.kind == "text_link"
    }
}

fn refuse(why: &str) -> Refusal {
    Refusal::bad(&format!("can't parse entities: {why}"))
}

/// Checks the `entities` of a request and moves them to the stored text.
pub(crate) fn judge(sent: Option<&Value>, text: &Cleaned) -> Result<Vec<Entity>, Refusal> {
    let Some(sent) = sent else { return Ok(Vec::new()) };
    let sent = sent.as_array().ok_or_else(|| refuse("array expected"))?;
    let mut entities = sent
        .iter()
        .map(|entity| one(entity, text))
        .collect::<Result<Vec<_>, _>>()?;
    if entities
        .iter()
        .filter(|entity| COUNTED.contains(&entity.kind.as_str()))
        .count()
        > MOST
    {
        return Err(refuse("more than 100 pre, code, quote and link entities"));
    }
    for (n, first) in entities.iter().enumerate() {
        for second in &entities[n + 1..] {
            nest(first, second)?;
        }
    }
    entities.retain(|entity| entity.length > 0);
    Ok(entities)
}

fn one(sent: &Value, text: &Cleaned) -> Result<Entity, Refusal> {
    let entity: Entity = serde_json::from_value(sent.clone())
        .map_err(|error| refuse(&format!("malformed entity, {error}")))?;
    if !KNOWN.contains(&entity.kind.as_str()) {
        return Err(refuse(&format!("unsupported type \"{}\"", entity.kind)));
    }
    if entity.length == 0 {
        return Err(refuse("an entity is empty"));
    }
    let end = entity
        .offset
        .checked_add(entity.length)
        .filter(|end| *end <= text.sent_units());
    let end = end.ok_or_else(|| refuse("an entity ends behind the text"))?;
    let (Some(from), Some(to)) = (text.unit(entity.offset), text.unit(end)) else {
        return Err(refuse("an entity splits a surrogate pair"));
    };
    if entity.kind == "text_link" {
        let url = entity.more.get("url").and_then(Value::as_str).unwrap_or_default();
        crate::keyboard::public_url(url).map_err(|()| refuse(&format!("wrong link URL \"{url}\"")))?;
    }
    Ok(Entity {
        offset: from,
        length: to - from,
        ..entity
    })
}

/// Refuses two entities that cross, or lie in each other where they must not.
fn nest(first: &Entity, second: &Entity) -> Result<(), Refusal> {
    if first.end() <= second.offset || second.end() <= first.offset {
        return Ok(());
    }
    let (outer, inner) = if first.length >= second.length {
        (first, second)
    } else {
        (second, first)
    };
    if inner.offset < outer.offset || inner.end() > outer.end() {
        return Err(refuse(&format!(
            "\"{}\" and \"{}\" cross",
            outer.kind, inner.kind
        )));
    }
    if outer.is_quote() && inner.is_quote() {
        return Err(refuse("quotes do not nest"));
    }
    if outer.kind == inner.kind {
        return Err(refuse(&format!("\"{}\" inside itself", outer.kind)));
    }
    // Of two entities over the same stretch either may be the outer one.
    let same = outer.length == inner.length;
    let fits = |outer: &Entity, inner: &Entity| !outer.is_code() && (!inner.is_code() || outer.is_quote());
    if fits(outer, inner) || (same && fits(inner, outer)) {
        return Ok(());
    }
    Err(refuse(&format!("\"{}\" inside \"{}\"", inner.kind, outer.kind)))
}
