//! An error with `at` lines; a crash shows the line of source code first, and says the version last.

use super::{Opening, is_indented};

/// Where in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::event) enum At {
    /// Behind the place of a crash: a line of source code comes next.
    Place,
    /// Behind the source code: what points at it, or the error.
    Source,
    /// Behind that: the message of a crash, which may have several lines.
    Message(u8),
    /// Among the frames.
    Frames,
}

/// So many lines of a message are waited for, blank ones not counted.
pub(super) const MESSAGE: u8 = 6;

pub(super) fn opens(line: &[u8]) -> Option<(At, Opening)> {
    if is_place(line) {
        return Some((At::Place, Opening::Crash));
    }
    if line.starts_with(b"Uncaught ") {
        return Some((At::Frames, Opening::Crash));
    }
    let warning = line.starts_with(b"(node:") && memchr::memmem::find(line, b") ").is_some();
    (warning || is_error(line)).then_some((At::Frames, Opening::Exception))
}

/// `/srv/app/shop.js:7`, `file:///srv/app/shop.mjs:7`, `node:internal/process/promises:288`.
pub(super) fn is_place(line: &[u8]) -> bool {
    let starts: [&[u8]; 3] = [b"/", b"file://", b"node:"];
    if !starts.iter().any(|start| line.starts_with(start)) {
        return false;
    }
    let colon = line.iter().rposition(|&byte| byte == b':').unwrap_or(0);
    let number = &line[colon + usize::from(colon > 0)..];
    colon > 4 && !line.contains(&b' ') && !number.is_empty() && number.iter().all(u8::is_ascii_digit)
}

/// `TypeError: x`, `Error`, `AssertionError [ERR_ASSERTION]: x`.
fn is_error(line: &[u8]) -> bool {
    let len = line
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric())
        .unwrap_or(line.len());
    let name = &line[..len];
    let named = name.first().is_some_and(u8::is_ascii_uppercase)
        && (name.ends_with(b"Error") || name.ends_with(b"Exception"));
    let behind = &line[len..];
    named && (behind.is_empty() || behind.starts_with(b": ") || behind.starts_with(b" ["))
}

impl At {
    pub(super) fn next(self, line: &[u8]) -> Option<Self> {
        let last = line.starts_with(b"Node.js v");
        match self {
            Self::Place => Some(Self::Source),
            Self::Source if is_indented(line) && line.contains(&b'^') => Some(Self::Message(0)),
            Self::Source if is_error(line) => Some(Self::Message(0)),
            Self::Source => is_indented(line).then_some(self),
            Self::Message(_) if last || is_frame(line) => Some(Self::Frames),
            Self::Message(lines) => (lines < MESSAGE).then_some(Self::Message(lines + 1)),
            Self::Frames => {
                let goes_on =
                    is_indented(line) || last || line.starts_with(b"}") || line.starts_with(b"(Use `node ");
                goes_on.then_some(self)
            }
        }
    }

    pub(super) fn blank(self) -> Self {
        match self {
            Self::Place => Self::Source,
            other => other,
        }
    }
}

fn is_frame(line: &[u8]) -> bool {
    is_indented(line) && line.trim_ascii_start().starts_with(b"at ")
}
