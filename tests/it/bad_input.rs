//! What is missing, forbidden, broken or odd is named once, with its cure, and stops nothing else.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use crate::support::{ME, Sandbox, as_nobody, folder_of_nobody, total, until};

const RULE: &str = "[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"100ms\"\n";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Refused before anything began: this exit code, no state folder, no request.
#[track_caller]
fn refused_at_once(sandbox: &Sandbox, output: &Output, code: i32, words: &[&str]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said:?}");
    }
    assert!(!sandbox.path("state").exists(), "a state folder was made");
    assert!(sandbox.api.journal().requests().is_empty());
}

/// Two logs: `app` and `other`, each with a glob that this test chose.
fn two_logs(sandbox: &Sandbox, app: &Path, other: &Path) {
    sandbox.rules_toml(&format!(
        "[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false }}\n{RULE}every = \"1s\"\nby = [\"log\"]\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}\"]\n[[logs]]\nname = \"other\"\nfiles = [\"{}\"]\n",
        app.display(),
        other.display()
    ));
}

fn seen(sandbox: &Sandbox, words: &str) -> bool {
    sandbox
        .api
        .journal()
        .messages(ME)
        .iter()
        .any(|message| message.text.contains(words))
}

#[test]
fn a_missing_log_is_told_once_and_read_from_its_beginning_when_it_comes() {
    let sandbox = Sandbox::unlimited();
    let missing = sandbox.path("not/yet/there.log");
    sandbox.append("here.log", "ERROR from before the start\n");
    two_logs(&sandbox, &missing, &sandbox.log("here.log"));
    let running = sandbox.start(&[]);
    until("it says what is missing", || {
        sandbox.stderr().contains("waiting for one")
    });
    sandbox.append("here.log", "ERROR the other log goes on\n");
    until("the other log is delivered", || {
        seen(&sandbox, "the other log goes on")
    });

    fs::create_dir_all(missing.parent().unwrap()).unwrap();
    fs::write(&missing, "ERROR its first line\nERROR its second line\n").unwrap();
    until("the file that came late is delivered whole", || {
        let messages = sandbox.api.journal().messages(ME);
        messages
            .iter()
            .any(|message| message.text.contains("its first line") && total(&message.text) == 2)
    });
    assert!(running.terminate().success());
    let said = sandbox.stderr();
    assert_eq!(said.matches("waiting for one").count(), 1, "{said}");
    assert!(said.contains("log app") && said.contains("there.log"), "{said}");
    assert!(
        !seen(&sandbox, "from before the start"),
        "a log that is there is followed from its end"
    );
}

#[test]
fn an_unreadable_log_is_named_with_its_cure_and_delivered_once_it_can_be_read() {
    let sandbox = Sandbox::unlimited();
    let (closed, open) = (sandbox.log("closed.log"), sandbox.log("open.log"));
    sandbox
        .append("closed.log", "ERROR behind the door\n")
        .append("open.log", "");
    fs::set_permissions(&closed, Permissions::from_mode(0o600)).unwrap();
    sandbox.rules_toml(&format!(
        "[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false }}\n{RULE}every = \"1s\"\nby = [\"file\"]\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}\", \"{}\"]\nstart = \"beginning\"\n",
        closed.display(),
        open.display()
    ));
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
    }
    folder_of_nobody(&sandbox.path("state"));
    let Some(command) = as_nobody(&sandbox, "bad_input", &["run"]) else {
        return;
    };
    let running = sandbox.spawn(command);
    until("it says what it cannot read", || {
        sandbox.stderr().contains("cannot read")
    });
    sandbox.append("open.log", "ERROR the open one goes on\n");
    until("the other file is delivered", || {
        seen(&sandbox, "the open one goes on")
    });

    fs::set_permissions(&closed, Permissions::from_mode(0o644)).unwrap();
    until("the file that was closed is delivered", || {
        seen(&sandbox, "behind the door")
    });
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    let said = sandbox.stderr();
    assert_eq!(said.matches("cannot read").count(), 1, "{said}");
    assert_eq!(said.matches("can be read now").count(), 1, "{said}");
    let owner = rustix::process::geteuid().as_raw();
    for word in ["closed.log", &format!("uid {owner} with mode"), "setfacl"] {
        assert!(said.contains(word), "{word:?} is not in {said:?}");
    }
}

