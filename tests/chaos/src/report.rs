//! What a campaign has shown so far, as a section of docs/evidence.md: every figure beside what is aimed at.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::aim::{AIMS, Aim, EACH_POINT};
use crate::campaign::{self, Course, Played};
use crate::plan::POINTS;
use crate::verdict::Figures;

/// So many things that were wrong in a round are named.
const WRONG_PER_ROUND: usize = 3;
/// So much is said of each.
const WRONG_CHARS: usize = 200;

/// The section, from the files of a campaign. Fails where there is none, or nothing of it was played.
pub fn write(folder: &Path) -> io::Result<String> {
    let (course, played) = (Course::of(folder)?, campaign::played(folder)?);
    if played.is_empty() {
        return Err(io::Error::other("no round was played to its end"));
    }
    Ok(section(&course, &played))
}

fn section(course: &Course, played: &[Played]) -> String {
    let verdict = campaign::sum(played);
    let figures = &verdict.figures;
    let mut text =
        "## Chaos\n\nWritten by `scripts/chaos`; docs/chaos.md says what is done in a round, and what each \
                    figure counts.\n\n"
            .to_owned();
    // Writing to a String cannot fail, here and below.
    let _ = write!(
        text,
        "- commit: {}\n- seed: {}, scale {}\n- rounds: {}, of them passed {}; {}\n\n",
        commits(played),
        course.seed,
        course.scale,
        played.len(),
        played.iter().filter(|played| played.verdict.passes()).count(),
        themes(played),
    );
    text.push_str("| what | done | aimed at |\n| --- | --- | --- |\n");
    for aim in &AIMS {
        text.push_str(&row(aim, figures));
    }
    text.push_str("\n| what must be 0 | found |\n| --- | --- |\n");
    for (what, found) in [
        ("lost lines", figures.lost),
        ("invented lines", figures.invented),
        ("wrong totals", figures.wrong_totals),
        ("torn lines", figures.torn),
        ("lines out of order", figures.disordered),
        ("unlabelled repeats", figures.unlabelled),
        ("ledger errors", figures.ledger_errors),
        ("requests over a limit", figures.floods),
        ("token sightings", figures.sightings),
        ("samples over a bound", figures.over_bounds),
        ("things nobody was told", figures.untold),
        ("panics", figures.panics),
        ("bad ends", figures.bad_ends),
        ("crash points not reached", figures.points_missed),
    ] {
        let _ = writeln!(text, "| {what} | {found} |");
    }
    text.push_str(&points(figures));
    let _ = write!(text, "\n```text\n{figures}\n```\n");
    text.push_str(&failures(played));
    text.trim_end().to_owned()
}

/// What was done, how often, and how often it is to be done in a night.
fn row(aim: &Aim, figures: &Figures) -> String {
    let (what, done) = (aim.what, aim.done(figures));
    if aim.wanted != EACH_POINT {
        return format!("| {what} | {} | {} |\n", grouped(done), grouped(aim.wanted));
    }
    let (points, ends) = (POINTS.len(), figures.points.values().sum::<u64>());
    format!(
        "| {what} x times | {points} x {done} or more, {} in all | 16 x {EACH_POINT} |\n",
        grouped(ends)
    )
}

/// A number as people write it.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn points(figures: &Figures) -> String {
    let each: Vec<String> = figures
        .points
        .iter()
        .map(|(point, times)| format!("{point} {times}"))
        .collect();
    format!("\nCrash points: {}.\n", each.join(", "))
}

fn commits(played: &[Played]) -> String {
    let mut rounds: Vec<(&str, usize)> = Vec::new();
    for played in played {
        match rounds.iter_mut().find(|(commit, _)| *commit == played.commit) {
            Some((_, count)) => *count += 1,
            None => rounds.push((&played.commit, 1)),
        }
    }
    let each: Vec<String> = rounds
        .iter()
        .map(|(commit, count)| format!("{commit} ({count} rounds)"))
        .collect();
    each.join(", ")
}

fn themes(played: &[Played]) -> String {
    let mut rounds: BTreeMap<&str, usize> = BTreeMap::new();
    for played in played {
        *rounds.entry(&played.theme).or_default() += 1;
    }
    let each: Vec<String> = rounds
        .iter()
        .map(|(theme, count)| format!("{theme} {count}"))
        .collect();
    each.join(", ")
}

/// Of each round that failed the first things that were wrong, and how many more there were.
fn failures(played: &[Played]) -> String {
    let failed = played.iter().filter(|played| !played.verdict.passes());
    let mut text = String::new();
    for Played {
        round,
        theme,
        seed,
        verdict,
        ..
    } in failed
    {
        if text.is_empty() {
            text.push_str("\nWhat was wrong:\n\n");
        }
        for wrong in verdict.wrong.iter().take(WRONG_PER_ROUND) {
            let wrong: String = wrong.chars().take(WRONG_CHARS).collect();
            let _ = writeln!(text, "- round {round} ({theme}, seed {seed}): {wrong}");
        }
        let more = verdict.wrong.len().saturating_sub(WRONG_PER_ROUND);
        if more > 0 {
            let _ = writeln!(text, "- round {round}: and {more} more of that round");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    #[test]
    fn a_report_sums_up_every_round_and_names_what_failed() {
        let mut good = Verdict::default();
        good.figures.faults = BTreeMap::from([("K1".to_owned(), 40), ("K2".to_owned(), 2)]);
        good.figures.points = POINTS.iter().map(|(point, _)| ((*point).to_owned(), 3)).collect();
        good.figures.answers = 1_234_567;
        let mut bad = good.clone();
        bad.figures.answers = 0;
        bad.figures.lost = 1;
        bad.wrong.push("ops was not told a line".to_owned());
        let round = |round, commit: &str, verdict: &Verdict| Played {
            round,
            theme: "kill".to_owned(),
            seed: 7,
            commit: commit.to_owned(),
            verdict: verdict.clone(),
        };
        let course = Course {
            seed: 5,
            scale: 3,
            themes: vec!["kill".to_owned()],
        };
        let text = section(&course, &[round(0, "abc", &good), round(1, "def", &bad)]);
        for part in [
            "- commit: abc (1 rounds), def (1 rounds)\n- seed: 5, scale 3\n- rounds: 2, of them passed 1; kill 2\n",
            "| kill -9 | 84 | 1,000 |",
            "x 6 or more, ",
            "| API faults | 1,234,567 | 20,000 |",
            "| lost lines | 1 |",
            "- round 1 (kill, seed 7): ops was not told a line",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
    }
}
