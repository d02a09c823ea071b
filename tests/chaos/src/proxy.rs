//! The wire between the program and the server, and what goes wrong on it.
//!
//! It understands just enough of HTTP to know where a request ends and whether it asks for a new message. So it can fail
//! before or after a request went through, and it knows which new messages are *in flight*: written by the program,
//! which commits an attempt before, and not answered yet, so not settled. The trap: a request of a program that
//! died must not reach the server later than its repetition, so a client that hangs up takes its request along.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

use crate::jsonl::Journal;
use crate::notes::Note;

/// How often a thread that waits looks around.
const GLANCE: Duration = Duration::from_millis(10);
/// The longest message, head and body.
const LARGEST: usize = 1 << 20;

/// What goes wrong on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Nobody listens.
    Refuse,
    /// The request is read, and the connection is reset instead of passing it on.
    ResetBefore,
    /// The request goes through, and the connection is reset instead of answering.
    ResetAfter,
    /// The request is read and nothing happens.
    Silence,
    /// The request goes through and nothing happens.
    Swallow,
    /// Half of the answer comes, and then the end.
    CutAnswer,
    /// The request waits for this many milliseconds.
    Latency(u64),
    /// Connections are taken, and not a byte of them is read.
    Blackhole,
    /// Somebody takes the network away: from now on nothing that is answered arrives, and no conversation goes on.
    Unplugged,
}

impl Harm {
    /// Whether the program cannot know whether its request arrived.
    fn leaves_doubt(self) -> bool {
        !matches!(self, Self::Refuse | Self::Latency(_))
    }
}

