//! Over-approximation, once more: from what a line must hold to what a JSON string that holds the line must hold.
//!
//! Docker wraps what a program wrote into JSON. To take every such line apart before it is searched costs more than the
//! search, so the lines are searched as they stand, and only those are taken apart that may matter. The contract, for
//! every over-approximation `w` of [`over`] without newlines, its [`quoted`] form `q`, and every text that `w` matches in:
//! **`q`, or one of [`foreign`], matches in every JSON string that means this text, and in the text itself.** The text
//! itself, because a line that is none of Docker's is text as it stands.
//!
//! How:
//! 1. What an encoder cannot or need not write as it stands may be escaped: `"` may be `\"`, a tab `\t` or `\u0009`, `<`
//!    may be `\u003c`. Each such character becomes all ways to write it ([`ways`]).
//! 2. A class that holds many such characters (`.`, `[^a]`) may be any escape; a run of a class may be a run of its bytes
//!    and of those that escapes are made of.
//! 3. All other characters may be written as `\uXXXX` too, but hardly anybody does. A line that has such an escape
//!    matters, whatever it says: [`foreign`] finds them. Those of characters beyond ASCII are foreign only if some `q`
//!    asks for bytes beyond ASCII.
//!
//! A text may be broken into pieces, one per line, and what matters into two of them. Where that is cheap, lines are found
//! as well that go on and end with the beginning of something that matters ([`beginnings`]).
//!
//! An escape that JSON does not know stays in the text as it is written, and half a pair of surrogates is U+FFFD; both
//! are within the contract.

use std::collections::BTreeSet;

use regex_syntax::hir::literal::{ExtractKind, Extractor};
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, ClassUnicode, Hir, HirKind, Repetition};

use super::over;

/// Bounds of repetitions above this are not kept.
const REPEAT: u32 = 24;
/// The longest escape of one character of ASCII, in bytes.
const LONGEST: u32 = 6;
/// Up to this many characters of a class are written out in all ways.
const FEW: usize = 4;
/// With more words than this they are searched for in no special way.
const WORDS: usize = 16;
/// With a shorter one too.
const SHORTEST: usize = 3;
/// With one as short as this too, if it is only the beginning of what matters.
const TELLING: usize = 6;
/// And with more ends of beginnings of words.
const PARTS: usize = 40;
/// What stands behind the text in a line of Docker's that goes on; only such a line does (`event` says so).
const GOES_ON: &[u8] = br#"","stream":"std"#;
/// The bytes that escapes of ASCII are made of.
const ESCAPES: &[u8] = b"\\\"/bfnrtu0123456789abcdefABCDEF";

/// The bytes that encoders escape: those that JSON cannot hold, and those that Docker, which has HTML in mind, takes
/// care of as well.
fn is_escaped(byte: u8) -> bool {
    byte.is_ascii_control() || matches!(byte, b'"' | b'\\' | b'/' | b'<' | b'>' | b'&')
}

/// What lines of one format must hold to matter, searched as they stand.
pub(super) struct Wrapped {
    /// Any of these, in a line whose own text matters.
    pub(super) needles: Vec<Hir>,
    /// Lines of which only a beginning matters are found too, if they go on.
    pub(super) pieces: bool,
}

/// Lines of Docker: what stands in a JSON string.
pub(super) fn docker(needles: &[Hir]) -> Wrapped {
    let mut beyond = false;
    let mut quoted: Vec<Hir> = needles
        .iter()
        .map(|needle| over::trimmed(quote(needle, &mut beyond)))
        .collect();
    let pieces = beginnings(&quoted);
    let found = pieces.is_some();
    if let Some(pieces) = pieces {
        quoted = pieces;
    }
    quoted.push(foreign());
    if beyond {
        quoted.push(foreign_beyond());
    }
    Wrapped {
        needles: quoted,
        pieces: found,
    }
}

/// Lines of CRI hold their texts as they are, and say before it whether they go on.
pub(super) fn cri(needles: &[Hir]) -> Wrapped {
    // Not the whole words, for their beginnings stand in every line.
    let marks = [&b"ut P"[..], b"rr P"].map(Hir::literal);
    Wrapped {
        needles: needles.iter().cloned().chain(marks).collect(),
        pieces: true,
    }
}

