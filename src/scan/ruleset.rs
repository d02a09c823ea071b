//! All rules of one log, compiled together, and the exact decision about a text.
//!
//! How [`Scanner::judge`] decides without trying every pattern on every text:
//! 1. *Narrow*: one pass of an automaton over the text tells which patterns may match. Its patterns are
//!    over-approximations too, so it never meets a Unicode word boundary and never gives up; a pattern that it
//!    rules out cannot match. With a handful of patterns this step costs more than it saves and is left out.
//! 2. Only rules with such a pattern are looked at, in their order. `ignore` is tried before any of them.
//! 3. Each remaining pattern is tried exactly, as the regex crate reads it, with Unicode on.
//! 4. Captures are taken last, and only for names that the rule's `by` asks for.

use std::sync::OnceLock;

use regex_automata::{Input, MatchKind, PatternID, PatternSet, meta};
use regex_syntax::hir::Hir;

use super::condition::{Condition, Field};
use super::finder::{self, Finder};
use super::over::{self, Newlines};
use super::verdict::{Finding, Says, Verdict, by_value};
use super::{Pattern, RuleSettings, Settings};
use crate::model::Format;

/// Up to this many patterns are tried one by one.
const HANDFUL: usize = 2;

/// Why rules cannot be compiled together.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// A pattern that was accepted alone cannot be read.
    #[error("the pattern {pattern:?} cannot be read: {cause}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What the parser says.
        cause: String,
    },
    /// Together they need too much memory.
    #[error(
        "the rules of this log are too large together ({0}); use fewer rules, or shorter repetitions such as {{1,20}}"
    )]
    TooLarge(String),
}

/// Finds out which rules speak of which lines of one log.
#[derive(Debug)]
pub struct Scanner {
    /// The first step.
    finder: Finder,
    /// The first step over lines of containers as they stand, and whether it finds pieces; made once it is needed.
    docker: OnceLock<(Finder, bool)>,
    cri: OnceLock<(Finder, bool)>,
    /// What a line must hold to matter.
    needles: Vec<Hir>,
    /// Which patterns may match a text; none for a handful of patterns.
    narrow: Option<meta::Regex>,
    /// What no rule sees.
    ignore: Vec<Check>,
    /// The rules, in their order.
    rules: Vec<Rule>,
    /// For each pattern of `narrow`, the rule it belongs to; none for `ignore`.
    owners: Vec<Option<usize>>,
}

/// What is asked about.
#[derive(Clone, Copy)]
struct Asked<'e> {
    text: &'e [u8],
    field: &'e Field<'e>,
}

/// One rule, ready to decide.
#[derive(Debug)]
struct Rule {
    matches: Vec<Check>,
    all: Vec<Check>,
    conditions: Vec<Condition>,
    unless: Vec<Pattern>,
    resolve: Vec<Check>,
    /// How many names `by` has.
    by: usize,
    /// How many names there are, those of `by` first.
    names: usize,
}

/// A pattern and what it is good for.
#[derive(Debug)]
struct Check {
    pattern: Pattern,
    /// Its place in `narrow`.
    id: PatternID,
    /// Which group gives which value, as (place among the names, group).
    takes: Vec<(usize, usize)>,
}

impl Scanner {
    /// Compiles the rules of one log together.
    pub fn compile(settings: &Settings) -> Result<Self, ScanError> {
        let mut plan = Plan::default();
        let ignore = settings
            .ignore
            .iter()
            .map(|pattern| plan.check(pattern, None, &[]));
        let ignore = ignore.collect::<Result<_, _>>()?;
        let rules = settings
            .rules
            .iter()
            .enumerate()
            .map(|(at, rule)| plan.rule(at, rule));
        let rules = rules.collect::<Result<_, _>>()?;
        let finder = Finder::compile(plan.needles.clone()).map_err(|cause| too_large(&cause))?;
        let narrow = narrow(&plan.possible)?;
        Ok(Self {
            finder,
            docker: OnceLock::new(),
            cri: OnceLock::new(),
            needles: plan.needles,
            narrow,
            ignore,
            rules,
            owners: plan.owners,
        })
    }

