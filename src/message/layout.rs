//! The six kinds of message, each put together from its parts.
//!
//! Parts are written from the top, and each part gets the room that is left for it, so no message is ever
//! too long. Two promises shape the order: the total stands in the head, before anything that grows; and
//! the newest line of an incident has its room set aside before the shapes get theirs. Batches of lines
//! have a third: the head may change when the message is edited, the lines may not, so their room does not
//! depend on the changing part of the head.

use std::sync::Arc;

use super::Settings;
use super::around::Surroundings;
use super::document;
use super::fit::{self, Fitted, SHOWN};
use super::head::Head;
use super::html;
use super::names::{Filled, Names};
use super::sanitise::Clean;
use super::shapes::Shapes;
use super::template::Template;
use super::text::{LIMIT, TextBuilder};
use super::words::{counted, thousands};
use crate::model::{
    Card, CardKind, Covers, Ended, Incident, KeptLine, Phase, Rendered, ShapeCount, ShapeId, Timestamp,
};

/// So many files are named.
const FILES: usize = 3;
/// Room for the changing part of the head of a batch, at its longest: a mark that is wider, "may repeat",
/// how it ended, four dates, one path, the numbers of the lines.
const CHANGES: usize = 560;
/// How much of each value a template shows, in UTF-16 units: the first with which the message fits.
const VALUES: [usize; 6] = [4_096, 2_048, 1_024, 400, 160, 80];
/// The smallest part of what is left that the newest line can have, in percent.
const NEWEST_PERCENT: usize = 45;
/// The largest part of what is left that the lines around the newest match can have, in percent.
const AROUND_PERCENT: usize = 30;
/// So much room is left for what the log said when Telegram refused all of it.
pub(super) const SHORT: usize = 500;
/// Longer one-line events are folded.
const UNFOLDED: usize = 320;

/// Renders a card. Pure: the same card gives the same message. Within all limits of Telegram, never empty.
pub fn render(settings: &Settings, card: &Card<'_>) -> Rendered {
    let names = Names {
        settings,
        incident: card.incident,
    };
    let rule = settings.rules.get(&card.incident.rule);
    let mut page = Page {
        template: rule.and_then(|rule| rule.template.as_ref()),
        names,
        head: Head::new(settings, card),
        short: card.short,
        out: TextBuilder::new(),
        covers: Covers::default(),
    };
    let has_buttons = matches!(card.kind, CardKind::Live | CardKind::Lines { .. });
    match &card.kind {
        CardKind::Live => page.live(card.incident),
        CardKind::FollowUp(shapes) => page.follow_up(card.incident, shapes),
        CardKind::Raised(shapes) => page.raised(card.incident, shapes),
        CardKind::Reminder { at } => page.reminder(*at),
        CardKind::Resolved => page.resolved(card.incident),
        CardKind::Document => return document::render(settings, card),
        CardKind::Lines {
            lines,
            before,
            dropped,
        } => page.lines(card.incident, lines, *before, *dropped),
    }
    let mut rendered = page.finish();
    rendered.covers.whole = card.incident.is_over() && shows_every_line(&rendered.text.text, card.incident);
    if let Some(rule) = rule.filter(|_| has_buttons) {
        let buttons = rule.buttons.iter();
        rendered.text.buttons = buttons.filter_map(|button| button.fill(names)).collect();
    }
    rendered
}

/// A template with as much of each value as leaves room for the rest.
fn template_that_fits(
    template: &Template,
    head: &Head<'_>,
    names: Names<'_>,
    room: usize,
) -> Option<html::Page> {
    for most in VALUES {
        let values = Filled::new(names, head, most);
        match template.render(Arc::new(values), &head.sum()) {
            Ok(page) if page.units() <= room && !page.is_empty() => return Some(page),
            Ok(_) => {}
            Err(why) => {
                let rule = &names.incident.rule;
                tracing::warn!(%rule, "the template cannot be used for this message: {why}");
                return None;
            }
        }
    }
    None
}

/// A message in the making.
struct Page<'a> {
    template: Option<&'a Template>,
    names: Names<'a>,
    head: Head<'a>,
    short: bool,
    out: TextBuilder,
    covers: Covers,
}

