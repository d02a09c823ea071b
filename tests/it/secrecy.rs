//! The token is nowhere but in the requests, whatever goes wrong and however much is logged.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use botapi::{ChatConfig, ChatKind, Config, Fault, FaultKind, LimitConfig};
use serde_json::json;

use crate::support::{ME, Running, Sandbox, until};

const TOKEN: &str = "777000777:AAcanary-Token_0123456789abcdefGHIJ";
/// The half that is secret.
const SECRET: &str = "AAcanary-Token_0123456789abcdefGHIJ";

fn sandbox() -> Sandbox {
    let chat = ChatConfig::new(ME, ChatKind::Private);
    let config = Config {
        token: TOKEN.to_owned(),
        ..Config::default()
    };
    let sandbox = Sandbox::with(config.chat(chat).limits(LimitConfig::off()));
    sandbox.rules_toml(&format!(
        "[telegram]\nupdates = \"off\"\n[chats.me]\nid = {ME}\nlimit = \"600/min\"\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\n\
         [[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nring = \"all\"\nwait = \"0s\"\nevery = \"100ms\"\n",
        sandbox.path("logs").display()
    ));
    sandbox
}

/// Every kind of fault there is.
fn faults() -> Vec<FaultKind> {
    let error = |status, description: &str| FaultKind::Error {
        status,
        code: status,
        description: description.to_owned(),
    };
    vec![
        FaultKind::TooMany {
            retry_after: Some(json!(1)),
        },
        FaultKind::TooMany { retry_after: None },
        error(400, &format!("Bad Request: proxy says /bot{TOKEN}/sendMessage")),
        error(500, &format!("Internal Server Error at http://api/bot{TOKEN}/")),
        FaultKind::Html {
            status: 502,
            store: false,
        },
        FaultKind::Empty { store: true },
        FaultKind::Truncated { store: true },
        FaultKind::HalfAnswer { store: true },
        FaultKind::Stall {
            ms: 200,
            store: false,
        },
        FaultKind::AnswerLost,
        FaultKind::Refuse,
        FaultKind::Reset,
        FaultKind::Slow { ms_per_byte: 1 },
        FaultKind::Huge { bytes: 300_000 },
        FaultKind::Delay { ms: 100 },
    ]
}

/// No byte of the secret in a file, or in a folder of files.
#[track_caller]
fn holds_no_secret(path: &Path) {
    if path.is_dir() {
        return fs::read_dir(path)
            .unwrap()
            .for_each(|entry| holds_no_secret(&entry.unwrap().path()));
    }
    // A socket holds no bytes; what goes through it has a test of its own.
    if fs::symlink_metadata(path).unwrap().file_type().is_socket() {
        return;
    }
    let bytes = fs::read(path).unwrap();
    let found = bytes
        .windows(SECRET.len())
        .any(|window| window == SECRET.as_bytes());
    assert!(
        !found,
        "{} holds the token: {}",
        path.display(),
        String::from_utf8_lossy(&bytes)
    );
}

#[track_caller]
fn says_no_secret(sandbox: &Sandbox, running: &Running) {
    holds_no_secret(&sandbox.path("stderr"));
    holds_no_secret(&sandbox.path("state"));
    holds_no_secret(Path::new(&format!("/proc/{}/cmdline", running.pid())));
    assert!(!sandbox.stderr().contains("panicked"), "{}", sandbox.stderr());
}

fn through_all_faults(format: &str) {
    let sandbox = sandbox();
    let running = sandbox.start(&["--log-level", "trace", "--log-format", format]);
    sandbox.append("app.log", "ERROR begin\n");
    until("it delivers", || sandbox.last_text().contains("ERROR begin"));
    for (n, fault) in faults().into_iter().enumerate() {
        let name = format!("{fault:?}");
        sandbox.api.faults().once(fault);
        sandbox.append("app.log", &format!("ERROR line {n}.\n"));
        until(&format!("{name} has struck"), || {
            sandbox.api.faults().pending() == 0
        });
        // A success in between keeps the pauses short. A refused text is not tried again.
        sandbox.append("app.log", &format!("ERROR after {n}.\n"));
        until(&format!("it delivers after {name}"), || {
            sandbox.last_text().contains(&format!("ERROR after {n}."))
        });
        says_no_secret(&sandbox, &running);
    }
    sandbox.api.stop();
    sandbox.append("app.log", "ERROR while the port is closed\n");
    until("the closed port is told", || {
        sandbox.stderr().to_lowercase().contains("refused")
    });
    sandbox.api.restart();
    until("the canary comes", || {
        sandbox.last_text().contains("while the port is closed")
    });
    says_no_secret(&sandbox, &running);
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    holds_no_secret(&sandbox.path("stderr"));
    holds_no_secret(&sandbox.path("state"));
}

#[test]
fn no_fault_brings_the_token_into_the_text_log_or_the_state() {
    through_all_faults("text");
}

#[test]
fn no_fault_brings_the_token_into_the_json_log_or_the_state() {
    through_all_faults("json");
}

#[test]
fn a_refused_start_does_not_quote_the_token() {
    let sandbox = sandbox();
    let rules = fs::read_to_string(sandbox.path("rules.toml")).unwrap();
    let broken = [
        (
            "a literal token in a broken file",
            format!("{rules}\nbroken = = 1\ntoken = \"{TOKEN}\"\n"),
        ),
        (
            "a literal token under a wrong key",
            rules.replace("updates", &format!("tokn = \"{TOKEN}\"\nupdates")),
        ),
        (
            "a token as a URL",
            rules.replace("updates", &format!("api_url = \"{TOKEN}\"\nupdates")),
        ),
    ];
    for (what, text) in broken {
        sandbox.rules_toml(&text);
        let mut command = sandbox.command(&["run", "--once", "--log-level", "trace"]);
        let output = command.env_remove("TELEGRAM_API_URL").output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(2),
            "{what}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains(SECRET), "{what}: {said}");
    }
}

