//! The `tests` of a rule: example lines, and whether the rule is meant to match them.
//!
//! They run whenever the file is read, so a rule that stopped doing what its author showed never starts.
//! The trap: a rule with a part that could not be read decides otherwise than the rule that was meant, so its
//! tests are left alone until that is mended.

use crate::config::problem::Report;
use crate::config::raw::{self, Shared};
use crate::config::table::Word;
use crate::event::{self, Format};
use crate::scan::{Decided, Pattern, RuleSettings};

/// How much of a pattern is quoted, in characters.
const QUOTED: usize = 80;

/// Runs all tests of one rule and reports those that fail; returns how many were run.
pub(super) fn run(
    rule: &raw::Rule,
    defaults: &Shared,
    settings: &RuleSettings,
    formats: &[Format],
    report: &mut Report<'_>,
) -> usize {
    let unless_is_default = rule.shared.unless.is_none() && defaults.unless.is_some();
    let trial = Trial {
        settings,
        formats,
        unless_is_default,
    };
    // What a format that cannot be read would have made of the line, nobody knows.
    let readable = !formats.is_empty() || settings.conditions.is_empty();
    let whole = readable && is_whole(rule, defaults, settings);
    let mut ran = 0;
    for test in &rule.tests {
        let (Some(line), Some(expected)) = (&test.line, &test.matches) else {
            continue;
        };
        if line.value.contains('\n') {
            let help = "a log is read line by line; try each line in a test of its own";
            report.problem(&line.at, "`line` holds more than one line".into(), help);
        } else if whole {
            ran += 1;
            trial.run(line, expected.value, report);
        }
    }
    ran
}

/// Whether every pattern that has a say was read. Why one was not is told where it stands.
fn is_whole(rule: &raw::Rule, defaults: &Shared, settings: &RuleSettings) -> bool {
    let unless = rule.shared.unless.as_ref().or(defaults.unless.as_ref());
    let parts = [
        (rule.matches.as_ref(), &settings.matches),
        (rule.all.as_ref(), &settings.all),
        (unless, &settings.unless),
        (rule.resolve.as_ref(), &settings.resolve),
    ];
    let conditions = rule.conditions.as_deref().map_or(0, <[_]>::len);
    let looks_for_something =
        !settings.matches.is_empty() || !settings.all.is_empty() || !settings.conditions.is_empty();
    looks_for_something
        && conditions == settings.conditions.len()
        && parts
            .iter()
            .all(|(written, read)| written.map_or(0, |words| words.value.len()) == read.len())
}

/// What the tests of one rule are run against.
struct Trial<'r> {
    settings: &'r RuleSettings,
    /// Those of the rule's logs; a line is tried in each.
    formats: &'r [Format],
    /// The `unless` of this rule is that of `[defaults]`.
    unless_is_default: bool,
}

impl Trial<'_> {
    fn run(&self, line: &Word, expected: bool, report: &mut Report<'_>) {
        let decided = self.decide(&line.value);
        let (what, help) = match (expected, decided) {
            (true, Decided::Match(_))
            | (
                false,
                Decided::Resolve(_)
                | Decided::NotMatch
                | Decided::NotAll(_)
                | Decided::NotWhere(_)
                | Decided::Unless(_),
            ) => {
                return;
            }
            (false, Decided::Match(pattern)) => (
                "this line was expected not to match; it does".to_owned(),
                self.found_by(pattern),
            ),
            (true, Decided::NotMatch) => (
                "this line was expected to match; `match` does not find it".to_owned(),
                self.not_found(&line.value),
            ),
            (true, Decided::NotAll(pattern)) => (
                "this line was expected to match; `all` does not find it".to_owned(),
                format!("the line has nothing for {}", quoted(pattern)),
            ),
            (true, Decided::NotWhere(condition)) => (
                "this line was expected to match; `where` does not hold".to_owned(),
                self.not_held(&condition.field, &line.value),
            ),
            (true, Decided::Unless(pattern)) => (
                format!("this line was expected to match; {} drops it", self.unless()),
                format!("{} finds this line; narrow it down", quoted(pattern)),
            ),
            (true, Decided::Resolve(pattern)) => (
                "this line was expected to match; `resolve` takes it for the end".to_owned(),
                format!("{} finds this line; narrow it down", quoted(pattern)),
            ),
        };
        // Where the text is torn, the part that is missed may stand in the torn part.
        report.missing(&line.at, what, help);
    }

    /// In the first format in which the rule matches, else in the first.
    fn decide(&self, line: &str) -> Decided<'_> {
        let decide = |format: Format| {
            let (text, fields) = event::sample(format, line.as_bytes());
            self.settings.decide(&text, &|name| fields.get(name))
        };
        let mut decided = self.formats.iter().map(|format| decide(*format));
        let first = decided.next().unwrap_or_else(|| decide(Format::Plain));
        match first {
            Decided::Match(_) => first,
            _ => decided
                .find(|other| matches!(other, Decided::Match(_)))
                .unwrap_or(first),
        }
    }

    fn found_by(&self, pattern: Option<&Pattern>) -> String {
        let finder = match pattern {
            Some(pattern) => format!("{} of `match` finds this line", quoted(pattern)),
            None if self.settings.conditions.is_empty() => {
                "every pattern of `all` finds something in this line".to_owned()
            }
            None => "all of `all` and `where` holds for this line".to_owned(),
        };
        format!("{finder}; narrow it down, or put what sets the line apart into `unless`")
    }

    fn unless(&self) -> &'static str {
        if self.unless_is_default {
            "`unless` of [defaults]"
        } else {
            "`unless`"
        }
    }

    /// What the field is that a condition asks for.
    fn not_held(&self, field: &str, line: &str) -> String {
        let value = |format: &Format| event::sample(*format, line.as_bytes()).1.get(field);
        match self.formats.iter().find_map(value) {
            Some(value) => format!("the field {field:?} is {value:?}"),
            None => format!("the line has no field {field:?}; write it as it stands in the file"),
        }
    }

    /// Why `match` may have missed it. Small and capital letters are the usual cause.
    fn not_found(&self, line: &str) -> String {
        let in_any_case = |pattern: &&Pattern| {
            Pattern::parse(&format!("(?i){}", pattern.source()))
                .is_ok_and(|pattern| pattern.regex().is_match(line.as_bytes()))
        };
        match self.settings.matches.iter().find(in_any_case) {
            Some(pattern) => format!(
                "{} would, if small and capital letters were the same: put (?i) in front of it",
                quoted(pattern)
            ),
            None => "add a pattern that finds it, or write match = false".to_owned(),
        }
    }
}

/// A pattern as the file could show it.
fn quoted(pattern: &Pattern) -> String {
    let source = pattern.source();
    let mut shown: String = source.chars().take(QUOTED).collect();
    if shown.len() < source.len() {
        shown.push('…');
    }
    format!("'{shown}'")
}
