//! Writers and rotators that never look at the reader.
//!
//! Two writers on a log that is renamed: each keeps the descriptor it has for a while after the rotation, as daemons do,
//! and what it writes meanwhile is late. One writer on a log that is copied and cut. One on a log that nobody
//! touches, which also takes bursts and canaries.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use crate::jsonl::Journal;
use crate::line::{Id, Line, Rule, Word};
use crate::truth::{CUT, Truth};

/// The longest pause of a writer that has written what it may.
const TRICKLE: Duration = Duration::from_millis(2_500);

/// How fast it goes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The longest pause of a writer between two bursts.
    pub pause: Duration,
    /// Most lines of a burst.
    pub burst: u64,
    /// How often logs are rotated; absent: never.
    pub rotate: Option<Duration>,
    /// Whether one of them is copied and cut.
    pub cuts: bool,
    /// Whether [`Rule::Chorus`] has lines, too.
    pub chorus: bool,
}

/// What all writers share.
#[derive(Debug)]
struct Stage {
    logs: PathBuf,
    truth: Journal<Truth>,
    pace: Pace,
    series: AtomicU32,
    /// Counts the rotations; a writer that knows an older number has an old descriptor.
    generation: AtomicU32,
    /// Held while the cut log is written to or copied: a copy that tears a line would be the rig's own doing.
    whole: Mutex<()>,
    /// How many lines may be written before writers only trickle; see [`Generator::grant`].
    credit: AtomicI64,
    rotating: AtomicBool,
    over: AtomicBool,
}

/// A writer's voice: the lines of one series.
#[derive(Debug)]
struct Voice {
    series: u32,
    number: u64,
    units: [u64; Rule::ALL.len()],
    chorus: bool,
    random: fastrand::Rng,
}

impl Voice {
    fn line(&mut self, word: Word, unit: u64) -> Line {
        let id = Id {
            series: self.series,
            number: self.number,
        };
        self.number += 1;
        let kind = match word {
            Word::Rule(rule) => &rule.name()[..1],
            Word::Mended => "m",
            Word::Noise => "n",
        };
        Line {
            word,
            unit: format!("s{}{kind}{unit}", self.series),
            id,
            leaks: word == Word::Rule(Rule::Storm) && self.random.u8(..4) == 0,
        }
    }

    /// A line of some rule. Units come and go; a unit that was mended is never spoken of again.
    fn any(&mut self) -> Line {
        let rule = match self.random.u8(..100) {
            0..45 => Rule::Every,
            45..75 => Rule::Storm,
            75..82 => Rule::Mend,
            82..88 => Rule::Brief,
            88..93 => Rule::Few,
            93..96 if self.chorus => return self.line(Word::Rule(Rule::Chorus), 0),
            _ => return self.line(Word::Noise, 0),
        };
        let at = rule as usize;
        let ends = match rule {
            Rule::Storm => self.random.u8(..60) == 0,
            Rule::Few => self.random.u8(..3) == 0,
            _ => self.random.u8(..12) == 0,
        };
        let unit = self.units[at];
        if !ends {
            return self.line(Word::Rule(rule), unit);
        }
        self.units[at] += 1;
        if rule == Rule::Mend {
            self.line(Word::Mended, unit)
        } else {
            self.line(Word::Rule(rule), unit + 1)
        }
    }
}

impl Stage {
    fn open(&self, name: &str) -> io::Result<File> {
        File::options()
            .create(true)
            .append(true)
            .open(self.logs.join(name))
    }

    fn voice(&self, random: fastrand::Rng) -> Voice {
        Voice {
            series: self.series.fetch_add(1, Ordering::SeqCst),
            number: 0,
            units: [0; Rule::ALL.len()],
            chorus: self.pace.chorus,
            random,
        }
    }

