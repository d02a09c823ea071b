//! The fields of an event: what `where` and `by` ask for, and the message that people are shown.
//!
//! They are read only once somebody asks, of one event at a time. Whatever cannot be read has no fields; the text
//! itself is never changed by this.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::time::{self, Reference};
use super::{Format, Place, level};
use crate::model::Timestamp;

/// Where programs put what people read, the first that is there.
const MESSAGES: [&str; 4] = ["msg", "message", "log", "event"];

/// Where programs put their level, besides `level`.
const LEVELS: [&str; 7] = [
    "severity",
    "lvl",
    "levelname",
    "loglevel",
    "log_level",
    "log.level",
    "@l",
];

/// Where programs put the time.
const TIMES: [&str; 7] = ["time", "timestamp", "@timestamp", "ts", "datetime", "@t", "date"];

/// A field's name has at most so many dots; behind them no field is looked for.
const DEPTH: usize = 16;

/// The fields of one event.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// What the place of the file says.
    place: Arc<Place>,
    /// What a container runtime says about the text.
    around: Map<String, Value>,
    /// What the text says itself. Of a sentence only once somebody asks: few do, and all events have passed here.
    inside: OnceCell<Map<String, Value>>,
    /// A sentence whose pairs were not looked for yet; else so much of the text as may hold its level.
    text: Vec<u8>,
    /// A pair in a sentence is a field, but no message that could stand for the sentence.
    has_message: bool,
}

impl Fields {
    /// The fields of a text in a log of this format; of a wrapped one, as the program wrote it.
    pub fn of(format: Format, text: &[u8]) -> Self {
        let inside = match format {
            Format::Plain => Some(Map::new()),
            Format::Json => Some(object(text)),
            Format::Logfmt => Some(pairs(text).0),
            // Programs of all kinds stand behind these.
            Format::Auto | Format::Docker | Format::Cri => parsed(text).map(|(_, fields)| fields),
        };
        let kept = match &inside {
            // In an object every word is a value, and none of them a level of its own.
            Some(fields) if !fields.is_empty() && text.trim_ascii_start().starts_with(b"{") => 0,
            Some(_) => text.len().min(2 * level::HEAD),
            None => text.len(),
        };
        Self {
            has_message: inside.is_some(),
            inside: inside.map_or_else(OnceCell::new, OnceCell::from),
            text: text[..kept].to_vec(),
            ..Self::default()
        }
    }

    /// The same with what the line around the text says.
    pub(super) fn wrapped(self, around: Map<String, Value>) -> Self {
        Self { around, ..self }
    }

    /// The same with what the place of the file says.
    #[must_use]
    pub fn at(self, place: Arc<Place>) -> Self {
        Self { place, ..self }
    }

    /// The value of a field as text. Its name is the way to it, with dots between the steps; what is no text, number
    /// or truth value is as JSON writes it.
    pub fn get(&self, name: &str) -> Option<String> {
        let maps = [self.place.fields(), &self.around, self.inside()];
        let value = maps.into_iter().find_map(|map| find(map, name, DEPTH));
        match value {
            Some(value) => Some(text_of(value)),
            None if name == "level" => self.level(),
            None => None,
        }
    }

    /// What the text says itself.
    fn inside(&self) -> &Map<String, Value> {
        self.inside.get_or_init(|| pairs(&self.text).0)
    }

    /// The level where no field has that very name: what another well-known one says, else the text.
    fn level(&self) -> Option<String> {
        let inside = self.inside();
        let mut others = LEVELS.iter().filter_map(|name| find(inside, name, DEPTH));
        let other = others.next().map(text_of);
        other.or_else(|| level::of(&self.text).map(|level| level.as_str().to_owned()))
    }

    /// When the record says that it was written: in a field of its own, in its text, or as the container runtime says.
    pub fn time(&self, text: &[u8], reference: Reference<'_>) -> Option<Timestamp> {
        let of_field = |map, name: &&str| time::of_value(&text_of(find(map, name, 1)?), reference);
        // Of a sentence the text tells, and its pairs need not be looked for.
        let inside = self.inside.get();
        let own = inside.and_then(|inside| TIMES.iter().find_map(|name| of_field(inside, name)));
        own.or_else(|| time::of_text(super::plain_head(text, time::HEAD).as_bytes(), reference))
            .or_else(|| of_field(&self.around, &"time"))
    }

