#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// Texts with secrets, marked.
const POSITIVES: &str = include_str!("positives.txt");
/// Texts without.
const NEGATIVES: &str = include_str!("negatives.txt");

/// The cases of a table, without headings and the stand-ins that a text file needs.
fn cases(table: &str) -> Vec<String> {
    let lines = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "));
    lines
        .map(|line| line.replace('¦', "").replace('␤', "\n"))
        .collect()
}

/// A positive as (text, its secrets, what is to be shown).
fn positive(case: &str) -> (String, Vec<String>, String) {
    let (mut shown, mut secrets) = (String::new(), Vec::new());
    for (index, part) in case.split('⟦').enumerate() {
        let (secret, rest) = if index == 0 {
            ("", part)
        } else {
            part.split_once('⟧').unwrap()
        };
        if index > 0 {
            secrets.push(secret.to_owned());
            shown.push_str(MARK);
        }
        shown.push_str(rest);
    }
    (case.replace(['⟦', '⟧'], ""), secrets, shown)
}

fn positives() -> Vec<(String, Vec<String>, String)> {
    cases(POSITIVES).iter().map(|case| positive(case)).collect()
}

fn redacted(text: &str) -> String {
    Redactor::default().redact(text).into_owned()
}

/// Lists the failures together: one run shows what a change of a pattern did.
#[track_caller]
fn none_of(failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{} wrong:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn secrets_are_hidden_and_everything_around_them_stays() {
    let wrong = |(text, _, shown): &(String, Vec<String>, String)| {
        let got = redacted(text);
        (got != *shown).then(|| format!("text {text}\nshow {shown}\ngot  {got}\n"))
    };
    none_of(&positives().iter().filter_map(wrong).collect::<Vec<_>>());
}

#[test]
fn no_secret_survives_as_a_whole() {
    for (text, secrets, _) in positives() {
        let shown = redacted(&text);
        for secret in secrets.iter().filter(|secret| secret.len() > 1) {
            assert!(!shown.contains(secret.as_str()), "{secret} in {shown}");
        }
    }
}

#[test]
fn texts_without_secrets_stay_as_they_are() {
    let wrong = |text: &String| {
        let redactor = Redactor::default();
        let got = redactor.redact(text);
        (!matches!(got, Cow::Borrowed(_))).then(|| format!("text {text}\ngot  {got}\n"))
    };
    none_of(&cases(NEGATIVES).iter().filter_map(wrong).collect::<Vec<_>>());
}

#[test]
fn both_tables_are_long_enough_to_mean_something() {
    assert!(cases(POSITIVES).len() >= 200, "{}", cases(POSITIVES).len());
    assert!(cases(NEGATIVES).len() >= 200, "{}", cases(NEGATIVES).len());
}

#[test]
fn one_redactor_serves_all_threads() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    shared(&Redactor::default());
}

#[test]
fn own_patterns_hide_their_match_or_only_the_group_named_secret() {
    let extra = [r"badge \d+", r"code (?P<secret>\w+) for"].map(|source| Regex::new(source).unwrap());
    let redactor = Redactor::new(&extra);
    assert_eq!(redactor.redact("badge 17 at the door"), "[redacted] at the door");
    assert_eq!(redactor.redact("code zebra for bob"), "code [redacted] for bob");
    assert_eq!(
        redactor.redact("password=x, badge 17"),
        "password=[redacted], [redacted]"
    );
}

#[test]
fn own_patterns_that_match_the_mark_or_nothing_change_nothing() {
    for source in ["redacted", r"\[", "", "x*", r"\b"] {
        let redactor = Redactor::new(&[Regex::new(source).unwrap()]);
        assert_eq!(
            redactor.redact("say [redacted] 홍"),
            "say [redacted] 홍",
            "{source}"
        );
    }
}

#[test]
fn own_patterns_that_eat_the_line_settle() {
    for source in [
        ".+",
        r"(?s).+",
        r"\w",
        r"\S+ ?",
        r"\[redacted\].",
        r".\[redacted\]",
        "(?P<secret>.)$",
    ] {
        let redactor = Redactor::new(&[Regex::new(source).unwrap()]);
        let once = redactor
            .redact("token=abc and so on, to the end of it")
            .into_owned();
        assert_eq!(redactor.redact(&once), once, "{source}");
    }
}

