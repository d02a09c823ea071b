//! The ledger thread: the one owner of the incidents and of the store.
//!
//! A turn: take what is waiting, apply it to the pure state, **one** commit, reply, wake the lanes. A reply
//! never leaves before the commit it depends on: that is what makes an attempt found after a crash mean
//! "may have arrived", and a settled one mean "arrived".
//!
//! While the disk takes no commit, the delta that failed waits here and is tried again every second, the same as
//! it was, for part of it may be there already. No batch is taken meanwhile, so reading pauses and nothing new can
//! be owed; but what is owed is still sent. New messages say then that they may repeat, since a crash would forget
//! them, and what becomes of them stays with the rows, which are marked for the commit after the one that waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Select, TryRecvError};
use tokio::sync::{Notify, oneshot};

use crate::failpoint::{self, Later, Point};
use crate::incident::{Class, Incidents, LedgerLine, Order, OrderCall, Render, Settled, Subject, Way};
use crate::message;
use crate::model::{
    AttemptId, Card, ChatName, Delta, FileKey, FoundCount, Gap, HostDelta, LogName, Moment, Notice,
    NoticeCard, Now, Outcome, Position, Rendered, Row, RuleName, Slowed, Text, Timestamp, TurnNo,
};
use crate::store::{CommitError, Store};
use crate::telegram::ChatSettings;

use super::clock::Clock;
use super::counts::Counts;
use super::status::{Books, Found, OpenIncident};

mod adopt;
mod pace;

pub(super) use adopt::{Adoption, Due, Places};

use self::pace::Pace;

/// So many turns of the reader may wait for the ledger; then the reader waits, and the log file is the
/// buffer.
pub(super) const BATCHES: usize = 4;
/// So many gaps are shown by `status`.
const GAPS: usize = 100;
/// How often a commit that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// When the disk took nothing for less than this, nobody is told.
const HITCH: Duration = Duration::from_secs(3);

/// What the reader learned in one turn: it stands or falls together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) positions: Vec<Position>,
    pub(super) forgotten: Vec<FileKey>,
    pub(super) logs_seen: Vec<LogName>,
    pub(super) gaps: Vec<Gap>,
    pub(super) rows: Vec<Row>,
    pub(super) found: BTreeMap<RuleName, u64>,
    pub(super) notices: Vec<Notice>,
    /// Which logs of rules with `absent` had been read to their ends, and when.
    pub(super) read: Option<(Moment, Vec<LogName>)>,
    /// Other settings are in force from here on.
    pub(super) adoption: Option<Box<Adoption>>,
    /// For the first time, everything that there was to read is read. Only said after commits were lost.
    pub(super) caught_up: bool,
    /// Nothing will ever come any more.
    pub(super) over: bool,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.positions.is_empty()
            && self.forgotten.is_empty()
            && self.logs_seen.is_empty()
            && self.gaps.is_empty()
            && self.rows.is_empty()
            && self.notices.is_empty()
            && self.read.is_none()
            && self.adoption.is_none()
            && !self.caught_up
            && !self.over
    }
}

/// Where a chat is, by the settings in force; absent for one that they do not have yet.
pub(super) type Place = Option<Arc<ChatSettings>>;

/// An order, and where the chat is that it is for.
pub(super) type Taken = Option<(Order, Place)>;

/// What others want of the ledger. Each carries where its answer goes.
#[derive(Debug)]
pub(super) enum Ask {
    /// What is this chat owed now?
    Due {
        chat: ChatName,
        reply: oneshot::Sender<(Due, Place)>,
    },
    /// Begin the most urgent request of this class or a more urgent one.
    Take {
        chat: ChatName,
        class: Class,
        reply: oneshot::Sender<Taken>,
    },
    /// This became of it.
    Settle {
        subject: Subject,
        attempt: AttemptId,
        outcome: Outcome,
        retry: Duration,
        slowed: Option<Slowed>,
        reply: oneshot::Sender<Settled>,
    },
    /// How does a message by hand reach this chat now?
    Way {
        chat: ChatName,
        reply: oneshot::Sender<Way>,
    },
    /// This became of it. It belongs to no delivery.
    Heard {
        chat: ChatName,
        outcome: Outcome,
        retry: Duration,
        slowed: Option<Slowed>,
        reply: oneshot::Sender<()>,
    },
    /// What do the books say? For `status`.
    Books { reply: oneshot::Sender<Books> },
    /// Say this to those who hear notices.
    Tell { notice: Notice },
    /// Answer when nothing that can be delivered is pending any more.
    Drained { reply: oneshot::Sender<()> },
    /// Nothing more will be asked: the ledger ends with its last commit.
    Stop,
}

