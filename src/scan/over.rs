//! Over-approximation: from a pattern to one that is cheap to search for and never misses.
//!
//! The contract, for every pattern `p`, its [`widen`]ed form `w` and every line: **if `p` matches any piece of
//! the line that the rules may be shown, `w` matches inside the line.** False positives are allowed and cost a
//! look; false negatives never.
//!
//! How, step by step:
//! 1. Look-arounds go. A lazy DFA gives up at the first non-ASCII byte when it has to decide a Unicode `\b`,
//!    and a search over a whole chunk then falls to an engine that is a hundred times slower. Anchors go too:
//!    the text may begin after a byte order mark and end before a carriage return that the raw line has.
//! 2. Captures go: nobody asks for them, and two rules may use one group name.
//! 3. A class with many characters beyond ASCII (`\w`, `.`, `[^"]`, `\d`) becomes its ASCII part or one to four
//!    bytes that such a character may begin with and go on with. That is not what UTF-8 looks like, but every
//!    character of the class is of that kind, and the automaton stays small. The first byte is kept where it
//!    tells something, or `\d` would stop at every Korean word. A class with few stays as it is: the `k` of
//!    `(?i)k` also means U+212A.
//! 4. Newlines go out of every class, so that a search never crosses a line. What then cannot match any more
//!    needed a newline.
//! 5. Long repetitions lose their upper bound, and their lower one above [`REPEAT`].
//! 6. [`trim`] drops what an existing match does not need: the `.*` at either end, the `+` of a last `\d+`.

use regex_syntax::hir::{
    Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Repetition,
};

/// Bounds of repetitions above this are not kept.
const REPEAT: u32 = 24;
/// A class with up to this many characters beyond ASCII stays exact.
const FEW: usize = 32;
/// A class whose characters beyond ASCII begin with more bytes than this is as good as "anything".
const TELLING: usize = 24;
/// The longest character in bytes.
const CHAR_BYTES: u32 = 4;

/// Whether a newline can be part of what is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newlines {
    /// A chunk of lines is searched, and no match may cross a line.
    Separate,
    /// One event's text is searched, whatever it is made of.
    Text,
}

/// The over-approximation of `hir`, trimmed. [`cannot_match`] tells whether anything is left.
pub(super) fn approximate(hir: &Hir, newlines: Newlines) -> Hir {
    trimmed(widen(hir, newlines))
}

/// Step 6: `hir`, which has no look-arounds, without what an existing match does not need.
pub(super) fn trimmed(hir: Hir) -> Hir {
    let edges = Edges {
        left: true,
        right: true,
    };
    trim(hir, edges)
}

/// Whether nothing matches `hir`.
pub(super) fn cannot_match(hir: &Hir) -> bool {
    matches!(hir.kind(), HirKind::Class(class) if class.is_empty())
}

/// Whether `hir` matches the empty text, and so every line.
pub(super) fn matches_empty(hir: &Hir) -> bool {
    hir.properties().minimum_len() == Some(0)
}

/// Steps 1 to 5.
fn widen(hir: &Hir, newlines: Newlines) -> Hir {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Literal(literal) if newlines == Newlines::Separate && literal.0.contains(&b'\n') => {
            Hir::fail()
        }
        HirKind::Literal(literal) => Hir::literal(literal.0.clone()),
        HirKind::Class(class) => Letters::of(class, newlines).once(),
        HirKind::Repetition(repetition) => repeat(repetition, newlines),
        HirKind::Capture(capture) => widen(&capture.sub, newlines),
        HirKind::Concat(parts) => concat(parts.iter().map(|part| widen(part, newlines)).collect()),
        HirKind::Alternation(parts) => alternation(parts.iter().map(|part| widen(part, newlines)).collect()),
    }
}

/// All parts one after another; one part that cannot match is enough to fail.
fn concat(parts: Vec<Hir>) -> Hir {
    if parts.iter().any(cannot_match) {
        Hir::fail()
    } else {
        Hir::concat(parts)
    }
}

