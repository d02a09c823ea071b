//! The fingerprint of a text: what is left when everything that changes from line to line is blanked out.
//!
//! One pass over the bytes, left to right; at each token's first byte the rules below are tried in order, and
//! what none of them takes is kept:
//!
//! 1. A quoted text becomes `"*"` or `'*'`. Not in a text that begins with `{`: a JSON line consists of quoted
//!    texts, and without them all JSON lines would look alike. There only what is inside is blanked.
//! 2. An absolute path becomes `/*`.
//! 3. UUIDs, IPv6 addresses, `0x…`, six or more hexadecimal digits with a decimal one among them, and names of
//!    months and weekdays in front of a number become `#`.
//! 4. Digits become `#`, together with their sign and with what joins them to further digits: `1,204.5`,
//!    `22:48:25`, `10.0.0.7:443` and `2026-11-21T22:48:25Z` are one `#` each.
//!
//! The trap: blanking a blanked text must change nothing, or a text and its sample would have two shapes. So
//! every rule of 3 and 4 asks for a digit, of which none is left, and `#` and `*` count as letters where a rule
//! asks for a token's beginning.

use std::net::Ipv6Addr;

use crate::model::ShapeId;

/// The shape of a text, and the text with everything blanked that may differ between texts of one shape.
pub fn shape(text: &str) -> (ShapeId, String) {
    let mut blanker = Blanker::new(text);
    while blanker.at < blanker.text.len() {
        blanker.step();
    }
    (
        ShapeId(xxhash_rust::xxh3::xxh3_64(blanker.out.as_bytes())),
        blanker.out,
    )
}

/// Names that are blanked in front of a number.
const DATE_NAMES: [&[u8]; 19] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec", b"Mon",
    b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun",
];

/// Lengths of the groups of a UUID.
const UUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// The fewest digits that make a hexadecimal id.
const HEX_ID: usize = 6;

/// The pass over one text.
struct Blanker<'t> {
    text: &'t str,
    /// The next byte to look at; always at a character's start.
    at: usize,
    out: String,
    /// Whether quotes hold data here, and not the text itself.
    quotes: bool,
    /// For `"` and `'`: none ends a quoted text any more. Keeps the pass linear.
    unclosed: [bool; 2],
}

impl<'t> Blanker<'t> {
    fn new(text: &'t str) -> Self {
        let quotes = !text.trim_start().starts_with('{');
        Self {
            text,
            at: 0,
            out: String::with_capacity(text.len()),
            quotes,
            unclosed: [false; 2],
        }
    }

    /// Takes one token, or one byte that belongs to none.
    fn step(&mut self) {
        match self.bytes()[self.at] {
            b'"' | b'\'' => self.quoted(),
            b'/' => self.path(),
            b'+' | b'-' => self.signed(),
            b':' => self.colon(),
            byte if byte.is_ascii_alphanumeric() => self.word(),
            _ => self.keep(self.plain()),
        }
    }

