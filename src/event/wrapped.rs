//! Lines that have to be decoded before they are searched: those of container runtimes, which wrap what a program
//! wrote into lines of their own and break its long lines into pieces, and those in other encodings than UTF-8.
//!
//! An entry that does not end its program's line is continued by the next entry of the same stream; stdout and
//! stderr never mix. The lines that came out of a chunk are kept as a scratch chunk of plain lines, with a table
//! of where each came from.
//!
//! The trap is the split law: where an event ends is told by its own bytes alone. [`whole`] says up to where
//! a run of lines holds no event that goes on, and whoever reads hands out no more than that, unless nothing
//! follows any more. So many bytes in which something is always open are too many: then all that is open ends,
//! cut, and the next piece begins another event.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr_iter;
use serde_json::{Map, Value};

use super::encoding::Encoding;
use super::multiline::{self, Decoded, Gather, Slot};
use super::{Event, Format, cri, docker, fields, sift};
use crate::model::{Habit, LineEnd};

/// The plain lines of one chunk. Made once and used for every chunk, so that lines cost no allocation of
/// their own.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// The texts, each with a newline.
    bytes: Vec<u8>,
    origins: Vec<Origin>,
    /// Each stretch is one event, whatever lines it has.
    gathered: bool,
}

/// Where a stretch of scratch bytes came from.
#[derive(Clone, Debug)]
struct Origin {
    /// Where the stretch ends.
    end: usize,
    /// All bytes of its entries in the chunk, and of what lies between them.
    raw: Range<usize>,
    /// The event was ended although it goes on.
    cut: bool,
    /// The event can only be the rest of another one.
    rest: bool,
}

/// How lines of a file become plain lines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Decoder {
    /// What a line is.
    pub(super) format: Format,
    /// How lines end.
    pub(super) line_end: LineEnd,
    /// How letters are written.
    pub(super) encoding: Encoding,
    /// Whether what a carriage return overwrites is left out.
    pub(super) overwrite: bool,
}

/// Who wrote an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

const STREAMS: usize = 2;

/// What one line of a file holds.
#[derive(Debug)]
pub(super) struct Entry<'l> {
    pub(super) stream: Stream,
    /// As the program wrote it; a newline at its end is none of it.
    pub(super) text: Text<'l>,
    /// The program's line goes on in the next entry of its stream.
    pub(super) open: bool,
}

/// A text that may still have to be decoded.
#[derive(Debug)]
pub(super) enum Text<'l> {
    /// As it stands.
    Plain(Cow<'l, [u8]>),
    /// The inside of a JSON string.
    Escaped(&'l [u8]),
}

/// An event that is not whole yet.
struct Open {
    start: usize,
    end: usize,
    text: Vec<u8>,
}

/// Gets every entry that is whole: its stream, its bytes, its text, and whether it was cut.
type Tell<'t> = dyn FnMut(Slot, Range<usize>, &Text<'_>, bool) + 't;

impl Decoder {
    /// Whether lines are searched as they stand.
    pub(super) fn is_idle(&self) -> bool {
        let plain = self.line_end == LineEnd::Byte && self.encoding.is_utf8();
        plain && !self.format.is_wrapped() && !self.overwrite
    }

    /// The line in UTF-8; Docker's always is.
    fn decode<'l>(&self, line: &'l [u8]) -> Cow<'l, [u8]> {
        if self.format == Format::Docker {
            return Cow::Borrowed(line);
        }
        self.encoding.decode(line)
    }

    /// Appends a text as the rules are shown it.
    fn put(&self, text: &Text<'_>, out: &mut Vec<u8>) {
        let begin = out.len();
        text.push_to(out);
        if self.overwrite && memchr::memchr(b'\r', &out[begin..]).is_some() {
            overwrite(out, begin);
        }
    }

    /// The line without its newline.
    fn strip<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        match self.line_end.last(line) {
            Some(end) => &line[..end - self.line_end.width()],
            None => line,
        }
    }
}