/// Any of the parts that can match.
pub(super) fn alternation(mut parts: Vec<Hir>) -> Hir {
    parts.retain(|part| !cannot_match(part));
    Hir::alternation(parts)
}

fn repeat(repetition: &Repetition, newlines: Newlines) -> Hir {
    if let HirKind::Class(class) = repetition.sub.kind()
        && let Letters::Any(ascii) = Letters::of(class, newlines)
    {
        // A run of characters is a run of bytes, at least as many and at most four times as many.
        let max = repetition.max.and_then(|max| max.checked_mul(CHAR_BYTES));
        return bounded(repetition.min, max, repetition.greedy, run_byte(ascii));
    }
    let sub = widen(&repetition.sub, newlines);
    if !cannot_match(&sub) {
        bounded(repetition.min, repetition.max, repetition.greedy, sub)
    } else if repetition.min == 0 {
        Hir::empty()
    } else {
        Hir::fail()
    }
}

/// `sub` repeated, with bounds only where they are small.
fn bounded(min: u32, max: Option<u32>, greedy: bool, sub: Hir) -> Hir {
    let max = max.filter(|&max| max <= REPEAT);
    Hir::repetition(Repetition {
        min: min.min(REPEAT),
        max,
        greedy,
        sub: Box::new(sub),
    })
}

/// A class, sorted by how it is searched for.
enum Letters {
    /// As it is, but for the newline.
    Exact(Class),
    /// Its ASCII part, and the bytes that its other characters begin with.
    Led(ClassBytes, ClassBytes),
    /// Its ASCII part, and anything beyond ASCII.
    Any(ClassBytes),
}

impl Letters {
    fn of(class: &Class, newlines: Newlines) -> Self {
        let separate = newlines == Newlines::Separate;
        let chars = match class {
            Class::Bytes(bytes) => {
                return Self::Exact(Class::Bytes(without_newline(bytes.clone(), separate)));
            }
            Class::Unicode(chars) => chars,
        };
        if !has_many(chars) {
            let mut chars = chars.clone();
            if separate {
                chars.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]));
            }
            return Self::Exact(Class::Unicode(chars));
        }
        let (ascii, leads) = (without_newline(ascii_part(chars), separate), lead_bytes(chars));
        let telling = leads.iter().map(ClassBytesRange::len).sum::<usize>() <= TELLING;
        if telling {
            Self::Led(ascii, leads)
        } else {
            Self::Any(ascii)
        }
    }

    /// One character of the class.
    fn once(self) -> Hir {
        let (ascii, beyond) = match self {
            Self::Exact(class) => return Hir::class(class),
            Self::Led(ascii, leads) => {
                let rest = bytes_from(ClassBytesRange::new(0x80, 0xBF), 1, CHAR_BYTES - 1);
                (ascii, Hir::concat(vec![Hir::class(Class::Bytes(leads)), rest]))
            }
            Self::Any(ascii) => (ascii, bytes_from(high_bytes(), 1, CHAR_BYTES)),
        };
        alternation(vec![Hir::class(Class::Bytes(ascii)), beyond])
    }
}

/// From `min` to `max` bytes of a range.
fn bytes_from(range: ClassBytesRange, min: u32, max: u32) -> Hir {
    let sub = Box::new(Hir::class(Class::Bytes(ClassBytes::new([range]))));
    Hir::repetition(Repetition {
        min,
        max: Some(max),
        greedy: true,
        sub,
    })
}

/// The bytes that the characters beyond ASCII begin with. Greater characters never begin with smaller bytes, so
/// a range of characters gives a range of bytes.
fn lead_bytes(chars: &ClassUnicode) -> ClassBytes {
    let lead = |char: char| char.encode_utf8(&mut [0; CHAR_BYTES as usize]).as_bytes()[0];
    let beyond = chars.iter().filter(|range| !range.end().is_ascii());
    ClassBytes::new(
        beyond.map(|range| ClassBytesRange::new(lead(range.start().max('\u{80}')), lead(range.end()))),
    )
}

