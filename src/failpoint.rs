//! Crash points: places where a test can end the process at once, as `kill -9` would.
//!
//! They exist with the cargo feature `failpoints` alone. Without it, and so in every release, [`reach`] and
//! [`Later`] are empty and cost nothing; a test looks into the binary for that. With it the environment says
//! where to end: `FAILPOINTS='after-commit=6*off->return'` lets the point pass six times and aborts at the
//! seventh. docs/chaos.md says what they are for.
//!
//! The trap: a point means a *state*, not a line of code. Who moves code past a call of [`reach`] has to see
//! that what the point's sentence says is still so.

/// A place where the process can be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Bytes were read and their positions moved on, in the reader's memory only.
    AfterRead,
    /// Rules found something in them; the ledger has not heard of it.
    AfterMatch,
    /// A turn of the ledger is complete in memory, and nothing of it is on disk.
    BeforeCommit,
    /// The same turn is on disk, and nobody was told of it.
    AfterCommit,
    /// An attempt is on disk, and its request is not begun.
    AfterAttemptCommit,
    /// The last byte of a request went to the kernel; its answer is not there.
    AfterRequestWritten,
    /// The answer is read, and nobody knows of it yet.
    AfterResponse,
    /// An outcome is booked in memory only.
    BeforeSettleCommit,
    /// An outcome is on disk, and its lane has not heard of it.
    AfterSettleCommit,
    /// A group became a supergroup: reached before the commit that says so, and again after it.
    Migrate,
    /// The program has something to say about itself: reached before the commit that holds it, and again after it.
    Notice,
    /// A younger generation of a file was taken up behind the one that lost its path.
    RotateSwitch,
    /// rules.toml was edited: reached when the reader takes the new settings, and again when what the ledger made of them
    /// is on disk.
    ConfigSwap,
    /// Asked to end: reached when reading is over, and again when the lanes are done, before the last commit.
    ShutdownDrain,
    /// Telegram asked for patience, and that is on disk.
    RetryAfterCommit,
}

#[cfg(feature = "failpoints")]
impl Point {
    /// Its name in `FAILPOINTS`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AfterRead => "after-read",
            Self::AfterMatch => "after-match",
            Self::BeforeCommit => "before-commit",
            Self::AfterCommit => "after-commit",
            Self::AfterAttemptCommit => "after-attempt-commit",
            Self::AfterRequestWritten => "after-request-written",
            Self::AfterResponse => "after-response",
            Self::BeforeSettleCommit => "before-settle-commit",
            Self::AfterSettleCommit => "after-settle-commit",
            Self::Migrate => "migrate",
            Self::Notice => "notice",
            Self::RotateSwitch => "rotate-switch",
            Self::ConfigSwap => "config-swap",
            Self::ShutdownDrain => "shutdown-drain",
            Self::RetryAfterCommit => "retry-after-commit",
        }
    }
}

/// Heeds `FAILPOINTS` from now on, and says in the log that this is no build to rely on. Without the feature it does
/// nothing.
pub fn heed() {
    #[cfg(feature = "failpoints")]
    {
        tracing::warn!("this build ends where FAILPOINTS says; it is for tests only");
        // Whoever drops the scenario forgets what it says.
        std::mem::forget(fail::FailScenario::setup());
    }
}

/// The process is at this point; it ends here if it was told to. Without the feature this is nothing.
#[inline]
pub fn reach(point: Point) {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(point.name(), |_| std::process::abort());
    #[cfg(not(feature = "failpoints"))]
    let _ = point;
}

/// Points that are reached once something else is done, as a rule a commit. Without the feature this is nothing.
#[derive(Debug, Default)]
pub struct Later(#[cfg(feature = "failpoints")] Vec<Point>);

impl Later {
    /// This one too.
    #[inline]
    pub fn add(&mut self, point: Point) {
        #[cfg(feature = "failpoints")]
        self.0.push(point);
        #[cfg(not(feature = "failpoints"))]
        let _ = (self, point);
    }

    /// It is done.
    #[inline]
    pub fn reach(self) {
        #[cfg(feature = "failpoints")]
        self.0.into_iter().for_each(reach);
    }
}

/// Sends a request. Without the feature this is nothing else.
#[cfg(not(feature = "failpoints"))]
pub fn send(
    request: reqwest::RequestBuilder,
) -> impl Future<Output = reqwest::Result<reqwest::Response>> + Send {
    request.send()
}

#[cfg(feature = "failpoints")]
pub use request::send;

#[cfg(feature = "failpoints")]
mod request {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::{Body, Frame, SizeHint};

    use super::{Point, reach};

    /// Sends a request, and reaches [`Point::AfterRequestWritten`] when its last byte went to the kernel.
    ///
    /// The HTTP client drops a body when all of it lies in the client's own buffer, and empties that buffer before
    /// its task rests; so a task that is born with the drop runs when the request is written.
    pub async fn send(request: reqwest::RequestBuilder) -> reqwest::Result<reqwest::Response> {
        let (http, request) = request.build_split();
        let mut request = request?;
        let body = request.body_mut().take();
        *request.body_mut() = body.map(|body| reqwest::Body::wrap(Watched { body, taken: false }));
        http.execute(request).await
    }

    struct Watched {
        body: reqwest::Body,
        taken: bool,
    }

    impl Body for Watched {
        type Data = <reqwest::Body as Body>::Data;
        type Error = <reqwest::Body as Body>::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
            let frame = Pin::new(&mut self.body).poll_frame(context);
            self.taken |= matches!(frame, Poll::Ready(Some(Ok(_))));
            frame
        }

        fn is_end_stream(&self) -> bool {
            self.body.is_end_stream()
        }

        fn size_hint(&self) -> SizeHint {
            self.body.size_hint()
        }
    }

    impl Drop for Watched {
        fn drop(&mut self) {
            if self.taken {
                tokio::spawn(async { reach(Point::AfterRequestWritten) });
            }
        }
    }
}

#[cfg(all(test, not(feature = "failpoints")))]
mod tests {
    use super::*;

    #[test]
    fn without_the_feature_nothing_is_kept_for_later() {
        assert_eq!(size_of::<Later>(), 0);
    }
}
