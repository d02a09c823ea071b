//! A row of rounds: which, how many at once, and what is kept of them.
//!
//! What is to be played is `campaign.json`, and every finished round a line in `progress.jsonl`; a campaign that was
//! interrupted goes on behind the last one. The files of a round that passed are removed, those of one that failed stay.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::aim;
use crate::jsonl::{self, Journal};
use crate::mutation::Mutation;
use crate::plan::{Plan, Theme};
use crate::site::Site;
use crate::stage;
use crate::subject::Binaries;
use crate::tools::Tools;
use crate::verdict::Verdict;

/// Every so manieth round of a campaign with aims is played for its theme's own sake.
const TURN: usize = 6;

/// What is to be played.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its name in the verdict.
    pub name: String,
    /// Every round's seed comes from it.
    pub seed: u64,
    /// So many rounds at most.
    pub rounds: usize,
    /// Once every theme was played, those whose [`aim`]s are far off are played most; it ends when all are reached.
    pub aims: bool,
    /// No round begins later than this.
    pub within: Option<Duration>,
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
    /// The commit it was built from, as whoever built it calls it.
    pub commit: String,
}

/// What a folder says about the campaign in it: who goes on with it plays the same rounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// Every round's seed comes from it.
    pub seed: u64,
    /// How much is done in each.
    pub scale: usize,
    /// The names of the themes.
    pub themes: Vec<String>,
}

impl Course {
    /// Of the campaign in this folder.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let bytes = fs::read(folder.join("campaign.json"));
        let bytes = bytes
            .map_err(|error| io::Error::other(format!("no campaign in {}: {error}", folder.display())))?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

/// A line of `progress.jsonl`: a round that was played.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Played {
    /// Its number.
    pub round: usize,
    /// Its theme.
    pub theme: String,
    /// Its own seed.
    pub seed: u64,
    /// The commit it was played with.
    pub commit: String,
    /// What came of it.
    pub verdict: Verdict,
}

/// Every round that a folder tells of.
pub fn played(folder: &Path) -> io::Result<Vec<Played>> {
    jsonl::read(&folder.join("progress.jsonl"))
}

/// All of them together.
pub fn sum(played: &[Played]) -> Verdict {
    let mut sum = Verdict::default();
    for played in played {
        let name = format!("round {} ({}, seed {})", played.round, played.theme, played.seed);
        sum.add(&name, &played.verdict);
    }
    sum
}

impl Campaign {
    fn course(&self) -> Course {
        Course {
            seed: self.seed,
            scale: self.scale,
            themes: self.themes.iter().map(|theme| theme.name().to_owned()).collect(),
        }
    }

    /// Writes down what is played, or sees that it is what the folder has begun.
    fn enter(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join("campaign.json");
        if !path.exists() {
            return fs::write(path, serde_json::to_vec(&self.course())?);
        }
        let begun = Course::of(&self.folder)?;
        if begun == self.course() {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "{} holds another campaign, {begun:?}; name another folder, or go on with it by --resume",
            self.folder.display()
        )))
    }

    /// Plays what was not played yet, tells each verdict, and sums up all of them.
    pub fn play(&self, tell: &(impl Fn(&str) + Sync)) -> io::Result<Verdict> {
        self.enter()?;
        let tools = Tools::find(self.binaries.failpoints.is_some());
        let path = self.folder.join("progress.jsonl");
        let before = played(&self.folder)?;
        self.sweep(&before)?;
        let begun = Instant::now();
        let played = Mutex::new(before);
        let (progress, next) = (Journal::open(&path)?, AtomicUsize::new(0));
        let failure = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    loop {
                        let round = next.fetch_add(1, Ordering::SeqCst);
                        let is_late = self.within.is_some_and(|within| begun.elapsed() > within);
                        if round >= self.rounds || is_late || lock(&failure).is_some() {
                            return;
                        }
                        if lock(&played).iter().any(|played| played.round == round) {
                            continue;
                        }
                        let Some(theme) = self.theme(round, &lock(&played)) else {
                            return;
                        };
                        match self
                            .round(round, theme, tools, tell)
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
        Ok(sum(&lock(&played)))
    }

    /// What is played next; none when every aim is reached.
    fn theme(&self, round: usize, played: &[Played]) -> Option<Theme> {
        let count = self.themes.len();
        if !self.aims || round < count {
            return Some(self.themes[round % count]);
        }
        let figures = sum(played).figures;
        if aim::all_reached(&figures) {
            return None;
        }
        // A theme without an aim has its turn, too.
        if round.is_multiple_of(TURN) {
            return Some(self.themes[round / TURN % count]);
        }
        aim::next(&self.themes, &figures, &mut self.random(round))
    }

    fn random(&self, round: usize) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed ^ ((round as u64) << 32))
    }

    /// Removes what rounds left that were interrupted; another theme may have their numbers now.
    fn sweep(&self, played: &[Played]) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name
                .to_string_lossy()
                .split('-')
                .next()
                .and_then(|n| n.parse().ok());
            let is_open =
                number.is_some_and(|number: usize| played.iter().all(|played| played.round != number));
            if is_open && entry.file_type()?.is_dir() {
                stage::clear(&entry.path())?;
            }
        }
        Ok(())
    }

    fn round(&self, round: usize, theme: Theme, tools: Tools, tell: &impl Fn(&str)) -> io::Result<Played> {
        let seed = self.random(round).u64(..1 << 32);
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
            round,
            theme: theme.name().to_owned(),
            seed,
            commit: self.commit.clone(),
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
