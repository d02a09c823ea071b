//! How long to pause after a failure that named no time: exponential, with full jitter.
//!
//! Not for a 429 that said how long; that time is Telegram's to choose.

use std::time::Duration;

/// The shortest pause, so that a failure is never answered with a hot loop.
const SHORTEST: Duration = Duration::from_millis(500);
/// The longest pause, so that a network that came back is noticed soon.
const LONGEST: Duration = Duration::from_secs(30);

/// A row of pauses between 0.5 s and 30 s. The ceiling doubles with each failure; the pause is drawn
/// anywhere below it, so that many chats that failed together do not return together.
#[derive(Debug)]
pub struct Backoff {
    rng: fastrand::Rng,
    ceiling: Duration,
}

impl Backoff {
    /// A fresh row. The generator is an argument so that tests can repeat it.
    pub fn new(rng: fastrand::Rng) -> Self {
        Self {
            rng,
            ceiling: SHORTEST,
        }
    }

    /// The next pause, after one more failure.
    #[expect(
        clippy::should_implement_trait,
        reason = "an endless row needs no Option around each pause"
    )]
    pub fn next(&mut self) -> Duration {
        self.ceiling = (self.ceiling * 2).min(LONGEST);
        SHORTEST + self.ceiling.saturating_sub(SHORTEST).mul_f64(self.rng.f64())
    }

    /// Begins anew, after a success.
    pub fn reset(&mut self) {
        self.ceiling = SHORTEST;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_pause_lies_between_the_bounds(seed: u64, failures in 1usize..200) {
            let mut backoff = Backoff::new(fastrand::Rng::with_seed(seed));
            for _ in 0..failures {
                let pause = backoff.next();
                prop_assert!((SHORTEST..=LONGEST).contains(&pause), "{pause:?}");
            }
            backoff.reset();
            prop_assert!(backoff.next() <= SHORTEST * 2);
        }
    }

    #[test]
    fn pauses_grow_until_they_are_spread_over_the_whole_span() {
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(7));
        let pauses: Vec<_> = (0..100).map(|_| backoff.next()).collect();
        assert!(pauses[0] <= Duration::from_secs(1));
        assert!(pauses.iter().any(|&pause| pause > Duration::from_secs(25)));
        assert!(
            pauses[20..].iter().any(|&pause| pause < Duration::from_secs(5)),
            "jitter is full"
        );
    }
}