    /// A byte of the next line in `chunk` that may matter: never past a line that does. The chunk begins at a
    /// line's start. `None`: no line of it matters.
    pub fn candidate(&self, chunk: &[u8]) -> Option<usize> {
        self.finder.find(chunk)
    }

    /// The same for lines of a format that wraps the text that matters, searched as they stand: a byte of the next line
    /// whose text may matter if all of that stands in this line.
    pub fn wrapped_candidate(&self, format: Format, lines: &[u8]) -> Option<usize> {
        self.wrapped(format).0.find(lines)
    }

    /// Whether [`Scanner::wrapped_candidate`] finds lines too whose text goes on in another line and ends with the
    /// beginning of something that may matter.
    pub fn finds_pieces(&self, format: Format) -> bool {
        self.wrapped(format).1
    }

    fn wrapped(&self, format: Format) -> &(Finder, bool) {
        let finder = match format {
            Format::Docker => &self.docker,
            _ => &self.cri,
        };
        finder.get_or_init(|| self.finder.wrapped(format, &self.needles))
    }

    /// What the rules say about an event with this text and these fields; `verdict` is overwritten. Only rules
    /// with conditions ask for fields.
    pub fn judge(&self, text: &[u8], field: &Field<'_>, verdict: &mut Verdict) {
        verdict.findings.clear();
        let event = Asked { text, field };
        let Some(narrow) = &self.narrow else {
            self.ask(0..self.rules.len(), event, None, &mut verdict.findings);
            return;
        };
        let Verdict { findings, possible } = verdict;
        let possible = Verdict::scratch(possible, self.owners.len());
        narrow.which_overlapping_matches(&Input::new(text), possible);
        // Patterns are numbered rule by rule, so the rules come out in their order and repeats side by side.
        let mut last = None;
        let rules = possible.iter().filter_map(|id| self.owners[id.as_usize()]);
        let rules = rules.filter(|&rule| last.replace(rule) != Some(rule));
        self.ask(rules, event, Some(possible), findings);
    }

    /// Asks these rules, unless the event is ignored.
    fn ask(
        &self,
        rules: impl Iterator<Item = usize>,
        event: Asked<'_>,
        possible: Option<&PatternSet>,
        findings: &mut Vec<Finding>,
    ) {
        let said = rules.filter_map(|rule| {
            Some(Finding {
                rule,
                says: self.rules[rule].says(event, possible)?,
            })
        });
        let mut said = said.peekable();
        // Asked only once there is something to ignore: most texts that come here matter to nobody.
        let ignored = |check: &Check| check.may_hold(possible) && check.pattern.regex().is_match(event.text);
        if said.peek().is_some() && !self.ignore.iter().any(ignored) {
            findings.extend(said);
        }
    }
}

impl Rule {
    /// What this rule says about a text that is not ignored.
    fn says(&self, event: Asked<'_>, possible: Option<&PatternSet>) -> Option<Says> {
        let text = event.text;
        let holds = |check: &Check| check.holds(text, possible);
        if self.resolve.iter().any(holds) {
            let mut by = self.values(self.resolve.iter(), text, possible);
            by.truncate(self.by);
            return Some(Says::Resolve { by });
        }
        let found = (self.matches.is_empty() || self.matches.iter().any(holds))
            && self.all.iter().all(holds)
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(event.field))
            && !self.unless.iter().any(|pattern| pattern.regex().is_match(text));
        found.then(|| {
            let mut by = self.values(self.matches.iter().chain(&self.all), text, possible);
            let values = by.split_off(self.by);
            Says::Match { by, values }
        })
    }

    /// The values that these patterns capture, of every name; the first pattern that has a value gives it.
    fn values<'r>(
        &self,
        checks: impl Iterator<Item = &'r Check>,
        text: &[u8],
        possible: Option<&PatternSet>,
    ) -> Vec<Option<String>> {
        let mut values = vec![None; self.names];
        for check in checks.filter(|check| !check.takes.is_empty() && check.may_hold(possible)) {
            let Some(captures) = check.pattern.captures_of(text) else {
                continue;
            };
            for &(name, group) in &check.takes {
                if values[name].is_none() {
                    values[name] = captures.get(group).map(|value| by_value(value.as_bytes()));
                }
            }
        }
        values
    }
}

