//! Starting, and stopping along the road.

use std::collections::BTreeMap;
use std::mem::take;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded, unbounded};
use tokio::sync::{oneshot, watch};

use crate::config;
use crate::failpoint::{self, Point};
use crate::incident::{Incidents, LedgerLine};
use crate::model::{FoundCount, Now, RuleName, State};
use crate::scan::ScanError;
use crate::store::Store;
use crate::tail::{Mode, Waker};
use crate::telegram::BotLimits;

use super::clock::Clock;
use super::control::{self, Control};
use super::counts::Counts;
use super::courier::Courier;
use super::courier::lanes::Lanes;
use super::ends::Ends;
use super::heartbeat::{self, Heart};
use super::herald::{self, Herald, Pulse, Success};
use super::http;
use super::ledger::{Ask, BATCHES, Batch, Closed, Ledger, LedgerError, Places};
use super::messenger::Messenger;
use super::reader::{Reader, Start};
use super::reload::{self, News, Proposal, Watched, Watching};
use super::tally::Lens;

/// What is due when the program is told to stop is delivered within this; Docker kills after 10 s.
const GRACE: Duration = Duration::from_secs(8);
/// The last commit may take this much longer.
const LAST_COMMIT: Duration = Duration::from_secs(1);
/// `run --once` gives up after this long.
const ONCE: Duration = Duration::from_mins(5);
/// Everything [`run`] needs.
pub struct Plan {
    /// rules.toml, checked.
    pub settings: config::Settings,
    /// Where state is kept.
    pub store: Store,
    /// What it held when it was opened.
    pub state: State,
    /// No state was found: files may be followed from their end.
    pub fresh: bool,
    /// Pieces of the state that were damaged and set aside.
    pub set_aside: usize,
    /// The state is older than the last run left it.
    pub rolled_back: bool,
    /// Where messages go.
    pub messenger: Arc<dyn Messenger>,
    /// Forever, or once.
    pub mode: Mode,
    /// Where `status.json` and `control.sock` are kept; absent when state is kept nowhere.
    pub folder: Option<PathBuf>,
    /// The rules.toml that is watched while it runs; absent: what was read at the start holds to the end.
    pub watched: Option<Watched>,
    /// Where `/healthz`, `/readyz` and `/metrics` are served; absent: nowhere.
    pub listen: Option<TcpListener>,
    /// Whether heartbeats are sent where rules.toml asks for them: those of a run that delivers for good.
    pub heartbeats: bool,
    /// Ends the run when it completes, beside the signals; for programs that stop by themselves.
    pub stop: Option<oneshot::Receiver<()>>,
}

impl Plan {
    /// What the run can say of its start.
    fn start(&self) -> Start {
        Start {
            rules: self.settings.incident.rules.len(),
            fresh: self.fresh,
            set_aside: self.set_aside,
            rolled_back: self.rolled_back,
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The account of every match.
    pub ledger: Vec<LedgerLine>,
    /// All there was to read was read: it was a single pass, or stdin was all, and ended.
    pub ended: bool,
    /// If so, or if that was asked for: whether everything deliverable was delivered in time.
    pub drained: bool,
    /// How many matches wait because Telegram refused their chat or the token.
    pub refused: u64,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The patterns do not compile together.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The ledger gave up.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A thread could not be started, or signals cannot be heard.
    #[error("the system refused a thread or a signal handler: {0}")]
    System(#[from] std::io::Error),
    /// The disk did not take the last commit in time.
    #[error(
        "the state could not be written before the end; what was not stored is read and sent again at the next start"
    )]
    Unwritten,
    /// A thread panicked; the panic was logged where it happened.
    #[error("the {0} thread died; this is a bug in tailgram")]
    Died(&'static str),
}

/// Follows, matches and alerts until a signal, the plan's own stop, or the end of its single pass.
pub fn run(plan: Plan) -> Result<Summary, EngineError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // First of all: a process that is told to end while it starts ends in good order too.
        let signals = Signals::listen()?;
        Engine::start(plan)?.finish(signals).await
    })
}

