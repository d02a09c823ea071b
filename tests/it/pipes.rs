//! Pipes as logs: stdin (`"-"`), and FIFOs that are named in `files`. What is read of them can be read but once, so
//! nothing is read that is not wanted yet, and their ends are told from the ends of their writers.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, PipeReader, PipeWriter, Write, pipe};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, OFlags, fcntl_setfl, mknodat};

use tailgram::store::Store;

use crate::rotation::start_without_events;
use crate::support::{
    Back, ME, Namespace, Running, Sandbox, Series, Terminal, events_can_be_forbidden, total, until,
};

/// A log `app` over these files, with more keys, each line of which that holds ERROR or CANARY is forwarded.
fn forwarding(files: &[&str], log: &str) -> Sandbox {
    let sandbox = Sandbox::unlimited();
    forward(&sandbox, files, log);
    sandbox
}

/// The rules.toml of [`forwarding`]. Files without a slash are stdin, or lie in `logs`.
fn forward(sandbox: &Sandbox, files: &[&str], log: &str) {
    let file = |file: &&str| match *file {
        "-" => "-".to_owned(),
        file => sandbox.log(file).display().to_string(),
    };
    let files: Vec<String> = files.iter().map(file).collect();
    sandbox.rules_toml(&format!(
        "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n\
         [chats.me]\nid = {ME}\nnotices = false\nlimit = \"100000/min\"\n\
         [[logs]]\nname = \"app\"\nfiles = {files:?}\nmultiline = \"off\"\n{log}\n\
         [[rules]]\nname = \"lines\"\nmatch = ['ERROR', 'CANARY']\nring = \"all\"\nwait = \"0s\"\nevery = \"50ms\"\n\
         limit = \"100000/min\"\n",
    ));
}

/// `run` and more arguments, with a pipe for its stdin.
fn piped(sandbox: &Sandbox, args: &[&str]) -> (Running, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    (with_stdin(sandbox, args, reader), writer)
}

fn with_stdin(sandbox: &Sandbox, args: &[&str], stdin: impl Into<Stdio>) -> Running {
    let mut command = sandbox.command(&["run"]);
    command.args(args).stdin(stdin);
    sandbox.spawn(command)
}

#[track_caller]
fn end_of(running: &mut Running) -> ExitStatus {
    let mut end = None;
    until("it ends by itself", || {
        end = running.exited();
        end.is_some()
    });
    end.unwrap()
}

/// Every line that was written came, once.
#[track_caller]
fn all_came_once(sandbox: &Sandbox, written: &[Series]) {
    let back = Back::read(&sandbox.api.journal().messages(ME));
    let lost = back.lost(written);
    assert!(lost.is_empty(), "{lost:?} are lost\n{}", sandbox.stderr());
    assert_eq!(back.doubled, 0);
}

fn make_fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, 0o644.into(), 0).unwrap();
}

/// A writer of a FIFO that somebody reads. It comes, writes and goes.
fn write_to(fifo: &Path, text: &str) {
    let mut writer = OpenOptions::new().write(true).open(fifo).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
}

/// Writes in pieces of a few bytes, whatever the lines are.
fn write_torn(writer: &mut PipeWriter, text: &str) {
    for piece in text.as_bytes().chunks(7) {
        writer.write_all(piece).unwrap();
    }
}

#[test]
fn every_line_of_stdin_arrives_once_and_its_end_ends_the_program_when_all_is_delivered() {
    let sandbox = forwarding(&["-"], "");
    let mut series = Series::new(1);
    // The second run begins where nobody knows of the first one's pipe.
    for run in 1..=2 {
        let (mut running, mut writer) = piped(&sandbox, &[]);
        write_torn(&mut writer, &series.next(100));
        sandbox.all_told(std::slice::from_ref(&series));
        // Its last line has no newline.
        let rest = series.next(50);
        write_torn(&mut writer, rest.trim_end());
        drop(writer);
        assert!(end_of(&mut running).success(), "{}", sandbox.stderr());
        let said = sandbox.stderr();
        assert_eq!(said.matches("stdin ended").count(), run, "{said}");
        assert!(
            !said.contains("destroyed") && !said.contains("WARN stdin"),
            "{said}"
        );
        all_came_once(&sandbox, std::slice::from_ref(&series));
        let state = Store::peek(&sandbox.path("state")).unwrap();
        assert!(state.positions.is_empty(), "{:?}", state.positions);
    }
}

