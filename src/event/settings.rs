//! How the bytes of a log form events, checked.

/// Everything the room needs to know about one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What a line is.
    pub format: Format,
    /// How lines form events.
    pub multiline: Multiline,
    /// Bytes of a line that are looked at; the rest is cut and the event marked.
    pub max_line: usize,
}

impl Settings {
    /// The default of [`Settings::max_line`].
    pub const MAX_LINE: usize = 64 * 1024;
}

/// What a line is. The door for docker, cri, json and logfmt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The line is the text.
    #[default]
    Plain,
}

/// How lines form events. The door for stack traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Multiline {
    /// Every line is an event.
    #[default]
    Off,
}
