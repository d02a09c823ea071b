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
