//! A Bot API server on loopback that judges requests as Telegram's does.
//!
//! It is an oracle, not a mock: it measures texts, entities and rates by itself and imports nothing from the
//! program under test. A request walks through `server` (sockets) and `call` (token, method), `faults` (what goes wrong on
//! command), `methods` (what it asks for), `judge` with `entities`, `keyboard` and `findings` (whether it may,
//! and what people would see), `chats` and `flood` (whether this chat takes it now), and ends in `journal`,
//! which tests read. `updates` goes the other way: from people to the bot.
//!
//! ```no_run
//! use botapi::{BotApi, ChatConfig, ChatKind, Config, FaultKind};
//!
//! let api = BotApi::spawn(Config::default().chat(ChatConfig::new(-7, ChatKind::Group)));
//! api.faults().once(FaultKind::AnswerLost);
//! // … run the program against api.url() and api.token() …
//! assert_eq!(api.journal().messages(-7).len(), 1);
//! assert_eq!(api.journal().floods(), 0);
//! ```
//!
//! The trap: dropping the handle stops the server, so keep it as long as the program under test runs.

mod call;
mod chats;
mod clock;
mod control;
mod entities;
mod faults;
mod findings;
mod flood;
mod form;
mod journal;
mod judge;
mod keyboard;
mod methods;
mod reply;
mod server;
mod updates;
mod webhook;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};

pub use chats::{ChatConfig, ChatKind, ChatState, Chats};
pub use clock::Clock;
pub use entities::Entity;
pub use faults::{Fault, FaultKind, Faults};
pub use findings::Live;
pub use flood::{LimitConfig, Limits};
pub use journal::{Counts, Document, Journal, Message, Request, Verdict, Version};
pub use updates::Updates;

use chats::ChatTable;
use faults::FaultTable;
use flood::Flood;
use journal::Ledger;
use server::Door;
use updates::Queue;
use wire::Refusal;

/// The token that clients must use unless [`Config::token`] says otherwise.
pub const TOKEN: &str = "4242424242:AAtest-token_of-the-test-bot-server";

/// Most bytes of a document that Telegram's own server takes.
const DOCUMENT_BYTES: u64 = 50_000_000;

/// How a server starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The only right token.
    pub token: String,
    /// The chats that exist at first.
    pub chats: Vec<ChatConfig>,
    /// The flood limits at first.
    pub limits: LimitConfig,
    /// A file to which every request is appended and synced before its answer.
    pub journal: Option<PathBuf>,
    /// What time it is.
    pub clock: Clock,
    /// Seed of the dice behind [`Fault::probability`].
    pub seed: u64,
    /// Most bytes of a document.
    pub document_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token: TOKEN.to_owned(),
            chats: Vec::new(),
            limits: LimitConfig::default(),
            journal: None,
            clock: Clock::real(),
            seed: 1,
            document_bytes: DOCUMENT_BYTES,
        }
    }
}

impl Config {
    /// With one more chat.
    #[must_use]
    pub fn chat(mut self, chat: ChatConfig) -> Self {
        self.chats.push(chat);
        self
    }

    /// With other limits.
    #[must_use]
    pub fn limits(mut self, limits: LimitConfig) -> Self {
        self.limits = limits;
        self
    }

    /// With another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

/// Everything that requests are judged by and that they change.
#[derive(Debug)]
struct World {
    clock: Clock,
    chats: ChatTable,
    flood: Flood,
    faults: FaultTable,
    journal: Ledger,
    updates: Queue,
    document_bytes: u64,
}

impl World {
    /// Counts one message against the limits.
    fn spend(&mut self, chat: &ChatConfig) -> Result<(), Refusal> {
        let now = self.clock.now_ms();
        self.flood.admit(chat.id, chat.kind, now).map_err(Refusal::flood)
    }
}

/// What the server, its connections and the tests' handles share.
#[derive(Debug)]
struct Hall {
    token: String,
    world: Mutex<World>,
    /// Rung when updates come or their queue changes hands.
    news: Notify,
    door: watch::Sender<Door>,
    listening: Mutex<bool>,
    listening_changed: Condvar,
}

type Shared = Arc<Hall>;

impl Hall {
    /// Everything, locked. A test that panicked while holding it does not spoil the others.
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the listener for something.
    fn wish(&self, door: Door) {
        self.door.send_replace(door);
    }

    /// Opens the door again if nobody wished for anything else meanwhile.
    fn open_after(&self, wish: Door) {
        self.door.send_if_modified(|door| {
            let still = *door == wish;
            if still {
                *door = Door::Open;
            }
            still
        });
    }

    /// The listener says whether it listens.
    fn listening(&self, listens: bool) {
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = listens;
        self.listening_changed.notify_all();
    }

    /// Waits until the listener did what was wished.
    fn wait_listening(&self, wanted: bool) {
        let mut listens = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        while *listens != wanted {
            listens = self
                .listening_changed
                .wait(listens)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A running server. Dropping it stops the server.
#[derive(Debug)]
pub struct BotApi {
    hall: Shared,
    addr: SocketAddr,
    runtime: Option<Runtime>,
}

impl BotApi {
    /// Starts a server with threads of its own; it may be called inside and outside of async code.
    ///
    /// # Panics
    /// When no socket, thread or journal file can be had: there is no test without them.
    pub fn spawn(config: Config) -> Self {
        match Self::start(config) {
            Ok(api) => api,
            Err(error) => panic!("the test bot server cannot start: {error}"),
        }
    }

    /// The same, with the error left to the caller.
    pub fn start(config: Config) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("botapi")
            .enable_all()
            .build()?;
        let (door, wishes) = watch::channel(Door::Open);
        let hall = Arc::new(Hall {
            token: config.token.clone(),
            world: Mutex::new(world(config)?),
            news: Notify::new(),
            door,
            listening: Mutex::new(false),
            listening_changed: Condvar::new(),
        });
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(server::run(Arc::clone(&hall), listener, addr, wishes));
        hall.wait_listening(true);
        Ok(Self {
            hall,
            addr,
            runtime: Some(runtime),
        })
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The right token.
    pub fn token(&self) -> &str {
        &self.hall.token
    }

    /// What happened.
    pub fn journal(&self) -> Journal {
        Journal(Arc::clone(&self.hall))
    }

    /// The chats.
    pub fn chats(&self) -> Chats {
        Chats(Arc::clone(&self.hall))
    }

    /// The faults.
    pub fn faults(&self) -> Faults {
        Faults(Arc::clone(&self.hall))
    }

    /// The flood limits.
    pub fn limits(&self) -> Limits {
        Limits(Arc::clone(&self.hall))
    }

    /// What people do.
    pub fn updates(&self) -> Updates {
        Updates(Arc::clone(&self.hall))
    }

    /// Closes the port and every connection; from now on connections are refused. The journal stays.
    pub fn stop(&self) {
        self.hall.wish(Door::Shut);
        self.hall.wait_listening(false);
    }

    /// Listens again on the same port.
    pub fn restart(&self) {
        self.hall.wish(Door::Open);
        self.hall.wait_listening(true);
    }
}

impl Drop for BotApi {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for the threads would panic inside async tests.
            runtime.shutdown_background();
        }
    }
}

fn world(config: Config) -> io::Result<World> {
    let mut chats = ChatTable::default();
    for chat in config.chats {
        chats.set(chat);
    }
    Ok(World {
        clock: config.clock,
        chats,
        flood: Flood::new(config.limits),
        faults: FaultTable::new(config.seed),
        journal: Ledger::open(config.journal.as_deref())?,
        updates: Queue::default(),
        document_bytes: config.document_bytes,
    })
}
