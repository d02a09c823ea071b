//! Crash points are in no program that was built without asking for them.

use std::fs;

/// The names of the crash points, as the source has them; those that are ordinary words may be in any program.
fn names() -> Vec<&'static str> {
    let source = include_str!("../../src/failpoint.rs");
    let named = source
        .split("=> \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    named.filter(|name| name.contains('-')).collect()
}

#[test]
fn a_program_built_without_the_feature_has_no_crash_point() {
    let program = fs::read(env!("CARGO_BIN_EXE_tailgram")).unwrap();
    let has = |text: &str| memchr::memmem::find(&program, text.as_bytes()).is_some();
    let names = names();
    assert!(
        names.len() >= 10,
        "the search for names found only {names:?}: it looks in the wrong place"
    );
    for name in names.into_iter().chain(["FAILPOINTS"]) {
        assert_eq!(has(name), cfg!(feature = "failpoints"), "{name}");
    }
    assert!(has("TAILGRAM_STATE_DIR"), "the search finds nothing at all");
}
