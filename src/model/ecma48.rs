//! Control functions for terminals (ECMA-48), taken out of text: colours, cursor moves, titles, links.
//!
//! A program that believes to write to a terminal puts them into its log; a terminal would swallow them, and so do we.
//! The trap is what never ends: a terminal would swallow all that follows an unfinished control string, we only its
//! beginning, for no line of a log may hide another part of it.

use std::borrow::Cow;

const ESCAPE: char = '\u{1b}';

/// So many characters of parameters has a control sequence at most.
const PARAMETERS: usize = 64;

/// So many characters has a control string at most.
const STRING: usize = 4096;

/// A text without control functions. Of one that is not finished, its beginning is taken out, or where that is a single
/// 8-bit character, marked as U+FFFD. Other control characters stay. No escape, and no 8-bit character that begins or
/// ends a control string or sequence, is left.
pub fn without_controls(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_introducer) else {
        return Cow::Borrowed(text);
    };
    let mut plain = String::with_capacity(text.len());
    plain.push_str(&text[..first]);
    let mut rest = &text[first..];
    while let Some(char) = rest.chars().next() {
        let behind = &rest[char.len_utf8()..];
        rest = match char {
            ESCAPE => escaped(behind),
            char if is_introducer(char) => eight_bit(char, behind).unwrap_or_else(|| {
                plain.push(char::REPLACEMENT_CHARACTER);
                behind
            }),
            char => {
                plain.push(char);
                behind
            }
        };
    }
    Cow::Owned(plain)
}

/// Whether a control function may begin, or a control string end, with this character.
pub fn is_introducer(char: char) -> bool {
    matches!(char, ESCAPE | '\u{90}' | '\u{98}' | '\u{9b}'..='\u{9f}')
}

/// What stands behind the control function that an escape before `text` begins.
fn escaped(text: &str) -> &str {
    let Some(char) = text.chars().next() else {
        return text;
    };
    let behind = &text[char.len_utf8()..];
    match char {
        '[' => sequence(behind).unwrap_or(behind),
        'P' | 'X' | ']' | '^' | '_' => string(behind, char == ']').unwrap_or(behind),
        // Designates a character set, and the like.
        ' '..='/' => {
            let end = behind.trim_start_matches(|char| (' '..='/').contains(&char));
            let last = end.chars().next().filter(|char| ('0'..='~').contains(char));
            last.map_or(text, |_| &end[1..])
        }
        '0'..='~' => behind,
        // The escape alone is taken out.
        _ => text,
    }
}

/// What stands behind the control function that this character before `text` begins, if it is one.
fn eight_bit(char: char, text: &str) -> Option<&str> {
    match char {
        '\u{9b}' => sequence(text),
        // An end without a beginning.
        '\u{9c}' => Some(text),
        _ => string(text, char == '\u{9d}'),
    }
}

/// What stands behind parameters, intermediate bytes and a final byte. A text that ends before the final byte was cut,
/// and nothing is behind it.
fn sequence(text: &str) -> Option<&str> {
    let parameter = |char: char| ('0'..='?').contains(&char);
    let intermediate = |char: char| (' '..='/').contains(&char);
    let end = text
        .trim_start_matches(parameter)
        .trim_start_matches(intermediate);
    if text.len() - end.len() > PARAMETERS {
        return None;
    }
    match end.chars().next() {
        None => Some(end),
        Some('@'..='~') => Some(&end[1..]),
        Some(_) => None,
    }
}

/// What stands behind a string's end, on the same line.
fn string(text: &str, may_end_with_bell: bool) -> Option<&str> {
    for (at, char) in text.char_indices().take(STRING) {
        let behind = &text[at + char.len_utf8()..];
        match char {
            '\n' => return None,
            '\u{7}' if may_end_with_bell => return Some(behind),
            '\u{9c}' => return Some(behind),
            ESCAPE => return behind.strip_prefix('\\'),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_functions_are_taken_out() {
        for (text, expected) in [
            ("\u{1b}[1;31mERROR\u{1b}[0m \u{9b}32mok", "ERROR ok"),
            ("\u{1b}[38:2::255:0:0mred\u{1b}[m \u{1b}[?25lx\u{1b}[2K", "red x"),
            (
                "\u{1b}]0;title\u{7}a \u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\",
                "a link",
            ),
            ("\u{9d}0;title\u{9c}a\u{1b}P1$r0m\u{1b}\\b\u{90}x\u{9c}c", "abc"),
            ("\u{1b}_apc\u{1b}\\\u{1b}^pm\u{1b}\\\u{1b}Xsos\u{9c}x", "x"),
            (
                "\u{1b}(Ba\u{1b}7b\u{1b}8c\u{1b}Md\u{1b}ce\u{1b} Ff\u{1b}#8g",
                "abcdefg",
            ),
            ("plain \t 한국", "plain \t 한국"),
        ] {
            assert_eq!(without_controls(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_finished_hides_nothing() {
        let endless = format!("\u{1b}]{}\u{7}x", "y".repeat(STRING));
        for (text, expected) in [
            ("a\u{1b}", "a"),
            ("a\u{1b}[31", "a"),
            ("a\u{1b}[", "a"),
            ("a\u{1b}[3é", "a3é"),
            ("a\u{1b}]0;never closed", "a0;never closed"),
            ("a\u{1b}]0;line\nnext\u{7}", "a0;line\nnext\u{7}"),
            ("a\u{1b}Pdcs with a bell\u{7}b", "adcs with a bell\u{7}b"),
            ("a\u{90}dcs", "a\u{fffd}dcs"),
            ("a\u{9b}\u{9b}1mb", "a\u{fffd}b"),
            ("a\u{1b}\u{1b}[0m[31mb", "a[31mb"),
            ("a\u{1b}é", "aé"),
            ("a\u{1b}(", "a("),
        ] {
            assert_eq!(without_controls(text), expected, "{text:?}");
        }
        assert_eq!(
            without_controls(&endless),
            format!("{}\u{7}x", "y".repeat(STRING))
        );
        let long = format!("\u{1b}[{}mx", "1".repeat(100));
        assert_eq!(without_controls(&long), &long[2..]);
    }

    proptest! {
        #[test]
        fn nothing_of_a_control_function_is_left_and_nothing_else_is_touched(
            text in any::<String>(),
            hard in "[\u{1b}\u{90}\u{98}\u{9b}-\u{9f}\\[\\]P_^X\\\\0-9;?m (B\u{7}\na한]{0,60}",
            words in prop::collection::vec(("[a-z한 ]{1,8}", 0usize..7), 0..12),
        ) {
            for text in [&text, &hard] {
                let plain = without_controls(text);
                prop_assert!(!plain.contains(is_introducer));
                prop_assert_eq!(without_controls(&plain), &*plain);
                prop_assert_eq!(plain.matches('\n').count(), text.matches('\n').count());
            }
            let functions = ["", "\u{1b}[1;31m", "\u{9b}0K", "\u{1b}]0;t\u{7}", "\u{1b}P1\u{9c}", "\u{1b}(B", "\u{1b}7"];
            let mut written = String::new();
            for (word, nth) in &words {
                written.push_str(word);
                written.push_str(functions[*nth]);
            }
            let expected: String = words.iter().map(|(word, _)| word.as_str()).collect();
            prop_assert_eq!(without_controls(&written), expected);
        }
    }
}
