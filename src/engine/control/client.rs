//! The asking side, for commands.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use crate::engine::Status;
use crate::message;

use super::SOCKET;
use super::socket::Address;
use super::wire::{Answer, Ask, ErrorKind, Question, line};

/// A living process takes a question within this, and answers what it need not wait for.
const PROMPT: Duration = Duration::from_secs(5);
/// What a message that is under way when the patience ends may take longer.
const UNDER_WAY: Duration = Duration::from_secs(20);
/// The longest line of an answer that is read.
const LONGEST_ANSWER: u64 = 16 * 1024 * 1024;

/// Why there is no answer, or not the wished one.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there: no process, one that is just starting, or one without a socket.
    #[error("nobody listens at control.sock")]
    Nobody,
    /// The system does not let us: as a rule the process runs as another user.
    #[error("control.sock cannot be reached: {0}")]
    Denied(io::Error),
    /// Somebody listens and does not take the question. Nothing was asked.
    #[error("the running process does not take questions: {0}")]
    Deaf(io::Error),
    /// The question was asked and the answer did not come, or not to its end.
    #[error("the running process did not answer to the end: {0}")]
    Silent(io::Error),
    /// The process says no.
    #[error("{why}")]
    Refused {
        /// Which kind.
        kind: ErrorKind,
        /// In words.
        why: String,
    },
}

/// What the process says about a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// The chat takes no messages; more will be said.
    Waiting {
        /// The chat.
        chat: String,
        /// For so long.
        wait: Duration,
        /// Why, if it is known.
        why: Option<String>,
    },
    /// Telegram has it.
    Sent {
        /// The chat.
        chat: String,
        /// The message's id.
        message_id: i64,
    },
}

/// Asks the process that uses `folder` how it is.
pub async fn status(folder: &Path) -> Result<Status, AskError> {
    let until = Instant::now() + PROMPT;
    let mut line = Line::open(folder, &Question::new(Ask::Status), until).await?;
    match line.answer(until).await? {
        Answer::Status { status } => Ok(*status),
        answer => Err(unexpected(answer)),
    }
}

/// Has the process that uses `folder` send `text` to a chat of its rules.toml, or to its only one, within `patience`.
/// `note` hears of each wait, and at last that it was sent.
pub async fn send(
    folder: &Path,
    chat: Option<&str>,
    text: &str,
    patience: Duration,
    mut note: impl FnMut(Note),
) -> Result<(), AskError> {
    let ask = Ask::Send {
        chat: chat.map(str::to_owned),
        // As Telegram takes it, so that a question is never too long.
        text: message::by_hand(text).text,
        patience_ms: patience.as_millis().try_into().unwrap_or(u64::MAX),
    };
    let now = Instant::now();
    let mut line = Line::open(folder, &Question::new(ask), now + PROMPT).await?;
    loop {
        match line.answer(now + patience + UNDER_WAY).await? {
            Answer::Waiting { chat, seconds, why } => note(Note::Waiting {
                chat,
                wait: Duration::try_from_secs_f32(seconds).unwrap_or_default(),
                why,
            }),
            Answer::Sent { chat, message_id } => {
                note(Note::Sent { chat, message_id });
                return Ok(());
            }
            answer => return Err(unexpected(answer)),
        }
    }
}

fn unexpected(answer: Answer) -> AskError {
    match answer {
        Answer::Error { kind, why } => AskError::Refused { kind, why },
        _ => AskError::Silent(io::Error::other("it answered another question")),
    }
}

/// A connection with its question asked.
struct Line(BufReader<UnixStream>);

impl Line {
    async fn open(folder: &Path, question: &Question, until: Instant) -> Result<Self, AskError> {
        let address = Address::of(folder, SOCKET).map_err(unreachable)?;
        let connected = timeout_at(until, UnixStream::connect(&address.path)).await;
        let mut stream = connected
            .map_err(|_| AskError::Deaf(timed_out()))?
            .map_err(unreachable)?;
        let line = line(question).map_err(|error| AskError::Deaf(error.into()))?;
        // A process that turns us away may not read the question; what it says tells why.
        drop(timeout_at(until, stream.write_all(&line)).await);
        Ok(Self(BufReader::new(stream)))
    }

    async fn answer(&mut self, until: Instant) -> Result<Answer, AskError> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.0).take(LONGEST_ANSWER);
        let read = timeout_at(until, bounded.read_until(b'\n', &mut line)).await;
        read.map_err(|_| AskError::Silent(timed_out()))?
            .map_err(AskError::Silent)?;
        if line.last() != Some(&b'\n') {
            let ended = io::Error::new(io::ErrorKind::UnexpectedEof, "it ended, or its answer broke off");
            return Err(AskError::Silent(ended));
        }
        serde_json::from_slice(&line).map_err(|error| AskError::Silent(error.into()))
    }
}

fn unreachable(error: io::Error) -> AskError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::ConnectionRefused => {
            AskError::Nobody
        }
        io::ErrorKind::PermissionDenied => AskError::Denied(error),
        _ => AskError::Deaf(error),
    }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it took too long")
}
