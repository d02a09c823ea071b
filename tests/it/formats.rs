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

#[test]
fn fields_of_json_narrow_a_rule_down_and_tell_incidents_apart() {
    let sandbox = sandbox(
        "format = \"json\"",
        "where = { level = [\"error\", \"fatal\"], \"http.status\" = \">=500\", user = \"!=root\" }\nby = [\"service\"]",
    );
    let line = |level: &str, status: u16, user: &str, service: &str, msg: &str| {
        format!(
            "{{\"level\":\"{level}\",\"http\":{{\"status\":{status}}},\"user\":\"{user}\",\"service\":\"{service}\",\"msg\":\"{msg}\"}}\n"
        )
    };
    let lines = [
        line("error", 502, "ann", "shop", "the till is gone"),
        line("info", 502, "ann", "shop", "NOISE"),
        line("fatal", 499, "ann", "shop", "NOISE"),
        line("fatal", 500, "root", "shop", "NOISE"),
        line("fatal", 500, "bob", "mail", "no stamps left"),
        "level=error http.status=502 msg=NOISE\n".to_owned(),
    ];
    sandbox.append("app.log", &lines.concat());
    sandbox.once();
    let messages = sandbox.api.journal().messages(ME);
    assert_eq!(messages.len(), 2, "{}", told(&sandbox));
    let of = |word: &str| {
        messages
            .iter()
            .find(|message| message.text.contains(word))
            .unwrap()
    };
    assert!(of("the till is gone").text.contains("shop"), "{}", told(&sandbox));
    assert!(of("no stamps left").text.contains("mail"), "{}", told(&sandbox));
    assert!(!told(&sandbox).contains("NOISE"), "{}", told(&sandbox));
    assert!(!told(&sandbox).contains("\"msg\""), "the message is shown alone");
}

#[test]
fn what_is_shown_of_an_event_with_fields_holds_no_secret() {
    let sandbox = sandbox(
        "format = \"logfmt\"",
        "where = { level = \"error\" }\nby = [\"password\"]",
    );
    sandbox.append(
        "app.log",
        "level=error password=hunter2 msg=\"login with token=abcdef123456 failed\"\n",
    );
    sandbox.once();
    let told = told(&sandbox);
    assert!(told.contains("login with"), "{told}");
    assert!(
        !told.contains("hunter2") && !told.contains("abcdef123456"),
        "{told}"
    );
}

#[test]
fn a_container_that_writes_json_has_the_fields_of_both() {
    let sandbox = sandbox(
        "format = \"docker\"",
        "where = { stream = \"stderr\", level = \"error\" }\nmatch = '\"code\":7'",
    );
    let text =
        |code: u8| format!(r#"{{\"level\":\"error\",\"code\":{code},\"msg\":\"code {code} it is\"}}\n"#);
    sandbox.append("a.log", &docker("stderr", &text(7)));
    sandbox.append("a.log", &docker("stdout", &text(7)));
    sandbox.append("a.log", &docker("stderr", &text(8)));
    sandbox.once();
    assert_eq!(
        told(&sandbox).matches("code 7 it is").count(),
        1,
        "{}",
        told(&sandbox)
    );
    assert!(!told(&sandbox).contains("code 8"), "{}", told(&sandbox));
}
