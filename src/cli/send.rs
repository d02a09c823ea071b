//! `tailgram send`.
//!
//! While a process holds the state folder it sends: two senders that do not know of each other break the limits of
//! one bot. Only where nobody does, or where the process cannot be asked but its gates can be read, this command sends
//! by itself.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::config::{self, Environment};
use crate::engine::control::{self, AskError, ErrorKind, Note};
use crate::message;
use crate::model::{Outcome, State, Timestamp};
use crate::store::Store;
use crate::telegram::{Call, ChatSettings, Client, Request};

use super::state_dir::StateDir;
use super::{Failure, Options};

/// How long a closed gate is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// A process that has the lock and no socket yet may be starting; it is given so long.
const STARTING: Duration = Duration::from_secs(3);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The chat, as rules.toml names it [default: the only one]
    #[arg(long, value_name = "NAME")]
    chat: Option<String>,
    /// What to send; `-` reads stdin
    text: String,
}

pub(super) fn run(options: &Options, args: &Args, env: &Environment) -> Result<(), Failure> {
    let text = text(&args.text)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::running)?;
    let state_dir = StateDir::choose(options, env).ok();
    if let Some(folder) = state_dir.as_ref().and_then(StateDir::folder)
        && let Asked::Done = ask(&runtime, folder, args.chat.as_deref(), &text)?
    {
        return Ok(());
    }
    let settings = super::settings(options, env)?;
    let chat = chat(&settings, args.chat.as_deref())?;
    let token = settings.token.token(env).map_err(Failure::usage)?;
    let client = Client::build(&settings.telegram, token).map_err(Failure::running)?;
    let state = state_dir.and_then(|dir| dir.peek().ok().flatten());
    runtime.block_on(deliver(&client, chat, &text, state.as_ref()))
}

/// What came of asking the process that uses a state folder.
enum Asked {
    /// It sent the message.
    Done,
    /// There is none, or none that can be asked: this command has to send by itself.
    Nobody,
}

/// Has the process send that uses the state folder, if one does.
fn ask(runtime: &Runtime, folder: &Path, chat: Option<&str>, text: &str) -> Result<Asked, Failure> {
    let begun = Instant::now();
    loop {
        let asked = runtime.block_on(control::send(folder, chat, text, PATIENCE, say));
        match asked {
            Ok(()) => return Ok(Asked::Done),
            Err(AskError::Nobody) => {}
            Err(error) => return Err(failure(folder, &error)),
        }
        let holder = Store::holder(folder).map_err(|error| unknown(folder, &error))?;
        let Some(holder) = holder else {
            return Ok(Asked::Nobody);
        };
        if begun.elapsed() < STARTING {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        }
        tracing::warn!(
            "{holder} uses the state folder and has no control.sock there (an older version, or its log says why); \
             sending past it, by the gates it stored"
        );
        return Ok(Asked::Nobody);
    }
}

fn say(note: Note) {
    match note {
        Note::Waiting { chat, wait, why } => tracing::warn!(
            chat,
            seconds = wait.as_secs_f32(),
            why,
            "waiting until the chat takes messages again"
        ),
        Note::Sent { chat, message_id } => {
            tracing::info!(chat, message_id, "sent by the running process");
        }
    }
}

fn failure(folder: &Path, error: &AskError) -> Failure {
    match error {
        AskError::Refused {
            kind: ErrorKind::Usage,
            why,
        } => Failure::Usage(why.clone()),
        AskError::Denied(error) => unknown(folder, error),
        AskError::Silent(_) => Failure::Running(format!("{error}; it may or may not have been sent")),
        AskError::Deaf(_) => Failure::Running(format!("{error}; not sent")),
        AskError::Refused { .. } | AskError::Nobody => Failure::running(error),
    }
}

/// The folder is another user's, so are the gates in it: a message sent without them could break into a flood.
fn unknown(folder: &Path, error: &std::io::Error) -> Failure {
    let folder = folder.display();
    Failure::Running(format!(
        "whether a tailgram runs with the state in {folder} cannot be told: {error}; not sent, for it may be sending to \
         the same chats. Ask as the user that owns the folder, or, if the message has nothing to do with that \
         process, add --state-dir :memory:"
    ))
}

