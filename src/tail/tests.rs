//! The laws of following, on real files. Time is a number that a test moves; nothing sleeps.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod archives;
mod contradictions;
mod copies;
mod deleted;
mod descriptors;
mod differential;
mod interleaved;
mod moving;
mod pipes;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

mod reconfigure;

use super::descriptor::Budget;
use super::*;
use crate::model::{GapKind, Joints, LineEnd, Manner, Moment, Now, Timestamp};

/// A piece that was handed out: its file, its text, how it ended, whether it continued.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Got {
    path: String,
    text: String,
    ending: Ending,
    continued: bool,
}

/// A folder, what a process that follows it remembers, and the store beside it.
struct Rig {
    dir: tempfile::TempDir,
    settings: Settings,
    mode: Mode,
    /// How many files it may hold open; absent where that is no matter.
    budget: Option<Budget>,
    tailer: Option<Tailer>,
    positions: BTreeMap<u128, Position>,
    seen: Vec<LogName>,
    clock: u64,
    seed: u64,
    got: Vec<Got>,
    /// All bytes that were handed out, and the path of every chunk.
    raw: Vec<u8>,
    chunks: Vec<String>,
    gaps: Vec<Gap>,
    notes: Vec<Note>,
    /// Of so many questions to the file system one has no answer; 0: each has.
    fails: usize,
}

impl Rig {
    fn new(globs: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = globs
            .iter()
            .map(|glob| Glob::parse(dir.path().join(glob).to_str().unwrap()).unwrap())
            .collect();
        let log = LogSettings {
            name: LogName::new("app"),
            files,
            exclude: Vec::new(),
            start: Start::Beginning,
            max_line: 64 * 1024,
            partial: Duration::from_hours(1),
            joints: None,
            flush: Duration::from_secs(1),
            watch: Watch::Poll,
        };
        let settings = Settings {
            logs: vec![log],
            from: None,
            sweep: Settings::SWEEP,
            hold: Settings::HOLD,
            deleted: Settings::DELETED,
            never: Vec::new(),
            unit: Unit::Lines,
        };
        Self {
            dir,
            settings,
            mode: Mode::Forever,
            budget: None,
            tailer: None,
            positions: BTreeMap::new(),
            seen: Vec::new(),
            clock: 0,
            seed: 1,
            got: Vec::new(),
            raw: Vec::new(),
            chunks: Vec::new(),
            gaps: Vec::new(),
            notes: Vec::new(),
            fails: 0,
        }
    }

    fn set(mut self, change: impl FnOnce(&mut LogSettings)) -> Self {
        change(&mut self.settings.logs[0]);
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn append(&self, name: &str, text: &str) -> File {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path(name))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Takes away the right to read it.
    fn close(&self, name: &str) {
        fs::set_permissions(self.path(name), Permissions::from_mode(0o200)).unwrap();
    }

    fn open(&self, name: &str) {
        fs::set_permissions(self.path(name), Permissions::from_mode(0o600)).unwrap();
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        Now {
            moment: Moment(self.clock),
            wall: Timestamp(i64::try_from(wall).unwrap()),
        }
    }

    /// Turns until there is nothing more to read, without time passing.
    fn turn(&mut self) -> &mut Self {
        assert!(self.some_turns(10_000), "the reader spins");
        self
    }

    /// At most so many turns, without time passing. Whether there is nothing more to read.
    fn some_turns(&mut self, most: usize) -> bool {
        let now = self.now();
        let mut tailer = self.tailer.take().unwrap_or_else(|| {
            self.seed += 1;
            let known = self.positions.values().cloned().collect();
            let random = fastrand::Rng::with_seed(self.seed);
            let mut tailer = Tailer::open(
                self.settings.clone(),
                self.mode,
                known,
                &self.seen,
                random,
                Waker::new(),
            );
            if let Some(budget) = self.budget {
                tailer.allow(budget);
            }
            tailer
        });
        for _ in 0..most {
            let (mut got, raw, chunks) = (Vec::new(), &mut self.raw, &mut self.chunks);
            let visit = &mut |source: &Source, chunk: Chunk<'_>| {
                raw.extend_from_slice(chunk.bytes);
                chunks.push(source.path.to_string());
                got.push((source.path.to_string(), pieces(chunk)));
            };
            self.seed += 1;
            let (fails, mut random) = (self.fails, fastrand::Rng::with_seed(self.seed));
            let turn = seam::failing(
                move || fails > 0 && random.usize(..fails) == 0,
                || tailer.turn(now, visit),
            );
            for (path, pieces) in got {
                let with_path = pieces.into_iter().map(|got| Got {
                    path: path.clone(),
                    ..got
                });
                self.got.extend(with_path);
            }
            for position in turn.positions {
                self.positions.insert(position.key.0, position);
            }
            for key in turn.forgotten {
                self.positions.remove(&key.0);
            }
            self.seen.extend(turn.logs_seen);
            self.gaps.extend(turn.gaps);
            self.notes.extend(turn.notes);
            if !turn.more {
                self.tailer = Some(tailer);
                return true;
            }
        }
        self.tailer = Some(tailer);
        false
    }

    /// Lets so many seconds pass, then turns.
    fn after(&mut self, seconds: u64) -> &mut Self {
        self.clock += seconds * 1000;
        self.turn()
    }

    /// Kills the process; the next turn is that of a new one.
    fn kill(&mut self) -> &mut Self {
        self.tailer = None;
        self
    }

    fn lines(&self) -> Vec<&str> {
        self.got.iter().map(|got| got.text.as_str()).collect()
    }

    #[track_caller]
    fn expect(&self, lines: &[&str]) {
        assert_eq!(self.lines(), lines);
    }
}

/// The lines of a chunk, each with what is special about it.
fn pieces(chunk: Chunk<'_>) -> Vec<Got> {
    let lines: Vec<&[u8]> = chunk.bytes.split_inclusive(|&byte| byte == b'\n').collect();
    let last = lines.len().saturating_sub(1);
    let piece = |(index, line): (usize, &&[u8])| Got {
        path: String::new(),
        text: String::from_utf8_lossy(line).into_owned(),
        ending: if index == last {
            chunk.ending
        } else {
            Ending::Newline
        },
        continued: index == 0 && chunk.continued,
    };
    lines.iter().enumerate().map(piece).collect()
}

#[test]
fn lines_are_handed_out_once_as_they_are_written() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "one\r\ntwo\n");
    rig.turn();
    rig.append("app.log", "three\n");
    rig.after(1).after(1);
    rig.expect(&["one\r\n", "two\n", "three\n"]);
}

#[test]
fn start_speaks_only_of_files_that_were_there_when_the_log_was_first_read() {
    let mut rig = Rig::new(&["*.log"]).set(|log| log.start = Start::End);
    rig.append("old.log", "before\n");
    rig.turn();
    rig.append("old.log", "after\n");
    rig.append("new.log", "first\n");
    rig.after(1).kill();
    rig.append("born-while-down.log", "second\n");
    rig.after(1);
    rig.expect(&["after\n", "first\n", "second\n"]);
}

