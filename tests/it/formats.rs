//! Logs whose lines are not the text: what containers write.

use std::fs;

use crate::support::{ME, Sandbox, until};

/// One entry of the json-file driver; `text` is written as JSON has it.
fn docker(stream: &str, text: &str) -> String {
    format!("{{\"log\":\"{text}\",\"stream\":\"{stream}\",\"time\":\"2026-01-02T03:04:05.678901234Z\"}}\n")
}

#[test]
fn rules_see_what_the_program_in_the_container_wrote() {
    let sandbox = Sandbox::forwarding("format = \"docker\"", "match = '^ERROR \"disk\" <full>$'");
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
    let sandbox = Sandbox::forwarding(
        "format = \"docker\"\nmultiline = \"off\"\nflush = \"10m\"",
        "match = ['ERROR.*the end', 'MARK']",
    );
    let long = "x".repeat(16 * 1024);
    let running = sandbox.start(&[]);
    sandbox.append("a.log", &docker("stdout", &format!("ERROR {long}")));
    sandbox.append("a.log", &docker("stderr", "MARK one\\n"));
    sandbox.append("a.log", &docker("stdout", &long));
    // Another file was read after these pieces were there, so they were most likely met.
    sandbox.append("b.log", &docker("stdout", "MARK two\\n"));
    until("the other file is read", || {
        sandbox.all_texts().contains("MARK two")
    });
    running.kill_nine();
    fs::rename(sandbox.log("a.log"), sandbox.log("a.log.1")).unwrap();
    let running = sandbox.start(&[]);
    sandbox.append("a.log", &docker("stdout", "MARK three\\n"));
    until("the new file is read", || {
        sandbox.all_texts().contains("MARK three")
    });
    let rest = docker("stdout", "the end\\n");
    let mut old = fs::File::options()
        .append(true)
        .open(sandbox.log("a.log.1"))
        .unwrap();
    std::io::Write::write_all(&mut old, rest.as_bytes()).unwrap();
    until("the pieces are one event", || {
        sandbox.all_texts().contains("ERROR xxxx")
    });
    until("what stood between them came too", || {
        sandbox.all_texts().contains("MARK one")
    });
    assert!(running.terminate().success());
    assert_eq!(sandbox.all_texts().matches("MARK one").count(), 1);
    assert_eq!(sandbox.all_texts().matches("ERROR xxxx").count(), 1);
}

#[test]
fn a_piece_whose_rest_never_comes_is_told_as_it_stands() {
    let sandbox = Sandbox::forwarding("format = \"cri\"\nflush = \"100ms\"", "match = '^ERROR half'");
    let running = sandbox.start(&[]);
    sandbox.append("pod.log", "2026-01-02T03:04:05.6Z stderr P ERROR half of it\n");
    until("it is told", || sandbox.all_texts().contains("ERROR half of it"));
    assert!(running.terminate().success());
}

#[test]
fn pieces_of_a_cri_line_are_joined_per_stream_and_what_is_no_cri_line_is_text() {
    let sandbox = Sandbox::forwarding("format = \"cri\"", "match = '^(?:ERROR .* disk|kubelet: ERROR)$'");
    let time = "2026-01-02T03:04:05.678901234+09:00";
    sandbox.append(
        "pod.log",
        &format!(
            "{time} stdout P ERROR on \n{time} stderr F WARN else\n{time} stdout F the disk\nkubelet: ERROR\n"
        ),
    );
    sandbox.once();
    let told = sandbox.all_texts();
    assert!(told.contains("ERROR on the disk"), "{told}");
    assert!(told.contains("kubelet: ERROR"), "{told}");
    assert!(!told.contains("WARN"), "{told}");
}

