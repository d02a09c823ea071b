//! Conditions: when a chat hears something, and when a rule has something to say.

use std::time::Duration;

use botapi::{ChatConfig, ChatKind, Config, LimitConfig, Message};

use tailgram::store::Store;

use crate::support::{ME, Sandbox, until};

const OPS: i64 = -1_001_234_567_890;
/// Nothing but the first message, at once.
const QUICK: &str = "wait = \"0s\"\nevery = \"100ms\"\nquiet = \"1h\"\n";

/// Two chats without notices: `me`, and `ops` with these keys.
fn two_chats(ops: &str, rules: &str) -> Sandbox {
    let config = Config::default()
        .chat(ChatConfig::new(ME, ChatKind::Private))
        .chat(ChatConfig::new(OPS, ChatKind::Supergroup));
    let sandbox = Sandbox::with(config.limits(LimitConfig::off()));
    let files = sandbox.path("logs").join("*.log");
    sandbox.rules_toml(&format!(
        "host = \"web-1\"\n[telegram]\nupdates = \"off\"\n[chats.me]\nid = {ME}\nnotices = false\n\
         [chats.ops]\nid = {OPS}\n{ops}\n[defaults]\nchats = [\"ops\", \"me\"]\n{QUICK}\
         [[logs]]\nname = \"app\"\nfiles = [\"{}\"]\nstart = \"beginning\"\n{rules}",
        files.display()
    ));
    sandbox
}

/// The messages of a chat once one of them holds `text`.
#[track_caller]
fn told(sandbox: &Sandbox, chat: i64, text: &str) -> Vec<Message> {
    let found = sandbox.api.journal().wait(Duration::from_mins(1), |journal| {
        let messages = journal.messages(chat);
        messages.iter().any(|message| message.text.contains(text))
    });
    let messages = sandbox.api.journal().messages(chat);
    assert!(
        found,
        "nothing says {text:?}: {messages:#?}\n{}",
        sandbox.stderr()
    );
    messages
}

#[test]
fn in_silent_hours_a_chat_hears_critical_rules_only() {
    let rules = "[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\n\
                 [[rules]]\nname = \"worse\"\nmatch = 'PANIC'\nseverity = \"critical\"\n";
    let always = "silent_hours = \"00:00-24:00\"\ntimezone = \"Asia/Seoul\"";
    let sandbox = two_chats(always, rules);
    sandbox.append("a.log", "ERROR one\nPANIC two\n");
    sandbox.once();
    let silent = |chat: i64, text: &str| {
        let messages = sandbox.api.journal().messages(chat);
        let of_text = messages.iter().find(|message| message.text.contains(text));
        of_text.map(|message| message.silent)
    };
    assert_eq!(
        (silent(OPS, "ERROR one"), silent(ME, "ERROR one")),
        (Some(true), Some(false))
    );
    assert_eq!(
        (silent(OPS, "PANIC two"), silent(ME, "PANIC two")),
        (Some(false), Some(false))
    );
}

#[test]
fn a_chat_has_neither_message_nor_account_of_what_is_below_its_level() {
    let rules = "[[rules]]\nname = \"small\"\nmatch = 'WARN'\nseverity = \"warning\"\n\
                 [[rules]]\nname = \"oops\"\nmatch = 'ERROR'\n";
    let sandbox = two_chats("show_level = \"error\"", rules);
    sandbox.append("a.log", "WARN one\nERROR two\n");
    sandbox.once();
    assert_eq!(told(&sandbox, ME, "WARN one").len(), 2);
    let ops = told(&sandbox, OPS, "ERROR two");
    assert_eq!(ops.len(), 1, "{ops:#?}");
    let state = Store::peek(&sandbox.path("state")).unwrap();
    let keys = state.accounts.iter().map(|row| &row.key);
    let mut rows: Vec<_> = keys.map(|key| (key.rule.as_str(), key.chat.as_str())).collect();
    rows.sort_unstable();
    assert_eq!(rows, [("oops", "me"), ("oops", "ops"), ("small", "me")]);
}

#[test]
fn what_goes_on_is_rung_again_as_a_reply_until_it_is_over() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(
        "[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"0s\"\nevery = \"100ms\"\nquiet = \"8s\"\nremind = \"2s\"\n",
    );
    let running = sandbox.start(&[]);
    sandbox.append("a.log", "ERROR one\n");
    let messages = told(&sandbox, ME, "still going on after");
    let (first, reminder) = (&messages[0], &messages[1]);
    assert!(first.text.contains("ERROR one"), "{messages:#?}");
    assert!(reminder.text.contains("1 match"), "{messages:#?}");
    assert_eq!(
        (reminder.reply_to, reminder.silent),
        (Some(first.message_id), false)
    );
    told(&sandbox, ME, "over after");
    running.terminate();
    let reminders = sandbox.api.journal().messages(ME).len() - 1;
    assert!((1..=4).contains(&reminders), "{reminders}");
}

