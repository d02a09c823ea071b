//! How a record begins: a time, a level, or a whole JSON object.
//!
//! Told by the line alone, from its first bytes. A head has to look like one before its time, too, or the message
//! `time data '12:00:01' does not match` would be a record: nothing but numbers and names of months may stand
//! there ([`Head::Time`]), or a few words without quotes and colons ([`Head::Named`], believed only where the
//! file has that habit).

/// What a line begins with, if it begins a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// A time.
    Time,
    /// A level, or a pair that says one.
    Level,
    /// A few words, then a time.
    Named,
    /// The line is a JSON object.
    Object,
}

/// So many bytes of a line are looked at.
const LOOKED_AT: usize = 80;
/// A time begins at most so far from the start.
const FARTHEST: usize = 48;

const NAMES: [&[u8]; 20] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec", b"Mon",
    b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun", b"UTC",
];

/// In capital letters; small ones count in brackets and before a colon.
const LEVELS: [&[u8]; 24] = [
    b"TRACE",
    b"DEBUG",
    b"INFO",
    b"NOTICE",
    b"WARN",
    b"WARNING",
    b"ERROR",
    b"ERR",
    b"CRITICAL",
    b"CRIT",
    b"FATAL",
    b"SEVERE",
    b"ALERT",
    b"EMERG",
    b"EMERGENCY",
    b"FAIL",
    b"DBUG",
    b"TRCE",
    b"VERBOSE",
    b"CONFIG",
    b"FINE",
    b"FINER",
    b"FINEST",
    b"LOG",
];

/// Looks like a level and is the second half of what Mono says when a program crashes.
const MONO: &[u8] = b"[ERROR] FATAL UNHANDLED EXCEPTION: ";

/// Keys that logfmt lines begin with.
const PAIRS: [&[u8]; 7] = [
    b"level=",
    b"lvl=",
    b"time=",
    b"ts=",
    b"t=",
    b"timestamp=",
    b"severity=",
];

impl Head {
    /// The head of a line without its newline.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        if line.first() == Some(&b'{') && line.trim_ascii_end().last() == Some(&b'}') {
            return Some(Self::Object);
        }
        if line.starts_with(MONO) {
            return None;
        }
        let mut start = [0; LOOKED_AT];
        let start = without_colours(line, &mut start);
        match start.first()? {
            b' ' | b'\t' => return None,
            byte if byte.is_ascii_alphanumeric() => {}
            b'[' | b'<' | b'(' | b'-' | b'*' => {}
            _ => return None,
        }
        if is_level(start) {
            return Some(Self::Level);
        }
        let at = time_at(start)?;
        if at == 0 || start[..at].split(is_gap).all(is_dated) {
            return Some(Self::Time);
        }
        is_name(&start[..at]).then_some(Self::Named)
    }

    /// Whether a line is the second one of a record of java.util.logging, which says the level.
    pub(super) fn is_second_line(first: &[u8], second: &[u8]) -> bool {
        let end = memchr::memchr(b':', second).filter(|&end| end <= 7);
        let level = end.is_some_and(|end| LEVELS.contains(&&second[..end]));
        let first = &first[..first.len().min(LOOKED_AT)];
        level && first.windows(4).any(|four| four == b" AM " || four == b" PM ")
    }
}

/// The first bytes of a line, without terminal codes and a byte order mark.
fn without_colours<'b>(line: &[u8], buffer: &'b mut [u8; LOOKED_AT]) -> &'b [u8] {
    let mut rest = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let mut len = 0;
    while let (Some((&byte, behind)), true) = (rest.split_first(), len < LOOKED_AT) {
        rest = behind;
        if byte == 0x1b && rest.first() == Some(&b'[') {
            let end = rest[1..].iter().position(|byte| (0x40..=0x7e).contains(byte));
            rest = end.map_or(&[][..], |end| &rest[end + 2..]);
            continue;
        }
        buffer[len] = byte;
        len += 1;
    }
    &buffer[..len]
}

