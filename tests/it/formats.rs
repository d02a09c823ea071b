//! Logs whose lines are not the text: what containers write.

use std::fmt::Write as _;
use std::fs;

use crate::support::{ME, Sandbox, until};

/// A log `app` of this format over `logs/*.log`, with more keys of the log and of the rule `oops`.
fn sandbox(log: &str, rule: &str) -> Sandbox {
    let sandbox = Sandbox::unlimited();
    let files = sandbox.path("logs");
    sandbox.rules_toml(&format!(
        "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false }}\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\n{log}\n\
         [[rules]]\nname = \"oops\"\nring = \"all\"\nwait = \"0s\"\nevery = \"50ms\"\nlimit = \"1000/s\"\n{rule}\n",
        files.display()
    ));
    sandbox
}

/// One entry of the json-file driver; `text` is written as JSON has it.
fn docker(stream: &str, text: &str) -> String {
    format!("{{\"log\":\"{text}\",\"stream\":\"{stream}\",\"time\":\"2026-01-02T03:04:05.678901234Z\"}}\n")
}

/// All that the chat was told, in one text.
fn told(sandbox: &Sandbox) -> String {
    let messages = sandbox.api.journal().messages(ME);
    messages.iter().fold(String::new(), |mut all, message| {
        let _ = writeln!(all, "{}", message.text);
        all
    })
}

#[test]
fn rules_see_what_the_program_in_the_container_wrote() {
    let sandbox = sandbox("format = \"docker\"", "match = '^ERROR \"disk\" <full>$'");
    sandbox.append(
        "a.log",
        &docker("stdout", r#"ERROR \"disk\" \u003cfull\u003e\r\n"#),
    );
    sandbox.once();
    let text = sandbox.last_text();
    assert!(text.contains("ERROR \"disk\" <full>"), "{text}");
    assert!(!text.contains("stream"), "{text}");
}

#[test]
fn pieces_of_a_docker_line_are_one_event_across_reads_a_restart_and_a_rotation() {
    let sandbox = sandbox(
        "format = \"docker\"\nflush = \"10m\"",
        "match = ['ERROR.*the end', 'MARK']",
    );
    let long = "x".repeat(16 * 1024);
    let running = sandbox.start(&[]);
    sandbox.append("a.log", &docker("stdout", &format!("ERROR {long}")));
    sandbox.append("a.log", &docker("stderr", "MARK one\\n"));
    sandbox.append("a.log", &docker("stdout", &long));
    // Another file was read after these pieces were there, so they were most likely met.
    sandbox.append("b.log", &docker("stdout", "MARK two\\n"));
    until("the other file is read", || told(&sandbox).contains("MARK two"));
    running.kill_nine();
    fs::rename(sandbox.log("a.log"), sandbox.log("a.log.1")).unwrap();
    let running = sandbox.start(&[]);
    sandbox.append("a.log", &docker("stdout", "MARK three\\n"));
    until("the new file is read", || told(&sandbox).contains("MARK three"));
    let rest = docker("stdout", "the end\\n");
    fs::write(sandbox.log("rest"), &rest).unwrap();
    let mut old = fs::File::options()
        .append(true)
        .open(sandbox.log("a.log.1"))
        .unwrap();
    std::io::Write::write_all(&mut old, rest.as_bytes()).unwrap();
    until("the pieces are one event", || {
        told(&sandbox).contains("ERROR xxxx")
    });
    until("what stood between them came too", || {
        told(&sandbox).contains("MARK one")
    });
    assert!(running.terminate().success());
    assert_eq!(told(&sandbox).matches("MARK one").count(), 1);
    assert_eq!(told(&sandbox).matches("ERROR xxxx").count(), 1);
}

#[test]
fn a_piece_whose_rest_never_comes_is_told_as_it_stands() {
    let sandbox = sandbox("format = \"cri\"\nflush = \"100ms\"", "match = '^ERROR half'");
    let running = sandbox.start(&[]);
    sandbox.append("pod.log", "2026-01-02T03:04:05.6Z stderr P ERROR half of it\n");
    until("it is told", || told(&sandbox).contains("ERROR half of it"));
    assert!(running.terminate().success());
}

#[test]
fn pieces_of_a_cri_line_are_joined_per_stream_and_what_is_no_cri_line_is_text() {
    let sandbox = sandbox("format = \"cri\"", "match = '^(?:ERROR .* disk|kubelet: ERROR)$'");
    let time = "2026-01-02T03:04:05.678901234+09:00";
    sandbox.append(
        "pod.log",
        &format!(
            "{time} stdout P ERROR on \n{time} stderr F WARN else\n{time} stdout F the disk\nkubelet: ERROR\n"
        ),
    );
    sandbox.once();
    let told = told(&sandbox);
    assert!(told.contains("ERROR on the disk"), "{told}");
    assert!(told.contains("kubelet: ERROR"), "{told}");
    assert!(!told.contains("WARN"), "{told}");
}