fn chat<'s>(settings: &'s config::Settings, name: Option<&str>) -> Result<&'s ChatSettings, Failure> {
    let chats = &settings.telegram.chats;
    let names = || {
        chats
            .iter()
            .map(|chat| chat.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (name, chats.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure::Usage(format!(
            "there are several chats; name one with --chat: {}",
            names()
        ))),
        (Some(name), _) => {
            let found = chats.iter().find(|chat| chat.name.as_str() == name);
            found
                .ok_or_else(|| Failure::Usage(format!("rules.toml has no chat {name:?}; it has {}", names())))
        }
    }
}

fn text(argument: &str) -> Result<String, Failure> {
    let mut text = argument.to_owned();
    if argument == "-" {
        text.clear();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::Running(format!("stdin: {error}")))?;
    }
    if text.trim().is_empty() {
        return Err(Failure::Usage(
            "there is nothing to send: the text is empty".to_owned(),
        ));
    }
    Ok(text)
}

async fn deliver(
    client: &Client,
    chat: &ChatSettings,
    text: &str,
    state: Option<&State>,
) -> Result<(), Failure> {
    let mut left = PATIENCE;
    let gate = state.map_or(Duration::ZERO, |state| gate(state, chat));
    let mut pause = Some(gate).filter(|gate| !gate.is_zero());
    loop {
        if let Some(wait) = pause {
            if wait > left {
                let seconds = wait.as_secs();
                return Err(Failure::Running(format!(
                    "{} takes messages again in {seconds} s; not sent",
                    chat.name
                )));
            }
            tracing::warn!(chat = %chat.name, seconds = wait.as_secs_f32(), "waiting until the chat takes messages again");
            tokio::time::sleep(wait).await;
            left -= wait;
        }
        match client.deliver(&request(chat, text, state)).await {
            Outcome::Sent { message_id } => {
                tracing::info!(chat = %chat.name, message_id, "sent");
                return Ok(());
            }
            Outcome::Wait {
                after, flood: true, ..
            } => pause = Some(after.unwrap_or(Duration::from_secs(1))),
            Outcome::Wait { why, .. } => return Err(Failure::Running(format!("not sent: {why}"))),
            Outcome::Unsure { why } => {
                return Err(Failure::Running(format!("it may or may not have arrived: {why}")));
            }
            Outcome::Moved { to } => {
                return Err(Failure::Running(format!(
                    "the group became a supergroup: put id = {to} into rules.toml"
                )));
            }
            Outcome::Refused(refusal) => {
                return Err(Failure::Running(format!("Telegram refused: {}", refusal.why)));
            }
        }
    }
}

/// The words as they are, shortened to what Telegram takes.
fn request(chat: &ChatSettings, text: &str, state: Option<&State>) -> Request {
    let known = state.and_then(|state| state.chats.iter().find(|known| known.name == chat.name));
    Request {
        chat: known.map_or_else(|| chat.target.clone(), |known| known.place(&chat.target)),
        topic: chat.topic,
        text: message::by_hand(text),
        document: None,
        plain: false,
        silent: false,
        call: Call::Send { reply_to: None },
    }
}

/// How long the chat, or the whole bot, is known to be closed.
fn gate(state: &State, chat: &ChatSettings) -> Duration {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let wall = Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    let now = crate::model::Now {
        moment: crate::model::Moment(0),
        wall,
    };
    // The gate of a parked chat only spaces out the questions that nobody asked; this one somebody asks.
    let chat = state
        .chats
        .iter()
        .find(|known| known.name == chat.name && known.parked.is_none() && known.is_about(&chat.target));
    let own = chat.and_then(|known| Some(known.gate?.resume(known.saved, now)));
    let bot = state
        .token_gate
        .until
        .map(|until| until.resume(state.token_gate.saved, now));
    own.into_iter()
        .chain(bot)
        .map(|gate| gate.remaining(now.moment))
        .max()
        .unwrap_or_default()
}
