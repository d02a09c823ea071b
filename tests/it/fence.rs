//! The fence: once it runs, the program can open what its rules.toml named at the start and nothing else, whatever
//! rules.toml or a link in a log folder says later; and it says so.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use botapi::{ChatConfig, ChatKind, Config, LimitConfig};

use crate::support::{ME, Running, Sandbox, until};

/// rules.toml and the logs have folders of their own, so that something is outside.
fn sandbox() -> Sandbox {
    let chat = ChatConfig::new(ME, ChatKind::Private);
    let sandbox = Sandbox::with(Config::default().chat(chat).limits(LimitConfig::off()));
    for folder in ["etc", "elsewhere"] {
        fs::create_dir(sandbox.path(folder)).unwrap();
    }
    sandbox
}

/// Writes rules.toml: the chat `me` with notices, `top`, a log over these globs from the beginning, a rule for `CANARY`.
fn rules(sandbox: &Sandbox, top: &str, globs: &[&str]) {
    let globs = globs
        .iter()
        .map(|glob| format!("\"{}\"", sandbox.path(glob).display()));
    let globs: Vec<String> = globs.collect();
    let text = format!(
        "{top}\nhost = \"web-1\"\n[telegram]\nupdates = \"off\"\n[chats]\nme = {ME}\n\
         [[logs]]\nname = \"app\"\nfiles = [{}]\nstart = \"beginning\"\n\
         [[rules]]\nname = \"canary\"\nmatch = 'CANARY'\nwait = \"0s\"\nevery = \"100ms\"\n",
        globs.join(", ")
    );
    fs::write(sandbox.path("etc/rules.toml"), text).unwrap();
}

fn command(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = sandbox.command(args);
    command.env("TAILGRAM_CONFIG", sandbox.path("etc/rules.toml"));
    command
}

fn run(sandbox: &Sandbox) -> Running {
    let running = sandbox.spawn(command(sandbox, &["run"]));
    until("it started", || sandbox.all_texts().contains("started on"));
    running
}

/// The same, where the kernel has a fence to raise.
fn fenced(sandbox: &Sandbox) -> Option<Running> {
    let running = run(sandbox);
    if sandbox.stderr().contains("no fence") {
        eprintln!("SKIP: fence: needs a kernel with Landlock, and the right to use it");
        return None;
    }
    assert!(
        sandbox.stderr().contains("the fence stands"),
        "{}",
        sandbox.stderr()
    );
    Some(running)
}

fn write(sandbox: &Sandbox, name: &str, line: &str) -> PathBuf {
    let path = sandbox.path(name);
    fs::write(&path, format!("{line}\n")).unwrap();
    path
}

#[test]
fn a_file_outside_is_not_opened_even_for_a_rule_that_names_it_after_the_start() {
    let sandbox = sandbox();
    write(&sandbox, "elsewhere/secret.log", "CANARY of elsewhere");
    // A log without a file would be told first, and then that kind of notice pauses.
    sandbox.append("in.log", "all is well\n");
    rules(&sandbox, "", &["logs/*.log"]);
    let Some(running) = fenced(&sandbox) else { return };
    rules(&sandbox, "", &["logs/*.log", "elsewhere/*.log"]);
    until("the edit and its limit are told", || {
        sandbox
            .all_texts()
            .contains("only after a restart: files of log app")
    });
    until("the refusal is told, with why and the cure", || {
        let told = sandbox.all_texts();
        let logged = sandbox.stderr();
        ["outside the fence", "restart tailgram"]
            .iter()
            .all(|words| told.contains(words) && logged.contains(words))
    });
    // Long after it could have been read: what is inside goes on being told.
    sandbox.append("in.log", "CANARY of inside\n");
    until("what is inside is told", || {
        sandbox.all_texts().contains("CANARY of inside")
    });
    assert!(!sandbox.all_texts().contains("CANARY of elsewhere"));
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    let _again = run(&sandbox);
    until("a restart is the cure", || {
        sandbox.all_texts().contains("CANARY of elsewhere")
    });
}

