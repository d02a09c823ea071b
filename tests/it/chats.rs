//! `chats`: from a token alone to lines for rules.toml, without taking anything from anybody.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

use botapi::{BotApi, ChatConfig, ChatKind, ChatState, Config, Fault, FaultKind, LimitConfig};
use serde_json::json;

use crate::support::{ME, Sandbox, until};

const GROUP: i64 = -7;
const FORUM: i64 = -1_001_234_567_890;
const CHANNEL: i64 = -1_009_876_543_210;
const TOPIC: i64 = 42;

/// A person, a group, a forum group with a topic, a channel.
fn sandbox() -> Sandbox {
    let chats = [
        ChatConfig::new(ME, ChatKind::Private).title("Ann"),
        ChatConfig::new(GROUP, ChatKind::Group).title("Web Team"),
        ChatConfig::new(FORUM, ChatKind::Supergroup)
            .topics(&[TOPIC])
            .title("Operations"),
        ChatConfig::new(CHANNEL, ChatKind::Channel).title("Команда"),
    ];
    let config = Config {
        chats: chats.into(),
        ..Config::default()
    };
    Sandbox::with(config.limits(LimitConfig::off()))
}

/// The command of someone who has a token and no rules.toml.
fn newcomer(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = sandbox.command(&["chats"]);
    command.args(args).env_remove("TAILGRAM_CONFIG");
    command
}

