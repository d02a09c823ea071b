//! Wrapped lines that cannot matter are not decoded.
//!
//! To take a line of a container runtime apart costs many times what it costs to search it. So the lines are first
//! searched as they stand, by whoever knows what matters ([`Search`]), and only events around hits are decoded. Exact by
//! construction, from two facts:
//!
//! 1. An event that one line holds alone has its text in that line, as it stands or as a JSON string. The search finds
//!    those that may matter; about others it need not know anything.
//! 2. An event of several lines can matter though none of them does: a word may be broken into two pieces. The search
//!    finds the first piece, or else such events are known by their lines ([`next_open`]); in a chunk with anything to
//!    decode they are decoded always.
//!
//! What is decoded begins where nothing is open and ends where nothing is open, so it gives the same events as the whole
//! chunk would: that is the split law. Where lines of text are put together to events (`multiline`), a chunk is decoded
//! as a whole or not at all.
//!
//! Nothing else may depend on a line being decoded: what is counted of lines (bytes, shares, signs of being alive) is
//! counted of the chunk.

use memchr::{memchr, memmem, memrchr};

use super::multiline::{self, Decoded};
use super::wrapped::{self, Decoder, Scratch, Stream};
use super::{Events, Format, Lines, cri, docker};
use crate::model::{LineEnd, Manner};

/// How to find what may matter in lines that are searched as they stand.
#[derive(Clone, Copy)]
pub struct Search<'s> {
    /// Finds a byte of the next line that may matter, in lines of this format. It never passes over a line whose own text
    /// matters.
    pub find: &'s dyn Fn(Format, &[u8]) -> Option<usize>,
    /// Whether, for this format, it never passes over a line either whose text goes on in another line and ends with the
    /// beginning of something that matters.
    pub pieces: &'s dyn Fn(Format) -> bool,
}

/// After so many stretches it is asked whether it is worth while to look for the next one.
const STRETCHES: usize = 16;
/// It is not where more than one byte of so many has to be decoded.
const DENSE: usize = 4;

/// So many of the last lines are asked whose they are.
const LAST: usize = 4;
/// So far back a place is looked for where every event ends.
const NEAR: usize = 64 * 1024;

impl Events {
    /// As [`Events::lines`], without lines that do not matter where these would have to be decoded.
    pub fn candidates<'c>(
        &'c self,
        chunk: &'c [u8],
        offset: u64,
        manner: Manner,
        scratch: &'c mut Scratch,
        search: Search<'_>,
    ) -> Lines<'c> {
        let decoder = self.settings.decoder(manner);
        if !is_searchable(&decoder) {
            return self.lines(chunk, offset, manner, scratch);
        }
        let sieve = Sieve {
            decoder,
            joints: self.settings.joints(manner, offset),
            chunk,
            search,
        };
        sieve.fill(scratch);
        self.decoded(chunk, offset, manner, scratch)
    }
}

/// Whether texts stand in their lines in UTF-8, as they are or as JSON strings.
pub(super) fn is_searchable(decoder: &Decoder) -> bool {
    let utf8 = decoder.format == Format::Docker || decoder.encoding.is_utf8();
    decoder.format.is_wrapped() && decoder.line_end == LineEnd::Byte && utf8 && !decoder.overwrite
}

struct Sieve<'c> {
    decoder: Decoder,
    joints: Decoded<'c>,
    chunk: &'c [u8],
    search: Search<'c>,
}

