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
        let finds = |pattern: &&Pattern| pattern.finds(text);
        let found = self.matches.iter().find(finds);
        if let Some(pattern) = self.resolve.iter().find(finds) {
            Decided::Resolve(pattern)
        } else if found.is_none() && !self.matches.is_empty() {
            Decided::NotMatch
        } else if let Some(pattern) = self.all.iter().find(|pattern| !finds(pattern)) {
            Decided::NotAll(pattern)
        } else if let Some(condition) = self.conditions.iter().find(|condition| !condition.holds(field)) {
            Decided::NotWhere(condition)
        } else if let Some(pattern) = self.unless.iter().find(|pattern| pattern.regex.is_match(text)) {
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
    /// It asks for what lies between the lines of an event.
    across: bool,
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
                across: speaks_of_newlines(source),
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

    /// Whether it matches an event: any one of its lines, or all of it at once if [`Pattern::is_across`].
    pub(super) fn finds(&self, text: &[u8]) -> bool {
        if self.across || memchr::memchr(b'\n', text).is_none() {
            return self.regex.is_match(text);
        }
        lines(text).any(|line| self.regex.is_match(line))
    }

    /// The captures of what it finds in an event.
    pub(super) fn captures_of<'t>(&self, text: &'t [u8]) -> Option<regex::bytes::Captures<'t>> {
        if self.across {
            return self.regex.captures(text);
        }
        lines(text).find_map(|line| self.regex.captures(line))
    }

    /// Whether it speaks of line ends (`\n`, `(?s)`), and so of an event as a whole. Others speak of single lines:
    /// their anchors hold at each.
    pub fn is_across(&self) -> bool {
        self.across
    }

    /// The names of its captures.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }
}

/// The lines of an event's text.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ended = memchr::memchr(b'\n', text).is_some();
    let lines = text.split(|&byte| byte == b'\n');
    lines.map(move |line| {
        if ended {
            line.strip_suffix(b"\r").unwrap_or(line)
        } else {
            line
        }
    })
}

/// Whether a pattern says `\n`, a line end itself, or the flag `s`.
fn speaks_of_newlines(source: &str) -> bool {
    let mut chars = source.chars().peekable();
    let mut before = ' ';
    while let Some(char) = chars.next() {
        match char {
            '\n' => return true,
            '\\' => {
                if chars.next() == Some('n') {
                    return true;
                }
            }
            '?' if before == '(' => {
                let flags: String = std::iter::from_fn(|| chars.next_if(char::is_ascii_alphabetic)).collect();
                let ends = matches!(chars.peek(), Some(')' | ':' | '-'));
                if ends && flags.contains('s') {
                    return true;
                }
            }
            _ => {}
        }
        before = char;
    }
    false
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
    fn a_pattern_speaks_of_each_line_of_an_event_unless_it_speaks_of_line_ends() {
        let finds = |pattern: &str, text: &str| Pattern::parse(pattern).unwrap().finds(text.as_bytes());
        let event = "ERROR no stock\r\n  at Shop.sell\nCaused by: x";
        for pattern in [
            "^ERROR",
            "^Caused by: x$",
            "stock$",
            r"(?s)ERROR.*x",
            r"sell\nCaused",
            "^  at [^x]+$",
            "(?is)error.*X",
        ] {
            assert!(finds(pattern, event), "{pattern}");
        }
        for pattern in [
            r"\Aat",
            r"stock\s+at",
            "ERROR[^x]*Caused",
            r"(?-s:ERROR.*x)",
            r"ERROR.*\\n",
        ] {
            assert!(!finds(pattern, event), "{pattern}");
        }
        let both = RuleSettings {
            all: patterns(&["^Caused"]),
            unless: patterns(&["^Caused", "x$"]),
            ..rule(&["^ERROR"])
        };
        // `unless` looks at the whole, so its anchors are those of the event.
        let decided = both.decide(event.as_bytes(), &no_fields);
        assert!(matches!(decided, Decided::Unless(pattern) if pattern.source() == "x$"));
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
