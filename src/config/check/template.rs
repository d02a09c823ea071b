//! The `template` of a rule.

use std::ops::Range;

use super::names::Known;
use crate::config::problem::Report;
use crate::config::table::{Word, inside};
use crate::message::{OF_TEMPLATE, Template};

/// Names that only templates know.
pub(super) const OWN: [&str; OF_TEMPLATE.len()] = {
    let mut names = [""; OF_TEMPLATE.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = OF_TEMPLATE[at].0;
        at += 1;
    }
    names
};

/// The template, tried on samples; what is wrong with it is reported.
pub(super) fn check(word: &Word, report: &mut Report<'_>) -> Option<Template> {
    Template::parse(&word.value)
        .map_err(|error| {
            let (at, help) = place(word, &error.at, error.help, report);
            report.problem(&at, error.what, help);
        })
        .ok()
}

/// Reports names that nobody gives a value; returns all of them.
pub(super) fn names(
    template: &Template,
    word: &Word,
    known: &Known<'_>,
    report: &mut Report<'_>,
) -> Vec<String> {
    let names = template.names().into_iter();
    let checked = names.map(|placeholder| {
        let at = inside(report.text(), &word.at, &word.value, &placeholder.at);
        known.check(&placeholder.name, &at.unwrap_or(word.at.clone()), report);
        placeholder.name
    });
    checked.collect()
}

/// Where a part of the template stands. Where escapes stand between, the literal as a whole, and the part is shown.
fn place(word: &Word, part: &Range<usize>, help: String, report: &Report<'_>) -> (Range<usize>, String) {
    if let Some(at) = inside(report.text(), &word.at, &word.value, part) {
        return (at, help);
    }
    let before = word.value.get(..part.start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let shown: String = word
        .value
        .get(part.clone())
        .unwrap_or_default()
        .chars()
        .take(80)
        .collect();
    let shown = shown.replace(char::is_control, " ");
    (
        word.at.clone(),
        format!("{help}\nin line {line}, column {column} of the template: {shown}"),
    )
}
