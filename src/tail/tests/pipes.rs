//! The laws of FIFOs that are named. Those of stdin need a process of their own: tests/it/pipes.rs.

use rustix::fs::{CWD, FileType, mknodat};

use super::reconfigure::changed;
use super::*;

/// A log `app` over one FIFO that is there, one that is met by the way, and a file.
fn rig() -> Rig {
    let rig = Rig::new(&["app.pipe", "*.log"]);
    make(&rig, "app.pipe");
    rig
}

fn make(rig: &Rig, name: &str) {
    mknodat(CWD, rig.path(name), FileType::Fifo, 0o600.into(), 0).unwrap();
}

/// A writer. It has to be there while somebody reads, else it would wait for that.
fn writer(rig: &Rig, name: &str) -> File {
    OpenOptions::new().write(true).open(rig.path(name)).unwrap()
}

fn write(rig: &Rig, text: &str) {
    writer(rig, "app.pipe").write_all(text.as_bytes()).unwrap();
}

fn state(rig: &Rig) -> Vec<FileState> {
    let files = rig.tailer.as_ref().unwrap().files();
    files.iter().map(|file| file.state).collect()
}

#[test]
fn writers_of_a_fifo_come_and_go_and_each_line_of_theirs_is_handed_out_once() {
    let mut rig = rig();
    rig.turn();
    for round in 0..20 {
        write(&rig, &format!("a{round}\n"));
        // Two at once, and one that says nothing.
        let (mut b, mut c) = (writer(&rig, "app.pipe"), writer(&rig, "app.pipe"));
        b.write_all(format!("b{round}\n").as_bytes()).unwrap();
        if round % 2 == 0 {
            rig.after(1);
        }
        drop(b);
        c.write_all(format!("c{round}\n").as_bytes()).unwrap();
        drop(c);
        drop(writer(&rig, "app.pipe"));
        if round % 3 == 0 {
            rig.after(1);
        }
    }
    rig.after(1).after(1);
    let expected: Vec<String> = (0..20)
        .flat_map(|round| ["a", "b", "c"].map(|who| format!("{who}{round}\n")))
        .collect();
    assert_eq!(rig.lines(), expected);
    assert_eq!(state(&rig), [FileState::Following]);
    assert!(rig.notes.is_empty() && rig.gaps.is_empty(), "{:?}", rig.notes);
}

#[test]
fn lines_that_come_byte_by_byte_are_whole_and_a_half_one_waits_as_long_as_that_of_a_file() {
    let mut rig = rig().set(|log| log.partial = Duration::from_secs(5));
    rig.turn();
    let mut writer = writer(&rig, "app.pipe");
    for byte in b"one\ntwo\nthr" {
        writer.write_all(&[*byte]).unwrap();
        rig.after(1);
    }
    rig.expect(&["one\n", "two\n"]);
    // The end of a writer is not the end.
    drop(writer);
    rig.after(3).expect(&["one\n", "two\n"]);
    rig.after(3).expect(&["one\n", "two\n", "thr"]);
    write(&rig, "ee\n");
    rig.after(1).expect(&["one\n", "two\n", "thr", "ee\n"]);
    assert!(rig.got[3].continued);
}

#[test]
fn nothing_of_a_fifo_is_stored_and_the_next_process_tells_no_gap() {
    let mut rig = rig();
    rig.turn();
    let mut writer = writer(&rig, "app.pipe");
    writer.write_all(b"one\nha").unwrap();
    rig.after(1).expect(&["one\n"]);
    assert!(rig.positions.is_empty(), "{:?}", rig.positions);
    // Whoever opens it next goes on, as long as a writer holds it.
    let mut held = OpenOptions::new()
        .read(true)
        .write(true)
        .open(rig.path("app.pipe"))
        .unwrap();
    rig.kill();
    held.write_all(b"two\n").unwrap();
    rig.after(1).expect(&["one\n", "two\n"]);
    assert!(rig.gaps.is_empty() && rig.notes.is_empty(), "{:?}", rig.notes);
}

