//! Notices: what the program says about itself, silently, bounded, and to those who asked for it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use botapi::{ChatConfig, ChatKind, ChatState, Config, Fault, FaultKind, LimitConfig, Message};
use rustix::process::Signal;

use tailgram::model::{Delta, LedgerDelta, Notice, State};
use tailgram::store::{Opened, Store};

use crate::support::{ME, Sandbox, as_nobody, until};

const OPS: i64 = -1_001_234_567_890;
const RULES: &str =
    "[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"100ms\"\nevery = \"100ms\"\nquiet = \"1h\"\n";

/// Two chats: `me` hears notices, `ops` gets the incidents.
fn sandbox() -> Sandbox {
    let config = Config::default()
        .chat(ChatConfig::new(ME, ChatKind::Private))
        .chat(ChatConfig::new(OPS, ChatKind::Supergroup));
    Sandbox::with(config.limits(LimitConfig::off()))
}

fn rules(sandbox: &Sandbox, logs: &str, more: &str) {
    let files = sandbox.path("logs").join("*.log");
    sandbox.rules_toml(&format!(
        "host = \"web-1\"\n[telegram]\nupdates = \"off\"\n[chats]\nme = {ME}\n[chats.ops]\nid = {OPS}\n\
         [defaults]\nchats = [\"ops\"]\n[[logs]]\nname = \"app\"\nfiles = [\"{}\"]\n{logs}\n{RULES}{more}",
        files.display()
    ));
}

fn texts(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| message.text.clone()).collect()
}

/// What `me` was told, once one of its messages holds `text`.
#[track_caller]
fn told(sandbox: &Sandbox, text: &str) -> Vec<String> {
    heard(sandbox, ME, text)
}

/// What a chat was told, once one of its messages holds `text`.
#[track_caller]
fn heard(sandbox: &Sandbox, chat: i64, text: &str) -> Vec<String> {
    let found = sandbox.api.journal().wait(Duration::from_mins(1), |journal| {
        texts(&journal.messages(chat))
            .iter()
            .any(|message| message.contains(text))
    });
    let texts = texts(&sandbox.api.journal().messages(chat));
    assert!(
        found,
        "no message says {text:?}: {texts:#?}\n{}",
        sandbox.stderr()
    );
    texts
}

/// Changes a state between two runs.
fn commit(mut opened: Opened, ledger: LedgerDelta) {
    let delta = Delta {
        ledger,
        ..Delta::default()
    };
    opened.store.commit(opened.state.turn, &delta).unwrap();
}

/// The state as if an outage had begun two minutes earlier, so that nobody has to wait that long.
fn age_the_outage(sandbox: &Sandbox) {
    let opened = Store::open(&sandbox.path("state")).unwrap();
    let mut gate = opened.state.token_gate;
    let outage = gate.outage.as_mut().unwrap();
    outage.since.0 -= 120_000;
    gate.saved.wall.0 -= 120_000;
    let ledger = LedgerDelta {
        token_gate: Some(gate),
        ..LedgerDelta::default()
    };
    commit(opened, ledger);
}

#[test]
fn a_telegram_that_was_away_is_told_with_how_many_incidents_were_late_across_a_kill() {
    let sandbox = sandbox();
    rules(&sandbox, "start = \"beginning\"", "by = [\"n\"]\n");
    let text = fs::read_to_string(sandbox.path("rules.toml")).unwrap();
    // Without a wait: what still waits by itself when Telegram is back is not late.
    let text = text.replace("wait = \"100ms\"", "wait = \"0s\"");
    sandbox.rules_toml(&text.replace("match = 'ERROR'", "match = 'ERROR (?P<n>\\d)'"));
    sandbox.append("a.log", "all is well\n");
    let running = sandbox.start(&[]);
    told(&sandbox, "started on");
    sandbox.api.stop();
    sandbox.append("a.log", "ERROR 1\nERROR 2\n");
    let begun = || {
        Store::peek(&sandbox.path("state"))
            .is_ok_and(|state| state.token_gate.outage.is_some() && state.incidents.len() == 2)
    };
    until("the outage is stored", begun);
    running.kill_nine();
    age_the_outage(&sandbox);
    sandbox.append("a.log", "ERROR 3\nERROR 1\n");
    let running = sandbox.start(&[]);
    until("what came meanwhile is stored", || {
        Store::peek(&sandbox.path("state")).is_ok_and(|state| state.incidents.len() == 3)
    });
    sandbox.api.restart();
    let texts = told(&sandbox, "Telegram was unreachable");
    let notice = texts
        .iter()
        .find(|text| text.contains("Telegram was unreachable"))
        .unwrap();
    assert!(notice.ends_with("; 3 incidents were told late"), "{notice}");
    assert!(running.terminate().success());
}

