//! What a name led to, held open.

use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id {
    device: u64,
    inode: u64,
}

impl Id {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
        }
    }
}

/// What reading gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// So many bytes.
    Bytes(usize),
    /// It is at its end, for now.
    End,
    /// Nothing yet, and whoever writes to it still holds it.
    Later,
}

/// A file, a pipe or a device.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) file: File,
    pub(super) id: Id,
    pub(super) kind: Kind,
    /// What was read of it, counted from its beginning.
    pub(super) at: u64,
    /// Whether more of a stream will be told by the kernel; its end is not.
    pub(super) open_ended: bool,
}

/// How it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// At any place.
    Regular,
    /// A pipe.
    Fifo,
    /// A terminal, say.
    Stream,
    /// There is nothing to follow: a directory, a disk.
    Other,
}

impl Held {
    /// Opens without waiting for a writer.
    pub(super) fn open(name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let mut options = OpenOptions::new();
        // The flags are a handful of low bits.
        options.read(true).custom_flags(flags.bits().cast_signed());
        Self::of(options.open(name)?)
    }

    /// Takes stdin at the place where it is.
    pub(super) fn stdin() -> io::Result<Self> {
        let mut held = Self::of(File::from(io::stdin().as_fd().try_clone_to_owned()?))?;
        if held.kind == Kind::Regular {
            held.at = held.file.stream_position()?;
        }
        Ok(held)
    }

    fn of(file: File) -> io::Result<Self> {
        let meta = file.metadata()?;
        let kind = meta.file_type();
        let kind = if kind.is_file() {
            Kind::Regular
        } else if kind.is_fifo() {
            Kind::Fifo
        } else if kind.is_char_device() || kind.is_socket() {
            Kind::Stream
        } else {
            Kind::Other
        };
        Ok(Self {
            file,
            id: Id::of(&meta),
            kind,
            at: 0,
            open_ended: false,
        })
    }

    pub(super) fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Reads what comes next.
    pub(super) fn next(&mut self, buffer: &mut [u8]) -> io::Result<Got> {
        let read = match self.kind {
            Kind::Regular => self.file.read_at(buffer, self.at),
            // A pipe that nobody ever wrote to is at its end for a read, and not for this question.
            _ if !self.is_ready() => Err(ErrorKind::WouldBlock.into()),
            _ => self.file.read(buffer),
        };
        self.open_ended = false;
        match read {
            Ok(0) => Ok(Got::End),
            Ok(count) => {
                self.at += count as u64;
                Ok(Got::Bytes(count))
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => self.next(buffer),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.open_ended = true;
                Ok(Got::Later)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a read would not wait: stdin cannot be told to.
    fn is_ready(&self) -> bool {
        let mut asked = [PollFd::new(&self.file, PollFlags::IN)];
        poll(&mut asked, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}