#[test]
fn a_fifo_that_is_met_by_the_way_is_left_alone_and_one_that_comes_later_is_read() {
    let mut rig = Rig::new(&["app.pipe", "*"]);
    make(&rig, "other.pipe");
    rig.turn().after(1);
    assert!(matches!(&rig.notes[..], [Note::NotRegular { path }] if path.ends_with("other.pipe")));
    make(&rig, "app.pipe");
    rig.after(1);
    write(&rig, "one\n");
    rig.after(1).expect(&["one\n"]);
    assert_eq!(rig.notes.len(), 1, "{:?}", rig.notes);
}

#[test]
fn a_fifo_is_read_by_the_logs_that_name_it_and_by_no_other() {
    let mut rig = rig();
    let mut met = rig.settings.logs[0].clone();
    met.files = vec![Glob::parse(rig.path("*").to_str().unwrap()).unwrap()];
    met.name = LogName::new("met");
    rig.settings.logs.insert(0, met);
    rig.turn();
    write(&rig, "one\n");
    rig.after(1).expect(&["one\n"]);
    let files = rig.tailer.as_ref().unwrap().files();
    assert_eq!(files[0].log, LogName::new("app"));
    assert!(rig.notes.is_empty(), "{:?}", rig.notes);
}

#[test]
fn a_fifo_that_is_replaced_is_read_to_the_end_of_its_writers_beside_the_new_one() {
    let mut rig = rig();
    rig.turn();
    let mut old = writer(&rig, "app.pipe");
    fs::remove_file(rig.path("app.pipe")).unwrap();
    make(&rig, "app.pipe");
    rig.after(1);
    old.write_all(b"old\nold half").unwrap();
    write(&rig, "new\n");
    rig.after(1);
    let mut both = rig.lines();
    both.sort_unstable();
    assert_eq!(both, ["new\n", "old\n"]);
    assert_eq!(state(&rig).len(), 2);
    drop(old);
    // Nobody can write its rest any more.
    rig.after(1);
    assert_eq!(rig.lines()[2], "old half");
    assert_eq!(state(&rig).len(), 1);
    write(&rig, "new too\n");
    rig.after(1);
    assert_eq!(rig.lines()[3], "new too\n");
    assert!(rig.gaps.is_empty() && rig.notes.is_empty(), "{:?}", rig.notes);
}

#[test]
fn a_single_pass_reads_what_a_fifo_holds_and_waits_for_nobody() {
    let mut rig = rig();
    rig.mode = Mode::Once;
    let mut writer = OpenOptions::new()
        .read(true)
        .write(true)
        .open(rig.path("app.pipe"))
        .unwrap();
    writer.write_all(b"one\ntwo").unwrap();
    rig.append("a.log", "file\n");
    rig.turn();
    assert!(!rig.tailer.as_ref().unwrap().awaits_pipes());
    let mut lines = rig.lines();
    lines.sort_unstable();
    assert_eq!(lines, ["file\n", "one\n", "two"]);
    writer.write_all(b"three\n").unwrap();
    rig.turn();
    assert_eq!(rig.got.len(), 3);
}

#[test]
fn what_no_log_names_any_more_stays_in_the_pipe_and_is_read_on_when_it_is_named_again() {
    let mut rig = rig();
    let files = rig.settings.logs[0].files.clone();
    rig.turn();
    let mut writer = writer(&rig, "app.pipe");
    writer.write_all(b"one\ntw").unwrap();
    rig.after(1).expect(&["one\n"]);
    changed(&mut rig, |settings| {
        settings.logs[0].files.remove(0);
    });
    writer.write_all(b"o\nthree\n").unwrap();
    rig.after(1).after(1).expect(&["one\n"]);
    assert!(
        matches!(
            &rig.notes[..],
            [Note::Missing { .. }, Note::Parked { .. }] | [Note::Parked { .. }, Note::Missing { .. }]
        ),
        "{:?}",
        rig.notes
    );
    changed(&mut rig, |settings| settings.logs[0].files = files);
    rig.after(1).expect(&["one\n", "two\n", "three\n"]);
    writer.write_all(b"four\n").unwrap();
    rig.after(1);
    assert_eq!(rig.lines()[3], "four\n");
    assert!(rig.positions.is_empty() && rig.gaps.is_empty());
}

