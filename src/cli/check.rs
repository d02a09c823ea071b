//! `tailgram check`.

mod logs;

use std::path::PathBuf;

use crate::config::{self, Environment};
use crate::scan::Scanner;

use super::state_dir::StateDir;
use super::{Failure, Options, log};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The rules file, in place of --config
    file: Option<PathBuf>,
    /// Also list what the globs of every log reach now; exit 1 if any of it cannot be read
    #[arg(long)]
    logs: bool,
}

pub(super) fn run(options: &Options, args: &Args, env: &Environment) -> Result<(), Failure> {
    let path = match &args.file {
        Some(file) => file.clone(),
        None => config::find(options.config.as_deref(), env).map_err(Failure::usage)?,
    };
    let mut settings = config::load(&path, env)?;
    settings.warnings.iter().for_each(log::warn);
    compile(&settings)?;
    super::print(fine(&settings).as_bytes())?;
    if args.logs {
        // What `run` would leave alone here too. Where there is no place for state, there is nothing to avoid.
        let state_dir = StateDir::choose(options, env).ok();
        let own = state_dir.as_ref().and_then(StateDir::folder);
        settings.tail.never.extend(own.map(PathBuf::from));
        logs::list(&settings.tail)?;
    }
    Ok(())
}

/// Patterns that are fine one by one can still be too large together, and `run` would only find out then.
fn compile(settings: &config::Settings) -> Result<(), Failure> {
    for log in &settings.logs {
        Scanner::compile(&log.scan).map_err(|error| Failure::Usage(format!("log {}: {error}", log.name)))?;
    }
    Ok(())
}

fn fine(settings: &config::Settings) -> String {
    let rules = count(settings.incident.rules.len(), "rule");
    let tests = match settings.tests {
        0 => String::new(),
        tests => format!(" ({} passed)", count(tests, "test")),
    };
    format!(
        "{} is fine: {rules}{tests}, {}, {}\n",
        settings.path.display(),
        count(settings.logs.len(), "log"),
        count(settings.telegram.chats.len(), "chat")
    )
}

/// "1 log", "2 logs".
fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
