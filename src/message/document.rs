//! The kept lines of an incident as a document, for what its message has no room for.
//!
//! The document is what the log says and nothing else, so that tools can read it; what it is about stands in its
//! caption, and in the message that it answers. The trap: a caption is shorter than a message.

use super::Settings;
use super::clock::day;
use super::head::Head;
use super::layout::event_text;
use super::text::TextBuilder;
use crate::model::{Card, Covers, Document, Incident, Rendered, RuleName};

/// The longest caption Telegram takes, here in UTF-16 code units. It counts characters, which are never more.
pub(super) const CAPTION: usize = 1_024;
/// The most bytes of a document. What is kept is less; made visible, control characters grow.
pub(super) const DOCUMENT: usize = 256 * 1024;
/// The most characters of a rule's name in that of a file.
const NAME: usize = 60;

/// The caption and the document.
pub(super) fn render(settings: &Settings, card: &Card<'_>) -> Rendered {
    let incident = card.incident;
    let (content, count) = content(incident);
    let head = Head::new(settings, card);
    let mut out = TextBuilder::new();
    out.narrow(CAPTION);
    head.names(&mut out, "the lines of ");
    head.attached(&mut out, count);
    let day = day(&settings.zone, incident.first);
    Rendered {
        text: out.finish(),
        covers: Covers::default(),
        document: Some(Document {
            name: format!("{}-{day}.log", file_name(&incident.rule)),
            content,
        }),
    }
}

/// The newest events, oldest first, and how many they are.
fn content(incident: &Incident) -> (String, u64) {
    let mut left = DOCUMENT;
    let mut texts = Vec::new();
    for line in incident.lines.iter().rev() {
        let text = event_text(line);
        let Some(rest) = left.checked_sub(text.as_str().len() + 1) else {
            break;
        };
        left = rest;
        texts.push(text);
    }
    let mut content = String::with_capacity(DOCUMENT - left);
    for text in texts.iter().rev() {
        content.push_str(text.as_str());
        content.push('\n');
    }
    (content, texts.len() as u64)
}

/// A rule's name in characters that every system takes in the name of a file.
fn file_name(rule: &RuleName) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = rule
        .as_str()
        .chars()
        .map(|c| if safe(c) { c } else { '-' })
        .take(NAME)
        .collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        "lines".to_owned()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_file_name_that_every_system_takes() {
        let name = |rule: &str| file_name(&RuleName::new(rule));
        assert_eq!(name("db error"), "db-error");
        assert_eq!(name("../../etc/passwd"), "etc-passwd");
        assert_eq!(name("디스크"), "lines");
        assert_eq!(name("disk 디스크"), "disk");
        assert_eq!(name(&"x".repeat(200)).len(), NAME);
    }
}
