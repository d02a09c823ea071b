//! The test bot server as a process of its own. It prints its URL and runs until it is killed.
//!
//! `botapi [--listen ADDR] [--token T] [--journal FILE] [--chat ID:TYPE]… [--no-limits]`

use std::process::ExitCode;

use botapi::{BotApi, ChatConfig, ChatKind, Config, LimitConfig};

const USAGE: &str =
    "usage: botapi [--listen ADDR] [--token T] [--journal FILE] [--chat ID:TYPE]... [--no-limits]
TYPE is private, group, supergroup or channel";

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|config| BotApi::start(config).map_err(|e| e.to_string()))
    {
        Ok(api) => {
            announce(&api.url());
            loop {
                std::thread::park();
            }
        }
        Err(why) => complain(&why),
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the URL on standard output is how a test rig finds the port"
)]
fn announce(url: &str) {
    println!("{url}");
}

#[expect(
    clippy::print_stderr,
    reason = "a program without a log tells its error where one looks for it"
)]
fn complain(why: &str) -> ExitCode {
    eprintln!("{why}\n{USAGE}");
    ExitCode::from(2)
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Config, String> {
    let mut config = Config::default();
    while let Some(flag) = args.next() {
        if flag == "--no-limits" {
            config.limits = LimitConfig::off();
            continue;
        }
        let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--listen" => config.listen = value.parse().map_err(|_| format!("no address: {value}"))?,
            "--token" => config.token = value,
            "--journal" => config.journal = Some(value.into()),
            "--chat" => config.chats.push(chat(&value)?),
            _ => return Err(format!("unknown flag: {flag}")),
        }
    }
    Ok(config)
}

fn chat(text: &str) -> Result<ChatConfig, String> {
    let parsed = text
        .split_once(':')
        .and_then(|(id, kind)| Some((id.parse().ok()?, ChatKind::from_word(kind)?)));
    parsed
        .map(|(id, kind)| ChatConfig::new(id, kind))
        .ok_or_else(|| format!("not ID:TYPE: {text}"))
}
