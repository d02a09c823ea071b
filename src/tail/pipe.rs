//! A pipe as a log: stdin, or a FIFO that was named. What is read of it goes to the end of a [`Window`], and that is
//! followed like a file.
//!
//! A pipe is read only when what was read before is done with, and then a step at most. So what is not wanted yet stays
//! in the pipe, and its writer waits.
//!
//! The end of stdin is the end. A FIFO has none: writers come and go, and nobody says which is the last. A descriptor of a
//! FIFO whose writer went says so for ever, so it is replaced by a new one; by that first and then the old one closed, for
//! a FIFO that nobody holds forgets what is in it.
//!
//! The trap: nothing that was read of a pipe can be read again, and stdin is shared with others, so it is not told not to
//! wait. Where it cannot be opened anew for us alone, it is asked before each read.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::distant;
use super::handle::{self, Handle};
use super::identity::{FileId, Seen};
use super::lookout::Lookout;
use super::window::Window;

/// How much is read in one step.
pub(super) const STEP: usize = 256 * 1024;

/// What stdin is called.
pub(super) const STDIN: &str = "stdin";

/// Which pipe it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Stdin,
    Fifo(FileId),
}

/// What stdin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stdin {
    /// Somebody types there. Such a one is not read.
    Terminal,
    /// Its end is where it ends now.
    File,
    /// A pipe, a socket, or a device.
    Stream,
}

/// A pipe being read.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent facts, no states of one machine"
)]
pub(super) struct Pipe {
    pub(super) kind: Kind,
    /// What the lookout calls it.
    pub(super) token: u64,
    input: File,
    /// A read of it may wait.
    waits: bool,
    /// Nobody has written to it since it was opened, as far as is known.
    fresh: bool,
    window: Window,
    /// What was read and found no room in memory yet; at most a step.
    unkept: Vec<u8>,
    /// So much may lie in the window unread.
    most: u64,
    /// No more than this is read of it (`--once`).
    left: Option<u64>,
    /// What the lookout was asked to tell was not told yet: there is nothing to read.
    pub(super) quiet: bool,
    /// Nothing more will come.
    pub(super) ended: bool,
    /// No path leads to it any more.
    pub(super) gone: bool,
}

/// What stdin is.
pub(super) fn stdin() -> io::Result<Stdin> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Ok(Stdin::Terminal);
    }
    let file = File::from(stdin.as_fd().try_clone_to_owned()?);
    Ok(if file.metadata()?.is_file() {
        Stdin::File
    } else {
        Stdin::Stream
    })
}

impl Pipe {
    /// Takes stdin, where it stands.
    pub(super) fn stdin(token: u64, longest: usize) -> io::Result<Self> {
        let shared = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let fifo = Seen::of(&shared.metadata()?).fifo;
        // It belongs to another user, or there is no /proc: then the shared one has to do.
        let own = fifo.then(|| again(&shared).ok()).flatten();
        let waits = own.is_none();
        Self::new(Kind::Stdin, own.unwrap_or(shared), waits, token, longest)
    }

    /// Opens the FIFO at this path; nothing if something else lies there by now. Of a single pass, it ends where it ends
    /// now.
    pub(super) fn fifo(
        path: &Path,
        id: FileId,
        token: u64,
        longest: usize,
        once: bool,
    ) -> io::Result<Option<Self>> {
        let (file, seen) = distant::ask(path, |path| {
            let file = handle::open(path)?;
            let seen = Seen::of(&file.metadata()?);
            Ok((file, seen))
        })?;
        if !seen.fifo || seen.id != id {
            return Ok(None);
        }
        let mut pipe = Self::new(Kind::Fifo(id), file, false, token, longest)?;
        if once {
            let left = rustix::io::ioctl_fionread(&pipe.input)?;
            (pipe.left, pipe.ended) = (Some(left), left == 0);
        }
        Ok(Some(pipe))
    }

