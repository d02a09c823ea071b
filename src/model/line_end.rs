//! How lines end in the bytes of a file.
//!
//! The trap: in UTF-16 a line ends with two bytes, and each of them is part of other characters too. So all lengths
//! here are those of whole units, and slices must begin at the start of one.

use memchr::{memchr, memchr_iter, memmem, memrchr, memrchr_iter};

/// What a newline is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineEnd {
    /// The byte 0x0A, in every encoding that is a superset of ASCII.
    #[default]
    Byte,
    /// 0x0A 0x00 at an even offset: UTF-16, the low byte first.
    Utf16Le,
    /// 0x00 0x0A at an even offset: UTF-16, the high byte first.
    Utf16Be,
}

impl LineEnd {
    /// What a byte order mark at the start of a file says. Where nobody said that it is in UTF-16, a letter of ASCII must
    /// stand behind the mark: its two bytes alone may be those of anything.
    pub fn marked(first: &[u8], said: bool) -> Option<Self> {
        let (end, letter) = match first {
            [0xFF, 0xFE, rest @ ..] => (Self::Utf16Le, rest),
            [0xFE, 0xFF, rest @ ..] => (Self::Utf16Be, rest),
            _ => return None,
        };
        let ascii = match (end, letter) {
            (Self::Utf16Le, [letter, 0, ..]) | (Self::Utf16Be, [0, letter, ..]) => (1..0x80).contains(letter),
            // No line can end before it is there.
            (_, rest) => rest.len() < 2,
        };
        (said || ascii).then_some(end)
    }

    /// Bytes of a unit.
    pub fn width(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::Utf16Le | Self::Utf16Be => 2,
        }
    }

    /// The largest number of whole units within so many bytes.
    pub fn floor(self, bytes: usize) -> usize {
        bytes - bytes % self.width()
    }

    /// [`LineEnd::floor`] of an offset in a file.
    pub fn floor_offset(self, offset: u64) -> u64 {
        offset - offset % self.width() as u64
    }

    /// Where the first line ends, its newline included.
    pub fn first(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Byte => memchr(b'\n', bytes).map(|at| at + 1),
            _ => memchr_iter(b'\n', bytes).find_map(|at| self.end_at(bytes, at)),
        }
    }

    /// Where the last whole line ends, its newline included.
    pub fn last(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Byte => memrchr(b'\n', bytes).map(|at| at + 1),
            _ => memrchr_iter(b'\n', bytes).find_map(|at| self.end_at(bytes, at)),
        }
    }

    /// Where the first line ends that has a NUL behind its newline.
    pub fn before_nul(self, bytes: &[u8]) -> Option<usize> {
        if self == Self::Byte {
            return memmem::find(bytes, b"\n\0").map(|at| at + 1);
        }
        let mut ends = memchr_iter(b'\n', bytes).filter_map(|at| self.end_at(bytes, at));
        ends.find(|&end| bytes[end..].starts_with(b"\0\0"))
    }

    /// Whether these bytes are one carriage return.
    pub fn is_carriage_return(self, bytes: &[u8]) -> bool {
        match self {
            Self::Byte => bytes == b"\r",
            Self::Utf16Le => bytes == b"\r\0",
            Self::Utf16Be => bytes == b"\0\r",
        }
    }

    /// How many bytes of NULs `bytes` begin with; all of them, if nothing else is there.
    pub fn zeros(self, bytes: &[u8]) -> usize {
        let written = bytes.iter().position(|&byte| byte != 0);
        written.map_or(bytes.len(), |at| self.floor(at))
    }

    /// How long `bytes` are without the NULs at their end.
    pub fn written(self, bytes: &[u8]) -> usize {
        let last = bytes.iter().rposition(|&byte| byte != 0);
        last.map_or(0, |at| (self.floor(at) + self.width()).min(bytes.len()))
    }

    /// Where the newline ends whose 0x0A stands at `at`, if that is one.
    fn end_at(self, bytes: &[u8], at: usize) -> Option<usize> {
        match self {
            Self::Byte => Some(at + 1),
            Self::Utf16Le => (at.is_multiple_of(2) && bytes.get(at + 1) == Some(&0)).then_some(at + 2),
            Self::Utf16Be => (!at.is_multiple_of(2) && bytes[at - 1] == 0).then_some(at + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [LineEnd; 3] = [LineEnd::Byte, LineEnd::Utf16Le, LineEnd::Utf16Be];

    fn bytes(end: LineEnd, text: &str) -> Vec<u8> {
        let units = text.encode_utf16();
        match end {
            LineEnd::Byte => text.as_bytes().to_vec(),
            LineEnd::Utf16Le => units.flat_map(u16::to_le_bytes).collect(),
            LineEnd::Utf16Be => units.flat_map(u16::to_be_bytes).collect(),
        }
    }

    #[test]
    fn a_newline_is_told_from_characters_that_hold_its_bytes() {
        for end in [LineEnd::Utf16Le, LineEnd::Utf16Be] {
            let text = bytes(end, "\u{0a0a}\u{0a00}\u{010a}\u{000d}\n\u{0a00}");
            assert_eq!(end.first(&text), Some(10), "{end:?}");
            assert_eq!(end.last(&text), Some(10), "{end:?}");
        }
        assert_eq!(LineEnd::Utf16Le.first(b"\n"), None, "half of it is not there yet");
    }

    #[test]
    fn a_byte_order_mark_says_which_byte_comes_first() {
        assert_eq!(LineEnd::marked(b"\xFF\xFEa\0", false), Some(LineEnd::Utf16Le));
        assert_eq!(LineEnd::marked(b"\xFE\xFF", false), Some(LineEnd::Utf16Be));
        assert_eq!(LineEnd::marked(b"\xFF\xFE\0 noise", false), None);
        assert_eq!(LineEnd::marked(b"\xFF\xFE\0 noise", true), Some(LineEnd::Utf16Le));
        assert_eq!(LineEnd::marked(b"\xFF", true), None);
        assert_eq!(LineEnd::marked(b"\xEF\xBB\xBF", true), None);
    }

    #[test]
    fn nuls_are_counted_in_whole_characters() {
        let end = LineEnd::Utf16Be;
        assert_eq!(end.zeros(b"\0\0\0a"), 2);
        assert_eq!(end.zeros(b"\0\0\0"), 3);
        assert_eq!(LineEnd::Utf16Le.written(b"a\0\0\0"), 2);
        assert_eq!(LineEnd::Utf16Le.written(b"a"), 1);
        let text = bytes(end, "\u{0a00}\n\0b");
        assert_eq!(end.before_nul(&text), Some(4));
    }

    proptest! {
        #[test]
        fn every_line_end_splits_the_same_text_into_the_same_lines(text in "[a\u{0a00}\u{0a0a}\u{d}\u{100}\n한🦀]{0,30}") {
            for end in ALL {
                let bytes = bytes(end, &text);
                let (mut at, mut lines) = (0, 0);
                while let Some(next) = end.first(&bytes[at..]) {
                    at += next;
                    lines += 1;
                }
                prop_assert_eq!(lines, text.matches('\n').count());
                prop_assert_eq!(end.last(&bytes), (lines > 0).then_some(at));
            }
        }
    }
}
