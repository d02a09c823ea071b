//! The law of the first step over wrapped lines, with both rooms that it needs: `event` decodes what `scan` may want, and
//! what rules find is the same as if all had been decoded.

#![allow(clippy::unwrap_used)]

use std::ops::Range;

use proptest::prelude::*;

use crate::event::{self, Events, Format, Language, Lines, Multiline, Scratch, Search};
use crate::model::{Manner, RuleName};
use crate::scan::{Finding, Pattern, RuleSettings, Scanner, Settings, Verdict, no_fields};

const PATTERNS: [&str; 24] = [
    "ab",
    "error",
    r#""a":"b"#,
    r#"a"b"#,
    "a/b",
    "<b>",
    r"\\b",
    r"b\\",
    r"a\tb",
    "a b",
    r"(?i)ask",
    "한",
    "🦀",
    r"\d+x",
    "a.b",
    "[^a]b",
    r"a\s+b",
    r"\bab$",
    "^ba",
    "b*",
    r"a\nb",
    r"\x1b\[1m",
    r"a\x00",
    "\u{2028}",
];

/// Pieces of a JSON string, of a text, or of neither.
const PIECES: [&str; 46] = [
    "a",
    "b",
    "ab",
    "ba",
    "k",
    "s",
    "error",
    "err",
    "or",
    " ",
    "=",
    "5",
    "x",
    "한",
    "🦀",
    "é",
    r"\u0061",
    r"\u0062",
    r"\u004b",
    r"\u212a",
    r"\u017F",
    r"\ud55c",
    r"\ud83e\udd80",
    r"\ud83e",
    r"\u0022",
    r"\u005c",
    r"\u002f",
    r"\u003c",
    r"\u003E",
    r"\u0026",
    "<",
    ">",
    r#"\""#,
    r"\\",
    r"\/",
    "/",
    r"\t",
    r"\u0009",
    r"\u0000",
    r"\u001b[1m",
    "\u{1b}[1m",
    r"\u2028",
    r"\x",
    r"\n",
    r"\u000a",
    "\t",
];

/// Patterns, and a text that each of them finds.
const TORN: [(&str, &str); 10] = [
    ("error", "error"),
    ("nothing|timeout", "nothing"),
    ("nothing|timeout", "timeout"),
    ("terror", "terror"),
    ("OutOfMemoryError", "OutOfMemoryError"),
    ("(?i)risk", "RISK"),
    ("failed: .*late", "failed: much too late"),
    (r"x\d+y", "x123y"),
    ("ab", "ab"),
    ("utter|stray", "utter"),
];

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..6).prop_map(|pieces| pieces.concat())
}

