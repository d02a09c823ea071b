//! `health` turns red for each reason that there is, says which, and turns green again.
//!
//! The faults are real: a stopped process, a folder whose listing hangs, a file that may not grow, a
//! server that is away.

use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::support::{Running, Sandbox, until};

/// As short as rules.toml lets them be.
const RULES: &str = "[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"0s\"\nevery = \"100ms\"\n\
                     [health]\nread_within = \"3s\"\ndeliver_within = \"3s\"\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::unlimited();
    sandbox.rules_of_lines(RULES).append("app.log", "all is well\n");
    sandbox
}

/// Whether `health` is red, and says why in these words.
pub fn is_red(sandbox: &Sandbox, why: &str) -> bool {
    let output = sandbox.finish(&["health"]);
    let said = String::from_utf8_lossy(&output.stderr);
    output.status.code() == Some(1) && said.contains(why)
}

pub fn is_green(sandbox: &Sandbox) -> bool {
    sandbox.finish(&["health"]).status.code() == Some(0)
}

#[test]
fn no_process_is_red_and_a_new_one_green() {
    let sandbox = sandbox();
    assert!(is_red(&sandbox, "no process uses the state in"));
    let running = sandbox.start(&[]);
    until("it is green", || is_green(&sandbox));
    running.kill_nine();
    assert!(is_red(&sandbox, "is gone"));
    let running = sandbox.start(&[]);
    until("it is green again", || is_green(&sandbox));
    assert!(running.terminate().success());
    assert!(is_red(&sandbox, "no process uses the state in"));
}

#[test]
fn a_process_that_hangs_is_red_until_it_goes_on() {
    let sandbox = sandbox();
    let running = sandbox.start(&[]);
    until("it is green", || is_green(&sandbox));
    running.stop();
    until("it is red", || is_red(&sandbox, "gave no sign of life for"));
    running.signal(Signal::CONT);
    until("it is green again", || is_green(&sandbox));
}

#[test]
fn logs_that_are_not_looked_at_are_red_until_they_are() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("SKIP: health: no strace, and nothing else makes a folder hang");
        return;
    }
    let sandbox = sandbox();
    // The 24th listing of a folder takes eight seconds, as on a network file system that went away.
    let hang = "inject=getdents64:delay_enter=8000000:when=24";
    let traced = [
        "strace",
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
    let _running = sandbox.start_under(&traced);
    until("it is green", || is_green(&sandbox));
    until("it is red", || {
        is_red(&sandbox, "the logs were not looked at for")
    });
    until("it is green again", || is_green(&sandbox));
}

/// Starts `run` so that a write past its limit fails instead of ending it, as on a full disk.
pub fn start_with_limits(sandbox: &Sandbox) -> Running {
    sandbox.start_under(&["bash", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
}

/// How large the process may make a file, in bytes. The database is larger, `status.json` is not.
pub fn limit_files(running: &Running, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(running.pid()).unwrap());
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(pid, Resource::Fsize, limit).unwrap();
}

#[test]
fn a_state_that_takes_nothing_is_red_until_it_does() {
    let sandbox = sandbox();
    let running = start_with_limits(&sandbox);
    until("it is green", || is_green(&sandbox));
    limit_files(&running, Some(4_096));
    sandbox.append("app.log", "ERROR one\n");
    until("it is red", || is_red(&sandbox, "nothing could be stored for"));
    limit_files(&running, None);
    until("it is green again", || is_green(&sandbox));
    until("and what was found meanwhile is told", || {
        sandbox.last_text().contains("oops")
    });
}

#[test]
fn a_disk_that_took_nothing_for_a_while_is_told_once_it_does_with_the_time_of_it() {
    let sandbox = sandbox();
    let rules = std::fs::read_to_string(sandbox.path("rules.toml")).unwrap();
    sandbox.rules_toml(&rules.replace("notices = false", "notices = true"));
    let running = start_with_limits(&sandbox);
    until("it is green", || is_green(&sandbox));
    until("its start is told", || sandbox.all_texts().contains("started on"));
    limit_files(&running, Some(4_096));
    sandbox.append("app.log", "ERROR one\n");
    until("it is red", || is_red(&sandbox, "nothing could be stored for"));
    limit_files(&running, None);
    until("it is told", || {
        sandbox.all_texts().contains("the state could not be written ")
    });
    assert!(sandbox.all_texts().contains("and no log was read"));
}

#[test]
fn with_nothing_to_store_a_full_disk_is_nobodys_illness() {
    let sandbox = sandbox();
    let running = start_with_limits(&sandbox);
    until("it is green", || is_green(&sandbox));
    limit_files(&running, Some(4_096));
    // Longer than `read_within`, by the status's own clock.
    let uptime = || {
        let output = sandbox.finish(&["status", "--json"]);
        let status = serde_json::from_slice::<serde_json::Value>(&output.stdout).ok()?;
        status["uptime_s"].as_u64()
    };
    let full = uptime().unwrap();
    until("five seconds have passed", || {
        uptime().is_some_and(|now| now >= full + 5)
    });
    until("it is green all the same", || is_green(&sandbox));
}

#[test]
fn a_telegram_that_takes_nothing_is_red_while_something_is_owed() {
    let sandbox = sandbox();
    let _running = sandbox.start(&[]);
    until("it is green", || is_green(&sandbox));
    sandbox.api.stop();
    sandbox.append("app.log", "ERROR one\n");
    until("it is red", || {
        is_red(
            &sandbox,
            "something is owed, and no request to Telegram succeeded for",
        )
    });
    sandbox.api.restart();
    until("it is green again", || is_green(&sandbox));
    assert!(sandbox.last_text().contains("oops"));
}
