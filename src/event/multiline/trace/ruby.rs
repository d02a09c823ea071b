//! `shop.rb:7:in 'sell': no stock (RuntimeError)`, then `from` lines; a cause looks the same and comes behind.

use super::is_indented;

pub(super) fn opens(line: &[u8]) -> bool {
    is_place(line) || line.starts_with(b"#<Thread:0x")
}

pub(super) fn goes_on(line: &[u8]) -> bool {
    is_indented(line) || is_place(line)
}

/// `FILE:LINE:in 'METHOD': ` with either quote in front of the method.
fn is_place(line: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(line, b":in ") else {
        return false;
    };
    let (place, method) = (&line[..at], &line[at + 4..]);
    let number = memchr::memrchr(b':', place).map_or(&[][..], |colon| &place[colon + 1..]);
    let quoted = matches!(method.first(), Some(b'`' | b'\''));
    let ends = memchr::memmem::find(method, b"': ").is_some();
    quoted && ends && !place.contains(&b' ') && !number.is_empty() && number.iter().all(u8::is_ascii_digit)
}
