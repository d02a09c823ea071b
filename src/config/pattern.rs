//! Regular expressions of rules.toml, with the place of what is wrong *inside* them.

use std::ops::Range;

use super::problem::Report;
use super::table::{Word, Words, inside};
use crate::scan::{Pattern, PatternError};

/// What a list of patterns is for. It decides what a pattern that finds every line would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Match,
    All,
    Unless,
    Resolve,
    Ignore,
    Start,
    Continue,
    Redact,
    Where,
}

impl Role {
    /// What happens if every line is found.
    fn if_all(self) -> &'static str {
        match self {
            Role::Match => "so the rule finds every line",
            Role::All => "so it does not narrow the rule down",
            Role::Unless => "so the rule never finds anything",
            Role::Resolve => "so every line ends the rule's incidents and none is a match",
            Role::Ignore => "so no rule ever sees a line of this log",
            Role::Start => "so every line is an event of its own",
            Role::Continue => "so the whole file is one event",
            Role::Where => "so it holds for every event with this field",
            Role::Redact => "so it does not tell what is secret",
        }
    }
}

/// Compiles all of them, reporting each that does not compile.
pub(super) fn compile(words: Option<&Words>, role: Role, report: &mut Report<'_>) -> Vec<Pattern> {
    let words = words.map_or(&[][..], |words| &words.value);
    words
        .iter()
        .filter_map(|word| compile_one(word, role, report))
        .collect()
}

pub(super) fn compile_one(word: &Word, role: Role, report: &mut Report<'_>) -> Option<Pattern> {
    match Pattern::parse(&word.value) {
        Ok(_) if role == Role::Redact && regex::Regex::new(&word.value).is_err() => {
            let what = "this pattern can find single bytes, and `redact` works on text".to_owned();
            report.problem(&word.at, what, "take (?-u) out, and bytes such as \\xFF");
            None
        }
        Ok(pattern) => {
            if finds_everything(&pattern) {
                let what = format!("this pattern finds every line, {}", role.if_all());
                report.warn(
                    Some(&word.at),
                    what,
                    "`*` and `?` also allow nothing at all; write `+`, or the words that must be there",
                );
            }
            Some(pattern)
        }
        Err(error) => {
            refuse(word, &error, report);
            None
        }
    }
}

/// Whether it finds lines that have nothing in common. `^$` finds the empty line alone and is fine.
fn finds_everything(pattern: &Pattern) -> bool {
    ["", "a", " ", "7", "[é\t"]
        .iter()
        .all(|line| pattern.regex().is_match(line.as_bytes()))
}

fn refuse(word: &Word, error: &PatternError, report: &mut Report<'_>) {
    let what = format!("not a regular expression: {}", brief(&error.what));
    let cure = cure(&error.what);
    match inside(report.text(), &word.at, &word.value, &error.at) {
        Some(at) => report.problem(&at, what, cure),
        None => report.problem(
            &word.at,
            what,
            format!("{cure}\n{}", snippet(&word.value, &error.at)),
        ),
    }
}

/// The pattern as it was understood, where the file shows it with escapes or variables.
fn snippet(pattern: &str, at: &Range<usize>) -> String {
    let count = |range: Range<usize>| pattern.get(range).map_or(0, |part| part.chars().count());
    let carets = "^".repeat(count(at.clone()).max(1));
    let shown: String = pattern
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!(
        "the pattern, with escapes and variables resolved:\n  {shown}\n  {:indent$}{carets}",
        "",
        indent = count(0..at.start)
    )
}

/// The engine's words, on one line.
fn brief(what: &str) -> String {
    let line = what
        .lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())
        .unwrap_or("it does not compile");
    line.trim_start_matches("error: ")
        .trim_end_matches('.')
        .to_owned()
}

fn cure(what: &str) -> &'static str {
    let cures = [
        (
            "look-around",
            "look-around is not available in this engine, which never slows down on long lines; put what must not be there into `unless`, what must be there too into `all`",
        ),
        (
            "backreference",
            "backreferences are not available in this engine, which never slows down on long lines; write out the cases, or use `all`",
        ),
        (
            "unclosed group",
            "close the group with `)`; a literal parenthesis is written \\(",
        ),
        (
            "unopened group",
            "open the group with `(`; a literal parenthesis is written \\)",
        ),
        (
            "unclosed character class",
            "close the class with `]`; a literal bracket is written \\[",
        ),
        (
            "repetition operator missing",
            "put something before it; literal characters are written \\* \\+ \\?",
        ),
        (
            "repetition quantifier",
            "a repetition is {n}, {n,} or {n,m}; a literal brace is written \\{",
        ),
        (
            "counted repetition",
            "a repetition is {n}, {n,} or {n,m}; a literal brace is written \\{",
        ),
        (
            "decimal literal",
            "a repetition is {n}, {n,} or {n,m}; a literal brace is written \\{",
        ),
        (
            "unrecognized escape",
            "take the backslash away, or double it to mean a backslash",
        ),
        (
            "duplicate capture",
            "give each capture of one pattern its own name",
        ),
        (
            "size limit",
            "the pattern is too large; make its repetitions {n,m} smaller, or write a list of patterns",
        ),
    ];
    let found = cures.iter().find(|(word, _)| what.contains(word));
    found.map_or("the syntax is that of the Rust regex crate; put a backslash before a character that is meant literally", |(_, cure)| cure)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_pattern_that_finds_every_line_is_told_from_one_that_finds_the_empty_line() {
        for (source, all) in [
            (".*", true),
            ("", true),
            ("x?", true),
            ("a*|b", true),
            ("^", true),
            ("^$", false),
            ("a+", false),
            (".+", false),
        ] {
            assert_eq!(
                finds_everything(&Pattern::parse(source).unwrap()),
                all,
                "{source}"
            );
        }
    }

    #[test]
    fn every_cure_is_reached_by_a_pattern_that_needs_it() {
        let patterns = [
            "(?=a)",
            r"(a)\1",
            "(a",
            "a)",
            "[a",
            "*a",
            "a{1",
            "a{,x}",
            r"\y",
            "(?P<a>x)(?P<a>y)",
            r"\w{1000}{1000}",
        ];
        for source in patterns {
            let error = Pattern::parse(source).unwrap_err();
            assert!(
                !cure(&error.what).starts_with("the syntax"),
                "{source}: {}",
                error.what
            );
        }
    }
}
