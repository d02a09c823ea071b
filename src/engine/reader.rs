//! The reader thread: files in, rows out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::Sender;

use crate::model::{LogName, Position};
use crate::tail::{self, Mode, Tailer, Turn, Waker};

use super::clock::Clock;
use super::herald::Pulse;
use super::ledger::Batch;
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
}

impl Reader {
    /// Reads until it is told to stop, the ledger is gone, or the single pass is done.
    pub(super) fn run(self) {
        let Self {
            lens,
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
        } = self;
        let mut tailer = Tailer::open(tail, mode, known, &seen, draw, waker);
        while !stop.load(Ordering::Acquire) {
            let now = clock.now();
            let mut tally = Tally::new(&lens, now);
            let mut turn = tailer.turn(now, &mut |source, chunk| tally.chunk(source, chunk));
            say(&turn);
            let more = turn.more;
            let batch = batch(&mut turn, tally);
            // What is sent is committed with its positions or not at all; a send that fails means that the
            // ledger is gone, and then these bytes are read again at the next start.
            if !batch.is_empty() && batches.send(batch).is_err() {
                return;
            }
            pulse.beat(clock.now(), || tailer.files());
            match (more, mode) {
                (true, _) => {}
                (false, Mode::Once) => return,
                (false, Mode::Forever) => tailer.wait(clock.now()),
            }
        }
    }
}

fn batch(turn: &mut Turn, tally: Tally<'_>) -> Batch {
    let (rows, found) = tally.finish();
    Batch {
        positions: std::mem::take(&mut turn.positions),
        forgotten: std::mem::take(&mut turn.forgotten),
        logs_seen: std::mem::take(&mut turn.logs_seen),
        gaps: std::mem::take(&mut turn.gaps),
        rows,
        found,
    }
}

fn say(turn: &Turn) {
    for note in &turn.notes {
        tracing::warn!("{note}");
    }
    for gap in &turn.gaps {
        tracing::warn!(path = %gap.path, bytes = gap.bytes, kind = ?gap.kind, "bytes were destroyed before they were read");
    }
}
