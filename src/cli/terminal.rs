//! The terminal in place of Telegram, for `demo` and `run --dry-run`.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::engine::{Delivering, Messenger};
use crate::incident::Subject;
use crate::model::{AttemptKind, ChatName, Outcome};
use crate::telegram::{Call, Request};

/// Prints what a phone would show. Message ids count from 1, as Telegram's do.
pub(super) struct Terminal {
    next_id: AtomicI64,
    /// Edits show only their first lines: what changes in them is the count.
    brief_edits: bool,
    rings: AtomicU64,
    silent: AtomicU64,
    edits: AtomicU64,
    /// Messages of incidents that were not shown to be over.
    live: AtomicU64,
    /// One message is printed at a time, whatever the number of chats.
    out: Mutex<std::io::Stdout>,
}

/// How many messages of each kind were shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) rings: u64,
    pub(super) silent: u64,
    pub(super) edits: u64,
}

impl Terminal {
    /// Every message whole.
    pub(super) fn whole_messages() -> Self {
        Self::new(false)
    }

    /// New messages whole, edits by their first lines.
    pub(super) fn brief_edits() -> Self {
        Self::new(true)
    }

    fn new(brief_edits: bool) -> Self {
        Self {
            next_id: AtomicI64::new(1),
            brief_edits,
            rings: AtomicU64::new(0),
            silent: AtomicU64::new(0),
            edits: AtomicU64::new(0),
            live: AtomicU64::new(0),
            out: Mutex::new(std::io::stdout()),
        }
    }

    pub(super) fn shown(&self) -> Shown {
        Shown {
            rings: self.rings.load(Ordering::Relaxed),
            silent: self.silent.load(Ordering::Relaxed),
            edits: self.edits.load(Ordering::Relaxed),
        }
    }

    /// Whether every incident that was shown was also shown to be over.
    pub(super) fn all_over(&self) -> bool {
        self.live.load(Ordering::Relaxed) == 0
    }

    fn show(&self, chat: &ChatName, subject: Option<&Subject>, request: &Request) -> i64 {
        let kind = match subject {
            Some(Subject::Incident { kind, .. }) => Some(*kind),
            Some(Subject::Notices(_)) | None => None,
        };
        let (id, what) = match request.call {
            Call::Edit { message_id } => {
                self.edits.fetch_add(1, Ordering::Relaxed);
                (
                    message_id,
                    if kind == Some(AttemptKind::End) {
                        "last edit"
                    } else {
                        "edit"
                    },
                )
            }
            Call::Send { .. } if request.silent => {
                self.silent.fetch_add(1, Ordering::Relaxed);
                (
                    self.next_id.fetch_add(1, Ordering::Relaxed),
                    "new message, no sound",
                )
            }
            Call::Send { .. } => {
                self.rings.fetch_add(1, Ordering::Relaxed);
                (self.next_id.fetch_add(1, Ordering::Relaxed), "RING")
            }
        };
        if kind == Some(AttemptKind::Open) {
            self.live.fetch_add(1, Ordering::Relaxed);
        } else if kind == Some(AttemptKind::End) {
            self.live.fetch_sub(1, Ordering::Relaxed);
        }
        let reply = match request.call {
            Call::Send { reply_to: Some(to) } => format!(", reply to #{to}"),
            _ => String::new(),
        };
        let lines = if self.brief_edits && matches!(request.call, Call::Edit { .. }) {
            3
        } else {
            usize::MAX
        };
        let mut page = format!("── #{id} to {chat}: {what}{reply} ──\n");
        for line in request.text.text.lines().take(lines) {
            page.push_str("   ");
            page.push_str(line);
            page.push('\n');
        }
        if let Some(document) = &request.document {
            page.extend(["   with ", &document.name, ":\n"]);
            for line in document.content.lines() {
                page.extend(["   | ", line, "\n"]);
            }
        }
        // A terminal that is gone must not stop the pipeline; and whoever held the lock and panicked left
        // only a half-printed page.
        let mut out = self.out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(out.write_all(page.as_bytes()).and_then(|()| out.flush()));
        id
    }
}

impl Messenger for Terminal {
    fn deliver<'a>(
        &'a self,
        chat: &'a ChatName,
        subject: Option<&'a Subject>,
        request: &'a Request,
    ) -> Delivering<'a> {
        Box::pin(async move {
            Outcome::Sent {
                message_id: self.show(chat, subject, request),
            }
        })
    }
}
