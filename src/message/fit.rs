//! Shortening: what does not fit loses its middle, and a mark says how much.
//!
//! The beginning of a log line says when and where, its end says what; so the middle goes first. Whatever
//! the room, the first [`SHOWN`] characters stay as long as they fit, for the ledger calls a match "shown"
//! only when they stand in the message. The trap: a cut may stand between two characters that make one
//! sign on the screen, so cuts step aside for joiners and combining marks.

use super::sanitise::Clean;
use super::text::units;
use super::words::thousands;

/// So many characters of a match (or all, if it is shorter) must stand in a message to call it shown.
pub(super) const SHOWN: usize = 40;

/// A text that fits.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    /// What stands in the message.
    pub(super) text: Clean,
    /// Whether nothing is missing.
    pub(super) whole: bool,
    /// Whether it is whole or has at least its first [`SHOWN`] characters.
    pub(super) shown: bool,
}

/// Shortens `text` from the middle to at most `room` UTF-16 units.
pub(super) fn middle(text: &Clean, room: usize) -> Fitted {
    let all = text.as_str();
    if units(all) <= room {
        return Fitted {
            text: text.clone(),
            whole: true,
            shown: true,
        };
    }
    let widest_mark = units(&mark(all.chars().count()));
    let Some(body) = room.checked_sub(widest_mark).filter(|&body| body >= SHOWN) else {
        return fitted(prefix(all, room), "", "");
    };
    let head = head(all, body);
    let rest = &all[head.len()..];
    let tail = snap_tail(suffix(rest, body - units(head)));
    let missing = rest.chars().count() - tail.chars().count();
    fitted(head, &mark(missing), tail)
}

/// The longest beginning of at most `room` units that ends between two signs.
pub(super) fn prefix(text: &str, room: usize) -> &str {
    let mut left = room;
    let end = text
        .char_indices()
        .find_map(|(at, c)| match left.checked_sub(c.len_utf16()) {
            Some(less) => {
                left = less;
                None
            }
            None => Some(at),
        });
    let Some(mut end) = end else { return text };
    while end > 0 && splits_sign(text, end) {
        end = text.floor_char_boundary(end - 1);
    }
    &text[..end]
}

/// The longest end of at most `room` units that begins between two signs.
fn suffix(text: &str, room: usize) -> &str {
    let mut left = room;
    let start = text
        .char_indices()
        .rev()
        .find_map(|(at, c)| match left.checked_sub(c.len_utf16()) {
            Some(less) => {
                left = less;
                None
            }
            None => Some(at + c.len_utf8()),
        });
    let Some(mut start) = start else { return text };
    while start < text.len() && splits_sign(text, start) {
        start = text.ceil_char_boundary(start + 1);
    }
    &text[start..]
}

/// The beginning that is kept: three fifths of `body`, and all of the first [`SHOWN`] characters if they
/// fit into it; up to the end of a line if one is near.
fn head(all: &str, body: usize) -> &str {
    let first: usize = all.chars().take(SHOWN).map(char::len_utf16).sum();
    let head = prefix(all, (body * 3 / 5).max(first).min(body));
    match head.rfind('\n') {
        Some(at) if at >= head.len() * 3 / 4 && head[..at].chars().count() >= SHOWN => &head[..=at],
        _ => head,
    }
}

/// The end that is kept, from the end of a line on if one is near.
fn snap_tail(tail: &str) -> &str {
    match tail.find('\n') {
        Some(at) if at <= tail.len() / 4 => &tail[at..],
        _ => tail,
    }
}

fn fitted(head: &str, mark: &str, tail: &str) -> Fitted {
    let shown = head.chars().take(SHOWN).count() == SHOWN;
    Fitted {
        text: Clean::joined(&[head, mark, tail]),
        whole: false,
        shown,
    }
}

fn mark(characters: usize) -> String {
    format!("… {} characters …", thousands(characters as u64))
}

/// Whether a cut at `at` would part what is one sign on the screen.
fn splits_sign(text: &str, at: usize) -> bool {
    const JOINER: char = '\u{200d}';
    text[at..].chars().next().is_some_and(|next| {
        matches!(next, JOINER | '\u{200c}' | '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
    }) || text[..at].ends_with(JOINER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fits_is_left_alone() {
        let fitted = middle(&Clean::line("short"), 5);
        assert!(fitted.whole && fitted.shown);
        assert_eq!(fitted.text.as_str(), "short");
    }

    #[test]
    fn the_mark_says_how_many_characters_are_missing() {
        let text = "x".repeat(2_000);
        let fitted = middle(&Clean::line(&text), 100);
        let kept = fitted.text.as_str().matches('x').count();
        assert!(
            fitted
                .text
                .as_str()
                .contains(&format!("… {} characters …", thousands(2_000 - kept as u64)))
        );
    }

    #[test]
    fn a_trace_is_cut_between_lines() {
        let lines: Vec<_> = (0..60).map(|n| format!("    at frame number {n}")).collect();
        let text = lines.join("\n");
        let fitted = middle(&Clean::block(&text), 600);
        assert!(
            fitted
                .text
                .as_str()
                .lines()
                .all(|line| line.starts_with("    at") || line.starts_with('…'))
        );
    }

    #[test]
    fn a_family_is_not_torn_apart() {
        let family = "👨\u{200d}👩\u{200d}👧";
        let text = Clean::line(&family.repeat(100));
        for room in 60..140 {
            let fitted = middle(&text, room);
            for part in fitted.text.as_str().split('…') {
                assert!(
                    !part.starts_with('\u{200d}') && !part.ends_with('\u{200d}'),
                    "{part}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_is_longer_than_its_room(text in "\\PC{0,300}", room in 0_usize..400) {
            let text = Clean::line(&text);
            let fitted = middle(&text, room);
            prop_assert!(units(fitted.text.as_str()) <= room);
            if fitted.shown {
                let first: String = text.as_str().chars().take(SHOWN).collect();
                prop_assert!(fitted.text.as_str().starts_with(&first));
            }
        }
    }
}
