//! What a C or C++ library says when a program ends itself, and what the shell adds.

use super::is_indented;

pub(super) fn opens(line: &[u8]) -> bool {
    let starts: [&[u8]; 4] = [
        b"terminate called ",
        b"*** stack smashing detected ***",
        b"free(): ",
        b"double free or corruption",
    ];
    let asserted = memchr::memmem::find(line, b": Assertion `").is_some() && line.ends_with(b"' failed.");
    let sanitizer = line.starts_with(b"==") && memchr::memmem::find(line, b"==ERROR: ").is_some();
    let ruled = line.len() >= 40 && line.iter().all(|&byte| byte == b'=');
    starts.iter().any(|start| line.starts_with(start)) || asserted || sanitizer || ruled
}

pub(super) fn goes_on(line: &[u8]) -> bool {
    let starts: [&[u8]; 6] = [
        b"Aborted",
        b"Segmentation fault",
        b"SUMMARY: ",
        b"==",
        b"0x",
        b"Shadow b",
    ];
    is_indented(line) || starts.iter().any(|start| line.starts_with(start)) || is_shell(line)
}

/// What bash says about a program that a signal ended: `run.sh: line 3: 4711 Aborted   ./shop`.
fn is_shell(line: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(line, b": line ") else {
        return false;
    };
    let numbers = &line[at + 7..];
    let len = numbers
        .iter()
        .position(|byte| !byte.is_ascii_digit() && !matches!(byte, b':' | b' '))
        .unwrap_or(0);
    len > 0
        && ["Aborted", "Segmentation fault", "Killed"]
            .iter()
            .any(|word| numbers[len..].starts_with(word.as_bytes()))
}
