//! `status` and `status --json`: how the running process is.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{ME, Sandbox, eventually, total, until};

const RULES: &str = "[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"100ms\"\nevery = \"100ms\"\n";

fn status(sandbox: &Sandbox) -> Value {
    let output = sandbox.finish(&["status", "--json"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn healthy(sandbox: &Sandbox) -> bool {
    sandbox.finish(&["health"]).status.success()
}

#[test]
fn the_ledger_in_status_agrees_with_what_the_phone_shows() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(RULES).append("app.log", &"ERROR one\n".repeat(7));
    let _running = sandbox.start(&[]);
    let told = sandbox
        .api
        .journal()
        .wait(Duration::from_mins(1), |journal| !journal.messages(ME).is_empty());
    assert!(told, "{}", sandbox.stderr());
    sandbox.append("app.log", &"ERROR two\n".repeat(5));
    until("the totals are told", || {
        total(&sandbox.last_text_of_first()) == 12
    });
    until("status knows it", || {
        status(&sandbox)["ledger"][0]["pending"] == 0 && healthy(&sandbox)
    });
    let status = status(&sandbox);
    let line = &status["ledger"][0];
    let column = |name: &str| line[name].as_u64().unwrap();
    assert_eq!(column("matched"), 12);
    assert_eq!(column("shown") + column("counted"), 12);
    assert!(column("shown") >= 2, "{line}");
    assert_eq!(status["found"][0]["found"], 12);
    assert_eq!(status["incidents"][0]["total"], 12);
    assert_eq!(status["logs"][0]["files"][0]["state"], "following");
    assert_eq!(status["logs"][0]["files"][0]["lag_bytes"], 0);
    assert_eq!(status["chats"][0]["state"], "ok");
    let keys: Vec<&str> = status.as_object().unwrap().keys().map(String::as_str).collect();
    for key in [
        "version",
        "pid",
        "uptime_s",
        "healthy",
        "reasons",
        "mutes",
        "gaps",
        "strangers",
    ] {
        assert!(keys.contains(&key), "{key} is missing in {keys:?}");
    }
}

#[test]
fn the_account_of_a_removed_rule_is_still_shown_and_marked() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(RULES).append("app.log", "ERROR one\n");
    sandbox.once();
    let other = RULES.replace("oops", "other").replace("ERROR", "PANIC");
    sandbox.rules(&other);
    let _running = sandbox.start(&[]);
    sandbox.append("app.log", "PANIC two\n");
    until("both accounts are shown", || {
        healthy(&sandbox) && status(&sandbox)["ledger"].as_array().unwrap().len() == 2
    });
    let status = status(&sandbox);
    let removed = |what: &str| -> Vec<(String, bool)> {
        let rows = status[what].as_array().unwrap().iter();
        rows.map(|row| {
            (
                row["rule"].as_str().unwrap().to_owned(),
                row["removed"].as_bool().unwrap(),
            )
        })
        .collect()
    };
    let expected = [("oops".to_owned(), true), ("other".to_owned(), false)];
    assert_eq!(removed("ledger"), expected);
    assert_eq!(removed("found"), expected);
    let page = sandbox.finish(&["status"]).stdout;
    let page = String::from_utf8(page).unwrap();
    let marked: Vec<&str> = page.lines().filter(|line| line.ends_with("  removed")).collect();
    assert!(marked.len() == 1 && marked[0].contains("oops"), "{page}");
}

/// What scripts rely on: every field with the kind of value it has. A list shows what its entries are.
const SHAPE: &str = r#"{"version": "", "pid": 0, "uptime_s": 0, "healthy": true, "reasons": [],
 "logs": [{"name": "", "files": [{"path": "", "state": "", "offset": 0, "size": 0, "lag_bytes": 0}]}],
 "descriptors": {"open": 0, "most": 0, "waiting": 0, "deleted_bytes": 0},
 "incidents": [{"rule": "", "by": {}, "state": "", "opened_at": "", "last_at": "", "total": 0, "shapes": 0}],
 "chats": [{"name": "", "id": 0, "topic": null, "state": "", "reason": null, "retry_at": null}],
 "mutes": [],
 "ledger": [{"rule": "", "chat": "", "matched": 0, "shown": 0, "counted": 0, "muted": 0, "failed": 0, "pending": 0,
  "removed": false}],
 "found": [{"rule": "", "found": 0, "below": 0, "waiting": 0, "removed": false}],
 "gaps": [{"path": "", "at": "", "kind": "", "bytes": 0}], "strangers": 0}"#;

/// What of the shape is missing in a value, or is of another kind.
fn missing(shape: &Value, value: &Value, path: &str) -> Vec<String> {
    match (shape, value) {
        (Value::Object(fields), Value::Object(values)) => fields
            .iter()
            .flat_map(|(name, shape)| match values.get(name) {
                Some(value) => missing(shape, value, &format!("{path}.{name}")),
                None => vec![format!("{path}.{name}")],
            })
            .collect(),
        (Value::Array(shapes), Value::Array(values)) => match (shapes.first(), values.as_slice()) {
            (Some(_), []) => vec![format!("{path} is empty, so nothing is shown")],
            (Some(shape), values) => values
                .iter()
                .flat_map(|value| missing(shape, value, &format!("{path}[]")))
                .collect(),
            (None, _) => Vec::new(),
        },
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, _) => Vec::new(),
        _ => vec![format!("{path} is {value}")],
    }
}

#[test]
fn status_json_has_every_field_that_scripts_rely_on() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(RULES).append("app.log", "ERROR one\n");
    let running = sandbox.start(&[]);
    until("it is told", || sandbox.last_text_of_first().contains("1 match"));
    // A cut while nobody looks makes a gap.
    running.stop();
    sandbox.append("app.log", "a line that nobody reads\n");
    sandbox.open("app.log").set_len(0).unwrap();
    running.signal(Signal::CONT);
    let shape: Value = serde_json::from_str(SHAPE).unwrap();
    let mut left = Vec::new();
    let complete = eventually(Duration::from_mins(1), || {
        left = missing(&shape, &status(&sandbox), "");
        left.is_empty()
    });
    assert!(complete, "{left:?}");
}

#[test]
fn of_a_process_that_was_killed_there_is_no_status() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(RULES);
    let running = sandbox.start(&[]);
    until("it is healthy", || healthy(&sandbox));
    running.kill_nine();
    assert!(
        sandbox.path("state/status.json").exists(),
        "what it wrote last is still there"
    );
    let output = sandbox.finish(&["status"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no tailgram runs with this state folder"));
}
