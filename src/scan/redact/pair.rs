//! Secrets that stand behind a telling name: `password=x`, `"token": "x"`, `<secret>x</secret>`, `--token x`.
//!
//! A name tells if it *ends* in one of [`STRONG`], [`WEAK`] or [`HEADERS`]: `db_password` and `userToken` do,
//! `secret_name` and `token_type` do not, because those are the name and the type of something.
//!
//! The trap: the same words stand in sentences. So a separator has to follow at once ("token expired" has none),
//! and [`value`](super::value) lists what is never a secret ("token: expired").

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};

use super::{MARK, end, value};

/// Endings of names whose values are secrets, whatever stands before them in the name.
const STRONG: &str = "passw(?:or)?d|passphrase|passcode|passkey|requirepass|userpass|dbpass|secret\
    |(?:api|access|secret|private|account|encrypt|encryption|signing|master|storage|shared|session|auth|subscription)[_. -]?key\
    |(?:amz|goog)-signature|jsessionid|phpsessid";
/// Endings that are also ordinary words, or short enough to end one.
const WEAK: &str = "token|credentials?|oauth|auth|pwd|pass|otp|sig|cvv|cvc";
/// Headers whose whole value is a secret, in several words.
const HEADERS: &str = "authorization|cookie";
/// What may follow in the name without changing what its value is.
const SUFFIX: &str = "(?:[_-]?(?:confirmation|hash|digest|value|[0-9]))?";
/// From the name to its value. The quote belongs to the name; `>` ends an XML tag.
const SEPARATOR: &str = r#"(\\*["'`]|%22)?[ \t]*(=>|:=|={1,3}|:|%3[DdAa]|>)"#;

/// Where a value follows after nothing but a space: options of commands, SQL, and `curl -u user:password`.
const SPACED: &str = r"(?i:--[a-z0-9_.-]*(?:password|passwd|passphrase|pass|token|secret|api-?key|access-?key|secret-?key)[ \t]+|\bidentified[ \t](?:with[ \t][a-z0-9_']{1,40}[ \t])?by[ \t]+|(?:^|[ \t])(?:-u|--user)[ \t]+[a-z0-9_.@-]+:)|(?i:(\b(?:password)[ \t]+)'[^'\s])";

/// The words of `Authorization` that say how, not what. Those of the second kind have several values.
const SCHEMES: &[&str] = &[
    "bearer",
    "basic",
    "token",
    "apikey",
    "negotiate",
    "ntlm",
    "ssws",
    "key",
];
const SCHEMES_OF_MANY: &[&str] = &["digest", "oauth", "hawk", "aws4-hmac-sha256", "signature", "mac"];

/// A signature shorter than this is something else's abbreviation.
const SIGNATURE: usize = 16;
/// The longest name of an XML tag, in bytes.
const TAG: usize = 64;

static NAMES: LazyLock<Regex> = LazyLock::new(|| super::compiled(&names()));
static SPACES: LazyLock<Regex> = LazyLock::new(|| super::compiled(SPACED));

/// Everything of this file, for the gate.
pub(super) fn source() -> String {
    format!("{}|{SPACED}", names())
}

/// A telling name with its separator.
fn names() -> String {
    format!("(?i:(?:({STRONG})|({WEAK})|({HEADERS})){SUFFIX}){SEPARATOR}")
}

/// Adds the spans of all values behind telling names.
pub(super) fn find(text: &str, spans: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for found in NAMES.captures_iter(text.as_bytes()) {
        let name = Name::new(text, &found);
        // A name inside of a value is a part of it.
        if name.start < done {
            continue;
        }
        let before = spans.len();
        name.read(spans);
        done = spans[before..].last().map_or(done, |span| span.end);
    }
    for found in SPACES.captures_iter(text.as_bytes()) {
        let at = found
            .get(1)
            .map_or_else(|| found.get_match().end(), |name| name.end());
        let reader = Name {
            text,
            start: at,
            kind: Kind::Strong,
            quoted: false,
            separator: b"",
            at,
        };
        if !text[at..].starts_with('-') {
            reader.read(spans);
        }
    }
}

