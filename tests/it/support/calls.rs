//! Calls of a running process that fail, from one moment on until another.

use std::fs;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{Running, eventually};

/// What a program has to be started under so that [`FailingCalls`] may reach it later: it lets everybody trace it, which
/// matters where Yama allows a tracer above its process only. It says nothing and goes on as the program.
pub const TRACEABLE: [&str; 3] = [
    "python3",
    "-c",
    "import ctypes, os, sys\n\
     ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)\n\
     os.execvp(sys.argv[1], sys.argv[1:])",
];

/// An strace at work on a running process. Dropped, the calls succeed again.
pub struct FailingCalls {
    tracer: Child,
}

impl FailingCalls {
    /// Every one of these calls fails in this way from now on, in all threads; nothing where there is no strace, or it may
    /// not trace here. tests/skips.txt lists who asks, by `test`.
    pub fn new(test: &str, running: &Running, calls: &str, error: &str) -> Option<Self> {
        let pid = running.pid().to_string();
        let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:error={error}"));
        let mut strace = Command::new("strace");
        strace.args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &trace,
            "-e",
            &inject,
            "-p",
            &pid,
        ]);
        let tracer = strace.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        let tracer = tracer
            .ok()
            .map(|tracer| Self { tracer })
            .and_then(Self::at_work(running));
        if tracer.is_none() {
            eprintln!("SKIP: {test}: no strace that may trace here, and nothing else makes these calls fail");
        }
        tracer
    }

    /// Waits until it holds every thread, or is gone.
    fn at_work(running: &Running) -> impl FnOnce(Self) -> Option<Self> {
        let tasks = format!("/proc/{}/task", running.pid());
        move |mut calls| {
            let id = calls.tracer.id();
            let held = |task: &fs::DirEntry| {
                let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
                status.contains(&format!("TracerPid:\t{id}\n"))
            };
            let mut gone = false;
            eventually(std::time::Duration::from_mins(1), || {
                gone = !matches!(calls.tracer.try_wait(), Ok(None));
                let all = fs::read_dir(&tasks).is_ok_and(|tasks| tasks.flatten().all(|task| held(&task)));
                gone || all
            });
            (!gone).then_some(calls)
        }
    }
}

impl Drop for FailingCalls {
    fn drop(&mut self) {
        // It lets go of what it holds before it ends.
        if let Some(pid) = i32::try_from(self.tracer.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.tracer.wait();
    }
}
