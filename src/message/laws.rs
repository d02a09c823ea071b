//! Laws of every message, for random cards.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::layout::SHORT;
use super::sanitise::Clean;
use super::tests::{at, card, incident, line, shape};
use super::words::matches;
use super::{Settings, notices, render};
use crate::model::{
    By, Card, CardKind, Carried, Changed, Changes, ChatName, Context, Covers, Document, Ended, EntityKind,
    Gap, GapKind, Hindsight, Incident, KeptLine, LogName, Names, Notice, NoticeCard, Phase, Rendered,
    RuleName, RulesProblem, Severity, Text, Timestamp,
};

/// Text from outside. Its alphabet shares no character with our own words, so it is seen wherever it
/// leaks: Greek, astral, hidden and combining characters, and what makes links and mentions.
fn outside(most: usize) -> impl Strategy<Value = String> {
    let sign = prop_oneof![
        8 => prop::sample::select(vec!['α', 'β', 'γ', 'Ω', '가', '中']),
        2 => prop::sample::select(vec!['@', '#', '\\', '<', '{', '🦀', '👩', '\u{301}', '\u{200d}']),
        1 => prop::sample::select(vec!['\n', '\t', '\r', '\u{1b}', '\u{202e}', '\u{200b}', '\u{e0041}', '\0']),
    ];
    prop_oneof![4 => vec(sign.clone(), 0..60), 1 => vec(sign, 0..most)].prop_map(String::from_iter)
}

fn phase() -> impl Strategy<Value = Phase> {
    let ended = prop_oneof![
        Just(Ended::Quiet),
        Just(Ended::RuleRemoved),
        Just(Ended::RuleChanged),
        outside(6_000).prop_map(|line| Ended::Resolved { line })
    ];
    prop_oneof![
        Just(Phase::Open),
        ended.prop_map(|ended| Phase::Over {
            at: at("03:00:00"),
            ended
        })
    ]
}

prop_compose! {
    fn kept()(text in outside(9_000), cut: bool, shape in 0_u64..40, twin: bool) -> (String, bool, u64, bool) {
        (text, cut, shape, twin)
    }
}

prop_compose! {
    fn incidents()(
        samples in vec((outside(300), 1_u64..5_000), 1..200),
        kept in vec(kept(), 1..30),
        other in prop_oneof![Just(0), any::<u32>().prop_map(u64::from)],
        phase in phase(),
        names in (outside(200), vec((outside(30), outside(120)), 0..9), vec(outside(400), 0..9)),
        severity in prop::sample::select(vec![Severity::Info, Severity::Warning, Severity::Error, Severity::Critical]),
        first in prop_oneof![Just(0_i64), any::<i64>()],
    ) -> Incident {
        let shapes: Vec<_> = samples.iter().zip(1..)
            .map(|((sample, count), id)| shape(id, *count, id, "02:17:41", sample)).collect();
        let lines: VecDeque<KeptLine> = kept.iter().zip(1_000..).map(|((text, cut, of, twin), nth)| {
            let sample = &samples[usize::try_from(*of).unwrap() % samples.len()].0;
            KeptLine { cut: *cut, ..line(nth, *of, if *twin { sample } else { text }) }
        }).collect();
        let mut made = incident(shapes, lines[0].clone());
        made.total = made.total.saturating_add(other);
        made.rule = RuleName::new(&names.0);
        made.by = By(names.1.into());
        made.files = names.2.iter().map(|name| Arc::from(name.as_str())).collect();
        Incident { other, phase, severity, lines, first: Timestamp(first), ..made }
    }
}