#[test]
fn from_overrides_start() {
    let mut rig = Rig::new(&["*.log"]).set(|log| log.start = Start::End);
    rig.settings.from = Some(Start::Beginning);
    rig.append("old.log", "before\n");
    rig.turn().expect(&["before\n"]);
}

#[test]
fn a_missing_file_is_told_once_and_read_from_its_beginning_when_it_comes() {
    let mut rig = Rig::new(&["app.log"]).set(|log| log.start = Start::End);
    rig.turn().after(1).after(1);
    assert_eq!(rig.notes.len(), 1, "{:?}", rig.notes);
    assert_eq!(rig.tailer.as_ref().unwrap().files()[0].state, FileState::Waiting);
    rig.append("app.log", "hello\n");
    rig.after(1).expect(&["hello\n"]);
}

#[test]
fn a_log_is_not_missing_between_the_rename_and_the_create_of_a_rotation() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "1\n");
    rig.turn();
    rig.rename("app.log", "app.log.1");
    rig.after(1);
    assert!(rig.notes.is_empty(), "{:?}", rig.notes);
}

#[test]
fn late_lines_on_the_old_descriptor_are_read_after_a_rename() {
    let mut rig = Rig::new(&["app.log"]);
    let mut old = rig.append("app.log", "1\n");
    rig.turn();
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", "3\n");
    rig.after(1);
    old.write_all(b"2\n").unwrap();
    rig.after(59);
    old.write_all(b"late\n").unwrap();
    rig.after(59).expect(&["1\n", "3\n", "2\n", "late\n"]);
}

#[test]
fn a_rotated_file_is_let_go_once_it_was_quiet_and_never_read_again() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.append("app.log", "1\n");
    rig.turn();
    rig.rename("app.log", "moved");
    rig.after(1).after(60);
    assert!(rig.positions.values().all(|position| position.finished));
    rig.rename("moved", "app.log.1");
    rig.after(1).kill().after(1).expect(&["1\n"]);
}

#[test]
fn a_deleted_file_is_read_to_its_end_then_forgotten() {
    let mut rig = Rig::new(&["app.log"]);
    let mut file = rig.append("app.log", "1\n");
    rig.turn();
    file.write_all(b"2\nhalf").unwrap();
    fs::remove_file(rig.path("app.log")).unwrap();
    rig.after(1).after(61).expect(&["1\n", "2\n", "half"]);
    assert_eq!(rig.got[2].ending, Ending::Flushed);
    assert!(rig.positions.is_empty());
}

#[test]
fn generations_between_two_looks_are_found_beside_the_path() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "1\n");
    rig.turn();
    rig.append("app.log", "2\n");
    for (old, line) in [("app.log.2", "3\n"), ("app.log.1", "4\n")] {
        rig.rename("app.log", old);
        rig.append("app.log", line);
    }
    rig.after(1).expect(&["1\n", "2\n", "3\n", "4\n"]);
}

#[test]
fn generations_between_two_looks_are_read_in_the_order_in_which_they_were_begun() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "1\n");
    rig.turn();
    rig.rename("app.log", "app.log.3");
    let mut late = rig.append("app.log", "2\n");
    rig.rename("app.log", "app.log.2");
    // Filesystems stamp with a coarse clock.
    std::thread::sleep(Duration::from_millis(30));
    rig.append("app.log", "3\n");
    rig.rename("app.log", "app.log.1");
    std::thread::sleep(Duration::from_millis(30));
    late.write_all(b"late\n").unwrap();
    rig.append("app.log", "4\n");
    rig.after(1).expect(&["1\n", "2\n", "late\n", "3\n", "4\n"]);
}

#[test]
fn of_generations_that_are_met_together_the_older_one_is_read_first_where_a_glob_reaches_both() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.append("app.log", "1\n");
    rig.turn().rename("app.log", "app.log.2");
    rig.append("app.log", "2\n");
    rig.rename("app.log", "app.log.1");
    std::thread::sleep(Duration::from_millis(9));
    rig.append("app.log", "3\n");
    rig.after(1).expect(&["1\n", "2\n", "3\n"]);
}

#[test]
fn a_generation_that_came_and_went_after_a_look_at_an_empty_path_is_found() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "1\n");
    rig.turn();
    rig.rename("app.log", "app.log.1");
    rig.after(1);
    rig.append("app.log", "2\n");
    rig.rename("app.log", "app.log.2");
    rig.after(1).expect(&["1\n", "2\n"]);
    rig.append("app.log", "3\n");
    rig.rename("app.log", "app.log.3");
    rig.append("app.log", "4\n");
    rig.after(1).after(1).expect(&["1\n", "2\n", "3\n", "4\n"]);
}

#[test]
fn after_downtime_the_saved_generation_comes_first_then_newer_ones_then_the_file() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log.1", "not ours\n");
    rig.append("app.log", "1\n");
    rig.turn().kill();
    rig.append("app.log", "2\n");
    rig.rename("app.log", "app.log.3");
    rig.append("app.log.2", "3\n");
    rig.append("app.log", "4\n");
    // Filesystems stamp with a coarse clock: the neighbour has to be clearly older than the last read.
    let old = SystemTime::now() - Duration::from_hours(1);
    File::open(rig.path("app.log.1"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    rig.after(1).expect(&["1\n", "2\n", "3\n", "4\n"]);
    assert!(rig.gaps.is_empty());
    rig.kill().after(1).expect(&["1\n", "2\n", "3\n", "4\n"]);
}

#[test]
fn a_generation_that_is_gone_after_downtime_is_a_gap() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "1\n");
    rig.turn().kill();
    fs::remove_file(rig.path("app.log")).unwrap();
    rig.after(1);
    assert_eq!(rig.gaps[0].kind, GapKind::Vanished);
    assert!(rig.positions.is_empty());
}

#[test]
fn a_generation_that_cannot_be_opened_after_downtime_is_waited_for() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "1\n");
    rig.turn().kill();
    rig.append("app.log", "2\n");
    rig.rename("app.log", "app.log.2");
    rig.close("app.log.2");
    rig.append("app.log.1", "3\n");
    rig.append("app.log", "4\n");
    rig.after(1).after(1).expect(&["1\n", "3\n", "4\n"]);
    assert!(
        matches!(rig.notes[..], [Note::Unreadable { .. }]),
        "{:?}",
        rig.notes
    );
    rig.kill().after(1).after(61);
    rig.open("app.log.2");
    let all = ["1\n", "3\n", "4\n", "2\n"];
    rig.after(1).after(61).expect(&all);
    rig.kill().after(1).expect(&all);
    assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
}

#[test]
fn a_generation_that_could_not_be_opened_and_is_gone_is_a_gap() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "1\n");
    rig.turn().kill();
    rig.rename("app.log", "app.log.1");
    rig.close("app.log.1");
    rig.after(1).after(1);
    assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
    fs::remove_file(rig.path("app.log.1")).unwrap();
    rig.after(1).after(1);
    assert_eq!(
        rig.gaps.iter().map(|gap| gap.kind).collect::<Vec<_>>(),
        [GapKind::Vanished]
    );
    assert!(rig.positions.is_empty());
}

