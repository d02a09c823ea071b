//! What rules that are new or changed would have found already, in the newest lines of the files they look at.
//!
//! For whoever has just written a pattern: a rule that finds nothing, or half of all lines, is seen at once. The files
//! are read anew and nothing is booked. The trap: it must cost little however much there is, so it looks at a few
//! files and at the end of each.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::config::Settings;
use crate::engine::shares::Shares;
use crate::engine::tally::{Lens, Tally};
use crate::model::{FileKey, Hindsight, Manner, Now};
use crate::tail::{Chunk, Ending, LogSettings, Source, Standing, survey};

/// So many files are looked at, the newest ones,
const FILES: usize = 8;
/// and so many bytes at the end of each.
const BYTES: u64 = 512 * 1024;
/// So many rules are told.
const RULES: usize = 3;

/// Counts what these rules find.
pub(super) fn count(settings: &Settings, lens: &Lens, rules: &[&str], now: Now) -> Vec<Hindsight> {
    let looks = |log: usize, rule: &str| {
        let looking = settings.logs.get(log).map(|log| log.scan.rules.iter());
        looking.is_some_and(|mut looking| looking.any(|looking| looking.name.as_str() == rule))
    };
    if rules.is_empty() {
        return Vec::new();
    }
    // Lines per log.
    let mut lines: BTreeMap<usize, u64> = BTreeMap::new();
    // What was read before says nothing about what a rule matches from now on.
    let mut shares = Shares::default();
    let mut tally = Tally::new(lens, &mut shares, now);
    let mut random = fastrand::Rng::new();
    for (path, log) in newest(settings, |log| rules.iter().any(|rule| looks(log, rule))) {
        // A file that goes away, or may not be read, is no part of it.
        let Ok((offset, bytes, manner)) = end_of(&path, &settings.tail.logs[log]) else {
            continue;
        };
        *lines.entry(log).or_default() += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        let source = Source {
            key: FileKey::draw(&mut random),
            path: path.to_string_lossy().into(),
            logs: vec![log],
            manner,
        };
        let chunk = Chunk {
            offset,
            bytes: &bytes,
            ending: Ending::Newline,
            continued: false,
        };
        tally.chunk(&source, chunk);
    }
    let (_, found, _) = tally.finish();
    let mut counts: Vec<Hindsight> = rules
        .iter()
        .map(|rule| Hindsight {
            rule: (*rule).to_owned(),
            found: found
                .iter()
                .find(|(name, _)| name.as_str() == *rule)
                .map_or(0, |(_, found)| *found),
            of: lines
                .iter()
                .filter(|(log, _)| looks(**log, rule))
                .map(|(_, lines)| lines)
                .sum(),
        })
        .filter(|count| count.of > 0)
        .collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.found));
    counts.truncate(RULES);
    counts
}

/// The files of these logs that were written to last, each with the first log that reaches it.
fn newest(settings: &Settings, wanted: impl Fn(usize) -> bool) -> Vec<(PathBuf, usize)> {
    let mut files: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (log, surveyed) in survey(&settings.tail).into_iter().enumerate() {
        if !wanted(log) {
            continue;
        }
        for (path, standing) in surveyed.paths {
            if matches!(standing, Standing::Readable { size, .. } if size > 0) {
                files.entry(path).or_insert(log);
            }
        }
    }
    let written = |path: &Path| {
        let written = std::fs::metadata(path).and_then(|about| about.modified());
        written.unwrap_or(SystemTime::UNIX_EPOCH)
    };
    let mut files: Vec<(SystemTime, PathBuf, usize)> = files
        .into_iter()
        .map(|(path, log)| (written(&path), path, log))
        .collect();
    files.sort_by_key(|(written, ..)| std::cmp::Reverse(*written));
    files.truncate(FILES);
    files.into_iter().map(|(_, path, log)| (path, log)).collect()
}

/// The last whole lines of a file, where they begin, and how they are read.
fn end_of(path: &Path, log: &LogSettings) -> io::Result<(u64, Vec<u8>, Manner)> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut first = vec![0; Manner::FIRST.min(usize::try_from(size).unwrap_or(usize::MAX))];
    file.read_exact_at(&mut first, 0)?;
    let manner = log.joints.as_ref();
    let manner = manner.map_or_else(Manner::default, |joints| {
        joints.manner(&path.to_string_lossy(), &first)
    });
    if manner.line_end.width() != 1 {
        return Err(io::Error::other("its lines do not end with one byte"));
    }
    let from = size.saturating_sub(BYTES);
    let mut bytes = vec![0; usize::try_from(size - from).unwrap_or_default()];
    file.read_exact_at(&mut bytes, from)?;
    bytes.truncate(memchr::memrchr(b'\n', &bytes).map_or(0, |newline| newline + 1));
    // The line that was cut.
    let cut = match memchr::memchr(b'\n', &bytes) {
        Some(newline) if from > 0 => newline + 1,
        _ => 0,
    };
    bytes.drain(..cut);
    Ok((from + cut as u64, bytes, manner))
}
