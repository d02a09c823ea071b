//! What every test of this room starts from: a small file that is right.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod arrives;
mod broken;
mod contract;
mod cut;
mod files;
mod include;
mod random;
mod schema;
mod warned;

use std::path::Path;

use super::{Environment, Problems, Settings, parse};

/// One chat, one log; the rules are the test's.
const BASE: &str = "[chats]\nme = 53395910\n[[logs]]\nname = \"app\"\nfiles = [\"/logs/*.log\"]\n";

/// A whole file with one rule of every default.
fn plain() -> String {
    format!("{BASE}[[rules]]\nname = \"panic\"\nmatch = 'panicked at'\n")
}

fn read(text: &str) -> Result<Settings, Problems> {
    parse(Path::new("rules.toml"), text, &Environment::default())
}

/// Reads a file that must be right, to editors too.
#[track_caller]
fn right(text: &str) -> Settings {
    let settings = read(text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    if let Err(why) = schema::valid(&toml::from_str(text).unwrap()) {
        panic!("the schema refuses what the program accepts: {why}\n{text}");
    }
    settings
}

/// The places marked with `¦`, as line and column, and the text without the marks.
fn unmark(marked: &str) -> (String, Vec<(usize, usize)>) {
    let mut places = Vec::new();
    let mut text = String::new();
    for c in marked.chars() {
        if c == '¦' {
            let line = text.matches('\n').count() + 1;
            let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            places.push((line, column));
        } else {
            text.push(c);
        }
    }
    (text, places)
}

/// Reads a file whose problems stand exactly at the marks, and shows them.
#[track_caller]
fn wrong(marked: &str) -> String {
    let (text, places) = unmark(marked);
    let problems = read(&text).expect_err("this file should be refused");
    let found: Vec<_> = problems
        .iter()
        .map(|problem| (problem.line().unwrap(), problem.column().unwrap()))
        .collect();
    assert_eq!(found, places, "{problems}");
    problems.to_string()
}

/// The same for the lines of a rule named "a", below [`BASE`].
#[track_caller]
fn wrong_rule(marked: &str) -> String {
    wrong(&format!("{BASE}[[rules]]\nname = \"a\"\n{marked}\n"))
}