/// What every match of `quoted` begins with, and each part of that before the end of a text that goes on in the next
/// line. None if they begin with too many or too short words for that.
///
/// In Docker's lines an `n` stands before the quote that ends the text, and a `t` or an `r` before the one that ends the
/// stream: no beginning may be one of these letters alone. What is left of a word without its first letter is as good.
fn beginnings(quoted: &[Hir]) -> Option<Vec<Hir>> {
    let mut extractor = Extractor::new();
    extractor.kind(ExtractKind::Prefix).limit_total(WORDS);
    let mut words = BTreeSet::new();
    for needle in quoted {
        for literal in extractor.extract(needle).literals()? {
            let word = literal.as_bytes();
            let usual = word.iter().take_while(|&&byte| is_usual(byte)).count();
            let word = &word[usual..];
            // Where that is not all of what matters, too many lines have it.
            if !literal.is_exact() && word.len() < TELLING {
                return None;
            }
            words.insert(word.to_vec());
        }
    }
    if words.len() > WORDS || words.iter().any(|word| word.len() < SHORTEST) {
        return None;
    }
    // Texts that go on are rare, so the last letter of a beginning tells enough.
    let beginnings = words
        .iter()
        .flat_map(|word| (1..word.len()).map(|end| &word[..end]));
    let parts: BTreeSet<Vec<u8>> = beginnings
        .map(|part| {
            let letters = if part.last().copied().is_some_and(is_usual) {
                5
            } else {
                1
            };
            [&part[part.len().saturating_sub(letters)..], GOES_ON].concat()
        })
        .collect();
    (parts.len() <= PARTS).then(|| words.into_iter().chain(parts).map(Hir::literal).collect())
}

/// Whether a letter stands before a quote in every line of Docker's.
fn is_usual(byte: u8) -> bool {
    matches!(byte, b'n' | b't' | b'r')
}

/// All escapes of ASCII that [`ways`] does not give.
fn foreign() -> Hir {
    let after = |high: u8, low: fn(u8) -> bool| {
        let digits = b"0123456789abcdef".iter().zip(0..);
        let fits = digits.filter(|&(_, value)| low((high << 4) | value));
        let ranges = fits.flat_map(|(&digit, _)| [digit, digit.to_ascii_uppercase()]);
        let low = bytes(ranges);
        Hir::concat(vec![Hir::literal([b'\\', b'u', b'0', b'0', b'0' + high]), low])
    };
    over::alternation((2..8).map(|high| after(high, |byte| !is_written(byte))).collect())
}

/// Whether [`ways`] has `\u00XX` for this byte of ASCII.
fn is_written(byte: u8) -> bool {
    is_escaped(byte) && !matches!(byte, b'"' | b'\\' | b'/')
}

/// All escapes of characters beyond ASCII.
fn foreign_beyond() -> Hir {
    let digits = |least: u8| {
        let digits = b"0123456789abcdef".iter().skip(usize::from(least));
        bytes(digits.flat_map(|&digit| [digit, digit.to_ascii_uppercase()]))
    };
    over::alternation(
        [(&b"\\u"[..], 1), (b"\\u0", 1), (b"\\u00", 8)]
            .into_iter()
            .map(|(begin, least)| Hir::concat(vec![Hir::literal(begin), digits(least)]))
            .collect(),
    )
}

/// Steps 1 and 2. `beyond` is set if what comes out asks for a byte beyond ASCII.
fn quote(hir: &Hir, beyond: &mut bool) -> Hir {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Literal(literal) => {
            *beyond |= !literal.0.is_ascii();
            Hir::concat(literal.0.iter().map(|&byte| ways(byte)).collect())
        }
        HirKind::Class(class) => {
            let plain = Hir::class(class.clone());
            let escapes = escapes(class, beyond);
            over::alternation(std::iter::once(plain).chain(escapes).collect())
        }
        HirKind::Repetition(repetition) => repeat(repetition, beyond),
        HirKind::Capture(capture) => quote(&capture.sub, beyond),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(|part| quote(part, beyond)).collect()),
        HirKind::Alternation(parts) => {
            over::alternation(parts.iter().map(|part| quote(part, beyond)).collect())
        }
    }
}

