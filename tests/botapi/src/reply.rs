//! An answer on its way out, and what a fault makes of it.
//!
//! The trap: an error in a body takes everything along that is not yet on the wire, so a connection that
//! should die in the middle of its answer has to linger for a moment first.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use serde_json::{Value, json};
use tokio::time::{Instant, Sleep, sleep};

use crate::faults::FaultKind;
use crate::wire::{Answer, Refusal};

/// How long a dying connection has for its first half: an error at once would drop what is not yet written.
const LAST_WORDS: Duration = Duration::from_millis(20);

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut by a fault")
    }
}

impl std::error::Error for Cut {}

/// Lets the fault have its way with the answer. Without an answer, the fault says everything itself.
pub(crate) async fn deliver(
    answer: Option<Answer>,
    fault: Option<FaultKind>,
    reset: &AtomicBool,
) -> Result<hyper::Response<Reply>, Cut> {
    let right = || answer.clone().unwrap_or_else(|| Answer::ok(&json!(true)));
    Ok(match fault {
        None | Some(FaultKind::Delay { .. } | FaultKind::Late { .. }) => Reply::plain(right()),
        Some(FaultKind::TooMany { retry_after }) => Reply::plain(too_many(retry_after)),
        Some(FaultKind::Error {
            status,
            code,
            description,
        }) => {
            let body = json!({ "ok": false, "error_code": code, "description": description });
            Reply::plain(Answer::json(status, &body))
        }
        Some(FaultKind::Html { status, .. }) => Reply::plain(html(status)),
        Some(FaultKind::Empty { .. }) => Reply::plain(Answer {
            status: 200,
            body: Vec::new(),
            ..right()
        }),
        Some(FaultKind::Truncated { .. }) => {
            let answer = right();
            let half = answer.body[..answer.body.len() / 2].to_vec();
            Reply::plain(Answer { body: half, ..answer })
        }
        Some(FaultKind::HalfAnswer { .. }) => Reply::dying(right()),
        Some(FaultKind::Slow { ms_per_byte }) => Reply::slow(right(), Duration::from_millis(ms_per_byte)),
        Some(FaultKind::Huge { bytes }) => Reply::plain(huge(right(), bytes)),
        Some(FaultKind::Stall { ms, .. }) => {
            sleep(Duration::from_millis(ms)).await;
            return Err(Cut);
        }
        Some(FaultKind::Reset) => {
            reset.store(true, Ordering::SeqCst);
            return Err(Cut);
        }
        Some(FaultKind::AnswerLost | FaultKind::Refuse) => return Err(Cut),
    })
}

fn too_many(retry_after: Option<Value>) -> Answer {
    let Some(value) = retry_after else {
        return Answer::refused(&Refusal::plain(429, "Too Many Requests"));
    };
    // A string goes into the header without its quotes.
    let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let refusal = Refusal {
        code: 429,
        description: format!("Too Many Requests: retry after {plain}"),
        parameters: Some(json!({ "retry_after": value })),
    };
    Answer {
        retry_after: Some(plain),
        ..Answer::refused(&refusal)
    }
}

fn html(status: u16) -> Answer {
    let body =
        format!("<html><head><title>{status}</title></head><body><h1>{status}</h1><hr>gateway</body></html>");
    Answer {
        status,
        content_type: "text/html",
        retry_after: None,
        body: body.into_bytes(),
    }
}

/// The answer with white space behind it: still right, if one reads that far.
fn huge(mut answer: Answer, bytes: usize) -> Answer {
    answer.body.resize(bytes.max(answer.body.len()), b' ');
    answer
}

/// An answer's body on its way out.
pub(crate) struct Reply {
    left: Bytes,
    /// Pause before each byte.
    pause: Option<(Duration, Pin<Box<Sleep>>)>,
    /// Runs from the middle on until the connection dies, if it does.
    dies: Option<Pin<Box<Sleep>>>,
    /// The length told to the client.
    told: u64,
}

impl Reply {
    /// An answer that simply goes out.
    pub(crate) fn plain(answer: Answer) -> hyper::Response<Self> {
        Self::respond(answer, None, false)
    }

    fn slow(answer: Answer, pause: Duration) -> hyper::Response<Self> {
        Self::respond(answer, Some((pause, Box::pin(sleep(pause)))), false)
    }

    fn dying(answer: Answer) -> hyper::Response<Self> {
        Self::respond(answer, None, true)
    }

    fn respond(
        answer: Answer,
        pause: Option<(Duration, Pin<Box<Sleep>>)>,
        dies: bool,
    ) -> hyper::Response<Self> {
        let told = answer.body.len() as u64;
        let mut left = Bytes::from(answer.body);
        if dies {
            left.truncate(left.len() / 2);
        }
        let dies = dies.then(|| Box::pin(sleep(LAST_WORDS)));
        let mut response = hyper::Response::new(Self {
            left,
            pause,
            dies,
            told,
        });
        *response.status_mut() =
            hyper::StatusCode::from_u16(answer.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(
            hyper::header::CONTENT_TYPE,
            hyper::header::HeaderValue::from_static(answer.content_type),
        );
        // A value that no header can carry is left out, as any server would have to.
        let seconds = answer
            .retry_after
            .and_then(|value| hyper::header::HeaderValue::from_str(&value).ok());
        if let Some(seconds) = seconds {
            headers.insert(hyper::header::RETRY_AFTER, seconds);
        }
        response
    }

    /// What goes out next: everything, or one byte when there are pauses.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let Some((pause, timer)) = &mut self.pause else {
            return Poll::Ready(Some(std::mem::take(&mut self.left)));
        };
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        timer.as_mut().reset(Instant::now() + *pause);
        Poll::Ready(Some(self.left.split_to(1)))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.next(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(bytes)) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Poll::Ready(None) => match &mut self.dies {
                Some(timer) => timer.as_mut().poll(cx).map(|()| Some(Err(Cut))),
                None => Poll::Ready(None),
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        if self.pause.is_some() {
            SizeHint::default()
        } else {
            SizeHint::with_exact(self.told)
        }
    }
}
