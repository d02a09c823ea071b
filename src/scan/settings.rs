//! What to look for, checked.

use std::ops::Range;

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
    /// All of these must match too. `matches` and `all` are never both empty.
    pub all: Vec<Pattern>,
    /// None of these may match.
    pub unless: Vec<Pattern>,
    /// Any of these ends the rule's incidents; such a line is not a match.
    pub resolve: Vec<Pattern>,
    /// The names whose values tell incidents apart: captures, or `file`, `host`, `log`.
    pub by: Vec<String>,
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
