//! What to look for, checked.

use std::ops::Range;

use super::condition::{Condition, Field};
use crate::model::RuleName;

/// Everything the room needs to know about one log.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Events that no rule ever sees.
    pub ignore: Vec<Pattern>,
    /// The rules that look at this log, in the order of rules.toml.
    pub rules: Vec<RuleSettings>,
}

/// The matching half of one `[[rules]]` entry.
#[derive(Clone, Debug)]
pub struct RuleSettings {
    /// Its name.
    pub name: RuleName,
    /// Any of these must match; empty: none is needed.
    pub matches: Vec<Pattern>,
    /// All of these must match too.
    pub all: Vec<Pattern>,
    /// All of these must hold too. `matches`, `all` and `conditions` are never all empty.
    pub conditions: Vec<Condition>,
    /// None of these may match.
    pub unless: Vec<Pattern>,
    /// Any of these ends the rule's incidents; such a line is not a match.
    pub resolve: Vec<Pattern>,
    /// The names whose values tell incidents apart: captures, or `file`, `host`, `log`.
    pub by: Vec<String>,
    /// Further names whose values the texts and links of the rule say: captures, or what the caller knows.
    pub values: Vec<String>,
    /// What these find is hidden before a match of this rule is stored or shown, on top of what always is.
    /// They have no say in what matches.
    pub redact: Vec<Pattern>,
}

/// What one rule says about a text, and the part of it that decided.
#[derive(Clone, Copy, Debug)]
pub enum Decided<'r> {
    /// It matches; this pattern of `match` finds it. Absent where the rule has only `all` and `where`.
    Match(Option<&'r Pattern>),
    /// This pattern of `resolve` takes the text for an end, so it is no match.
    Resolve(&'r Pattern),
    /// No pattern of `match` finds anything.
    NotMatch,
    /// This pattern of `all` finds nothing.
    NotAll(&'r Pattern),
    /// This condition of `where` does not hold.
    NotWhere(&'r Condition),
    /// It would match, but this pattern of `unless` drops it.
    Unless(&'r Pattern),
}

impl RuleSettings {
    /// What this rule alone says about the text of an event, and why. The same decision as
    /// [`Scanner::judge`](super::Scanner::judge) makes, one pattern after the other: for a few texts, such as a
    /// rule's own tests, not for logs.
    ///
    /// The `ignore` of a log is not asked: it belongs to the log, and a rule may look at several.
    pub fn decide(&self, text: &[u8], field: &Field<'_>) -> Decided<'_> {
        let finds = |pattern: &&Pattern| pattern.regex.is_match(text);
        let found = self.matches.iter().find(finds);
        if let Some(pattern) = self.resolve.iter().find(finds) {
            Decided::Resolve(pattern)
        } else if found.is_none() && !self.matches.is_empty() {
            Decided::NotMatch
        } else if let Some(pattern) = self.all.iter().find(|pattern| !finds(pattern)) {
            Decided::NotAll(pattern)
        } else if let Some(condition) = self.conditions.iter().find(|condition| !condition.holds(field)) {
            Decided::NotWhere(condition)
        } else if let Some(pattern) = self.unless.iter().find(finds) {
            Decided::Unless(pattern)
        } else {
            Decided::Match(found)
        }
    }
}

/// A regular expression that compiles.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: String,
    regex: regex::bytes::Regex,
}

/// What is wrong with a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct PatternError {
    /// Where, in bytes of the pattern.
    pub at: Range<usize>,
    /// What, in words for people.
    pub what: String,
}

impl Pattern {
    /// Compiles a pattern, with Unicode on, as the regex crate reads it.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        let whole = || 0..source.len();
        if let Err(error) = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .build()
            .parse(source)
        {
            let span = match &error {
                regex_syntax::Error::Parse(error) => Some((error.span(), error.kind().to_string())),
                regex_syntax::Error::Translate(error) => Some((error.span(), error.kind().to_string())),
                _ => None,
            };
            let (at, what) = span.map_or_else(
                || (whole(), error.to_string()),
                |(span, what)| (span.start.offset..span.end.offset, what),
            );
            return Err(PatternError { at, what });
        }
        match regex::bytes::Regex::new(source) {
            Ok(regex) => Ok(Self {
                source: source.to_owned(),
                regex,
            }),
            Err(error) => Err(PatternError {
                at: whole(),
                what: error.to_string(),
            }),
        }
    }

    /// The pattern as the user wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The compiled pattern.
    pub fn regex(&self) -> &regex::bytes::Regex {
        &self.regex
    }

    /// The names of its captures.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::condition::no_fields;
    use super::super::law::{patterns, rule};
    use super::*;

    #[test]
    fn the_part_that_decides_is_named() {
        let link = RuleSettings {
            all: patterns(&["eth", r"\d"]),
            unless: patterns(&["lab", "test"]),
            resolve: patterns(&["up"]),
            ..rule(&["down", "lost"])
        };
        let decided = |text: &str| match link.decide(text.as_bytes(), &no_fields) {
            Decided::Match(found) => format!("match {}", found.unwrap().source()),
            Decided::Resolve(pattern) => format!("resolve {}", pattern.source()),
            Decided::NotMatch => "not match".to_owned(),
            Decided::NotAll(pattern) => format!("not all {}", pattern.source()),
            Decided::NotWhere(condition) => format!("not where {}", condition.field),
            Decided::Unless(pattern) => format!("unless {}", pattern.source()),
        };
        for (text, expected) in [
            ("eth0 lost", "match lost"),
            ("eth0 up", "resolve up"),
            ("test eth0 down up", "resolve up"),
            ("eth0", "not match"),
            ("eth down", r"not all \d"),
            ("test eth0 down", "unless test"),
        ] {
            assert_eq!(decided(text), expected, "{text}");
        }
    }

    #[test]
    fn a_rule_that_has_only_all_matches_by_no_pattern_in_particular() {
        let only_all = RuleSettings {
            all: patterns(&["a"]),
            ..rule(&[])
        };
        assert!(matches!(only_all.decide(b"xa", &no_fields), Decided::Match(None)));
        assert!(matches!(only_all.decide(b"x", &no_fields), Decided::NotAll(_)));
    }
}
