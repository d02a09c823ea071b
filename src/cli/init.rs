//! `tailgram init`: a rules.toml and a compose.yaml to start from.
//!
//! One rules.toml serves a run from the shell and one in a container, because compose.yaml mounts every folder
//! of logs where the globs look for it (`watched` says where that is). What it writes, it has read back first:
//! a rules.toml that `check` refuses is never written.
//!
//! Not here: the token. It belongs into no file that init writes.

mod answers;
mod pages;
mod place;
mod watched;

use std::path::{Path, PathBuf};

use crate::config::{self, Environment};

use super::{Failure, log};
use answers::Answers;

const RULES: &str = "rules.toml";
const COMPOSE: &str = "compose.yaml";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to write them; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Log files to watch, as a quoted glob; relative ones are seen from DIR. May be repeated [default: asked for on a
    /// terminal, else logs/*.log]
    #[arg(long, value_name = "GLOB")]
    watch: Vec<String>,
    /// Who is told: a chat's id, or @name of a public channel [default: asked for on a terminal, else what
    /// `TELEGRAM_CHAT_ID` says when it runs]
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    chat: Option<String>,
    /// Overwrite files that are there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args, env: &Environment) -> Result<(), Failure> {
    // Before anybody is asked anything.
    place::free(&args.dir, args.force)?;
    let answers = Answers::gather(args, env)?;
    let rules = pages::rules(&answers);
    // Without the environment: what it says is for `check` and `run` to judge, wherever they run.
    let settings = config::parse(Path::new(RULES), &rules, &Environment::default())?;
    settings.warnings.iter().for_each(log::warn);
    let compose = pages::compose(&answers, env.host());
    place::write(&args.dir, &[(RULES, &rules), (COMPOSE, &compose)])?;
    super::print(pages::next(&args.dir, &answers).as_bytes())
}