#[test]
fn where_there_are_other_logs_the_end_of_stdin_is_told_once_and_nothing_ends() {
    let sandbox = forwarding(&["-", "*.log"], "start = \"beginning\"");
    let mut series = [Series::new(1), Series::new(2)];
    let (mut running, mut writer) = piped(&sandbox, &[]);
    writer.write_all(series[0].next(5).as_bytes()).unwrap();
    sandbox.log_lines("app.log", &mut series[1], 5);
    sandbox.all_told(&series);
    let status = || String::from_utf8(sandbox.finish(&["status", "--json"]).stdout).unwrap();
    until("stdin is listed", || status().contains("\"stdin\""));
    drop(writer);
    until("its end is told", || sandbox.stderr().contains("stdin ended"));
    sandbox.log_lines("app.log", &mut series[1], 5);
    sandbox.exactly_once(&series);
    assert_eq!(running.exited(), None);
    assert!(running.terminate().success());
    let said = sandbox.stderr();
    assert_eq!(said.matches("stdin ended").count(), 1, "{said}");
}

#[test]
fn a_single_pass_reads_stdin_to_its_end_and_so_does_a_run_whose_stdin_is_a_file() {
    let sandbox = forwarding(&["-"], "");
    let mut series = Series::new(1);
    let (mut running, mut writer) = piped(&sandbox, &["--once"]);
    writer.write_all(series.next(5).as_bytes()).unwrap();
    sandbox.all_told(std::slice::from_ref(&series));
    assert_eq!(running.exited(), None);
    writer.write_all(series.next(5).trim_end().as_bytes()).unwrap();
    drop(writer);
    assert!(end_of(&mut running).success(), "{}", sandbox.stderr());
    all_came_once(&sandbox, std::slice::from_ref(&series));

    fs::write(sandbox.path("input"), series.next(500)).unwrap();
    let file = File::open(sandbox.path("input")).unwrap();
    let mut running = with_stdin(&sandbox, &[], file);
    assert!(end_of(&mut running).success(), "{}", sandbox.stderr());
    all_came_once(&sandbox, &[series]);
    assert!(
        sandbox.stderr().contains("stdin is a file"),
        "{}",
        sandbox.stderr()
    );
}

#[test]
fn a_stop_while_a_writer_holds_stdin_open_comes_in_time_and_what_was_written_is_told() {
    let sandbox = forwarding(&["-"], "");
    // A stop waits for what is due, and not for what is due later.
    let rules = fs::read_to_string(sandbox.path("rules.toml")).unwrap();
    sandbox.rules_toml(&rules.replace("every = \"50ms\"", "every = \"1ms\""));
    let mut series = Series::new(1);
    let (running, mut writer) = piped(&sandbox, &[]);
    writer.write_all(series.next(3).as_bytes()).unwrap();
    sandbox.all_told(std::slice::from_ref(&series));
    // Half a line waits for its rest, and would for seconds.
    writer.write_all(series.next(1).trim_end().as_bytes()).unwrap();
    let asked = Instant::now();
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "Docker would have killed it"
    );
    all_came_once(&sandbox, &[series]);
}

#[test]
fn writers_of_a_fifo_come_and_go_inside_the_fence_and_a_fifo_that_is_met_by_the_way_is_named_once() {
    let sandbox = forwarding(&["app.pipe", "late/app.pipe", "*.log"], "start = \"beginning\"");
    let fifo = sandbox.log("app.pipe");
    make_fifo(&fifo);
    make_fifo(&sandbox.log("met.log"));
    fs::create_dir(sandbox.log("late")).unwrap();
    let mut running = sandbox.start(&[]);
    let mut series = [Series::new(1), Series::new(2)];
    for _ in 0..10 {
        write_to(&fifo, &series[0].next(3));
        drop(OpenOptions::new().write(true).open(&fifo).unwrap());
    }
    sandbox.all_told(&series);
    // A restart goes on with the next writer.
    assert!(running.terminate().success());
    running = sandbox.start(&[]);
    make_fifo(&sandbox.log("late/app.pipe"));
    for _ in 0..10 {
        write_to(&fifo, &series[0].next(1));
        write_to(&sandbox.log("late/app.pipe"), &series[1].next(1));
        sandbox.all_told(&series);
    }
    sandbox.exactly_once(&series);
    assert_eq!(running.exited(), None);
    let said = sandbox.stderr();
    assert_eq!(
        said.matches("met.log is not a regular file").count(),
        2,
        "once a run: {said}"
    );
    for trouble in ["cannot read", "failed:", "destroyed", "app.pipe is not"] {
        assert!(!said.contains(trouble), "{said}");
    }
    if said.contains("no fence") {
        eprintln!("SKIP: fence: needs a kernel with Landlock, and the right to use it");
    } else {
        assert!(said.contains("the fence stands"), "{said}");
    }
}

