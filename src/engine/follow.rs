//! `tailgram follow`: files in, a viewer out. No rules, no state, no Telegram.
//!
//! The caller's thread reads and shows, so that a slow viewer is waited for and the files are the buffer. Two others
//! wait for what ends the process from outside: they must do so even while the first is stuck in a write, and with
//! nothing to store there is no order to keep.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::tail::{self, Chunk, Mode, Source, Tailer, Turn, Waker};

use super::clock::Clock;
use super::process;
use super::run::{EngineError, Signals};

/// Who is shown what is followed.
pub trait Viewer {
    /// Bytes of a file, in the order of the file; empty where it was taken up and holds nothing to show.
    fn show(&mut self, source: &Source, chunk: Chunk<'_>);

    /// What a turn learned besides them, once they were shown. Says whether to go on.
    fn heed(&mut self, turn: &Turn) -> ControlFlow<()>;
}

/// Everything [`follow`] needs.
#[derive(Debug)]
pub struct Follow {
    /// The files.
    pub tail: tail::Settings,
    /// Ends after this process, with a last look at the files.
    pub pid: Option<u32>,
    /// Where the viewer writes: when nobody reads that any more, the process ends.
    pub output: OwnedFd,
}

/// Shows what is written to files, until the viewer has enough or the process that was named is gone. SIGTERM, SIGINT
/// and an output that was closed end this process with exit code 0.
pub fn follow(plan: Follow, viewer: &mut impl Viewer) -> Result<(), EngineError> {
    let Follow { tail, pid, output } = plan;
    exit_when_told(output)?;
    let clock = Clock::start();
    let (draw, waker) = (fastrand::Rng::new(), Waker::new());
    let mut tailer = Tailer::open(tail, Mode::Forever, Vec::new(), &[], draw, waker);
    let mut over = false;
    loop {
        // Asked before the look: what the process wrote before it ended is there to be read then.
        if !over && pid.is_some_and(|pid| !process::exists(pid)) {
            over = true;
            tailer.look_again();
        }
        let turn = tailer.turn(clock.now(), &mut |source, chunk| viewer.show(source, chunk));
        if viewer.heed(&turn).is_break() {
            return Ok(());
        }
        match (turn.more, over) {
            (true, _) => {}
            (false, true) => return Ok(()),
            (false, false) => tailer.wait(clock.now()),
        }
    }
}

/// Starts the threads that end this process when a signal says so, or when nobody reads its output.
fn exit_when_told(output: OwnedFd) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut signals = {
        let _here = runtime.enter();
        Signals::listen()?
    };
    exit_after("signals", move || runtime.block_on(signals.next()))?;
    exit_after("output", move || wait_until_closed(&output))
}

fn exit_after(name: &str, wait: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let wait_and_exit = move || {
        wait();
        std::process::exit(0);
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(wait_and_exit)
        .map(drop)
}

/// Returns when the other end of a pipe was closed, which a writer that has nothing to write never hears of. Files are
/// never closed.
fn wait_until_closed(output: &OwnedFd) {
    // Of an error the kernel tells unasked, and we ask for nothing else.
    let mut errors = [PollFd::new(output, PollFlags::empty())];
    loop {
        match poll(&mut errors, None) {
            Ok(_) => return,
            Err(Errno::INTR) => {}
            // Then only the next write can tell.
            Err(_) => std::thread::park(),
        }
    }
}
