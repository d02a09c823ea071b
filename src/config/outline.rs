//! What a rules.toml says, entry by entry, for telling what is different in the next one.
//!
//! The values are compared as they are written, defaults filled in, and never as settings: whoever adds a key adds
//! nothing here. The price is that another spelling of the same thing (a string for a list of one) counts as a
//! change, which harms nobody. What is kept may hold a token, so it is shown to nobody.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use toml::de::{DeTable, DeValue};

use super::Environment;
use super::expand::expand;
use crate::model::{Changed, Changes, Names};

/// Keys of `[telegram]` that the connection is built from; it is built once. So is the fence.
const BUILT_ONCE: [&str; 4] = ["api_url", "proxy", "token", "token_file"];

/// A key and its value as it is written.
type Entry = BTreeMap<String, String>;

/// The entries of one rules.toml.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Outline {
    rules: BTreeMap<String, Entry>,
    logs: BTreeMap<String, Entry>,
    chats: BTreeMap<String, Entry>,
    /// Every other key, with the name of its table before it.
    others: Entry,
    defaults: Entry,
}

impl fmt::Debug for Outline {
    /// The names alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outline")
            .field("rules", &self.rules.keys())
            .field("logs", &self.logs.keys())
            .field("chats", &self.chats.keys())
            .finish_non_exhaustive()
    }
}

impl Outline {
    /// Takes the entries of a document. What is no rules.toml is left out: that it is wrong is said elsewhere.
    pub(super) fn add(&mut self, document: &DeTable<'_>, env: &Environment) {
        for (key, value) in document {
            let key: &str = key.get_ref();
            match (key, value.get_ref()) {
                ("rules", DeValue::Array(_)) => self.rules.extend(named(value.get_ref(), env)),
                ("logs", DeValue::Array(_)) => self.logs.extend(named(value.get_ref(), env)),
                ("chats", DeValue::Table(chats)) => self.chats.extend(chats_of(chats)),
                ("defaults", DeValue::Table(defaults)) => self.defaults.extend(entry(defaults)),
                (_, DeValue::Table(table)) => {
                    let named = entry(table).into_iter();
                    let named = named.map(|(name, value)| (format!("{key}.{name}"), value));
                    self.others.extend(named);
                }
                (_, value) => drop(self.others.insert(key.to_owned(), written(value))),
            }
        }
    }

    /// What is different in `new`.
    pub fn changes(&self, new: &Self) -> Changes {
        let other_keys = self.others.keys().chain(new.others.keys());
        let mut different: Vec<&String> = other_keys
            .filter(|key| self.others.get(*key) != new.others.get(*key))
            .collect();
        different.sort();
        different.dedup();
        let built_once = |key: &&String| {
            let connection = key.strip_prefix("telegram.");
            connection.is_some_and(|key| BUILT_ONCE.contains(&key)) || key.starts_with("fence.")
        };
        let (restart, others): (Vec<&String>, Vec<&String>) = different.into_iter().partition(built_once);
        let short = |key: &String| key.strip_prefix("telegram.").unwrap_or(key).to_owned();
        Changes {
            rules: changed(&self.rules, &new.rules),
            logs: changed(&self.logs, &new.logs),
            chats: changed(&self.chats, &new.chats),
            others: others.into_iter().map(short).collect(),
            restart: restart.into_iter().map(short).collect(),
        }
    }

    /// The names of the rules that are not in `old`, or say something else there.
    pub fn new_rules<'a>(&'a self, old: &'a Self) -> impl Iterator<Item = &'a str> {
        let new = self.rules.iter();
        new.filter(|(name, entry)| old.rules.get(*name) != Some(*entry))
            .map(|(name, _)| name.as_str())
    }

    /// Fills in the defaults, once all documents are there: a rule's value replaces the default's; those of `redact`
    /// add up.
    pub(super) fn finish(&mut self) {
        let defaults = std::mem::take(&mut self.defaults);
        for rule in self.rules.values_mut() {
            for (key, value) in &defaults {
                let own = rule.entry(key.clone()).or_default();
                if own.is_empty() {
                    own.clone_from(value);
                } else if key == "redact" {
                    own.push_str(value);
                }
            }
        }
    }
}

fn changed(old: &BTreeMap<String, Entry>, new: &BTreeMap<String, Entry>) -> Changed {
    let missing_in = |there: &BTreeMap<String, Entry>, here: &BTreeMap<String, Entry>| -> Names {
        let names = here.keys().filter(|name| !there.contains_key(*name));
        names.cloned().collect()
    };
    let differs = |(name, entry): &(&String, &Entry)| old.get(*name).is_some_and(|old| old != *entry);
    Changed {
        added: missing_in(old, new),
        changed: new.iter().filter(differs).map(|(name, _)| name.clone()).collect(),
        removed: missing_in(new, old),
    }
}

/// A list of tables that have names.
fn named(list: &DeValue<'_>, env: &Environment) -> BTreeMap<String, Entry> {
    let tables = list.as_array().into_iter().flat_map(|list| list.iter());
    let tables = tables.filter_map(|item| item.get_ref().as_table());
    let named = tables.filter_map(|table| {
        let name = table.get("name")?.get_ref().as_str()?;
        Some((expand(name, env).ok()?, entry(table)))
    });
    named.collect()
}

