//! Single values: names, choices, values with bounds. What is wrong is reported; the caller takes its
//! default.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::keys;
use crate::config::problem::Report;
use crate::config::table::Word;
use crate::config::value;
use crate::model::Severity;

/// Characters of a name at most: names stand in messages, buttons and metrics.
const MAX_NAME: usize = 64;

/// Reports what cannot be a name. Letters are those of any script.
pub(super) fn name(word: &Word, report: &mut Report<'_>) {
    let text = &word.value;
    let fine = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let what = if text.is_empty() {
        "a name is empty".to_owned()
    } else if text.chars().count() > MAX_NAME {
        format!("a name is longer than {MAX_NAME} characters")
    } else if !text.chars().all(fine) {
        format!("{text:?} cannot be a name")
    } else {
        return;
    };
    report.problem(
        &word.at,
        what,
        "a name is made of letters, digits, '-', '_' and '.'",
    );
}

/// Reports names that stood before.
pub(super) fn unique<'a>(kind: &str, names: impl Iterator<Item = &'a Word>, report: &mut Report<'_>) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for word in names {
        let first = *seen.entry(&word.value).or_insert(word.at.start);
        if first != word.at.start {
            let line = report.called(first, word.at.start);
            let what = format!("there is a {kind} named {:?} already, in {line}", word.value);
            report.problem(&word.at, what, format!("give each {kind} its own name"));
        }
    }
}

/// Reports a reference to something that is not in the file.
pub(super) fn known(word: &Word, kind: &str, names: &[&str], report: &mut Report<'_>) -> bool {
    if names.contains(&word.value.as_str()) {
        return true;
    }
    let help = match keys::nearest(&word.value, names.iter().copied()) {
        Some(like) => format!("did you mean {like:?}?"),
        None if names.is_empty() => format!("this file has no {kind}s"),
        None => format!("the {kind}s of this file: {}", names.join(", ")),
    };
    report.missing(
        &word.at,
        format!("there is no {kind} named {:?}", word.value),
        help,
    );
    false
}

/// One of several words. `others` are what people write instead, with the word here.
pub(super) fn choice<T: Copy>(
    word: Option<&Word>,
    key: &str,
    choices: &[(&str, T)],
    others: &[(&str, &str)],
    report: &mut Report<'_>,
) -> Option<T> {
    let word = word?;
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == word.value) {
        return Some(*choice);
    }
    let names = || choices.iter().map(|(name, _)| *name);
    let list = names()
        .map(|name| format!("\"{name}\""))
        .collect::<Vec<_>>()
        .join(", ");
    let small = word.value.to_lowercase();
    let other = others
        .iter()
        .find(|(other, _)| *other == small)
        .map(|(_, ours)| *ours);
    let help = match other.or_else(|| keys::nearest(&word.value, names())) {
        Some(like) => format!("did you mean \"{like}\"? Allowed: {list}"),
        None => format!("allowed: {list}"),
    };
    report.problem(
        &word.at,
        format!("{:?} is not a value of `{key}`", word.value),
        help,
    );
    None
}

/// A severity.
pub(super) fn severity(word: Option<&Word>, key: &str, report: &mut Report<'_>) -> Option<Severity> {
    let choices = [
        Severity::Info,
        Severity::Warning,
        Severity::Error,
        Severity::Critical,
    ]
    .map(|severity| (severity.as_str(), severity));
    let others = [
        ("warn", "warning"),
        ("err", "error"),
        ("fatal", "critical"),
        ("crit", "critical"),
        ("high", "critical"),
        ("low", "info"),
        ("debug", "info"),
    ];
    choice(word, key, &choices, &others, report)
}

/// A value of which only one kind is built; the others are promised.
pub(super) fn only(word: Option<&Word>, key: &str, built: &str, promised: &[&str], report: &mut Report<'_>) {
    let Some(word) = word.filter(|word| !word.value.eq_ignore_ascii_case(built)) else {
        return;
    };
    let what = if promised.contains(&word.value.as_str()) || promised.is_empty() {
        format!("{key} = {:?} is not supported yet", word.value)
    } else {
        format!("{:?} is not a value of `{key}`", word.value)
    };
    report.problem(
        &word.at,
        what,
        format!("write \"{built}\", or take the line out, which means the same"),
    );
}

/// A length of time in bounds.
pub(super) fn duration(
    word: Option<&Word>,
    key: &str,
    bounds: &RangeInclusive<Duration>,
    report: &mut Report<'_>,
) -> Option<Duration> {
    let word = word?;
    let Some(length) = value::duration(&word.value) else {
        let what = format!("{:?} is not a length of time", word.value);
        report.problem(
            &word.at,
            what,
            "write one number and one unit: \"500ms\", \"30s\", \"10m\", \"4h\" or \"2d\"",
        );
        return None;
    };
    bounded(word, key, length, bounds, value::show_duration, report)
}

/// A size in bounds, in bytes.
pub(super) fn size(
    word: Option<&Word>,
    key: &str,
    bounds: &RangeInclusive<usize>,
    report: &mut Report<'_>,
) -> Option<usize> {
    let word = word?;
    let Some(bytes) = value::size(&word.value) else {
        report.problem(
            &word.at,
            format!("{:?} is not a size", word.value),
            "write one number and one unit: \"500B\", \"64KiB\" or \"1MiB\"",
        );
        return None;
    };
    bounded(word, key, bytes, bounds, value::show_size, report)
}

/// A rate.
pub(super) fn rate(word: Option<&Word>, report: &mut Report<'_>) -> Option<crate::model::Rate> {
    let word = word?;
    let rate = value::rate(&word.value);
    if rate.is_none() {
        let help = "write a number from 1 up and a unit: \"1/s\", \"18/min\", \"12/h\" or \"5/d\"";
        report.problem(&word.at, format!("{:?} is not a rate", word.value), help);
    }
    rate
}

fn bounded<T: PartialOrd + Copy>(
    word: &Word,
    key: &str,
    value: T,
    bounds: &RangeInclusive<T>,
    show: fn(T) -> String,
    report: &mut Report<'_>,
) -> Option<T> {
    match value::within(value, bounds, show) {
        Ok(value) => Some(value),
        Err(help) => {
            report.problem(
                &word.at,
                format!("{:?} is out of bounds for `{key}`", word.value),
                help,
            );
            None
        }
    }
}
