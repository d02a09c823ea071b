//! What rules say in words of their own: links, texts, the lines around a match.

use std::time::Duration;

use botapi::{Fault, FaultKind, Message};
use serde_json::{Value, json};

use crate::support::{ME, Sandbox, until};

/// Messages at once, edits soon.
const QUICK: &str = "wait = \"0s\"\nevery = \"100ms\"\nquiet = \"1h\"\nring = \"first\"\n";

/// A rule `oops` over plain lines with these keys.
fn rule(keys: &str) -> Sandbox {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(&format!("[[rules]]\nname = \"oops\"\n{QUICK}{keys}\n"));
    sandbox
}

/// The messages of `me` once one of them holds `text`.
#[track_caller]
fn told(sandbox: &Sandbox, text: &str) -> Vec<Message> {
    let found = sandbox.api.journal().wait(Duration::from_mins(1), |journal| {
        journal
            .messages(ME)
            .iter()
            .any(|message| message.text.contains(text))
    });
    let messages = sandbox.api.journal().messages(ME);
    assert!(
        found,
        "nothing says {text:?}: {messages:#?}\n{}",
        sandbox.stderr()
    );
    messages
}

fn urls(message: &Message) -> Vec<String> {
    let rows = message
        .keyboard
        .as_ref()
        .map(|keyboard| keyboard["inline_keyboard"].clone());
    let rows = rows.unwrap_or_default();
    let buttons = rows
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .flatten();
    buttons
        .map(|button| button["url"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_message_and_its_edits_have_the_links_of_their_rule() {
    let sandbox = rule(
        "match = 'ERROR (?P<service>.*)'\nbuttons = [{ text = \"Runbook\", url = \"https://wiki.example.com/{{ service }}?log={{ log }}\" }]",
    );
    let running = sandbox.start(&[]);
    sandbox.append("a.log", "ERROR shop/till & co\n");
    let first = &told(&sandbox, "1 match")[0];
    assert_eq!(
        urls(first),
        ["https://wiki.example.com/shop%2Ftill%20%26%20co?log=app"]
    );
    sandbox.append("a.log", "ERROR token=abcdefgh12345678\n");
    let edited = &told(&sandbox, "2 matches")[0];
    assert_eq!(
        urls(edited),
        ["https://wiki.example.com/token%3D%5Bredacted%5D?log=app"]
    );
    running.terminate();
}

#[test]
fn a_field_of_the_newest_match_stands_in_a_link() {
    let sandbox = Sandbox::unlimited();
    let files = sandbox.path("logs").join("*.log");
    sandbox.rules_toml(&format!(
        "[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false }}\n[[logs]]\nname = \"app\"\n\
         files = [\"{}\"]\nstart = \"beginning\"\nformat = \"json\"\n[[rules]]\nname = \"oops\"\nwhere = {{ level = \"error\" }}\n\
         buttons = [{{ text = \"Trace\", url = \"https://trace.example.com/{{{{ http.id }}}}/{{{{ fields.total }}}}/{{{{ total }}}}\" }}]\n",
        files.display()
    ));
    sandbox.append(
        "a.log",
        "{\"level\":\"error\",\"http\":{\"id\":7},\"total\":\"x y\"}\n",
    );
    sandbox.once();
    assert_eq!(
        urls(&sandbox.api.journal().messages(ME)[0]),
        ["https://trace.example.com/7/x%20y/1"]
    );
}

#[test]
fn a_message_whose_links_are_refused_is_sent_without_them_and_that_is_told_once() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(&format!(
        "[[rules]]\nname = \"oops\"\nby = [\"n\"]\n{QUICK}match = 'ERROR (?P<n>\\d)'\n\
         buttons = [{{ text = \"Runbook\", url = \"https://wiki.example.com/\" }}]\n"
    ));
    let rules = std::fs::read_to_string(sandbox.path("rules.toml")).unwrap();
    sandbox.rules_toml(&rules.replace("notices = false", "notices = true"));
    let refused = || FaultKind::Error {
        status: 400,
        code: 400,
        description: "Bad Request: BUTTON_URL_INVALID".into(),
    };
    // A log without a file would be told in a notice of its own, which the first refusal would hit.
    sandbox.append("a.log", "all is well\n");
    let running = sandbox.start(&[]);
    told(&sandbox, "started");
    for n in 1..=2 {
        sandbox
            .api
            .faults()
            .push(Fault::once(refused()).method("sendMessage"));
        sandbox.append("a.log", &format!("ERROR {n}\n"));
        let messages = told(&sandbox, &format!("ERROR {n}"));
        let message = messages
            .iter()
            .find(|message| message.text.contains(&format!("ERROR {n}")));
        assert_eq!(urls(message.unwrap()), Vec::<String>::new());
        // The notice is a message too: the next refusal is not meant for it.
        told(&sandbox, "refused the buttons");
    }
    // Its edits go without as well, and are not refused.
    sandbox.append("a.log", "ERROR 1\n");
    told(&sandbox, "2 matches");
    let messages = told(&sandbox, "refused the buttons");
    let notices = messages
        .iter()
        .filter(|message| message.text.contains("refused the buttons"));
    assert_eq!(notices.count(), 1, "{messages:#?}");
    assert_eq!(
        messages
            .iter()
            .filter(|message| message.keyboard.is_some())
            .count(),
        0
    );
    let status = sandbox.finish(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let row = &status["ledger"][0];
    assert_eq!((&row["failed"], &row["pending"]), (&json!(0), &json!(0)), "{row}");
    running.terminate();
}

#[test]
fn rules_with_broken_links_start_nothing() {
    let sandbox = rule("match = 'x'\nbuttons = [{ text = \"a\", url = \"http://grafana:3000\" }]");
    let output = sandbox.finish(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("does not look public"), "{said}");
    until("nothing was sent", || sandbox.requests() == 0);
}

#[test]
fn a_message_says_what_its_template_says_and_log_text_stays_text() {
    let sandbox = rule(
        "match = 'ERROR (?P<what>.*)'\ntemplate = \"<b>{{ rule }}</b> {{ what }}\\n<pre>{{ text }}</pre>\"",
    );
    let running = sandbox.start(&[]);
    sandbox.append("a.log", "ERROR <b>@alice</b> &amp; https://evil.example\n");
    let first = &told(&sandbox, "1 match")[0];
    assert_eq!(
        first.text.lines().take(3).collect::<Vec<_>>(),
        [
            "oops <b>@alice</b> &amp; https://evil.example",
            "ERROR <b>@alice</b> &amp; https://evil.example",
            "🔴 1 match",
        ]
    );
    assert_eq!(first.live, [], "nothing of it can be tapped");
    let kinds: Vec<_> = first.entities.iter().map(|entity| entity.kind.as_str()).collect();
    assert_eq!(kinds, ["bold", "code", "pre", "bold"]);
    sandbox.append("a.log", "ERROR again\n");
    let edited = &told(&sandbox, "2 matches")[0];
    assert!(
        edited.text.starts_with("oops again\nERROR again\n"),
        "{}",
        edited.text
    );
    running.terminate();
}

#[test]
fn a_template_over_a_huge_line_keeps_the_count_the_end_and_the_newest_line() {
    let sandbox =
        rule("match = 'ERROR'\ntemplate = \"{{ text }} <i>and</i> {{ text }}<pre>{{ text }}</pre>\"");
    let lines = [0, 1, 2].map(|n| format!("ERROR {n} {} the end\n", "🔥&<".repeat(1_500)));
    sandbox.append("a.log", &lines.concat());
    sandbox.once();
    let message = &sandbox.api.journal().messages(ME)[0];
    assert!(message.text.contains("3 matches"), "{}", message.text);
    assert!(
        message.text.contains("ERROR 2 🔥&<") && message.text.contains("the end"),
        "{}",
        message.text
    );
    assert!(message.text.encode_utf16().count() <= 4_096);
    assert_eq!(sandbox.api.journal().refusals().len(), 0);
}

/// What a command said on stdout and stderr.
fn said(sandbox: &Sandbox, args: &[&str]) -> String {
    let output = sandbox.finish(args);
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn explain_says_for_each_line_which_rule_matches_and_where_or_why_not() {
    let sandbox = Sandbox::unlimited();
    let rules = "[[rules]]\nname = \"oops\"\nmatch = '(?P<kind>\\w+Error)'\nunless = ['expected']\nresolve = 'all is well'\n\
                 [[rules]]\nname = \"both\"\nall = ['disk', 'full']\n";
    sandbox.rules(rules);
    let toml = std::fs::read_to_string(sandbox.path("rules.toml")).unwrap();
    sandbox.rules_toml(&toml.replace(
        "start = \"beginning\"",
        "start = \"beginning\"\nignore = ['health']",
    ));
    sandbox.append(
        "a.log",
        "a ValueError here\nan expected ValueError\nall is well\nthe disk is fine\nGET /health ValueError\nnothing\n\u{1b}[2J한글 KeyError\n",
    );
    let log = sandbox.log("a.log");
    insta::assert_snapshot!(said(&sandbox, &["explain", log.to_str().unwrap()]), @r#"
    app:1: a ValueError here
             ^^^^^^^^^^
      + oops: matches: '(?P<kind>\w+Error)' finds it; kind="ValueError"
    app:2: an expected ValueError
              ^^^^^^^^
      - oops: would match, but `unless` 'expected' drops it
    app:3: all is well
           ^^^^^^^^^^^
      + oops: ends its incidents: `resolve` 'all is well' finds it
    app:4: the disk is fine
      - both: `all` 'full' finds nothing
    app:5: GET /health ValueError
                ^^^^^^
      - no rule sees it: `ignore` 'health' finds it
    app:6: nothing
      - no rule speaks of it
    app:7: 한글 KeyError
              ^^^^^^^^
      + oops: matches: '(?P<kind>\w+Error)' finds it; kind="KeyError"
    "#);
    let said = said(&sandbox, &["explain", "--rule", "both", "-"]);
    assert_eq!(said, "", "no lines, no words");
}

#[test]
fn explain_says_which_field_a_condition_misses() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules("format = \"json\"\n[[rules]]\nname = \"oops\"\nwhere = { level = \"error\" }\nby = [\"http.status\"]\n");
    sandbox.append(
        "a.log",
        "{\"level\":\"info\"}\n{\"lvl\":1}\n{\"level\":\"error\",\"http\":{\"status\":502}}\n",
    );
    let log = sandbox.log("a.log");
    insta::assert_snapshot!(said(&sandbox, &["explain", log.to_str().unwrap()]), @r#"
    app:1: {"level":"info"}
      - oops: `where` does not hold: the field "level" is "info"
    app:2: {"lvl":1}
      - oops: `where` does not hold: the field "level" is "1"
    app:3: {"level":"error","http":{"status":502}}
      + oops: matches; http.status="502"
    "#);
    let fields = said(&sandbox, &["explain", "--fields", log.to_str().unwrap()]);
    for part in [
        "  rule ",
        "  state ",
        "  truncate ",
        "  oops: http.status\n",
        "  http.status = \"502\"\n",
    ] {
        assert!(fields.contains(part), "{part}: {fields}");
    }
}

#[test]
fn explain_lists_the_names_even_where_the_rules_are_wrong() {
    let sandbox = rule("match = 'x'\ntemplate = \"{{ nobody }}\"");
    let output = sandbox.finish(&["explain", "--fields"]);
    assert_eq!(output.status.code(), Some(2));
    let listed = String::from_utf8(output.stdout).unwrap();
    assert!(listed.contains("  host "), "{listed}");
    for args in [
        &["explain"][..],
        &["explain", "--rule", "nope", "-"],
        &["explain", "--log", "nope", "-"],
    ] {
        sandbox.rules("[[rules]]\nname = \"oops\"\nmatch = 'x'\n");
        assert_eq!(sandbox.finish(args).status.code(), Some(2), "{args:?}");
    }
    assert_eq!(
        sandbox.finish(&["explain", "no-such-file"]).status.code(),
        Some(1)
    );
}

#[test]
fn the_lines_around_the_newest_match_are_shown_those_behind_it_once_they_are_written() {
    let sandbox = rule("match = 'ERROR'\ncontext = { before = 2, after = 3 }");
    let running = sandbox.start(&[]);
    sandbox.append("a.log", "zero\none\nlogin password=hunter2\nERROR\nthree\n");
    let first = &told(&sandbox, "three")[0];
    assert!(
        first
            .text
            .contains("2 lines before it:\none\nlogin password=[redacted]"),
        "{}",
        first.text
    );
    assert!(first.text.contains("1 line after it:\nthree"), "{}", first.text);
    assert!(!first.text.contains("zero"), "{}", first.text);
    // A rotation in between: the rest is written to the file under its new name.
    std::fs::rename(sandbox.log("a.log"), sandbox.log("a.log.1")).unwrap();
    let mut old = std::fs::File::options()
        .append(true)
        .open(sandbox.log("a.log.1"))
        .unwrap();
    std::io::Write::write_all(&mut old, b"four\nfive\nsix\n").unwrap();
    let edited = &told(&sandbox, "five")[0];
    assert!(
        edited.text.contains("3 lines after it:\nthree\nfour\nfive"),
        "{}",
        edited.text
    );
    assert!(!edited.text.contains("six"), "{}", edited.text);
    assert!(edited.text.contains("1 match"), "an edit moves no count");
    assert_eq!(
        sandbox.api.journal().messages(ME).len(),
        1,
        "and rings for nobody"
    );
    running.terminate();
}

#[test]
fn lines_around_a_match_go_on_in_the_files_that_were_rotated_before_and_after_it() {
    let sandbox = rule("match = 'ERROR'\ncontext = { before = 3, after = 3 }");
    let running = sandbox.start(&[]);
    let rotate = |to: &str| std::fs::rename(sandbox.log("a.log"), sandbox.log(to)).unwrap();
    sandbox.append("a.log", "zero\none password=hunter2\ntwo\n");
    // That it was read is seen at a match of its own.
    sandbox.append("b.log", "ERROR elsewhere\n");
    told(&sandbox, "ERROR elsewhere");
    rotate("a.log.1");
    sandbox.append("a.log", "three\nERROR here\nfive\n");
    let first = &told(&sandbox, "five")[0].text;
    assert!(
        first.contains("3 lines before it:\none password=[redacted]\ntwo\nthree"),
        "{first}"
    );
    rotate("a.log.2");
    sandbox.append("a.log", "six\nseven\neight\n");
    let edited = &told(&sandbox, "seven")[0].text;
    assert!(edited.contains("3 lines after it:\nfive\nsix\nseven"), "{edited}");
    running.terminate();
}

#[test]
fn lines_around_a_match_are_read_as_the_program_in_the_container_wrote_them() {
    let sandbox = Sandbox::unlimited();
    let files = sandbox.path("logs").join("*.log");
    sandbox.rules_toml(&format!(
        "[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false }}\n[[logs]]\nname = \"app\"\n\
         files = [\"{}\"]\nstart = \"beginning\"\nformat = \"docker\"\n[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\n\
         context = {{ before = 1, after = 1 }}\n",
        files.display()
    ));
    let line = |text: &str| {
        format!("{{\"log\":\"{text}\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}}\n")
    };
    let lines: Vec<String> = ["a", "b < c", "ERROR", "d", "e"]
        .iter()
        .map(|text| line(text))
        .collect();
    sandbox.append("a.log", &lines.concat());
    sandbox.once();
    let text = sandbox.last_text();
    assert!(
        text.contains("1 line before it:\nb < c\n1 line after it:\nd"),
        "{text}"
    );
}

#[test]
fn lines_around_a_match_of_a_file_that_was_cut_meanwhile_are_not_made_up() {
    let sandbox = rule("match = 'ERROR'\ncontext = { before = 1, after = 2 }");
    let running = sandbox.start(&[]);
    sandbox.append("a.log", "one\nERROR\n");
    told(&sandbox, "1 line before it");
    std::fs::write(sandbox.log("a.log"), "other words of another life\nother lines\n").unwrap();
    sandbox.append("b.log", "ERROR of another file\n");
    let edited = &told(&sandbox, "2 matches")[0];
    assert!(!edited.text.contains("other lines"), "{}", edited.text);
    running.terminate();
}
