//! Where lines end, and why an unfinished last line has to wait: half a line matches the wrong rules.
//!
//! Pure: bytes in, pieces out. Reading and remembering are `follow`'s.
//!
//! The trap is the split law: however the same bytes are split into reads, the same lines must come out. So
//! nothing here may depend on where a read happened to end; a line is cut by its own length, never by the
//! buffer's.

use super::Ending;
use crate::model::LineEnd;

/// What the next bytes of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// These many bytes are to be handed out. `taken` is then the length of the line that was left open.
    Lines {
        len: usize,
        ending: Ending,
        taken: usize,
    },
    /// These many bytes are nobody's: the rest of a line that was cut, or NULs where nothing was written.
    Skip { len: usize, taken: usize },
    /// No whole line yet. The half line is this long; what follows it are NULs.
    Half { len: usize },
}

/// The next piece of `bytes`, in the middle of a line of which `taken` bytes were handed out before (0: at
/// the start of a line). `bytes` begin with a whole unit of `end`.
///
/// A line's first `max_line` bytes are looked at, however many pieces they come in; the rest up to the
/// newline is skipped. So whether a byte is skipped can be told from the file alone, after a restart too.
pub(super) fn next_piece(bytes: &[u8], taken: usize, max_line: usize, end: LineEnd) -> Piece {
    let max_line = end.floor(max_line);
    if taken >= max_line {
        return skip_to_newline(bytes, taken, end);
    }
    if taken > 0 {
        return continue_line(bytes, taken, max_line, end);
    }
    match end.zeros(bytes) {
        0 => {}
        run if run == bytes.len() => return Piece::Half { len: 0 },
        run => return Piece::Skip { len: run, taken: 0 },
    }
    match whole_lines(bytes, max_line, end) {
        0 => cut_or_half(bytes, 0, max_line, end),
        len => Piece::Lines {
            len,
            ending: Ending::Newline,
            taken: 0,
        },
    }
}

fn skip_to_newline(bytes: &[u8], taken: usize, end: LineEnd) -> Piece {
    match (end.first(bytes), end.floor(bytes.len())) {
        (Some(len), _) => Piece::Skip { len, taken: 0 },
        (None, 0) => Piece::Half { len: 0 },
        (None, len) => Piece::Skip { len, taken },
    }
}

fn continue_line(bytes: &[u8], taken: usize, max_line: usize, end: LineEnd) -> Piece {
    let window = bytes.len().min(max_line - taken + end.width());
    let Some(len) = end.first(&bytes[..window]) else {
        return cut_or_half(bytes, taken, max_line, end);
    };
    let rest = &bytes[..len - end.width()];
    if rest.is_empty() || end.is_carriage_return(rest) {
        // The line was handed over whole, only its ending was late: nothing is left to tell.
        return Piece::Skip { len, taken: 0 };
    }
    let behind = &bytes[len..];
    let more = if end.zeros(behind) > 0 {
        0
    } else {
        whole_lines(behind, max_line, end)
    };
    Piece::Lines {
        len: len + more,
        ending: Ending::Newline,
        taken: 0,
    }
}

/// How many bytes from the start are whole lines of at most `max_line` bytes each, up to the first line that
/// is longer, unfinished, or begins with a NUL.
fn whole_lines(bytes: &[u8], max_line: usize, end: LineEnd) -> usize {
    let bytes = end.before_nul(bytes).map_or(bytes, |newline| &bytes[..newline]);
    let mut done = 0;
    loop {
        // A newline in this window proves that the line at `done` is short enough. Taking the window's last
        // one skips all lines between at once; they are shorter still.
        let window = &bytes[done..bytes.len().min(done + max_line + end.width())];
        match end.last(window) {
            Some(newline) => done += newline,
            None => return done,
        }
    }
}

fn cut_or_half(bytes: &[u8], taken: usize, max_line: usize, end: LineEnd) -> Piece {
    let room = max_line - taken;
    // NULs at the end are space that a writer reserved; they belong to no line yet.
    let written = end.written(bytes);
    if written > room {
        return Piece::Lines {
            len: room,
            ending: Ending::Cut,
            taken: max_line,
        };
    }
    Piece::Half { len: written }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// The lines that come out when `bytes` arrive in reads that end at `splits`.
    fn lines(bytes: &[u8], splits: &[usize], max_line: usize) -> Vec<Vec<u8>> {
        let (mut got, mut at, mut taken) = (Vec::new(), 0, 0);
        for &end in splits.iter().chain([&bytes.len()]) {
            loop {
                match next_piece(&bytes[at.min(end)..end], taken, max_line, LineEnd::Byte) {
                    Piece::Lines { len, taken: open, .. } => {
                        got.extend(
                            bytes[at..at + len]
                                .split_inclusive(|&byte| byte == b'\n')
                                .map(<[u8]>::to_vec),
                        );
                        (at, taken) = (at + len, open);
                    }
                    Piece::Skip { len, taken: open } => (at, taken) = (at + len, open),
                    Piece::Half { .. } => break,
                }
            }
        }
        got
    }

    proptest! {
        #[test]
        fn any_split_of_the_same_bytes_gives_the_same_lines(
            bytes in prop::collection::vec(prop_oneof![Just(b'a'), Just(b'\n'), Just(0), Just(b'\r'), Just(b'b')], 0..200),
            mut splits in prop::collection::vec(0usize..200, 0..20),
            max_line in 1usize..12,
        ) {
            splits.retain(|&split| split <= bytes.len());
            splits.sort_unstable();
            prop_assert_eq!(lines(&bytes, &splits, max_line), lines(&bytes, &[], max_line));
        }

        #[test]
        fn lines_are_the_bytes_cut_at_max_line(text in "[ab\n]{0,200}", max_line in 1usize..12) {
            let whole = text.rfind('\n').map_or("", |last| &text[..=last]);
            let expected: Vec<Vec<u8>> = whole
                .split_inclusive('\n')
                .map(|line| if line.len() - 1 > max_line { &line[..max_line] } else { line })
                .map(|line| line.as_bytes().to_vec())
                .collect();
            prop_assert_eq!(lines(whole.as_bytes(), &[], max_line), expected);
        }
    }

    #[test]
    fn a_line_of_exactly_max_line_is_whole() {
        let piece = next_piece(b"abcd\nx", 0, 4, LineEnd::Byte);
        assert_eq!(
            piece,
            Piece::Lines {
                len: 5,
                ending: Ending::Newline,
                taken: 0
            }
        );
    }

    #[test]
    fn zeros_before_a_line_are_nobodys() {
        assert_eq!(
            next_piece(b"\0\0\0ab\n", 0, 9, LineEnd::Byte),
            Piece::Skip { len: 3, taken: 0 }
        );
        assert_eq!(next_piece(b"\0\0\0", 0, 9, LineEnd::Byte), Piece::Half { len: 0 });
    }

    #[test]
    fn reserved_space_after_half_a_line_is_not_part_of_it() {
        assert_eq!(
            next_piece(b"ab\0\0\0", 0, 3, LineEnd::Byte),
            Piece::Half { len: 2 }
        );
    }
}
