//! `tailgram follow` prints what is written to files: each byte, once, at once.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::{sleep, spawn};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    NO_EVENTS, Running, Sandbox, asked_for_events, events_can_be_forbidden, eventually, evidence, seed, soak,
    until,
};

/// Larger than any process id that Linux gives.
const NOBODY: &str = "2147483647";

/// `tailgram follow` in the folder of the logs, with an empty environment: it needs neither rules nor token.
fn follow(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tailgram"));
    command.arg("follow").args(args).env_clear();
    command
        .current_dir(sandbox.path("logs"))
        .stdin(Stdio::null())
        .stderr(append_to(&sandbox.path("stderr")));
    command
}

fn append_to(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

/// What is shown right now: the process it was to wait for is gone already.
#[track_caller]
fn shown_now(sandbox: &Sandbox, args: &[&str]) -> Vec<u8> {
    let mut command = follow(sandbox, args);
    let output = command
        .args(["--pid", NOBODY])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
    output.stdout
}

/// A process that prints into a file.
struct Shown {
    running: Running,
    into: PathBuf,
}

impl Shown {
    fn start(sandbox: &Sandbox, args: &[&str]) -> Self {
        Self::of(sandbox, follow(sandbox, args))
    }

    fn of(sandbox: &Sandbox, mut command: Command) -> Self {
        let into = sandbox.path("stdout");
        let child = command.stdout(append_to(&into)).spawn().unwrap();
        Self {
            running: child.into(),
            into,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.into).unwrap()
    }

    /// Waits until exactly this is shown.
    #[track_caller]
    fn expect(&self, text: &str) {
        let shown = || String::from_utf8_lossy(&self.bytes()).into_owned();
        until(&format!("{text:?} is shown"), || {
            let shown = shown();
            assert!(
                text.starts_with(&shown),
                "{shown:?} is not the beginning of {text:?}"
            );
            shown == text
        });
    }

    /// SIGTERM ends it with 0.
    #[track_caller]
    fn end(self) {
        let status = self.running.terminate();
        assert_eq!(status.code(), Some(0), "{status}");
    }
}

/// What GNU tail prints for the same arguments, if that is the tail of this machine.
fn gnu_tail(sandbox: &Sandbox, args: &[&str]) -> Option<Vec<u8>> {
    let run = |args: &[&str]| -> Option<Output> {
        let mut tail = Command::new("tail");
        tail.args(args).current_dir(sandbox.path("logs")).output().ok()
    };
    let version = run(&["--version"])?;
    let gnu = String::from_utf8_lossy(&version.stdout).contains("GNU coreutils");
    gnu.then(|| run(args).map(|output| output.stdout)).flatten()
}

/// What the last `count` lines of `text` are, or with a plus all from that line on.
fn lines_of(text: &[u8], count: &str) -> Vec<u8> {
    let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    let number: usize = count.trim_start_matches(['+', '-']).parse().unwrap();
    let from = if count.starts_with('+') {
        number.saturating_sub(1).min(lines.len())
    } else {
        lines.len().saturating_sub(number)
    };
    lines[from..].concat()
}

#[test]
fn it_begins_where_tail_begins() {
    let sandbox = Sandbox::new();
    let huge = "x".repeat(300_000);
    let texts: [Vec<u8>; 12] = [
        b"".into(),
        b"\n".into(),
        b"a".into(),
        b"a\n".into(),
        b"a\nb".into(),
        b"a\r\nb\r\n".into(),
        b"\n\n\n".into(),
        b"\0\0\n\xff\xfe\n\0".into(),
        b"\x1f\x8b\x08\x00\n".into(),
        b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n".into(),
        format!("{huge}\n{huge}\n{huge}").into(),
        "1234567\n".repeat(100_000).into(),
    ];
    let counts = [
        "0", "1", "2", "10", "-3", "90000", "+0", "+1", "+2", "+3", "+90000",
    ];
    let mut compared = 0;
    for text in &texts {
        fs::write(sandbox.log("app.log"), text).unwrap();
        for count in counts {
            let args = ["-n", count, "app.log"];
            let shown = shown_now(&sandbox, &args);
            let about = format!("-n {count} of {} bytes", text.len());
            assert!(shown == lines_of(text, count), "{about}");
            if let Some(theirs) = gnu_tail(&sandbox, &args) {
                assert!(shown == theirs, "{about}: GNU tail shows {} bytes", theirs.len());
                compared += 1;
            }
        }
        assert!(shown_now(&sandbox, &["app.log"]) == lines_of(text, "10"));
    }
    if compared == 0 {
        eprintln!("SKIP: follow: no GNU tail to compare with");
    }
}

#[test]
fn headers_stand_where_tail_puts_them() {
    let sandbox = Sandbox::new();
    sandbox
        .append("b.log", "b1\nb2\nb3\n")
        .append("a.log", "a1\nhalf")
        .append("empty.log", "");
    let two = "==> b.log <==\nb2\nb3\n\n==> empty.log <==\n\n==> a.log <==\na1\nhalf";
    let files = ["b.log", "empty.log", "a.log"];
    for (args, files, expected) in [
        (&["-n", "2"][..], &files[..], two),
        (&["-n2", "-v"], &files, two),
        (&["-n", "2", "-q"], &files, "b2\nb3\na1\nhalf"),
        (&["-n", "+3", "-q", "-v"], &files[..1], "==> b.log <==\nb3\n"),
        (&["-n", "1"], &files[..1], "b3\n"),
        (&["-n", "0"], &files[..2], "==> b.log <==\n\n==> empty.log <==\n"),
    ] {
        let args = [args, files].concat();
        assert_eq!(
            String::from_utf8(shown_now(&sandbox, &args)).unwrap(),
            expected,
            "{args:?}"
        );
        if let Some(theirs) = gnu_tail(&sandbox, &args) {
            // Without -f there is nothing to show of no lines, and GNU tail does not even begin.
            assert!(
                args.contains(&"0") || theirs == expected.as_bytes(),
                "{args:?}: {theirs:?}"
            );
        }
    }
}

#[test]
fn a_name_that_is_no_text_is_a_name() {
    let sandbox = Sandbox::new();
    let name = OsStr::from_bytes(b"\xff*.log");
    let append = |text: &str| {
        let mut file = append_to(&sandbox.path("logs").join(name));
        file.write_all(text.as_bytes()).unwrap();
    };
    append("1\n");
    let mut command = follow(&sandbox, &["-v"]);
    command.arg(name);
    let shown = Shown::of(&sandbox, command);
    let header = b"==> \xff*.log <==\n";
    until("it is shown", || shown.bytes() == [&header[..], b"1\n"].concat());
    append("2\n");
    until("it is followed", || {
        shown.bytes() == [&header[..], b"1\n2\n"].concat()
    });
    shown.end();
}

#[test]
fn a_header_comes_when_another_file_speaks() {
    let sandbox = Sandbox::new();
    sandbox.append("a.log", "a1\n").append("b.log", "b1\n");
    let shown = Shown::start(&sandbox, &["a.log", "b.log", "c.log"]);
    let mut text = "==> a.log <==\na1\n\n==> b.log <==\nb1\n".to_owned();
    shown.expect(&text);
    for (file, more, header) in [
        ("b.log", "b2\n", ""),
        ("a.log", "a2\n", "\n==> a.log <==\n"),
        ("a.log", "ha", ""),
        ("c.log", "c1\n", "\n==> c.log <==\n"),
        ("a.log", "lf\n", "\n==> a.log <==\n"),
    ] {
        sandbox.append(file, more);
        text += header;
        text += more;
        shown.expect(&text);
    }
    shown.end();
}

#[test]
fn a_half_line_is_shown_at_once_and_a_line_of_any_length_whole() {
    let sandbox = Sandbox::new();
    sandbox.append("app.log", "whole\nhal");
    let shown = Shown::start(&sandbox, &["app.log"]);
    let mut text = "whole\nhal".to_owned();
    shown.expect(&text);
    for more in ["f", " a line\n", "\r\n", "another ", &"x".repeat(1 << 20), "\n"] {
        sandbox.append("app.log", more);
        text += more;
        shown.expect(&text);
    }
    shown.end();
}

#[test]
fn any_bytes_go_out_as_they_are() {
    let mut random = fastrand::Rng::with_seed(seed());
    let sandbox = Sandbox::new();
    let mut piece = || -> Vec<u8> {
        let odd = [0, b'\n', b'\r', 0xff];
        let longest = 1 << random.u32(1..20);
        let length = random.usize(..longest);
        let any = |random: &mut fastrand::Rng| {
            if random.bool() {
                random.u8(..)
            } else {
                odd[random.usize(..4)]
            }
        };
        (0..length).map(|_| any(&mut random)).collect()
    };
    sandbox.open("app.log").write_all(&piece()).unwrap();
    let shown = Shown::start(&sandbox, &["-n", "+1", "app.log"]);
    for _ in 0..if soak() { 300 } else { 30 } {
        sandbox.open("app.log").write_all(&piece()).unwrap();
        sleep(Duration::from_millis(20));
    }
    let written = fs::read(sandbox.log("app.log")).unwrap();
    until("all is shown", || shown.bytes().len() >= written.len());
    assert!(
        shown.bytes() == written,
        "what is shown differs from what was written"
    );
    shown.end();
}

#[test]
fn what_is_missing_is_named_and_shown_from_its_beginning_when_it_comes() {
    let sandbox = Sandbox::new();
    let shown = Shown::start(&sandbox, &["-n", "1", "not/yet/app.log"]);
    let said = || fs::read_to_string(sandbox.path("stderr")).unwrap_or_default();
    until("it is named", || {
        said().contains("not/yet/app.log is not there; waiting for it")
    });
    fs::create_dir_all(sandbox.log("not/yet")).unwrap();
    sandbox.append("not/yet/app.log", "1\n2\n3\n");
    shown.expect("1\n2\n3\n");

    // Deleted and made anew: the old descriptor is read to its end, the new file from its beginning.
    let mut old = sandbox.open("not/yet/app.log");
    fs::remove_file(sandbox.log("not/yet/app.log")).unwrap();
    old.write_all(b"late\n").unwrap();
    shown.expect("1\n2\n3\nlate\n");
    sandbox.append("not/yet/app.log", "new\n");
    shown.expect("1\n2\n3\nlate\nnew\n");
    assert_eq!(said().lines().count(), 1, "{}", said());
    shown.end();
    assert!(!sandbox.path("state").exists());
}

#[test]
fn what_is_no_file_is_named_and_the_rest_is_shown() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.log("folder")).unwrap();
    sandbox.append("app.log", "1\n");
    let shown = Shown::start(&sandbox, &["-q", "folder", "app.log"]);
    shown.expect("1\n");
    shown.end();
    let alone = follow(&sandbox, &["folder", "/dev/null"])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8(alone.stderr).unwrap();
    assert_eq!(alone.status.code(), Some(1), "{said}");
    for words in [
        "logs/folder is not a regular file",
        "/dev/null",
        "none of the files can be followed",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said:?}");
    }
}

