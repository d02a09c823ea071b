//! Heartbeats come while all is well, and only then: whoever waits for them notices what a dead or blind program cannot
//! say.
//!
//! With `read_within` at its least a beat is due every six seconds. That none came is known from what came after: the log
//! says that one was due and withheld, and the next one at the switch is that of the healed program.

use std::process::Command;
use std::sync::atomic::Ordering;

use crate::health::{is_green, is_red, limit_files, start_with_limits};
use crate::listen::Served;
use crate::support::{Proxy, SILENT, Sandbox, Switch, until};

/// What a stranger must not know.
const PATH: &str = "/ping/f00dfeed-hush";

fn rules(url: &str) -> String {
    format!(
        "[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"0s\"\nevery = \"100ms\"\n\
         [health]\nread_within = \"3s\"\ndeliver_within = \"3s\"\nheartbeat_url = \"{url}\"\n"
    )
}

fn sandbox(switch: &Switch) -> Sandbox {
    let sandbox = Sandbox::unlimited();
    sandbox
        .rules_of_lines(&rules(&switch.url(PATH)))
        .append("app.log", "all is well\n");
    sandbox
}

/// Waits for the next beat.
#[track_caller]
fn beats(switch: &Switch) {
    let before = switch.beats();
    until("a heartbeat comes", || switch.beats() > before);
}

fn uptime(sandbox: &Sandbox) -> u64 {
    let output = sandbox.finish(&["status", "--json"]);
    let status = serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_default();
    status["uptime_s"].as_u64().unwrap_or_default()
}

/// The program is ill, for this reason, until it is healed: from when a beat was withheld none comes, also where more of
/// them are due; then they come again.
#[track_caller]
fn silent(sandbox: &Sandbox, switch: &Switch, why: &str, two_beats: bool, heal: impl FnOnce()) {
    until("it is red", || is_red(sandbox, why));
    until("a beat was due and is withheld", || {
        sandbox.stderr().contains("no heartbeat until this is over")
    });
    let last = switch.beats();
    if two_beats {
        let since = uptime(sandbox);
        until("two more were due", || uptime(sandbox) > since + 12);
    }
    assert!(is_red(sandbox, why));
    assert_eq!(switch.beats(), last, "{}", sandbox.stderr());
    heal();
    beats(switch);
    until("it is green again", || is_green(sandbox));
}

#[test]
fn heartbeats_come_while_all_is_well_and_not_while_telegram_takes_nothing() {
    let switch = Switch::new();
    let sandbox = sandbox(&switch);
    let running = sandbox.start(&[]);
    beats(&switch);
    beats(&switch);
    sandbox.api.stop();
    sandbox.append("app.log", "ERROR one\n");
    let why = "something is owed, and no request to Telegram succeeded for";
    silent(&sandbox, &switch, why, true, || sandbox.api.restart());
    let asked = switch.asked();
    let beat = format!("GET {PATH} HTTP/1.1");
    assert!(asked.iter().all(|asked| *asked == beat), "{asked:?}");
    assert!(running.terminate().success());
}

#[test]
fn no_heartbeat_comes_while_the_state_takes_nothing() {
    let switch = Switch::new();
    let sandbox = sandbox(&switch);
    let running = start_with_limits(&sandbox);
    beats(&switch);
    limit_files(&running, Some(4_096));
    sandbox.append("app.log", "ERROR one\n");
    silent(&sandbox, &switch, "nothing could be stored for", true, || {
        limit_files(&running, None);
    });
}

#[test]
fn no_heartbeat_comes_while_the_logs_are_not_looked_at() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("SKIP: heartbeat: no strace, and nothing else makes a folder hang");
        return;
    }
    let switch = Switch::new();
    let sandbox = sandbox(&switch);
    // The 24th listing of a folder takes half a minute, as on a network file system that went away.
    let hang = "inject=getdents64:delay_enter=30000000:when=24";
    let trace = [
        "-D",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=getdents64",
        "-e",
        hang,
    ];
    let _running = sandbox.start_under(&[&["strace"][..], &trace].concat());
    beats(&switch);
    let why = "the logs were not looked at for";
    silent(&sandbox, &switch, why, false, || ());
}