#[test]
fn a_cut_file_is_read_from_its_start_and_what_was_not_read_is_a_gap() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "one\nha");
    rig.turn();
    fs::write(rig.path("app.log"), "x\n").unwrap();
    rig.after(1).expect(&["one\n", "x\n"]);
    assert_eq!(
        (rig.gaps.len(), rig.gaps[0].kind, rig.gaps[0].bytes),
        (1, GapKind::Truncated, 2)
    );
}

#[test]
fn a_file_cut_and_grown_past_the_offset_is_read_from_its_start() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "one\n");
    rig.turn();
    fs::write(rig.path("app.log"), "a longer text\n").unwrap();
    rig.after(1);
    fs::write(rig.path("app.log"), "another text.\n").unwrap();
    // The same size, and perhaps the same tick of the filesystem's clock.
    File::open(rig.path("app.log"))
        .unwrap()
        .set_modified(UNIX_EPOCH)
        .unwrap();
    rig.after(1)
        .expect(&["one\n", "a longer text\n", "another text.\n"]);
}

#[test]
fn a_copy_that_a_glob_reaches_is_read_only_where_the_original_was_not() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.append("app.log", "1\n2\n");
    rig.turn();
    rig.append("app.log", "3\n");
    // Copy and cut between two looks: the copy alone has line 3.
    fs::copy(rig.path("app.log"), rig.path("app.log.1")).unwrap();
    fs::write(rig.path("app.log"), "4\n").unwrap();
    rig.after(1)
        .after(1)
        .kill()
        .after(1)
        .expect(&["1\n", "2\n", "3\n", "4\n"]);
    // As below, nobody can know what was written between the copying and the cut.
    assert_eq!(rig.gaps.iter().map(|gap| gap.bytes).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_copy_that_no_glob_reaches_is_read_where_the_original_was_not() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "1\n");
    rig.turn();
    for (copy, unread, next) in [("app.log.1", "2\n", "3\n"), ("app.log.2", "4\n", "5\n")] {
        let file = rig.append("app.log", unread);
        fs::copy(rig.path("app.log"), rig.path(copy)).unwrap();
        file.set_len(0).unwrap();
        rig.append("app.log", next);
        rig.after(1).after(1);
    }
    rig.expect(&["1\n", "2\n", "3\n", "4\n", "5\n"]);
    rig.kill()
        .after(1)
        .after(61)
        .expect(&["1\n", "2\n", "3\n", "4\n", "5\n"]);
    // What was written between the copying and the cut is gone, and nobody can know how much it was.
    assert_eq!(rig.gaps.iter().map(|gap| gap.bytes).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn a_copy_made_long_before_the_cut_is_not_read_twice() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.append("app.log", "1\n");
    rig.turn();
    fs::copy(rig.path("app.log"), rig.path("app.log.1")).unwrap();
    rig.after(1);
    rig.append("app.log", "2\n");
    rig.after(1);
    fs::write(rig.path("app.log"), "").unwrap();
    rig.after(1);
    rig.append("app.log", "3\n");
    rig.after(1).kill().after(1).expect(&["1\n", "2\n", "3\n"]);
}

#[test]
fn copytruncate_during_downtime_finishes_the_copy_first() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "1\n");
    rig.turn().kill();
    rig.append("app.log", "2\n");
    fs::copy(rig.path("app.log"), rig.path("app.log.1")).unwrap();
    fs::write(rig.path("app.log"), "3\n").unwrap();
    rig.after(1).expect(&["1\n", "2\n", "3\n"]);
}

#[test]
fn copies_made_in_one_downtime_after_another_are_read_once() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "1\n");
    rig.turn().kill();
    for (copy, next) in [("app.log.1", "2\n"), ("app.log.2", "3\n"), ("app.log.3", "4\n")] {
        fs::copy(rig.path("app.log"), rig.path(copy)).unwrap();
        fs::write(rig.path("app.log"), next).unwrap();
        rig.after(1).kill();
    }
    rig.after(1).expect(&["1\n", "2\n", "3\n", "4\n"]);
}

