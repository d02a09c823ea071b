//! What is known of an edit before it takes effect: whether it is good, and what is different.

use crate::config::{Environment, Problem, Problems, Settings, Texts};
use crate::engine::tally::Lens;
use crate::fence;
use crate::model::{Changed, Changes, Hindsight, Names, Notice, RulesProblem};

/// A good edit.
pub(super) struct Judged {
    pub(super) settings: Settings,
    pub(super) lens: Lens,
    pub(super) changes: Changes,
}

/// Checks and compiles what rules.toml says; the rules' own tests are part of it. What the command line said stays.
pub(super) fn judge(texts: &Texts, in_force: &Settings, env: &Environment) -> Result<Judged, Problems> {
    let mut settings = texts.check(env)?;
    settings.tail.from = in_force.tail.from;
    settings.tail.never.clone_from(&in_force.tail.never);
    let lens = Lens::compile(&settings.message, &settings.logs, &settings.incident)
        .map_err(|error| Problems::of_rules(&settings.path, &error.to_string()))?;
    let mut changes = in_force.outline.changes(&settings.outline);
    changes.restart.extend(shut_out(&settings));
    Ok(Judged {
        settings,
        lens,
        changes,
    })
}

/// The logs that name folders behind the fence: their files are read after a restart.
fn shut_out(settings: &Settings) -> Vec<String> {
    let logs = settings.tail.logs.iter();
    let shut_out = logs.filter(|log| log.roots().iter().any(|folder| fence::shuts_out(folder)));
    shut_out.map(|log| format!("files of log {}", log.name)).collect()
}

/// What people are told of a broken edit: the first problem, and how many more there are.
pub(super) fn refused(problems: &Problems, at_start: bool) -> Notice {
    let number = |number: Option<usize>| number.map(|number| number as u64);
    let first = problems.iter().next();
    let first = first.map(|problem: &Problem| RulesProblem {
        path: problem.path().display().to_string(),
        line: number(problem.line()),
        column: number(problem.column()),
        what: problem.what().to_owned(),
        cure: problem.help().to_owned(),
    });
    Notice::NotReloaded {
        problem: Box::new(first.unwrap_or_default()),
        more: problems.count().saturating_sub(1) as u64,
        at_start,
    }
}

/// Says it in the log, where more fits than into a message.
pub(super) fn log(changes: &Changes, settings: &Settings, hindsight: &[Hindsight]) {
    settings.log_warnings();
    tracing::info!(
        rules = settings.incident.rules.len(),
        logs = settings.logs.len(),
        chats = settings.telegram.chats.len(),
        "rules reloaded: {}",
        words(changes).join(", ")
    );
    if changes.restart.count > 0 {
        tracing::warn!(
            "{} in rules.toml changed, which takes effect only after a restart",
            changes.restart.first.join(", ")
        );
    }
    for Hindsight { rule, found, of } in hindsight {
        tracing::info!(rule, found, lines = of, "this rule in hindsight");
    }
}

/// A piece for every kind of difference.
fn words(changes: &Changes) -> Vec<String> {
    let mut words = Vec::new();
    let mut say = |what: &str, sign: &str, names: &Names| {
        if names.count > 0 {
            let rest = names.count - names.first.len() as u64;
            let rest = if rest > 0 {
                format!(" and {rest} more")
            } else {
                String::new()
            };
            words.push(format!(
                "{sign}{} {what} ({}{rest})",
                names.count,
                names.first.join(", ")
            ));
        }
    };
    let tables = [
        ("rules", &changes.rules),
        ("logs", &changes.logs),
        ("chats", &changes.chats),
    ];
    for (what, table) in tables {
        let Changed {
            added,
            changed,
            removed,
        } = table;
        say(what, "+", added);
        say(what, "~", changed);
        say(what, "-", removed);
    }
    say("other keys", "~", &changes.others);
    say("keys for the next start", "~", &changes.restart);
    words
}
