//! The program under test, as a process.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::container::Shipped;
use crate::notes::Note;
use crate::site::{Site, TOKEN};
use crate::tools;

/// Under what it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Under {
    /// Nothing special.
    Plain,
    /// strace, which tampers with this call in this way.
    Trace {
        /// The name of the call.
        call: String,
        /// strace's words for what happens, and when.
        how: String,
    },
    /// Built to end at a crash point, on this visit to it.
    Failpoint {
        /// The point's name.
        point: String,
        /// Which visit.
        nth: u64,
    },
    /// A monotonic clock that is so many seconds ahead.
    Clock(u64),
}

/// Where its binaries are.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The program as it is released.
    pub plain: PathBuf,
    /// The program with its crash points; absent: it was not built.
    pub failpoints: Option<PathBuf>,
    /// The server.
    pub botapi: PathBuf,
    /// What is shipped for Docker; absent: no round is played around a container.
    pub shipped: Option<Shipped>,
}

/// A running process; killed when dropped.
#[derive(Debug)]
pub struct Subject {
    child: Child,
    seen_alive: Instant,
}

/// A write past its limit fails instead of ending it.
const SHELL: &str = "trap '' XFSZ; exec \"$0\" \"$@\"";

impl Subject {
    /// Starts `run`.
    pub fn start(binaries: &Binaries, site: &Site, url: &str, under: &Under) -> io::Result<Self> {
        let mut command = tools::mortal(Path::new("bash"));
        command.args(["-c", SHELL]);
        match under {
            // `-D` leaves our child to be the traced process.
            Under::Trace { call, how } => {
                let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{how}"));
                command.args([
                    "strace",
                    "-D",
                    "-f",
                    "-qq",
                    "-o",
                    "/dev/null",
                    "-e",
                    &trace,
                    "-e",
                    &inject,
                ]);
            }
            Under::Clock(ahead) => {
                let ahead = ahead.to_string();
                command.args(["unshare", "--time", "--monotonic", &ahead, "--boottime", &ahead]);
            }
            Under::Plain | Under::Failpoint { .. } => {}
        }
        let binary = match (under, &binaries.failpoints) {
            (Under::Failpoint { .. }, Some(binary)) => binary,
            _ => &binaries.plain,
        };
        command.arg(binary).args(["--log-level", "debug", "run"]);
        environment(&mut command, site, url);
        if let Under::Failpoint { point, nth } = under {
            let how = format!("{point}={}*off->return", nth.saturating_sub(1));
            command.env("FAILPOINTS", how);
        }
        let stderr = OpenOptions::new().create(true).append(true).open(site.log())?;
        let child = command.stdout(Stdio::null()).stderr(stderr).spawn()?;
        Ok(Self {
            child,
            seen_alive: Instant::now(),
        })
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Any signal.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(self.pid(), signal)?)
    }

    /// How large it may make a file, in bytes.
    pub fn limit_files(&self, bytes: Option<u64>) -> io::Result<()> {
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(Some(self.pid()), Resource::Fsize, limit)?;
        Ok(())
    }

    /// When it was last known to live.
    pub fn seen_alive(&self) -> Instant {
        self.seen_alive
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) -> io::Result<()> {
        self.seen_alive = Instant::now();
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits for its end; one that does not end within the time is killed, and has no status.
    pub fn terminate(&mut self, longest: Duration) -> io::Result<Option<ExitStatus>> {
        // Resumed, in case that it was stopped.
        self.signal(Signal::CONT)?;
        self.signal(Signal::TERM)?;
        let ended = self.ended_within(longest)?;
        if ended.is_none() {
            self.kill()?;
        }
        Ok(ended)
    }

    /// Waits until it ended by itself.
    pub fn ended_within(&mut self, longest: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + longest;
        loop {
            let asked = Instant::now();
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            self.seen_alive = asked;
            if Instant::now() >= deadline {
                return Ok(None);
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// Waits until its handler for SIGTERM stands; before that, the signal ends any program at once.
    pub fn until_it_hears(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.child.try_wait()?.is_none() && Instant::now() < deadline {
            // bash, which catches nothing, may still be on its way to become the program.
            if hears(self.child.id()) {
                return Ok(());
            }
            sleep(Duration::from_millis(5));
        }
        Err(io::Error::other("the program does not hear SIGTERM"))
    }

    /// What it holds now; nothing when it is gone.
    pub fn sample(&self, site: &Site) -> Option<Note> {
        sample(self.child.id(), site)
    }
}

/// Whether a process has a handler for SIGTERM.
pub fn hears(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.unwrap_or_default() & (1 << 14) != 0
}

/// What a process holds now; nothing when it is gone.
pub fn sample(pid: u32, site: &Site) -> Option<Note> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let figure = |what: &str| -> Option<u64> {
        let line = status.lines().find(|line| line.starts_with(what))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let count = |folder: &Path| fs::read_dir(folder).map(Iterator::count).ok();
    Some(Note::Sample {
        memory_kib: figure("VmHWM:")?,
        threads: figure("Threads:")?,
        descriptors: count(&folder.join("fd"))? as u64,
        files: count(&site.logs())? as u64,
    })
}

impl Drop for Subject {
    fn drop(&mut self) {
        // A child that is gone already needs neither.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The environment of every command, and nothing of the rig's own.
pub fn environment(command: &mut Command, site: &Site, url: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).current_dir(&site.folder);
    command
        .env("TELEGRAM_BOT_TOKEN", TOKEN)
        .env("TELEGRAM_API_URL", url)
        .env("TAILGRAM_CONFIG", site.rules())
        .env("TAILGRAM_STATE_DIR", site.state())
        .env("TZ", "UTC")
        .stdin(Stdio::null());
}

/// The exit code of a status.
pub fn code(status: ExitStatus) -> Option<i32> {
    status.signal().map_or_else(|| status.code(), |_| None)
}

/// Whether a process ended itself, as it does at a crash point.
pub fn was_abort(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::ABORT.as_raw())
}