#[test]
fn deleted_and_made_anew_is_another_file() {
    let mut rig = Rig::new(&["logs/app.log"]);
    for round in 0..20 {
        let _ = fs::remove_dir_all(rig.path("logs"));
        fs::create_dir(rig.path("logs")).unwrap();
        rig.append("logs/app.log", &format!("{round}\n"));
        rig.after(1);
    }
    let all: Vec<String> = (0..20).map(|round| format!("{round}\n")).collect();
    rig.expect(&all.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn reading_resumes_at_every_byte() {
    let text = "a\nlonger line\n\nlast one\n";
    for split in 0..=text.len() {
        let mut rig = Rig::new(&["app.log"]);
        rig.append("app.log", &text[..split]);
        rig.turn().kill();
        rig.append("app.log", &text[split..]);
        rig.turn().expect(&["a\n", "longer line\n", "\n", "last one\n"]);
    }
}

#[test]
fn a_half_line_waits_and_its_rest_is_a_continuation() {
    let mut rig = Rig::new(&["app.log"]).set(|log| log.partial = Duration::from_secs(5));
    rig.append("app.log", "ha");
    rig.turn();
    rig.after(4).expect(&[]);
    rig.append("app.log", "lf");
    rig.after(1).after(4).expect(&[]);
    rig.after(5).expect(&["half"]);
    assert_eq!(rig.got[0].ending, Ending::Flushed);
    rig.kill();
    rig.append("app.log", " rest\nnext\n");
    rig.after(1).expect(&["half", " rest\n", "next\n"]);
    assert!(rig.got[1].continued && !rig.got[2].continued);
}

#[test]
fn a_newline_that_comes_after_the_flush_is_no_event() {
    let mut rig = Rig::new(&["app.log"]).set(|log| log.partial = Duration::from_secs(5));
    rig.append("app.log", "whole");
    rig.turn().after(5);
    rig.append("app.log", "\nnext\n");
    rig.after(1).expect(&["whole", "next\n"]);
}

#[test]
fn a_line_that_comes_byte_by_byte_is_one_line() {
    let mut rig = Rig::new(&["app.log"]);
    let line = "x".repeat(9000) + "\n";
    for byte in 0..line.len() {
        rig.append("app.log", &line[byte..=byte]);
        rig.after(1);
    }
    rig.expect(&[&line]);
}

#[test]
fn a_line_longer_than_max_line_is_cut_and_the_next_one_is_whole() {
    for step in [1, 7, 50, 1000] {
        let mut rig = Rig::new(&["app.log"]).set(|log| log.max_line = 10);
        let text = format!("{}\nnext\n", "x".repeat(43));
        for piece in text.as_bytes().chunks(step) {
            rig.append("app.log", std::str::from_utf8(piece).unwrap());
            rig.after(1).kill();
        }
        rig.expect(&["xxxxxxxxxx", "next\n"]);
        assert_eq!(rig.got[0].ending, Ending::Cut);
    }
}

#[test]
fn a_huge_line_does_not_grow_the_buffer() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", &"x".repeat(8 << 20));
    rig.append("app.log", "\nnext\n");
    rig.turn();
    assert_eq!(rig.got.len(), 2);
    assert_eq!(
        (rig.got[0].text.len(), rig.got[1].text.as_str()),
        (64 * 1024, "next\n")
    );
}

#[test]
fn a_hole_behind_half_a_line_does_not_stop_reading() {
    let mut rig = Rig::new(&["app.log"]).set(|log| log.partial = Duration::from_secs(5));
    let file = rig.append("app.log", "a");
    file.set_len(1 << 30).unwrap();
    rig.append("app.log", "b\nnext\n");
    rig.turn().after(5).after(1).expect(&["a", "b\n", "next\n"]);
}

#[test]
fn a_hole_before_the_first_line_is_skipped() {
    let mut rig = Rig::new(&["app.log"]);
    File::create(rig.path("app.log"))
        .unwrap()
        .set_len(2 << 30)
        .unwrap();
    rig.turn();
    rig.append("app.log", "data\n");
    rig.after(1).after(1).expect(&["data\n"]);
}

#[test]
fn reserved_zeros_are_no_data_yet() {
    use std::os::unix::fs::FileExt;
    let mut rig = Rig::new(&["app.log"]);
    fs::write(rig.path("app.log"), vec![0; 4 << 20]).unwrap();
    rig.turn();
    let file = OpenOptions::new().write(true).open(rig.path("app.log")).unwrap();
    for number in 0..300u64 {
        file.write_all_at(format!("{number:04}\n").as_bytes(), number * 5)
            .unwrap();
        if number % 7 == 0 {
            rig.after(1);
        }
    }
    rig.after(1);
    let all: Vec<String> = (0..300).map(|number| format!("{number:04}\n")).collect();
    rig.expect(&all.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(rig.gaps.is_empty());
}

#[test]
fn a_file_reached_in_many_ways_is_read_once() {
    let mut rig = Rig::new(&["app.log", "*.log", "**/*.log"]);
    let mut second = rig.settings.logs[0].clone();
    second.name = LogName::new("second");
    rig.settings.logs.push(second);
    rig.append("app.log", "1\n");
    fs::hard_link(rig.path("app.log"), rig.path("hard.log")).unwrap();
    std::os::unix::fs::symlink(rig.path("app.log"), rig.path("soft.log")).unwrap();
    rig.turn().expect(&["1\n"]);
}

#[test]
fn a_link_that_is_pointed_elsewhere_is_followed() {
    let mut rig = Rig::new(&["current.log"]);
    rig.append("a", "1\n");
    std::os::unix::fs::symlink(rig.path("a"), rig.path("current.log")).unwrap();
    rig.turn();
    rig.append("a", "2\n");
    rig.append("b", "3\n");
    fs::remove_file(rig.path("current.log")).unwrap();
    std::os::unix::fs::symlink(rig.path("b"), rig.path("current.log")).unwrap();
    rig.after(1).expect(&["1\n", "2\n", "3\n"]);
}

#[test]
fn compressed_files_and_what_is_no_file_are_left_alone_and_told_once() {
    let mut rig = Rig::new(&["*"]);
    rig.append("app.log", "1\n");
    rig.append("app.log.1.gz", "text\n");
    fs::write(rig.path("app.log.2"), b"\x1f\x8b\x08binary\n").unwrap();
    fs::create_dir(rig.path("folder")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        rig.path("fifo"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    rig.turn().after(1).after(1).expect(&["1\n"]);
    assert_eq!(rig.notes.len(), 3, "{:?}", rig.notes);
}

#[test]
fn own_state_is_never_followed() {
    let mut rig = Rig::new(&["**/*"]);
    fs::create_dir(rig.path("state")).unwrap();
    rig.append("state/log", "no\n");
    std::os::unix::fs::symlink(rig.path("state/log"), rig.path("link")).unwrap();
    rig.settings.never.push(rig.path("state"));
    rig.turn().expect(&[]);
}

#[test]
fn a_file_that_may_not_be_read_is_told_with_its_cure_and_read_later() {
    let mut rig = Rig::new(&["app.log"]).set(|log| log.start = Start::End);
    rig.append("app.log", "old\n");
    rig.close("app.log");
    rig.turn();
    rig.append("app.log", "new\n");
    rig.after(1);
    assert!(
        matches!(rig.notes[..], [Note::Unreadable { .. }]),
        "{:?}",
        rig.notes
    );
    rig.open("app.log");
    rig.after(1).expect(&["new\n"]);
    assert_eq!(rig.positions.len(), 1);
}

#[test]
fn start_speaks_of_a_file_that_was_unreadable_then_also_after_a_restart() {
    let mut rig = Rig::new(&["*.log"]).set(|log| log.start = Start::End);
    rig.append("app.log", "old\nha");
    rig.append("half.log", "half of an ol");
    rig.close("app.log");
    rig.close("half.log");
    rig.turn().kill().after(1).kill();
    rig.append("app.log", "lf\nwhile closed\n");
    rig.append("half.log", "d line\n");
    rig.open("app.log");
    rig.open("half.log");
    rig.after(1).expect(&["lf\n", "while closed\n", "d line\n"]);
    assert!(rig.got[0].continued && !rig.got[1].continued && rig.got[2].continued);
    rig.kill().after(1);
    assert_eq!(rig.got.len(), 3);
}

#[test]
fn a_log_whose_folder_cannot_be_entered_is_first_read_once_it_can() {
    for (glob, restart) in [
        ("logs/app.log", true),
        ("logs/*.log", true),
        ("logs/*.log", false),
    ] {
        let mut rig = Rig::new(&[glob]).set(|log| log.start = Start::End);
        fs::create_dir(rig.path("away")).unwrap();
        rig.append("away/app.log", "old\n");
        // A link to itself keeps root out too.
        std::os::unix::fs::symlink(rig.path("logs"), rig.path("logs")).unwrap();
        rig.turn().after(1);
        assert!(
            matches!(rig.notes[..], [Note::Unreadable { .. }]),
            "{:?}",
            rig.notes
        );
        if restart {
            rig.kill();
        }
        fs::remove_file(rig.path("logs")).unwrap();
        rig.rename("away", "logs");
        rig.after(1);
        rig.append("logs/app.log", "1\n");
        rig.after(1).kill();
        rig.rename("logs/app.log", "logs/app.log.1");
        rig.append("logs/app.log", "2\n");
        rig.after(1).expect(&["1\n", "2\n"]);
    }
}

#[test]
fn an_unreadable_file_does_not_keep_its_log_from_being_seen() {
    let mut rig = Rig::new(&["*.log"]).set(|log| log.start = Start::End);
    rig.append("closed.log", "old\n");
    rig.append("app.log", "old\n");
    rig.close("closed.log");
    rig.turn().kill();
    rig.append("app.log", "1\n");
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", "2\n");
    rig.append("born-closed.log", "3\n");
    rig.close("born-closed.log");
    rig.after(1).kill();
    rig.open("born-closed.log");
    rig.after(1).expect(&["1\n", "2\n", "3\n"]);
}

#[test]
fn what_was_cut_or_made_anew_while_it_was_unreadable_is_read_from_its_beginning() {
    let mut rig = Rig::new(&["*.log"]).set(|log| log.start = Start::End);
    for name in ["anew.log", "cut.log", "gone.log"] {
        rig.append(name, "a long old text\n");
        rig.close(name);
    }
    rig.turn().kill();
    // Filesystems stamp with a coarse clock: the new files have to be clearly younger.
    rig.positions
        .values_mut()
        .for_each(|position| position.at.0 -= 10_000);
    fs::write(rig.path("cut.log"), "cut\n").unwrap();
    fs::remove_file(rig.path("gone.log")).unwrap();
    fs::remove_file(rig.path("anew.log")).unwrap();
    rig.append("anew.log", "anew, and longer than before\n");
    rig.open("cut.log");
    rig.after(1).got.sort_by(|one, other| one.path.cmp(&other.path));
    rig.expect(&["anew, and longer than before\n", "cut\n"]);
    // Nobody ever read them, so nobody can say that anything was lost.
    assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
    assert_eq!(rig.positions.len(), 2);
}

#[test]
fn one_pass_reads_to_the_size_at_its_start_and_takes_the_half_line() {
    let mut rig = Rig::new(&["*.log"]);
    rig.mode = Mode::Once;
    rig.append("app.log", &"line\n".repeat(200_000));
    rig.append("app.log", "half");
    rig.turn();
    assert_eq!(rig.got.len(), 200_001);
    assert_eq!(rig.got[200_000].ending, Ending::Flushed);
    assert!(rig.tailer.as_ref().unwrap().caught_up());
    rig.append("app.log", " rest\n");
    rig.append("later.log", "later\n");
    rig.after(10);
    assert_eq!(rig.got.len(), 200_001);
    rig.kill().turn();
    assert_eq!(rig.lines()[200_001..], [" rest\n", "later\n"]);
}

#[test]
fn a_busy_file_does_not_keep_others_waiting() {
    let rig = Rig::new(&["*.log"]);
    rig.append("busy.log", &"x\n".repeat(4 << 20));
    rig.append("quiet.log", "y\n");
    let random = fastrand::Rng::with_seed(1);
    let mut tailer = Tailer::open(
        rig.settings.clone(),
        Mode::Forever,
        Vec::new(),
        &[],
        random,
        Waker::new(),
    );
    let mut paths = Vec::new();
    let turn = tailer.turn(rig.now(), &mut |source, _| paths.push(source.path.to_string()));
    assert!(turn.more);
    assert!(paths.iter().any(|path| path.ends_with("quiet.log")));
}

#[test]
fn a_hint_ends_the_wait_and_polling_asks_nothing_of_the_kernel() {
    let mut rig = Rig::new(&["*.log"]);
    rig.settings.sweep = Duration::from_mins(1);
    rig.turn();
    assert!(!rig.tailer.as_ref().unwrap().has_kernel());
    let mut rig = rig.set(|log| log.watch = Watch::Auto);
    rig.append("app.log", "1\n");
    rig.kill().turn();
    assert!(rig.tailer.as_ref().unwrap().has_kernel());
    rig.append("app.log", "2\n");
    // No time passes on our clock, so no sweep is due: only the hint can show the second line.
    while rig.got.len() < 2 {
        let now = rig.now();
        rig.tailer.as_mut().unwrap().wait(now);
        rig.turn();
    }
    rig.expect(&["1\n", "2\n"]);
}

#[test]
fn a_hint_is_heard_for_a_file_whose_glob_is_relative_too() {
    let mut rig = Rig::new(&["*.log"]);
    rig.settings.sweep = Duration::from_mins(1);
    let here = std::env::current_dir().unwrap();
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    let relative = up.join(rig.dir.path().strip_prefix("/").unwrap()).join("*.log");
    let mut rig = rig.set(|log| {
        log.watch = Watch::Auto;
        log.files = vec![Glob::parse(relative.to_str().unwrap()).unwrap()];
    });
    rig.append("app.log", "1\n");
    rig.turn();
    rig.append("app.log", "2\n");
    // As above: without the hint this waits for ever, in turns of the tailer's own minute.
    while rig.got.len() < 2 {
        let now = rig.now();
        rig.tailer.as_mut().unwrap().wait(now);
        rig.turn();
    }
    let texts: Vec<&str> = rig.got.iter().map(|got| got.text.as_str()).collect();
    assert_eq!(texts, ["1\n", "2\n"]);
}

#[test]
fn a_hint_is_heard_for_a_file_behind_a_link_to_another_folder() {
    let mut rig = Rig::new(&["links/*.log"]);
    rig.settings.sweep = Duration::from_mins(1);
    for folder in ["links", "files"] {
        fs::create_dir(rig.path(folder)).unwrap();
    }
    std::os::unix::fs::symlink("../files/app", rig.path("links/app.log")).unwrap();
    let mut rig = rig.set(|log| log.watch = Watch::Auto);
    rig.append("files/app", "1\n");
    rig.turn();
    rig.append("files/app", "2\n");
    // As above.
    while rig.got.len() < 2 {
        let now = rig.now();
        rig.tailer.as_mut().unwrap().wait(now);
        rig.turn();
    }
    rig.expect(&["1\n", "2\n"]);
}

#[test]
fn a_name_that_nfs_gives_to_a_deleted_file_is_no_log() {
    let mut rig = Rig::new(&["*"]);
    let _writer = rig.append("app.log", "1\n");
    rig.turn();
    rig.rename("app.log", ".nfs00000000000e4c6300000001");
    rig.append("app.log", "2\n");
    rig.after(1).after(61).expect(&["1\n", "2\n"]);
    assert_eq!(
        rig.tailer
            .as_ref()
            .unwrap()
            .files()
            .iter()
            .filter(|file| file.state == FileState::Following)
            .count(),
        1
    );
}

#[test]
fn a_name_that_is_no_text_is_read_like_any_other_and_stored_only_when_something_changed() {
    use std::os::unix::ffi::OsStrExt;
    let mut rig = Rig::new(&["*.log"]);
    let path = rig.dir.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.log"));
    fs::write(&path, "1\n").unwrap();
    rig.turn().expect(&["1\n"]);
    rig.clock += 2000;
    let now = rig.now();
    let turn = rig.tailer.as_mut().unwrap().turn(now, &mut |_, _| {});
    assert_eq!(turn.positions, []);
    fs::write(&path, "1\n2\n").unwrap();
    rig.kill().after(1).expect(&["1\n", "2\n"]);
}

#[test]
fn a_folder_is_told_where_its_name_was_meant() {
    for (glob, told) in [("*.log", 1), ("folder.log", 1), ("*", 0), ("**", 0)] {
        let mut rig = Rig::new(&[glob]);
        fs::create_dir(rig.path("folder.log")).unwrap();
        rig.append("app", "1\n");
        rig.turn().after(1);
        let folders = rig
            .notes
            .iter()
            .filter(|note| matches!(note, Note::NotRegular { .. }));
        assert_eq!(folders.count(), told, "{glob}");
    }
}

#[test]
fn a_wake_ends_the_wait() {
    let rig = Rig::new(&["app.log"]);
    let waker = Waker::new();
    let random = fastrand::Rng::with_seed(1);
    let mut settings = rig.settings.clone();
    settings.sweep = Duration::from_hours(1);
    let mut tailer = Tailer::open(settings, Mode::Forever, Vec::new(), &[], random, waker.clone());
    tailer.turn(rig.now(), &mut |_, _| {});
    std::thread::spawn(move || waker.wake());
    tailer.wait(rig.now());
}

/// One log for each name, all of them paths, whose bytes are handed out.
fn shown(names: &[&str]) -> Rig {
    let mut rig = Rig::new(&[]);
    let log = rig.settings.logs.remove(0);
    rig.settings.unit = Unit::Bytes;
    rig.settings.logs = names
        .iter()
        .map(|name| LogSettings {
            name: LogName::new(name),
            files: vec![Glob::exactly(rig.path(name))],
            max_line: 0,
            ..log.clone()
        })
        .collect();
    rig
}

proptest! {
    #[test]
    fn bytes_are_handed_out_at_once_and_as_they_are(
        pieces in prop::collection::vec(prop::collection::vec(prop_oneof![any::<u8>(), Just(0), Just(b'\n')], 0..2000), 0..8),
    ) {
        let mut rig = shown(&["app.log"]);
        let mut written = Vec::new();
        for piece in pieces {
            rig.append("app.log", "").write_all(&piece).unwrap();
            written.extend(piece);
            rig.after(1);
            prop_assert_eq!(&rig.raw, &written);
        }
        prop_assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
    }
}

#[test]
fn space_that_was_handed_out_and_is_written_to_later_begins_nothing_anew() {
    for from in [Start::Beginning, Start::End] {
        let mut rig = shown(&["app.log"]).set(|log| log.start = from);
        let file = rig.append("app.log", "one\n");
        file.set_len(3000).unwrap();
        rig.turn();
        let shown = rig.raw.len();
        for (at, text) in [(4, "two\n"), (2990, "three\n")] {
            // Without O_APPEND, which would write at the end.
            let file = OpenOptions::new().write(true).open(rig.path("app.log")).unwrap();
            file.write_all_at(text.as_bytes(), at).unwrap();
            rig.after(1);
        }
        assert_eq!(rig.raw.len(), shown, "{from:?}");
        rig.append("app.log", "four\n");
        rig.after(1);
        assert_eq!(&rig.raw[shown..], b"four\n", "{from:?}");
        assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
    }
}

#[test]
fn a_number_of_lines_speaks_only_of_files_that_were_there_at_the_start() {
    for (start, first) in [
        (Start::Last(0), ""),
        (Start::Last(2), "2\nhalf"),
        (Start::Line(2), "2\nhalf"),
        (Start::Line(9), ""),
    ] {
        let mut rig = shown(&["old.log", "new.log"]);
        rig.settings.from = Some(start);
        rig.append("old.log", "1\n2\nhalf");
        rig.turn();
        rig.append("old.log", " more\n");
        rig.append("new.log", "a\nb\nc\n");
        rig.after(1);
        let all = format!("{first} more\na\nb\nc\n");
        assert_eq!(String::from_utf8_lossy(&rig.raw), all, "{start:?}");
    }
}

#[test]
fn what_was_there_at_the_start_is_shown_file_by_file_in_the_order_of_the_logs() {
    let names = ["z.log", "empty.log", "a.log"];
    let mut rig = shown(&names);
    rig.append("a.log", "first\n");
    rig.append("z.log", &"x\n".repeat(1 << 20));
    rig.append("empty.log", "");
    rig.turn();
    let mut spoke: Vec<String> = rig.chunks.clone();
    spoke.dedup();
    let paths = names.map(|name| rig.path(name).display().to_string());
    assert_eq!(spoke, paths, "the empty one is named too");
}

#[test]
fn no_whole_line_is_torn_where_another_file_may_speak_in_between() {
    let mut rig = shown(&["a.log", "b.log"]);
    rig.turn();
    for name in ["a.log", "b.log"] {
        rig.append(name, &"a line\n".repeat(1 << 17));
    }
    rig.after(1);
    assert!(rig.chunks.len() > 4, "one turn read it all");
    assert_eq!(rig.got.len(), 2 << 17);
    assert!(rig.got.iter().all(|got| got.text == "a line\n"), "a line is torn");
}

#[test]
fn bytes_of_compressed_files_are_bytes() {
    let mut rig = shown(&["app.log.gz"]);
    rig.append("app.log.gz", "")
        .write_all(b"\x1f\x8b\x08\x00")
        .unwrap();
    rig.turn();
    assert_eq!(rig.raw, b"\x1f\x8b\x08\x00");
}

#[test]
fn a_path_is_no_pattern_and_a_folder_there_is_told() {
    let odd = "a[1]*{x}.log";
    let mut rig = shown(&[odd, "folder"]);
    rig.append("a1.log", "another\n");
    rig.append(odd, "odd\n");
    fs::create_dir(rig.path("folder")).unwrap();
    rig.turn();
    rig.append(odd, "more\n");
    rig.after(1).expect(&["odd\n", "more\n"]);
    let folder = Note::NotRegular {
        path: rig.path("folder"),
    };
    assert_eq!(rig.notes, [folder]);
}

#[test]
fn a_missing_file_is_told_beside_one_that_cannot_be_looked_at() {
    let mut rig = shown(&["loop.log", "missing.log"]);
    std::os::unix::fs::symlink("loop.log", rig.path("loop.log")).unwrap();
    rig.turn();
    let missing = |note: &Note| matches!(note, Note::Missing { log, .. } if log.as_str() == "missing.log");
    assert_eq!(rig.notes.len(), 2, "{:?}", rig.notes);
    assert!(rig.notes.iter().any(missing), "{:?}", rig.notes);
}

#[test]
fn a_look_can_be_asked_for_before_it_is_due() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "1\n");
    rig.turn();
    rig.append("app.log", "2\n");
    rig.turn().expect(&["1\n"]);
    rig.tailer.as_mut().unwrap().look_again();
    rig.turn().expect(&["1\n", "2\n"]);
}

/// What a writer, a rotator and we do, in any order.
#[derive(Clone, Debug)]
enum Step {
    Append(u8),
    Newline,
    Rotate,
    /// We look between the renaming and the making.
    RotateSlowly,
    LateLine(u8),
    Turn,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u8..20).prop_map(Step::Append),
        4 => Just(Step::Newline),
        1 => Just(Step::Rotate),
        1 => Just(Step::RotateSlowly),
        2 => (1u8..20).prop_map(Step::LateLine),
        4 => Just(Step::Turn),
        2 => Just(Step::Kill),
    ]
}

