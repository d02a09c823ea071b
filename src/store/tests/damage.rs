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

/// The files of a folder, and what its turns held.
struct Crashed {
    file: Vec<u8>,
    log: Vec<u8>,
    mark: Vec<u8>,
    states: Vec<State>,
}

/// A folder as a crash leaves it: some turns in the file, some only in the log.
fn crashed() -> Crashed {
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
    let read = |path: &Path| fs::read(path).unwrap();
    Crashed {
        file: read(&with(dir.path(), "")),
        log: read(&with(dir.path(), WAL)),
        mark: read(&dir.path().join("turn")),
        states,
    }
}

/// It opens, and either told what is wrong or holds what its last turn held.
fn opens_honestly(file: &[u8], log: &[u8], crashed: &Crashed, what: &str) {
    let dir = TempDir::new().unwrap();
    fs::write(with(dir.path(), ""), file).unwrap();
    fs::write(with(dir.path(), WAL), log).unwrap();
    fs::write(dir.path().join("turn"), &crashed.mark).unwrap();
    let states = &crashed.states;
    let peeked = Store::peek(dir.path()).unwrap_or_else(|error| panic!("peek, {what}: {error}"));
    let mut opened = Store::open(dir.path()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let is = |state: &State| rows(state) == rows(&opened.state);
    if let [] | [Damage::RolledBack { .. }] = opened.damage[..] {
        assert!(states.iter().any(is), "{what}: {:?}", opened.state);
        let lost = !states.last().is_some_and(is);
        assert_eq!(lost, !opened.damage.is_empty(), "{what}: {:?}", opened.damage);
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
fn a_store_with_any_flipped_byte_opens_and_tells_what_it_lost() {
    let crashed = crashed();
    let total = crashed.file.len() + crashed.log.len();
    let mut count = 0;
    for at in places(0..100, 3).chain(places(100..total, 397)) {
        count += 1;
        let (mut file, mut log) = (crashed.file.clone(), crashed.log.clone());
        match at.checked_sub(file.len()) {
            None => file[at] ^= 0x41,
            Some(at) => log[at] ^= 0x41,
        }
        opens_honestly(&file, &log, &crashed, &format!("byte {at} of {total} flipped"));
    }
    evidence("one byte flipped", count);
}

#[test]
fn a_store_cut_at_any_length_opens_and_tells_what_it_lost() {
    let crashed = crashed();
    let Crashed { file, log, .. } = &crashed;
    let mut count = 0;
    for length in (0..8).chain(places(8..file.len(), 499)) {
        count += 2;
        opens_honestly(&file[..length], log, &crashed, &format!("file cut to {length}"));
        let what = format!("file cut to {length}, no log");
        opens_honestly(&file[..length], &[], &crashed, &what);
    }
    for length in places(0..log.len(), 997) {
        count += 1;
        opens_honestly(file, &log[..length], &crashed, &format!("log cut to {length}"));
    }
    evidence("the file or its log cut", count);
}

#[test]
fn a_log_that_was_removed_is_told_once_and_a_sound_one_never() {
    let crashed = crashed();
    let dir = TempDir::new().unwrap();
    let put = |log: Option<&[u8]>| {
        fs::write(with(dir.path(), ""), &crashed.file).unwrap();
        fs::write(dir.path().join("turn"), &crashed.mark).unwrap();
        match log {
            Some(log) => fs::write(with(dir.path(), WAL), log).unwrap(),
            None => fs::remove_file(with(dir.path(), WAL)).unwrap(),
        }
    };
    put(Some(&crashed.log));
    assert_eq!(open(dir.path()).damage, []);
    // The sound one was copied into the file when it was closed.
    put(Some(&[]));
    put(None);
    let mut opened = open(dir.path());
    let told = Damage::RolledBack {
        committed: TurnNo(4),
        found: TurnNo(2),
    };
    assert_eq!(opened.damage, [told]);
    assert_eq!(rows(&opened.state), rows(&crashed.states[2]));
    opened.store.commit(TurnNo(2), &everything(9, "y")).unwrap();
    drop(opened);
    assert_eq!(open(dir.path()).damage, [], "what was told is told");
}

#[test]
fn a_mark_that_makes_no_sense_or_is_of_another_store_accuses_nobody() {
    let crashed = crashed();
    let other = Store::memory().unwrap().state.store;
    let dir = TempDir::new().unwrap();
    let mark = dir.path().join("turn");
    fs::write(with(dir.path(), ""), &crashed.file).unwrap();
    let mut marks = vec![Vec::new(), b"\xff\xff".to_vec(), vec![b'9'; 200]];
    marks.extend((0..crashed.mark.len()).map(|length| crashed.mark[..length].to_vec()));
    for bytes in marks {
        fs::write(&mark, &bytes).unwrap();
        assert_eq!(
            open(dir.path()).damage,
            [],
            "{:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
    super::super::mark::Mark::open(dir.path()).set(other, TurnNo(99));
    assert_eq!(open(dir.path()).damage, []);
    // Where no mark can be made, the store does without.
    fs::remove_file(&mark).unwrap();
    fs::create_dir(&mark).unwrap();
    let mut opened = open(dir.path());
    opened.store.commit(TurnNo(2), &everything(9, "y")).unwrap();
}

/// The kinds, keys and values of sound rows, as they lie in the table.
fn sound_rows() -> Vec<(String, String, String)> {
    let dir = TempDir::new().unwrap();
    let mut opened = open(dir.path());
    opened
        .store
        .commit(TurnNo(0), &everything(3, "something broke"))
        .unwrap();
    let connection = opened.store.connection.as_ref().unwrap();
    let mut statement = connection
        .prepare("SELECT kind, key, value FROM rows WHERE kind <> 'meta'")
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_row_that_can_be_written_is_loaded_or_told(
        picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "\\PC{0,6}", 0..6_u8), 1..12),
    ) {
        let sound = sound_rows();
        let dir = TempDir::new().unwrap();
        let opened = open(dir.path());
        let connection = opened.store.connection.as_ref().unwrap();
        let mut written = BTreeSet::new();
        for (row, at, junk, what) in picks {
            let (mut kind, mut key, mut value) = row.get(&sound).clone();
            let mut place = at.index(value.len());
            while !value.is_char_boundary(place) {
                place -= 1;
            }
            match what {
                0 => {}
                1 => value.truncate(place),
                2 => value.insert_str(place, &junk),
                3 => value = junk,
                // A value of another kind under this one.
                4 => kind.clone_from(&at.get(&sound).0),
                _ => key = junk,
            }
            connection
                .execute(
                    "INSERT OR REPLACE INTO rows (kind, key, value, sum) VALUES (?1, ?2, ?3, ?4)",
                    (&kind, &key, &value, row::sum(&kind, &key, &value)),
                )
                .unwrap();
            written.insert((kind, key));
        }
        drop(opened);
        let opened = open(dir.path());
        let state = &opened.state;
        let loaded = [
            state.positions.len(), state.logs_seen.len(), state.found.len(), state.gaps.len(), state.incidents.len(),
            state.deliveries.len(), state.lines.len(), state.accounts.len(), state.chats.len(), state.notices.len(),
            state.waiting.len(), state.below.len(),
        ];
        let loaded: usize = loaded.iter().sum();
        let told = opened.damage.len();
        let gates = written.iter().filter(|(kind, _)| kind == "token_gate" || kind == "digest").count();
        // The gate of the token is one value, however many rows speak of it.
        prop_assert!((written.len() - gates..=written.len()).contains(&(loaded + told)));
        drop(opened);
        prop_assert_eq!(open(dir.path()).damage, [], "what was set aside is set aside");
    }
}
