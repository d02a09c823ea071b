//! C#, F#: an exception, `   at` lines, ` --->` causes.

use super::{Opening, is_indented, qualified};

pub(super) fn opens(line: &[u8]) -> Option<Opening> {
    let crash: [&[u8]; 3] = [
        b"Unhandled exception. ",
        b"Unhandled Exception:",
        b"[ERROR] FATAL UNHANDLED EXCEPTION: ",
    ];
    if crash.iter().any(|start| line.starts_with(start)) {
        return Some(Opening::Crash);
    }
    let capital = line.first().is_some_and(u8::is_ascii_uppercase);
    (capital && qualified(line).is_some()).then_some(Opening::Exception)
}

pub(super) fn goes_on(line: &[u8]) -> bool {
    // Mono says first that there is an exception, and then which.
    is_indented(line)
        || qualified(line).is_some()
        || line.starts_with(b"---> ")
        || line.starts_with(b"--- End of ")
        || line.starts_with(b"[ERROR] FATAL UNHANDLED EXCEPTION: ")
}