/// A line that never straddles a page of the kernel's, so that no reader sees half of it: 64 bytes.
fn line(series: u32, number: u64) -> String {
    format!("{:.<63}\n", format!("{series:05}-{number:08}"))
}

/// What writers and rotator share; the reader has no part in it.
#[derive(Debug, Default)]
struct Stage {
    /// Counts the rotations; a writer that knows an older number has an old descriptor.
    generation: AtomicU32,
    late: AtomicU64,
    over: AtomicBool,
}

/// Writes until the stage is over, to each generation for a while after it was rotated away: one series per writer and
/// descriptor, whose lengths it returns.
fn write(log: &Path, stage: &Stage, writer: u32, mut random: fastrand::Rng) -> BTreeMap<u32, u64> {
    let mut all = BTreeMap::new();
    for series in writer * 1000.. {
        // In this order: a file opened after the number was read is at least as young.
        let generation = stage.generation.load(Ordering::SeqCst);
        let mut file = append_to(log);
        let (mut number, mut lingers) = (0, random.u32(1..20));
        while lingers > 0 && !stage.over.load(Ordering::SeqCst) {
            if stage.generation.load(Ordering::SeqCst) != generation {
                stage.late.fetch_add(1, Ordering::SeqCst);
                lingers -= 1;
            }
            file.write_all(line(series, number).as_bytes()).unwrap();
            number += 1;
            sleep(Duration::from_millis(random.u64(2..20)));
        }
        if number > 0 {
            all.insert(series, number);
        }
        if stage.over.load(Ordering::SeqCst) {
            break;
        }
    }
    all
}