    fn bytes(&self) -> &'t [u8] {
        self.text.as_bytes()
    }

    /// The byte `ahead` of the current one; 0 past the end.
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Whether the current byte goes on with a word, so that no token can begin at it.
    fn inside_word(&self) -> bool {
        self.at > 0 && is_wordish(self.bytes()[self.at - 1])
    }

    fn keep(&mut self, len: usize) {
        self.out.push_str(&self.text[self.at..self.at + len]);
        self.at += len;
    }

    fn blank(&mut self, len: usize, with: &str) {
        self.out.push_str(with);
        self.at += len;
    }

    /// How many bytes from here no rule speaks of; at least one character.
    fn plain(&self) -> usize {
        let rest = &self.bytes()[self.at + 1..];
        let special = |byte: &u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'"' | b'\'' | b'/' | b'+' | b'-' | b':')
        };
        1 + rest.iter().position(special).unwrap_or(rest.len())
    }

    fn quoted(&mut self) {
        let quote = self.peek(0);
        match self.closing(quote) {
            Some(len) => self.blank(len, if quote == b'"' { "\"*\"" } else { "'*'" }),
            None => self.keep(1),
        }
    }

    /// The length of the quoted text that begins here, both quotes included.
    fn closing(&mut self, quote: u8) -> Option<usize> {
        let single = quote == b'\'';
        if !self.quotes || self.unclosed[usize::from(single)] || (single && self.inside_word()) {
            return None;
        }
        let bytes = &self.bytes()[self.at..];
        let mut at = 1;
        while let Some(&byte) = bytes.get(at) {
            // The apostrophe of "can't" ends nothing.
            let ends = byte == quote && !(single && bytes.get(at + 1).copied().is_some_and(is_wordish));
            if ends {
                return Some(at + 1);
            }
            at += if byte == b'\\' { 2 } else { 1 };
        }
        self.unclosed[usize::from(single)] = true;
        None
    }

    fn path(&mut self) {
        let begins = !self.inside_word() && !matches!(self.bytes()[..self.at].last(), Some(b'/' | b':'));
        let rest = &self.bytes()[self.at + 1..];
        let len = rest.iter().position(|&byte| !is_path(byte)).unwrap_or(rest.len());
        let first = rest.first().is_some_and(|&byte| byte != b'/');
        if begins && first && len > 0 {
            self.blank(1 + len, "/*");
        } else {
            self.keep(1);
        }
    }

    /// A sign, if a number follows and none came before.
    fn signed(&mut self) {
        if !self.inside_word() && self.peek(1).is_ascii_digit() {
            let len = self.number(1);
            self.blank(len, "#");
        } else {
            self.keep(1);
        }
    }

    /// A colon, perhaps the first of an IPv6 address such as `::1`.
    fn colon(&mut self) {
        match self.ipv6() {
            Some(len) if self.peek(1) == b':' && !self.inside_word() => self.blank(len, "#"),
            _ => self.keep(1),
        }
    }

    /// A run of letters and digits.
    fn word(&mut self) {
        let rest = &self.bytes()[self.at..];
        let len = rest
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let run = &rest[..len];
        if !self.inside_word() {
            if let Some(len) = self.uuid().or_else(|| self.ipv6()) {
                return self.blank(len, "#");
            }
            if is_hex_id(run) || (DATE_NAMES.contains(&run) && self.before_number(len)) {
                return self.blank(len, "#");
            }
        }
        self.letters_and_numbers(len);
    }

    /// A run that is no id: its letters stay, its numbers go.
    fn letters_and_numbers(&mut self, len: usize) {
        let end = self.at + len;
        while self.at < end {
            let rest = &self.bytes()[self.at..end];
            let letters = rest.iter().position(u8::is_ascii_digit).unwrap_or(rest.len());
            self.keep(letters);
            if letters < rest.len() {
                let number = self.number(0);
                self.blank(number, "#");
            }
        }
    }

    /// The length of the number that begins here; its first `from` bytes are a sign.
    fn number(&self, from: usize) -> usize {
        let mut len = from;
        while self.peek(len).is_ascii_digit() {
            len += 1;
            let joint = matches!(self.peek(len), b'.' | b',' | b':' | b'-' | b'/' | b'+' | b'T');
            if joint && self.peek(len + 1).is_ascii_digit() {
                len += 1;
            }
        }
        let clock = self.bytes()[self.at..self.at + len].contains(&b':');
        if clock && self.peek(len) == b'Z' && !self.peek(len + 1).is_ascii_alphanumeric() {
            len + 1
        } else {
            len
        }
    }

    /// Whether a number, or another date name and a number, stands behind the run of `len` bytes.
    fn before_number(&self, len: usize) -> bool {
        let rest = &self.bytes()[self.at + len..];
        let gap = rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b',' | b'/' | b'-'))
            .count();
        let next = &rest[gap..];
        let named = next.get(..3).is_some_and(|name| DATE_NAMES.contains(&name));
        let behind = if named { next[3..].trim_ascii_start() } else { next };
        gap > 0 && behind.first().is_some_and(u8::is_ascii_digit)
    }

    /// The length of the UUID that begins here.
    fn uuid(&self) -> Option<usize> {
        let mut len = 0;
        for group in UUID_GROUPS {
            if len > 0 && self.peek(len) != b'-' {
                return None;
            }
            len += usize::from(len > 0);
            if !(0..group).all(|digit| self.peek(len + digit).is_ascii_hexdigit()) {
                return None;
            }
            len += group;
        }
        let uuid = &self.bytes()[self.at..self.at + len];
        (uuid.iter().any(u8::is_ascii_digit) && !self.peek(len).is_ascii_alphanumeric()).then_some(len)
    }

    /// The length of the IPv6 address that begins here.
    fn ipv6(&self) -> Option<usize> {
        let rest = &self.bytes()[self.at..];
        // The longest address has 45 bytes; a dot can only belong to an IPv4 address at its end.
        let part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        let len = rest.iter().take(46).take_while(|byte| part(byte)).count();
        let text = self.text[self.at..self.at + len].trim_end_matches(['.', ':']);
        let colons = text.bytes().filter(|&byte| byte == b':').count();
        let next = self.peek(text.len());
        let fits =
            colons >= 2 && text.bytes().any(|byte| byte.is_ascii_digit()) && !next.is_ascii_alphanumeric();
        (fits && text.parse::<Ipv6Addr>().is_ok()).then_some(text.len())
    }
}

/// Whether a byte is part of a word, or of what a word became.
fn is_wordish(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'#' | b'*')
}

