//! Letters that are not written in UTF-8: a line becomes UTF-8 before anybody looks at it.
//!
//! A line is decoded by itself, so what is broken in one does not reach the next. What cannot be decoded becomes
//! U+FFFD. The trap: only UTF-16 has newlines of two bytes; in all others a newline is the byte 0x0A, and that byte is
//! part of no other character.

use std::borrow::Cow;

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE};

use crate::model::LineEnd;

/// How letters are written: an encoding of the WHATWG's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding(&'static encoding_rs::Encoding);

impl Default for Encoding {
    /// UTF-8.
    fn default() -> Self {
        Self(UTF_8)
    }
}

impl Encoding {
    /// The names that are offered; each encoding has further ones.
    pub const NAMES: [&str; 39] = [
        "utf-8",
        "utf-16le",
        "utf-16be",
        "euc-kr",
        "gbk",
        "gb18030",
        "big5",
        "shift_jis",
        "euc-jp",
        "iso-2022-jp",
        "windows-1250",
        "windows-1251",
        "windows-1252",
        "windows-1253",
        "windows-1254",
        "windows-1255",
        "windows-1256",
        "windows-1257",
        "windows-1258",
        "windows-874",
        "iso-8859-1",
        "iso-8859-2",
        "iso-8859-3",
        "iso-8859-4",
        "iso-8859-5",
        "iso-8859-6",
        "iso-8859-7",
        "iso-8859-8",
        "iso-8859-8-i",
        "iso-8859-10",
        "iso-8859-13",
        "iso-8859-14",
        "iso-8859-15",
        "iso-8859-16",
        "koi8-r",
        "koi8-u",
        "ibm866",
        "macintosh",
        "x-mac-cyrillic",
    ];

    /// The encoding with this label, in small or capital letters; none if the WHATWG knows none, or none that text can
    /// be read in.
    pub fn of(label: &str) -> Option<Self> {
        let found = encoding_rs::Encoding::for_label_no_replacement(label.as_bytes())?;
        Some(Self(found))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Whether texts need no decoding.
    pub fn is_utf8(self) -> bool {
        self.0 == UTF_8
    }

    /// How its lines end.
    pub fn line_end(self) -> LineEnd {
        match self.0 {
            utf16 if utf16 == UTF_16LE => LineEnd::Utf16Le,
            utf16 if utf16 == UTF_16BE => LineEnd::Utf16Be,
            _ => LineEnd::Byte,
        }
    }

    /// What a file is written in whose lines end like this: its byte order mark may say other than we do.
    pub(super) fn with(self, line_end: LineEnd) -> Self {
        match line_end {
            LineEnd::Utf16Le => Self(UTF_16LE),
            LineEnd::Utf16Be => Self(UTF_16BE),
            LineEnd::Byte if self.line_end() == LineEnd::Byte => self,
            LineEnd::Byte => Self::default(),
        }
    }

    /// The same text in UTF-8. Text in UTF-8 stays as it is, whatever is wrong in it.
    pub(super) fn decode(self, text: &[u8]) -> Cow<'_, [u8]> {
        if self.is_utf8() {
            return Cow::Borrowed(text);
        }
        match self.0.decode_without_bom_handling(text).0 {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_name_that_is_offered_is_an_encoding() {
        for name in Encoding::NAMES {
            assert!(Encoding::of(name).is_some(), "{name}");
            assert!(Encoding::of(&name.to_uppercase()).is_some(), "{name}");
        }
        assert!(Encoding::of("utf-99").is_none());
        assert!(
            Encoding::of("iso-2022-kr").is_none(),
            "nothing could be read in it"
        );
    }

    #[test]
    fn no_encoding_but_utf_16_has_a_newline_inside_a_character() {
        for name in Encoding::NAMES {
            let encoding = Encoding::of(name).unwrap();
            if encoding.line_end() != LineEnd::Byte {
                continue;
            }
            for first in 0..=0xFF {
                let line = encoding
                    .0
                    .decode_without_bom_handling(&[first, b'\n'])
                    .0
                    .into_owned();
                assert!(line.ends_with('\n'), "{name}, {first:02x}");
            }
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_marked_and_the_rest_is_read() {
        let encoding = Encoding::of("euc-kr").unwrap();
        assert_eq!(
            &*encoding.decode(b"\xC7\xD1\xB1\xB9 ok \xFF!"),
            "한국 ok \u{fffd}!".as_bytes()
        );
        assert_eq!(&*encoding.decode(b"ok \xC7"), "ok \u{fffd}".as_bytes());
        assert_eq!(&*Encoding::default().decode(b"ok \xC7"), b"ok \xC7");
    }
}
