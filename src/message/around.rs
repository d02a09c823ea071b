//! The lines around the newest match.

use super::fit;
use super::sanitise::Clean;
use super::text::TextBuilder;
use super::words::counted;
use crate::model::Incident;

/// Room for the words above a block.
const LABEL: usize = 32;

/// What stands around the newest match, made harmless.
pub(super) struct Surroundings {
    before: Block,
    after: Block,
}

/// Lines on one side of it.
struct Block {
    lines: u64,
    text: Clean,
}

impl Block {
    fn of(lines: &[String]) -> Self {
        Self {
            lines: lines.len() as u64,
            text: Clean::block(&lines.join("\n")),
        }
    }

    fn units(&self) -> usize {
        if self.lines == 0 {
            0
        } else {
            self.text.units() + LABEL
        }
    }

    fn write(&self, side: &str, room: usize, out: &mut TextBuilder) {
        if self.lines == 0 || room <= LABEL {
            return;
        }
        let lines = counted(self.lines, "line", "lines");
        out.say(&format!("\n{lines} {side}:\n"));
        out.folded(&fit::middle(&self.text, room - LABEL).text);
    }
}

impl Surroundings {
    /// Those of an incident; none if nothing is known of them.
    pub(super) fn of(incident: &Incident) -> Option<Self> {
        let context = incident.context.as_ref()?;
        let around = Self {
            before: Block::of(&context.before),
            after: Block::of(&context.after),
        };
        (around.units() > 0).then_some(around)
    }

    /// How much room they need.
    pub(super) fn units(&self) -> usize {
        self.before.units() + self.after.units()
    }

    /// Writes as much of them as there is room for; where there is too little, both sides get their half.
    pub(super) fn write(&self, out: &mut TextBuilder) {
        let room = out.room();
        let before = self
            .before
            .units()
            .min((room / 2).max(room.saturating_sub(self.after.units())));
        self.before.write("before it", before, out);
        self.after.write("after it", out.room(), out);
    }
}
