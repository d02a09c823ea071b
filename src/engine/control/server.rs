//! The process's side: accepts, reads one question, answers it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::engine::courier::lanes::Roster;
use crate::engine::courier::letter::{Closed, Door, Fate, Letter, Receipt};
use crate::engine::herald::Listen;
use crate::message;

use super::socket;
use super::wire::{Answer, Ask, ErrorKind, LONGEST, Question, line};

/// So many connections at once.
const CONNECTIONS: usize = 8;
/// A question has to be there within this.
const ASKING: Duration = Duration::from_secs(5);
/// A line of an answer has to be taken within this.
const TAKING: Duration = Duration::from_secs(5);
/// A status has to be made within this; the ledger may be stuck.
const STATUS: Duration = Duration::from_secs(3);
/// The longest patience of a `send`.
const PATIENCE: Duration = Duration::from_mins(1);
/// No connection lasts longer: the longest patience, a request's own deadline, and some more.
const WHOLE: Duration = Duration::from_secs(90);
/// The last answers may take this long when the program ends.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// After the system refused a connection, such as for want of descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// What answers are made of.
#[derive(Clone)]
pub(in crate::engine) struct Control {
    /// The chats, each with the way into its lane.
    roster: watch::Receiver<Arc<Roster>>,
    /// Where a fresh report is asked for.
    reports: Listen,
}

/// A listening socket.
pub(in crate::engine) struct Server {
    folder: PathBuf,
    task: JoinHandle<()>,
    /// Dropped: no further connections.
    open: oneshot::Sender<()>,
}

impl Server {
    /// Listens in the state folder, whose lock is held; not at all if state is kept nowhere. Nothing hangs on it: where
    /// it cannot, the log says so.
    pub(in crate::engine) fn start(folder: Option<&Path>, control: Control) -> Option<Self> {
        let folder = folder?;
        let listener = socket::listener(folder).and_then(UnixListener::from_std);
        let listener = listener
            .inspect_err(|error| {
                tracing::warn!(
                    folder = %folder.display(),
                    %error,
                    "no control.sock: `send` and `status` cannot ask this process; use a state folder on a disk of \
                     this machine"
                );
            })
            .ok()?;
        let (open, closing) = oneshot::channel();
        Some(Self {
            folder: folder.to_owned(),
            task: tokio::spawn(serve(listener, control, closing)),
            open,
        })
    }

    /// Takes the socket away and lets those who still ask hear how it ended. To be called while the folder's lock is
    /// held: later the name may be another process's.
    pub(in crate::engine) async fn close(self) {
        if let Err(error) = socket::remove(&self.folder) {
            tracing::warn!(%error, "control.sock stays behind; the next start replaces it");
        }
        drop(self.open);
        let task = self.task.abort_handle();
        // Whoever is not done by then loses its connection.
        drop(timeout(LAST_WORDS, self.task).await);
        task.abort();
    }
}

