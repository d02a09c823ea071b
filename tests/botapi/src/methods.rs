//! The Bot API's methods: what each asks of the world and changes in it.
//!
//! The order of checks is the server's: the request itself, then the chat, then the flood limits, then what
//! only Telegram's inner servers know (topics, replies, edited messages). So a malformed request costs no
//! budget and an edit that changes nothing does. getUpdates waits and therefore lives in `server`.

use serde_json::{Map, Value, json};

use crate::chats::ChatConfig;
use crate::journal::{Document, Message, Verdict};
use crate::judge::{self, Draft};
use crate::wire::Refusal;
use crate::{World, webhook};

/// Most characters of an answer to a callback query.
const ANSWER_CHARS: usize = 200;
/// Most commands in a menu.
const MOST_COMMANDS: usize = 100;

pub(crate) type Params = Map<String, Value>;
pub(crate) type Outcome = Result<(Value, Verdict), Refusal>;

/// Carries a method out, or refuses it.
pub(crate) fn perform(world: &mut World, method: &str, params: &Params) -> Outcome {
    match method.to_ascii_lowercase().as_str() {
        "getme" => Ok((me(), Verdict::Done)),
        "sendmessage" => send_message(world, params),
        "editmessagetext" => edit_message_text(world, params),
        "senddocument" => send_document(world, params),
        "answercallbackquery" => answer_callback_query(world, params),
        "setmycommands" => set_my_commands(params),
        "getchat" => get_chat(world, params),
        "getchatmember" => get_chat_member(world, params),
        "setwebhook" => webhook::set(world, params),
        "deletewebhook" => Ok(webhook::delete(world, params)),
        "getwebhookinfo" => Ok((world.updates.webhook_info(), Verdict::Done)),
        _ => Err(Refusal::plain(404, "Not Found: method not found")),
    }
}

/// The bot, as getMe shows it.
pub(crate) fn me() -> Value {
    json!({
        "id": 42, "is_bot": true, "first_name": "Test bot", "username": "tailgram_test_bot",
        "can_join_groups": true, "can_read_all_group_messages": false, "supports_inline_queries": false,
    })
}

fn send_message(world: &mut World, params: &Params) -> Outcome {
    judge::refuse_nulls(params)?;
    let draft = judge::draft(params)?;
    let chat = world.chats.find(params.get("chat_id"))?.clone();
    chat.admit()?;
    store(world, &chat, params, draft, None)
}

fn send_document(world: &mut World, params: &Params) -> Outcome {
    judge::refuse_nulls(params)?;
    let document = judge::document(params)?;
    if document.bytes > world.document_bytes {
        return Err(Refusal::plain(413, "Request Entity Too Large"));
    }
    let draft = judge::caption(params)?;
    let chat = world.chats.find(params.get("chat_id"))?.clone();
    chat.admit()?;
    chat.admit_document()?;
    store(world, &chat, params, draft, Some(document))
}

/// What the flood limits and Telegram's inner servers say, and the message if they let it pass.
fn store(
    world: &mut World,
    chat: &ChatConfig,
    params: &Params,
    draft: Draft,
    document: Option<Document>,
) -> Outcome {
    world.spend(chat)?;
    let thread = integer(params, "message_thread_id")?;
    chat.admit_thread(thread)?;
    let reply_to = reply(world, chat.id, params)?;
    let message = Message {
        chat: chat.id,
        message_id: world.journal.next_message(chat.id),
        thread,
        text: draft.text,
        document,
        earlier: Vec::new(),
        entities: draft.entities,
        live: draft.live,
        silent: params.get("disable_notification") == Some(&Value::Bool(true)),
        protected: params.get("protect_content") == Some(&Value::Bool(true)),
        reply_to,
        keyboard: draft.keyboard,
        sent_at: world.clock.unix_ms(),
        edited_at: None,
        complaints: draft.complaints,
        request: world.journal.next_request(),
        edits: Vec::new(),
        deleted: false,
    };
    let verdict = Verdict::Stored {
        message_id: message.message_id,
    };
    let result = shown(world, &message);
    world.journal.store(message);
    Ok((result, verdict))
}

fn edit_message_text(world: &mut World, params: &Params) -> Outcome {
    judge::refuse_nulls(params)?;
    let draft = judge::draft(params)?;
    let chat = world.chats.find(params.get("chat_id"))?.clone();
    chat.admit()?;
    let message_id = integer(params, "message_id")?;
    let message_id = message_id.ok_or_else(|| Refusal::bad("message identifier is not specified"))?;
    world.spend(&chat)?;
    let message = replace(world, chat.id, message_id, draft)?;
    Ok((shown(world, &message), Verdict::Edited { message_id }))
}

