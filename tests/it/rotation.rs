//! Rotations under live writers that never look at the reader: nothing lost, nothing doubled.
//!
//! Writers keep the descriptor they have for 20 ms to 2 s after the file was renamed, as daemons do until they
//! hear of it; what they write meanwhile goes to the old generation ("late lines"). `ring = "all"` brings every
//! line to the phone, so the journal can be compared line by line.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use tailgram::store::Store;

use crate::support::{Back, ME, Running, Sandbox, Series, evidence, seed, soak, until};

/// How many rotations.
fn rotations() -> u32 {
    if soak() { 100 } else { 15 }
}

/// A log `app` over `logs/*.log`, noticed this way, of which every line is forwarded.
fn sandbox(watch: &str) -> Sandbox {
    let sandbox = Sandbox::unlimited();
    let logs = sandbox.path("logs");
    sandbox.rules_toml(&format!(
        "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n[chats.me]\nid = {ME}\nnotices = false\nlimit = \"100000/min\"\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\nwatch = \"{watch}\"\n\
         [[rules]]\nname = \"lines\"\nmatch = 'ERROR'\nring = \"all\"\nwait = \"0s\"\nevery = \"50ms\"\n\
         quiet = \"1h\"\nlimit = \"100000/min\"\n\
         [[rules]]\nname = \"canary\"\nmatch = 'CANARY'\nwait = \"0s\"\n",
        logs.display()
    ));
    sandbox
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

/// What writers and rotator share; the reader has no part in it.
#[derive(Debug, Default)]
struct Stage {
    /// Counts the rotations; writers that know an older number have an old descriptor.
    generation: AtomicU32,
    late: AtomicU64,
    over: AtomicBool,
}

/// Writes until the stage is over: one series per writer and descriptor.
fn write(
    sandbox_log: &std::path::Path,
    stage: &Stage,
    writer: u32,
    mut random: fastrand::Rng,
) -> Vec<Series> {
    let open = || {
        File::options()
            .create(true)
            .append(true)
            .open(sandbox_log)
            .unwrap()
    };
    let mut all = Vec::new();
    loop {
        // In this order: a file opened after the number was read is at least as young.
        let generation = stage.generation.load(Ordering::SeqCst);
        let mut file = open();
        let mut series = Series::new(writer * 1000 + u32::try_from(all.len()).unwrap());
        let mut linger_until = None;
        loop {
            let rotated = stage.generation.load(Ordering::SeqCst) != generation;
            let lines = random.u64(1..4);
            file.write_all(series.next(lines).as_bytes()).unwrap();
            if rotated {
                stage.late.fetch_add(lines, Ordering::SeqCst);
                let linger = || Instant::now() + Duration::from_millis(linger_ms(&mut random));
                if *linger_until.get_or_insert_with(linger) < Instant::now() {
                    break;
                }
            }
            if stage.over.load(Ordering::SeqCst) {
                break;
            }
            sleep(Duration::from_millis(random.u64(5..30)));
        }
        all.push(series);
        if stage.over.load(Ordering::SeqCst) {
            return all;
        }
    }
}

/// 20 ms to 2 s, mostly short.
fn linger_ms(random: &mut fastrand::Rng) -> u64 {
    let longest = if random.u8(..4) == 0 { 2000 } else { 200 };
    random.u64(20..longest)
}

/// Three writers on one log.
struct Writers {
    stage: Arc<Stage>,
    threads: Vec<JoinHandle<Vec<Series>>>,
}

impl Writers {
    fn start(sandbox: &Sandbox, random: &mut fastrand::Rng) -> Self {
        let stage = Arc::new(Stage::default());
        let thread = |writer| {
            let (log, stage, dice) = (sandbox.log("app.log"), stage.clone(), random.fork());
            spawn(move || write(&log, &stage, writer, dice))
        };
        let threads = (1..=3).map(thread).collect();
        until("the log is there", || sandbox.log("app.log").exists());
        Self { stage, threads }
    }

    /// Renames the log again and again. Between the renaming and the new file there is a moment without one;
    /// a writer may end it sooner.
    fn rotate(&self, sandbox: &Sandbox, names: Names, random: &mut fastrand::Rng) {
        for count in 1..=rotations() {
            sleep(Duration::from_millis(random.u64(20..500)));
            names.rename(sandbox, count);
            if random.bool() {
                sleep(Duration::from_millis(random.u64(..150)));
            }
            sandbox.open("app.log");
            self.stage.generation.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// All that was written, and how many lines of it late.
    fn stop(self) -> (Vec<Series>, u64) {
        self.stage.over.store(true, Ordering::SeqCst);
        let written = self
            .threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        (written, self.stage.late.load(Ordering::SeqCst))
    }
}

/// Copies the log and cuts it, again and again: what is written in between is destroyed.
fn copy_and_cut(sandbox: &Sandbox, random: &mut fastrand::Rng) {
    for count in 1..=rotations() {
        sleep(Duration::from_millis(random.u64(50..500)));
        fs::copy(sandbox.log("app.log"), sandbox.log(&format!("app.log.{count}"))).unwrap();
        if random.bool() {
            sleep(Duration::from_millis(random.u64(..40)));
        }
        sandbox.open("app.log").set_len(0).unwrap();
    }
}

/// Waits until a later line of another rule came through, then reads back what came before.
fn read_back(sandbox: &Sandbox, enough: impl Fn(&Back) -> bool) -> Back {
    let journal = sandbox.api.journal();
    let deadline = Instant::now() + Duration::from_mins(1);
    while !enough(&Back::read(&journal.messages(ME))) && Instant::now() < deadline {
        sleep(Duration::from_millis(200));
    }
    sandbox.append("canary.log", "CANARY\n");
    let sung = || {
        journal
            .messages(ME)
            .iter()
            .any(|message| message.text.contains("CANARY"))
    };
    until("the canary sings", sung);
    Back::read(&journal.messages(ME))
}

/// Writes and rotates beside a reader that was started already; nothing may be missing or come twice.
fn rename_under_writers(sandbox: &Sandbox, running: Running, names: Names, how: &str) {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let writers = Writers::start(sandbox, &mut random);
    // A file that was renamed before its log was ever looked at is nobody's.
    until("the first generation is followed", || {
        !sandbox.api.journal().messages(ME).is_empty()
    });
    writers.rotate(sandbox, names, &mut random);
    let (written, late) = writers.stop();
    let back = read_back(sandbox, |back| back.lost(&written).is_empty());
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
        "rename rotations, {how}: {} rotations, {} lines, {late} of them late; lost 0, doubled 0, seed {seed}",
        rotations(),
        back.first.len(),
    ));
}

#[test]
fn nothing_is_lost_or_doubled_over_rotations_with_late_writers() {
    let sandbox = sandbox("auto");
    let running = sandbox.start(&[]);
    rename_under_writers(&sandbox, running, Names::Shifted, "watch = \"auto\"");
}

/// Writes down every call with which inotify begins. `-D` leaves our child to be the traced process.
pub fn strace(to: &str) -> [&str; 7] {
    [
        "strace",
        "-D",
        "-f",
        "-e",
        "trace=inotify_init,inotify_init1,inotify_add_watch",
        "-o",
        to,
    ]
}

/// Whether there is an strace that may trace here.
pub fn can_trace() -> bool {
    let mut probe = Command::new("strace");
    let probe = probe
        .args(["-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status();
    probe.is_ok_and(|status| status.success())
}

#[test]
fn with_poll_nothing_is_lost_over_rotations_and_no_inotify_call_is_made() {
    if !can_trace() {
        eprintln!("SKIP: rotation: no strace that may trace here");
        return;
    }
    // First that the trace would show it.
    let events = sandbox("auto");
    let trace = events.path("trace");
    let running = events.start_under(&strace(trace.to_str().unwrap()));
    let calls = |trace: &std::path::Path| fs::read_to_string(trace).unwrap_or_default().contains("inotify_");
    until("a watch is seen", || calls(&trace));
    assert!(running.terminate().success());

    let polled = sandbox("poll");
    let trace = polled.path("trace");
    let running = polled.start_under(&strace(trace.to_str().unwrap()));
    until("it is traced", || trace.exists());
    rename_under_writers(&polled, running, Names::Counted, "watch = \"poll\", traced");
    assert!(!calls(&trace), "{}", fs::read_to_string(&trace).unwrap());
    assert!(
        fs::read_to_string(&trace).unwrap().contains("exited with 0"),
        "the trace is not whole"
    );
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
    let writers = Writers::start(&sandbox, &mut random);
    until("the log is followed", || {
        !sandbox.api.journal().messages(ME).is_empty()
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
    let back = read_back(&sandbox, |back| owed(back) == 0);
    assert_eq!(
        owed(&back),
        0,
        "lines that stand in a file did not arrive\n{}",
        sandbox.stderr()
    );
    assert_eq!(back.doubled, 0);
    let lost = back.lost(&written).len();
    let gaps = Store::peek(&sandbox.path("state")).unwrap().gaps;
    assert!(
        lost == 0 || !gaps.is_empty(),
        "{lost} lines were destroyed unread, and nobody was told"
    );
    assert!(running.terminate().success());
    let all: u64 = written.iter().map(|series| series.count).sum();
    evidence(&format!(
        "copy and cut: {} times, {all} lines, {} of them in no file at the end; delivered {}, destroyed unread {lost}, \
         told in {} gaps; doubled 0, seed {seed}",
        rotations(),
        all - kept.iter().filter(|line| line.starts_with("ERROR")).count() as u64,
        back.first.len(),
        gaps.len(),
    ));
}