fn is_level(line: &[u8]) -> bool {
    if PAIRS.iter().any(|pair| line.starts_with(pair)) {
        return true;
    }
    let bracket = matches!(line.first(), Some(b'[' | b'<'));
    let word = &line[usize::from(bracket)..];
    let len = word
        .iter()
        .position(|byte| !byte.is_ascii_alphabetic())
        .unwrap_or(word.len());
    if len == 1 {
        // Ruby's logger: `E, [2026-…`.
        return b"DIWEFAU".contains(&word[0]) && word[1..].starts_with(b", [");
    }
    let (word, behind) = word.split_at(len);
    let closed = bracket && matches!(behind.first(), Some(b']' | b'>'));
    if word.len() < 2 || word.len() > 9 || (bracket && !closed) {
        return false;
    }
    let ends = matches!(
        behind.first(),
        None | Some(b' ' | b':' | b'\t' | b'|' | b']' | b'>' | b'-' | b'[')
    );
    if LEVELS.contains(&word) {
        return ends && !(word == b"LOG" && behind.first() != Some(&b':'));
    }
    let small = word.iter().all(u8::is_ascii_lowercase) && (closed || behind.first() == Some(&b':'));
    small && LEVELS.contains(&word.to_ascii_uppercase().as_slice())
}

/// Where a time begins: a date, a time of day, seconds since 1970 or since the start of the machine.
fn time_at(line: &[u8]) -> Option<usize> {
    let far = line.len().min(FARTHEST);
    (0..far)
        .find(|&at| {
            line[at].is_ascii_digit()
                && !inside_number(line, at)
                && (is_date(&line[at..]) || is_clock(&line[at..]))
        })
        .or_else(|| is_seconds(line).then_some(0))
}

fn inside_number(line: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| line.get(before));
    before.is_some_and(|&byte| byte.is_ascii_digit() || byte == b'\'' || byte == b'"')
}

/// `2026-11-21`, `2026/11/21`, `20261121-22`, `20261121T22`, `061121 224825`.
fn is_date(text: &[u8]) -> bool {
    let fits = |form: &[u8]| matches_form(text, form);
    (fits(b"9999-99-99") || fits(b"9999/99/99") || fits(b"9999.99.99"))
        || fits(b"99999999-9")
        || fits(b"99999999T99")
        || fits(b"999999 999999 ")
}

/// `7:48:25`, `22:48:25`, or `22:48` behind a month and a day.
fn is_clock(text: &[u8]) -> bool {
    matches_form(text, b"99:99:99") || matches_form(text, b"9:99:99")
}

/// `1764000000`, `1764000000.123`, `1764000000123` at the very start, or `[    0.123456]`.
fn is_seconds(line: &[u8]) -> bool {
    if let Some(inside) = line.strip_prefix(b"[") {
        let number = inside.trim_ascii_start();
        let len = number.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(0);
        return len > 0 && matches_form(&number[len..], b".999999]");
    }
    let len = line
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(line.len());
    let ends = matches!(line.get(len), Some(b' ' | b'.' | b',' | b'\t'));
    (len == 10 || len == 13) && line[0] == b'1' && ends
}

/// Whether a text begins like `form`, in which a 9 stands for any digit.
fn matches_form(text: &[u8], form: &[u8]) -> bool {
    text.len() >= form.len()
        && text.iter().zip(form).all(|(byte, form)| match form {
            b'9' => byte.is_ascii_digit(),
            form => byte == form,
        })
}

fn is_gap(byte: &u8) -> bool {
    matches!(
        byte,
        b' ' | b'[' | b'(' | b'<' | b'/' | b'-' | b',' | b'.' | b':' | b'|' | b'*' | b'_'
    )
}

