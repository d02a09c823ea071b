//! A row of rounds: which, how many at once, and what is kept of them.
//!
//! Every finished round is a line in `progress.jsonl`; a campaign that was interrupted goes on behind the last one. The
//! files of a round that passed are removed, those of one that failed stay.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::jsonl::{self, Journal};
use crate::mutation::Mutation;
use crate::plan::{Plan, Theme};
use crate::site::Site;
use crate::stage;
use crate::subject::Binaries;
use crate::tools::Tools;
use crate::verdict::Verdict;

/// What is to be played.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its name in the verdict.
    pub name: String,
    /// Every round's seed comes from it.
    pub seed: u64,
    /// So many rounds.
    pub rounds: usize,
    /// How much is done in each.
    pub scale: usize,
    /// So many at once.
    pub jobs: usize,
    /// Only these themes.
    pub themes: Vec<Theme>,
    /// Where it happens.
    pub folder: PathBuf,
    /// Files of rounds that passed stay, too.
    pub keep: bool,
    /// What is run.
    pub binaries: Binaries,
}

/// A line of `progress.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Played {
    campaign: u64,
    round: usize,
    theme: String,
    seed: u64,
    verdict: Verdict,
}

impl Campaign {
    /// The seed of the campaign whose progress a folder holds.
    pub fn seed_of(folder: &Path) -> io::Result<u64> {
        let played: Vec<Played> = jsonl::read(&folder.join("progress.jsonl"))?;
        let first = played.first();
        let none = || io::Error::other(format!("{} holds no progress", folder.display()));
        first.map(|played| played.campaign).ok_or_else(none)
    }

    /// Plays what was not played yet, tells each verdict, and sums up all of them.
    pub fn play(&self, tell: &(impl Fn(&str) + Sync)) -> io::Result<Verdict> {
        fs::create_dir_all(&self.folder)?;
        let tools = Tools::find();
        let path = self.folder.join("progress.jsonl");
        let before: Vec<Played> = jsonl::read(&path)?;
        if let Some(other) = before.iter().find(|played| played.campaign != self.seed) {
            return Err(io::Error::other(format!(
                "{} holds a campaign of seed {}; name another folder, or --seed {}",
                self.folder.display(),
                other.campaign,
                other.campaign
            )));
        }
        let played = Mutex::new(before);
        let (progress, next) = (Journal::open(&path)?, AtomicUsize::new(0));
        let failure = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    loop {
                        let round = next.fetch_add(1, Ordering::SeqCst);
                        if round >= self.rounds || lock(&failure).is_some() {
                            return;
                        }
                        if lock(&played).iter().any(|played| played.round == round) {
                            continue;
                        }
                        match self
                            .round(round, tools, tell)
                            .and_then(|new| progress.append(&new).map(|()| new))
                        {
                            Ok(new) => lock(&played).push(new),
                            Err(error) => *lock(&failure) = Some(error),
                        }
                    }
                });
            }
        });
        if let Some(error) = lock(&failure).take() {
            return Err(error);
        }
        let mut sum = Verdict::default();
        for played in lock(&played).iter() {
            let name = format!("round {} ({}, seed {})", played.round, played.theme, played.seed);
            sum.add(&name, &played.verdict);
        }
        Ok(sum)
    }

    fn round(&self, round: usize, tools: Tools, tell: &impl Fn(&str)) -> io::Result<Played> {
        let theme = self.themes[round % self.themes.len()];
        let seed = fastrand::Rng::with_seed(self.seed ^ ((round as u64) << 32)).u64(..1 << 32);
        let folder = self.folder.join(format!("{round:05}-{}", theme.name()));
        let plan = Plan::draw(theme, seed, self.scale);
        let verdict = stage::play(&plan, &folder, &self.binaries, tools).map_err(|error| {
            io::Error::other(format!("round {round} ({}, seed {seed}): {error}", theme.name()))
        })?;
        tell(&format!(
            "round {round} ({}): seed {seed}, {verdict}",
            theme.name()
        ));
        for wrong in &verdict.wrong {
            tell(&format!("    {wrong}"));
        }
        let mut verdict = verdict;
        if verdict.passes() {
            // Every theme proves once that its verdict could have been another one.
            if round < self.themes.len() && theme != Theme::Damage {
                spoil(&Site::at(&folder), &mut verdict, tell)?;
            }
            if !self.keep && verdict.passes() {
                fs::remove_dir_all(&folder)?;
            }
        } else {
            tell(&format!("    its files are in {}", folder.display()));
        }
        Ok(Played {
            campaign: self.seed,
            round,
            theme: theme.name().to_owned(),
            seed,
            verdict,
        })
    }
}

/// Spoils copies of a run that passed; none of them may pass.
fn spoil(site: &Site, verdict: &mut Verdict, tell: &impl Fn(&str)) -> io::Result<()> {
    for mutation in Mutation::ALL {
        if !mutation.is_noticed(site, &site.folder.with_extension("spoiled"))? {
            let wrong = format!("the checker is blind: {mutation:?} changed its files, and it says PASS");
            tell(&format!("    {wrong}"));
            verdict.wrong.push(wrong);
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
