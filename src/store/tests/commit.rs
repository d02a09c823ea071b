//! What is committed comes back, whole or not at all.

use super::*;

#[test]
fn every_kind_of_row_comes_back_as_it_was() {
    let dir = TempDir::new().unwrap();
    let Opened {
        mut store,
        state,
        fresh,
        damage,
    } = open(dir.path());
    assert!(fresh && damage.is_empty());
    assert_eq!(state, State::empty(state.store));
    let delta = everything(5, "it broke: \u{1F980} \u{0}");
    assert_eq!(store.commit(TurnNo(0), &delta).unwrap(), TurnNo(1));
    drop(store);
    let again = open(dir.path());
    assert!(!again.fresh);
    assert_eq!(again.state, filled(state.store, 1, &delta));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_text_and_number_comes_back_as_it_was(n in 0..u64::MAX / 2, text in any::<String>()) {
        let mut opened = Store::memory().unwrap();
        opened.store.commit(TurnNo(0), &everything(n, &text)).unwrap();
        let read = crate::store::read::all(opened.store.connection.as_ref().unwrap()).unwrap().state(StoreId(0));
        prop_assert_eq!(rows(&read), rows(&filled(opened.state.store, 1, &everything(n, &text))));
    }
}

#[test]
fn what_is_gone_does_not_come_back() {
    let dir = TempDir::new().unwrap();
    let mut opened = open(dir.path());
    let turn = opened.store.commit(TurnNo(0), &everything(5, "x")).unwrap();
    let gone = Delta {
        host: HostDelta {
            forgotten: vec![FileKey(1)],
            found_gone: vec![RuleName::new("db error")],
            ..HostDelta::default()
        },
        ledger: LedgerDelta {
            incidents_gone: vec![IncidentId(7)],
            deliveries_gone: vec![delivery_key(7)],
            lines_gone: vec![LineKey {
                delivery: delivery_key(7),
                seq: 3,
            }],
            accounts_gone: vec![account(1).key],
            ..LedgerDelta::default()
        },
    };
    opened.store.commit(turn, &gone).unwrap();
    drop(opened);
    let state = reopened(dir.path());
    assert_eq!(state.positions, [position(u128::MAX, 6)]);
    assert!(state.incidents.is_empty() && state.deliveries.is_empty());
    assert!(state.found.is_empty() && state.accounts.is_empty());
    assert_eq!(state.lines.len(), 11);
    assert!(state.lines.iter().all(|(key, _)| key.seq != 3));
    assert_eq!(state.turn, TurnNo(2));
}

#[test]
fn what_is_gone_wins_over_what_changed_in_the_same_delta() {
    let mut opened = Store::memory().unwrap();
    let mut delta = everything(1, "x");
    delta.host.forgotten = vec![FileKey(1)];
    delta.ledger.incidents_gone = vec![IncidentId(7)];
    opened.store.commit(TurnNo(0), &delta).unwrap();
    let read = crate::store::read::all(opened.store.connection.as_ref().unwrap())
        .unwrap()
        .state(StoreId(0));
    assert_eq!(
        (read.positions.len(), read.incidents.len(), read.deliveries.len()),
        (1, 0, 1)
    );
}

#[test]
fn only_the_newest_hundred_gaps_are_kept() {
    let dir = TempDir::new().unwrap();
    for round in 0..3_u64 {
        let mut opened = open(dir.path());
        let gaps = (0..60).map(|n| gap(round * 60 + n)).collect();
        let delta = Delta {
            host: HostDelta {
                gaps,
                ..HostDelta::default()
            },
            ..Delta::default()
        };
        opened.store.commit(opened.state.turn, &delta).unwrap();
    }
    let bytes: Vec<u64> = reopened(dir.path()).gaps.iter().map(|gap| gap.bytes).collect();
    assert_eq!(bytes, (80..180).collect::<Vec<_>>());
}

#[test]
fn an_empty_delta_takes_no_turn() {
    let mut opened = Store::memory().unwrap();
    assert_eq!(
        opened.store.commit(TurnNo(0), &Delta::default()).unwrap(),
        TurnNo(0)
    );
}