/// A writer that numbers what it writes, so that equal lines never hide a loss.
struct Writer {
    files: Vec<File>,
    written: Vec<String>,
    number: usize,
}

impl Writer {
    fn write(&mut self, file: usize, text: &str) {
        self.files[file].write_all(text.as_bytes()).unwrap();
        self.written[file].push_str(text);
    }

    fn fill(&mut self, file: usize, length: u8) {
        self.number += 1;
        self.write(file, &format!("{}:{};", self.number, "x".repeat(length.into())));
    }

    fn rotate(&mut self, dir: &Path) {
        self.rename(dir);
        self.create(dir);
    }

    fn rename(&self, dir: &Path) {
        let generation = self.files.len();
        if generation > 0 {
            fs::rename(dir.join("app.log"), dir.join(format!("app.log.{generation}"))).unwrap();
        }
    }

    fn create(&mut self, dir: &Path) {
        let generation = self.files.len();
        self.files.push(
            OpenOptions::new()
                .append(true)
                .create_new(true)
                .open(dir.join("app.log"))
                .unwrap(),
        );
        self.written.push(String::new());
        // No two generations begin alike: what is not written yet cannot be told apart.
        self.fill(generation, 1);
    }
}

/// Does the steps, and lets everything be read.
fn play(steps: Vec<Step>, rig: &mut Rig) -> Writer {
    let mut writer = Writer {
        files: Vec::new(),
        written: Vec::new(),
        number: 0,
    };
    writer.rotate(rig.dir.path());
    // What was renamed before it was ever met is nobody's.
    let fails = std::mem::take(&mut rig.fails);
    rig.turn();
    rig.fails = fails;
    for step in steps {
        let last = writer.files.len() - 1;
        match step {
            Step::Append(length) => writer.fill(last, length),
            Step::Newline => writer.write(last, "\n"),
            Step::Rotate => writer.rotate(rig.dir.path()),
            Step::RotateSlowly => {
                writer.rename(rig.dir.path());
                rig.after(1);
                writer.create(rig.dir.path());
            }
            Step::LateLine(length) => {
                let file = last.saturating_sub(1);
                writer.fill(file, length);
                writer.write(file, "\n");
            }
            Step::Turn => {
                rig.after(1);
            }
            Step::Kill => {
                rig.kill();
            }
        }
    }
    (0..writer.files.len()).for_each(|file| writer.write(file, "\n"));
    rig.fails = 0;
    rig.after(1).after(1);
    writer
}