    /// All of them, each with its way and its value, as [`Fields::get`] takes and gives them; those of a table in
    /// place of the table.
    pub fn list(&self) -> Vec<(String, String)> {
        let mut list = Vec::new();
        for object in [self.place.fields(), &self.around, self.inside()] {
            leaves(object, "", DEPTH, &mut list);
        }
        // The first of a name is the one that is found by it.
        let mut seen = HashSet::new();
        list.retain(|(way, _)| seen.insert(way.clone()));
        list
    }

    /// What people are shown instead of the whole text.
    pub fn message(&self) -> Option<&str> {
        if !self.has_message {
            return None;
        }
        let texts = MESSAGES
            .iter()
            .filter_map(|name| self.inside().get(*name)?.as_str());
        let mut texts = texts.filter(|text| !text.trim().is_empty());
        texts.next()
    }
}

fn leaves(object: &Map<String, Value>, way: &str, depth: usize, list: &mut Vec<(String, String)>) {
    for (name, value) in object {
        let way = format!("{way}{name}");
        match value {
            Value::Object(inner) if !inner.is_empty() && depth > 0 => {
                leaves(inner, &format!("{way}."), depth - 1, list);
            }
            value => list.push((way, text_of(value))),
        }
    }
}

/// A value as people write it.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A name may itself hold dots: the longest that is there counts.
fn find<'v>(object: &'v Map<String, Value>, name: &str, depth: usize) -> Option<&'v Value> {
    if let Some(value) = object.get(name) {
        return Some(value);
    }
    let depth = depth.checked_sub(1)?;
    let mut dots = name.rmatch_indices('.');
    dots.find_map(|(at, _)| match object.get(&name[..at])? {
        Value::Object(inner) => find(inner, &name[at + 1..], depth),
        Value::Array(items) => {
            let index: usize = name[at + 1..].parse().ok()?;
            items.get(index)
        }
        _ => None,
    })
}

/// A JSON object; of keys that stand there twice the last one. The parser bounds the depth.
pub(super) fn object(text: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(text).unwrap_or_default()
}

/// Whether a line is an object of JSON, or nothing but pairs of logfmt.
pub(super) fn kind(line: &[u8]) -> Option<Format> {
    parsed(line).map(|(kind, _)| kind)
}

/// The fields of a line that is an object of JSON, or nothing but pairs of logfmt, and which of them it is.
fn parsed(line: &[u8]) -> Option<(Format, Map<String, Value>)> {
    let line = line.trim_ascii();
    if line.starts_with(b"{") {
        let fields = if line.ends_with(b"}") {
            object(line)
        } else {
            Map::new()
        };
        return (!fields.is_empty()).then_some((Format::Json, fields));
    }
    // A sentence is told by its first word.
    let key = line
        .split(|byte| byte.is_ascii_whitespace() || *byte == b'=')
        .next()?;
    line.get(key.len()).filter(|byte| **byte == b'=')?;
    let (fields, others) = pairs(line);
    (fields.len() > 1 && others == 0).then_some((Format::Logfmt, fields))
}

/// `key=value` and `key="quoted \"value\""`, and how many words are no such pair.
fn pairs(text: &[u8]) -> (Map<String, Value>, usize) {
    let text = String::from_utf8_lossy(text);
    let mut rest = &*text;
    let mut pairs = Map::new();
    let mut others = 0;
    loop {
        rest = rest.trim_start();
        let end = rest
            .find(|c: char| c.is_whitespace() || c == '=')
            .unwrap_or(rest.len());
        let (key, behind) = rest.split_at(end);
        let Some(value) = behind.strip_prefix('=') else {
            others += usize::from(!key.is_empty());
            if behind.is_empty() {
                return (pairs, others);
            }
            rest = behind;
            continue;
        };
        let (value, behind) = if let Some(quoted) = value.strip_prefix('"') {
            unquote(quoted)
        } else {
            let end = value.find(char::is_whitespace).unwrap_or(value.len());
            (value[..end].to_owned(), &value[end..])
        };
        if !key.is_empty() {
            pairs.insert(key.to_owned(), Value::String(value));
        }
        rest = behind;
    }
}

