//! What the program says on stderr about itself.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::Failure;
use super::outlet::Outlet;
use crate::config::Problem;

/// How much to say. INFO: it worked; WARN: it recovered; ERROR: something is lost or needs you.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How to say it.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Installs the log, and a panic hook that writes one line.
pub(super) fn start(level: Level, format: Format) {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    // Only our own crate may be talkative: the HTTP crates write request URLs into their debug logs, and the
    // token stands in those.
    let filter = Targets::new()
        .with_target("tailgram", level)
        .with_default(LevelFilter::WARN.min(level));
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(Outlet::new(format))
        .with_target(false);
    let layer = match format {
        Format::Text => layer
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .boxed(),
        Format::Json => layer.json().boxed(),
    };
    // A second call (there is none) would keep the first log.
    drop(
        tracing_subscriber::registry()
            .with(layer.with_filter(filter))
            .try_init(),
    );
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        // The payload may quote log text or a URL, so only the place is told.
        tracing::error!(place, "a bug in tailgram: a thread panicked");
        // Nothing is tidied up: what was committed is what counts, as after any crash, and a thread that is gone
        // would leave the others waiting for it.
        std::process::exit(1);
    }));
}

/// Says why the command failed. This is no log line, for it is for the person at the terminal. Problems of
/// rules.toml begin with file, line and column, as editors expect it.
#[expect(
    clippy::print_stderr,
    reason = "the final word to the person who typed the command"
)]
pub(super) fn complain(failure: &Failure) {
    match failure {
        Failure::Rules(problems) => eprintln!("{problems}"),
        Failure::Usage(_) | Failure::Running(_) => eprintln!("tailgram: {failure}"),
        Failure::Told => {}
    }
}

/// Says what to do next, to the person who typed the command. Results are on stdout, for a file perhaps.
#[expect(clippy::print_stderr, reason = "for the person who typed the command")]
pub(super) fn tell(words: &str) {
    eprintln!("{words}");
}

/// Says what is allowed in rules.toml but probably not meant, as fully as what is wrong.
#[expect(clippy::print_stderr, reason = "for the person who typed the command")]
pub(super) fn warn(warning: &Problem) {
    eprintln!("{warning}\n");
}