/// Those who say how it is.
struct Voices {
    /// Keeps `status.json`; dropping the sender ends it.
    herald: Option<herald::AtWork>,
    /// Where other commands ask; absent when state is kept nowhere, or no socket could be made.
    control: Option<control::Server>,
    /// Where scrapers ask, if somebody wants them to.
    http: Option<http::Server>,
    /// Tells somebody far away, if rules.toml says whom.
    heart: Option<Heart>,
}

impl Voices {
    fn start(
        folder: Option<&Path>,
        listen: Option<TcpListener>,
        heartbeats: Option<heartbeat::Way>,
        senses: herald::Senses,
        counts: &Counts,
    ) -> std::io::Result<Self> {
        let roster = senses.roster.clone();
        let asked = listen.is_some() || heartbeats.is_some();
        let (reports, herald) = Herald::start(folder.map(Path::to_owned), asked, senses);
        let heart = heartbeats.map(|way| Heart::start(way, &reports, &roster, counts));
        Ok(Self {
            herald,
            heart,
            http: http::Server::start(listen, reports.clone(), counts.clone())?,
            control: control::Server::start(folder, Control::new(roster, reports)),
        })
    }
}

/// All that runs.
struct Engine {
    reader: Thread<()>,
    ledger: Thread<Result<Closed, LedgerError>>,
    /// Absent where rules.toml is not watched.
    reload: Option<Watching>,
    lanes: Lanes,
    asks: Sender<Ask>,
    stopping: watch::Sender<bool>,
    stop_reading: Arc<AtomicBool>,
    waker: Waker,
    once: bool,
    /// The reader came to its end before anybody asked it to.
    ended: bool,
    voices: Voices,
    stop: Option<oneshot::Receiver<()>>,
}

impl Engine {
    /// Every thread, task and channel there is.
    fn start(plan: Plan) -> Result<Self, EngineError> {
        let start = plan.start();
        let Plan {
            settings,
            mut state,
            mode,
            folder,
            ..
        } = plan;
        let clock = Clock::start();
        let mut draw = fastrand::Rng::new();
        let (batch_sender, batches) = bounded::<Batch>(BATCHES);
        // Every lane has one question in it at most, and everybody else one or two.
        let (asks, ask_receiver) = unbounded();
        let (stopping, stopping_receiver) = watch::channel(false);
        let (stop_reading, waker) = (Arc::new(AtomicBool::new(false)), Waker::new());

        let lens = Lens::compile(&settings.message, &settings.logs, &settings.incident)?;
        // What the incidents hold is not held twice, so they get the state; what others need of it is taken out first.
        let (known, seen) = (take(&mut state.positions), take(&mut state.logs_seen));
        let (turn, found, gaps) = (state.turn, take(&mut state.found), take(&mut state.gaps));
        let incidents = incidents(&settings, state, clock.now(), draw.fork());
        let (pulse, success, counts) = (Pulse::default(), Success::default(), Counts::default());
        let courier = Courier {
            asks: asks.clone(),
            messenger: plan.messenger,
            bot: Arc::new(BotLimits::new()),
            clock,
            success: success.clone(),
            counts: counts.clone(),
            stopping: stopping_receiver,
        };
        let lanes = lanes(courier, &settings, &incidents, &mut draw);
        let senses = herald::Senses {
            clock,
            asks: asks.clone(),
            pulse: pulse.clone(),
            success,
            roster: lanes.roster(),
        };
        let proxy = settings.telegram.proxy.clone();
        let heartbeats = plan.heartbeats.then_some(heartbeat::Way { proxy });
        let voices = Voices::start(folder.as_deref(), plan.listen, heartbeats, senses, &counts)?;
        let (reload, changes) = Watching::start(
            plan.watched,
            reload::Sources {
                settings: &settings,
                folder,
                waker: &waker,
                asks: &asks,
                pulse: &pulse,
                counts: &counts,
                clock,
            },
        )?;
        let reader = Reader {
            ends: Ends::new(&settings.tail, &settings.incident),
            lens,
            tail: settings.tail,
            known,
            seen,
            mode,
            batches: batch_sender,
            stop: stop_reading.clone(),
            waker: waker.clone(),
            clock,
            draw: draw.fork(),
            pulse,
            counts: counts.clone(),
            changes,
            // A single pass says nothing of itself: it may be made every minute.
            start: (mode == Mode::Forever).then_some(start),
        };
        let ledger = Ledger {
            incidents,
            store: plan.store,
            turn,
            found: totals(found),
            gaps: gaps.into(),
            message: settings.message,
            clock,
            counts,
            batches,
            asks: ask_receiver,
            lanes: lanes.wakes(),
            places: Places::new(&settings.telegram.chats),
            once: mode == Mode::Once,
            forgetful: start.rolled_back,
            caught_up: false,
            unwritten: None,
        };
        Ok(Self {
            reader: Thread::spawn("reader", || reader.run())?,
            ledger: Thread::spawn("ledger", || ledger.run())?,
            reload,
            lanes,
            asks,
            stopping,
            stop_reading,
            waker,
            once: mode == Mode::Once,
            ended: false,
            voices,
            stop: plan.stop,
        })
    }