/// The kinds of card about an incident.
fn kinds(incident: &Incident, before: u64) -> Vec<CardKind<'_>> {
    let lines = || incident.lines.iter().collect();
    let mut kinds = vec![
        CardKind::Live,
        CardKind::FollowUp(
            incident
                .shapes
                .iter()
                .rev()
                .step_by(2)
                .map(|shape| shape.id)
                .collect(),
        ),
        CardKind::Raised(incident.shapes.iter().take(1).map(|shape| shape.id).collect()),
        CardKind::Raised(Vec::new()),
        CardKind::Resolved,
        CardKind::Document,
        CardKind::Lines {
            lines: lines(),
            before,
            dropped: before / 3,
        },
    ];
    // What is over is not reminded of.
    if !incident.is_over() {
        kinds.push(CardKind::Reminder { at: incident.last });
    }
    kinds
}

/// Telegram's rules about entities, checked without the builder. Returns the text outside `code` and `pre`.
fn unshielded(Text { text, entities, .. }: &Text) -> String {
    let units: Vec<u16> = text.encode_utf16().collect();
    assert!(!text.trim().is_empty() && units.len() <= 4_096 && text.len() < 32 * 1_024);
    assert!(entities.len() <= 100);
    let mut hidden = vec![false; units.len()];
    let mut end_of_last = 0;
    for (at, entity) in entities.iter().enumerate() {
        let end = entity.offset + entity.length;
        assert!(
            entity.length > 0 && end <= units.len(),
            "{entity:?} of {}",
            units.len()
        );
        String::from_utf16(&units[entity.offset..end]).expect("no entity splits a character");
        let quote = entities[..at].iter().find(|outer| {
            outer.kind == EntityKind::ExpandableBlockquote && entity.offset < outer.offset + outer.length
        });
        if let Some(quote) = quote {
            assert_ne!(entity.kind, EntityKind::ExpandableBlockquote);
            assert!(end <= quote.offset + quote.length, "an entity leaves its quote");
        } else {
            assert!(entity.offset >= end_of_last, "entities overlap");
        }
        end_of_last = end;
        if matches!(entity.kind, EntityKind::Code | EntityKind::Pre) {
            hidden[entity.offset..end].fill(true);
        }
    }
    // A shielded part is a gap, so that words left and right of it do not grow together.
    let seen: Vec<u16> = units
        .iter()
        .zip(hidden)
        .map(|(&unit, hidden)| if hidden { 32 } else { unit })
        .collect();
    String::from_utf16(&seen).unwrap()
}

/// How much of a text is what the log said.
fn blocks(text: &Text) -> usize {
    let blocks = text
        .entities
        .iter()
        .filter(|entity| entity.kind == EntityKind::Pre);
    blocks.map(|entity| entity.length).sum()
}

/// Our own words use these characters only; none of them makes a link, mention, tag or command.
fn is_ours(c: char) -> bool {
    c.is_ascii_alphanumeric() || " \n,.:;-+~–…()✅⚪🚨🔴🟡🔵⚠ℹ".contains(c)
}

