//! Rotations under live writers that never look at the reader: nothing lost, nothing doubled.
//!
//! Writers keep the descriptor they have for 20 ms to 2 s after the file was renamed, as daemons do until they
//! hear of it; what they write meanwhile goes to the old generation ("late lines"). `ring = "all"` brings every
//! line to the phone, so the journal can be compared line by line.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;
use tailgram::store::Store;

use crate::support::{
    Back, ME, Missing, NO_EVENTS, Running, Sandbox, Series, Writers, asked_for_events,
    events_can_be_forbidden, eventually, evidence, seed, soak, until,
};

/// How many rotations.
fn rotations() -> u32 {
    if soak() { 1000 } else { 15 }
}

/// How many double ones, and how many times a log is cut and grows again.
fn harder_rotations() -> u32 {
    if soak() { 500 } else { 8 }
}

/// How many times a log is copied and cut.
fn copies() -> u32 {
    if soak() { 200 } else { 15 }
}

/// A log `app` over `logs/*.log`, noticed this way, of which every line is forwarded.
fn sandbox(watch: &str) -> Sandbox {
    Sandbox::forwarding_all(&["*.log"], watch, "")
}

/// How a rotator names what it puts aside.
#[derive(Clone, Copy, Debug)]
enum Names {
    /// `app.log.1` is always the newest; all others move up by one.
    Shifted,
    /// Each has its number for good.
    Counted,
}

impl Names {
    /// Renames `app.log` away; this is rotation number `count`.
    fn rename(self, sandbox: &Sandbox, count: u32) {
        let old = |number: u32| sandbox.log(&format!("app.log.{number}"));
        let newest = match self {
            Names::Counted => count,
            Names::Shifted => {
                for number in (1..count).rev() {
                    fs::rename(old(number), old(number + 1)).unwrap();
                }
                1
            }
        };
        fs::rename(sandbox.log("app.log"), old(newest)).unwrap();
    }
}

/// Renames the log again and again. Between the renaming and the new file there is a moment without one; a writer may
/// end it sooner.
fn rotate(sandbox: &Sandbox, names: Names, random: &mut fastrand::Rng) {
    for count in 1..=rotations() {
        sleep(Duration::from_millis(random.u64(20..500)));
        names.rename(sandbox, count);
        if random.bool() {
            sleep(Duration::from_millis(random.u64(..150)));
        }
        sandbox.open("app.log");
    }
}

/// Renames the log twice in a row: between two looks a whole generation comes and goes, with lines of its own in it.
fn rotate_twice(sandbox: &Sandbox, names: Names, random: &mut fastrand::Rng) -> Vec<Series> {
    let mut all = Vec::new();
    for count in 1..=harder_rotations() {
        sleep(Duration::from_millis(random.u64(20..500)));
        names.rename(sandbox, 2 * count - 1);
        let mut between = Series::new(50_000 + count);
        let text = between.next(random.u64(1..4));
        sandbox.append("app.log", &text);
        names.rename(sandbox, 2 * count);
        sandbox.open("app.log");
        all.push(between);
    }
    all
}

/// Copies the log and cuts it, again and again: what is written in between is destroyed.
fn copy_and_cut(sandbox: &Sandbox, random: &mut fastrand::Rng) {
    for count in 1..=copies() {
        sleep(Duration::from_millis(random.u64(50..500)));
        fs::copy(sandbox.log("app.log"), sandbox.log(&format!("app.log.{count}"))).unwrap();
        if random.bool() {
            sleep(Duration::from_millis(random.u64(..40)));
        }
        sandbox.open("app.log").set_len(0).unwrap();
    }
}

