//! The lines around matches, for rules with `context`.
//!
//! They are read from the file itself, through the descriptor that is held: at the end of the turn in which a match
//! was found, and again while lines behind it are still missing. So they are found wherever the file was renamed to,
//! and cost nothing where no rule asks for them. Where the file has no more, they go on in the generation that was read
//! before or after it, as long as that is held.
//!
//! The trap: between the match and the look the file may have been cut and written again. The bytes of the match
//! itself are looked at once more, and if they are not what they were, nothing around them is believed.

use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use crate::event::{Events, Scratch, decode};
use crate::incident::Around;
use crate::model::{By, Context, FileKey, Manner, Moment, Now, Origin, Row, RuleName};
use crate::scan::Redactor;
use crate::tail::Tailer;

/// So many bytes before and behind a match are looked through for lines.
const WINDOW: u64 = 32 * 1024;
/// Characters of one line at most.
const LINE: usize = 300;
/// So many matches may wait for lines behind them; the oldest gives way.
const MOST: usize = 256;
/// Lines behind a match are waited for this long.
const PATIENCE: Duration = Duration::from_mins(10);
/// What stands for lines of which only part of a secret is known.
const HIDDEN: &str = "[redacted]";

/// A match whose surroundings are wanted.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    /// The row it belongs to, in its turn.
    pub(super) row: usize,
    pub(super) origin: Origin,
    /// Behind its last byte.
    pub(super) end: u64,
    /// The hash of its bytes.
    pub(super) hash: u64,
    /// How many lines are wanted.
    pub(super) wish: Around,
    /// How its file is read.
    pub(super) manner: Manner,
    pub(super) events: Arc<Events>,
    pub(super) redactor: Arc<Redactor>,
}

/// The hash of the bytes of a match.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// A match whose following lines are not there yet.
struct Waiting {
    rule: RuleName,
    by: By,
    spot: Spot,
    /// What is known so far.
    context: Context,
    /// How far the file and its younger generation were read then.
    seen: (u64, u64),
    since: Moment,
}

/// The matches that wait, over the turns.
#[derive(Default)]
pub(super) struct Surroundings {
    waiting: Vec<Waiting>,
}

impl Surroundings {
    /// Fills in what is there around the matches of a turn, and adds a row for each earlier match of which there is
    /// more now.
    pub(super) fn fill(&mut self, rows: &mut Vec<Row>, spots: Vec<Spot>, tailer: &Tailer, now: Now) {
        for spot in spots {
            let Some(Row::Found(found)) = rows.get_mut(spot.row) else {
                continue;
            };
            found.context = look(&spot, tailer);
            // Only the newest match of an incident is shown with what stands around it.
            self.waiting
                .retain(|waiting| waiting.rule != found.rule || waiting.by != found.by);
            let Some(context) = &found.context else {
                continue;
            };
            if context.after.len() < spot.wish.after {
                self.waiting.push(Waiting {
                    rule: found.rule.clone(),
                    by: found.by.clone(),
                    context: context.clone(),
                    seen: read_to(tailer, spot.origin.file).unwrap_or_default(),
                    spot,
                    since: now.moment,
                });
            }
        }
        let surplus = self.waiting.len().saturating_sub(MOST);
        if surplus > 0 {
            tracing::debug!(surplus, "too many matches wait for the lines behind them");
            self.waiting.drain(..surplus);
        }
        self.waiting.retain_mut(|waiting| {
            let (row, goes_on) = waiting.look(tailer, now);
            rows.extend(row);
            goes_on
        });
    }
}

impl Waiting {
    /// What is new, and whether more may come.
    fn look(&mut self, tailer: &Tailer, now: Now) -> (Option<Row>, bool) {
        let goes_on = now.moment - self.since < PATIENCE;
        let Some(read_to) = read_to(tailer, self.spot.origin.file) else {
            return (None, false);
        };
        if read_to == self.seen {
            return (None, goes_on);
        }
        self.seen = read_to;
        let Some(context) = look(&self.spot, tailer) else {
            // What cannot be read now may be at the next look.
            return (None, goes_on);
        };
        if context.after == self.context.after {
            return (None, goes_on);
        }
        self.context.after = context.after;
        let whole = self.context.after.len() >= self.spot.wish.after;
        let row = Row::Context {
            rule: self.rule.clone(),
            by: self.by.clone(),
            context: self.context.clone(),
        };
        (Some(row), goes_on && !whole)
    }
}

/// How far a file, and the generation after it, were handed out.
fn read_to(tailer: &Tailer, file: FileKey) -> Option<(u64, u64)> {
    let younger = tailer.younger(file);
    let younger = younger.and_then(|(younger, _)| tailer.read_to(younger));
    Some((tailer.read_to(file)?, younger.unwrap_or_default()))
}

/// What stands around a match now; nothing if the match itself does not stand there any more.
fn look(spot: &Spot, tailer: &Tailer) -> Option<Context> {
    let Origin { file, offset } = spot.origin;
    let own = tailer.peek(file, offset, spot.end)?;
    if hash(&own) != spot.hash {
        return None;
    }
    let own = texts(spot, spot.manner, &own, offset);
    let (before, after) = (before(spot, tailer), after(spot, tailer));
    Some(Context {
        origin: spot.origin,
        before: hide_before(&spot.redactor, before, &own),
        after: hide_after(&spot.redactor, after, &own),
    })
}

