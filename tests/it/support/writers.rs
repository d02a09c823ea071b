//! Writers that share a log and never look at its reader: what they write after a rotation, until they notice it, goes to
//! the old file ("late lines").

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use super::{Series, until};

/// How many write.
const WRITERS: u32 = 3;

/// What writers do where their log is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// They make it anew.
    Create,
    /// They wait for whoever rotates to make it.
    Wait,
}

/// Some writers on one log. Each keeps the descriptor it has for 20 ms to 2 s after the file was renamed, as daemons
/// do until they hear of it.
pub struct Writers {
    over: Arc<AtomicBool>,
    late: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Vec<Series>>>,
}

impl Writers {
    /// Starts them, and waits until the log is there.
    pub fn start(log: &Path, missing: Missing, random: &mut fastrand::Rng) -> Self {
        let (over, late) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let thread = |number| {
            let mut writer = Writer {
                log: log.to_owned(),
                missing,
                number,
                over: Arc::clone(&over),
                late: Arc::clone(&late),
                random: random.fork(),
            };
            spawn(move || writer.write())
        };
        let threads = (1..=WRITERS).map(thread).collect();
        until("the log is there", || log.exists());
        Self { over, late, threads }
    }

    /// All that was written, a series per writer and descriptor, and how many lines of it late.
    pub fn stop(self) -> (Vec<Series>, u64) {
        self.over.store(true, Ordering::SeqCst);
        let written = self.threads.into_iter().flat_map(|thread| thread.join().unwrap());
        (written.collect(), self.late.load(Ordering::SeqCst))
    }
}

struct Writer {
    log: PathBuf,
    missing: Missing,
    number: u32,
    over: Arc<AtomicBool>,
    late: Arc<AtomicU64>,
    random: fastrand::Rng,
}

impl Writer {
    fn write(&mut self) -> Vec<Series> {
        let mut all = Vec::new();
        while let Some(file) = self.open() {
            let count = u32::try_from(all.len()).unwrap();
            all.push(self.fill(file, Series::new(self.number * 10_000 + count)));
        }
        all
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn open(&self) -> Option<File> {
        let mut options = OpenOptions::new();
        options.append(true).create(self.missing == Missing::Create);
        while !self.is_over() {
            match options.open(&self.log) {
                Ok(file) => return Some(file),
                Err(_) => sleep(Duration::from_millis(5)),
            }
        }
        None
    }

    /// Writes until the path leads elsewhere for a while.
    fn fill(&mut self, mut file: File, mut series: Series) -> Series {
        let own = file.metadata().unwrap().ino();
        let mut linger_until = None;
        while !self.is_over() {
            let lines = self.random.u64(1..4);
            file.write_all(series.next(lines).as_bytes()).unwrap();
            if fs::metadata(&self.log).is_ok_and(|now| now.ino() == own) {
                sleep(Duration::from_millis(self.random.u64(5..30)));
                continue;
            }
            self.late.fetch_add(lines, Ordering::SeqCst);
            let patience = self.linger();
            if *linger_until.get_or_insert_with(|| Instant::now() + patience) < Instant::now() {
                break;
            }
            sleep(Duration::from_millis(self.random.u64(5..30)));
        }
        series
    }

    /// 20 ms to 2 s, mostly short.
    fn linger(&mut self) -> Duration {
        let longest = if self.random.u8(..4) == 0 { 2000 } else { 200 };
        Duration::from_millis(self.random.u64(20..longest))
    }
}
