//! An open file, and how it is asked: where it lies decides who does ([`distant`](super::distant)).

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{OFlags, SeekFrom};
use rustix::io::Errno;

use super::distant::{self, Distant, Subject};

/// The number of the next file that is opened far away.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// An open file; cloned, the same once more. Each question is one to the file system, and may fail with `TimedOut` where that is somebody else's.
#[derive(Clone, Debug)]
pub(super) struct Handle(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Near(Arc<File>),
    /// Shared with the questions about it: who waits no longer may let go of it before they are answered.
    Far(Arc<Far>),
}

/// A file of a mount that may never answer.
#[derive(Debug)]
struct Far {
    /// Absent once it is being closed.
    file: Option<File>,
    mount: Arc<Distant>,
    number: u64,
}

impl Handle {
    /// Opens for reading without ever waiting for a writer or becoming a terminal's owner, whatever the path
    /// turned into since it was looked at.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let Some(mount) = distant::of(path) else {
            return open(path).map(Self::from);
        };
        let (path, about) = (path.to_owned(), Arc::clone(&mount));
        let far = about.ask(Subject::Path(path.clone()), move || {
            Ok(Arc::new(Far {
                file: Some(open(&path)?),
                mount,
                number: NEXT.fetch_add(1, Ordering::Relaxed),
            }))
        })?;
        Ok(Self(Kind::Far(far)))
    }

    /// Where it lies, as the kernel knows it without asking; of one that was deleted, where it lay.
    pub(super) fn path(&self) -> io::Result<PathBuf> {
        let file = match &self.0 {
            Kind::Near(file) => Some(&**file),
            Kind::Far(far) => far.file.as_ref(),
        };
        let number = file.ok_or(Errno::BADF)?.as_raw_fd();
        std::fs::read_link(format!("/proc/self/fd/{number}"))
    }

    /// What `fstat` says.
    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        self.ask(File::metadata)
    }

    /// Reads at `offset` until `buffer` is full or the file ends.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if let Kind::Near(file) = &self.0 {
            return fill(file, buffer, offset);
        }
        let wanted = buffer.len();
        // A thread that may never come back cannot be lent what is needed here again.
        let bytes = self.ask(move |file| {
            let mut bytes = vec![0; wanted];
            let read = fill(file, &mut bytes, offset)?;
            bytes.truncate(read);
            Ok(bytes)
        })?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    /// Where the next byte at or behind `from` is that does not lie in a hole; absent if none does. A file system that
    /// knows no holes has none.
    pub(super) fn next_data(&self, from: u64) -> io::Result<Option<u64>> {
        self.ask(move |file| {
            Ok(match rustix::fs::seek(file, SeekFrom::Data(from)) {
                Ok(data) => Some(data),
                Err(Errno::NXIO) => None,
                Err(_) => Some(from),
            })
        })
    }

    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        match &self.0 {
            Kind::Near(file) => question(file),
            Kind::Far(far) => {
                let about = Arc::clone(far);
                let asked = move || about.file.as_ref().map_or(Err(Errno::BADF.into()), question);
                far.mount.ask(Subject::Open(far.number), asked)
            }
        }
    }
}

impl From<Arc<File>> for Handle {
    /// One of our own, which always answers.
    fn from(file: Arc<File>) -> Self {
        Self(Kind::Near(file))
    }
}

impl From<File> for Handle {
    fn from(file: File) -> Self {
        Self::from(Arc::new(file))
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let file = self.file.take();
        self.mount.send(move || drop(file));
    }
}

/// Opens a file here and now; see [`Handle::open`].
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.cast_signed());
    options.open(path)
}

fn fill(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