#[derive(Debug)]
struct Wire {
    upstream: SocketAddr,
    harm: Mutex<Option<Harm>>,
    /// New messages between the end of the request and the end of the answer.
    in_flight: Mutex<BTreeSet<u64>>,
    /// When the program hung up on new messages, since this was asked for. One that dies hangs up before anybody can see
    /// that it is gone, and its conversation may be over by then.
    hung_up: Mutex<Vec<Instant>>,
    next: AtomicU64,
    /// Every new message waits up to so many milliseconds, before it goes through or after.
    slowness: AtomicU64,
    /// How many conversations what goes wrong has met.
    met: AtomicU64,
    random: Mutex<fastrand::Rng>,
    notes: Journal<Note>,
    over: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wire {
    fn harm(&self) -> Option<Harm> {
        *lock(&self.harm)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// A new message is in flight no more. What was counted at a death is not counted again.
    fn land(&self, flight: u64, hung_up: bool) {
        let mut in_flight = lock(&self.in_flight);
        if in_flight.remove(&flight) && hung_up {
            lock(&self.hung_up).push(Instant::now());
        }
    }

    /// Waits while this goes wrong and the client still hopes.
    fn hold(&self, client: &TcpStream, harm: Harm) {
        while self.harm() == Some(harm) && !self.is_over() && !has_hung_up(client) {
            sleep(GLANCE);
        }
    }

    /// False when the client hung up meanwhile.
    fn wait(&self, client: &TcpStream, span: Duration) -> bool {
        let until = Instant::now() + span;
        while Instant::now() < until && !self.is_over() {
            if has_hung_up(client) {
                return false;
            }
            sleep(GLANCE.min(span));
        }
        !has_hung_up(client)
    }
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    wire: Arc<Wire>,
    addr: SocketAddr,
}

impl Proxy {
    /// Begins to pass requests on, from this address of this machine.
    pub fn start(
        at: Ipv4Addr,
        upstream: SocketAddr,
        slowness: u64,
        notes: Journal<Note>,
        random: fastrand::Rng,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((at, 0))?;
        let addr = listener.local_addr()?;
        let wire = Arc::new(Wire {
            upstream,
            harm: Mutex::new(None),
            in_flight: Mutex::default(),
            hung_up: Mutex::default(),
            next: AtomicU64::new(0),
            slowness: AtomicU64::new(slowness),
            met: AtomicU64::new(0),
            random: Mutex::new(random),
            notes,
            over: AtomicBool::new(false),
        });
        let shared = Arc::clone(&wire);
        spawn(move || listen(&shared, listener, addr));
        Ok(Self { wire, addr })
    }

    /// The URL for the program.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// From now on this goes wrong, or nothing.
    pub fn set(&self, harm: Option<Harm>) {
        *lock(&self.wire.harm) = harm;
    }

    /// How many conversations met what went wrong until now.
    pub fn met(&self) -> u64 {
        self.wire.met.load(Ordering::SeqCst)
    }

    /// Waits until a new message is in flight, or for so long.
    pub fn until_in_flight(&self, longest: Duration) {
        let deadline = Instant::now() + longest;
        while lock(&self.wire.in_flight).is_empty() && Instant::now() < deadline {
            sleep(GLANCE / 5);
        }
    }

    /// Nothing goes wrong any more, and nothing is slow.
    pub fn calm(&self) {
        self.set(None);
        self.wire.slowness.store(0, Ordering::SeqCst);
    }

    /// How many new messages were in flight when the program ended, which lived until then. To be asked right after its
    /// end, once.
    pub fn take_in_flight(&self, alive: Instant) -> u64 {
        let under_way = std::mem::take(&mut *lock(&self.wire.in_flight)).len();
        let hung_up = std::mem::take(&mut *lock(&self.wire.hung_up));
        let with_it = hung_up.into_iter().filter(|at| *at >= alive).count();
        (under_way + with_it) as u64
    }

    /// The same of one that ended by then, where its next life may have begun: what that has under way is left alone.
    pub fn take_hung_up(&self, alive: Instant, ended: Instant) -> u64 {
        let hung_up = std::mem::take(&mut *lock(&self.wire.hung_up));
        hung_up
            .into_iter()
            .filter(|at| (alive..=ended).contains(at))
            .count() as u64
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.wire.over.store(true, Ordering::SeqCst);
    }
}

fn listen(wire: &Arc<Wire>, first: TcpListener, addr: SocketAddr) {
    let mut listener = Some(first);
    while !wire.is_over() {
        if wire.harm() == Some(Harm::Refuse) {
            listener = None;
        } else if listener.is_none() {
            // The port may take a moment to be free.
            listener = TcpListener::bind(addr).ok();
        }
        let accepted = listener.as_ref().and_then(|listener| {
            listener.set_nonblocking(true).ok()?;
            listener.accept().ok()
        });
        match accepted {
            Some((client, _)) => {
                let wire = Arc::clone(wire);
                // A conversation that ends badly is what this is for.
                spawn(move || drop(converse(&wire, client)));
            }
            None => sleep(GLANCE / 2),
        }
    }
}

/// Passes requests on until either side ends it.
fn converse(wire: &Wire, mut client: TcpStream) -> io::Result<()> {
    client.set_nonblocking(false)?;
    client.set_read_timeout(Some(GLANCE))?;
    client.set_nodelay(true)?;
    if wire.harm() == Some(Harm::Blackhole) {
        wire.met.fetch_add(1, Ordering::SeqCst);
        wire.hold(&client, Harm::Blackhole);
        return Ok(());
    }
    let mut server = TcpStream::connect(wire.upstream)?;
    server.set_read_timeout(Some(GLANCE))?;
    server.set_nodelay(true)?;
    while let Some(request) = read_request(wire, &mut client)? {
        let is_send = request.starts_with(b"POST ") && {
            let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
            String::from_utf8_lossy(line)
                .to_ascii_lowercase()
                .contains("/sendmessage ")
        };
        let flight = is_send.then(|| wire.next.fetch_add(1, Ordering::SeqCst));
        if let Some(flight) = flight {
            lock(&wire.in_flight).insert(flight);
        }
        let goes_on = pass_on(wire, &mut client, &mut server, &request, is_send)?;
        if let Some(flight) = flight {
            wire.land(flight, !goes_on && has_hung_up(&client));
        }
        if !goes_on {
            break;
        }
    }
    Ok(())
}

/// One request and its answer; false when the connection is done.
fn pass_on(
    wire: &Wire,
    client: &mut TcpStream,
    server: &mut TcpStream,
    request: &[u8],
    is_send: bool,
) -> io::Result<bool> {
    let harm = wire.harm();
    wire.met.fetch_add(u64::from(harm.is_some()), Ordering::SeqCst);
    if let Some(harm) = harm.filter(|harm| is_send && harm.leaves_doubt()) {
        wire.notes.append(&Note::Struck {
            harm: format!("{harm:?}"),
        })?;
    }
    let (before, after) = slowness(wire, is_send);
    match harm {
        Some(Harm::ResetBefore) => return reset(client),
        Some(harm @ (Harm::Silence | Harm::Blackhole)) => {
            wire.hold(client, harm);
            return Ok(false);
        }
        Some(Harm::Latency(ms)) if !wire.wait(client, Duration::from_millis(ms)) => return Ok(false),
        _ => {}
    }
    if !wire.wait(client, before) {
        return Ok(false);
    }
    if harm != Some(Harm::Unplugged) && unplugged(wire, client, is_send)? {
        return Ok(false);
    }
    server.write_all(request)?;
    let Some(answer) = read_answer(client, server)? else {
        return Ok(false);
    };
    match harm {
        Some(Harm::ResetAfter) => return reset(client),
        Some(Harm::Swallow) => {
            wire.hold(client, Harm::Swallow);
            return Ok(false);
        }
        Some(Harm::Unplugged) => {
            wire.hold(client, Harm::Unplugged);
            return reset(client);
        }
        Some(Harm::CutAnswer) => {
            client.write_all(&answer[..answer.len() / 2])?;
            return Ok(false);
        }
        _ => {}
    }
    if !wire.wait(client, after) || unplugged(wire, client, is_send)? {
        return Ok(false);
    }
    client.write_all(&answer)?;
    // An answer that is shorter than it says was the server's last on this connection.
    Ok(whole(&answer).is_some())
}

/// Whether the network was taken away since the request came; then nothing more becomes of it.
fn unplugged(wire: &Wire, client: &TcpStream, is_send: bool) -> io::Result<bool> {
    let harm = Harm::Unplugged;
    if wire.harm() != Some(harm) {
        return Ok(false);
    }
    if is_send {
        wire.notes.append(&Note::Struck {
            harm: format!("{harm:?}"),
        })?;
    }
    wire.hold(client, harm);
    reset(client)?;
    Ok(true)
}

/// How long a request waits before and after it goes through.
fn slowness(wire: &Wire, is_send: bool) -> (Duration, Duration) {
    let slowness = wire.slowness.load(Ordering::SeqCst);
    if !is_send || slowness == 0 {
        return Default::default();
    }
    let mut random = lock(&wire.random);
    let span = Duration::from_millis(random.u64(..slowness));
    if random.u8(..3) == 0 {
        (span, Duration::ZERO)
    } else {
        (Duration::ZERO, span)
    }
}

fn reset(client: &TcpStream) -> io::Result<bool> {
    set_socket_linger(client, Some(Duration::ZERO))?;
    Ok(false)
}

fn has_hung_up(client: &TcpStream) -> bool {
    let looked = client.set_nonblocking(true).and_then(|()| client.peek(&mut [0]));
    let back = client.set_nonblocking(false);
    match looked {
        Ok(bytes) => bytes == 0 || back.is_err(),
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// The length of a message that is all there; none while it is not.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse().ok())
        .unwrap_or(0_usize);
    (bytes.len() >= head + length).then_some(head + length)
}

/// A whole request, or none when the client is done or the wire is cut.
fn read_request(wire: &Wire, client: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        if whole(&bytes).is_some() {
            return Ok(Some(bytes));
        }
        match client.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(read) if bytes.len() < LARGEST => bytes.extend_from_slice(&buffer[..read]),
            Ok(_) => return Err(io::Error::other("a request without an end")),
            Err(error) if is_pause(&error) => {
                let harm = wire.harm();
                let cut = matches!(harm, Some(Harm::Refuse | Harm::Blackhole | Harm::Unplugged));
                wire.met.fetch_add(u64::from(cut), Ordering::SeqCst);
                if harm == Some(Harm::Unplugged) {
                    reset(client)?;
                    return Ok(None);
                }
                if wire.is_over() || (cut && bytes.is_empty()) {
                    return Ok(None);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// The answer, as much of it as comes; none when the client hung up, and then the server hears of that at once.
fn read_answer(client: &TcpStream, server: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        if whole(&bytes).is_some() {
            return Ok(Some(bytes));
        }
        match server.read(&mut buffer) {
            Ok(0) => return Ok(Some(bytes)),
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            Err(error) if is_pause(&error) => {
                if has_hung_up(client) {
                    server.shutdown(Shutdown::Both)?;
                    return Ok(None);
                }
            }
            Err(_) => return Ok(Some(bytes)),
        }
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_message_is_whole_when_its_length_is_there() {
        let text = b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(whole(text), Some(text.len()));
        assert_eq!(whole(&text[..text.len() - 1]), None);
        assert_eq!(whole(b"GET /x HTTP/1.1\r\n"), None);
        assert_eq!(whole(b"GET /x HTTP/1.1\r\n\r\n"), Some(19));
    }

    /// A proxy before this machine, which writes its notes there.
    fn before(upstream: &TcpListener, notes: &std::path::Path) -> Proxy {
        let (notes, random) = (Journal::open(notes).unwrap(), fastrand::Rng::with_seed(1));
        let upstream = upstream.local_addr().unwrap();
        Proxy::start(Ipv4Addr::LOCALHOST, upstream, 0, notes, random).unwrap()
    }

    fn until(what: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !what() {
            assert!(Instant::now() < deadline, "not within half a minute");
            sleep(GLANCE);
        }
    }

    #[test]
    fn a_message_whose_client_died_was_in_flight_though_its_conversation_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        // A machine that takes connections and never answers.
        let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = before(&upstream, &path);
        let begins = || {
            let mut client = TcpStream::connect(proxy.addr).unwrap();
            client
                .write_all(b"POST /botX/sendMessage HTTP/1.1\r\ncontent-length: 0\r\n\r\n")
                .unwrap();
            until(|| !lock(&proxy.wire.in_flight).is_empty());
            (client, Instant::now())
        };
        let (client, alive) = begins();
        drop(client);
        until(|| lock(&proxy.wire.in_flight).is_empty());
        assert_eq!(proxy.take_in_flight(alive), 1);
        assert_eq!(proxy.take_in_flight(alive), 0);

        // One that gave up while it lived is none of its death.
        let (client, _) = begins();
        drop(client);
        until(|| lock(&proxy.wire.in_flight).is_empty());
        assert_eq!(proxy.take_in_flight(Instant::now()), 0);
    }

    #[test]
    fn what_is_under_way_when_the_network_is_taken_away_is_struck_and_never_answered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = before(&upstream, &path);
        let mut client = TcpStream::connect(proxy.addr).unwrap();
        client
            .write_all(b"POST /botX/sendMessage HTTP/1.1\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        let (mut server, _) = upstream.accept().unwrap();
        assert!(server.read(&mut [0; 512]).unwrap() > 0);
        proxy.set(Some(Harm::Unplugged));
        server
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            .unwrap();
        let struck = || crate::jsonl::read::<Note>(&path).unwrap();
        until(|| !struck().is_empty());
        proxy.set(None);
        // A reset or an end, and not a byte before it.
        assert_eq!(client.read(&mut [0; 512]).unwrap_or(0), 0);
        let harm = "Unplugged".to_owned();
        assert_eq!(struck(), [Note::Struck { harm }]);
    }
}
