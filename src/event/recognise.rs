//! What a file is, told by its path and its first lines: `format = "auto"`.
//!
//! 1. A line that a container runtime wrote, among the first [`LINES`], makes the file one of that runtime.
//! 2. Else the path does: Docker's own name of a json-file log, or a folder of Kubernetes.
//! 3. Else its lines are text. JSON and logfmt need no decision of the file: each line is asked for its fields by
//!    itself, and what is said here about the file is for people.
//!
//! The law: events are the same whenever the decision falls, because until then every line is text, and a line
//! before the one that decides is text in the decided format too. So nothing needs to be stored: a file is decided
//! again, by the same bytes, after each start, and by other bytes in its next generation.

use super::fields;
use super::{Format, wrapped};
use crate::model::{LineEnd, Manner};

/// So many lines are asked.
const LINES: usize = 10;

/// What the first bytes of a file at this path tell, if its lines end like this.
pub(super) fn manner(path: &str, first: &[u8], line_end: LineEnd) -> Manner {
    let line_end = LineEnd::marked(first, line_end != LineEnd::Byte).unwrap_or(line_end);
    if line_end != LineEnd::Byte {
        // No container runtime writes UTF-16.
        return Manner {
            format: Format::Plain,
            line_end,
            open: first.len() < 4,
            ..Manner::default()
        };
    }
    let asked = || lines(first).take(LINES);
    let wrapped = asked().find_map(wrapped::recognise);
    let seen_all = first.len() >= Manner::FIRST || lines(first).count() >= LINES;
    Manner {
        format: wrapped
            .or_else(|| of_path(path))
            .unwrap_or_else(|| of_text(asked())),
        line_end,
        open: wrapped.is_none() && !seen_all,
        ..Manner::default()
    }
}

/// The whole lines, without their newlines and without a hole before them.
fn lines(first: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = LineEnd::Byte.last(first).unwrap_or_default();
    let lines = first[..whole].split(|&byte| byte == b'\n');
    // What stands behind the last newline is no line.
    let lines = lines.take(memchr::memchr_iter(b'\n', &first[..whole]).count());
    lines.map(|line| &line[LineEnd::Byte.zeros(line)..])
}

/// What lies where a container runtime puts its logs.
fn of_path(path: &str) -> Option<Format> {
    if super::place::is_docker(path) {
        return Some(Format::Docker);
    }
    ["/log/pods/", "/log/containers/"]
        .iter()
        .any(|folder| path.contains(folder))
        .then_some(Format::Cri)
}

/// What people would call lines of text.
fn of_text<'l>(mut lines: impl Iterator<Item = &'l [u8]>) -> Format {
    lines.find_map(fields::kind).unwrap_or(Format::Plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &str = "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}\n";
    const CRI: &str = "2026-01-02T03:04:05.6+09:00 stderr F x\n";

    #[track_caller]
    fn is(path: &str, first: &str, format: Format, open: bool) {
        let manner = manner(path, first.as_bytes(), LineEnd::Byte);
        assert_eq!((manner.format, manner.open), (format, open), "{path} {first:.60}");
    }

    #[test]
    fn the_first_lines_decide() {
        is("a.log", DOCKER, Format::Docker, false);
        is("a.log", CRI, Format::Cri, false);
        is("a.log", "{\"level\":\"info\"}\n", Format::Json, true);
        is("a.log", "level=info msg=x\n", Format::Logfmt, true);
        is("a.log", "2026-01-02 hello a=b\n", Format::Plain, true);
        is("a.log", &"hello\n".repeat(10), Format::Plain, false);
    }

    #[test]
    fn a_broken_first_line_does_not_decide() {
        is(
            "a.log",
            &format!("og\":\"half\\n\"}}\n\n{DOCKER}"),
            Format::Docker,
            false,
        );
        is("a.log", &format!("\0\0\0{CRI}"), Format::Cri, false);
        is("a.log", DOCKER.trim_end(), Format::Plain, true);
        let late = "hello\n".repeat(10) + DOCKER;
        is("a.log", &late, Format::Plain, false);
    }

    #[test]
    fn the_path_decides_what_no_line_does() {
        let id = "0123456789abcdef".repeat(4);
        let docker = format!("/var/lib/docker/containers/{id}/{id}-json.log");
        is(&docker, "", Format::Docker, true);
        is(&format!("{docker}.1"), "?\n", Format::Docker, true);
        is(&docker, CRI, Format::Cri, false);
        is("/var/log/pods/a_b_c/d/0.log", "", Format::Cri, true);
        is("/host/var/log/containers/x.log", DOCKER, Format::Docker, false);
        is("/logs/app-json.log", "", Format::Plain, true);
        is("/logs/app.log", "", Format::Plain, true);
    }

    #[test]
    fn a_line_longer_than_what_is_looked_at_is_text() {
        let long = format!(
            "{{\"log\":\"{}\",\"stream\":\"stdout\"}}\n",
            "x".repeat(Manner::FIRST)
        );
        is("a.log", &long[..Manner::FIRST], Format::Plain, false);
    }

    #[test]
    fn a_byte_order_mark_is_stronger_than_what_was_said() {
        for said in [LineEnd::Byte, LineEnd::Utf16Le] {
            let manner = manner("a.log", b"\xFE\xFF\0a", said);
            assert_eq!((manner.line_end, manner.open), (LineEnd::Utf16Be, false));
        }
    }
}