impl Sieve<'_> {
    fn fill(&self, scratch: &mut Scratch) {
        scratch.clear();
        let hit = self.next_hit(0);
        let pieces = (self.search.pieces)(self.decoder.format);
        // Nearly always that is all.
        if hit.is_none() && (pieces || self.next_open(0).is_none()) {
            return;
        }
        if self.joints.joiner.is_off() {
            self.stretches(scratch, hit);
        } else {
            scratch.fill(&self.decoder, self.joints, self.chunk);
        }
    }

    /// Decodes lines that may matter, and events of several lines.
    fn stretches(&self, scratch: &mut Scratch, mut hit: Option<usize>) {
        let mut open = self.next_open(0);
        let mut decoded = 0;
        for stretch in 0.. {
            let Some(begin) = hit.into_iter().chain(open).min() else {
                return;
            };
            if stretch >= STRETCHES && decoded * DENSE > begin {
                scratch.rest(&self.decoder, self.joints, self.chunk, begin);
                return;
            }
            let end = scratch.stretch(&self.decoder, self.joints, self.chunk, begin);
            decoded += end - begin;
            if hit.is_some_and(|hit| hit < end) {
                hit = self.next_hit(end);
            }
            if open.is_some_and(|open| open < end) {
                open = self.next_open(end);
            }
        }
    }

    /// Where the next line begins that may matter by itself; `from` is the beginning of a line.
    fn next_hit(&self, from: usize) -> Option<usize> {
        let lines = self.chunk.get(from..).filter(|lines| !lines.is_empty())?;
        let at = (self.search.find)(self.decoder.format, lines)?;
        let begin = memrchr(b'\n', &lines[..at]).map_or(0, |newline| newline + 1);
        Some(from + begin)
    }

    fn next_open(&self, from: usize) -> Option<usize> {
        next_open(self.decoder.format, self.chunk, from)
    }
}

/// Where the next line begins, at or behind `from`, whose event goes on in another one.
pub(super) fn next_open(format: Format, lines: &[u8], from: usize) -> Option<usize> {
    // Lines of one file have times of one length, mostly.
    let mut times = docker::TIMES.start;
    let mut start = from;
    while start < lines.len() {
        let rest = &lines[start..];
        let len = memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..len];
        let closed = match format {
            Format::Docker => docker::is_closed(line, &mut times),
            _ => cri::is_closed(line),
        };
        if !closed && wrapped::is_open(format, line) {
            return Some(start);
        }
        start += len + 1;
    }
    None
}

/// Whether nothing is open at `upto`, as far as its last lines tell: each stream's last line ends an event, or no line of
/// the other one goes on at all. What goes on for `longest` bytes is over.
pub(super) fn is_closed_at(format: Format, lines: &[u8], upto: usize, longest: usize) -> bool {
    let mut last = None;
    let mut end = upto;
    for _ in 0..LAST {
        if end == 0 {
            return true;
        }
        let start = memrchr(b'\n', &lines[..end - 1]).map_or(0, |newline| newline + 1);
        let line = &lines[start..end];
        match wrapped::stream_of(format, line.strip_suffix(b"\n").unwrap_or(line)) {
            Some((_, true)) => return false,
            Some((stream, _)) if *last.get_or_insert(stream) != stream => return true,
            _ => {}
        }
        end = start;
    }
    let mark: &[u8] = match (format, last) {
        (_, None) => return false,
        (Format::Docker, Some(Stream::Stdout)) => br#"err""#,
        (Format::Docker, Some(Stream::Stderr)) => br#"out""#,
        (_, Some(Stream::Stdout)) => b"err P",
        (_, Some(Stream::Stderr)) => b"out P",
    };
    // A line may begin before that and end behind it.
    let from = upto.saturating_sub(longest).min(end);
    let from = memrchr(b'\n', &lines[..from]).map_or(0, |newline| newline + 1);
    memmem::find(&lines[from..end], mark).is_none()
}

