//! Where lines end, and why an unfinished last line has to wait: half a line matches the wrong rules.
//!
//! Pure: bytes in, pieces out. Reading and remembering are `follow`'s.
//!
//! The trap is the split law: however the same bytes are split into reads, the same lines must come out. So
//! nothing here may depend on where a read happened to end; a line is cut by its own length, never by the
//! buffer's.

use memchr::{memchr, memmem, memrchr};

use super::Ending;

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
/// the start of a line).
///
/// A line's first `max_line` bytes are looked at, however many pieces they come in; the rest up to the
/// newline is skipped. So whether a byte is skipped can be told from the file alone, after a restart too.
pub(super) fn next_piece(bytes: &[u8], taken: usize, max_line: usize) -> Piece {
    if taken >= max_line {
        return skip_to_newline(bytes, taken);
    }
    if taken > 0 {
        return continue_line(bytes, taken, max_line);
    }
    if bytes.first() == Some(&0) {
        return match zeros(bytes) {
            run if run == bytes.len() => Piece::Half { len: 0 },
            run => Piece::Skip { len: run, taken: 0 },
        };
    }
    match whole_lines(bytes, max_line) {
        0 => cut_or_half(bytes, 0, max_line),
        len => Piece::Lines {
            len,
            ending: Ending::Newline,
            taken: 0,
        },
    }
}

/// How many NULs `bytes` begins with.
pub(super) fn zeros(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len())
}

fn skip_to_newline(bytes: &[u8], taken: usize) -> Piece {
    match memchr(b'\n', bytes) {
        Some(at) => Piece::Skip {
            len: at + 1,
            taken: 0,
        },
        None if bytes.is_empty() => Piece::Half { len: 0 },
        None => Piece::Skip {
            len: bytes.len(),
            taken,
        },
    }
}

fn continue_line(bytes: &[u8], taken: usize, max_line: usize) -> Piece {
    let room = max_line - taken;
    let Some(newline) = memchr(b'\n', &bytes[..bytes.len().min(room + 1)]) else {
        return cut_or_half(bytes, taken, max_line);
    };
    let end = newline + 1;
    if newline == 0 || &bytes[..newline] == b"\r" {
        // The line was handed over whole, only its ending was late: nothing is left to tell.
        return Piece::Skip { len: end, taken: 0 };
    }
    let more = if bytes.get(end) == Some(&0) {
        0
    } else {
        whole_lines(&bytes[end..], max_line)
    };
    Piece::Lines {
        len: end + more,
        ending: Ending::Newline,
        taken: 0,
    }
}

/// How many bytes from the start are whole lines of at most `max_line` bytes each, up to the first line that
/// is longer, unfinished, or begins with a NUL.
fn whole_lines(bytes: &[u8], max_line: usize) -> usize {
    let bytes = memmem::find(bytes, b"\n\0").map_or(bytes, |newline| &bytes[..=newline]);
    let mut end = 0;
    loop {
        // A newline in this window proves that the line at `end` is short enough. Taking the window's last
        // one skips all lines between at once; they are shorter still.
        let window = &bytes[end..bytes.len().min(end + max_line + 1)];
        match memrchr(b'\n', window) {
            Some(newline) => end += newline + 1,
            None => return end,
        }
    }
}

fn cut_or_half(bytes: &[u8], taken: usize, max_line: usize) -> Piece {
    let room = max_line - taken;
    // NULs at the end are space that a writer reserved; they belong to no line yet.
    let written = bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
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
                match next_piece(&bytes[at.min(end)..end], taken, max_line) {
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
        let piece = next_piece(b"abcd\nx", 0, 4);
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
        assert_eq!(next_piece(b"\0\0\0ab\n", 0, 9), Piece::Skip { len: 3, taken: 0 });
        assert_eq!(next_piece(b"\0\0\0", 0, 9), Piece::Half { len: 0 });
    }

    #[test]
    fn reserved_space_after_half_a_line_is_not_part_of_it() {
        assert_eq!(next_piece(b"ab\0\0\0", 0, 3), Piece::Half { len: 2 });
    }
}