/// One byte of a run of characters of a wide class.
fn run_byte(mut ascii: ClassBytes) -> Hir {
    ascii.push(high_bytes());
    Hir::class(Class::Bytes(ascii))
}

fn without_newline(mut bytes: ClassBytes, separate: bool) -> ClassBytes {
    if separate {
        bytes.difference(&ClassBytes::new([ClassBytesRange::new(b'\n', b'\n')]));
    }
    bytes
}

/// Whether a class has more than a few characters beyond ASCII.
fn has_many(chars: &ClassUnicode) -> bool {
    chars
        .iter()
        .flat_map(|range| range.start().max('\u{80}')..=range.end())
        .nth(FEW)
        .is_some()
}

fn high_bytes() -> ClassBytesRange {
    ClassBytesRange::new(0x80, 0xFF)
}

/// The characters of a class that are one byte each.
fn ascii_part(chars: &ClassUnicode) -> ClassBytes {
    let clip = |char: char| u8::try_from(char).unwrap_or(u8::MAX).min(0x7F);
    let ascii = chars.iter().filter(|range| range.start().is_ascii());
    ClassBytes::new(ascii.map(|range| ClassBytesRange::new(clip(range.start()), clip(range.end()))))
}

/// Which ends of a part are ends of the whole pattern.
#[derive(Clone, Copy)]
struct Edges {
    left: bool,
    right: bool,
}

impl Edges {
    fn any(self) -> bool {
        self.left || self.right
    }
}

/// Step 6. At an end of a pattern without look-arounds, whatever may be empty can be left out, and a
/// repetition needs no more than its least count: a line holds a match of the one exactly if it holds a match
/// of the other.
fn trim(hir: Hir, edges: Edges) -> Hir {
    if !edges.any() || cannot_match(&hir) {
        return hir;
    }
    if matches_empty(&hir) {
        return Hir::empty();
    }
    match hir.into_kind() {
        HirKind::Repetition(repetition) if repetition.min == 1 => trim(*repetition.sub, edges),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            max: Some(repetition.min),
            ..repetition
        }),
        HirKind::Concat(parts) => trim_concat(parts, edges),
        HirKind::Alternation(parts) => {
            Hir::alternation(parts.into_iter().map(|part| trim(part, edges)).collect())
        }
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(class) => Hir::class(class),
        HirKind::Capture(capture) => trim(*capture.sub, edges),
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
    }
}

fn trim_concat(mut parts: Vec<Hir>, edges: Edges) -> Hir {
    if edges.right {
        while parts.last().is_some_and(matches_empty) {
            parts.pop();
        }
    }
    if edges.left {
        let optional = parts.iter().take_while(|part| matches_empty(part)).count();
        parts.drain(..optional);
    }
    let last = parts.len().saturating_sub(1);
    let trimmed = parts.into_iter().enumerate().map(|(at, part)| {
        trim(
            part,
            Edges {
                left: edges.left && at == 0,
                right: edges.right && at == last,
            },
        )
    });
    Hir::concat(trimmed.collect())
}

/// How much a line must have to match `hir`, roughly in bits: the higher, the fewer lines that matter to
/// nobody will be looked at.
pub(super) fn rarity(hir: &Hir) -> u32 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => u32::try_from(literal.0.len())
            .unwrap_or(u32::MAX)
            .saturating_mul(6),
        HirKind::Class(Class::Bytes(class)) => class_rarity(class),
        HirKind::Class(Class::Unicode(class)) => class_rarity(&ascii_part(class)),
        HirKind::Repetition(repetition) => rarity(&repetition.sub).saturating_mul(repetition.min),
        HirKind::Capture(capture) => rarity(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(rarity).fold(0, u32::saturating_add),
        HirKind::Alternation(parts) => parts.iter().map(rarity).min().unwrap_or(0),
    }
}

