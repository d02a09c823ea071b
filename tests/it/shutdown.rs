//! Told to end, it ends in time whatever Telegram does, and the next start takes up what was left.

use std::time::{Duration, Instant};

use botapi::{ChatConfig, ChatKind, Config, Fault, FaultKind};
use serde_json::json;

use crate::support::{ME, Running, Sandbox, total, until, until_within};

const YOU: i64 = 4343;
const RULE: &str = "[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"0s\"\nevery = \"1s\"\n";

/// Ends within the ten seconds that Docker gives.
#[track_caller]
fn ends_in_time(sandbox: &Sandbox, running: Running) {
    let asked = Instant::now();
    let status = running.terminate();
    assert!(status.success(), "{status}: {}", sandbox.stderr());
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "it took {:?}",
        asked.elapsed()
    );
}

#[test]
fn with_telegram_silent_it_ends_in_time_and_delivers_at_the_next_start() {
    let sandbox = Sandbox::new();
    sandbox.rules(RULE);
    sandbox.api.faults().always(FaultKind::Stall {
        ms: 60_000,
        store: false,
    });
    let running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR into the silence\n");
    until("the request is under way", || sandbox.requests() == 1);
    ends_in_time(&sandbox, running);
    // The same shape: another one would rightly ring once more.
    sandbox.append("app.log", "ERROR into the silence\n");
    sandbox.api.faults().clear();

    let running = sandbox.start(&[]);
    until("both lines are told", || {
        !sandbox.last_text().is_empty() && total(&sandbox.last_text()) == 2
    });
    let messages = sandbox.api.journal().messages(ME);
    assert_eq!(messages.len(), 1, "{messages:#?}");
    let first = messages[0]
        .earlier
        .first()
        .map_or(&messages[0].text, |version| &version.text);
    assert!(
        first.contains("may repeat"),
        "a request was under way, so it might have arrived: {first}"
    );
    ends_in_time(&sandbox, running);
}

#[test]
fn a_429_of_an_hour_delays_no_end_and_holds_across_the_restart() {
    let chat = |id| ChatConfig::new(id, ChatKind::Private);
    let sandbox = Sandbox::with(Config::default().chat(chat(ME)).chat(chat(YOU)));
    sandbox.rules_toml(&format!(
        "[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false }}\nyou = {YOU}\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\n\
         {RULE}chats = [\"me\"]\n[[rules]]\nname = \"canary\"\nmatch = 'CANARY'\nwait = \"0s\"\nchats = [\"you\"]\n",
        sandbox.path("logs").display()
    ));
    sandbox
        .api
        .faults()
        .push(Fault::once(too_many(3600)).method("sendMessage"));
    let running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR too much\n");
    until("the 429 was heard", || sandbox.stderr().contains("not delivered"));
    ends_in_time(&sandbox, running);

    let running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR once more\nCANARY\n");
    let sings = || {
        sandbox
            .api
            .journal()
            .messages(YOU)
            .iter()
            .any(|message| message.text.contains("CANARY"))
    };
    until("the other chat is told", sings);
    ends_in_time(&sandbox, running);
    let of_me = sandbox
        .api
        .journal()
        .requests()
        .iter()
        .filter(|request| request.chat == Some(ME))
        .count();
    assert_eq!(of_me, 1, "a chat that is closed for an hour was asked again");
    assert!(sandbox.stderr().contains("pending=2"), "{}", sandbox.stderr());
}

#[test]
fn what_a_429_held_back_is_delivered_after_the_restart() {
    let sandbox = Sandbox::new();
    sandbox.rules(RULE);
    sandbox
        .api
        .faults()
        .push(Fault::once(too_many(3)).method("sendMessage"));
    let running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR too much\n");
    until("the 429 was heard", || sandbox.stderr().contains("not delivered"));
    ends_in_time(&sandbox, running);
    assert!(sandbox.last_text().is_empty());

    let running = sandbox.start(&[]);
    until("it is told", || sandbox.last_text().contains("ERROR too much"));
    let messages = sandbox.api.journal().messages(ME);
    assert_eq!(messages.len(), 1);
    assert!(
        !messages[0].text.contains("may repeat"),
        "a 429 surely was not delivered: {}",
        messages[0].text
    );
    ends_in_time(&sandbox, running);
}

#[test]
fn a_second_signal_ends_it_at_once_and_loses_nothing() {
    let sandbox = Sandbox::new();
    sandbox.rules(RULE);
    sandbox.api.faults().always(FaultKind::Stall {
        ms: 60_000,
        store: false,
    });
    let mut running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR into the silence\n");
    until("the request is under way", || sandbox.requests() == 1);
    // Waiting for Telegram would end with 0; only the second signal ends with 1. Two signals that come
    // together are one, so they are repeated.
    let mut ended = None;
    until_within(Duration::from_secs(8), "it ended", || {
        running.ask_to_end();
        std::thread::sleep(Duration::from_millis(200));
        ended = running.exited();
        ended.is_some()
    });
    assert_eq!(ended.unwrap().code(), Some(1), "{}", sandbox.stderr());
    assert!(sandbox.stderr().contains("second signal"), "{}", sandbox.stderr());
    sandbox.api.faults().clear();
    sandbox.once();
    assert_eq!(total(&sandbox.last_text()), 1);
}

fn too_many(retry_after: u64) -> FaultKind {
    FaultKind::TooMany {
        retry_after: Some(json!(retry_after)),
    }
}