/// Leaves of each line from `begin` on what a terminal would still show: what stands behind its last carriage return.
/// Those at the end of a line move to a beginning where nothing is written any more.
fn overwrite(out: &mut Vec<u8>, begin: usize) {
    let text = out.split_off(begin);
    for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
        if number > 0 {
            out.push(b'\n');
        }
        let end = line.iter().rposition(|&byte| byte != b'\r');
        let line = &line[..end.map_or(0, |last| last + 1)];
        let shown = memchr::memrchr(b'\r', line).map_or(0, |at| at + 1);
        out.extend_from_slice(&line[shown..]);
    }
}

impl Scratch {
    /// The lines that the rules are shown.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// No lines. The next ones are events each.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.origins.clear();
        self.gathered = false;
    }

    /// Where in the chunk the first of the lines stands.
    pub(super) fn begin(&self) -> usize {
        self.origins.first().map_or(0, |origin| origin.raw.start)
    }

    /// Decodes a chunk. What is still open at its end is an event as it stands.
    pub(super) fn fill(&mut self, decoder: &Decoder, joints: Decoded<'_>, chunk: &[u8]) {
        self.clear();
        if joints.joiner.is_off() {
            return self.rest(decoder, joints, chunk, 0);
        }
        self.gathered = true;
        self.gather(decoder, joints, chunk);
    }

    /// Adds the lines from `begin` on, where nothing is open, up to where nothing is open again; returns that place.
    /// Each of them is an event.
    pub(super) fn stretch(
        &mut self,
        decoder: &Decoder,
        joints: Decoded<'_>,
        chunk: &[u8],
        begin: usize,
    ) -> usize {
        self.walk(decoder, joints, chunk, begin, false)
    }

    /// Adds all lines from `begin` on, where nothing is open. Each of them is an event.
    pub(super) fn rest(&mut self, decoder: &Decoder, joints: Decoded<'_>, chunk: &[u8], begin: usize) {
        self.walk(decoder, joints, chunk, begin, true);
    }

    fn walk(
        &mut self,
        decoder: &Decoder,
        joints: Decoded<'_>,
        chunk: &[u8],
        begin: usize,
        all: bool,
    ) -> usize {
        let mut tell = |_, raw: Range<usize>, text: &Text<'_>, cut: bool| {
            decoder.put(text, &mut self.bytes);
            self.bytes.push(b'\n');
            let end = self.bytes.len();
            self.origins.push(Origin {
                end,
                raw,
                cut,
                rest: false,
            });
        };
        let mut walk = Walk::new(decoder, chunk, joints.longest, begin);
        while walk.step(&mut tell) && (all || walk.open.since.is_some()) {}
        walk.open.end(false, &mut tell);
        walk.at
    }

    /// Puts the lines of events together, and the events into the order in which they begin.
    fn gather(&mut self, decoder: &Decoder, joints: Decoded<'_>, chunk: &[u8]) {
        let mut gather = Gather::new(joints);
        let mut told = |record: &multiline::Record| {
            self.bytes.extend_from_slice(&record.text);
            self.origins.push(Origin {
                end: self.bytes.len(),
                raw: record.raw.clone(),
                cut: record.cut,
                rest: record.rest,
            });
        };
        let mut line = Vec::new();
        let mut tell = |slot, raw: Range<usize>, text: &Text<'_>, cut: bool| {
            line.clear();
            decoder.put(text, &mut line);
            gather.take(slot, &raw, &line, cut, &mut told);
        };
        walk(decoder, chunk, joints.longest, &mut tell).end(false, &mut tell);
        gather.end(&mut told);
        if !self.origins.is_sorted_by_key(|origin| origin.raw.start) {
            self.sort();
        }
    }

    fn sort(&mut self) {
        let mut begin = 0;
        let mut events: Vec<_> = std::mem::take(&mut self.origins)
            .into_iter()
            .map(|origin| (std::mem::replace(&mut begin, origin.end), origin))
            .collect();
        events.sort_by_key(|(_, origin)| origin.raw.start);
        let bytes = std::mem::take(&mut self.bytes);
        for (begin, origin) in events {
            self.bytes.extend_from_slice(&bytes[begin..origin.end]);
            self.origins.push(Origin {
                end: self.bytes.len(),
                ..origin
            });
        }
    }

    /// The bytes of the event that holds the byte `at`, and whether it can only be the rest of another one. None
    /// where each line is an event.
    pub(super) fn event_around(&self, at: usize) -> Option<(Range<usize>, bool)> {
        let place = self.origins.partition_point(|origin| origin.end <= at);
        let origin = self.origins.get(place).filter(|_| self.gathered)?;
        let begin = place.checked_sub(1).map_or(0, |before| self.origins[before].end);
        Some((begin..origin.end, origin.rest))
    }

    /// The same event, with the place in the chunk that it came from. Where one entry holds several lines,
    /// each begins a byte further, so that no two begin alike.
    pub(super) fn at_origin<'s>(&self, event: Event<'s>) -> Event<'s> {
        let at = self
            .origins
            .partition_point(|origin| origin.end <= event.range.start);
        let Some(origin) = self.origins.get(at) else {
            return event;
        };
        let begin = at.checked_sub(1).map_or(0, |before| self.origins[before].end);
        let lines_before = memchr_iter(b'\n', &self.bytes[begin..event.range.start]).count();
        let last = event.range.end == origin.end;
        Event {
            range: (origin.raw.start + lines_before).min(origin.raw.end)..origin.raw.end,
            cut: event.cut || (origin.cut && last),
            ..event
        }
    }
}

