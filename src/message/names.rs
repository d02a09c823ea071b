//! The names that texts and links of rules.toml may say.
//!
//! Some are the incident's own, the others are read from its newest match: captures, fields, and what the reader
//! knows of the match. A name that is in `by` has the value that the incident has.

use std::collections::BTreeMap;

use super::Settings;
use super::head::Head;
use super::sanitise::Clean;
use super::template::{OF_TEMPLATE, Said, Values, shortened};
use crate::model::{By, Incident};

/// What the incident itself says: name, and what it is for people.
pub const OWN: [(&str, &str); 7] = [
    ("rule", "the name of the rule"),
    ("severity", "its severity: info, warning, error or critical"),
    ("host", "the host, as it stands in every message"),
    ("text", "the newest match, as it is shown"),
    ("total", "how many matches the incident has so far"),
    (
        "first_ms",
        "when its first match was read, in ms since 1970, as Grafana's links take it",
    ),
    ("last_ms", "when its newest match was read, in ms since 1970"),
];

/// What the reader says of the newest match, besides captures and fields.
pub const OF_MATCH: [(&str, &str); 3] = [
    ("file", "the path of the newest match's file"),
    ("log", "the name of its log"),
    ("level", "the level that its fields or its text say"),
];

/// Looks names up for one incident.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) settings: &'a Settings,
    pub(super) incident: &'a Incident,
}

impl Names<'_> {
    /// The value of a name as plain text, not made harmless; absent if nobody gave it one.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let incident = self.incident;
        Some(match name {
            "rule" => incident.rule.to_string(),
            "severity" => incident.severity.as_str().to_owned(),
            "host" => self.settings.host.clone(),
            "text" => incident.lines.back().map(|line| line.text.clone())?,
            "total" => incident.total.to_string(),
            "first_ms" => incident.first.0.to_string(),
            "last_ms" => incident.last.0.to_string(),
            _ => self.of_match(name)?,
        })
    }

    fn of_match(&self, name: &str) -> Option<String> {
        let By(by) = &self.incident.by;
        let by = by.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        by.or_else(|| self.incident.values.get(name)).cloned()
    }
}

/// All values of one incident, as a template says them.
#[derive(Debug)]
pub(super) struct Filled(BTreeMap<String, Said>);

impl Filled {
    /// With at most so many UTF-16 units of each value from the log.
    pub(super) fn new(names: Names<'_>, head: &Head<'_>, most: usize) -> Self {
        let incident = names.incident;
        let By(by) = &incident.by;
        let mut values = BTreeMap::new();
        for (name, value) in incident
            .values
            .iter()
            .chain(by.iter().map(|(name, value)| (name, value)))
        {
            values.insert(name.clone(), shortened(&Clean::block(value), most));
        }
        for (name, _) in OWN {
            let said = match name {
                "total" => Some(Said::Number(incident.total)),
                "text" => incident
                    .lines
                    .back()
                    .map(|line| shortened(&super::layout::event_text(line), most)),
                _ => names.get(name).map(Said::Own),
            };
            values.extend(said.map(|said| (name.to_owned(), said)));
        }
        for (name, _) in OF_TEMPLATE {
            let lines = |lines: &[String]| shortened(&Clean::block(&lines.join("\n")), most);
            let context = incident.context.as_ref();
            let said = match name {
                "before" | "after" => {
                    let side = context.map(|context| {
                        if name == "before" {
                            &context.before
                        } else {
                            &context.after
                        }
                    });
                    if let Some(side) = side {
                        values.insert(name.to_owned(), lines(side));
                    }
                    continue;
                }
                "mark" => Said::Own(head.mark().to_owned()),
                "first" => Said::Own(head.second(incident.first)),
                "last" => Said::Own(head.second(incident.last)),
                "over" => Said::Truth(incident.is_over()),
                _ => Said::State,
            };
            values.insert(name.to_owned(), said);
        }
        Self(values)
    }
}

impl Values for Filled {
    fn value(&self, name: &str) -> Option<Said> {
        self.0.get(name).cloned()
    }

    fn leads_on(&self, prefix: &str) -> bool {
        let mut behind = self.0.range(prefix.to_owned()..);
        behind.next().is_some_and(|(name, _)| name.starts_with(prefix))
    }
}
