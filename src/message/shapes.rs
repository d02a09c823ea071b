//! The shapes of an incident with their counts, newest last, in the room there is.
//!
//! First all samples get shorter together; when that is not enough, the oldest shapes give way to a line
//! that counts them.

use super::fit::{self, Fitted};
use super::sanitise::Clean;
use super::text::{TextBuilder, units};
use super::words::{counted, matches, thousands};
use crate::model::{Covers, ShapeCount, ShapeId};

/// How long samples may be, in UTF-16 units: the first length at which all fit is taken, else the last.
const LENGTHS: [usize; 4] = [1_200, 320, 160, 96];
/// Room for the lines about what is not shown.
const REST: usize = 130;

/// Shapes that fit.
pub(super) struct Shapes<'a> {
    rows: Vec<(&'a ShapeCount, Fitted)>,
    /// Shapes that gave way, and their matches.
    hidden: (u64, u64),
    /// Matches whose shape was not kept at all.
    other: u64,
}

impl<'a> Shapes<'a> {
    /// Fits `shapes` into `room` UTF-16 units.
    pub(super) fn fit(shapes: impl IntoIterator<Item = &'a ShapeCount>, other: u64, room: usize) -> Self {
        let mut shapes: Vec<_> = shapes
            .into_iter()
            .map(|shape| (shape, Clean::line(&shape.sample)))
            .collect();
        shapes.sort_by_key(|(shape, _)| (shape.last, shape.nth));
        let room = room.saturating_sub(REST);
        let mut rows = Vec::new();
        for length in LENGTHS {
            rows = newest(&shapes, length, room);
            if rows.len() == shapes.len() {
                break;
            }
        }
        let gone = &shapes[..shapes.len() - rows.len()];
        let hidden = (gone.len() as u64, gone.iter().map(|(shape, _)| shape.count).sum());
        Self { rows, hidden, other }
    }

    /// Whether the sample of this shape stands there in full.
    pub(super) fn has_whole(&self, id: ShapeId) -> bool {
        self.rows
            .iter()
            .any(|(shape, fitted)| shape.id == id && fitted.whole)
    }

    /// Writes them, and what they cover. Begins with a line end.
    pub(super) fn write(&self, out: &mut TextBuilder, covers: &mut Covers) {
        if self.hidden.0 > 0 {
            out.say(&format!(
                "\n… {}, {}",
                counted(self.hidden.0, "more shape", "more shapes"),
                matches(self.hidden.1)
            ));
        }
        if self.other > 0 {
            out.say(&format!("\n… {} of other shapes", matches(self.other)));
        }
        if !self.rows.is_empty() {
            out.say("\n").pre(&self.block());
        }
        for (shape, _) in self.rows.iter().filter(|(_, fitted)| fitted.shown) {
            covers.shapes.push(shape.id);
            covers.shown.push(shape.nth);
        }
    }

    fn block(&self) -> Clean {
        let width = self
            .rows
            .iter()
            .map(|(shape, _)| thousands(shape.count).len())
            .max()
            .unwrap_or(0);
        let lines: Vec<_> = self
            .rows
            .iter()
            .map(|(shape, fitted)| row(&thousands(shape.count), width, fitted.text.as_str()))
            .collect();
        Clean::joined(&[&lines.join("\n")])
    }
}

/// As many of the newest as fit with samples of at most `length`; oldest first.
fn newest<'a>(
    shapes: &[(&'a ShapeCount, Clean)],
    length: usize,
    room: usize,
) -> Vec<(&'a ShapeCount, Fitted)> {
    let width = shapes
        .iter()
        .map(|(shape, _)| thousands(shape.count).len())
        .max()
        .unwrap_or(0);
    let mut left = room;
    let mut rows = Vec::new();
    for (shape, sample) in shapes.iter().rev() {
        let fitted = fit::middle(sample, length);
        let Some(less) = left.checked_sub(units(&row("", width, fitted.text.as_str())) + 1) else {
            break;
        };
        left = less;
        rows.push((*shape, fitted));
    }
    rows.reverse();
    rows
}

fn row(count: &str, width: usize, sample: &str) -> String {
    format!("{count:>width$}× {sample}")
}