/// The numbers of each series in the order in which they were shown. Panics on a line that nobody wrote.
fn series(shown: &[u8]) -> BTreeMap<u32, Vec<u64>> {
    let mut all: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for text in std::str::from_utf8(shown).unwrap().split_inclusive('\n') {
        let numbers = text.trim_end_matches(['.', '\n']).split_once('-');
        let numbers = numbers.and_then(|(series, number)| Some((series.parse().ok()?, number.parse().ok()?)));
        let (series, number) = numbers.unwrap_or_else(|| panic!("torn or merged: {text:?}"));
        assert_eq!(text, line(series, number), "torn or merged");
        all.entry(series).or_default().push(number);
    }
    all
}

fn rotations() -> u32 {
    if soak() { 100 } else { 15 }
}

/// Renames the log under writers that go on writing to the old file; every line must be shown once.
fn rename_under_writers(sandbox: &Sandbox, shown: Shown, how: &str) {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let stage = Arc::new(Stage::default());
    let writers: Vec<_> = (0..3)
        .map(|series| {
            let (log, stage, dice) = (sandbox.log("app.log"), stage.clone(), random.fork());
            spawn(move || write(&log, &stage, series, dice))
        })
        .collect();
    until("the first generation is shown", || !shown.bytes().is_empty());
    for count in 1..=rotations() {
        sleep(Duration::from_millis(random.u64(20..400)));
        let old = sandbox.log(&format!("app.log.{count}"));
        fs::rename(sandbox.log("app.log"), old).unwrap();
        if random.bool() {
            sleep(Duration::from_millis(random.u64(..150)));
        }
        sandbox.open("app.log");
        stage.generation.fetch_add(1, Ordering::SeqCst);
    }
    stage.over.store(true, Ordering::SeqCst);
    let written = writers.into_iter().flat_map(|writer| writer.join().unwrap());
    let written: BTreeMap<u32, Vec<u64>> = written
        .map(|(series, count)| (series, (0..count).collect()))
        .collect();
    let lines: usize = written.values().map(Vec::len).sum();
    eventually(Duration::from_mins(1), || shown.bytes().len() >= lines * 64);
    let shown_lines = series(&shown.bytes());
    for (series, numbers) in &written {
        assert_eq!(
            shown_lines.get(series),
            Some(numbers),
            "lost, doubled or out of order within a file: series {series}"
        );
    }
    assert_eq!(shown_lines.len(), written.len(), "nobody wrote the others");
    let late = stage.late.load(Ordering::SeqCst);
    assert!(late > 0, "no writer was late");
    shown.end();
    evidence(&format!(
        "follow, rename rotations, {how}: {} rotations, {lines} lines, {late} of them late; lost 0, doubled 0, seed {seed}",
        rotations(),
    ));
}

