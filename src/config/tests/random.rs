//! Whatever the bytes, the answer is settings or problems with a place.

use std::path::Path;

use proptest::prelude::*;

use super::{Environment, parse, plain};
use crate::config::load;

const WHOLE: &str = include_str!("../../../rules.toml");

/// Reads it; a refusal names a line that exists and fits on a page.
#[track_caller]
fn answers(text: &str) {
    if let Err(problems) = parse(Path::new("rules.toml"), text, &Environment::default()) {
        let lines = text.split('\n').count();
        assert!(!problems.is_empty());
        assert!(problems.iter().count() <= 100);
        for problem in problems.iter() {
            let line = problem.line().unwrap();
            assert!(
                (1..=lines).contains(&line) && problem.column().unwrap() >= 1,
                "{problem}"
            );
            assert!(
                problem
                    .to_string()
                    .lines()
                    .all(|line| line.chars().count() < 1000),
                "{problem}"
            );
        }
    }
}

#[test]
fn a_file_cut_off_anywhere_gives_an_answer() {
    for end in (0..WHOLE.len())
        .filter(|end| WHOLE.is_char_boundary(*end))
        .step_by(3)
    {
        answers(&WHOLE[..end]);
    }
    let plain = plain();
    for end in 0..=plain.len() {
        answers(&plain[..end]);
    }
}

#[test]
fn the_number_of_problems_is_bounded() {
    answers(&"x = \n".repeat(5_000));
    answers(&"[[rules]]\n".repeat(5_000));
    answers(&format!(
        "{}{}",
        plain(),
        "[[rules]]\nname = \"x y\"\nmatch = '('\nfoo = 1\n".repeat(2_000)
    ));
    answers(&"[".repeat(10_000));
    answers(&format!("a = {}", "[{a = ".repeat(10_000)));
}

proptest! {
    #[test]
    fn random_text_gives_an_answer(text in "\\PC{0,200}") {
        answers(&text);
    }

    #[test]
    fn random_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.toml");
        std::fs::write(&path, &bytes).unwrap();
        if let Err(problems) = load(&path, &Environment::default()) {
            prop_assert!(problems.iter().all(|problem| problem.line().is_some()));
        }
    }

    #[test]
    fn a_file_with_one_piece_replaced_gives_an_answer(
        at in 0..WHOLE.len(),
        length in 0..20_usize,
        piece in "[\\[\\]\"'={},.#$\n\\\\a-z0-9가-]{0,6}",
    ) {
        let start = WHOLE.floor_char_boundary(at);
        let end = WHOLE.ceil_char_boundary((at + length).min(WHOLE.len()));
        answers(&format!("{}{piece}{}", &WHOLE[..start], &WHOLE[end..]));
    }
}
