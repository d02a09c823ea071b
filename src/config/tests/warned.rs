//! What is accepted with a word of warning.

use super::{BASE, Environment, parse, plain, right};
use std::path::Path;

fn warnings(text: &str, env: &Environment) -> String {
    let settings = parse(Path::new("rules.toml"), text, env).unwrap_or_else(|problems| panic!("{problems}"));
    settings
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n\n")
}

fn warned(text: &str) -> String {
    warnings(text, &Environment::default())
}

#[test]
fn a_plain_file_has_no_warnings() {
    assert_eq!(right(&plain()).warnings, []);
}

#[test]
fn a_literal_token_is_warned_about_and_not_shown() {
    let text = format!("[telegram]\ntoken = \"123456:secretsecret\"\n{}", plain());
    let told = warned(&text);
    assert!(!told.contains("secretsecret"));
    insta::assert_snapshot!(told, @r#"
    warning: rules.toml:2:9: the token itself stands in this file
      |
    2 | token = *********************
      |         ^^^^^^^^^^^^^^^^^^^^^
      = help: whoever sees the file can write as your bot; use token_file = "…" or TELEGRAM_BOT_TOKEN_FILE
    "#);
}

#[test]
fn ways_to_give_the_token_that_are_not_used_are_named() {
    let text = format!("[telegram]\ntoken_file = \"/t\"\n{}", plain());
    let env = Environment::from([("TELEGRAM_BOT_TOKEN_FILE", "/f"), ("TELEGRAM_BOT_TOKEN", "1:a")]);
    insta::assert_snapshot!(warnings(&text, &env), @r#"
    warning: rules.toml: TELEGRAM_BOT_TOKEN is not used: TELEGRAM_BOT_TOKEN_FILE is set too and comes first
      = help: keep one of the two, TELEGRAM_BOT_TOKEN_FILE or TELEGRAM_BOT_TOKEN

    warning: rules.toml:2:14: token_file is not used: TELEGRAM_BOT_TOKEN_FILE is set too and comes first
      |
    2 | token_file = "/t"
      |              ^^^^
      = help: keep one of the two, TELEGRAM_BOT_TOKEN_FILE or token_file
    "#);
}

#[test]
fn http_is_allowed_and_warned_about_off_loopback() {
    let with = |url: &str| warned(&format!("[telegram]\napi_url = \"{url}\"\n{}", plain()));
    for url in [
        "http://localhost:8081",
        "http://127.0.0.1:8081/",
        "http://[::1]:8081",
        "https://bots.example.com",
    ] {
        assert_eq!(with(url), "", "{url}");
    }
    insta::assert_snapshot!(with("http://bots.example.com:8081"), @r#"
    warning: rules.toml:2:11: bots.example.com is reached without encryption
      |
    2 | api_url = "http://bots.example.com:8081"
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: whoever sits between reads the token; use https, or a server on this machine
    "#);
}

#[test]
fn a_chat_limit_above_the_default_is_warned_about() {
    let text = plain().replace("me = 53395910\n", "[chats.ops]\nid = -100123\nlimit = \"1/s\"\n");
    insta::assert_snapshot!(warned(&text), @r#"
    warning: rules.toml:4:9: "1/s" is more than Telegram is known to take from a bot
      |
    4 | limit = "1/s"
      |         ^^^^^
      = help: expect delays (429); the default for groups and channels is "18/min"
    "#);
}

#[test]
fn a_group_id_without_its_minus_sign_is_warned_about() {
    insta::assert_snapshot!(warned(&plain().replace("53395910", "1001234567890")), @r"
    warning: rules.toml:2:6: 1001234567890 looks like a group's id without its minus sign
      |
    2 | me = 1001234567890
      |      ^^^^^^^^^^^^^
      = help: ids of supergroups and channels begin with -100: did you mean -1001234567890?
    ");
}

#[test]
fn a_pattern_that_finds_every_line_is_warned_about_by_what_it_would_do() {
    let rule = "[[rules]]\nname = \"a\"\nmatch = '(error)?'\nunless = ['']\n";
    insta::assert_snapshot!(warned(&format!("{BASE}{rule}")), @r"
    warning: rules.toml:8:9: this pattern finds every line, so the rule finds every line
      |
    8 | match = '(error)?'
      |         ^^^^^^^^^^
      = help: `*` and `?` also allow nothing at all; write `+`, or the words that must be there

    warning: rules.toml:9:11: this pattern finds every line, so the rule never finds anything
      |
    9 | unless = ['']
      |           ^^
      = help: `*` and `?` also allow nothing at all; write `+`, or the words that must be there
    ");
}

#[test]
fn quiet_below_wait_is_warned_about() {
    insta::assert_snapshot!(warned(&format!("{}quiet = \"5s\"\nwait = \"30s\"\n", plain())), @r#"
    warning: rules.toml:9:9: `quiet` is shorter than `wait`, so incidents are over before anybody is told
      |
    9 | quiet = "5s"
      |         ^^^^
      = help: make `quiet` the longer of the two
    "#);
}

#[test]
fn quiet_beside_absent_is_warned_about() {
    insta::assert_snapshot!(warned(&format!("{}absent = \"26h\"\nquiet = \"1h\"\n", plain())), @r#"
    warning: rules.toml:10:9: `quiet` does nothing beside `absent`
       |
    10 | quiet = "1h"
       |         ^^^^
       = help: take it out: only the next find ends what is absent
    "#);
}

#[test]
fn a_capture_of_resolve_that_is_not_in_by_is_warned_about() {
    let rule = "[[rules]]\nname = \"a\"\nmatch = 'down: (?P<service>\\w+)'\nresolve = 'up: (?P<svc>\\w+)'\nby = \"service\"\n";
    insta::assert_snapshot!(warned(&format!("{BASE}{rule}")), @r#"
    warning: rules.toml:9:11: the capture "svc" of `resolve` is not in `by`, so it does not choose which incidents end
      |
    9 | resolve = 'up: (?P<svc>\w+)'
      |           ^^^^^^^^^^^^^^^^^^
      = help: name it as in `by`: service
    "#);
}

#[test]
fn a_zone_that_does_not_exist_is_warned_about_without_a_line() {
    insta::assert_snapshot!(warnings(&plain(), &Environment::from([("TZ", "Asia/Soul")])), @r#"
    warning: rules.toml: the environment variable TZ is "Asia/Soul", which is no time zone
      = help: times are shown in the machine's zone; set TZ to a name such as Asia/Seoul
    "#);
}

/// A chat as a table that holds these lines.
fn chat(lines: &str) -> String {
    plain().replace(
        "[chats]\nme = 53395910\n",
        &format!("[chats.me]\nid = 53395910\n{lines}\n"),
    )
}

#[test]
fn a_zone_without_silent_hours_does_nothing() {
    insta::assert_snapshot!(warned(&chat("timezone = 'Asia/Seoul'")), @r#"
    warning: rules.toml:3:12: `timezone` does nothing without `silent_hours`
      |
    3 | timezone = 'Asia/Seoul'
      |            ^^^^^^^^^^^^
      = help: add silent_hours = "22:00-07:00", or set the variable TZ if you mean the times in messages
    "#);
}

#[test]
fn a_rule_that_no_chat_shows_is_warned_about() {
    let text = format!("{}severity = 'warning'\n", chat("show_level = 'error'"));
    insta::assert_snapshot!(warned(&text), @r#"
    warning: rules.toml:7:1: no chat shows what this rule finds
      |
    7 | [[rules]]
      | ^^^^^^^^^
      = help: its severity is "warning" and the `show_level` of all its chats is above that; lower one, or name another chat
    "#);
}

#[test]
fn a_rule_that_asks_plain_lines_for_fields_is_warned_about() {
    let text = super::plain().replace(
        "[[rules]]",
        "format = \"plain\"\n[[rules]]\nname = \"where\"\nwhere = { level = \"error\", user = \"root\" }\n[[rules]]",
    );
    insta::assert_snapshot!(warned(&text), @r#"
    warning: rules.toml:9:35: `where` asks for fields, and the logs of this rule have none
      |
    9 | where = { level = "error", user = "root" }
      |                                   ^^^^^^
      = help: take format = "plain" out, or give the log the format it has: "json", "logfmt", "docker" or "cri"
    "#);
    let level = text.replace(", user = \"root\"", "");
    assert_eq!(warned(&level), "");
}

#[test]
fn lines_that_will_never_be_attached_are_warned_about() {
    let with = |lines: &str| warned(&format!("{}{lines}", plain()));
    insta::assert_snapshot!(with("ring = \"all\"\nattach = \"lines\"\n"), @r#"
    warning: rules.toml:10:10: `attach` does nothing beside ring = "all"
       |
    10 | attach = "lines"
       |          ^^^^^^^
       = help: take one of the two out: every line is sent already
    "#);
    insta::assert_snapshot!(with("absent = \"1h\"\nattach = \"lines\"\n"), @r#"
    warning: rules.toml:10:10: `attach` does nothing beside `absent`
       |
    10 | attach = "lines"
       |          ^^^^^^^
       = help: take it out: what is absent has no lines
    "#);
    assert_eq!(with("attach = \"lines\"\n"), "");
}
