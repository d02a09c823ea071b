//! The journal: what a person sees in each chat, and every request with its verdict.
//!
//! It grows with the test on purpose: an oracle that forgets cannot prove that nothing was lost.
//! The trap: the file is synced before the answer goes out, so what a client heard is always in it, but a
//! line in it may be unheard of by the client.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Shared;
use crate::entities::Entity;
use crate::findings::Live;
use crate::judge::Draft;

/// One state of a message's text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// What a person saw.
    pub text: String,
    /// Its formatting.
    pub entities: Vec<Entity>,
    /// What was clickable.
    pub live: Vec<Live>,
    /// When it was replaced, Unix milliseconds.
    pub until: u64,
}

/// A file that came with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its name.
    pub file_name: String,
    /// What stands in it.
    pub content: String,
    /// Its length.
    pub bytes: u64,
    /// Whether it is UTF-8; otherwise `content` only resembles it.
    pub utf8: bool,
}

/// A message as a person sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its chat.
    pub chat: i64,
    /// Its id, growing within the chat.
    pub message_id: i64,
    /// Its topic.
    pub thread: Option<i64>,
    /// Its text now.
    pub text: String,
    /// The file that it brought; the text is its caption.
    #[serde(default)]
    pub document: Option<Document>,
    /// Its texts before, oldest first.
    pub earlier: Vec<Version>,
    /// Its formatting now.
    pub entities: Vec<Entity>,
    /// What is clickable now.
    pub live: Vec<Live>,
    /// Whether it came without a sound.
    pub silent: bool,
    /// Whether forwarding is blocked.
    pub protected: bool,
    /// The message it answers.
    pub reply_to: Option<i64>,
    /// Its keyboard now.
    pub keyboard: Option<Value>,
    /// When it came, Unix milliseconds.
    pub sent_at: u64,
    /// When it was last edited, Unix milliseconds.
    pub edited_at: Option<u64>,
    /// What Telegram let pass but a person would mind, of all its versions.
    pub complaints: Vec<String>,
    /// Number of the request that sent it.
    pub request: u64,
    /// Numbers of the requests that edited it.
    pub edits: Vec<u64>,
    /// Whether somebody took it away.
    pub deleted: bool,
}

impl Message {
    /// Replaces what is seen and keeps the old text.
    pub(crate) fn edit(&mut self, draft: Draft, now: u64, request: u64) {
        let text = std::mem::replace(&mut self.text, draft.text);
        let entities = std::mem::replace(&mut self.entities, draft.entities);
        let live = std::mem::replace(&mut self.live, draft.live);
        self.earlier.push(Version {
            text,
            entities,
            live,
            until: now,
        });
        self.keyboard = draft.keyboard;
        self.complaints.extend(draft.complaints);
        self.edited_at = Some(now);
        self.edits.push(request);
    }

    /// Whether an edit would change nothing.
    pub(crate) fn equals(&self, draft: &Draft) -> bool {
        self.text == draft.text && self.entities == draft.entities && self.keyboard == draft.keyboard
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Verdict {
    /// A new message.
    Stored {
        /// Its id.
        message_id: i64,
    },
    /// An old message with a new text.
    Edited {
        /// Its id.
        message_id: i64,
    },
    /// Carried out; no message came of it.
    Done,
    /// Refused by the flood limits.
    Flood {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// Refused for another reason.
    Refused {
        /// HTTP status and error code.
        code: u16,
        /// Telegram's words.
        description: String,
    },
    /// Never judged: an injected fault answered.
    Unjudged,
}

/// A request and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its number, from 1 in order of arrival.
    pub n: u64,
    /// When it was judged, Unix milliseconds.
    pub at: u64,
    /// The method, as written by the client.
    pub method: String,
    /// The chat it named, where that chat is known.
    pub chat: Option<i64>,
    /// Its JSON body.
    pub body: Value,
    /// What became of it.
    pub verdict: Verdict,
    /// The injected fault that struck it.
    pub fault: Option<String>,
}

/// The server's own side of the journal.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    chats: BTreeMap<i64, Vec<Message>>,
    requests: Vec<Request>,
    conflicts: u64,
    file: Option<File>,
}

impl Ledger {
    /// An empty ledger that appends its requests to a file.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = path
            .map(|path| OpenOptions::new().create(true).append(true).open(path))
            .transpose()?;
        Ok(Self {
            file,
            ..Self::default()
        })
    }

    /// The number that the request being judged will have.
    pub(crate) fn next_request(&self) -> u64 {
        self.requests.len() as u64 + 1
    }

    /// The id that the next message of a chat will have.
    pub(crate) fn next_message(&self, chat: i64) -> i64 {
        self.chats
            .get(&chat)
            .and_then(|messages| messages.last())
            .map_or(1, |last| last.message_id + 1)
    }

    pub(crate) fn store(&mut self, message: Message) {
        self.chats.entry(message.chat).or_default().push(message);
    }