/// That each generation came once, whole and in order, and nothing else did.
fn each_came_once(rig: &Rig, writer: &Writer) -> Result<(), TestCaseError> {
    let number = |line: &str| line.split(':').next().map(str::to_owned);
    for text in &writer.written {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let ours = |got: &&str| lines.contains(got) && number(got).is_some_and(|number| number != "\n");
        let got: Vec<&str> = rig.lines().into_iter().filter(ours).collect();
        let expected: Vec<&str> = lines.iter().copied().filter(|line| *line != "\n").collect();
        prop_assert_eq!(got, expected);
    }
    let written: usize = writer.written.iter().map(String::len).sum();
    let got: usize = rig.got.iter().map(|got| got.text.len()).sum();
    prop_assert_eq!(got, written);
    prop_assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
    Ok(())
}

proptest! {
    #[test]
    fn every_line_is_read_exactly_once_whatever_happens(
        steps in prop::collection::vec(step(), 1..60),
        rotated_are_reached in any::<bool>(),
        budget in descriptors::budget(),
    ) {
        let mut rig = Rig::new(if rotated_are_reached { &["app.log*"] } else { &["app.log"] });
        rig.budget = budget;
        let writer = play(steps, &mut rig);
        each_came_once(&rig, &writer)?;
    }

    #[test]
    fn questions_that_have_no_answer_lose_and_double_nothing(
        steps in prop::collection::vec(step(), 1..40),
        rotated_are_reached in any::<bool>(),
        fails in prop::sample::select(vec![2usize, 5, 20, 100]),
        budget in descriptors::budget(),
        seed in 0u64..1_000,
    ) {
        let mut rig = Rig::new(if rotated_are_reached { &["app.log*"] } else { &["app.log"] });
        (rig.budget, rig.fails, rig.seed) = (budget, fails, seed);
        let writer = play(steps, &mut rig);
        each_came_once(&rig, &writer)?;
    }

    #[test]
    fn every_byte_is_shown_exactly_once_whatever_happens(
        steps in prop::collection::vec(step(), 1..60),
        rotated_are_reached in any::<bool>(),
    ) {
        let mut rig = Rig::new(if rotated_are_reached { &["app.log*"] } else { &["app.log"] });
        rig.settings.unit = Unit::Bytes;
        let writer = play(steps, &mut rig);
        // Generations take turns, but what was written in one go is never torn.
        let pieces = |text: &str| {
            let mut pieces: Vec<String> = text.split(';').map(|piece| piece.trim().to_owned()).collect();
            pieces.retain(|piece| !piece.is_empty());
            pieces.sort_unstable();
            pieces
        };
        let (shown, written) = (String::from_utf8_lossy(&rig.raw), writer.written.concat());
        prop_assert_eq!(pieces(&shown), pieces(&written));
        prop_assert_eq!(shown.len(), written.len());
        prop_assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
    }
}

