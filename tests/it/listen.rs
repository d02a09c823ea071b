//! `--listen`: health, readiness and every metric over HTTP, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use botapi::{ChatConfig, ChatKind, Config, Fault, FaultKind, LimitConfig, Verdict};
use rustix::process::Signal;
use tailgram::store::Store;

use crate::support::{ME, Running, Sandbox, Scrape, Switch, until};

const OPS: i64 = -1_001_234_567_890;

/// Two chats without flood limits and without notices, so that each holds what one rule told it.
fn sandbox(rules: &str) -> Sandbox {
    let config = Config::default()
        .chat(ChatConfig::new(ME, ChatKind::Private).title("Ann Secret"))
        .chat(ChatConfig::new(OPS, ChatKind::Supergroup).title("Ops Secret"));
    let sandbox = Sandbox::with(config.limits(LimitConfig::off()));
    sandbox.rules_toml(&text(&sandbox, rules));
    sandbox
}

fn text(sandbox: &Sandbox, rules: &str) -> String {
    format!(
        "host = \"web-1\"\n[telegram]\nupdates = \"off\"\n[health]\ndeliver_within = \"3s\"\n\
         [chats.me]\nid = {ME}\nlimit = \"100000/min\"\nnotices = false\n\
         [chats.ops]\nid = {OPS}\nlimit = \"100000/min\"\nnotices = false\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\nmultiline = \"off\"\npartial = \"1m\"\n{rules}",
        sandbox.path("logs").display()
    )
}

fn rule(name: &str, chat: &str, pattern: &str, more: &str) -> String {
    format!(
        "[[rules]]\nname = \"{name}\"\nchats = [\"{chat}\"]\nmatch = '{pattern}'\nwait = \"0s\"\nevery = \"50ms\"\n\
         quiet = \"1h\"\n{more}\n"
    )
}

/// A process that listens, and where.
pub struct Served {
    pub running: Running,
    at: SocketAddr,
}

impl Served {
    pub fn start(sandbox: &Sandbox) -> Self {
        Self::start_with(sandbox, &[])
    }

    pub fn start_with(sandbox: &Sandbox, args: &[&str]) -> Self {
        let before = sandbox.stderr().len();
        let running = sandbox.start(&[&["--listen", "127.0.0.1:0"], args].concat());
        let mut at = None;
        until("it listens", || {
            let said = sandbox.stderr().split_off(before);
            at = said
                .split_once("listening on http://")
                .and_then(|(_, rest)| rest.split_once(": /healthz")?.0.parse().ok());
            at.is_some()
        });
        Self {
            running,
            at: at.unwrap(),
        }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let (status, _, body) = ask(self.at, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).unwrap();
        (status, body)
    }

    pub fn scrape(&self) -> Scrape {
        let (status, page) = self.get("/metrics");
        assert_eq!(status, 200, "{page}");
        Scrape::read(&page)
    }
}

/// Sends this and reads to the end: the status, the headers, the body. None if it is no answer.
fn ask(at: SocketAddr, request: &str) -> Option<(u16, String, String)> {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, head.to_owned(), body.to_owned()))
}

/// The metrics in docs/metrics.md: the type and the labels of each.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = fs::read_to_string(path).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `tailgram_"));
    let row = |row: &str| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = format!("tailgram_{}", cells[0].trim_end_matches('`'));
        let labels = cells[2].split(", ").map(|label| label.trim().trim_matches('`'));
        let labels = labels.filter(|label| !label.is_empty()).map(str::to_owned);
        (name, (cells[1].to_owned(), labels.collect()))
    };
    rows.map(row).collect()
}

