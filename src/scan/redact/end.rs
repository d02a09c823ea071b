//! Where a value ends. Its beginning is known: it stands behind its name.
//!
//! The trap: a secret may have any character in it, a log line may be JSON in JSON, and a value that ends too
//! early leaves a piece of the secret behind. So a delimiter counts only where something follows that could not
//! go on with the value; in doubt the value is the longer one.

use std::ops::Range;

use super::MARK;

/// How much is read ahead for the next name, in bytes. It bounds the work per delimiter.
const NAME: usize = 40;

/// The content of a quoted value that begins at `at`, and where its closing quote ends. `None` if there is no
/// quote at `at`.
///
/// A quote may be escaped once (`\"`) or several times (`\\\"`); the closing one has the same escapes. Without a
/// closing one the value ends with its line: the text was cut, or was never meant to be read by machines.
pub(super) fn quoted(bytes: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    if bytes[at..].starts_with(b"%22") {
        let start = at + 3;
        let end = find(bytes, start, |rest| {
            rest.starts_with(b"%22") || rest[0].is_ascii_whitespace()
        });
        return Some((start..end, (end + 3).min(bytes.len())));
    }
    // A letter may say what kind of text it is: b'…', u'…'.
    let letter =
        matches!(bytes.get(at), Some(b'b' | b'u' | b'r' | b'B' | b'U')) && is_quote(bytes.get(at + 1));
    let escapes = backslashes(bytes, at + usize::from(letter));
    let open = at + usize::from(letter) + escapes;
    let quote = *bytes.get(open).filter(|byte| is_quote(Some(byte)))?;
    let start = open + 1;
    let mut end = start;
    while end < bytes.len() && bytes[end] != b'\n' {
        let run = backslashes(bytes, end);
        let after = end + run;
        // On each level of escaping, a backslash of the content is a pair of them.
        if bytes.get(after) == Some(&quote) && run % (2 * (escapes + 1)) == escapes {
            return Some((start..after - escapes, after + 1));
        }
        end = (after + 1).min(bytes.len());
    }
    let line = find(bytes, start, |rest| rest[0] == b'\n');
    Some((start..line, line))
}

/// Where a value without quotes ends that begins at `at`. `encoded` values are a part of an encoded address.
pub(super) fn bare(bytes: &[u8], at: usize, encoded: bool) -> usize {
    let mut end = at;
    while end < bytes.len() {
        let rest = &bytes[end..];
        end += match rest[0] {
            b'[' if rest.starts_with(MARK.as_bytes()) => MARK.len(),
            byte if byte.is_ascii_whitespace() || byte.is_ascii_control() => return end,
            b',' | b';' | b'&' if name_follows(rest) => return end,
            b'%' if encoded && (rest.starts_with(b"%26") || rest.starts_with(b"%22")) => return end,
            b'<' if rest.get(1) == Some(&b'/') => return end,
            b'"' | b'\'' | b'`' | b'\\' | b')' | b']' | b'}' | b'>' => match closers(rest) {
                Ok(()) => return end,
                Err(run) => run,
            },
            _ => 1,
        };
    }
    end
}

/// Where the value of a header with several parts ends: with the line, with the quote around it, or, inside of
/// `[…]`, with the bracket.
pub(super) fn header(bytes: &[u8], at: usize, bracketed: bool) -> usize {
    let mut end = at;
    while end < bytes.len() {
        let rest = &bytes[end..];
        end += match rest[0] {
            b'[' if rest.starts_with(MARK.as_bytes()) => MARK.len(),
            b'\n' | b'\r' => return end,
            b']' if bracketed => return end,
            b'\\' if rest.starts_with(b"\\r") || rest.starts_with(b"\\n") => return end,
            // A quoted part of the value: realm="x". An open quote is none.
            b'=' if rest.starts_with(b"=\"") => {
                let close = find(bytes, end + 2, |rest| matches!(rest[0], b'"' | b'\n'));
                if bytes.get(close) == Some(&b'"') {
                    close + 1 - end
                } else {
                    1
                }
            }
            b'"' | b'\'' | b'\\' => match closers(rest) {
                Ok(()) => return end,
                Err(run) => run,
            },
            _ => 1,
        };
    }
    end
}

/// Whether `,`, `;` or `&` at the start of `rest` stands between two values.
fn name_follows(rest: &[u8]) -> bool {
    let after = &rest[1..];
    let Some(&first) = after.first() else {
        return true;
    };
    if first.is_ascii_whitespace() || is_quote(Some(&first)) || first == b'\\' {
        return true;
    }
    // Names in connection strings may have spaces, and then begin with a capital ("Initial Catalog=").
    let spaced = rest[0] == b';' && first.is_ascii_uppercase();
    let name =
        |byte: &&u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte) || (spaced && **byte == b' ');
    let length = after.iter().take(NAME).take_while(name).count();
    match after.get(length) {
        Some(b'=') => length > 0,
        Some(b':') => length > 0 && rest[0] == b',',
        None => length == 0,
        _ => false,
    }
}

/// Whether quotes and brackets at the start of `rest` close something around the value; if a word goes on behind
/// them they are a part of it, and the error says how many they are.
fn closers(rest: &[u8]) -> Result<(), usize> {
    let run = rest
        .iter()
        .take_while(|byte| b"\"'`\\)]}>".contains(byte))
        .count();
    let only_backslashes = rest[..run].iter().all(|&byte| byte == b'\\');
    let goes_on = rest.get(run).is_some_and(|byte| {
        !byte.is_ascii() || byte.is_ascii_alphanumeric() || b"_-+/=$#@!%^*~".contains(byte)
    });
    // What begins with a backslash closes only if a quote follows: `\"`, not `\]`.
    let escaped_quote = rest[0] != b'\\' || is_quote(rest[..run].iter().find(|&&byte| byte != b'\\'));
    if goes_on || only_backslashes || !escaped_quote {
        Err(run)
    } else {
        Ok(())
    }
}

/// The first place from `at` on whose rest is wanted, or the end.
fn find(bytes: &[u8], at: usize, wanted: impl Fn(&[u8]) -> bool) -> usize {
    (at..bytes.len())
        .find(|&place| wanted(&bytes[place..]))
        .unwrap_or(bytes.len())
}

fn is_quote(byte: Option<&u8>) -> bool {
    matches!(byte, Some(b'"' | b'\'' | b'`'))
}

/// How many backslashes stand at `at`.
fn backslashes(bytes: &[u8], at: usize) -> usize {
    bytes
        .get(at..)
        .map_or(0, |rest| rest.iter().take_while(|&&byte| byte == b'\\').count())
}
