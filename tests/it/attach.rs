//! `attach = "lines"`: what no message has room for comes as a document.

use std::fmt::Write as _;
use std::time::Duration;

use botapi::{ChatConfig, ChatKind, Config, LimitConfig, Message};

use crate::support::{ME, Sandbox, until};

const RULE: &str = "[[rules]]\nname = \"db-error\"\nmatch = 'ERROR'\nresolve = 'all well'\nattach = \"lines\"\n\
                    wait = \"0s\"\nevery = \"100ms\"\nquiet = \"1h\"\n";

/// The chat's messages once one of them brings a document.
#[track_caller]
fn with_document(sandbox: &Sandbox) -> Vec<Message> {
    let journal = sandbox.api.journal();
    let found = journal.wait(Duration::from_mins(1), |journal| {
        journal
            .messages(ME)
            .iter()
            .any(|message| message.document.is_some())
    });
    let messages = journal.messages(ME);
    assert!(found, "{messages:#?}\n{}", sandbox.stderr());
    messages
}

/// Sixty events that each say something of their own, one of them a secret and a trace.
fn storm() -> String {
    let mut lines = String::new();
    for n in 0..60 {
        let long = "x".repeat(100);
        writeln!(
            lines,
            "ERROR order {n} of {long} failed: \u{1b}[31mno answer\u{1b}[0m"
        )
        .unwrap();
    }
    lines + "ERROR password=hunter2 is wrong\n\tat login\n"
}

#[test]
fn all_kept_lines_follow_in_reply_to_the_message_when_it_is_over() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(RULE);
    let running = sandbox.start(&[]);
    sandbox.append("a.log", &storm());
    until("the opening", || !sandbox.api.journal().messages(ME).is_empty());
    sandbox.append("a.log", "INFO all well\n");
    let messages = with_document(&sandbox);
    running.terminate();
    let (live, last) = (&messages[0], messages.last().unwrap());
    assert!(live.text.contains("resolved: over after"), "{messages:#?}");
    assert_eq!((last.reply_to, last.silent), (Some(live.message_id), true));
    assert!(last.text.contains("all 61 matches"), "{}", last.text);
    let document = last.document.as_ref().unwrap();
    assert!(document.file_name.starts_with("db-error-2") && document.utf8);
    let lines: Vec<&str> = document.content.lines().collect();
    assert_eq!(lines.len(), 62);
    let first = format!("ERROR order 0 of {} failed: no answer", "x".repeat(100));
    assert_eq!(lines[0], first);
    assert_eq!(
        lines[60..],
        ["ERROR password=[redacted] is wrong", "    at login"]
    );
    assert_eq!(sandbox.api.journal().complaints(), Vec::<String>::new());
}

#[test]
fn a_document_that_was_under_way_in_a_crash_is_sent_again_and_says_so() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(RULE);
    let running = sandbox.start(&[]);
    sandbox.append("a.log", &storm());
    until("the opening", || !sandbox.api.journal().messages(ME).is_empty());
    // Telegram takes it, and nobody hears of that.
    sandbox
        .api
        .faults()
        .push(botapi::Fault::always(botapi::FaultKind::Late { ms: 600_000 }).method("sendDocument"));
    sandbox.append("a.log", "INFO all well\n");
    with_document(&sandbox);
    running.kill_nine();
    sandbox.api.faults().clear();
    let running = sandbox.start(&[]);
    let documents = || {
        let mut messages = sandbox.api.journal().messages(ME);
        messages.retain(|message| message.document.is_some());
        messages
    };
    until("the second document", || documents().len() == 2);
    running.terminate();
    let documents = documents();
    assert!(!documents[0].text.contains("may repeat") && documents[1].text.contains("may repeat"));
    assert_eq!(documents[0].document, documents[1].document);
}

#[test]
fn where_documents_are_refused_the_message_stands_alone_and_the_ledger_adds_up() {
    let chat = ChatConfig::new(ME, ChatKind::Group).without_documents();
    let sandbox = Sandbox::with(Config::default().chat(chat).limits(LimitConfig::off()));
    sandbox.rules(RULE);
    let text = std::fs::read_to_string(sandbox.path("rules.toml")).unwrap();
    sandbox.rules_toml(&text.replace("notices = false", "notices = true"));
    let running = sandbox.start(&[]);
    sandbox.append("a.log", &storm());
    until("the opening", || sandbox.all_texts().contains("db-error"));
    sandbox.append("a.log", "INFO all well\n");
    until("a word about it", || {
        sandbox.all_texts().contains("could not be attached")
    });
    running.terminate();
    let texts = sandbox.all_texts();
    assert!(texts.contains("not enough rights to send documents"), "{texts}");
    assert!(texts.contains("resolved: over after"), "{texts}");
    assert_eq!(sandbox.api.journal().requests_of("sendDocument").len(), 1);
}

#[test]
fn a_dry_run_prints_the_document_too() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(RULE);
    sandbox.append("a.log", &(storm() + "INFO all well\n"));
    let output = sandbox.finish(&["run", "--once", "--dry-run"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        shown.contains("   with db-error-2") && shown.contains("   | ERROR order 0 of "),
        "{shown}"
    );
    assert!(
        shown.contains("   | ERROR password=[redacted] is wrong"),
        "{shown}"
    );
    assert_eq!(sandbox.api.journal().requests().len(), 0);
}