/// Writes and rotates beside a reader that was started already; nothing may be missing or come twice.
fn rename_under_writers(
    sandbox: &Sandbox,
    running: Running,
    what: &str,
    rotate: impl FnOnce(&mut fastrand::Rng) -> Vec<Series>,
) {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let writers = Writers::start(&sandbox.log("app.log"), Missing::Create, &mut random);
    // A file that was renamed before its log was ever looked at is nobody's.
    until("the first generation is followed", || {
        sandbox.api.journal().last_message(ME).is_some()
    });
    let more = rotate(&mut random);
    let (mut written, late) = writers.stop();
    written.extend(more);
    let back = sandbox.read_back("canary.log", |back| back.lost(&written).is_empty());
    let lost = back.lost(&written);
    assert!(
        lost.is_empty(),
        "{} of {written:?} are lost: {lost:?}\n{}",
        lost.len(),
        sandbox.stderr()
    );
    assert_eq!(back.doubled, 0);
    assert!(late > 0, "no writer was late");
    let state = Store::peek(&sandbox.path("state")).unwrap();
    assert!(state.gaps.is_empty(), "{:?}", state.gaps);
    assert!(running.terminate().success());
    evidence(&format!(
        "{what}, {} lines, {late} of them late; lost 0, doubled 0, gaps 0, seed {seed}",
        back.first.len(),
    ));
}

#[test]
fn nothing_is_lost_or_doubled_over_rotations_with_late_writers() {
    let sandbox = sandbox("auto");
    let running = sandbox.start(&[]);
    let what = format!("rename rotations, watch = \"auto\": {} rotations", rotations());
    rename_under_writers(&sandbox, running, &what, |random| {
        rotate(&sandbox, Names::Shifted, random);
        Vec::new()
    });
}

#[test]
fn nothing_is_lost_or_doubled_where_a_log_is_rotated_twice_in_a_row() {
    let sandbox = sandbox("auto");
    let running = sandbox.start(&[]);
    let what = format!("double rotations, watch = \"auto\": {} times", harder_rotations());
    rename_under_writers(&sandbox, running, &what, |random| {
        rotate_twice(&sandbox, Names::Shifted, random)
    });
}

/// Starts `run`, which does not outlive its first call for events.
pub fn start_without_events(sandbox: &Sandbox) -> Running {
    sandbox.start_under(&NO_EVENTS)
}

#[test]
fn with_poll_nothing_is_lost_over_rotations_and_no_inotify_call_is_made() {
    if !events_can_be_forbidden("rotation") {
        return;
    }
    // First that asking for them would end it.
    let events = sandbox("auto");
    let mut running = start_without_events(&events);
    let mut ended = None;
    until("it is ended", || {
        ended = running.exited();
        ended.is_some()
    });
    assert!(ended.is_some_and(asked_for_events), "{ended:?}");

    let polled = sandbox("poll");
    let running = start_without_events(&polled);
    let what = format!("rename rotations, watch = \"poll\": {} rotations", rotations());
    rename_under_writers(&polled, running, &what, |random| {
        rotate(&polled, Names::Counted, random);
        Vec::new()
    });
}

#[test]
fn with_poll_nothing_is_lost_or_doubled_where_a_log_is_rotated_twice_in_a_row() {
    if !events_can_be_forbidden("rotation") {
        return;
    }
    let polled = sandbox("poll");
    let running = start_without_events(&polled);
    let what = format!("double rotations, watch = \"poll\": {} times", harder_rotations());
    rename_under_writers(&polled, running, &what, |random| {
        rotate_twice(&polled, Names::Counted, random)
    });
}

/// How many gaps were told; the store keeps the newest ones alone.
pub fn told_gaps(sandbox: &Sandbox) -> usize {
    sandbox
        .stderr()
        .matches("bytes were destroyed before they were read")
        .count()
}

