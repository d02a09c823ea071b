//! More files than may be open: nothing is lost or doubled, and few descriptors are held.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::support::{Running, Sandbox, Series, evidence, is_released, soak, until_within};

/// What the process holds open.
fn descriptors(process: &Running) -> usize {
    let held = PathBuf::from(format!("/proc/{}/fd", process.pid()));
    fs::read_dir(held).unwrap().count()
}

fn status(sandbox: &Sandbox) -> serde_json::Value {
    let text = fs::read(sandbox.path("state/status.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Waits until so many files are followed.
fn followed(sandbox: &Sandbox, files: usize) {
    until_within(Duration::from_mins(2), "all files are followed", || {
        status(sandbox)["logs"][0]["files"]
            .as_array()
            .is_some_and(|followed| followed.len() >= files)
    });
}

#[test]
fn five_hundred_files_are_read_once_by_a_process_that_may_hold_sixty_four() {
    let sandbox = Sandbox::delivering(&[], "");
    let mut series: Vec<Series> = (0..500).map(Series::new).collect();
    for (file, series) in series.iter_mut().enumerate() {
        sandbox.log_lines(&format!("{file}.log"), series, 2);
    }
    let process = sandbox.start_under(&["sh", "-c", "ulimit -n 64 && exec \"$@\"", "sh"]);
    sandbox.all_told(&series);
    for (file, series) in series.iter_mut().enumerate() {
        sandbox.log_lines(&format!("{file}.log"), series, 2);
    }
    // Before anybody looked, half of them are rotated away from where a glob reaches them.
    for file in (0..500).step_by(2) {
        let log = sandbox.log(&format!("{file}.log"));
        fs::rename(&log, log.with_extension("log.1")).unwrap();
        sandbox.log_lines(&format!("{file}.log"), &mut series[file], 1);
    }
    sandbox.exactly_once(&series);
    assert!(descriptors(&process) < 64);
    let held = &status(&sandbox)["descriptors"];
    assert_eq!(held["waiting"], 0, "{held}");
    assert!(process.terminate().success());
}

#[test]
fn ten_thousand_idle_files_need_few_descriptors_and_little_memory() {
    let files = if is_released() || soak() { 10_000 } else { 1_000 };
    let sandbox = Sandbox::delivering(&[], "");
    fs::create_dir_all(sandbox.log("")).unwrap();
    let old = SystemTime::now() - Duration::from_hours(1);
    for file in 0..files {
        let mut log = sandbox.open(&format!("service-{file}.log"));
        std::io::Write::write_all(&mut log, format!("{file} began\n").as_bytes()).unwrap();
        log.set_modified(old).unwrap();
    }
    let process = sandbox.start(&[]);
    followed(&sandbox, files);
    let mut series = [Series::new(1)];
    sandbox.log_lines("service-77.log", &mut series[0], 3);
    sandbox.exactly_once(&series);
    let held = descriptors(&process);
    assert!(held <= 300, "{held} descriptors for {files} files");
    let memory = process.memory("VmRSS");
    evidence(&format!(
        "idle: {files} files, {held} descriptors, VmRSS {memory} KiB"
    ));
    if is_released() {
        assert!(memory < 40 * 1024, "{memory} KiB for {files} files");
    }
    assert!(process.terminate().success());
}

/// How many deleted logs of the sandbox the process holds open.
fn deleted(process: &Running, sandbox: &Sandbox) -> usize {
    let logs = sandbox.log("").canonicalize().unwrap();
    let held = fs::read_dir(format!("/proc/{}/fd", process.pid())).unwrap();
    let paths = held.filter_map(|link| fs::read_link(link.ok()?.path()).ok());
    let lost = |path: &PathBuf| path.starts_with(&logs) && path.to_string_lossy().ends_with(" (deleted)");
    paths.filter(lost).count()
}

#[test]
fn deleted_files_that_were_read_are_closed_within_the_grace_though_nothing_is_written_any_more() {
    let files: usize = if soak() { 10_000 } else { 300 };
    let sandbox = Sandbox::delivering(&[], "");
    let mut series: Vec<Series> = (0..3).map(Series::new).collect();
    fs::create_dir_all(sandbox.log("")).unwrap();
    let name = |file: usize| format!("{file}.log");
    let write = |file: usize| {
        std::io::Write::write_all(&mut sandbox.open(&name(file)), b"all is well\n").unwrap();
    };
    (0..files).for_each(write);
    let process = sandbox.start(&[]);
    followed(&sandbox, files);
    // Whoever was seen to write is listened to: its file stays open.
    (0..files).for_each(write);
    for (file, series) in series.iter_mut().enumerate() {
        sandbox.log_lines(&name(file), series, 2);
    }
    sandbox.all_told(&series);
    (0..files).for_each(|file| fs::remove_file(sandbox.log(&name(file))).unwrap());
    let held = deleted(&process, &sandbox);
    assert!(held > 0, "none is held");
    until_within(Duration::from_mins(3), "all that is deleted is closed", || {
        deleted(&process, &sandbox) == 0
    });
    evidence(&format!("deleted: {files} files, {held} held open, all closed"));
    sandbox.exactly_once(&series);
    assert!(process.terminate().success());
}
