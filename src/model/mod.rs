//! The words every room shares: plain values, no I/O, no clock, no TOML.
//!
//! What stands here crosses rooms or threads, or goes to disk. A value that only one room needs lives in
//! that room.

mod card;
mod change;
mod delivery;
mod delta;
mod digest;
mod ecma48;
mod file;
mod found;
mod habit;
mod id;
mod incident;
mod ledger;
mod level;
mod line_end;
mod manner;
mod name;
mod notice;
mod outcome;
mod rate;
mod severity;
mod text;
mod time;
mod waiting;

pub use card::{Card, CardKind, Document, Rendered};
pub use change::{Changed, Changes, Hindsight, Names};
pub use delivery::{Attempt, AttemptKind, Carried, Covers, Delivery, DeliveryKey};
pub use delta::{Delta, HostDelta, LedgerDelta, LineKey, Outage, State, TokenGate, TurnNo};
pub use digest::{Digest, DigestCount, DigestRow, DigestSpan};
pub use ecma48::{is_introducer, without_controls};
pub use file::{Gap, GapKind, Head, Identity, Mark, Position};
pub use found::{
    Context, Found, KEPT_BYTES, KEPT_LINES, KEPT_SHAPES, KEPT_TEXT, KeptLine, Origin, QUEUE_BYTES, Resolve,
    Row, SAMPLE_CHARS, ShapeCount, ShapeId,
};
pub use habit::{Habit, Records};
pub use id::{AttemptId, FileKey, IncidentId, StoreId};
pub use incident::{Absence, By, Ended, Incident, Phase, Values};
pub use ledger::{Account, AccountKey, ChatState, FoundCount, LedgerRow, Parked, Slowed};
pub use level::Level;
pub use line_end::LineEnd;
pub use manner::{Format, Joints, Manner};
pub use name::{ChatName, LogName, RuleName};
pub use notice::{
    Bound, KEPT_NOTICES, Notice, NoticeAttempt, NoticeCard, NoticeKey, NoticeKind, NoticeRow, RulesProblem,
};
pub use outcome::{ChatTarget, Outcome, Refusal, RefusalKind};
pub use rate::Rate;
pub use severity::Severity;
pub use text::{Entity, EntityKind, Form, LinkButton, Text};
pub use time::{Logged, Moment, Now, Timer, Timestamp};
pub use waiting::{BelowCount, Waiting, WaitingKey};