/// While the reader is stopped lines are written that it never sees: the log is cut, and grows beyond where it was. What
/// comes after a cut is owed, and each cut is told.
fn cut_and_regrow(sandbox: &Sandbox, running: Running, how: &str) {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut written = Vec::new();
    let mut destroyed = 0;
    let mut log = sandbox.open("app.log");
    for count in 0..=harder_rotations() {
        let mut series = Series::new(count);
        // Each time longer than ever before.
        let lines = 3 + u64::from(count) % 7;
        log.write_all(series.next(lines).as_bytes()).unwrap();
        written.push(series.clone());
        running.signal(Signal::CONT);
        let came = eventually(Duration::from_mins(1), || {
            sandbox.last_text().contains(&series.last())
        });
        assert!(came, "{} did not come\n{}", series.last(), sandbox.stderr());
        if count == harder_rotations() {
            break;
        }
        running.stop();
        let unread = random.u64(1..4);
        log.write_all(Series::new(90_000).next(unread).as_bytes())
            .unwrap();
        destroyed += unread;
        let size = log.metadata().unwrap().len();
        log.set_len(0).unwrap();
        let mut filling = Series::new(40_000 + count);
        while log.metadata().unwrap().len() <= size {
            log.write_all(filling.next(1).as_bytes()).unwrap();
        }
        written.push(filling);
    }
    let back = sandbox.read_back("canary.log", |back| back.lost(&written).is_empty());
    assert_eq!(back.lost(&written), [], "{}", sandbox.stderr());
    assert_eq!(back.doubled, 0);
    let told = told_gaps(sandbox);
    assert_eq!(told, harder_rotations() as usize, "{}", sandbox.stderr());
    assert!(running.terminate().success());
    evidence(&format!(
        "cut and grown past the offset, {how}: {} truncations, each with unread lines ({destroyed} in all); of the {} \
         others lost 0, doubled 0; gaps told {told}, seed {seed}",
        harder_rotations(),
        back.first.len(),
    ));
}

#[test]
fn a_log_that_is_cut_and_grows_past_where_it_was_is_read_from_its_start_and_told() {
    let sandbox = sandbox("auto");
    let running = sandbox.start(&[]);
    cut_and_regrow(&sandbox, running, "watch = \"auto\"");
}

#[test]
fn with_poll_a_log_that_is_cut_and_grows_past_where_it_was_is_read_from_its_start_and_told() {
    if !events_can_be_forbidden("rotation") {
        return;
    }
    let polled = sandbox("poll");
    let running = start_without_events(&polled);
    cut_and_regrow(&polled, running, "watch = \"poll\"");
}

/// Every line that still stands in a file.
fn on_disk(sandbox: &Sandbox) -> BTreeSet<String> {
    let files = fs::read_dir(sandbox.path("logs")).unwrap();
    let text = |file: std::io::Result<fs::DirEntry>| fs::read_to_string(file.unwrap().path()).unwrap();
    files
        .map(text)
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn what_a_copying_rotator_destroys_is_counted_and_the_rest_arrives() {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let sandbox = sandbox("auto");
    let running = sandbox.start(&[]);
    let writers = Writers::start(&sandbox.log("app.log"), Missing::Create, &mut random);
    until("the log is followed", || {
        sandbox.api.journal().last_message(ME).is_some()
    });
    copy_and_cut(&sandbox, &mut random);
    let (written, _) = writers.stop();
    let kept = on_disk(&sandbox);
    let owed = |back: &Back| {
        back.lost(&written)
            .into_iter()
            .filter(|line| kept.contains(&line.text()))
            .count()
    };
    let back = sandbox.read_back("canary.log", |back| owed(back) == 0);
    assert_eq!(
        owed(&back),
        0,
        "lines that stand in a file did not arrive\n{}",
        sandbox.stderr()
    );
    assert_eq!(back.doubled, 0);
    let lost = back.lost(&written).len();
    let gaps = told_gaps(&sandbox);
    assert!(
        lost == 0 || gaps > 0,
        "{lost} lines were destroyed unread, and nobody was told"
    );
    assert!(running.terminate().success());
    let all: u64 = written.iter().map(|series| series.count).sum();
    evidence(&format!(
        "copy and cut: {} times, {all} lines, {} of them in no file at the end; delivered {}, destroyed unread {lost}, \
         told in {} gaps; doubled 0, seed {seed}",
        copies(),
        all - kept.iter().filter(|line| line.starts_with("ERROR")).count() as u64,
        back.first.len(),
        gaps,
    ));
}