/// What `status` says a rule found: found, below, waiting.
fn found(sandbox: &Sandbox) -> Option<(u64, u64, u64)> {
    let output = sandbox.finish(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let row = &status["found"][0];
    Some((
        row["found"].as_u64()?,
        row["below"].as_u64()?,
        row["waiting"].as_u64()?,
    ))
}

#[test]
fn a_rule_opens_when_enough_was_found_within_its_time_even_over_a_restart() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(&format!(
        "[[rules]]\nname = \"often\"\nmatch = 'ERROR'\nat_least = {{ count = 3, within = \"1h\" }}\n{QUICK}"
    ));
    let running = sandbox.start(&[]);
    sandbox.append("a.log", "ERROR one\nERROR two\n");
    until("two wait", || found(&sandbox) == Some((2, 0, 2)));
    assert_eq!(sandbox.api.journal().messages(ME).len(), 0);
    running.kill_nine();
    let running = sandbox.start(&[]);
    sandbox.append("a.log", "ERROR three\n");
    let messages = told(&sandbox, ME, "3 matches");
    assert_eq!(messages.len(), 1, "{messages:#?}");
    until("none waits", || found(&sandbox) == Some((3, 0, 0)));
    running.terminate();
}

#[test]
fn what_stays_below_its_threshold_is_counted_and_told_to_nobody() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(&format!(
        "[[rules]]\nname = \"often\"\nmatch = 'ERROR'\nat_least = {{ count = 3, within = \"1s\" }}\n{QUICK}"
    ));
    let running = sandbox.start(&[]);
    sandbox.append("a.log", "ERROR one\nERROR two\n");
    until("two are below", || found(&sandbox) == Some((2, 2, 0)));
    assert_eq!(sandbox.api.journal().messages(ME).len(), 0);
    running.terminate();
}

/// A log that is there, and one that has no file.
fn two_logs(rules: &str) -> Sandbox {
    let sandbox = Sandbox::unlimited();
    let logs = sandbox.path("logs");
    sandbox.rules_toml(&format!(
        "host = \"web-1\"\n[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false }}\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{0}/*.log\"]\nstart = \"beginning\"\n\
         [[logs]]\nname = \"dark\"\nfiles = [\"{0}/*.none\"]\n{rules}",
        logs.display()
    ));
    sandbox
}

#[test]
fn what_must_keep_appearing_rings_when_it_does_not_and_says_when_it_is_back() {
    let rule = |name: &str, log: &str, absent: &str| {
        format!(
            "[[rules]]\nname = \"{name}\"\nmatch = 'backup finished'\nlogs = [\"{log}\"]\nabsent = \"{absent}\"\n\
             wait = \"0s\"\nevery = \"100ms\"\n"
        )
    };
    let rules = [rule("backup-missing", "app", "3s"), rule("blind", "dark", "1s")];
    let sandbox = two_logs(&rules.concat());
    sandbox.append("a.log", "backup finished\n");
    let running = sandbox.start(&[]);
    let messages = told(&sandbox, ME, "nothing found for 3 s");
    assert_eq!(messages.len(), 1, "{messages:#?}");
    assert!(messages[0].text.contains("last found"), "{messages:#?}");
    assert!(!messages[0].silent, "it rings");
    assert_eq!(found(&sandbox), Some((1, 0, 0)), "the opening is one match");
    // Telegram has the message before the store has its answer; killed in between, it would send a repeat.
    until("the answer is stored", || {
        let state = Store::peek(&sandbox.path("state")).unwrap();
        state
            .deliveries
            .iter()
            .any(|delivery| delivery.message_id.is_some())
    });
    running.kill_nine();
    let running = sandbox.start(&[]);
    sandbox.append("a.log", "backup finished\n");
    let messages = told(&sandbox, ME, "resolved by:");
    let reply = messages
        .iter()
        .find(|message| message.reply_to.is_some())
        .unwrap();
    assert_eq!(reply.reply_to, Some(messages[0].message_id));
    assert!(reply.text.contains("resolved: over after"), "{messages:#?}");
    assert!(reply.text.contains("backup finished"), "{messages:#?}");
    running.terminate();
    let messages = sandbox.api.journal().messages(ME);
    assert!(
        messages
            .iter()
            .all(|message| message.text.contains("backup-missing")),
        "nobody knows what a log without files would say: {messages:#?}"
    );
}
