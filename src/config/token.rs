//! Where the bot's token is, and how to fetch it.
//!
//! Fetching is a step of its own: `run --dry-run` and `check` need no token, and a rotated secret is read
//! anew by whoever asks again. The trap: no error here repeats what it read.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Environment;
use crate::telegram::{Token, TokenError};

/// Variables that come before the keys of rules.toml.
pub(super) const FILE_VARIABLE: &str = "TELEGRAM_BOT_TOKEN_FILE";
pub(super) const VARIABLE: &str = "TELEGRAM_BOT_TOKEN";

/// Bytes of a token file that are looked at; a token has some 46.
const MAX_TOKEN_FILE: u64 = 4096;

/// What rules.toml says about the token. The environment comes first, see [`TokenSource::token`].
#[derive(Clone, Debug, Default)]
pub struct TokenSource {
    pub(super) file: Option<PathBuf>,
    pub(super) literal: Option<Token>,
}

/// Why there is no token. All of these are for the user to mend before anything starts (exit code 2).
#[derive(Debug, thiserror::Error)]
pub enum TokenSourceError {
    /// None of the four ways is used.
    #[error(
        "no bot token. Give it in one of these ways, the first one set wins:\n  \
         1. the environment variable TELEGRAM_BOT_TOKEN_FILE, the path of a file that holds it (a Docker secret)\n  \
         2. the environment variable TELEGRAM_BOT_TOKEN\n  \
         3. token_file = \"/run/secrets/telegram\" below [telegram] in rules.toml\n  \
         4. token = \"…\" below [telegram] in rules.toml, for a first try\n\
         @BotFather in Telegram makes a bot and its token: send it /newbot"
    )]
    Missing,
    /// The file cannot be read.
    #[error(
        "the token file {path} (from {named_by}) cannot be read: {why}; check the path, and that the user who runs tailgram may read it"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The key or variable that names it.
        named_by: &'static str,
        /// What the system says.
        why: std::io::Error,
    },
    /// The file holds nothing but white space.
    #[error("the token file {path} (from {named_by}) is empty; put the token from @BotFather into it")]
    EmptyFile {
        /// The file.
        path: PathBuf,
        /// The key or variable that names it.
        named_by: &'static str,
    },
    /// What was found is not a token.
    #[error("what {found_in} holds is not a bot token: {why}; copy it again from @BotFather")]
    Malformed {
        /// The file or variable.
        found_in: String,
        /// Why.
        why: TokenError,
    },
}

impl TokenSource {
    /// The token: from the file that `TELEGRAM_BOT_TOKEN_FILE` names, `TELEGRAM_BOT_TOKEN`, `token_file`,
    /// `token`; the first one set wins, even if it is then no good. White space around it is trimmed.
    pub fn token(&self, env: &Environment) -> Result<Token, TokenSourceError> {
        if let Some(path) = env.filled(FILE_VARIABLE) {
            return read(Path::new(path), FILE_VARIABLE);
        }
        if let Some(text) = env.filled(VARIABLE) {
            return Token::parse(text).map_err(|why| TokenSourceError::Malformed {
                found_in: VARIABLE.into(),
                why,
            });
        }
        match (&self.file, &self.literal) {
            (Some(path), _) => read(path, "token_file"),
            (None, Some(token)) => Ok(token.clone()),
            (None, None) => Err(TokenSourceError::Missing),
        }
    }
}

fn read(path: &Path, named_by: &'static str) -> Result<Token, TokenSourceError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_TOKEN_FILE).read_to_end(&mut bytes))
        .map_err(|why| TokenSourceError::Unreadable {
            path: path.into(),
            named_by,
            why,
        })?;
    Token::parse(&String::from_utf8_lossy(&bytes)).map_err(|why| match why {
        TokenError::Empty => TokenSourceError::EmptyFile {
            path: path.into(),
            named_by,
        },
        TokenError::Malformed => TokenSourceError::Malformed {
            found_in: format!("the token file {} (from {named_by})", path.display()),
            why,
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const FIRST: &str = "1:first";
    const SECOND: &str = "2:second";

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn is(token: &Token, text: &str) -> bool {
        *token == Token::parse(text).unwrap()
    }

    #[test]
    fn the_first_way_that_is_set_wins() {
        let (_a, first) = file(" 1:first \r\n");
        let (_b, third) = file("3:third\n");
        let source = TokenSource {
            file: Some(third),
            literal: Some(Token::parse("4:fourth").unwrap()),
        };
        let path = first.to_str().unwrap();
        let all = Environment::from([(FILE_VARIABLE, path), (VARIABLE, SECOND)]);
        assert!(is(&source.token(&all).unwrap(), FIRST));
        assert!(is(
            &source.token(&Environment::from([(VARIABLE, SECOND)])).unwrap(),
            SECOND
        ));
        assert!(is(&source.token(&Environment::default()).unwrap(), "3:third"));
        assert!(is(
            &TokenSource { file: None, ..source }
                .token(&Environment::default())
                .unwrap(),
            "4:fourth"
        ));
    }

    #[test]
    fn a_variable_set_to_nothing_is_not_set() {
        let env = Environment::from([(FILE_VARIABLE, ""), (VARIABLE, " \n")]);
        assert!(matches!(
            TokenSource::default().token(&env),
            Err(TokenSourceError::Missing)
        ));
    }

    #[test]
    fn a_missing_token_names_all_four_ways_and_who_gives_them_out() {
        let text = TokenSourceError::Missing.to_string();
        for word in [
            FILE_VARIABLE,
            "variable TELEGRAM_BOT_TOKEN\n",
            "token_file = ",
            "token = ",
            "@BotFather",
        ] {
            assert!(text.contains(word), "{word}");
        }
    }

    #[test]
    fn an_empty_or_missing_file_is_an_error_that_names_it() {
        let (folder, path) = file(" \n");
        let source = TokenSource {
            file: Some(path.clone()),
            literal: None,
        };
        let text = source.token(&Environment::default()).unwrap_err().to_string();
        assert!(
            text.contains(path.to_str().unwrap()) && text.contains("is empty"),
            "{text}"
        );
        let source = TokenSource {
            file: Some(folder.path().join("none")),
            literal: None,
        };
        assert!(
            source
                .token(&Environment::default())
                .unwrap_err()
                .to_string()
                .contains("cannot be read")
        );
    }

    #[test]
    fn a_malformed_token_is_never_repeated() {
        let (_folder, path) = file("hunter2");
        let source = TokenSource {
            file: Some(path),
            literal: None,
        };
        let error = source.token(&Environment::default()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let error = source
            .token(&Environment::from([(VARIABLE, "hunter2")]))
            .unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
