//! The bot's token, in a type that cannot be printed.

/// A well-formed bot token. It has no `Display`, no `Serialize`, and a `Debug` that shows nothing, so it can
/// reach the outside only through `Token::reveal`, which this room alone may call.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why a text is not a token. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing but white space.
    #[error("the token is empty")]
    Empty,
    /// Not of the form that Telegram gives out.
    #[error("a token looks like 123456789:AA… (digits, a colon, then letters, digits, '_' or '-')")]
    Malformed,
}

impl Token {
    /// Checks the form of a token; white space around it is trimmed, since secret files end in a newline.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        let (bot, secret) = text.split_once(':').ok_or(TokenError::Malformed)?;
        let of = |part: &str, allowed: fn(char) -> bool| !part.is_empty() && part.chars().all(allowed);
        if of(bot, |c| c.is_ascii_digit())
            && of(secret, |c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(TokenError::Malformed)
        }
    }

    /// The token itself, for the request path.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}
