//! Numbers as English words write them.

/// A number with commas between the thousands: `4,812`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with its noun: `1 match`, `4,812 matches`.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// A number of matches.
pub(super) fn matches(number: u64) -> String {
    counted(number, "match", "matches")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let shown: Vec<_> = [0, 999, 1_000, 123_456, 1_234_567, u64::MAX]
            .map(thousands)
            .into();
        assert_eq!(
            shown,
            [
                "0",
                "999",
                "1,000",
                "123,456",
                "1,234,567",
                "18,446,744,073,709,551,615"
            ]
        );
    }

    #[test]
    fn one_match_is_singular() {
        assert_eq!(matches(1), "1 match");
        assert_eq!(matches(2), "2 matches");
    }
}
