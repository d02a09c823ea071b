//! The reader thread: files in, rows out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use crate::failpoint::{self, Point};
use crate::model::{LogName, Notice, Position, Row, RuleName};
use crate::tail::{self, Chunk, FileState, Mode, Note, Source, Tailer, Turn, Waker};

use super::around::Surroundings;
use super::clock::Clock;
use super::counts::Counts;
use super::ends::Ends;
use super::herald::Pulse;
use super::ledger::Batch;
use super::reload::Change;
use super::shares::Shares;
use super::tally::{Lens, Tally};

/// What the thread is made from.
pub(super) struct Reader {
    pub(super) lens: Lens,
    pub(super) tail: tail::Settings,
    pub(super) known: Vec<Position>,
    pub(super) seen: Vec<LogName>,
    pub(super) mode: Mode,
    pub(super) batches: Sender<Batch>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) waker: Waker,
    pub(super) clock: Clock,
    pub(super) draw: fastrand::Rng,
    pub(super) pulse: Pulse,
    pub(super) counts: Counts,
    /// What is told of the logs of rules with `absent`.
    pub(super) ends: Ends,
    /// Other settings, as they come; at most one waits.
    pub(super) changes: Receiver<Change>,
    /// What is to be told once the first look is done; absent if nothing is.
    pub(super) start: Option<Start>,
}

/// What a run knows of its own start, before it looked at a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) rules: usize,
    /// No state was found.
    pub(super) fresh: bool,
    /// Pieces of the state that were set aside.
    pub(super) set_aside: usize,
    /// The state is older than the last run left it.
    pub(super) rolled_back: bool,
}

impl Reader {
    /// Reads until it is told to stop, the ledger is gone, the single pass is done, or nothing will ever come any more.
    pub(super) fn run(self) {
        let Self {
            mut lens,
            tail,
            known,
            seen,
            mode,
            batches,
            stop,
            waker,
            clock,
            draw,
            pulse,
            counts,
            mut ends,
            changes,
            mut start,
        } = self;
        let mut surroundings = Surroundings::default();
        let mut shares = Shares::new(&lens);
        let mut behind = start.is_some_and(|start| start.rolled_back);
        let mut tailer = Tailer::open(tail, mode, known, &seen, draw, waker);
        loop {
            let last = stop.load(Ordering::Acquire);
            // Files can be read again, what was read of a pipe cannot.
            if last && !tailer.has_pipes() {
                return;
            }
            if !last && let Ok(change) = changes.try_recv() {
                failpoint::reach(Point::ConfigSwap);
                let (seen, paused) = (change.seen, Instant::now());
                let batch = adopt(change, &mut lens, &mut ends, &mut tailer);
                counts.keep_logs(lens.logs());
                shares = Shares::new(&lens);
                tracing::info!(
                    took = ?seen.elapsed(),
                    paused = ?paused.elapsed(),
                    "what is read from now on meets the new rules"
                );
                if batches.send(batch).is_err() {
                    return;
                }
            }
            let now = clock.now();
            let mut tally = Tally::new(&lens, &mut shares, now);
            let visit = &mut |source: &Source, chunk: Chunk<'_>| {
                tally.chunk(source, chunk);
                counts.read(lens.logs_of(source), chunk.bytes.len());
            };
            let mut turn = if last {
                tailer.last_words(now, visit)
            } else {
                tailer.turn(now, visit)
            };
            if !turn.positions.is_empty() {
                failpoint::reach(Point::AfterRead);
            }
            say(&turn);
            let more = turn.more;
            let (mut rows, found, spots) = tally.finish();
            surroundings.fill(&mut rows, spots, &tailer, now);
            let mut batch = batch(&mut turn, rows, found);
            batch
                .notices
                .extend(shares.news(|log, rule| lens.picky_rule(log, rule)));
            batch.read = ends.news(&tailer);
            batch.caught_up = behind && !more && tailer.is_settled(now);
            behind &= !batch.caught_up;
            batch.over = mode == Mode::Forever && !last && !more && tailer.is_over();
            let over = batch.over;
            if !batch.rows.is_empty() {
                failpoint::reach(Point::AfterMatch);
            }
            if let Some(start) = start.take() {
                let files = followed(&tailer);
                tracing::info!(files, at_end = turn.at_end, "following");
                batch.notices.insert(0, start.notice(files, turn.at_end));
            }
            // What is sent is committed with its positions or not at all; a send that fails means that the
            // ledger is gone, and then these bytes are read again at the next start.
            if !batch.is_empty() && batches.send(batch).is_err() {
                return;
            }
            pulse.beat(clock.now(), &tailer);
            let waits = mode == Mode::Forever || tailer.awaits_pipes();
            match more {
                _ if last || over => return,
                true => {}
                false if waits => tailer.wait(clock.now()),
                false => return,
            }
        }
    }
}

