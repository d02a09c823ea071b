//! What is shown of a file first: its last lines or bytes, or all from some line or byte on.
//!
//! Of a regular file only as much is read as is shown. A stream has to be read to its end, and its last lines have to
//! be kept until then.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use super::held::{Got, Held, Kind};
use super::screen::End;
use super::settings::Begin;

/// How much is read at once.
pub(super) const BLOCK: usize = 64 * 1024;

/// What a beginning needs of whoever shows it.
pub(super) trait Audience {
    /// Shows bytes.
    fn show(&mut self, bytes: &[u8]) -> Result<(), End>;

    /// Waits a while for more of a stream. Says whether to go on waiting.
    fn wait(&mut self, stream: &dyn AsFd) -> Result<bool, End>;
}

/// Why it was not shown to its end.
pub(super) enum Failed {
    /// The file cannot be read.
    Reading(io::Error),
    /// There is nobody to show it to.
    Showing(End),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Reading(error)
    }
}

impl From<End> for Failed {
    fn from(end: End) -> Self {
        Self::Showing(end)
    }
}

/// Shows the beginning. What is held is at its end then, for now.
pub(super) fn show(
    held: &mut Held,
    begin: Begin,
    line_end: u8,
    audience: &mut impl Audience,
) -> Result<(), Failed> {
    let size = if held.kind == Kind::Regular {
        held.size()?
    } else {
        0
    };
    let mut rest = match begin {
        // Files such as those of /proc say that they are empty, and are not.
        Begin::LastLines(_) | Begin::LastBytes(_) if size <= held.at => {
            Part::Last(Last::new(begin, line_end))
        }
        Begin::LastLines(count) => {
            held.at = start_of_last(held, size, count, line_end)?;
            Part::all()
        }
        Begin::LastBytes(count) => {
            held.at = held.at.max(size.saturating_sub(count));
            Part::all()
        }
        Begin::FromLine(line) => Part::After {
            skip: line.saturating_sub(1),
            of: Some(line_end),
        },
        Begin::FromByte(byte) => Part::After {
            skip: byte.saturating_sub(1),
            of: None,
        },
    };
    let mut buffer = vec![0; BLOCK];
    loop {
        match held.next(&mut buffer)? {
            Got::Bytes(count) => {
                let shown = rest.take(&buffer[..count]);
                audience.show(shown)?;
            }
            Got::Later if audience.wait(&held.file)? => {}
            Got::End | Got::Later => break,
        }
    }
    if let Part::Last(last) = rest {
        audience.show(last.finish())?;
    }
    Ok(())
}

/// Where the last `count` lines of the first `size` bytes begin.
fn start_of_last(held: &Held, size: u64, count: u64, line_end: u8) -> io::Result<u64> {
    let mut buffer = vec![0; BLOCK];
    let (mut wanted, mut to) = (count, size);
    while to > held.at {
        let from = held.at.max(to.saturating_sub(BLOCK as u64));
        let length = usize::try_from(to - from).unwrap_or(BLOCK);
        let block = &mut buffer[..length];
        match held.file.read_exact_at(block, from) {
            Ok(()) => {}
            // It was cut meanwhile: what is left is shown whole.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
        if let Some(start) = cut(block, &mut wanted, line_end, to == size) {
            return Ok(from + start as u64);
        }
        to = from;
    }
    Ok(held.at)
}

/// Goes back through a block by as many lines as are `wanted`, and says where that many begin. What ends the last line
/// of all, in the block `at_end`, begins no other.
fn cut(block: &[u8], wanted: &mut u64, line_end: u8, at_end: bool) -> Option<usize> {
    if *wanted == 0 {
        return Some(block.len());
    }
    let searched = block.len() - usize::from(at_end && block.ends_with(&[line_end]));
    for place in memchr::memrchr_iter(line_end, &block[..searched]) {
        *wanted -= 1;
        if *wanted == 0 {
            return Some(place + 1);
        }
    }
    None
}

/// Which part of what is read is shown.
enum Part {
    /// All after so many of these bytes, or of any.
    After { skip: u64, of: Option<u8> },
    /// None before the end is known.
    Last(Last),
}

impl Part {
    fn all() -> Self {
        Self::After { skip: 0, of: None }
    }

    /// What can be shown of it now.
    fn take<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Last(last) => {
                last.push(bytes);
                &[]
            }
            Self::After { skip: 0, .. } => bytes,
            Self::After { skip, of: None } => {
                let skipped = bytes.len().min(usize::try_from(*skip).unwrap_or(usize::MAX));
                *skip -= skipped as u64;
                &bytes[skipped..]
            }
            Self::After { skip, of: Some(end) } => {
                for place in memchr::memchr_iter(*end, bytes) {
                    *skip -= 1;
                    if *skip == 0 {
                        return &bytes[place + 1..];
                    }
                }
                &[]
            }
        }
    }
}

