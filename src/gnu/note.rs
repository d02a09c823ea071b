//! What is said on stderr, in GNU's words.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;

use super::quote::{always, where_needed};

/// A line for stderr. Its display begins with the program's name, as all of tail's lines do.
#[derive(Debug)]
pub enum Note {
    /// `--retry` without `--follow`.
    RetryIgnored,
    /// `--retry` with `--follow=descriptor`.
    RetryOnce,
    /// `--pid` without `--follow`.
    PidIgnored,
    /// How it waits.
    Mode(&'static str),
    /// A name that cannot be opened at the start.
    CannotOpen(OsString, io::Error),
    /// What was opened cannot be read.
    CannotRead(OsString, io::Error),
    /// stdout cannot be written.
    CannotWrite(io::Error),
    /// Of what was opened there is no end to follow; whether the name is given up on.
    CannotFollow(OsString, bool),
    /// What a name led to is gone; another one may come.
    Inaccessible(OsString, io::Error),
    /// The same where nothing but a turn of luck brings another one.
    Gone(OsString, io::Error),
    /// A name leads to what cannot be followed; whether it is given up on.
    Untailable(OsString, bool),
    /// A name leads to a file, and led to none before.
    Appeared(OsString),
    /// A name leads to a file that can be opened, and led to one that could not be before.
    Accessible(OsString),
    /// A name leads to another file than before.
    Replaced(OsString),
    /// A file has fewer bytes than were read of it.
    Truncated(OsString),
    /// The folder of a name cannot be watched.
    UnwatchableFolder(OsString, io::Error),
    /// A file cannot be watched.
    Unwatchable(OsString, io::Error),
    /// The kernel has no watch left.
    NoWatchLeft,
    /// A folder that was watched is gone.
    FolderGone,
    /// From here on the clock alone says when to look.
    Reverting,
    /// There is nothing to follow any more.
    NoneRemain,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tail: ")?;
        let giving_up = |given_up: &bool| if *given_up { "; giving up on this name" } else { "" };
        match self {
            Self::RetryIgnored => {
                f.write_str("warning: --retry ignored; --retry is useful only when following")
            }
            Self::RetryOnce => f.write_str("warning: --retry only effective for the initial open"),
            Self::PidIgnored => f.write_str("warning: PID ignored; --pid=PID is useful only when following"),
            Self::Mode(mode) => write!(f, "using {mode} mode"),
            Self::CannotOpen(name, why) => {
                write!(f, "cannot open {} for reading: {}", shown(name), reason(why))
            }
            Self::CannotRead(name, why) => write!(f, "error reading {}: {}", shown(name), reason(why)),
            Self::CannotWrite(why) => write!(f, "error writing 'standard output': {}", reason(why)),
            Self::CannotFollow(name, given_up) => write!(
                f,
                "{}: cannot follow end of this type of file{}",
                bare(name),
                giving_up(given_up)
            ),
            Self::Inaccessible(name, why) => {
                write!(f, "{} has become inaccessible: {}", shown(name), reason(why))
            }
            Self::Gone(name, why) => write!(f, "{}: {}", bare(name), reason(why)),
            Self::Untailable(name, given_up) => write!(
                f,
                "{} has been replaced with an untailable file{}",
                shown(name),
                giving_up(given_up)
            ),
            Self::Appeared(name) => write!(f, "{} has appeared;  following new file", shown(name)),
            Self::Accessible(name) => write!(f, "{} has become accessible", shown(name)),
            Self::Replaced(name) => write!(f, "{} has been replaced;  following new file", shown(name)),
            Self::Truncated(name) => write!(f, "{}: file truncated", bare(name)),
            Self::UnwatchableFolder(name, why) => write!(
                f,
                "cannot watch parent directory of {}: {}",
                shown(name),
                reason(why)
            ),
            Self::Unwatchable(name, why) => write!(f, "cannot watch {}: {}", shown(name), reason(why)),
            Self::NoWatchLeft => f.write_str("inotify resources exhausted"),
            Self::FolderGone => f.write_str("directory containing watched file was removed"),
            Self::Reverting => f.write_str("inotify cannot be used, reverting to polling"),
            Self::NoneRemain => f.write_str("no files remaining"),
        }
    }
}

/// What stdin is called.
pub(super) fn called(file: &OsStr) -> &OsStr {
    if file == "-" {
        OsStr::new("standard input")
    } else {
        file
    }
}

fn shown(file: &OsStr) -> String {
    always(called(file))
}

/// As it stands in headers too.
pub(super) fn bare(file: &OsStr) -> String {
    if file == "-" {
        return "standard input".to_owned();
    }
    where_needed(file)
}

/// The system's words for an error, without its number.
fn reason(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(number) = text.rfind(" (os error ") {
        text.truncate(number);
    }
    text
}