/// The exit code, stdout, and stderr with the sandbox's folder as `HERE`.
fn told(sandbox: &Sandbox, output: &Output) -> (Option<i32>, String, String) {
    let here = sandbox.folder().to_str().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(here, "HERE");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Starts it with its stdout and stderr in files.
fn start(sandbox: &Sandbox, mut command: Command) -> Child {
    let file = |name: &str| Stdio::from(File::create(sandbox.path(name)).unwrap());
    command.stdout(file("out")).stderr(file("err")).spawn().unwrap()
}

fn read(sandbox: &Sandbox, name: &str) -> String {
    fs::read_to_string(sandbox.path(name)).unwrap()
}

/// Whether it asked for the webhook, which is the last thing before it looks at updates.
fn listens(api: &BotApi) -> bool {
    !api.journal().requests_of("getWebhookInfo").is_empty()
}

/// What the chats were called with, poll by poll.
fn polls(sandbox: &Sandbox) -> Vec<serde_json::Value> {
    let polls = sandbox.api.journal().requests_of("getUpdates");
    polls.into_iter().map(|request| request.body).collect()
}

#[test]
fn chats_and_topics_are_listed_for_someone_who_has_only_a_token() {
    let sandbox = sandbox();
    let updates = sandbox.api.updates();
    updates.say(ME, ME, "/start", None);
    updates.membership(GROUP, ME, "left", "member");
    updates.open_topic(FORUM, ME, TOPIC, "Alerts #1");
    updates.say(FORUM, ME, "/start", Some(TOPIC));
    updates.say(FORUM, ME, "/start", None);
    updates.post(CHANNEL, "hello");
    updates.say(ME, ME, "again", None);
    let (code, stdout, stderr) = told(&sandbox, &newcomer(&sandbox, &[]).output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    insta::assert_snapshot!(stdout.trim_start(), @r#"
    # private chat "Ann"
    [chats.ann]
    id = 4242

    # group "Web Team"
    [chats.web-team]
    id = -7

    # forum group "Operations", topic "Alerts #1"
    [chats.operations-alerts-1]
    id = -1001234567890
    topic = 42

    # forum group "Operations"
    [chats.operations]
    id = -1001234567890

    # channel "Команда"
    [chats.chat1]
    id = -1009876543210
    "#);
    insta::assert_snapshot!(stderr, @r"
    This is @tailgram_test_bot.
    Now, in Telegram:
      for yourself: open https://t.me/tailgram_test_bot and press Start, or write to it
      for a group: add @tailgram_test_bot to it, then write /start@tailgram_test_bot there (in privacy mode it sees commands only)
      for a topic: the same, in the topic
      for a channel: make @tailgram_test_bot an administrator that may post
    Waiting for 5m.

    Paste the lines you want into rules.toml, then try: tailgram send --chat ann hello
    ");

    // The lines are a rules.toml as soon as something is to be followed.
    let rest = "[[logs]]\nname = \"app\"\nfiles = [\"logs/*.log\"]\n\
                [[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nchats = [\"ann\", \"operations-alerts-1\"]\n";
    sandbox.rules_toml(&format!("{stdout}{rest}"));
    let (code, stdout, stderr) = told(&sandbox, &sandbox.finish(&["check"]));
    assert_eq!(stdout, "HERE/rules.toml is fine: 1 rule, 1 log, 5 chats\n");
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}

#[test]
fn it_waits_for_the_first_message_and_ends_a_little_later() {
    let sandbox = sandbox();
    let mut running = start(&sandbox, newcomer(&sandbox, &[]));
    until("it listens", || listens(&sandbox.api));
    assert!(running.try_wait().unwrap().is_none());
    sandbox.api.updates().say(ME, ME, "/start", None);
    assert!(running.wait().unwrap().success(), "{}", read(&sandbox, "err"));
    assert!(read(&sandbox, "out").contains("[chats.ann]\nid = 4242\n"));
    // Whoever reads the updates next still gets them.
    assert_eq!(sandbox.api.updates().waiting(), 1);
    assert!(polls(&sandbox).iter().all(|poll| poll.get("offset").is_none()));
    assert!(
        polls(&sandbox)
            .iter()
            .all(|poll| poll.get("allowed_updates").is_none())
    );
}

#[test]
fn nobody_writes_and_it_says_what_to_do() {
    let sandbox = sandbox();
    let output = newcomer(&sandbox, &["--wait", "500ms"]).output().unwrap();
    let (code, stdout, stderr) = told(&sandbox, &output);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    insta::assert_snapshot!(stderr, @r"
    This is @tailgram_test_bot.
    Now, in Telegram:
      for yourself: open https://t.me/tailgram_test_bot and press Start, or write to it
      for a group: add @tailgram_test_bot to it, then write /start@tailgram_test_bot there (in privacy mode it sees commands only)
      for a topic: the same, in the topic
      for a channel: make @tailgram_test_bot an administrator that may post
    Waiting for 500ms.
    tailgram: saw no chat in 500ms. Write to @tailgram_test_bot, or add it to a group and write /start@tailgram_test_bot there, then run this again; --wait 30m waits longer
    ");
}

#[test]
fn follow_goes_on_until_ctrl_c() {
    let sandbox = sandbox();
    let mut running = start(&sandbox, newcomer(&sandbox, &["--follow"]));
    for (chat, name) in [(ME, "[chats.ann]"), (GROUP, "[chats.web-team]")] {
        sandbox.api.updates().say(chat, ME, "/start", None);
        until(name, || read(&sandbox, "out").contains(name));
    }
    let pid = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(running.wait().unwrap().success());
}

#[test]
fn ctrl_c_ends_the_waiting_also_as_the_first_process_of_a_container() {
    let sandbox = sandbox();
    let mut running = start(&sandbox, newcomer(&sandbox, &[]));
    until("it listens", || listens(&sandbox.api));
    let pid = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    // An exit code: the signal was heard, and did not end it by its force alone.
    assert_eq!(running.wait().unwrap().code(), Some(1));
}

#[test]
fn more_than_a_hundred_updates_are_seen_only_by_who_confirms_them() {
    let sandbox = sandbox();
    for n in 0..120 {
        let chat = if n < 110 { ME } else { GROUP };
        sandbox.api.updates().say(chat, ME, "hello", None);
    }
    let (code, stdout, stderr) = told(&sandbox, &newcomer(&sandbox, &[]).output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.contains("[chats.ann]") && !stdout.contains("web-team"),
        "{stdout}"
    );
    assert!(stderr.contains("`tailgram chats --confirm`"), "{stderr}");
    assert_eq!(sandbox.api.updates().waiting(), 120);

    let output = newcomer(&sandbox, &["--confirm"]).output().unwrap();
    let (code, stdout, stderr) = told(&sandbox, &output);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.contains("[chats.ann]") && stdout.contains("[chats.web-team]"),
        "{stdout}"
    );
    assert_eq!(sandbox.api.updates().waiting(), 0);
}

#[test]
fn a_bot_that_was_told_to_want_few_kinds_of_updates_is_told_to_want_more() {
    let sandbox = sandbox();
    // What another program asked for holds until somebody asks for something else.
    ask(
        &sandbox.api,
        "getUpdates",
        r#"{"allowed_updates":["callback_query"]}"#,
    );
    let mut running = start(&sandbox, newcomer(&sandbox, &[]));
    until("the wish is heard", || {
        let wanted = ask(&sandbox.api, "getWebhookInfo", "{}");
        wanted.contains("callback_query") && wanted.contains("my_chat_member")
    });
    sandbox.api.updates().membership(GROUP, ME, "left", "member");
    assert!(running.wait().unwrap().success());
    assert!(read(&sandbox, "out").contains("[chats.web-team]"));
}

/// A request of another program that has the same token.
fn ask(api: &BotApi, method: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(api.addr()).unwrap();
    let (token, length) = (api.token(), body.len());
    write!(
        stream,
        "POST /bot{token}/{method} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn another_program_that_reads_the_updates_is_named() {
    let sandbox = sandbox();
    let mut running = start(&sandbox, newcomer(&sandbox, &[]));
    let mut code = None;
    until("it notices", || {
        ask(&sandbox.api, "getUpdates", "{}");
        code = running.try_wait().unwrap();
        code.is_some()
    });
    let stderr = read(&sandbox, "err");
    assert_eq!(code.unwrap().code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("another program asks Telegram for the updates of @tailgram_test_bot"),
        "{stderr}"
    );
}

/// Rules with chats of every kind, and one that is nowhere.
fn rules(sandbox: &Sandbox) {
    sandbox.rules_toml(&format!(
        "[chats]\nme = {ME}\nnowhere = -99\nstranger = 99\n[chats.web]\nid = {GROUP}\ntopic = 3\n\
         [chats.ops]\nid = {FORUM}\ntopic = {TOPIC}\n[chats.news]\nid = \"@news\"\n\
         [[logs]]\nname = \"app\"\nfiles = [\"logs/*.log\"]\n\
         [[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nchats = [\"me\", \"ops\"]\n"
    ));
    let news = ChatConfig::new(CHANNEL, ChatKind::Channel)
        .title("News")
        .username("news");
    sandbox.api.chats().set(news.state(ChatState::WriteForbidden));
}

#[test]
fn chats_of_rules_toml_are_looked_up_and_not_offered_again() {
    let sandbox = sandbox();
    rules(&sandbox);
    sandbox.api.updates().say(ME, ME, "/start", None);
    sandbox.api.updates().say(GROUP, ME, "/start", None);
    let (code, stdout, stderr) = told(&sandbox, &sandbox.finish(&["chats"]));
    assert_eq!(code, Some(0), "{stderr}");
    insta::assert_snapshot!(stdout.trim_start(), @r#"
    # [chats.me] id = 4242: ok, private chat "Ann"
    # [chats.nowhere] id = -99: HTTP 400: Bad Request: chat not found; add @tailgram_test_bot to it, or look at the id: those of groups are negative, of supergroups and channels they begin with -100
    # [chats.stranger] id = 99: HTTP 400: Bad Request: chat not found; that person has to open https://t.me/tailgram_test_bot and press Start
    # [chats.web] id = -7, topic = 3: group "Web Team": it has no topics; take `topic` out
    # [chats.ops] id = -1001234567890, topic = 42: ok, forum group "Operations"
    # [chats.news] id = "@news": channel "News": the bot may not post; make @tailgram_test_bot an administrator that may

    # private chat "Ann": this is [chats.me]

    # group "Web Team"
    [chats.web-team]
    id = -7
    "#);
}

#[test]
fn a_group_that_became_a_supergroup_is_listed_under_its_new_id() {
    let sandbox = sandbox();
    rules(&sandbox);
    sandbox
        .api
        .chats()
        .state(GROUP, ChatState::Migrated { to: FORUM });
    sandbox.api.updates().upgrade(GROUP, FORUM, ME);
    let (code, stdout, stderr) = told(&sandbox, &sandbox.finish(&["chats"]));
    assert_eq!(code, Some(0), "{stderr}");
    for line in [
        format!("# [chats.web] id = {GROUP}, topic = 3: it became a supergroup; write id = {FORUM}\n"),
        format!("# supergroup \"Web Team\": it had the id {GROUP} when it was a group\n"),
        format!("[chats.operations]\nid = {FORUM}\n"),
    ] {
        assert!(stdout.contains(&line), "{line}{stdout}");
    }
}

#[test]
fn a_webhook_is_named_by_its_host_and_stays_unless_it_is_to_go() {
    let sandbox = sandbox();
    rules(&sandbox);
    sandbox.api.updates().say(GROUP, ME, "/start", None);
    let hook = "https://bot.example.com/hook/very-secret-path";
    sandbox.api.updates().set_webhook(Some(hook));
    let (code, stdout, stderr) = told(&sandbox, &sandbox.finish(&["chats"]));
    assert_eq!(code, Some(1));
    assert!(
        stdout.contains(&format!("# [chats.me] id = {ME}: ok")),
        "{stdout}"
    );
    insta::assert_snapshot!(stderr, @r"
    This is @tailgram_test_bot.
    tailgram: the bot's updates go to a webhook at bot.example.com, so chats cannot be seen here. If nothing needs that webhook any more, `tailgram chats --delete-webhook` takes it away and goes on; else use a bot of its own for tailgram: @BotFather makes one
    ");
    assert_eq!(sandbox.api.updates().webhook().as_deref(), Some(hook));
    assert!(polls(&sandbox).is_empty());

    let (code, stdout, stderr) = told(&sandbox, &sandbox.finish(&["chats", "--delete-webhook"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("[chats.web-team]"), "{stdout}");
    assert!(!format!("{stdout}{stderr}").contains("secret"), "{stderr}");
    assert_eq!(sandbox.api.updates().webhook(), None);
}

#[test]
fn a_webhook_that_is_set_meanwhile_is_told() {
    let sandbox = sandbox();
    let mut running = start(&sandbox, newcomer(&sandbox, &[]));
    until("it listens", || listens(&sandbox.api));
    sandbox
        .api
        .updates()
        .set_webhook(Some("https://bot.example.com/"));
    assert_eq!(running.wait().unwrap().code(), Some(1));
    assert!(read(&sandbox, "err").contains("--delete-webhook"));
}

#[test]
fn a_wrong_rules_toml_stops_it_only_where_it_says_how_to_reach_telegram() {
    let sandbox = sandbox();
    sandbox.api.updates().say(ME, ME, "/start", None);
    sandbox.rules_toml("[chats]\nops = 5 5\n[[rules]]\nname = 7\nmatch = '('\n");
    let (code, stdout, stderr) = told(&sandbox, &sandbox.finish(&["chats"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("[chats.ann]"), "{stdout}");
    assert!(stderr.contains("`tailgram check` shows all"), "{stderr}");

    sandbox.rules_toml("[telegram]\nproxy = \"what://here\"\n[[rules]]\nname = 7\n");
    let (code, stdout, stderr) = told(&sandbox, &sandbox.finish(&["chats"]));
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(
        stderr.contains("rules.toml:2:9: `proxy` has the scheme"),
        "{stderr}"
    );
    assert!(stderr.ends_with("1 problem\n"), "{stderr}");

    let missing = sandbox.finish(&["chats", "--config", "nowhere.toml"]);
    let (code, _, stderr) = told(&sandbox, &missing);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(
        stderr.contains("nowhere.toml (from --config) does not exist"),
        "{stderr}"
    );
}

#[test]
fn without_a_token_it_says_where_tokens_come_from() {
    let sandbox = sandbox();
    let mut command = newcomer(&sandbox, &[]);
    let output = command.env_remove("TELEGRAM_BOT_TOKEN").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("@BotFather"));
    let mut command = newcomer(&sandbox, &[]);
    let output = command.env("TELEGRAM_BOT_TOKEN", "1:wrong").output().unwrap();
    let (code, stdout, stderr) = told(&sandbox, &output);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("does not know this token"), "{stderr}");
}

#[test]
fn titles_cannot_forge_lines_and_do_not_hide_anything() {
    let sandbox = sandbox();
    let title = "x\"\n[telegram]\napi_url = \"http://evil\" \u{202e}\u{1b}[2J";
    sandbox
        .api
        .chats()
        .set(ChatConfig::new(GROUP, ChatKind::Group).title(title));
    sandbox.api.updates().say(GROUP, ME, "/start", None);
    let (code, stdout, stderr) = told(&sandbox, &newcomer(&sandbox, &[]).output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    insta::assert_snapshot!(stdout.trim_start(), @r#"
    # group "x" [telegram] api_url = "http://evil" ⟨U+202E⟩ [2J"
    [chats.x-telegram-api-url-http-evil-2j]
    id = -7
    "#);
}

#[test]
fn a_telegram_that_stumbles_is_asked_again() {
    let sandbox = sandbox();
    sandbox.api.updates().say(ME, ME, "/start", None);
    let page = FaultKind::Html {
        status: 502,
        store: false,
    };
    let flood = FaultKind::TooMany {
        retry_after: Some(json!(1)),
    };
    for kind in [page, flood] {
        sandbox.api.faults().push(Fault::once(kind).method("getUpdates"));
    }
    let (code, stdout, stderr) = told(&sandbox, &newcomer(&sandbox, &[]).output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("[chats.ann]"), "{stdout}");
    for why in ["HTTP 502", "HTTP 429"] {
        assert!(stderr.contains(&format!("trying again: {why}")), "{stderr}");
    }
}

#[test]
fn a_telegram_that_stays_away_ends_the_waiting_with_the_reason() {
    let sandbox = sandbox();
    let gone = FaultKind::Empty { store: false };
    sandbox
        .api
        .faults()
        .push(Fault::always(gone).method("getUpdates"));
    let output = newcomer(&sandbox, &["--wait", "1s"]).output().unwrap();
    let (code, _, stderr) = told(&sandbox, &output);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("saw no chat in 1s; Telegram could not be asked: "),
        "{stderr}"
    );
}
