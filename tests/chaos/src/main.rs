//! `chaos pr|nightly|container [OPTIONS]` plays a campaign; `chaos check FOLDER` reads the files of a round again; `chaos report
//! FOLDER` writes what a campaign has shown so far.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use chaos::campaign::{Campaign, Course};
use chaos::checker;
use chaos::container::Shipped;
use chaos::plan::Theme;
use chaos::report;
use chaos::site::Site;
use chaos::subject::Binaries;

const USAGE: &str =
    "usage: chaos pr|nightly --tailgram FILE --botapi FILE [--failpoints FILE] [--seed N] [--rounds N]
             [--scale N] [--jobs N] [--minutes N] [--theme NAME]... [--dir DIR | --resume DIR] [--keep]
       chaos container --image NAME --base NAME --botapi FILE [--compose FILE] [--project NAME] [--seed N] [--rounds N]
             [--scale N] [--dir DIR] [--keep]
       chaos check FOLDER
       chaos report FOLDER
Every number may also come from the environment: CHAOS_SEED, CHAOS_ROUNDS, CHAOS_SCALE, CHAOS_JOBS, CHAOS_MINUTES.
CHAOS_COMMIT says what was built.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.split_first() {
        Some((command, [folder])) if command == "check" => check(Path::new(folder)),
        Some((command, [folder])) if command == "report" => tell_report(Path::new(folder)),
        Some((command, rest)) if matches!(command.as_str(), "pr" | "nightly" | "container") => {
            play(command, rest)
        }
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            tell(&format!("chaos: {why}"));
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stdout, reason = "the verdict is what this program is for")]
fn tell(text: &str) {
    println!("{text}");
}

fn check(folder: &Path) -> Result<bool, String> {
    let reading =
        checker::read(&Site::at(folder)).map_err(|error| format!("{}: {error}", folder.display()))?;
    let verdict = reading.verdict();
    for wrong in &verdict.wrong {
        tell(&format!("    {wrong}"));
    }
    tell(&format!("chaos check: {verdict}"));
    Ok(verdict.passes())
}

fn tell_report(folder: &Path) -> Result<bool, String> {
    let report = report::write(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    tell(&report);
    Ok(true)
}

fn play(name: &str, args: &[String]) -> Result<bool, String> {
    let campaign = campaign(name, args)?;
    tell(&format!(
        "chaos {name}: seed {}, at most {} rounds in {}",
        campaign.seed,
        campaign.rounds,
        campaign.folder.display()
    ));
    let verdict = campaign.play(&tell).map_err(|error| error.to_string())?;
    for skipped in &verdict.figures.skipped {
        tell(&format!("SKIP: chaos: {skipped}"));
    }
    for wrong in &verdict.wrong {
        tell(&format!("    {wrong}"));
    }
    tell(&format!("chaos {name}: seed {}, {verdict}", campaign.seed));
    Ok(verdict.passes())
}

fn number(name: &str, fallback: u64) -> Result<u64, String> {
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name} is no number: {text}")),
        Err(_) => Ok(fallback),
    }
}

/// What the command line and the environment say.
struct Options {
    seed: u64,
    rounds: u64,
    scale: u64,
    jobs: u64,
    minutes: u64,
    themes: Vec<Theme>,
    folder: PathBuf,
    resumes: bool,
    keep: bool,
    plain: Option<PathBuf>,
    failpoints: Option<PathBuf>,
    botapi: Option<PathBuf>,
    image: Option<String>,
    base: Option<String>,
    compose: PathBuf,
    project: String,
}