fn first(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// Whether the beginning of a text from outside stands in the message.
fn stands(rendered: &Rendered, text: &str) -> bool {
    [Clean::line(text), Clean::block(text)]
        .iter()
        .any(|text| text.is_blank() || rendered.text.text.contains(&first(text.as_str(), 40)))
}

fn check(rendered: &Rendered, card: &Card<'_>) {
    let incident = card.incident;
    let ours = unshielded(&rendered.text);
    assert!(ours.chars().all(is_ours), "{ours}");
    let total = ours
        .find(&matches(incident.total))
        .expect("the total stands outside");
    assert!(
        ours.find(" match").unwrap() < total + 40,
        "the total comes before every other number of matches"
    );
    assert_eq!(ours.contains("may repeat"), card.repeat);
    let is_document = matches!(card.kind, CardKind::Document);
    assert_eq!(ours.contains("over after"), incident.is_over() && !is_document);
    assert_eq!(rendered.document.is_some(), is_document);
    if let Some(document) = &rendered.document {
        check_document(document, rendered, incident);
    }
    let covers = &rendered.covers;
    assert!(covers.shown.is_sorted_by(|a, b| a < b));
    for line in incident
        .lines
        .iter()
        .filter(|line| covers.shown.contains(&line.nth))
    {
        assert!(stands(rendered, &line.text), "{line:?}");
    }
    for shape in incident
        .shapes
        .iter()
        .filter(|shape| covers.shapes.contains(&shape.id))
    {
        assert!(stands(rendered, &shape.sample), "{shape:?}");
    }
    match card.kind {
        CardKind::Live => assert!(covers.shown.contains(&incident.lines.back().unwrap().nth)),
        CardKind::FollowUp(_) => assert!(!covers.shapes.is_empty()),
        CardKind::Lines { .. } => assert!(covers.lines > 0 && covers.shown.contains(&incident.lines[0].nth)),
        CardKind::Raised(_) | CardKind::Reminder { .. } | CardKind::Resolved | CardKind::Document => {}
    }
    if covers.whole {
        assert!(incident.is_over());
        for line in &incident.lines {
            assert!(
                rendered.text.text.contains(Clean::block(&line.text).as_str()),
                "{line:?}"
            );
        }
    }
}

/// A document is text that every program reads, holds the newest lines whole, and has a caption that fits.
fn check_document(document: &Document, rendered: &Rendered, incident: &Incident) {
    assert!(rendered.text.text.encode_utf16().count() <= 1_024);
    assert_eq!(rendered.covers, Covers::default(), "it settles nothing");
    assert!(document.content.len() <= 256 * 1_024 && document.name.len() <= 80);
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    assert!(
        document.name.chars().all(safe)
            && document
                .name
                .rsplit_once('.')
                .is_some_and(|(_, end)| end == "log"),
        "{}",
        document.name
    );
    assert!(
        document.content.chars().all(|c| c == '\n' || !c.is_control()),
        "{:?}",
        document.content
    );
    let newest = Clean::block(&incident.lines.back().unwrap().text);
    assert!(document.content.contains(newest.as_str()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_message_keeps_every_law(
        incident in incidents(),
        host in outside(200),
        numbers in (any::<u64>(), 0_u64..u64::MAX / 2, any::<bool>(), any::<bool>()),
        largest in vec((vec((outside(20), outside(120)), 0..4), any::<u64>()), 0..4),
        around in around(),
    ) {
        let incident = Incident { context: around, ..incident };
        let (told_elsewhere, before, repeat, short) = numbers;
        let settings = Settings { host, zone: jiff::tz::TimeZone::get("Asia/Seoul").unwrap(), rules: BTreeMap::new() };
        let largest = largest.into_iter().map(|(by, count)| (By(by.into()), count)).collect();
        let (start, end) = (at("01:00:00"), at("02:00:00"));
        let carried = Carried { incidents: before, matches: told_elsewhere, first: start, last: end, largest };
        for kind in kinds(&incident, before) {
            let card = Card { kind, repeat, short, told_elsewhere, carried: repeat.then_some(&carried), ..card(&incident) };
            let rendered = render(&settings, &card);
            check(&rendered, &card);
            prop_assert!(!short || blocks(&rendered.text) <= SHORT);
            prop_assert_eq!(&rendered, &render(&settings, &card));
        }
    }
}

/// The lines around a match, if they are known.
fn around() -> impl Strategy<Value = Option<Context>> {
    let lines = || vec(outside(300), 0..8);
    let context = (lines(), lines()).prop_map(|(before, after)| Context {
        origin: line(1, 1, "").origin,
        before,
        after,
    });
    prop::option::of(context)
}

/// Everything changed.
fn reloaded(one: &str, two: &str, count: u64) -> Notice {
    let names = Names {
        first: vec![one.to_owned(), two.to_owned()],
        count: count.max(2),
    };
    let changed = Changed {
        added: names.clone(),
        changed: names.clone(),
        removed: names.clone(),
    };
    let hindsight = Hindsight {
        rule: two.to_owned(),
        found: count,
        of: u64::MAX,
    };
    Notice::Reloaded {
        changes: Box::new(Changes {
            rules: changed.clone(),
            logs: changed.clone(),
            chats: changed,
            others: names.clone(),
            restart: names,
        }),
        hindsight: vec![hindsight; 3],
    }
}

fn notice() -> impl Strategy<Value = Notice> {
    let start = (any::<u64>(), any::<u64>(), any::<Option<u64>>(), any::<u64>());
    let start = start.prop_map(|(files, rules, fresh, set_aside)| Notice::Started {
        files,
        rules,
        fresh,
        set_aside,
        rolled_back: set_aside % 2 == 1,
        earlier: rules / 2,
    });
    let gap = (outside(300), any::<bool>(), any::<u64>());
    let gap = gap.prop_map(|(path, cut, bytes)| {
        let kind = if cut {
            GapKind::Truncated
        } else {
            GapKind::Vanished
        };
        Notice::Gap(Gap {
            path,
            at: at("01:00:00"),
            kind,
            bytes,
        })
    });
    let words = (outside(300), outside(300), any::<i64>());
    let words = words.prop_map(|(one, two, number)| {
        let chat = ChatName::new(&one);
        vec![
            Notice::Unreadable {
                path: one.clone(),
                why: two.clone(),
            },
            Notice::Readable { path: two.clone() },
            Notice::Missing {
                log: LogName::new(&one),
                globs: two.clone(),
            },
            Notice::TooManyOpen,
            Notice::Deleted {
                files: number.unsigned_abs(),
                bytes: number.unsigned_abs(),
            },
            Notice::Parked {
                chat: chat.clone(),
                why: two.clone(),
            },
            Notice::GivenUp {
                chat: chat.clone(),
                since: Timestamp(number),
                until: Timestamp(0),
                matches: number.unsigned_abs(),
            },
            Notice::Returned { chat: chat.clone() },
            Notice::Moved {
                chat: chat.clone(),
                to: number,
            },
            Notice::Refused {
                rule: RuleName::new(&two),
                chat,
                matches: number.unsigned_abs(),
            },
            reloaded(&one, &two, number.unsigned_abs()),
            Notice::NotReloaded {
                problem: Box::new(RulesProblem {
                    path: one.clone(),
                    line: Some(number.unsigned_abs()),
                    column: Some(7),
                    what: two.clone(),
                    cure: one.clone(),
                }),
                more: number.unsigned_abs(),
                at_start: number % 2 == 0,
            },
            Notice::StaleMount { path: two.clone() },
            Notice::SingleMounts {
                paths: vec![one, two].into_iter().collect(),
            },
        ]
    });
    prop_oneof![1 => start, 1 => gap, 4 => words.prop_flat_map(prop::sample::select)]
}

proptest! {
    #[test]
    fn every_message_of_notices_keeps_every_law(
        waiting in vec((any::<i64>().prop_map(Timestamp), notice()), 1..21),
        host in outside(200),
        dropped in prop_oneof![Just(0), any::<u32>().prop_map(u64::from)],
        repeat: bool,
        now: i64,
        short: bool,
    ) {
        let settings = Settings { host, zone: jiff::tz::TimeZone::get("Asia/Seoul").unwrap(), rules: BTreeMap::new() };
        let waiting: VecDeque<_> = waiting.into();
        let card = NoticeCard { notices: &waiting, dropped, repeat, short, now: Timestamp(now) };
        let text = notices(&settings, &card);
        let ours = unshielded(&text);
        prop_assert!(ours.chars().all(is_ours), "{}", ours);
        prop_assert_eq!(ours.contains("may repeat"), repeat);
        // What finds no room is counted; nothing is left out without a word.
        let lines = ours.lines().filter(|line| line.contains("cannot read") || line.contains("reads ")).count();
        let fed = waiting.iter().filter(|(_, notice)| matches!(notice, Notice::Unreadable { .. } | Notice::Readable { .. })).count();
        prop_assert!(lines == fed || ours.contains(" more, in the log"));
    }
}
