//! Which keys work and which are refused, against everything the product promises.

use super::{read, right};
use crate::config::keys::{REFUSED, Table};

/// Every key that is promised, each in its table.
const PROMISED: &str = r#"
host = "web-1"
include = []
[telegram]
token_file = "/run/secrets/telegram"
token = "1:a"
api_url = "https://api.telegram.org"
proxy = "socks5h://proxy:1080"
updates = "poll"
admins = [53395910]
webhook = { url = "https://example.com" }
[chats]
me = 53395910
[chats.ops]
id = -1001234567890
topic = 42
silent_hours = "22:00-07:00"
timezone = "Asia/Seoul"
limit = "18/min"
show_level = "info"
invite = true
notices = true
[[logs]]
name = "app"
files = ["/logs/app/**/*.log"]
exclude = ["*.gz"]
format = "auto"
multiline = "auto"
start = "end"
encoding = "utf-8"
max_line = "64KiB"
partial = "5s"
flush = "1s"
watch = "auto"
ignore = ['healthcheck']
[[logs]]
name = "app2"
files = ["/logs/app2/*.log"]
multiline = { continue = '^\s' }
[[logs]]
name = "app3"
files = ["/logs/app3/*.log"]
multiline = { start = '^\d{4}-' }
[defaults]
severity = "error"
[health]
read_within = "30s"
deliver_within = "5m"
[digest]
at = "08:00"
chat = "ops"
[hub]
listen = "x"
[[rules]]
name = "exception"
logs = ["app"]
match = 'Traceback|(?P<kind>\w+Error): (?P<what>.*)'
all = ['payments']
unless = ['KeyboardInterrupt']
where = { level = ["error", "fatal"], "http.status" = ">=500" }
severity = "critical"
chats = ["ops"]
by = ["kind", "service"]
wait = "2s"
every = "30s"
quiet = "10m"
remind = "4h"
ring = "new"
at_least = { count = 5, within = "1m" }
resolve = 'connection restored'
limit = "12/h"
context = { before = 2, after = 5 }
template = "<b>{{ rule }}</b>"
buttons = [{ text = "Runbook", url = "https://wiki.example.com/{{ service }}" }]
redact = ['(?i)password=\S+']
tests = [{ line = '{"level":"fatal","http":{"status":502},"msg":"payments: ValueError: x"}', match = true }]
[[rules]]
name = "backup-missing"
match = 'backup finished'
absent = "26h"
chats = ["me"]
"#;

/// What of [`PROMISED`] is not built yet, in its order. Building one takes its line away here.
const NOT_YET: &[&str] = &["updates = \"poll\"", "`admins`", "`webhook`", "`invite`", "`hub`"];

#[test]
fn what_is_promised_works_or_is_refused_as_not_supported_yet() {
    let problems = read(PROMISED).unwrap_err();
    let told: Vec<_> = problems.iter().map(|problem| problem.what().to_owned()).collect();
    let expected: Vec<_> = NOT_YET
        .iter()
        .map(|key| format!("{key} is not supported yet"))
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn the_table_of_refused_keys_is_what_the_contract_says() {
    // `retention` is a word of the contract that stands in no table yet.
    for (_, key, _) in REFUSED.iter().filter(|(_, key, _)| *key != "retention") {
        assert!(NOT_YET.contains(&format!("`{key}`").as_str()), "{key}");
    }
}

#[test]
fn every_key_that_works_is_in_the_contract() {
    for key in Table::ALL.iter().flat_map(|table| table.allowed()) {
        let written = PROMISED.lines().any(|line| {
            line.starts_with(&format!("{key} ="))
                || line.contains(&format!("[{key}"))
                || line.contains(&format!("{{ {key} ="))
                || line.contains(&format!(", {key} ="))
        });
        assert!(written, "{key}");
    }
}

#[test]
fn a_refused_key_of_a_rule_is_refused_in_defaults_too() {
    for (_, key, instead) in REFUSED.iter().filter(|(table, ..)| *table == Table::Rule) {
        let problems = read(&format!("{}[defaults]\n{key} = 1\n", super::plain())).unwrap_err();
        let problem = problems.iter().next().unwrap();
        assert_eq!(
            (problem.what(), problem.help()),
            (format!("`{key}` is not supported yet").as_str(), *instead)
        );
    }
}

#[test]
fn the_rules_toml_of_this_repository_is_right_and_silent() {
    let settings = right(include_str!("../../../rules.toml"));
    assert_eq!(settings.warnings, []);
    assert!((5..=10).contains(&settings.incident.rules.len()));
}

#[test]
fn the_rules_toml_of_this_repository_finds_what_it_says() {
    let settings = right(include_str!("../../../rules.toml"));
    let lines = [
        (
            "out-of-memory",
            "kernel: [1.2] Out of memory: Killed process 4711 (java) total-vm:1kB",
        ),
        ("disk", "write failed: No space left on device"),
        ("panic", "thread 'main' panicked at src/main.rs:1:2:"),
        ("panic", "thread 'main' (4711) panicked at src/main.rs:1:2:"),
        ("panic", "panic: runtime error: index out of range [5]"),
        ("traceback", "Traceback (most recent call last):"),
        ("traceback", "ValueError: invalid literal"),
        ("error", "2026-01-02 ERROR payments: no answer"),
        (
            "login-failed",
            "sshd[1]: Failed password for invalid user bob from 203.0.113.7 port 22 ssh2",
        ),
        (
            "login-failed",
            "sshd: authentication failure; logname= uid=0 rhost=203.0.113.7",
        ),
        (
            "server-error",
            r#"203.0.113.7 - - [x] "GET / HTTP/1.1" 502 157 "-""#,
        ),
        ("database-away", "redis: dial tcp: connection refused"),
    ];
    for (rule, line) in lines {
        let found = settings
            .logs
            .iter()
            .flat_map(|log| &log.scan.rules)
            .find(|settings| settings.name.as_str() == rule)
            .unwrap();
        let is_match = |pattern: &crate::scan::Pattern| pattern.regex().is_match(line.as_bytes());
        assert!(
            found.matches.is_empty() || found.matches.iter().any(is_match),
            "{rule}: {line}"
        );
        assert!(
            found.all.iter().all(is_match) && !found.unless.iter().any(is_match),
            "{rule}: {line}"
        );
    }
}