/// How many bytes from the start of `lines`, which are whole lines, hold no event that goes on behind them.
/// What is left is shorter than `longest`.
pub(super) fn whole(decoder: &Decoder, joints: Decoded<'_>, lines: &[u8], upto: usize) -> usize {
    let off = joints.joiner.is_off();
    if off && !decoder.format.is_wrapped() {
        return upto;
    }
    let from = if !sift::is_searchable(decoder) {
        0
    } else if sift::is_closed_at(decoder.format, lines, upto, joints.longest) {
        if off {
            return upto;
        }
        sift::seam(decoder, joints, lines, upto).unwrap_or(0)
    } else if off {
        // Before the first line that goes on nothing is open.
        sift::next_open(decoder.format, lines, 0).map_or(upto, |open| open.min(upto))
    } else {
        0
    };
    let joints = Decoded {
        offset: joints.offset + from as u64,
        ..joints
    };
    from + last_gap_of(decoder, joints, &lines[from..], upto - from)
}

/// The same, told by reading each line.
pub(super) fn last_gap_of(decoder: &Decoder, joints: Decoded<'_>, lines: &[u8], upto: usize) -> usize {
    let off = joints.joiner.is_off();
    let mut gather = Gather::new(joints);
    let mut spans = Vec::new();
    let mut line = Vec::new();
    let open = walk(decoder, lines, joints.longest, &mut |slot, raw, text, cut| {
        if off {
            spans.push(raw);
            return;
        }
        line.clear();
        decoder.put(text, &mut line);
        gather.take(slot, &raw, &line, cut, &mut |record| {
            spans.push(record.raw.clone());
        });
    });
    // What is open may have no end at all.
    let since = open.since.into_iter().chain(gather.since());
    spans.extend(since.map(|since| since..usize::MAX));
    last_gap(&mut spans, upto)
}

/// The last place at or before `upto` in which no span lies that begins before it and ends behind it. There is no
/// byte outside the spans.
fn last_gap(spans: &mut [Range<usize>], upto: usize) -> usize {
    spans.sort_unstable_by_key(|span| span.start);
    let (mut gap, mut reach) = (0, 0);
    for span in spans {
        if span.start >= reach && span.start <= upto {
            gap = span.start;
        }
        reach = reach.max(span.end);
    }
    if reach <= upto { reach } else { gap }
}

