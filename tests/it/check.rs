//! `check`, and what it promises about `run`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use crate::support::Sandbox;

const RULE: &str = "[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\n";

/// The exit code, and what was said on stdout and stderr with the sandbox's folder as `HERE`.
fn told(sandbox: &Sandbox, output: &Output) -> (Option<i32>, String, String) {
    let here = sandbox.folder().to_str().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(here, "HERE");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn check(sandbox: &Sandbox, args: &[&str]) -> (Option<i32>, String, String) {
    let args: Vec<&str> = ["check"].iter().chain(args).copied().collect();
    told(sandbox, &sandbox.finish(&args))
}

#[test]
fn a_file_that_is_right_takes_one_line_and_no_token() {
    let sandbox = Sandbox::new();
    let tests = "tests = [{ line = \"ERROR\", match = true }, { line = \"error\", match = false }]\n";
    sandbox.rules(&format!("{RULE}{tests}[[rules]]\nname = \"b\"\nmatch = 'b'\n"));
    let output = sandbox
        .command(&["check"])
        .env_remove("TELEGRAM_BOT_TOKEN")
        .output()
        .unwrap();
    let fine = "HERE/rules.toml is fine: 2 rules (2 tests passed), 1 log, 1 chat\n";
    assert_eq!(told(&sandbox, &output), (Some(0), fine.into(), String::new()));
    assert!(!sandbox.path("state").exists());
}

#[test]
fn a_broken_file_is_told_in_full() {
    let sandbox = Sandbox::new();
    sandbox.rules_toml(
        "[chats]\nme = 4242\n[[logs]]\nname = \"app\"\nfiles = [\"*.log\"]\n[[rules]]\nname = \"oops\"\n\
         match = 'ERR(OR'\nsevrity = \"high\"\nlogs = [\"ap\"]\n[[rules]]\nname = \"late\"\nmatch = 'timeout'\n\
         wait = 5\ntests = [{ line = \"Timeout\", match = true }]\n",
    );
    let (code, stdout, stderr) = check(&sandbox, &[]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(stderr, @r#"
    HERE/rules.toml:8:13: not a regular expression: unclosed group
      |
    8 | match = 'ERR(OR'
      |             ^
      = help: close the group with `)`; a literal parenthesis is written \(

    HERE/rules.toml:9:1: there is no key `sevrity` in [[rules]]
      |
    9 | sevrity = "high"
      | ^^^^^^^
      = help: did you mean `severity`?

    HERE/rules.toml:10:9: there is no log named "ap"
       |
    10 | logs = ["ap"]
       |         ^^^^
       = help: did you mean "app"?

    HERE/rules.toml:14:8: `wait` must be a string in quotes
       |
    14 | wait = 5
       |        ^
       = help: this is a number; write wait = "2s"

    HERE/rules.toml:15:19: this line was expected to match; `match` does not find it
       |
    15 | tests = [{ line = "Timeout", match = true }]
       |                   ^^^^^^^^^
       = help: 'timeout' would, if small and capital letters were the same: put (?i) in front of it

    5 problems
    "#);
    let run = told(&sandbox, &sandbox.finish(&["run", "--once"]));
    assert_eq!(run, (code, stdout, stderr), "run says the same");
}

#[test]
fn what_is_probably_not_meant_is_told_and_allowed() {
    let sandbox = Sandbox::new();
    sandbox.rules("[[rules]]\nname = \"oops\"\nmatch = '(ERROR)?'\n");
    let (code, stdout, stderr) = check(&sandbox, &["--log-level", "warn"]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("is fine"), "{stdout}");
    insta::assert_snapshot!(stderr, @r"
    warning: HERE/rules.toml:12:9: this pattern finds every line, so the rule finds every line
       |
    12 | match = '(ERROR)?'
       |         ^^^^^^^^^^
       = help: `*` and `?` also allow nothing at all; write `+`, or the words that must be there
    ");
}

#[test]
fn a_file_that_is_named_is_the_one_that_is_read() {
    let sandbox = Sandbox::new();
    sandbox.rules(RULE);
    fs::write(sandbox.path("other.toml"), "rulez = 1\n").unwrap();
    let (code, _, stderr) = check(&sandbox, &["other.toml"]);
    assert_eq!(code, Some(2));
    assert!(
        stderr.starts_with("other.toml:1:1: there is no key `rulez`"),
        "{stderr}"
    );
    let (code, stdout, stderr) = check(&sandbox, &["missing.toml"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.starts_with("missing.toml: cannot be read"), "{stderr}");
}

#[test]
fn rules_that_only_together_are_too_large_are_refused_before_a_run_begins() {
    let sandbox = Sandbox::new();
    let rule = |n| format!("[[rules]]\nname = \"r{n}\"\nmatch = '(((abcdefgh){{24}}){{24}}){{24}}x{n}'\n");
    sandbox.rules(&(0..40).map(rule).collect::<String>());
    let (code, stdout, stderr) = check(&sandbox, &[]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert!(
        stderr.contains("log app: the rules of this log are too large together"),
        "{stderr}"
    );
}

#[test]
fn a_rule_that_fails_its_own_test_stops_run_before_anything_begins() {
    let sandbox = Sandbox::new();
    let tests = "unless = ['retry']\ntests = [{ line = \"ERROR: retry\", match = true }]\n";
    sandbox
        .rules(&format!("{RULE}{tests}"))
        .append("app.log", "ERROR\n");
    for args in [
        &["run"][..],
        &["run", "--once"],
        &["run", "--dry-run"],
        &["check"],
    ] {
        let (code, stdout, stderr) = told(&sandbox, &sandbox.finish(args));
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}");
        let place = "HERE/rules.toml:14:19: this line was expected to match; `unless` drops it";
        assert!(stderr.starts_with(place), "{stderr}");
        assert!(!sandbox.path("state").exists(), "{args:?}");
    }
}

#[test]
fn the_rules_of_this_repository_are_fine() {
    let sandbox = Sandbox::new();
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/rules.toml");
    let (code, stdout, stderr) = check(&sandbox, &[rules]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.starts_with(&format!("{rules} is fine: ")), "{stdout}");
}

#[test]
fn the_files_of_every_log_are_listed_and_what_is_missing_is_named() {
    let sandbox = Sandbox::new();
    sandbox.rules(&format!(
        "[[logs]]\nname = \"web\"\nfiles = [\"web/*.log\", \"logs/app.log\", \"state/*\"]\n{RULE}"
    ));
    sandbox.append("app.log", &"x".repeat(1536)).append("b.log", "");
    fs::create_dir(sandbox.path("state")).unwrap();
    fs::write(sandbox.path("state/state.db"), "x").unwrap();
    let (code, stdout, stderr) = check(&sandbox, &["--logs"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(stdout, @r"
    HERE/rules.toml is fine: 1 rule, 2 logs, 1 chat

    log app
      HERE/logs/app.log  1.5 KiB, plain
      HERE/logs/b.log  0 B

    log web
      logs/app.log  1.5 KiB, plain
      state/state.db  left alone, as are all of /proc, /sys, /dev and tailgram's own state
      web/*.log  reaches nothing yet: there is no web (in a container: is it mounted?)
    ");
}

/// Root reads everything, so it is given up first; anybody else takes the right from itself.
#[test]
fn a_file_that_cannot_be_read_is_named_with_the_line_that_helps() {
    let sandbox = Sandbox::new();
    sandbox
        .rules(RULE)
        .append("open.log", "x\n")
        .append("secret.log", "x\n");
    fs::set_permissions(sandbox.folder(), Permissions::from_mode(0o755)).unwrap();
    let root = rustix::process::geteuid().is_root();
    let mode = if root { 0o640 } else { 0o040 };
    fs::set_permissions(sandbox.log("secret.log"), Permissions::from_mode(mode)).unwrap();
    let mut command = sandbox.command(&["check", "--logs"]);
    if root {
        command = as_nobody(&sandbox, &command);
    }
    let (code, stdout, stderr) = told(&sandbox, &command.output().unwrap());
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert_eq!(
        stderr,
        "tailgram: 1 path cannot be read; the cure stands beside each\n"
    );
    assert!(stdout.contains("  HERE/logs/open.log  2 B, plain\n"), "{stdout}");
    let refused =
        "  HERE/logs/secret.log  CANNOT BE READ: Permission denied (os error 13)\n    it belongs to uid ";
    assert!(stdout.contains(refused), "{stdout}");
    if root {
        let who = "uid 0, gid 0 with mode 0640; this process is uid 65532, gid 65532\n";
        assert!(stdout.contains(who), "{stdout}");
        assert!(
            stdout.contains("add to the service in compose.yaml: group_add: [\"0\"]\n"),
            "{stdout}"
        );
    } else {
        assert!(
            stdout.contains("let yourself in: chmod u+r HERE/logs/secret.log"),
            "{stdout}"
        );
    }
}

/// The same command by a user who may do nothing, from a copy of the binary that this user can reach.
fn as_nobody(sandbox: &Sandbox, command: &Command) -> Command {
    let copy = sandbox.path("tailgram");
    fs::copy(command.get_program(), &copy).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    let mut other = Command::new(copy);
    other
        .args(command.get_args())
        .env_clear()
        .current_dir(sandbox.folder());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            other.env(name, value);
        }
    }
    other.uid(65532).gid(65532);
    other
}

#[test]
fn wrong_arguments_are_told_with_exit_code_two() {
    let sandbox = Sandbox::new();
    sandbox.rules(RULE);
    for args in [
        &["check", "--log"][..],
        &["check", "a", "b"],
        &["completions"],
        &["completions", "cmd"],
        &["man", "walk"],
        &["man", "run", "check"],
    ] {
        let (code, stdout, stderr) = told(&sandbox, &sandbox.finish(args));
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}: {stderr}");
        assert!(!stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn completions_and_the_manual_page_need_no_rules_and_no_state() {
    let sandbox = Sandbox::new();
    for (args, word) in [
        (&["completions", "bash"][..], "_tailgram"),
        (&["man"], ".TH tailgram"),
        (&["man", "check"], ".TH tailgram-check"),
    ] {
        let (code, stdout, stderr) = told(&sandbox, &sandbox.finish(args));
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(stdout.replace('\\', "").contains(word), "{args:?}: {stdout}");
    }
    assert!(!sandbox.path("state").exists());
}
