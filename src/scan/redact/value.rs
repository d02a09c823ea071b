//! Values that are no secrets although a telling name stands before them.
//!
//! "password: invalid" speaks *about* a password. The list is short and fixed, so that everybody can know it: no
//! guess is made about whether a word looks like a password, because people choose words.

/// Words of complaint and of programs, which nobody has as a password.
const WORDS: &[&str] = &[
    "cannot", "denied", "disabled", "empty", "enabled", "error", "expired", "failed", "failure", "false", "has",
    "incorrect", "invalid", "is", "malformed", "mismatch", "missing", "must", "nil", "no", "none", "not", "null",
    "ok", "rejected", "required", "revoked", "true", "undefined", "unknown", "unset", "valid", "was", "wrong", "yes",
];

/// What other programs write in place of a secret.
const MASKS: &[&str] = &[
    "filtered", "hidden", "masked", "omitted", "private", "protected", "redacted", "removed", "sanitized", "secret", "sensitive",
];

/// The longest number that is a count rather than a secret, in digits.
const COUNT: usize = 3;

/// Whether this is no secret: a word of complaint, a mask, or a place for a value that is not there yet.
pub(super) fn is_plain(value: &str) -> bool {
    let word = value.trim_end_matches(['.', ',', ':', ';', '!', '?', ')', ']', '}']);
    is_word(word, WORDS) || is_mask(value) || is_placeholder(value)
}

/// Whether this is a small number, as in `token: 5`.
pub(super) fn is_count(value: &str) -> bool {
    value.len() <= COUNT && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// `***`, `xxxx`, `[FILTERED]`, `<hidden>`.
fn is_mask(value: &str) -> bool {
    let filler = |letter: char| matches!(letter, '*' | '•' | '●' | '.' | '-' | 'x' | 'X' | '#');
    if value.chars().all(filler) {
        return true;
    }
    let inside = value.trim_matches(['[', ']', '<', '>', '(', ')', '*', '{', '}', '_']);
    is_word(inside, MASKS)
}

/// `${VARIABLE}`, `{{ value }}`, `<token>`, `%s`, `{}`.
fn is_placeholder(value: &str) -> bool {
    let within = |open: &str, close: &str| {
        let inside = value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        inside.is_some_and(|inside| inside.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_ -.".contains(&byte)))
    };
    within("${", "}") || within("{", "}") || within("{{", "}}") || within("<", ">") || matches!(value, "%s" | "%v" | "%q" | "?" | "$1")
}

fn is_word(value: &str, words: &[&str]) -> bool {
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}