/// Whether a path may go on with a byte.
fn is_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte >= 0x80
        || matches!(byte, b'/' | b'.' | b'_' | b'-' | b'~' | b'%' | b'@' | b'+')
}

/// Whether a run of letters and digits is a hexadecimal id. A number with a one-letter unit is not.
fn is_hex_id(run: &[u8]) -> bool {
    if let [b'0', b'x' | b'X', digits @ ..] = run {
        return !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    }
    let digits = run.iter().filter(|byte| byte.is_ascii_digit()).count();
    let unit = digits + 1 == run.len() && run.last().is_some_and(u8::is_ascii_alphabetic);
    run.len() >= HEX_ID && digits > 0 && !unit && run.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blanked(text: &str) -> String {
        shape(text).1
    }

    #[test]
    fn what_changes_from_line_to_line_is_blanked() {
        let table = [
            ("took 12 ms", "took # ms"),
            ("took 1,204.5ms", "took #ms"),
            ("delta -5", "delta #"),
            ("delta 5", "delta #"),
            ("id=deadbeef1 at 0xFF", "id=# at #"),
            ("commit 3f2a9c1 by ann", "commit # by ann"),
            ("facade decade", "facade decade"),
            ("123456d 12d", "#d #d"),
            ("req 550e8400-e29b-41d4-a716-446655440000 done", "req # done"),
            ("from 10.0.0.7 port 22", "from # port #"),
            ("from 10.0.0.7:443: refused", "from #: refused"),
            ("from fe80::1ff:fe23:4567:890a, bye", "from #, bye"),
            ("listen on ::1", "listen on #"),
            ("std::io::Error", "std::io::Error"),
            ("2026-11-21T22:48:25.123Z boot", "# boot"),
            ("2026-11-21 22:48:25,123 boot", "# # boot"),
            ("[21/Nov/2026:22:48:25 +0000]", "[#/#/# #]"),
            ("Sat Nov 21 22:48:25 web", "# # # # web"),
            ("you May go", "you May go"),
            ("open '/etc/x y' failed", "open '*' failed"),
            ("open \"a \\\" b\" failed", "open \"*\" failed"),
            ("can't and won't 3", "can't and won't #"),
            ("read /var/log/app-1.log: gone", "read /*: gone"),
            ("GET /cart/7 HTTP/1.1", "GET /* HTTP/#"),
            ("see https://example.com/a/7", "see https://example.com/a/#"),
            ("worker-7 of web12", "worker-# of web#"),
            (r#"{"level":"error","ms":12}"#, r#"{"level":"error","ms":#}"#),
            ("사용자 42 로그인 é7", "사용자 # 로그인 é#"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(blanked(text), expected, "{text}");
        }
    }

    /// Texts of pieces that the rules speak of, in any order.
    fn any_text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            6 => prop::sample::select(vec![
                "\"", "'", "\\", "/", "/a/b", ":", "::", "-", "+", "#", "*", " ", "{", ".", ",", "T", "Z", "a", "ab", "fe80",
                "0x", "deadbeef", "Nov", "Sat", "한", "é", "g", "550e8400-e29b-41d4-a716-446655440000",
                "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "::1", "10.0.0.1",
            ]).prop_map(str::to_owned),
            3 => (0u32..1_000_000).prop_map(|number| number.to_string()),
            1 => any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    /// A number as logs write it.
    fn any_number() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<u64>().prop_map(|number| number.to_string()),
            any::<i32>().prop_map(|number| number.to_string()),
            (0u32..10_000, 0u32..1_000).prop_map(|(whole, part)| format!("{whole}.{part}")),
            any::<std::net::Ipv4Addr>().prop_map(|address| address.to_string()),
        ]
    }

    proptest! {
        #[test]
        fn blanking_twice_is_blanking_once(text in any_text()) {
            let (id, once) = shape(&text);
            let (again, twice) = shape(&once);
            prop_assert_eq!(&once, &twice);
            prop_assert_eq!(id, again);
        }

        #[test]
        fn texts_that_differ_only_in_numbers_have_one_shape(
            words in prop::collection::vec("[a-z가-힣]{1,8}[ =(]", 1..6),
            one in prop::collection::vec(any_number(), 6),
            two in prop::collection::vec(any_number(), 6),
        ) {
            let fill = |numbers: &[String]| -> String {
                words.iter().zip(numbers).flat_map(|(word, number)| [word.as_str(), number.as_str(), " "]).collect()
            };
            prop_assert_eq!(shape(&fill(&one)).0, shape(&fill(&two)).0);
        }

        #[test]
        fn words_keep_shapes_apart(one in "[g-z]{1,8}", two in "[g-z]{1,8}", number in 0u32..100) {
            let shapes = [&one, &two].map(|word| shape(&format!("{word} {number}")).0);
            prop_assert_eq!(shapes[0] == shapes[1], one == two);
        }
    }
}