#[test]
fn a_digest_that_was_missed_comes_once_at_the_next_start() {
    let sandbox = sandbox();
    rules(&sandbox, "start = \"beginning\"", "");
    let text = fs::read_to_string(sandbox.path("rules.toml")).unwrap();
    let idle = "[[rules]]\nname = \"idle\"\nmatch = 'IDLE'\n";
    let digest = "[digest]\nat = \"08:00\"\nchat = \"ops\"\n[defaults]";
    sandbox.rules_toml(&format!("{}{idle}", text.replacen("[defaults]", digest, 1)));
    sandbox.append("a.log", "all is well\n");
    let running = sandbox.start(&[]);
    told(&sandbox, "started on");
    sandbox.append("a.log", "ERROR 1\nERROR 2\n");
    heard(&sandbox, OPS, "ERROR 2");
    assert!(running.terminate().success());
    let mut opened = Store::open(&sandbox.path("state")).unwrap();
    let mut row = opened.state.digest.clone();
    row.span.as_mut().unwrap().since.0 -= 86_400_000;
    let ledger = LedgerDelta {
        digest: Some(row),
        ..LedgerDelta::default()
    };
    let delta = Delta {
        ledger,
        ..Delta::default()
    };
    opened.store.commit(opened.state.turn, &delta).unwrap();
    drop(opened);
    let running = sandbox.start(&[]);
    let texts = heard(&sandbox, OPS, "digest of ");
    let digest = texts.iter().find(|text| text.contains("digest of ")).unwrap();
    assert!(
        digest.ends_with(": 1 incident, 1 ring; 2 matches: 2 shown; most from oops (2); nothing from idle"),
        "{digest}"
    );
    assert!(running.terminate().success());
    let running = sandbox.start(&[]);
    sandbox.append("a.log", "ERROR 3\n");
    heard(&sandbox, OPS, "ERROR 3");
    assert!(running.terminate().success());
    let messages = sandbox.api.journal().messages(OPS);
    let digests: Vec<&Message> = messages
        .iter()
        .filter(|message| message.text.contains("digest of "))
        .collect();
    assert_eq!(digests.len(), 1);
    assert!(digests[0].silent);
}

#[test]
fn a_rule_that_matches_most_of_a_log_is_told_once() {
    let sandbox = sandbox();
    rules(&sandbox, "start = \"beginning\"", "");
    let line = |n: u64| {
        let word = if n % 10 < 7 { "ERROR" } else { "fine" };
        format!("{word} {n:05} and so on\n")
    };
    let lines: Vec<String> = (0..30_000).map(line).collect();
    sandbox.append("a.log", &lines.concat());
    let running = sandbox.start(&[]);
    let texts = told(&sandbox, "of the lines of log app");
    sandbox.append("a.log", &lines.concat());
    told_times(&sandbox, 42_000);
    assert!(running.terminate().success());
    let all = texts.concat();
    let (_, share) = all.split_once("rule oops matches about ").unwrap();
    let percent: u64 = share.split(' ').next().unwrap().parse().unwrap();
    assert!((65..=75).contains(&percent), "{all}");
    let again = sandbox.api.journal().messages(ME);
    let again = again
        .iter()
        .filter(|message| message.text.contains("of the lines of log"));
    assert_eq!(again.count(), 1);
}

/// Waits until the rule has found so many.
fn told_times(sandbox: &Sandbox, found: u64) {
    until("all of it is found", || {
        let state = Store::peek(&sandbox.path("state")).unwrap();
        state.found.iter().any(|row| row.found == found)
    });
}

