//! The law of the room: the lines and rules found by candidate and judge are those that a per-line
//! `RegexSet` with Unicode on finds. Random rules and bytes first, then the cases worth a name.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use regex::bytes::RegexSet;

use super::*;
use crate::model::RuleName;

pub(super) fn patterns(sources: &[&str]) -> Vec<Pattern> {
    sources
        .iter()
        .map(|source| Pattern::parse(source).unwrap())
        .collect()
}

/// A rule that has only `match`.
pub(super) fn rule(sources: &[&str]) -> RuleSettings {
    RuleSettings {
        name: RuleName::new("rule"),
        matches: patterns(sources),
        all: Vec::new(),
        conditions: Vec::new(),
        unless: Vec::new(),
        resolve: Vec::new(),
        by: Vec::new(),
        values: Vec::new(),
        redact: Vec::new(),
    }
}

/// The text of the line of `chunk` that holds the byte `at`, and where the next line begins. A plain
/// stand-in for the `event` room, which this room must not know.
fn line(chunk: &[u8], at: usize) -> (&[u8], usize) {
    let start = memchr::memrchr(b'\n', &chunk[..at]).map_or(0, |newline| newline + 1);
    let end = memchr::memchr(b'\n', &chunk[at..]).map_or(chunk.len(), |newline| at + newline + 1);
    let text = &chunk[start..end];
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    (text.strip_suffix(b"\r").unwrap_or(text), end)
}

/// What the scanner says, as (end of the line, finding).
pub(super) fn scan(settings: &Settings, chunk: &[u8]) -> Vec<(usize, Finding)> {
    let scanner = Scanner::compile(settings).unwrap();
    let (mut verdict, mut found, mut at) = (Verdict::default(), Vec::new(), 0);
    while let Some(hit) = scanner.candidate(&chunk[at..]) {
        let (text, end) = line(chunk, at + hit);
        assert!(end > at, "a candidate stands on an unread line");
        scanner.judge(text, &no_fields, &mut verdict);
        found.extend(verdict.findings.drain(..).map(|finding| (end, finding)));
        at = end;
    }
    found
}

/// The same, line by line and pattern by pattern, without captures.
fn plain(settings: &Settings, chunk: &[u8]) -> Vec<(usize, usize, bool)> {
    let set = |patterns: &[Pattern]| RegexSet::new(patterns.iter().map(Pattern::source)).unwrap();
    let any = |patterns: &[Pattern], text: &[u8]| set(patterns).is_match(text);
    let (mut found, mut at) = (Vec::new(), 0);
    while at < chunk.len() {
        let (text, end) = line(chunk, at);
        at = end;
        if any(&settings.ignore, text) {
            continue;
        }
        for (index, rule) in settings.rules.iter().enumerate() {
            if any(&rule.resolve, text) {
                found.push((end, index, false));
                continue;
            }
            let all = set(&rule.all);
            if (rule.matches.is_empty() || any(&rule.matches, text))
                && all.matches(text).iter().count() == all.len()
                && !any(&rule.unless, text)
            {
                found.push((end, index, true));
            }
        }
    }
    found
}

#[track_caller]
fn agrees(settings: &Settings, chunk: &[u8]) {
    let found: Vec<_> = scan(settings, chunk)
        .into_iter()
        .map(|(end, finding)| (end, finding.rule, matches!(finding.says, Says::Match { .. })))
        .collect();
    assert_eq!(
        found,
        plain(settings, chunk),
        "{settings:?}\n{:?}",
        String::from_utf8_lossy(chunk)
    );
}

/// Rules of one pattern each: every one alone, so that no other finds its lines for it, and all together.
#[track_caller]
fn agree(sources: &[&str], chunk: &[u8]) {
    let rules: Vec<_> = sources.iter().map(|source| rule(&[source])).collect();
    for alone in &rules {
        agrees(
            &Settings {
                ignore: Vec::new(),
                rules: vec![alone.clone()],
            },
            chunk,
        );
    }
    agrees(
        &Settings {
            ignore: Vec::new(),
            rules,
        },
        chunk,
    );
}

/// Pieces that occur in patterns and, more or less, in lines too.
const LITERALS: [&str; 14] = [
    "a",
    "k",
    "s",
    "ask",
    "error",
    "5",
    "한국",
    "é",
    "É",
    "ſ",
    "K",
    " ",
    "=",
    "\u{1F980}",
];

const LOOKS: [&str; 12] = [
    r"\b",
    r"\B",
    "^",
    "$",
    r"(?m:^)",
    r"(?m:$)",
    r"\A",
    r"\z",
    r"\b{start}",
    r"\b{end}",
    r"(?-u:\b)",
    r"(?R:$)",
];