/// Learns from the first bytes of a file. `full`: more of them will never be given.
pub(super) fn habit(decoder: &Decoder, first: &[u8], full: bool) -> Option<Habit> {
    let whole = decoder.line_end.last(first).unwrap_or_default();
    let mut texts = Vec::new();
    let mut tell = |_, raw: Range<usize>, text: &Text<'_>, _| {
        let mut line = Vec::new();
        decoder.put(text, &mut line);
        texts.push((raw.end as u64, line));
    };
    walk(decoder, &first[..whole], usize::MAX, &mut tell);
    let lines = texts.iter().map(|(end, line)| (*end, line.as_slice()));
    multiline::learn(lines, full)
}

/// Tells every event of a chunk that is whole. What remains is open.
fn walk(decoder: &Decoder, chunk: &[u8], longest: usize, tell: &mut Tell<'_>) -> Opened {
    let mut walk = Walk::new(decoder, chunk, longest, 0);
    while walk.step(tell) {}
    walk.open
}

/// A walk over lines of a chunk.
struct Walk<'c> {
    decoder: &'c Decoder,
    chunk: &'c [u8],
    longest: usize,
    /// Where the next line begins.
    at: usize,
    open: Opened,
}

impl<'c> Walk<'c> {
    /// From `begin` on, where nothing is open.
    fn new(decoder: &'c Decoder, chunk: &'c [u8], longest: usize, begin: usize) -> Self {
        Self {
            decoder,
            chunk,
            longest,
            at: begin,
            open: Opened::default(),
        }
    }

    /// Reads a line, if there is one more.
    fn step(&mut self, tell: &mut Tell<'_>) -> bool {
        let Some(rest) = self.chunk.get(self.at..).filter(|rest| !rest.is_empty()) else {
            return false;
        };
        let decoder = self.decoder;
        let len = decoder.line_end.first(rest).unwrap_or(rest.len());
        let range = self.at..self.at + len;
        self.at = range.end;
        let line = decoder.decode(decoder.strip(&rest[..len]));
        match read(decoder.format, &line) {
            None => tell(Slot::Text, range, &Text::Plain(line), false),
            Some(entry) => self.open.take(range, &entry, tell),
        }
        if self
            .open
            .since
            .is_some_and(|since| self.at - since >= self.longest)
        {
            self.open.end(true, tell);
        }
        true
    }
}

/// The events that are open at one place. While any is, nothing can be handed out, so their bound is that of
/// all bytes since the first of them began.
#[derive(Default)]
struct Opened {
    /// Where nothing was open last.
    since: Option<usize>,
    events: [Option<Open>; STREAMS],
}

impl Opened {
    fn take(&mut self, range: Range<usize>, entry: &Entry<'_>, tell: &mut Tell<'_>) {
        let slot = &mut self.events[entry.stream as usize];
        if slot.is_none() && !entry.open {
            return tell(entry.stream.into(), range, &entry.text, false);
        }
        self.since.get_or_insert(range.start);
        let event = slot.get_or_insert_with(|| Open {
            start: range.start,
            end: range.end,
            text: Vec::new(),
        });
        entry.text.push_to(&mut event.text);
        event.end = range.end;
        if !entry.open
            && let Some(event) = slot.take()
        {
            event.tell(entry.stream.into(), false, tell);
        }
        if self.events.iter().all(Option::is_none) {
            self.since = None;
        }
    }

    /// All events end here.
    fn end(&mut self, cut: bool, tell: &mut Tell<'_>) {
        self.since = None;
        for (slot, event) in [Slot::Stdout, Slot::Stderr].into_iter().zip(&mut self.events) {
            if let Some(event) = event.take() {
                event.tell(slot, cut, tell);
            }
        }
    }
}

