//! What templates and buttons can say: `explain --fields`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::config::LogRules;
use crate::event::{Events, Scratch};
use crate::message;
use crate::scan::Pattern;

use super::{manner, shown};

/// So many events of a file are looked at for fields.
const EVENTS: usize = 1_000;
/// So many fields are listed per log.
const FIELDS: usize = 100;

/// What there is whatever rules.toml says.
pub(super) fn always() -> String {
    let mut page = String::from("In templates and links:\n");
    let everywhere = message::OWN.iter().chain(&message::OF_MATCH);
    rows(&mut page, everywhere);
    page.push_str("\nIn templates only:\n");
    rows(&mut page, message::OF_TEMPLATE.iter());
    page.push_str("\nFilters of templates:\n");
    rows(&mut page, message::FILTERS.iter());
    page
}

fn rows<'n>(page: &mut String, names: impl Iterator<Item = &'n (&'n str, &'n str)>) {
    for (name, about) in names {
        // A `String` takes everything.
        let _ = writeln!(page, "  {name:<12} {about}");
    }
}

/// The captures and the `by` of the rules.
pub(super) fn of_rules(logs: &[&LogRules], only: Option<&str>) -> String {
    let mut rules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in logs.iter().flat_map(|log| &log.scan.rules) {
        if only.is_some_and(|only| only != rule.name.as_str()) {
            continue;
        }
        let names = rules.entry(rule.name.as_str()).or_default();
        let patterns = rule.matches.iter().chain(&rule.all);
        let captures = patterns.flat_map(Pattern::captures);
        for name in captures.chain(rule.by.iter().map(String::as_str)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let mut page = String::from("\nOf each rule, its captures and its `by`:\n");
    for (rule, names) in rules {
        let names = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        let _ = writeln!(page, "  {rule}: {names}");
    }
    page
}

/// The fields of the first lines, each with its first value.
pub(super) fn of_lines(logs: &[&LogRules], file: &Path, bytes: &[u8]) -> String {
    let mut page = String::new();
    for log in logs {
        let events = Events::new(log.event.clone());
        let mut scratch = Scratch::default();
        let lines = events.lines(bytes, 0, manner(log, file, bytes), &mut scratch);
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        let mut at = 0;
        for _ in 0..EVENTS {
            if at >= lines.bytes().len() {
                break;
            }
            let placed = lines.around(at, at);
            at = placed.next;
            for (name, value) in lines.fields(&placed.event).list() {
                if fields.len() < FIELDS || fields.contains_key(&name) {
                    fields.entry(name).or_insert(value);
                }
            }
        }
        let _ = writeln!(page, "\nFields of these lines, read as log {}:", log.name);
        for (name, value) in &fields {
            let _ = writeln!(page, "  {name} = {}", shown(value));
        }
        if fields.is_empty() {
            page.push_str("  none\n");
        }
    }
    page
}