/// The last lines or bytes of a stream, as far as it is known.
struct Last {
    kept: Vec<u8>,
    begin: Begin,
    line_end: u8,
    /// At this length what is not needed goes; it doubles with what is.
    trim_at: usize,
}

impl Last {
    fn new(begin: Begin, line_end: u8) -> Self {
        Self {
            kept: Vec::new(),
            begin,
            line_end,
            trim_at: 2 * BLOCK,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        if self.kept.len() >= self.trim_at {
            self.kept.drain(..self.start());
            self.trim_at = (2 * self.kept.len()).max(2 * BLOCK);
        }
    }

    fn start(&self) -> usize {
        match self.begin {
            Begin::LastLines(mut count) => cut(&self.kept, &mut count, self.line_end, true).unwrap_or(0),
            Begin::LastBytes(count) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                self.kept.len().saturating_sub(count)
            }
            Begin::FromLine(_) | Begin::FromByte(_) => 0,
        }
    }

    fn finish(&self) -> &[u8] {
        &self.kept[self.start()..]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_are_counted_back_from_the_end_in_blocks_of_any_size() {
        let text = b"a\nbb\n\nccc";
        for (count, from) in [(0, 9), (1, 6), (2, 5), (3, 2), (4, 0), (5, 0)] {
            for size in 1..=text.len() {
                let (mut wanted, mut to, mut start) = (count, text.len(), None);
                while start.is_none() && to > 0 {
                    let block = &text[to.saturating_sub(size)..to];
                    let found = cut(block, &mut wanted, b'\n', to == text.len());
                    to -= block.len();
                    start = found.map(|place| to + place);
                }
                assert_eq!(start.unwrap_or(0), from, "{count} in blocks of {size}");
            }
        }
        let mut one = 1;
        assert_eq!(cut(b"a\nb\n", &mut one, b'\n', true), Some(2));
    }

    #[test]
    fn the_last_lines_of_a_stream_are_kept_and_little_else() {
        let mut last = Last::new(Begin::LastLines(2), b'\n');
        for number in 0..100_000 {
            last.push(format!("{number:07}\n").as_bytes());
        }
        assert_eq!(last.finish(), b"0099998\n0099999\n");
        assert!(last.kept.len() < 2 * BLOCK + 8);
    }

    #[test]
    fn what_comes_before_a_line_or_byte_is_left_out_in_any_pieces() {
        for size in 1..8 {
            let part = |skip, of| Part::After { skip, of };
            let all = |mut part: Part| -> Vec<u8> {
                b"a\nb\nc\n"
                    .chunks(size)
                    .flat_map(|piece| part.take(piece).to_vec())
                    .collect()
            };
            assert_eq!(all(part(2, Some(b'\n'))), b"c\n");
            assert_eq!(all(part(3, None)), b"\nc\n");
            assert_eq!(all(part(9, None)), b"");
            assert_eq!(all(Part::all()), b"a\nb\nc\n");
        }
    }
}