/// Why the ledger thread ended early.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store refuses what follows from what it said itself.
    #[error(transparent)]
    Store(#[from] CommitError),
}

/// The thread's state.
pub(super) struct Ledger {
    pub(super) incidents: Incidents,
    pub(super) store: Store,
    pub(super) turn: TurnNo,
    pub(super) found: BTreeMap<RuleName, u64>,
    /// The newest gaps, oldest first; at most [`GAPS`].
    pub(super) gaps: VecDeque<Gap>,
    pub(super) message: message::Settings,
    pub(super) clock: Clock,
    pub(super) counts: Counts,
    pub(super) batches: Receiver<Batch>,
    pub(super) asks: Receiver<Ask>,
    /// Wakes the lanes: one permit each, so no change is missed by a lane that is busy.
    pub(super) lanes: Vec<Arc<Notify>>,
    /// Where the chats are.
    pub(super) places: Places,
    /// `run --once`, or all there was to read has ended: `wait` is cut short as soon as the reader is done.
    pub(super) once: bool,
    /// The state lost commits, and what they told is told again: new messages say that they may repeat, until everything
    /// that was there at the start is read and told.
    pub(super) forgetful: bool,
    /// Everything that was there at the start is read.
    pub(super) caught_up: bool,
    /// What the disk did not take.
    pub(super) unwritten: Option<Unwritten>,
}

/// A delta that the disk did not take yet.
pub(super) struct Unwritten {
    delta: Delta,
    since: Moment,
    /// When it is tried again.
    again: Instant,
}

/// The `message` room, as the incidents know it.
struct Pages<'a>(&'a message::Settings);

impl Render for Pages<'_> {
    fn incident(&mut self, card: &Card<'_>) -> Rendered {
        message::render(self.0, card)
    }

    fn notices(&mut self, card: &NoticeCard<'_>) -> Text {
        message::notices(self.0, card)
    }
}

/// Where a test may end the process after this outcome.
fn settle_points(outcome: &Outcome, later: &mut Later) {
    later.add(Point::AfterSettleCommit);
    match outcome {
        Outcome::Moved { .. } => {
            failpoint::reach(Point::Migrate);
            later.add(Point::Migrate);
        }
        Outcome::Wait { .. } => later.add(Point::RetryAfterCommit),
        _ => {}
    }
}

/// One turn under construction.
#[derive(Default)]
struct Turn {
    host: HostDelta,
    /// Sent once the commit is done.
    takes: Vec<(Taken, oneshot::Sender<Taken>)>,
    settles: Vec<(Settled, oneshot::Sender<Settled>)>,
    heard: Vec<oneshot::Sender<()>>,
    /// Whether the lanes may find something new.
    news: bool,
    stop: bool,
    /// Where a test may end the process once this turn is committed.
    points: Later,
}

/// What the thread hands back when it ends.
pub(super) struct Closed {
    /// The account of every match, from the rows.
    pub(super) ledger: Vec<LedgerLine>,
    /// Matches that wait for a chat or a token that was refused.
    pub(super) refused: u64,
}