fn repeat(repetition: &Repetition, beyond: &mut bool) -> Hir {
    let run = match repetition.sub.kind() {
        HirKind::Class(Class::Bytes(class)) => as_run(class),
        _ => None,
    };
    let max = match run {
        Some(_) => repetition.max.and_then(|max| max.checked_mul(LONGEST)),
        None => repetition.max,
    };
    Hir::repetition(Repetition {
        min: repetition.min,
        max: max.filter(|&max| max <= REPEAT),
        greedy: repetition.greedy,
        sub: Box::new(run.unwrap_or_else(|| quote(&repetition.sub, beyond))),
    })
}

/// One byte of a run of a class, where that may be escaped: an escape has at least as many bytes as what it stands for,
/// beyond ASCII too.
fn as_run(class: &ClassBytes) -> Option<Hir> {
    let plain = class.is_ascii() && members(&Class::Bytes(class.clone())).next().is_none();
    let mut class = class.clone();
    class.union(&ClassBytes::new(
        ESCAPES.iter().map(|&byte| ClassBytesRange::new(byte, byte)),
    ));
    (!plain).then(|| Hir::class(Class::Bytes(class)))
}

/// All ways to write a byte of a text that are not foreign.
fn ways(byte: u8) -> Hir {
    let plain = Hir::literal([byte]);
    if !is_escaped(byte) {
        return plain;
    }
    let backslash = || Hir::literal(*b"\\");
    match byte {
        // In this form what is not needed can be trimmed.
        b'\\' => Hir::concat(vec![plain, optional(backslash())]),
        b'"' | b'/' => Hir::concat(vec![optional(backslash()), plain]),
        _ => {
            let short = short(byte).map(|letter| Hir::literal([b'\\', letter]));
            let long = Some(long(byte));
            over::alternation([Some(plain), short, long].into_iter().flatten().collect())
        }
    }
}

fn optional(sub: Hir) -> Hir {
    Hir::repetition(Repetition {
        min: 0,
        max: Some(1),
        greedy: true,
        sub: Box::new(sub),
    })
}

/// The letter that stands for a control character.
fn short(byte: u8) -> Option<u8> {
    match byte {
        8 => Some(b'b'),
        b'\t' => Some(b't'),
        12 => Some(b'f'),
        b'\r' => Some(b'r'),
        _ => None,
    }
}

/// `\u00XX`.
fn long(byte: u8) -> Hir {
    let digit = |value: u8| {
        let digit = b"0123456789abcdef"[usize::from(value)];
        bytes([digit, digit.to_ascii_uppercase()])
    };
    Hir::concat(vec![Hir::literal(*b"\\u00"), digit(byte >> 4), digit(byte & 15)])
}

/// The escapes that may stand for a character of a class, but for the foreign ones.
fn escapes(class: &Class, beyond: &mut bool) -> Vec<Hir> {
    *beyond |= match class {
        Class::Bytes(class) => !class.is_ascii(),
        Class::Unicode(class) => !class.is_ascii(),
    };
    if members(class).nth(FEW).is_none() {
        return members(class).map(ways).collect();
    }
    let short = bytes(ESCAPES.iter().copied().filter(|&byte| byte != b'u'));
    let hex = || bytes(b"0123456789abcdefABCDEF".iter().copied());
    vec![
        Hir::concat(vec![Hir::literal(*b"\\"), short]),
        Hir::concat(vec![Hir::literal(*b"\\u00"), hex(), hex()]),
    ]
}

/// The characters of a class that may be escaped.
fn members(class: &Class) -> impl Iterator<Item = u8> {
    let holds = |byte: u8| match class {
        Class::Bytes(class) => class
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&byte)),
        Class::Unicode(class) => holds_char(class, char::from(byte)),
    };
    (0..0x80).filter(move |&byte| is_escaped(byte) && holds(byte))
}

fn holds_char(class: &ClassUnicode, char: char) -> bool {
    class
        .iter()
        .any(|range| (range.start()..=range.end()).contains(&char))
}

fn bytes(bytes: impl IntoIterator<Item = u8>) -> Hir {
    Hir::class(Class::Bytes(ClassBytes::new(
        bytes.into_iter().map(|byte| ClassBytesRange::new(byte, byte)),
    )))
}
