//! Webhooks, as far as getUpdates minds them: nothing is ever sent to one.

use serde_json::{Value, json};

use crate::World;
use crate::journal::Verdict;
use crate::methods::{Outcome, Params};
use crate::wire::Refusal;

/// Most characters of a webhook's secret.
const SECRET_CHARS: usize = 256;

/// setWebhook. An empty URL takes the webhook away.
pub(crate) fn set(world: &mut World, params: &Params) -> Outcome {
    let url = params.get("url").and_then(Value::as_str).unwrap_or_default();
    if url.is_empty() {
        return Ok(delete(world, params));
    }
    if !url.starts_with("https://") {
        return Err(Refusal::bad(
            "bad webhook: An HTTPS URL must be provided for webhook",
        ));
    }
    judge_secret(params)?;
    world.updates.allow(params);
    world.updates.set_webhook(Some(url.to_owned()), params);
    Ok((json!(true), Verdict::Done))
}

/// deleteWebhook. What waits goes on waiting, for getUpdates, unless it is to be dropped.
pub(crate) fn delete(world: &mut World, params: &Params) -> (Value, Verdict) {
    world.updates.set_webhook(None, params);
    (json!(true), Verdict::Done)
}

fn judge_secret(params: &Params) -> Result<(), Refusal> {
    let Some(secret) = params.get("secret_token").and_then(Value::as_str) else {
        return Ok(());
    };
    if secret.len() > SECRET_CHARS {
        return Err(Refusal::bad("secret token is too long"));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if secret.chars().all(allowed) {
        Ok(())
    } else {
        Err(Refusal::bad("secret token contains unallowed characters"))
    }
}
