//! Events of several lines, from real files to the chat.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use crate::support::{Sandbox, until};

/// How many events the rule found, as the messages say.
fn found(sandbox: &Sandbox) -> u64 {
    let told = sandbox.all_texts();
    let totals = told
        .lines()
        .filter_map(|line| line.strip_suffix("es").unwrap_or(line).strip_suffix(" match"));
    totals.filter_map(|total| total.parse().ok()).max().unwrap_or(0)
}

const RECORD: &str = "2026-01-02 12:00:00,123 ERROR cannot sell\n";
const TRACE: &str =
    "Traceback (most recent call last):\n  File \"/srv/app/shop.py\", line 7, in sell\n    stock[item]\n";
const CAUSE: &str = "KeyError: 'tea'\n";

#[test]
fn a_stack_trace_below_its_record_is_one_match_with_all_its_lines() {
    let sandbox = Sandbox::forwarding("", "match = ['^KeyError', 'ERROR', 'Traceback']");
    sandbox.append(
        "a.log",
        &format!("{RECORD}{TRACE}{CAUSE}2026-01-02 12:00:01,123 INFO next\n"),
    );
    sandbox.once();
    let told = sandbox.all_texts();
    for line in [RECORD, TRACE, CAUSE] {
        assert!(told.contains(line.trim()), "{told}");
    }
    assert!(!told.contains("INFO next"), "{told}");
    assert_eq!(found(&sandbox), 1);
}

#[test]
fn an_event_may_begin_before_the_hit_and_every_word_of_it_counts() {
    let sandbox = Sandbox::forwarding(
        "multiline = { start = '^\\d{4}-' }\nignore = ['DEBUG']",
        "match = '^KeyError'\nall = ['ERROR']\nunless = ['milk']",
    );
    let event = |level: &str, item: &str| format!("2026-01-02 {level} sold {item}\nand more\nKeyError: x\n");
    let events = [
        event("ERROR", "tea"),
        event("ERROR", "milk"),
        event("INFO", "tea"),
        event("DEBUG ERROR", "tea"),
    ];
    sandbox.append("a.log", &events.concat());
    sandbox.once();
    assert_eq!(found(&sandbox), 1, "{}", sandbox.all_texts());
    assert!(
        sandbox
            .all_texts()
            .contains("ERROR sold tea\nand more\nKeyError: x"),
        "{}",
        sandbox.all_texts()
    );
}

#[test]
fn an_open_event_is_read_again_after_a_kill_and_is_told_once() {
    let sandbox = Sandbox::forwarding("flush = \"10m\"", "match = ['ERROR', 'MARK']");
    let running = sandbox.start(&[]);
    sandbox.append("a.log", &format!("2026-01-02 12:00:00 MARK one\n{RECORD}{TRACE}"));
    until("what stands before it is told", || {
        sandbox.all_texts().contains("MARK one")
    });
    running.kill_nine();
    let running = sandbox.start(&[]);
    sandbox.append(
        "a.log",
        &format!("{CAUSE}2026-01-02 12:00:01 MARK two\n2026-01-02 12:00:02 end\n"),
    );
    until("the event is told", || sandbox.all_texts().contains("MARK two"));
    let told = sandbox.all_texts();
    assert_eq!(told.matches("cannot sell").count(), 1, "{told}");
    assert!(
        told.contains(&format!("{RECORD}{TRACE}{}", CAUSE.trim())),
        "{told}"
    );
    assert!(running.terminate().success());
}

#[test]
fn an_event_whose_rest_does_not_come_is_told_after_flush_and_the_rest_is_a_continuation() {
    let sandbox = Sandbox::forwarding("flush = \"100ms\"", "match = ['ERROR', 'KeyError']");
    let running = sandbox.start(&[]);
    sandbox.append("a.log", &format!("{RECORD}{TRACE}"));
    until("it is told as it stands", || {
        sandbox.all_texts().contains("stock[item]")
    });
    sandbox.append("a.log", &format!("    {CAUSE}"));
    until("so is its rest", || {
        sandbox.all_texts().contains("(continued)     KeyError")
    });
    assert!(running.terminate().success());
}

#[test]
fn a_last_line_without_its_newline_belongs_to_the_event_when_nothing_more_comes() {
    let sandbox = Sandbox::forwarding("", "match = 'ERROR'");
    sandbox.append("a.log", &format!("{RECORD}{TRACE}{}", CAUSE.trim_end()));
    sandbox.once();
    assert!(
        sandbox
            .all_texts()
            .contains(&format!("{TRACE}{}", CAUSE.trim_end())),
        "{}",
        sandbox.all_texts()
    );
    assert_eq!(found(&sandbox), 1);
}

