//! The last door before a text leaves this room: it takes the token out.
//!
//! It knows one exact secret, so it can neither miss it nor hide anything else. It is not for log text;
//! patterns that look like secrets are looked for where log text is read.

use reqwest::Url;

use super::token::Token;

/// What stands where the token stood.
const HIDDEN: &str = "[token]";

/// A secret half shorter than this is only redacted together with its bot id: taking every "a" out of a text
/// would make it unreadable, and real secrets have 35 characters.
const TELLING: usize = 16;

/// The longest text, in characters, that is kept for people.
const LONGEST: usize = 300;

/// The forms in which the token could stand in a text.
#[derive(Clone)]
pub(super) struct Redactor {
    forms: Vec<String>,
}

impl Redactor {
    /// A redactor for this token: as it is, percent-encoded, and its secret half alone.
    pub(super) fn new(token: &Token) -> Self {
        let token = token.reveal();
        // Of the characters a token can hold, only the colon changes when it is percent-encoded.
        let mut forms = vec![
            token.to_owned(),
            token.replace(':', "%3A"),
            token.replace(':', "%3a"),
        ];
        forms.extend(
            token
                .split_once(':')
                .map(|(_, secret)| secret.to_owned())
                .filter(|s| s.len() >= TELLING),
        );
        Self { forms }
    }

    /// A redactor for a URL that is a secret: as a whole, and what stands behind its host.
    pub(super) fn of_url(url: &Url) -> Self {
        let behind = url.path().trim_matches('/');
        let parts = [Some(behind), url.query(), url.password()];
        let telling = parts.into_iter().flatten().filter(|part| part.len() >= TELLING);
        let forms = std::iter::once(url.as_str()).chain(telling);
        Self {
            forms: forms.map(str::to_owned).collect(),
        }
    }

    /// The text on one line, without the token, cut to a length that a log line can bear.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for form in &self.forms {
            text = text.replace(form, HIDDEN);
        }
        // Cut only after the token is out: half a token would no longer be recognised.
        text.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(LONGEST)
            .collect()
    }

    /// An error and all its causes, cleaned.
    pub(super) fn chain(&self, error: &dyn std::error::Error) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let next = error.to_string();
            // Wrappers like to repeat what they wrap.
            if !text.contains(&next) {
                text.push_str(": ");
                text.push_str(&next);
            }
            cause = error.source();
        }
        self.clean(&text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECRET: &str = "AAcanaryCANARYcanaryCANARY-canary_1";

    fn redactor(text: &str) -> Redactor {
        Redactor::new(&Token::parse(text).unwrap())
    }

    #[test]
    fn the_token_is_taken_out_in_every_form() {
        let redactor = redactor(&format!("42:{SECRET}"));
        for separator in [":", "%3A", "%3a", "%253A", "/"] {
            let clean = redactor.clean(&format!("GET /bot42{separator}{SECRET}/getMe failed"));
            assert!(!clean.contains("canary"), "{clean}");
            assert!(clean.ends_with("/getMe failed"), "{clean}");
        }
    }

    #[test]
    fn a_short_secret_does_not_shred_other_words() {
        assert_eq!(
            redactor("1:a").clean("a bad day for 1:a and 1%3Aa"),
            "a bad day for [token] and [token]"
        );
    }

    #[test]
    fn a_text_stays_on_one_line_and_short() {
        let clean = redactor("1:a").clean(&format!("x\ny\u{1b}[31m{}", "é".repeat(9_000)));
        assert!(clean.starts_with("x y [31mé"));
        assert_eq!(clean.chars().count(), LONGEST);
    }
}
