//! `run --once` counts what `grep -c` counts.

use std::fs;
use std::process::{Command, Stdio};

use botapi::{ChatConfig, ChatKind, ChatState, Config};

use crate::support::{ME, Sandbox, evidence, seed, soak, total};

const YOU: i64 = 4343;

/// Ten patterns that the regex crate and `grep -E` read alike; the last finds nothing.
const RULES: [(&str, &str); 10] = [
    ("error", "ERROR|FATAL"),
    ("timeout", "timed? ?out"),
    ("login", "Failed password for (invalid user )?[a-z]+ from"),
    ("status", "\" 50[0-9] [0-9]+$"),
    ("disk", "^[A-Z][a-z]{2} [0-9]+ .*No space left"),
    ("number", "took [0-9]{4,} ms"),
    ("dots", "10\\.0\\.[0-9]+\\.[0-9]+"),
    ("last", "[0-9]$"),
    ("word", "(panic|segfault) at"),
    ("nothing", "this stands in no line"),
];

fn line(draw: &mut fastrand::Rng) -> String {
    let (n, user) = (
        draw.u32(..100_000),
        ["root", "admin", "kim", "조"][draw.usize(..4)],
    );
    match draw.u8(..10) {
        0 => format!("2026-03-01 ERROR request {n} timed out"),
        1 => format!("2026-03-01 WARN upstream timeout, took {n} ms"),
        2 => format!(
            "Mar 1 host sshd[{n}]: Failed password for {user} from 10.0.{}.7 port 22",
            n % 256
        ),
        3 => format!(
            "10.0.0.1 - - \"GET /{n} HTTP/1.1\" {} {n}",
            200 + 100 * draw.u32(..4)
        ),
        4 => format!("Mar 1 host kernel: No space left on device {n}"),
        5 => format!("INFO 디스크 상태 정상 {n} ✅"),
        6 => format!("thread 'main' panic at src/main.rs:{n}"),
        7 => format!("FATAL segfault at 0x{n:x} 10.0.3.{n}"),
        8 => String::new(),
        _ => format!(
            "DEBUG {n} all is well, and this line goes on for a while: {}",
            "x".repeat(draw.usize(..300))
        ),
    }
}

/// Five logs: line ends of Unix, of Windows, of both, none at the end, and one nearly empty.
fn logs(sandbox: &Sandbox, draw: &mut fastrand::Rng, lines: usize) {
    let ends: [(&str, &[&str]); 5] = [
        ("unix", &["\n"]),
        ("windows", &["\r\n"]),
        ("mixed", &["\n", "\r\n"]),
        ("unended", &["\n"]),
        ("tiny", &["\n"]),
    ];
    for (name, ends) in ends {
        let count = if name == "tiny" { 1 } else { lines };
        let mut text: String = (0..count)
            .map(|_| line(draw) + ends[draw.usize(..ends.len())])
            .collect();
        if name == "unended" {
            text.push_str("2026-03-01 ERROR the last line, timed out, without an end 7");
        }
        sandbox.append(&format!("{name}.log"), &text);
    }
}

/// Ten rules, told to two chats in turn.
fn rules(sandbox: &Sandbox) {
    let rule = |(n, (name, pattern)): (usize, &(&str, &str))| {
        format!(
            "[[rules]]\nname = \"{name}\"\nmatch = '{pattern}'\nchats = [\"{}\"]\n",
            ["me", "you"][n % 2]
        )
    };
    let rules: String = RULES.iter().enumerate().map(rule).collect();
    sandbox.rules_toml(&format!(
        "[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false }}\nyou = {YOU}\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\n{rules}",
        sandbox.path("logs").display()
    ));
}

/// The independent count, with the line ends of Windows taken off first, as readers do.
fn grep(sandbox: &Sandbox, pattern: &str) -> u64 {
    let files = fs::read_dir(sandbox.path("logs"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files.map(|file| grep_one(&file, pattern)).sum()
}

fn grep_one(file: &std::path::Path, pattern: &str) -> u64 {
    let mut tr = Command::new("tr");
    tr.args(["-d", "\r"])
        .stdin(fs::File::open(file).unwrap())
        .stdout(Stdio::piped());
    let mut tr = tr.spawn().unwrap();
    let mut grep = Command::new("grep");
    grep.args(["-acE", pattern])
        .env("LC_ALL", "C.UTF-8")
        .stdin(tr.stdout.take().unwrap());
    let counted = grep.output().unwrap();
    assert!(tr.wait().unwrap().success());
    String::from_utf8(counted.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn once_counts_what_grep_counts_and_finds_nothing_new_the_second_time() {
    if Command::new("grep").arg("--version").output().is_err() {
        return eprintln!("SKIP: once: there is no grep here to compare with");
    }
    let seed = seed();
    let lines = if soak() { 200_000 } else { 4_000 };
    let chat = |id| ChatConfig::new(id, ChatKind::Private);
    let sandbox = Sandbox::with(Config::default().chat(chat(ME)).chat(chat(YOU)));
    logs(&sandbox, &mut fastrand::Rng::with_seed(seed), lines);
    rules(&sandbox);
    sandbox.once();

    let journal = sandbox.api.journal();
    let mut found = 0;
    for (name, pattern) in RULES {
        let expected = grep(&sandbox, pattern);
        let messages: Vec<_> = journal
            .all_messages()
            .into_iter()
            .filter(|message| head_names(&message.text, name))
            .collect();
        let live: Vec<_> = messages
            .iter()
            .filter(|message| message.reply_to.is_none())
            .collect();
        assert_eq!(
            live.len(),
            usize::from(expected > 0),
            "rule {name}, seed {seed}: {messages:#?}"
        );
        let shown = live.first().map_or(0, |message| total(&message.text));
        assert_eq!(shown, expected, "rule {name}, seed {seed}");
        found += expected;
    }
    assert_eq!(
        (journal.floods(), journal.refusals().len()),
        (0, 0),
        "{:?}",
        journal.refusals()
    );
    assert!(journal.complaints().is_empty(), "{:?}", journal.complaints());
    evidence(&format!(
        "once: 10 rules over 5 generated logs of {lines} lines, {found} matches, every total equal to grep's, seed {seed}"
    ));

    let before = sandbox.requests();
    sandbox.once();
    assert_eq!(sandbox.requests(), before, "the second run found something");
}

/// Whether the first line of a message is about this rule.
fn head_names(text: &str, rule: &str) -> bool {
    let head = text.lines().next().unwrap_or_default();
    head.split_whitespace().any(|word| word == rule)
}

#[test]
fn a_pass_that_is_refused_ends_with_one_at_once_and_keeps_what_it_found() {
    let sandbox = Sandbox::new();
    sandbox.rules("[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\n");
    sandbox.append("app.log", "ERROR one\nERROR two\n");
    let refused = |token: &str| {
        let output = sandbox
            .command(&["run", "--once"])
            .env("TELEGRAM_BOT_TOKEN", token)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("refused by Telegram: 2 matches"), "{said}");
    };
    sandbox.api.chats().state(ME, ChatState::NotStarted);
    refused(sandbox.api.token());
    refused("4242424242:AAwrong-token_that-nobody-was-ever-given");
    sandbox.api.chats().state(ME, ChatState::Ok);
    sandbox.once();
    assert_eq!(total(&sandbox.last_text()), 2);
    assert_eq!(sandbox.api.journal().messages(ME).len(), 1);
}
