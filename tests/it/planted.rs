//! What somebody puts in the way of the program: into its state folder, into its log folders. It is refused or left
//! alone, with words that say what to do, and what it leads to is neither read nor written.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::support::{Sandbox, until};

const RULE: &str = "[[rules]]\nname = \"canary\"\nmatch = 'CANARY'\nwait = \"0s\"\nevery = \"100ms\"\n";

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Starts where something is in the way, and says what it said.
#[track_caller]
fn refused(sandbox: &Sandbox, words: &[&str]) {
    let output = sandbox.finish(&["run", "--once"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn links_and_pipes_in_the_place_of_the_state_are_refused_and_what_they_lead_to_is_untouched() {
    for name in ["state.db", "state.db-wal", "lock"] {
        for kind in ["symbolic link", "hard link", "pipe"] {
            let sandbox = Sandbox::new();
            sandbox.rules(RULE);
            sandbox.once();
            let precious = sandbox.path("precious");
            fs::write(&precious, "do not touch").unwrap();
            let planted = sandbox.path("state").join(name);
            drop(fs::remove_file(&planted));
            match kind {
                "symbolic link" => symlink(&precious, &planted).unwrap(),
                "hard link" => fs::hard_link(&precious, &planted).unwrap(),
                _ => pipe(&planted),
            }
            refused(&sandbox, &[name, "remove"]);
            assert_eq!(
                fs::read_to_string(&precious).unwrap(),
                "do not touch",
                "{name}, {kind}"
            );
        }
    }
}

#[test]
fn links_and_pipes_in_the_place_of_what_lies_beside_the_state_are_replaced() {
    let sandbox = Sandbox::new();
    sandbox.rules(RULE);
    sandbox.once();
    let precious = sandbox.path("precious");
    fs::write(&precious, "do not touch").unwrap();
    for (name, kind) in [
        ("status.json", "link"),
        ("status.json.new", "link"),
        ("rules.good", "link"),
        ("rules.good.new", "pipe"),
        ("control.sock", "link"),
        ("control.sock.new", "pipe"),
    ] {
        let planted = sandbox.path("state").join(name);
        drop(fs::remove_file(&planted));
        match kind {
            "link" => symlink(&precious, &planted).unwrap(),
            _ => pipe(&planted),
        }
    }
    let running = sandbox.start(&[]);
    until("it is healthy", || sandbox.finish(&["health"]).status.success());
    let kind = |name: &str| fs::symlink_metadata(sandbox.path("state").join(name)).unwrap();
    assert!(kind("status.json").is_file() && kind("rules.good").is_file());
    for name in ["status.json", "rules.good", "state.db", "lock", "turn"] {
        assert_eq!(kind(name).permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    assert_eq!(fs::read_to_string(&precious).unwrap(), "do not touch");
}

#[test]
fn a_state_folder_that_others_may_write_into_or_own_is_refused_with_the_cure() {
    let sandbox = Sandbox::new();
    sandbox.rules(RULE);
    sandbox.once();
    let state = sandbox.path("state");
    for mode in [0o770, 0o707, 0o777, 0o1777] {
        fs::set_permissions(&state, Permissions::from_mode(mode)).unwrap();
        refused(
            &sandbox,
            &["somebody else may put files", "chmod 700", "--state-dir"],
        );
    }
    fs::set_permissions(&state, Permissions::from_mode(0o755)).unwrap();
    sandbox.once();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&state, Some(65_534), Some(65_534)).unwrap();
        refused(&sandbox, &["belongs to uid 65534", "chown 0"]);
    }
    // The cure for folders that are not ours to change.
    let inner = state.join("mine");
    let output = sandbox.finish(&["run", "--once", "--state-dir", inner.to_str().unwrap()]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mode = fs::metadata(&inner).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
}

#[test]
fn logs_that_lead_to_the_system_or_to_the_state_are_not_followed() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(&format!(
        "{RULE}[[rules]]\nname = \"all\"\nmatch = '.'\nwait = \"0s\"\n"
    ));
    sandbox.once();
    fs::write(sandbox.path("state/notes"), "CANARY of the state\n").unwrap();
    for (name, target) in [
        ("environ.log", "/proc/self/environ"),
        ("cmdline.log", "/proc/1/cmdline"),
        ("kernel.log", "/sys/kernel/notes"),
        ("random.log", "/dev/urandom"),
    ] {
        symlink(target, sandbox.log(name)).unwrap();
    }
    symlink(sandbox.path("state/notes"), sandbox.log("notes.log")).unwrap();
    let running = sandbox.start(&[]);
    for target in ["environ", "cmdline", "notes is not followed"] {
        until("each is left alone", || sandbox.stderr().contains(target));
    }
    // Everything that is followed is told, so what is not told was not read.
    sandbox.append("app.log", "CANARY of the app\n");
    until("the app is followed", || {
        sandbox.all_texts().contains("CANARY of the app")
    });
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    let told = sandbox.all_texts();
    assert!(
        !told.contains("CANARY of the state") && !told.contains("TELEGRAM_BOT_TOKEN"),
        "{told}"
    );
}

#[test]
fn a_link_that_is_swapped_all_the_time_never_leads_into_the_state() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(RULE);
    sandbox.once();
    fs::write(sandbox.path("state/notes"), "CANARY of the state\n").unwrap();
    fs::write(sandbox.path("harmless"), "all is well\n").unwrap();
    let running = sandbox.start(&[]);
    let swap = |target: &str| {
        let new = sandbox.path("new-link");
        symlink(sandbox.path(target), &new).unwrap();
        fs::rename(new, sandbox.log("swapped.log")).unwrap();
    };
    let began = std::time::Instant::now();
    while began.elapsed() < std::time::Duration::from_secs(3) {
        swap("state/notes");
        swap("harmless");
        // Every new name is a reason to look, so many looks fall between the two.
        fs::write(sandbox.log("bell.log"), "").unwrap();
        fs::remove_file(sandbox.log("bell.log")).unwrap();
    }
    sandbox.append("app.log", "CANARY of the app\n");
    until("the app is followed", || {
        sandbox.all_texts().contains("CANARY of the app")
    });
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    assert!(!sandbox.all_texts().contains("CANARY of the state"));
}

#[test]
fn its_own_log_is_not_followed_even_under_a_glob_that_reaches_it() {
    let sandbox = Sandbox::unlimited();
    // Every line of its own would make another one.
    sandbox.rules("[[rules]]\nname = \"all\"\nmatch = '.'\nring = \"all\"\nwait = \"0s\"\nevery = \"50ms\"\nlimit = \"1000/s\"\n");
    symlink(sandbox.path("stderr"), sandbox.log("linked.log")).unwrap();
    let mut command = sandbox.command(&["run"]);
    command.env("TAILGRAM_LOG", "debug");
    let running = sandbox.spawn(command);
    until("it leaves its own log alone", || {
        sandbox.stderr().contains("its own log are out of reach")
    });
    sandbox.append("app.log", "a line of the app\n");
    until("the app is followed", || {
        sandbox.all_texts().contains("a line of the app")
    });
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    let told = sandbox.all_texts();
    assert!(!told.contains("started, version"), "{told}");
}
