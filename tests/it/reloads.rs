//! Hundreds of edits of rules.toml, by every way of editing, good and broken ones, under a running writer: nothing is lost
//! or doubled, what is broken is never in effect, and each edit is told as what it is.
//!
//! What is expected of an edit follows from its number alone. A good one brings a rule of its own; a broken one carries a
//! rule that would find a line which is written after each of them.

mod broken;
mod editor;
mod log;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use crate::listen::Served;
use crate::reload::{found, replace, rule, sandbox, started, text, told, with_single_mount};
use crate::support::{Running, Sandbox, evidence, is_released, seed, soak, until};
use editor::{Editor, MOUNTED_WAYS, WAYS, Way, measured};

pub use log::Log;

/// Writes numbered lines at a steady pace until it is told to stop.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Writer {
    fn start(sandbox: &Sandbox, per_second: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, mut file) = (stop.clone(), sandbox.open("app.log"));
        let thread = spawn(move || {
            let (start, mut written) = (Instant::now(), 0_u64);
            while !stopped.load(Ordering::Acquire) {
                let due = u64::try_from(start.elapsed().as_millis()).unwrap() * per_second / 1000;
                let lines: Vec<_> = (written..due)
                    .map(|line| format!("ALWAYS line {line}\n"))
                    .collect();
                file.write_all(lines.concat().as_bytes()).unwrap();
                written = due;
                sleep(Duration::from_millis(10));
            }
            written
        });
        Self { stop, thread }
    }

    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap()
    }
}

/// The middle one and the longest.
fn middle_and_most(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    format!(
        "median {:.1} ms, longest {:.1} ms",
        ms(times[times.len() / 2]),
        ms(times[times.len() - 1])
    )
}

/// So many edits by these ways under so many lines a second.
fn edits<'s>(
    sandbox: &'s Sandbox,
    running: &Running,
    path: PathBuf,
    ways: &[Way],
    (count, rate): (u64, u64),
) -> (Editor<'s>, Vec<u64>) {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut editor = Editor::new(sandbox, path, random.fork());
    let writer = Writer::start(sandbox, rate);
    let (began, mut memory) = (Instant::now(), Vec::new());
    let mut order = Vec::new();
    for nth in 1..=count {
        if order.is_empty() {
            order = ways.to_vec();
            random.shuffle(&mut order);
        }
        editor.edit(nth, order.pop().unwrap(), running);
        if nth == 100.min(count / 2) || nth == count {
            memory.push(running.memory("VmRSS"));
        }
    }
    let written = writer.stop();
    let lines = fs::read_to_string(sandbox.log("app.log")).unwrap();
    assert_eq!(lines.lines().count() as u64, written);
    editor.expect("always", written);
    let [in_full, only_counted] = editor.all_is_told();
    editor.adds_up();
    let [good, broken] = editor.counts();
    let took = began.elapsed().as_secs();
    evidence(&format!(
        "{count} edits of rules.toml in {took} s under {rate} lines/s: {good} good ones taken, {broken} broken ones refused \
         (good+broken by way: {}); {written} lines written and as many told, {} further rules with exact totals, lost 0, \
         doubled 0; {} notices right, {in_full} of them in full and {only_counted} counted by their message; seed {seed}",
        editor.ways(),
        editor.expected.len() - 1,
        editor.notices.len()
    ));
    let build = if is_released() { "release" } else { "debug" };
    evidence(&format!(
        "from looking at an edit to its first line: {}; reading paused: {}; resident {} KiB at first, {} at the end \
         ({build} build)",
        middle_and_most(&editor.took),
        middle_and_most(&editor.paused),
        memory[0],
        memory[1]
    ));
    (editor, memory)
}

#[test]
fn edits_by_every_way_under_a_running_writer_lose_and_double_nothing_and_all_are_told() {
    let (count, rate) = if soak() { (1_000, 5_000) } else { (20, 200) };
    let sandbox = sandbox();
    fs::create_dir(sandbox.path("rules.d")).unwrap();
    sandbox.rules_toml(&Editor::main_text(&sandbox, 0));
    let served = Served::start(&sandbox);
    told(&sandbox, "started on");
    let path = sandbox.path("rules.toml");
    let (editor, memory) = edits(&sandbox, &served.running, path, &WAYS, (count, rate));
    let [good, broken] = editor.counts();
    let scrape = served.scrape();
    assert_eq!(scrape.count("tailgram_reloads_total{result=\"taken\"}"), good);
    assert_eq!(scrape.count("tailgram_reloads_total{result=\"refused\"}"), broken);
    if soak() && is_released() {
        assert!(
            memory[1] < memory[0] + memory[0] / 5,
            "memory grew over reloads: {memory:?}"
        );
    }
    assert!(served.running.terminate().success());
}

#[test]
fn edits_of_a_file_that_is_a_mount_of_its_own_are_taken_and_told_alike() {
    let (count, rate) = if soak() { (100, 5_000) } else { (9, 200) };
    let sandbox = sandbox();
    fs::create_dir(sandbox.path("rules.d")).unwrap();
    sandbox.rules_toml(&Editor::main_text(&sandbox, 0));
    let Some((running, outside)) = with_single_mount(&sandbox) else {
        return;
    };
    told(&sandbox, "started on");
    edits(&sandbox, &running, outside, &MOUNTED_WAYS, (count, rate));
    assert!(running.terminate().success());
}

#[test]
fn five_hundred_rules_that_all_change_are_taken_at_once() {
    let sandbox = sandbox();
    let version = |what: &str| {
        let rules: Vec<String> = (0..500)
            .map(|nth| rule(&format!("r-{nth}"), &format!("{what} {nth}$"), ""))
            .collect();
        text(&sandbox, &rules.concat())
    };
    sandbox.rules_toml(&version("OLD"));
    let running = started(&sandbox);
    let writer = Writer::start(&sandbox, 5_000);
    let mut log = Log::new(&sandbox);
    replace(&sandbox.path("rules.toml"), &version("NEW"));
    let sign = "what is read from now on meets the new rules";
    until("all are in force", || log.said().contains(sign));
    assert!(
        log.said().contains("rules reloaded: ~500 rules ("),
        "{}",
        log.said()
    );
    sandbox.append("batch.log", "OLD 7\nNEW 7\nNEW 499\n");
    until("the new ones find", || {
        let found = found(&sandbox);
        found.get("r-7") == Some(&1) && found.get("r-499") == Some(&1)
    });
    writer.stop();
    let line = log
        .said()
        .lines()
        .find(|line| line.contains(sign))
        .unwrap()
        .to_owned();
    let build = if is_released() { "release" } else { "debug" };
    evidence(&format!(
        "500 rules of which all changed: in force {:.0} ms after they were looked at, reading paused {:.1} ms ({build} build)",
        measured(&line, "took=").as_secs_f64() * 1e3,
        measured(&line, "paused=").as_secs_f64() * 1e3
    ));
    assert!(running.terminate().success());
}