#[test]
fn spans_that_touch_become_one_mark() {
    let extra = ["abc", "cde", "efg"].map(|source| Regex::new(source).unwrap());
    assert_eq!(Redactor::new(&extra).redact("-abcdefg-"), "-[redacted]-");
}

#[test]
fn a_long_line_of_near_misses_costs_linear_time() {
    // No clock here: with quadratic time, these megabytes would not end today.
    let near = [
        "token ",
        "token: ",
        "token=\" ",
        "password=",
        "token=[",
        "a:b@",
        "://",
        "://a:",
        "eyJaaaaaaaaa.",
        "4111 ",
        "4111-",
        "-----BEGIN PRIVATE KEY ",
        "\\",
        "\\\"",
        "[",
        ")]}",
        "bearer ",
        "x:y@tcp",
        "cookie:",
        "<token>",
        ",a",
        ";a b",
        "--password ",
        "12345678:",
        "[redacted]",
        "token=null",
        "sig=",
        "password 'x",
        "password=)",
        "authorization: a",
        "-u a:",
    ];
    for piece in near {
        let text = piece.repeat((1 << 18) / piece.len());
        let shown = redacted(&text);
        assert_eq!(redacted(&shown), shown);
    }
}

/// Pieces of lines that are near to secrets, and what they are made of.
fn any_text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "password",
        "token",
        "auth",
        "cookie",
        "authorization",
        "Bearer ",
        "Basic ",
        "=",
        ":",
        ": ",
        "=>",
        "\"",
        "\\\"",
        "'",
        "\\",
        " ",
        ",",
        ";",
        "&",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "<",
        ">",
        "</",
        "://",
        "@",
        "/",
        "%3D",
        "%22",
        "%26",
        "a",
        "b1",
        "hunter2",
        "홍",
        "é",
        "\n",
        "\\n",
        "[redacted]",
        "[redacted",
        "redacted]",
        "***",
        "null",
        "eyJhbGciOiJIUzI1NiJ9",
        ".",
        "AKIAIOSFODNN7EXAMPLE",
        "4111",
        "1111",
        "-",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "--",
        "123456789:",
        "123456789:AAF0123456789abcdefghijklmnopqrstuv",
        "abc8Q~0123456789abcdefghijklmnopqrstuvwx",
        "Some(",
        "@tcp(",
        "pass",
        "sig",
        "-u ",
    ];
    let piece = prop_oneof![
        8 => prop::sample::select(pieces).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-z0-9]{1,20}",
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn own_patterns() -> impl Strategy<Value = Vec<Regex>> {
    let sources = vec![
        ".",
        r"\w+",
        "a.*b",
        r"\[",
        "d]$",
        "(?P<secret>[a-c])",
        "^.",
        r"\S+$",
        "",
        "red",
    ];
    prop::collection::vec(
        prop::sample::select(sources).prop_map(|source| Regex::new(source).unwrap()),
        0..3,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_was_redacted_stays_as_it_is(text in any_text(), extra in own_patterns()) {
        let redactor = Redactor::new(&extra);
        let once = redactor.redact(&text).into_owned();
        prop_assert_eq!(redactor.redact(&once), once.as_str());
    }

    #[test]
    fn the_built_in_kinds_settle_long_before_the_last_reading(text in any_text()) {
        let redactor = Redactor::default();
        let mut shown = text;
        for _ in 0..4 {
            let Some(next) = redactor.pass(&shown) else { return Ok(()) };
            shown = next;
        }
        prop_assert_eq!(redactor.pass(&shown), None);
    }

    #[test]
    fn the_gate_holds_back_nothing_that_a_family_would_find(text in any_text()) {
        let mut spans = Vec::new();
        built_in(&text, &mut spans);
        prop_assert!(spans.is_empty() || GATE.is_match(text.as_bytes()), "{:?}", spans);
    }

    #[test]
    fn any_string_at_all_is_read(text in any::<String>()) {
        let once = redacted(&text);
        prop_assert_eq!(redacted(&once), once);
    }
}
