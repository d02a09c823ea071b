//! What to watch and whom to tell: from the command line, else asked on a terminal, else the defaults.

use std::io::{IsTerminal, Write};
use std::path::Path;

use crate::cli::Failure;
use crate::config::{self, Environment};
use crate::model::ChatTarget;

use super::Args;
use super::watched::Watched;

/// Watched if nobody says what.
const WATCH: &str = "logs/*.log";

/// All that the two files depend on.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) watched: Vec<Watched>,
    /// Absent: what the environment says when it runs.
    pub(super) chat: Option<ChatTarget>,
}

impl Answers {
    /// Questions go to stderr, since stdout is for the result.
    pub(super) fn gather(args: &Args, env: &Environment) -> Result<Self, Failure> {
        let watched = |text: &str| watched(text, &args.dir, env);
        let ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        // Both flags are judged before the first question.
        let flags: Result<Vec<_>, _> = args
            .watch
            .iter()
            .map(|text| watched(text).map_err(wrong("--watch", text)))
            .collect();
        let flags = flags?;
        let flag = args
            .chat
            .as_ref()
            .map(|text| chat(text).map_err(wrong("--chat", text)))
            .transpose()?;
        Ok(Self {
            watched: match flags.as_slice() {
                [] if ask => vec![question(&about_watch(&args.dir), WATCH, watched)?],
                [] => vec![watched(WATCH).map_err(Failure::Usage)?],
                _ => flags,
            },
            chat: match flag {
                None if ask => question(ABOUT_CHAT, FROM_ENVIRONMENT, |text| {
                    (text != FROM_ENVIRONMENT).then(|| chat(text)).transpose()
                })?,
                flag => flag,
            },
        })
    }
}

fn wrong(flag: &str, text: &str) -> impl FnOnce(String) -> Failure {
    move |why| Failure::Usage(format!("{flag} {text:?}: {why}"))
}

const ABOUT_CHAT: &str = "Whom to tell: a chat's id (a number; a group's begins with a minus sign), or @name of a public channel; Enter leaves it to the environment";

/// The answer that leaves the choice to the environment.
const FROM_ENVIRONMENT: &str = "TELEGRAM_CHAT_ID";

fn about_watch(dir: &Path) -> String {
    let dir = match dir.to_str() {
        Some(".") => "this folder".into(),
        _ => dir.display().to_string(),
    };
    format!("What to watch: log files as a glob, from / on or relative to {dir}")
}

fn watched(text: &str, dir: &Path, env: &Environment) -> Result<Watched, String> {
    Watched::read(text, dir, env.home())
}

fn chat(text: &str) -> Result<ChatTarget, String> {
    config::chat_id(text).ok_or_else(|| {
        format!(
            "this is not a chat's id; {}. `tailgram chats` finds yours; \
             without --chat it is taken from {FROM_ENVIRONMENT}",
            config::CHAT_ID_HELP
        )
    })
}

/// Asks until the answer is good. Enter alone takes the default; the end of the input gives up.
fn question<T>(about: &str, default: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T, Failure> {
    loop {
        let mut stderr = std::io::stderr();
        write!(stderr, "{about} [{default}]: ")
            .and_then(|()| stderr.flush())
            .map_err(Failure::running)?;
        let mut line = String::new();
        if std::io::stdin()
            .read_line(&mut line)
            .map_err(|error| Failure::Running(format!("stdin: {error}")))?
            == 0
        {
            return Err(Failure::Running("no answer, so nothing was written".to_owned()));
        }
        let answer = match line.trim() {
            "" => default,
            answer => answer,
        };
        match read(answer) {
            Ok(value) => return Ok(value),
            Err(why) => writeln!(stderr, "  {answer:?}: {why}").map_err(Failure::running)?,
        }
    }
}