/// Accepts until it is closed, then waits for the connections that are left.
async fn serve(listener: UnixListener, control: Control, mut closing: oneshot::Receiver<()>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut closing => break,
        };
        // The results of those that ended; one that panicked was logged where it did.
        while connections.try_join_next().is_some() {}
        match (accepted, places.clone().try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => {
                let control = control.clone();
                connections.spawn(async move {
                    let _place = place;
                    drop(timeout(WHOLE, converse(stream, &control)).await);
                });
            }
            (Ok((stream, _)), Err(_)) => turn_away(&stream),
            (Err(error), _) => {
                tracing::debug!(%error, "control.sock");
                sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// One line, if the system takes it at once.
fn turn_away(stream: &UnixStream) {
    let why = format!("{CONNECTIONS} commands ask this process already; try again in a moment");
    if let Ok(line) = line(&Answer::error(ErrorKind::Busy, why)) {
        drop(stream.try_write(&line));
    }
}

/// One question and its answers.
async fn converse(stream: UnixStream, control: &Control) {
    let allowed = peer(&stream);
    let (reader, writer) = stream.into_split();
    let (mut reader, mut writer) = (BufReader::new(reader), Writer(writer));
    let question = match allowed {
        Ok(()) => question(&mut reader).await,
        Err(refused) => Err(refused),
    };
    let last = match question {
        Ok(None) => return,
        Ok(Some(Ask::Status)) => control.status().await,
        Ok(Some(Ask::Send {
            chat,
            text,
            patience_ms,
        })) => {
            let patience = Duration::from_millis(patience_ms).min(PATIENCE);
            let sending = control.letter(chat.as_deref(), &text, patience);
            match sending {
                Ok(sending) => sending.watch(&mut reader, &mut writer).await,
                Err(refused) => refused,
            }
        }
        Err(refused) => refused,
    };
    writer.say(&last).await;
}

/// Who asks, as the kernel says: our own user, or root, who could read everything anyway.
fn peer(stream: &UnixStream) -> Result<(), Answer> {
    let ours = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == ours || peer.uid() == 0 => Ok(()),
        _ => Err(Answer::error(
            ErrorKind::Denied,
            format!("this process runs as uid {ours} and answers that user and root only"),
        )),
    }
}

/// The question; absent if the asker went away without a byte.
async fn question(reader: &mut BufReader<OwnedReadHalf>) -> Result<Option<Ask>, Answer> {
    let malformed = |why: &str| Err(Answer::error(ErrorKind::Malformed, why));
    let mut line = Vec::new();
    let mut bounded = reader.take(LONGEST as u64);
    match timeout(ASKING, bounded.read_until(b'\n', &mut line)).await {
        Err(_) => malformed("no whole line came within 5 s"),
        Ok(Err(error)) => malformed(&format!("the question broke off: {error}")),
        Ok(Ok(0)) => Ok(None),
        Ok(Ok(_)) if line.last() != Some(&b'\n') => malformed(if line.len() == LONGEST {
            "the question is longer than 64 KiB"
        } else {
            "the question broke off: its line has no end"
        }),
        Ok(Ok(_)) => Question::read(&line).map(|question| Some(question.ask)),
    }
}

/// The asker's end. Who does not listen any more is not spoken to.
struct Writer(OwnedWriteHalf);

impl Writer {
    async fn say(&mut self, answer: &Answer) {
        if let Ok(line) = line(answer) {
            drop(timeout(TAKING, self.0.write_all(&line)).await);
        }
    }
}

impl Control {
    /// Answers with these.
    pub(in crate::engine) fn new(roster: watch::Receiver<Arc<Roster>>, reports: Listen) -> Self {
        Self { roster, reports }
    }

    async fn status(&self) -> Answer {
        let (reply, report) = oneshot::channel();
        let asked = async {
            self.reports.send(reply).await.ok()?;
            report.await.ok()
        };
        match timeout(STATUS, asked).await {
            Ok(Some(report)) => Answer::Status {
                status: Box::new(report.status),
            },
            _ => Answer::error(ErrorKind::NotDone, "this process cannot say how it is right now"),
        }
    }

    /// Hands the words in at the chat's lane.
    fn letter(&self, chat: Option<&str>, words: &str, patience: Duration) -> Result<Sending, Answer> {
        let door = self.door(chat)?;
        let text = message::by_hand(words);
        if text.text.trim().is_empty() {
            let why = "there is nothing to send: the text is empty";
            return Err(Answer::error(ErrorKind::Usage, why));
        }
        let until = Instant::now() + patience;
        let (letter, receipt) = Letter::new(text, until);
        let chat = door.chat.to_string();
        match door.hand_in(letter) {
            Ok(()) => Ok(Sending {
                chat,
                receipt,
                until,
                patience,
            }),
            Err(Closed::Full) => Err(Answer::error(
                ErrorKind::Busy,
                format!("too many messages wait for {chat} already; not sent"),
            )),
            Err(Closed::Ended) => Err(stopping()),
        }
    }

    fn door(&self, chat: Option<&str>) -> Result<Door, Answer> {
        let roster = self.roster.borrow().clone();
        let names: Vec<&str> = roster.doors.iter().map(|door| door.chat.as_str()).collect();
        let names = names.join(", ");
        let found = match (chat, roster.doors.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(format!("there are several chats; name one with --chat: {names}")),
            (Some(chat), doors) => {
                let found = doors.iter().find(|door| door.chat.as_str() == chat);
                found.ok_or_else(|| {
                    format!("the running process has no chat {chat:?} in the rules.toml it runs with; it has {names}")
                })
            }
        };
        found.cloned().map_err(|why| Answer::error(ErrorKind::Usage, why))
    }
}

fn stopping() -> Answer {
    Answer::error(ErrorKind::NotDone, "the running process is ending; not sent")
}

/// A letter on its way, and who waits for it.
struct Sending {
    chat: String,
    receipt: Receipt,
    /// When the patience is over.
    until: Instant,
    patience: Duration,
}

impl Sending {
    /// Tells what happens to the letter; returns its end. It is given up when the patience is over or the asker is
    /// gone. If it is under way at that moment, its outcome is waited for, and it is given up should it come back.
    async fn watch(mut self, reader: &mut BufReader<OwnedReadHalf>, writer: &mut Writer) -> Answer {
        let mut leaving = None;
        loop {
            let news = tokio::select! {
                news = self.receipt.news() => match news {
                    None => return self.lane_ended(),
                    Some(news) => Some(news),
                },
                () = sleep_until(self.until), if leaving.is_none() => {
                    leaving = Some(self.out_of_patience());
                    None
                }
                // Whatever comes now is no part of a question.
                _ = reader.read_u8(), if leaving.is_none() => {
                    leaving = Some(Answer::error(ErrorKind::NotDone, "given up by its sender; not sent"));
                    None
                }
            };
            match news.map_or(Told::Nothing, |news| self.told(news)) {
                Told::End(end) => return end,
                Told::Wait(wait) if leaving.is_none() => writer.say(&wait).await,
                Told::Wait(_) | Told::Nothing => {}
            }
            if let Some(end) = leaving.take_if(|_| self.receipt.give_up()) {
                return end;
            }
        }
    }

    fn told(&self, fate: Fate) -> Told {
        let chat = self.chat.clone();
        Told::End(match fate {
            Fate::Queued => return Told::Nothing,
            Fate::Held { until, why } => {
                return Told::Wait(Answer::Waiting {
                    chat,
                    seconds: until.duration_since(Instant::now()).as_secs_f32(),
                    why,
                });
            }
            Fate::Sent { message_id } => Answer::Sent { chat, message_id },
            Fate::Unsure { why } => unsure(&why),
            Fate::NotSent { why } => Answer::error(ErrorKind::NotDone, why),
        })
    }

    fn out_of_patience(&self) -> Answer {
        let (chat, seconds) = (&self.chat, self.patience.as_secs_f32());
        let why = format!("its turn in {chat} did not come within {seconds} s; not sent");
        Answer::error(ErrorKind::NotDone, why)
    }

    fn lane_ended(&self) -> Answer {
        if self.receipt.give_up() {
            stopping()
        } else {
            unsure("the process ended while it was under way")
        }
    }
}

fn unsure(why: &str) -> Answer {
    Answer::error(
        ErrorKind::Unsure,
        format!("it may or may not have arrived: {why}"),
    )
}

/// What a piece of news is to the asker.
enum Told {
    Nothing,
    Wait(Answer),
    End(Answer),
}
