//! Real rotators under live writers that never look at the reader: nothing lost, nothing doubled; what a copying one
//! destroys is told.
//!
//! Judged from what was written against what came to the phone. Small runs look once, with events or by the clock as
//! the seed says; large ones look in both ways.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{sleep, spawn};
use std::time::Duration;

use crate::rotation::{start_without_events, told_gaps};
use crate::support::{
    Back, ME, Missing, Running, Sandbox, Series, Writers, events_can_be_forbidden, evidence, is_there, seed,
    soak, until,
};

/// How often each of them rotates.
fn runs() -> usize {
    if soak() { 60 } else { 3 }
}

/// How long a rotator waits between two rotations.
#[derive(Clone, Copy, Debug)]
enum Pace {
    Fast,
    /// Its names hold the second.
    BySecond,
    /// What it put aside is found by nobody later on, so it must have been met in the log's place: a look comes
    /// at least once a second.
    Slow,
}

impl Pace {
    fn wait(self, random: &mut fastrand::Rng) {
        let ms = match self {
            Self::Fast => random.u64(20..500),
            Self::BySecond => random.u64(1100..1500),
            Self::Slow => random.u64(1600..2400),
        };
        sleep(Duration::from_millis(ms));
    }
}

/// What a rotation is judged by.
struct Trial {
    sandbox: Sandbox,
    running: Running,
    watch: &'static str,
    random: fastrand::Rng,
    seed: u64,
}

/// Tries a rotator on these files of `logs`, in one way of looking, or where runs are large, in both.
fn each_way(tools: &[&str], files: &[&str], what: &str, trial: impl Fn(&mut Trial) -> Verdict) {
    let missing = tools.iter().find(|tool| !is_there(tool));
    if let Some(tool) = missing {
        eprintln!("SKIP: rotators: no {tool}");
        return;
    }
    if !events_can_be_forbidden("rotators") {
        return;
    }
    let seed = seed();
    let ways = if soak() {
        vec!["auto", "poll"]
    } else {
        vec![["auto", "poll"][usize::from(seed.is_multiple_of(2))]]
    };
    for watch in ways {
        let mut files = files.to_vec();
        files.push("canary.log");
        // The last event of a file that others write to is not waited for, and its lines come in their order here.
        let sandbox = Sandbox::forwarding_all(&files, watch, "multiline = \"off\"");
        let running = if watch == "poll" {
            start_without_events(&sandbox)
        } else {
            sandbox.start(&[])
        };
        let random = fastrand::Rng::with_seed(seed);
        let mut tried = Trial {
            sandbox,
            running,
            watch,
            random,
            seed,
        };
        let verdict = trial(&mut tried);
        tried.judge(what, &verdict);
    }
}

/// What was written, and what became of it.
struct Verdict {
    written: Vec<Series>,
    late: u64,
    runs: usize,
    /// The lines that still stand in a file, where the rotator destroys some.
    kept: Option<BTreeSet<String>>,
}

impl Trial {
    fn log(&self) -> PathBuf {
        self.sandbox.log("app.log")
    }

    /// Starts writers and waits until the log is followed: a file that was renamed before is nobody's.
    fn writers(&mut self, log: &Path, missing: Missing) -> Writers {
        let writers = Writers::start(log, missing, &mut self.random);
        until("the log is followed", || {
            self.sandbox.api.journal().last_message(ME).is_some()
        });
        writers
    }

    fn judge(self, what: &str, verdict: &Verdict) {
        let Self {
            sandbox,
            running,
            watch,
            seed,
            ..
        } = self;
        let Verdict {
            written,
            late,
            runs,
            kept,
        } = verdict;
        let owed = |back: &Back| {
            let mut lost = back.lost(written);
            lost.retain(|line| kept.as_ref().is_none_or(|kept| kept.contains(&line.text())));
            lost
        };
        let back = sandbox.read_back("canary.log", |back| owed(back).is_empty());
        let lost = owed(&back);
        assert!(
            lost.is_empty(),
            "{what}, {watch}: {} lost: {lost:?}\n{}",
            lost.len(),
            sandbox.stderr()
        );
        assert_eq!(back.doubled, 0, "{what}, {watch}");
        let (destroyed, told) = (back.lost(written).len(), told_gaps(&sandbox));
        let ended = running.terminate();
        assert!(ended.success(), "{ended}");
        let lines = back.first.len();
        if kept.is_some() {
            // Each cut of a log that was read is told: nobody can know what was written just before it.
            assert!(
                told <= *runs,
                "{what}, {watch}: {told} gaps of {runs} cuts\n{}",
                sandbox.stderr()
            );
            assert!(
                destroyed == 0 || told > 0,
                "{what}, {watch}: {destroyed} destroyed, and nobody was told"
            );
            evidence(&format!(
                "{what}, watch = \"{watch}\": {runs} runs, {lines} lines came, {destroyed} were destroyed unread, \
                 {told} gaps told; of the others lost 0, doubled 0, seed {seed}"
            ));
        } else {
            assert_eq!(told, 0, "{what}, {watch}: {}", sandbox.stderr());
            assert!(*late > 0, "{what}, {watch}: no writer was late");
            evidence(&format!(
                "{what}, watch = \"{watch}\": {runs} runs, {lines} lines, {late} of them late; lost 0, doubled 0, \
                 gaps 0, seed {seed}"
            ));
        }
    }
}

