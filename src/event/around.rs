//! From a byte of a chunk to the event around it.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memrchr};

use super::Settings;
use crate::model::{is_introducer, without_controls};

/// The bytes that some editors put before the first line of a UTF-8 file.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Finds events in chunks of one log.
#[derive(Clone, Debug)]
pub struct Events {
    /// How this log's bytes form events.
    pub(super) settings: Settings,
}

/// One event: where it lies and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'c> {
    /// All its bytes in the chunk, the newline included.
    pub range: Range<usize>,
    /// What the rules look at: no newline, no carriage return before it, no byte order mark, no NUL bytes at
    /// its start, at most `max_line` bytes.
    pub text: &'c [u8],
    /// Whether text is missing at the end because the line is longer than `max_line`.
    pub cut: bool,
    /// How many NUL bytes at its start were left out: the hole that a writer without `O_APPEND` leaves after
    /// a truncation.
    pub nuls: usize,
    /// It can only be the rest of an event that was handed out before: that one was too long, or waited long enough.
    pub rest: bool,
}

impl<'c> Event<'c> {
    /// The line that says what the event's fields are, and the lines below it. A JSON object that is not closed in its
    /// first line has no lines below.
    pub fn parts(&self) -> (&'c [u8], &'c [u8]) {
        let Some(newline) = memchr(b'\n', self.text) else {
            return (self.text, &[]);
        };
        let (first, below) = self.text.split_at(newline);
        let open = first.starts_with(b"{") && first.trim_ascii_end().last() != Some(&b'}');
        if open {
            (self.text, &[])
        } else {
            (first, &below[1..])
        }
    }
}

impl Events {
    /// Events as `settings` say.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The event that holds the byte `at` of `chunk`. The chunk begins at a line's start, `offset` bytes into
    /// its file, and holds whole lines; only the last may lack its newline. An `at` past the end means the
    /// last byte.
    pub fn around<'c>(&self, chunk: &'c [u8], at: usize, offset: u64) -> Event<'c> {
        let at = at.min(chunk.len().saturating_sub(1));
        self.event(chunk, line_around(chunk, at), offset)
    }

    /// The event that these whole lines form.
    pub(super) fn event<'c>(&self, chunk: &'c [u8], range: Range<usize>, offset: u64) -> Event<'c> {
        let first = offset == 0 && range.start == 0;
        let line = without_ends(&chunk[range.clone()]);
        let line = if first {
            line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
        } else {
            line
        };
        let nuls = line.iter().position(|&byte| byte != 0).unwrap_or(line.len());
        let line = &line[nuls..];
        // Of several lines none is longer than it may be, and how many there may be is settled where they meet.
        let several = memchr(b'\n', line).is_some();
        let text = shorten(line, self.settings.max_line << u32::from(several));
        Event {
            range,
            text,
            cut: text.len() < line.len(),
            nuls,
            rest: false,
        }
    }
}

/// The text of an event for people and for keeping: what is not UTF-8 becomes U+FFFD, and control functions of terminals
/// are taken out, those in 8 bits too. Rules never see this.
pub fn decode(text: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(text) {
        Ok(text) => without_controls(text),
        Err(_) => Cow::Owned(without_controls(&lossy(text)).into_owned()),
    }
}

/// What is not UTF-8 becomes U+FFFD, unless it is a single byte that begins or ends a control function in 8 bits.
fn lossy(text: &[u8]) -> String {
    let mut all = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        all.push_str(chunk.valid());
        match chunk.invalid() {
            [] => {}
            &[byte] if is_introducer(char::from(byte)) => all.push(char::from(byte)),
            _ => all.push(char::REPLACEMENT_CHARACTER),
        }
    }
    all
}

/// The beginning of a text as [`decode`] gives it, at least `len` bytes if there are so many and they hold no more
/// control functions than most do.
pub(super) fn plain_head(text: &[u8], len: usize) -> Cow<'_, str> {
    let head = &text[..text.len().min(len)];
    match std::str::from_utf8(head) {
        Ok(plain) if !plain.contains(is_introducer) => Cow::Borrowed(plain),
        _ => decode(&text[..text.len().min(2 * len)]),
    }
}

