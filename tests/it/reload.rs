//! rules.toml is edited while the program runs: whatever way it is edited, what is good takes effect, what is broken
//! does not, both are told, and no line is lost or counted twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use botapi::{ChatConfig, ChatKind, Config, LimitConfig};
use rustix::process::Signal;
use serde_json::Value;
use tailgram::config::{self, Environment};

use crate::reloads::Log;
use crate::support::{ME, Running, Sandbox, evidence, seed, soak, until};

const OPS: i64 = -1_001_234_567_890;

/// Two chats without flood limits; `me` hears notices.
pub fn sandbox() -> Sandbox {
    let config = Config::default()
        .chat(ChatConfig::new(ME, ChatKind::Private))
        .chat(ChatConfig::new(OPS, ChatKind::Supergroup));
    Sandbox::with(config.limits(LimitConfig::off()))
}

/// The text of a rules.toml: the chat `me`, a log `app` from the beginning, then `rules`.
pub fn text(sandbox: &Sandbox, rules: &str) -> String {
    let logs = sandbox.path("logs");
    format!(
        "host = \"web-1\"\n[telegram]\nupdates = \"off\"\n[chats.me]\nid = {ME}\nlimit = \"100000/min\"\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\n{rules}",
        logs.display()
    )
}

pub fn rule(name: &str, pattern: &str, more: &str) -> String {
    format!(
        "[[rules]]\nname = \"{name}\"\nmatch = '{pattern}'\nwait = \"0s\"\nevery = \"100ms\"\nquiet = \"1h\"\n\
         limit = \"100000/min\"\n{more}\n"
    )
}

/// An editor that writes a new file and renames it over the old one.
pub fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// What `me` was told, once one of the messages holds `part`.
#[track_caller]
pub fn told(sandbox: &Sandbox, part: &str) -> String {
    let find = || {
        let messages = sandbox.api.journal().messages(ME);
        messages
            .into_iter()
            .map(|message| message.text)
            .find(|text| text.contains(part))
    };
    let deadline = Instant::now() + Duration::from_mins(1);
    while Instant::now() < deadline {
        if let Some(text) = find() {
            return text;
        }
        sleep(Duration::from_millis(20));
    }
    let all: Vec<String> = sandbox
        .api
        .journal()
        .messages(ME)
        .into_iter()
        .map(|message| message.text)
        .collect();
    panic!("nothing says {part:?}: {all:#?}\n{}", sandbox.stderr());
}

