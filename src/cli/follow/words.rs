//! What `follow` says on stderr.
//!
//! The notes of `tail` speak to someone who has a rules.toml; here their cures are those of a command line.

use std::io;

use crate::model::Gap;
use crate::tail::{Note, Turn};

/// No file is one that can be followed.
pub(super) const NOTHING: &str =
    "none of the files can be followed; name regular files, or paths where they will appear";

/// Says what a turn learned.
pub(super) fn say(turn: &Turn) {
    for note in &turn.notes {
        tracing::warn!("{}", about(note));
    }
    for gap in &turn.gaps {
        tracing::warn!("{}", lost(gap));
    }
}

/// Why printing ended.
pub(super) fn unwritten(error: &io::Error) -> String {
    format!("stdout cannot be written: {error}; make room there, or send the output elsewhere")
}

fn about(note: &Note) -> String {
    match note {
        Note::Missing { globs, .. } => format!("{} is not there; waiting for it", globs.join(", ")),
        Note::NotRegular { path } => format!(
            "{} is not a regular file and is not followed; a file that replaces it will be",
            path.display()
        ),
        Note::Forbidden { path } => {
            format!(
                "{} is not followed: /proc, /sys and /dev are out of reach",
                path.display()
            )
        }
        Note::TooManyOpen => {
            "these are more files than this process may hold open; raise its limit (`ulimit -n`) or \
                              name fewer. What is held is followed, the others are tried again"
                .to_owned()
        }
        Note::NoHints { error, .. } => format!(
            "file events are not to be had ({error}); files are looked at by the clock instead. If a limit was \
             reached, raise sysctl fs.inotify.max_user_watches or fs.inotify.max_user_instances, or use --poll to \
             silence this"
        ),
        // Where the unit is bytes no file is too compressed.
        // No pipe is followed here.
        Note::Unreadable { .. }
        | Note::Deleted { .. }
        | Note::Terminal
        | Note::StdinIsFile
        | Note::Packed { .. }
        | Note::Ended { .. }
        | Note::Parked { .. }
        | Note::Readable { .. }
        | Note::Silent { .. }
        | Note::Compressed { .. }
        | Note::Damaged { .. }
        | Note::Failed { .. } => note.to_string(),
    }
}

fn lost(gap: &Gap) -> String {
    match gap.bytes {
        0 => format!(
            "{} was cut; what was written just before may be missing",
            gap.path
        ),
        bytes => format!(
            "{} was cut; at least {bytes} bytes were destroyed before they were read",
            gap.path
        ),
    }
}