impl Open {
    fn tell(self, slot: Slot, cut: bool, tell: &mut Tell<'_>) {
        tell(
            slot,
            self.start..self.end,
            &Text::Plain(Cow::Owned(self.text)),
            cut,
        );
    }
}

impl Text<'_> {
    /// Appends the text.
    pub(super) fn push_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Plain(text) => out.extend_from_slice(text),
            Self::Escaped(text) => docker::unescape(text, out),
        }
    }
}

/// What a line holds; none if it is not of this format, and then it is text as it stands.
fn read(format: Format, line: &[u8]) -> Option<Entry<'_>> {
    match format {
        Format::Auto | Format::Plain | Format::Json | Format::Logfmt => None,
        Format::Docker => docker::read(line),
        Format::Cri => cri::read(line),
    }
}

/// Whose line it is, and its text.
pub(super) fn text_of(format: Format, line: &[u8]) -> (Slot, Cow<'_, [u8]>) {
    let Some(entry) = read(format, line) else {
        return (Slot::Text, Cow::Borrowed(line));
    };
    let slot = entry.stream.into();
    match entry.text {
        Text::Plain(text) => (slot, text),
        text @ Text::Escaped(_) => {
            let mut plain = Vec::new();
            text.push_to(&mut plain);
            (slot, Cow::Owned(plain))
        }
    }
}

/// Who wrote a line, if it is one of this format, and whether it goes on.
pub(super) fn stream_of(format: Format, line: &[u8]) -> Option<(Stream, bool)> {
    read(format, line).map(|entry| (entry.stream, entry.open))
}

/// Whether the event of a line goes on in another one.
pub(super) fn is_open(format: Format, line: &[u8]) -> bool {
    read(format, line).is_some_and(|entry| entry.open)
}

/// The runtime that wrote a line, if one did.
pub(super) fn recognise(line: &[u8]) -> Option<Format> {
    [Format::Docker, Format::Cri]
        .into_iter()
        .find(|format| read(*format, line).is_some())
}

/// What a line says about the text that it wraps.
pub(super) fn about(format: Format, line: &[u8]) -> Map<String, Value> {
    if read(format, line).is_none() {
        return Map::new();
    }
    if format == Format::Docker {
        let mut object = fields::object(line);
        object.remove("log");
        return object;
    }
    let text = |bytes| Value::String(String::from_utf8_lossy(bytes).into_owned());
    cri::words(line)
        .map(|(time, stream)| [("time", time), ("stream", stream)])
        .into_iter()
        .flatten()
        .map(|(name, word)| (name.to_owned(), text(word)))
        .collect()
}

/// The text in a line, if that is a line of this format.
pub(super) fn unwrap(format: Format, line: &[u8]) -> Option<Cow<'_, [u8]>> {
    let entry = read(format, line)?;
    let mut text = Vec::new();
    entry.text.push_to(&mut text);
    Some(Cow::Owned(text))
}

impl From<Stream> for Slot {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Stdout => Self::Stdout,
            Stream::Stderr => Self::Stderr,
        }
    }
}

impl Stream {
    /// The stream with this name, if a container runtime of today knows it.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"stdout" => Some(Self::Stdout),
            b"stderr" => Some(Self::Stderr),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::event::multiline::Joiner;
    use crate::event::{Events, Multiline, Settings};
    use crate::model::Manner;

    /// Text, bytes in the file, and whether it was cut.
    type Got = (String, Range<usize>, bool);

    fn events(format: Format, max_line: usize) -> Events {
        Events::new(Settings {
            format,
            multiline: Multiline::Off,
            max_line,
            ..Settings::default()
        })
    }

