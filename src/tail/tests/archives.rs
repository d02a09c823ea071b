//! What was compressed before it was read to its end, by the real tools: each line once, in order, and what is damaged
//! is told.

#![allow(clippy::print_stderr)]

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use super::*;

/// A tool, what it calls its archives, and whether it is there.
const TOOLS: [(&str, &str); 2] = [("gzip", "gz"), ("zstd", "zst")];

fn tools() -> impl Iterator<Item = (&'static str, &'static str)> {
    TOOLS.into_iter().filter(|(tool, _)| {
        let there = Command::new(tool).arg("--version").stdout(Stdio::null()).status();
        let there = there.is_ok_and(|status| status.success());
        if !there {
            eprintln!("SKIP: archives: no {tool}");
        }
        there
    })
}

/// What a tool makes of these bytes when they come through a pipe.
fn packed(tool: &str, args: &[&str], bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(tool)
        .args(["-q", "-c"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writing = std::thread::spawn(move || input.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn lines(range: std::ops::Range<u32>) -> String {
    range.fold(String::new(), |mut text, number| {
        writeln!(text, "line {number:07}").unwrap();
        text
    })
}

impl Rig {
    /// Compresses a file in its place, as rotators do.
    fn compress(&self, tool: &str, name: &str) {
        let mut command = Command::new(tool);
        if tool == "zstd" {
            command.args(["-q", "--rm"]);
        }
        assert!(command.arg(self.path(name)).status().unwrap().success());
        assert!(!self.path(name).exists());
    }

    fn text(&self) -> String {
        String::from_utf8(self.raw.clone()).unwrap()
    }
}

#[test]
fn a_file_that_was_compressed_while_nobody_looked_is_finished() {
    for (tool, _) in tools() {
        let mut rig = Rig::new(&["app.log"]);
        rig.append("app.log", &lines(0..1000));
        rig.turn().kill();
        rig.append("app.log", &lines(1000..3000));
        rig.rename("app.log", "app.log.2");
        rig.append("app.log.1", &lines(3000..3010));
        rig.append("app.log", &lines(3010..3020));
        rig.compress(tool, "app.log.2");
        rig.after(1);
        assert!(rig.text() == lines(0..3020), "{tool}: {}", rig.text().len());
        assert!(rig.gaps.is_empty(), "{tool}: {:?}", rig.gaps);
        rig.kill().after(1).after(61).kill().after(1);
        assert!(rig.text() == lines(0..3020), "{tool}: something came again");
        assert!(rig.gaps.is_empty(), "{tool}: {:?}", rig.gaps);
        assert_eq!(rig.positions.len(), 2, "the archive is not forgotten");
    }
}

#[test]
fn a_file_that_was_read_to_its_end_before_it_was_compressed_is_no_gap() {
    for (tool, _) in tools() {
        let mut rig = Rig::new(&["app.log*"]);
        rig.append("app.log", &lines(0..10));
        rig.turn();
        rig.rename("app.log", "app.log.1");
        rig.append("app.log", &lines(10..20));
        rig.compress(tool, "app.log.1");
        rig.after(1).kill().after(1).kill().after(1);
        assert_eq!(rig.text(), lines(0..20));
        assert!(rig.gaps.is_empty(), "{tool}: {:?}", rig.gaps);
    }
}

#[test]
fn a_rest_goes_on_where_it_was_when_the_process_was_killed() {
    for (tool, _) in tools() {
        let mut rig = Rig::new(&["app.log"]);
        rig.append("app.log", &lines(0..7));
        rig.turn().kill();
        // Several steps long.
        rig.append("app.log", &lines(7..80_000));
        rig.rename("app.log", "app.log.1");
        rig.append("app.log", &lines(80_000..80_001));
        rig.compress(tool, "app.log.1");
        let mut kills = 0;
        while !rig.some_turns(2) {
            rig.kill();
            kills += 1;
            assert!(kills < 100, "{tool}: no way forward");
        }
        rig.after(1).after(61);
        assert!(kills > 1, "{tool}: it was read at once");
        assert!(
            rig.text() == lines(0..80_001),
            "{tool}: {} bytes",
            rig.text().len()
        );
        assert!(rig.gaps.is_empty(), "{tool}: {:?}", rig.gaps);
    }
}

#[test]
fn a_copy_that_was_compressed_between_two_looks_has_what_the_cut_took_away() {
    for (tool, _) in tools() {
        for killed in [false, true] {
            let mut rig = Rig::new(&["app.log*"]);
            rig.append("app.log", &lines(0..10));
            rig.turn();
            rig.append("app.log", &lines(10..2000));
            fs::copy(rig.path("app.log"), rig.path("app.log.1")).unwrap();
            rig.append("app.log", "").set_len(0).unwrap();
            rig.compress(tool, "app.log.1");
            rig.append("app.log", &lines(2000..2010));
            if killed {
                rig.kill();
            }
            rig.after(1).after(1).kill().after(1);
            assert_eq!(rig.text(), lines(0..2010), "{tool}, killed {killed}");
            let told: Vec<_> = rig.gaps.iter().map(|gap| (gap.kind, gap.bytes)).collect();
            assert_eq!(told, [(GapKind::Truncated, 0)], "{tool}, killed {killed}");
        }
    }
}

#[test]
fn only_the_archive_of_what_is_owed_is_read() {
    for (tool, extension) in tools() {
        let mut rig = Rig::new(&["app.log*"]);
        for (number, text) in [(4, "another log\n".to_owned()), (3, lines(5000..9000))] {
            let name = format!("app.log.{number}.{extension}");
            fs::write(rig.path(&name), packed(tool, &[], text.as_bytes())).unwrap();
        }
        rig.append("app.log", &lines(0..100));
        rig.turn().kill();
        fs::remove_file(rig.path("app.log")).unwrap();
        rig.append("app.log", &lines(100..200));
        rig.after(1).after(1);
        assert_eq!(rig.text(), lines(0..200), "{tool}");
        rig.kill().after(1);
        assert_eq!(rig.gaps.len(), 1, "{tool}: {:?}", rig.gaps);
    }
}

#[test]
fn half_a_line_at_the_end_of_an_archive_is_an_event() {
    for (tool, _) in tools() {
        let mut rig = Rig::new(&["app.log"]);
        rig.append("app.log", "one\n");
        rig.turn().kill();
        rig.append("app.log", "two\nhal");
        rig.rename("app.log", "app.log.1");
        rig.compress(tool, "app.log.1");
        rig.append("app.log", "three\n");
        rig.after(1)
            .after(1)
            .expect(&["one\n", "two\n", "hal", "three\n"]);
    }
}

#[test]
fn an_archive_of_several_parts_is_read_as_one() {
    for (tool, extension) in tools() {
        let mut rig = Rig::new(&["app.log"]);
        rig.append("app.log", &lines(0..10));
        rig.turn().kill();
        fs::remove_file(rig.path("app.log")).unwrap();
        let mut archive = Vec::new();
        for part in [0..5, 5..300, 300..300, 300..20_000] {
            archive.extend(packed(tool, &[], lines(part).as_bytes()));
            if tool == "zstd" {
                // A frame that may be skipped.
                archive.extend(b"\x5a\x2a\x4d\x18\x03\0\0\0any");
            }
        }
        fs::write(rig.path(&format!("app.log.1.{extension}")), archive).unwrap();
        rig.after(1);
        assert!(rig.text() == lines(0..20_000), "{tool}: {:?}", rig.gaps);
        assert!(rig.gaps.is_empty(), "{tool}: {:?}", rig.gaps);
    }
}

/// A file was read up to line 100, then became this archive. What is told of it, and what stands in it.
fn read_archive(extension: &str, archive: &[u8]) -> Rig {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", &lines(0..100));
    rig.turn().kill();
    fs::remove_file(rig.path("app.log")).unwrap();
    fs::write(rig.path(&format!("app.log.1.{extension}")), archive).unwrap();
    rig.append("app.log", "next\n");
    rig.after(1).kill().after(1).after(61);
    assert!(rig.got.last().is_some_and(|got| got.text == "next\n"));
    rig
}

#[test]
fn an_archive_that_ends_in_the_middle_is_a_gap_that_is_told_once() {
    for (tool, extension) in tools() {
        let whole = packed(tool, &[], lines(0..60_000).as_bytes());
        let rig = read_archive(extension, &whole[..whole.len() / 2]);
        assert_eq!(rig.gaps.len(), 1, "{tool}: {:?}", rig.gaps);
        let told = rig.text();
        let told = told.strip_suffix("next\n").unwrap();
        assert!(lines(0..60_000).starts_with(told), "{tool}");
        // zstd keeps back a window until it knows that the end comes.
        if tool == "gzip" {
            assert!(told.len() > lines(0..1000).len(), "{} bytes", told.len());
            assert!(matches!(rig.notes[..], [Note::Damaged { .. }]), "{:?}", rig.notes);
        }
    }
}

#[test]
fn an_archive_that_is_not_what_it_was_is_a_gap_wherever_it_differs() {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for (tool, extension) in tools() {
        let checked: &[&str] = if tool == "zstd" { &["--check"] } else { &[] };
        let whole = packed(tool, checked, lines(0..3000).as_bytes());
        for _ in 0..20 {
            let mut archive = whole.clone();
            let at = random.usize(..archive.len());
            archive[at] ^= 1 << random.u8(..8);
            let rig = read_archive(extension, &archive);
            // In a header there is much that says nothing about what is packed.
            let harmless = rig.text() == lines(0..3000) + "next\n";
            assert!(
                harmless || !rig.gaps.is_empty(),
                "{tool}: byte {at} differs, and nobody was told"
            );
        }
    }
}

#[test]
fn whatever_an_archive_unpacks_to_takes_little_memory() {
    const SIZE: usize = 24 << 20;
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(SIZE);
    let kinds = [
        long.as_bytes(),
        &vec![0; SIZE][..],
        &b"short\n".repeat(SIZE / 6)[..],
    ];
    for (tool, extension) in tools() {
        for kind in kinds {
            let path = dir.path().join(format!("bomb.{extension}"));
            fs::write(&path, packed(tool, &[], kind)).unwrap();
            let mut archive = archive::Archive::open(&path, 64 * 1024).unwrap().unwrap();
            while archive.end.is_none() {
                archive.unpack(archive.size(), u64::MAX).unwrap();
                let held = std::os::unix::fs::MetadataExt::blocks(&archive.file().metadata().unwrap()) * 512;
                assert!(held < 2 << 20, "{tool}: {held} bytes");
            }
            assert!(
                matches!(archive.end, Some(archive::End::Whole)),
                "{:?}",
                archive.end
            );
            assert_eq!(archive.size(), kind.len() as u64);
        }
    }
}

#[test]
fn an_archive_that_needs_a_wide_window_is_not_unpacked() {
    for (tool, extension) in tools().filter(|(tool, _)| *tool == "zstd") {
        for (window, gaps) in [("--long=23", 0), ("--long=24", 1)] {
            let rig = read_archive(extension, &packed(tool, &[window], lines(0..3000).as_bytes()));
            assert_eq!(rig.gaps.len(), gaps, "{window}: {:?}", rig.gaps);
        }
    }
}

#[test]
fn a_run_of_nuls_in_an_archive_is_passed_over() {
    for (tool, extension) in tools() {
        let text = lines(0..200) + &"\0".repeat(20 << 20) + &lines(200..300);
        let rig = read_archive(extension, &packed(tool, &[], text.as_bytes()));
        assert_eq!(rig.text(), lines(0..300) + "next\n", "{tool}");
        assert!(rig.gaps.is_empty(), "{tool}: {:?}", rig.gaps);
    }
}