/// What stands up to the closing quote, and behind it. A quote that is never closed holds the rest.
fn unquote(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, other)) => value.push(other),
                None => value.push('\\'),
            },
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn is(fields: &Fields, name: &str, expected: Option<&str>) {
        assert_eq!(fields.get(name).as_deref(), expected, "{name}");
    }

    #[test]
    fn fields_of_json_are_found_by_their_way() {
        let line = br#"{"level":"error","http":{"status":502,"a.b":{"c":1.5}},"http.path":"/x","tags":["a",{}],"ok":true,"no":null,"level":"fatal"}"#;
        let fields = Fields::of(Format::Json, line);
        is(&fields, "level", Some("fatal"));
        is(&fields, "http.status", Some("502"));
        is(&fields, "http.path", Some("/x"));
        is(&fields, "http.a.b.c", Some("1.5"));
        is(&fields, "tags.0", Some("a"));
        is(&fields, "tags", Some(r#"["a",{}]"#));
        is(&fields, "ok", Some("true"));
        is(&fields, "no", Some("null"));
        for absent in ["", ".", "http.", "http.status.x", "tags.2", "tags.-1", "levels"] {
            is(&fields, absent, None);
        }
    }

    #[test]
    fn every_field_that_is_listed_is_found_by_its_way() {
        let line = br#"{"level":"error","http":{"status":502,"a.b":{"c":1.5}},"tags":["a"],"none":{}}"#;
        let fields = Fields::of(Format::Json, line);
        let list = fields.list();
        let names: Vec<_> = list.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["http.a.b.c", "http.status", "level", "none", "tags"]);
        for (name, value) in &list {
            is(&fields, name, Some(value));
        }
    }

    #[test]
    fn what_is_no_object_has_no_fields() {
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        for text in ["[1]", "{\"a\":", "7", "", "{\"a\":1e999}", deep.as_str()] {
            assert!(
                Fields::of(Format::Json, text.as_bytes()).inside().is_empty(),
                "{text:.20}"
            );
        }
        let long = "9".repeat(1000);
        let fields = Fields::of(Format::Json, br#"{"n":123456789012345678901234567890}"#);
        assert!(
            fields.get("n").unwrap().starts_with("1.23456789"),
            "a huge number is rounded"
        );
        Fields::of(Format::Json, format!("{{\"n\":{long}}}").as_bytes());
    }

    #[test]
    fn fields_of_logfmt_may_be_quoted() {
        let fields = Fields::of(
            Format::Logfmt,
            b"time=now level=error msg=\"a \\\"b\\\" \\\\ c\" empty= word x=\"open end",
        );
        is(&fields, "level", Some("error"));
        is(&fields, "msg", Some("a \"b\" \\ c"));
        is(&fields, "empty", Some(""));
        is(&fields, "word", None);
        is(&fields, "x", Some("open end"));
        assert_eq!(fields.message(), Some("a \"b\" \\ c"));
    }

    #[test]
    fn the_message_is_the_first_text_under_a_well_known_name() {
        let message = |line: &str| {
            let fields = Fields::of(Format::Json, line.as_bytes());
            fields.message().map(str::to_owned)
        };
        assert_eq!(message(r#"{"event":"e","message":"m"}"#).as_deref(), Some("m"));
        assert_eq!(message(r#"{"msg":" ","event":"e"}"#).as_deref(), Some("e"));
        assert_eq!(message(r#"{"msg":7,"text":"x"}"#), None);
    }

    #[test]
    fn a_container_holds_programs_of_both_kinds() {
        is(
            &Fields::of(Format::Docker, br#"{"level":"x"}"#),
            "level",
            Some("x"),
        );
        is(&Fields::of(Format::Cri, b"level=x"), "level", Some("x"));
        is(&Fields::of(Format::Plain, b"level=x"), "level", None);
        let message = |text: &[u8]| Fields::of(Format::Docker, text).message().map(str::to_owned);
        assert_eq!(message(br#"{"msg":"m"}"#).as_deref(), Some("m"));
        assert_eq!(
            message(b"ERROR writing log=/var/log/x failed"),
            None,
            "nothing of a sentence is left out"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_and_no_names_make_it_panic(text in "[{}\"a=\\\\ .,:\\[\\]1한]{0,60}", name in "[a.1한]{0,60}") {
            for format in [Format::Json, Format::Logfmt, Format::Docker] {
                let fields = Fields::of(format, text.as_bytes());
                fields.get(&name);
                fields.message();
            }
        }
    }
}