impl Check {
    /// Whether narrowing left the pattern possible.
    fn may_hold(&self, possible: Option<&PatternSet>) -> bool {
        possible.is_none_or(|possible| possible.contains(self.id))
    }

    /// Whether the pattern matches, exactly.
    fn holds(&self, text: &[u8], possible: Option<&PatternSet>) -> bool {
        self.may_hold(possible) && self.pattern.finds(text)
    }
}

/// What is gathered while the rules are read.
#[derive(Default)]
struct Plan {
    /// What a line must hold to matter, for the finder.
    needles: Vec<Hir>,
    /// The over-approximation of each pattern, for narrowing.
    possible: Vec<Hir>,
    /// The rule of each of them.
    owners: Vec<Option<usize>>,
}

impl Plan {
    fn rule(&mut self, at: usize, rule: &RuleSettings) -> Result<Rule, ScanError> {
        if rule.matches.is_empty() && rule.all.is_empty() {
            // No pattern says which texts may matter.
            self.possible.push(Hir::empty());
            self.owners.push(Some(at));
        }
        self.need(rule, choose_needles(rule)?);
        self.need(rule, needles(&rule.resolve)?);
        let names: Vec<&str> = rule.by.iter().chain(&rule.values).map(String::as_str).collect();
        let mut checks = |patterns: &[Pattern]| -> Result<Vec<Check>, ScanError> {
            patterns
                .iter()
                .map(|pattern| self.check(pattern, Some(at), &names))
                .collect()
        };
        Ok(Rule {
            resolve: checks(&rule.resolve)?,
            matches: checks(&rule.matches)?,
            all: checks(&rule.all)?,
            conditions: rule.conditions.clone(),
            unless: rule.unless.clone(),
            by: rule.by.len(),
            names: names.len(),
        })
    }

    /// Lines that hold any of these matter. Says so, once per rule, if that is every line.
    fn need(&mut self, rule: &RuleSettings, needles: Vec<Hir>) {
        if needles.iter().any(over::matches_empty) {
            let why = "it has `where` alone, can match an empty line, or speaks of line ends";
            tracing::info!(rule = %rule.name, "slow path: every line is looked at for this rule; {why}");
        }
        self.needles.extend(needles);
    }

    fn check(&mut self, pattern: &Pattern, owner: Option<usize>, names: &[&str]) -> Result<Check, ScanError> {
        let id =
            PatternID::new(self.possible.len()).map_err(|cause| ScanError::TooLarge(cause.to_string()))?;
        self.possible
            .push(over::approximate(&parse(pattern)?, Newlines::Text));
        self.owners.push(owner);
        let place = |name: Option<&str>| names.iter().position(|known| Some(*known) == name);
        let groups = pattern.regex().capture_names().enumerate();
        let takes = groups
            .filter_map(|(group, name)| Some((place(name)?, group)))
            .collect();
        Ok(Check {
            pattern: pattern.clone(),
            id,
            takes,
        })
    }
}

/// What a line must hold for this rule to match: one of `match`, and each of `all`, so any one of these
/// demands is enough to search for. The rarest is taken.
fn choose_needles(rule: &RuleSettings) -> Result<Vec<Hir>, ScanError> {
    let mut demands: Vec<Vec<Hir>> = needles(&rule.all)?
        .into_iter()
        .map(|needle| vec![needle])
        .collect();
    if !rule.matches.is_empty() {
        demands.push(needles(&rule.matches)?);
    }
    let rarity = |demand: &Vec<Hir>| demand.iter().map(over::rarity).min().unwrap_or(0);
    // A rule that has conditions only demands nothing of the text.
    let nothing = || vec![Hir::empty()];
    Ok(demands.into_iter().max_by_key(rarity).unwrap_or_else(nothing))
}

