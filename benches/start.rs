//! How long a newcomer waits: `check` with 500 rules, and from a cold start to the first followed file with 20.
//!
//! `cargo bench --bench start`; `BENCH_ROUNDS` (9) is how often each is done. Medians are printed, beside that of
//! starting `true` in the same rounds: what the machine itself takes. A row is VOID, and the run fails, if the
//! program did not do what is measured.
//!
//! Following begins when the process holds the log open, as /proc shows it; until then it has read and compiled
//! its rules, opened its state on disk and asked the kernel for file events.

#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tailgram");

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::var("BENCH_ROUNDS")
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(9)
        .max(1);
    let folder = tempfile::tempdir()?;
    let (few, many) = (folder.path().join("20.toml"), folder.path().join("500.toml"));
    let log = folder.path().join("app.log");
    fs::write(&log, "all is well\n")?;
    fs::write(&few, rules(20, &log))?;
    fs::write(&many, rules(500, &log))?;
    let (mut idle, mut checks, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        idle.push(timed(|| run(&mut Command::new("true")))?);
        checks.push(timed(|| run(command(folder.path()).arg("check").arg(&many)))?);
        let state = folder.path().join(format!("state-{round}"));
        starts.push(start(folder.path(), &few, &state, &log)?);
    }
    let idle = median(&mut idle);
    println!(
        "{rounds} interleaved rounds, medians; starting `true` takes {}",
        ms(idle)
    );
    for (name, times) in [
        ("check, 500 rules", &mut checks),
        ("start to following, 20 rules", &mut starts),
    ] {
        let time = median(times);
        let ratio = time.as_secs_f64() / idle.as_secs_f64();
        println!("{name:<30} {:>10}  {ratio:>6.1} x `true`", ms(time));
    }
    Ok(())
}

/// A rules.toml of so many different rules, of the kinds that people write.
fn rules(count: usize, log: &Path) -> String {
    let mut text = format!(
        "[telegram]\nupdates = \"off\"\n[chats]\nme = 1\n[[logs]]\nname = \"app\"\nfiles = [\"{}\"]\n",
        log.display()
    );
    for number in 0..count {
        let pattern = match number % 5 {
            0 => format!(r"ERROR.*service-{number}"),
            1 => format!(r"(?i)\bout of memory\b.*pid={number}\b"),
            2 => format!(r"(?P<kind>\w+(Error|Exception)): .*module{number}"),
            3 => format!(r"took (\d{{4,}}) ms .*route/{number}"),
            _ => format!(r"^\S+ \S+ \[{number}\] (FATAL|PANIC)"),
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "[[rules]]\nname = \"rule-{number}\"\nmatch = '{pattern}'\n");
    }
    text
}

/// The program with nothing of this environment, and a server that nobody runs.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    command
        .env("TELEGRAM_BOT_TOKEN", "1:nobody")
        .env("TELEGRAM_API_URL", "http://127.0.0.1:9");
    command
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.output()?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("VOID: {command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

/// From the start of a process until it holds the log open.
fn start(folder: &Path, rules: &Path, state: &Path, log: &Path) -> Result<Duration, Box<dyn Error>> {
    let mut command = command(folder);
    command
        .arg("run")
        .arg("--config")
        .arg(rules)
        .arg("--state-dir")
        .arg(state);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let mut child = command.spawn()?;
    let found = loop {
        if holds(&child, log) {
            break Ok(began.elapsed());
        }
        if child.try_wait()?.is_some() || began.elapsed() > Duration::from_secs(30) {
            break Err("VOID: the log was never opened".into());
        }
        std::thread::sleep(Duration::from_micros(200));
    };
    child.kill()?;
    child.wait()?;
    found
}

/// Whether one of the process's descriptors leads to the file.
fn holds(child: &Child, file: &Path) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", child.id()));
    descriptors.is_ok_and(|descriptors| {
        descriptors
            .flatten()
            .any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|target| target == file))
    })
}

fn timed(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
