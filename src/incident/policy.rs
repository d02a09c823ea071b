//! What a chat is owed now, and why: one pure function, read from top to bottom.

use crate::model::{AttemptKind, Delivery, Ended, Incident, Moment, Phase, Severity, ShapeId};

use super::settings::{Ring, RuleSettings};

/// What goes first, within one chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A message of a critical rule that sounds.
    CriticalRing,
    /// Any other new message.
    Ring,
    /// The reply that says what resolved it.
    Resolve,
    /// The last edit.
    End,
    /// What the program says about itself.
    Notice,
    /// The lines of an incident that is over.
    Document,
    /// The newest totals.
    Edit,
}

impl Class {
    /// Whether it makes a new message rather than an edit.
    pub fn is_new_message(self) -> bool {
        self <= Class::Resolve || matches!(self, Class::Notice | Class::Document)
    }
}

/// Why something is sent; the sentence an operator would say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendReason {
    /// The incident has no message in this chat.
    Opening,
    /// A shape that no message showed yet.
    NewShape,
    /// Its rule is more severe than the chat was told.
    Severity,
    /// It still goes on, and the rule wants that to be said.
    Reminder,
    /// `ring = "all"`, and lines are queued.
    Lines,
    /// There are matches that no text covers.
    NewTotals,
    /// More is known of the lines around the newest match.
    Context,
    /// It is over and the message does not say so.
    Over,
    /// A line resolved it, and the chat was not told.
    Resolved,
    /// The rule wants its lines attached, and the message does not show all of them.
    KeptLines,
    /// Notices wait.
    Notice,
}

/// Why nothing is sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// The chat knows everything.
    NothingOwed,
    /// A request for it is under way.
    InFlight,
    /// `wait` runs.
    Gathering,
    /// `every` runs.
    Pause,
    /// The rule's `limit` is used up.
    Limit,
}

/// What to do for one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Send this.
    Send {
        kind: AttemptKind,
        class: Class,
        sounds: bool,
        reason: SendReason,
    },
    /// Send nothing, at least until then; without a time, until something changes.
    Hold(HoldReason, Option<Moment>),
}

/// Everything a decision depends on.
pub(super) struct View<'a> {
    pub(super) incident: &'a Incident,
    pub(super) delivery: &'a Delivery,
    pub(super) rule: &'a RuleSettings,
    /// When the rule's `limit` has a place again in this chat; absent: it has one now.
    pub(super) limited_until: Option<Moment>,
    /// `ring = "all"`: whether lines wait in the queue, or have to be told as lost.
    pub(super) queued: bool,
    /// Whether the chat is in its silent hours, in which only what is critical sounds.
    pub(super) silent: bool,
    pub(super) now: Moment,
}

/// What a reminder waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reminder {
    /// The rule does not want any, or the chat has no message yet.
    None,
    /// Its time, or a place of the rule's `limit`.
    At(Moment),
    /// Nothing.
    Due,
}

const NOTHING: Decision = Decision::Hold(HoldReason::NothingOwed, None);

/// Decides for one delivery.
pub(super) fn decide(view: &View<'_>) -> Decision {
    if view.delivery.attempt.is_some() {
        return Decision::Hold(HoldReason::InFlight, None);
    }
    if let Phase::Gathering { until } = &view.incident.phase {
        return Decision::Hold(HoldReason::Gathering, Some(until.due));
    }
    if view.delivery.message_id.is_none() {
        return view.opening();
    }
    match &view.incident.phase {
        Phase::Over { ended, .. } => view.over(ended),
        Phase::Open | Phase::Gathering { .. } => view.ongoing(),
    }
}

