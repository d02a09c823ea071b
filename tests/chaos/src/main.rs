//! `chaos pr|nightly [OPTIONS]` plays a campaign; `chaos check FOLDER` reads the files of a round again; `chaos report
//! FOLDER` writes what a campaign has shown so far.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use chaos::campaign::{Campaign, Course};
use chaos::checker;
use chaos::plan::Theme;
use chaos::report;
use chaos::site::Site;
use chaos::subject::Binaries;

const USAGE: &str =
    "usage: chaos pr|nightly --tailgram FILE --botapi FILE [--failpoints FILE] [--seed N] [--rounds N]
             [--scale N] [--jobs N] [--minutes N] [--theme NAME]... [--dir DIR | --resume DIR] [--keep]
       chaos check FOLDER
       chaos report FOLDER
Every number may also come from the environment: CHAOS_SEED, CHAOS_ROUNDS, CHAOS_SCALE, CHAOS_JOBS, CHAOS_MINUTES.
CHAOS_COMMIT says what was built.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.split_first() {
        Some((command, [folder])) if command == "check" => check(Path::new(folder)),
        Some((command, [folder])) if command == "report" => tell_report(Path::new(folder)),
        Some((command, rest)) if command == "pr" || command == "nightly" => play(command, rest),
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

fn campaign(name: &str, args: &[String]) -> Result<Campaign, String> {
    let nightly = name == "nightly";
    let themes = Theme::ALL.len() as u64;
    let mut seed = number("CHAOS_SEED", fastrand::u64(..1 << 32))?;
    let mut rounds = number("CHAOS_ROUNDS", if nightly { 40 * themes } else { themes })?;
    let mut scale = number("CHAOS_SCALE", if nightly { 4 } else { 1 })?;
    let mut jobs = number("CHAOS_JOBS", if nightly { 8 } else { 6 })?;
    let mut minutes = number("CHAOS_MINUTES", u64::MAX)?;
    let (mut only, mut folder, mut keep) = (Vec::new(), PathBuf::from("target/chaos").join(name), false);
    let (mut plain, mut failpoints, mut botapi) = (None, None, None);
    let mut resumes = false;
    let mut args = args.iter();
    while let Some(flag) = args.next() {
        if flag == "--keep" {
            keep = true;
            continue;
        }
        let value = args
            .next()
            .ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?;
        let count = || {
            value
                .parse::<u64>()
                .map_err(|_| format!("no number: {flag} {value}"))
        };
        match flag.as_str() {
            "--tailgram" => plain = Some(absolute(value)?),
            "--failpoints" => failpoints = Some(absolute(value)?),
            "--botapi" => botapi = Some(absolute(value)?),
            "--seed" => seed = count()?,
            "--rounds" => rounds = count()?,
            "--scale" => scale = count()?,
            "--jobs" => jobs = count()?,
            "--minutes" => minutes = count()?,
            "--theme" => only.push(Theme::named(value).ok_or_else(|| format!("no theme: {value}"))?),
            "--dir" => folder = value.into(),
            "--resume" => (folder, resumes) = (value.into(), true),
            _ => return Err(format!("unknown: {flag}\n{USAGE}")),
        }
    }
    let folder = std::path::absolute(folder).map_err(|error| error.to_string())?;
    if resumes {
        let course = Course::of(&folder).map_err(|error| error.to_string())?;
        (seed, scale) = (course.seed, course.scale as u64);
        let named = |name: &String| Theme::named(name).ok_or_else(|| format!("no theme: {name}"));
        only = course.themes.iter().map(named).collect::<Result<_, _>>()?;
    } else if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(Campaign {
        name: name.to_owned(),
        seed,
        rounds: size(rounds),
        aims: nightly,
        within: minutes.checked_mul(60).map(Duration::from_secs),
        scale: size(scale),
        jobs: size(jobs),
        themes: if only.is_empty() {
            Theme::ALL.to_vec()
        } else {
            only
        },
        folder,
        keep,
        commit: std::env::var("CHAOS_COMMIT").unwrap_or_else(|_| "unknown".to_owned()),
        binaries: Binaries {
            plain: plain.ok_or_else(|| format!("--tailgram is needed\n{USAGE}"))?,
            failpoints,
            botapi: botapi.ok_or_else(|| format!("--botapi is needed\n{USAGE}"))?,
        },
    })
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    std::fs::canonicalize(path).map_err(|error| format!("{path}: {error}"))
}
