//! A line of Docker's json-file driver: `{"log":"…\n","stream":"stdout","time":"…"}`.
//!
//! The driver writes its keys in this order, so a line is taken apart without a parser where it has them; any other
//! order, and further keys, are left to one. The trap: both ways must agree on every line that both can read.
//!
//! A line whose text does not end with a newline goes on in the next line of its stream, if the stream stands right behind
//! the text. Whoever writes other lines of this form does not break them into pieces.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr2};
use serde::Deserialize;

use super::wrapped::{Entry, Stream, Text};

/// A line as any writer may put it.
#[derive(Deserialize)]
struct Line<'l> {
    #[serde(borrow)]
    log: Cow<'l, str>,
    #[serde(borrow, default)]
    stream: Cow<'l, str>,
}

/// What a line holds; none if it is no line of the driver. Without a stream that Docker knows it is none: programs
/// of all kinds write objects with a `log`.
pub(super) fn read(line: &[u8]) -> Option<Entry<'_>> {
    as_written(line).or_else(|| parsed(line))
}

/// The driver's own order of keys.
fn as_written(line: &[u8]) -> Option<Entry<'_>> {
    let rest = line.strip_prefix(br#"{"log":""#)?;
    let (text, rest) = rest.split_at(closing_quote(rest)?);
    let rest = rest.strip_prefix(br#"","stream":"std"#)?;
    let (stream, rest) = match rest.split_at_checked(4)? {
        (br#"out""#, rest) => (Stream::Stdout, rest),
        (br#"err""#, rest) => (Stream::Stderr, rest),
        _ => return None,
    };
    let time = rest.strip_prefix(br#","time":""#)?.strip_suffix(br#""}"#)?;
    // Nothing that a parser would have to look at.
    if memchr2(b'"', b'\\', time).is_some() {
        return None;
    }
    let whole = without_newline(text);
    Some(Entry {
        stream,
        text: Text::Escaped(whole.unwrap_or(text)),
        open: whole.is_none(),
    })
}

/// How long the time at the end of a line may be for [`is_closed`].
pub(super) const TIMES: Range<usize> = 20..36;

/// Whether a line ends as the driver ends one that ends its program's line: a newline, the stream, and a time. The law: no
/// line of which this is true is read as one that goes on. `times` is a guess of the time's length, and becomes a better
/// one; the answer does not depend on it.
pub(super) fn is_closed(line: &[u8], times: &mut usize) -> bool {
    let Some(line) = line.strip_suffix(br#""}"#) else {
        return false;
    };
    if closes(line, *times) {
        return true;
    }
    let found = TIMES.into_iter().find(|&len| closes(line, len));
    *times = found.unwrap_or(*times);
    found.is_some()
}

/// Whether before the last `time` bytes of a line stands what stands there in a line that is closed.
fn closes(line: &[u8], time: usize) -> bool {
    const NEWLINE: &[u8; 17] = br#"\n","stream":"std"#;
    const TIME: &[u8; 10] = br#"","time":""#;
    let Some((line, time)) = line.len().checked_sub(time).map(|at| line.split_at(at)) else {
        return false;
    };
    let Some((line, end)) = line.split_last_chunk::<10>() else {
        return false;
    };
    let Some((line, stream)) = line.split_last_chunk::<3>() else {
        return false;
    };
    let Some((line, newline)) = line.split_last_chunk::<17>() else {
        return false;
    };
    // The backslash may itself be escaped; such a line is read.
    end == TIME
        && memchr(b'"', time).is_none()
        && newline == NEWLINE
        && (stream == b"out" || stream == b"err")
        && line.last().is_some_and(|&byte| byte != b'\\')
}

fn parsed(line: &[u8]) -> Option<Entry<'_>> {
    if !line.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let Line { log, stream } = serde_json::from_slice(line).ok()?;
    let stream = Stream::of(stream.as_bytes())?;
    let newline = log.ends_with('\n');
    // Pieces are the driver's own, and behind a text it writes the stream.
    let open = !newline && goes_on(line);
    let text = match log {
        Cow::Borrowed(log) => Cow::Borrowed(log.as_bytes()),
        Cow::Owned(mut log) => {
            log.truncate(log.len() - usize::from(newline));
            Cow::Owned(log.into_bytes())
        }
    };
    Some(Entry {
        stream,
        text: Text::Plain(text),
        open,
    })
}

/// Whether a line begins with a text and the stream behind it, as the driver writes both.
fn goes_on(line: &[u8]) -> bool {
    let text = line.strip_prefix(br#"{"log":""#);
    let rest = text.and_then(|text| text.get(closing_quote(text)?..));
    let streams = [&br#"","stream":"stdout""#[..], br#"","stream":"stderr""#];
    rest.is_some_and(|rest| streams.iter().any(|stream| rest.starts_with(stream)))
}

/// Where the quote stands that ends a JSON string.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// The text before an escaped newline at its end.
fn without_newline(text: &[u8]) -> Option<&[u8]> {
    let newlines: [&[u8]; 3] = [b"\\n", b"\\u000a", b"\\u000A"];
    let rest = newlines.iter().find_map(|newline| text.strip_suffix(*newline))?;
    // The backslash may itself be escaped.
    let backslashes = rest.iter().rev().take_while(|&&byte| byte == b'\\').count();
    (backslashes % 2 == 0).then_some(rest)
}

/// Writes what stands inside the quotes of a JSON string as it is meant. An escape that JSON does not know stays.
pub(super) fn unescape(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr(b'\\', text) {
        out.extend_from_slice(&text[..at]);
        let escape = &text[at + 1..];
        let plain = match escape.first() {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
            _ => {
                let (char, taken) = character(escape);
                match char {
                    Some(char) => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
                    None => out.push(b'\\'),
                }
                text = &escape[taken..];
                continue;
            }
        };
        out.push(plain);
        text = &escape[1..];
    }
    out.extend_from_slice(text);
}

/// The character of `uXXXX`, or of the two that a pair of surrogates needs, and how many bytes that took. Half a pair
/// is U+FFFD.
fn character(escape: &[u8]) -> (Option<char>, usize) {
    let Some(first) = unit(escape) else {
        return (None, 0);
    };
    if let Some(char) = char::from_u32(first) {
        return (Some(char), 5);
    }
    let second = escape[5..].strip_prefix(b"\\").and_then(unit);
    let pair = second.filter(|second| first < 0xDC00 && (0xDC00..0xE000).contains(second));
    match pair.and_then(|second| char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))) {
        Some(char) => (Some(char), 11),
        None => (Some(char::REPLACEMENT_CHARACTER), 5),
    }
}

/// The number in `uXXXX`.
fn unit(escape: &[u8]) -> Option<u32> {
    let digits = escape.strip_prefix(b"u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn told(entry: &Entry<'_>) -> (Stream, String, bool) {
        let mut text = Vec::new();
        entry.text.push_to(&mut text);
        (
            entry.stream,
            String::from_utf8_lossy(&text).into_owned(),
            entry.open,
        )
    }

    #[test]
    fn a_line_in_the_drivers_order_needs_no_parser() {
        let line =
            r#"{"log":"a \"b\" \u003c\ud83e\udd80\\n\n","stream":"stderr","time":"2026-01-02T03:04:05.6Z"}"#;
        let entry = as_written(line.as_bytes()).unwrap();
        assert_eq!(told(&entry), (Stream::Stderr, "a \"b\" <🦀\\n".to_owned(), false));
        assert!(as_written(br#"{"log":"a\n","stream":"stdout","attrs":{"a":"b"},"time":"t"}"#).is_none());
    }

    #[test]
    fn an_object_without_a_stream_of_docker_is_no_line_of_docker() {
        for line in [
            r#"{"log":"x\n"}"#,
            r#"{"log":"x\n","stream":"audit","time":"t"}"#,
            r#"{"stream":"stdout","time":"t"}"#,
            r#"{"log":7,"stream":"stdout"}"#,
        ] {
            assert!(read(line.as_bytes()).is_none(), "{line}");
        }
        assert!(read(br#" {"stream":"stdout","log":"x"}"#).is_some());
    }

    #[test]
    fn escapes_that_are_none_stay_and_half_a_character_is_marked() {
        let mut text = Vec::new();
        unescape(br"a\x \u12 \ud800b \ud800\u0041 \udc00 \u+041 \", &mut text);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "a\\x \\u12 \u{fffd}b \u{fffd}A \u{fffd} \\u+041 \\"
        );
    }

    proptest! {
        #[test]
        fn both_ways_read_the_same(text in any::<String>(), hard in "[\\\\\"nu0a\n\r\u{1}🦀/]{0,12}", err in any::<bool>()) {
            for text in [text, hard] {
                let stream = if err { "stderr" } else { "stdout" };
                let log = serde_json::to_string(&text).unwrap();
                let line = format!(r#"{{"log":{log},"stream":"{stream}","time":"2026-01-02T03:04:05Z"}}"#);
                let fast = as_written(line.as_bytes()).map(|entry| told(&entry));
                prop_assert!(fast.is_some());
                prop_assert_eq!(fast, parsed(line.as_bytes()).map(|entry| told(&entry)));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(line in "(\\{\"log\":\")?[\\\\\"nuU0adD8,:}a]{0,30}(\",\"stream\":\"stdout\",\"time\":\"t\"\\})?") {
            if let Some(entry) = read(line.as_bytes()) {
                told(&entry);
            }
        }
    }
}
