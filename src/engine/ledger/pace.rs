//! How far commits are from each other.
//!
//! A lone match needs three of them, one behind the other: it was found, its request begins, this became of it. None of
//! them waits. In a storm there are at most 20 in any second, however many matches each of them holds.

use std::time::{Duration, Instant};

/// What one commit takes of the time there is: so far from each other they are in a storm.
const EACH: Duration = Duration::from_millis(60);
/// So many come without waiting where none came for a while. With those that come back within a second that makes 19.
const AT_ONCE: u32 = 3;

/// Allows the next commit, by the generic cell rate algorithm. Its clock is the caller's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// When all that was committed will be paid for; absent before the first.
    paid: Option<Instant>,
}

impl Pace {
    /// When the next commit may be made, if that is later than now.
    pub(super) fn wait_until(&self, now: Instant) -> Option<Instant> {
        let ready = self.paid?.checked_sub(EACH * (AT_ONCE - 1))?;
        (ready > now).then_some(ready)
    }

    /// One was made.
    pub(super) fn committed(&mut self, now: Instant) {
        let from = self.paid.map_or(now, |paid| paid.max(now));
        self.paid = Some(from + EACH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commits as often as it may, from here on, and says when.
    fn storm(pace: &mut Pace, from: Instant, length: Duration) -> Vec<Instant> {
        let (mut now, mut commits) = (from, Vec::new());
        while now < from + length {
            now = pace.wait_until(now).unwrap_or(now);
            pace.committed(now);
            commits.push(now);
        }
        commits
    }

    #[test]
    fn a_lone_match_waits_for_none_of_its_three_commits() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        for _ in 0..5 {
            for _ in 0..3 {
                assert_eq!(pace.wait_until(now), None);
                pace.committed(now);
            }
            assert!(pace.wait_until(now).is_some());
            now += 4 * EACH;
        }
    }

    #[test]
    fn no_second_of_a_storm_holds_more_than_twenty_commits() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::default();
        let begun = Instant::now();
        let mut commits = storm(&mut pace, begun, 5 * second);
        // After a pause as many come at once as at the beginning.
        commits.extend(storm(&mut pace, begun + 7 * second, 5 * second));
        let most = commits.iter().map(|from| {
            let within = |commit: &&Instant| (*from..*from + second).contains(*commit);
            commits.iter().filter(within).count()
        });
        assert_eq!(most.max(), Some(19));
    }
}
