//! Reads the total out of a message as a person would.

/// The first "N matches" in a text.
pub fn total(text: &str) -> u64 {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pair = words.windows(2).find(|pair| pair[1].starts_with("match"));
    let number = pair.map(|pair| pair[0].replace(',', "")).unwrap_or_default();
    number.parse().unwrap_or_else(|_| panic!("no total in {text:?}"))
}
