//! `tailgram status`.

use std::fmt::Write as _;

use crate::config::Environment;
use crate::engine::Status;

use super::health::FRESH;
use super::state_dir::StateDir;
use super::{Failure, Options};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

#[expect(clippy::print_stdout, reason = "stdout is for results")]
pub(super) fn run(options: &Options, args: &Args, env: &Environment) -> Result<(), Failure> {
    let state_dir = StateDir::choose(options, env)?;
    let status = state_dir
        .folder()
        .and_then(Status::read)
        .filter(|status| status.age() <= FRESH);
    let Some(status) = status else {
        return Err(Failure::Running(
            "no tailgram runs with this state folder; name another with --state-dir".to_owned(),
        ));
    };
    if args.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&status).map_err(Failure::running)?
        );
    } else {
        print!("{}", page(&status));
    }
    Ok(())
}

/// The same for people.
fn page(status: &Status) -> String {
    let mut page = String::new();
    let health = if status.healthy {
        "healthy".to_owned()
    } else {
        format!("UNHEALTHY: {}", status.reasons.join("; "))
    };
    // Writing into a String cannot fail, here and below.
    let _ = writeln!(
        page,
        "tailgram {}, process {}, up {} s, {health}",
        status.version, status.pid, status.uptime_s
    );
    for log in &status.logs {
        let _ = writeln!(page, "\nlog {}", log.name);
        for file in &log.files {
            let _ = writeln!(
                page,
                "  {:<10} {} ({} of {} bytes)",
                file.state, file.path, file.offset, file.size
            );
        }
    }
    if !status.incidents.is_empty() {
        let _ = writeln!(page, "\nincidents");
    }
    for incident in &status.incidents {
        let by: Vec<String> = incident
            .by
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        let (rule, state, total) = (&incident.rule, &incident.state, incident.total);
        let _ = writeln!(
            page,
            "  {rule} {} {state}, {total} matches, last {}",
            by.join(" "),
            incident.last_at
        );
    }
    let _ = writeln!(page, "\nchats");
    for chat in &status.chats {
        let why = chat
            .reason
            .as_ref()
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        let retry = chat
            .retry_at
            .as_ref()
            .map(|at| format!(", sent to again at {at}"))
            .unwrap_or_default();
        let _ = writeln!(page, "  {} {}{why}{retry}", chat.name, chat.state);
    }
    if !status.ledger.is_empty() {
        let _ = writeln!(
            page,
            "\n{:<24} {:<12} matched    shown  counted    muted   failed  pending",
            "rule", "chat"
        );
    }
    for line in &status.ledger {
        let _ = writeln!(
            page,
            "{:<24} {:<12} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8}",
            line.rule,
            line.chat,
            line.matched,
            line.shown,
            line.counted,
            line.muted,
            line.failed,
            line.pending
        );
    }
    for gap in &status.gaps {
        let _ = writeln!(
            page,
            "gap: {} {} at {}, {} bytes known to be lost",
            gap.path, gap.kind, gap.at, gap.bytes
        );
    }
    page
}