impl Options {
    fn read(name: &str, args: &[String]) -> Result<Self, String> {
        let (rounds, scale, jobs) = match name {
            "nightly" => (40 * Theme::ALL.len() as u64, 4, 8),
            // One engine, one project, one network.
            "container" => (1, 1, 1),
            _ => (Theme::ALL.len() as u64, 1, 6),
        };
        let mut options = Self {
            seed: number("CHAOS_SEED", fastrand::u64(..1 << 32))?,
            rounds: number("CHAOS_ROUNDS", rounds)?,
            scale: number("CHAOS_SCALE", scale)?,
            jobs: number("CHAOS_JOBS", jobs)?,
            minutes: number("CHAOS_MINUTES", u64::MAX)?,
            themes: Vec::new(),
            folder: PathBuf::from("target/chaos").join(name),
            resumes: false,
            keep: false,
            plain: None,
            failpoints: None,
            botapi: None,
            image: None,
            base: None,
            compose: PathBuf::from("compose.yaml"),
            project: format!("tailgram-chaos-{}", std::process::id()),
        };
        let mut args = args.iter();
        while let Some(flag) = args.next() {
            if flag == "--keep" {
                options.keep = true;
                continue;
            }
            let value = args
                .next()
                .ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?;
            options.set(flag, value)?;
        }
        if name == "container" {
            (options.themes, options.jobs) = (vec![Theme::Container], 1);
        }
        Ok(options)
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), String> {
        let count = || {
            value
                .parse::<u64>()
                .map_err(|_| format!("no number: {flag} {value}"))
        };
        match flag {
            "--tailgram" => self.plain = Some(absolute(value)?),
            "--failpoints" => self.failpoints = Some(absolute(value)?),
            "--botapi" => self.botapi = Some(absolute(value)?),
            "--image" => self.image = Some(value.to_owned()),
            "--base" => self.base = Some(value.to_owned()),
            "--compose" => self.compose = value.into(),
            "--project" => value.clone_into(&mut self.project),
            "--seed" => self.seed = count()?,
            "--rounds" => self.rounds = count()?,
            "--scale" => self.scale = count()?,
            "--jobs" => self.jobs = count()?,
            "--minutes" => self.minutes = count()?,
            "--theme" => self.themes.push(theme(value)?),
            "--dir" => self.folder = value.into(),
            "--resume" => (self.folder, self.resumes) = (value.into(), true),
            _ => return Err(format!("unknown: {flag}\n{USAGE}")),
        }
        Ok(())
    }

    /// What is shipped for Docker, where there is an image of it.
    fn shipped(&self) -> Result<Option<Shipped>, String> {
        let (Some(image), Some(base)) = (&self.image, &self.base) else {
            return Ok(None);
        };
        Ok(Some(Shipped {
            image: image.clone(),
            base: base.clone(),
            compose: absolute(&self.compose.to_string_lossy())?,
            project: self.project.clone(),
        }))
    }
}

fn theme(name: &str) -> Result<Theme, String> {
    Theme::named(name).ok_or_else(|| format!("no theme: {name}"))
}

fn needed(binary: Option<PathBuf>, flag: &str) -> Result<PathBuf, String> {
    binary.ok_or_else(|| format!("{flag} is needed\n{USAGE}"))
}

fn campaign(name: &str, args: &[String]) -> Result<Campaign, String> {
    let mut options = Options::read(name, args)?;
    let folder = std::path::absolute(&options.folder).map_err(|error| error.to_string())?;
    if options.resumes {
        let course = Course::of(&folder).map_err(|error| error.to_string())?;
        (options.seed, options.scale) = (course.seed, course.scale as u64);
        let themes = course.themes.iter().map(|name| theme(name));
        options.themes = themes.collect::<Result<_, _>>()?;
    } else if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let shipped = options.shipped()?;
    let plain = match (&shipped, name) {
        (None, "container") => return Err(format!("--image and --base are needed\n{USAGE}")),
        // The image has its own.
        (Some(_), "container") => PathBuf::new(),
        _ => needed(options.plain, "--tailgram")?,
    };
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(Campaign {
        name: name.to_owned(),
        seed: options.seed,
        rounds: size(options.rounds),
        aims: name == "nightly",
        within: options.minutes.checked_mul(60).map(Duration::from_secs),
        scale: size(options.scale),
        jobs: size(options.jobs),
        themes: if options.themes.is_empty() {
            Theme::ALL.to_vec()
        } else {
            options.themes
        },
        folder,
        keep: options.keep,
        commit: std::env::var("CHAOS_COMMIT").unwrap_or_else(|_| "unknown".to_owned()),
        binaries: Binaries {
            plain,
            failpoints: options.failpoints,
            botapi: needed(options.botapi, "--botapi")?,
            shipped,
        },
    })
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    std::fs::canonicalize(path).map_err(|error| format!("{path}: {error}"))
}
