//! How the bytes of a log form events, checked.

use super::Multiline;

/// Everything the room needs to know about one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What a line is.
    pub format: Format,
    /// How lines form events.
    pub multiline: Multiline,
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
        match self.format {
            Format::Plain | Format::Json | Format::Logfmt => self.max_line,
            Format::Docker | Format::Cri => (2 * self.max_line).max(Self::WRAPPED),
        }
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The line is the text.
    #[default]
    Plain,
    /// A line of Docker's json-file driver: the text is in `log`.
    Docker,
    /// The line is the text, and a JSON object.
    Json,
    /// The line is the text, and `key=value` pairs.
    Logfmt,
    /// A line of a Kubernetes container: time, stream, whether the text goes on, text.
    Cri,
}

impl Format {
    /// Whether lines wrap the text and have to be decoded before they are searched.
    pub(super) fn is_wrapped(self) -> bool {
        matches!(self, Self::Docker | Self::Cri)
    }
}