/// Takes other settings between two turns. All that was read before is on its way already.
fn adopt(change: Change, lens: &mut Lens, ends: &mut Ends, tailer: &mut Tailer) -> Batch {
    let Change {
        lens: new,
        tail,
        adoption,
        seen: _,
    } = change;
    *lens = new;
    *ends = Ends::new(&tail, &adoption.incident);
    let let_go = tailer.reconfigure(tail);
    Batch {
        positions: let_go.positions,
        forgotten: let_go.forgotten,
        adoption: Some(Box::new(adoption)),
        ..Batch::default()
    }
}

fn batch(turn: &mut Turn, rows: Vec<Row>, found: BTreeMap<RuleName, u64>) -> Batch {
    // Before the gaps move away: they are told too.
    let notices = notices(turn);
    Batch {
        positions: std::mem::take(&mut turn.positions),
        forgotten: std::mem::take(&mut turn.forgotten),
        logs_seen: std::mem::take(&mut turn.logs_seen),
        gaps: std::mem::take(&mut turn.gaps),
        notices,
        rows,
        found,
        read: None,
        adoption: None,
        caught_up: false,
        over: false,
    }
}

impl Start {
    /// What is told once everything was looked at for the first time.
    fn notice(self, files: u64, at_end: usize) -> Notice {
        Notice::Started {
            files,
            rules: self.rules as u64,
            fresh: self.fresh.then_some(at_end as u64),
            set_aside: self.set_aside as u64,
            rolled_back: self.rolled_back,
            earlier: 0,
        }
    }
}

/// How many files are followed now.
fn followed(tailer: &Tailer) -> u64 {
    let files = tailer.files();
    let followed = files.iter().filter(|file| file.state == FileState::Following);
    followed.count() as u64
}

/// What of a turn is told to people beyond the log.
fn notices(turn: &Turn) -> Vec<Notice> {
    let gaps = turn.gaps.iter().cloned().map(Notice::Gap);
    turn.notes.iter().filter_map(notice).chain(gaps).collect()
}

/// Files that are left alone on purpose are nobody's trouble; they stand in the log only.
fn notice(note: &Note) -> Option<Notice> {
    let path = |path: &Path| path.display().to_string();
    match note {
        Note::Missing { log, globs } => Some(Notice::Missing {
            log: log.clone(),
            globs: globs.join(", "),
        }),
        Note::Unreadable {
            path: file, error, ..
        }
        | Note::Failed { path: file, error } => Some(Notice::Unreadable {
            path: path(file),
            why: error.clone(),
        }),
        Note::Silent { mount, .. } => Some(Notice::Unreadable {
            path: path(mount),
            why: "what is mounted there gives no answer".to_owned(),
        }),
        Note::Readable { path: file } => Some(Notice::Readable { path: path(file) }),
        Note::TooManyOpen => Some(Notice::TooManyOpen),
        Note::Deleted { files, bytes } => Some(Notice::Deleted {
            files: *files as u64,
            bytes: *bytes,
        }),
        // The gap that a damaged archive leaves is told by itself.
        Note::NotRegular { .. }
        | Note::Compressed { .. }
        | Note::Forbidden { .. }
        | Note::Damaged { .. }
        | Note::Terminal
        | Note::StdinIsFile
        | Note::Packed { .. }
        | Note::Ended { .. }
        | Note::Parked { .. }
        | Note::NoHints { .. } => None,
    }
}

fn say(turn: &Turn) {
    for note in &turn.notes {
        match note {
            // Whoever asked for events by name wants to hear that there are none.
            Note::NoHints { asked: true, .. } => tracing::error!("{note}"),
            Note::Ended { .. } | Note::StdinIsFile => tracing::info!("{note}"),
            note => tracing::warn!("{note}"),
        }
    }
    for gap in &turn.gaps {
        tracing::warn!(path = %gap.path, bytes = gap.bytes, kind = ?gap.kind, "bytes were destroyed before they were read");
    }
}