impl Ledger {
    /// Runs until [`Ask::Stop`].
    pub(super) fn run(mut self) -> Result<Closed, LedgerError> {
        let mut reading = true;
        let mut drained: Vec<oneshot::Sender<()>> = Vec::new();
        let mut pace = Pace::default();
        // What a restart changed (attempts that may have arrived, removed rules) is the first turn.
        self.commit(&HostDelta::default())?;
        loop {
            let mut turn = Turn::default();
            // Read before anything is taken: a batch lets time pass too, and what ended by that is news.
            let before = self.incidents.next_tick();
            self.wait(&mut turn, &mut reading, &mut drained, self.next_turn());
            // What arrives until the next commit may be made is in it.
            while let Some(until) = pace.wait_until(Instant::now()).filter(|_| !turn.stop) {
                self.wait(&mut turn, &mut reading, &mut drained, Some(until));
            }
            self.incidents.tick(self.clock.now());
            turn.news |= before != self.incidents.next_tick();
            let host = std::mem::take(&mut turn.host);
            let was_unwritten = self.unwritten.is_some();
            if !turn.settles.is_empty() {
                failpoint::reach(Point::BeforeSettleCommit);
            }
            if self.commit(&host)? {
                std::mem::take(&mut turn.points).reach();
                pace.committed(Instant::now());
            }
            if self.unwritten.is_some() && !was_unwritten {
                self.withdraw_messages(&mut turn);
            }
            let stop = turn.stop;
            turn.news |= was_unwritten && self.unwritten.is_none();
            self.reply(turn);
            self.remember_again();
            self.tell_drained(&mut drained, reading);
            if stop {
                self.write_at_last()?;
                return Ok(Closed {
                    ledger: self.incidents.ledger(),
                    refused: self.incidents.refused(self.clock.now()),
                });
            }
        }
    }

    /// Waits for the next thing, or the deadline, and takes all that is waiting.
    fn wait(
        &mut self,
        turn: &mut Turn,
        reading: &mut bool,
        drained: &mut Vec<oneshot::Sender<()>>,
        until: Option<Instant>,
    ) {
        let mut select = Select::new();
        let asks = select.recv(&self.asks);
        if *reading && self.unwritten.is_none() {
            select.recv(&self.batches);
        }
        let ready = match until {
            Some(until) => select
                .ready_deadline(until)
                .map_err(|_| RecvTimeoutError::Timeout),
            None => Ok(select.ready()),
        };
        if ready.is_err() {
            return;
        }
        debug_assert_eq!(asks, 0, "asks were registered first");
        self.take_batches(turn, reading);
        self.take_asks(turn, drained);
    }

