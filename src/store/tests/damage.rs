//! Whatever lies in the file, it opens, and nothing is passed over in silence.

use super::*;

#[test]
fn a_store_of_a_newer_version_is_refused_and_not_touched() {
    let dir = TempDir::new().unwrap();
    let mut opened = open(dir.path());
    let connection = opened.store.connection.as_ref().unwrap();
    let turn = TurnNo(4);
    schema::put_meta(
        connection,
        row::Meta {
            store: opened.state.store,
            turn,
            schema: 99,
        },
    )
    .unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    // Its log still holds what it wrote, as after a crash.
    connection
        .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .unwrap();
    opened.store.connection = None;
    drop(opened);
    let bytes = || {
        (
            fs::read(with(dir.path(), "")).unwrap(),
            fs::read(with(dir.path(), WAL)).unwrap(),
        )
    };
    let before = bytes();
    for error in [
        Store::open(dir.path()).unwrap_err(),
        Store::peek(dir.path()).unwrap_err(),
    ] {
        assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
    }
    assert!(before == bytes());
}

#[test]
fn a_damaged_row_is_set_aside_and_the_rest_is_loaded() {
    let dir = TempDir::new().unwrap();
    let mut opened = open(dir.path());
    opened.store.commit(TurnNo(0), &everything(5, "x")).unwrap();
    let connection = opened.store.connection.as_ref().unwrap();
    connection
        .execute(
            "UPDATE rows SET value = replace(value, '1', '2') WHERE kind = 'incident'",
            [],
        )
        .unwrap();
    schema::put(connection, "z", &LogName::new("z")).unwrap();
    let newer = r#"{"v":2,"row":"z"}"#;
    let sum = row::sum("log", "z", newer);
    connection
        .execute(
            "UPDATE rows SET value = ?1, sum = ?2 WHERE key = 'z'",
            (newer, sum),
        )
        .unwrap();
    connection
        .execute(
            "UPDATE rows SET kind = CAST(x'ff41' AS TEXT) WHERE kind = 'gap'",
            [],
        )
        .unwrap();
    drop(opened);
    let Opened {
        store, state, damage, ..
    } = open(dir.path());
    assert_eq!(damage.len(), 3, "{damage:?}");
    assert!(state.incidents.is_empty() && state.gaps.is_empty());
    assert_eq!(
        (state.turn, state.positions.len(), state.lines.len()),
        (TurnNo(1), 2, 12)
    );
    let kept = "SELECT count(*) FROM damaged WHERE value IS NOT NULL";
    let kept: i64 = store
        .connection
        .as_ref()
        .unwrap()
        .query_row(kept, [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 3);
    drop(store);
    assert_eq!(reopened(dir.path()), state);
}

#[test]
fn a_file_that_is_no_database_is_set_aside_and_at_most_five_are_kept() {
    let dir = TempDir::new().unwrap();
    for n in 0..8 {
        fs::write(with(dir.path(), ""), format!("not a database {n}").repeat(100)).unwrap();
        let opened = open(dir.path());
        assert!(opened.fresh);
        let [Damage::File { kept, .. }] = &opened.damage[..] else {
            panic!("{:?}", opened.damage)
        };
        assert!(
            fs::read_to_string(kept)
                .unwrap()
                .starts_with(&format!("not a database {n}"))
        );
    }
    let bad = fs::read_dir(dir.path()).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains(".bad.")
    });
    assert_eq!(bad.count(), 5);
}

/// A folder as a crash leaves it: some turns in the file, some only in the log.
fn crashed() -> (Vec<u8>, Vec<u8>, Vec<State>) {
    let dir = TempDir::new().unwrap();
    let mut opened = open(dir.path());
    let store = opened.state.store;
    let mut states = vec![opened.state.clone()];
    for n in 1..=4_u64 {
        let mut delta = everything(n, "something broke");
        delta.host.gaps.clear();
        opened.store.commit(TurnNo(n - 1), &delta).unwrap();
        states.push(filled(store, n, &delta));
        if n == 2 {
            let connection = opened.store.connection.as_ref().unwrap();
            connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
                .unwrap();
        }
    }
    (
        fs::read(with(dir.path(), "")).unwrap(),
        fs::read(with(dir.path(), WAL)).unwrap(),
        states,
    )
}

/// It opens, and either told damage or holds what one of its turns held.
fn opens_honestly(file: &[u8], log: &[u8], states: &[State], what: &str) {
    let dir = TempDir::new().unwrap();
    fs::write(with(dir.path(), ""), file).unwrap();
    fs::write(with(dir.path(), WAL), log).unwrap();
    let peeked = Store::peek(dir.path()).unwrap_or_else(|error| panic!("peek, {what}: {error}"));
    let mut opened = Store::open(dir.path()).unwrap_or_else(|error| panic!("{what}: {error}"));
    if opened.damage.is_empty() {
        assert!(
            states.iter().any(|state| rows(state) == rows(&opened.state)),
            "{what}: {:?}",
            opened.state
        );
        assert_eq!(
            rows(&peeked),
            rows(&opened.state),
            "{what}: peek saw something else"
        );
    }
    let turn = opened.state.turn;
    opened
        .store
        .commit(turn, &everything(9, "y"))
        .unwrap_or_else(|error| panic!("commit, {what}: {error}"));
}

/// Places to damage: a sample that differs from run to run, or each of them where `just soak` asks for all.
fn places(all: std::ops::Range<usize>, stride: usize) -> impl Iterator<Item = usize> {
    let every = std::env::var_os("TAILGRAM_SOAK").is_some();
    let (first, stride) = if every {
        (0, 1)
    } else {
        (fastrand::usize(..stride), stride)
    };
    all.skip(first).step_by(stride)
}

/// A figure for `just soak`.
#[expect(
    clippy::print_stderr,
    reason = "the output of a test is where its figures are looked for"
)]
fn evidence(what: &str, count: usize) {
    eprintln!(
        "evidence| state: {count} stores with {what}; every one was opened, told its damage, and took a commit"
    );
}

#[test]
fn a_store_with_any_flipped_byte_opens() {
    let (file, log, states) = crashed();
    let total = file.len() + log.len();
    let mut count = 0;
    for at in places(0..100, 3).chain(places(100..total, 397)) {
        count += 1;
        let (mut file, mut log) = (file.clone(), log.clone());
        match at.checked_sub(file.len()) {
            None => file[at] ^= 0x41,
            Some(at) => log[at] ^= 0x41,
        }
        opens_honestly(&file, &log, &states, &format!("byte {at} of {total} flipped"));
    }
    evidence("one byte flipped", count);
}

#[test]
fn a_store_cut_at_any_length_opens() {
    let (file, log, states) = crashed();
    let mut count = 0;
    for length in places(0..file.len(), 499) {
        count += 2;
        opens_honestly(&file[..length], &log, &states, &format!("file cut to {length}"));
        opens_honestly(
            &file[..length],
            &[],
            &states,
            &format!("file cut to {length}, no log"),
        );
    }
    for length in places(0..log.len(), 997) {
        count += 1;
        opens_honestly(&file, &log[..length], &states, &format!("log cut to {length}"));
    }
    evidence("the file or its log cut", count);
}
