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
const LITERALS: [&str; 19] = [
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
    "\"",
    "/",
    "<",
    "\t",
    r"\\",
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

/// A text as a JSON string may hold it: `how` says for each character in which way. Bytes that are not UTF-8 stay.
fn spelled(text: &[u8], how: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut how = how.iter().cycle();
    for chunk in text.utf8_chunks() {
        let mut chars = chunk.valid().chars().peekable();
        while let Some(char) = chars.next() {
            let next = chars.peek().copied();
            let stays = char == '\\' && next.is_some_and(|next| !"\"\\/bfnrtu".contains(next));
            let bare = !matches!(char, '"' | '\\' | '\n') || stays;
            let short = "\"\\/\u{8}\u{c}\n\r\t".chars().position(|known| known == char);
            match (how.next().unwrap_or(&0) % 8, short) {
                (0, _) if bare => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
                (6, _) => escape(char, false, &mut out),
                (7, _) => escape(char, true, &mut out),
                (1..=3, Some(letter)) => out.extend_from_slice(&[b'\\', b"\"\\/bfnrt"[letter]]),
                // As Docker writes it.
                _ if matches!(char, '<' | '>' | '&' | '\0'..='\u{1f}' | '\u{2028}' | '\u{7f}') => {
                    escape(char, false, &mut out);
                }
                (_, Some(letter)) if char != '/' => out.extend_from_slice(&[b'\\', b"\"\\/bfnrt"[letter]]),
                _ => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        out.extend_from_slice(chunk.invalid());
    }
    out
}

/// `\uXXXX`, once or twice.
fn escape(char: char, upper: bool, out: &mut Vec<u8>) {
    for unit in char.encode_utf16(&mut [0; 2]) {
        let digits = if upper {
            format!("{unit:04X}")
        } else {
            format!("{unit:04x}")
        };
        out.extend_from_slice(b"\\u");
        out.extend_from_slice(digits.as_bytes());
    }
}

/// The lines of a chunk, and as Docker or somebody else would wrap them. A few stand as they are.
fn wrapped(chunk: &[u8], how: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let texts: Vec<Vec<u8>> = chunk.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    let mut lines = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let from = number * 7 % how.len().max(1);
        if how.get(from) == Some(&255) {
            lines.extend_from_slice(text);
        } else {
            lines.extend_from_slice(br#"{"log":""#);
            lines.extend(spelled(text, &how[from..]));
            lines.extend_from_slice(br#"\n","stream":"stdout","time":"2026-01-02T03:04:05Z"}"#);
        }
        lines.push(b'\n');
    }
    (texts, lines)
}

/// Lines whose texts matter are found among wrapped ones as they stand, and nothing else is found in them.
#[track_caller]
fn agrees_wrapped(settings: &Settings, chunk: &[u8], how: &[u8]) {
    let scanner = Scanner::compile(settings).unwrap();
    let (texts, lines) = wrapped(chunk, how);
    let mut verdict = Verdict::default();
    let mut judge = |number: usize| {
        scanner.judge(&texts[number], &no_fields, &mut verdict);
        let rules = verdict.findings.iter().map(|finding| finding.rule);
        rules.map(|rule| (number, rule)).collect::<Vec<_>>()
    };
    let expected: Vec<_> = (0..texts.len()).flat_map(&mut judge).collect();
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(hit) = scanner.wrapped_candidate(crate::model::Format::Docker, &lines[at..]) {
        let number = memchr::memchr_iter(b'\n', &lines[..at + hit]).count();
        found.extend(judge(number));
        at = line(&lines, at + hit).1;
    }
    assert_eq!(
        found,
        expected,
        "{settings:?}\n{:?}",
        String::from_utf8_lossy(&lines)
    );
}

proptest! {
    #[test]
    fn a_rule_alone_misses_nothing_in_json_strings((pattern, chunk) in pattern_and_chunk(), how in prop::collection::vec(any::<u8>(), 1..60)) {
        let alone = RuleSettings { matches: vec![pattern], ..rule(&[]) };
        agrees_wrapped(&Settings { ignore: Vec::new(), rules: vec![alone] }, &chunk, &how);
    }

    #[test]
    fn what_rules_find_in_json_strings_is_what_they_find_in_their_texts(settings in any_settings(), chunk in any_chunk(), how in prop::collection::vec(any::<u8>(), 1..60)) {
        agrees_wrapped(&settings, &chunk, &how);
    }

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
fn a_word_is_found_in_a_json_string_however_it_is_escaped() {
    let found = |pattern: &str, string: &str| {
        let scanner = Scanner::compile(&Settings {
            ignore: Vec::new(),
            rules: vec![rule(&[pattern])],
        });
        let lines = format!("{{\"log\":\"{string}\\n\",\"stream\":\"stdout\",\"time\":\"t\"}}\n");
        scanner
            .unwrap()
            .wrapped_candidate(crate::model::Format::Docker, lines.as_bytes())
            .is_some()
    };
    for (pattern, string) in [
        ("error", r"an error"),
        ("error", r"an err\u006fr"),
        ("error", r"an \u0065\u0072\u0072\u006F\u0072"),
        (r#""code":5\d\d"#, r#"{\"code\":503}"#),
        (r#""code":5\d\d"#, r"{\u0022code\u0022:503}"),
        ("<b>&", r"\u003cb\u003E\u0026"),
        ("GET /a", r"GET \/a"),
        (r"C:\\a", r"C:\\a"),
        (r"a\tb", r"a\tb"),
        (r"a\tb", r"a\u0009b"),
        (r"a\s+b", r"a \t\r b"),
        (r"\x1b\[31mred", r"\u001b[31mred"),
        ("a.b", r#"a\"b"#),
        ("한국", r"\ud55c국"),
        ("🦀!", r"\ud83e\uDD80!"),
        ("(?i)kelvin", r"\u212Aelvin"),
    ] {
        assert!(found(pattern, string), "{pattern} in {string}");
    }
    for (pattern, string) in [
        (
            "error",
            r"\u001b[31mcalm\u001b[0m \u003cb\u003e \t \\ \/ \u2028 \ufffd",
        ),
        (r#""code":5\d\d"#, r#"{\"code\":200}"#),
        (r"took .* seconds", r"\u001b[31mcalm\u001b[0m \u2028"),
    ] {
        assert!(!found(pattern, string), "{pattern} in {string}");
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
