//! The `buttons` of a rule.

use super::names::Known;
use crate::config::problem::Report;
use crate::config::raw;
use crate::config::table::{Word, inside};
use crate::message::{Button, ButtonError, Link, check_text};

/// So many buttons stand below a message at most.
const MOST: usize = 8;

/// Those that can be read; the others are reported.
pub(super) fn check(buttons: &[raw::Button], report: &mut Report<'_>) -> Vec<(Button, Word, Link)> {
    let read = buttons.iter().filter_map(|button| one(button, report));
    let read: Vec<_> = read.collect();
    if let Some((_, word, _)) = read.get(MOST) {
        let what = format!("a message has at most {MOST} buttons");
        report.problem(&word.at, what, "keep those that help at night");
    }
    read
}

fn one(button: &raw::Button, report: &mut Report<'_>) -> Option<(Button, Word, Link)> {
    let (text, url) = (button.text.as_ref(), button.url.as_ref());
    let fine = text.and_then(|text| refuse(text, check_text(&text.value), report));
    let link = url.and_then(|url| refuse(url, Link::parse(&url.value), report));
    fine?;
    let link = link?;
    Some((Button::new(&text?.value, &link), url?.clone(), link))
}

/// Reports what is wrong, at its place in the word.
fn refuse<T>(word: &Word, read: Result<T, ButtonError>, report: &mut Report<'_>) -> Option<T> {
    read.map_err(|error| {
        let at = inside(report.text(), &word.at, &word.value, &error.at).unwrap_or(word.at.clone());
        report.problem(&at, error.what, error.help);
    })
    .ok()
}

/// Reports names that nobody gives a value; returns all of them.
pub(super) fn names(
    buttons: &[(Button, Word, Link)],
    known: &Known<'_>,
    report: &mut Report<'_>,
) -> Vec<String> {
    let mut names = Vec::new();
    for (_, word, link) in buttons {
        for placeholder in &link.names {
            let at = inside(report.text(), &word.at, &word.value, &placeholder.at);
            known.check(&placeholder.name, &at.unwrap_or(word.at.clone()), report);
            names.push(placeholder.name.clone());
        }
    }
    names
}
