//! rules.toml is edited while the program runs: whatever way it is edited, what is good takes effect, what is broken
//! does not, both are told, and no line is lost or counted twice.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use botapi::{ChatConfig, ChatKind, Config, LimitConfig};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{ME, Running, Sandbox, evidence, seed, soak, until};

const OPS: i64 = -1_001_234_567_890;

/// Two chats without flood limits; `me` hears notices.
fn sandbox() -> Sandbox {
    let config = Config::default()
        .chat(ChatConfig::new(ME, ChatKind::Private))
        .chat(ChatConfig::new(OPS, ChatKind::Supergroup));
    Sandbox::with(config.limits(LimitConfig::off()))
}

/// The text of a rules.toml: the chat `me`, a log `app` from the beginning, then `rules`.
fn text(sandbox: &Sandbox, rules: &str) -> String {
    let logs = sandbox.path("logs");
    format!(
        "host = \"web-1\"\n[telegram]\nupdates = \"off\"\n[chats.me]\nid = {ME}\nlimit = \"100000/min\"\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\n{rules}",
        logs.display()
    )
}

fn rule(name: &str, pattern: &str, more: &str) -> String {
    format!(
        "[[rules]]\nname = \"{name}\"\nmatch = '{pattern}'\nwait = \"0s\"\nevery = \"100ms\"\nquiet = \"1h\"\n\
         limit = \"100000/min\"\n{more}\n"
    )
}

/// An editor that writes a new file and renames it over the old one.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// What `me` was told, once one of the messages holds `part`.
#[track_caller]
fn told(sandbox: &Sandbox, part: &str) -> String {
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

fn status(sandbox: &Sandbox) -> Value {
    let output = sandbox.finish(&["status", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// How many events each rule found.
fn found(sandbox: &Sandbox) -> BTreeMap<String, u64> {
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

fn started(sandbox: &Sandbox) -> Running {
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

/// Writes numbered lines at a steady pace until it is told to stop.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Writer {
    fn start(sandbox: &Sandbox, per_second: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, mut file) = (stop.clone(), sandbox.open("app.log"));
        let thread = spawn(move || {
            let (start, mut written) = (Instant::now(), 0_u64);
            while !stopped.load(Ordering::Acquire) {
                let due = u64::try_from(start.elapsed().as_millis()).unwrap() * per_second / 1000;
                let lines: Vec<_> = (written..due)
                    .map(|line| format!("ALWAYS line {line}\n"))
                    .collect();
                file.write_all(lines.concat().as_bytes()).unwrap();
                written = due;
                sleep(Duration::from_millis(10));
            }
            written
        });
        Self { stop, thread }
    }

    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap()
    }
}

/// Ways of editing a file.
fn edit(path: &Path, text: &str, way: u64) {
    match way {
        0 => fs::write(path, text).unwrap(),
        1 => replace(path, text),
        2 => {
            // As vim does with a backup: away, then anew.
            fs::rename(path, path.with_extension("toml~")).unwrap();
            fs::write(path, text).unwrap();
        }
        _ => {
            // In pieces.
            let mut file = fs::File::create(path).unwrap();
            let (one, other) = text.split_at(text.len() / 2);
            file.write_all(one.as_bytes()).unwrap();
            sleep(Duration::from_millis(5));
            file.write_all(other.as_bytes()).unwrap();
        }
    }
}

#[test]
fn many_reloads_under_a_running_writer_lose_and_double_nothing() {
    let (count, rate) = if soak() { (1_000, 5_000) } else { (8, 1_000) };
    let mut random = fastrand::Rng::with_seed(seed());
    let sandbox = sandbox();
    let path = sandbox.path("rules.toml");
    // One rule that is always there, and changes; one that comes and goes.
    let always = rule("always", "^ALWAYS", "ring = \"first\"");
    let version = |nth: u64| {
        let changed = always.replace("every = \"100ms\"", &format!("every = \"{}ms\"", 100 + nth));
        let other = rule("sometimes", &format!("ALWAYS line {nth}$"), "ring = \"first\"");
        text(
            &sandbox,
            &if nth.is_multiple_of(2) {
                changed + &other
            } else {
                changed
            },
        )
    };
    sandbox.rules_toml(&version(0));
    let running = started(&sandbox);
    let writer = Writer::start(&sandbox, rate);
    let mut memory = Vec::new();
    let (mut good, mut broken) = (0, 0);
    let began = Instant::now();
    for nth in 1..=count {
        // SIGHUP spares the wait until the file rests; one of three does without.
        let ask = random.u8(..3) > 0;
        if random.u8(..4) == 0 {
            let text = format!("{}evry{nth} = 1\n", version(nth));
            edit(&path, &text, random.u64(..4));
            broken += 1;
        } else {
            edit(&path, &version(nth), random.u64(..4));
            good += 1;
        }
        if ask {
            running.signal(Signal::HUP);
        }
        until("the edit was judged", || {
            let (taken, refused) = reloads(&sandbox);
            taken >= good && refused >= broken
        });
        assert_eq!(reloads(&sandbox), (good, broken), "at edit {nth}");
        if nth % (count / 4) == 0 {
            memory.push(running.memory("VmRSS"));
        }
    }
    let written = writer.stop();
    until("every line is found", || {
        found(&sandbox).get("always") == Some(&written)
    });
    assert!(running.terminate().success());
    let files = fs::read_to_string(sandbox.log("app.log")).unwrap();
    assert_eq!(files.lines().count() as u64, written);
    evidence(&format!(
        "{good} good and {broken} broken reloads in {} s under {rate} lines/s: {written} lines written, as many found; \
         resident {} after a quarter, {} at the end (KiB)",
        began.elapsed().as_secs(),
        memory[0],
        memory[memory.len() - 1]
    ));
    if soak() {
        let (early, late) = (memory[0], memory[memory.len() - 1]);
        assert!(late < early + early / 5, "memory grew over reloads: {memory:?}");
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

/// Runs the program in a mount namespace in which `rules.toml` of the sandbox is a mount of its own; nothing where the
/// system does not allow that.
fn with_single_mount(sandbox: &Sandbox) -> Option<(Running, PathBuf)> {
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