    fn new(kind: Kind, input: File, waits: bool, token: u64, longest: usize) -> io::Result<Self> {
        Ok(Self {
            kind,
            token,
            input,
            waits,
            fresh: true,
            window: Window::new("pipe", longest)?,
            unkept: Vec::new(),
            most: most(longest),
            left: None,
            quiet: false,
            ended: false,
            gone: false,
        })
    }

    /// What was read, as a file.
    pub(super) fn file(&self) -> Handle {
        self.window.file().clone()
    }

    /// Whether what was read from `from` on can be read again.
    pub(super) fn has(&self, from: u64) -> bool {
        self.window.has(from)
    }

    /// Lines may be longer from now on.
    pub(super) fn widen(&mut self, longest: usize) {
        self.window.widen(longest);
        self.most = self.most.max(most(longest));
    }

    /// The lookout saw something.
    pub(super) fn woken(&mut self) {
        // Of a FIFO that may be a writer who came and went.
        (self.quiet, self.fresh) = (false, false);
    }

    /// Whether there may be something to read.
    pub(super) fn may_have_more(&self) -> bool {
        !self.ended && !self.quiet
    }

    /// Whether so much waits in the window that no more can be read.
    pub(super) fn is_full(&self, at: u64) -> bool {
        self.window.size().saturating_sub(at) >= self.most
    }

    /// Reads a step, if `at` is not too far behind. What lies well before `at` is no longer needed.
    pub(super) fn pump(&mut self, at: u64, buffer: &mut [u8], lookout: &Lookout) -> io::Result<()> {
        if !self.may_have_more() || self.is_full(at) {
            return Ok(());
        }
        self.window.give_back(at)?;
        self.window.append(&self.unkept)?;
        self.unkept = Vec::new();
        let left = self
            .left
            .map_or(STEP, |left| usize::try_from(left).unwrap_or(STEP));
        let wanted = left.min(STEP).min(buffer.len());
        let mut filled = 0;
        // What was read has to be kept, whatever happens then.
        let read = self.fill(&mut buffer[..wanted], &mut filled, lookout);
        let kept = self.window.append(&buffer[..filled]);
        if kept.is_err() {
            buffer[..filled].clone_into(&mut self.unkept);
        }
        if let Some(left) = &mut self.left {
            *left -= filled as u64;
            self.ended |= *left == 0 || self.quiet;
        }
        if kept.is_err() {
            self.ended = false;
        }
        kept.and(read)
    }

    fn fill(&mut self, buffer: &mut [u8], filled: &mut usize, lookout: &Lookout) -> io::Result<()> {
        while *filled < buffer.len() {
            match self.read(&mut buffer[*filled..]) {
                Ok(0) if self.has_end() => {
                    self.ended = true;
                    break;
                }
                Ok(0) if !self.fresh => self.renew()?,
                Ok(0) => {
                    self.rest(lookout);
                    break;
                }
                Ok(read) => {
                    *filled += read;
                    self.fresh = false;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.rest(lookout);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether nothing more can come once its writers are gone.
    fn has_end(&self) -> bool {
        self.kind == Kind::Stdin || self.gone
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.waits {
            let mut asked = [PollFd::new(&self.input, PollFlags::IN)];
            let now = Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            if poll(&mut asked, Some(&now))? == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        self.input.read(buffer)
    }

    /// There is nothing to read: the lookout is asked to tell. Where it cannot, the next look does.
    fn rest(&mut self, lookout: &Lookout) {
        lookout.watch(&self.input, self.token);
        self.quiet = true;
    }

    /// The FIFO without the news that its last writer went.
    fn renew(&mut self) -> io::Result<()> {
        // In this order: what a new writer may have left in it by now stays there.
        self.input = again(&self.input)?;
        self.fresh = true;
        Ok(())
    }
}

fn most(longest: usize) -> u64 {
    (longest + STEP) as u64
}

/// Opens what is open once more, for us alone, and so that reading never waits.
fn again(file: &File) -> io::Result<File> {
    handle::open(&PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())))
}