/// How sure a name is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Strong,
    Weak,
    Header,
}

/// A telling name and where its value may begin.
struct Name<'t> {
    text: &'t str,
    /// Where the telling part of the name begins.
    start: usize,
    kind: Kind,
    /// Whether the name stands in quotes, as in JSON.
    quoted: bool,
    separator: &'t [u8],
    /// Behind the separator.
    at: usize,
}

impl<'t> Name<'t> {
    fn new(text: &'t str, found: &Captures<'t>) -> Self {
        let kind = match (found.get(1), found.get(2)) {
            (Some(_), _) => Kind::Strong,
            (_, Some(_)) => Kind::Weak,
            _ => Kind::Header,
        };
        let whole = found.get_match();
        Self {
            text,
            start: whole.start(),
            kind,
            quoted: found.get(4).is_some(),
            separator: found.get(5).map_or(b"", |separator| separator.as_bytes()),
            at: whole.end(),
        }
    }

    /// Adds the spans of the value, if there is one.
    fn read(&self, spans: &mut Vec<Range<usize>>) {
        let bytes = self.text.as_bytes();
        let Some(at) = self
            .value_start()
            .filter(|&at| at < bytes.len() && self.tells(at))
        else {
            return;
        };
        if value::begins_plain(&self.text[at..]) {
            return;
        }
        let (at, bracketed) = self.unwrap(at);
        if let Some((content, mut next)) = end::quoted(bytes, at) {
            self.hide(self.without_scheme(content), spans);
            // A list has more of them.
            while bracketed && let Some((content, after)) = following(bytes, next) {
                self.hide(content, spans);
                next = after;
            }
        } else if let Some(span) = self.bare(at, bracketed) {
            self.hide(span, spans);
        }
    }