#[test]
fn a_bad_rules_file_stops_it_before_anything_begins() {
    let sandbox = Sandbox::new();
    for broken in [
        "[[rules]]\nname = \"x\"\nmatch = '('\n",
        "[[rules]]\nname = \"x\"\nmacth = 'y'\n",
        "not toml at all",
    ] {
        sandbox.rules(broken);
        refused_at_once(&sandbox, &sandbox.finish(&["run"]), 2, &["rules.toml"]);
    }
    fs::remove_file(sandbox.path("rules.toml")).unwrap();
    refused_at_once(
        &sandbox,
        &sandbox.finish(&["run"]),
        2,
        &["rules.toml", "does not exist"],
    );
}

#[test]
fn without_a_token_that_looks_like_one_nothing_begins() {
    let sandbox = Sandbox::new();
    sandbox.rules(RULE);
    let with = |token: Option<&str>| {
        let mut command = sandbox.command(&["run"]);
        match token {
            Some(token) => command.env("TELEGRAM_BOT_TOKEN", token),
            None => command.env_remove("TELEGRAM_BOT_TOKEN"),
        };
        command.output().unwrap()
    };
    refused_at_once(&sandbox, &with(None), 2, &["no bot token", "@BotFather"]);
    refused_at_once(&sandbox, &with(Some(" \n")), 2, &["no bot token"]);
    let malformed = with(Some("not-a-token-but-secret-all-the-same"));
    refused_at_once(&sandbox, &malformed, 2, &["is not a bot token", "@BotFather"]);
    assert!(!said(&malformed).contains("secret-all-the-same"));
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_two() {
    let sandbox = Sandbox::new();
    sandbox.rules(RULE);
    for args in [
        &["run", "--sideways"][..],
        &["run", "--from", "middle"],
        &["walk"],
        &["send"],
        &["follow"],
        &["follow", "-n", "ten", "app.log"],
        &["follow", "-n", "+", "app.log"],
        &["follow", "-s", "soon", "app.log"],
        &["follow", "--pid", "0", "app.log"],
        &["init", "--watch"],
        &["init", "here", "there"],
        &["schema", "rules.toml"],
    ] {
        refused_at_once(&sandbox, &sandbox.finish(args), 2, &["--help"]);
    }
}

#[test]
fn state_that_cannot_be_written_is_told_with_its_cure() {
    let sandbox = Sandbox::new();
    sandbox.rules(RULE);
    fs::write(sandbox.path("file"), "").unwrap();
    let not_a_folder = sandbox.finish(&["run", "--state-dir", sandbox.path("file").to_str().unwrap()]);
    refused_at_once(&sandbox, &not_a_folder, 1, &["--state-dir"]);

    let Some(mut command) = as_nobody(&sandbox, "bad_input", &["run"]) else {
        return;
    };
    fs::set_permissions(sandbox.folder(), Permissions::from_mode(0o555)).unwrap();
    let denied = command.output().unwrap();
    fs::set_permissions(sandbox.folder(), Permissions::from_mode(0o755)).unwrap();
    refused_at_once(
        &sandbox,
        &denied,
        1,
        &[
            "cannot be written",
            "chown",
            "mount a writable volume",
            ":memory:",
        ],
    );
}

#[test]
fn send_sends_one_message() {
    let sandbox = Sandbox::new();
    sandbox.rules(RULE);
    let sent = sandbox.finish(&["send", "--chat", "me", "the deploy is done @all"]);
    assert!(sent.status.success(), "{}", said(&sent));
    let messages = sandbox.api.journal().messages(ME);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].text, "the deploy is done @all");
    refuses_to_send(&sandbox);
}

