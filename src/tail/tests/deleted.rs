//! The laws of deleted files: they are held open until they are read and quiet, for no longer, and what that takes of the
//! disk is told where it is much.

use super::*;

const MIB: usize = 1024 * 1024;

/// Everything stays open that may.
const ALL: Budget = Budget {
    keep: usize::MAX,
    most: usize::MAX,
    idle: Settings::HOLD,
};

/// How many descriptors of this process lead to files of this rig that have no name any more.
fn held(rig: &Rig) -> usize {
    let folder = rig.dir.path().canonicalize().unwrap();
    let links = fs::read_dir("/proc/self/fd").unwrap();
    let paths = links.filter_map(|link| fs::read_link(link.unwrap().path()).ok());
    let lost = |path: &PathBuf| path.starts_with(&folder) && path.to_string_lossy().ends_with(" (deleted)");
    paths.filter(lost).count()
}

/// Lines that no file system makes smaller than they are.
fn lines(bytes: usize) -> String {
    let mut random = fastrand::Rng::with_seed(bytes as u64);
    let letters = (1..=bytes).map(|at| {
        if at % 1024 == 0 {
            '\n'
        } else {
            random.alphanumeric()
        }
    });
    letters.collect()
}

#[test]
fn deleted_files_that_were_read_are_closed_after_the_grace_though_nothing_happens_any_more() {
    let soak = std::env::var_os("TAILGRAM_SOAK").is_some();
    let files = if soak { 10_000 } else { 300 };
    super::super::raise_limit();
    let mut rig = Rig::new(&["*.log"]);
    rig.budget = Some(ALL);
    let name = |file| format!("{file}.log");
    for file in 0..files {
        rig.append(&name(file), "1\n");
    }
    rig.turn();
    for file in 0..files {
        rig.append(&name(file), "2\n");
        fs::remove_file(rig.path(&name(file))).unwrap();
    }
    assert_eq!(held(&rig), files);
    rig.after(1);
    assert_eq!(rig.got.len(), 2 * files);
    let grace = Settings::HOLD.as_secs();
    rig.after(grace - 1);
    assert_eq!(held(&rig), files, "a late writer is listened to");
    rig.after(1);
    assert_eq!(held(&rig), 0);
    assert!(rig.positions.is_empty() && rig.gaps.is_empty() && rig.notes.len() <= 1);
}

#[test]
fn among_very_many_files_a_deleted_one_is_let_go_as_soon_as_among_few() {
    let mut rig = Rig::new(&["*.log"]);
    rig.budget = Some(Budget {
        keep: 1,
        most: 32,
        idle: Settings::HOLD,
    });
    for number in 0..2 * Settings::CROWD {
        rig.append(&format!("{number}.log"), "");
    }
    rig.append("busy.log", "1\n");
    rig.turn().append("busy.log", "2\n");
    // Two seconds lie between one sweep and the next.
    rig.after(2).expect(&["1\n", "2\n"]);
    fs::remove_file(rig.path("busy.log")).unwrap();
    let grace = Settings::HOLD.as_secs();
    rig.after(1).after(grace - 1);
    assert_eq!(held(&rig), 1);
    rig.after(1);
    assert_eq!(held(&rig), 0);
}

#[test]
fn much_disk_space_in_deleted_files_is_told_once_until_it_is_less_again() {
    let mut rig = Rig::new(&["*.log"]);
    rig.settings.deleted = 5 * MIB as u64 / 2;
    for round in 1..=2 {
        for name in ["a.log", "b.log", "c.log"] {
            rig.append(name, &lines(MIB));
        }
        rig.after(1);
        for name in ["a.log", "b.log"] {
            fs::remove_file(rig.path(name)).unwrap();
        }
        rig.after(1);
        assert_eq!((rig.notes.len(), held(&rig)), (round - 1, 2));
        fs::remove_file(rig.path("c.log")).unwrap();
        rig.after(1).after(1).after(1);
        assert_eq!((rig.notes.len(), held(&rig)), (round, 3));
        let Some(Note::Deleted { files: 3, bytes }) = rig.notes.last() else {
            panic!("{:?}", rig.notes);
        };
        assert!(*bytes >= 3 * MIB as u64);
        let weighed = rig.tailer.as_ref().unwrap().descriptors().deleted_bytes;
        assert_eq!(weighed, *bytes);
        rig.after(Settings::HOLD.as_secs());
        assert_eq!(held(&rig), 0);
        assert_eq!(rig.tailer.as_ref().unwrap().descriptors().deleted_bytes, 0);
        // That there is no log any more is another matter.
        rig.notes.retain(|note| !matches!(note, Note::Missing { .. }));
    }
}

#[test]
fn a_deleted_file_beyond_the_bound_is_held_until_it_is_read_and_nothing_of_it_is_lost() {
    let mut rig = Rig::new(&["app.log"]);
    rig.settings.deleted = MIB as u64;
    let text = lines(8 * MIB);
    rig.append("app.log", &text);
    rig.some_turns(1);
    fs::remove_file(rig.path("app.log")).unwrap();
    for _ in 0..5 {
        rig.clock += 2 * u64::try_from(Settings::HOLD.as_millis()).unwrap();
        assert!(!rig.some_turns(1), "the reader is slow");
        assert_eq!(held(&rig), 1);
    }
    let [Note::Deleted { files: 1, bytes }] = rig.notes[..] else {
        panic!("{:?}", rig.notes);
    };
    assert!(bytes >= 8 * MIB as u64);
    rig.turn();
    assert!(
        rig.raw == text.as_bytes(),
        "{} of {} bytes",
        rig.raw.len(),
        text.len()
    );
    rig.after(Settings::HOLD.as_secs());
    assert_eq!(held(&rig), 0);
    assert!(rig.positions.is_empty() && rig.gaps.is_empty());
}