/// What happens to a file that is copied and cut.
#[derive(Clone, Debug)]
enum CopyStep {
    Line(u8),
    CopyAndCut,
    Turn,
    Kill,
}

fn copy_step() -> impl Strategy<Value = CopyStep> {
    prop_oneof![
        4 => (1u8..20).prop_map(CopyStep::Line),
        1 => Just(CopyStep::CopyAndCut),
        3 => Just(CopyStep::Turn),
        1 => Just(CopyStep::Kill),
    ]
}

/// Copies and cuts a log, and sees that each line came once. The first look has its answers.
fn copy_and_cut(steps: Vec<CopyStep>, rig: &mut Rig) -> Result<(), TestCaseError> {
    let mut written = Vec::new();
    let mut copies = 0;
    let fails = std::mem::take(&mut rig.fails);
    rig.append("app.log", "");
    rig.turn();
    rig.fails = fails;
    for step in steps {
        match step {
            CopyStep::Line(length) => {
                let line = format!("{}:{}\n", written.len(), "x".repeat(length.into()));
                rig.append("app.log", &line);
                written.push(line);
            }
            CopyStep::CopyAndCut => {
                copies += 1;
                fs::copy(rig.path("app.log"), rig.path(&format!("app.log.{copies}"))).unwrap();
                let log = OpenOptions::new().write(true).open(rig.path("app.log"));
                log.unwrap().set_len(0).unwrap();
            }
            CopyStep::Turn => {
                rig.after(1);
            }
            CopyStep::Kill => {
                rig.kill();
            }
        }
    }
    rig.fails = 0;
    rig.after(1).after(1);
    let mut got: Vec<String> = rig.got.iter().map(|got| got.text.clone()).collect();
    let number = |line: &String| {
        line.split(':')
            .next()
            .and_then(|number| number.parse::<usize>().ok())
    };
    got.sort_by_key(number);
    prop_assert_eq!(got, written);
    Ok(())
}

proptest! {
    #[test]
    fn what_a_rotator_copies_and_cuts_is_read_exactly_once_where_a_glob_reaches_the_copies(
        steps in prop::collection::vec(copy_step(), 1..50),
        budget in descriptors::budget(),
    ) {
        let mut rig = Rig::new(&["app.log*"]);
        rig.budget = budget;
        copy_and_cut(steps, &mut rig)?;
    }

    #[test]
    fn questions_that_have_no_answer_lose_and_double_nothing_of_what_is_copied_and_cut(
        steps in prop::collection::vec(copy_step(), 1..50),
        fails in prop::sample::select(vec![2usize, 5, 20, 100]),
        seed in 0u64..1_000,
    ) {
        let steps = steps.into_iter().filter(|step| !matches!(step, CopyStep::Kill)).collect();
        let mut rig = Rig::new(&["app.log*"]);
        (rig.fails, rig.seed) = (fails, seed);
        copy_and_cut(steps, &mut rig)?;
    }
}