#[test]
fn nothing_is_lost_or_doubled_over_rotations_with_late_writers() {
    let sandbox = Sandbox::new();
    // From the first line: on a slow machine more than ten are there before it starts.
    let shown = Shown::start(&sandbox, &["-n", "+1", "app.log"]);
    rename_under_writers(&sandbox, shown, "events");
}

#[test]
fn with_poll_nothing_is_lost_over_rotations_and_no_inotify_call_is_made() {
    if !events_can_be_forbidden("follow") {
        return;
    }
    let without_events = |sandbox: &Sandbox, args: &[&str]| {
        let plain = follow(sandbox, args);
        let mut command = Command::new(NO_EVENTS[0]);
        command
            .args(&NO_EVENTS[1..])
            .arg(plain.get_program())
            .args(plain.get_args());
        command.current_dir(sandbox.path("logs")).stdin(Stdio::null());
        command.stderr(append_to(&sandbox.path("stderr")));
        Shown::of(sandbox, command)
    };
    // First that asking for them would end it.
    let sandbox = Sandbox::new();
    let mut shown = without_events(&sandbox, &["app.log"]);
    let mut ended = None;
    until("it is ended", || {
        ended = shown.running.exited();
        ended.is_some()
    });
    assert!(ended.is_some_and(asked_for_events), "{ended:?}");

    let sandbox = Sandbox::new();
    let shown = without_events(&sandbox, &["--poll", "-s", "0.1", "-n", "+1", "app.log"]);
    rename_under_writers(&sandbox, shown, "--poll");
}