    /// Waits for the end and stops along the road: reading first, delivery last.
    async fn finish(mut self, mut signals: Signals) -> Result<Summary, EngineError> {
        let mut stop = std::pin::pin!(wait_for(self.stop.take()));
        let early = loop {
            tokio::select! {
                () = signals.next() => break None,
                () = &mut stop => break None,
                news = reload::news(&mut self.reload) => match news? {
                    News::Proposal(Proposal { chats, health, lanes }) => {
                        self.lanes.adopt(&chats, health);
                        // A thread that went away needs no answer.
                        drop(lanes.send(self.lanes.wakes()));
                    }
                    News::HungUp => break None,
                },
                end = self.reader.ended() => break Some(end),
                // Else it is that of a chat which left rules.toml.
                fine = self.lanes.ended() => if !fine {
                    return Err(self.death_of_a_lane().await);
                },
                end = self.ledger.ended() => {
                    end?;
                    return Err(self.ledger.join().err().unwrap_or(EngineError::Died("ledger")));
                }
            }
        };
        // Nothing changes any more; the thread ends by itself.
        drop(self.reload.take());
        let drained = match early {
            // A single pass that was stopped did not do its work.
            None => !self.once,
            Some(end) => {
                end?;
                // The reader of a ledger that is gone ends too; then the ledger says why.
                self.ended = true;
                tokio::select! {
                    drained = self.drained() => drained,
                    () = signals.next() => false,
                }
            }
        };
        let exit_now = tokio::spawn(async move {
            signals.next().await;
            tracing::warn!(
                "stopped by a second signal; what was not delivered is taken up at the next start"
            );
            std::process::exit(1);
        });
        let summary = self.stop_along_the_road(drained).await;
        exit_now.abort();
        summary
    }

    /// A lane dies only if it panicked, or if the ledger is gone: then the ledger knows why.
    async fn death_of_a_lane(mut self) -> EngineError {
        let ended = tokio::time::timeout(LAST_COMMIT, self.ledger.ended()).await;
        if let Ok(Err(died)) = ended {
            return died;
        }
        let ledger = self.ledger.handle.is_finished().then(|| self.ledger.join());
        match ledger {
            Some(Ok(Err(error))) => error.into(),
            Some(Err(died)) => died,
            Some(Ok(Ok(_))) | None => EngineError::Died("courier"),
        }
    }

    async fn drained(&mut self) -> bool {
        let (reply, answer) = oneshot::channel();
        if self.asks.try_send(Ask::Drained { reply }).is_err() {
            return false;
        }
        matches!(tokio::time::timeout(ONCE, answer).await, Ok(Ok(())))
    }

