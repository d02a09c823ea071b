//! `tailgram chats`.
//!
//! stdout gets TOML, which can be pasted or appended to rules.toml as it is; what to do is told on stderr.
//!
//! Updates are looked at and not confirmed, so that whoever reads this bot's updates next still gets them.
//! The price: Telegram shows the oldest hundred only, and answers a poll at once while there are any, so
//! such polls are spaced. `--confirm` pays the other price. The trap: an unconfirmed update comes again with
//! every poll; `listing` passes over what it has seen.

mod listing;
mod words;

use std::time::Duration;

use tokio::time::Instant;

use crate::config::{self, Environment};
use crate::model::Outcome;
use crate::telegram::{Backoff, Bot, ChatSettings, Client, MOST_UPDATES, Page, Poll, PollError};

use self::listing::Listing;
use super::{Failure, Options, log};

/// How long to go on after a chat was found, for others that come along with it.
const QUIET: Duration = Duration::from_secs(3);

/// The pause between two looks at the same updates; Telegram slows down whoever asks faster.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How long to wait for the first chat
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = length)]
    wait: Duration,
    /// Go on listing what comes until Ctrl-C
    #[arg(long, conflicts_with = "wait")]
    follow: bool,
    /// Confirm the updates that were seen, to see more than the oldest 100; no other program gets those then
    #[arg(long)]
    confirm: bool,
    /// Take the bot's webhook away if there is one; what waits to be sent to it is seen here instead
    #[arg(long)]
    delete_webhook: bool,
}

pub(super) fn run(options: &Options, args: &Args, env: &Environment) -> Result<(), Failure> {
    let reach = reach(options, env)?;
    let token = reach.token.token(env).map_err(Failure::usage)?;
    let client = Client::build(&reach.telegram, token).map_err(Failure::usage)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::running)?;
    runtime.block_on(async {
        tokio::select! {
            done = list(&client, &reach.telegram.chats, args) => done,
            // As the only process of a container it would not be ended by the signal alone.
            _ = tokio::signal::ctrl_c() => if args.follow { Ok(()) } else { Err(words::stopped()) },
        }
    })
}

fn length(text: &str) -> Result<Duration, &'static str> {
    config::duration(text).ok_or("write one number and one unit, such as 30s, 5m or 1h")
}

/// The way to Telegram. Whoever has no rules.toml yet, or one that is not right yet, is here to change that.
fn reach(options: &Options, env: &Environment) -> Result<config::Reach, Failure> {
    let path = match config::find(options.config.as_deref(), env) {
        Ok(path) => Some(path),
        // One that was named was meant.
        Err(error @ config::ConfigError::Missing { .. }) => return Err(Failure::usage(error)),
        Err(config::ConfigError::Nowhere { .. }) => None,
    };
    let reach = config::reach(path.as_deref(), env)?;
    if let (Some(path), false) = (&path, reach.ignored.is_empty()) {
        log::tell(&words::ignored(path, reach.ignored.count()));
    }
    Ok(reach)
}

async fn list(client: &Client, chats: &[ChatSettings], args: &Args) -> Result<(), Failure> {
    let bot = client.who().await.map_err(|outcome| words::no_bot(&outcome))?;
    log::tell(&words::introduction(&bot));
    for chat in chats {
        let found = client.look_up(&chat.target, &bot).await;
        super::print(words::known(chat, &found, &bot).as_bytes())?;
    }
    let webhook = client
        .webhook()
        .await
        .map_err(|outcome| words::no_bot(&outcome))?;
    if let Some(host) = &webhook.host {
        if !args.delete_webhook {
            return Err(Failure::Running(words::webhook(host)));
        }
        let deleted = client.delete_webhook().await;
        deleted.map_err(|outcome| Failure::Running(words::webhook_stays(&outcome)))?;
        log::tell(&words::webhook_gone(host));
    }
    log::tell(&words::invitation(&bot, (!args.follow).then_some(args.wait)));
    let watch = Watch {
        client,
        bot: &bot,
        args,
        kinds: webhook.kinds,
        listing: Listing::new(chats),
        from: None,
        waiting: false,
        full: false,
    };
    watch.run().await
}

/// Looks at updates until enough was seen.
struct Watch<'a> {
    client: &'a Client,
    bot: &'a Bot,
    args: &'a Args,
    /// What the bot was told to want.
    kinds: Option<Vec<String>>,
    listing: Listing,
    /// Where the next poll begins, if it confirms what was before.
    from: Option<i64>,
    /// Whether updates are there that the next poll brings again, at once.
    waiting: bool,
    /// Whether there are more updates than Telegram shows. It was told.
    full: bool,
}

impl Watch<'_> {
    async fn run(mut self) -> Result<(), Failure> {
        let mut backoff = Backoff::new(fastrand::Rng::new());
        let mut trouble = None;
        let mut until = (!self.args.follow).then(|| Instant::now() + self.args.wait);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            match self.look(left).await {
                Ok(page) => {
                    backoff.reset();
                    trouble = None;
                    if self.show(&page)? && !self.args.follow {
                        until = Some(Instant::now() + QUIET);
                    }
                }
                Err(PollError::Failed(outcome)) => {
                    let pause = words::pause(&outcome)?.unwrap_or_else(|| backoff.next());
                    tell(&mut trouble, &outcome);
                    tokio::time::sleep(left.map_or(pause, |left| pause.min(left))).await;
                }
                Err(conflict) => return self.taken(&conflict),
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return self.end(trouble.as_deref());
            }
        }
    }

    /// One poll. `left` is how long there is.
    async fn look(&self, left: Option<Duration>) -> Result<Page, PollError> {
        let left = left.unwrap_or(Duration::MAX);
        if self.waiting {
            tokio::time::sleep(LOOK_AGAIN.min(left)).await;
        }
        let poll = Poll {
            from: self.from,
            wait: if self.waiting { Duration::ZERO } else { left },
            kinds: self.kinds.clone(),
        };
        self.client.poll(&poll).await
    }

    /// Prints what is new; says whether there was a chat.
    fn show(&mut self, page: &Page) -> Result<bool, Failure> {
        if self.args.confirm {
            self.from = page.last.map(|last| last.saturating_add(1)).or(self.from);
        }
        self.waiting = page.updates > 0 && !self.args.confirm;
        if self.waiting && page.updates >= MOST_UPDATES && !self.full {
            self.full = true;
            log::tell(words::FULL);
        }
        let new = self.listing.take(page);
        super::print(new.text.as_bytes())?;
        Ok(new.chats > 0)
    }

    /// The updates are another program's.
    fn taken(&self, conflict: &PollError) -> Result<(), Failure> {
        let words = match conflict {
            PollError::Webhook => words::webhook("another program"),
            _ => words::other_poller(self.bot),
        };
        if self.listing.shown() > 0 {
            log::tell(&words);
            return self.end(None);
        }
        Err(Failure::Running(words))
    }

    /// The time is over.
    fn end(&self, trouble: Option<&str>) -> Result<(), Failure> {
        match self.listing.first() {
            Some(name) => {
                log::tell(&words::next(name));
                Ok(())
            }
            None => Err(Failure::Running(words::nothing(
                self.bot,
                self.args.wait,
                trouble,
            ))),
        }
    }
}

/// Says what fails, unless that is what was said last.
fn tell(trouble: &mut Option<String>, outcome: &Outcome) {
    let why = words::why(outcome);
    if trouble.as_ref() != Some(&why) {
        log::tell(&format!("Telegram cannot be asked now, trying again: {why}"));
        *trouble = Some(why);
    }
}
