//! The tests' door over HTTP, for a server that runs as its own process: everything under `/_test/`.
//!
//! `GET ready`, `GET journal`, `POST chats`, `POST faults` (an object, a list, or `{"clear":true}`),
//! `POST limits`, `POST updates`, `POST close?ms=N`. No fault touches these paths. The trap: `close` shuts
//! the port for this door too, until its time is over.

use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Shared;
use crate::chats::{ChatConfig, Chats};
use crate::faults::{Fault, Faults};
use crate::flood::{LimitConfig, Limits};
use crate::server::Door;
use crate::updates::Updates;
use crate::wire::{Answer, Refusal};

/// Answers a request of the test itself.
pub(crate) fn answer(
    hall: &Shared,
    method: &Method,
    what: &str,
    query: Option<&str>,
    body: &Bytes,
) -> Answer {
    let done = match (method == Method::POST, what) {
        (false, "ready") => Ok(json!({ "ok": true })),
        (false, "journal") => Ok(hall.world().journal.to_json()),
        (true, "chats") => set_chats(hall, body),
        (true, "faults") => set_faults(hall, body),
        (true, "limits") => set_limits(hall, body),
        (true, "updates") => push_updates(hall, body),
        (true, "close") => close(hall, query),
        _ => return Answer::refused(&Refusal::plain(404, "Not Found")),
    };
    match done {
        Ok(result) => Answer::json(200, &result),
        Err(why) => Answer::refused(&Refusal::bad(&why)),
    }
}

/// One value or a list of them.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<Vec<T>, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let items = if let Value::Array(items) = value {
        items
    } else {
        vec![value]
    };
    items
        .into_iter()
        .map(|item| serde_json::from_value(item).map_err(|error| error.to_string()))
        .collect()
}

fn set_chats(hall: &Shared, body: &Bytes) -> Result<Value, String> {
    let chats = Chats(hall.clone());
    for chat in read::<ChatConfig>(body)? {
        chats.set(chat);
    }
    Ok(json!({ "ok": true }))
}

fn set_faults(hall: &Shared, body: &Bytes) -> Result<Value, String> {
    let faults = Faults(hall.clone());
    if serde_json::from_slice(body).is_ok_and(|value: Value| value["clear"] == json!(true)) {
        faults.clear();
        return Ok(json!({ "ok": true }));
    }
    for fault in read::<Fault>(body)? {
        faults.push(fault);
    }
    Ok(json!({ "ok": true, "pending": faults.pending() }))
}

fn set_limits(hall: &Shared, body: &Bytes) -> Result<Value, String> {
    for config in read::<LimitConfig>(body)? {
        Limits(hall.clone()).set(config);
    }
    Ok(json!({ "ok": true }))
}

fn push_updates(hall: &Shared, body: &Bytes) -> Result<Value, String> {
    let updates = Updates(hall.clone());
    let ids: Vec<i64> = read::<Value>(body)?
        .into_iter()
        .map(|update| updates.push(update))
        .collect();
    Ok(json!({ "ok": true, "update_ids": ids }))
}

fn close(hall: &Shared, query: Option<&str>) -> Result<Value, String> {
    let ms = query
        .and_then(|query| query.strip_prefix("ms="))
        .and_then(|ms| ms.parse().ok());
    let ms = ms.ok_or("close needs ?ms=N, the milliseconds until the port opens again")?;
    let hall = hall.clone();
    tokio::spawn(async move {
        // Closing takes all connections along, this one too, and its answer should be out by then.
        tokio::time::sleep(Duration::from_millis(20)).await;
        hall.wish(Door::ShutFor(ms));
    });
    Ok(json!({ "ok": true }))
}
