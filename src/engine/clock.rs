//! Where `now` comes from. Everything below the engine gets it as an argument.

use std::time::{Duration, Instant, SystemTime};

use crate::model::{Moment, Now, Timestamp};

/// Both clocks of this process. Copies agree with each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    /// What the monotonic half reads at the start. Not zero, so that moments before the start exist.
    const BEGIN: Duration = Duration::from_hours(24);

    /// Starts the monotonic half.
    pub(super) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(super) fn now(self) -> Now {
        let wall = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            moment: Moment(0) + Self::BEGIN + self.start.elapsed(),
            wall: Timestamp(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)),
        }
    }

    /// The instant at which the monotonic half reads `moment`.
    pub(super) fn instant(self, moment: Moment) -> Instant {
        self.start + (moment - (Moment(0) + Self::BEGIN))
    }
}
