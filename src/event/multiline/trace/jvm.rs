//! Java, Kotlin, Scala, Clojure: an exception, `at` lines, `Caused by:`.

use super::{Opening, is_indented, qualified};

pub(super) fn opens(line: &[u8]) -> Option<Opening> {
    let crash: [&[u8]; 2] = [b"Exception in thread \"", b"Uncaught Kotlin exception: "];
    if crash.iter().any(|start| line.starts_with(start)) {
        return Some(Opening::Crash);
    }
    qualified(line).map(|_| Opening::Exception)
}

pub(super) fn joins(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    text.starts_with(b"Caused by: ")
        || text == b"Caused by:"
        || text.starts_with(b"Suppressed: ")
        || is_frame(line)
}

pub(super) fn goes_on(line: &[u8]) -> bool {
    is_indented(line) || joins(line) || line.starts_with(b"Wrapped by: ")
}

/// `\tat com.example.Main.run(Main.java:7)`, `\t... 3 more`.
fn is_frame(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    is_indented(line) && (text.starts_with(b"at ") || (text.starts_with(b"... ") && text.ends_with(b" more")))
}
