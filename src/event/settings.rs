//! How the bytes of a log form events, checked.

use super::encoding::Encoding;
use super::multiline::{self, Borders, Decoded, Joiner};
use super::wrapped::{self, Decoder};
use super::{Multiline, recognise};
use crate::model::{Format, Joints, Manner};

/// Everything the room needs to know about one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What a line is.
    pub format: Format,
    /// How lines form events.
    pub multiline: Multiline,
    /// How letters are written. A container runtime's own lines are always in UTF-8.
    pub encoding: Encoding,
    /// Of a line that was written over, as progress bars are, only what stands behind its last carriage return is its
    /// text.
    pub overwrite: bool,
    /// Bytes of a text that are looked at; the rest is cut and the event marked.
    pub max_line: usize,
}

impl Settings {
    /// The default of [`Settings::max_line`].
    pub const MAX_LINE: usize = 64 * 1024;

    /// Docker wraps 16 KiB of text into a line, where one byte may take six.
    const WRAPPED: usize = 128 * 1024;

    /// How many bytes of the file may be needed for one text of [`Settings::max_line`]: no line is looked at
    /// further than that, and no event spans more, but for its last line.
    pub fn longest(&self) -> usize {
        let plain = if self.encoding.is_utf8() {
            self.max_line
        } else {
            // Two bytes of UTF-16 may become one; and a character that is cut stands behind what is shown.
            2 * self.max_line + 16
        };
        match self.format {
            Format::Plain | Format::Json | Format::Logfmt => plain,
            Format::Auto | Format::Docker | Format::Cri => (2 * self.max_line).max(Self::WRAPPED).max(plain),
        }
    }

    /// Which lines of a file go together, where they are searched as they stand.
    pub(super) fn borders<'c>(&'c self, manner: Manner, chunk: &'c [u8], offset: u64) -> Borders<'c> {
        Borders {
            joiner: Joiner::new(&self.multiline, manner.habit),
            chunk,
            offset,
            longest: self.longest(),
        }
    }

    /// Which lines of a file go together, where they are decoded first.
    pub(super) fn joints(&self, manner: Manner, offset: u64) -> Decoded<'_> {
        Decoded {
            joiner: Joiner::new(&self.multiline, manner.habit),
            offset,
            longest: self.longest(),
        }
    }

    /// How lines of a file of this form are decoded.
    pub(super) fn decoder(&self, manner: Manner) -> Decoder {
        let format = match (self.format, manner.format) {
            (Format::Auto, wrapped @ (Format::Docker | Format::Cri)) => wrapped,
            (format, _) => format,
        };
        Decoder {
            format,
            line_end: manner.line_end,
            encoding: self.encoding.with(manner.line_end),
            overwrite: self.overwrite,
        }
    }
}

impl Joints for Settings {
    fn manner(&self, path: &str, first: &[u8]) -> Manner {
        let told = recognise::manner(path, first, self.encoding.line_end());
        let format = if self.format == Format::Auto {
            told.format
        } else {
            self.format
        };
        let told = Manner { format, ..told };
        if self.multiline != Multiline::Auto {
            return told;
        }
        let first = &first[..first.len().min(multiline::SAMPLE)];
        let habit = wrapped::habit(&self.decoder(told), first, first.len() == multiline::SAMPLE);
        Manner {
            habit: habit.unwrap_or_default(),
            open: told.open || habit.is_none(),
            ..told
        }
    }

    fn whole(&self, manner: Manner, lines: &[u8], offset: u64, upto: usize) -> usize {
        let decoder = self.decoder(manner);
        if !decoder.is_idle() {
            return wrapped::whole(&decoder, self.joints(manner, offset), lines, upto);
        }
        if self.multiline == Multiline::Off {
            return upto;
        }
        self.borders(manner, lines, offset).whole(upto)
    }
}

impl Format {
    /// Whether lines wrap the text and have to be decoded before they are searched.
    pub(super) fn is_wrapped(self) -> bool {
        matches!(self, Self::Docker | Self::Cri)
    }
}
