//! The listener, its connections, and the road of a request from socket to socket.
//!
//! What a call means is judged in `call`; how its answer leaves is `reply`'s. The trap: closing the port
//! takes all connections along, because a client that keeps one alive would not notice anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::call::Call;
use crate::faults::FaultKind;
use crate::reply::{Cut, Reply, deliver};
use crate::wire::{Answer, Refusal};
use crate::{Shared, control};

/// Most bytes of a request body.
const BODY_BYTES: usize = 16 * 1024 * 1024;

/// What the listener should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Listen.
    Open,
    /// Refuse connections, and drop those there are.
    Shut,
    /// The same, and listen again after so many milliseconds.
    ShutFor(u64),
}

/// Obeys the door until its sender is gone.
pub(crate) async fn run(hall: Shared, first: TcpListener, addr: SocketAddr, mut door: watch::Receiver<Door>) {
    let mut listener = Some(first);
    loop {
        let wish = *door.borrow_and_update();
        if wish == Door::Open {
            match listener.take() {
                Some(open) => serve_while_open(&hall, open, &mut door).await,
                None => listener = bind(addr).await,
            }
            continue;
        }
        listener = None;
        hall.listening(false);
        if let Door::ShutFor(ms) = wish {
            sleep(Duration::from_millis(ms)).await;
            hall.open_after(wish);
        }
        if door.changed().await.is_err() {
            return;
        }
    }
}

/// Binds the same port again; it may take a moment until the old one is free.
async fn bind(addr: SocketAddr) -> Option<TcpListener> {
    let bound = TcpListener::bind(addr).await.ok();
    if bound.is_none() {
        sleep(Duration::from_millis(20)).await;
    }
    bound
}

/// Accepts until the door is touched; then the listener and all connections are dropped.
async fn serve_while_open(hall: &Shared, listener: TcpListener, door: &mut watch::Receiver<Door>) {
    let mut connections = JoinSet::new();
    hall.listening(true);
    loop {
        tokio::select! {
            _ = door.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(converse(Arc::clone(hall), stream)); }
                // Out of descriptors, most likely: give the others time to close.
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// Serves one connection until either side ends it.
async fn converse(hall: Shared, stream: TcpStream) {
    let reset = Arc::new(AtomicBool::new(false));
    let wants_reset = Arc::clone(&reset);
    let service = service_fn(move |request| {
        let (hall, reset) = (Arc::clone(&hall), Arc::clone(&wants_reset));
        Box::pin(answer(hall, request, reset))
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // The end of a conversation is no news: clients hang up and faults cut.
    let _ = std::future::poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let stream = connection.into_parts().io.into_inner();
    if reset.load(Ordering::SeqCst) {
        // With no lingering, closing sends RST. When it cannot be set, a plain close has to do.
        let _ = stream.set_zero_linger();
    }
}

/// One request, from its head to its answer.
async fn answer(
    hall: Shared,
    request: hyper::Request<Incoming>,
    reset: Arc<AtomicBool>,
) -> Result<hyper::Response<Reply>, Cut> {
    let (head, body) = request.into_parts();
    let too_large = || Reply::plain(Answer::refused(&Refusal::plain(413, "Request Entity Too Large")));
    // A length told beforehand is refused without reading; one that is not told is counted.
    if body.size_hint().lower() > BODY_BYTES as u64 {
        return Ok(too_large());
    }
    let Ok(body) = Limited::new(body, BODY_BYTES).collect().await else {
        return Ok(too_large());
    };
    let body = body.to_bytes();
    let path = head.uri.path();
    if let Some(what) = path.strip_prefix("/_test/") {
        let answer = control::answer(&hall, &head.method, what, head.uri.query(), &body);
        return Ok(Reply::plain(answer));
    }
    let called = Call::parse(path, &hall.token, &head.headers, &body);
    let fault = called.strike(&hall);
    if let Some(FaultKind::Delay { ms }) = fault {
        sleep(Duration::from_millis(ms)).await;
    }
    let answer = called.settle(&hall, fault.as_ref()).await;
    if let Some(FaultKind::Late { ms }) = fault {
        sleep(Duration::from_millis(ms)).await;
    }
    deliver(answer, fault, &reset).await
}