#[test]
fn what_a_copying_rotator_leaves_anywhere_is_shown_once() {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let sandbox = Sandbox::new();
    let shown = Shown::start(&sandbox, &["-n", "+1", "app.log"]);
    let stage = Arc::new(Stage::default());
    let writer = {
        let (log, stage, dice) = (sandbox.log("app.log"), stage.clone(), random.fork());
        spawn(move || write(&log, &stage, 0, dice))
    };
    until("the log is shown", || !shown.bytes().is_empty());
    for count in 1..=rotations() {
        sleep(Duration::from_millis(random.u64(20..400)));
        fs::copy(sandbox.log("app.log"), sandbox.log(&format!("app.log.{count}"))).unwrap();
        // What is written between these two is destroyed.
        sleep(Duration::from_millis(random.u64(..30)));
        sandbox.open("app.log").set_len(0).unwrap();
    }
    stage.over.store(true, Ordering::SeqCst);
    let written = writer.join().unwrap()[&0];
    let on_disk = || -> Vec<u64> {
        let files = fs::read_dir(sandbox.path("logs")).unwrap();
        let texts = files.map(|file| fs::read(file.unwrap().path()).unwrap());
        texts
            .flat_map(|text| series(&text).remove(&0).unwrap_or_default())
            .collect()
    };
    let shown_lines = || series(&shown.bytes()).remove(&0).unwrap_or_default();
    let kept = on_disk();
    until("all that is left is shown", || {
        let shown = shown_lines();
        kept.iter().all(|number| shown.contains(number))
    });
    let mut sorted = shown_lines();
    sorted.sort_unstable();
    let count = sorted.len() as u64;
    sorted.dedup();
    assert_eq!(sorted.len() as u64, count, "a line was shown twice");
    assert!(sorted.last() < Some(&written));
    shown.end();
    evidence(&format!(
        "follow, copy and cut: {} times, {written} lines, {} of them in no file at the end; shown {count}, doubled 0, \
         seed {seed}",
        rotations(),
        written - kept.len() as u64,
    ));
}

#[test]
fn it_ends_after_the_process_it_was_told_to_outlive_with_one_last_look() {
    let sandbox = Sandbox::new();
    sandbox.append("app.log", "1\n");
    let mut writer: Child = Command::new("sleep").arg("3600").spawn().unwrap();
    let pid = writer.id().to_string();
    let mut shown = Shown::start(&sandbox, &["--pid", &pid, "--poll", "-s", "0.3", "app.log"]);
    shown.expect("1\n");
    sandbox.append("app.log", "its last words");
    writer.kill().unwrap();
    writer.wait().unwrap();
    let mut status = None;
    until("it ends", || {
        status = shown.running.exited();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(0));
    assert_eq!(shown.bytes(), b"1\nits last words");
}

/// Its pipe, and it.
fn piped(sandbox: &Sandbox, args: &[&str]) -> (std::process::ChildStdout, Running) {
    let mut child = follow(sandbox, args).stdout(Stdio::piped()).spawn().unwrap();
    (child.stdout.take().unwrap(), child.into())
}

#[test]
fn a_closed_stdout_ends_it_quietly_also_if_nothing_more_is_written() {
    use std::io::Read;
    let sandbox = Sandbox::new();
    sandbox.append("quiet.log", "1\n2\n");
    sandbox.append("busy.log", &"x".repeat(1 << 20));
    for file in ["quiet.log", "busy.log"] {
        let (mut pipe, mut running) = piped(&sandbox, &[file]);
        pipe.read_exact(&mut [0]).unwrap();
        drop(pipe);
        let mut status = None;
        until("it ends", || {
            status = running.exited();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(0), "{file}");
    }
    assert_eq!(fs::read_to_string(sandbox.path("stderr")).unwrap(), "");
}

#[test]
fn a_signal_ends_it_with_zero_also_while_nobody_reads_its_output() {
    let sandbox = Sandbox::new();
    sandbox.append("app.log", &"x".repeat(1 << 20));
    for signal in [Signal::TERM, Signal::INT] {
        let (pipe, mut running) = piped(&sandbox, &["app.log"]);
        // A pipe holds 64 KiB: from then on it is stuck in a write.
        until("the pipe is full", || {
            rustix::io::ioctl_fionread(&pipe).unwrap() >= 64 * 1024
        });
        let pid = Pid::from_raw(i32::try_from(running.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        let mut status = None;
        until("it ends", || {
            status = running.exited();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(0), "{signal:?}");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_told_and_ends_it_with_one() {
    let sandbox = Sandbox::new();
    sandbox.append("app.log", "1\n");
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = follow(&sandbox, &["app.log"]);
    let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("stdout cannot be written"), "{said}");
}