#[test]
fn with_poll_a_fifo_is_heard_and_no_inotify_call_is_made() {
    if !events_can_be_forbidden("rotation") {
        return;
    }
    let sandbox = forwarding(&["app.pipe"], "watch = \"poll\"");
    let fifo = sandbox.log("app.pipe");
    make_fifo(&fifo);
    let running = start_without_events(&sandbox);
    let mut series = Series::new(1);
    for _ in 0..5 {
        write_to(&fifo, &series.next(2));
        sandbox.all_told(std::slice::from_ref(&series));
    }
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    all_came_once(&sandbox, &[series]);
}

/// The state on a disk of its own, which is small, and `run` with this stdin.
fn on_a_small_disk(sandbox: &Sandbox, namespace: &Namespace, stdin: PipeReader) -> Running {
    namespace.run(
        "mkdir /mnt/small && mount -t tmpfs -o size=16m none /mnt/small",
        &[],
    );
    let plain = sandbox.command(&["run"]);
    let mut command: Command = namespace.command(plain.get_program().to_str().unwrap());
    command
        .args(plain.get_args())
        .env_clear()
        .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("TAILGRAM_STATE_DIR", "/mnt/small/state")
        .current_dir(sandbox.folder())
        .stdin(stdin);
    sandbox.spawn(command)
}