    /// First the truth, then the lines, in two pieces that part at `cut`: a file with one writer may have half a line
    /// for a moment, one with two would have lines within lines.
    fn write(&self, name: &str, mut file: &File, lines: Vec<Line>, cut: usize) -> io::Result<()> {
        let count = i64::try_from(lines.len()).unwrap_or(i64::MAX);
        self.credit.fetch_sub(count, Ordering::SeqCst);
        let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let text = text.join("\n") + "\n";
        self.truth.append(&Truth::Wrote {
            file: name.to_owned(),
            lines,
        })?;
        let (head, tail) = text.as_bytes().split_at(cut % (text.len() + 1));
        file.write_all(head)?;
        file.write_all(tail)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn pause(&self, random: &mut fastrand::Rng) {
        let longest = if self.credit.load(Ordering::SeqCst) > 0 {
            self.pace.pause
        } else {
            self.pace.pause.max(TRICKLE)
        };
        sleep(longest.mul_f64(random.f64()));
    }

    /// Writes to a log that is renamed now and then.
    fn follow_the_name(&self, name: &str, mut random: fastrand::Rng) -> io::Result<()> {
        while !self.is_over() {
            // In this order: a file opened after the number was read is at least as young.
            let generation = self.generation.load(Ordering::SeqCst);
            let (file, mut voice) = (self.open(name)?, self.voice(random.fork()));
            let mut linger = None;
            while !self.is_over() {
                let lines = (0..random.u64(1..=self.pace.burst))
                    .map(|_| voice.any())
                    .collect();
                self.write(name, &file, lines, 0)?;
                if self.generation.load(Ordering::SeqCst) != generation {
                    let longest = if random.u8(..4) == 0 { 2000 } else { 200 };
                    let until = *linger.get_or_insert_with(|| {
                        Instant::now() + Duration::from_millis(random.u64(20..longest))
                    });
                    if until < Instant::now() {
                        break;
                    }
                }
                self.pause(&mut random);
            }
        }
        Ok(())
    }

    /// Writes to the log that is cut.
    fn feed_the_cut(&self, mut random: fastrand::Rng) -> io::Result<()> {
        let (file, mut voice) = (self.open(CUT)?, self.voice(random.fork()));
        while !self.is_over() {
            let burst = random.u64(1..=self.pace.burst);
            let lines = (0..burst)
                .map(|_| voice.line(Word::Rule(Rule::Every), 0))
                .collect();
            {
                let _whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
                self.write(CUT, &file, lines, random.usize(..))?;
            }
            self.pause(&mut random);
        }
        Ok(())
    }

    /// Renames one log and cuts the other, again and again.
    fn rotate(&self, every: Duration, mut random: fastrand::Rng) -> io::Result<()> {
        let mut count = 0;
        while !self.is_over() && self.rotating.load(Ordering::SeqCst) {
            sleep(every.mul_f64(random.f64()));
            count += 1;
            self.rename(RENAMED, count, random.bool())?;
            if random.bool() {
                // A while without the log; a writer may end it sooner.
                sleep(Duration::from_millis(random.u64(..150)));
            }
            self.open(RENAMED)?;
            self.generation.fetch_add(1, Ordering::SeqCst);
            sleep(every.mul_f64(random.f64()));
            if !self.pace.cuts {
                continue;
            }
            self.cut(count, Duration::from_millis(random.u64(..40)))?;
        }
        Ok(())
    }

    fn rename(&self, name: &str, count: u32, shift: bool) -> io::Result<()> {
        let old = |number: u32| self.logs.join(format!("{name}.{number}"));
        // The newest of the old ones is number 1, or each keeps its number for good.
        let newest = if shift && count > 1 && old(1).exists() {
            0
        } else {
            count
        };
        if newest == 0 {
            for number in (1..count).rev().filter(|number| old(*number).exists()) {
                fs::rename(old(number), old(number + 1))?;
            }
        }
        fs::rename(self.logs.join(name), old(newest.max(1)))?;
        self.truth.append(&Truth::Renamed {
            file: name.to_owned(),
        })
    }

    fn cut(&self, count: u32, between: Duration) -> io::Result<()> {
        let file = self.open(CUT)?;
        {
            let _whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
            fs::copy(self.logs.join(CUT), self.logs.join(format!("{CUT}.{count}")))?;
        }
        // What is written now is destroyed.
        sleep(between);
        let whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        file.set_len(0)?;
        drop(whole);
        self.truth.append(&Truth::Cut { file: CUT.to_owned() })
    }
}

/// All writers.
#[derive(Debug)]
pub struct Generator {
    stage: Arc<Stage>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    quiet: File,
    voice: Voice,
}

/// The log that is renamed.
const RENAMED: &str = "app.log";
/// The log that nobody touches.
const PLAIN: &str = "plain.log";

impl Generator {
    /// Starts writing into a folder. Nothing is rotated before [`Generator::rotate`]: a file that was renamed
    /// before its log was ever looked at is nobody's.
    pub fn start(
        logs: &Path,
        truth: Journal<Truth>,
        pace: Pace,
        random: &mut fastrand::Rng,
    ) -> io::Result<Self> {
        let stage = Arc::new(Stage {
            logs: logs.to_owned(),
            truth,
            pace,
            series: AtomicU32::new(1),
            generation: AtomicU32::new(0),
            whole: Mutex::new(()),
            credit: AtomicI64::new(0),
            rotating: AtomicBool::new(true),
            over: AtomicBool::new(false),
        });
        let mut generator = Self {
            quiet: stage.open(PLAIN)?,
            voice: stage.voice(random.fork()),
            stage,
            threads: Vec::new(),
        };
        for _ in 0..2 {
            let dice = random.fork();
            generator.spawn(move |stage| stage.follow_the_name(RENAMED, dice));
        }
        let dice = random.fork();
        generator.spawn(move |stage| stage.feed_the_cut(dice));
        Ok(generator)
    }