    /// Each line is an event.
    fn joints(longest: usize) -> Decoded<'static> {
        Decoded {
            joiner: Joiner::new(&Multiline::Off, Habit::default()),
            offset: 0,
            longest,
        }
    }

    fn decoder(format: Format) -> Decoder {
        Decoder {
            format,
            ..Decoder::default()
        }
    }

    proptest! {
        #[test]
        fn of_a_line_that_was_written_over_what_stands_last_is_shown(text in "[ab\r\n]{0,40}", before in "[a\r]{0,3}") {
            let mut out = format!("{before}{text}").into_bytes();
            overwrite(&mut out, before.len());
            let last = |line: &str| line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default().to_owned();
            let expected: Vec<String> = text.split('\n').map(last).collect();
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{before}{}", expected.join("\n")));
        }
    }

    /// All events of a chunk that stands `base` bytes into its file.
    fn all(events: &Events, chunk: &[u8], base: usize, got: &mut Vec<Got>) {
        let mut scratch = Scratch::default();
        let lines = events.lines(chunk, base as u64, Manner::default(), &mut scratch);
        let mut at = 0;
        while at < lines.bytes().len() {
            let event = lines.around(at, at);
            at = event.next;
            let event = event.event;
            let range = base + event.range.start..base + event.range.end;
            got.push((String::from_utf8_lossy(event.text).into_owned(), range, event.cut));
        }
    }

    fn texts(format: Format, chunk: &str) -> Vec<String> {
        let mut got = Vec::new();
        all(&events(format, 64), chunk.as_bytes(), 0, &mut got);
        got.into_iter().map(|(text, ..)| text).collect()
    }

    #[test]
    fn a_line_of_docker_is_what_the_program_wrote() {
        let line = r#"{"log":"say \"hi\" \u003cb\u003e 한\r\n","stream":"stdout","attrs":{"a":"b"},"time":"2026-01-02T03:04:05.678Z"}"#;
        assert_eq!(texts(Format::Docker, line), ["say \"hi\" <b> 한"]);
    }

    #[test]
    fn pieces_are_joined_and_streams_never_mix() {
        let docker = concat!(
            "{\"log\":\"one \",\"stream\":\"stdout\",\"time\":\"t\"}\n",
            "{\"log\":\"ONE \",\"stream\":\"stderr\",\"time\":\"t\"}\n",
            "{\"log\":\"two \",\"stream\":\"stdout\",\"time\":\"t\"}\n",
            "{\"log\":\"three\\n\",\"stream\":\"stdout\",\"time\":\"t\"}\n",
            "{\"log\":\"TWO\\n\",\"stream\":\"stderr\",\"time\":\"t\"}\n",
        );
        assert_eq!(texts(Format::Docker, docker), ["one two three", "ONE TWO"]);
        let cri = "2026-01-02T03:04:05Z stdout P one \n2026-01-02T03:04:05Z stderr F ONE\n\
                   2026-01-02T03:04:05Z stdout P two \n2026-01-02T03:04:05Z stdout F:x three\n2026-01-02T03:04:05Z stdout F\n";
        assert_eq!(texts(Format::Cri, cri), ["ONE", "one two three", ""]);
    }

    #[test]
    fn a_line_of_another_format_is_text_as_it_stands() {
        for line in [
            "{\"log\":\"half",
            "{\"log\":7}",
            "[]",
            "plain words here",
            "{\"LOG\":\"x\\n\"}",
            "",
        ] {
            assert_eq!(texts(Format::Docker, &format!("{line}\n")), [line]);
        }
        for line in [
            "2026-01-02T03:04:05Z stdout X text",
            "2026-01-02T03:04:05Z stdin F text",
            "when stdout F text",
            "2026 stdout",
            "  ",
        ] {
            assert_eq!(texts(Format::Cri, &format!("{line}\n")), [line]);
        }
        let deep = format!("{{\"log\":\"x\\n\",\"attrs\":{}", "[".repeat(5000));
        assert_eq!(texts(Format::Docker, &deep).len(), 1);
    }

    #[test]
    fn several_lines_in_one_entry_are_several_events_of_the_same_bytes() {
        let line = b"{\"log\":\"a\\nb\\n\",\"stream\":\"stdout\"}\n";
        let mut got = Vec::new();
        all(&events(Format::Docker, 64), line, 0, &mut got);
        let expected = [
            ("a".to_owned(), 0..line.len(), false),
            ("b".to_owned(), 1..line.len(), false),
        ];
        assert_eq!(got, expected);
    }

    #[test]
    fn an_event_that_never_ends_is_cut_by_its_bytes() {
        let piece = "2026-01-02T03:04:05Z stdout P xxxxxxxxxxxxxxx\n";
        let lines = piece.repeat(5);
        let longest = piece.len() * 2;
        assert_eq!(
            whole(
                &decoder(Format::Cri),
                joints(longest),
                lines.as_bytes(),
                lines.len()
            ),
            piece.len() * 4,
            "the fifth waits"
        );
        let mut scratch = Scratch::default();
        scratch.fill(&decoder(Format::Cri), joints(longest), lines.as_bytes());
        assert_eq!(scratch.origins.iter().filter(|origin| origin.cut).count(), 2);
        assert_eq!(memchr_iter(b'\n', scratch.bytes()).count(), 3);
    }

    /// A line of the format, of another, or of none.
    fn line() -> impl Strategy<Value = String> {
        let stream = prop_oneof![Just("stdout"), Just("stderr")];
        let cri = (
            stream.clone(),
            prop_oneof![Just("P"), Just("F"), Just("X")],
            "[ab한 ]{0,6}",
        );
        let docker = (
            stream,
            "[ab한 ]{0,6}",
            prop_oneof![Just(""), Just("\\n"), Just("\\nc\\n")],
        );
        prop_oneof![
            4 => cri.prop_map(|(stream, flag, text)| format!("2026-01-02T03:04:05Z {stream} {flag} {text}")),
            4 => docker.prop_map(|(stream, text, end)| format!("{{\"log\":\"{text}{end}\",\"stream\":\"{stream}\"}}")),
            1 => "[{}\"a ]{0,9}".prop_map(|text| text),
        ]
    }

    proptest! {
        #[test]
        fn any_split_into_reads_gives_the_same_events(
            lines in prop::collection::vec(line(), 0..30),
            cuts in prop::collection::vec(any::<bool>(), 30),
            docker in any::<bool>(),
            max_line in 4usize..40,
        ) {
            let format = if docker { Format::Docker } else { Format::Cri };
            let events = events(format, max_line);
            let longest = 150;
            let text = lines.iter().map(|line| line.clone() + "\n").collect::<String>();
            let bytes = text.as_bytes();
            let walk = |splits: &[usize]| {
                let (mut got, mut at) = (Vec::new(), 0);
                for &end in splits {
                    let done = at + whole(&decoder(format), joints(longest), &bytes[at..end], end - at);
                    let mut scratch = Scratch::default();
                    scratch.fill(&decoder(format), joints(longest), &bytes[at..done]);
                    let lines = scratch.bytes.split_inclusive(|&byte| byte == b'\n');
                    let mut start = 0;
                    for line in lines {
                        let range = start..start + line.len();
                        start = range.end;
                        let event = scratch.at_origin(Event { range, text: line, cut: false, nuls: 0, rest: false });
                        let range = at + event.range.start..at + event.range.end;
                        got.push((line.to_vec(), range, event.cut));
                    }
                    at = done;
                }
                prop_assert!(bytes.len() - at < longest, "what waits is bounded");
                Ok((got, at))
            };
            let mut ends = Vec::new();
            let mut end = 0;
            for (line, cut) in lines.iter().zip(&cuts) {
                end += line.len() + 1;
                if *cut { ends.push(end); }
            }
            ends.push(bytes.len());
            prop_assert_eq!(walk(&[bytes.len()])?, walk(&ends)?);
            // And any bytes at all are taken without a panic.
            let mut got = Vec::new();
            all(&events, bytes, 0, &mut got);
        }
    }
}
