//! What comes from people: the queue behind getUpdates, and callback queries waiting for their answer.
//!
//! Not modelled: the slow-down of a client that asks with the same offset again and again, and negative
//! offsets. The traps: a second getUpdates takes over, and it is the *first* one that gets the 409; and the
//! kinds that a client asks for are remembered for the next one, and hold for what comes later only.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

use crate::Shared;
use crate::chats::ChatConfig;

/// Most updates waiting; the oldest goes when another one comes.
const MOST_WAITING: usize = 10_000;

/// Kinds of updates that come only to those who ask for them by name.
const ON_REQUEST: [&str; 3] = ["chat_member", "message_reaction", "message_reaction_count"];

/// Updates not yet confirmed.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: VecDeque<(i64, Value)>,
    next_id: i64,
    /// Callback queries that can still be answered.
    queries: BTreeSet<String>,
    /// Number of the getUpdates call that owns the queue.
    pub(crate) owner: u64,
    /// Kinds of updates that are kept; none: all but those on request.
    allowed: Option<Vec<String>>,
    /// Where updates are sent in place of waiting for getUpdates.
    webhook: Option<String>,
    /// Names of topics that people opened, by chat and topic.
    topics: BTreeMap<(i64, i64), String>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            next_id: 1000,
            queries: BTreeSet::new(),
            owner: 0,
            allowed: None,
            webhook: None,
            topics: BTreeMap::new(),
        }
    }
}

impl Queue {
    pub(crate) fn push(&mut self, mut update: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        if !self.wants(&update) {
            return id;
        }
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

    /// Whether an update is of a kind that is kept.
    fn wants(&self, update: &Value) -> bool {
        match &self.allowed {
            Some(kinds) => kinds.iter().any(|kind| update.get(kind).is_some()),
            None => !ON_REQUEST.iter().any(|kind| update.get(kind).is_some()),
        }
    }

    /// Remembers `allowed_updates`, which hold until somebody names others; an empty list is the default.
    pub(crate) fn allow(&mut self, params: &Map<String, Value>) {
        if let Some(kinds) = params.get("allowed_updates").and_then(Value::as_array) {
            let kinds = kinds.iter().filter_map(Value::as_str).map(str::to_owned);
            self.allowed = Some(kinds.collect()).filter(|kinds: &Vec<_>| !kinds.is_empty());
        }
    }

    /// Whether getUpdates is closed because updates are sent elsewhere.
    pub(crate) fn has_webhook(&self) -> bool {
        self.webhook.is_some()
    }

    /// Sends updates elsewhere from now on, or keeps them for getUpdates; a poll under way ends.
    pub(crate) fn set_webhook(&mut self, url: Option<String>, params: &Map<String, Value>) {
        if params.get("drop_pending_updates") == Some(&Value::Bool(true)) {
            self.waiting.clear();
        }
        self.webhook = url;
        self.owner += 1;
    }

    /// The webhook as getWebhookInfo shows it.
    pub(crate) fn webhook_info(&self) -> Value {
        let mut info = json!({
            "url": self.webhook.as_deref().unwrap_or_default(),
            "has_custom_certificate": false,
            "pending_update_count": self.waiting.len(),
        });
        // Told with and without a webhook, unless it is the default.
        if let Some(kinds) = &self.allowed {
            info["allowed_updates"] = json!(kinds);
        }
        info
    }

    /// Confirms everything below the offset and returns what is next. Kinds are chosen when updates come,
    /// not here.
    pub(crate) fn next(&mut self, params: &Map<String, Value>) -> Vec<Value> {
        let number = |name: &str| params.get(name).and_then(Value::as_i64);
        if let Some(offset) = number("offset") {
            self.waiting.retain(|(id, _)| *id >= offset);
        }
        let limit = usize::try_from(number("limit").unwrap_or(100).clamp(1, 100)).unwrap_or(100);
        self.waiting
            .iter()
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
        let mut message = self.message(chat, from);
        message["text"] = json!(text);
        if let Some(thread) = thread {
            let opened = self.0.world().updates.topics.get(&(chat, thread)).cloned();
            in_topic(&mut message, thread);
            // A message of a topic answers the one that opened the topic.
            if let Some(name) = opened {
                message["reply_to_message"] =
                    json!({ "message_id": thread, "date": 0, "forum_topic_created": { "name": name } });
            }
        }
        self.push(json!({ "message": message }))
    }

    /// Somebody writes into a channel.
    pub fn post(&self, channel: i64, text: &str) -> i64 {
        let mut message = self.message(channel, channel);
        message["sender_chat"] = self.chat(channel);
        message["text"] = json!(text);
        if let Some(fields) = message.as_object_mut() {
            fields.remove("from");
        }
        self.push(json!({ "channel_post": message }))
    }

    /// A person opens a topic with this id; messages in it name it from now on.
    pub fn open_topic(&self, chat: i64, from: i64, thread: i64, name: &str) -> i64 {
        let mut message = self.message(chat, from);
        in_topic(&mut message, thread);
        message["forum_topic_created"] = json!({ "name": name, "icon_color": 7_322_096 });
        let key = (chat, thread);
        self.0.world().updates.topics.insert(key, name.to_owned());
        self.push(json!({ "message": message }))
    }

    /// A person changes what the bot is in a chat: `member`, `administrator`, `left`, `kicked`.
    pub fn membership(&self, chat: i64, from: i64, old: &str, new: &str) -> i64 {
        let bot = crate::methods::me();
        let date = self.0.world().clock.unix_ms() / 1000;
        self.push(json!({ "my_chat_member": {
            "chat": self.chat(chat), "from": person(from), "date": date,
            "old_chat_member": { "user": bot, "status": old },
            "new_chat_member": { "user": bot, "status": new },
        }}))
    }

    /// A group becomes a supergroup: a last message in the one and a first one in the other.
    pub fn upgrade(&self, group: i64, supergroup: i64, from: i64) {
        let mut last = self.message(group, from);
        last["migrate_to_chat_id"] = json!(supergroup);
        self.push(json!({ "message": last }));
        let mut first = self.message(supergroup, from);
        first["migrate_from_chat_id"] = json!(group);
        self.push(json!({ "message": first }));
    }

    /// Another program sets a webhook, or takes it away.
    pub fn set_webhook(&self, url: Option<&str>) {
        let mut world = self.0.world();
        world.updates.set_webhook(url.map(str::to_owned), &Map::new());
        drop(world);
        self.0.news.notify_waiters();
    }

    /// Where updates are sent now.
    pub fn webhook(&self) -> Option<String> {
        self.0.world().updates.webhook.clone()
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

    /// A message of a person, without what it says.
    fn message(&self, chat: i64, from: i64) -> Value {
        let (number, date) = {
            let world = self.0.world();
            (world.updates.next_id, world.clock.unix_ms() / 1000)
        };
        json!({
            // Far above the bot's own ids, which count from 1.
            "message_id": 1_000_000_000 + number,
            "date": date,
            "chat": self.chat(chat),
            "from": person(from),
        })
    }

    fn chat(&self, id: i64) -> Value {
        let world = self.0.world();
        world
            .chats
            .find(Some(&json!(id)))
            .map_or_else(|_| json!({ "id": id, "type": "private" }), ChatConfig::to_json)
    }
}

fn in_topic(message: &mut Value, thread: i64) {
    message["message_thread_id"] = json!(thread);
    message["is_topic_message"] = json!(true);
}

fn person(id: i64) -> Value {
    json!({ "id": id, "is_bot": false, "first_name": format!("Person {id}") })
}
