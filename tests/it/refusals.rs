//! What Telegram refuses of a message is left out of it; the message comes all the same.

use botapi::{ChatConfig, ChatKind, Config, Fault, FaultKind, LimitConfig, Message};

use crate::support::{ME, Sandbox, total, until};

const FORUM: i64 = -1_001_234_567_890;
const TOPIC: i64 = 42;

fn sandbox(rule: &str) -> Sandbox {
    let config = Config::default()
        .chat(ChatConfig::new(ME, ChatKind::Private))
        .chat(ChatConfig::new(FORUM, ChatKind::Supergroup).topics(&[TOPIC]));
    let sandbox = Sandbox::with(config.limits(LimitConfig::off()));
    sandbox.rules_toml(&format!(
        "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n[chats.me]\nid = {ME}\n\
         [chats.forum]\nid = {FORUM}\ntopic = {TOPIC}\nnotices = false\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\nmultiline = \"off\"\n\
         [[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nchats = [\"forum\"]\nwait = \"0s\"\nevery = \"100ms\"\n\
         quiet = \"1h\"\n{rule}",
        sandbox.path("logs").display()
    ));
    sandbox
}

fn messages(sandbox: &Sandbox) -> Vec<Message> {
    sandbox.api.journal().messages(FORUM)
}

fn tells(sandbox: &Sandbox, count: u64) -> bool {
    let messages = messages(sandbox);
    let live = messages.iter().rev().find(|message| !message.deleted);
    live.is_some_and(|message| total(&message.text) == count)
}

/// How often a new message was refused in these words.
fn refused(sandbox: &Sandbox, words: &str) -> usize {
    let requests = sandbox.api.journal().requests();
    let refused = |request: &&botapi::Request| format!("{:?}", request.verdict).contains(words);
    requests.iter().filter(refused).count()
}

#[test]
fn a_topic_that_is_gone_is_left_out_once_and_for_all() {
    let sandbox = sandbox("");
    sandbox
        .api
        .chats()
        .set(ChatConfig::new(FORUM, ChatKind::Supergroup));
    let running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR one\n");
    until("it is told outside of the topic", || tells(&sandbox, 1));
    let live = messages(&sandbox).remove(0);
    assert_eq!(live.thread, None);
    // Another message, after a restart: nobody asks for the topic again.
    assert!(running.terminate().success());
    sandbox.api.chats().delete_message(FORUM, live.message_id);
    let running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR two\n");
    until("a new message is told outside of the topic", || {
        tells(&sandbox, 2)
    });
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    assert_eq!(refused(&sandbox, "thread not found"), 1);
}

#[test]
fn a_live_message_that_was_deleted_is_replaced_by_a_silent_one_when_there_is_more_to_tell() {
    let sandbox = sandbox("");
    let running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR one\n");
    until("it is told", || tells(&sandbox, 1));
    let live = messages(&sandbox).remove(0);
    sandbox.api.chats().delete_message(FORUM, live.message_id);
    sandbox.append("app.log", "ERROR two\n");
    until("it is told anew", || tells(&sandbox, 2));
    sandbox.append("app.log", "ERROR three\n");
    until("the new message is the live one", || tells(&sandbox, 3));
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    let messages = messages(&sandbox);
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(!messages[0].silent && messages[1].silent, "{messages:?}");
    assert!(!messages[1].text.contains("may repeat"), "{messages:?}");
}

#[test]
fn link_buttons_that_telegram_refuses_are_left_out_and_that_is_told() {
    let sandbox = sandbox("buttons = [{ text = \"Runbook\", url = \"https://wiki.example.com/x\" }]\n");
    let refusal = FaultKind::Error {
        status: 400,
        code: 400,
        description:
            "Bad Request: inline keyboard button URL 'https://wiki.example.com/x' is invalid: Wrong HTTP URL"
                .to_owned(),
    };
    let running = sandbox.start(&[]);
    until("it started", || sandbox.last_text().contains("started"));
    sandbox
        .api
        .faults()
        .push(Fault::once(refusal).method("sendMessage").chat(FORUM));
    sandbox.append("app.log", "ERROR one\n");
    until("it is told", || tells(&sandbox, 1));
    until("somebody hears why there is no button", || {
        sandbox.all_texts().contains("button")
    });
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    let messages = messages(&sandbox);
    assert_eq!(
        (messages.len(), messages[0].keyboard.as_ref()),
        (1, None),
        "{messages:?}"
    );
}
