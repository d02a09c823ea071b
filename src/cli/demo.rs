//! `tailgram demo`: the real pipeline over logs that it writes itself, with the terminal as the phone.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::config::{self, Environment};
use crate::engine::{self, Plan};
use crate::store::Store;
use crate::tail::Mode;

use super::Failure;
use super::terminal::Terminal;

/// Lines in the storm.
const STORM: u64 = 50_000;

const RULES: &str = r#"
host = "demo"

[telegram]
updates = "off"

[chats.phone]
id = 1
notices = false

[[logs]]
name  = "app"
files = ["LOGS/*.log"]
start = "beginning"

[defaults]
wait  = "500ms"
every = "2s"
quiet = "6s"

[[rules]]
name    = "exception"
match   = '(?P<kind>\w+(Error|Exception)): '
unless  = ['KeyboardInterrupt']

[[rules]]
name     = "db-down"
match    = 'database .* (refused|timed out)'
severity = "critical"
resolve  = 'database connection restored'

[[rules]]
name     = "slow"
match    = 'took (\d{4,}) ms'
severity = "warning"
"#;

pub(super) fn run(env: &Environment) -> Result<(), Failure> {
    let folder = Folder::make().map_err(Failure::running)?;
    let rules = RULES.replace("LOGS", &folder.path.display().to_string());
    let mut settings = config::parse(Path::new("demo rules"), &rules, env).map_err(Failure::running)?;
    settings.tail.sweep = Duration::from_millis(200);
    let opened = Store::memory().map_err(Failure::running)?;
    let terminal = Arc::new(Terminal::brief_edits());
    say("This is tailgram on made-up logs. Below is what your phone would show.\n");
    let (finished, stop) = oneshot::channel();
    let plan = Plan {
        settings,
        store: opened.store,
        state: opened.state,
        fresh: opened.fresh,
        set_aside: 0,
        rolled_back: false,
        messenger: terminal.clone(),
        mode: Mode::Forever,
        folder: None,
        watched: None,
        listen: None,
        heartbeats: false,
        stop: Some(stop),
    };
    let (logs, phone) = (folder.path.clone(), terminal.clone());
    let script = std::thread::spawn(move || {
        let written = Script::open(&logs).and_then(Script::play);
        wait_until_over(&phone);
        // The engine may have ended first, by a signal.
        let _ = finished.send(());
        written
    });
    let summary = engine::run(plan).map_err(Failure::running)?;
    let written = script
        .join()
        .map_err(|_| Failure::running("the demo's own script failed"))?
        .map_err(|error| Failure::Running(format!("the demo could not write its logs: {error}")))?;
    let shown = terminal.shown();
    let sum =
        |column: fn(&crate::incident::LedgerLine) -> u64| summary.ledger.iter().map(column).sum::<u64>();
    let matched = sum(|line| line.account.matched);
    say(&format!(
        "\nThe ledger: {written} lines to find were written, {matched} matched = {} shown + {} counted + {} failed + {} pending.\n\
         The phone rang {} times, got {} messages without sound and {} edits.\n",
        sum(|line| line.account.shown),
        sum(|line| line.account.counted),
        sum(|line| line.account.failed),
        sum(|line| line.pending),
        shown.rings,
        shown.silent,
        shown.edits,
    ));
    if matched == written && sum(|line| line.pending) == 0 {
        say(
            "Nothing was lost. Next: write a rules.toml (the one in this folder is a start) and run `tailgram run --dry-run`.\n",
        );
        Ok(())
    } else {
        Err(Failure::running(
            "the demo lost or kept something back; please report this",
        ))
    }
}

/// What the demo writes, in the order it happens.
struct Script {
    path: PathBuf,
    log: File,
    /// Lines that some rule has to find.
    expected: u64,
}

impl Script {
    fn open(logs: &Path) -> io::Result<Self> {
        let path = logs.join("app.log");
        let log = OpenOptions::new().create(true).append(true).open(&path)?;
        Ok(Self {
            path,
            log,
            expected: 0,
        })
    }

    fn play(mut self) -> io::Result<u64> {
        say("▶ two kinds of errors, among ordinary lines\n");
        self.ordinary(200)?;
        for order in 0..3 {
            self.find(&format!(
                "ERROR order={} ValueError: invalid literal for int(): 'abc{order}'",
                1000 + order
            ))?;
        }
        self.find("ERROR KeyError: 'customer_id'")?;
        self.find("WARN  GET /report took 4312 ms")?;
        pause(2_500);

        say("▶ the same again: the message is edited, nothing rings\n");
        for order in 0..40 {
            self.find(&format!(
                "ERROR order={} ValueError: invalid literal for int(): 'xyz'",
                2000 + order
            ))?;
        }
        pause(2_500);

        say("▶ the log is rotated while the old file is still written to, and the database goes away\n");
        let mut old = self.rotate()?;
        self.find("ERROR database db-1 connection refused")?;
        writeln!(old, "{} ERROR RuntimeError: written to the rotated file", stamp())?;
        self.expected += 1;
        pause(2_500);

        say(&format!("▶ a storm of {STORM} errors\n"));
        self.storm()?;
        pause(3_000);

        say("▶ the database is back\n");
        self.ordinary(1)?;
        self.write("INFO  database connection restored")?;
        pause(2_000);
        say("▶ silence: what stays quiet is over\n");
        Ok(self.expected)
    }

    fn rotate(&mut self) -> io::Result<File> {
        std::fs::rename(&self.path, self.path.with_extension("log.1"))?;
        let new = OpenOptions::new().create(true).append(true).open(&self.path)?;
        Ok(std::mem::replace(&mut self.log, new))
    }

    fn storm(&mut self) -> io::Result<()> {
        let mut burst = Vec::new();
        for n in 0..STORM {
            let upstream = n % 250;
            writeln!(
                burst,
                "{} ERROR request={n} TimeoutError: upstream 10.0.0.{upstream} did not answer",
                stamp(),
            )?;
            if burst.len() > 64 * 1024 {
                self.log.write_all(&burst)?;
                burst.clear();
            }
        }
        self.log.write_all(&burst)?;
        self.expected += STORM;
        Ok(())
    }

    fn ordinary(&mut self, lines: u64) -> io::Result<()> {
        for n in 0..lines {
            self.write(&format!("INFO  GET /cart/{n} 200 took {} ms", 3 + n % 90))?;
        }
        Ok(())
    }

    fn find(&mut self, line: &str) -> io::Result<()> {
        self.expected += 1;
        self.write(line)
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.log, "{} {line}", stamp())
    }
}

fn stamp() -> jiff::civil::Time {
    jiff::Zoned::now()
        .time()
        .round(jiff::Unit::Millisecond)
        .unwrap_or_default()
}

/// What the script wrote ends by staying quiet; a slow machine first has to read it all.
fn wait_until_over(phone: &Terminal) {
    const LONGEST: u32 = 600;
    for _ in 0..LONGEST {
        if phone.all_over() {
            return;
        }
        pause(100);
    }
}

/// The demo is a show: it lets people read along.
fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

#[expect(
    clippy::print_stdout,
    reason = "stdout is for results, and here the show is the result"
)]
fn say(words: &str) {
    println!("{words}");
}

/// A temporary folder that goes with the demo.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn make() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("tailgram-demo-{:016x}", fastrand::u64(..)));
        std::fs::create_dir(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A temporary folder that cannot be removed is the system's to clean up.
        drop(std::fs::remove_dir_all(&self.path));
    }
}