impl Page<'_> {
    fn live(&mut self, incident: &Incident) {
        // A template is about a match, and what is absent has none.
        if incident.absent.is_none() && self.templated(incident) {
            return;
        }
        self.head.names(&mut self.out, "");
        self.head.state(&mut self.out);
        self.head.files(&mut self.out, FILES);
        self.head.carried(&mut self.out);
        if incident.absent.is_some() {
            return;
        }
        self.body_begins();
        let surroundings = Surroundings::of(incident).filter(|_| !self.short);
        let aside = surroundings.as_ref().map_or(0, |around| {
            around.units().min(self.out.room() * AROUND_PERCENT / 100)
        });
        self.out.set_aside(aside);
        match incident.lines.back() {
            Some(newest) => self.body(incident, newest),
            None => self.shapes(incident, self.out.room()),
        }
        self.out.give_back(aside);
        if let Some(around) = surroundings {
            around.write(&mut self.out);
        }
    }

    /// The rule's own words, with the state below where they do not say it, and the shapes if there are several.
    /// False if the rule has none, or if they cannot be used now.
    fn templated(&mut self, incident: &Incident) -> bool {
        let Some(template) = self.template.filter(|_| !self.short) else {
            return false;
        };
        let mut below = TextBuilder::new();
        self.head.state_below(&mut below, false);
        let room = self.out.room().saturating_sub(below.units());
        let surroundings = Surroundings::of(incident).filter(|_| !template.says_surroundings());
        let aside = surroundings
            .as_ref()
            .map_or(0, |around| around.units().min(room * AROUND_PERCENT / 100));
        let room = room - aside;
        let Some(page) = template_that_fits(template, &self.head, self.names, room) else {
            return false;
        };
        let has_state = page.has_state;
        self.out.finished(&page.text());
        self.head.state_below(&mut self.out, has_state);
        if incident.shapes.len() > 1 || incident.other > 0 {
            self.shapes(incident, self.out.room().saturating_sub(aside));
        }
        if let Some(around) = surroundings {
            around.write(&mut self.out);
        }
        if let Some(newest) = incident.lines.back() {
            // Whoever wrote the template knows what to say of a match: its shape is told.
            self.covers.shapes.push(newest.shape);
            let first: String = event_text(newest).as_str().chars().take(SHOWN).collect();
            if self.out.holds(&first) {
                self.covers.shown.push(newest.nth);
            }
        }
        true
    }

    /// The shapes, and the newest line unless one of the shapes already shows all of it.
    fn body(&mut self, incident: &Incident, newest: &KeptLine) {
        if let ([only], 0) = (incident.shapes.as_slice(), incident.other)
            && begins_with(newest, only)
        {
            self.event(newest, "\n", self.out.room());
            return self.shape_stands_in(only);
        }
        let all = Shapes::fit(&incident.shapes, incident.other, self.out.room());
        let twin = incident.shapes.iter().find(|shape| shows_all(newest, shape));
        if twin.is_some_and(|twin| all.has_whole(twin.id)) {
            all.write(&mut self.out, &mut self.covers);
            self.covers.shown.push(newest.nth);
            return;
        }
        let label = "\nlatest:\n";
        let event = event_text(newest).units() + label.len();
        let set_aside = event.min(self.out.room() * NEWEST_PERCENT / 100);
        self.shapes(incident, self.out.room() - set_aside);
        self.event(newest, label, self.out.room());
    }

    fn shapes(&mut self, incident: &Incident, room: usize) {
        Shapes::fit(&incident.shapes, incident.other, room).write(&mut self.out, &mut self.covers);
    }

    /// One event in full, or shortened from the middle.
    fn event(&mut self, line: &KeptLine, label: &str, room: usize) {
        let text = event_text(line);
        let fitted = fit::middle(&text, room.saturating_sub(label.len()));
        self.out.say(label);
        if text.units() > UNFOLDED || text.as_str().contains('\n') {
            self.out.folded(&fitted.text);
        } else {
            self.out.pre(&fitted.text);
        }
        if fitted.shown {
            self.covers.shown.push(line.nth);
        }
    }

    fn follow_up(&mut self, incident: &Incident, wanted: &[ShapeId]) {
        self.reply(incident, wanted, "new in ");
    }

    fn raised(&mut self, incident: &Incident, wanted: &[ShapeId]) {
        self.reply(incident, wanted, &format!("now {}: ", incident.severity.as_str()));
    }

    /// A short reply that shows these shapes, if there are any.
    fn reply(&mut self, incident: &Incident, wanted: &[ShapeId], lead: &str) {
        self.head.names(&mut self.out, lead);
        self.head.state(&mut self.out);
        self.head.carried(&mut self.out);
        self.body_begins();
        let shapes = incident.shapes.iter().filter(|shape| wanted.contains(&shape.id));
        Shapes::fit(shapes, 0, self.out.room()).write(&mut self.out, &mut self.covers);
    }

    /// All of it is the head's: the log has said nothing new.
    fn reminder(&mut self, at: Timestamp) {
        self.head.names(&mut self.out, "");
        self.head.still(&mut self.out, at);
    }

    fn resolved(&mut self, incident: &Incident) {
        self.head.names(&mut self.out, "");
        self.head.state(&mut self.out);
        self.head.carried(&mut self.out);
        self.body_begins();
        if let Phase::Over {
            ended: Ended::Resolved { line },
            ..
        } = &incident.phase
        {
            self.out
                .say("\nresolved by:\n")
                .pre(&fit::middle(&Clean::block(line), LIMIT / 4).text);
        }
    }

    fn lines(&mut self, incident: &Incident, lines: &[&KeptLine], before: u64, dropped: u64) {
        self.head.names(&mut self.out, "");
        let room = self.out.room().saturating_sub(self.carried_units() + CHANGES);
        self.head.state(&mut self.out);
        self.head.files(&mut self.out, 1);
        self.head.carried(&mut self.out);
        let fitted = first_lines(lines, if self.short { room.min(SHORT) } else { room });
        self.numbers(before, fitted.len() as u64);
        if dropped > 0 {
            let more = counted(dropped, "more line was not kept", "more lines were not kept");
            self.out.say(&format!("\n{more}"));
        }
        let texts: Vec<_> = fitted.iter().map(|fitted| fitted.text.as_str()).collect();
        if !texts.is_empty() {
            self.out.say("\n").pre(&Clean::joined(&[&texts.join("\n")]));
        }
        self.covers.lines = fitted.len();
        for (line, _) in lines.iter().zip(&fitted).filter(|(_, fitted)| fitted.shown) {
            self.covers.shown.push(line.nth);
            let shape = incident.shapes.iter().find(|shape| shape.id == line.shape);
            self.covers.shapes.extend(
                shape
                    .filter(|shape| begins_with(line, shape))
                    .map(|shape| shape.id),
            );
        }
    }

    /// What every edit says again about other incidents takes the same room every time.
    fn carried_units(&self) -> usize {
        let mut aside = TextBuilder::new();
        self.head.carried(&mut aside);
        aside.units()
    }

    /// `lines 41-80`.
    fn numbers(&mut self, before: u64, count: u64) {
        let first = thousands(before.saturating_add(1));
        let last = thousands(before.saturating_add(count));
        if count == 1 {
            self.out.say(&format!("\nline {first}"));
        } else if count > 1 {
            self.out.say(&format!("\nlines {first}-{last}"));
        }
    }

    /// The head is written; what follows is the log's. A head is ours but for names, which are short.
    fn body_begins(&mut self) {
        if self.short {
            self.out.narrow(SHORT);
        }
    }

    fn shape_stands_in(&mut self, shape: &ShapeCount) {
        if !self.covers.shown.is_empty() {
            self.covers.shapes.push(shape.id);
            self.covers.shown.push(shape.nth);
        }
    }

    fn finish(mut self) -> Rendered {
        self.covers.shown.sort_unstable();
        self.covers.shown.dedup();
        self.covers.shapes.sort_unstable();
        self.covers.shapes.dedup();
        Rendered {
            text: self.out.finish(),
            covers: self.covers,
            document: None,
        }
    }
}

