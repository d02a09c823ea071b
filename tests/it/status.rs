//! What the program says about itself.

use std::time::Duration;

use crate::support::{ME, Sandbox, total, until};

const RULES: &str = "[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"100ms\"\nevery = \"100ms\"\n";

fn status(sandbox: &Sandbox) -> serde_json::Value {
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
    sandbox.api.journal().wait(Duration::from_secs(30), |journal| {
        !journal.messages(ME).is_empty()
    });
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