/// Lines that end with a `+` go on in the next one, up to so many bytes.
#[derive(Debug)]
struct Plus(usize);

impl Joints for Plus {
    fn manner(&self, _: &str, _: &[u8]) -> Manner {
        Manner::default()
    }

    fn whole(&self, _: Manner, lines: &[u8], _: u64, upto: usize) -> usize {
        plus(lines, self.0, upto)
    }
}

fn plus(lines: &[u8], longest: usize, upto: usize) -> usize {
    let mut whole = 0;
    let mut end = 0;
    for line in lines.split_inclusive(|&byte| byte == b'\n') {
        end += line.len();
        if end > upto {
            break;
        }
        if !line.ends_with(b"+\n") || end - whole >= longest {
            whole = end;
        }
    }
    whole
}

fn joined() -> Rig {
    joined_up_to(64 * 1024)
}

fn joined_up_to(longest: usize) -> Rig {
    Rig::new(&["app.log"]).set(|log| {
        log.max_line = longest;
        log.joints = Some(Arc::new(Plus(longest)));
        log.flush = Duration::from_secs(5);
    })
}

#[test]
fn an_event_that_goes_on_waits_for_its_rest_and_is_read_again_after_a_crash() {
    let mut rig = joined();
    rig.append("app.log", "one\ntwo+\n");
    rig.turn().expect(&["one\n"]);
    let position = rig.positions.values().next().unwrap();
    assert_eq!(
        (position.offset, position.inside_line),
        (4, false),
        "the first byte of the open event"
    );
    rig.kill();
    rig.append("app.log", "three\n");
    rig.after(0).expect(&["one\n", "two+\n", "three\n"]);
    assert_eq!(rig.chunks.len(), 2, "the event came in one chunk");
}

#[test]
fn an_event_whose_rest_does_not_come_is_handed_out_as_it_stands() {
    let mut rig = joined();
    rig.append("app.log", "one+\nhal");
    rig.turn().after(4).expect(&[]);
    rig.after(1).expect(&["one+\n"]);
    rig.append("app.log", "f\n");
    rig.after(1).expect(&["one+\n", "half\n"]);
    assert!(rig.got.iter().all(|got| !got.continued));
    rig.append("app.log", "last+\n");
    fs::remove_file(rig.path("app.log")).unwrap();
    rig.after(1).after(61);
    rig.expect(&["one+\n", "half\n", "last+\n"]);
}

#[test]
fn a_single_pass_hands_out_what_waits() {
    let mut rig = joined();
    rig.mode = Mode::Once;
    rig.append("app.log", "one+\nhalf");
    rig.turn().expect(&["one+\n", "half"]);
}

#[test]
fn a_line_that_is_too_long_ends_the_event_before_it_however_it_is_read() {
    for at_once in [true, false] {
        let mut rig = joined_up_to(16);
        rig.append("app.log", "one+\n");
        if !at_once {
            rig.turn().expect(&[]);
        }
        rig.append("app.log", &format!("{}\ntwo\n", "x".repeat(30)));
        rig.after(1);
        let cut = "x".repeat(16);
        rig.expect(&["one+\n", &cut, "two\n"]);
    }
}

#[test]
fn an_event_that_never_ends_does_not_stop_the_file() {
    let mut rig = joined_up_to(64);
    let text = "never+\n".repeat(100_000);
    rig.append("app.log", &text);
    rig.turn();
    let waits = text.len() - rig.raw.len();
    assert!(waits < 64, "{waits}");
    rig.after(5);
    assert_eq!(rig.raw, text.as_bytes());
}

/// UTF-16, as every file's byte order mark says; without one, in the order of `Pairs`.
#[derive(Debug)]
struct Pairs(LineEnd);

impl Joints for Pairs {
    fn manner(&self, _: &str, first: &[u8]) -> Manner {
        Manner {
            line_end: LineEnd::marked(first, self.0 != LineEnd::Byte).unwrap_or(self.0),
            open: first.len() < 4,
            ..Manner::default()
        }
    }

    fn whole(&self, _: Manner, _: &[u8], _: u64, upto: usize) -> usize {
        upto
    }
}

fn units(end: LineEnd, text: &str) -> Vec<u8> {
    let order = if end == LineEnd::Utf16Le {
        u16::to_le_bytes
    } else {
        u16::to_be_bytes
    };
    text.encode_utf16().flat_map(order).collect()
}

#[test]
fn a_file_in_utf_16_is_read_from_its_end_in_whole_characters() {
    let mut rig = Rig::new(&["app.log"]).set(|log| {
        log.joints = Some(Arc::new(Pairs(LineEnd::Utf16Le)));
        log.start = Start::End;
    });
    let mut file = rig.append("app.log", "");
    file.write_all(&units(LineEnd::Utf16Le, "old\nhal")).unwrap();
    file.write_all(b"f").unwrap();
    rig.turn();
    assert!(rig.raw.is_empty());
    file.write_all(b"\0").unwrap();
    file.write_all(&units(LineEnd::Utf16Le, "\nnew\n")).unwrap();
    rig.after(1);
    assert_eq!(
        rig.raw,
        units(LineEnd::Utf16Le, "f\nnew\n"),
        "the rest of the line that was begun, and the new one"
    );
}

proptest! {
    #[test]
    fn any_split_of_a_file_in_utf_16_gives_the_same_lines(
        text in "[a\u{0a00}\u{0a0a}\u{100}\n\r한🦀]{0,40}",
        marked in any::<bool>(),
        low_first in any::<bool>(),
        splits in prop::collection::vec((0usize..90, any::<bool>()), 0..12),
    ) {
        let end = if low_first { LineEnd::Utf16Le } else { LineEnd::Utf16Be };
        // A mark is stronger than what was said, which is then wrong.
        let said = match (marked, end) {
            (false, end) => end,
            (true, LineEnd::Utf16Le) => LineEnd::Utf16Be,
            (true, _) => LineEnd::Byte,
        };
        let mark = if marked { "\u{feff}" } else { "" };
        let bytes = units(end, &format!("{mark}x{text}"));
        let mut rig = Rig::new(&["app.log"]).set(|log| log.joints = Some(Arc::new(Pairs(said))));
        let mut splits = splits;
        splits.sort_unstable();
        let (mut at, mut kills) = (0, 0);
        for (split, kill) in splits.into_iter().chain([(bytes.len(), false)]) {
            let split = split.clamp(at, bytes.len());
            rig.append("app.log", "").write_all(&bytes[at..split]).unwrap();
            at = split;
            rig.after(1);
            if kill {
                rig.kill();
                kills += 1;
            }
        }
        rig.after(1);
        let whole = end.last(&bytes).unwrap_or_default();
        prop_assert_eq!(&rig.raw[..], &bytes[..whole], "{} kills", kills);
        prop_assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
    }
}
