//! What the kernel is asked to tell of: the files that are held, and with names the folders these are in.
//!
//! Events are not read for what they say. Any of them ends a wait, and the turn that follows looks at everything; only
//! that a folder is gone is taken from them, for nothing would be told of its names any more.
//!
//! The calls are made here and on the caller's thread, so that someone who traces it sees them as with GNU tail.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::held::{Held, Id};

/// One instance of inotify, and what was asked of it.
#[derive(Debug)]
pub(super) struct Watches {
    kernel: OwnedFd,
    /// What is watched for each operand, and its number in the kernel's events.
    files: BTreeMap<usize, (Id, i32)>,
    /// The folders' numbers. Two names in one folder have one.
    folders: Vec<i32>,
}

impl Watches {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            kernel: inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?,
            files: BTreeMap::new(),
            folders: Vec::new(),
        })
    }

    /// Watches the folder that a name is in.
    pub(super) fn watch_folder(&mut self, name: &OsStr) -> io::Result<()> {
        let folder = Path::new(name).parent().filter(|folder| *folder != Path::new(""));
        let told = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF;
        let folder = folder.unwrap_or(Path::new("."));
        self.folders.push(inotify::add_watch(&self.kernel, folder, told)?);
        Ok(())
    }

    /// Watches what an operand holds now, and nothing that it held before. Says whether a watch was added.
    pub(super) fn watch_file(
        &mut self,
        operand: usize,
        name: &OsStr,
        held: Option<&Held>,
    ) -> io::Result<bool> {
        let id = held.map(|held| held.id);
        if self.files.get(&operand).map(|(id, _)| *id) == id {
            return Ok(false);
        }
        if let Some((_, number)) = self.files.remove(&operand) {
            let shared = self.files.values().any(|(_, other)| *other == number);
            if !shared {
                // The kernel dropped it already if the file is gone.
                let _ = inotify::remove_watch(&self.kernel, number);
            }
        }
        let Some(id) = id else { return Ok(false) };
        match inotify::add_watch(&self.kernel, name, WatchFlags::MODIFY) {
            Ok(number) => {
                self.files.insert(operand, (id, number));
                Ok(true)
            }
            // It is gone again, and the next turn will see that.
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes what the kernel told, and says whether a watched folder is gone.
    pub(super) fn take(&mut self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.kernel, &mut buffer);
        let mut gone = false;
        while let Ok(event) = events.next() {
            let ends = ReadFlags::IGNORED | ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF;
            gone |= event.events().intersects(ends) && self.folders.contains(&event.wd());
        }
        gone
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.kernel.as_fd()
    }
}