/// As many lines from the front as fit; the first is shortened rather than left out.
fn first_lines(lines: &[&KeptLine], room: usize) -> Vec<Fitted> {
    let mut left = room;
    let mut out: Vec<Fitted> = Vec::new();
    for line in lines {
        let text = event_text(line);
        if !out.is_empty() && text.units() + 1 > left {
            break;
        }
        let fitted = fit::middle(&text, left);
        left = left.saturating_sub(fitted.text.units() + 1);
        out.push(fitted);
    }
    out
}

pub(super) fn event_text(line: &KeptLine) -> Clean {
    let text = Clean::block(&line.text);
    if line.cut {
        Clean::joined(&[text.as_str(), " … cut here"])
    } else {
        text
    }
}

/// Whether a reader of the text misses nothing of what was kept.
fn shows_every_line(text: &str, incident: &Incident) -> bool {
    let mut lines = incident.lines.iter();
    lines.all(|line| text.contains(event_text(line).as_str()))
}

/// Whether the sample, as one line, shows all of the event.
fn shows_all(line: &KeptLine, shape: &ShapeCount) -> bool {
    !line.cut && line.text == shape.sample && !line.text.contains('\n')
}

/// Whether an event shows what the sample shows.
fn begins_with(line: &KeptLine, shape: &ShapeCount) -> bool {
    line.text == shape.sample
        || (line.text.starts_with(&shape.sample) && shape.sample.chars().count() >= SHOWN)
}
