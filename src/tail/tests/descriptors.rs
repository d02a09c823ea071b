//! The laws of files that are closed while they are followed: what happens to them then is found out as if they had
//! been held.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::*;

/// Closes whatever may be closed, as soon as it may.
const NONE: Budget = Budget {
    keep: 0,
    most: 2,
    idle: Duration::ZERO,
};

/// Any number of descriptors, or hardly any.
pub(super) fn budget() -> impl Strategy<Value = Option<Budget>> {
    let few = (0usize..3, 3usize..6, any::<bool>()).prop_map(|(keep, most, impatient)| Budget {
        keep,
        most,
        idle: if impatient { Duration::ZERO } else { Settings::HOLD },
    });
    prop::option::of(few)
}

fn closing(globs: &[&str]) -> Rig {
    let mut rig = Rig::new(globs);
    rig.budget = Some(NONE);
    rig
}

impl Rig {
    #[track_caller]
    fn is_closed(&self) {
        let held = self.tailer.as_ref().unwrap().descriptors();
        assert_eq!(held.open, 0, "{held:?}");
    }

    fn gap_bytes(&self) -> Vec<u64> {
        self.gaps.iter().map(|gap| gap.bytes).collect()
    }
}

#[test]
fn a_closed_file_is_opened_when_it_grows() {
    let mut rig = closing(&["app.log"]);
    for line in ["1\n", "2\n", "3\n"] {
        rig.append("app.log", line);
        rig.after(1).is_closed();
    }
    rig.expect(&["1\n", "2\n", "3\n"]);
}

#[test]
fn many_files_take_turns_with_few_descriptors() {
    let mut rig = Rig::new(&["*.log"]);
    rig.budget = Some(Budget {
        keep: 4,
        most: 4,
        idle: Settings::HOLD,
    });
    let mut all = BTreeSet::new();
    for round in 0..3 {
        for file in 0..500 {
            let line = format!("{round} of {file}\n");
            rig.append(&format!("{file}.log"), &line);
            all.insert(line);
        }
        rig.after(1);
        assert!(rig.tailer.as_ref().unwrap().descriptors().open <= 4);
    }
    assert_eq!(rig.got.len(), all.len());
    assert_eq!(
        rig.lines()
            .into_iter()
            .map(str::to_owned)
            .collect::<BTreeSet<_>>(),
        all
    );
    assert!(rig.notes.is_empty(), "{:?}", rig.notes);
}

#[test]
fn a_file_that_was_written_to_within_a_minute_stays_open_as_long_as_descriptors_last() {
    let mut rig = Rig::new(&["*.log"]);
    rig.budget = Some(Budget {
        keep: 1,
        most: 100,
        idle: Settings::HOLD,
    });
    let open = |rig: &Rig| rig.tailer.as_ref().unwrap().descriptors().open;
    for file in 0..10 {
        rig.append(&format!("{file}.log"), "there before\n");
    }
    rig.turn();
    assert_eq!(open(&rig), 1, "nobody was seen to write");
    let mut late = rig.append("0.log", "1\n");
    rig.append("1.log", "2\n");
    rig.after(1);
    assert_eq!(open(&rig), 2);
    fs::remove_file(rig.path("0.log")).unwrap();
    late.write_all(b"late\n").unwrap();
    rig.after(1);
    assert!(rig.lines().contains(&"late\n"));
    assert_eq!(open(&rig), 2);
    rig.after(61).after(1);
    assert_eq!(open(&rig), 1);
}

#[test]
fn a_file_that_is_renamed_while_it_is_closed_is_found_and_its_late_writer_is_heard() {
    for globs in [["app.log"], ["app.log*"]] {
        let mut rig = closing(&globs);
        let mut old = rig.append("app.log", "1\n");
        rig.turn().is_closed();
        old.write_all(b"2\n").unwrap();
        rig.rename("app.log", "app.log.1");
        rig.append("app.log", "3\n");
        rig.after(1);
        old.write_all(b"late\n").unwrap();
        rig.after(1);
        let mut got = rig.lines();
        got.sort_unstable();
        assert_eq!(got, ["1\n", "2\n", "3\n", "late\n"]);
        assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
    }
}

#[test]
fn generations_that_came_and_went_while_a_file_was_closed_are_found() {
    let mut rig = closing(&["app.log"]);
    rig.append("app.log", "1\n");
    rig.turn().is_closed();
    for (old, line) in [("app.log.2", "2\n"), ("app.log.1", "3\n")] {
        rig.rename("app.log", old);
        rig.append("app.log", line);
    }
    rig.after(1).after(1).expect(&["1\n", "2\n", "3\n"]);
    assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
}

