//! `PHP Fatal error:  Uncaught Exception: … in FILE:LINE`, `Stack trace:`, `#0 …`, `thrown in …`.

use super::is_indented;

pub(super) fn opens(line: &[u8]) -> bool {
    let text = line.strip_prefix(b"PHP ").unwrap_or(line);
    text.starts_with(b"Fatal error: ")
}

pub(super) fn joins(line: &[u8]) -> bool {
    matches!(line, b"Stack trace:" | b"[stacktrace]" | b"\"}" | b"\"} ") || is_frame(line)
}

pub(super) fn goes_on(line: &[u8]) -> bool {
    is_indented(line) || joins(line) || line.starts_with(b"Next ")
}

/// `#0 /srv/app/shop.php(7): sell()`, `#1 {main}`.
fn is_frame(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"#") else {
        return false;
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let behind = &rest[digits..];
    digits > 0
        && (behind.starts_with(b" /")
            || behind.starts_with(b" {main}")
            || behind.starts_with(b" [internal function]")
            || behind.ends_with(b")"))
}
