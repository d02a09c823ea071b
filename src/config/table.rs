//! Takes typed values out of one TOML table and reports what has the wrong type.
//!
//! A value that cannot be had is `None`, whether it is absent or wrong; wrong ones were reported. So the
//! checks above need to look only at what is there.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Report;
use super::{Environment, expand, keys};

/// A value and where it stands, in bytes of the file.
#[derive(Clone, Debug)]
pub(super) struct Spot<T> {
    pub(super) value: T,
    pub(super) at: Range<usize>,
}

/// A string, expanded.
pub(super) type Word = Spot<String>;

/// A list of strings; a single string counts as a list of one.
pub(super) type Words = Spot<Vec<Word>>;

/// A number or a string, expanded.
#[derive(Clone, Debug)]
pub(super) enum NumberOrText {
    Number(i64),
    Text(String),
}

/// One table of the file, its keys already checked against those that exist.
pub(super) struct Reader<'a, 'i> {
    entries: &'a DeTable<'i>,
    /// The header of the table, or all of an inline one.
    pub(super) at: Range<usize>,
    pub(super) env: &'a Environment,
}

impl<'a, 'i> Reader<'a, 'i> {
    /// Opens a table and reports keys that do not belong into it.
    pub(super) fn open(
        entries: &'a DeTable<'i>,
        at: Range<usize>,
        table: keys::Table,
        env: &'a Environment,
        report: &mut Report<'_>,
    ) -> Self {
        let allowed = table.allowed();
        for key in entries.keys() {
            let name: &str = key.get_ref();
            if allowed.contains(&name) {
                continue;
            }
            if let Some(instead) = table.refused(name) {
                report.problem(&key.span(), format!("`{name}` is not supported yet"), instead);
            } else {
                let what = format!("there is no key `{name}` in {}", table.title());
                report.problem(&key.span(), what, keys::unknown(table, name));
            }
        }
        Self { entries, at, env }
    }

    /// Whether the key is there, rightly or wrongly typed.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// A value as it is.
    pub(super) fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.entries.get(key)
    }

    /// A key that must be there.
    pub(super) fn require(&self, key: &str, help: &str, report: &mut Report<'_>) {
        if !self.has(key) {
            report.missing(&self.at, format!("`{key}` is missing"), help);
        }
    }

    /// A string.
    pub(super) fn word(&self, key: &str, report: &mut Report<'_>) -> Option<Word> {
        self.string(self.get(key)?, key, "a string in quotes", report)
    }

    /// A string, or a list of strings, perhaps none.
    pub(super) fn words(&self, key: &str, report: &mut Report<'_>) -> Option<Words> {
        let value = self.get(key)?;
        let wanted = "a string or a list of strings";
        let list = match value.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| self.string(item, key, wanted, report))
                .collect(),
            _ => vec![self.string(value, key, wanted, report)?],
        };
        Some(Spot {
            value: list,
            at: value.span(),
        })
    }

    /// A string, or a list of at least one string.
    pub(super) fn some_words(&self, key: &str, report: &mut Report<'_>) -> Option<Words> {
        let value = self.get(key)?;
        if value.get_ref().as_array().is_some_and(|items| items.is_empty()) {
            let help = format!(
                "name at least one, such as {}, or take `{key}` out",
                keys::example(key)
            );
            report.problem(&value.span(), format!("`{key}` is an empty list"), help);
            return None;
        }
        self.words(key, report)
    }

    /// A whole number.
    pub(super) fn number(&self, key: &str, report: &mut Report<'_>) -> Option<Spot<i64>> {
        let value = self.get(key)?;
        let number = integer(value.get_ref());
        if number.is_none() {
            report.problem(
                &value.span(),
                format!("`{key}` must be a whole number"),
                "write it without quotes",
            );
        }
        number.map(|number| Spot {
            value: number,
            at: value.span(),
        })
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, key: &str, report: &mut Report<'_>) -> Option<Spot<bool>> {
        let value = self.get(key)?;
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            let help = format!(
                "this is {}; write {key} = true, without quotes",
                kind(value.get_ref())
            );
            report.problem(&value.span(), format!("`{key}` must be true or false"), help);
        }
        boolean.map(|boolean| Spot {
            value: boolean,
            at: value.span(),
        })
    }

    /// A whole number or a string.
    pub(super) fn number_or_text(
        &self,
        value: &Spanned<DeValue<'_>>,
        key: &str,
        report: &mut Report<'_>,
    ) -> Option<Spot<NumberOrText>> {
        if let Some(number) = integer(value.get_ref()) {
            return Some(Spot {
                value: NumberOrText::Number(number),
                at: value.span(),
            });
        }
        let text = self.string(value, key, "a whole number or a string", report)?;
        Some(Spot {
            value: NumberOrText::Text(text.value),
            at: text.at,
        })
    }

    /// The string in a value, expanded; anything else is not `wanted`.
    fn string(
        &self,
        value: &Spanned<DeValue<'_>>,
        key: &str,
        wanted: &str,
        report: &mut Report<'_>,
    ) -> Option<Word> {
        let Some(text) = value.get_ref().as_str() else {
            let help = format!("this is {}; write {}", kind(value.get_ref()), keys::example(key));
            report.problem(&value.span(), format!("`{key}` must be {wanted}"), help);
            return None;
        };
        match expand::expand(text, self.env) {
            Ok(expanded) => Some(Spot {
                value: expanded,
                at: value.span(),
            }),
            Err(error) => {
                let at = inside(report.text(), &value.span(), text, &error.at).unwrap_or(value.span());
                report.problem(&at, error.what, error.help);
                None
            }
        }
    }
}

/// Where a part of a string's value stands in the file; absent if escapes or variables stand between.
pub(super) fn inside(
    text: &str,
    literal: &Range<usize>,
    value: &str,
    part: &Range<usize>,
) -> Option<Range<usize>> {
    let written = text.get(literal.clone())?;
    let quotes = [
        "'''\r\n",
        "\"\"\"\r\n",
        "'''\n",
        "\"\"\"\n",
        "'''",
        "\"\"\"",
        "'",
        "\"",
    ];
    let quote = quotes.iter().find(|quote| written.starts_with(**quote))?;
    written[quote.len()..].starts_with(value).then(|| {
        let start = literal.start + quote.len();
        start + part.start..start + part.end
    })
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    value
        .as_integer()
        .and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok())
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
