//! `[telegram]`: the way to the Bot API and the token.

use super::chats::Chat;
use super::url::Url;
use super::word;
use crate::config::problem::Report;
use crate::config::table::Word;
use crate::config::token::{FILE_VARIABLE, TokenSource, VARIABLE};
use crate::config::{Environment, raw};
use crate::telegram::{Settings, Token};

/// The variable that names the server where rules.toml does not.
const URL_VARIABLE: &str = "TELEGRAM_API_URL";

/// Checks the table; the chats were checked before.
pub(super) fn check(
    file: &raw::File,
    chats: &[Chat],
    env: &Environment,
    report: &mut Report<'_>,
) -> (Settings, TokenSource) {
    let telegram = &file.telegram;
    word::only(
        telegram.updates.as_ref(),
        "updates",
        "off",
        &["poll", "webhook"],
        report,
    );
    let settings = Settings {
        api_url: api_url(telegram.api_url.as_ref(), env, report),
        proxy: telegram.proxy.as_ref().map(|word| proxy(word, report)),
        chats: chats.iter().map(|chat| chat.telegram.clone()).collect(),
    };
    (settings, token(telegram, env, report))
}

fn token(telegram: &raw::Telegram, env: &Environment, report: &mut Report<'_>) -> TokenSource {
    overruled(telegram, env, report);
    if let Some(word) = &telegram.token_file
        && word.value.trim().is_empty()
    {
        report.problem(
            &word.at,
            "`token_file` is empty".into(),
            "name a file: token_file = \"/run/secrets/telegram\"",
        );
    }
    TokenSource {
        file: telegram.token_file.as_ref().map(|word| word.value.trim().into()),
        literal: telegram.token.as_ref().and_then(|word| literal(word, report)),
    }
}

fn literal(word: &Word, report: &mut Report<'_>) -> Option<Token> {
    let written = &report.text()[word.at.clone()];
    // A token that a variable brought in is not in the file.
    if !written.contains("${") {
        let help =
            "whoever sees the file can write as your bot; use token_file = \"…\" or TELEGRAM_BOT_TOKEN_FILE";
        report.warn(
            Some(&word.at),
            "the token itself stands in this file".into(),
            help,
        );
    }
    match Token::parse(&word.value) {
        Ok(token) => Some(token),
        Err(error) => {
            report.problem(
                &word.at,
                format!("this is not a bot token: {error}"),
                "copy it again from @BotFather",
            );
            None
        }
    }
}

/// Says which ways of giving the token are not used because another one comes first.
fn overruled(telegram: &raw::Telegram, env: &Environment, report: &mut Report<'_>) {
    let variable = |name: &'static str| (name, env.filled(name).is_some(), None);
    let key = |name, word: Option<&Word>| (name, word.is_some(), word.map(|word| word.at.clone()));
    let ways = [
        variable(FILE_VARIABLE),
        variable(VARIABLE),
        key("token_file", telegram.token_file.as_ref()),
        key("token", telegram.token.as_ref()),
    ];
    let mut set = ways.into_iter().filter(|(_, set, _)| *set);
    let Some((winner, ..)) = set.next() else { return };
    for (name, _, at) in set {
        report.warn(
            at.as_ref(),
            format!("{name} is not used: {winner} is set too and comes first"),
            format!("keep one of the two, {winner} or {name}"),
        );
    }
}

/// The key, else the variable, else Telegram's own server; without a slash at its end.
fn api_url(key: Option<&Word>, env: &Environment, report: &mut Report<'_>) -> String {
    let (text, at) = match (key, env.filled(URL_VARIABLE)) {
        (Some(word), _) => (word.value.trim(), Some(&word.at)),
        (None, Some(text)) => (text, None),
        (None, None) => return Settings::API_URL.to_owned(),
    };
    match Url::read(text, &["https", "http"]).and_then(|url| url.refuse_more_than_a_base().map(|()| url)) {
        Ok(url) => {
            if url.scheme == "http" && !url.is_loopback() {
                let help = "whoever sits between reads the token; use https, or a server on this machine";
                report.warn(at, format!("{} is reached without encryption", url.host), help);
            }
        }
        Err(why) => {
            let help = format!("write the server's base URL: \"{}\"", Settings::API_URL);
            match at {
                Some(at) => report.problem(at, format!("`api_url` {why}"), help),
                None => report.outside(format!("the environment variable {URL_VARIABLE} {why}"), help),
            }
        }
    }
    text.trim_end_matches('/').to_owned()
}

fn proxy(word: &Word, report: &mut Report<'_>) -> String {
    let text = word.value.trim();
    if let Err(why) = Url::read(text, &["socks5h", "socks5", "http", "https"]) {
        let help = "write scheme, host and port: \"socks5h://proxy:1080\"; schemes: http, https, socks5, socks5h (names are resolved by the proxy)";
        report.problem(&word.at, format!("`proxy` {why}"), help);
    }
    text.to_owned()
}
