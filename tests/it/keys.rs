//! Keys of `[[logs]]` and `[[rules]]` at work that no other theme has for its own. tests/keys.txt says where each of
//! the keys has its test.

use std::process::{Command, Stdio};

use botapi::{ChatConfig, ChatKind, Config, LimitConfig, Message};

use crate::support::{ME, Sandbox, until};

const OPS: i64 = -1_001_234_567_890;

/// A rule of this name for this pattern that says what it has to say at once.
fn rule(name: &str, pattern: &str, keys: &str) -> String {
    format!(
        "[[rules]]\nname = \"{name}\"\nmatch = '{pattern}'\nwait = \"0s\"\nevery = \"50ms\"\nquiet = \"1h\"\nlimit = \"99/s\"\n{keys}\n"
    )
}

fn told(sandbox: &Sandbox, chat: i64) -> Vec<Message> {
    sandbox.api.journal().messages(chat)
}

/// Whether a text of the chat holds this.
fn says(sandbox: &Sandbox, chat: i64, text: &str) -> bool {
    told(sandbox, chat)
        .iter()
        .any(|message| message.text.contains(text))
}

#[test]
fn info_and_warning_make_no_sound_and_error_and_critical_do() {
    let sandbox = Sandbox::unlimited();
    let severities = ["info", "warning", "error", "critical"];
    let rules = severities.map(|severity| rule(severity, severity, &format!("severity = \"{severity}\"")));
    sandbox.rules(&rules.concat());
    sandbox.append("a.log", "x info\nx warning\nx error\nx critical\n");
    sandbox.once();
    let silent = severities.map(|severity| {
        let messages = told(&sandbox, ME);
        let message = messages
            .into_iter()
            .find(|message| message.text.contains(&format!("x {severity}")));
        message.unwrap().silent
    });
    assert_eq!(silent, [true, true, false, false]);
}

#[test]
fn what_unless_finds_is_no_match() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(&rule("oops", "ERROR", "unless = ['expected', 'ERROR: none']"));
    sandbox.append("a.log", "ERROR one expected\nERROR: none\nERROR two\n");
    sandbox.once();
    assert!(says(&sandbox, ME, "1 match") && says(&sandbox, ME, "ERROR two"));
    assert!(!says(&sandbox, ME, "expected") && !says(&sandbox, ME, "ERROR: none"));
}

#[test]
fn what_a_log_ignores_is_seen_by_none_of_its_rules() {
    let sandbox = Sandbox::forwarding("ignore = ['healthcheck', 'probe$']", "match = 'GET'");
    sandbox.append("a.log", "GET healthcheck\nGET /cart by probe\nGET /probe/7\n");
    sandbox.once();
    assert!(says(&sandbox, ME, "GET /probe/7"));
    assert!(!says(&sandbox, ME, "healthcheck") && !says(&sandbox, ME, "/cart"));
}

#[test]
fn what_exclude_reaches_is_not_read() {
    let sandbox = Sandbox::forwarding("exclude = [\"debug-*\", \"**/old/**\"]", "match = 'ERROR'");
    std::fs::create_dir(sandbox.path("logs").join("old")).unwrap();
    sandbox
        .append("a.log", "ERROR one\n")
        .append("debug-a.log", "ERROR two\n")
        .append("old/a.log", "ERROR three\n");
    sandbox.once();
    assert!(says(&sandbox, ME, "ERROR one"));
    assert!(!says(&sandbox, ME, "ERROR two") && !says(&sandbox, ME, "ERROR three"));
}

#[test]
fn a_rule_looks_at_the_logs_and_tells_the_chats_that_it_names() {
    let config = Config::default()
        .chat(ChatConfig::new(ME, ChatKind::Private))
        .chat(ChatConfig::new(OPS, ChatKind::Supergroup));
    let sandbox = Sandbox::with(config.limits(LimitConfig::off()));
    let log = |name: &str| {
        let file = sandbox.log(&format!("{name}.log"));
        format!(
            "[[logs]]\nname = \"{name}\"\nfiles = [\"{}\"]\nstart = \"beginning\"\n",
            file.display()
        )
    };
    let rules = [
        rule("everywhere", "ERROR", "chats = [\"ops\", \"me\"]"),
        rule("of-web", "WARN", "chats = [\"ops\"]\nlogs = [\"web\"]"),
    ];
    sandbox.rules_toml(&format!(
        "host = \"web-1\"\n[telegram]\nupdates = \"off\"\n[chats.me]\nid = {ME}\nnotices = false\n[chats.ops]\nid = {OPS}\n\
         notices = false\n{}{}{}",
        log("app"),
        log("web"),
        rules.concat()
    ));
    sandbox
        .append("app.log", "ERROR in app\nWARN in app\n")
        .append("web.log", "ERROR in web\nWARN in web\n");
    sandbox.once();
    assert!(says(&sandbox, ME, "2 matches") && says(&sandbox, OPS, "2 matches"));
    assert!(says(&sandbox, OPS, "WARN in web") && !says(&sandbox, OPS, "WARN in app"));
    assert_eq!(told(&sandbox, ME).len(), 1);
}