/// The range of the line that holds the byte `at`, its newline included. A newline belongs to the line it
/// ends.
fn line_around(chunk: &[u8], at: usize) -> Range<usize> {
    let start = memrchr(b'\n', &chunk[..at]).map_or(0, |newline| newline + 1);
    let end = memchr(b'\n', &chunk[at..]).map_or(chunk.len(), |newline| at + newline + 1);
    start..end
}

/// Lines without the ends behind the last that is not blank. One line alone loses no more than its own end.
fn without_ends(lines: &[u8]) -> &[u8] {
    let mut text = without_end(lines);
    while let Some(above) = memrchr(b'\n', text)
        && text[above + 1..].trim_ascii().is_empty()
    {
        text = without_end(&text[..=above]);
    }
    text
}

/// A line without its newline and one carriage return before it.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// At most `max` bytes of `line`. A character that the cut would split is left out whole; bytes that are not
/// UTF-8 are cut anywhere.
fn shorten(line: &[u8], max: usize) -> &[u8] {
    if line.len() <= max {
        return line;
    }
    let split = (max.saturating_sub(3)..max).find(|&start| {
        let longest = &line[start..line.len().min(start + 4)];
        first_char(longest).is_some_and(|len| start + len > max)
    });
    &line[..split.unwrap_or(max)]
}