    fn take_batches(&mut self, turn: &mut Turn, reading: &mut bool) {
        // So many at once; a lane's question must not wait until a whole backlog is read.
        for _ in 0..BATCHES {
            if !*reading || self.unwritten.is_some() {
                return;
            }
            match self.batches.try_recv() {
                Ok(batch) => self.apply(turn, batch),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    *reading = false;
                    if self.once {
                        self.incidents.cut_wait_short();
                        turn.news = true;
                    }
                }
            }
        }
    }

    fn apply(&mut self, turn: &mut Turn, batch: Batch) {
        if let Some(adoption) = batch.adoption {
            self.adopt(*adoption, self.clock.now());
            turn.points.add(Point::ConfigSwap);
            turn.news = true;
        }
        self.caught_up |= batch.caught_up;
        self.once |= batch.over;
        turn.host.positions.extend(batch.positions);
        turn.host.forgotten.extend(batch.forgotten);
        turn.host.logs_seen.extend(batch.logs_seen);
        self.gaps.extend(batch.gaps.iter().cloned());
        self.gaps.drain(..self.gaps.len().saturating_sub(GAPS));
        for gap in &batch.gaps {
            self.counts.gap(gap.kind);
        }
        turn.host.gaps.extend(batch.gaps);
        for (rule, found) in batch.found {
            let total = self.found.entry(rule.clone()).or_default();
            *total += found;
            turn.host.found.push(FoundCount { rule, found: *total });
        }
        turn.news |= !batch.rows.is_empty() || !batch.notices.is_empty();
        let now = self.clock.now();
        self.incidents.apply(batch.rows, now);
        if let Some((at, logs)) = &batch.read {
            turn.news |= self.incidents.read_to_end(logs, *at, now);
        }
        for notice in &batch.notices {
            self.incidents.notice(notice, now);
            failpoint::reach(Point::Notice);
            turn.points.add(Point::Notice);
        }
    }

    fn take_asks(&mut self, turn: &mut Turn, drained: &mut Vec<oneshot::Sender<()>>) {
        while let Ok(ask) = self.asks.try_recv() {
            let now = self.clock.now();
            match ask {
                // A lane that went away meanwhile needs no answer; here and below.
                Ask::Due { chat, reply } => {
                    let due = self.due(&chat, now);
                    let _ = reply.send((due, self.places.of(&chat)));
                }
                Ask::Take { chat, class, reply } => {
                    let unwritten = self.unwritten.is_some() || self.forgetful;
                    let pages = &mut Pages(&self.message);
                    let order = self.incidents.take(&chat, class, unwritten, now, pages);
                    if order.is_some() {
                        turn.points.add(Point::AfterAttemptCommit);
                    }
                    let place = self.places.of(&chat);
                    turn.takes.push((order.map(|order| (order, place)), reply));
                }
                Ask::Settle {
                    subject,
                    attempt,
                    outcome,
                    retry,
                    slowed,
                    reply,
                } => {
                    self.incidents.slow_down(subject.chat(), slowed);
                    let settled = self.incidents.settle(&subject, attempt, &outcome, retry, now);
                    // Another chat may have to be told what became of this one.
                    turn.news |= !matches!(outcome, Outcome::Sent { .. });
                    settle_points(&outcome, &mut turn.points);
                    turn.settles.push((settled, reply));
                }
                Ask::Way { chat, reply } => {
                    let _ = reply.send(self.incidents.way(&chat, now));
                }
                Ask::Heard {
                    chat,
                    outcome,
                    retry,
                    slowed,
                    reply,
                } => {
                    self.incidents.slow_down(&chat, slowed);
                    self.incidents.hear(&chat, &outcome, retry, now);
                    // Another chat may have to be told what became of this one.
                    turn.news = true;
                    turn.heard.push(reply);
                }
                Ask::Books { reply } => {
                    let _ = reply.send(self.books(now));
                }
                Ask::Tell { notice } => {
                    self.incidents.notice(&notice, now);
                    turn.news = true;
                }
                Ask::Drained { reply } => drained.push(reply),
                Ask::Stop => turn.stop = true,
            }
        }
    }

    /// Writes what changed, after what the disk did not take before; returns whether anything was written.
    fn commit(&mut self, host: &HostDelta) -> Result<bool, CommitError> {
        let early = |unwritten: &Unwritten| unwritten.again > Instant::now();
        if self.unwritten.as_ref().is_some_and(early) {
            return Ok(false);
        }
        if let Some(Unwritten { delta, since, .. }) = self.unwritten.take()
            && !self.write(delta, Some(since))?
        {
            return Ok(false);
        }
        let mut delta = Delta {
            host: host.clone(),
            ledger: self.incidents.changes(self.clock.now()),
        };
        delta.host.found_gone = self.forget_found();
        if delta == Delta::default() {
            return Ok(false);
        }
        self.write(delta, None)
    }

    /// Writes a delta, or keeps it where the disk does not take it; `since` is when it was tried first.
    fn write(&mut self, delta: Delta, since: Option<Moment>) -> Result<bool, CommitError> {
        failpoint::reach(Point::BeforeCommit);
        let began = Instant::now();
        match self.store.commit(self.turn, &delta) {
            Ok(turn) => {
                failpoint::reach(Point::AfterCommit);
                self.counts.commit(began.elapsed());
                if let Some(since) = since {
                    tracing::info!("the state is written again; reading goes on");
                    self.tell_unwritten(since);
                }
                self.turn = turn;
                Ok(true)
            }
            Err(error @ (CommitError::MovedOn { .. } | CommitError::Damaged(_))) => {
                tracing::error!(%error, "the state cannot be used any more");
                Err(error)
            }
            Err(error) => {
                if since.is_none() {
                    tracing::error!(%error, "reading pauses until the state can be written");
                }
                self.unwritten = Some(Unwritten {
                    delta,
                    since: since.unwrap_or_else(|| self.clock.now().moment),
                    again: Instant::now() + RETRY,
                });
                Ok(false)
            }
        }
    }

    /// The disk takes what is stored again: what was written to the logs meanwhile is only read now.
    fn tell_unwritten(&mut self, since: Moment) {
        let now = self.clock.now();
        let lasted = now.moment - since;
        if lasted >= HITCH {
            let lasted = i64::try_from(lasted.as_millis()).unwrap_or(i64::MAX);
            let from = Timestamp(now.wall.0.saturating_sub(lasted));
            let notice = Notice::Unwritten { from, to: now.wall };
            self.incidents.notice(&notice, now);
        }
    }

    /// The last commit. Whoever waits for the end knows how long it may take.
    fn write_at_last(&mut self) -> Result<(), CommitError> {
        while self.unwritten.is_some() {
            std::thread::sleep(RETRY);
            self.commit(&HostDelta::default())?;
        }
        Ok(())
    }

    /// New messages whose attempts the disk did not take do not say that they may repeat: they are begun once more.
    fn withdraw_messages(&mut self, turn: &mut Turn) {
        let now = self.clock.now();
        for (order, _) in &mut turn.takes {
            let new = |(order, _): &mut (Order, Place)| matches!(order.call, OrderCall::Send { .. });
            if let Some((order, _)) = order.take_if(new) {
                self.incidents.withdraw(&order.subject, order.attempt, now);
            }
        }
    }

    /// What the lost commits told is told again.
    fn remember_again(&mut self) {
        if self.forgetful && self.caught_up && self.incidents.undelivered(self.clock.now()) == 0 {
            self.forgetful = false;
            tracing::info!(
                "what happened since the lost commits is told; messages no longer say that they may repeat"
            );
        }
    }

    /// Forgets what rules found that are long gone.
    fn forget_found(&mut self) -> Vec<RuleName> {
        let incidents = &self.incidents;
        let forgotten = self.found.extract_if(.., |rule, _| !incidents.knows(rule));
        forgotten.map(|(rule, _)| rule).collect()
    }

    fn reply(&self, turn: Turn) {
        for (order, reply) in turn.takes {
            let _ = reply.send(order);
        }
        for (settled, reply) in turn.settles {
            let _ = reply.send(settled);
        }
        for reply in turn.heard {
            let _ = reply.send(());
        }
        if turn.news {
            for lane in &self.lanes {
                lane.notify_one();
            }
        }
    }

    fn tell_drained(&self, drained: &mut Vec<oneshot::Sender<()>>, reading: bool) {
        if !reading && !drained.is_empty() && self.incidents.undelivered(self.clock.now()) == 0 {
            for reply in drained.drain(..) {
                let _ = reply.send(());
            }
        }
    }

    fn books(&self, now: Now) -> Books {
        let found = |(rule, found): (&RuleName, &u64)| {
            let (below, waiting) = self.incidents.unopened(rule);
            Found {
                rule: rule.to_string(),
                found: *found,
                below,
                waiting,
                removed: !self.incidents.has(rule),
            }
        };
        Books {
            now,
            incidents: self.incidents.incidents().map(OpenIncident::of).collect(),
            chats: self.incidents.chats().cloned().collect(),
            ledger: self.incidents.ledger(),
            found: self.found.iter().map(found).collect(),
            gaps: self.gaps.iter().cloned().collect(),
            owes: self.incidents.owes(now),
            unwritten_since: self.unwritten.as_ref().map(|unwritten| unwritten.since),
        }
    }

    /// When there is something to do, whatever comes.
    fn next_turn(&self) -> Option<Instant> {
        let tick = self.incidents.next_tick();
        let tick = tick.map(|moment| self.clock.instant(moment));
        let again = self.unwritten.as_ref().map(|unwritten| unwritten.again);
        tick.into_iter().chain(again).min()
    }
}
