//! A line of a Kubernetes container, as CRI runtimes write it: `TIME STREAM FLAGS TEXT`.

use std::borrow::Cow;

use memchr::memchr;

use super::wrapped::{Entry, Stream, Text};

/// What a line holds; none if it is no line of CRI. Of the flags, which colons separate, the first says whether the
/// text goes on.
pub(super) fn read(line: &[u8]) -> Option<Entry<'_>> {
    let (time, rest) = word(line)?;
    let (stream, rest) = word(rest)?;
    // An empty text may lack the space before it.
    let (flags, text) = word(rest).unwrap_or((rest, &[]));
    let flag = flags.split(|&byte| byte == b':').next()?;
    let fits = is_time(time) && matches!(flag, b"P" | b"F");
    let stream = Stream::of(stream).filter(|_| fits)?;
    Some(Entry {
        stream,
        text: Text::Plain(Cow::Borrowed(text)),
        open: flag == b"P",
    })
}

/// Whether a line ends its program's line, if it is one of CRI at all. Told by its first words, so it may be false of a
/// line that [`read`] knows better.
pub(super) fn is_closed(line: &[u8]) -> bool {
    let Some(space) = memchr(b' ', line) else {
        return true;
    };
    let rest = &line[space + 1..];
    rest.starts_with(b"stdout F") || rest.starts_with(b"stderr F")
}

/// The time and the stream of a line.
pub(super) fn words(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (time, rest) = word(line)?;
    Some((time, word(rest)?.0))
}

/// What stands before the first space, and behind it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = memchr(b' ', text)?;
    Some((&text[..space], &text[space + 1..]))
}

/// `2026-01-02T…`, which is enough to tell it from words of a sentence.
fn is_time(time: &[u8]) -> bool {
    let Some(date) = time.get(..11) else {
        return false;
    };
    date.iter().zip(b"dddd-dd-ddT").all(|(byte, kind)| match kind {
        b'd' => byte.is_ascii_digit(),
        other => byte == other,
    })
}
