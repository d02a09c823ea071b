//! The judge of keyboards: inline buttons, their data and their links.
//!
//! Only inline keyboards and `force_reply` are known; others are refused. The trap: the limit of
//! `callback_data` counts bytes, the one of `copy_text` counts characters.

use serde_json::{Map, Value};

use crate::wire::Refusal;

/// Most buttons under one message.
const MOST_BUTTONS: usize = 100;

/// Checks `reply_markup`; none when there is no keyboard.
pub(crate) fn judge(params: &Map<String, Value>) -> Result<Option<Value>, Refusal> {
    let Some(markup) = params.get("reply_markup") else {
        return Ok(None);
    };
    let Some(fields) = markup.as_object() else {
        return Err(Refusal::bad("object expected as reply markup"));
    };
    if fields.get("force_reply") == Some(&Value::Bool(true)) {
        return Ok(Some(markup.clone()));
    }
    let rows = fields.get("inline_keyboard").and_then(Value::as_array);
    let rows = rows.ok_or_else(|| Refusal::bad("can't parse reply markup: inline_keyboard expected"))?;
    let mut count = 0;
    for row in rows {
        let row = row.as_array();
        for pressed in
            row.ok_or_else(|| Refusal::bad("can't parse inline keyboard: array of arrays expected"))?
        {
            button(pressed)?;
            count += 1;
        }
    }
    if count > MOST_BUTTONS {
        return Err(Refusal::bad("REPLY_MARKUP_TOO_LONG"));
    }
    // A keyboard without buttons is how a bot removes one.
    Ok((count > 0).then(|| markup.clone()))
}

fn button(button: &Value) -> Result<(), Refusal> {
    let text = |name: &str| button.get(name).and_then(Value::as_str);
    if text("text").is_none_or(|shown| shown.trim().is_empty()) {
        return Err(Refusal::bad(
            "can't parse inline keyboard button: field \"text\" must be non-empty",
        ));
    }
    if let Some(url) = text("url") {
        return public_url(url).map_err(|()| {
            Refusal::bad(&format!(
                "inline keyboard button URL '{url}' is invalid: Wrong HTTP URL"
            ))
        });
    }
    if let Some(data) = text("callback_data") {
        let fits = (1..=64).contains(&data.len());
        return if fits {
            Ok(())
        } else {
            Err(Refusal::bad("BUTTON_DATA_INVALID"))
        };
    }
    if let Some(copied) = button
        .get("copy_text")
        .and_then(|copy| copy.get("text"))
        .and_then(Value::as_str)
    {
        let fits = (1..=256).contains(&copied.chars().count());
        return if fits {
            Ok(())
        } else {
            Err(Refusal::bad("BUTTON_COPY_TEXT_INVALID"))
        };
    }
    Err(Refusal::bad("text buttons are unallowed in the inline keyboard"))
}

/// Accepts links that look as if the whole world could open them.
pub(crate) fn public_url(url: &str) -> Result<(), ()> {
    if url.starts_with("tg://") {
        return Ok(());
    }
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .ok_or(())?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit('@')
        .next()
        .unwrap_or_default()
        .split(':')
        .next()
        .unwrap_or_default();
    let labels: Vec<&str> = host.split('.').collect();
    let clean = labels
        .iter()
        .all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_'));
    if clean && labels.len() >= 2 && !url.contains(char::is_whitespace) {
        Ok(())
    } else {
        Err(())
    }
}
