//! The builder behind every message: text plus entities whose offsets are right by construction.
//!
//! Telegram looks for links, mentions and commands in everything that is not `code` or `pre`, even when
//! entities are given. So there are two ways in, and the types keep them apart: our own words go through
//! [`say`](TextBuilder::say) and [`bold`](TextBuilder::bold); everything else is [`Clean`] and can only go
//! into `code` or `pre`. The trap: offsets and limits are UTF-16 code units, not bytes and not characters.

use super::fit;
use super::sanitise::Clean;
use crate::model::{Entity, EntityKind, Text};

/// The longest text Telegram takes, here in UTF-16 code units. It counts characters, which are never more.
pub(super) const LIMIT: usize = 4_096;
/// Telegram keeps at most 100 entities and drops the rest, which would leave text unshielded.
const MOST_ENTITIES: usize = 100;

/// Builds a text that is never longer than Telegram takes and never has log text outside `code` and `pre`.
#[derive(Clone, Debug)]
pub struct TextBuilder {
    /// What was written so far.
    text: String,
    /// Its length in UTF-16 code units.
    units: usize,
    /// Its entities, in order of offset, outer before inner.
    entities: Vec<Entity>,
    /// How long it may become; at most [`LIMIT`].
    limit: usize,
}

impl Default for TextBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl TextBuilder {
    /// An empty text.
    pub fn new() -> Self {
        Self {
            text: String::new(),
            units: 0,
            entities: Vec::new(),
            limit: LIMIT,
        }
    }

    /// Leaves at most so much room from here on.
    pub(super) fn narrow(&mut self, room: usize) {
        self.limit = self.limit.min(self.units + room);
    }

    /// Leaves so much room for what comes at the end.
    pub(super) fn set_aside(&mut self, room: usize) {
        self.limit = self.limit.saturating_sub(room);
    }

    /// What was set aside may be written to now.
    pub(super) fn give_back(&mut self, room: usize) {
        self.limit = (self.limit + room).min(LIMIT);
    }

    /// How many UTF-16 code units were written.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Whether this stands in what was written.
    pub(super) fn holds(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// How many UTF-16 code units still fit.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.units)
    }

    /// Writes words of our own. Never text from a log, a file system or rules.toml.
    pub fn say(&mut self, words: &str) -> &mut Self {
        let fitting = fit::prefix(words, self.room());
        self.append(fitting);
        self
    }

    /// Writes words of our own in bold.
    pub fn bold(&mut self, words: &str) -> &mut Self {
        self.marked(&[EntityKind::Bold], |out| {
            out.say(words);
        })
    }

    /// Writes a name or value that is not ours.
    pub fn code(&mut self, text: &Clean) -> &mut Self {
        self.shielded(&[EntityKind::Code], text)
    }

    /// Writes a block that is not ours.
    pub fn pre(&mut self, text: &Clean) -> &mut Self {
        self.shielded(&[EntityKind::Pre], text)
    }

    /// Writes a block that is not ours and that stays folded until it is tapped.
    pub fn folded(&mut self, text: &Clean) -> &mut Self {
        self.shielded(&[EntityKind::ExpandableBlockquote, EntityKind::Pre], text)
    }

    /// Writes a text that was finished elsewhere and whose entities shield what is not ours.
    pub(super) fn finished(&mut self, text: &Text) -> &mut Self {
        let offset = self.units;
        self.append(&text.text);
        let moved = text.entities.iter().cloned().map(|entity| Entity {
            offset: entity.offset + offset,
            ..entity
        });
        self.entities.extend(moved);
        self
    }

    /// The finished text.
    pub fn finish(self) -> Text {
        Text {
            text: self.text,
            entities: self.entities,
            buttons: Vec::new(),
        }
    }

    fn shielded(&mut self, kinds: &[EntityKind], text: &Clean) -> &mut Self {
        // An entity over nothing is refused, and white space alone is not seen by anybody.
        if text.is_blank() {
            return self.say("(blank)");
        }
        if self.entities.len() + kinds.len() > MOST_ENTITIES {
            return self.say("…");
        }
        let room = self.room();
        self.marked(kinds, |out| out.append(fit::middle(text, room).text.as_str()))
    }

    /// Puts what `write` writes under `kinds`, outer first.
    fn marked(&mut self, kinds: &[EntityKind], write: impl FnOnce(&mut Self)) -> &mut Self {
        let (offset, first) = (self.units, self.entities.len());
        write(self);
        let length = self.units - offset;
        if length > 0 {
            let entities = kinds.iter().map(|&kind| Entity {
                kind,
                offset,
                length,
                url: None,
            });
            self.entities.splice(first..first, entities);
        }
        self
    }

    fn append(&mut self, text: &str) {
        self.text.push_str(text);
        self.units += units(text);
    }
}

/// The length of a text as Telegram's offsets count it.
pub(super) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_count_utf_16_units() {
        let mut out = TextBuilder::new();
        out.say("🔴 ").code(&Clean::line("한국🦀")).say(" ").bold("x");
        let entities = out.finish().entities;
        assert_eq!(
            entities[0],
            Entity {
                kind: EntityKind::Code,
                offset: 3,
                length: 4,
                url: None,
            }
        );
        assert_eq!(
            entities[1],
            Entity {
                kind: EntityKind::Bold,
                offset: 8,
                length: 1,
                url: None,
            }
        );
    }

    #[test]
    fn a_quote_stands_before_the_block_it_holds() {
        let mut out = TextBuilder::new();
        out.folded(&Clean::block("a\nb"));
        let kinds: Vec<_> = out.finish().entities.iter().map(|entity| entity.kind).collect();
        assert_eq!(kinds, [EntityKind::ExpandableBlockquote, EntityKind::Pre]);
    }

    #[test]
    fn nothing_makes_a_text_longer_than_telegram_takes() {
        let mut out = TextBuilder::new();
        for _ in 0..9 {
            out.say("words ")
                .pre(&Clean::block(&"🦀x".repeat(700)))
                .code(&Clean::line(&"ab".repeat(40)));
        }
        assert!(out.units() <= LIMIT);
        assert_eq!(out.units(), out.finish().text.encode_utf16().count());
    }

    #[test]
    fn past_the_bound_of_entities_names_are_left_out_rather_than_unshielded() {
        let mut out = TextBuilder::new();
        for _ in 0..150 {
            out.code(&Clean::line("#tag")).say(" ");
        }
        let text = out.finish();
        assert_eq!(text.entities.len(), 100);
        assert_eq!(text.text.matches("#tag").count(), 100);
    }

    #[test]
    fn a_blank_text_gets_words_instead_of_an_empty_entity() {
        let mut out = TextBuilder::new();
        out.pre(&Clean::block("  \n "));
        assert_eq!(
            out.finish(),
            Text {
                text: "(blank)".into(),
                ..Text::default()
            }
        );
    }
}
