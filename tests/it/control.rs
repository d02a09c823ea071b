//! A second command beside `run` asks the running process.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use botapi::{ChatConfig, ChatKind, ChatState, Config, Fault, FaultKind, LimitConfig};
use serde_json::{Value, json};

use crate::support::{ME, Running, Sandbox, as_nobody, total, until};

const OPS: i64 = -77;
const SUPERGROUP: i64 = -1_001_234_567_890;
const RULE: &str = "[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"0s\"\nevery = \"1s\"\n";

/// A sandbox with the chat `me`, and a process that runs in it.
fn running(rules: &str) -> (Sandbox, Running) {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(rules);
    let running = start(&sandbox);
    (sandbox, running)
}

/// Starts `run` and waits until it can be asked.
fn start(sandbox: &Sandbox) -> Running {
    let running = sandbox.start(&[]);
    let question = json!({"v": 1, "ask": "status"});
    until("it can be asked", || {
        UnixStream::connect(socket(sandbox)).is_ok_and(|stream| {
            let mut line = Line(BufReader::new(stream));
            line.write(format!("{question}\n").as_bytes());
            line.last()["is"] == "status"
        })
    });
    running
}

/// The chats `me` and `ops`, with a line of rules.toml for each.
fn two_chats(me: &str, ops: &str) -> Sandbox {
    let config = Config::default()
        .chat(ChatConfig::new(ME, ChatKind::Private))
        .chat(ChatConfig::new(OPS, ChatKind::Group))
        .chat(ChatConfig::new(SUPERGROUP, ChatKind::Supergroup));
    let sandbox = Sandbox::with(config.limits(LimitConfig::off()));
    sandbox.rules_toml(&format!(
        "[telegram]\nupdates = \"off\"\n[chats.me]\nid = {ME}\nnotices = false\n{me}\n\
         [chats.ops]\nid = {OPS}\nnotices = false\n{ops}\n\
         [defaults]\nchats = [\"me\"]\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\n{RULE}",
        sandbox.path("logs").display()
    ));
    sandbox
}

fn socket(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("state/control.sock")
}

/// A command that knows neither the token nor rules.toml.
fn ignorant(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = sandbox.command(args);
    command
        .env_remove("TELEGRAM_BOT_TOKEN")
        .env_remove("TELEGRAM_API_URL")
        .env("TAILGRAM_CONFIG", sandbox.path("nowhere.toml"));
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A 429 for the next message to a chat.
fn flood(sandbox: &Sandbox, seconds: u64) {
    let flood = FaultKind::TooMany {
        retry_after: Some(json!(seconds)),
    };
    sandbox
        .api
        .faults()
        .push(Fault::once(flood).method("sendMessage"));
}

fn texts(sandbox: &Sandbox, chat: i64) -> Vec<String> {
    let messages = sandbox.api.journal().messages(chat);
    messages.into_iter().map(|message| message.text).collect()
}

/// The other end of the socket, by hand.
struct Line(BufReader<UnixStream>);

impl Line {
    fn open(sandbox: &Sandbox) -> Self {
        let stream = UnixStream::connect(socket(sandbox)).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        Self(BufReader::new(stream))
    }

    fn asked(sandbox: &Sandbox, question: &Value) -> Self {
        let mut line = Self::open(sandbox);
        line.write(format!("{question}\n").as_bytes());
        line
    }

    /// Who is not listened to may be cut off while it still writes.
    fn write(&mut self, bytes: &[u8]) {
        drop(self.0.get_mut().write_all(bytes));
    }

    /// The next line; null at the end.
    fn answer(&mut self) -> Value {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => Value::Null,
            Ok(_) => serde_json::from_str(&line).unwrap(),
            // A connection that is closed while something unread lies in it ends like this.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Value::Null,
            Err(error) => panic!("{error}"),
        }
    }

    /// The next line, and then the end.
    fn last(&mut self) -> Value {
        let last = self.answer();
        assert_eq!(self.answer(), Value::Null, "more came after {last}");
        last
    }
}

fn send(text: &str, patience: Duration) -> Value {
    let patience = u64::try_from(patience.as_millis()).unwrap();
    json!({"v": 1, "ask": "send", "text": text, "patience_ms": patience})
}

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(300);

fn status(sandbox: &Sandbox) -> Value {
    let mut answer = Line::asked(sandbox, &json!({"v": 1, "ask": "status"})).last();
    assert_eq!(answer["is"], "status", "{answer}");
    answer["status"].take()
}

