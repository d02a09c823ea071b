//! A disk that takes nothing: what is owed is sent all the same, nothing new is read, and nothing is lost when
//! it takes something again, or when the process dies before.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirEntry};
use std::path::Path;
use std::time::SystemTime;

use botapi::{Fault, FaultKind, Message};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use tailgram::store::Store;

use crate::support::{
    FailingCalls, ME, Namespace, Running, Sandbox, TRACEABLE, ext4, labelled, total, until,
};

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

/// One pass where a call fails with EIO, whenever strace's words say.
fn fails(sandbox: &Sandbox, call: &str, when: &str) -> std::process::Output {
    let plain = sandbox.command(&["run", "--once"]);
    let (trace, inject) = (
        format!("trace={call}"),
        format!("inject={call}:error=EIO:when={when}"),
    );
    let mut traced = std::process::Command::new("strace");
    traced.args(["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
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
        // A few times from the n-th read on, while the state is opened.
        let output = fails(&sandbox, "pread64", &format!("{nth}..{}", nth + 3));
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

#[test]
fn a_first_start_that_cannot_sync_leaves_nothing_that_the_next_takes_for_a_lost_state() {
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        eprintln!("SKIP: disk: no strace, and nothing else makes syncing fail");
        return;
    }
    for nth in 1..=6 {
        let sandbox = sandbox_of_numbers();
        sandbox.append("app.log", "ERROR 1\n");
        let output = fails(&sandbox, "fsync,fdatasync", &format!("{nth}+"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "sync {nth}: {said}");
        assert!(said.contains("see that the disk is sound"), "sync {nth}: {said}");
        let said = sandbox.once().stderr;
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("no state found"), "sync {nth}: {said}");
        assert!(!sandbox.path("state/state.db.bad.1").exists(), "sync {nth}");
        assert_eq!(of_number(&sandbox, 1).len(), 1, "sync {nth}");
    }
}

/// Each line with another number is told by a message of its own.
fn sandbox_of_numbers() -> Sandbox {
    let sandbox = Sandbox::unlimited();
    sandbox.rules_of_lines(
        "[health]\nread_within = \"3s\"\n[[rules]]\nname = \"oops\"\nmatch = 'ERROR (?P<n>\\d+)'\nby = [\"n\"]\n\
         wait = \"0s\"\nevery = \"100ms\"\nquiet = \"1h\"\nlimit = \"1000/s\"\n",
    );
    sandbox.append("app.log", "all is well\n");
    sandbox
}

/// The messages that tell of this line.
fn of_number(sandbox: &Sandbox, n: u32) -> Vec<Message> {
    let tells = |message: &Message| message.text.contains(&format!("n={n}\n"));
    messages(sandbox).into_iter().filter(tells).collect()
}

fn health(sandbox: &Sandbox) -> (Option<i32>, String) {
    let said = sandbox.finish(&["health"]);
    (
        said.status.code(),
        String::from_utf8_lossy(&said.stderr).into_owned(),
    )
}

/// The words of `status --json` on why the process is ill.
fn reasons(sandbox: &Sandbox) -> String {
    let status: serde_json::Value =
        serde_json::from_slice(&sandbox.finish(&["status", "--json"]).stdout).unwrap();
    status["reasons"].to_string()
}

/// Two lines are stored and told. Then nothing can be stored from the moment that `fails` is called: the third is told
/// with the word that it may repeat, all say that something is wrong, and the fourth is not read. Returns what `fails`
/// did; nothing where it cannot.
fn a_state_that_takes_nothing<T>(sandbox: &Sandbox, fails: impl FnOnce() -> Option<T>) -> Option<T> {
    until("it runs", || health(sandbox).0 == Some(0));
    sandbox.append("app.log", "ERROR 1\nERROR 2\n");
    until("both are told", || messages(sandbox).len() == 2);
    let settled = || {
        Store::peek(&sandbox.path("state")).is_ok_and(|state| {
            state.deliveries.len() == 2 && state.deliveries.iter().all(|delivery| delivery.pending() == 0)
        })
    };
    until("and that is stored", settled);
    let failing = fails()?;
    sandbox.append("app.log", "ERROR 3\n");
    until("it is told", || !of_number(sandbox, 3).is_empty());
    sandbox.append("app.log", "ERROR 4\n");
    until("its health says so", || {
        let (code, said) = health(sandbox);
        code == Some(1) && (said.contains("nothing could be stored") || said.contains("no sign of life"))
    });
    until("so does its status", || {
        reasons(sandbox).contains("nothing could be stored")
    });
    let said = sandbox.stderr();
    assert!(
        said.contains("reading pauses until the state can be written"),
        "{said}"
    );
    assert!(
        of_number(sandbox, 4).is_empty(),
        "what cannot be stored is not read"
    );
    assert!(labelled(&of_number(sandbox, 3)[0]), "{:?}", messages(sandbox));
    Some(failing)
}

/// Once the state takes something again nothing is lost and nothing told twice.
fn goes_on(sandbox: &Sandbox, running: Running) {
    until("its health is good", || health(sandbox).0 == Some(0));
    until("the line that was not read is told", || {
        !of_number(sandbox, 4).is_empty()
    });
    sandbox.append("app.log", "ERROR 5\n");
    until("so is another", || !of_number(sandbox, 5).is_empty());
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    let said = sandbox.stderr();
    assert!(said.contains("the state is written again"), "{said}");
    assert!(said.contains("matched=5") && said.contains("pending=0"), "{said}");
    let told: Vec<_> = (1..=5).map(|n| of_number(sandbox, n).len()).collect();
    assert_eq!(told, [1; 5], "{:?}", messages(sandbox));
    let repeats: Vec<_> = (1..=5).map(|n| labelled(&of_number(sandbox, n)[0])).collect();
    assert_eq!(repeats[..2], [false; 2]);
    assert!(
        !repeats[4],
        "what is stored in time does not say that it may repeat"
    );
    let before = sandbox.requests();
    sandbox.once();
    assert_eq!(sandbox.requests(), before, "all of it was stored");
}

#[test]
fn a_disk_that_fails_to_sync_is_told_and_what_it_did_not_take_is_written_anew() {
    let sandbox = sandbox_of_numbers();
    let running = sandbox.start_under(&TRACEABLE);
    let fails = || FailingCalls::new("disk", &running, "fsync,fdatasync", "EIO");
    let Some(failing) = a_state_that_takes_nothing(&sandbox, fails) else {
        return;
    };
    let said = sandbox.stderr();
    assert!(
        said.contains("disk I/O error") && said.contains("look at the disk"),
        "{said}"
    );
    drop(failing);
    goes_on(&sandbox, running);
}

/// Nothing below the folder can be written by who opens it from now on.
fn read_only(namespace: &Namespace, folder: &Path) {
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\"";
    namespace.run(script, &[folder]);
}

#[test]
fn a_state_folder_that_turns_read_only_and_back_is_told_and_loses_nothing() {
    let sandbox = sandbox_of_numbers();
    let Some(namespace) = Namespace::new("disk") else {
        return;
    };
    let running = namespace.start(&sandbox);
    let state = sandbox.path("state");
    let fails = || {
        read_only(&namespace, &state);
        // No system turns what is open already, but for a file system that finds itself broken. What it says then:
        FailingCalls::new("disk", &running, "pwrite64,ftruncate", "EROFS")
    };
    let Some(failing) = a_state_that_takes_nothing(&sandbox, fails) else {
        return;
    };
    let said = sandbox.stderr();
    assert!(said.contains("mount its volume writable again"), "{said}");
    assert!(said.contains("status.json cannot be written"), "{said}");
    drop(failing);
    namespace.run("umount \"$1\"", &[&state]);
    goes_on(&sandbox, running);
}

/// Every file of a folder: its name, its bytes, and when it was changed.
fn everything(folder: &Path) -> BTreeMap<OsString, (Vec<u8>, SystemTime)> {
    let files = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = files.filter(|file| file.file_type().unwrap().is_file());
    let seen = |file: DirEntry| {
        let changed = file.metadata().unwrap().modified().unwrap();
        (file.file_name(), (fs::read(file.path()).unwrap(), changed))
    };
    files.map(seen).collect()
}

#[test]
fn a_start_on_a_read_only_state_says_what_to_do_and_touches_nothing() {
    let sandbox = sandbox_of_numbers();
    let state = sandbox.path("state");
    fs::create_dir(&state).unwrap();
    let Some(namespace) = Namespace::new("disk") else {
        return;
    };
    let Some(image) = ext4(&sandbox, "disk") else {
        return;
    };
    namespace.mount_image(&image, &state);
    let start = |mode: &str| {
        namespace.run("mount -o \"remount,$2\" \"$1\"", &[&state, Path::new(mode)]);
        namespace.start(&sandbox)
    };
    let running = start("rw");
    sandbox.append("app.log", "ERROR 1\n");
    until("it is told", || !of_number(&sandbox, 1).is_empty());
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    let inside = namespace.path(&state);
    let (before, requests) = (everything(&inside), sandbox.requests());
    sandbox.append("app.log", "ERROR 2\n");
    let mut refused = start("ro");
    until("it ends", || refused.exited().is_some());
    assert_eq!(refused.exited().and_then(|status| status.code()), Some(1));
    let said = sandbox.stderr();
    let last = said.lines().last().unwrap_or_default();
    for word in [
        "cannot be written",
        "read-only",
        "remount,rw",
        &state.display().to_string(),
    ] {
        assert!(last.contains(word), "{word}: {last}");
    }
    assert_eq!((everything(&inside), sandbox.requests()), (before, requests));
    let running = start("rw");
    until("the next start goes on", || !of_number(&sandbox, 2).is_empty());
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    assert_eq!([1, 2].map(|n| of_number(&sandbox, n).len()), [1, 1]);
}