fn docker() -> impl Strategy<Value = String> {
    let stream = prop::sample::select(vec!["stdout", "stdout", "stderr", "audit"]);
    let time = prop::sample::select(vec![
        "t",
        "2026-01-02T03:04:05.67Z",
        "2026-01-02T03:04:05.678901234Z",
    ]);
    let end = prop::sample::select(vec![r"\n", r"\n", r"\n", r"\n", "", r"\\n", r"\u000A", r"\r\n"]);
    (stream, time, end, text(), 0u8..16).prop_map(|(stream, time, end, text, form)| match form {
        0 => format!(r#"{{"log":"{text}","x":"{text}{end}","stream":"{stream}","time":"{time}"}}"#),
        1 => format!(r#"{{"log":"{text}{end}","stream":"{stream}","attrs":{{"a":"b"}},"time":"{time}"}}"#),
        2 => format!(r#"{{"stream":"{stream}","log":"{text}{end}"}}"#),
        3 => format!(r#"{{"log":"{text}{end}"#),
        4 => text,
        _ => format!(r#"{{"log":"{text}{end}","stream":"{stream}","time":"{time}"}}"#),
    })
}

fn cri() -> impl Strategy<Value = String> {
    let stream = prop::sample::select(vec!["stdout", "stdout", "stderr", "audit"]);
    let flag = prop::sample::select(vec!["F", "F", "F", "F", "P", "P:x", "X"]);
    (stream, flag, text(), 0u8..16).prop_map(|(stream, flag, text, form)| match form {
        0 => text,
        1 => format!("2026-01-02T stdout {stream} {flag} {text}"),
        _ => format!("2026-01-02T03:04:05.6Z {stream} {flag} {text}"),
    })
}

fn file() -> impl Strategy<Value = (Format, Vec<u8>)> {
    let docker = prop::collection::vec(docker(), 0..40).prop_map(|lines| (Format::Docker, lines));
    let cri = prop::collection::vec(cri(), 0..40).prop_map(|lines| (Format::Cri, lines));
    let ended = prop_oneof![9 => Just(true), 1 => Just(false)];
    (prop_oneof![2 => docker, 1 => cri], ended).prop_map(|((format, lines), ended)| {
        let text = lines.join("\n") + if ended { "\n" } else { "" };
        (format, text.into_bytes())
    })
}

fn rule(source: &str) -> RuleSettings {
    RuleSettings {
        name: RuleName::new(source),
        matches: vec![Pattern::parse(source).unwrap()],
        all: Vec::new(),
        conditions: Vec::new(),
        unless: Vec::new(),
        resolve: Vec::new(),
        by: Vec::new(),
        values: Vec::new(),
        redact: Vec::new(),
    }
}

/// What rules find, and where; what the event says and whether it was cut.
type Found = (Range<usize>, Vec<u8>, bool, Vec<Finding>);

fn found(lines: &Lines<'_>, scanner: &Scanner) -> Vec<Found> {
    let (mut found, mut at) = (Vec::new(), 0);
    let mut verdict = Verdict::default();
    while let Some(hit) = scanner.candidate(&lines.bytes()[at..]) {
        let placed = lines.around(at, at + hit);
        let event = placed.event;
        scanner.judge(event.text, &no_fields, &mut verdict);
        if !verdict.findings.is_empty() {
            let findings = std::mem::take(&mut verdict.findings);
            found.push((event.range, event.text.to_vec(), event.cut, findings));
        }
        at = placed.next;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn what_rules_find_in_wrapped_lines_does_not_depend_on_what_is_decoded(
        (format, bytes) in file(),
        sources in prop::collection::vec(prop::sample::select(PATTERNS.to_vec()), 1..4),
        multiline in prop::sample::select(vec![Multiline::Off, Multiline::Off, Multiline::Auto, Multiline::Language(Language::Java)]),
        max_line in 4usize..60,
        offset in prop::sample::select(vec![0u64, 9]),
    ) {
        let rules = sources.iter().map(|source| rule(source)).collect();
        let scanner = Scanner::compile(&Settings { ignore: Vec::new(), rules }).unwrap();
        let events = Events::new(event::Settings { format, multiline, max_line, ..event::Settings::default() });
        let manner = Manner::default();
        let (mut all, mut few) = (Scratch::default(), Scratch::default());
        let all = events.lines(&bytes, offset, manner, &mut all);
        let search = Search {
            find: &|format, lines| scanner.wrapped_candidate(format, lines),
            pieces: &|format| scanner.finds_pieces(format),
        };
        let few = events.candidates(&bytes, offset, manner, &mut few, search);
        prop_assert_eq!(found(&few, &scanner), found(&all, &scanner));
    }

    #[test]
    fn what_is_broken_into_pieces_is_found_as_if_it_were_not(
        (pattern, text) in prop::sample::select(TORN.to_vec()),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..3),
        around in prop::sample::select(vec![("", ""), ("n", "n"), ("a ", " b"), ("er", "or")]),
        between in prop::collection::vec(any::<bool>(), 4),
        docker in any::<bool>(),
        multiline in prop::sample::select(vec![Multiline::Off, Multiline::Auto]),
    ) {
        let text = format!("{}{text}{}", around.0, around.1);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let line = |stream: &str, text: &str, open: bool| match (docker, open) {
            (true, true) => format!("{{\"log\":\"{text}\",\"stream\":\"{stream}\",\"time\":\"2026-01-02T03:04:05Z\"}}\n"),
            (true, false) => format!("{{\"log\":\"{text}\\n\",\"stream\":\"{stream}\",\"time\":\"2026-01-02T03:04:05Z\"}}\n"),
            (false, true) => format!("2026-01-02T03:04:05Z {stream} P {text}\n"),
            (false, false) => format!("2026-01-02T03:04:05Z {stream} F {text}\n"),
        };
        let mut bytes = line("stdout", "calm", false);
        for (piece, between) in cuts.windows(2).zip(&between) {
            bytes += &line("stdout", &text[piece[0]..piece[1]], piece[1] < text.len() || piece[0] == piece[1]);
            if *between {
                bytes += &line("stderr", "calm", false);
            }
        }
        bytes += &line("stdout", "", false);
        let scanner = Scanner::compile(&Settings { ignore: Vec::new(), rules: vec![rule(pattern)] }).unwrap();
        let format = if docker { Format::Docker } else { Format::Cri };
        let events = Events::new(event::Settings { format, multiline, max_line: 1000, ..event::Settings::default() });
        let (mut all, mut few) = (Scratch::default(), Scratch::default());
        let all = found(&events.lines(bytes.as_bytes(), 0, Manner::default(), &mut all), &scanner);
        let search = Search {
            find: &|format, lines| scanner.wrapped_candidate(format, lines),
            pieces: &|format| scanner.finds_pieces(format),
        };
        let few = found(&events.candidates(bytes.as_bytes(), 0, Manner::default(), &mut few, search), &scanner);
        prop_assert!(!all.is_empty(), "{}", bytes);
        prop_assert_eq!(few, all);
    }
}