/// The wanted lines before a match, and those at the end of the older generation where its own begins with it.
fn before(spot: &Spot, tailer: &Tailer) -> Vec<String> {
    let (Origin { file, offset }, most) = (spot.origin, spot.wish.before);
    let mut before = lines_before(spot, tailer, (file, spot.manner), offset, most);
    if before.len() < most
        && offset <= WINDOW
        && let Some(older) = tailer.older(file)
        && let Some(end) = tailer.read_to(older.0)
    {
        let missing = most - before.len();
        before.splice(..0, lines_before(spot, tailer, older, end, missing));
    }
    before
}

fn lines_before(
    spot: &Spot,
    tailer: &Tailer,
    (file, manner): (FileKey, Manner),
    offset: u64,
    most: usize,
) -> Vec<String> {
    if most == 0 {
        return Vec::new();
    }
    let end = manner.line_end;
    let from = end.floor_offset(offset.saturating_sub(WINDOW));
    let bytes = tailer.peek(file, from, offset).unwrap_or_default();
    // The first line of the window is most likely a piece of one.
    let whole = match (from, end.first(&bytes)) {
        (0, _) => &bytes[..],
        (_, Some(behind)) => &bytes[behind..],
        (_, None) => &[],
    };
    let mut before = texts(spot, manner, whole, offset - whole.len() as u64);
    let surplus = before.len().saturating_sub(most);
    before.drain(..surplus);
    before
}

/// The wanted lines behind a match, and those at the beginning of the younger generation where its own has no more.
fn after(spot: &Spot, tailer: &Tailer) -> Vec<String> {
    let (file, most) = (spot.origin.file, spot.wish.after);
    let mut after = lines_after(spot, tailer, (file, spot.manner), spot.end, most);
    if after.len() < most
        && let Some(younger) = tailer.younger(file)
    {
        let missing = most - after.len();
        after.extend(lines_after(spot, tailer, younger, 0, missing));
    }
    after
}

fn lines_after(
    spot: &Spot,
    tailer: &Tailer,
    (file, manner): (FileKey, Manner),
    from: u64,
    most: usize,
) -> Vec<String> {
    if most == 0 {
        return Vec::new();
    }
    let bytes = tailer.peek(file, from, from + WINDOW).unwrap_or_default();
    let whole = manner.line_end.last(&bytes).unwrap_or_default();
    let mut after = texts(spot, manner, &bytes[..whole], from);
    after.truncate(most);
    after
}

/// The lines as the rules see them.
fn texts(spot: &Spot, manner: Manner, bytes: &[u8], offset: u64) -> Vec<String> {
    let mut scratch = Scratch::default();
    let lines = spot.events.lines(bytes, offset, manner, &mut scratch);
    let mut texts = Vec::new();
    let mut at = 0;
    while at < lines.bytes().len() {
        let placed = lines.around(at, at);
        let text = decode(placed.event.text);
        texts.extend(text.split('\n').map(str::to_owned));
        at = placed.next;
    }
    texts
}

/// Lines before a match without secrets, seen together with it: a secret may span both.
fn hide_before(redactor: &Redactor, before: Vec<String>, own: &[String]) -> Vec<String> {
    if before.is_empty() {
        return before;
    }
    let own = own.join("\n");
    let both = format!("{}\n{own}", before.join("\n"));
    let hidden = redactor.redact(&both);
    let end = format!("\n{}", redactor.redact(&own));
    lines(hidden.strip_suffix(end.as_str()))
}

/// The same for lines behind it.
fn hide_after(redactor: &Redactor, after: Vec<String>, own: &[String]) -> Vec<String> {
    if after.is_empty() {
        return after;
    }
    let own = own.join("\n");
    let both = format!("{own}\n{}", after.join("\n"));
    let hidden = redactor.redact(&both);
    let begin = format!("{}\n", redactor.redact(&own));
    lines(hidden.strip_prefix(begin.as_str()))
}

fn lines(text: Option<&str>) -> Vec<String> {
    let text = text.unwrap_or(HIDDEN);
    text.split('\n')
        .map(|line| line.chars().take(LINE).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn a_secret_that_spans_a_match_and_its_surroundings_is_hidden_as_a_whole() {
        let redactor = Redactor::default();
        let key = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"; 2];
        let own = strings(&["-----BEGIN PRIVATE KEY-----"]);
        let after = hide_after(&redactor, strings(&key), &own).join("\n");
        assert!(!after.contains("MIIE"), "{after}");
        let before = hide_before(
            &redactor,
            strings(&["-----BEGIN PRIVATE KEY-----", key[0]]),
            &strings(&["-----END PRIVATE KEY-----"]),
        )
        .join("\n");
        assert!(!before.contains("MIIE"), "{before}");
        let plain = hide_after(&redactor, strings(&["one", "password=hunter2"]), &strings(&["x"]));
        assert_eq!(plain, ["one", "password=[redacted]"]);
    }
}