#[test]
fn of_logs_with_numbers_in_their_names_each_is_read_from_its_oldest_generation_on() {
    // The second looks like a generation of the first, and the third like one of both.
    let logs = ["app.log", "app1.log", "app12.log"];
    for (globs, budget) in [("app*.log", Some(NONE)), ("app*", Some(NONE)), ("app*.log", None)] {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
            let mut rig = Rig::new(&[globs]);
            rig.budget = budget;
            for log in order {
                rig.append(logs[log], &format!("{log}: 1\n"));
                rig.after(1);
            }
            for log in order {
                rig.append(logs[log], &format!("{log}: 2\n"));
                rig.rename(logs[log], &format!("{}.1", logs[log]));
                rig.append(logs[log], &format!("{log}: 3\n"));
            }
            rig.after(1).after(1);
            assert_eq!(rig.got.len(), 9, "{:?}", rig.got);
            let lines = rig.lines();
            for number in 0..logs.len() {
                let own: Vec<_> = lines
                    .iter()
                    .filter(|line| line.starts_with(&number.to_string()))
                    .collect();
                assert!(own.is_sorted(), "{globs}, {order:?}: {lines:?}");
            }
        }
    }
}

#[test]
fn a_file_that_is_cut_while_it_is_closed_begins_again_and_the_cut_is_told() {
    let mut rig = closing(&["app.log"]);
    rig.append("app.log", "one\n");
    rig.turn().is_closed();
    fs::write(rig.path("app.log"), "another text\n").unwrap();
    rig.after(1).expect(&["one\n", "another text\n"]);
    assert_eq!(rig.gap_bytes(), [0]);
}

#[test]
fn a_file_that_is_copied_and_cut_while_it_is_closed_goes_on_in_the_copy() {
    for globs in [["app.log"], ["app.log*"]] {
        let mut rig = closing(&globs);
        rig.append("app.log", "1\n");
        rig.turn().is_closed();
        rig.append("app.log", "2\n");
        fs::copy(rig.path("app.log"), rig.path("app.log.1")).unwrap();
        fs::write(rig.path("app.log"), "3\n").unwrap();
        rig.after(1).after(1).expect(&["1\n", "2\n", "3\n"]);
        assert_eq!(rig.gap_bytes(), [0]);
    }
}

#[test]
fn a_file_that_is_deleted_while_it_is_closed_is_forgotten_and_no_gap_if_all_was_read() {
    let mut rig = closing(&["*.log"]);
    rig.append("read.log", "1\n");
    rig.append("other.log", "2\n");
    rig.turn().is_closed();
    fs::remove_file(rig.path("read.log")).unwrap();
    rig.after(1).after(61).after(1);
    assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
    assert_eq!(rig.positions.len(), 1);
}

#[test]
fn what_was_seen_and_not_read_when_a_closed_file_is_deleted_is_a_gap() {
    let mut rig = Rig::new(&["*.log"]);
    rig.budget = Some(Budget {
        keep: 0,
        most: 1,
        idle: Duration::ZERO,
    });
    rig.append("half.log", "whole\nhalf");
    rig.append("other.log", "1\n");
    rig.turn();
    // It takes the one descriptor there is.
    rig.append("other.log", "2\n");
    rig.after(1).is_closed();
    fs::remove_file(rig.path("half.log")).unwrap();
    rig.after(1).after(1);
    assert_eq!(
        rig.gaps.iter().map(|gap| gap.kind).collect::<Vec<_>>(),
        [GapKind::Vanished]
    );
}

