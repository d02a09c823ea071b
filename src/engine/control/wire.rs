//! Questions and answers as lines of JSON.

use serde::{Deserialize, Serialize};

use crate::engine::Status;

/// The version of the protocol.
pub const VERSION: u32 = 1;
/// The longest question, its newline included.
pub(super) const LONGEST: usize = 64 * 1024;

/// A question, and the version it is asked in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    v: u32,
    #[serde(flatten)]
    pub(super) ask: Ask,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(super) enum Ask {
    /// Everything that `status` shows.
    Status,
    /// Send this, and say what became of it.
    Send {
        /// The chat's name; absent: the only one.
        #[serde(default)]
        chat: Option<String>,
        /// The words.
        text: String,
        /// How long it may wait for its turn.
        #[serde(default = "a_minute")]
        patience_ms: u64,
    },
}

fn a_minute() -> u64 {
    60_000
}

/// One line of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(super) enum Answer {
    /// The status, fresh.
    Status {
        /// As in `status.json`.
        status: Box<Status>,
    },
    /// The chat takes no message before so long; more lines follow.
    Waiting {
        chat: String,
        seconds: f32,
        #[serde(default)]
        why: Option<String>,
    },
    /// Telegram has it.
    Sent { chat: String, message_id: i64 },
    /// It is not done.
    Error { kind: ErrorKind, why: String },
}

/// Why a question was not answered as it wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// It names what does not exist: a chat.
    Usage,
    /// It is in another version of the protocol, or asks for what this process does not know.
    Version,
    /// It is no question.
    Malformed,
    /// Somebody else's user asks.
    Denied,
    /// Too many ask at once.
    Busy,
    /// It was not sent, or not all is known in time.
    NotDone,
    /// It may or may not have been sent.
    Unsure,
    /// A kind that only a newer program knows.
    #[serde(other)]
    Other,
}

impl Answer {
    pub(super) fn error(kind: ErrorKind, why: impl Into<String>) -> Self {
        let why = why.into();
        Self::Error { kind, why }
    }
}

impl Question {
    /// A question in our version.
    pub(super) fn new(ask: Ask) -> Self {
        Self { v: VERSION, ask }
    }

    /// Reads a line. The version is looked at before anything else, for the rest may have changed its shape.
    pub(super) fn read(line: &[u8]) -> Result<Self, Answer> {
        let malformed = |error: serde_json::Error| {
            Answer::error(
                ErrorKind::Malformed,
                format!("this is not a question, one line of JSON with a \"v\": {error}"),
            )
        };
        let asked: Versioned = serde_json::from_slice(line).map_err(malformed)?;
        if asked.v != VERSION {
            return Err(Answer::error(
                ErrorKind::Version,
                format!(
                    "asked in version {} of the protocol; the running process, tailgram {}, knows version {VERSION}: \
                     ask with the program it was started from, or restart it",
                    asked.v,
                    env!("CARGO_PKG_VERSION")
                ),
            ));
        }
        let known = serde_json::from_slice(line);
        known.map_err(|error| match asked.ask.as_str() {
            Some("status" | "send") | None => malformed(error),
            Some(ask) => Answer::error(
                ErrorKind::Version,
                format!(
                    "the running process, tailgram {}, does not know what {ask:?} is: restart it with a newer \
                     version",
                    env!("CARGO_PKG_VERSION")
                ),
            ),
        })
    }
}

/// What a question is in every version.
#[derive(Deserialize)]
struct Versioned {
    v: u32,
    #[serde(default)]
    ask: serde_json::Value,
}

/// A value as a line.
pub(super) fn line(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn why(line: &str) -> (ErrorKind, String) {
        match Question::read(line.as_bytes()) {
            Err(Answer::Error { kind, why }) => (kind, why),
            read => panic!("{read:?}"),
        }
    }

    #[test]
    fn a_question_is_read_back_as_it_was_written() {
        let send = Ask::Send {
            chat: Some("ops".to_owned()),
            text: "done\n\"now\"".to_owned(),
            patience_ms: 7,
        };
        for ask in [Ask::Status, send] {
            let question = Question::new(ask);
            let line = line(&question).unwrap();
            assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
            assert_eq!(Question::read(&line).unwrap(), question);
        }
    }

    #[test]
    fn what_may_be_left_out_is_the_only_chat_and_a_minute() {
        let read = Question::read(br#"{"v":1,"ask":"send","text":"x","later":[1]}"#).unwrap();
        let ask = Ask::Send {
            chat: None,
            text: "x".to_owned(),
            patience_ms: 60_000,
        };
        assert_eq!(read.ask, ask);
    }

    #[test]
    fn another_version_is_told_apart_from_rubbish() {
        for newer in [
            r#"{"v":2,"ask":{"a":"new","shape":1}}"#,
            r#"{"question":1,"v":2}"#,
        ] {
            let (kind, said) = why(newer);
            assert_eq!(kind, ErrorKind::Version);
            assert!(
                said.contains("version 2") && said.contains("knows version 1"),
                "{said}"
            );
        }
        let (kind, said) = why(r#"{"v":1,"ask":"dance"}"#);
        assert_eq!(kind, ErrorKind::Version);
        assert!(said.contains("\"dance\""), "{said}");
        for rubbish in [
            "",
            "x",
            "{}",
            "[1]",
            "{\"v\":1}",
            r#"{"v":1,"ask":"send"}"#,
            "{\"v\":\"1\"}",
        ] {
            assert_eq!(why(rubbish).0, ErrorKind::Malformed, "{rubbish}");
        }
    }

    #[test]
    fn a_kind_of_a_newer_program_is_read_all_the_same() {
        let read: Answer = serde_json::from_str(r#"{"is":"error","kind":"moonlight","why":"x"}"#).unwrap();
        assert_eq!(read, Answer::error(ErrorKind::Other, "x"));
    }
}