/// Puts the draft in the place of the message's text and returns the message.
fn replace(world: &mut World, chat: i64, message_id: i64, draft: Draft) -> Result<Message, Refusal> {
    let (now, request) = (world.clock.unix_ms(), world.journal.next_request());
    let message = world.journal.message_mut(chat, message_id);
    let message = message.ok_or_else(|| Refusal::bad("message to edit not found"))?;
    if message.document.is_some() {
        return Err(Refusal::bad("there is no text in the message to edit"));
    }
    if message.equals(&draft) {
        return Err(Refusal::bad(
            "message is not modified: specified new message content and reply markup are exactly the same \
             as a current content and reply markup of the message",
        ));
    }
    message.edit(draft, now, request);
    Ok(message.clone())
}

/// The message to reply to: none when it is missing and that is allowed.
fn reply(world: &mut World, chat: i64, params: &Params) -> Result<Option<i64>, Refusal> {
    let Some(reply) = params.get("reply_parameters") else {
        return Ok(None);
    };
    let target = reply.get("message_id").and_then(Value::as_i64);
    let target = target.ok_or_else(|| Refusal::bad("can't parse reply parameters: message_id expected"))?;
    let allowed = reply.get("allow_sending_without_reply") == Some(&Value::Bool(true));
    match world.journal.message_mut(chat, target) {
        Some(_) => Ok(Some(target)),
        None if allowed => Ok(None),
        None => Err(Refusal::bad("message to be replied not found")),
    }
}

fn integer(params: &Params, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(value) = params.get(name) else {
        return Ok(None);
    };
    let number = value
        .as_i64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    number
        .map(Some)
        .ok_or_else(|| Refusal::bad(&format!("field \"{name}\" must be an integer")))
}

/// A message as results show it.
fn shown(world: &World, message: &Message) -> Value {
    let chat = world
        .chats
        .find(Some(&json!(message.chat)))
        .map(ChatConfig::to_json);
    let mut shown = json!({
        "message_id": message.message_id,
        "date": message.sent_at / 1000,
        "chat": chat.unwrap_or(Value::Null),
        "from": me(),
    });
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            shown[name] = value;
        }
    };
    let (text, entities) = match &message.document {
        Some(document) => {
            add(
                "document",
                Some(json!({ "file_name": document.file_name, "file_size": document.bytes })),
            );
            ("caption", "caption_entities")
        }
        None => ("text", "entities"),
    };
    add(text, (!message.text.is_empty()).then(|| json!(message.text)));
    add(
        entities,
        (!message.entities.is_empty()).then(|| json!(message.entities)),
    );
    add("message_thread_id", message.thread.map(|id| json!(id)));
    add("is_topic_message", message.thread.map(|_| json!(true)));
    add("edit_date", message.edited_at.map(|at| json!(at / 1000)));
    add(
        "reply_to_message",
        message.reply_to.map(|id| json!({ "message_id": id, "date": 0 })),
    );
    let inline = message
        .keyboard
        .clone()
        .filter(|keyboard| keyboard.get("inline_keyboard").is_some());
    add("reply_markup", inline);
    shown
}

fn get_chat(world: &World, params: &Params) -> Outcome {
    judge::refuse_nulls(params)?;
    let chat = world.chats.find(params.get("chat_id"))?;
    chat.admit_reading()?;
    Ok((chat.to_full_json(), Verdict::Done))
}

/// What a member may do. Only the bot itself is known to be one.
fn get_chat_member(world: &World, params: &Params) -> Outcome {
    judge::refuse_nulls(params)?;
    let chat = world.chats.find(params.get("chat_id"))?;
    chat.admit_reading()?;
    let bot = me();
    if integer(params, "user_id")? != bot["id"].as_i64() {
        return Err(Refusal::bad("member not found"));
    }
    let mut member = chat.bot_as_member();
    member["user"] = bot;
    Ok((member, Verdict::Done))
}

fn answer_callback_query(world: &mut World, params: &Params) -> Outcome {
    judge::refuse_nulls(params)?;
    let text = params.get("text").and_then(Value::as_str).unwrap_or_default();
    if text.chars().count() > ANSWER_CHARS {
        return Err(Refusal::bad("MESSAGE_TOO_LONG"));
    }
    let query = params
        .get("callback_query_id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !world.updates.answer(query) {
        return Err(Refusal::bad(
            "query is too old and response timeout expired or query ID is invalid",
        ));
    }
    Ok((json!(true), Verdict::Done))
}

fn set_my_commands(params: &Params) -> Outcome {
    judge::refuse_nulls(params)?;
    let commands = params.get("commands").and_then(Value::as_array);
    let commands = commands.ok_or_else(|| Refusal::bad("can't parse commands: array expected"))?;
    if commands.len() > MOST_COMMANDS {
        return Err(Refusal::bad("BOT_COMMANDS_TOO_MUCH"));
    }
    for command in commands {
        let text = |name: &str| command.get(name).and_then(Value::as_str).unwrap_or_default();
        let named = (1..=32).contains(&text("command").len())
            && text("command")
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !named {
            return Err(Refusal::bad("BOT_COMMAND_INVALID"));
        }
        if !(1..=256).contains(&text("description").chars().count()) {
            return Err(Refusal::bad("BOT_COMMAND_DESCRIPTION_INVALID"));
        }
    }
    Ok((json!(true), Verdict::Done))
}
