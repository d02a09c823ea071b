//! Every supported key, and every default, as the rooms get them.

use std::path::Path;
use std::time::Duration;

use super::{BASE, Environment, parse, plain, right};

use crate::config::{Fence, Landlock};
use crate::incident::{Absent, AtLeast, Ring, RuleSettings};
use crate::model::{ChatName, ChatTarget, LogName, Rate, Severity};
use crate::scan::Pattern;
use crate::tail::{Glob, Start, Watch};
use crate::telegram::HeartbeatUrl;
use crate::{event, tail, telegram};

fn sources(patterns: &[Pattern]) -> Vec<&str> {
    patterns.iter().map(Pattern::source).collect()
}

fn globs(globs: &[Glob]) -> Vec<&str> {
    globs.iter().map(Glob::source).collect()
}

fn rule(lines: &str) -> RuleSettings {
    right(&format!("{}{lines}\n", plain())).incident.rules.remove(0)
}

fn with_env<const N: usize>(text: &str, variables: [(&str, &str); N]) -> super::Settings {
    parse(Path::new("rules.toml"), text, &Environment::from(variables))
        .unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn a_plain_rule_has_the_defaults_of_the_contract() {
    let rule = rule("");
    assert_eq!(rule, RuleSettings::new("panic", "me"));
    assert_eq!(
        (rule.severity, rule.ring, rule.by.len()),
        (Severity::Error, Ring::New, 0)
    );
    assert_eq!(
        (rule.wait, rule.every, rule.quiet),
        (
            Duration::from_secs(2),
            Duration::from_secs(30),
            Duration::from_mins(10)
        )
    );
    assert_eq!(
        rule.limit,
        Some(Rate {
            count: 12,
            per: Duration::from_hours(1)
        })
    );
}

#[test]
fn a_plain_log_has_the_defaults_of_the_contract() {
    let settings = right(&plain());
    let log = &settings.tail.logs[0];
    assert_eq!(
        (log.start, log.max_line, log.partial, log.watch),
        (Start::End, 131_072, Duration::from_secs(5), Watch::Auto)
    );
    assert_eq!(
        (settings.tail.sweep, settings.tail.hold),
        (tail::Settings::SWEEP, tail::Settings::HOLD)
    );
    assert!(log.exclude.is_empty() && settings.tail.from.is_none() && settings.tail.never.is_empty());
    let expected = event::Settings {
        format: event::Format::Auto,
        multiline: event::Multiline::Auto,
        encoding: event::Encoding::default(),
        overwrite: false,
        max_line: 65_536,
    };
    assert_eq!(settings.logs[0].event, expected);
    assert!(settings.logs[0].scan.ignore.is_empty());
}

#[test]
fn a_plain_file_has_the_defaults_of_the_contract() {
    let settings = right(&plain());
    assert_eq!(
        (settings.telegram.api_url.as_str(), settings.telegram.proxy),
        (telegram::Settings::API_URL, None)
    );
    let chat = &settings.telegram.chats[0];
    assert_eq!(
        (&chat.target, chat.topic, chat.limit),
        (&ChatTarget::Id(53_395_910), None, None)
    );
    assert_eq!(settings.message.zone, jiff::tz::TimeZone::UTC);
    assert_eq!(settings.incident.chats, [ChatName::new("me")]);
}

#[test]
fn the_host_is_the_key_then_the_variable_then_the_machine() {
    let key = format!("host = \"${{TAILGRAM_HOST}}-key\"\n{}", plain());
    let variables = [("TAILGRAM_HOST", "named")];
    assert_eq!(with_env(&key, variables).message.host, "named-key");
    assert_eq!(with_env(&plain(), variables).message.host, "named");
    let machine = Environment::default().with_hostname("web-1");
    assert_eq!(
        parse(Path::new("r"), &plain(), &machine).unwrap().message.host,
        "web-1"
    );
    assert_eq!(right(&plain()).message.host, "localhost");
}

#[test]
fn the_zone_is_that_of_the_environment() {
    let zone = with_env(&plain(), [("TZ", "Asia/Seoul")]).message.zone;
    assert_eq!(zone.iana_name(), Some("Asia/Seoul"));
    assert!(with_env(&plain(), [("TZ", "UTC-9")]).warnings.is_empty());
}

#[test]
fn the_process_has_a_name() {
    assert!(Environment::of_process().hostname().is_some());
}

#[test]
fn the_keys_of_telegram_arrive() {
    let table = "[telegram]\ntoken_file = \"/t\"\napi_url = \"https://bots.example.com/x/\"\nproxy = \"socks5h://u:p@proxy:1080\"\nupdates = \"off\"\n";
    let settings = right(&format!("{table}{}", plain()));
    assert_eq!(settings.telegram.api_url, "https://bots.example.com/x");
    assert_eq!(
        settings.telegram.proxy.as_deref(),
        Some("socks5h://u:p@proxy:1080")
    );
    assert_eq!(settings.token.file.as_deref(), Some(Path::new("/t")));
}

#[test]
fn the_server_is_the_key_then_the_variable() {
    let variables = [("TELEGRAM_API_URL", "https://b.example.com/")];
    assert_eq!(
        with_env(&plain(), variables).telegram.api_url,
        "https://b.example.com"
    );
    let key = format!("[telegram]\napi_url = \"https://a.example.com\"\n{}", plain());
    assert_eq!(
        with_env(&key, variables).telegram.api_url,
        "https://a.example.com"
    );
}

#[test]
fn a_literal_token_arrives() {
    let settings = right(&format!("[telegram]\ntoken = \"1:a\"\n{}", plain()));
    assert!(settings.token.token(&Environment::default()).unwrap() == telegram::Token::parse("1:a").unwrap());
}

#[test]
fn chats_arrive_in_their_order_short_or_long() {
    let chats = "[chats]\nzoe = 7\nann = \"${ANN}\"\n[chats.ops]\nid = -1001234567890\ntopic = 42\nlimit = \"12/min\"\n\
        [chats.all]\nid = \"@channel\"\ntopic = 1\n";
    let text = format!(
        "{}chats = [\"ops\", \"ann\"]\n",
        plain().replace("[chats]\nme = 53395910\n", chats)
    );
    let settings = with_env(&text, [("ANN", "-8")]);
    let names: Vec<_> = settings
        .telegram
        .chats
        .iter()
        .map(|chat| (chat.name.as_str(), chat.target.to_string(), chat.topic))
        .collect();
    let expected = [
        ("zoe", "7", None),
        ("ann", "-8", None),
        ("ops", "-1001234567890", Some(42)),
        ("all", "@channel", None),
    ];
    assert_eq!(
        names,
        expected.map(|(name, target, topic)| (name, target.to_owned(), topic))
    );
    assert_eq!(
        settings.telegram.chats[2].limit,
        Some(Rate {
            count: 12,
            per: Duration::from_mins(1)
        })
    );
    assert_eq!(
        settings.incident.rules[0].chats,
        [ChatName::new("ops"), ChatName::new("ann")]
    );
    assert_eq!(settings.incident.chats.len(), 4);
}

#[test]
fn the_keys_of_a_log_arrive() {
    let keys = "exclude = \"*.gz\"\nstart = \"beginning\"\nmax_line = \"1KiB\"\npartial = \"500ms\"\nwatch = \"poll\"\n\
        ignore = ['health', 'probe']\nformat = \"plain\"\nmultiline = \"off\"\nencoding = \"UTF-8\"\n\
        carriage_return = \"overwrite\"\n[[rules]]";
    let settings = right(&plain().replace("[[rules]]", keys));
    let log = &settings.tail.logs[0];
    assert_eq!(
        (globs(&log.files), globs(&log.exclude)),
        (vec!["/logs/*.log"], vec!["*.gz"])
    );
    assert_eq!(
        (log.start, log.max_line, log.partial, log.watch),
        (Start::Beginning, 1024, Duration::from_millis(500), Watch::Poll)
    );
    assert_eq!(settings.logs[0].event.max_line, 1024);
    assert!(settings.logs[0].event.overwrite);
    assert_eq!(sources(&settings.logs[0].scan.ignore), ["health", "probe"]);
}

#[test]
fn a_glob_that_begins_here_loses_its_dot() {
    let settings = right(&plain().replace("/logs/*.log", "./logs/*.log"));
    assert_eq!(globs(&settings.tail.logs[0].files), ["logs/*.log"]);
}

#[test]
fn the_keys_of_a_rule_arrive() {
    let keys = "all = 'x(?P<user>\\d+)'\nunless = ['no']\nseverity = \"critical\"\nchats = \"me\"\nby = [\"user\", \"file\"]\nwait = \"0s\"\nat_least = { count = 5, within = \"1m\" }\n\
        every = \"1m\"\nquiet = \"1h\"\nremind = \"4h\"\nring = \"first\"\nresolve = ['up', 'back']\nlimit = \"5/d\"\nlogs = [\"app\"]\n";
    let settings = right(&format!("{}{keys}", plain()));
    let expected = RuleSettings {
        severity: Severity::Critical,
        by: vec!["user".into(), "file".into()],
        at_least: Some(AtLeast {
            count: 5,
            within: Duration::from_mins(1),
        }),
        wait: Duration::ZERO,
        every: Duration::from_mins(1),
        quiet: Duration::from_hours(1),
        remind: Some(Duration::from_hours(4)),
        ring: Ring::First,
        limit: Some(Rate {
            count: 5,
            per: Duration::from_hours(24),
        }),
        ..RuleSettings::new("panic", "me")
    };
    assert_eq!(settings.incident.rules, [expected]);
    let scan = &settings.logs[0].scan.rules[0];
    assert_eq!(
        (sources(&scan.matches), sources(&scan.all)),
        (vec!["panicked at"], vec!["x(?P<user>\\d+)"])
    );
    assert_eq!(
        (sources(&scan.unless), sources(&scan.resolve)),
        (vec!["no"], vec!["up", "back"])
    );
    assert_eq!(
        (scan.name.as_str(), &scan.by),
        ("panic", &vec!["user".to_owned(), "file".into()])
    );
}

#[test]
fn what_must_keep_appearing_arrives_without_what_defaults_say_of_matches() {
    let keys = "absent = \"26h\"\n[defaults]\nby = [\"file\"]\nat_least = { count = 5, within = \"1m\" }\nring = \"all\"\n";
    let settings = right(&format!("{}{keys}", plain()));
    let expected = RuleSettings {
        absent: Some(Absent {
            after: Duration::from_hours(26),
            logs: vec![LogName::new("app")],
        }),
        ..RuleSettings::new("panic", "me")
    };
    assert_eq!(settings.incident.rules, [expected]);
    assert!(settings.logs[0].scan.rules[0].by.is_empty());
}

#[test]
fn what_a_rule_hides_is_hidden_besides_what_all_rules_hide() {
    let keys = "redact = ['account=\\d+', 'iban']\n[defaults]\nredact = 'badge-\\w+'\n";
    let settings = right(&format!("{}{keys}", plain()));
    let redact = &settings.logs[0].scan.rules[0].redact;
    assert_eq!(sources(redact), ["badge-\\w+", "account=\\d+", "iban"]);
    assert!(right(&plain()).logs[0].scan.rules[0].redact.is_empty());
}

#[test]
fn tests_that_hold_are_counted() {
    let tests = "all = 'now'\nunless = 'not'\nresolve = 'over'\ntests = [\n\
        { line = \"panicked at now\", match = true },\n{ line = 'panicked at', match = false },\n\
        { line = \"not panicked at now\", match = false },\n{ line = \"panicked at now: over\", match = false },\n]\n\
        [[rules]]\nname = \"b\"\nmatch = '^$'\n[[rules.tests]]\nline = \"\"\nmatch = true\n";
    assert_eq!(right(&format!("{}{tests}", plain())).tests, 5);
    assert_eq!(right(&plain()).tests, 0);
}

#[test]
fn all_lines_are_not_limited_unless_somebody_says_so() {
    assert_eq!(rule("ring = \"all\"").limit, None);
    let limit = Some(Rate {
        count: 1,
        per: Duration::from_mins(1),
    });
    assert_eq!(rule("ring = \"all\"\nlimit = \"1/min\"").limit, limit);
    assert_eq!(rule("ring = \"all\"\n[defaults]\nlimit = \"1/min\"").limit, limit);
}

#[test]
fn defaults_speak_where_a_rule_is_silent() {
    let defaults = "[defaults]\nseverity = \"info\"\nchats = \"b\"\nlogs = \"app\"\nunless = 'no'\nby = \"host\"\nwait = \"1s\"\nevery = \"2s\"\n\
        quiet = \"3s\"\nring = \"first\"\nlimit = \"4/h\"\n";
    let silent = plain().replace("me = 53395910", "me = 53395910\nb = 8");
    let settings = right(&format!("{defaults}{silent}"));
    let expected = RuleSettings {
        severity: Severity::Info,
        by: vec!["host".into()],
        wait: Duration::from_secs(1),
        every: Duration::from_secs(2),
        quiet: Duration::from_secs(3),
        ring: Ring::First,
        limit: Some(Rate {
            count: 4,
            per: Duration::from_hours(1),
        }),
        ..RuleSettings::new("panic", "b")
    };
    assert_eq!(settings.incident.rules, [expected]);
    assert_eq!(sources(&settings.logs[0].scan.rules[0].unless), ["no"]);
    let own = "severity = \"error\"\nchats = [\"me\"]\nunless = []\nby = [\"log\"]\nwait = \"2s\"\nevery = \"30s\"\nquiet = \"10m\"\nring = \"new\"\nlimit = \"12/h\"\n";
    let settings = right(&format!("{defaults}{silent}{own}"));
    assert_eq!(
        settings.incident.rules,
        [RuleSettings {
            by: vec!["log".into()],
            ..RuleSettings::new("panic", "me")
        }]
    );
    assert!(settings.logs[0].scan.rules[0].unless.is_empty());
}

#[test]
fn each_log_gets_the_rules_that_look_at_it_in_their_order() {
    let text = format!(
        "{BASE}[[logs]]\nname = \"web\"\nfiles = \"w.log\"\n\
         [[rules]]\nname = \"z\"\nmatch = 'z'\n[[rules]]\nname = \"m\"\nmatch = 'm'\nlogs = \"web\"\n[[rules]]\nname = \"a\"\nmatch = 'a'\n"
    );
    let settings = right(&text);
    let rules = |log: usize| {
        settings.logs[log]
            .scan
            .rules
            .iter()
            .map(|rule| rule.name.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(rules(0), ["z", "a"]);
    assert_eq!(rules(1), ["z", "m", "a"]);
    let names: Vec<_> = settings.tail.logs.iter().map(|log| log.name.clone()).collect();
    assert_eq!(names, [LogName::new("app"), LogName::new("web")]);
    assert!(settings.logs.iter().map(|log| &log.name).eq(&names));
}

#[test]
fn variables_are_filled_in_in_every_string_and_nowhere_else() {
    let text = format!(
        "# ${{NONE}}\nhost = \"$${{A}}\"\n{}by = []\n",
        plain().replace("panicked at", "${WORD:-x}\\d{2}$")
    );
    let text = text.replace("by = []\n", "by = [\"${BY}\"]\n");
    let settings = with_env(&text, [("WORD", "a\"\nb = 1"), ("BY", "host")]);
    assert_eq!(
        sources(&settings.logs[0].scan.rules[0].matches),
        ["a\"\nb = 1\\d{2}$"]
    );
    assert_eq!(settings.incident.rules[0].by, ["host"]);
    assert_eq!(settings.message.host, "${A}");
}

#[test]
fn lists_that_may_be_empty_may_be_written_so() {
    let settings = right(&format!(
        "{}by = []\nunless = []\nall = []\nresolve = []\n",
        plain()
    ));
    assert_eq!(settings.incident.rules, [RuleSettings::new("panic", "me")]);
    right(&plain().replace("[[rules]]", "ignore = []\nexclude = []\n[[rules]]"));
}

#[test]
fn notices_go_to_the_chats_that_ask_for_them_else_to_the_first() {
    let noticed = |chats: &str| -> Vec<String> {
        let text = format!(
            "{BASE}[chats.b]\nid = 2\n[chats.c]\nid = 3\n[[rules]]\nname = \"r\"\nmatch = 'x'\nchats = \"b\"\n"
        );
        let text = chats.split_whitespace().fold(text, |text, name| {
            let (name, value) = name.split_once('=').unwrap();
            text.replace(
                &format!("[chats.{name}]\n"),
                &format!("[chats.{name}]\nnotices = {value}\n"),
            )
        });
        let names = right(&text).incident.notices;
        names.iter().map(ToString::to_string).collect()
    };
    assert_eq!(noticed(""), ["me"]);
    assert_eq!(noticed("c=true"), ["c"]);
    assert_eq!(noticed("b=true c=true"), ["b", "c"]);
    assert_eq!(noticed("b=false"), ["me"]);
    assert!(
        right(&plain().replace("[chats]\nme = 53395910", "[chats.me]\nid = 4242\nnotices = false"))
            .incident
            .notices
            .is_empty()
    );
}

#[test]
fn the_fence_stands_where_it_can_unless_rules_toml_says_otherwise() {
    assert_eq!(right(&plain()).fence, Fence::default());
    let text = format!(
        "{}[fence]\nlandlock = \"require\"\nread = [\"/var/log/pods\", \"/data\"]\n",
        plain()
    );
    let expected = Fence {
        landlock: Landlock::Require,
        read: vec!["/var/log/pods".into(), "/data".into()],
    };
    assert_eq!(right(&text).fence, expected);
}

#[test]
fn retention_is_a_week_or_what_is_written() {
    assert_eq!(right(&plain()).incident.retention, Duration::from_hours(7 * 24));
    let text = format!("retention = \"${{DAYS}}d\"\n{}", plain());
    let settings = with_env(&text, [("DAYS", "30")]);
    assert_eq!(settings.incident.retention, Duration::from_hours(30 * 24));
}

#[test]
fn health_has_the_defaults_of_the_contract_and_takes_others() {
    let health = right(&plain()).health;
    assert_eq!(
        (health.read_within, health.deliver_within),
        (Duration::from_secs(30), Duration::from_mins(5))
    );
    let text = format!(
        "{}[health]\nread_within = \"1m\"\ndeliver_within = \"90s\"\nheartbeat_url = \"https://hc-ping.com/x\"\n",
        plain()
    );
    let health = right(&text).health;
    assert_eq!(
        (health.read_within, health.deliver_within),
        (Duration::from_mins(1), Duration::from_secs(90))
    );
    assert_eq!(health.heartbeat, HeartbeatUrl::parse("https://hc-ping.com/x"));
}

#[test]
fn conditions_arrive_as_they_are_written() {
    let text = plain().replace(
        "[[rules]]",
        "format = \"json\"\n[[rules]]\nname = \"fields\"\nby = [\"user\"]\nwhere = { level = [\"error\", \"=fatal\"], \
         http.status = \">=500\", \"a.b\" = \"!=root\", trace = true, n = 7, x = 1.5, path = '~^/api' }\n[[rules]]",
    );
    let settings = right(&text);
    let conditions = &settings.logs[0].scan.rules[0].conditions;
    let told: Vec<_> = conditions
        .iter()
        .map(|condition| format!("{}: {:?}", condition.field, condition.any))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    level: [Is("error"), Is("fatal")]
    http.status: [Than(AtLeast, 500.0)]
    a.b: [IsNot("root")]
    trace: [There(true)]
    n: [Is("7")]
    x: [Is("1.5")]
    path: [Finds(Pattern { source: "^/api", regex: Regex("^/api"), across: false })]
    "#);
}

#[test]
fn tests_of_a_rule_are_lines_of_its_logs() {
    let text = plain().replace(
        "[[rules]]",
        "format = \"docker\"\n[[rules]]\nname = \"fields\"\nwhere = { stream = \"stderr\", level = \"error\" }\nmatch = '^level'\n\
         tests = [{ line = '{\"log\":\"level=error\\n\",\"stream\":\"stderr\"}', match = true }, \
         { line = 'level=error', match = false }]\n[[rules]]",
    );
    assert_eq!(right(&text).tests, 2);
}

/// [`plain`] with a chat as a table that holds these lines.
fn chat(lines: &str) -> String {
    plain().replace(
        "[chats]\nme = 53395910\n",
        &format!("[chats.me]\nid = 53395910\n{lines}\n"),
    )
}

#[test]
fn silent_hours_are_of_the_chats_zone_else_of_the_environments() {
    let hours = |settings: super::Settings| settings.incident.silent[&ChatName::new("me")].clone();
    let seoul = hours(right(&chat(
        "silent_hours = '22:00-07:00'\ntimezone = 'Asia/Seoul'",
    )));
    let zone = jiff::tz::TimeZone::get("Asia/Seoul").unwrap();
    assert_eq!((seoul.from, seoul.to, seoul.zone), (1_320, 420, zone));
    let here = hours(with_env(
        &chat("silent_hours = '12:30-24:00'"),
        [("TZ", "Europe/Berlin")],
    ));
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    assert_eq!((here.from, here.to, here.zone), (750, 1_440, zone));
    assert!(right(&plain()).incident.silent.is_empty());
}

#[test]
fn a_chat_gets_the_rules_of_its_level_and_above() {
    let text = |severity: &str| {
        let chats = "[chats]\nme = 7\n[chats.ops]\nid = -8\nshow_level = 'error'\n";
        let rule = format!("chats = ['ops', 'me']\nseverity = '{severity}'\n");
        format!("{}{rule}", plain().replace("[chats]\nme = 53395910\n", chats))
    };
    let told = |severity| right(&text(severity)).incident.rules.remove(0).chats;
    assert_eq!(told("warning"), [ChatName::new("me")]);
    assert_eq!(told("error"), [ChatName::new("ops"), ChatName::new("me")]);
    assert_eq!(told("critical"), [ChatName::new("ops"), ChatName::new("me")]);
}

#[test]
fn a_rule_attaches_its_lines_where_it_or_the_defaults_say_so() {
    let attaches = |defaults: &str, rule: &str| {
        let text = format!("{}{rule}[defaults]\n{defaults}", plain());
        right(&text).incident.rules[0].attach
    };
    assert!(!attaches("", ""));
    assert!(attaches("", "attach = \"lines\"\n"));
    assert!(attaches("attach = \"lines\"\n", ""));
    assert!(!attaches("attach = \"lines\"\n", "attach = \"off\"\n"));
    assert!(!attaches("attach = \"lines\"\n", "ring = \"all\"\n"));
}
