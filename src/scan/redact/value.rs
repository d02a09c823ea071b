//! Values that are no secrets although a telling name stands before them.
//!
//! "password: invalid" speaks *about* a password. The list is short and fixed, so that everybody can know it: no
//! guess is made about whether a word looks like a password, because people choose words.

/// Words of complaint and of programs, which nobody has as a password.
const WORDS: &[&str] = &[
    "cannot",
    "denied",
    "disabled",
    "empty",
    "enabled",
    "error",
    "expired",
    "failed",
    "failure",
    "false",
    "has",
    "incorrect",
    "invalid",
    "is",
    "malformed",
    "mismatch",
    "missing",
    "must",
    "nil",
    "no",
    "none",
    "not",
    "null",
    "ok",
    "rejected",
    "required",
    "revoked",
    "true",
    "undefined",
    "unknown",
    "unset",
    "valid",
    "was",
    "wrong",
    "yes",
];

/// What other programs write in place of a secret.
const MASKS: &[&str] = &[
    "filtered",
    "hidden",
    "masked",
    "omitted",
    "private",
    "protected",
    "redacted",
    "removed",
    "sanitized",
    "secret",
    "sensitive",
];

/// The longest number that is a count rather than a secret, in digits.
const COUNT: usize = 3;

/// The longest placeholder in brackets, in bytes.
const BRACKETED: usize = 64;
/// The fewest letters that stand for the letters of a secret: `xxx`.
const CROSSES: usize = 3;

/// Whether this is no secret: a word of complaint, a mask, or a place for a value that is not there yet.
pub(super) fn is_plain(value: &str) -> bool {
    let word = value.trim_end_matches(['.', ',', ':', ';', '!', '?', ')', ']', '}']);
    is_word(word, WORDS) || is_mask(value) || is_placeholder(value)
}

/// Whether a text begins with a mask or a placeholder in brackets, after which no word goes on.
pub(super) fn begins_plain(text: &str) -> bool {
    let close = match text.trim_start_matches('$').bytes().next() {
        Some(b'[') => "]",
        Some(b'<') => ">",
        Some(b'(') => ")",
        Some(b'{') if text.starts_with("{{") => "}}",
        Some(b'{') => "}",
        _ => return false,
    };
    let head = &text[..text.floor_char_boundary(BRACKETED)];
    let Some(end) = head.find(close).map(|at| at + close.len()) else {
        return false;
    };
    let goes_on = text[end..].starts_with(char::is_alphanumeric);
    !goes_on && is_plain(&text[..end])
}

/// Whether this is a small number, as in `token: 5`.
pub(super) fn is_count(value: &str) -> bool {
    value.len() <= COUNT && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// `***`, `xxxx`, `[FILTERED]`, `<hidden>`.
fn is_mask(value: &str) -> bool {
    let filler = |letter: char| matches!(letter, '*' | '•' | '●' | '.' | '-' | '#');
    let crosses = value.len() >= CROSSES && value.bytes().all(|byte| matches!(byte, b'x' | b'X'));
    if crosses || value.chars().all(filler) {
        return true;
    }
    let inside = value.trim_matches(['[', ']', '<', '>', '(', ')', '*', '{', '}', '_']);
    is_word(inside, MASKS)
}

/// `${VARIABLE}`, `{{ value }}`, `<token>`, `%s`, `{}`.
fn is_placeholder(value: &str) -> bool {
    let within = |open: &str, close: &str| {
        let inside = value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        inside.is_some_and(|inside| {
            inside
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || b"_ -.".contains(&byte))
        })
    };
    within("${", "}")
        || within("{", "}")
        || within("{{", "}}")
        || within("<", ">")
        || matches!(value, "%s" | "%v" | "%q" | "?" | "$1")
}

fn is_word(value: &str, words: &[&str]) -> bool {
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}
