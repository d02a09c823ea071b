//! `Traceback (most recent call last):`, frames, the exception; then perhaps the one it caused.

use super::is_indented;

/// Where in a traceback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::event) enum At {
    /// Before the traceback itself: whose it is.
    Prelude,
    /// Among the frames.
    Frames,
    /// Behind the exception.
    Done,
}

const TRACEBACK: &[u8] = b"Traceback (most recent call ";

/// What may stand before a traceback.
const PRELUDES: [&[u8]; 6] = [
    b"Exception in thread Thread-",
    b"Exception ignored in",
    b"Task exception was never retrieved",
    b"Error in sys.excepthook:",
    b"Error in atexit._run_exitfuncs:",
    b"Exception in callback ",
];

const CHAINS: [&[u8]; 3] = [
    b"During handling of the above exception, another exception occurred:",
    b"The above exception was the direct cause of the following exception:",
    b"Original exception was:",
];

pub(super) fn opens(line: &[u8]) -> Option<At> {
    let text = line.trim_ascii_start();
    let group = text.strip_prefix(b"+ Exception Group ").unwrap_or(text);
    if group.starts_with(TRACEBACK) && (!is_indented(line) || group.len() < text.len()) {
        return Some(At::Frames);
    }
    if PRELUDES.iter().any(|prelude| line.starts_with(prelude)) {
        return Some(At::Prelude);
    }
    let fatal = line.starts_with(b"Fatal Python error: ");
    // An error of syntax has no traceback, only the place.
    let place = line.starts_with(b"  File \"") && memchr::memmem::find(line, b"\", line ").is_some();
    (fatal || place).then_some(At::Frames)
}

pub(super) fn joins(line: &[u8]) -> Option<At> {
    let text = line.trim_ascii_start();
    let text = text.strip_prefix(b"| ").unwrap_or(text);
    CHAINS
        .iter()
        .any(|chain| text.starts_with(chain))
        .then_some(At::Prelude)
}

impl At {
    pub(super) fn next(self, line: &[u8]) -> Option<Self> {
        if joins(line).is_some() {
            return Some(Self::Prelude);
        }
        match self {
            Self::Prelude if opens(line) == Some(Self::Frames) => Some(Self::Frames),
            Self::Prelude => {
                (is_indented(line) || line.starts_with(b"future: <") || line.starts_with(b"handle: <"))
                    .then_some(Self::Prelude)
            }
            Self::Frames if is_indented(line) => Some(Self::Frames),
            Self::Frames if is_thread(line) => Some(Self::Frames),
            Self::Frames => is_exception(line).then_some(Self::Done),
            Self::Done => is_indented(line).then_some(Self::Done),
        }
    }
}

/// What faulthandler puts before the frames of a thread, and behind them all.
pub(super) fn is_thread(line: &[u8]) -> bool {
    let starts: [&[u8]; 5] = [
        b"Current thread 0x",
        b"Thread 0x",
        b"Python runtime state:",
        b"Extension modules:",
        b"<no Python frame>",
    ];
    starts.iter().any(|start| line.starts_with(start))
}

/// `KeyError: 'x'`, `package.module.Gone`, `SystemExit: 2`: a name, and a colon or nothing behind it.
fn is_exception(line: &[u8]) -> bool {
    let part = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'<' | b'>') || *byte >= 0x80
    };
    let len = line.iter().position(|byte| !part(byte)).unwrap_or(line.len());
    len > 0 && !line[0].is_ascii_digit() && matches!(line.get(len), None | Some(b':'))
}