#[test]
fn a_rotation_in_the_middle_of_an_event_loses_none_of_its_lines() {
    let sandbox = Sandbox::forwarding("flush = \"1s\"", "match = ['ERROR', 'KeyError']");
    let running = sandbox.start(&[]);
    sandbox.append("a.log", "2026-01-02 12:00:00,001 ERROR first\n");
    until("the file is followed", || {
        sandbox.all_texts().contains("ERROR first")
    });
    sandbox.append("a.log", &format!("{RECORD}{TRACE}"));
    fs::rename(sandbox.log("a.log"), sandbox.log("a.log.1")).unwrap();
    sandbox.append("a.log", CAUSE);
    until("both halves are told", || {
        let told = sandbox.all_texts();
        told.contains("stock[item]") && told.contains("KeyError")
    });
    assert!(running.terminate().success());
}

#[test]
fn an_event_of_a_hundred_thousand_lines_is_cut_and_marked_and_nothing_behind_it_is_lost() {
    let sandbox = Sandbox::forwarding("", "match = ['ERROR', 'MARK']");
    let text = format!(
        "{RECORD}{}2026-01-02 12:00:01 MARK\n",
        "  more and more of it\n".repeat(100_000)
    );
    sandbox.append("a.log", &text);
    sandbox.once();
    let told = sandbox.all_texts();
    assert!(told.contains("… cut here") && told.contains("MARK"), "{told}");
    assert_eq!(found(&sandbox), 2, "the pieces that follow hold neither word");
}

#[test]
fn traces_of_both_streams_of_a_container_are_told_apart() {
    let sandbox = Sandbox::forwarding("format = \"docker\"", "match = ['KeyError', 'panic']");
    let mut python = TRACE.lines().chain(CAUSE.lines());
    let mut go = ["panic: x", "", "goroutine 1 [running]:", "main.main()"].into_iter();
    let mut text = String::new();
    let mut entry = |stream: &str, line: &str| {
        let line = serde_json::Value::String(format!("{line}\n"));
        let _ = writeln!(
            text,
            "{{\"log\":{line},\"stream\":\"{stream}\",\"time\":\"2026-01-02T03:04:05Z\"}}"
        );
    };
    loop {
        let (one, two) = (python.next(), go.next());
        if one.is_none() && two.is_none() {
            break;
        }
        for (stream, line) in [("stdout", one), ("stderr", two)] {
            if let Some(line) = line {
                entry(stream, line);
            }
        }
    }
    sandbox.append("a.log", &text);
    sandbox.once();
    let told = sandbox.all_texts();
    assert!(told.contains(&format!("{TRACE}{}", CAUSE.trim())), "{told}");
    assert!(
        told.contains("panic: x\n\ngoroutine 1 [running]:\nmain.main()"),
        "{told}"
    );
    assert_eq!(found(&sandbox), 2);
}

#[test]
fn what_auto_learned_holds_after_a_restart_too() {
    let sandbox = Sandbox::forwarding("flush = \"100ms\"", "match = 'ERROR'");
    let records: Vec<_> = (0..60)
        .map(|n| format!("2026-01-02 12:00:{n:02} INFO words\n"))
        .collect();
    sandbox.append("a.log", &records.concat());
    sandbox.once();
    let running = sandbox.start(&[]);
    let event = "2026-01-02 12:01:00 ERROR select *\nfrom shop\nwhere x\n";
    sandbox.append("a.log", event);
    until("the whole event is told", || {
        sandbox.all_texts().contains(event.trim())
    });
    assert!(running.terminate().success());
    assert_eq!(found(&sandbox), 1);
}

#[test]
fn with_off_every_line_is_an_event() {
    let sandbox = Sandbox::forwarding("multiline = \"off\"", "match = '.'");
    sandbox.append("a.log", &format!("{RECORD}{TRACE}{CAUSE}"));
    sandbox.once();
    assert_eq!(found(&sandbox), 5);
    // And none of them is waited with.
    let running = sandbox.start(&[]);
    sandbox.append("a.log", "MARK\n");
    crate::support::until_within(Duration::from_mins(1), "it is told", || {
        sandbox.all_texts().contains("MARK")
    });
    assert!(running.terminate().success());
}
