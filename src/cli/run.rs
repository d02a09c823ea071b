//! `tailgram run`.

use std::io::IsTerminal as _;
use std::sync::Arc;

use crate::config::{self, Environment, Texts};
use crate::engine::{self, Messenger, Plan, Summary, Watched};
use crate::store::{Damage, Opened, Store};
use crate::tail::{self, Mode, Start};
use crate::telegram::Client;

use super::state_dir::StateDir;
use super::terminal::Terminal;
use super::{Failure, Options, listen};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to begin in files that exist when a log is read for the first time [default: the log's `start`]
    #[arg(long, value_enum, value_name = "end|beginning")]
    from: Option<From>,
    /// Print the messages, send nothing, store nothing; needs no token
    #[arg(long)]
    dry_run: bool,
    /// Read every file to its present end, deliver what that gives, exit
    #[arg(long)]
    once: bool,
    /// Serve /healthz, /readyz and /metrics over HTTP there, such as 127.0.0.1:9115 [default: nowhere]
    #[arg(long, value_name = "ADDR", env = "TAILGRAM_LISTEN")]
    listen: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum From {
    End,
    Beginning,
}

pub(super) fn run(options: &Options, args: &Args, env: &Environment) -> Result<(), Failure> {
    tail::raise_limit();
    let state_dir = StateDir::choose(options, env)?;
    let mode = if args.once { Mode::Once } else { Mode::Forever };
    let (mut settings, watched) = rules(options, args, &state_dir, env)?;
    settings.tail.from = args.from.map(|from| match from {
        From::End => Start::End,
        From::Beginning => Start::Beginning,
    });
    refuse_terminal(&settings.tail)?;
    let messenger = messenger(&settings, args.dry_run, env)?;
    let listen = args.listen.as_deref().and_then(listen::address).transpose()?;
    let listen = listen.map(listen::at).transpose()?;
    settings
        .tail
        .never
        .extend(state_dir.folder().map(std::path::Path::to_owned));
    let opened = open(&state_dir, args.dry_run)?;
    let rolled_back = matches!(opened.damage.last(), Some(Damage::RolledBack { .. }));
    say_start(&settings, &opened, &state_dir);
    // A dry run leaves no trace.
    let folder = state_dir
        .folder()
        .filter(|_| !args.dry_run)
        .map(std::path::Path::to_owned);
    engine::enclose(&settings, &watched, folder.as_deref()).map_err(Failure::Running)?;
    let plan = Plan {
        settings,
        store: opened.store,
        state: opened.state,
        fresh: opened.fresh,
        set_aside: opened.damage.len() - usize::from(rolled_back),
        rolled_back,
        messenger,
        mode,
        folder,
        // A single pass is over before anybody edits anything.
        watched: (!args.once).then_some(watched),
        listen,
        heartbeats: !args.once && !args.dry_run,
        stop: None,
    };
    let summary = engine::run(plan).map_err(Failure::running)?;
    end(&summary, args.once || summary.ended)
}

/// rules.toml, checked. Where it is broken, the last good copy of it stands in, so that a machine that comes up in the
/// night is not blind; but not for a pass that somebody looks at, and that loses nothing by being refused.
fn rules(
    options: &Options,
    args: &Args,
    state_dir: &StateDir,
    env: &Environment,
) -> Result<(config::Settings, Watched), Failure> {
    let path = config::find(options.config.as_deref(), env).map_err(Failure::usage)?;
    let texts = Texts::read(&path, env);
    let watched = |texts, broken| Watched {
        path: path.clone(),
        texts,
        broken,
        env: env.clone(),
    };
    let problems = match texts.check(env) {
        Ok(settings) => {
            settings.log_warnings();
            return Ok((settings, watched(texts, None)));
        }
        Err(problems) => problems,
    };
    let folder = state_dir.folder().filter(|_| !args.once && !args.dry_run);
    let good = folder.and_then(|folder| engine::last_good(folder, &path));
    let Some((good, Ok(settings))) = good.map(|good| (good.clone(), good.check(env))) else {
        return Err(problems.into());
    };
    tracing::error!("rules.toml is broken; starting with the last good copy of it\n{problems}");
    Ok((settings, watched(good, Some((texts, problems)))))
}

/// Who starts this by hand and forgets the program before the `|` would wait for lines that nobody types.
fn refuse_terminal(tail: &tail::Settings) -> Result<(), Failure> {
    let log = tail.logs.iter().find(|log| log.reads_stdin());
    match log.filter(|_| std::io::stdin().is_terminal()) {
        None => Ok(()),
        Some(log) => Err(Failure::Usage(format!(
            "log {} reads stdin (\"-\"), and stdin is a terminal: pipe a program into tailgram (app 2>&1 | tailgram run), \
             or give it no terminal (</dev/null)",
            log.name
        ))),
    }
}

fn messenger(
    settings: &config::Settings,
    dry_run: bool,
    env: &Environment,
) -> Result<Arc<dyn Messenger>, Failure> {
    if dry_run {
        return Ok(Arc::new(Terminal::whole_messages()));
    }
    let token = settings.token.token(env).map_err(Failure::usage)?;
    Ok(Arc::new(
        Client::build(&settings.telegram, token).map_err(Failure::running)?,
    ))
}

/// A dry run starts from what is stored and stores nothing.
fn open(state_dir: &StateDir, dry_run: bool) -> Result<Opened, Failure> {
    if !dry_run {
        return state_dir.open();
    }
    let mut opened = Store::memory().map_err(Failure::running)?;
    if let Some(state) = state_dir.peek()? {
        // The copy in memory is another store: its turns are its own.
        opened.fresh = state.logs_seen.is_empty();
        opened.state = crate::model::State {
            turn: opened.state.turn,
            store: opened.state.store,
            ..state
        };
    }
    Ok(opened)
}

fn say_start(settings: &config::Settings, opened: &Opened, state_dir: &StateDir) {
    let state = state_dir
        .folder()
        .map_or_else(|| ":memory:".to_owned(), |dir| dir.display().to_string());
    tracing::info!(
        host = %settings.message.host,
        rules = settings.incident.rules.len(),
        logs = settings.logs.len(),
        chats = settings.telegram.chats.len(),
        config = %settings.path.display(),
        state,
        "started, version {}",
        env!("CARGO_PKG_VERSION")
    );
    if opened.fresh {
        tracing::warn!(
            "no state found: files that exist now are followed from where `start` says (the end, by default)"
        );
    }
}

fn end(summary: &Summary, once: bool) -> Result<(), Failure> {
    let sum =
        |column: fn(&crate::incident::LedgerLine) -> u64| summary.ledger.iter().map(column).sum::<u64>();
    let pending = sum(|line| line.pending);
    tracing::info!(
        matched = sum(|line| line.account.matched),
        shown = sum(|line| line.account.shown),
        counted = sum(|line| line.account.counted),
        muted = sum(|line| line.account.muted),
        failed = sum(|line| line.account.failed),
        pending,
        "stopped"
    );
    if once && !summary.drained {
        return Err(Failure::Running(format!(
            "not delivered in time: {}; stored, and the next run delivers them",
            super::matches(pending)
        )));
    }
    if once && summary.refused > 0 {
        return Err(Failure::Running(format!(
            "refused by Telegram: {}; mend what the warning above names: they are stored, and the next run delivers \
             them",
            super::matches(summary.refused)
        )));
    }
    Ok(())
}
