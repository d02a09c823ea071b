//! Text from outside, made harmless and visible: what a reader sees is what the line holds.
//!
//! A log line may hold terminal codes, characters that turn the reading direction round, and characters
//! nobody sees. None of them reaches a message: control functions of terminals are dropped, the others become visible
//! escapes.
//! [`Clean`] is the proof; only this file makes one. It does not redact secrets; that happened before the
//! text was stored. The trap: joiners are needed inside emoji and many scripts and are a hiding place
//! everywhere else, so they stay only between characters that can be joined.

use std::iter::Peekable;
use std::str::Chars;

use super::text::units;
use crate::model::without_controls;

/// Tabs reach to the next multiple of this many columns.
const TAB: usize = 4;

/// Text from outside that may stand in a message, inside `code` or `pre`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clean(String);

impl Clean {
    /// A text as one line: its line ends are shown as `␊`.
    pub fn line(text: &str) -> Self {
        Self(Cleaner::new(&without_controls(text), false).run())
    }

    /// A text with its own line ends. Those at the end are dropped.
    pub fn block(text: &str) -> Self {
        let mut clean = Cleaner::new(&without_controls(text), true).run();
        clean.truncate(clean.trim_end_matches('\n').len());
        Self(clean)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to see.
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// Its length in UTF-16 units.
    pub(super) fn units(&self) -> usize {
        units(&self.0)
    }

    /// Parts of clean texts and words of our own, put together.
    pub(super) fn joined(parts: &[&str]) -> Self {
        Self(parts.concat())
    }
}

/// Walks over a text once.
struct Cleaner<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
    /// Characters since the last line end, for tabs.
    column: usize,
    /// Whether line ends stay.
    lines: bool,
}

impl<'a> Cleaner<'a> {
    fn new(text: &'a str, lines: bool) -> Self {
        Self {
            rest: text.chars().peekable(),
            out: String::with_capacity(text.len()),
            column: 0,
            lines,
        }
    }

    fn run(mut self) -> String {
        while let Some(c) = self.rest.next() {
            self.take(c);
        }
        self.out
    }

    fn take(&mut self, c: char) {
        match c {
            '\t' => (0..TAB - self.column % TAB).for_each(|_| self.push(' ')),
            '\r' if self.rest.peek() == Some(&'\n') => {}
            '\n' if self.lines => {
                self.out.push('\n');
                self.column = 0;
            }
            '\u{200c}' | '\u{200d}' if self.joins() => self.push(c),
            '\0'..='\u{1f}' => self.push(picture(c)),
            '\u{7f}' => self.push('␡'),
            c if is_hidden(c) => format!("⟨U+{:04X}⟩", u32::from(c))
                .chars()
                .for_each(|c| self.push(c)),
            c => self.push(c),
        }
    }

    fn push(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    /// Whether a joiner here stands between two characters that it can join.
    fn joins(&mut self) -> bool {
        let next = self.rest.peek().copied().is_some_and(is_joinable);
        next && self.out.chars().next_back().is_some_and(is_joinable)
    }
}

/// The visible picture of a C0 control character.
fn picture(control: char) -> char {
    char::from_u32(0x2400 + u32::from(control)).unwrap_or('␦')
}

/// Letters, marks and emoji outside ASCII; neither punctuation nor our own escapes.
fn is_joinable(c: char) -> bool {
    c >= '\u{c0}'
        && !c.is_whitespace()
        && !is_hidden(c)
        && !matches!(c, '\u{2000}'..='\u{206f}' | '\u{2400}'..='\u{243f}' | '⟨' | '⟩')
}

/// Characters that are not seen, or that change how others are seen. Joiners among them: they stay only
/// where they join.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}'                         // C1 controls
        | '\u{ad}' | '\u{180e}'                     // soft hyphen, vowel separator
        | '\u{61c}'                                 // the twelve that set direction: this one and …
        | '\u{200b}'..='\u{200f}'                   // (with zero-width space and joiners)
        | '\u{2028}'..='\u{202e}'                   // (with line and paragraph separators)
        | '\u{2060}'..='\u{206f}'                   // … up to here (with word joiner, invisible operators)
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}'      // byte order mark, annotations
        | '\u{e0000}'..='\u{e007f}'                 // tags
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What may never stand in a message, written down a second time and differently on purpose.
    fn denied(c: char) -> bool {
        const SINGLE: [u32; 18] = [
            0x061c, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d,
            0x202e, 0x2066, 0x2067, 0x2068, 0x2069, 0xfeff,
        ];
        let n = u32::from(c);
        c.is_control()
            || SINGLE.contains(&n)
            || (0x2060..=0x2064).contains(&n)
            || (0xe0000..=0xe007f).contains(&n)
    }

    #[test]
    fn no_character_of_unicode_gets_through_unseen() {
        for c in '\0'..=char::MAX {
            for text in [format!("{c}"), format!("a{c}b"), format!("{c}{c}")] {
                let line = Clean::line(&text);
                assert!(
                    !line.as_str().chars().any(denied),
                    "{:04X} in a line",
                    u32::from(c)
                );
                let block = Clean::block(&text);
                assert!(
                    !block.as_str().chars().any(|c| c != '\n' && denied(c)),
                    "{:04X} in a block",
                    u32::from(c)
                );
            }
        }
    }

    #[test]
    fn control_functions_are_dropped_and_other_controls_are_shown() {
        assert_eq!(
            Clean::line("\u{1b}[1;31mERROR\u{1b}[0m \u{9b}32mok").as_str(),
            "ERROR ok"
        );
        assert_eq!(
            Clean::line("\u{1b}]8;;http://x\u{7}y\u{1b}[2J\u{1b}]never closed\u{8}").as_str(),
            "ynever closed␈"
        );
        assert_eq!(Clean::line("\u{1b}[31").as_str(), "");
    }

    #[test]
    fn tabs_reach_to_the_next_column_of_four() {
        assert_eq!(Clean::block("a\tb\n\tc").as_str(), "a   b\n    c");
    }

    #[test]
    fn a_line_shows_its_line_ends_and_a_block_keeps_them() {
        assert_eq!(Clean::line("a\r\nb\rc\nd").as_str(), "a␊b␍c␊d");
        assert_eq!(Clean::block("a\r\nb\rc\nd\n\n").as_str(), "a\nb␍c\nd");
    }

    #[test]
    fn joiners_stay_where_they_join() {
        for text in [
            "👨\u{200d}👩\u{200d}👧",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "❤\u{fe0f}\u{200d}🔥",
        ] {
            assert_eq!(Clean::line(text).as_str(), text);
        }
        assert_eq!(Clean::line("ad\u{200d}min").as_str(), "ad⟨U+200D⟩min");
        assert_eq!(
            Clean::line("가\u{200d}\u{200d}나").as_str(),
            "가⟨U+200D⟩⟨U+200D⟩나"
        );
    }

    #[test]
    fn directions_and_tags_are_shown() {
        assert_eq!(Clean::line("a\u{202e}b\u{e0041}").as_str(), "a⟨U+202E⟩b⟨U+E0041⟩");
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(text in any::<String>(), hard in "[\u{1b}\\[0-9;m\t\r\n\u{200d}가👩a⟨⟩\u{9b}]{0,40}") {
            for text in [text, hard] {
                let (line, block) = (Clean::line(&text), Clean::block(&text));
                prop_assert_eq!(&Clean::line(line.as_str()), &line);
                prop_assert_eq!(&Clean::block(block.as_str()), &block);
            }
        }
    }
}