/// For each pattern, what a line must hold for it to match. Empty where no line alone need match: such a pattern
/// may match an event of several lines, so every line matters.
fn needles(patterns: &[Pattern]) -> Result<Vec<Hir>, ScanError> {
    let needle = |pattern: &Pattern| {
        let needle = over::approximate(&parse(pattern)?, Newlines::Separate);
        Ok(if pattern.is_across() || over::cannot_match(&needle) {
            Hir::empty()
        } else {
            needle
        })
    };
    patterns.iter().map(needle).collect()
}

fn parse(pattern: &Pattern) -> Result<Hir, ScanError> {
    let mut parser = regex_syntax::ParserBuilder::new().utf8(false).build();
    parser
        .parse(pattern.source())
        .map_err(|cause| ScanError::Pattern {
            pattern: pattern.source().to_owned(),
            cause: cause.to_string(),
        })
}

/// The automaton that tells which of these may match a text.
fn narrow(possible: &[Hir]) -> Result<Option<meta::Regex>, ScanError> {
    if possible.len() <= HANDFUL {
        return Ok(None);
    }
    let config = finder::small(meta::Config::new(), possible.len()).match_kind(MatchKind::All);
    let regex = meta::Builder::new()
        .configure(config)
        .build_many_from_hir(possible);
    regex.map(Some).map_err(|cause| too_large(&cause))
}