#[test]
fn send_beside_run_arrives_once_in_its_chat_through_the_running_process() {
    let sandbox = two_chats("", "");
    let running = start(&sandbox);
    let sent = ignorant(&sandbox, &["send", "--chat", "ops", "the deploy is done @all"])
        .output()
        .unwrap();
    assert!(sent.status.success(), "{}", said(&sent));
    assert!(
        said(&sent).contains("sent by the running process"),
        "{}",
        said(&sent)
    );
    assert_eq!(texts(&sandbox, OPS), ["the deploy is done @all"]);
    assert!(texts(&sandbox, ME).is_empty());
    assert!(running.terminate().success());
    assert_eq!(texts(&sandbox, OPS).len(), 1);

    // With nobody to ask it needs a token and rules.toml of its own.
    let alone = ignorant(&sandbox, &["send", "--chat", "ops", "again"])
        .output()
        .unwrap();
    assert_eq!(alone.status.code(), Some(2), "{}", said(&alone));
    let alone = sandbox.finish(&["send", "--chat", "ops", "again"]);
    assert!(alone.status.success(), "{}", said(&alone));
    assert_eq!(texts(&sandbox, OPS).len(), 2);
}

#[test]
fn a_chat_that_the_running_process_does_not_know_is_refused_with_those_it_knows() {
    let sandbox = two_chats("", "");
    let _running = start(&sandbox);
    // What matters is the file it was started with.
    sandbox.rules(RULE);
    for (args, words) in [
        (&["send", "--chat", "you", "x"][..], "no chat \"you\""),
        (&["send", "x"], "several chats"),
    ] {
        let refused = sandbox.finish(args);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains(words), "{}", said(&refused));
        assert!(said(&refused).contains("me, ops"), "{}", said(&refused));
    }
    assert_eq!(sandbox.requests(), 0);
}

#[test]
fn while_the_gate_is_closed_send_waits_and_says_so_and_then_arrives_once() {
    let (sandbox, _running) = running(RULE);
    flood(&sandbox, 2);
    let sent = sandbox.finish(&["send", "in a moment"]);
    assert!(sent.status.success(), "{}", said(&sent));
    assert!(
        said(&sent).contains("waiting until the chat takes messages again"),
        "{}",
        said(&sent)
    );
    assert_eq!(texts(&sandbox, ME), ["in a moment"]);
    assert_eq!(sandbox.requests(), 2);
}

#[test]
fn a_gate_that_stays_closed_for_longer_than_send_waits_ends_it_at_once_for_good() {
    let (sandbox, running) = running(RULE);
    flood(&sandbox, 300);
    for _ in 0..2 {
        let refused = sandbox.finish(&["send", "never"]);
        assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
        let words = said(&refused);
        assert!(
            words.contains("me takes messages again in ") && words.contains("not sent"),
            "{words}"
        );
    }
    // An alert heard of the flood by what was sent by hand: no request of its own was needed.
    sandbox.append("app.log", "ERROR behind the gate\n");
    until("the match is in the ledger", || {
        status(&sandbox)["ledger"][0]["pending"] == 1
    });
    assert!(status(&sandbox)["chats"][0]["retry_at"].is_string());
    assert!(running.terminate().success());
    assert_eq!(sandbox.requests(), 1);
}

#[test]
fn what_was_given_up_is_not_sent_later() {
    let (sandbox, _running) = running(RULE);
    flood(&sandbox, 5);
    let mut first = Line::asked(&sandbox, &send("given up", LONG));
    assert_eq!(first.answer()["is"], "waiting");
    let mut second = Line::asked(&sandbox, &send("waited for", LONG));
    assert_eq!(second.answer()["is"], "waiting");
    drop(first);
    let last = second.last();
    assert_eq!(last["is"], "sent", "{last}");
    assert_eq!(texts(&sandbox, ME), ["waited for"]);
}

#[test]
fn patience_ends_in_time_also_behind_a_request_that_hangs() {
    let (sandbox, _running) = running(RULE);
    let slow = Fault::once(FaultKind::Delay { ms: 5_000 });
    sandbox.api.faults().push(slow.method("sendMessage"));
    let mut under_way = Line::asked(&sandbox, &send("under way", LONG));
    until("it is under way", || sandbox.api.faults().pending() == 0);
    let behind = Line::asked(&sandbox, &send("behind it", SHORT)).last();
    assert_eq!(behind["kind"], "not_done", "{behind}");
    assert!(
        behind["why"]
            .as_str()
            .unwrap()
            .contains("did not come within 0.3 s"),
        "{behind}"
    );
    assert_eq!(under_way.last()["is"], "sent");
    assert_eq!(texts(&sandbox, ME), ["under way"]);
}