#[test]
fn a_pipe_is_drained_no_faster_than_its_lines_are_handed_out_and_memory_is_given_back() {
    let mut rig = rig();
    rig.turn();
    let mut writer = OpenOptions::new()
        .read(true)
        .write(true)
        .open(rig.path("app.pipe"))
        .unwrap();
    rustix::pipe::fcntl_setpipe_size(&writer, 1 << 20).unwrap();
    let line = format!("{}\n", "x".repeat(1023));
    let mut lines = 0;
    for _ in 0..8 {
        writer.write_all(line.repeat(1000).as_bytes()).unwrap();
        rig.clock += 1000;
        // One step a turn, however much there is.
        assert!(!rig.some_turns(1));
        lines += 1000;
        assert!(rig.got.len() < lines, "all was read at once");
        rig.turn();
        assert_eq!(rig.got.len(), lines);
    }
    assert_eq!(rig.raw.len(), lines * 1024);
    let memory = rig.tailer.as_ref().unwrap().pipe_memory();
    assert!(memory < 1 << 20, "{memory} bytes are kept of {}", rig.raw.len());
}

#[test]
fn what_is_no_text_moves_on_too() {
    let mut rig = rig().set(|log| log.partial = Duration::from_secs(5));
    rig.turn();
    let mut writer = OpenOptions::new()
        .read(true)
        .write(true)
        .open(rig.path("app.pipe"))
        .unwrap();
    rustix::pipe::fcntl_setpipe_size(&writer, 1 << 20).unwrap();
    // More than there is room for, at the start of a line and within one.
    let zeros = vec![0; 1 << 19];
    for _ in 0..8 {
        writer.write_all(&zeros).unwrap();
        rig.after(1);
    }
    writer.write_all(b"half").unwrap();
    for _ in 0..8 {
        writer.write_all(&zeros).unwrap();
        rig.after(1).after(6);
    }
    writer.write_all(b"\nwhole\n").unwrap();
    rig.after(1).after(6);
    assert!(
        rig.lines().contains(&"half") && rig.lines().contains(&"whole\n"),
        "{:?}",
        rig.lines()
    );
    let memory = rig.tailer.as_ref().unwrap().pipe_memory();
    assert!(memory < 2 << 20, "{memory} bytes are kept");
}

#[test]
fn compressed_bytes_from_a_pipe_are_told_and_do_not_stop_it() {
    let mut rig = rig();
    rig.turn();
    write(&rig, "\u{1f}");
    writer(&rig, "app.pipe").write_all(b"\x8b\x08more\n").unwrap();
    rig.after(1).after(1);
    assert_eq!(rig.got.len(), 1);
    write(&rig, "one\n");
    rig.after(1);
    assert_eq!(rig.lines()[1], "one\n");
    assert!(matches!(rig.notes[..], [Note::Packed { .. }]), "{:?}", rig.notes);
}

#[test]
fn the_last_words_of_a_run_are_what_it_read_and_did_not_hand_out() {
    let mut rig = rig();
    rig.turn();
    write(&rig, "one\nha");
    rig.after(1).expect(&["one\n"]);
    let now = rig.now();
    let mut last = Vec::new();
    let turn = rig
        .tailer
        .as_mut()
        .unwrap()
        .last_words(now, &mut |_, chunk| last.extend(pieces(chunk)));
    assert_eq!((last.len(), last[0].text.as_str()), (1, "ha"));
    assert!(turn.positions.is_empty() && turn.gaps.is_empty());
}

#[test]
fn half_a_letter_at_the_end_of_what_a_single_pass_reads_is_no_line_and_no_loop() {
    let mut rig = rig().set(|log| log.joints = Some(std::sync::Arc::new(Wide)));
    rig.mode = Mode::Once;
    rig.append("a.log", "a\0\n\0b");
    rig.turn();
    assert_eq!(rig.raw, b"a\0\n\0");
}

/// Lines in UTF-16.
#[derive(Debug)]
struct Wide;

impl Joints for Wide {
    fn manner(&self, _: &str, _: &[u8]) -> Manner {
        Manner {
            line_end: LineEnd::Utf16Le,
            ..Manner::default()
        }
    }

    fn whole(&self, _: Manner, _: &[u8], _: u64, upto: usize) -> usize {
        upto
    }
}