/// A place near `upto`, and not behind it, where every event ends, whatever stands before it; none if none is found there.
/// No piece is open at `upto`.
///
/// It is the beginning of a line that is sure to begin an event of its stream, with lines of that stream alone before it:
/// so many that an event of another stream has ended.
pub(super) fn seam(decoder: &Decoder, joints: Decoded<'_>, lines: &[u8], upto: usize) -> Option<usize> {
    let mut found = None;
    let mut below: Option<(usize, Vec<u8>)> = None;
    let mut of = None;
    let mut end = upto;
    while end > 0 && upto - end < NEAR {
        let start = memrchr(b'\n', &lines[..end - 1]).map_or(0, |newline| newline + 1);
        let line = &lines[start..end];
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let (slot, text) = wrapped::text_of(decoder.format, line);
        if *of.get_or_insert(slot) != slot || wrapped::is_open(decoder.format, line) {
            return None;
        }
        if found.is_none() {
            let last = memrchr(b'\n', &text).map_or(0, |newline| newline + 1);
            found = below.filter(|(begin, first)| {
                let place = joints.offset + *begin as u64;
                joints
                    .joiner
                    .is_sure(without_return(&text[last..]), without_return(first), place)
            });
            let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
            below = Some((start, first.to_vec()));
        }
        if let Some((begin, _)) = &found
            && start + multiline::REACH <= *begin
        {
            return Some(*begin);
        }
        end = start;
    }
    // Before the first line nothing is open.
    found.filter(|_| end == 0).map(|(begin, _)| begin)
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::ops::Range;

    use proptest::prelude::*;

    use super::*;
    use crate::event::{Language, Multiline, Settings};
    use crate::model::{Habit, Joints as _, Records};

    /// A text as somebody may write it into a JSON string.
    fn piece() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            "a",
            "b",
            "ab",
            "한",
            r"\u0061",
            r"\u0062",
            r#"\""#,
            r"\\",
            r"\/",
            r"\n",
            r"\u000a",
            r"\x",
            r"\t",
            " ",
            "",
            r"\u001b[31m",
        ])
        .prop_map(str::to_owned)
    }

    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec(piece(), 0..5).prop_map(|pieces| pieces.concat())
    }

    /// A line of Docker, or what only looks like one, which may go on.
    fn docker() -> impl Strategy<Value = String> {
        let stream = prop::sample::select(vec!["stdout", "stderr", "stdout", "stdin"]);
        let time = prop::sample::select(vec![
            "t",
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.67Z",
            "2026-01-02T03:04:05.678901234Z",
        ]);
        let end = prop::sample::select(vec![
            r"\n", r"\n", r"\n", r"\n", r"\n", "", r"\\n", r"\u000a", r"\\\n",
        ]);
        (stream, time, end, text(), text(), 0u8..12).prop_map(|(stream, time, end, text, other, form)| {
            match form {
                0 => format!(r#"{{"log":"{text}","x":"{other}{end}","stream":"{stream}","time":"{time}"}}"#),
                1 => format!(
                    r#"{{"log":"{text}{end}","stream":"{stream}","attrs":{{"a":"b"}},"time":"{time}"}}"#
                ),
                2 => format!(r#"{{"stream":"{stream}","log":"{text}{end}","time":"{time}"}}"#),
                3 => format!(r#"{text}","stream":"{stream}","time":"{time}"}}"#),
                4 => text,
                _ => format!(r#"{{"log":"{text}{end}","stream":"{stream}","time":"{time}"}}"#),
            }
        })
    }

    fn cri() -> impl Strategy<Value = String> {
        let stream = prop::sample::select(vec!["stdout", "stderr", "stdout", "stdin"]);
        let flag = prop::sample::select(vec!["F", "F", "F", "F", "P", "P:x", "F:P", "FP", "X", ""]);
        let time = prop::sample::select(vec![
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.678901234+00:00",
            "when",
            "2026-01-02T stdout",
        ]);
        (time, stream, flag, text())
            .prop_map(|(time, stream, flag, text)| format!("{time} {stream} {flag} {text}"))
    }

    fn lines(format: Format) -> impl Strategy<Value = Vec<u8>> {
        let line = if format == Format::Docker {
            docker().boxed()
        } else {
            cri().boxed()
        };
        // Long lines, so that an event may be cut.
        let line = prop_oneof![20 => line, 1 => Just("x".repeat(700))];
        prop::collection::vec(line, 0..60).prop_map(|lines| {
            lines
                .iter()
                .flat_map(|line| [line.as_bytes(), b"\n"].concat())
                .collect()
        })
    }

    fn file() -> impl Strategy<Value = (Format, Vec<u8>)> {
        prop::sample::select(vec![Format::Docker, Format::Cri])
            .prop_flat_map(|format| (Just(format), lines(format)))
    }

    fn multiline() -> impl Strategy<Value = Multiline> {
        prop::sample::select(vec![
            Multiline::Off,
            Multiline::Off,
            Multiline::Auto,
            Multiline::Language(Language::Python),
        ])
    }

    /// All events with their places, their texts, and whether they were cut, that hold `needle`.
    fn holding(lines: &Lines<'_>, needle: &[u8]) -> Vec<(Range<usize>, Vec<u8>, bool)> {
        let (mut found, mut at) = (Vec::new(), 0);
        while at < lines.bytes().len() {
            let placed = lines.around(at, at);
            at = placed.next;
            let event = placed.event;
            if memmem::find(event.text, needle).is_some() {
                found.push((event.range, event.text.to_vec(), event.cut));
            }
        }
        found
    }

    /// A search that finds no more than it must: lines whose own text holds `needle`.
    fn least(needle: &'static [u8]) -> impl Fn(Format, &[u8]) -> Option<usize> {
        move |format, lines| {
            let mut start = 0;
            for line in lines.split_inclusive(|&byte| byte == b'\n') {
                let bare = line.strip_suffix(b"\n").unwrap_or(line);
                let text =
                    wrapped::unwrap(format, bare).map_or_else(|| bare.to_vec(), std::borrow::Cow::into_owned);
                if memmem::find(&text, needle).is_some() {
                    return Some(start);
                }
                start += line.len();
            }
            None
        }
    }

    /// First lines of records, and lines that go on with them.
    const RECORDS: [&str; 7] = [
        "2026-01-02 03:04:05 x ",
        "ERROR: x ",
        "Traceback (most recent call last):",
        "  File \"x\" ",
        "ValueError: x ",
        "{\"a\":\"b\"}",
        "words ",
    ];

    /// What may be handed out is the same whether lines are read for that or not.
    fn is_whole(
        settings: &Settings,
        manner: Manner,
        bytes: &[u8],
        cut: prop::sample::Index,
    ) -> Result<(), TestCaseError> {
        let newlines = memchr::memchr_iter(b'\n', bytes).map(|newline| newline + 1);
        let ends: Vec<usize> = std::iter::once(0).chain(newlines).collect();
        let (decoder, joints) = (settings.decoder(manner), settings.joints(manner, 7));
        for upto in [ends[cut.index(ends.len())], bytes.len()] {
            let read = wrapped::last_gap_of(&decoder, joints, bytes, upto);
            prop_assert_eq!(settings.whole(manner, bytes, 7, upto), read);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn events_that_hold_what_is_searched_are_those_of_the_chunk_decoded_as_a_whole(
            (format, bytes) in file(),
            multiline in multiline(),
            needle in prop::sample::select(vec![&b"a"[..], b"ab", b"ba", b"aab", "한".as_bytes(), b"\"b", b"\xEF\xBB\xBFa"]),
            max_line in 4usize..40,
            offset in prop::sample::select(vec![0u64, 7]),
        ) {
            let events = Events::new(Settings { format, multiline, max_line, ..Settings::default() });
            let manner = Manner { habit: Habit::default(), format, ..Manner::default() };
            let (mut all, mut few) = (Scratch::default(), Scratch::default());
            let all = events.lines(&bytes, offset, manner, &mut all);
            let find = least(needle);
            let search = Search { find: &find, pieces: &|_| false };
            let few = events.candidates(&bytes, offset, manner, &mut few, search);
            prop_assert_eq!(holding(&few, needle), holding(&all, needle));
        }

        #[test]
        fn a_line_that_goes_on_is_never_passed_over((format, bytes) in file()) {
            let mut start = 0;
            let mut open = Vec::new();
            for line in bytes.split_inclusive(|&byte| byte == b'\n') {
                if wrapped::is_open(format, &line[..line.len() - 1]) {
                    open.push(start);
                }
                start += line.len();
            }
            let mut found = Vec::new();
            while let Some(begin) = next_open(format, &bytes, found.last().map_or(0, |&last: &usize| last + 1 + memchr(b'\n', &bytes[last..]).unwrap())) {
                found.push(begin);
            }
            prop_assert_eq!(found, open);
        }

        #[test]
        fn events_of_streams_that_fall_silent_end_where_they_would(
            runs in prop::collection::vec((any::<bool>(), prop::sample::select(RECORDS.to_vec()), 1usize..30, any::<bool>()), 1..8),
            multiline in multiline(), language in any::<bool>(), cut in any::<prop::sample::Index>(),
        ) {
            let line = |stderr: bool, text: &str, long: bool| {
                let (stream, more) = (if stderr { "stderr" } else { "stdout" }, if long { 700 } else { 0 });
                format!("2026-01-02T03:04:05Z {stream} F {text}{}\n", "y".repeat(more))
            };
            let lines = runs.iter().flat_map(|&(stderr, text, times, long)| (0..times).map(move |_| line(stderr, text, long)));
            let bytes = lines.collect::<String>().into_bytes();
            let habit = if language { Habit::default() } else { Habit { records: Records::Headed, ..Habit::default() } };
            let settings = Settings { format: Format::Cri, multiline, max_line: 64 * 1024, ..Settings::default() };
            let manner = Manner { format: Format::Cri, habit, ..Manner::default() };
            is_whole(&settings, manner, &bytes, cut)?;
        }

        #[test]
        fn what_is_whole_is_told_without_reading_lines_as_by_reading_them(
            (format, bytes) in file(), multiline in multiline(), max_line in 4usize..40, cut in any::<prop::sample::Index>(),
        ) {
            let settings = Settings { format, multiline, max_line, ..Settings::default() };
            let manner = Manner { format, ..Manner::default() };
            is_whole(&settings, manner, &bytes, cut)?;
        }
    }

    #[test]
    fn what_cannot_matter_is_not_decoded() {
        let line = |text: &str| {
            format!("{{\"log\":\"{text}\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}}\n")
        };
        let before = line("calm").repeat(100);
        let chunk = format!("{before}{}{before}", line("needle"));
        let events = Events::new(Settings {
            format: Format::Docker,
            max_line: 100,
            ..Settings::default()
        });
        let mut scratch = Scratch::default();
        let search = Search {
            find: &|_, lines: &[u8]| memmem::find(lines, b"needle"),
            pieces: &|_| true,
        };
        let lines = events.candidates(chunk.as_bytes(), 0, Manner::default(), &mut scratch, search);
        assert_eq!(lines.bytes(), b"needle\n");
        let range = before.len()..before.len() + line("needle").len();
        assert_eq!(lines.around(0, 0).event.range, range);
    }

    #[test]
    fn where_much_matters_all_is_decoded() {
        let line = "2026-01-02T03:04:05Z stdout F needle\n";
        let chunk = line.repeat(100);
        let events = Events::new(Settings {
            format: Format::Cri,
            max_line: 100,
            ..Settings::default()
        });
        let searched = std::cell::Cell::new(0);
        let find = |_, lines: &[u8]| {
            searched.set(searched.get() + 1);
            memmem::find(lines, b"needle")
        };
        let search = Search {
            find: &find,
            pieces: &|_| true,
        };
        let mut scratch = Scratch::default();
        let lines = events.candidates(chunk.as_bytes(), 0, Manner::default(), &mut scratch, search);
        assert_eq!(lines.bytes(), b"needle\n".repeat(100));
        assert!(searched.get() < 30, "{searched:?}");
    }
}
