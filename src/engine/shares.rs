//! Rules that match most of a log: more likely a pattern that is too wide than that much trouble.
//!
//! Matches are counted; lines are estimated from the first few KiB of each chunk, since counting all of them would cost
//! every log for the sake of a few.

use std::collections::BTreeSet;

use crate::model::{LogName, Notice, RuleName};

use super::tally::Lens;

/// So much of a chunk is looked at for newlines.
const SAMPLE: usize = 4 * 1024;
/// Nothing is said of fewer lines.
const ENOUGH: u64 = 10_000;
/// Older lines weigh less: beyond so many, all counts are halved.
const MANY: u64 = 1_000_000;
/// From this share on it is told.
const PERCENT: u64 = 50;

/// What the rules match of each log, in the order of the [`Lens`].
#[derive(Debug, Default)]
pub(super) struct Shares {
    logs: Vec<Share>,
    /// Told once, until rules.toml changes.
    told: BTreeSet<(usize, usize)>,
}

#[derive(Debug, Default)]
struct Share {
    /// About so many.
    lines: u64,
    /// Matched events of each of its rules.
    matched: Vec<u64>,
}

impl Shares {
    pub(super) fn new(lens: &Lens) -> Self {
        let logs = lens.rules_per_log().map(|rules| Share {
            lines: 0,
            matched: vec![0; rules],
        });
        Self {
            logs: logs.collect(),
            told: BTreeSet::new(),
        }
    }

    /// A chunk was read for this log.
    pub(super) fn read(&mut self, log: usize, bytes: &[u8]) {
        if let Some(share) = self.logs.get_mut(log) {
            share.lines += lines(bytes);
        }
    }

    /// A rule matched an event of this log.
    pub(super) fn matched(&mut self, log: usize, rule: usize) {
        if let Some(matched) = self.logs.get_mut(log).and_then(|log| log.matched.get_mut(rule)) {
            *matched += 1;
        }
    }

    /// The rules that match most of a log, each once. `names` says whose they are; rules that are meant to find everything
    /// have no name there.
    pub(super) fn news<'l>(
        &mut self,
        names: impl Fn(usize, usize) -> Option<(&'l str, &'l RuleName)>,
    ) -> Vec<Notice> {
        let mut news = Vec::new();
        for (log, share) in self.logs.iter_mut().enumerate() {
            if share.lines < ENOUGH {
                continue;
            }
            for (rule, matched) in share.matched.iter().enumerate() {
                let percent = matched.saturating_mul(100) / share.lines;
                if percent >= PERCENT
                    && let Some((log_name, rule_name)) = names(log, rule)
                    && self.told.insert((log, rule))
                {
                    news.push(Notice::Greedy {
                        rule: rule_name.clone(),
                        log: LogName::new(log_name),
                        percent: percent.min(100),
                    });
                }
            }
            if share.lines > MANY {
                share.lines /= 2;
                share.matched.iter_mut().for_each(|matched| *matched /= 2);
            }
        }
        news
    }
}

/// About how many lines there are.
fn lines(bytes: &[u8]) -> u64 {
    let sample = bytes.get(..SAMPLE).unwrap_or(bytes);
    let newlines = memchr::memchr_iter(b'\n', sample).count().max(1);
    (newlines as u64 * bytes.len() as u64) / (sample.len().max(1) as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn shares(rules: usize) -> Shares {
        Shares {
            logs: vec![Share {
                lines: 0,
                matched: vec![0; rules],
            }],
            told: BTreeSet::new(),
        }
    }

    fn greedy(shares: &mut Shares, name: &RuleName) -> Vec<u64> {
        let news = shares.news(|_, rule| (rule == 0).then_some(("app", name)));
        let percent = |notice: &Notice| match notice {
            Notice::Greedy { rule, log, percent } => {
                assert!(rule == name && log.as_str() == "app");
                *percent
            }
            other => panic!("{other:?}"),
        };
        news.iter().map(percent).collect()
    }

    #[test]
    fn a_rule_that_matches_most_of_many_lines_is_told_once_and_one_that_may_is_not() {
        let name = RuleName::new("wide");
        let mut shares = shares(2);
        let line = b"2026-11-20 some line of a log\n".repeat(100);
        let mut told = Vec::new();
        for _ in 0..300 {
            shares.read(0, &line);
            (0..60).for_each(|_| shares.matched(0, 0));
            (0..100).for_each(|_| shares.matched(0, 1));
            told.extend(greedy(&mut shares, &name));
        }
        assert_eq!(told, [60]);
    }

    #[test]
    fn few_lines_and_small_shares_are_nobodys_news() {
        let name = RuleName::new("wide");
        let mut shares = shares(1);
        let line = b"x\n".repeat(50);
        for round in 0..2_000 {
            shares.read(0, &line);
            let matched = if round < 150 { 50 } else { 5 };
            (0..matched).for_each(|_| shares.matched(0, 0));
            let told = greedy(&mut shares, &name);
            // The storm at the beginning was of 7,500 lines.
            assert!(told.is_empty() || round < 300, "{round}: {told:?}");
        }
    }

    #[test]
    fn lines_are_estimated_from_the_beginning_of_a_chunk() {
        let long = b"a line of twenty by\n".repeat(10_000);
        assert!((9_900..=10_100).contains(&lines(&long)), "{}", lines(&long));
        assert_eq!(lines(b"one\ntwo\nthree\n"), 3);
        assert_eq!((lines(b"no end"), lines(b"")), (1, 0));
    }
}
