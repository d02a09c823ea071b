//! Typical cards, as they read on a phone. `⟪…⟫` marks code, `┃` a block, `▸` a folded block, `*…*` bold.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{Settings, notices, render};
use crate::model::{
    Absence, Account, Bound, By, Card, CardKind, Carried, Changed, Changes, ChatName, Digest, Ended,
    EntityKind, FileKey, Gap, GapKind, Hindsight, Incident, IncidentId, KeptLine, LogName, Moment, Names,
    Notice, NoticeCard, Now, Origin, Phase, Rendered, RuleName, RulesProblem, Severity, ShapeCount, ShapeId,
    Text, Timer, Timestamp, Values,
};

pub(super) fn settings() -> Settings {
    Settings {
        host: "web-1".into(),
        zone: jiff::tz::TimeZone::UTC,
        rules: BTreeMap::new(),
    }
}

pub(super) fn at(text: &str) -> Timestamp {
    Timestamp(
        format!("2026-11-21T{text}Z")
            .parse::<jiff::Timestamp>()
            .unwrap()
            .as_millisecond(),
    )
}

pub(super) fn line(nth: u64, shape: u64, text: &str) -> KeptLine {
    KeptLine {
        origin: Origin {
            file: FileKey(1),
            offset: nth,
        },
        path: "/logs/app/api.log".into(),
        at: at("02:10:04"),
        nth,
        shape: ShapeId(shape),
        text: text.into(),
        cut: false,
    }
}

pub(super) fn shape(id: u64, count: u64, nth: u64, last: &str, sample: &str) -> ShapeCount {
    ShapeCount {
        id: ShapeId(id),
        sample: sample.chars().take(300).collect(),
        nth,
        count,
        last: at(last),
    }
}

pub(super) fn incident(shapes: Vec<ShapeCount>, newest: KeptLine) -> Incident {
    let timer = Timer::start(Moment(0), Duration::from_mins(10));
    Incident {
        id: IncidentId(7),
        rule: RuleName::new("exception"),
        by: By::from_iter([("service".into(), "payments".into())]),
        severity: Severity::Error,
        phase: Phase::Open,
        quiet: timer,
        first: at("02:10:04"),
        last: at("02:17:41"),
        logged: None,
        total: shapes.iter().map(|shape| shape.count).sum(),
        shapes,
        other: 0,
        lines: VecDeque::from([newest]),
        files: vec![Arc::from("/logs/app/api.log")],
        absent: None,
        values: Values::new(),
        context: None,
        saved: Now::default(),
    }
}

pub(super) fn card(incident: &Incident) -> Card<'_> {
    Card {
        incident,
        kind: CardKind::Live,
        repeat: false,
        short: false,
        told_elsewhere: 0,
        carried: None,
    }
}

fn over(mut incident: Incident, ended: Ended) -> Incident {
    incident.phase = Phase::Over {
        at: at("02:22:10"),
        ended,
    };
    incident
}

/// The message as plain text with its entities drawn in.
fn drawn(Text { text, entities, .. }: &Text) -> String {
    let mut out = String::new();
    let mut unit = 0;
    let mut block = "";
    for c in text.chars() {
        for entity in entities.iter().filter(|entity| entity.offset == unit) {
            match entity.kind {
                EntityKind::Bold => out.push('*'),
                EntityKind::Code => out.push('⟪'),
                EntityKind::Italic
                | EntityKind::Underline
                | EntityKind::Strikethrough
                | EntityKind::Spoiler
                | EntityKind::TextLink
                | EntityKind::Blockquote => out.push('‹'),
                EntityKind::ExpandableBlockquote => block = "▸",
                EntityKind::Pre => {
                    block = if block.is_empty() { "┃" } else { block };
                    out.push_str(block);
                }
            }
        }
        unit += c.len_utf16();
        out.push(c);
        if c == '\n' {
            out.push_str(block);
        }
        for entity in entities
            .iter()
            .filter(|entity| entity.offset + entity.length == unit)
        {
            match entity.kind {
                EntityKind::Bold => out.push('*'),
                EntityKind::Code => out.push('⟫'),
                EntityKind::Pre => block = "",
                EntityKind::Italic
                | EntityKind::Underline
                | EntityKind::Strikethrough
                | EntityKind::Spoiler
                | EntityKind::TextLink
                | EntityKind::Blockquote => out.push('›'),
                EntityKind::ExpandableBlockquote => {}
            }
        }
    }
    out
}

