//! Conditions on fields: the `where` of a rule.

use super::Pattern;
use crate::model::Level;

/// Asks an event for the value of a field.
pub type Field<'f> = dyn Fn(&str) -> Option<String> + 'f;

/// An event without fields.
pub fn no_fields(_: &str) -> Option<String> {
    None
}

/// What one field must be.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Its name, with dots between the steps to it.
    pub field: String,
    /// Any of these must hold.
    pub any: Vec<Test>,
}

/// What a value is held against.
#[derive(Clone, Debug)]
pub enum Test {
    /// The field is there, or it is not.
    There(bool),
    /// It is this text, or as a number the same.
    Is(String),
    /// It is anything else, or not there.
    IsNot(String),
    /// It is a number on this side of this one.
    Than(Side, f64),
    /// The pattern finds something in it.
    Finds(Pattern),
}

/// A side of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Condition {
    /// Whether it holds for an event with these fields.
    pub fn holds(&self, field: &Field<'_>) -> bool {
        let value = field(&self.field);
        // Every program has its own words for levels: these are held against each other by what they mean.
        let same = if self.field == "level" { is_level } else { is };
        self.any.iter().any(|test| test.holds(value.as_deref(), same))
    }
}

impl Test {
    fn holds(&self, value: Option<&str>, same: fn(&str, &str) -> bool) -> bool {
        match (self, value) {
            (Self::There(there), value) => value.is_some() == *there,
            (Self::Is(text), Some(value)) => same(value, text),
            (Self::IsNot(text), value) => value.is_none_or(|value| !same(value, text)),
            (Self::Than(side, number), Some(value)) => {
                value.trim().parse().is_ok_and(|value| side.holds(value, *number))
            }
            (Self::Finds(pattern), Some(value)) => pattern.regex().is_match(value.as_bytes()),
            (Self::Is(_) | Self::Than(..) | Self::Finds(_), None) => false,
        }
    }
}

fn is(value: &str, text: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    value == text
        || number(value).is_some_and(|value| number(text).is_some_and(|text| value.total_cmp(&text).is_eq()))
}

fn is_level(value: &str, text: &str) -> bool {
    is(value, text) || Level::of(value).is_some_and(|level| Level::of(text) == Some(level))
}

impl Side {
    fn holds(self, value: f64, than: f64) -> bool {
        match self {
            Self::Less => value < than,
            Self::AtMost => value <= than,
            Self::More => value > than,
            Self::AtLeast => value >= than,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[track_caller]
    fn holds(test: &Test, value: Option<&str>, expected: bool) {
        assert_eq!(test.holds(value, is), expected, "{test:?} of {value:?}");
    }

    #[test]
    fn values_are_held_against_texts_numbers_and_patterns() {
        let is = Test::Is("500".into());
        for (value, expected) in [("500", true), ("500.0", true), ("501", false), ("", false)] {
            holds(&is, Some(value), expected);
            holds(&Test::IsNot("500".into()), Some(value), !expected);
        }
        let at_least = Test::Than(Side::AtLeast, 500.0);
        for (value, expected) in [
            ("500", true),
            ("1e3", true),
            ("499.9", false),
            ("NaN", false),
            ("5xx", false),
        ] {
            holds(&at_least, Some(value), expected);
        }
        holds(&Test::Than(Side::Less, 0.0), Some("-1"), true);
        holds(&Test::Than(Side::AtMost, 1.0), Some("1"), true);
        holds(&Test::Than(Side::More, 1.0), Some("1"), false);
        holds(
            &Test::Finds(Pattern::parse("^/api").unwrap()),
            Some("/api/x"),
            true,
        );
        holds(
            &Test::Finds(Pattern::parse("^/api").unwrap()),
            Some("x/api"),
            false,
        );
    }

    #[test]
    fn a_field_that_is_not_there_is_nothing_and_not_anything() {
        holds(&Test::There(false), None, true);
        holds(&Test::There(true), None, false);
        holds(&Test::There(true), Some(""), true);
        holds(&Test::Is(String::new()), None, false);
        holds(&Test::IsNot("root".into()), None, true);
        holds(&Test::Than(Side::Less, 5.0), None, false);
        holds(&Test::Finds(Pattern::parse("").unwrap()), None, false);
    }

    #[test]
    fn any_of_several_is_enough() {
        let any = ["error", "fatal"].map(|text| Test::Is(text.to_owned())).to_vec();
        let level = Condition {
            field: "level".into(),
            any,
        };
        assert!(level.holds(&|name| (name == "level").then(|| "fatal".into())));
        assert!(!level.holds(&|_| Some("info".into())));
        assert!(!level.holds(&no_fields));
    }

    #[test]
    fn levels_are_held_against_each_other_by_what_they_mean() {
        let holds = |field: &str, test: Test, value: &'static str| {
            let condition = Condition {
                field: field.into(),
                any: vec![test],
            };
            condition.holds(&move |_| Some(value.into()))
        };
        for value in ["error", "ERROR", "err", "50", "SEVERE"] {
            assert!(holds("level", Test::Is("error".into()), value), "{value}");
            assert!(!holds("level", Test::IsNot("Error".into()), value), "{value}");
        }
        assert!(!holds("level", Test::Is("error".into()), "fatal"));
        assert!(holds("level", Test::Is("audit".into()), "audit"));
        assert!(!holds("level", Test::Is("audit".into()), "AUDIT"));
        assert!(!holds("severity", Test::Is("error".into()), "ERROR"));
        assert!(holds("level", Test::Than(Side::AtLeast, 50.0), "60"));
    }
}