/// Bytes beyond ASCII count as one: they are rare where they matter, and always come together. A class of a
/// hundred says nothing, since other bytes hardly occur.
fn class_rarity(class: &ClassBytes) -> u32 {
    let ascii = class.iter().filter(|range| range.start().is_ascii());
    let size: u32 = ascii
        .map(|range| u32::from(range.end().min(0x7F) - range.start()) + 1)
        .sum();
    (100 / (size + 1)).checked_ilog2().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn over(pattern: &str) -> Hir {
        let hir = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .build()
            .parse(pattern)
            .unwrap();
        approximate(&hir, Newlines::Separate)
    }

    #[track_caller]
    fn becomes(pattern: &str, expected: &str) {
        let expected = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .build()
            .parse(expected)
            .unwrap();
        assert_eq!(over(pattern).to_string(), expected.to_string(), "{pattern}");
    }

    #[test]
    fn look_arounds_and_captures_are_dropped() {
        becomes(r"^a\b(b)(?P<x>c)$", "abc");
        becomes(r"(?m)^\Aab\z$", "ab");
    }

    #[test]
    fn ends_that_may_be_empty_are_trimmed() {
        becomes(".*kernel: .*hung.*", r"kernel: (?-u:[^\n])*hung");
        becomes("x+abc(d|e)?", "xabc");
        becomes(r"took (?-u:\d{3,})", r"took (?-u:[0-9]){3}");
        becomes("(?:a*b*)*", "");
    }

    #[test]
    fn folded_letters_keep_their_relatives_beyond_ascii() {
        let regex = regex_automata::meta::Builder::new()
            .build_from_hir(&over("(?i)^ask$"))
            .unwrap();
        for text in ["ask", "ASK", "a\u{17F}k", "AS\u{212A}"] {
            assert!(regex.is_match(text), "{text}");
        }
        assert!(!regex.is_match("a\u{17E}k"));
    }

    #[test]
    fn a_number_is_not_looked_for_in_korean_words() {
        let regex = regex_automata::meta::Builder::new()
            .build_from_hir(&over(r"\b\d{3,}\b"))
            .unwrap();
        assert!(!regex.is_match("사용자 로그인 완료"));
        assert!(regex.is_match("١٢٣"));
    }

    #[test]
    fn large_classes_become_bytes() {
        becomes(r"a.b", r"(?-u:a(?:[^\n\x80-\xFF]|[\x80-\xFF]{1,4})b)");
        becomes(r"a[^x]+b", r"(?-u:a[^\nx]+b)");
        becomes(r"a[가-힣]+b", r"(?-u:a(?:[\xEA-\xED][\x80-\xBF]{1,3})+b)");
    }

    #[test]
    fn what_needs_a_newline_cannot_match() {
        for pattern in [r"a\nb", r"\n", r"(a|b)\n+c", r"[\n]"] {
            assert!(cannot_match(&over(pattern)), "{pattern}");
        }
        becomes(r"a\n*b|c\nd", "ab");
        becomes(r"(?s)a.b", r"(?-u:a(?:[^\n\x80-\xFF]|[\x80-\xFF]{1,4})b)");
    }

    #[test]
    fn long_repetitions_stay_small() {
        becomes("x(?:ab){500,1000}y", "x(?:ab){24,}y");
        becomes(r"(?-u:x[a-z]{0,1000}y)", "(?-u:x[a-z]*y)");
    }

    #[test]
    fn words_are_rarer_than_digits_and_digits_than_anything() {
        assert!(rarity(&over("error")) > rarity(&over(r"\d{4}")));
        assert!(rarity(&over(r"\d{4}")) > rarity(&over(r"\w{4}")));
        assert!(rarity(&over("panic|er")) < rarity(&over("panic")));
    }
}
