//! The password in `scheme://user:password@host`. The user and the host stay: they say what was refused where.
//!
//! The trap: people do not encode `/` and `@` in passwords, so where the host begins is a guess; it is made in
//! favour of the longer password.

use std::ops::Range;

use memchr::memmem;

use super::value;

/// A colon and an `@` in what follows `://`, or the form of the `MySQL` driver for Go.
pub(super) const GATE: &str = r"://[^\s/:]*:\S+@|:[^ \t\n\r\x0C]+@(?:tcp|unix)\(";

/// How far back from its `@tcp(` a Go data source name is looked for.
const BACK: usize = 256;

/// Adds the spans of all passwords in links.
pub(super) fn find(text: &str, spans: &mut Vec<Range<usize>>) {
    for at in memmem::find_iter(text.as_bytes(), "://") {
        let start = at + "://".len();
        let link = link(&text[start..]);
        spans.extend(password(link).map(|span| start + span.start..start + span.end));
    }
    for host in ["@tcp(", "@unix("] {
        let ends = memmem::find_iter(text.as_bytes(), host);
        spans.extend(ends.filter_map(|end| data_source(text, end)));
    }
}

/// What belongs to one link. It ends where the next one begins, so no byte is read for two links.
fn link(rest: &str) -> &str {
    let end = rest.find(|letter: char| letter.is_whitespace() || "\"<>`".contains(letter));
    let rest = &rest[..end.unwrap_or(rest.len())];
    rest.split("://").next().unwrap_or(rest)
}

/// Where the password is in a link without its scheme.
fn password(link: &str) -> Option<Range<usize>> {
    let authority = &link[..link.find(['/', '?', '#', '\\']).unwrap_or(link.len())];
    let colon = authority.find(':').filter(|_| !authority.starts_with('['))?;
    let span = if let Some(at) = authority.rfind('@') {
        colon + 1..at
    } else {
        // No user in sight. What follows the colon is a port, or the first part of a password with a slash.
        let is_port = authority[colon + 1..].bytes().all(|byte| byte.is_ascii_digit());
        colon + 1..link.rfind('@').filter(|_| !is_port)?
    };
    let secret = link.get(span.clone())?;
    (!secret.is_empty() && !value::is_plain(secret)).then_some(span)
}

/// The password in `user:password@tcp(host)/database`, whose `@` is at `end`.
fn data_source(text: &str, end: usize) -> Option<Range<usize>> {
    let bytes = &text.as_bytes()[end.saturating_sub(BACK)..end];
    let stop = bytes
        .iter()
        .rposition(|byte| byte.is_ascii_whitespace() || b"\"'=".contains(byte));
    let word = end - bytes.len() + stop.map_or(0, |stop| stop + 1);
    let colon = memchr::memchr(b':', &text.as_bytes()[word..end])?;
    let span = word + colon + 1..end;
    let secret = text.get(span.clone())?;
    (!secret.is_empty() && !value::is_plain(secret)).then_some(span)
}
