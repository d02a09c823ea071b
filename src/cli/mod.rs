//! The command line: one file per command, and the only place that turns an error into words and an exit
//! code.
//!
//! stdout is for results, stderr for logs. 0: fine; 1: failed while running; 2: the command line or
//! rules.toml is wrong.

mod chats;
mod check;
mod completions;
mod demo;
mod explain;
mod follow;
mod health;
mod init;
mod listen;
mod log;
mod man;
mod outlet;
mod run;
mod schema;
mod send;
mod state_dir;
mod status;
mod terminal;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Environment};
use crate::failpoint;

/// Follows log files, finds what matters, keeps one live Telegram message per incident.
#[derive(Debug, Parser)]
#[command(name = "tailgram", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, clap::Args)]
struct Options {
    /// The rules file [default: ./rules.toml, then /etc/tailgram/rules.toml]
    #[arg(long, global = true, value_name = "FILE", env = "TAILGRAM_CONFIG")]
    config: Option<PathBuf>,
    /// Where state is kept; `:memory:` goes without [default: /var/lib/tailgram if it exists, else
    /// `$XDG_STATE_HOME/tailgram`]
    #[arg(long, global = true, value_name = "DIR", env = "TAILGRAM_STATE_DIR")]
    state_dir: Option<PathBuf>,
    /// How much to say on stderr: error, warn, info, debug or trace
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "TAILGRAM_LOG",
        default_value = "info"
    )]
    log_level: log::Level,
    /// How to say it
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    log_format: log::Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow, match and alert until SIGTERM or SIGINT
    Run(run::Args),
    /// Read rules.toml, say everything that is wrong with it, run the rules' own tests
    Check(check::Args),
    /// Say for each line of a file which rule matches and where, or why not; sends nothing
    Explain(explain::Args),
    /// Print what is written to files, as GNU `tail -F` does; needs no rules and no token
    Follow(follow::Args),
    /// Wait for, and list, the chats and topics that the bot can see, ready to paste into rules.toml
    Chats(chats::Args),
    /// Send one message through the same sender
    Send(send::Args),
    /// Say what is followed, what is open, and the account of every match
    Status(status::Args),
    /// Exit 0 when reading and delivering work, else 1 with the reason
    Health,
    /// Write a commented rules.toml and compose.yaml to start from
    Init(init::Args),
    /// See the whole pipeline in the terminal, on made-up logs; no token, no network
    Demo,
    /// Print the JSON Schema of rules.toml, for completion in editors
    Schema,
    /// Print the completions for a shell
    Completions(completions::Args),
    /// Print the manual page, or that of one command
    Man(man::Args),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The command line is wrong: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// rules.toml is wrong: exit code 2.
    #[error(transparent)]
    Rules(#[from] config::Problems),
    /// Something failed while running: exit code 1.
    #[error("{0}")]
    Running(String),
    /// The same, and it was said already.
    #[error("it failed")]
    Told,
}

impl Failure {
    fn running(error: impl std::fmt::Display) -> Self {
        Self::Running(error.to_string())
    }

    fn usage(error: impl std::fmt::Display) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Runs the command that the command line names.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be said about a stderr that cannot be written to.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    log::start(cli.options.log_level, cli.options.log_format);
    failpoint::heed();
    let env = Environment::of_process();
    let done = match cli.command {
        Command::Run(args) => run::run(&cli.options, &args, &env),
        Command::Check(args) => check::run(&cli.options, &args, &env),
        Command::Explain(args) => explain::run(&cli.options, &args, &env),
        Command::Follow(args) => follow::run(args),
        Command::Chats(args) => chats::run(&cli.options, &args, &env),
        Command::Send(args) => send::run(&cli.options, &args, &env),
        Command::Status(args) => status::run(&cli.options, &args, &env),
        Command::Health => health::run(&cli.options, &env),
        Command::Init(args) => init::run(&args, &env),
        Command::Demo => demo::run(&env),
        Command::Schema => schema::run(),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::complain(&failure);
            ExitCode::from(match failure {
                Failure::Usage(_) | Failure::Rules(_) => 2,
                Failure::Running(_) | Failure::Told => 1,
            })
        }
    }
}

/// Writes a result to stdout. Whoever closed it, such as `head`, has seen enough.
fn print(result: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(result).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::running(error)),
        _ => Ok(()),
    }
}

/// A count of matches, in words.
fn matches(count: u64) -> String {
    if count == 1 {
        "1 match".to_owned()
    } else {
        format!("{count} matches")
    }
}

/// Finds and checks rules.toml, and says what it warns about.
fn settings(options: &Options, env: &Environment) -> Result<config::Settings, Failure> {
    let path = config::find(options.config.as_deref(), env).map_err(Failure::usage)?;
    let settings = config::load(&path, env)?;
    settings.log_warnings();
    Ok(settings)
}
