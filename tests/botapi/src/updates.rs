//! What comes from people: the queue behind getUpdates, and callback queries waiting for their answer.
//!
//! Not modelled: the slow-down of a client that asks with the same offset again and again, and webhooks.
//! The trap: a second getUpdates takes over, and it is the *first* one that gets the 409.

use std::collections::{BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

use crate::Shared;
use crate::chats::ChatConfig;

/// Most updates waiting; the oldest goes when another one comes.
const MOST_WAITING: usize = 10_000;

/// Updates not yet confirmed.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: VecDeque<(i64, Value)>,
    next_id: i64,
    /// Callback queries that can still be answered.
    queries: BTreeSet<String>,
    /// Number of the getUpdates call that owns the queue.
    pub(crate) owner: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            next_id: 1000,
            queries: BTreeSet::new(),
            owner: 0,
        }
    }
}

impl Queue {
    pub(crate) fn push(&mut self, mut update: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        if let Some(query) = update.pointer("/callback_query/id").and_then(Value::as_str) {
            self.queries.insert(query.to_owned());
        }
        update["update_id"] = json!(id);
        self.waiting.push_back((id, update));
        if self.waiting.len() > MOST_WAITING {
            self.waiting.pop_front();
        }
        id
    }

    /// Confirms everything below the offset and returns what is next and wanted.
    pub(crate) fn next(&mut self, params: &Map<String, Value>) -> Vec<Value> {
        let number = |name: &str| params.get(name).and_then(Value::as_i64);
        if let Some(offset) = number("offset") {
            self.waiting.retain(|(id, _)| *id >= offset);
        }
        let wanted = params.get("allowed_updates").and_then(Value::as_array);
        let fits = |update: &&(i64, Value)| match wanted {
            Some(kinds) if !kinds.is_empty() => kinds
                .iter()
                .filter_map(Value::as_str)
                .any(|kind| update.1.get(kind).is_some()),
            _ => true,
        };
        let limit = usize::try_from(number("limit").unwrap_or(100).clamp(1, 100)).unwrap_or(100);
        self.waiting
            .iter()
            .filter(fits)
            .take(limit)
            .map(|(_, update)| update.clone())
            .collect()
    }

    /// Whether a callback query was waiting; it is not afterwards.
    pub(crate) fn answer(&mut self, query: &str) -> bool {
        self.queries.remove(query)
    }
}

/// The tests' hand on what people do.
#[derive(Clone, Debug)]
pub struct Updates(pub(crate) Shared);

impl Updates {
    /// Queues an update; `update_id` is set here and returned.
    pub fn push(&self, update: Value) -> i64 {
        let id = self.0.world().updates.push(update);
        self.0.news.notify_waiters();
        id
    }

    /// A person writes something into a chat; `thread` is the topic.
    pub fn say(&self, chat: i64, from: i64, text: &str, thread: Option<i64>) -> i64 {
        let (number, date) = {
            let world = self.0.world();
            (world.updates.next_id, world.clock.unix_ms() / 1000)
        };
        let mut message = json!({
            // Far above the bot's own ids, which count from 1.
            "message_id": 1_000_000_000 + number,
            "date": date,
            "chat": self.chat(chat),
            "from": person(from),
            "text": text,
        });
        if let Some(thread) = thread {
            message["message_thread_id"] = json!(thread);
        }
        self.push(json!({ "message": message }))
    }

    /// A person presses a button; returns the id of the callback query, which waits for its answer.
    pub fn press(&self, chat: i64, message_id: i64, from: i64, data: &str) -> String {
        let query = format!("q{}", self.0.world().updates.next_id);
        let message = json!({ "message_id": message_id, "date": 0, "chat": self.chat(chat) });
        self.push(json!({ "callback_query": {
            "id": query, "from": person(from), "message": message, "chat_instance": "1", "data": data,
        }}));
        query
    }

    /// Lets a callback query grow too old to be answered.
    pub fn expire(&self, query: &str) {
        self.0.world().updates.answer(query);
    }

    /// How many updates are not yet confirmed.
    pub fn waiting(&self) -> usize {
        self.0.world().updates.waiting.len()
    }

    fn chat(&self, id: i64) -> Value {
        let world = self.0.world();
        world
            .chats
            .find(Some(&json!(id)))
            .map_or_else(|_| json!({ "id": id, "type": "private" }), ChatConfig::to_json)
    }
}

fn person(id: i64) -> Value {
    json!({ "id": id, "is_bot": false, "first_name": format!("Person {id}") })
}
