//! `tailgram status`.

use std::path::Path;

use crate::config::Environment;
use crate::engine::{Status, control};
use crate::store::Store;

use super::state_dir::StateDir;
use super::{Failure, Options};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options, args: &Args, env: &Environment) -> Result<(), Failure> {
    let state_dir = StateDir::choose(options, env)?;
    let Some(status) = state_dir.folder().and_then(status) else {
        return Err(Failure::Running(
            "no tailgram runs with this state folder; name another with --state-dir".to_owned(),
        ));
    };
    let mut page = if args.json {
        serde_json::to_string_pretty(&status).map_err(Failure::running)?
    } else {
        page(&status)
    };
    page.push('\n');
    super::print(page.as_bytes())
}

/// As the running process answers; as it last wrote down, if it cannot be asked.
fn status(folder: &Path) -> Option<Status> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = runtime.map(|runtime| runtime.block_on(control::status(folder)));
    match asked {
        Ok(Ok(status)) => return Some(status),
        // What lies there was left by a process that is gone.
        Ok(Err(control::AskError::Nobody)) if matches!(Store::holder(folder), Ok(None)) => return None,
        Ok(Err(error)) => tracing::debug!(%error, "not asked"),
        Err(error) => tracing::debug!(%error, "not asked"),
    }
    Status::read(folder).filter(|status| !status.is_stale())
}

/// The same for people: sections of lines, and a section without lines is left out.
fn page(status: &Status) -> String {
    let sections = [
        vec![head(status)],
        status.logs.iter().flat_map(log).collect(),
        section("incidents", status.incidents.iter().map(incident)),
        section("chats", status.chats.iter().map(chat)),
        ledger(status),
        section("gaps", status.gaps.iter().map(gap)),
    ];
    let sections = sections.iter().filter(|lines| !lines.is_empty());
    sections
        .map(|lines| lines.join("\n"))
        .collect::<Vec<_>>()
        .join("\n\n")
}

fn section(title: &str, lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.map(|line| format!("  {line}")).collect();
    if !lines.is_empty() {
        lines.insert(0, title.to_owned());
    }
    lines
}

fn head(status: &Status) -> String {
    let Status {
        version,
        pid,
        uptime_s,
        reasons,
        ..
    } = status;
    let health = if status.healthy {
        "healthy".to_owned()
    } else {
        format!("UNHEALTHY: {}", reasons.join("; "))
    };
    let held = status.descriptors;
    let waiting = if held.waiting > 0 {
        format!(
            "\n{} files wait until others can be closed: {} are open, and {} may be (ulimit -n)",
            held.waiting, held.open, held.most
        )
    } else {
        String::new()
    };
    format!("tailgram {version}, process {pid}, up {uptime_s} s, {health}{waiting}")
}

fn log(log: &crate::engine::status::Log) -> Vec<String> {
    let file = |file: &crate::engine::status::LogFile| {
        format!(
            "{:<10} {} ({} of {} bytes)",
            file.state, file.path, file.offset, file.size
        )
    };
    section(&format!("log {}", log.name), log.files.iter().map(file))
}

fn incident(incident: &crate::engine::status::OpenIncident) -> String {
    let by = incident
        .by
        .0
        .iter()
        .map(|(name, value)| format!(" {name}={value:?}"));
    let (rule, state) = (&incident.rule, incident.state.word());
    let last = crate::engine::status::rfc3339(incident.last_at);
    let total = super::matches(incident.total);
    format!("{rule}{} {state}, {total}, last {last}", by.collect::<String>())
}

fn chat(chat: &crate::engine::status::Chat) -> String {
    let why = chat.reason.iter().map(|why| format!(": {why}"));
    let retry = chat.retry_at.iter().map(|at| format!(", sent to again at {at}"));
    format!(
        "{} {}{}",
        chat.name,
        chat.state,
        why.chain(retry).collect::<String>()
    )
}

fn ledger(status: &Status) -> Vec<String> {
    let row = |rule: &str, chat: &str, columns: [&str; 6]| {
        let [matched, shown, counted, muted, failed, pending] = columns;
        format!("{rule:<24} {chat:<12}{matched:>9}{shown:>9}{counted:>9}{muted:>9}{failed:>9}{pending:>9}")
    };
    let line = |line: &crate::engine::status::Line| {
        let numbers = [
            line.matched,
            line.shown,
            line.counted,
            line.muted,
            line.failed,
            line.pending,
        ];
        let numbers = numbers.map(|number| number.to_string());
        let row = row(&line.rule, &line.chat, numbers.each_ref().map(String::as_str));
        let removed = if line.removed { "  removed" } else { "" };
        row + removed
    };
    let title = row(
        "rule",
        "chat",
        ["matched", "shown", "counted", "muted", "failed", "pending"],
    );
    let title = (!status.ledger.is_empty()).then_some(title);
    section("ledger", title.into_iter().chain(status.ledger.iter().map(line)))
}

fn gap(gap: &crate::engine::status::LostBytes) -> String {
    format!(
        "{} {} at {}, {} bytes known to be lost",
        gap.path, gap.kind, gap.at, gap.bytes
    )
}
