//! rules.toml as a JSON Schema (draft 2020-12), for completion in editors.
//!
//! Made from the rows of `key`, which also say what is accepted. It promises one direction only: what the
//! schema refuses, the program refuses too. The other way round it knows types, words and names, and leaves
//! what values mean (patterns, globs, bounds, who refers to whom) to `tailgram check`.
//!
//! Nothing here is newer than draft 7, which is what some editors know, and nothing refers to another place.
//!
//! The trap: a string may hold `${VAR}`, so whatever narrows a string has to let those through.

use serde_json::{Value, json};

use super::key::{self, Key, Kind};
use super::keys::Table;

/// Names of rules, logs and chats. Letters of other scripts are fine; dialects of patterns differ about
/// which these are, so everything outside ASCII is let through.
const NAME: &str = r"^([0-9A-Za-z_.-]|[^\x00-\x7F]){1,64}$";
const DURATION: &str = r"^\s*[0-9]+\s*(ms|s|m|min|h|d)\s*$";
const SIZE: &str = r"^\s*[0-9]+\s*(B|KB|kB|KiB|MB|MiB)\s*$";
const RATE: &str = r"^\s*\+?[0-9]*[1-9][0-9]*\s*/\s*(s|sec|m|min|h|d)\s*$";
const HOURS: &str = r"^\s*([01]?[0-9]|2[0-3]):[0-5][0-9]\s*-\s*(([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00)\s*$";
const TIME: &str = r"^\s*([01]?[0-9]|2[0-3]):[0-5][0-9]\s*$";
const CHAT_ID: &str = r"^\s*([+-]?[0-9]+|@[A-Za-z][0-9A-Za-z_]{3,31})\s*$";
/// What a string with a variable in it holds is only known when it runs.
const VARIABLE: &str = r"\$\{";

/// The largest id of a chat.
const MAX_ID: i64 = (1 << 52) - 1;

/// The schema, as text.
pub fn schema() -> String {
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rules.toml of tailgram",
        "description": "Which log files to follow, what to look for in them, and whom to tell in Telegram.",
    });
    merge(&mut root, table(Table::Top));
    format!("{root:#}\n")
}

/// A table with its keys, and no other.
fn table(table: Table) -> Value {
    let properties: serde_json::Map<_, _> = key::of(table)
        .map(|key| (key.name.to_owned(), property(key)))
        .collect();
    let needed: Vec<_> = key::of(table)
        // All of `[defaults]` may be left out.
        .filter(|key| key.needed && table != Table::Defaults)
        .map(|key| key.name)
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !needed.is_empty() {
        merge(&mut schema, json!({ "required": needed }));
    }
    if table == Table::Rule {
        merge(&mut schema, looks_for_something());
    }
    schema
}

/// A rule has `match`, `where`, or `all` with a pattern in it.
fn looks_for_something() -> Value {
    json!({ "anyOf": [
        { "required": ["match"] },
        { "required": ["where"] },
        { "required": ["all"], "properties": { "all": { "minItems": 1 } } },
    ] })
}

/// One key with its type, what it is for, and its default.
fn property(key: &Key) -> Value {
    let mut schema = holds(key.kind);
    merge(&mut schema, json!({ "description": key.about }));
    if let Some(default) = key.default {
        merge(&mut schema, json!({ "default": default }));
    }
    if key.needed && matches!(key.kind, Kind::Tables(_)) {
        merge(&mut schema, json!({ "minItems": 1 }));
    }
    schema
}

fn holds(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Texts => json!({ "type": ["string", "array"], "items": { "type": "string" } }),
        Kind::SomeTexts => {
            json!({ "type": ["string", "array"], "items": { "type": "string" }, "minItems": 1 })
        }
        Kind::Name => string(NAME),
        Kind::LogName => {
            let mut name = string(NAME);
            merge(&mut name, json!({ "not": { "pattern": "^[0-9]+$" } }));
            name
        }
        // Apart from the words, so that editors offer them.
        Kind::Choice(words) => {
            json!({ "type": "string", "anyOf": [{ "enum": words }, { "pattern": VARIABLE }] })
        }
        Kind::ChoiceOr(words, inner) => {
            let variable = json!({ "type": "string", "pattern": VARIABLE });
            json!({ "anyOf": [{ "enum": words }, variable, one_of(table(inner))] })
        }
        Kind::Only(word) => {
            let pattern = format!("^{}$|{VARIABLE}", any_case(word));
            json!({ "type": "string", "anyOf": [{ "enum": [word] }, { "pattern": pattern }] })
        }
        Kind::Duration => string(DURATION),
        Kind::Size => string(SIZE),
        Kind::Rate => string(RATE),
        Kind::Hours => string(HOURS),
        Kind::TimeOfDay => string(TIME),
        Kind::ChatId => chat_id(),
        Kind::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Conditions => json!({
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "type": ["string", "number", "boolean", "array", "object"],
                "items": { "type": ["string", "number", "boolean"] },
                "minItems": 1,
            },
        }),
        Kind::Table(inner) => table(inner),
        Kind::Tables(inner) => json!({ "type": "array", "items": table(inner) }),
        Kind::Chats => json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": { "pattern": NAME },
            "additionalProperties": { "anyOf": [chat_id(), table(Table::Chat)] },
        }),
    }
}

/// A table with exactly one of its keys.
fn one_of(mut table: Value) -> Value {
    merge(&mut table, json!({ "minProperties": 1, "maxProperties": 1 }));
    table
}

/// A string of this form, or one with a variable in it.
fn string(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": format!("{pattern}|{VARIABLE}") })
}

/// The pattern of a word in small or capital letters; no dialect-independent switch says that.
fn any_case(word: &str) -> String {
    let either = |c: char| match c.to_ascii_uppercase() {
        upper if upper == c => c.to_string(),
        upper => format!("[{upper}{c}]"),
    };
    word.chars().map(either).collect()
}

/// What speaks of numbers leaves strings alone, and the other way round.
fn chat_id() -> Value {
    json!({
        "type": ["integer", "string"],
        "minimum": -MAX_ID,
        "maximum": MAX_ID,
        "not": { "const": 0 },
        "pattern": format!("{CHAT_ID}|{VARIABLE}"),
    })
}

/// Adds what one schema says to another.
fn merge(schema: &mut Value, more: Value) {
    if let (Value::Object(schema), Value::Object(more)) = (schema, more) {
        schema.extend(more);
    }
}
