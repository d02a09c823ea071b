//! `--listen`: `/healthz`, `/readyz` and `/metrics` over HTTP/1.
//!
//! Off unless somebody asks for it, and nothing in it is a secret: no text of a log, no token, nothing that a chat holds.
//! Whoever asks is a stranger all the same, so everything has a bound: a request's head has 8 KiB and comes within 5 s,
//! a connection carries one request and lasts 10 s at the most, and there are 16 of them; a further one takes the place
//! of the oldest, so that those who ask slowly keep nobody else out.

mod format;
mod metrics;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::counts::Counts;
use super::herald::{Listen, Report};

/// So many connections at once.
const CONNECTIONS: usize = 16;
/// The head of a request has to be there within this.
const ASKING: Duration = Duration::from_secs(5);
/// No connection lasts longer.
const WHOLE: Duration = Duration::from_secs(10);
/// The longest head of a request.
const LONGEST: usize = 8 * 1024;
/// What is told has to be known within this; the ledger may be stuck.
const KNOWING: Duration = Duration::from_secs(3);
/// The last answers may take this long when the program ends.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// After the system refused a connection, such as for want of descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// A server at work.
pub(super) struct Server {
    task: JoinHandle<()>,
    /// Dropped: no further connections.
    open: oneshot::Sender<()>,
}

/// What answers are made of.
struct Site {
    reports: Listen,
    counts: Counts,
}

impl Server {
    /// Serves whoever comes to this listener; without one there is no server.
    pub(super) fn start(
        listener: Option<std::net::TcpListener>,
        reports: Listen,
        counts: Counts,
    ) -> io::Result<Option<Self>> {
        let Some(listener) = listener else {
            return Ok(None);
        };
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let site = Arc::new(Site { reports, counts });
        let (open, closing) = oneshot::channel();
        let task = tokio::spawn(serve(listener, site, closing));
        Ok(Some(Self { task, open }))
    }

    /// Lets those who ask already hear their answer, if they are quick.
    pub(super) async fn close(self) {
        drop(self.open);
        let task = self.task.abort_handle();
        drop(timeout(LAST_WORDS, self.task).await);
        task.abort();
    }
}

/// Accepts until it is closed, then waits for the connections that are left.
async fn serve(listener: TcpListener, site: Arc<Site>, mut closing: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    let mut oldest: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut closing => break,
        };
        // The results of those that ended; one that panicked was logged where it did.
        while connections.try_join_next().is_some() {}
        oldest.retain(|connection| !connection.is_finished());
        match accepted {
            Ok((stream, _)) => {
                if oldest.len() >= CONNECTIONS
                    && let Some(connection) = oldest.pop_front()
                {
                    connection.abort();
                }
                oldest.push_back(connections.spawn(converse(stream, site.clone())));
            }
            Err(error) => {
                tracing::debug!(%error, "--listen");
                sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// One request and its answer.
async fn converse(stream: TcpStream, site: Arc<Site>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let site = site.clone();
        async move { Ok::<_, Infallible>(site.answer(request.method(), request.uri().path()).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ASKING)
        .max_buf_size(LONGEST)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer);
    // Whoever breaks a bound, or writes rubbish, loses the connection and disturbs nobody else.
    drop(timeout(WHOLE, connection).await);
}

type Page = Response<Full<Bytes>>;

impl Site {
    async fn answer(&self, method: &Method, path: &str) -> Page {
        let make = match path {
            "/healthz" => health,
            "/readyz" => readiness,
            "/metrics" => metrics,
            _ => {
                let pages = "there are /healthz, /readyz and /metrics\n";
                return page(StatusCode::NOT_FOUND, TEXT, pages.to_owned());
            }
        };
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut page = page(
                StatusCode::METHOD_NOT_ALLOWED,
                TEXT,
                "only GET and HEAD\n".to_owned(),
            );
            page.headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return page;
        }
        match self.report().await {
            Some(report) => make(&report, &self.counts),
            None => page(
                StatusCode::SERVICE_UNAVAILABLE,
                TEXT,
                "the process does not answer in time\n".to_owned(),
            ),
        }
    }

    async fn report(&self) -> Option<Report> {
        let asking = async {
            let (reply, report) = oneshot::channel();
            self.reports.send(reply).await.ok()?;
            report.await.ok()
        };
        timeout(KNOWING, asking).await.ok().flatten()
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

/// What `tailgram health` says.
fn health(report: &Report, _: &Counts) -> Page {
    if report.status.healthy {
        return page(StatusCode::OK, TEXT, "ok\n".to_owned());
    }
    let reasons = report.status.reasons.join("\n") + "\n";
    page(StatusCode::SERVICE_UNAVAILABLE, TEXT, reasons)
}

/// Whether it was healthy once: from then on a line that is written is owed.
fn readiness(report: &Report, counts: &Counts) -> Page {
    if report.ready {
        return page(StatusCode::OK, TEXT, "ready\n".to_owned());
    }
    health(report, counts)
}

fn metrics(report: &Report, counts: &Counts) -> Page {
    page(StatusCode::OK, format::TYPE, metrics::page(report, &counts.all()))
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Page {
    let mut page = Response::new(Full::new(Bytes::from(text)));
    *page.status_mut() = status;
    let headers = page.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}