    async fn stop_along_the_road(mut self, drained: bool) -> Result<Summary, EngineError> {
        // What reads no more is not well any more.
        drop(self.voices.heart.take());
        self.stop_reading.store(true, Ordering::Release);
        self.waker.wake();
        let deadline = tokio::time::Instant::now() + GRACE;
        let reader = tokio::time::timeout_at(deadline, self.reader.ended()).await;
        failpoint::reach(Point::ShutdownDrain);
        self.stopping.send_replace(true);
        if tokio::time::timeout_at(deadline, self.lanes.all_ended())
            .await
            .is_err()
        {
            tracing::warn!("a request was still under way; its message may repeat after the next start");
        }
        self.lanes.shut_down().await;
        failpoint::reach(Point::ShutdownDrain);
        if let Ok(end) = reader {
            end?;
        }
        // While the ledger lives it holds the lock of the folder, and the name of the socket is ours.
        if let Some(control) = self.voices.control.take() {
            control.close().await;
        }
        if let Some(http) = self.voices.http.take() {
            http.close().await;
        }
        let herald = self.voices.herald.take().map(|(end, herald)| {
            drop(end);
            herald
        });
        // The ledger may be gone; then its end says why.
        drop(self.asks.send(Ask::Stop));
        let last = deadline + LAST_COMMIT;
        let ledger = tokio::time::timeout_at(last, self.ledger.ended());
        // A state volume that hangs must not hold up the end.
        let status_gone = async {
            if let Some(herald) = herald {
                let _ = tokio::time::timeout_at(last, herald).await;
            }
        };
        match tokio::join!(ledger, status_gone).0 {
            Ok(end) => end?,
            Err(_) => return Err(EngineError::Unwritten),
        }
        let closed = self.ledger.join()??;
        Ok(Summary {
            ended: self.ended,
            ledger: closed.ledger,
            drained,
            refused: closed.refused,
        })
    }
}

async fn wait_for(stop: Option<oneshot::Receiver<()>>) {
    let asked = match stop {
        Some(stop) => stop.await.is_ok(),
        None => false,
    };
    // A sender that was dropped never asks for anything.
    if !asked {
        std::future::pending::<()>().await;
    }
}

/// The incidents that the store holds, in chats that are where rules.toml says.
fn incidents(settings: &config::Settings, state: State, now: Now, draw: fastrand::Rng) -> Incidents {
    let mut incidents = Incidents::restore(&settings.incident, state, now, draw);
    let chats = settings.telegram.chats.iter();
    incidents.locate(chats.map(|chat| (&chat.name, &chat.target)));
    incidents
}

/// What each rule found.
fn totals(found: Vec<FoundCount>) -> BTreeMap<RuleName, u64> {
    let found = found.into_iter();
    found.map(|count| (count.rule, count.found)).collect()
}

/// One lane per chat, and the bot's introduction, whose result is a line in the log.
fn lanes(
    courier: Courier,
    settings: &config::Settings,
    incidents: &Incidents,
    draw: &mut fastrand::Rng,
) -> Lanes {
    let messenger = courier.messenger.clone();
    tokio::spawn(async move { messenger.introduce().await });
    let chats = &settings.telegram.chats;
    Lanes::open(
        courier,
        chats,
        settings.health.clone(),
        incidents.chats(),
        draw.fork(),
    )
}

/// A plain thread whose end can be waited for, a panic included.
pub(super) struct Thread<T> {
    name: &'static str,
    handle: std::thread::JoinHandle<T>,
    /// Hears from the thread when its work is done; dropped unheard if it panicked.
    done: oneshot::Receiver<()>,
    /// Whether it ended by finishing its work; absent while it runs.
    finished: Option<bool>,
}

impl<T: Send + 'static> Thread<T> {
    pub(super) fn spawn(
        name: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, done) = oneshot::channel::<()>();
        let handle = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let result = work();
            // Nobody listens any more only when the program is ending anyway.
            let _ = sender.send(());
            result
        })?;
        Ok(Self {
            name,
            handle,
            done,
            finished: None,
        })
    }

    /// Completes when the thread has ended, with an error if it panicked; may be asked again then.
    pub(super) async fn ended(&mut self) -> Result<(), EngineError> {
        if self.finished.is_none() {
            self.finished = Some((&mut self.done).await.is_ok());
        }
        // The word comes a moment before the thread counts as finished.
        while !self.handle.is_finished() {
            tokio::task::yield_now().await;
        }
        match self.finished {
            Some(true) => Ok(()),
            _ => Err(EngineError::Died(self.name)),
        }
    }

    fn join(self) -> Result<T, EngineError> {
        self.handle.join().map_err(|_| EngineError::Died(self.name))
    }
}

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
