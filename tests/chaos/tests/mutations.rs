//! The checker passes the files of an honest run, and no spoiled copy of them.
//!
//! The run is written by hand: a small one, as a program without a fault would leave it. `chaos pr` does the same
//! with the files of its real rounds.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use botapi::{Request, Verdict};
use chaos::checker;
use chaos::jsonl::Journal;
use chaos::line::{Id, Line, Rule, Word};
use chaos::mutation::Mutation;
use chaos::notes::Note;
use chaos::site::{Manner, Site, chat_name};
use chaos::truth::Truth;
use serde_json::json;

/// Six lines of each rule, by one writer.
fn lines() -> Vec<Line> {
    let of = |(rule, number): (Rule, u64)| Line {
        word: Word::Rule(rule),
        unit: "u1".to_owned(),
        id: Id { series: 1, number },
        leaks: false,
    };
    let rules = Rule::of_round(false).flat_map(|rule| [rule; 6]);
    rules.zip(0..).map(of).collect()
}

/// The server's record, as it grows.
struct Record {
    file: Journal<Request>,
    next: u64,
}

impl Record {
    fn say(&mut self, chat: i64, text: &str, verdict: Verdict) {
        let request = Request {
            n: self.next,
            at: self.next,
            method: "sendMessage".to_owned(),
            chat: Some(chat),
            body: json!({ "text": text }),
            verdict,
            fault: None,
        };
        self.next += 1;
        self.file.append(&request).unwrap();
    }
}

/// What a chat is told of a rule: a batch of lines, or a live message and its edit.
fn tell(record: &mut Record, rule: Rule, chat: i64, lines: &[&Line], message_id: i64) {
    let name = rule.name();
    let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
    if rule.forwards() {
        let head = format!("🔴 {name} on chaos\n6 matches\n12:00:01 – 12:00:02\n/logs/app.log\nlines 1-6");
        let text = format!("{head}\n{}", text.join("\n"));
        return record.say(chat, &text, Verdict::Stored { message_id });
    }
    let live = |total: &str, line: &str| {
        format!("🔴 {name} on chaos\nunit=u1\n{total}\n12:00:01 – 12:00:02\n/logs/app.log\n{line}")
    };
    record.say(chat, &live("1 match", &text[0]), Verdict::Stored { message_id });
    let newest = format!("6× {}\nlatest:\n{}", text[0], text[5]);
    record.say(chat, &live("6 matches", &newest), Verdict::Edited { message_id });
}

fn honest_run(folder: &Path) -> Site {
    let site = Site::build(folder, Manner::default()).unwrap();
    let lines = lines();
    let truth = Journal::open(&site.truth()).unwrap();
    let wrote = Truth::Wrote {
        file: "app.log".to_owned(),
        lines: lines.clone(),
    };
    truth.append(&wrote).unwrap();
    let notes = Journal::open(&site.notes()).unwrap();
    notes.append(&Note::Calm { at: 0 }).unwrap();
    let ended = Note::Ended {
        code: Some(0),
        in_flight: 0,
        took: 20,
    };
    notes.append(&ended).unwrap();
    let mut record = Record {
        file: Journal::open(&site.record()).unwrap(),
        next: 1,
    };
    let mut ledger = Vec::new();
    let mut id = 0;
    // The rules that count come last, so that the record ends with a live message.
    for rule in [
        Rule::Every,
        Rule::Canary,
        Rule::Mend,
        Rule::Brief,
        Rule::Few,
        Rule::Storm,
    ] {
        let of_rule: Vec<&Line> = lines
            .iter()
            .filter(|line| line.word == Word::Rule(rule))
            .collect();
        for chat in rule.chats() {
            id += 1;
            tell(&mut record, rule, *chat, &of_rule, id);
            let shown = if rule.forwards() { 6 } else { 2 };
            ledger.push(json!({
                "rule": rule.name(), "chat": chat_name(*chat), "matched": 6, "shown": shown, "counted": 6 - shown,
                "muted": 0, "failed": 0, "pending": 0,
            }));
        }
    }
    let status = json!({ "logs": [], "ledger": ledger, "gaps": [] });
    fs::write(site.status(), status.to_string()).unwrap();
    fs::write(site.log(), "INFO started\nINFO stopped\n").unwrap();
    site
}

#[test]
fn an_honest_run_passes() {
    let folder = tempfile::tempdir().unwrap();
    let site = honest_run(&folder.path().join("run"));
    let verdict = checker::read(&site).unwrap().verdict();
    assert_eq!(verdict.wrong, Vec::<String>::new());
    assert_eq!((verdict.figures.lines, verdict.figures.matches), (36, 36));
}

#[test]
fn every_way_to_spoil_a_run_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let site = honest_run(&folder.path().join("run"));
    for mutation in Mutation::ALL {
        let noticed = mutation
            .is_noticed(&site, &folder.path().join("spoiled"))
            .unwrap();
        assert!(noticed, "{mutation:?} went unnoticed");
    }
}

/// The figures of an honest run whose end was another one.
fn judged(ended: &Note) -> chaos::verdict::Figures {
    let folder = tempfile::tempdir().unwrap();
    let site = honest_run(&folder.path().join("run"));
    let notes = Journal::open(&site.notes()).unwrap();
    notes.append(ended).unwrap();
    let verdict = checker::read(&site).unwrap().verdict();
    assert_eq!(verdict.passes(), verdict.figures.bad_ends == 0);
    verdict.figures
}

#[test]
fn who_is_asked_to_end_waits_for_what_is_under_way_unless_it_takes_too_long() {
    let ended = |in_flight, took| {
        let figures = judged(&Note::Ended {
            code: Some(0),
            in_flight,
            took,
        });
        (figures.bad_ends, figures.struck)
    };
    assert_eq!(ended(0, 20), (0, 0));
    assert_eq!(ended(2, 20), (1, 2));
    assert_eq!(ended(2, 8_100), (0, 2));
}

#[test]
fn an_edit_of_rules_toml_that_no_message_shows_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let untold = |host: &str| {
        let site = honest_run(&folder.path().join(host));
        let notes = Journal::open(&site.notes()).unwrap();
        let host = host.to_owned();
        notes.append(&Note::Edited { host }).unwrap();
        let verdict = checker::read(&site).unwrap().verdict();
        assert_eq!(verdict.passes(), verdict.figures.untold == 0);
        verdict.figures.untold
    };
    // The host that the messages of an honest run name, and one that begins like it.
    assert_eq!((untold("chaos"), untold("chaos-2")), (0, 1));
}

#[test]
fn a_run_without_files_does_not_pass() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::build(folder.path(), Manner::default()).unwrap();
    assert!(!checker::read(&site).unwrap().verdict().passes());
}
