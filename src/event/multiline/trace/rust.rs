//! `thread 'main' panicked at src/main.rs:1:2:`, the message, perhaps a note or a backtrace.

use super::is_indented;

/// Where in a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::event) enum At {
    /// Behind the place: the message comes next.
    Place,
    /// Behind the message.
    Message,
}

pub(super) fn opens(line: &[u8]) -> Option<At> {
    if line.starts_with(b"fatal runtime error: ") {
        return Some(At::Message);
    }
    let named = line.starts_with(b"thread '") || line.starts_with(b"thread <unnamed>");
    let panicked = named && memchr::memmem::find(line, b" panicked at ").is_some();
    let overflowed = named && line.ends_with(b" has overflowed its stack");
    // Before 1.73 the message stood in front of the place.
    let message_follows = panicked && line.ends_with(b":");
    (panicked || overflowed).then_some(if message_follows { At::Place } else { At::Message })
}

pub(super) fn joins(line: &[u8]) -> Option<At> {
    let starts: [&[u8]; 5] = [
        b"note: run with `RUST_BACKTRACE",
        b"note: Some details are omitted, run with `RUST_BACKTRACE",
        b"stack backtrace:",
        b"Stack backtrace:",
        b"Caused by:",
    ];
    starts
        .iter()
        .any(|start| line.starts_with(start))
        .then_some(At::Message)
}

impl At {
    pub(super) fn next(self, line: &[u8]) -> Option<Self> {
        let last: [&[u8]; 4] = [
            b"thread panicked while ",
            b"thread caused non-unwinding panic",
            b"fatal runtime error: ",
            b"note: ",
        ];
        let goes_on = self == Self::Place
            || is_indented(line)
            || joins(line).is_some()
            || last.iter().any(|start| line.starts_with(start));
        goes_on.then_some(Self::Message)
    }
}
