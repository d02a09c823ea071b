//! Secrets out of a text, before it is stored or sent.
//!
//! [`Redactor::redact`] puts `[redacted]` in the place of what looks like a secret and leaves everything around
//! it: the reader still sees *which* password was refused, not what it was. The families have a file each:
//!
//! - [`pair`]: what stands behind a telling name, as in `password=`, `"token": "…"`, `Authorization: …`;
//! - [`known`]: what is a secret by its own looks, such as the keys of well-known services and private keys;
//! - [`link`]: the password in `scheme://user:password@host`;
//! - [`card`]: card numbers.
//!
//! How a text is read:
//!
//! 1. The gate, one search without captures, tells whether any family might find something. Nearly every line
//!    ends here. Contract of the gate: it may be wrong about a text without secrets, and never about one with.
//! 2. Each family adds the spans that it would hide; the user's own patterns add theirs.
//! 3. Spans that touch become one, and each becomes one mark.
//! 4. The result is read again until nothing more is found. This makes the function its own fixed point: what
//!    was redacted may pass here a second time (a stored incident does) and stays as it is.
//!
//! Not here: our own bot token, which the `telegram` room takes out of errors because it knows it letter by letter.
//!
//! The trap: a *piece* of a line has no context. `hunter2`, captured from `password=hunter2`, is just a word. Who
//! shows a capture or a field has to ask for it together with its name (`name=value`), or to take it from the
//! redacted line.

mod card;
mod end;
mod known;
mod link;
mod pair;
mod value;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use regex::Regex;

/// What is shown in place of a secret.
const MARK: &str = "[redacted]";
/// How often a text is read until nothing more is found. Two do for everything but contrived patterns; a text
/// that has not settled by then is hidden as a whole.
const PASSES: usize = 8;
/// The capture group of a user's pattern that alone is hidden.
const GROUP: &str = "secret";

/// One search for all families, made of their own sources so that it cannot fall behind them.
static GATE: LazyLock<regex::bytes::Regex> = LazyLock::new(|| {
    let families = [
        card::GATE.to_owned(),
        link::GATE.to_owned(),
        known::source(),
        pair::source(),
    ];
    let one = families.map(|family| format!("(?:{family})")).join("|");
    compiled(&one)
});

/// A built-in pattern. All of them speak of bytes, because what they match is ASCII and the engines are faster so.
fn compiled(source: &str) -> regex::bytes::Regex {
    #[expect(
        clippy::expect_used,
        reason = "made of constants; every test of this room compiles all of them"
    )]
    regex::bytes::Regex::new(&format!("(?-u){source}")).expect("the built-in patterns compile")
}

/// Hides secrets in texts: the built-in kinds, and the user's own.
///
/// Cheap to clone, and one is enough for all threads.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// The user's patterns (key `redact`), tried on every text.
    extra: Arc<[Regex]>,
}

impl Redactor {
    /// A redactor that knows the built-in kinds and these patterns.
    ///
    /// Whatever one of them matches is hidden. If it has a capture group named `secret`, only that group is.
    pub fn new(extra: &[Regex]) -> Self {
        Self { extra: extra.into() }
    }

    /// The text with `[redacted]` for each secret; borrowed when there is none.
    ///
    /// Time is linear in the length of the text, and `redact(redact(text)) == redact(text)` for every text and
    /// every pattern of the user.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(mut shown) = self.pass(text) else {
            return Cow::Borrowed(text);
        };
        for _ in 1..PASSES {
            match self.pass(&shown) {
                Some(next) => shown = next,
                None => return Cow::Owned(shown),
            }
        }
        Cow::Owned(MARK.to_owned())
    }

    /// One reading: `None` if there was nothing to hide.
    fn pass(&self, text: &str) -> Option<String> {
        let mut spans = Vec::new();
        if GATE.is_match(text.as_bytes()) {
            built_in(text, &mut spans);
        }
        for pattern in self.extra.iter() {
            own(pattern, text, &mut spans);
        }
        cover(text, spans)
    }
}

/// What the built-in families would hide.
fn built_in(text: &str, spans: &mut Vec<Range<usize>>) {
    pair::find(text, spans);
    known::find(text, spans);
    link::find(text, spans);
    card::find(text, spans);
}

/// What one of the user's patterns would hide.
fn own(pattern: &Regex, text: &str, spans: &mut Vec<Range<usize>>) {
    if pattern.capture_names().flatten().any(|name| name == GROUP) {
        let groups = pattern.captures_iter(text).filter_map(|found| found.name(GROUP));
        spans.extend(groups.map(|group| group.range()));
    } else {
        spans.extend(pattern.find_iter(text).map(|found| found.range()));
    }
}

/// The text with one mark for each span, spans that touch being one. `None` if all that was found is hidden
/// already.
///
/// Every span that counts has a byte outside the marks, so each reading leaves fewer of those.
fn cover(text: &str, mut spans: Vec<Range<usize>>) -> Option<String> {
    if spans.is_empty() {
        return None;
    }
    let marks: Vec<usize> = text.match_indices(MARK).map(|(at, _)| at).collect();
    spans.retain_mut(|span| span.start < span.end && respect(&marks, span));
    spans.sort_unstable_by_key(|span| span.start);
    spans.first()?;

    let mut shown = String::with_capacity(text.len());
    let mut done = 0;
    let mut spans = spans.into_iter().peekable();
    while let Some(mut span) = spans.next() {
        while let Some(next) = spans.next_if(|next| next.start <= span.end) {
            span.end = span.end.max(next.end);
        }
        shown.push_str(&text[done..span.start]);
        shown.push_str(MARK);
        done = span.end;
    }
    shown.push_str(&text[done..]);
    Some(shown)
}

/// Widens a span so that it cuts no mark in two; false if it lies inside one.
fn respect(marks: &[usize], span: &mut Range<usize>) -> bool {
    let holding = |at: usize| {
        let mark = *marks[..marks.partition_point(|&mark| mark <= at)].last()?;
        (at < mark + MARK.len()).then_some(mark)
    };
    let (first, last) = (holding(span.start), holding(span.end - 1));
    if first.is_some() && first == last {
        return false;
    }
    span.start = first.unwrap_or(span.start);
    span.end = last.map_or(span.end, |mark| mark + MARK.len());
    true
}

#[cfg(test)]
mod tests;
