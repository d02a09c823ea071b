//! Card numbers: 13 to 19 digits, whole or in groups, with the first digits of a card and a valid Luhn sum.
//!
//! The trap: one number in ten has a valid sum by chance, so the first digits, the length and the grouping must
//! fit too. Times in milliseconds begin with 1 and dates with 20, and no card does.

use std::ops::Range;

/// Longer than 12 digits, perhaps with single spaces or dashes, and [`free`] on the left.
pub(super) const GATE: &str = r"(?:^|[^0-9A-Za-z_-]|[^ \t\n\r\x0C_]-)[2-6](?:[ -]?[0-9]){12}";

/// The fewest digits of a card number.
const FEWEST: usize = 13;
/// The most.
const MOST: usize = 19;
/// The fewest digits of a group that is not the last one.
const GROUP: usize = 4;

/// Adds the spans of all card numbers.
pub(super) fn find(text: &str, spans: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(skip) = bytes[at..].iter().position(u8::is_ascii_digit) {
        let start = at + skip;
        at = run(bytes, start);
        if let Some(span) = card(bytes, start) {
            at = at.max(span.end);
            spans.push(span);
        }
    }
}

/// Where the digits that begin at `start` end.
fn run(bytes: &[u8], start: usize) -> usize {
    let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit());
    start + digits.count()
}

/// The longest card number whose first group begins at `start`, which is the start of a run of digits.
fn card(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    if !(b'2'..=b'6').contains(&bytes[start]) || !free(bytes, start) {
        return None;
    }
    let (mut digits, mut found) = (Vec::with_capacity(MOST), None);
    let (mut group, mut separator) = (start, None);
    loop {
        let end = run(bytes, group);
        if digits.len() + (end - group) > MOST {
            return found;
        }
        digits.extend(bytes[group..end].iter().map(|digit| digit - b'0'));
        if ends(bytes, start, end, separator) && is_card(&digits) {
            found = Some(start..end);
        }
        let next = bytes.get(end).copied().filter(|next| matches!(next, b' ' | b'-'));
        let joins = next.is_some() && (separator.is_none() || separator == next);
        if end - group < GROUP || !joins || !bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
            return found;
        }
        (group, separator) = (end + 1, next);
    }
}

/// Whether nothing before `start` makes the digits a part of something longer: a word, a hash, a fraction.
fn free(bytes: &[u8], start: usize) -> bool {
    let before = |back: usize| start.checked_sub(back).map(|at| bytes[at]);
    match before(1) {
        Some(byte) if byte.is_ascii_alphanumeric() || byte == b'_' => false,
        // A negative number, or one that is built like `blk_-4111`.
        Some(b'-') => before(2).is_some_and(|byte| !byte.is_ascii_whitespace() && byte != b'_'),
        Some(b'.') => !before(2).is_some_and(|byte| byte.is_ascii_digit()),
        _ => true,
    }
}

/// Whether a number from `start` to `end` may end there. Groups joined by dashes must not go on in either
/// direction, or they are a piece of a UUID.
fn ends(bytes: &[u8], start: usize, end: usize, separator: Option<u8>) -> bool {
    let is = |at: Option<usize>, wanted: fn(&u8) -> bool| at.and_then(|at| bytes.get(at)).is_some_and(wanted);
    let dashed = separator == Some(b'-');
    let word = u8::is_ascii_alphanumeric;
    let goes_on = is(Some(end), word)
        || is(Some(end), |&byte| byte == b'.') && is(Some(end + 1), u8::is_ascii_digit)
        || dashed && is(Some(end), |&byte| byte == b'-') && is(Some(end + 1), word)
        || dashed && is(start.checked_sub(1), |&byte| byte == b'-') && is(start.checked_sub(2), word);
    !goes_on
}

/// Whether these digits are those of a card: first digits and length of a known network, and the sum.
fn is_card(digits: &[u8]) -> bool {
    if !(FEWEST..=MOST).contains(&digits.len()) {
        return false;
    }
    let first = digits[..4]
        .iter()
        .fold(0, |number, &digit| number * 10 + u32::from(digit));
    let length = digits.len();
    let network = match first {
        2221..=2720 | 5100..=5599 => length == 16,
        3400..=3499 | 3700..=3799 => length == 15,
        3000..=3059 | 3600..=3699 | 3800..=3999 => length >= 14,
        3528..=3589 => length >= 16,
        4000..=4999 => matches!(length, 13 | 16 | 19),
        5000..=5099 | 5600..=5899 | 6000..=6999 => true,
        _ => false,
    };
    network && luhn(digits)
}

/// Whether the last digit is the check digit of those before it: every second digit from the right counts
/// twice, and the digits of that product are added.
fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let from_the_right = digits.iter().rev().enumerate();
    let sum: u32 = from_the_right
        .map(|(place, &digit)| u32::from(if place % 2 == 1 { doubled(digit) } else { digit }))
        .sum();
    sum.is_multiple_of(10)
}
