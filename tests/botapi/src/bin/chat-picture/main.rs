//! Draws what a phone would show of the test server's journal: JSON on stdin, an SVG on stdout.
//!
//! `chat-picture TITLE <journal.json >chat.svg`
//!
//! `text` takes a message apart by its entities, `measure` breaks it into lines, `bubble` and `draw` put it on paper
//! with `pen`.
//! The picture follows the reader's light or dark scheme and needs no script, font or file besides itself.
//! The trap: whoever looks at it has other fonts than whoever drew it, so every piece of text carries the
//! width it was given, and the viewer fits it in.

mod bubble;
mod draw;
mod measure;
mod pen;
mod text;

use std::io::{self, Read, Write};
use std::process::ExitCode;

use botapi::Message;
use serde_json::Value;

fn main() -> ExitCode {
    match picture().and_then(|svg| io::stdout().write_all(svg.as_bytes()).map_err(|e| e.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => complain(&why),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a program without a log tells its error where one looks for it"
)]
fn complain(why: &str) -> ExitCode {
    eprintln!("{why}\nusage: chat-picture TITLE <journal.json >chat.svg");
    ExitCode::from(2)
}

fn picture() -> Result<String, String> {
    let title = std::env::args().nth(1).ok_or("there is no title")?;
    let mut journal = String::new();
    io::stdin()
        .read_to_string(&mut journal)
        .map_err(|error| error.to_string())?;
    let mut messages = messages(&journal)?;
    messages.retain(|message| !message.deleted);
    Ok(draw::chat(&title, &messages))
}

/// The messages of a journal, which must be those of one chat.
fn messages(journal: &str) -> Result<Vec<Message>, String> {
    let journal: Value = serde_json::from_str(journal).map_err(|error| format!("no journal: {error}"))?;
    let messages: Vec<Message> = serde_json::from_value(journal["messages"].clone())
        .map_err(|error| format!("no journal: {error}"))?;
    match messages.first() {
        None => Err("there is no message in the journal".to_owned()),
        Some(first) if messages.iter().any(|message| message.chat != first.chat) => {
            Err("the journal holds several chats".to_owned())
        }
        Some(_) => Ok(messages),
    }
}