    /// Where the value begins, if the separator is one.
    fn value_start(&self) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let blanks = bytes[self.at..]
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        let next = bytes.get(self.at + blanks)?;
        let spaced_before = self.at > self.separator.len()
            && matches!(bytes[self.at - self.separator.len() - 1], b' ' | b'\t');
        match self.separator {
            // `password= host=x` has no password.
            b"=" if blanks > 0 && !spaced_before && !self.quoted => None,
            // `token::parse`, `secret://`.
            b":" if blanks == 0 && (*next == b':' || bytes[self.at..].starts_with(b"//")) => None,
            b">" if !self.is_tag() => None,
            _ => Some(self.at + blanks),
        }
    }

    /// Whether this name tells anything before the value that begins at `at`.
    fn tells(&self, at: usize) -> bool {
        let bytes = self.text.as_bytes();
        let word = &bytes[self.start..];
        let is =
            |name: &str| word.len() >= name.len() && word[..name.len()].eq_ignore_ascii_case(name.as_bytes());
        if self.kind != Kind::Weak || is("token") || is("cred") {
            return true;
        }
        let before = self.start.checked_sub(1).map(|at| bytes[at]);
        let whole = !before.is_some_and(|byte| byte.is_ascii_alphanumeric())
            || before.is_some_and(|byte| byte.is_ascii_lowercase()) && word[0].is_ascii_uppercase();
        let rest = &bytes[at..];
        let in_sentence = self.separator == b":" && !self.quoted && !matches!(rest[0], b'"' | b'\'');
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        whole
            && match () {
                // "dovecot: auth: Error: …" names the part of the program that speaks, "auth:SIMPLE" a method.
                () if is("auth") || is("oauth") => !in_sentence,
                // The working directory.
                () if is("pwd") => !matches!(rest[0], b'/' | b'~') && rest.get(1) != Some(&b':'),
                // "pass: 1204, fail: 3"
                () if is("pass") => digits == 0 || rest.get(digits).is_some_and(u8::is_ascii_alphabetic),
                () if is("sig") => end::bare(bytes, at, false) - at >= SIGNATURE,
                () => true,
            }
    }

    /// Whether the name is the end of an XML tag's.
    fn is_tag(&self) -> bool {
        let before = &self.text.as_bytes()[self.start.saturating_sub(TAG)..self.start];
        let name = before
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(byte))
            .count();
        before.len() > name && before[before.len() - name - 1] == b'<'
    }

    /// Steps into `Some(…)` and `[…]`; true if a bracket was opened.
    fn unwrap(&self, at: usize) -> (usize, bool) {
        let rest = &self.text[at..];
        if rest.starts_with("Some(") {
            return (at + "Some(".len(), false);
        }
        if rest.starts_with('[') && !rest.starts_with(MARK) {
            return (at + 1, true);
        }
        (at, false)
    }

    /// The span of a value without quotes.
    fn bare(&self, at: usize, bracketed: bool) -> Option<Range<usize>> {
        let bytes = self.text.as_bytes();
        if self.is_object(at) {
            return None;
        }
        let encoded = self.separator.starts_with(b"%");
        if self.separator == b">" {
            let length = bytes[at..]
                .iter()
                .take_while(|byte| !matches!(byte, b'<' | b'\n'))
                .count();
            return Some(at..at + length);
        }
        let first = at..end::bare(bytes, at, encoded);
        let word = &self.text[first.clone()];
        if value::is_plain(word) || word.contains(MARK) {
            return Some(first);
        }
        let is_cookie = self.kind == Kind::Header && bytes[self.start].eq_ignore_ascii_case(&b'c');
        if is_cookie || one_of(word, SCHEMES_OF_MANY) && self.kind == Kind::Header {
            let start = if is_cookie { at } else { first.end };
            return Some(start..end::header(bytes, start, bracketed));
        }
        let second = self.second(first.end, encoded);
        match second {
            Some(second) if one_of(word, SCHEMES) => Some(second),
            // A scheme that nobody knows: both words go.
            Some(second) if self.kind == Kind::Header && is_scheme(word) => Some(first.start..second.end),
            _ => Some(first),
        }
    }

    /// The word behind the first one, on the same line.
    fn second(&self, at: usize, encoded: bool) -> Option<Range<usize>> {
        let bytes = self.text.as_bytes();
        let blanks = bytes[at..]
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        let start = at + blanks;
        let span = start..end::bare(bytes, start, encoded);
        (blanks > 0 && !span.is_empty()).then_some(span)
    }

    /// Whether an object follows, whose own names speak for themselves.
    fn is_object(&self, at: usize) -> bool {
        let rest = self.text.as_bytes()[at..].strip_prefix(b"{");
        rest.is_some_and(|rest| rest.first().is_none_or(|byte| b"\"'\\ \t\n}".contains(byte)))
    }

    /// The content of quotes without the word that says how it is to be read.
    fn without_scheme(&self, content: Range<usize>) -> Range<usize> {
        let text = &self.text[content.clone()];
        match text.split_once(' ') {
            Some((word, rest)) if one_of(word, SCHEMES) => content.end - rest.len()..content.end,
            _ => content,
        }
    }

    /// Adds the span unless it is no secret.
    fn hide(&self, span: Range<usize>, spans: &mut Vec<Range<usize>>) {
        let secret = &self.text[span.clone()];
        let trimmed = secret.trim();
        let start = span.start + (secret.len() - secret.trim_start().len());
        let is_count = self.kind == Kind::Weak && value::is_count(trimmed);
        if !trimmed.is_empty() && !value::is_plain(trimmed) && !is_count {
            spans.push(start..start + trimmed.len());
        }
    }
}

/// The next quoted value of a list, whose last one ended at `at`.
fn following(bytes: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    let comma = bytes.get(at..)?.strip_prefix(b",")?;
    let blanks = comma.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    end::quoted(bytes, at + 1 + blanks).filter(|_| at + 1 + blanks < bytes.len())
}

fn one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Whether a word could be the name of a scheme: letters and dashes.
fn is_scheme(word: &str) -> bool {
    word.bytes()
        .all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
}