fn too_large(cause: &meta::BuildError) -> ScanError {
    ScanError::TooLarge(cause.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::condition::{Test, no_fields};
    use super::super::law::{patterns, rule, scan};
    use super::*;

    fn judge(settings: &Settings, text: &str) -> Vec<Finding> {
        let mut verdict = Verdict::default();
        let scanner = Scanner::compile(settings).unwrap();
        // A candidate may be too many, never too few: what judge finds, candidate must have found.
        scanner.judge(text.as_bytes(), &no_fields, &mut verdict);
        assert!(
            verdict.findings.is_empty() || scanner.candidate(text.as_bytes()).is_some(),
            "{text}"
        );
        verdict.findings
    }

    /// What one rule says about a text.
    fn says(rule: &RuleSettings, text: &str) -> Option<Says> {
        let settings = Settings {
            ignore: Vec::new(),
            rules: vec![rule.clone()],
        };
        judge(&settings, text).pop().map(|finding| finding.says)
    }

    #[expect(clippy::unnecessary_wraps, reason = "compared with what `says` returns")]
    fn found(by: &[Option<&str>]) -> Option<Says> {
        Some(Says::Match {
            by: by.iter().map(|value| value.map(str::to_owned)).collect(),
            values: Vec::new(),
        })
    }

    #[expect(clippy::unnecessary_wraps, reason = "compared with what `says` returns")]
    fn resolved(by: &[Option<&str>]) -> Option<Says> {
        Some(Says::Resolve {
            by: by.iter().map(|value| value.map(str::to_owned)).collect(),
        })
    }

    #[test]
    fn an_ignored_event_says_nothing_not_even_an_end() {
        let up = RuleSettings {
            resolve: patterns(&["up"]),
            ..rule(&["down"])
        };
        let settings = Settings {
            ignore: patterns(&["probe", "^#"]),
            rules: vec![up],
        };
        assert_eq!(judge(&settings, "down").len(), 1);
        assert_eq!(judge(&settings, "up").len(), 1);
        for ignored in ["probe down", "probe up", "# down"] {
            assert!(judge(&settings, ignored).is_empty(), "{ignored}");
        }
    }

    #[test]
    fn a_line_that_resolves_is_not_a_match_and_unless_does_not_stop_it() {
        let up = RuleSettings {
            resolve: patterns(&["up"]),
            unless: patterns(&["test"]),
            ..rule(&["link"])
        };
        assert_eq!(says(&up, "link down"), found(&[]));
        assert_eq!(says(&up, "link up"), resolved(&[]));
        assert_eq!(says(&up, "test link up"), resolved(&[]));
        assert_eq!(says(&up, "test link down"), None);
    }

    #[test]
    fn any_of_match_and_all_of_all() {
        let both = RuleSettings {
            all: patterns(&["disk", r"\d+%"]),
            ..rule(&["full", "filling"])
        };
        assert_eq!(says(&both, "disk full: 99%"), found(&[]));
        assert_eq!(says(&both, "disk filling: 91%"), found(&[]));
        for missing in ["disk full", "full: 99%", "disk 99%"] {
            assert_eq!(says(&both, missing), None, "{missing}");
        }
        let only_all = RuleSettings {
            all: patterns(&["a", "b"]),
            ..rule(&[])
        };
        assert_eq!(says(&only_all, "xbxa"), found(&[]));
        assert_eq!(says(&only_all, "xb"), None);
    }

    #[test]
    fn conditions_narrow_a_rule_down_and_may_stand_alone_beside_any_number_of_rules() {
        let conditions = vec![Condition {
            field: "level".into(),
            any: vec![Test::Is("error".into())],
        }];
        let alone = RuleSettings {
            conditions: conditions.clone(),
            resolve: patterns(&["up"]),
            ..rule(&[])
        };
        let both = RuleSettings {
            conditions,
            unless: patterns(&["test"]),
            ..rule(&["disk"])
        };
        for others in [0, 5] {
            let mut rules = vec![alone.clone(), both.clone()];
            rules.extend(std::iter::repeat_n(rule(&["other"]), others));
            let scanner = Scanner::compile(&Settings {
                ignore: patterns(&["probe"]),
                rules,
            })
            .unwrap();
            let says = |text: &str, level: &str| {
                let mut verdict = Verdict::default();
                assert!(scanner.candidate(text.as_bytes()).is_some(), "{text}");
                let field = |name: &str| (name == "level").then(|| level.to_owned());
                scanner.judge(text.as_bytes(), &field, &mut verdict);
                let rules = verdict.findings.iter().map(|finding| finding.rule);
                rules.collect::<Vec<_>>()
            };
            assert_eq!(says("disk", "error"), [0, 1]);
            assert_eq!(says("disk", "info"), [0; 0]);
            assert_eq!(says("else", "error"), [0]);
            assert_eq!(says("test disk", "error"), [0]);
            assert_eq!(says("probe disk", "error"), [0; 0]);
            assert_eq!(says("up", "info"), [0], "an end needs no condition");
        }
    }

    #[test]
    fn every_rule_that_matches_says_so_in_its_place() {
        let rules = ["b", "x", "a", "[ab]"].map(|source| rule(&[source])).to_vec();
        let found = judge(
            &Settings {
                ignore: Vec::new(),
                rules,
            },
            "ab",
        );
        assert_eq!(
            found.iter().map(|finding| finding.rule).collect::<Vec<_>>(),
            [0, 2, 3]
        );
    }

    #[test]
    fn by_values_come_from_the_first_pattern_that_has_them() {
        let by = ["user", "host", "disk"].map(str::to_owned).to_vec();
        let sources = ["user=(?P<user>[a-z]+)?", r"for (?P<user>\w+)"];
        let named = RuleSettings {
            by,
            all: patterns(&[r"on (?P<disk>\w+)"]),
            ..rule(&sources)
        };
        assert_eq!(
            says(&named, "user=ann on sda"),
            found(&[Some("ann"), None, Some("sda")])
        );
        assert_eq!(
            says(&named, "user=7 for bob on sda"),
            found(&[Some("bob"), None, Some("sda")])
        );
        assert_eq!(
            says(&named, "user=ann for bob on sdb"),
            found(&[Some("ann"), None, Some("sdb")])
        );
        assert_eq!(says(&named, "user=7 on sda"), found(&[None, None, Some("sda")]));
    }

    #[test]
    fn an_end_has_the_values_that_its_own_pattern_captures() {
        let by = vec!["unit".to_owned()];
        let resolve = patterns(&[r"unit (?P<unit>\d+) back", "all back"]);
        let unit = RuleSettings {
            resolve,
            by,
            ..rule(&[r"unit (?P<unit>\d+)"])
        };
        assert_eq!(says(&unit, "unit 7 lost"), found(&[Some("7")]));
        assert_eq!(says(&unit, "unit 7 back"), resolved(&[Some("7")]));
        assert_eq!(says(&unit, "unit 7: all back"), resolved(&[None]));
    }

    #[test]
    fn captured_values_are_decoded() {
        let by = vec!["x".to_owned()];
        let long = RuleSettings {
            by,
            ..rule(&[r"x=(?P<x>(?-u:[^ ])*)"])
        };
        let text = format!("x={}", "한".repeat(500));
        assert_eq!(says(&long, &text), found(&[Some(&"한".repeat(500))]));
        let settings = Settings {
            ignore: Vec::new(),
            rules: vec![long],
        };
        let broken = scan(&settings, b"x=a\xFFb\n").pop().unwrap().1.says;
        assert_eq!(Some(broken), found(&[Some("a\u{FFFD}b")]));
    }

    #[test]
    fn a_pattern_that_needs_a_newline_is_still_asked_about_whole_events() {
        let across = RuleSettings {
            all: patterns(&["panic"]),
            ..rule(&[r"panic\n\s+at"])
        };
        let settings = Settings {
            ignore: Vec::new(),
            rules: vec![rule(&[r"head\ntail"]), across],
        };
        assert_eq!(judge(&settings, "head\ntail").len(), 1);
        assert_eq!(judge(&settings, "panic\n  at x").len(), 1);
        assert!(judge(&settings, "head").is_empty());
    }

    #[test]
    fn the_rarest_demand_is_searched_for() {
        let rare = RuleSettings {
            all: patterns(&[r"\d", "needle", ".*"]),
            ..rule(&["a", "needles"])
        };
        let scanner = Scanner::compile(&Settings {
            ignore: Vec::new(),
            rules: vec![rare],
        })
        .unwrap();
        assert_eq!(scanner.candidate(b"a 1\n"), None);
        assert!(scanner.candidate(b"a needle\n").is_some());
    }

    #[test]
    fn further_names_have_their_values_apart_from_those_of_by() {
        let named = RuleSettings {
            by: vec!["b".into()],
            values: vec!["c".into(), "nobody".into(), "a".into()],
            resolve: patterns(&["over (?P<a>.) (?P<b>.)"]),
            ..rule(&["(?P<a>.)-(?P<b>.)-(?P<c>.)"])
        };
        let value = |value: &str| Some(value.to_owned());
        assert_eq!(
            says(&named, "1-2-3"),
            Some(Says::Match {
                by: vec![value("2")],
                values: vec![value("3"), None, value("1")],
            })
        );
        assert_eq!(says(&named, "over 1 2"), resolved(&[Some("2")]));
    }

    #[test]
    fn thousands_of_rules_and_long_repetitions_are_taken() {
        let mut rules: Vec<_> = (0..3000)
            .map(|n| rule(&[&format!("trouble number {n}$")]))
            .collect();
        rules.push(rule(&[r"(?i)x\pL{200}y"]));
        let settings = Settings {
            ignore: Vec::new(),
            rules,
        };
        let found = judge(&settings, "here is trouble number 2718");
        assert_eq!(
            found.iter().map(|finding| finding.rule).collect::<Vec<_>>(),
            [2718]
        );
        assert_eq!(judge(&settings, &format!("x{}Y", "é".repeat(200))).len(), 1);
    }
}