fn refuses_to_send(sandbox: &Sandbox) {
    let unknown = sandbox.finish(&["send", "--chat", "you", "hello"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", said(&unknown));
    assert!(said(&unknown).contains("no chat \"you\""), "{}", said(&unknown));
    let empty = sandbox.finish(&["send", " "]);
    assert_eq!(empty.status.code(), Some(2), "{}", said(&empty));
    assert_eq!(sandbox.requests(), 1);
}

#[test]
fn a_dry_run_prints_what_it_would_send_and_touches_nothing() {
    let sandbox = Sandbox::new();
    sandbox.rules(&format!("{RULE}every = \"1s\"\n"));
    sandbox.append("app.log", "ERROR one\nINFO fine\nERROR two\n");
    let run = |args: &[&str]| {
        let mut command = sandbox.command(&["run", "--dry-run", "--once"]);
        command.args(args).env_remove("TELEGRAM_BOT_TOKEN");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    for args in [&[][..], &["--from", "beginning"]] {
        let printed = run(args);
        assert!(
            printed.contains("ERROR two") && printed.contains("RING"),
            "{printed}"
        );
        assert!(printed.contains("2 matches"), "{printed}");
    }
    assert_eq!(run(&["--from", "end"]), "");
    assert!(!sandbox.path("state").exists(), "a dry run made a state folder");

    // Beside a state it starts from there and leaves every byte of it as it is.
    sandbox.once();
    sandbox.append("app.log", "ERROR three\n");
    let (before, requests) = (bytes(&sandbox.path("state")), sandbox.requests());
    let printed = run(&[]);
    assert!(printed.contains("ERROR three"), "{printed}");
    assert_eq!(bytes(&sandbox.path("state")), before);
    assert_eq!(sandbox.requests(), requests);
}

#[test]
fn from_beginning_reads_what_was_there_before_and_only_at_a_first_start() {
    let sandbox = Sandbox::new();
    sandbox.append("app.log", "ERROR from before\n");
    two_logs(&sandbox, &sandbox.log("app.log"), &sandbox.log("other.log"));
    let pass = |args: &[&str]| {
        let output = sandbox.command(&["run", "--once"]).args(args).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    };
    pass(&["--from", "beginning"]);
    assert!(seen(&sandbox, "from before"));
    let requests = sandbox.requests();
    pass(&["--from", "beginning"]);
    pass(&[]);
    assert_eq!(sandbox.requests(), requests);
    sandbox.append("app.log", "ERROR canary\n");
    pass(&["--from", "end"]);
    assert!(
        seen(&sandbox, "canary"),
        "--from does not speak of a log that was read before"
    );
}

/// Every file of a folder with what it holds.
fn bytes(folder: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let files = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut files: Vec<_> = files
        .map(|file| (file.file_name(), fs::read(file.path()).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn folders_pipes_archives_and_garbage_under_a_glob_stop_nothing() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(&format!("{RULE}every = \"1s\"\n"));
    fs::create_dir(sandbox.log("folder.log")).unwrap();
    let pipe = sandbox.log("pipe.log");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    fs::write(
        sandbox.log("archive.log"),
        b"\x1f\x8b\x08\x00ERROR in an archive\n",
    )
    .unwrap();
    let mut draw = fastrand::Rng::with_seed(1);
    fs::write(
        sandbox.log("garbage.log"),
        std::iter::repeat_with(|| draw.u8(..))
            .take(300_000)
            .collect::<Vec<_>>(),
    )
    .unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", sandbox.log("dangling.log")).unwrap();
    let running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR among strange neighbours\n");
    until("the only log is delivered", || {
        seen(&sandbox, "among strange neighbours")
    });
    sandbox.append("app.log", "ERROR and on it goes\n");
    until("and again", || seen(&sandbox, "and on it goes"));
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    let said = sandbox.stderr();
    assert_eq!(
        said.matches("pipe.log is not a regular file").count(),
        1,
        "{said}"
    );
    assert_eq!(said.matches("archive.log is compressed").count(), 1, "{said}");
    assert!(!seen(&sandbox, "in an archive"));
}