#[test]
fn the_first_message_of_a_run_is_a_silent_notice_of_what_is_followed() {
    let sandbox = sandbox();
    rules(&sandbox, "", "");
    sandbox.append("a.log", "old\n").append("b.log", "old\n");
    let running = sandbox.start(&[]);
    let first = told(&sandbox, "started on");
    assert_eq!(
        first,
        [
            "ℹ started on web-1, following 2 files, 1 rule\nno state found; 2 files are followed from their end"
        ]
    );
    assert!(running.terminate().success());
    let messages = sandbox.api.journal().all_messages();
    assert!(messages.iter().all(|message| message.silent), "{messages:?}");
    assert_eq!(messages.len(), 1, "and only to the chat that hears notices");
}

#[test]
fn a_log_without_files_is_told() {
    let sandbox = sandbox();
    rules(
        &sandbox,
        "",
        "[[logs]]\nname = \"link\"\nfiles = [\"logs/link.txt\"]\n",
    );
    let _running = sandbox.start(&[]);
    told(
        &sandbox,
        "log link: no file matches logs/link.txt; waiting for one",
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_the_reason_and_again_when_it_can() {
    let sandbox = sandbox();
    rules(&sandbox, "", "");
    sandbox.append("a.log", "x\n").append("locked.log", "x\n");
    let mode =
        |mode| fs::set_permissions(sandbox.log("locked.log"), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o000);
    let Some(command) = as_nobody(&sandbox, "notices", &["run"]) else {
        return;
    };
    fs::create_dir(sandbox.path("state")).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(sandbox.path("state"), Some(65_534), Some(65_534)).unwrap();
    }
    let _running = sandbox.spawn(command);
    let texts = told(&sandbox, "cannot read");
    assert!(
        texts
            .iter()
            .any(|text| text.contains("locked.log: Permission denied")
                && text.contains("tailgram check --logs says what to change"))
    );
    // Its kind of notices pauses now, so the good news waits in the state to be told.
    mode(0o644);
    let waits = |state: &State| {
        let mut notices = state.notices.iter().flat_map(|row| &row.waiting);
        notices.any(|(_, notice)| matches!(notice, Notice::Readable { path } if path.ends_with("locked.log")))
    };
    until("it is noticed that it can be read", || {
        waits(&Store::peek(&sandbox.path("state")).unwrap())
    });
}

#[test]
fn bytes_that_were_destroyed_unread_are_told_with_the_file() {
    let sandbox = sandbox();
    rules(&sandbox, "start = \"beginning\"", "");
    sandbox.append("a.log", &"a line that is read\n".repeat(10));
    let running = sandbox.start(&[]);
    told(&sandbox, "started on");
    until("it is read", || {
        let status = sandbox.finish(&["status", "--json"]);
        serde_json::from_slice::<serde_json::Value>(&status.stdout)
            .is_ok_and(|status| status["logs"][0]["files"][0]["offset"] == 200)
    });
    // What is written and cut while nobody looks is lost, and nobody can know how much it was.
    running.stop();
    sandbox.append("a.log", &"a line that nobody reads\n".repeat(10));
    sandbox.open("a.log").set_len(0).unwrap();
    sandbox.append("a.log", "short\n");
    running.signal(Signal::CONT);
    let texts = told(&sandbox, "before it was read to its end");
    assert!(texts.last().unwrap().starts_with("⚠ on web-1\n"), "{texts:?}");
    assert!(texts.last().unwrap().contains("a.log was cut"), "{texts:?}");
}

#[test]
fn a_damaged_state_is_told_like_a_lost_one() {
    let sandbox = sandbox();
    rules(&sandbox, "", "");
    sandbox.append("a.log", "x\n");
    fs::create_dir(sandbox.path("state")).unwrap();
    fs::write(
        sandbox.path("state/state.db"),
        "this is no database at all\n".repeat(300),
    )
    .unwrap();
    let _running = sandbox.start(&[]);
    let texts = told(&sandbox, "started on");
    assert!(
        texts[0].contains("1 piece of the state is damaged and was set aside"),
        "{texts:?}"
    );
    assert!(
        texts[0].contains("no state found; 1 file is followed from its end"),
        "{texts:?}"
    );
}

#[test]
fn a_state_that_lost_commits_is_told_and_what_is_told_again_says_so() {
    let sandbox = sandbox();
    rules(&sandbox, "start = \"beginning\"", "");
    sandbox.append("a.log", "ERROR one\n");
    let state = |name: &str| sandbox.path(&format!("state/{name}"));
    // A single pass tells no start, so the next one need not wait.
    sandbox.once();
    heard(&sandbox, OPS, "ERROR one");
    // As if somebody had put a copy of the state back that was made before the last error.
    let copy = fs::read(state("state.db")).unwrap();
    assert!(!state("state.db-wal").exists(), "the copy is whole");
    let running = sandbox.start(&[]);
    sandbox.append("a.log", "ERROR two of another shape\n");
    let before = heard(&sandbox, OPS, "ERROR two of another shape");
    let before = before.iter().filter(|text| text.contains("ERROR two")).count();
    running.kill_nine();
    fs::write(state("state.db"), copy).unwrap();
    fs::remove_file(state("state.db-wal")).unwrap();
    let _running = sandbox.start(&[]);
    let notices = told(&sandbox, "the state is older than it was left");
    assert!(
        !notices.iter().any(|text| text.contains("piece of the state")),
        "{notices:?}"
    );
    until("the error is told again, and says so", || {
        let mut again = texts(&sandbox.api.journal().messages(OPS));
        again.retain(|text| text.contains("ERROR two"));
        again.len() > before && again.last().is_some_and(|text| text.contains("may repeat"))
    });
    // What comes after all that was told again is new.
    until("what was lost is told again", || {
        sandbox.stderr().contains("no longer say")
    });
    sandbox.append("a.log", "ERROR three quite unlike\n");
    let all = heard(&sandbox, OPS, "ERROR three quite unlike");
    let three = all.iter().find(|text| text.contains("ERROR three")).unwrap();
    assert!(!three.contains("may repeat"), "{all:?}");
}

#[test]
fn a_chat_that_is_gone_is_told_to_another_one_and_so_is_its_return() {
    let sandbox = sandbox();
    rules(&sandbox, "start = \"beginning\"", "");
    sandbox.api.chats().state(OPS, ChatState::Kicked);
    sandbox.append("a.log", "ERROR one\n");
    let running = sandbox.start(&[]);
    let texts = told(&sandbox, "chat ops takes no messages");
    assert!(
        texts
            .iter()
            .any(|text| text.contains("Forbidden: bot was kicked")),
        "{texts:?}"
    );
    // A parked chat is asked once more at each start. Its kind of notices pauses now, so its return waits in the
    // state to be told.
    sandbox.api.chats().state(OPS, ChatState::Ok);
    assert!(running.terminate().success());
    let _running = sandbox.start(&[]);
    let waits = |state: &State| {
        let mut notices = state.notices.iter().flat_map(|row| &row.waiting);
        notices.any(|(_, notice)| matches!(notice, Notice::Returned { chat } if chat.as_str() == "ops"))
    };
    until("its return is noticed", || {
        waits(&Store::peek(&sandbox.path("state")).unwrap())
    });
    assert_eq!(sandbox.api.journal().messages(OPS).len(), 1);
}

/// The state as if all that was told had been told long ago: what waits now may be told.
fn age_what_was_told(sandbox: &Sandbox) {
    let opened = Store::open(&sandbox.path("state")).unwrap();
    let mut notices = opened.state.notices.clone();
    for row in &mut notices {
        row.pause = None;
    }
    let ledger = LedgerDelta {
        notices,
        ..LedgerDelta::default()
    };
    commit(opened, ledger);
}

#[test]
fn what_a_chat_that_is_gone_for_the_retention_is_owed_is_given_up_and_its_return_is_told() {
    let sandbox = sandbox();
    rules(&sandbox, "start = \"beginning\"", "");
    let text = fs::read_to_string(sandbox.path("rules.toml")).unwrap();
    sandbox.rules_toml(&format!("retention = \"2s\"\n{text}"));
    sandbox.api.chats().state(OPS, ChatState::Kicked);
    sandbox.append("a.log", "ERROR one\nERROR two\n");
    let running = sandbox.start(&[]);
    told(&sandbox, "chat ops takes no messages");
    let account = || {
        let state = Store::peek(&sandbox.path("state")).unwrap();
        let account = state.accounts.first().map(|row| row.account);
        account.map(|account| (account.matched, account.shown + account.counted, account.failed))
    };
    until("what it is owed is failed", || account() == Some((2, 0, 2)));
    // What comes later waits, now for longer, and is told when the chat is back.
    sandbox.rules_toml(&format!("retention = \"1h\"\n{text}"));
    told(&sandbox, "rules reloaded: ~retention");
    sandbox.api.chats().state(OPS, ChatState::Ok);
    sandbox.append("a.log", "ERROR three\n");
    heard(&sandbox, OPS, "ERROR three");
    until("it is booked", || account() == Some((3, 1, 2)));
    assert!(running.terminate().success());
    assert!(
        sandbox
            .stderr()
            .contains("the chat was gone for longer than `retention`")
    );
    age_what_was_told(&sandbox);
    let running = sandbox.start(&[]);
    let texts = told(&sandbox, "chat ops has been gone for ");
    let notice = texts.iter().find(|text| text.contains("has been gone")).unwrap();
    assert!(
        notice.contains(" s; 2 matches given up and counted as failed\n")
            && notice.contains("chat ops takes messages again"),
        "{notice}"
    );
    assert_eq!(account(), Some((3, 1, 2)));
    assert!(running.terminate().success());
}

#[test]
fn a_text_that_telegram_refuses_is_sent_with_less_and_told_when_nothing_helps() {
    let sandbox = sandbox();
    rules(&sandbox, "start = \"beginning\"", "");
    let poison = |method: &str, times| {
        let refused = FaultKind::Error {
            status: 400,
            code: 400,
            description: "Bad Request: nobody has seen this sentence yet".to_owned(),
        };
        let fault = Fault::always(refused).times(times).method(method).chat(OPS);
        sandbox.api.faults().push(fault);
    };
    poison("sendMessage", 2);
    sandbox.append("a.log", &format!("ERROR {}\n", "poison ".repeat(500)));
    let running = sandbox.start(&[]);
    until("its short form is taken", || {
        !sandbox.api.journal().messages(OPS).is_empty()
    });
    let message = &sandbox.api.journal().messages(OPS)[0];
    assert!(
        message.entities.is_empty() && message.text.len() < 700,
        "{message:?}"
    );
    assert!(message.text.contains("1 match") && message.text.contains("ERROR poison"));
    // With every form refused, the match is failed, counted and told; the next text says the whole total.
    poison("editMessageText", 3);
    sandbox.append("a.log", &format!("ERROR {}\n", "poison ".repeat(500)));
    told(
        &sandbox,
        "refused a message of rule oops for chat ops; 1 match counted as failed",
    );
    sandbox.append("a.log", "ERROR harmless\n");
    until("the next text is whole again", || {
        let messages = sandbox.api.journal().messages(OPS);
        messages[0].text.contains("3 matches") && !messages[0].entities.is_empty()
    });
    assert!(running.terminate().success());
    let said = sandbox.stderr();
    assert!(said.contains("failed=1") && said.contains("pending=0"), "{said}");
}

#[test]
fn a_notice_whose_answer_was_lost_says_that_it_may_repeat() {
    let sandbox = sandbox();
    rules(&sandbox, "", "");
    sandbox.append("a.log", "x\n");
    sandbox
        .api
        .faults()
        .push(Fault::once(FaultKind::AnswerLost).method("sendMessage"));
    let _running = sandbox.start(&[]);
    told(&sandbox, "may repeat");
    let texts = texts(&sandbox.api.journal().messages(ME));
    assert_eq!(texts.len(), 2);
    assert!(!texts[0].contains("may repeat"));
    assert!(
        texts[1].starts_with("⚠ may repeat an earlier message\nℹ started on web-1"),
        "{texts:?}"
    );
}

#[test]
fn with_notices_off_there_are_none() {
    let sandbox = sandbox();
    sandbox.rules(RULES).append("a.log", "ERROR one\n");
    let _running = sandbox.start(&[]);
    let told = sandbox
        .api
        .journal()
        .wait(Duration::from_mins(1), |journal| !journal.messages(ME).is_empty());
    assert!(told);
    // The notice of the start would have been the first message.
    assert!(sandbox.last_text_of_first().contains("oops on test-host"));
}