#[test]
fn by_tells_incidents_apart_by_captures_file_log_and_host() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(
        &(rule("user", "user (?P<who>\\w+)", "by = [\"who\"]")
            + &rule("place", "user", "by = [\"host\", \"log\", \"file\"]")),
    );
    sandbox
        .append("a.log", "user ann\nuser bob\n")
        .append("b.log", "user ann\n");
    sandbox.once();
    let places = ["who=ann", "who=bob", "host=test-host log=app file="];
    for place in places {
        assert!(says(&sandbox, ME, place), "{place}: {}", sandbox.all_texts());
    }
    // Two users and two files.
    assert_eq!(told(&sandbox, ME).len(), 4);
}

#[test]
fn what_rings_after_the_opening_is_new_shapes_nothing_or_every_line() {
    let sandbox = Sandbox::unlimited();
    let rules = ["new", "first", "all"].map(|ring| rule(ring, "ERROR", &format!("ring = \"{ring}\"")));
    sandbox.rules(&rules.concat());
    let running = sandbox.start(&[]);
    sandbox.append("a.log", "ERROR disk is full\n");
    until("three openings", || told(&sandbox, ME).len() == 3);
    sandbox.append("a.log", "ERROR disk is full\nERROR printer on fire\n");
    let of = |rule: &str| -> Vec<Message> {
        let mut messages = told(&sandbox, ME);
        messages.retain(|message| {
            message
                .text
                .lines()
                .next()
                .unwrap()
                .contains(&format!("{rule} on"))
        });
        messages
    };
    until("all of it is told", || {
        of("first")[0].text.contains("3 matches")
            && of("new").len() == 2
            && of("new")[0].text.contains("3 matches")
            && sandbox.all_texts().contains("lines 2-3")
    });
    assert!(running.terminate().success());
    assert_eq!(of("first").len(), 1);
    let reply = &of("new")[1];
    assert!(
        reply.text.contains("printer on fire") && !reply.text.contains("disk"),
        "{}",
        reply.text
    );
    assert!(!reply.silent && reply.reply_to == Some(of("new")[0].message_id));
    let forwarded: Vec<String> = of("all").into_iter().map(|message| message.text).collect();
    assert!(
        forwarded[1].contains("ERROR disk is full\nERROR printer on fire"),
        "{forwarded:?}"
    );
}

#[test]
fn plain_lines_have_no_fields_even_where_they_look_like_json() {
    for (format, found) in [("plain", false), ("json", true), ("auto", true)] {
        let sandbox = Sandbox::forwarding(
            &format!("format = \"{format}\""),
            "match = 'ann'\nwhere = { user = \"ann\" }",
        );
        sandbox.append("a.log", "{\"user\":\"ann\",\"msg\":\"hello\"}\n");
        sandbox.once();
        assert_eq!(!told(&sandbox, ME).is_empty(), found, "{format}");
    }
}

/// Whether there is an strace that may trace here.
fn can_trace() -> bool {
    let mut probe = Command::new("strace");
    let probe = probe
        .args(["-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status();
    probe.is_ok_and(|status| status.success())
}

#[test]
fn events_that_were_asked_for_and_are_not_to_be_had_are_an_error_and_nothing_is_lost() {
    if !can_trace() {
        eprintln!("SKIP: keys: no strace, and nothing else takes the events of the kernel away");
        return;
    }
    for (watch, level) in [("auto", "WARN"), ("events", "ERROR")] {
        let sandbox = Sandbox::forwarding(&format!("watch = \"{watch}\""), "match = 'ERROR'");
        let refuse = "inject=inotify_init,inotify_init1:error=EMFILE";
        let running = sandbox.start_under(&["strace", "-D", "-f", "-o", "/dev/null", "-e", refuse]);
        sandbox.append("a.log", "ERROR one\n");
        until("it is told", || says(&sandbox, ME, "ERROR one"));
        assert!(running.terminate().success());
        let stderr = sandbox.stderr();
        let line = stderr
            .lines()
            .find(|line| line.contains("file events are not to be had"));
        assert!(line.is_some_and(|line| line.contains(level)), "{watch}: {stderr}");
    }
}