#[test]
fn a_switch_that_refuses_is_told_once_and_counted_and_one_that_hangs_holds_nothing_up() {
    let switch = Switch::new();
    let sandbox = sandbox(&switch);
    switch.answers.store(500, Ordering::Release);
    let served = Served::start_with(&sandbox, &["--log-level", "trace"]);
    beats(&switch);
    beats(&switch);
    let failed = "tailgram_heartbeats_total{result=\"failed\"}";
    until("both are counted", || served.scrape().count(failed) >= 2);
    assert_eq!(sandbox.stderr().matches("heartbeat is not heard").count(), 1);
    let heard = |times| {
        until("it is heard", || {
            sandbox.stderr().matches("the heartbeat is heard").count() == times
        });
    };
    switch.answers.store(200, Ordering::Release);
    heard(1);
    switch.answers.store(302, Ordering::Release);
    until("where it leads is not followed", || {
        sandbox.stderr().contains("HTTP 302, which leads elsewhere")
    });
    switch.answers.store(200, Ordering::Release);
    heard(2);
    switch.answers.store(SILENT, Ordering::Release);
    beats(&switch);
    sandbox.append("app.log", "ERROR one\n");
    until("the alert comes", || sandbox.last_text().contains("ERROR one"));
    assert!(served.running.terminate().success());
    let status = String::from_utf8(sandbox.finish(&["status", "--json"]).stdout).unwrap();
    for said in [sandbox.stderr(), status] {
        assert!(!said.contains("f00dfeed"), "{said}");
    }
    assert!(switch.asked().iter().all(|asked| asked.contains(PATH)));
}

#[test]
fn a_reload_gives_heartbeats_another_url_or_ends_them() {
    let switch = Switch::new();
    let sandbox = sandbox(&switch);
    let _running = sandbox.start(&[]);
    beats(&switch);
    sandbox.rules_of_lines(&rules(&switch.url("/other")));
    until("the other URL is asked", || {
        switch.asked().iter().any(|asked| asked.contains("/other"))
    });
    beats(&switch);
    let asked = switch.asked();
    let first = asked.iter().position(|asked| asked.contains("/other")).unwrap();
    assert!(
        asked[first..].iter().all(|asked| asked.contains("/other")),
        "{asked:?}"
    );
    // Without the key there are none; the canary is the beat of a third one.
    let without = rules("").replace("heartbeat_url = \"\"\n", "");
    sandbox.rules_of_lines(&without);
    until("it took effect", || {
        sandbox.stderr().matches("rules reloaded: ").count() == 2
    });
    let last = switch.beats();
    let since = uptime(&sandbox);
    until("two more would have been due", || uptime(&sandbox) > since + 12);
    sandbox.rules_of_lines(&rules(&switch.url("/third")));
    until("the third is asked", || switch.beats() > last);
    assert!(switch.asked()[last].contains("/third"), "{:?}", switch.asked());
}

#[test]
fn a_single_pass_sends_no_heartbeat() {
    let switch = Switch::new();
    let sandbox = sandbox(&switch);
    sandbox.append("app.log", "ERROR one\n");
    sandbox.once();
    assert!(sandbox.last_text().contains("ERROR one"));
    let _running = sandbox.start(&[]);
    beats(&switch);
    assert_eq!(switch.beats(), 1, "that of the run which stays");
}

#[test]
fn heartbeats_go_through_the_proxy_of_rules_toml() {
    let sandbox = Sandbox::unlimited();
    let proxy = Proxy::to(sandbox.api.addr());
    sandbox.rules_of_lines(&rules(&format!("http://switch.invalid{PATH}")));
    let text = std::fs::read_to_string(sandbox.path("rules.toml")).unwrap();
    let with_proxy = format!("[telegram]\nproxy = \"http://{}\"\n", proxy.address());
    sandbox.rules_toml(&text.replacen("[telegram]\n", &with_proxy, 1));
    let _running = sandbox.start(&[]);
    let beat = format!("GET http://switch.invalid{PATH} HTTP/1.1");
    until("the proxy is asked", || {
        proxy.asked().iter().any(|head| head.starts_with(&beat))
    });
}