    fn spawn(&mut self, work: impl FnOnce(&Stage) -> io::Result<()> + Send + 'static) {
        let stage = Arc::clone(&self.stage);
        self.threads.push(spawn(move || work(&stage)));
    }

    /// From now on logs are rotated.
    pub fn rotate(&mut self, random: &mut fastrand::Rng) {
        if let Some(every) = self.stage.pace.rotate {
            let dice = random.fork();
            self.spawn(move |stage| stage.rotate(every, dice));
        }
    }

    /// Somebody else rotates the log that is renamed, now.
    pub fn rotate_by(&self, rotate: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        rotate()?;
        self.stage.truth.append(&Truth::Renamed {
            file: RENAMED.to_owned(),
        })?;
        self.stage.generation.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Lets the writers write so many lines more at their pace. A round's lines are so many per fault, not per second: on a
    /// machine that does everything slowly nothing but its writers would be fast.
    pub fn grant(&self, lines: i64) {
        self.stage.credit.store(lines, Ordering::SeqCst);
    }

    /// Many lines about one unit at once, into the log that nobody touches.
    pub fn burst(&mut self, lines: u64) -> io::Result<()> {
        self.voice.units[Rule::Storm as usize] += 1;
        let unit = self.voice.units[Rule::Storm as usize];
        for _ in 0..lines.div_ceil(500) {
            let line = |_| self.voice.line(Word::Rule(Rule::Storm), unit);
            let lines = (0..500).map(line).collect();
            self.stage.write(PLAIN, &self.quiet, lines, 7)?;
        }
        Ok(())
    }

    /// One line that proves that the road is open, and one of each rule whose next message sums up what ended untold.
    pub fn canary(&mut self) -> io::Result<()> {
        let lines = [Rule::Canary, Rule::Mend, Rule::Brief, Rule::Few].map(|rule| {
            self.voice.units[rule as usize] += 1;
            let unit = self.voice.units[rule as usize];
            self.voice.line(Word::Rule(rule), unit)
        });
        self.stage.write(PLAIN, &self.quiet, lines.to_vec(), 0)
    }

    /// Waits for the end of all writers.
    pub fn stop(&mut self) -> io::Result<()> {
        self.stage.over.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread
                .join()
                .map_err(|_| io::Error::other("a writer panicked"))??;
        }
        Ok(())
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // An error was told by `stop`, or the round failed before.
        drop(self.stop());
    }
}
