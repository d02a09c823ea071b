//! The names that a rule's texts and links ask for: which there are, and what was meant by others.

use std::collections::BTreeSet;
use std::ops::Range;

use super::rules::HasFields;
use crate::config::keys;
use crate::config::problem::Report;
use crate::message;

/// What a rule can say by name.
pub(super) struct Known<'r> {
    /// The captures of `match` and `all`.
    pub(super) captures: &'r BTreeSet<&'r str>,
    pub(super) by: &'r [String],
    /// Names that only this kind of text knows.
    pub(super) own: &'static [&'static str],
    /// Every pattern was read, so every capture is known.
    pub(super) whole: bool,
    /// Whether events of the rule's logs have fields, which may have any name.
    pub(super) has_fields: HasFields,
}

impl Known<'_> {
    /// Reports a name that nobody gives a value. `fields.NAME` is a field whatever else is called so.
    pub(super) fn check(&self, name: &str, at: &Range<usize>, report: &mut Report<'_>) {
        if self.names().any(|known| known == name) {
            return;
        }
        if let Some(field) = name.strip_prefix("fields.") {
            if self.has_fields == HasFields::No {
                report.missing(
                    at,
                    format!("there is no field {field:?}: the logs of this rule have no fields"),
                    "take format = \"plain\" out, or give the log the format it has: \"json\", \"logfmt\", \"docker\" or \"cri\"",
                );
            }
            return;
        }
        if name == "fields" {
            report.problem(
                at,
                "\"fields\" alone is no value".into(),
                "name one: {{ fields.level }}",
            );
            return;
        }
        let near = keys::nearest(name, self.names());
        if !self.whole || (near.is_none() && self.has_fields == HasFields::Yes) {
            return;
        }
        report.missing(
            at,
            format!("there is no value named {name:?}"),
            self.help(name, near),
        );
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let fixed = message::OWN
            .iter()
            .chain(&message::OF_MATCH)
            .map(|(name, _)| *name);
        let by = self.by.iter().map(String::as_str);
        fixed
            .chain(self.own.iter().copied())
            .chain(self.captures.iter().copied())
            .chain(by)
    }

    fn help(&self, name: &str, near: Option<&str>) -> String {
        match near {
            Some(near) if self.has_fields != HasFields::No => {
                format!("did you mean {near:?}? A field of that name is written fields.{name}")
            }
            Some(near) => format!("did you mean {near:?}?"),
            None => {
                let names: Vec<_> = self.names().collect();
                let field = if self.has_fields == HasFields::No {
                    String::new()
                } else {
                    format!("; if it is a field, write fields.{name}")
                };
                format!(
                    "capture it: (?P<{name}>…) in `match`{field}, or take one of these: {}",
                    names.join(", ")
                )
            }
        }
    }
}
