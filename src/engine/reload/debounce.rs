//! When a file that changes is worth reading: once it rests.

use std::time::{Duration, Instant};

use crate::config::Texts;

/// What changed has to be the same for this long. An editor's save is done within it, and so is a swap of links.
const REST: Duration = Duration::from_millis(400);
/// What looks like a file that is being written anew, for this long: it is the beginning of what is in force, or it is
/// not there.
const LONG_REST: Duration = Duration::from_secs(5);

/// What to do about a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing, yet or at all.
    Wait,
    /// Something else stands there and rests: it is to be checked.
    Load,
    /// What was refused is gone again, and what is in force stands there.
    Back,
}

/// Remembers the last looks.
#[derive(Debug, Default)]
pub(super) struct Debounce {
    /// What was seen last and since when, if it is neither in force nor refused.
    resting: Option<(Texts, Instant)>,
    /// What was found to be broken, as long as it stands there: it is told once.
    refused: Option<Texts>,
}

impl Debounce {
    /// Takes a look. Whoever `asked` for it does not want to wait.
    pub(super) fn look(&mut self, texts: &Texts, in_force: &Texts, asked: bool, now: Instant) -> Verdict {
        if asked {
            return Verdict::Load;
        }
        if texts == in_force {
            self.resting = None;
            return match self.refused.take() {
                Some(_) => Verdict::Back,
                None => Verdict::Wait,
            };
        }
        if self.refused.as_ref() == Some(texts) {
            self.resting = None;
            return Verdict::Wait;
        }
        let rest = if texts.is_beginning_of(in_force) {
            LONG_REST
        } else {
            REST
        };
        match &self.resting {
            Some((seen, since)) if seen == texts => {
                if now.saturating_duration_since(*since) < rest {
                    return Verdict::Wait;
                }
                self.resting = None;
                Verdict::Load
            }
            _ => {
                self.resting = Some((texts.clone(), now));
                Verdict::Wait
            }
        }
    }

    /// What was loaded is in force.
    pub(super) fn taken(&mut self) {
        (self.resting, self.refused) = (None, None);
    }

    /// What was loaded is broken.
    pub(super) fn refuse(&mut self, texts: Texts) {
        (self.resting, self.refused) = (None, Some(texts));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::Environment;

    const RULES: &str = "[[rules]]\nname = \"a\"\n";

    /// A file, and a clock that moves by hand.
    struct Desk {
        dir: tempfile::TempDir,
        in_force: Texts,
        debounce: Debounce,
        now: Instant,
    }

    impl Desk {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("rules.toml"), RULES).unwrap();
            let in_force = Texts::read(&dir.path().join("rules.toml"), &Environment::default());
            Self {
                dir,
                in_force,
                debounce: Debounce::default(),
                now: Instant::now(),
            }
        }

        fn write(&self, text: &str) {
            std::fs::write(self.dir.path().join("rules.toml"), text).unwrap();
        }

        fn look_after(&mut self, milliseconds: u64) -> Verdict {
            self.now += Duration::from_millis(milliseconds);
            let texts = Texts::read(&self.dir.path().join("rules.toml"), &Environment::default());
            self.debounce.look(&texts, &self.in_force, false, self.now)
        }
    }

    #[test]
    fn a_change_is_loaded_once_it_rests() {
        let mut desk = Desk::new();
        assert_eq!(desk.look_after(500), Verdict::Wait);
        desk.write("something else");
        assert_eq!(desk.look_after(500), Verdict::Wait);
        desk.write("something else still");
        assert_eq!(desk.look_after(500), Verdict::Wait, "it did not rest");
        assert_eq!(desk.look_after(500), Verdict::Load);
    }

    #[test]
    fn a_file_cut_at_any_byte_gets_the_time_to_be_written_to_its_end() {
        for cut in 0..RULES.len() {
            let mut desk = Desk::new();
            desk.write(&RULES[..cut]);
            for _ in 0..9 {
                assert_eq!(desk.look_after(500), Verdict::Wait, "cut at {cut}");
            }
            desk.write(RULES);
            assert_eq!(desk.look_after(500), Verdict::Wait);
        }
    }

    #[test]
    fn a_file_that_stays_cut_was_meant_so() {
        let mut desk = Desk::new();
        desk.write(&RULES[..9]);
        assert_eq!(desk.look_after(0), Verdict::Wait);
        assert_eq!(desk.look_after(4_900), Verdict::Wait);
        assert_eq!(desk.look_after(200), Verdict::Load);
    }

    #[test]
    fn a_file_that_is_away_for_a_moment_is_waited_for() {
        let mut desk = Desk::new();
        std::fs::remove_file(desk.dir.path().join("rules.toml")).unwrap();
        assert_eq!(desk.look_after(500), Verdict::Wait);
        assert_eq!(desk.look_after(500), Verdict::Wait);
        desk.write(RULES);
        assert_eq!(desk.look_after(500), Verdict::Wait);
        std::fs::remove_file(desk.dir.path().join("rules.toml")).unwrap();
        assert_eq!(desk.look_after(500), Verdict::Wait);
        assert_eq!(desk.look_after(5_000), Verdict::Load, "and then it is missed");
    }

    #[test]
    fn what_was_refused_is_told_once_and_its_repair_is_noticed() {
        let mut desk = Desk::new();
        desk.write("broken");
        desk.look_after(500);
        assert_eq!(desk.look_after(500), Verdict::Load);
        let broken = Texts::read(&desk.dir.path().join("rules.toml"), &Environment::default());
        desk.debounce.refuse(broken);
        assert_eq!(desk.look_after(60_000), Verdict::Wait);
        desk.write(RULES);
        assert_eq!(desk.look_after(500), Verdict::Back);
        assert_eq!(desk.look_after(500), Verdict::Wait);
    }

    #[test]
    fn whoever_asks_does_not_wait() {
        let mut desk = Desk::new();
        let texts = desk.in_force.clone();
        assert_eq!(desk.debounce.look(&texts, &texts, true, desk.now), Verdict::Load);
    }
}
