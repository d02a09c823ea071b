//! Bytes that were destroyed before they were read are told in the chat, counted in `status`, and remembered.

use std::fs;

use serde_json::Value;

use crate::support::{ME, Running, Sandbox, until};

/// A sandbox whose chat hears notices.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::unlimited();
    sandbox.rules_toml(&format!(
        "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n[chats]\nme = {ME}\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\nmultiline = \"off\"\npartial = \"10m\"\n\
         [[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"0s\"\nevery = \"100ms\"\n",
        sandbox.path("logs").display()
    ));
    sandbox
}

fn status(sandbox: &Sandbox) -> Value {
    let output = sandbox.finish(&["status", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// The one gap that `status` knows, once it does: file, kind and bytes, and that it has a time.
fn gap(sandbox: &Sandbox) -> (String, String, u64) {
    until("status knows the gap", || {
        status(sandbox)["gaps"]
            .as_array()
            .is_some_and(|gaps| !gaps.is_empty())
    });
    let gaps = status(sandbox)["gaps"].clone();
    assert_eq!(gaps.as_array().unwrap().len(), 1, "{gaps}");
    let text = |key: &str| gaps[0][key].as_str().unwrap().to_owned();
    assert!(text("at").starts_with("20") && text("at").contains('T'), "{gaps}");
    (text("path"), text("kind"), gaps[0]["bytes"].as_u64().unwrap())
}

fn started(sandbox: &Sandbox) -> Running {
    sandbox.append("app.log", "ERROR one\n");
    let running = sandbox.start(&[]);
    sandbox.told("ERROR one");
    running
}

#[test]
fn what_a_cut_destroyed_is_told_with_its_size_and_is_still_known_after_a_restart() {
    let sandbox = sandbox();
    let running = started(&sandbox);
    sandbox.append("app.log", "half a line");
    until("it is seen", || {
        status(&sandbox)["logs"][0]["files"][0]["lag_bytes"] == 11
    });
    sandbox.open("app.log").set_len(0).unwrap();
    sandbox.told("app.log was cut before it was read to its end; at least 11 bytes are lost");
    let path = sandbox.log("app.log").display().to_string();
    let expected = (path, "truncated".to_owned(), 11);
    assert_eq!(gap(&sandbox), expected);
    sandbox.append("app.log", "ERROR two\n");
    sandbox.told("ERROR two");
    assert!(running.terminate().success());
    let _running = sandbox.start(&[]);
    assert_eq!(gap(&sandbox), expected);
}

#[test]
fn a_generation_that_vanished_while_nobody_looked_is_told_and_what_came_after_it_is_read() {
    let sandbox = sandbox();
    let running = started(&sandbox);
    assert!(running.terminate().success());
    sandbox.append("app.log", "ERROR never read\n");
    // Held open, so that its inode is not used again at once.
    let _held = sandbox.open("app.log");
    fs::remove_file(sandbox.log("app.log")).unwrap();
    sandbox.append("app.log", "ERROR three\n");
    let _running = sandbox.start(&[]);
    sandbox.told("ERROR three");
    sandbox.told("app.log was gone after a restart before it was read to its end");
    let path = sandbox.log("app.log").display().to_string();
    assert_eq!(gap(&sandbox), (path, "vanished".to_owned(), 0));
    assert!(!sandbox.all_texts().contains("never read"));
}
