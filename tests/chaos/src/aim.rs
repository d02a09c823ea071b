//! What a night is to show: how often each kind of fault is to strike, and which theme serves what is farthest off.

use crate::plan::{POINTS, Theme};
use crate::verdict::Figures;

/// So often the program is to end at each crash point.
pub const EACH_POINT: u64 = 50;

/// One aim.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    /// What is counted.
    pub what: &'static str,
    /// What is played for it.
    pub theme: Theme,
    /// How much of it is wanted.
    pub wanted: u64,
    done: fn(&Figures) -> u64,
}

fn class(figures: &Figures, class: &str) -> u64 {
    figures.faults.get(class).copied().unwrap_or_default()
}

/// How often it ended at the crash point where it did so least.
pub fn fewest_ends(figures: &Figures) -> u64 {
    let ends = |(point, _): &(&str, u64)| figures.points.get(*point).copied().unwrap_or_default();
    POINTS.iter().map(ends).min().unwrap_or_default()
}

/// All of them.
pub const AIMS: [Aim; 6] = [
    Aim {
        what: "kill -9",
        theme: Theme::Kill,
        wanted: 1_000,
        done: |figures| class(figures, "K1") + class(figures, "K2"),
    },
    Aim {
        what: "crash points",
        theme: Theme::Crash,
        wanted: EACH_POINT,
        done: fewest_ends,
    },
    Aim {
        what: "network cuts",
        theme: Theme::Network,
        wanted: 1_000,
        done: |figures| class(figures, "N1"),
    },
    Aim {
        what: "API faults",
        theme: Theme::Answers,
        wanted: 20_000,
        done: |figures| figures.answers,
    },
    Aim {
        what: "disk-full cycles",
        theme: Theme::Disk,
        wanted: 200,
        done: |figures| class(figures, "V1"),
    },
    Aim {
        what: "SIGTERM",
        theme: Theme::Terminate,
        wanted: 300,
        done: |figures| class(figures, "K6"),
    },
];

impl Aim {
    /// How much of it was done.
    pub fn done(&self, figures: &Figures) -> u64 {
        (self.done)(figures)
    }

    /// The part of it that is missing, in thousandths.
    fn missing(&self, figures: &Figures) -> u64 {
        let left = self.wanted.saturating_sub(self.done(figures));
        (left * 1_000).div_ceil(self.wanted)
    }
}

/// Whether every aim is reached.
pub fn all_reached(figures: &Figures) -> bool {
    AIMS.iter().all(|aim| aim.missing(figures) == 0)
}

/// A theme for the next round: the more of its aim is missing, the likelier; of any that may be played where nothing
/// is missing. Drawn, not chosen, for rounds that are played at once know nothing of each other.
pub fn next(themes: &[Theme], figures: &Figures, random: &mut fastrand::Rng) -> Option<Theme> {
    let missing: Vec<(Theme, u64)> = AIMS
        .iter()
        .filter(|aim| themes.contains(&aim.theme))
        .map(|aim| (aim.theme, aim.missing(figures)))
        .collect();
    let all: u64 = missing.iter().map(|(_, missing)| missing).sum();
    if all == 0 {
        return random.choice(themes).copied();
    }
    let mut at = random.u64(..all);
    let drawn = missing.into_iter().find(|(_, missing)| {
        let is_it = at < *missing;
        at = at.saturating_sub(*missing);
        is_it
    });
    drawn.map(|(theme, _)| theme)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn reached() -> Figures {
        let faults = [("K1", 900), ("K2", 100), ("N1", 1_000), ("V1", 200), ("K6", 300)];
        Figures {
            faults: faults.map(|(class, count)| (class.to_owned(), count)).into(),
            points: POINTS
                .iter()
                .map(|(point, _)| ((*point).to_owned(), EACH_POINT))
                .collect(),
            answers: 20_000,
            ..Figures::default()
        }
    }

    #[test]
    fn what_is_missing_alone_is_played_and_then_anything() {
        let mut figures = reached();
        assert!(all_reached(&figures));
        let mut random = fastrand::Rng::with_seed(7);
        let mut drawn = BTreeMap::new();
        for _ in 0..500 {
            let theme = next(&Theme::ALL, &figures, &mut random).map(Theme::name);
            *drawn.entry(theme).or_insert(0) += 1;
        }
        assert_eq!(drawn.len(), Theme::ALL.len());
        figures.points.insert(POINTS[3].0.to_owned(), EACH_POINT - 1);
        assert!(!all_reached(&figures));
        for _ in 0..100 {
            assert_eq!(next(&Theme::ALL, &figures, &mut random), Some(Theme::Crash));
        }
    }

    #[test]
    fn themes_that_were_not_asked_for_are_not_played() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..100 {
            let theme = next(&[Theme::Disk, Theme::Load], &Figures::default(), &mut random);
            assert_eq!(theme, Some(Theme::Disk));
        }
    }
}
