//! Which keys work and which are refused, against everything the product promises.

use std::collections::BTreeSet;
use std::path::Path;

use super::{read, right};
use crate::config::key::{self, Kind};
use crate::config::keys::{REFUSED, Table};

/// Every key that is promised, each in its table.
const PROMISED: &str = r#"
host = "web-1"
retention = "7d"
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
carriage_return = "show"
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
heartbeat_url = "https://hc-ping.com/x"
[digest]
at = "08:00"
chat = "ops"
[fence]
landlock = "auto"
read = ["/var/log/pods"]
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
attach = "lines"
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
    for (_, key, _) in REFUSED {
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

/// Tables whose keys all work, as tests/keys.txt calls them.
const WHOLE: [(Table, &str); 7] = [
    (Table::Log, "logs"),
    (Table::Multiline, "multiline"),
    (Table::Rule, "rules"),
    (Table::AtLeast, "at_least"),
    (Table::Context, "context"),
    (Table::Button, "buttons"),
    (Table::Test, "tests"),
];

#[test]
fn no_key_of_a_log_or_of_a_rule_is_refused() {
    for (table, key, _) in REFUSED {
        assert!(WHOLE.iter().all(|(whole, _)| whole != table), "{key}");
    }
}

/// The lines of tests/keys.txt: what is promised, and the file and name of the test that holds it.
fn promises() -> Vec<(String, [&'static str; 2])> {
    let lines = include_str!("../../../tests/keys.txt").lines();
    let told = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    told.map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [table, key, file, test] = words[..] else {
            panic!("four words in a line: {line}")
        };
        (format!("{table} {key}"), [file, test])
    })
    .collect()
}

/// Every key of these tables, and every word that a key takes.
fn promised() -> BTreeSet<String> {
    let mut promised = BTreeSet::new();
    for (table, name) in WHOLE {
        for key in key::of(table) {
            match key.kind {
                Kind::Choice(words) | Kind::ChoiceOr(words, _) => {
                    promised.extend(words.iter().map(|word| format!("{name} {}={word}", key.name)));
                }
                _ => {
                    promised.insert(format!("{name} {}", key.name));
                }
            }
        }
    }
    promised
}

#[test]
fn every_key_of_a_log_and_of_a_rule_and_every_word_of_theirs_has_its_test() {
    let told: BTreeSet<String> = promises().into_iter().map(|(promise, _)| promise).collect();
    let missing: Vec<_> = promised().difference(&told).cloned().collect();
    assert_eq!(
        missing,
        Vec::<String>::new(),
        "tests/keys.txt names no test for these"
    );
    let keys: BTreeSet<String> = promised()
        .iter()
        .flat_map(|promise| [promise.clone(), promise.split('=').next().unwrap().to_owned()])
        .collect();
    let strange: Vec<_> = told.difference(&keys).collect();
    assert_eq!(strange, Vec::<&String>::new(), "there are no such keys or words");
}

#[test]
fn every_test_that_holds_a_key_is_there() {
    for (promise, [file, test]) in promises() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let head = format!("fn {test}(");
        let above = source.lines().zip(source.lines().skip(1));
        let is_test =
            |(above, line): (&str, &str)| above.trim() == "#[test]" && line.trim_start().starts_with(&head);
        assert!(
            above.into_iter().any(is_test),
            "{promise}: no test {test} in {file}"
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