impl View<'_> {
    /// No message of its own yet, or not any more.
    fn opening(&self) -> Decision {
        if self.delivery.pending() == 0 {
            return NOTHING;
        }
        if let Some(hold) = self.pause() {
            return hold;
        }
        // The replacement of a message that rang before does not ring, and takes no place of the limit.
        if self.delivery.replaces {
            return send(AttemptKind::Open, Class::Ring, false, SendReason::Opening);
        }
        if let Some(until) = self.limited_until() {
            return Decision::Hold(HoldReason::Limit, Some(until));
        }
        self.ring(AttemptKind::Open, SendReason::Opening)
    }

    /// It ended. What says so does not wait for `every`; lines that are still queued go first, and all that were kept
    /// follow.
    fn over(&self, ended: &Ended) -> Decision {
        if self.queued {
            return self.batch();
        }
        if matches!(ended, Ended::Resolved { .. }) && !self.delivery.resolve_told {
            return send(AttemptKind::Resolved, Class::Resolve, false, SendReason::Resolved);
        }
        if !self.delivery.end_told {
            return send(AttemptKind::End, Class::End, false, SendReason::Over);
        }
        if self.delivery.document_owed {
            return send(
                AttemptKind::Document,
                Class::Document,
                false,
                SendReason::KeptLines,
            );
        }
        NOTHING
    }

    /// It goes on, and the chat has its message.
    fn ongoing(&self) -> Decision {
        if self.rule.ring == Ring::All && self.queued {
            return self.sooner(self.batch());
        }
        let rises = self.rises() && self.limited_until().is_none();
        let rings = rises || self.rings_for_a_new_shape();
        let reminds = self.reminder() == Reminder::Due;
        let nothing_new = self.delivery.pending() == 0 || self.rule.ring == Ring::All;
        if nothing_new && !rings && !reminds && !self.delivery.refresh {
            return self.sooner(self.next_ring_or_nothing());
        }
        if let Some(hold) = self.pause() {
            return hold;
        }
        if rises {
            return self.ring(AttemptKind::Reply, SendReason::Severity);
        }
        if rings {
            return self.ring(AttemptKind::Reply, SendReason::NewShape);
        }
        if reminds {
            return self.ring(AttemptKind::Remind, SendReason::Reminder);
        }
        let reason = if nothing_new {
            SendReason::Context
        } else {
            SendReason::NewTotals
        };
        send(AttemptKind::Edit, Class::Edit, false, reason)
    }

    /// The next lines of `ring = "all"`.
    fn batch(&self) -> Decision {
        if let Some(hold) = self.pause() {
            return hold;
        }
        if let Some(until) = self.limited_until() {
            return Decision::Hold(HoldReason::Limit, Some(until));
        }
        self.ring(AttemptKind::Batch, SendReason::Lines)
    }

    fn ring(&self, kind: AttemptKind, reason: SendReason) -> Decision {
        let severity = self.incident.severity;
        let critical = severity == Severity::Critical;
        let sounds = severity.sounds() && (critical || !self.silent);
        let class = if critical {
            Class::CriticalRing
        } else {
            Class::Ring
        };
        send(kind, class, sounds, reason)
    }

    /// A message that may have arrived has its place already: an outage must not use up the rings of an hour.
    fn limited_until(&self) -> Option<Moment> {
        self.limited_until.filter(|_| !self.delivery.repeat)
    }

    fn pause(&self) -> Option<Decision> {
        let pause = self.delivery.pause.filter(|pause| !pause.fired(self.now))?;
        Some(Decision::Hold(HoldReason::Pause, Some(pause.due)))
    }

    fn ring_pause(&self) -> Option<Moment> {
        self.delivery
            .ring_pause
            .filter(|pause| !pause.fired(self.now))
            .map(|pause| pause.due)
    }

    fn rings_for_a_new_shape(&self) -> bool {
        self.has_new_shape() && self.limited_until().is_none() && self.ring_pause().is_none()
    }

    /// A rise in severity is a ring that waits for `every` and for a place of the limit, and not for the pause of
    /// follow-up rings.
    fn rises(&self) -> bool {
        self.rule.ring == Ring::New && rises(self.incident, self.delivery)
    }

    fn has_new_shape(&self) -> bool {
        self.rule.ring == Ring::New && self.new_shapes().next().is_some()
    }

    fn new_shapes(&self) -> impl Iterator<Item = ShapeId> {
        new_shapes(self.incident, self.delivery)
    }

    fn reminder(&self) -> Reminder {
        let (Some(_), Some(timer)) = (self.rule.remind, self.delivery.remind) else {
            return Reminder::None;
        };
        if !timer.fired(self.now) {
            return Reminder::At(timer.due);
        }
        self.limited_until().map_or(Reminder::Due, Reminder::At)
    }

    /// What is held, until the next reminder at the latest.
    fn sooner(&self, decision: Decision) -> Decision {
        match (decision, self.reminder()) {
            (Decision::Hold(reason, until), Reminder::At(at)) => {
                Decision::Hold(reason, Some(until.map_or(at, |until| until.min(at))))
            }
            (decision, _) => decision,
        }
    }

    /// Nothing is pending; a new shape may still be waiting for its pause or its place, a rise for its place.
    fn next_ring_or_nothing(&self) -> Decision {
        if !self.has_new_shape() && !self.rises() {
            return NOTHING;
        }
        match (self.limited_until(), self.ring_pause()) {
            (Some(until), _) => Decision::Hold(HoldReason::Limit, Some(until)),
            (None, until) => Decision::Hold(HoldReason::Pause, until),
        }
    }
}

/// Whether an incident is more severe than the chat was told.
pub(super) fn rises(incident: &Incident, delivery: &Delivery) -> bool {
    delivery
        .told_severity
        .is_some_and(|told| incident.severity > told)
}

/// The shapes that no confirmed message of this incident showed in this chat.
pub(super) fn new_shapes<'a>(
    incident: &'a Incident,
    delivery: &'a Delivery,
) -> impl Iterator<Item = ShapeId> + 'a {
    incident
        .shapes
        .iter()
        .map(|shape| shape.id)
        .filter(|id| !delivery.shown_shapes.contains(id))
}

fn send(kind: AttemptKind, class: Class, sounds: bool, reason: SendReason) -> Decision {
    Decision::Send {
        kind,
        class,
        sounds,
        reason,
    }
}