    /// A message that is still there.
    pub(crate) fn message_mut(&mut self, chat: i64, message_id: i64) -> Option<&mut Message> {
        let messages = self.chats.get_mut(&chat)?;
        messages
            .iter_mut()
            .find(|message| message.message_id == message_id && !message.deleted)
    }

    pub(crate) fn conflict(&mut self) {
        self.conflicts += 1;
    }

    /// Writes a request down, on disk first when there is a file.
    pub(crate) fn record(&mut self, request: Request) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            let mut line = serde_json::to_vec(&request)?;
            line.push(b'\n');
            file.write_all(&line)?;
            file.sync_data()?;
        }
        self.requests.push(request);
        Ok(())
    }

    /// The whole journal as JSON.
    pub(crate) fn to_json(&self) -> Value {
        let messages: Vec<&Message> = self.chats.values().flatten().collect();
        json!({ "messages": messages, "requests": self.requests, "counts": self.counts() })
    }

    fn counts(&self) -> Counts {
        let count = |fits: &dyn Fn(&Request) -> bool| self.requests.iter().filter(|r| fits(r)).count();
        Counts {
            requests: self.requests.len(),
            stored: count(&|r| matches!(r.verdict, Verdict::Stored { .. })),
            edited: count(&|r| matches!(r.verdict, Verdict::Edited { .. })),
            floods: count(&|r| matches!(r.verdict, Verdict::Flood { .. })),
            refused: count(&|r| matches!(r.verdict, Verdict::Refused { .. })),
            faults: count(&|r| r.fault.is_some()),
            conflicts: self.conflicts,
            complaints: self
                .chats
                .values()
                .flatten()
                .map(|message| message.complaints.len())
                .sum(),
        }
    }
}

/// How often each thing happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All requests.
    pub requests: usize,
    /// New messages.
    pub stored: usize,
    /// Changed messages.
    pub edited: usize,
    /// 429s for breaking the limits; injected ones are not among them.
    pub floods: usize,
    /// Other refusals.
    pub refused: usize,
    /// Requests struck by an injected fault.
    pub faults: usize,
    /// getUpdates calls ended by another one.
    pub conflicts: u64,
    /// Things that a person would mind, such as a link preview.
    pub complaints: usize,
}

/// The tests' view of the journal. Everything returned is a copy.
#[derive(Clone, Debug)]
pub struct Journal(pub(crate) Shared);

impl Journal {
    /// The messages of a chat in order; deleted ones are marked, not left out.
    pub fn messages(&self, chat: i64) -> Vec<Message> {
        self.0
            .world()
            .journal
            .chats
            .get(&chat)
            .cloned()
            .unwrap_or_default()
    }

    /// The newest message of a chat: cheaper than all of them for whoever asks again and again.
    pub fn last_message(&self, chat: i64) -> Option<Message> {
        let world = self.0.world();
        world.journal.chats.get(&chat)?.last().cloned()
    }

    /// The messages of all chats, chat by chat.
    pub fn all_messages(&self) -> Vec<Message> {
        self.0.world().journal.chats.values().flatten().cloned().collect()
    }

    /// All requests in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.0.world().journal.requests.clone()
    }

    /// The requests of one method, in order.
    pub fn requests_of(&self, method: &str) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.method.eq_ignore_ascii_case(method));
        requests
    }

    /// How often each thing happened.
    pub fn counts(&self) -> Counts {
        self.0.world().journal.counts()
    }

    /// How many requests broke the flood limits.
    pub fn floods(&self) -> usize {
        self.counts().floods
    }

    /// The distinct wordings of all refusals.
    pub fn refusals(&self) -> BTreeSet<String> {
        let wording = |request: Request| match request.verdict {
            Verdict::Refused { description, .. } => Some(description),
            _ => None,
        };
        self.requests().into_iter().filter_map(wording).collect()
    }

    /// Everything clickable that was ever seen, in any version of any message.
    pub fn live(&self) -> Vec<Live> {
        let of = |message: Message| {
            let earlier = message.earlier.into_iter().flat_map(|version| version.live);
            earlier.chain(message.live).collect::<Vec<_>>()
        };
        self.all_messages().into_iter().flat_map(of).collect()
    }

    /// What Telegram let pass but a person would mind, over all messages.
    pub fn complaints(&self) -> Vec<String> {
        self.all_messages()
            .into_iter()
            .flat_map(|message| message.complaints)
            .collect()
    }

    /// The whole journal as JSON, as `/_test/journal` serves it.
    pub fn to_json(&self) -> Value {
        self.0.world().journal.to_json()
    }

    /// Waits until the journal shows something; false when the time is over. Blocks the calling thread.
    pub fn wait(&self, longest: Duration, shows: impl Fn(&Self) -> bool) -> bool {
        let until = Instant::now() + longest;
        loop {
            if shows(self) {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
