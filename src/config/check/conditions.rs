//! The `where` of a rule: what fields must be.

use crate::config::pattern::{self, Role};
use crate::config::problem::Report;
use crate::config::raw::{self, Wanted};
use crate::config::table::{Spot, Word};
use crate::scan::{Condition, Side, Test};

/// What people write who come from other programs, and the sign here.
const OTHERS: [(&str, &str); 5] = [("=>", ">="), ("=<", "<="), ("==", "="), ("=~", "~"), ("<>", "!=")];

/// Those that can be read; the others are reported.
pub(super) fn check(conditions: &[raw::Condition], report: &mut Report<'_>) -> Vec<Condition> {
    conditions
        .iter()
        .filter_map(|condition| check_one(condition, report))
        .collect()
}

fn check_one(condition: &raw::Condition, report: &mut Report<'_>) -> Option<Condition> {
    let tests = condition.any.iter().map(|wanted| test(wanted, report));
    // All of them are read before one that is wrong takes the condition away.
    let any: Vec<Option<Test>> = tests.collect();
    let any: Vec<Test> = any.into_iter().collect::<Option<_>>()?;
    if any.len() > 1 && any.iter().any(|test| matches!(test, Test::IsNot(_))) {
        report.problem(
            &condition.at,
            format!(
                "{:?} holds for almost every event: a list means any of them",
                condition.field
            ),
            "write one value after \"!=\", or drop what you do not want with `unless`",
        );
        return None;
    }
    Some(Condition {
        field: condition.field.clone(),
        any,
    })
}

fn test(wanted: &Wanted, report: &mut Report<'_>) -> Option<Test> {
    let word = match wanted {
        Wanted::There(there) => return Some(Test::There(*there)),
        Wanted::Text(word) => word,
    };
    let text = word.value.trim();
    if let Some((other, ours)) = OTHERS.iter().find(|(other, _)| text.starts_with(other)) {
        let what = format!("{other:?} is no comparison");
        let meant = format!("{ours}{}", text[other.len()..].trim());
        report.problem(&word.at, what, format!("did you mean {meant:?}?"));
        return None;
    }
    if text.starts_with("!~") {
        let what = "\"!~\" is no comparison".to_owned();
        report.problem(&word.at, what, "drop what a pattern finds with `unless`");
        return None;
    }
    let sides = [
        (">=", Side::AtLeast),
        ("<=", Side::AtMost),
        (">", Side::More),
        ("<", Side::Less),
    ];
    if let Some((sign, side)) = sides.iter().find(|(sign, _)| text.starts_with(sign)) {
        return number(word, sign, &text[sign.len()..], report).map(|number| Test::Than(*side, number));
    }
    if let Some(pattern) = word.value.strip_prefix('~') {
        let at = word.at.clone();
        let value = vec![Spot {
            value: pattern.to_owned(),
            at: at.clone(),
        }];
        let words = Spot { value, at };
        return pattern::compile(Some(&words), Role::Where, report)
            .pop()
            .map(Test::Finds);
    }
    Some(match (text.strip_prefix("!="), text.strip_prefix('=')) {
        (Some(text), _) => Test::IsNot(text.trim().to_owned()),
        (None, Some(text)) => Test::Is(text.trim().to_owned()),
        (None, None) => Test::Is(word.value.clone()),
    })
}

fn number(word: &Word, sign: &str, text: &str, report: &mut Report<'_>) -> Option<f64> {
    let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
    if number.is_none() {
        let what = format!("{:?} is not a number, and {sign:?} compares numbers", text.trim());
        let help =
            format!("write a number, such as \"{sign}500\", or \"=…\" for a text, \"~…\" for a pattern");
        report.problem(&word.at, what, help);
    }
    number
}
