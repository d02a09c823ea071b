//! What the reader has to tell people: each said once, until it changes.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::model::LogName;

/// Something worth telling. Its text ([`fmt::Display`]) names the cure where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// No file of this log exists. Nothing is wrong yet: it is waited for.
    Missing {
        /// The log.
        log: LogName,
        /// Its globs, as the user wrote them.
        globs: Vec<String>,
    },
    /// A file may not be read, or cannot be opened for another reason. It is tried again at every sweep.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The user id it belongs to.
        owner: u32,
        /// Its permission bits.
        mode: u32,
        /// The user id this process runs as.
        uid: u32,
        /// What the system said.
        error: String,
    },
    /// The process holds as many files as it may. The others are tried again at every sweep.
    TooManyOpen,
    /// Files that were deleted take much of the disk because they are held open.
    Deleted {
        /// How many.
        files: usize,
        /// How much of it.
        bytes: u64,
    },
    /// What was unreadable is read now.
    Readable {
        /// The file, or where a mount is.
        path: PathBuf,
    },
    /// A glob reaches something that is not a regular file.
    NotRegular {
        /// What it reaches.
        path: PathBuf,
    },
    /// Stdin is a terminal, which is not read.
    Terminal,
    /// Stdin is a file, which is read like a pipe.
    StdinIsFile,
    /// What comes through a pipe is compressed, and is read as it comes.
    Packed {
        /// What it is called.
        path: PathBuf,
    },
    /// Nothing more comes through a pipe.
    Ended {
        /// What it is called.
        path: PathBuf,
    },
    /// No log names a pipe any more. What was not read of it stays in it.
    Parked {
        /// What it is called.
        path: PathBuf,
    },
    /// A glob reaches a compressed file, which is left alone.
    Compressed {
        /// The file.
        path: PathBuf,
    },
    /// A file under /proc, /sys or /dev, of our own state, or that we write our log to, is never followed.
    Forbidden {
        /// The file, links resolved.
        path: PathBuf,
    },
    /// Reading a held file failed. It is tried again at every sweep.
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
    /// A mount that somebody else serves gives no answer. Its files are asked again at every sweep.
    Silent {
        /// Where it is mounted.
        mount: PathBuf,
        /// The first file that it was asked about.
        path: PathBuf,
    },
    /// An archive with the rest of a file ends in the middle.
    Damaged {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// Hints are not to be had; the sweep goes on alone.
    NoHints {
        /// What the system said.
        error: String,
        /// Whether the user asked for hints by name (`watch = "events"`).
        asked: bool,
    },
}

impl Note {
    /// What it is about: a new note about the same subject replaces the old one.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Missing { log, .. } => format!("log {log}"),
            Self::Unreadable { path, .. }
            | Self::Readable { path }
            | Self::NotRegular { path }
            | Self::Compressed { path }
            | Self::Forbidden { path }
            | Self::Failed { path, .. }
            | Self::Damaged { path, .. }
            | Self::Packed { path }
            | Self::Ended { path }
            | Self::Parked { path } => format!("file {}", path.display()),
            Self::Silent { mount, .. } => format!("mount {}", mount.display()),
            Self::Terminal | Self::StdinIsFile => "stdin".to_owned(),
            Self::TooManyOpen => "descriptors".to_owned(),
            Self::Deleted { .. } => "deleted files".to_owned(),
            Self::NoHints { .. } => "hints".to_owned(),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { log, globs } => {
                write!(
                    f,
                    "log {log}: no file matches {} yet; waiting for one",
                    globs.join(", ")
                )
            }
            Self::Unreadable {
                path,
                owner,
                mode,
                uid,
                error,
            } => unreadable(f, path, (*owner, *mode, *uid), error),
            Self::TooManyOpen => write!(
                f,
                "more files match than this process may hold open; raise its limit (`ulimit -n`, LimitNOFILE=, \
                 --ulimit nofile=) or narrow the globs. What is held is followed, the others are tried again"
            ),
            Self::Deleted { files, bytes } => write!(
                f,
                "deleted files are held open until they are read: {files} files, {} MiB of disk. What is not read of them \
                 stands nowhere else; stopping tailgram frees the disk and loses that",
                bytes >> 20
            ),
            Self::Readable { path } => write!(f, "{} can be read now", path.display()),
            Self::NotRegular { path } => {
                write!(
                    f,
                    "{} is not a regular file and is left alone; exclude it to silence this",
                    path.display()
                )
            }
            Self::Terminal => f.write_str(
                "stdin is a terminal and is not read; pipe a program into tailgram: app 2>&1 | tailgram run",
            ),
            Self::StdinIsFile => f.write_str(
                "stdin is a file: it is read from where it stands to its present end, at every start anew; name it in \
                 `files` to have it followed",
            ),
            Self::Packed { path } => write!(
                f,
                "what comes through {} is compressed and is read as it comes; unpack it on the way: zcat app.log.gz | \
                 tailgram run --once",
                path.display()
            ),
            Self::Ended { path } => write!(f, "{} ended", path.display()),
            Self::Parked { path } => write!(
                f,
                "{} is not read any more, since no log names it; whoever writes to it waits once the pipe is full. Name \
                 it in `files` again to go on where reading stopped, or restart tailgram to let it go",
                path.display()
            ),
            Self::Compressed { path } => {
                write!(
                    f,
                    "{} is compressed and is left alone; exclude it to silence this",
                    path.display()
                )
            }
            Self::Forbidden { path } => write!(
                f,
                "{} is not followed: /proc, /sys, /dev, tailgram's own state and its own log are out of reach",
                path.display()
            ),
            Self::Failed { path, error } => {
                write!(
                    f,
                    "reading {} failed: {error}; it goes on from the same place",
                    path.display()
                )
            }
            Self::Silent { mount, path } => write!(
                f,
                "what is mounted at {} gives no answer, not for {}: what it does not answer for is left alone until it does, \
                 and all else is read",
                mount.display(),
                path.display()
            ),
            Self::Damaged { path, error } => write!(
                f,
                "{} is damaged ({error}); what stood in it behind that place is lost",
                path.display()
            ),
            Self::NoHints { error, .. } => write!(
                f,
                "file events are not to be had ({error}); files are looked at by the clock instead. If a limit \
                 was reached, raise sysctl fs.inotify.max_user_watches or fs.inotify.max_user_instances, or set \
                 watch = \"poll\" to silence this"
            ),
        }
    }
}

/// Only where rights are the trouble is another right the cure. `rights` are the owner, the mode, and our own user id.
fn unreadable(f: &mut fmt::Formatter<'_>, path: &Path, rights: (u32, u32, u32), error: &str) -> fmt::Result {
    let path = path.display();
    if !error.contains("denied") && !error.contains("not permitted") {
        return write!(f, "cannot read {path}: {error}; trying again");
    }
    let (owner, mode, uid) = rights;
    write!(
        f,
        "cannot read {path}: {error}. It belongs to uid {owner} with mode {mode:04o}, and tailgram runs as uid {uid}: add \
         that user to the file's group, or `setfacl -m u:{uid}:r` it; trying again"
    )
}