/// For every metric a sample that the scenario below makes larger than this. Those of what is not built yet are 0.
const MOVES: [(&str, f64); 26] = [
    ("tailgram_build_info", 0.0),
    ("tailgram_read_bytes_total{log=\"app\"}", 3_000.0),
    ("tailgram_lag_bytes{log=\"app\"}", 3.0),
    ("tailgram_files{log=\"app\",state=\"following\"}", 0.0),
    ("tailgram_found_total{rule=\"oops\"}", 301.0),
    ("tailgram_below_total{rule=\"few\"}", 0.0),
    ("tailgram_matched_total{rule=\"oops\",chat=\"me\"}", 301.0),
    ("tailgram_shown_total{rule=\"oops\",chat=\"me\"}", 1.0),
    ("tailgram_counted_total{rule=\"oops\",chat=\"me\"}", 100.0),
    ("tailgram_muted_total{rule=\"oops\",chat=\"me\"}", -1.0),
    ("tailgram_failed_total{rule=\"oops\",chat=\"me\"}", 0.0),
    ("tailgram_pending{rule=\"lost\",chat=\"ops\"}", 0.0),
    ("tailgram_rings_total{rule=\"oops\",chat=\"me\"}", 0.0),
    ("tailgram_edits_total{rule=\"oops\",chat=\"me\"}", 0.0),
    ("tailgram_incidents{rule=\"oops\",state=\"open\"}", 0.0),
    (
        "tailgram_requests_total{method=\"sendMessage\",outcome=\"sent\"}",
        0.0,
    ),
    (
        "tailgram_requests_total{method=\"sendMessage\",outcome=\"refused\"}",
        0.0,
    ),
    ("tailgram_request_seconds_count", 4.0),
    ("tailgram_retry_after_seconds{chat=\"ops\"}", 60.0),
    (
        "tailgram_last_delivery_timestamp_seconds{chat=\"me\"}",
        1_500_000_000.0,
    ),
    ("tailgram_commits_total", 3.0),
    ("tailgram_commit_seconds_count", 3.0),
    ("tailgram_gaps_total{kind=\"truncated\"}", 0.0),
    ("tailgram_reloads_total{result=\"taken\"}", 0.0),
    ("tailgram_heartbeats_total{result=\"sent\"}", 0.0),
    ("tailgram_strangers_total", -1.0),
];

#[test]
fn every_metric_is_documented_moves_when_its_thing_happens_and_gives_nothing_away() {
    let rules = rule("oops", "me", "ERROR", "")
        + &rule("few", "me", "FEW", "at_least = { count = 5, within = \"1s\" }")
        + &rule("lost", "ops", "LOST", "");
    let sandbox = sandbox(&rules);
    let switch = Switch::new();
    let heartbeat = format!("[health]\nheartbeat_url = \"{}\"\n", switch.url("/ping/Secret"));
    let text = |rules: &str| text(&sandbox, rules).replacen("[health]\n", &heartbeat, 1);
    sandbox.rules_toml(&text(&rules));
    let refused = |description: &str, status| FaultKind::Error {
        status,
        code: status,
        description: description.to_owned(),
    };
    let kicked = refused("Forbidden: bot was kicked from the supergroup chat", 403);
    sandbox.api.faults().push(Fault::always(kicked).chat(OPS));
    sandbox.append("a.log", "ERROR canary 1\n");
    sandbox.append("b.log", "nothing to see, but it is here to be cut\n");
    let served = Served::start(&sandbox);
    let oops = |what: &str| format!("tailgram_{what}{{rule=\"oops\",chat=\"me\"}}");
    let reaches = |sample: &str, least: f64| {
        until(&format!("{sample} is {least}"), || {
            served.scrape().value(sample).is_some_and(|value| value >= least)
        });
    };
    reaches(&oops("rings_total"), 1.0);
    // An edit that is refused in every form fails what it told.
    let nonsense = refused("Bad Request: nobody has seen this sentence yet", 400);
    let fault = Fault::always(nonsense)
        .times(3)
        .method("editMessageText")
        .chat(ME);
    sandbox.api.faults().push(fault);
    sandbox.append("a.log", "ERROR canary 2\n");
    reaches(&oops("failed_total"), 1.0);
    let many: Vec<String> = (0..300).map(|n| format!("ERROR canary {n}\n")).collect();
    sandbox.append("a.log", &many.concat());
    sandbox.append("a.log", "FEW\nLOST canary\n");
    reaches(&oops("edits_total"), 1.0);
    fs::write(sandbox.log("b.log"), "new\n").unwrap();
    sandbox.rules_toml("broken");
    served.running.signal(Signal::HUP);
    reaches("tailgram_reloads_total{result=\"refused\"}", 1.0);
    sandbox.rules_toml(&text(&(rules + &rule("more", "me", "MORE", ""))));
    served.running.signal(Signal::HUP);
    sandbox.append("a.log", "half a line");
    let mut missing = Vec::new();
    until("every metric has moved", || {
        let scrape = served.scrape();
        let value = |sample: &str| match sample {
            "tailgram_build_info" => scrape.of(sample).next().map(|(_, value)| value),
            _ => scrape.value(sample),
        };
        missing = MOVES
            .iter()
            .filter(|(sample, least)| value(sample).is_none_or(|value| value <= *least))
            .collect();
        missing.is_empty()
    });
    let (_, page) = served.get("/metrics");
    let scrape = Scrape::read(&page);
    let documented = documented();
    let names = |kinds: &BTreeMap<String, String>| kinds.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&scrape.kinds), documented.keys().cloned().collect());
    let moved = |metric: &str| {
        MOVES.iter().any(|(sample, _)| {
            let name = sample.split('{').next().unwrap();
            name == metric || name.strip_suffix("_count") == Some(metric)
        })
    };
    for (name, (kind, labels)) in &documented {
        assert!(moved(name), "nothing above moves {name}");
        assert_eq!(scrape.kinds[name], *kind, "{name}");
        for (found, _) in scrape.of(name) {
            let found: BTreeSet<String> = found.keys().filter(|label| *label != "le").cloned().collect();
            assert_eq!(found, *labels, "the labels of {name}");
        }
    }
    for secret in [
        "canary",
        "Secret",
        sandbox.api.token(),
        sandbox.folder().to_str().unwrap(),
    ] {
        assert!(!page.contains(secret), "{secret} stands in\n{page}");
    }
}

