//! What the rules say about one event.

use regex_automata::PatternSet;

/// At most this many bytes of a captured value are handed on. Far more than any `by` value keeps: secrets are
/// recognised, and taken out, before it is cut to that.
const CAPTURED: usize = 4 * 1024;

/// What the rules say about one event. Made once and handed to every
/// [`judge`](super::Scanner::judge), so that a line costs no allocation.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// What each rule that speaks of the event says, in the order of the rules, each rule at most once. Empty
    /// when the event is ignored or matters to nobody.
    pub findings: Vec<Finding>,
    /// Which patterns may match, as narrowed down; only scratch space between two calls.
    pub(super) possible: Option<PatternSet>,
}

/// What one rule says about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its place in [`Settings::rules`](super::Settings::rules).
    pub rule: usize,
    /// What it says.
    pub says: Says,
}

/// A match or an end. Both have the values of the rule's `by`, in its order, as far as captures gave them: at
/// most 4 KiB, decoded. `file`, `host` and `log` are not captures; the caller knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// The event matches. What is absent and known to nobody counts as empty.
    Match {
        /// The values of `by`.
        by: Vec<Option<String>>,
        /// Those of the rule's further names, in their order.
        values: Vec<Option<String>>,
    },
    /// The event ends the rule's incidents whose values agree; what is absent agrees with all.
    Resolve {
        /// The values of `by`.
        by: Vec<Option<String>>,
    },
}

impl Verdict {
    /// The set in `possible`, empty and with room for just `patterns` patterns.
    pub(super) fn scratch(possible: &mut Option<PatternSet>, patterns: usize) -> &mut PatternSet {
        let set = possible.get_or_insert_with(|| PatternSet::new(patterns));
        if set.capacity() == patterns {
            set.clear();
        } else {
            *set = PatternSet::new(patterns);
        }
        set
    }
}

/// A captured value as `by` keeps it.
pub(super) fn by_value(captured: &[u8]) -> String {
    let captured = &captured[..captured.len().min(CAPTURED)];
    String::from_utf8_lossy(captured).into_owned()
}