/// A piece of a date: digits, a month, a day of the week, or the letter and the day that glog begins with.
fn is_dated(word: &[u8]) -> bool {
    let glog = word.len() == 5 && b"IWEFD".contains(&word[0]);
    let word = if glog { &word[1..] } else { word };
    word.iter().all(u8::is_ascii_digit) || NAMES.contains(&word)
}

/// A few words that may stand before a time, such as a host.
fn is_name(text: &[u8]) -> bool {
    let quoted = text
        .iter()
        .any(|byte| matches!(byte, b'"' | b'\'' | b'(' | b'=' | b'`'));
    let said = text.windows(2).any(|two| two == b": ");
    let words = text
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
        .count();
    !quoted && !said && words <= 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_begins_with_a_time_or_a_level() {
        let table = [
            ("2026-11-21T22:48:25.123Z boot", Some(Head::Time)),
            ("2026-11-21 22:48:25,123 - INFO - x", Some(Head::Time)),
            ("[2026-11-21 22:48:25 +0000] [7] [INFO] x", Some(Head::Time)),
            ("2026/11/21 22:48:25 http: panic serving", Some(Head::Time)),
            ("[Sun Dec 04 04:47:44 2005] [notice] x", Some(Head::Time)),
            ("Jun 14 15:16:01 combo sshd[1]: x", Some(Head::Time)),
            ("Jan 02, 2026 3:04:05 PM com.example.Main run", Some(Head::Time)),
            ("[21-Nov-2026 22:48:25 UTC] PHP Fatal error", Some(Head::Time)),
            ("17/06/09 20:10:40 INFO x", Some(Head::Time)),
            ("081109 203615 148 INFO x", Some(Head::Time)),
            ("E1121 22:48:25.000000       7 x.go:12] y", Some(Head::Time)),
            ("20171223-22:15:29:606|Step|", Some(Head::Time)),
            ("22:48:25.123 [main] ERROR x", Some(Head::Time)),
            ("[    0.123456] Linux", Some(Head::Time)),
            ("1764000000.123 200 GET", Some(Head::Time)),
            ("\u{1b}[2m2026-11-21T22:48:25Z\u{1b}[0m INFO x", Some(Head::Time)),
            ("ERROR:root:x", Some(Head::Level)),
            ("ERROR x", Some(Head::Level)),
            ("[error] x", Some(Head::Level)),
            ("INFO:     127.0.0.1:5 - \"GET", Some(Head::Level)),
            ("fail: Microsoft.AspNetCore[1]", Some(Head::Level)),
            ("\u{1b}[32mINFO\u{1b}[0m: x", Some(Head::Level)),
            ("E, [2026-11-21T22:48:25 #7] ERROR", Some(Head::Level)),
            ("level=error msg=x", Some(Head::Level)),
            (
                "nova-api.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 x",
                Some(Head::Named),
            ),
            (
                "10.0.0.7 - ann [21/Nov/2026:22:48:25 +0000] \"GET",
                Some(Head::Named),
            ),
            ("1:M 21 Nov 2026 22:48:25.000 # x", Some(Head::Named)),
            (r#"{"level":"error"}"#, Some(Head::Object)),
            ("{ not all of it", None),
            ("ValueError: time data '12:00:01' does not match", None),
            ("Error: x", None),
            ("error in the works", None),
            ("Caused by: java.lang.X: at 12:00:01", None),
            ("    at 12:00:01", None),
            ("Traceback (most recent call last):", None),
            ("plain words", None),
            ("42 things", None),
            ("", None),
        ];
        for (line, expected) in table {
            assert_eq!(Head::of(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn the_level_of_java_util_logging_stands_in_the_second_line() {
        let first = b"Jan 02, 2026 3:04:05 PM com.example.Main run";
        assert!(Head::is_second_line(first, b"SEVERE: no"));
        assert!(!Head::is_second_line(first, b"other: no"));
        assert!(!Head::is_second_line(b"2026-01-02 12:00:00 x", b"SEVERE: no"));
    }
}