#[test]
fn send_does_not_quote_the_token_when_it_fails() {
    let sandbox = sandbox();
    for fault in faults() {
        let name = format!("{fault:?}");
        sandbox.api.faults().once(fault);
        let output = sandbox.finish(&["send", "hello", "--log-level", "trace"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains(SECRET), "{name}: {said}");
        assert_eq!(sandbox.api.faults().pending(), 0, "{name} did not strike: {said}");
    }
}

#[test]
fn chats_does_not_quote_the_token_whatever_fails_and_whatever_chats_are_called() {
    let sandbox = sandbox();
    let named = ChatConfig::new(ME, ChatKind::Private).title(&format!("Ann {TOKEN} {SECRET}"));
    sandbox.api.chats().set(named);
    for method in ["getMe", "getChat", "getWebhookInfo", "getUpdates"] {
        // Those that answer slowly or not at all say nothing that could be quoted.
        for kind in faults().into_iter().filter(|kind| kind.name() != "slow") {
            let name = format!("{method} {kind:?}");
            sandbox.api.faults().push(Fault::once(kind).method(method));
            let output = sandbox.finish(&["chats", "--wait", "0s", "--log-level", "trace"]);
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(!said.contains(SECRET), "{name}: {said}");
            assert_eq!(sandbox.api.faults().pending(), 0, "{name} did not strike: {said}");
        }
    }
    sandbox.api.updates().say(ME, ME, "/start", None);
    let output = sandbox.finish(&["chats", "--log-level", "trace"]);
    let listed = String::from_utf8(output.stdout).unwrap();
    assert!(listed.contains("private chat \"Ann [token]"), "{listed}");
    assert!(!listed.contains(SECRET), "{listed}");
}

#[test]
fn the_running_process_does_not_quote_the_token_to_whoever_asks_it() {
    let sandbox = sandbox();
    let running = sandbox.start(&[]);
    until("it can be asked", || sandbox.path("state/control.sock").exists());
    let send = |words: &str| {
        let mut command = sandbox.command(&["send", words, "--log-level", "trace"]);
        command.env_remove("TELEGRAM_BOT_TOKEN").output().unwrap()
    };
    for fault in faults() {
        let name = format!("{fault:?}");
        sandbox.api.faults().once(fault);
        let said = String::from_utf8_lossy(&send("hello").stderr).into_owned();
        assert!(!said.contains(SECRET), "{name}: {said}");
        assert_eq!(sandbox.api.faults().pending(), 0, "{name} did not strike: {said}");
        // A success in between keeps the pauses short.
        let mended = send("mended");
        assert!(
            mended.status.success(),
            "after {name}: {}",
            String::from_utf8_lossy(&mended.stderr)
        );
    }
    let status = sandbox.finish(&["status", "--json"]);
    assert!(!String::from_utf8_lossy(&status.stdout).contains(SECRET));
    says_no_secret(&sandbox, &running);
    assert!(running.terminate().success(), "{}", sandbox.stderr());
}

#[test]
fn a_secret_in_a_line_leaves_neither_for_the_phone_nor_for_the_disk() {
    let secret = concat!("hunter2-", "correct-horse");
    let sandbox = Sandbox::unlimited();
    sandbox.rules(
        "[[rules]]\nname = \"login\"\nmatch = 'login password=(?P<password>\\S+)'\nby = [\"password\"]\nwait = \"100ms\"\n",
    );
    let running = sandbox.start(&[]);
    sandbox.append("app.log", &format!("ERROR login password={secret} refused\n"));
    crate::support::until("the line arrives", || sandbox.last_text().contains("login"));
    assert!(
        sandbox.last_text().contains("password=[redacted]"),
        "{}",
        sandbox.last_text()
    );
    assert!(running.terminate().success());
    let journal = sandbox.api.journal().to_json().to_string();
    assert!(!journal.contains(secret), "{journal}");
    assert!(!sandbox.stderr().contains(secret));
    for entry in std::fs::read_dir(sandbox.path("state"))
        .unwrap()
        .map(Result::unwrap)
    {
        let bytes = std::fs::read(entry.path()).unwrap();
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{} holds it", entry.path().display());
    }
}

#[test]
fn a_rules_own_redact_hides_what_only_its_author_knows_to_be_secret() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(
        "[[rules]]\nname = \"order\"\nmatch = 'order of (?P<customer>[\\w ]+?) failed'\nby = [\"customer\"]\n\
         redact = ['(?i)mr?s? smith', 'card ending (?P<secret>\\d+)']\nwait = \"100ms\"\n\
         [[rules]]\nname = \"plain\"\nmatch = 'order of'\nwait = \"100ms\"\n",
    );
    let running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR order of Mr Smith failed, card ending 4242\n");
    let texts = || -> Vec<String> {
        sandbox
            .api
            .journal()
            .messages(ME)
            .iter()
            .map(|message| message.text.clone())
            .collect()
    };
    until("both rules are told", || texts().len() == 2);
    let of = |rule: &str| {
        texts()
            .into_iter()
            .find(|text| text.lines().next().unwrap().contains(rule))
            .unwrap()
    };
    let order = of("order");
    assert!(
        order.contains("order of [redacted] failed, card ending [redacted]"),
        "{order}"
    );
    assert!(!order.contains("Smith") && !order.contains("4242"), "{order}");
    assert!(
        of("plain").contains("Mr Smith"),
        "the other rule hides nothing of it: {}",
        of("plain")
    );
    assert!(running.terminate().success());
}
