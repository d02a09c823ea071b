//! The level that a text says it has.
//!
//! It stands near the beginning: after the time, before what happened. The trap is prose: "no error so far" has no
//! level. So a word in small letters counts only where a program would set it apart, in brackets or before a colon at
//! the very beginning, and a word in capitals counts as it stands.

use crate::model::Level;

/// So much of a text is looked at, in bytes.
pub(super) const HEAD: usize = 160;

/// The level of a text, if it says one.
pub(super) fn of(text: &[u8]) -> Option<Level> {
    let head = super::plain_head(text, HEAD);
    let head = &head.as_bytes()[..head.len().min(HEAD)];
    priority(head).or_else(|| glog(head)).or_else(|| word(head))
}

/// `<34>` at the beginning, as syslog and systemd put it.
fn priority(head: &[u8]) -> Option<Level> {
    let rest = head.strip_prefix(b"<")?;
    let digits = rest.iter().take(4).position(|&byte| byte == b'>')?;
    let number = std::str::from_utf8(&rest[..digits]).ok()?;
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    Level::of_priority(plain.then(|| number.parse().ok())??)
}

/// `E0102 03:04:05` at the beginning, as glog and klog write it.
fn glog(head: &[u8]) -> Option<Level> {
    let (letter, rest) = head.split_first()?;
    let date = rest.get(..5)?;
    let fits = date[..4].iter().all(u8::is_ascii_digit) && date[4] == b' ';
    match letter {
        _ if !fits => None,
        b'I' => Some(Level::Info),
        b'W' => Some(Level::Warning),
        b'E' => Some(Level::Error),
        b'F' => Some(Level::Fatal),
        _ => None,
    }
}

/// The first word that is a level.
fn word(head: &[u8]) -> Option<Level> {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic();
    let mut at = 0;
    while at < head.len() {
        let begin = at + head[at..].iter().position(is_letter)?;
        let len = head[begin..].iter().take_while(|byte| is_letter(byte)).count();
        let end = begin + len;
        at = end;
        if stands_apart(head, begin, end)
            && let Ok(word) = std::str::from_utf8(&head[begin..end])
            && let Some(level) = Level::of(word)
        {
            return Some(level);
        }
    }
    None
}

/// Whether a word stands where a level would.
fn stands_apart(head: &[u8], begin: usize, end: usize) -> bool {
    let before = begin.checked_sub(1).map(|at| head[at]);
    let behind = head.get(end).copied();
    let part_of_a_name = |byte: Option<u8>| {
        byte.is_some_and(|byte| {
            byte.is_ascii_digit() || matches!(byte, b'_' | b'/' | b'.' | b'-') || byte >= 0x80
        })
    };
    // At the end of what is looked at nobody knows whether the word goes on.
    if part_of_a_name(before)
        || (part_of_a_name(behind) && behind != Some(b'-'))
        || (behind.is_none() && end == HEAD)
    {
        return false;
    }
    let capitals = head[begin..end].iter().all(u8::is_ascii_uppercase);
    let in_brackets = matches!(before, Some(b'[' | b'<' | b'(' | b'|'))
        && matches!(behind, Some(b']' | b'>' | b')' | b'|' | b':'));
    let leads = begin == 0 && behind == Some(b':');
    let is_value = before == Some(b'=') && head[..begin].ends_with(b"level=");
    capitals || in_brackets || leads || is_value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn levels_are_found_where_programs_put_them() {
        for (text, expected) in [
            ("2026-01-02 03:04:05,678 ERROR payments: no answer", Level::Error),
            ("2026-01-02T03:04:05Z  WARN app::db: slow", Level::Warning),
            ("[2026-01-02 03:04:05] local CRITICAL: gone", Level::Fatal),
            (
                "2026/01/02 03:04:05 [error] 123#0: *1 open() failed",
                Level::Error,
            ),
            (
                "[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok",
                Level::Info,
            ),
            ("WARNING:root:careful", Level::Warning),
            ("error: could not compile", Level::Error),
            ("fail: Microsoft.Hosting[0]", Level::Error),
            ("<3>kernel: oops", Level::Error),
            ("E0102 03:04:05.678901 1 main.go:12] boom", Level::Error),
            (
                "I0102 03:04:05.678901 1 main.go:12] ERROR is a word here",
                Level::Info,
            ),
            ("ts=1 level=warn caller=x", Level::Warning),
            ("INFO request ended with ERROR", Level::Info),
        ] {
            assert_eq!(of(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn prose_has_no_level() {
        for text in [
            "no error so far",
            "an error: it went on",
            "GET /ERROR/x 200",
            "my_ERROR_count 7",
            "ERRORS 0",
            "E0102x",
            "<999>x",
            "<>x",
            "<+3>x",
            "",
        ] {
            assert_eq!(of(text.as_bytes()), None, "{text}");
        }
        let late = format!("{} ERROR", "x ".repeat(HEAD));
        assert_eq!(of(late.as_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..200), hard in "[<>0-9EIW \\[\\]=:ERRORerrorlv]{0,180}") {
            of(&text);
            of(hard.as_bytes());
        }
    }
}