/// The length in bytes of the character that `bytes` begin with, if they begin with one.
fn first_char(bytes: &[u8]) -> Option<usize> {
    let valid = bytes.utf8_chunks().next()?.valid();
    valid.chars().next().map(char::len_utf8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::event::{Format, Multiline};

    fn events(max_line: usize) -> Events {
        Events::new(Settings {
            format: Format::Plain,
            multiline: Multiline::Off,
            max_line,
            ..Settings::default()
        })
    }

    /// All events of a chunk, in order, with absolute ranges.
    fn walk(events: &Events, chunk: &[u8], offset: u64) -> Vec<(Range<usize>, Vec<u8>, bool, usize)> {
        let base = usize::try_from(offset).unwrap();
        let mut found = Vec::new();
        let mut at = 0;
        while at < chunk.len() {
            let event = events.around(chunk, at, offset);
            assert_eq!(event.range.start, at);
            found.push((
                base + at..base + event.range.end,
                event.text.to_vec(),
                event.cut,
                event.nuls,
            ));
            at = event.range.end;
        }
        found
    }

    #[track_caller]
    fn text_of(line: &[u8], expected: &[u8]) {
        let events = events(64);
        let event = events.around(line, 0, 100);
        assert_eq!(event.text, expected);
        assert_eq!(event.range, 0..line.len());
    }

    #[test]
    fn the_newline_and_one_carriage_return_are_not_text() {
        text_of(b"a\n", b"a");
        text_of(b"a\r\n", b"a");
        text_of(b"a\r\r\n", b"a\r");
        text_of(b"a\rb\r\n", b"a\rb");
        text_of(b"\n", b"");
        text_of(b"\r\n", b"");
    }

    #[test]
    fn an_unfinished_last_line_is_an_event() {
        text_of(b"a", b"a");
        text_of(b"a\r", b"a");
        assert_eq!(events(64).around(b"a\nbc", 3, 0).range, 2..4);
    }

    #[test]
    fn every_byte_of_a_line_leads_to_the_same_event() {
        let chunk = b"one\ntwo\r\n\nfour";
        let events = events(64);
        for range in [0..4, 4..9, 9..10, 10..14] {
            for at in range.clone() {
                assert_eq!(events.around(chunk, at, 0).range, range, "byte {at}");
            }
        }
    }

    #[test]
    fn an_empty_chunk_has_an_empty_event() {
        let event = events(64).around(b"", 7, 0);
        assert_eq!(
            event,
            Event {
                range: 0..0,
                text: b"",
                cut: false,
                nuls: 0,
                rest: false
            }
        );
    }

    #[test]
    fn a_byte_order_mark_is_dropped_only_at_the_start_of_the_file() {
        let chunk = b"\xEF\xBB\xBFone\n\xEF\xBB\xBFtwo\n";
        let events = events(64);
        assert_eq!(events.around(chunk, 0, 0).text, b"one");
        assert_eq!(events.around(chunk, 0, 5).text, b"\xEF\xBB\xBFone");
        assert_eq!(events.around(chunk, 8, 0).text, b"\xEF\xBB\xBFtwo");
    }

    #[test]
    fn a_hole_of_nul_bytes_before_a_line_is_left_out_and_counted() {
        let event = events(4).around(b"\0\0\0\0\0\0ab\0c\n", 8, 9).clone();
        assert_eq!((event.text, event.nuls, event.cut), (&b"ab\0c"[..], 6, false));
        assert_eq!(events(4).around(b"\0\0\n", 0, 9).text, b"");
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let cases: [(&str, usize, &str); 6] = [
            ("abcdef", 4, "abcd"),
            ("ab한국", 4, "ab"),
            ("ab한국", 5, "ab한"),
            ("a🦀b", 4, "a"),
            ("a🦀b", 5, "a🦀"),
            ("한", 2, ""),
        ];
        for (line, max, expected) in cases {
            let events = events(max);
            let event = events.around(line.as_bytes(), 0, 1);
            assert_eq!(
                (event.text, event.cut),
                (expected.as_bytes(), true),
                "{line} at {max}"
            );
        }
    }

    #[test]
    fn invalid_bytes_are_cut_anywhere() {
        let line = b"\xED\x95\xED\x95\xED\x95\x80\x80\x80\x80";
        for max in [1, 3, 8, 9] {
            assert_eq!(events(max).around(line, 0, 1).text, &line[..max], "at {max}");
        }
    }

    #[test]
    fn decoding_shows_invalid_bytes_and_keeps_the_rest() {
        assert_eq!(decode("한국".as_bytes()), "한국");
        assert_eq!(decode(b"a\xFFb"), "a\u{FFFD}b");
        assert_eq!(decode("\u{1b}[31m한\u{1b}[0m".as_bytes()), "한");
        assert_eq!(
            decode(b"\x9B31mred\x9B0m \x9D0;title\x9C\xED\x95 \x90half \x93quoted\x94"),
            "red \u{FFFD} \u{FFFD}half \u{FFFD}quoted\u{FFFD}"
        );
    }

    /// Bytes of which newlines, carriage returns, NULs and pieces of characters are a fair part.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..4),
            3 => Just(b"\n".to_vec()),
            1 => Just(b"\r\n".to_vec()),
            1 => Just(b"\0\0".to_vec()),
            1 => Just(BYTE_ORDER_MARK.to_vec()),
            2 => Just("한🦀é".as_bytes().to_vec()),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_split_into_chunks_of_whole_lines_gives_the_same_events(
            bytes in bytes(), max in 1usize..12, cuts in prop::collection::vec(any::<bool>(), 64)
        ) {
            let events = events(max);
            let whole = walk(&events, &bytes, 0);
            let (mut split, mut start, mut lines) = (Vec::new(), 0, 0);
            for end in memchr::memchr_iter(b'\n', &bytes).map(|newline| newline + 1).chain([bytes.len()]) {
                if cuts[lines % cuts.len()] || end == bytes.len() {
                    split.extend(walk(&events, &bytes[start..end], start as u64));
                    start = end;
                }
                lines += 1;
            }
            prop_assert_eq!(whole, split);
        }

        #[test]
        fn a_cut_keeps_as_many_whole_characters_as_fit(line in "[a-z가-힣é🦀]{1,20}", max in 1usize..30) {
            let events = events(max);
            let event = events.around(line.as_bytes(), 0, 1);
            let kept = std::str::from_utf8(event.text).unwrap();
            let next = line[kept.len()..].chars().next().map_or(0, char::len_utf8);
            prop_assert!(kept.len() <= max && line.starts_with(kept));
            prop_assert!(!event.cut || kept.len() + next > max);
        }
    }
}
