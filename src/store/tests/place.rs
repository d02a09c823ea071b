//! The folder: who may use it, and who may look.

use super::*;

#[test]
fn a_second_owner_is_told_who_the_first_is() {
    let dir = TempDir::new().unwrap();
    let first = open(dir.path());
    let error = Store::open(dir.path()).unwrap_err();
    assert!(
        matches!(error, OpenError::InUse { pid: Some(pid), .. } if pid == std::process::id()),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains(&dir.path().canonicalize().unwrap().display().to_string()),
        "{error}"
    );
    drop(first);
    reopened(dir.path());
}

#[test]
fn who_has_a_folder_can_be_asked_and_that_leaves_no_trace() {
    let dir = TempDir::new().unwrap();
    assert_eq!(Store::holder(dir.path()).unwrap(), None);
    assert_eq!(Store::holder(&dir.path().join("not there")).unwrap(), None);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let opened = open(dir.path());
    let holder = Store::holder(dir.path()).unwrap().unwrap();
    assert_eq!(holder.pid, Some(std::process::id()));
    drop(opened);
    assert_eq!(Store::holder(dir.path()).unwrap(), None);
}

#[test]
fn whoever_only_asks_who_has_a_folder_is_in_nobodys_way() {
    let dir = TempDir::new().unwrap();
    drop(open(dir.path()));
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                Store::holder(dir.path()).unwrap();
                // A moment between two questions, as between two commands.
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        for _ in 0..20 {
            drop(open(dir.path()));
        }
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn the_folder_and_its_files_are_for_their_owner_only() {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("state");
    let mut opened = open(&dir);
    opened.store.commit(TurnNo(0), &everything(1, "x")).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let files: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 4, "no shared memory: {files:?}");
    assert!(files.iter().all(|path| mode(path) == 0o600));
    drop(opened);
    fs::set_permissions(with(&dir, ""), fs::Permissions::from_mode(0o644)).unwrap();
    drop(open(&dir));
    assert_eq!(mode(&with(&dir, "")), 0o600);
}

#[test]
fn a_planted_link_is_refused() {
    for name in [FILE, "state.db-wal", "lock"] {
        let dir = TempDir::new().unwrap();
        let target = dir.path().join("precious");
        fs::write(&target, "do not touch").unwrap();
        symlink(&target, dir.path().join(name)).unwrap();
        Store::open(dir.path()).unwrap_err();
        assert_eq!(fs::read_to_string(&target).unwrap(), "do not touch");
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_an_error_that_names_the_cure() {
    let dir = TempDir::new().unwrap();
    let error = Store::open(&dir.path().join("no/such")).unwrap_err();
    assert!(
        matches!(error, OpenError::NoFolder { .. }) && error.to_string().contains(":memory:"),
        "{error}"
    );
    fs::write(dir.path().join("file"), "").unwrap();
    let error = Store::open(&dir.path().join("file")).unwrap_err();
    assert!(matches!(error, OpenError::NotAFolder { .. }), "{error}");
    let denied =
        crate::store::folder::refused(dir.path(), std::io::ErrorKind::PermissionDenied.into()).to_string();
    for word in ["uid", "mode", "chown", "volume", ":memory:", "65532"] {
        assert!(denied.contains(word), "{denied}");
    }
}

#[test]
fn a_peek_sees_what_a_running_process_committed_and_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let empty = Store::peek(dir.path()).unwrap();
    assert_eq!(empty, State::empty(empty.store));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(Store::peek(&dir.path().join("missing")).is_ok());
    let mut opened = open(dir.path());
    for n in 0..3 {
        let mut delta = everything(n, "x");
        delta.host.gaps.clear();
        opened.store.commit(TurnNo(n), &delta).unwrap();
        let before = fs::read(with(dir.path(), WAL)).unwrap();
        assert_eq!(
            Store::peek(dir.path()).unwrap(),
            filled(opened.state.store, n + 1, &delta)
        );
        assert!(before == fs::read(with(dir.path(), WAL)).unwrap());
    }
}