#[test]
fn fields_of_json_narrow_a_rule_down_and_tell_incidents_apart() {
    let sandbox = Sandbox::forwarding(
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
    assert_eq!(messages.len(), 2, "{}", sandbox.all_texts());
    let of = |word: &str| {
        messages
            .iter()
            .find(|message| message.text.contains(word))
            .unwrap()
    };
    assert!(
        of("the till is gone").text.contains("shop"),
        "{}",
        sandbox.all_texts()
    );
    assert!(
        of("no stamps left").text.contains("mail"),
        "{}",
        sandbox.all_texts()
    );
    assert!(!sandbox.all_texts().contains("NOISE"), "{}", sandbox.all_texts());
    assert!(
        !sandbox.all_texts().contains("\"msg\""),
        "the message is shown alone"
    );
}

#[test]
fn what_is_shown_of_an_event_with_fields_holds_no_secret() {
    let sandbox = Sandbox::forwarding(
        "format = \"logfmt\"",
        "where = { level = \"error\" }\nby = [\"password\"]",
    );
    sandbox.append(
        "app.log",
        "level=error password=hunter2 msg=\"login with token=abcdef123456 failed\"\n",
    );
    sandbox.once();
    let told = sandbox.all_texts();
    assert!(told.contains("login with"), "{told}");
    assert!(
        !told.contains("hunter2") && !told.contains("abcdef123456"),
        "{told}"
    );
}

#[test]
fn a_container_that_writes_json_has_the_fields_of_both() {
    let sandbox = Sandbox::forwarding(
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
        sandbox.all_texts().matches("code 7 it is").count(),
        1,
        "{}",
        sandbox.all_texts()
    );
    assert!(!sandbox.all_texts().contains("code 8"), "{}", sandbox.all_texts());
}

/// A log over whatever lies below the folder of the sandbox, with the keys of a rule.
fn anywhere(glob: &str, rule: &str) -> Sandbox {
    let sandbox = Sandbox::unlimited();
    let files = sandbox.path(glob);
    sandbox.rules_toml(&format!(
        "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false }}\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}\"]\nstart = \"beginning\"\n\
         [[rules]]\nname = \"oops\"\nwait = \"0s\"\n{rule}\n",
        files.display()
    ));
    sandbox
}

fn write(sandbox: &Sandbox, path: &str, text: &str) {
    let path = sandbox.path(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_container_of_docker_is_called_by_its_name() {
    let sandbox = anywhere(
        "containers/*/*-json.log",
        "match = 'ERROR'\nwhere = { image = \"~^shop:\" }\nby = [\"container\"]",
    );
    for (id, config) in [
        (
            "a".repeat(64),
            r#"{"Name":"/shop-web-1","Config":{"Image":"shop:1.2"}}"#,
        ),
        (
            "b".repeat(64),
            r#"{"Name":"/mail-1","Config":{"Image":"mail:7"}}"#,
        ),
        ("c".repeat(64), r#"{"Name":"/broken","Config":{"Ima"#),
    ] {
        let folder = format!("containers/{id}");
        write(&sandbox, &format!("{folder}/config.v2.json"), config);
        // Nothing in the file itself tells what it is until its second line.
        let text = format!("half a line\n{}", docker("stdout", "ERROR no till\\n"));
        write(&sandbox, &format!("{folder}/{id}-json.log"), &text);
    }
    sandbox.once();
    let messages = sandbox.api.journal().messages(ME);
    assert_eq!(messages.len(), 1, "{}", sandbox.all_texts());
    let text = &messages[0].text;
    assert!(text.contains("container=shop-web-1"), "{text}");
    assert!(
        text.contains("container shop-web-1"),
        "it stands where a file's path would: {text}"
    );
    assert!(!text.contains("-json.log"), "{text}");
}

#[test]
fn a_container_without_a_readable_config_is_told_by_its_path() {
    let sandbox = anywhere("containers/*/*-json.log", "match = 'ERROR'");
    let id = "d".repeat(64);
    let log = format!("containers/{id}/{id}-json.log");
    write(&sandbox, &log, &docker("stdout", "ERROR no name\\n"));
    let output = sandbox.once();
    let text = sandbox.last_text();
    assert!(
        text.contains("ERROR no name") && text.contains("-json.log"),
        "{text}"
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("config.v2.json").count(), 1, "{said}");
}

#[test]
fn a_pod_is_known_by_the_path_of_its_logs() {
    let sandbox = anywhere(
        "var/log/pods/*/*/*.log",
        "match = 'ERROR'\nwhere = { namespace = \"shop\", container = \"!=sidecar\" }\nby = [\"namespace\", \"pod\"]",
    );
    for (pod, container) in [
        ("shop_web-7d9f_0a1b", "app"),
        ("shop_web-7d9f_0a1b", "sidecar"),
        ("kube-system_dns_0a1b", "app"),
    ] {
        let path = format!("var/log/pods/{pod}/{container}/0.log");
        write(
            &sandbox,
            &path,
            &format!("2026-01-02T03:04:05.6Z stderr F ERROR in {container}\n"),
        );
    }
    sandbox.once();
    let messages = sandbox.api.journal().messages(ME);
    assert_eq!(messages.len(), 1, "{}", sandbox.all_texts());
    let text = &messages[0].text;
    assert!(text.contains("namespace=shop pod=web-7d9f"), "{text}");
    assert!(text.contains("pod shop/web-7d9f, container app"), "{text}");
}

#[test]
fn a_level_is_found_in_the_text_and_under_every_name() {
    let sandbox = Sandbox::forwarding("", "where = { level = [\"error\", \"fatal\"] }");
    let lines = [
        "2026-01-02 03:04:05,678 ERROR FOUND one",
        "2026-01-02 03:04:05,678 INFO no ERROR here",
        "[crit] FOUND two",
        r#"{"severity":"CRITICAL","msg":"FOUND three"}"#,
        r#"{"level":50,"msg":"FOUND four"}"#,
        r#"{"level":"info","msg":"no ERROR here"}"#,
        "lvl=eror msg=\"FOUND five\"",
        "\u{1b}[31mERROR\u{1b}[0m FOUND six",
        "an error in prose is none",
    ];
    sandbox.append("app.log", &(lines.join("\n") + "\n"));
    sandbox.once();
    let told = sandbox.all_texts();
    for word in ["one", "two", "three", "four", "five", "six"] {
        assert!(told.contains(&format!("FOUND {word}")), "{word}: {told}");
    }
    assert!(!told.contains("here") && !told.contains("prose"), "{told}");
}

#[test]
fn what_a_terminal_would_swallow_is_neither_shown_nor_told_apart() {
    let sandbox = Sandbox::forwarding("", "match = 'ERROR'\nby = [\"user\"]");
    let lines = [
        "\u{1b}[31mERROR\u{1b}[0m disk \u{1b}]8;;http://x\u{1b}\\full\u{1b}]8;;\u{7} \u{1b}(B",
        "ERROR disk full \u{9b}0m",
    ];
    sandbox.append("app.log", &(lines.join("\n") + "\n"));
    sandbox.once();
    let told = sandbox.all_texts();
    assert!(told.contains("ERROR disk full"), "{told}");
    for left in ["␛", "[31m", "http", "\u{fffd}", "U+009B"] {
        assert!(!told.contains(left), "{left}: {told}");
    }
}

#[test]
fn the_records_own_time_is_shown_where_it_is_another() {
    let sandbox = Sandbox::forwarding("", "match = 'ERROR'");
    let lines = [
        "2026-01-02T03:04:05Z ERROR one",
        r#"{"ts":1767323105.5,"msg":"ERROR two"}"#,
        "9999-12-31T23:59:59Z ERROR never",
        "2026-02-31T00:00:00Z ERROR no such day",
    ];
    sandbox.append("app.log", &(lines.join("\n") + "\n"));
    sandbox.once();
    let told = sandbox.all_texts();
    assert!(told.contains("in the log "), "{told}");
    assert!(
        told.contains("03:04:05 – ") && told.contains("03:05:05"),
        "{told}"
    );
    assert!(told.contains("4 matches"), "{told}");
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let fresh = Sandbox::forwarding("", "match = 'ERROR'");
    fresh.append("app.log", &format!("{now} ERROR right now\n"));
    fresh.once();
    assert!(!fresh.all_texts().contains("in the log"), "{}", fresh.all_texts());
}

#[test]
fn what_is_broken_in_a_format_is_text_as_it_stands_and_hides_nothing_beside_it() {
    let deep = format!(
        "{{\"log\":\"x\\n\",\"stream\":\"stdout\",\"ERROR\":{}1",
        "[".repeat(20_000)
    );
    let time = "2026-01-02T03:04:05.6Z";
    for (format, bad) in [
        ("docker", "{\"log\":\"ERROR cut in the mid".to_owned()),
        ("docker", deep),
        (
            "docker",
            "{\"log\":7,\"stream\":\"stdout\",\"why\":\"ERROR a number\"}".to_owned(),
        ),
        (
            "docker",
            "{\"log\":\"ERROR\\ud800 half\\n\",\"stream\":\"stdout\",\"time\":\"t\"}".to_owned(),
        ),
        ("cri", format!("{time} stdout Q ERROR impossible flag")),
        ("cri", format!("{time} stdin F ERROR impossible stream")),
        ("cri", format!("{time} stdout")),
        (
            "json",
            "{\"msg\":\"ERROR twice\",\"msg\":\"ERROR once\"}".to_owned(),
        ),
        (
            "json",
            format!("{{\"msg\":\"ERROR\",\"n\":{}}}", "9".repeat(5000)),
        ),
        ("json", "{\"msg\":\"ERROR\",\"n\":1e999}".to_owned()),
        ("json", "{\"msg\":\"ERROR broken\"".to_owned()),
        ("logfmt", "level=\"ERROR never closed".to_owned()),
    ] {
        let good = match format {
            "docker" => docker("stderr", "ERROR good\\n"),
            "cri" => format!("{time} stderr F ERROR good\n"),
            "json" => "{\"msg\":\"ERROR good\"}\n".to_owned(),
            _ => "msg=\"ERROR good\"\n".to_owned(),
        };
        for format in [format, "auto"] {
            let sandbox = Sandbox::forwarding(
                &format!("format = \"{format}\""),
                "match = 'ERROR'\nwhere = { nothing = false }",
            );
            sandbox.append("a.log", &format!("{good}{bad}\n{good}"));
            sandbox.once();
            let told = sandbox.all_texts();
            assert_eq!(
                told.matches("ERROR good").count(),
                2,
                "{format}, {bad:.60}: {told}"
            );
            let expected = 2 + usize::from(bad.contains("ERROR"));
            assert!(
                told.matches("ERROR").count() >= expected,
                "{format}, {bad:.60}: {told:.900}"
            );
        }
    }
}

#[test]
fn without_a_word_about_it_each_file_tells_what_it_is() {
    let sandbox = Sandbox::forwarding("", "match = ['^ERROR', '\"level\":\"ERROR\"', 'level=ERROR']");
    let files = [
        ("docker.log", docker("stdout", r#"ERROR in \"docker\"\n"#)),
        (
            "cri.log",
            "2026-01-02T03:04:05.6Z stderr F ERROR in cri\n".to_owned(),
        ),
        (
            "json.log",
            "{\"level\":\"ERROR\",\"msg\":\"in json\"}\n".to_owned(),
        ),
        ("logfmt.log", "level=ERROR msg=\"in logfmt\"\n".to_owned()),
        ("plain.log", "ERROR in a=1 sentence, msg=not all\n".to_owned()),
        (
            "broken.log",
            format!(
                "stdout\"}}\n\n{}",
                docker("stdout", r"ERROR behind a broken line\n")
            ),
        ),
        ("empty.log", String::new()),
    ];
    for (name, text) in &files {
        sandbox.append(name, text);
    }
    sandbox.once();
    let told = sandbox.all_texts();
    for line in [
        "ERROR in \"docker\"",
        "ERROR in cri",
        "in json",
        "in logfmt",
        "ERROR in a=1 sentence, msg=not all",
        "ERROR behind a broken line",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    for wrapping in ["stream", "stderr", "\"msg\"", "msg=\""] {
        assert!(!told.contains(wrapping), "{wrapping}\n{told}");
    }
    let check = sandbox.command(&["check", "--logs"]).output().unwrap();
    let listed = String::from_utf8(check.stdout).unwrap();
    for (name, format) in [
        ("docker", "docker"),
        ("cri", "cri"),
        ("json", "json"),
        ("logfmt", "logfmt"),
        ("plain", "plain"),
        ("broken", "docker"),
    ] {
        let line = listed
            .lines()
            .find(|line| line.contains(&format!("/{name}.log ")))
            .unwrap();
        assert!(line.ends_with(&format!(", {format}")), "{line}");
    }
}

#[test]
fn what_a_file_is_holds_over_a_crash_and_is_asked_anew_of_its_next_generation() {
    let sandbox = Sandbox::forwarding("", "match = '^(?:ERROR|MARK)'");
    let running = sandbox.start(&[]);
    sandbox.append("a.log", &docker("stdout", "MARK one\\n"));
    until("the first generation is read", || {
        sandbox.all_texts().contains("MARK one")
    });
    running.kill_nine();
    sandbox.append("a.log", &docker("stdout", "ERROR after a crash\\n"));
    let running = sandbox.start(&[]);
    until("what came meanwhile is decoded", || {
        sandbox.all_texts().contains("ERROR after a crash")
    });
    fs::rename(sandbox.log("a.log"), sandbox.log("a.log.1")).unwrap();
    sandbox.append("a.log", "ERROR {\"log\":\"as it stands\\n\"}\n");
    until("the next generation is text", || {
        sandbox.all_texts().contains(r#"ERROR {"log":"as it stands\n"}"#)
    });
    fs::write(sandbox.log("a.log"), "").unwrap();
    until("the cut is seen", || {
        sandbox.append("a.log", "2026-01-02T03:04:05.6Z stderr F MARK two\n");
        sandbox.all_texts().contains("MARK two")
    });
    assert!(running.terminate().success());
    assert!(!sandbox.all_texts().contains("stderr"), "{}", sandbox.all_texts());
}

#[test]
fn rules_and_messages_see_the_letters_of_every_encoding() {
    for (encoding, text) in [
        ("euc-kr", "오류: 디스크가 가득 찼습니다"),
        ("gbk", "错误: 磁盘已满"),
        ("shift_jis", "エラー: ディスクの表示ソ"),
        ("windows-1252", "Fehler: Größe „voll“"),
    ] {
        let word = text.split(':').next().unwrap();
        let sandbox = Sandbox::forwarding(
            &format!("encoding = \"{encoding}\""),
            &format!("match = '^{word}: (?P<what>.*)$'"),
        );
        let line = encoding_rs::Encoding::for_label(encoding.as_bytes()).unwrap();
        let mut bytes = line.encode(&format!("{text}\r\nno match\n")).0.into_owned();
        // What is no letter does not hide the rest.
        bytes.extend(line.encode(&format!("{word}: ")).0.iter());
        bytes.extend(b"\x81\xFF ok\n");
        fs::create_dir_all(sandbox.path("logs")).unwrap();
        fs::write(sandbox.log("a.log"), bytes).unwrap();
        sandbox.once();
        let told = sandbox.all_texts();
        assert!(told.contains(text), "{encoding}: {told}");
        assert!(told.contains("ok"), "{encoding}: {told}");
    }
}

#[test]
fn utf_16_is_read_as_it_comes_byte_by_byte_and_over_a_crash() {
    let sandbox = Sandbox::forwarding("", "match = '^ERROR 오류 .* end$'");
    fs::create_dir_all(sandbox.path("logs")).unwrap();
    let line = |nth: u8| format!("ERROR 오류 🦀 {nth} \u{a0a} end\r\n");
    let units = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect::<Vec<u8>>()
    };
    let mut file = fs::File::options()
        .append(true)
        .create(true)
        .open(sandbox.log("windows.log"))
        .unwrap();
    let mut write = |bytes: &[u8]| {
        for byte in bytes {
            std::io::Write::write_all(&mut file, &[*byte]).unwrap();
        }
    };
    let running = sandbox.start(&[]);
    write(&units(&format!("\u{feff}{}", line(1))));
    until("the first line is read", || sandbox.all_texts().contains("🦀 1"));
    let second = units(&line(2));
    write(&second[..21]);
    running.kill_nine();
    let running = sandbox.start(&[]);
    write(&second[21..]);
    until("the second line is read", || {
        sandbox.all_texts().contains("ERROR 오류 🦀 2")
    });
    assert!(running.terminate().success());
    assert!(
        sandbox.all_texts().contains("2 matches"),
        "{}",
        sandbox.all_texts()
    );
}