/// logrotate with these words for `app.log`.
fn logrotate(words: &[&str], pace: Pace) {
    let what = format!("logrotate {}", words.join(" "));
    let copies = words.contains(&"copytruncate");
    let tools: &[&str] = if words.contains(&"compress") {
        &["logrotate", "gzip"]
    } else {
        &["logrotate"]
    };
    each_way(tools, &["app.log"], &what, |trial| {
        let (log, rules) = (trial.log(), trial.sandbox.path("logrotate.conf"));
        let words = words.join("\n");
        fs::write(
            &rules,
            format!("\"{}\" {{\nrotate 1000\nmissingok\n{words}\n}}\n", log.display()),
        )
        .unwrap();
        // Where logrotate makes the new log, it must not find one.
        let missing = if words.contains("nocreate") {
            Missing::Create
        } else {
            Missing::Wait
        };
        if missing == Missing::Wait {
            File::create(&log).unwrap();
        }
        let writers = trial.writers(&log, missing);
        for _ in 0..runs() {
            pace.wait(&mut trial.random);
            run_logrotate(&trial.sandbox, &rules);
        }
        let (written, late) = writers.stop();
        let kept = copies.then(|| lines_in(&trial.sandbox.path("logs")));
        Verdict {
            written,
            late,
            runs: runs(),
            kept,
        }
    });
}

fn run_logrotate(sandbox: &Sandbox, rules: &Path) {
    let mut command = Command::new("logrotate");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
        .arg("--force")
        .arg("--state")
        .arg(sandbox.path("logrotate.state"))
        .arg(rules);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "logrotate: {said}");
}

/// Every line in this folder and those below, archives unpacked.
fn lines_in(folder: &Path) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            lines.extend(lines_in(&path));
            continue;
        }
        let bytes = if path.extension().is_some_and(|extension| extension == "gz") {
            Command::new("gzip")
                .arg("-dc")
                .arg(&path)
                .output()
                .unwrap()
                .stdout
        } else {
            fs::read(&path).unwrap()
        };
        lines.extend(String::from_utf8(bytes).unwrap().lines().map(str::to_owned));
    }
    lines
}

#[test]
fn nothing_is_lost_under_logrotate_create() {
    logrotate(&["create"], Pace::Fast);
}

#[test]
fn nothing_is_lost_under_logrotate_nocreate() {
    logrotate(&["nocreate"], Pace::Fast);
}

#[test]
fn nothing_is_lost_under_logrotate_dateext() {
    logrotate(&["create", "dateext", "dateformat -%Y%m%d-%s"], Pace::BySecond);
}

#[test]
fn nothing_is_lost_under_logrotate_olddir() {
    logrotate(&["create", "olddir old", "createolddir"], Pace::Slow);
}

#[test]
fn nothing_is_lost_under_logrotate_compress() {
    logrotate(&["create", "compress"], Pace::Slow);
}

#[test]
fn nothing_is_lost_under_logrotate_nocreate_compress() {
    logrotate(&["nocreate", "compress"], Pace::Slow);
}

#[test]
fn nothing_is_lost_under_logrotate_delaycompress() {
    logrotate(&["create", "compress", "delaycompress"], Pace::Slow);
}

#[test]
fn nothing_is_lost_under_logrotate_with_all_of_these() {
    let words = [
        "create",
        "compress",
        "delaycompress",
        "dateext",
        "dateformat .%s",
        "olddir old",
        "createolddir",
    ];
    logrotate(&words, Pace::Slow);
}

#[test]
fn what_logrotate_copytruncate_destroys_is_told_and_the_rest_arrives() {
    logrotate(&["copytruncate"], Pace::Fast);
}

#[test]
fn what_logrotate_copytruncate_dateext_destroys_is_told_and_the_rest_arrives() {
    logrotate(
        &["copytruncate", "dateext", "dateformat -%Y%m%d-%s"],
        Pace::BySecond,
    );
}

#[test]
fn what_logrotate_copytruncate_compress_destroys_is_told_and_the_rest_arrives() {
    logrotate(&["copytruncate", "compress"], Pace::Slow);
}

#[test]
fn what_logrotate_copytruncate_delaycompress_destroys_is_told_and_the_rest_arrives() {
    logrotate(&["copytruncate", "compress", "delaycompress"], Pace::Slow);
}