#[test]
fn a_delta_that_follows_another_turn_is_refused() {
    let mut opened = Store::memory().unwrap();
    opened.store.commit(TurnNo(0), &everything(1, "x")).unwrap();
    let error = opened.store.commit(TurnNo(0), &everything(2, "y")).unwrap_err();
    assert!(
        matches!(
            error,
            CommitError::MovedOn {
                expected: TurnNo(0),
                found: TurnNo(1)
            }
        ),
        "{error}"
    );
}

#[test]
fn a_position_is_never_there_without_its_matches() {
    let dir = TempDir::new().unwrap();
    let mut opened = open(dir.path());
    opened.store.commit(TurnNo(0), &everything(1, "x")).unwrap();
    let connection = opened.store.connection.as_mut().unwrap();
    // The process ends after the first row of the next delta: the position is written, its match is not.
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    schema::put(connection, &row::file(FileKey(1)), &position(1, 99)).unwrap();
    let copy = TempDir::new().unwrap();
    for name in [FILE.to_owned(), format!("{FILE}{WAL}")] {
        fs::copy(dir.path().join(&name), copy.path().join(&name)).unwrap();
    }
    for dir in [copy.path(), dir.path()] {
        opened.store.connection = None;
        opened.store._lock = None;
        assert_eq!(
            rows(&reopened(dir)),
            rows(&filled(opened.state.store, 1, &everything(1, "x")))
        );
    }
}

#[test]
fn a_full_disk_is_told_and_the_same_delta_goes_in_when_there_is_room() {
    let dir = TempDir::new().unwrap();
    let mut opened = open(dir.path());
    opened.store.commit(TurnNo(0), &everything(1, "x")).unwrap();
    let pages = |store: &Store, pages: i64| {
        let connection = store.connection.as_ref().unwrap();
        connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .unwrap();
    };
    pages(&opened.store, 1);
    let big = everything(2, &"long ".repeat(20_000));
    for _ in 0..3 {
        let error = opened.store.commit(TurnNo(1), &big).unwrap_err();
        assert!(matches!(error, CommitError::Full), "{error}");
    }
    pages(&opened.store, 100_000);
    assert_eq!(opened.store.commit(TurnNo(1), &big).unwrap(), TurnNo(2));
    drop(opened);
    assert_eq!(reopened(dir.path()).incidents, big.ledger.incidents);
}

#[test]
fn a_commit_in_doubt_is_written_again_whether_or_not_it_arrived() {
    for arrived in [false, true] {
        let dir = TempDir::new().unwrap();
        let mut opened = open(dir.path());
        opened.store.commit(TurnNo(0), &everything(1, "x")).unwrap();
        let delta = everything(2, "y");
        if arrived {
            let mut connection = opened.store.connection.take().unwrap();
            opened.store.write(&mut connection, &delta).unwrap();
            opened.store.connection = Some(connection);
        }
        let connection = opened.store.connection.take().unwrap();
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
        let error = opened
            .store
            .failed(connection, &rusqlite::Error::SqliteFailure(code, None));
        assert!(matches!(error, CommitError::Io(_)), "{error}");
        assert!(
            opened.store.connection.is_none(),
            "a connection whose sync failed is not used again"
        );
        assert_eq!(opened.store.commit(TurnNo(1), &delta).unwrap(), TurnNo(2));
        drop(opened);
        let state = reopened(dir.path());
        assert_eq!(
            (state.turn, state.gaps.len(), state.incidents),
            (TurnNo(2), 2, delta.ledger.incidents)
        );
    }
}

#[test]
fn the_log_of_the_database_stays_small() {
    let dir = TempDir::new().unwrap();
    let mut opened = open(dir.path());
    let text = "long ".repeat(10_000);
    for n in 0..100 {
        let incidents = vec![incident(7, n, &text).into()];
        let ledger = LedgerDelta {
            incidents,
            ..LedgerDelta::default()
        };
        opened
            .store
            .commit(
                TurnNo(n),
                &Delta {
                    ledger,
                    ..Delta::default()
                },
            )
            .unwrap();
    }
    let length = fs::metadata(with(dir.path(), WAL)).unwrap().len();
    assert!(length < 6 * 1024 * 1024, "{length}");
}