#[test]
fn alerts_and_what_is_sent_by_hand_share_the_limits() {
    // One place, and the next after 15 s.
    let sandbox = two_chats("limit = \"4/min\"", "limit = \"4/min\"");
    let _running = start(&sandbox);
    sandbox.append("app.log", "ERROR takes a place\n");
    until("the alert is told", || !texts(&sandbox, ME).is_empty());
    let to = |chat: &str, patience| {
        let mut question = send("by hand", patience);
        question["chat"] = chat.into();
        // The bot has places of its own, a moment apart; nobody is told of that.
        Line::asked(&sandbox, &question).last()
    };
    let refused = to("me", SHORT);
    let why = refused["why"].as_str().unwrap_or_default();
    assert!(why.contains("its limit is used up"), "{refused}");
    assert_eq!(to("ops", LONG)["is"], "sent");
    assert_eq!(to("ops", SHORT)["kind"], "not_done");
    assert_eq!(texts(&sandbox, OPS).len(), 1);
    assert_eq!(texts(&sandbox, ME).len(), 1);
}

#[test]
fn a_chat_that_refused_is_asked_by_hand_and_what_waited_for_it_follows() {
    let (sandbox, _running) = running(RULE);
    sandbox.api.chats().state(ME, ChatState::NotStarted);
    sandbox.append("app.log", "ERROR waits\n");
    until("the chat is parked", || {
        status(&sandbox)["chats"][0]["state"] == "parked"
    });
    let refused = sandbox.finish(&["send", "is it mended?"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("/start"), "{}", said(&refused));

    sandbox.api.chats().state(ME, ChatState::Ok);
    let sent = sandbox.finish(&["send", "is it mended now?"]);
    assert!(sent.status.success(), "{}", said(&sent));
    until("what waited is told", || {
        texts(&sandbox, ME)
            .iter()
            .any(|text| text.contains("ERROR waits"))
    });
    assert_eq!(status(&sandbox)["chats"][0]["state"], "ok");
}

#[test]
fn a_group_that_moved_is_followed_by_what_is_sent_by_hand() {
    let sandbox = two_chats("", "");
    let _running = start(&sandbox);
    sandbox
        .api
        .chats()
        .state(OPS, ChatState::Migrated { to: SUPERGROUP });
    let sent = sandbox.finish(&["send", "--chat", "ops", "hello over there"]);
    assert!(sent.status.success(), "{}", said(&sent));
    assert_eq!(texts(&sandbox, SUPERGROUP), ["hello over there"]);
}

#[test]
fn a_process_that_ends_says_so_to_whoever_waits() {
    let (sandbox, running) = running(RULE);
    flood(&sandbox, 50);
    let mut waits = Line::asked(&sandbox, &send("too late", LONG));
    assert_eq!(waits.answer()["is"], "waiting");
    assert!(running.terminate().success());
    let last = waits.last();
    assert!(
        last["why"].as_str().unwrap().contains("is ending; not sent"),
        "{last}"
    );
    assert!(!socket(&sandbox).exists(), "the socket goes with a good end");
}

#[test]
fn the_socket_is_its_owners_alone_and_replaces_what_a_kill_left() {
    let (sandbox, running) = running(RULE);
    let is_socket = |path: PathBuf| {
        let found = fs::symlink_metadata(path).unwrap();
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o7777, 0o600);
    };
    is_socket(socket(&sandbox));
    running.kill_nine();
    is_socket(socket(&sandbox));
    // Nobody listens there, and nobody has the lock: `send` does it itself.
    let sent = sandbox.finish(&["send", "alone"]);
    assert!(sent.status.success(), "{}", said(&sent));
    assert!(!said(&sent).contains("by the running process"), "{}", said(&sent));

    let running = sandbox.start(&[]);
    until("the new process answers", || {
        let output = ignorant(&sandbox, &["send", "together"]).output().unwrap();
        output.status.success()
    });
    is_socket(socket(&sandbox));
    assert_eq!(status(&sandbox)["pid"], running.pid());
    assert!(running.terminate().success());
    assert!(!socket(&sandbox).exists());
}

