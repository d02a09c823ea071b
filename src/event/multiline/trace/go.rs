//! `panic:`, then `goroutine 1 [running]:` with a function and a place for each frame.

use super::is_indented;

/// Where in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::event) struct At {
    /// Goroutines have begun.
    goroutines: bool,
}

impl At {
    pub(super) const START: Self = Self { goroutines: false };
    pub(super) const RUNNING: Self = Self { goroutines: true };

    pub(super) fn next(self, line: &[u8]) -> Option<Self> {
        if line.starts_with(b"goroutine ") {
            return Some(Self::RUNNING);
        }
        let said: [&[u8]; 7] = [
            b"[signal ",
            b"created by ",
            b"...",
            b"fatal error: ",
            b"PC=",
            b"runtime stack:",
            b"panic: ",
        ];
        let said = said.iter().any(|start| line.starts_with(start))
            && !(self.goroutines && line.starts_with(b"panic: "));
        let goes_on = is_indented(line)
            || said
            || (self.goroutines && (is_function(line) || is_register(line)))
            || (line.starts_with(b"runtime") && is_function(line))
            || line.starts_with(b"exit status ");
        goes_on.then_some(self)
    }
}

pub(super) fn opens(line: &[u8]) -> Option<At> {
    if line.starts_with(b"goroutine ") && line.ends_with(b"]:") {
        return Some(At::RUNNING);
    }
    let starts: [&[u8]; 7] = [
        b"panic: ",
        b"fatal error: ",
        b"runtime: goroutine stack exceeds ",
        b"runtime: out of memory",
        b"unexpected fault address ",
        b"SIGQUIT: quit",
        b"SIGSEGV: segmentation violation",
    ];
    starts
        .iter()
        .any(|start| line.starts_with(start))
        .then_some(At::START)
}

/// `main.(*Shop).sell(0xc000012345, {0x1, 0x2})`: no space before the arguments, nothing behind them.
fn is_function(line: &[u8]) -> bool {
    let open = line.iter().rposition(|&byte| byte == b'(').unwrap_or(0);
    let name = line[..open].iter().position(|&byte| byte == b'{').unwrap_or(open);
    let spaced = line[..name.min(open)]
        .split(|&byte| byte == b'(')
        .next()
        .is_some_and(|name| name.contains(&b' '));
    open > 0 && line.ends_with(b")") && !spaced
}

/// `rax    0xca`.
fn is_register(line: &[u8]) -> bool {
    let name = line
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric())
        .unwrap_or(0);
    (2..=6).contains(&name)
        && line[name..].starts_with(b" ")
        && line[name..].trim_ascii_start().starts_with(b"0x")
}
