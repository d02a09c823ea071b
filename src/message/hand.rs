//! What somebody sends by hand, with `send`.

use super::fit;
use super::sanitise::Clean;
use super::text::{LIMIT, TextBuilder};
use crate::model::Text;

/// The words as they are, made harmless, and shortened in the middle, with a mark that says by how much, to what Telegram
/// takes. They are the sender's own, so links and
/// mentions in them stay alive.
pub fn by_hand(words: &str) -> Text {
    let mut text = TextBuilder::new();
    text.say(fit::middle(&Clean::block(words), LIMIT).text.as_str());
    text.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_by_hand_that_was_made_harmless_stays_as_it_is() {
        let made = by_hand(&format!("a\tb\r\n\u{1b}[31mred\0\u{202e}{}", "🦀".repeat(5_000)));
        assert!(made.text.encode_utf16().count() <= 4_096, "{}", made.text.len());
        assert!(
            made.text.starts_with("a   b") && made.text.ends_with("🦀"),
            "{}",
            made.text
        );
        assert!(made.text.contains('…'), "the mark of what is left out");
        assert_eq!(by_hand(&made.text), made);
    }
}