/// What the ledger of these rules adds up to, by the chats of the test server alone.
#[test]
fn the_metrics_of_the_ledger_agree_with_what_the_server_stored_across_a_kill() {
    let rules = rule("each", "ops", "ERROR", "ring = \"all\"\nlimit = \"100000/min\"")
        + &rule("some", "me", "ERROR", "limit = \"100000/min\"");
    let sandbox = sandbox(&rules);
    let mut written = 0;
    for round in 0..2 {
        let served = Served::start(&sandbox);
        for burst in 0..3 {
            let lines: Vec<_> = (0..70)
                .map(|n| format!("ERROR {round} {burst} {n} it broke\n"))
                .collect();
            written += lines.len() as u64;
            sandbox.append("a.log", &lines.concat());
            until("all of it is told", || {
                let scrape = served.scrape();
                scrape.sum("tailgram_matched_total") == 2 * written && scrape.sum("tailgram_pending") == 0
            });
        }
        let scrape = served.scrape();
        for (rule, chat, id) in [("each", "ops", OPS), ("some", "me", ME)] {
            let said =
                |what: &str| scrape.count(&format!("tailgram_{what}{{rule=\"{rule}\",chat=\"{chat}\"}}"));
            let messages = sandbox.api.journal().messages(id);
            let rings = messages.iter().filter(|message| !message.silent).count() as u64;
            assert_eq!(said("rings_total"), rings, "{rule}");
            assert_eq!(said("matched_total"), written);
            assert_eq!(
                said("matched_total"),
                said("shown_total") + said("counted_total") + said("failed_total")
            );
            // Every version of every message, as a person saw them.
            let seen: BTreeSet<String> = messages
                .iter()
                .flat_map(|message| {
                    let earlier = message.earlier.iter().map(|version| version.text.clone());
                    earlier.chain([message.text.clone()])
                })
                .flat_map(|text| {
                    let lines = text
                        .lines()
                        .filter_map(|line| Some(line[line.find("ERROR ")?..].to_owned()));
                    lines.collect::<Vec<_>>()
                })
                .collect();
            assert_eq!(said("shown_total"), seen.len() as u64, "{rule}: {seen:?}");
            let requests = sandbox.api.journal().requests();
            let edits = requests.iter().filter(|request| {
                request.chat == Some(id)
                    && request.method == "editMessageText"
                    && matches!(request.verdict, Verdict::Edited { .. })
            });
            assert_eq!(said("edits_total"), edits.count() as u64, "{rule}");
        }
        // What was answered may be a commit ahead of the disk.
        until("all of it is stored", || {
            let Ok(state) = Store::peek(&sandbox.path("state")) else {
                return false;
            };
            let told = state
                .accounts
                .iter()
                .map(|row| row.account.shown + row.account.counted);
            told.sum::<u64>() == 2 * written
        });
        served.running.kill_nine();
    }
}

#[test]
fn the_pages_say_what_health_says_and_readiness_stays() {
    let sandbox = sandbox(&rule("oops", "me", "ERROR", ""));
    sandbox.append("a.log", "all is well\n");
    let served = Served::start(&sandbox);
    until("it is ready", || served.get("/readyz").0 == 200);
    until("it is healthy", || {
        served.get("/healthz") == (200, "ok\n".to_owned())
    });
    sandbox.api.stop();
    sandbox.append("a.log", "ERROR one\n");
    until("it is ill, and says why", || {
        let (status, reason) = served.get("/healthz");
        status == 503 && reason.starts_with("something is owed, and no request to Telegram succeeded for")
    });
    until("`health` says the same", || {
        sandbox.finish(&["health"]).status.code() == Some(1)
    });
    assert_eq!(served.get("/readyz").0, 200, "it was healthy once");
    sandbox.api.restart();
    until("it is well again", || served.get("/healthz").0 == 200);
    assert!(served.running.terminate().success());
}