/// A program with a logger of Python's own, which rotates while it writes. It says in the end how many lines it wrote.
const PYTHON: &str = "
import logging, logging.handlers, random, sys, time
kind, path, runs, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
random.seed(seed)
done = 0
class Counted:
    def doRollover(self):
        global done
        super().doRollover()
        done += 1
class BySize(Counted, logging.handlers.RotatingFileHandler): pass
class ByTime(Counted, logging.handlers.TimedRotatingFileHandler): pass
if kind == 'size':
    handler = BySize(path, maxBytes=2000, backupCount=10000)
else:
    handler = ByTime(path, when='S', interval=1)
logger = logging.getLogger()
logger.addHandler(handler)
number = 0
while done < runs:
    logger.error('ERROR %05d-%06d it broke %06d.', 90000, number, number)
    number += 1
    time.sleep(random.uniform(0.002, 0.02))
print(number)
";

fn python(kind: &str, what: &str) {
    each_way(&["python3"], &["app.log"], what, |trial| {
        let log = trial.log();
        File::create(&log).unwrap();
        let writers = trial.writers(&log, Missing::Wait);
        let (runs, seed) = (runs().to_string(), trial.seed.to_string());
        let child = Command::new("python3")
            .args(["-c", PYTHON, kind])
            .arg(&log)
            .args([runs, seed])
            .output();
        let output = child.unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let count = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        let (mut written, late) = writers.stop();
        written.push(Series {
            series: 90_000,
            count,
        });
        Verdict {
            written,
            late,
            runs: self::runs(),
            kept: None,
        }
    });
}

#[test]
fn nothing_is_lost_under_pythons_rotating_file_handler() {
    python("size", "Python RotatingFileHandler");
}

#[test]
fn nothing_is_lost_under_pythons_timed_rotating_file_handler() {
    python("time", "Python TimedRotatingFileHandler");
}

/// Feeds numbered lines to a program that reads them from a pipe, until it is over. The program and the series come back
/// once it has read all of them.
fn feed(mut child: Child, mut over: impl FnMut(&Child) -> bool, random: &mut fastrand::Rng) -> Series {
    let mut input = child.stdin.take().unwrap();
    let mut series = Series::new(90_000);
    while !over(&child) {
        input.write_all(series.next(random.u64(1..4)).as_bytes()).unwrap();
        sleep(Duration::from_millis(random.u64(5..30)));
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    series
}

/// The files of a folder whose names begin like this.
fn named(folder: &Path, begin: &str) -> usize {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with(begin)
        })
        .count()
}

#[test]
fn nothing_is_lost_under_rotatelogs_with_a_link_to_the_newest_file() {
    each_way(&["rotatelogs"], &["app.log"], "rotatelogs -L", |trial| {
        let (log, logs) = (trial.log(), trial.sandbox.path("logs"));
        // An earlier run left its file and the link. What is rotated away before the log was ever seen is nobody's, and
        // the first file lives until the second is over, however little is left of that.
        let left = logs.join("app.log.0");
        File::create(&left).unwrap();
        fs::hard_link(&left, &log).unwrap();
        let writers = trial.writers(&log, Missing::Wait);
        let mut rotator = Command::new("rotatelogs");
        rotator.arg("-L").arg(&log).arg(logs.join("app.log.%s")).arg("1");
        let rotator = rotator.stdin(Stdio::piped()).spawn().unwrap();
        let (folder, mut random) = (logs.clone(), trial.random.fork());
        let fed = spawn(move || feed(rotator, |_| named(&folder, "app.log.") > runs(), &mut random));
        let series = fed.join().unwrap();
        let (mut written, late) = writers.stop();
        written.push(series);
        Verdict {
            written,
            late,
            runs: named(&logs, "app.log.") - 1,
            kept: None,
        }
    });
}

#[test]
fn nothing_is_lost_under_svlogd() {
    each_way(&["svlogd"], &["current"], "svlogd", |trial| {
        let logs = trial.sandbox.path("logs");
        // Never by size, and nothing is thrown away: it rotates when it is told to.
        fs::write(logs.join("config"), "s0\nn0\n").unwrap();
        let rotator = Command::new("svlogd")
            .arg(&logs)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = rustix::process::Pid::from_child(&rotator);
        let (folder, mut random) = (logs.clone(), trial.random.fork());
        let fed = spawn(move || feed(rotator, |_| named(&folder, "@") >= runs(), &mut random));
        let writers = trial.writers(&logs.join("current"), Missing::Wait);
        for count in 1..=runs() {
            Pace::Slow.wait(&mut trial.random);
            rustix::process::kill_process(pid, rustix::process::Signal::ALARM).unwrap();
            until("it rotated", || named(&logs, "@") >= count);
        }
        let series = fed.join().unwrap();
        let (mut written, late) = writers.stop();
        written.push(series);
        Verdict {
            written,
            late,
            runs: runs(),
            kept: None,
        }
    });
}