#[test]
fn a_link_that_leads_outside_is_followed_if_it_was_there_at_the_start_and_told_if_it_came_later() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.path("linked")).unwrap();
    write(&sandbox, "elsewhere/secret.log", "CANARY of elsewhere");
    symlink(
        write(&sandbox, "linked/old.log", "CANARY of an old link"),
        sandbox.log("old.log"),
    )
    .unwrap();
    rules(&sandbox, "", &["logs/*.log"]);
    let Some(_running) = fenced(&sandbox) else { return };
    until("the link of before is followed", || {
        sandbox.all_texts().contains("CANARY of an old link")
    });
    symlink(sandbox.path("elsewhere/secret.log"), sandbox.log("new.log")).unwrap();
    until("the cure is told", || {
        let told = sandbox.all_texts();
        told.contains("outside the fence") && told.contains("name its folder in `read` below [fence]")
    });
    sandbox.append("in.log", "CANARY of a new file\n");
    until("new files inside are read", || {
        sandbox.all_texts().contains("CANARY of a new file")
    });
    assert!(!sandbox.all_texts().contains("CANARY of elsewhere"));
}

#[test]
fn folders_that_rules_toml_names_for_later_links_are_inside_and_without_a_fence_everything_is() {
    for top in [
        "[fence]\nread = [\"ELSEWHERE\"]\n",
        "[fence]\nlandlock = \"off\"\n",
    ] {
        let sandbox = sandbox();
        write(&sandbox, "elsewhere/app.log", "CANARY of elsewhere");
        let elsewhere = sandbox.path("elsewhere").display().to_string();
        // A table ends with the next one, so `host` comes first.
        let table = top.replace("ELSEWHERE", &elsewhere);
        rules(&sandbox, "", &["logs/*.log"]);
        let text = fs::read_to_string(sandbox.path("etc/rules.toml")).unwrap();
        fs::write(sandbox.path("etc/rules.toml"), text + &table).unwrap();
        let _running = run(&sandbox);
        symlink(sandbox.path("elsewhere/app.log"), sandbox.log("new.log")).unwrap();
        until("the link is followed", || {
            sandbox.all_texts().contains("CANARY of elsewhere")
        });
    }
}

#[test]
fn a_part_of_rules_toml_that_lies_outside_is_refused_with_the_cure() {
    let sandbox = sandbox();
    write(&sandbox, "elsewhere/more.toml", "");
    rules(&sandbox, "", &["logs/*.log"]);
    let Some(_running) = fenced(&sandbox) else { return };
    for name in ["more.toml", "*.toml"] {
        let include = format!(
            "include = [\"{}\"]\n",
            sandbox.path("elsewhere").join(name).display()
        );
        rules(&sandbox, &include, &["logs/*.log"]);
        until("the refusal names the cure", || {
            let logged = sandbox.stderr();
            logged.matches("outside the fence").count() >= 1
                && logged.contains(name)
                && logged.contains("restart tailgram, or name its folder")
        });
    }
}

#[test]
fn what_can_write_is_the_state_alone_and_no_program_can_be_run() {
    let sandbox = sandbox();
    rules(&sandbox, "", &["logs/*.log"]);
    let Some(running) = fenced(&sandbox) else { return };
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    let logged = sandbox.stderr();
    let stands = logged
        .lines()
        .find(|line| line.contains("the fence stands"))
        .unwrap();
    for inside in ["logs", "etc", "state"] {
        let folder = sandbox.path(inside).canonicalize().unwrap();
        assert!(stands.contains(&folder.display().to_string()), "{stands}");
    }
    assert!(!stands.contains("elsewhere"), "{stands}");
}

#[test]
fn a_fence_that_is_required_and_cannot_be_had_stops_the_start() {
    let sandbox = sandbox();
    rules(&sandbox, "", &["logs/*.log"]);
    let path = sandbox.path("etc/rules.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text + "[fence]\nlandlock = \"require\"\n").unwrap();
    let output = command(&sandbox, &["run", "--once"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        assert!(said.contains("the fence stands"), "{said}");
    } else {
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("requires it: landlock = \"auto\""), "{said}");
    }
}