#[test]
fn while_the_disk_takes_nothing_the_writer_waits_and_nothing_is_lost() {
    let Some(namespace) = Namespace::new("filesystems") else {
        return;
    };
    let sandbox = Sandbox::unlimited();
    sandbox.rules_toml(&format!(
        "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false }}\n\
         [[logs]]\nname = \"app\"\nfiles = [\"-\"]\nmultiline = \"off\"\n\
         [[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"0s\"\nevery = \"100ms\"\nquiet = \"1h\"\n"
    ));
    let (reader, mut writer) = pipe().unwrap();
    let mut running = on_a_small_disk(&sandbox, &namespace, reader);
    let line = format!("ERROR {}\n", "x".repeat(1017));
    writer.write_all(line.as_bytes()).unwrap();
    until("the first line is told", || {
        sandbox.last_text().contains("1 match")
    });
    // As much as there is, and then the little that is left.
    namespace.run(
        "dd if=/dev/zero of=/mnt/small/fill bs=64k 2>/dev/null || cat /dev/zero >>/mnt/small/fill || true",
        &[],
    );
    writer.write_all(line.as_bytes()).unwrap();
    until("the disk is full", || sandbox.stderr().contains("reading pauses"));
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    let (lines, mut written, mut refused) = (8_000, 2, 0);
    // A writer that is refused for so long waits, and not for the next turn of a reader.
    while written < lines && refused < 100 {
        match writer.write(line.as_bytes()) {
            Ok(length) => {
                assert_eq!(length, line.len(), "a pipe takes so little as a whole");
                (written, refused) = (written + 1, 0);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                refused += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
    assert!(written < lines / 2, "the pipe was drained of {written} lines");
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    namespace.run("rm /mnt/small/fill", &[]);
    writer.write_all(line.repeat(lines - written).as_bytes()).unwrap();
    drop(writer);
    assert!(end_of(&mut running).success(), "{}", sandbox.stderr());
    assert_eq!(total(&sandbox.last_text_of_first()), lines as u64);
}

#[test]
fn a_traceback_through_a_pipe_is_one_event_with_the_lines_around_it() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules_toml(&format!(
        "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false }}\n\
         [[logs]]\nname = \"app\"\nfiles = [\"-\"]\n\
         [[rules]]\nname = \"crash\"\nmatch = 'Traceback'\nwait = \"0s\"\ncontext = {{ before = 1, after = 1 }}\n"
    ));
    let (mut running, mut writer) = piped(&sandbox, &[]);
    write_torn(
        &mut writer,
        "INFO all was well\nTraceback (most recent call last):\n  File \"app.py\", line 7, in <module>\n    main()\n\
         ValueError: no such thing\nINFO it goes on\n",
    );
    until("it is told", || {
        sandbox.last_text().contains("ValueError: no such thing")
    });
    let text = sandbox.last_text();
    assert!(text.contains("all was well") && total(&text) == 1, "{text}");
    until("the line behind it is told", || {
        sandbox.last_text().contains("it goes on")
    });
    drop(writer);
    assert!(end_of(&mut running).success(), "{}", sandbox.stderr());
    assert_eq!(sandbox.api.journal().messages(ME).len(), 1);
}

#[test]
fn letters_of_two_bytes_may_come_one_by_one() {
    let sandbox = forwarding(&["-"], "encoding = \"utf-16le\"");
    let (mut running, mut writer) = piped(&sandbox, &[]);
    let mut series = Series::new(1);
    for byte in series.next(3).encode_utf16().flat_map(u16::to_le_bytes) {
        writer.write_all(&[byte]).unwrap();
    }
    // Half a letter.
    writer.write_all(b"E").unwrap();
    drop(writer);
    assert!(end_of(&mut running).success(), "{}", sandbox.stderr());
    all_came_once(&sandbox, &[series]);
}

#[test]
fn two_logs_that_read_stdin_see_the_same_lines() {
    let sandbox = Sandbox::unlimited();
    let log = |name| format!("[[logs]]\nname = \"{name}\"\nfiles = [\"-\"]\nmultiline = \"off\"\n");
    let rule = |name, word| {
        format!("[[rules]]\nname = \"{name}\"\nlogs = [\"{name}\"]\nmatch = '{word}'\nwait = \"0s\"\n")
    };
    sandbox.rules_toml(&format!(
        "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false }}\n{}{}{}{}",
        log("first"),
        log("second"),
        rule("first", "ONE"),
        rule("second", "TWO"),
    ));
    let (mut running, mut writer) = piped(&sandbox, &[]);
    writer.write_all(b"ONE and TWO\n").unwrap();
    drop(writer);
    assert!(end_of(&mut running).success(), "{}", sandbox.stderr());
    let messages = sandbox.api.journal().messages(ME);
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(
        messages
            .iter()
            .all(|message| message.text.contains("ONE and TWO"))
    );
}

#[test]
fn a_reload_that_takes_stdin_away_leaves_its_lines_in_the_pipe_and_one_that_names_it_again_reads_on() {
    let sandbox = forwarding(&["*.log"], "start = \"beginning\"");
    let (running, mut writer) = piped(&sandbox, &[]);
    let mut series = [Series::new(1), Series::new(2)];
    // Written before anybody wants it.
    writer.write_all(series[0].next(3).as_bytes()).unwrap();
    sandbox.log_lines("app.log", &mut series[1], 1);
    until("the log is read", || {
        !sandbox.api.journal().messages(ME).is_empty()
    });
    forward(&sandbox, &["*.log", "-"], "start = \"beginning\"");
    sandbox.all_told(&series);
    forward(&sandbox, &["*.log"], "start = \"beginning\"");
    until("it says so", || {
        sandbox.stderr().contains("stdin is not read any more")
    });
    writer.write_all(series[0].next(3).as_bytes()).unwrap();
    sandbox.log_lines("app.log", &mut series[1], 3);
    sandbox.told(&series[1].last());
    forward(&sandbox, &["*.log", "-"], "start = \"beginning\"");
    sandbox.exactly_once(&series);
    assert!(running.terminate().success(), "{}", sandbox.stderr());
}

#[test]
fn a_terminal_for_stdin_is_refused_with_its_cure() {
    let sandbox = forwarding(&["-"], "");
    let (status, _, screen) = Terminal::start(sandbox.command(&["run"])).end();
    assert_eq!(status.code(), Some(2), "{screen}");
    assert!(
        screen.contains("stdin is a terminal") && screen.contains("app 2>&1 | tailgram run"),
        "{screen}"
    );
}

#[test]
fn commands_that_speak_of_files_know_stdin_and_named_fifos() {
    let sandbox = forwarding(&["-", "app.pipe", "met.*"], "");
    make_fifo(&sandbox.log("app.pipe"));
    make_fifo(&sandbox.log("met.pipe"));
    let checked = sandbox.finish(&["check", "--logs"]);
    let page = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.status.success(), "{page}");
    for words in [
        "stdin  read while it runs",
        "app.pipe  a pipe, read while it runs",
        "met.pipe  not a regular file",
    ] {
        assert!(page.contains(words), "{page}");
    }
    let other = "\n[[logs]]\nname = \"other\"\nfiles = [\"/nowhere/*.log\"]\n";
    let rules = fs::read_to_string(sandbox.path("rules.toml")).unwrap();
    sandbox.rules_toml(&rules.replace("\n[[rules]]", &format!("{other}[[rules]]")));
    fs::write(sandbox.path("input"), "ERROR 1\n").unwrap();
    let mut command = sandbox.command(&["explain", "-"]);
    let explained = command
        .stdin(File::open(sandbox.path("input")).unwrap())
        .output()
        .unwrap();
    let page = String::from_utf8(explained.stdout).unwrap();
    assert!(
        page.contains("app:1: ERROR 1") && !page.contains("other:"),
        "{page}"
    );
}
