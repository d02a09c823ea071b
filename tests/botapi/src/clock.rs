//! The clock that flood windows, fault spans and journal times are read from.
//!
//! Tests that look at a window of a minute inject a manual clock and move it. The trap: a manual clock
//! does not move `Stall` and `Slow` faults, which hold real sockets and therefore wait in real time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Unix time at which every manual clock starts, in milliseconds.
const MANUAL_START_MS: u64 = 1_800_000_000_000;

/// A clock that can be cloned freely; clones of a manual clock move together.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    Real { started: Instant, unix_ms: u64 },
    Manual(AtomicU64),
}

impl Clock {
    /// The machine's clock: monotonic, with the wall time of its creation as base.
    pub fn real() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(Arc::new(Source::Real {
            started: Instant::now(),
            unix_ms: millis(since_epoch),
        }))
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn manual() -> Self {
        Self(Arc::new(Source::Manual(AtomicU64::new(0))))
    }

    /// Moves a manual clock forward; a real clock goes its own way and ignores this.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(now) = &*self.0 {
            now.fetch_add(millis(by), Ordering::SeqCst);
        }
    }

    /// Milliseconds since the clock was made.
    pub fn now_ms(&self) -> u64 {
        match &*self.0 {
            Source::Real { started, .. } => millis(started.elapsed()),
            Source::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Milliseconds since the Unix epoch.
    pub fn unix_ms(&self) -> u64 {
        let base = match &*self.0 {
            Source::Real { unix_ms, .. } => *unix_ms,
            Source::Manual(_) => MANUAL_START_MS,
        };
        base + self.now_ms()
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