fn shown(card: &Card<'_>) -> String {
    drawn(&render(&settings(), card).text)
}

fn one() -> Incident {
    let mut incident = incident(
        vec![shape(1, 1, 1, "02:10:04", "ValueError: x")],
        line(1, 1, "ValueError: x"),
    );
    incident.last = incident.first;
    incident
}

fn storm() -> Incident {
    incident(
        vec![
            shape(1, 4_800, 1, "02:17:40", "ERROR pool timeout after 30s"),
            shape(2, 12, 9, "02:17:41", "ERROR upstream 502 from 10.0.0.7"),
        ],
        line(4_812, 2, "ERROR upstream 502 from 10.0.0.9"),
    )
}

#[test]
fn one_match() {
    insta::assert_snapshot!(shown(&card(&one())), @r"
    🔴 ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *1 match*
    02:10:04
    ⟪/logs/app/api.log⟫
    ┃ValueError: x
    ");
}

#[test]
fn a_storm_of_two_shapes() {
    insta::assert_snapshot!(shown(&card(&storm())), @r"
    🔴 ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *4,812 matches*
    02:10:04 – 02:17:41
    ⟪/logs/app/api.log⟫
    ┃4,800× ERROR pool timeout after 30s
    ┃   12× ERROR upstream 502 from 10.0.0.7
    latest:
    ┃ERROR upstream 502 from 10.0.0.9
    ");
}

#[test]
fn over_after_a_while() {
    insta::assert_snapshot!(shown(&card(&over(storm(), Ended::Quiet))), @r"
    ✅ ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *over after 12 min, 4,812 matches*
    02:10:04 – 02:17:41
    ⟪/logs/app/api.log⟫
    ┃4,800× ERROR pool timeout after 30s
    ┃   12× ERROR upstream 502 from 10.0.0.7
    latest:
    ┃ERROR upstream 502 from 10.0.0.9
    ");
}

#[test]
fn the_rule_left() {
    insta::assert_snapshot!(shown(&card(&over(one(), Ended::RuleRemoved))), @r"
    ⚪ ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *rule removed: over after 12 min, 1 match*
    02:10:04
    ⟪/logs/app/api.log⟫
    ┃ValueError: x
    ");
}

#[test]
fn the_rule_says_something_else_now() {
    insta::assert_snapshot!(shown(&card(&over(one(), Ended::RuleChanged))), @r"
    ⚪ ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *rule changed: over after 12 min, 1 match*
    02:10:04
    ⟪/logs/app/api.log⟫
    ┃ValueError: x
    ");
}

/// What the next sign of life ends.
fn nothing_found(last: Option<Timestamp>) -> Incident {
    let mut incident = one();
    (incident.rule, incident.by) = (RuleName::new("backup-missing"), By::default());
    (incident.lines, incident.shapes, incident.files, incident.other) = ([].into(), vec![], vec![], 1);
    let after = Duration::from_hours(26);
    incident.absent = Some(Absence { after, last });
    incident
}

#[test]
fn what_is_absent_says_for_how_long_and_when_it_was_there_last() {
    let yesterday = Timestamp(at("00:10:04").0 - 86_400_000);
    insta::assert_snapshot!(shown(&card(&nothing_found(Some(yesterday)))), @r"
    🔴 ⟪backup-missing⟫ on ⟪web-1⟫
    *nothing found for 1 d 2 h*
    last found Nov 20 00:10:04
    ");
    insta::assert_snapshot!(shown(&card(&nothing_found(None))), @r"
    🔴 ⟪backup-missing⟫ on ⟪web-1⟫
    *nothing found for 1 d 2 h*
    ");
    let incident = nothing_found(None);
    let reminder = Card {
        kind: CardKind::Reminder { at: at("06:10:05") },
        ..card(&incident)
    };
    insta::assert_snapshot!(shown(&reminder), @r"
    🔴 ⟪backup-missing⟫ on ⟪web-1⟫
    *still nothing found, for 1 d 6 h*
    ");
    let line = "INFO backup finished".to_owned();
    let found = over(nothing_found(None), Ended::Resolved { line });
    insta::assert_snapshot!(shown(&card(&found)), @r"
    ✅ ⟪backup-missing⟫ on ⟪web-1⟫
    *resolved: over after 12 min, nothing found for 1 d 2 h*
    ");
}

#[test]
fn a_stack_trace_is_folded() {
    let trace = "Traceback (most recent call last):\n  File \"app.py\", line 7\n\tpay()\nValueError: x";
    let incident = incident(vec![shape(1, 3, 1, "02:17:41", trace)], line(3, 1, trace));
    insta::assert_snapshot!(shown(&card(&incident)), @r#"
    🔴 ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *3 matches*
    02:10:04 – 02:17:41
    ⟪/logs/app/api.log⟫
    ▸Traceback (most recent call last):
    ▸  File "app.py", line 7
    ▸    pay()
    ▸ValueError: x
    "#);
}

#[test]
fn a_follow_up_shows_the_new_shape() {
    let incident = storm();
    let card = Card {
        kind: CardKind::FollowUp(vec![ShapeId(2)]),
        ..card(&incident)
    };
    insta::assert_snapshot!(shown(&card), @r"
    🔴 new in ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *4,812 matches*
    02:10:04 – 02:17:41
    ┃12× ERROR upstream 502 from 10.0.0.7
    ");
}

#[test]
fn a_rise_in_severity_says_how_bad_it_is_by_now() {
    let mut incident = storm();
    incident.severity = Severity::Critical;
    let raised = |shapes| Card {
        kind: CardKind::Raised(shapes),
        ..card(&incident)
    };
    insta::assert_snapshot!(shown(&raised(vec![])), @r"
    🚨 now critical: ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *4,812 matches*
    02:10:04 – 02:17:41
    ");
    insta::assert_snapshot!(shown(&raised(vec![ShapeId(2)])), @r"
    🚨 now critical: ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *4,812 matches*
    02:10:04 – 02:17:41
    ┃12× ERROR upstream 502 from 10.0.0.7
    ");
}

#[test]
fn a_reminder_says_how_long_it_has_gone_on_and_how_many_there_were() {
    let incident = storm();
    let card = Card {
        kind: CardKind::Reminder { at: at("06:10:05") },
        ..card(&incident)
    };
    insta::assert_snapshot!(shown(&card), @r"
    🔴 ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *still going on after 4 h, 4,812 matches*
    02:10:04 – 02:17:41
    ");
}

#[test]
fn the_line_that_resolved_it() {
    let incident = over(
        storm(),
        Ended::Resolved {
            line: "INFO connection restored".into(),
        },
    );
    let card = Card {
        kind: CardKind::Resolved,
        ..card(&incident)
    };
    insta::assert_snapshot!(shown(&card), @r"
    ✅ ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *resolved: over after 12 min, 4,812 matches*
    02:10:04 – 02:17:41
    resolved by:
    ┃INFO connection restored
    ");
}

#[test]
fn a_batch_of_lines() {
    let incident = storm();
    let lines = [
        line(41, 2, "ERROR upstream 502 from 10.0.0.7"),
        line(42, 1, "ERROR pool timeout after 30s"),
    ];
    let kind = CardKind::Lines {
        lines: lines.iter().collect(),
        before: 40,
        dropped: 1_204,
    };
    insta::assert_snapshot!(shown(&Card { kind, ..card(&incident) }), @r"
    🔴 ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *4,812 matches*
    02:10:04 – 02:17:41
    ⟪/logs/app/api.log⟫
    lines 41-42
    1,204 more lines were not kept
    ┃ERROR upstream 502 from 10.0.0.7
    ┃ERROR pool timeout after 30s
    ");
}

#[test]
fn a_message_that_carries_others_and_may_repeat() {
    let mut incident = storm();
    incident.severity = Severity::Critical;
    incident.first = Timestamp(at("23:50:00").0 - 86_400_000);
    let by = |value: &str| By::from_iter([("service".into(), value.into())]);
    let carried = Carried {
        incidents: 7,
        matches: 1_204,
        first: at("02:10:00"),
        last: at("07:40:00"),
        largest: vec![(by("auth"), 900), (by("@all #x"), 200), (by("/start"), 4)],
    };
    let card = Card {
        repeat: true,
        told_elsewhere: 800,
        carried: Some(&carried),
        ..card(&incident)
    };
    insta::assert_snapshot!(shown(&card), @r"
    🚨 ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    ⚠ *may repeat* an earlier message
    *4,812 matches*, of them 800 told before
    Nov 20 23:50:00 – 02:17:41
    ⟪/logs/app/api.log⟫
    7 earlier incidents, 1,204 matches, 02:10-07:40, were held back; most in ⟪service=auth⟫ 900, ⟪service=@all #x⟫ 200, ⟪service=/start⟫ 4
    ┃4,800× ERROR pool timeout after 30s
    ┃   12× ERROR upstream 502 from 10.0.0.7
    latest:
    ┃ERROR upstream 502 from 10.0.0.9
    ");
}

#[test]
fn more_files_than_are_named_and_matches_without_a_shape() {
    let mut incident = storm();
    incident.files = ["a", "b", "c", "d", "e"]
        .map(|name| Arc::from(format!("/logs/{name}.log")))
        .into();
    (incident.other, incident.total) = (5, 4_817);
    insta::assert_snapshot!(shown(&card(&incident)), @r"
    🔴 ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *4,817 matches*
    02:10:04 – 02:17:41
    ⟪/logs/c.log⟫
    ⟪/logs/d.log⟫
    ⟪/logs/e.log⟫ and 2 others
    … 5 matches of other shapes
    ┃4,800× ERROR pool timeout after 30s
    ┃   12× ERROR upstream 502 from 10.0.0.7
    latest:
    ┃ERROR upstream 502 from 10.0.0.9
    ");
}

#[test]
fn what_the_records_say_of_the_time_stands_beside_ours_where_it_is_another() {
    let mut incident = storm();
    let logged = |first, last| {
        Some(crate::model::Logged {
            first: at(first),
            last: at(last),
        })
    };
    incident.logged = logged("02:10:00", "02:17:40");
    assert!(!shown(&card(&incident)).contains("in the log"));
    incident.logged = logged("01:10:00", "02:17:40");
    let text = shown(&card(&incident));
    assert!(text.contains("\nin the log 01:10:00 – 02:17:40"), "{text}");
}

#[test]
fn hostile_text_is_only_text() {
    let text = "\u{1b}[31m<b>x</b> @admin #tag /start http://evil.example \u{202e}gnp.exe\u{1b}]0;pwn\u{7}";
    let mut incident = incident(vec![shape(1, 2, 1, "02:17:41", "old text")], line(2, 1, text));
    incident.by = By::from_iter([("user".into(), "@bob\n🔴 forged".into())]);
    insta::assert_snapshot!(shown(&card(&incident)), @r"
    🔴 ⟪exception⟫ on ⟪web-1⟫
    ⟪user=@bob␊🔴 forged⟫
    *2 matches*
    02:10:04 – 02:17:41
    ⟪/logs/app/api.log⟫
    ┃2× old text
    latest:
    ┃<b>x</b> @admin #tag /start http://evil.example ⟨U+202E⟩gnp.exe
    ");
}

#[test]
fn the_oldest_of_many_shapes_give_way() {
    let sample = |n: u64| format!("{n:03} {}", "long text of a shape ".repeat(12));
    let shapes: Vec<_> = (1..=200)
        .map(|n| shape(n, n, n, "02:17:41", &sample(n)))
        .collect();
    let incident = incident(
        shapes,
        line(20_100, 200, &"trace of the newest line, ".repeat(600)),
    );
    let rendered: Rendered = render(&settings(), &card(&incident));
    let text = &rendered.text.text;
    assert!(
        text.contains("20,100 matches") && text.contains("more shapes, "),
        "{text}"
    );
    assert!(
        text.contains("200× 200 long") && !text.contains("  1× 001 long"),
        "{text}"
    );
    assert!(text.contains("trace of the newest line, trace of the"), "{text}");
    assert!(rendered.covers.shown.contains(&20_100) && rendered.covers.shapes.contains(&ShapeId(200)));
    assert!(
        rendered.text.text.encode_utf16().count() > 3_900,
        "the room is used"
    );
}

#[test]
fn an_edit_of_a_batch_shows_the_same_lines_whatever_became_of_its_head() {
    let mut incident = storm();
    let lines: Vec<_> = (1..200)
        .map(|n| line(n, 1, &format!("line {n} {}", "x".repeat(40))))
        .collect();
    let batch = |lines: Vec<_>| CardKind::Lines {
        lines,
        before: u64::MAX / 2,
        dropped: u64::MAX,
    };
    let opening = render(
        &settings(),
        &Card {
            kind: batch(lines.iter().collect()),
            ..card(&incident)
        },
    );
    let kept = &lines[..opening.covers.lines];
    incident.total = u64::MAX;
    incident.first = Timestamp(0);
    incident.files = (0..8)
        .map(|n| Arc::from(format!("/logs/{n}/{}", "d".repeat(200))))
        .collect();
    incident = over(incident, Ended::RuleRemoved);
    let edit = Card {
        repeat: true,
        told_elsewhere: u64::MAX,
        kind: batch(kept.iter().collect()),
        ..card(&incident)
    };
    let edited = render(&settings(), &edit);
    assert_eq!(edited.covers, opening.covers);
    assert!(kept.iter().all(|line| edited.text.text.contains(&line.text)));
}

#[test]
fn a_short_message_keeps_its_head_and_little_of_the_log() {
    let poison = "ERROR ".to_owned() + &"poison ".repeat(600);
    let incident = incident(vec![shape(1, 7, 7, "02:17:41", &poison)], line(7, 1, &poison));
    let short = Card {
        short: true,
        ..card(&incident)
    };
    let text = shown(&short);
    let (head, log) = text.rsplit_once('\n').unwrap();
    insta::assert_snapshot!(head, @r"
    🔴 ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *7 matches*
    02:10:04 – 02:17:41
    ⟪/logs/app/api.log⟫
    ");
    assert!(log.contains("poison") && log.len() < 520, "{log}");
    let lines: Vec<_> = (1..40).map(|nth| line(nth, 1, &poison[..90])).collect();
    let batch = Card {
        kind: CardKind::Lines {
            lines: lines.iter().collect(),
            before: 0,
            dropped: 9,
        },
        ..short.clone()
    };
    assert_eq!(render(&settings(), &batch).covers.lines, 5);
    let full = Card {
        short: false,
        ..batch
    };
    assert!(render(&settings(), &full).covers.lines > 30);
}

fn told(list: &[Notice], dropped: u64, repeat: bool) -> String {
    told_at("02:10:04", list, dropped, repeat)
}

/// What was noticed at 02:10:04 and is told then.
fn told_at(now: &str, list: &[Notice], dropped: u64, repeat: bool) -> String {
    let waiting = list
        .iter()
        .map(|notice| (at("02:10:04"), notice.clone()))
        .collect();
    let card = NoticeCard {
        notices: &waiting,
        dropped,
        repeat,
        short: false,
        now: at(now),
    };
    drawn(&notices(&settings(), &card))
}

fn started(fresh: Option<u64>, set_aside: u64, earlier: u64) -> Notice {
    Notice::Started {
        files: 14,
        rules: 6,
        fresh,
        set_aside,
        rolled_back: set_aside == 1,
        earlier,
    }
}

#[test]
fn a_start_says_what_is_followed() {
    insta::assert_snapshot!(told(&[started(None, 0, 0)], 0, false), @"ℹ started on ⟪web-1⟫, following 14 files, 6 rules");
}

#[test]
fn a_start_says_what_was_not_found_and_what_nobody_was_told() {
    insta::assert_snapshot!(told(&[started(Some(14), 2, 3)], 0, true), @r"
    ⚠ *may repeat* an earlier message
    ℹ started on ⟪web-1⟫, following 14 files, 6 rules
    2 pieces of the state are damaged and were set aside; the log says which
    no state found; 14 files are followed from their end
    3 starts before this one were not told
    ");
}

#[test]
fn a_start_says_that_commits_were_lost() {
    insta::assert_snapshot!(told(&[started(None, 1, 0)], 0, false), @r"
    ℹ started on ⟪web-1⟫, following 14 files, 6 rules
    1 piece of the state is damaged and was set aside; the log says which
    the state is older than it was left; some may be told again
    ");
}

#[test]
fn a_start_that_is_told_late_says_when_it_was() {
    let late = told_at("02:40:00", &[started(Some(0), 0, 0)], 0, false);
    insta::assert_snapshot!(late, @r"
    ℹ 02:10:04 started on ⟪web-1⟫, following 14 files, 6 rules
    no state found
    ");
}

fn names(names: &[&str]) -> Names {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_reload_says_what_changed_and_what_it_would_have_found() {
    let changes = Changes {
        rules: Changed {
            added: names(&["oom"]),
            changed: names(&["exception"]),
            ..Changed::default()
        },
        ..Changes::default()
    };
    let hindsight = vec![Hindsight {
        rule: "oom".into(),
        found: 3,
        of: 12_000,
    }];
    let reloaded = Notice::Reloaded {
        changes: Box::new(changes),
        hindsight,
    };
    insta::assert_snapshot!(told(&[reloaded], 0, false), @r"
    ℹ on ⟪web-1⟫
    02:10:04 rules reloaded: +1 rule ⟪oom⟫, ~1 rule ⟪exception⟫; ⟪oom⟫ would have matched 3 of the last 12,000 lines
    ");
}

#[test]
fn a_reload_of_everything_says_what_fits_and_what_needs_a_restart() {
    let many = names(&[
        "rule-one",
        "rule-two",
        "rule-three",
        "rule-four",
        "rule-five",
        "rule-six",
        "rule-seven",
    ]);
    let all = Changed {
        added: many.clone(),
        changed: many.clone(),
        removed: many,
    };
    let changes = Changes {
        rules: all.clone(),
        logs: all,
        chats: Changed {
            removed: names(&["ops"]),
            ..Changed::default()
        },
        others: names(&["host"]),
        restart: names(&["proxy", "token_file"]),
    };
    let reloaded = Notice::Reloaded {
        changes: Box::new(changes),
        hindsight: Vec::new(),
    };
    insta::assert_snapshot!(told(&[reloaded], 0, false), @r"
    ℹ on ⟪web-1⟫
    02:10:04 rules reloaded: +7 rules ⟪rule-one, rule-two, rule-three, rule-four, rule-five⟫ and 2 more, ~7 rules ⟪rule-one, rule-two, rule-three, rule-four, rule-five⟫ and 2 more, ~⟪host⟫, 29 more, in the log; only after a restart: ⟪proxy, token_file⟫
    ");
}

#[test]
fn a_broken_edit_is_told_with_its_place_and_its_cure() {
    let problem = RulesProblem {
        path: "/etc/tailgram/rules.toml".into(),
        line: Some(12),
        column: Some(1),
        what: "there is no key `evry` in [[rules]]".into(),
        cure: "did you mean `every`?".into(),
    };
    let broken = |at_start| Notice::NotReloaded {
        problem: Box::new(problem.clone()),
        more: u64::from(at_start),
        at_start,
    };
    insta::assert_snapshot!(told(&[broken(false), broken(true)], 0, false), @r"
    ⚠ on ⟪web-1⟫
    02:10:04 rules broken, those in force stay: ⟪/etc/tailgram/rules.toml:12:1⟫: ⟪there is no key `evry` in [[rules]]⟫; ⟪did you mean `every`?⟫
    02:10:04 rules broken, started with their last good copy: ⟪/etc/tailgram/rules.toml:12:1⟫: ⟪there is no key `evry` in [[rules]]⟫; ⟪did you mean `every`?⟫; 1 more problem
    ");
}

#[test]
fn mounts_that_hide_what_happens_are_told_with_the_cure() {
    let stale = Notice::StaleMount {
        path: "/etc/tailgram/rules.toml".into(),
    };
    let single = Notice::SingleMounts {
        paths: names(&["/logs/app.log", "/logs/web.log"]),
    };
    insta::assert_snapshot!(told(&[stale, single], 0, false), @r"
    ⚠ on ⟪web-1⟫
    02:10:04 ⟪/etc/tailgram/rules.toml⟫ is mounted as a single file and was replaced outside: what is written there is not seen here. Mount its folder instead, and restart
    02:10:04 mounted as single files: ⟪/logs/app.log, /logs/web.log⟫. When they are rotated outside, that is not seen here: mount their folder instead, and restart
    ");
}

#[test]
fn times_without_telegram_and_without_a_disk_are_told_with_what_they_cost() {
    let list = [
        Notice::Unreachable {
            from: at("02:10:04"),
            to: at("02:17:41"),
            incidents: 12,
        },
        Notice::Unreachable {
            from: at("02:10:04"),
            to: at("02:11:41"),
            incidents: 1,
        },
        Notice::Unwritten {
            from: at("02:10:04"),
            to: at("02:17:41"),
        },
    ];
    insta::assert_snapshot!(told(&list, 0, false), @r"
    ⚠ on ⟪web-1⟫
    02:10:04 Telegram was unreachable 02:10-02:17; 12 incidents were told late
    02:10:04 Telegram was unreachable 02:10-02:11; 1 incident was told late
    02:10:04 the state could not be written 02:10:04 – 02:17:41, and no log was read; what was written meanwhile is read now
    ");
}

#[test]
fn a_day_is_told_in_a_sentence_and_a_quiet_one_too() {
    let digest = Digest {
        from: Timestamp(at("02:10:04").0 - 86_400_000),
        to: at("02:10:04"),
        incidents: 12,
        rings: 5,
        account: Account {
            matched: 1_204,
            shown: 20,
            counted: 1_181,
            muted: 0,
            failed: 0,
        },
        pending: 3,
        noisiest: vec![(RuleName::new("exception"), 1_100), (RuleName::new("db"), 104)],
        quiet: names(&["backup", "oom"]),
    };
    let quiet = Digest {
        from: digest.from,
        to: digest.to,
        quiet: names(&["backup"]),
        ..Digest::default()
    };
    insta::assert_snapshot!(told(&[Notice::Digest(Box::new(digest)), Notice::Digest(Box::new(quiet))], 0, false), @r"
    ℹ on ⟪web-1⟫
    02:10:04 digest of Nov 20 02:10-02:10: 12 incidents, 5 rings; 1,204 matches: 20 shown, 1,181 counted, 3 pending; most from ⟪exception⟫ (1,100), ⟪db⟫ (104); nothing from ⟪backup, oom⟫
    02:10:04 digest of Nov 20 02:10-02:10: 0 incidents, 0 rings; 0 matches; nothing from ⟪backup⟫
    ");
}

#[test]
fn bounds_and_rules_that_match_too_much_are_told_with_the_cure() {
    let rule = || RuleName::new("exception");
    let overflow = |bound| Notice::Overflow { rule: rule(), bound };
    let list = [
        overflow(Bound::Incidents),
        overflow(Bound::Shapes),
        overflow(Bound::Lines),
        Notice::Greedy {
            rule: rule(),
            log: LogName::new("app"),
            percent: 60,
        },
    ];
    insta::assert_snapshot!(told(&list, 0, false), @r#"
    ⚠ on ⟪web-1⟫
    02:10:04 rule ⟪exception⟫ has 1,000 open incidents; further ones share one named others. Fewer values of by, or a shorter quiet, help
    02:10:04 rule ⟪exception⟫ has 200 kinds of lines in one incident; further kinds are counted and do not ring. Narrow it down, or tell incidents apart with by
    02:10:04 rule ⟪exception⟫ finds more than the chat takes: of the lines that wait some are counted and not sent. Narrow it down, or leave out ring = "all"
    02:10:04 rule ⟪exception⟫ matches about 60 % of the lines of log ⟪app⟫; if that is not meant, narrow it down with ⟪unless⟫
    "#);
}

#[test]
fn files_that_cannot_be_read_are_named_with_the_reason() {
    let list = [
        Notice::Unreadable {
            path: "/logs/app/api.log".into(),
            why: "Permission denied (os error 13)".into(),
        },
        Notice::Missing {
            log: LogName::new("nginx"),
            globs: "/logs/nginx/*.log".into(),
        },
        Notice::TooManyOpen,
        Notice::Deleted {
            files: 3,
            bytes: 1_288_490_188,
        },
        Notice::Readable {
            path: "/logs/app/web.log".into(),
        },
    ];
    insta::assert_snapshot!(told(&list, 12, false), @r"
    ⚠ on ⟪web-1⟫
    02:10:04 cannot read ⟪/logs/app/api.log⟫: ⟪Permission denied (os error 13)⟫
    02:10:04 log ⟪nginx⟫: no file matches ⟪/logs/nginx/*.log⟫; waiting for one
    02:10:04 more files match than this process may hold open: raise its limit (ulimit -n), or narrow the globs
    02:10:04 deleted files are held open until they are read: 3 files, 1,228 MiB of disk
    02:10:04 reads ⟪/logs/app/web.log⟫ again
    and 12 more, in the log
    tailgram check --logs says what to change
    ");
}

#[test]
fn bytes_that_were_never_read_are_told_with_their_number() {
    let gap = |kind, bytes| {
        Notice::Gap(Gap {
            path: "/logs/app/api.log".into(),
            at: at("02:10:04"),
            kind,
            bytes,
        })
    };
    let list = [gap(GapKind::Truncated, 12_345), gap(GapKind::Vanished, 0)];
    insta::assert_snapshot!(told(&list, 0, false), @r"
    ⚠ on ⟪web-1⟫
    02:10:04 ⟪/logs/app/api.log⟫ was cut before it was read to its end; at least 12,345 bytes are lost
    02:10:04 ⟪/logs/app/api.log⟫ was gone after a restart before it was read to its end
    ");
}

#[test]
fn what_became_of_a_chat_is_told() {
    let chat = || ChatName::new("ops");
    let list = [
        Notice::Parked {
            chat: chat(),
            why: "Forbidden: bot was kicked from the group chat".into(),
        },
        Notice::GivenUp {
            chat: chat(),
            since: at("02:10:04"),
            until: Timestamp(at("02:10:04").0 + 7 * 86_400_000),
            matches: 1_204,
        },
        Notice::Returned { chat: chat() },
        Notice::Moved {
            chat: chat(),
            to: -1_001_234_567_890,
        },
        Notice::Refused {
            rule: RuleName::new("exception"),
            chat: chat(),
            matches: 12,
        },
    ];
    insta::assert_snapshot!(told(&list, 0, false), @r"
    ⚠ on ⟪web-1⟫
    02:10:04 chat ⟪ops⟫ takes no messages; what it is owed waits, and it is tried every hour: ⟪Forbidden: bot was kicked from the group chat⟫
    02:10:04 chat ⟪ops⟫ has been gone for 7 d; 1,204 matches given up and counted as failed
    02:10:04 chat ⟪ops⟫ takes messages again
    02:10:04 the group of chat ⟪ops⟫ became a supergroup; put ⟪id = -1001234567890⟫ into rules.toml
    02:10:04 Telegram refused a message of rule ⟪exception⟫ for chat ⟪ops⟫; 12 matches counted as failed
    ");
}

/// A second event of several lines, above the newest.
fn two_traces() -> Incident {
    let mut made = over(
        incident(vec![shape(1, 2, 1, "02:17:41", "a")], line(2, 1, "boom\n\tat b")),
        Ended::Quiet,
    );
    made.lines
        .push_front(line(1, 1, "boom\n\tat a\u{1b}[31m\r\n\tat c"));
    made
}

#[test]
fn a_document_holds_all_kept_lines_and_its_caption_says_of_what() {
    let made = two_traces();
    let rendered = render(
        &settings(),
        &Card {
            kind: CardKind::Document,
            ..card(&made)
        },
    );
    let document = rendered.document.unwrap();
    assert_eq!(document.name, "exception-2026-11-21.log");
    assert_eq!(document.content, "boom\n    at a\n    at c\nboom\n    at b\n");
    insta::assert_snapshot!(drawn(&rendered.text), @r"
    ✅ the lines of ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    *all 2 matches*
    02:10:04 – 02:17:41
    ");
}

#[test]
fn a_document_says_how_many_matches_are_not_in_it() {
    let mut made = two_traces();
    made.total = 4_812;
    let rendered = render(
        &settings(),
        &Card {
            kind: CardKind::Document,
            repeat: true,
            ..card(&made)
        },
    );
    insta::assert_snapshot!(drawn(&rendered.text), @r"
    ✅ the lines of ⟪exception⟫ on ⟪web-1⟫
    ⟪service=payments⟫
    ⚠ *may repeat* an earlier message
    *the newest 2 of 4,812 matches*
    02:10:04 – 02:17:41
    ");
}

#[test]
fn the_last_text_knows_whether_it_shows_every_line() {
    let whole = |incident: &Incident| render(&settings(), &card(incident)).covers.whole;
    let one = incident(vec![shape(1, 1, 1, "02:17:41", "boom")], line(1, 1, "boom"));
    assert!(!whole(&one), "nobody knows what comes");
    assert!(whole(&over(one, Ended::Quiet)));
    let mut alike = over(
        incident(vec![shape(1, 900, 1, "02:17:41", "boom")], line(900, 1, "boom")),
        Ended::Quiet,
    );
    alike.lines.push_front(line(899, 1, "boom"));
    assert!(whole(&alike), "all of them say the same");
    assert!(!whole(&two_traces()));
    let long = "x".repeat(9_000);
    assert!(!whole(&over(
        incident(vec![shape(1, 1, 1, "02:17:41", &long)], line(1, 1, &long)),
        Ended::Quiet
    )));
}