#[test]
fn rubbish_halves_and_strangers_versions_are_refused_and_disturb_nobody() {
    let (sandbox, _running) = running(RULE);
    let long = format!(
        "{{\"v\":1,\"ask\":\"send\",\"text\":\"{}\"}}\n",
        "x".repeat(70_000)
    );
    for (bytes, kind) in [
        (&b"\n"[..], "malformed"),
        (b"GET / HTTP/1.1\r\n\r\n", "malformed"),
        (b"\xff\xfe\x00\n", "malformed"),
        (b"{\"v\":1}\n", "malformed"),
        (b"{\"v\":1,\"ask\":\"send\"}\n", "malformed"),
        (long.as_bytes(), "malformed"),
        (b"{\"v\":2,\"ask\":{\"new\":\"shape\"}}\n", "version"),
        (b"{\"v\":1,\"ask\":\"dance\"}\n", "version"),
        (b"{\"v\":1,\"ask\":\"send\",\"text\":\" \"}\n", "usage"),
        (
            b"{\"v\":1,\"ask\":\"send\",\"text\":\"x\",\"chat\":\"you\"}\n",
            "usage",
        ),
    ] {
        let mut line = Line::open(&sandbox);
        line.write(bytes);
        let answer = line.answer();
        assert_eq!(answer["is"], "error", "{answer}");
        assert_eq!(answer["kind"], kind, "{answer}");
        assert_eq!(line.answer(), Value::Null);
    }
    let mut half = Line::open(&sandbox);
    half.write(b"{\"v\":1,\"ask\":\"status\"}");
    half.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(half.last()["kind"], "malformed");
    drop(Line::open(&sandbox));
    assert_eq!(sandbox.requests(), 0);
    assert_eq!(status(&sandbox)["healthy"], true);
}

#[test]
fn the_slow_lose_their_connection_and_a_ninth_is_told_to_come_again() {
    let (sandbox, _running) = running(RULE);
    // The slowest of all, a byte now and then, beside seven who say nothing.
    let mut drip = Line::open(&sandbox).0.into_inner();
    let mut idle: Vec<Line> = (0..7).map(|_| Line::open(&sandbox)).collect();
    let ninth = Line::asked(&sandbox, &send("one too many", LONG)).answer();
    assert_eq!(ninth["kind"], "busy", "{ninth}");
    // `status` needs no place there, and alerts none at all.
    assert!(sandbox.finish(&["status"]).status.success());
    sandbox.append("app.log", "ERROR in between\n");
    until("the alert is told", || !texts(&sandbox, ME).is_empty());
    until("the slow one is cut off", || drip.write_all(b"{").is_err());
    for line in &mut idle {
        assert_eq!(line.last()["kind"], "malformed");
    }
    assert_eq!(
        Line::asked(&sandbox, &send("room again", LONG)).last()["is"],
        "sent"
    );
    let mut rest = String::new();
    // Its answer may be lost to what it wrote meanwhile.
    if drip.read_to_string(&mut rest).is_ok() {
        assert!(rest.contains("malformed"), "{rest}");
    }
}

#[test]
fn a_state_folder_too_deep_for_a_sockets_address_is_as_good_as_any() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(RULE);
    let deep = sandbox.path(&format!("{0}/{0}/state", "deep".repeat(30)));
    let in_it = |args: &[&str]| {
        let mut command = ignorant(&sandbox, args);
        command.env("TAILGRAM_STATE_DIR", &deep);
        command
    };
    let mut run = sandbox.command(&["run"]);
    run.env("TAILGRAM_STATE_DIR", &deep);
    let running = sandbox.spawn(run);
    until("it is asked and sends", || {
        in_it(&["send", "from below"]).output().unwrap().status.success()
    });
    assert_eq!(texts(&sandbox, ME), ["from below"]);
    let asked = in_it(&["status", "--json", "--log-level", "debug"])
        .output()
        .unwrap();
    assert!(
        asked.status.success() && !said(&asked).contains("not asked"),
        "{}",
        said(&asked)
    );
    assert!(deep.join("control.sock").exists());
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    assert!(!deep.join("control.sock").exists());
    assert!(
        !sandbox.stderr().contains("no control.sock"),
        "{}",
        sandbox.stderr()
    );
}

#[test]
fn another_user_is_refused_and_told_whom_to_ask_as() {
    let (sandbox, _running) = running(RULE);
    let Some(mut command) = as_nobody(&sandbox, "control", &["send", "let me in"]) else {
        return;
    };
    // The folder lets everybody in: only the socket's own rights are in the way. Who is not root has no other user
    // to be, and takes the rights from themselves.
    fs::set_permissions(sandbox.path("state"), Permissions::from_mode(0o777)).unwrap();
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(socket(&sandbox), Permissions::from_mode(0o000)).unwrap();
    }
    let refused = command.output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    for word in [
        "cannot be told",
        "not sent",
        "the user that owns the folder",
        ":memory:",
    ] {
        assert!(
            said(&refused).contains(word),
            "{word:?} is not in {}",
            said(&refused)
        );
    }
    if rustix::process::geteuid().is_root() {
        // Whatever became of its rights, the kernel says who asks.
        fs::set_permissions(socket(&sandbox), Permissions::from_mode(0o666)).unwrap();
        let refused = command.output().unwrap();
        assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
        assert!(
            said(&refused).contains("answers that user and root only"),
            "{}",
            said(&refused)
        );
    }
    assert_eq!(sandbox.requests(), 0);
}

