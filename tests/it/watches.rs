//! Events that are not to be had, or not all of them: the sweep finds what they do not tell.
//!
//! inotify's limits are lowered in a user namespace, where nobody else sees it; its queue is made to overflow by what is
//! written while nobody reads it.

use std::fs;
use std::io::Write;
use std::mem::MaybeUninit;
use std::process::{Command, Stdio};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::process::Signal;

use crate::support::{Running, Sandbox, Series, until};

/// Starts the program where a limit of inotify is this low; nothing where that cannot be had.
fn start_with(sandbox: &Sandbox, limit: &str, most: u32) -> Option<Running> {
    let lower = format!("echo {most} >/proc/sys/user/{limit}");
    let probe = Command::new("unshare")
        .args(["-U", "-r", "sh", "-c", &lower])
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!(
            "SKIP: watches: needs unshare, and the right to make user namespaces with limits of their own"
        );
        return None;
    }
    let script = format!("{lower} && exec \"$@\"");
    Some(sandbox.start_under(&["unshare", "-U", "-r", "sh", "-c", &script, "sh"]))
}

/// Fifty folders with a log each, all of which are told; and the sysctl that would help is named once.
fn told_without(limit: &str, most: u32, sysctl: &str) {
    let sandbox = Sandbox::unlimited();
    sandbox.deliver(&[sandbox.path("many/*/*.log")], "");
    let mut written: Vec<Series> = (0..50).map(Series::new).collect();
    let name = |series: &Series| format!("../many/{}/app.log", series.series);
    for series in &mut written {
        fs::create_dir_all(sandbox.path(&format!("many/{}", series.series))).unwrap();
        sandbox.log_lines(&name(series), series, 1);
    }
    let Some(mut running) = start_with(&sandbox, limit, most) else {
        return;
    };
    sandbox.all_told(&written);
    until("it is told", || sandbox.stderr().contains(sysctl));
    for series in &mut written {
        sandbox.log_lines(&name(series), series, 1);
    }
    sandbox.all_told(&written);
    // Names that come later, and one that goes.
    fs::remove_dir_all(sandbox.path("many/7")).unwrap();
    let mut late = Series::new(50);
    fs::create_dir(sandbox.path("many/50")).unwrap();
    sandbox.log_lines(&name(&late), &mut late, 1);
    written.push(late);
    sandbox.exactly_once(&written);
    assert_eq!(running.exited(), None);
    let said = sandbox.stderr();
    assert_eq!(said.matches(sysctl).count(), 1, "{said}");
}

#[test]
fn too_few_watches_are_told_once_with_the_sysctl_and_nothing_is_missed() {
    told_without("max_inotify_watches", 3, "fs.inotify.max_user_watches");
}

#[test]
fn no_instance_of_inotify_is_told_once_with_the_sysctl_and_nothing_is_missed() {
    told_without("max_inotify_instances", 0, "fs.inotify.max_user_instances");
}

#[test]
fn a_queue_of_events_that_overflows_loses_nothing() {
    let sandbox = Sandbox::delivering(&[], "");
    let mut written: Vec<Series> = (0..3).map(Series::new).collect();
    for series in &mut written {
        sandbox.log_lines(&format!("{}.log", series.series), series, 1);
    }
    let running = sandbox.start(&[]);
    sandbox.all_told(&written);
    // A queue of the same length beside that of the program.
    let queue = inotify::init(CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&queue, sandbox.path("logs"), WatchFlags::MODIFY).unwrap();
    let longest: u64 = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    running.stop();
    // Equal events one after the other are one: two files in turn.
    let mut files = [sandbox.open("0.log"), sandbox.open("1.log")];
    for _ in 0..longest / 2 + 1000 {
        for file in &mut files {
            file.write_all(b"all is well\n").unwrap();
        }
    }
    for series in &mut written {
        sandbox.log_lines(&format!("{}.log", series.series), series, 1);
    }
    fs::rename(sandbox.log("2.log"), sandbox.log("2.log.1")).unwrap();
    let mut newest = Series::new(3);
    sandbox.log_lines("2.log", &mut newest, 1);
    written.push(newest);
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = Reader::new(&queue, &mut buffer);
    let mut overflowed = false;
    while let Ok(event) = events.next() {
        overflowed |= event.events().contains(ReadFlags::QUEUE_OVERFLOW);
    }
    assert!(overflowed, "the queue did not overflow");
    running.signal(Signal::CONT);
    sandbox.exactly_once(&written);
}