#[test]
fn an_inode_that_is_used_again_while_its_file_is_closed_is_another_file() {
    let mut rig = closing(&["*.log"]);
    for round in 0..20 {
        let name = format!("{}.log", round % 3);
        let _ = fs::remove_file(rig.path(&name));
        rig.append(&name, &format!("{round}\n"));
        rig.after(1).is_closed();
    }
    let all: Vec<String> = (0..20).map(|round| format!("{round}\n")).collect();
    rig.expect(&all.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_file_that_is_written_anew_under_its_name_while_it_is_closed_goes_on() {
    let mut rig = closing(&["app.log"]);
    let text = (0..200)
        .map(|line| format!("line {line}\n"))
        .collect::<Vec<_>>()
        .concat();
    rig.append("app.log", &text);
    rig.turn().is_closed();
    fs::write(rig.path("new"), format!("{text}more\n")).unwrap();
    rig.rename("new", "app.log");
    rig.after(1).after(1);
    assert_eq!(rig.got.len(), 201, "{:?}", &rig.got[200..]);
    assert_eq!(rig.got[200].text, "more\n");
}

#[test]
fn files_that_wait_for_a_descriptor_are_neither_gone_nor_unreadable() {
    let mut rig = Rig::new(&["*.log"]);
    rig.budget = Some(Budget {
        keep: 2,
        most: 2,
        idle: Settings::HOLD,
    });
    let mut held = Vec::new();
    for name in ["a.log", "b.log"] {
        held.push(rig.append(name, "1\n"));
        rig.after(1);
        fs::remove_file(rig.path(name)).unwrap();
        rig.after(1);
    }
    rig.append("c.log", "2\n");
    rig.after(1).after(1).expect(&["1\n", "1\n"]);
    assert_eq!(rig.notes, [Note::TooManyOpen]);
    assert_eq!(rig.tailer.as_ref().unwrap().descriptors().waiting, 1);
    held[0].write_all(b"late\n").unwrap();
    rig.after(1).after(61).after(1);
    rig.expect(&["1\n", "1\n", "late\n", "2\n"]);
    assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
    assert_eq!(rig.tailer.as_ref().unwrap().descriptors().waiting, 0);
}

#[test]
fn a_single_pass_reads_more_files_than_may_be_open() {
    let mut rig = closing(&["*.log"]);
    rig.mode = Mode::Once;
    for file in 0..50 {
        rig.append(&format!("{file}.log"), "whole\nhalf");
    }
    rig.turn();
    assert_eq!(rig.got.len(), 100);
}

#[test]
fn a_closed_file_that_may_not_be_opened_any_more_is_told_and_read_later() {
    let mut rig = closing(&["app.log"]);
    rig.append("app.log", "1\n");
    rig.turn().is_closed();
    rig.append("app.log", "2\n");
    rig.close("app.log");
    rig.after(1).after(1).expect(&["1\n"]);
    assert!(
        matches!(rig.notes[..], [Note::Unreadable { .. }]),
        "{:?}",
        rig.notes
    );
    rig.open("app.log");
    rig.after(1).expect(&["1\n", "2\n"]);
}

/// What happens to one of a few files.
#[derive(Clone, Debug)]
enum Deed {
    Append(usize),
    Half(usize),
    Rename(usize),
    Cut(usize),
    Delete(usize),
    Turn,
    Wait,
    Kill,
}

fn deed() -> impl Strategy<Value = Deed> {
    let file = || 0usize..4;
    prop_oneof![
        6 => file().prop_map(Deed::Append),
        2 => file().prop_map(Deed::Half),
        2 => file().prop_map(Deed::Rename),
        1 => file().prop_map(Deed::Cut),
        1 => file().prop_map(Deed::Delete),
        6 => Just(Deed::Turn),
        1 => Just(Deed::Wait),
        1 => Just(Deed::Kill),
    ]
}

/// A few logs beside each other, and what of them must and may be read.
#[derive(Default)]
struct Model {
    number: usize,
    renamed: usize,
    /// What lies in each log now and was not surely read.
    unread: HashMap<usize, Vec<String>>,
    /// A line that has no newline yet.
    half: HashMap<usize, String>,
    /// The logs whose file was there at a look.
    seen: BTreeSet<usize>,
    /// All that must be read, exactly once.
    owed: Vec<String>,
    /// What was destroyed: it may have been read or not, but not twice.
    doubtful: BTreeMap<String, usize>,
}

impl Model {
    fn write(&mut self, rig: &Rig, file: usize, newline: bool) {
        self.number += 1;
        let text = format!("{file}:{};", self.number);
        let line = self.half.entry(file).or_default();
        line.push_str(&text);
        rig.append(&format!("{file}.log"), &text);
        if newline {
            rig.append(&format!("{file}.log"), "\n");
            let line = self.half.remove(&file).unwrap_or_default();
            self.unread.entry(file).or_default().push(line);
        }
    }

    /// All that lies there whole was read, unless something waits for a descriptor: that is told, and what is destroyed
    /// meanwhile is lost.
    fn turned(&mut self, rig: &Rig) {
        if rig
            .tailer
            .as_ref()
            .is_some_and(|tailer| tailer.descriptors().waiting > 0)
        {
            return;
        }
        for (file, lines) in &mut self.unread {
            self.owed.append(lines);
            self.seen.insert(*file);
        }
        self.seen.extend(self.half.keys());
    }

    fn renamed(&mut self, file: usize) {
        if !self.seen.remove(&file) {
            // It came and went between two looks, perhaps at a path that had had no file for long.
            return self.destroyed(file);
        }
        let lines = self.unread.remove(&file).unwrap_or_default();
        self.owed.extend(lines);
        self.owed.extend(self.half.remove(&file));
    }

    /// Deleted, or cut.
    fn deleted(&mut self, file: usize) {
        self.seen.remove(&file);
        self.destroyed(file);
    }

    fn destroyed(&mut self, file: usize) {
        let lines = self.unread.remove(&file).unwrap_or_default();
        for line in lines.into_iter().chain(self.half.remove(&file)) {
            *self.doubtful.entry(line).or_default() += 1;
        }
    }
}

/// Plays this, and says what of it was not read as it had to be.
fn close_amid(deeds: &[Deed], budget: Option<Budget>) -> Result<(), TestCaseError> {
    let mut rig = Rig::new(&["?.log"]);
    rig.budget = budget;
    let mut model = Model::default();
    let (mut harmless, mut deleted) = (true, false);
    for file in 0..4 {
        model.write(&rig, file, true);
    }
    rig.turn();
    model.turned(&rig);
    for deed in deeds {
        match *deed {
            Deed::Append(file) => model.write(&rig, file, true),
            Deed::Half(file) => model.write(&rig, file, false),
            Deed::Rename(file) if rig.path(&format!("{file}.log")).exists() => {
                model.renamed += 1;
                rig.rename(&format!("{file}.log"), &format!("{file}.log.{}", model.renamed));
                model.renamed(file);
            }
            Deed::Cut(file) if rig.path(&format!("{file}.log")).exists() => {
                fs::write(rig.path(&format!("{file}.log")), "").unwrap();
                // Rotated away before the next look, it is nowhere to be known by what was read of it.
                model.deleted(file);
                harmless = false;
            }
            Deed::Delete(file) if rig.path(&format!("{file}.log")).exists() => {
                fs::remove_file(rig.path(&format!("{file}.log"))).unwrap();
                // Who holds it may read it still; who was killed or closed it may not.
                harmless &=
                    model.unread.get(&file).is_none_or(Vec::is_empty) && !model.half.contains_key(&file);
                harmless &= rig.tailer.is_some();
                deleted = true;
                model.deleted(file);
            }
            Deed::Rename(_) | Deed::Cut(_) | Deed::Delete(_) => {}
            Deed::Turn => {
                rig.after(1);
                model.turned(&rig);
            }
            Deed::Wait => {
                rig.after(61);
                model.turned(&rig);
            }
            Deed::Kill => {
                rig.kill();
                // Nobody holds any more what was deleted a while ago.
                harmless &= !deleted;
            }
        }
    }
    for file in 0..4 {
        model.write(&rig, file, true);
    }
    // What waits for a descriptor gets one once rotated files are let go.
    for _ in 0..10 {
        rig.after(61);
    }
    model.turned(&rig);
    let mut got: BTreeMap<String, usize> = BTreeMap::new();
    // A line whose file was rotated away before its newline came is two pieces; pieces are numbered.
    for piece in rig.raw.split(|&byte| byte == b'\n' || byte == b';') {
        *got.entry(String::from_utf8_lossy(piece).into_owned())
            .or_default() += 1;
    }
    got.remove("");
    let pieces = |lines: &mut dyn Iterator<Item = &String>| {
        let mut all = BTreeMap::new();
        for piece in lines
            .flat_map(|line| line.split(';'))
            .filter(|piece| !piece.is_empty())
        {
            *all.entry(piece.to_owned()).or_insert(0) += 1;
        }
        all
    };
    let owed = pieces(&mut model.owed.iter());
    let doubtful = pieces(&mut model.doubtful.keys());
    for (piece, count) in &owed {
        prop_assert_eq!(got.get(piece), Some(count), "{} of {:?}", piece, rig.lines());
    }
    for (piece, count) in &got {
        prop_assert!(*count == 1, "{} came {} times", piece, count);
        prop_assert!(
            owed.contains_key(piece) || doubtful.contains_key(piece),
            "{} was never written",
            piece
        );
    }
    if harmless {
        prop_assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
    }
    Ok(())
}

proptest! {
    #[test]
    fn closing_loses_and_doubles_nothing_and_makes_no_gap_where_nothing_was_destroyed(
        deeds in prop::collection::vec(deed(), 1..60),
        budget in budget(),
    ) {
        close_amid(&deeds, budget)?;
    }
}

#[test]
fn what_waits_for_a_descriptor_that_deleted_files_have_is_told_and_its_life_goes_on_behind_a_cut() {
    use Deed::{Append, Cut, Delete, Half, Turn};
    let deeds = [
        Delete(2),
        Append(3),
        Half(2),
        Turn,
        Delete(2),
        Delete(3),
        Append(2),
        Turn,
        Cut(2),
    ];
    let budget = Budget {
        keep: 2,
        most: 3,
        idle: Settings::HOLD,
    };
    close_amid(&deeds, Some(budget)).unwrap();
}

#[test]
fn among_very_many_files_what_is_held_open_is_looked_at_as_often_as_ever() {
    assert_eq!(
        [0, 2_000, 4_000, 10_000, 100_000].map(Settings::pace),
        [1, 1, 2, 5, 5]
    );
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
    // Two seconds lie between one sweep and the next.
    rig.turn().append("busy.log", "2\n");
    rig.after(2).append("busy.log", "3\n");
    rig.append("new.log", "4\n");
    rig.after(1).expect(&["1\n", "2\n", "3\n"]);
    rig.after(1).expect(&["1\n", "2\n", "3\n", "4\n"]);
}