#[test]
fn without_a_state_folder_the_pages_are_there_too() {
    let sandbox = sandbox(&rule("oops", "me", "ERROR", ""));
    sandbox.append("a.log", "ERROR one\n");
    let mut command = sandbox.command(&["run", "--state-dir", ":memory:"]);
    let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    command.env("TAILGRAM_LISTEN", at.to_string());
    let running = sandbox.spawn(command);
    until("it listens", || sandbox.stderr().contains("listening on"));
    let served = Served { running, at };
    until("it is ready", || served.get("/readyz").0 == 200);
    until("it counts", || {
        served
            .scrape()
            .value("tailgram_shown_total{rule=\"oops\",chat=\"me\"}")
            == Some(1.0)
    });
}

#[test]
fn whoever_asks_badly_slowly_or_for_too_much_keeps_nobody_else_out() {
    let sandbox = sandbox(&rule("oops", "me", "ERROR", ""));
    sandbox.append("a.log", "ERROR one\n");
    let served = Served::start(&sandbox);
    until("it is ready", || served.get("/readyz").0 == 200);
    let status = |request: &str| ask(served.at, request).map(|(status, ..)| status);
    assert_eq!(status("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Some(404));
    assert_eq!(
        status("GET /metrics/../healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
        Some(404)
    );
    assert_eq!(
        status("GET /healthz?full=1 HTTP/1.1\r\nHost: x\r\n\r\n"),
        Some(200)
    );
    let (refused, head, _) = ask(served.at, "POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(
        refused == 405 && head.to_lowercase().contains("allow: get, head"),
        "{head}"
    );
    let (fine, head, body) = ask(served.at, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(
        fine == 200 && head.contains("text/plain; version=0.0.4") && body.is_empty(),
        "{head}"
    );
    let long = format!("GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert!(!matches!(status(&long), Some(200)));
    assert!(!matches!(status("\0\u{1}rubbish\r\n\r\n"), Some(200)));
    // Many that say nothing, and many that take nothing of what they asked for.
    let mut idle = Vec::new();
    for nth in 0..60 {
        let mut stream = TcpStream::connect(served.at).unwrap();
        if nth % 2 == 0 {
            stream
                .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\nGET")
                .unwrap();
        }
        idle.push(stream);
    }
    assert_eq!(served.get("/healthz").0, 200);
    let open = || {
        fs::read_dir(format!("/proc/{}/fd", served.running.pid()))
            .unwrap()
            .count()
    };
    until("it holds on to few of them", || open() < 60);
    sandbox.append("a.log", "ERROR two\n");
    until("reading goes on", || sandbox.all_texts().contains("ERROR two"));
    drop(idle);
    assert!(served.running.terminate().success());
}

/// Whether a process has a socket that listens for TCP.
fn listens(running: &Running) -> bool {
    let folder = format!("/proc/{}/fd", running.pid());
    let links = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let sockets: BTreeSet<String> = links
        .filter_map(|link| {
            Some(
                link.to_str()?
                    .strip_prefix("socket:[")?
                    .strip_suffix(']')?
                    .to_owned(),
            )
        })
        .collect();
    ["tcp", "tcp6"].iter().any(|table| {
        let table = fs::read_to_string(format!("/proc/{}/net/{table}", running.pid())).unwrap_or_default();
        table.lines().skip(1).any(|line| {
            let cells: Vec<&str> = line.split_whitespace().collect();
            cells[3] == "0A" && sockets.contains(cells[9])
        })
    })
}

#[test]
fn nothing_listens_unless_somebody_asks_for_it() {
    let sandbox = sandbox(&rule("oops", "me", "ERROR", ""));
    sandbox.append("a.log", "all is well\n");
    let mut command = sandbox.command(&["run"]);
    // As compose files say "not set".
    command.env("TAILGRAM_LISTEN", "");
    let running = sandbox.spawn(command);
    until("it runs", || sandbox.finish(&["health"]).status.success());
    assert!(!listens(&running));
    assert!(running.terminate().success());
    let served = Served::start(&sandbox);
    assert!(listens(&served.running));
}

#[test]
fn an_address_that_is_none_or_that_is_taken_is_said_before_anything_begins() {
    let sandbox = sandbox(&rule("oops", "me", "ERROR", ""));
    let output = sandbox.finish(&["run", "--listen", "localhost"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("write 127.0.0.1:9115"), "{said}");
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let output = sandbox.finish(&["run", "--listen", &taken]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("cannot listen on {taken}")) && said.contains("take another port"),
        "{said}"
    );
    assert!(!sandbox.path("state").exists(), "nothing was begun");
    assert_eq!(sandbox.requests(), 0);
}
