//! A disk that takes nothing: what is owed is sent all the same, nothing new is read, and nothing is lost when
//! it takes something again, or when the process dies before.

use botapi::{Fault, FaultKind, Message};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use tailgram::store::Store;

use crate::support::{ME, Running, Sandbox, labelled, total, until};

const RULES: &str =
    "[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"0s\"\nevery = \"100ms\"\nquiet = \"1h\"\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::unlimited();
    sandbox.rules_of_lines(RULES).append("app.log", "all is well\n");
    sandbox
}

/// Starts `run` so that a write past its limit fails instead of ending it, as on a full disk, and waits until what
/// is there is read and stored.
fn start(sandbox: &Sandbox) -> Running {
    let running = sandbox.start_under(&["bash", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    until("it runs", || sandbox.finish(&["health"]).status.code() == Some(0));
    running
}

/// Whether the disk takes anything: the database is larger than a page, what else is written is not.
fn disk(running: &Running, full: bool) {
    let pid = Pid::from_raw(i32::try_from(running.pid()).unwrap());
    let limit = Rlimit {
        current: full.then_some(4_096),
        maximum: None,
    };
    prlimit(pid, Resource::Fsize, limit).unwrap();
}

fn messages(sandbox: &Sandbox) -> Vec<Message> {
    sandbox.api.journal().messages(ME)
}

/// A match is found while the disk takes nothing, and told.
fn told_with_a_full_disk(sandbox: &Sandbox) -> Running {
    let running = start(sandbox);
    disk(&running, true);
    sandbox.append("app.log", "ERROR 1\n");
    until("it is told", || !messages(sandbox).is_empty());
    let first = &messages(sandbox)[0];
    assert!(first.text.contains("may repeat"), "{first:?}");
    assert_eq!(total(&first.text), 1);
    running
}

#[test]
fn what_is_found_is_told_with_the_word_that_it_may_repeat_and_edited_once_it_is_stored() {
    let sandbox = sandbox();
    let running = told_with_a_full_disk(&sandbox);
    let said = "reading pauses until the state can be written";
    assert!(sandbox.stderr().contains(said), "{}", sandbox.stderr());
    sandbox.append("app.log", "ERROR 2\n");
    disk(&running, false);
    until("what came meanwhile is told", || {
        messages(&sandbox)
            .last()
            .is_some_and(|message| total(&message.text) == 2)
    });
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    assert_eq!(messages(&sandbox).len(), 1, "the outcome waited for the disk");
    let said = sandbox.stderr();
    assert_eq!(said.matches("reading pauses").count(), 1, "{said}");
    assert!(said.contains("the state is written again"), "{said}");
    assert!(said.contains("matched=2") && said.contains("pending=0"), "{said}");
}

#[test]
fn what_a_crash_forgot_is_told_again_and_the_first_message_had_said_that_it_may_repeat() {
    let sandbox = sandbox();
    told_with_a_full_disk(&sandbox).kill_nine();
    sandbox.append("app.log", "ERROR 2\n");
    let running = sandbox.start(&[]);
    until("it is told again", || {
        let messages = messages(&sandbox);
        messages.len() > 1 && messages.last().is_some_and(|message| total(&message.text) == 2)
    });
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    let messages = messages(&sandbox);
    assert_eq!(messages.len(), 2);
    let labelled: Vec<_> = messages.iter().map(labelled).collect();
    assert_eq!(labelled, [true, false]);
}

#[test]
fn a_stop_while_the_disk_takes_nothing_ends_in_time_and_says_so() {
    let sandbox = sandbox();
    let running = told_with_a_full_disk(&sandbox);
    assert_eq!(running.terminate().code(), Some(1));
    let said = sandbox.stderr();
    assert!(
        said.contains("the state could not be written before the end"),
        "{said}"
    );
}

/// A match is stored, the chat is closed for so long, and the disk takes nothing from before it opens again; absent if
/// the machine was too slow for that.
fn owed_with_a_full_disk(seconds: u64) -> Option<(Sandbox, Running)> {
    let sandbox = sandbox();
    let running = start(&sandbox);
    let closed = FaultKind::TooMany {
        retry_after: Some(seconds.into()),
    };
    sandbox
        .api
        .faults()
        .push(Fault::once(closed).method("sendMessage"));
    sandbox.append("app.log", "ERROR 1\n");
    until("the chat is closed, and that is stored", || {
        let state = Store::peek(&sandbox.path("state")).unwrap();
        state.chats.iter().any(|chat| chat.flooded)
    });
    disk(&running, true);
    messages(&sandbox).is_empty().then_some((sandbox, running))
}

#[test]
fn what_was_stored_before_the_disk_was_full_is_told_with_that_word_too() {
    let mut windows = [4, 16, 64].into_iter();
    let (sandbox, running) = windows.find_map(owed_with_a_full_disk).unwrap();
    until("it is told", || !messages(&sandbox).is_empty());
    disk(&running, false);
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    let messages = messages(&sandbox);
    assert!(messages.len() == 1 && labelled(&messages[0]), "{messages:?}");
}

/// A disk that fails to read, a few times from the n-th read on, while the state is opened.
fn fails_to_read(sandbox: &Sandbox, nth: u32) -> std::process::Output {
    let plain = sandbox.command(&["run", "--once"]);
    let inject = format!("inject=pread64:error=EIO:when={nth}..{}", nth + 3);
    let mut traced = std::process::Command::new("strace");
    traced.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=pread64",
        "-e",
        &inject,
    ]);
    traced.arg(plain.get_program()).args(plain.get_args()).env_clear();
    let environment = plain.get_envs().filter_map(|(name, value)| Some((name, value?)));
    traced.envs(environment).current_dir(sandbox.folder());
    traced.output().unwrap()
}

#[test]
fn a_disk_that_fails_to_read_condemns_no_state() {
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        eprintln!("SKIP: disk: no strace, and nothing else makes reading fail");
        return;
    }
    let sandbox = sandbox();
    sandbox.append("app.log", "ERROR one\n").once();
    let mut failed = 0;
    for nth in [3, 5, 8, 12, 20, 40] {
        let output = fails_to_read(&sandbox, nth);
        failed += u32::from(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !sandbox.path("state/state.db.bad.1").exists(),
            "read {nth}: {said}"
        );
    }
    assert!(failed > 0, "no read that matters failed");
    sandbox.once();
    assert_eq!(
        sandbox.requests(),
        1,
        "what was told is known, and not told again"
    );
}
