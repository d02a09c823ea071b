//! The way to Telegram alone, from a rules.toml that may be missing or wrong elsewhere.
//!
//! For commands that help to write the file and so cannot ask for a right one. What would lead to another
//! server, around a proxy or to another bot than the file means still stops them.

use std::path::Path;

use super::problem::Problem;
use super::token::{FILE_VARIABLE, VARIABLE};
use super::{Environment, Problems, Texts, TokenSource, judge};
use crate::model::ChatTarget;
use crate::telegram;

/// What stands before problems when there is no file.
const NO_FILE: &str = "tailgram";

/// What rules.toml says about Telegram, as far as it can be read.
#[derive(Clone, Debug)]
pub struct Reach {
    /// How to reach Telegram. Chats that are not right are left out.
    pub telegram: telegram::Settings,
    /// Where the token is.
    pub token: TokenSource,
    /// Everything that is wrong with the file and does not matter here.
    pub ignored: Problems,
}

/// Reads the way to Telegram from this file, or without one from the environment alone. Only what is wrong
/// with the way itself is an error.
pub fn reach(path: Option<&Path>, env: &Environment) -> Result<Reach, Problems> {
    let (texts, unread) = texts(path, env);
    let mut whole = texts.whole()?;
    // What is missing is told at the end of the text, which must not be the line of a key.
    whole.end_with("\n#");
    let (settings, problems) = judge(&whole, &texts, env);
    let matter = problems.only(|problem| matters(problem, &texts, env));
    if !matter.is_empty() {
        return Err(matter);
    }
    let ignored = match path {
        // An empty text has neither chats nor rules, but nobody wrote it.
        None => Problems::default(),
        Some(_) if !unread.is_empty() => unread,
        Some(_) => problems,
    };
    let mut telegram = settings.telegram;
    // The stand-in for an id that is none.
    telegram.chats.retain(|chat| chat.target != ChatTarget::Id(0));
    Ok(Reach {
        telegram,
        token: settings.token,
        ignored,
    })
}

/// What the file says; nothing where it cannot be read, and why.
fn texts(path: Option<&Path>, env: &Environment) -> (Texts, Problems) {
    let Some(path) = path else {
        return (Texts::of(Path::new(NO_FILE), ""), Problems::default());
    };
    let texts = Texts::read(path, env);
    match texts.whole() {
        Ok(_) => (texts, Problems::default()),
        Err(unread) => (Texts::of(path, ""), unread),
    }
}

/// Whether a problem is about how to reach Telegram: it stands in such a line, or in `[telegram]`, or in a table that
/// was probably meant to be that; or in no line at all, and then it is the environment's.
fn matters(problem: &Problem, texts: &Texts, env: &Environment) -> bool {
    let Some(line) = texts.line_of(problem) else {
        return problem.line().is_none();
    };
    if problem.what().ends_with("in [telegram]") || problem.help().contains("`telegram`") {
        return true;
    }
    let key = line.split('=').next().unwrap_or_default();
    let key = key.trim_matches([' ', '\t', '"', '\'', '[', ']']);
    match key.strip_prefix("telegram.").unwrap_or(key) {
        "api_url" | "proxy" | "telegram" => true,
        "token_file" | "token" => [FILE_VARIABLE, VARIABLE]
            .iter()
            .all(|name| env.filled(name).is_none()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn of(text: &str, env: &Environment) -> Result<Reach, Problems> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.toml");
        std::fs::write(&path, text).unwrap();
        reach(Some(&path), env)
    }

    #[test]
    fn no_file_is_telegrams_own_server_and_no_chats() {
        let reach = reach(None, &Environment::default()).unwrap();
        assert_eq!(reach.telegram.api_url, telegram::Settings::API_URL);
        assert!(reach.telegram.chats.is_empty() && reach.ignored.is_empty());
    }

    #[test]
    fn what_is_wrong_elsewhere_is_counted_and_the_rest_is_read() {
        let text = "[telegram]\nproxy = \"socks5h://p:1\"\nupdates = \"poll\"\n\
                    [chats]\nme = 7\nbad = \"no id\"\n[[rules]]\nname = \"x\"\nmatch = '('\noops = = 1\n";
        let reach = of(text, &Environment::default()).unwrap();
        assert_eq!(reach.telegram.proxy.as_deref(), Some("socks5h://p:1"));
        let names: Vec<_> = reach
            .telegram
            .chats
            .iter()
            .map(|chat| chat.name.as_str())
            .collect();
        assert_eq!(names, ["me"]);
        assert!(reach.ignored.count() >= 3, "{}", reach.ignored);
    }

    #[test]
    fn what_would_lead_astray_stops() {
        for text in [
            "[telegram]\napi_url = \"ftp://here\"\n",
            "[telegram]\napi_url = https://here\n",
            "[telegram]\nproxy = 5\n",
            "telegram.proxy = \"what://here\"\n",
            "telegram = { proxy = 5 }\n",
            "[telegarm]\nproxy = \"http://p:1\"\n",
            "[telegram]\napi_ur = \"http://here\"\n",
            "[telegram]\nproxi = \"http://here\"\n",
            "[telegram]\n\"api_url\" = 5\n",
            "[[telegram]]\napi_url = \"http://here\"\n",
            "[telegram]\ntoken_file = \"\"\n",
            "[telegram]\ntoken_file = \"${NOWHERE}\"\n",
        ] {
            let problems = of(text, &Environment::default()).unwrap_err();
            assert_eq!(problems.count(), 1, "{text}{problems}");
        }
        let env = Environment::from([("TELEGRAM_API_URL", "nonsense")]);
        let problems = reach(None, &env).unwrap_err().to_string();
        assert!(problems.contains("TELEGRAM_API_URL"), "{problems}");
    }

    #[test]
    fn a_wrong_token_file_does_not_matter_when_the_environment_has_the_token() {
        let env = Environment::from([(VARIABLE, "1:a")]);
        let reach = of("[telegram]\ntoken_file = \"${NOWHERE}\"\n", &env).unwrap();
        assert!(reach.token.token(&env).is_ok());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_and_passed_over() {
        let reach = reach(
            Some(Path::new("/nonexistent/rules.toml")),
            &Environment::default(),
        )
        .unwrap();
        assert_eq!(reach.ignored.count(), 1);
    }
}