pub fn status(sandbox: &Sandbox) -> Value {
    let output = sandbox.finish(&["status", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// How many events each rule found.
pub fn found(sandbox: &Sandbox) -> BTreeMap<String, u64> {
    let status = status(sandbox);
    let rows = status["found"].as_array().cloned().unwrap_or_default();
    let row = |row: &Value| Some((row["rule"].as_str()?.to_owned(), row["found"].as_u64()?));
    rows.iter().filter_map(row).collect()
}

/// Reloads that the log speaks of, good ones and broken ones.
fn reloads(sandbox: &Sandbox) -> (usize, usize) {
    let log = sandbox.stderr();
    (
        log.matches("rules reloaded: ").count(),
        log.matches("rules.toml is broken").count(),
    )
}

pub fn started(sandbox: &Sandbox) -> Running {
    let running = sandbox.start(&[]);
    told(sandbox, "started on");
    running
}

#[test]
fn an_edit_in_place_takes_effect_and_is_told_as_what_changed() {
    let sandbox = sandbox();
    sandbox.rules_toml(&text(
        &sandbox,
        &(rule("oops", "ERROR", "") + &rule("old", "OLD", "")),
    ));
    sandbox.append("a.log", "OOM 1\nall is well\nOOM 2\n");
    let _running = started(&sandbox);
    let new = rule("oops", "ERROR", "severity = \"critical\"") + &rule("oom", "OOM", "");
    sandbox.rules_toml(&text(&sandbox, &new));
    assert_eq!(
        told(&sandbox, "rules reloaded")
            .lines()
            .last()
            .unwrap()
            .split_once(' ')
            .unwrap()
            .1,
        "rules reloaded: +1 rule oom, ~1 rule oops, -1 rule old; oom would have matched 2 of the last 3 lines; oops \
         would have matched 0 of the last 3 lines"
    );
    // What was read before is not looked at again; what comes is matched by the new rules.
    sandbox.append("a.log", "OOM 3\nOLD\n");
    told(&sandbox, "OOM 3");
    until("the new rule counts", || found(&sandbox).get("oom") == Some(&1));
    assert_eq!(found(&sandbox).get("old"), None);
}

#[test]
fn editors_that_replace_the_file_and_swapped_links_of_folders_are_seen() {
    let sandbox = sandbox();
    // As Kubernetes mounts a ConfigMap: the file is a link through a link that is swapped.
    let version = |name: &str, rules: &str| {
        let folder = sandbox.path(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("rules.toml"), text(&sandbox, rules)).unwrap();
    };
    let point_to = |name: &str| {
        std::os::unix::fs::symlink(name, sandbox.path("..tmp")).unwrap();
        fs::rename(sandbox.path("..tmp"), sandbox.path("..data")).unwrap();
    };
    version("..v1", &rule("one", "ONE", ""));
    version("..v2", &(rule("one", "ONE", "") + &rule("two", "TWO", "")));
    point_to("..v1");
    std::os::unix::fs::symlink("..data/rules.toml", sandbox.path("rules.toml")).unwrap();
    let _running = started(&sandbox);
    point_to("..v2");
    fs::remove_dir_all(sandbox.path("..v1")).unwrap();
    until("the swap took effect", || {
        sandbox.stderr().contains("+1 rules (two)")
    });
    fs::remove_file(sandbox.path("rules.toml")).unwrap();
    replace(
        &sandbox.path("rules.toml"),
        &text(&sandbox, &rule("three", "THREE", "")),
    );
    until("the replacement took effect", || {
        sandbox.stderr().contains("+1 rules (three)")
    });
    sandbox.append("a.log", "THREE\n");
    told(&sandbox, "THREE");
}

#[test]
fn files_that_are_included_are_watched_too_and_so_are_those_that_come() {
    let sandbox = sandbox();
    let main = format!(
        "include = [\"rules.d/*.toml\"]\n{}",
        text(&sandbox, &rule("one", "ONE", ""))
    );
    fs::create_dir(sandbox.path("rules.d")).unwrap();
    sandbox.rules_toml(&main);
    let _running = started(&sandbox);
    let part = sandbox.path("rules.d/part.toml");
    fs::write(&part, rule("two", "TWO", "")).unwrap();
    told(&sandbox, "+1 rule two");
    fs::write(&part, rule("two", "(", "")).unwrap();
    let notice = told(&sandbox, "rules broken");
    assert!(notice.contains("rules.d/part.toml:3:10"), "{notice}");
    sandbox.append("a.log", "TWO 1\n");
    told(&sandbox, "TWO 1");
    fs::remove_file(&part).unwrap();
    told(&sandbox, "-1 rule two");
}

#[test]
fn a_broken_edit_changes_nothing_and_is_told_with_its_place_and_its_cure() {
    let sandbox = sandbox();
    let good = text(&sandbox, &rule("oops", "ERROR", ""));
    sandbox.rules_toml(&good);
    let running = started(&sandbox);
    replace(&sandbox.path("rules.toml"), &good.replace("every =", "evry ="));
    let notice = told(&sandbox, "rules broken");
    assert!(
        notice.contains("those in force stay") && notice.contains("rules.toml:15:1"),
        "{notice}"
    );
    assert!(
        notice.contains("there is no key `evry`") && notice.contains("did you mean `every`"),
        "{notice}"
    );
    let log = sandbox.stderr();
    assert!(log.contains("15 | evry = "), "the log shows the line:\n{log}");
    sandbox.append("a.log", "ERROR 1\n");
    told(&sandbox, "ERROR 1");
    // Whoever mends it by taking it back is not told a word, for nothing changed.
    replace(&sandbox.path("rules.toml"), &good);
    until("it is seen to be mended", || {
        sandbox.stderr().contains("says again what is in force")
    });
    assert_eq!(reloads(&sandbox), (0, 1));
    assert!(running.terminate().success());
}

#[test]
fn an_edit_that_takes_the_only_chat_away_is_refused() {
    let sandbox = sandbox();
    let good = text(&sandbox, &rule("oops", "ERROR", ""));
    sandbox.rules_toml(&good);
    let _running = started(&sandbox);
    let chat = format!("[chats.me]\nid = {ME}\nlimit = \"100000/min\"\n");
    replace(&sandbox.path("rules.toml"), &good.replace(&chat, ""));
    let notice = told(&sandbox, "rules broken");
    assert!(notice.contains("there are no chats in this file"), "{notice}");
    sandbox.append("a.log", "ERROR 1\n");
    told(&sandbox, "ERROR 1");
}

#[test]
fn rules_whose_own_tests_fail_do_not_take_effect() {
    let sandbox = sandbox();
    let good = text(&sandbox, &rule("oops", "ERROR", ""));
    sandbox.rules_toml(&good);
    let _running = started(&sandbox);
    let wrong = text(
        &sandbox,
        &rule("oops", "EROR", "tests = [{ line = \"ERROR x\", match = true }]"),
    );
    replace(&sandbox.path("rules.toml"), &wrong);
    told(&sandbox, "rules broken");
    sandbox.append("a.log", "ERROR 1\n");
    told(&sandbox, "ERROR 1");
}

#[test]
fn sighup_reads_the_file_at_once_and_never_ends_the_program() {
    let sandbox = sandbox();
    sandbox.rules_toml(&text(&sandbox, &rule("oops", "ERROR", "")));
    let running = started(&sandbox);
    running.signal(Signal::HUP);
    until("the file was read again", || {
        sandbox.stderr().contains("nothing in it means something else")
    });
    sandbox.rules_toml(&text(&sandbox, &rule("oops", "ERROR", "severity = \"critical\"")));
    running.signal(Signal::HUP);
    told(&sandbox, "~1 rule oops");
    assert!(running.terminate().success());
}

#[test]
fn a_chat_that_comes_is_told_and_one_that_goes_is_told_no_more() {
    let sandbox = sandbox();
    let one = text(&sandbox, &rule("oops", "ERROR", ""));
    sandbox.rules_toml(&one);
    let _running = started(&sandbox);
    let ops = format!("[chats.ops]\nid = {OPS}\n[[logs]]");
    let both = rule("oops", "ERROR", "chats = [\"me\", \"ops\"]");
    let both = text(&sandbox, &both).replacen("[[logs]]", &ops, 1);
    replace(&sandbox.path("rules.toml"), &both);
    told(&sandbox, "+1 chat ops");
    sandbox.append("a.log", "ERROR 1\n");
    let ops_told = |part: &str| {
        let messages = sandbox.api.journal().messages(OPS);
        messages.iter().any(|message| message.text.contains(part))
    };
    until("the new chat is told", || ops_told("ERROR 1"));
    until("a letter reaches it", || {
        sandbox
            .finish(&["send", "--chat", "ops", "hello"])
            .status
            .success()
    });
    replace(&sandbox.path("rules.toml"), &one);
    told(&sandbox, "-1 chat ops");
    sandbox.append("a.log", "ERROR 2\n");
    told(&sandbox, "ERROR 2");
    assert!(!ops_told("ERROR 2"));
    let refused = sandbox.finish(&["send", "--chat", "ops", "hello"]);
    assert!(!refused.status.success(), "no letter goes to a chat that left");
    // And it may come back.
    replace(&sandbox.path("rules.toml"), &both);
    until("it came back", || reloads(&sandbox).0 == 3);
    sandbox.append("a.log", "ERROR 3\n");
    until("the chat is told again", || ops_told("ERROR 3"));
}

#[test]
fn what_the_connection_is_built_from_waits_for_a_restart_and_is_named() {
    let sandbox = sandbox();
    let good = text(&sandbox, &rule("oops", "ERROR", ""));
    sandbox.rules_toml(&good);
    let _running = started(&sandbox);
    let other = good.replacen(
        "updates = \"off\"",
        "updates = \"off\"\nproxy = \"http://127.0.0.1:1\"",
        1,
    );
    replace(&sandbox.path("rules.toml"), &other);
    told(&sandbox, "only after a restart: proxy");
    sandbox.append("a.log", "ERROR 1\n");
    told(&sandbox, "ERROR 1");
}

#[test]
fn a_rule_with_an_open_incident_that_gets_another_name_ends_it_and_begins_anew() {
    let sandbox = sandbox();
    sandbox.rules_toml(&text(&sandbox, &rule("before", "ERROR", "")));
    sandbox.append("a.log", "ERROR 1\n");
    let _running = started(&sandbox);
    told(&sandbox, "ERROR 1");
    replace(
        &sandbox.path("rules.toml"),
        &text(&sandbox, &rule("after", "ERROR", "")),
    );
    told(&sandbox, "+1 rule after, -1 rule before");
    sandbox.append("a.log", "ERROR 2\n");
    told(&sandbox, "ERROR 2");
    told(&sandbox, "rule removed");
    until("both add up", || {
        let ledger = status(&sandbox)["ledger"].as_array().cloned().unwrap_or_default();
        let line = |rule: &str| {
            ledger
                .iter()
                .find(|line| line["rule"] == rule)
                .cloned()
                .unwrap_or_default()
        };
        let (before, after) = (line("before"), line("after"));
        before["matched"] == 1 && before["shown"] == 1 && before["removed"] == true && after["shown"] == 1
    });
}

#[test]
fn an_incident_goes_on_under_other_timers_and_another_pattern() {
    let sandbox = sandbox();
    sandbox.rules_toml(&text(&sandbox, &rule("oops", "ERROR", "")));
    sandbox.append("a.log", "ERROR 1\n");
    let _running = started(&sandbox);
    told(&sandbox, "ERROR 1");
    let other = rule("oops", "FATAL", "").replace("quiet = \"1h\"", "quiet = \"2h\"");
    replace(&sandbox.path("rules.toml"), &text(&sandbox, &other));
    told(&sandbox, "~1 rule oops");
    sandbox.append("a.log", "ERROR 2\nFATAL 3\n");
    told(&sandbox, "FATAL 3");
    until("it is one incident with two matches", || {
        let incidents = status(&sandbox)["incidents"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        incidents.len() == 1 && incidents[0]["total"] == 2
    });
}

#[test]
fn a_restart_goes_on_with_the_last_good_copy_where_rules_toml_is_broken() {
    let sandbox = sandbox();
    let good = text(&sandbox, &rule("oops", "ERROR", ""));
    sandbox.rules_toml(&good);
    assert!(started(&sandbox).terminate().success());
    sandbox.rules_toml(&format!("{good}evry = 1\n"));
    let running = sandbox.start(&[]);
    let notice = told(&sandbox, "rules broken");
    assert!(notice.contains("started with their last good copy"), "{notice}");
    sandbox.append("a.log", "ERROR 1\n");
    told(&sandbox, "ERROR 1");
    // Mended, it takes effect like any edit.
    sandbox.rules_toml(&text(&sandbox, &rule("oops", "ERROR", "severity = \"critical\"")));
    told(&sandbox, "~1 rule oops");
    assert!(running.terminate().success());
    // Whoever looks at it hears what is wrong instead.
    sandbox.rules_toml("broken");
    for args in [&["run", "--once"][..], &["check"], &["run", "--dry-run"]] {
        assert_eq!(sandbox.finish(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_file_cut_anywhere_for_a_moment_never_takes_effect() {
    let sandbox = sandbox();
    let good = text(&sandbox, &(rule("one", "ONE", "") + &rule("two", "TWO", "")));
    sandbox.rules_toml(&good);
    let running = started(&sandbox);
    let mut random = fastrand::Rng::with_seed(seed());
    for _ in 0..40 {
        let cut = random.usize(..good.len());
        fs::write(sandbox.path("rules.toml"), &good.as_bytes()[..cut]).unwrap();
        sleep(Duration::from_millis(random.u64(1..120)));
        fs::write(sandbox.path("rules.toml"), &good).unwrap();
    }
    // A sign that comes behind all of them.
    sandbox.rules_toml(&text(
        &sandbox,
        &(rule("one", "ONE", "") + &rule("two", "TWO|2", "")),
    ));
    told(&sandbox, "~1 rule two");
    assert_eq!(reloads(&sandbox), (1, 0), "{}", sandbox.stderr());
    assert!(running.terminate().success());
}

#[test]
fn a_file_cut_at_any_byte_takes_effect_only_where_what_is_left_is_right() {
    let sandbox = sandbox();
    // With letters that a cut can hit in their middle.
    let rule = |nth| {
        format!(
            "[[rules]]\nname = \"r-{nth}\"\nmatch = 'Störung {nth} 장애'\nseverity = \"info\"\nwait = \"0s\"\n"
        )
    };
    let count = if soak() { 20 } else { 2 };
    let rules: Vec<String> = (0..count).map(rule).collect();
    let good = text(&sandbox, &rules.concat());
    sandbox.rules_toml(&good);
    let running = started(&sandbox);
    let mut log = Log::new(&sandbox);
    // Whoever asks does not wait until it rests, so each cut is judged as if it stayed.
    let mut judged = |bytes: &[u8], right: bool, cut: usize| {
        fs::write(sandbox.path("rules.toml"), bytes).unwrap();
        running.signal(Signal::HUP);
        let refused = "rules.toml is broken; the rules in force stay";
        let signs = [refused, "rules reloaded: ", "nothing in it means something else"];
        until("the cut is judged", || {
            signs.iter().any(|sign| log.said().contains(sign))
        });
        assert_eq!(
            log.said().contains(refused),
            !right,
            "cut at {cut}: {}",
            log.said()
        );
        log.forget();
    };
    let (mut refused, mut taken) = (0, 0);
    for cut in (0..good.len()).rev() {
        let left = &good.as_bytes()[..cut];
        let right = str::from_utf8(left)
            .is_ok_and(|left| config::parse(Path::new("rules.toml"), left, &Environment::default()).is_ok());
        judged(left, right, cut);
        if right {
            taken += 1;
            judged(good.as_bytes(), true, cut);
        } else {
            refused += 1;
        }
    }
    // The last one that was right is in force: all of it.
    for nth in 0..count {
        sandbox.append("a.log", &format!("Störung {nth} 장애\n"));
    }
    until("every rule finds", || {
        let found = found(&sandbox);
        (0..count).all(|nth| found.get(&format!("r-{nth}")) == Some(&1))
    });
    assert!(running.terminate().success());
    evidence(&format!(
        "rules.toml cut at each of its {} bytes while running: {refused} cuts refused, {taken} that are right taken",
        good.len()
    ));
}

/// Runs the program in a mount namespace in which `rules.toml` of the sandbox is a mount of its own; nothing where the
/// system does not allow that.
pub fn with_single_mount(sandbox: &Sandbox) -> Option<(Running, PathBuf)> {
    let outside = sandbox.path("outside.toml");
    fs::copy(sandbox.path("rules.toml"), &outside).unwrap();
    let allowed = Command::new("unshare").args(["-m", "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIP: reload: needs unshare, and the right to mount, for a mount of a single file");
        return None;
    }
    let mount = format!(
        "mount --bind {} {} && exec \"$@\"",
        outside.display(),
        sandbox.path("rules.toml").display()
    );
    let running = sandbox.start_under(&["/usr/bin/unshare", "-m", "/bin/sh", "-c", &mount, "sh"]);
    Some((running, outside))
}

#[test]
fn a_single_file_mount_that_is_replaced_outside_is_told_with_the_cure() {
    let sandbox = sandbox();
    sandbox.rules_toml(&text(&sandbox, &rule("oops", "ERROR", "")));
    let Some((_running, outside)) = with_single_mount(&sandbox) else {
        return;
    };
    told(&sandbox, "started on");
    until("the risk is named", || {
        sandbox.stderr().contains("Mount its folder instead")
    });
    // In place, an edit is seen.
    fs::write(
        &outside,
        text(&sandbox, &rule("oops", "ERROR", "severity = \"critical\"")),
    )
    .unwrap();
    told(&sandbox, "~1 rule oops");
    replace(&outside, &text(&sandbox, &rule("unseen", "X", "")));
    let notice = told(&sandbox, "was replaced outside");
    assert!(
        notice.contains("Mount its folder instead, and restart"),
        "{notice}"
    );
}