/// A pattern as people and their worse ideas write it.
fn pattern() -> impl Strategy<Value = String> {
    let class = prop::sample::select(vec![
        r"\w",
        r"\d",
        r"\s",
        r"\S",
        r"\W",
        ".",
        "[^a]",
        "[^\"=]",
        "[a-k]",
        "[가-힣]",
        "[é-ü]",
        r"\pL",
        "(?-u:\\xED)",
        r"(?-u:[\x80-\xFF])",
        r"[^\n]",
        "[kſ]",
        r"(?s:.)",
        r"(?-u:\w)",
        r"\r",
        r"\n",
        r"[\n-\r]",
        r"\x00",
    ]);
    let look = prop::sample::select(LOOKS.to_vec());
    let atom = prop_oneof![
        5 => prop::sample::select(LITERALS.to_vec()).prop_map(str::to_owned),
        4 => class.prop_map(str::to_owned),
        2 => look.prop_map(str::to_owned),
    ];
    let tree = atom.prop_recursive(4, 24, 4, |inner| {
        let repeat = prop::sample::select(vec!["*", "+", "?", "*?", "+?", "{2}", "{0,3}", "{2,}", "{1,30}", "{27}"]);
        prop_oneof![
            6 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.concat()),
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            3 => (inner.clone(), repeat).prop_map(|(part, repeat)| format!("(?:{part}){repeat}")),
            1 => inner.clone().prop_map(|part| format!("({part})")),
            1 => inner.clone().prop_map(|part| format!("(?i:{part})")),
        ]
    });
    (
        prop::sample::select(vec!["", "", "(?i)", "(?s)", "(?m)", "(?im)"]),
        tree,
    )
        .prop_map(|(flags, tree)| flags.to_owned() + &tree)
}