fn chats_of(chats: &DeTable<'_>) -> BTreeMap<String, Entry> {
    let chat = |value: &DeValue<'_>| match value {
        DeValue::Table(table) => entry(table),
        // The short form.
        id => Entry::from([("id".to_owned(), written(id))]),
    };
    let named = chats.iter();
    named
        .map(|(name, value)| (name.get_ref().to_string(), chat(value.get_ref())))
        .collect()
}

fn entry(table: &DeTable<'_>) -> Entry {
    let keys = table.iter();
    keys.map(|(key, value)| (key.get_ref().to_string(), written(value.get_ref())))
        .collect()
}

/// A value as text that is the same for the same value alone.
fn written(value: &DeValue<'_>) -> String {
    let mut text = String::new();
    write_value(value, &mut text);
    text
}

fn write_value(value: &DeValue<'_>, out: &mut String) {
    // Writing into a string cannot fail.
    let _ = match value {
        DeValue::String(text) => write!(out, "{text:?}"),
        DeValue::Integer(number) => write!(out, "{number}"),
        DeValue::Float(number) => write!(out, "{number}"),
        DeValue::Boolean(boolean) => write!(out, "{boolean}"),
        DeValue::Datetime(time) => write!(out, "{time}"),
        DeValue::Array(items) => {
            out.push('[');
            for item in items {
                write_value(item.get_ref(), out);
                out.push(',');
            }
            out.push(']');
            Ok(())
        }
        DeValue::Table(table) => {
            out.push('{');
            for (key, value) in table {
                let _ = write!(out, "{:?}=", key.get_ref());
                write_value(value.get_ref(), out);
                out.push(',');
            }
            out.push('}');
            Ok(())
        }
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::super::parse;
    use super::*;

    const BASE: &str = "host = \"a\"\n[telegram]\nupdates = \"off\"\n[chats]\nme = 1\n\
                        [[logs]]\nname = \"app\"\nfiles = [\"/l/*.log\"]\n";

    fn outline(text: &str) -> Outline {
        let text = format!("{BASE}{text}");
        parse(Path::new("r"), &text, &Environment::default())
            .unwrap()
            .outline
    }

    fn rule(name: &str, more: &str) -> String {
        format!("[[rules]]\nname = \"{name}\"\nmatch = 'x'\n{more}")
    }

    fn names(names: &[&str]) -> Names {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_came_what_went_and_what_says_something_else_is_told_apart() {
        let old = outline(&(rule("a", "") + &rule("b", "wait = \"1s\"\n") + &rule("c", "")));
        let new = outline(&(rule("d", "") + &rule("b", "wait = \"2s\"\n") + &rule("a", "# a comment\n")));
        let changes = old.changes(&new);
        let expected = Changed {
            added: names(&["d"]),
            changed: names(&["b"]),
            removed: names(&["c"]),
        };
        assert_eq!(changes.rules, expected);
        assert_eq!(new.new_rules(&old).collect::<Vec<_>>(), ["b", "d"]);
        let rest = Changes {
            rules: expected,
            ..Changes::default()
        };
        assert_eq!(changes, rest);
    }

    #[test]
    fn comments_blanks_and_order_change_nothing() {
        let old = outline(&(rule("a", "quiet = \"1h\"\nwait = \"1s\"\n") + &rule("b", "")));
        let new = outline(&(rule("b", "\n\n") + &rule("a", "wait   = '1s' # so\nquiet = \"1h\"\n")));
        assert!(old.changes(&new).is_empty());
    }

    #[test]
    fn a_default_changes_the_rules_that_do_not_say_it_themselves() {
        let rules = rule("own", "wait = \"5s\"\n") + &rule("default", "");
        let old = outline(&format!("[defaults]\nwait = \"1s\"\n{rules}"));
        let new = outline(&format!("[defaults]\nwait = \"2s\"\n{rules}"));
        assert_eq!(old.changes(&new).rules.changed, names(&["default"]));
        let hides = outline(&format!("[defaults]\nwait = \"1s\"\nredact = ['y']\n{rules}"));
        assert_eq!(old.changes(&hides).rules.changed, names(&["default", "own"]));
    }

    #[test]
    fn what_the_connection_is_built_from_is_told_apart_from_what_changes_at_once() {
        let old = outline(&rule("a", ""));
        let text = BASE
            .replace("host = \"a\"", "host = \"b\"")
            .replace("[chats]", "proxy = \"http://p:1\"\ntoken_file = \"/t\"\n[chats]")
            + &rule("a", "");
        let new = parse(Path::new("r"), &text, &Environment::default()).unwrap();
        let changes = old.changes(&new.outline);
        assert_eq!(changes.others, names(&["host"]));
        assert_eq!(changes.restart, names(&["proxy", "token_file"]));
    }

    #[test]
    fn long_lists_are_counted() {
        let new: String = (0..9).map(|n| rule(&format!("r{n}"), "")).collect();
        let changes = outline(&rule("r0", "")).changes(&outline(&new));
        assert_eq!(changes.rules.added.count, 8);
        assert_eq!(changes.rules.added.first.len(), 5);
    }

    #[test]
    fn no_value_is_ever_printed() {
        let text = format!("{BASE}{}", rule("a", "")).replace("[chats]", "token = \"1:canary\"\n[chats]");
        let settings = parse(Path::new("r"), &text, &Environment::default()).unwrap();
        assert!(!format!("{settings:?}").contains("canary"));
    }
}