#[test]
fn a_process_without_a_socket_is_sent_past_by_the_gates_it_stored() {
    let (sandbox, _running) = running(RULE);
    flood(&sandbox, 300);
    sandbox.append("app.log", "ERROR closes the gate\n");
    until("the gate is closed", || {
        status(&sandbox)["chats"][0]["retry_at"].is_string()
    });
    // As one of an older version, or one on a disk that knows no sockets.
    fs::remove_file(socket(&sandbox)).unwrap();
    let refused = sandbox.finish(&["send", "not now"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let words = said(&refused);
    assert!(
        words.contains("has no control.sock") && words.contains("takes messages again in"),
        "{words}"
    );
    assert_eq!(sandbox.requests(), 1);
    assert!(
        sandbox.finish(&["status"]).status.success(),
        "status.json is still there"
    );
}

#[test]
fn a_folder_that_takes_no_socket_is_told_and_stops_nothing() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(RULE);
    fs::create_dir_all(sandbox.path("state/control.sock.new/in the way")).unwrap();
    let running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR all the same\n");
    until("the alert is told", || !texts(&sandbox, ME).is_empty());
    until("status.json is there", || {
        sandbox.finish(&["status"]).status.success()
    });
    let said = sandbox.stderr();
    assert_eq!(said.matches("no control.sock").count(), 1, "{said}");
    assert!(running.terminate().success());
}

#[test]
fn a_process_that_hangs_does_not_take_status_with_it() {
    let (sandbox, running) = running(RULE);
    until("status.json is there", || {
        sandbox.path("state/status.json").exists()
    });
    running.stop();
    let asked = sandbox.finish(&["status", "--log-level", "debug"]);
    assert!(asked.status.success(), "{}", said(&asked));
    assert!(said(&asked).contains("not asked"), "{}", said(&asked));
    running.signal(rustix::process::Signal::CONT);
    assert_eq!(status(&sandbox)["pid"], running.pid());
}

#[test]
fn status_through_the_socket_agrees_with_what_the_phone_shows() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(RULE);
    // status.json cannot be written, so what status says comes through the socket.
    fs::create_dir_all(sandbox.path("state/status.json.new/in the way")).unwrap();
    let _running = start(&sandbox);
    sandbox.append("app.log", &"ERROR one\n".repeat(7));
    until("the opening is told", || !texts(&sandbox, ME).is_empty());
    sandbox.append("app.log", &"ERROR two\n".repeat(5));
    until("the totals are told", || {
        total(&sandbox.last_text_of_first()) == 12
    });
    let ledger = || {
        let output = sandbox.finish(&["status", "--json"]);
        assert!(output.status.success(), "{}", said(&output));
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        status["ledger"][0].clone()
    };
    until("the last edit is booked", || ledger()["pending"] == 0);
    let line = ledger();
    let column = |name: &str| line[name].as_u64().unwrap();
    assert_eq!(column("matched"), 12);
    assert_eq!(column("shown") + column("counted"), 12);
    assert!(!sandbox.path("state/status.json").exists());
    let page = sandbox.finish(&["status"]);
    assert!(String::from_utf8_lossy(&page.stdout).contains("oops"), "{page:?}");
}

#[test]
fn a_storm_does_not_starve_who_sends_by_hand() {
    let sandbox = two_chats("limit = \"60/min\"", "");
    let rules = fs::read_to_string(sandbox.path("rules.toml")).unwrap();
    let forward: Vec<String> = (0..8)
        .map(|n| {
            format!("[[rules]]\nname = \"all-{n}\"\nmatch = 'ERROR'\nring = \"all\"\nevery = \"100ms\"\n")
        })
        .collect();
    let forward = forward.concat();
    sandbox.rules_toml(&format!("{rules}{forward}"));
    let _running = start(&sandbox);
    let mut written = 0;
    let mut storm = || {
        sandbox.append("app.log", &format!("ERROR storm {written}\n"));
        written += 1;
    };
    until("alerts use every place there is", || {
        storm();
        texts(&sandbox, ME).len() > 4
    });
    let mut child = ignorant(&sandbox, &["send", "--chat", "me", "amid the storm"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("it is sent", || {
        storm();
        child.try_wait().unwrap().is_some()
    });
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(texts(&sandbox, ME).contains(&"amid the storm".to_owned()));
}