fn patterns_of(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Pattern>> {
    let checked = pattern().prop_filter_map("does not compile", |source| Pattern::parse(&source).ok());
    prop::collection::vec(checked, count)
}

fn any_rule() -> impl Strategy<Value = RuleSettings> {
    let rare = || prop_oneof![5 => Just(Vec::new()), 1 => patterns_of(1..2)];
    let needed = prop_oneof![
        6 => (patterns_of(1..3), Just(Vec::new())),
        1 => (Just(Vec::new()), patterns_of(1..4)),
        2 => (patterns_of(1..3), patterns_of(1..3)),
    ];
    (needed, rare(), rare()).prop_map(|((matches, all), unless, resolve)| RuleSettings {
        matches,
        all,
        unless,
        resolve,
        ..rule(&[])
    })
}

fn any_settings() -> impl Strategy<Value = Settings> {
    let ignore = prop_oneof![5 => Just(Vec::new()), 1 => patterns_of(1..2)];
    (ignore, prop::collection::vec(any_rule(), 1..5)).prop_map(|(ignore, rules)| Settings { ignore, rules })
}

/// Lines made of the same pieces, in both cases, with invalid bytes and all kinds of ends.
fn any_chunk() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        6 => prop::sample::select(LITERALS.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        2 => prop::sample::select(LITERALS.to_vec()).prop_map(|piece| piece.to_uppercase().into_bytes()),
        2 => prop::collection::vec(any::<u8>(), 1..4),
        1 => prop::sample::select(vec![&b"\xED"[..], b"\xED\x95", b"\xC5", b"\xE2\x84", b"\0", b"\r", b"\x85"]).prop_map(<[u8]>::to_vec),
        1 => (1usize..80, prop::sample::select(vec!["a", "한", " ", "5"])).prop_map(|(n, piece)| piece.repeat(n).into_bytes()),
        3 => prop::sample::select(vec![&b"\n"[..], b"\r\n", b"\n\n"]).prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

/// A pattern and a chunk in which something stands that it would match, were it not for its look-arounds.
fn pattern_and_chunk() -> impl Strategy<Value = (Pattern, Vec<u8>)> {
    let checked = pattern().prop_filter_map("does not compile", |source| Pattern::parse(&source).ok());
    checked.prop_flat_map(|pattern| {
        let bare = LOOKS.iter().fold(pattern.source().to_owned(), |source, look| {
            source.replace(look, "")
        });
        let matching = match prop::string::bytes_regex(&bare) {
            Ok(matching) => matching.boxed(),
            Err(_) => any_chunk().boxed(),
        };
        let around = || {
            prop::sample::select(vec![
                &b""[..],
                b" ",
                b"\n",
                b"\r\n",
                "한".as_bytes(),
                b"a",
                b"\xFF",
            ])
        };
        let chunk = (any_chunk(), around(), matching, around(), any_chunk())
            .prop_map(|(before, left, text, right, after)| [&before, left, &text, right, &after].concat());
        (Just(pattern), chunk)
    })
}

proptest! {
    #[test]
    fn one_rule_alone_misses_nothing((pattern, chunk) in pattern_and_chunk()) {
        let alone = RuleSettings { matches: vec![pattern], ..rule(&[]) };
        agrees(&Settings { ignore: Vec::new(), rules: vec![alone] }, &chunk);
    }

    #[test]
    fn lines_and_rules_found_are_those_of_a_regex_set_per_line(settings in any_settings(), chunk in any_chunk()) {
        agrees(&settings, &chunk);
    }

    #[test]
    fn a_rule_alone_decides_as_the_scanner_does(mut rule in any_rule(), redact in patterns_of(0..2), chunk in any_chunk()) {
        rule.redact = redact;
        let scanner = Scanner::compile(&Settings { ignore: Vec::new(), rules: vec![rule.clone()] }).unwrap();
        let mut verdict = Verdict::default();
        let whole = std::iter::once(&chunk[..]);
        for text in whole.chain(chunk.split(|&byte| byte == b'\n')) {
            scanner.judge(text, &no_fields, &mut verdict);
            let says = verdict.findings.pop().map(|finding| finding.says);
            let agrees = match rule.decide(text, &no_fields) {
                Decided::Match(_) => matches!(says, Some(Says::Match { .. })),
                Decided::Resolve(_) => matches!(says, Some(Says::Resolve { .. })),
                Decided::NotMatch | Decided::NotAll(_) | Decided::NotWhere(_) | Decided::Unless(_) => says.is_none(),
            };
            prop_assert!(agrees, "{:?}: {:?}, but the scanner says {:?}", String::from_utf8_lossy(text), rule.decide(text, &no_fields), says);
        }
    }

    #[test]
    fn any_split_into_chunks_of_whole_lines_gives_the_same_findings(settings in any_settings(), chunk in any_chunk()) {
        let whole: Vec<_> = scan(&settings, &chunk).into_iter().map(|(_, finding)| finding).collect();
        let lines = chunk.split_inclusive(|&byte| byte == b'\n');
        let split: Vec<_> = lines.flat_map(|line| scan(&settings, line)).map(|(_, finding)| finding).collect();
        prop_assert_eq!(whole, split);
    }
}

#[test]
fn folded_k_and_s_find_their_relatives_beyond_ascii() {
    let chunk = "a\u{17F}k\nAS\u{212A}\nask\na\u{17E}k\n".as_bytes();
    agree(&["(?i)ask"], chunk);
    assert_eq!(
        scan(
            &Settings {
                rules: vec![rule(&["(?i)ask"])],
                ..Settings::default()
            },
            chunk
        )
        .len(),
        3
    );
}

#[test]
fn an_end_anchor_holds_before_a_carriage_return() {
    agree(
        &["done$", r"done\z", r"(?m)done$", r"done\b", r"done\r"],
        b"done\r\nundone\r\ndone \r\ndone\r\r\ndone",
    );
}

#[test]
fn anchors_hold_at_every_line() {
    agree(
        &["^a", r"\Aa", "b$", "^$", r"(?m)^b", r"a\nb"],
        b"ab\nba\n\n\r\nb\na",
    );
}

#[test]
fn a_word_boundary_is_that_of_unicode() {
    agree(
        &[r"\berror\b"],
        "error\n에러error\nérror error\nerroré\n".as_bytes(),
    );
}

#[test]
fn broken_characters_do_not_hide_their_neighbours() {
    let chunk = b"\xED\x95error\n\xFFerror\xFF\nerr\xE2or\n\xE2\x84\xAA\n\xE2\x84\n";
    agree(
        &[
            "error",
            r"\Werror",
            ".error",
            "(?i)k",
            r"[^a]error",
            r"(?-u:\xED)",
            r"(?-u:[\xFF])error",
        ],
        chunk,
    );
}

#[test]
fn a_class_that_could_take_the_newline_does_not_join_lines() {
    agree(
        &[r"a\s+b", "a[^x]b", r"(?s)a.*b", r"a\W{1,3}b"],
        b"a\nb\na b\na\r\nb\n",
    );
}

#[test]
fn a_pattern_that_matches_nothing_in_particular_finds_every_line() {
    let every = Settings {
        rules: vec![rule(&["x*"]), rule(&["needle"])],
        ..Settings::default()
    };
    assert_eq!(scan(&every, b"a\n\nneedle\nb").len(), 5);
    assert_eq!(scan(&every, b"").len(), 0);
}

#[test]
fn no_rules_no_candidates() {
    assert!(scan(&Settings::default(), b"a\nb\n").is_empty());
}

#[test]
fn two_rules_may_use_the_same_group_name() {
    let (mut one, mut two) = (rule(&[r"one (?P<x>\d+)"]), rule(&[r"two (?P<x>\d+)"]));
    one.by = vec!["x".to_owned()];
    two.by = vec!["x".to_owned()];
    let settings = Settings {
        ignore: Vec::new(),
        rules: vec![one, two],
    };
    let found = scan(&settings, b"one 1 two 2\n");
    let by = |value: &str| Says::Match {
        by: vec![Some(value.to_owned())],
        values: Vec::new(),
    };
    assert_eq!(
        found,
        [
            (
                12,
                Finding {
                    rule: 0,
                    says: by("1")
                }
            ),
            (
                12,
                Finding {
                    rule: 1,
                    says: by("2")
                }
            )
        ]
    );
}
