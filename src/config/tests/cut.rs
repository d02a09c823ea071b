//! A file that is cut anywhere, as one is that is being written.

use super::super::Texts;
use super::*;

/// A file with some of everything.
fn whole() -> String {
    format!(
        "host = \"web-1\"\n[telegram]\nupdates = \"off\"\n{BASE}ignore = ['GET /health']\n[defaults]\nquiet = \"15m\"\n\
         [[rules]]\nname = \"één\"\nmatch = ['a\\d+', '(?P<kind>\\w+)Error']\nby = [\"kind\"]\nwait = \"1s\"\n\
         tests = [{{ line = \"a1\", match = true }}]\n\
         [[rules]]\nname = \"two\"\nall = ['b']\nwhere = {{ level = [\"error\"], status = \">=500\" }}\n"
    )
}

#[test]
fn a_file_cut_at_any_byte_is_refused_or_says_less_and_nothing_else() {
    let text = whole();
    let all = right(&text);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.toml");
    let mut refused = 0;
    for cut in 0..text.len() {
        std::fs::write(&path, &text.as_bytes()[..cut]).unwrap();
        match Texts::read(&path, &Environment::default()).check(&Environment::default()) {
            Err(problems) => {
                refused += 1;
                assert!(
                    problems.iter().all(|problem| !problem.help().is_empty()),
                    "{problems}"
                );
            }
            Ok(some) => {
                // Only keys and entries at the end may be missing.
                let changes = all.outline.changes(&some.outline);
                assert_eq!(
                    changes.rules.added.count + changes.logs.added.count,
                    0,
                    "cut at {cut}"
                );
                assert!(changes.rules.changed.count <= 1, "cut at {cut}: {changes:?}");
                assert!(
                    text[..cut]
                        .lines()
                        .last()
                        .is_some_and(|line| text.lines().any(|whole| whole == line))
                );
            }
        }
    }
    assert!(refused * 10 > text.len() * 9, "{refused} of {}", text.len());
}

#[test]
fn what_is_kept_of_a_file_is_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.toml");
    std::fs::write(&path, whole()).unwrap();
    let texts = Texts::read(&path, &Environment::default());
    let kept = texts.keep().unwrap();
    assert_eq!(Texts::recall(&kept, &path), Some(texts));
    for cut in 0..kept.len() {
        assert_eq!(Texts::recall(&kept[..cut], &path), None);
    }
}
