//! Whether a line goes on with the event above it.

use super::head::Head;
use super::trace::{self, Opening, Trace};
use super::{Language, Multiline};
use crate::model::{Habit, Records};

/// What is remembered of an event while its lines are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::event) enum State {
    /// Nothing goes on with it.
    Complete,
    /// Text. `headed`: it begins with a record's head; a trace below it belongs to it.
    Text { headed: bool },
    /// A record whose second line says its level.
    Level,
    /// A stack trace, perhaps below a record.
    Trace { headed: bool, at: Trace },
}

/// Decides about the lines of one file.
#[derive(Clone, Copy, Debug)]
pub(in crate::event) struct Joiner<'m> {
    multiline: &'m Multiline,
    habit: Habit,
}

/// What holds for a line at its place in the file.
#[derive(Clone, Copy)]
struct Rules {
    language: Option<Language>,
    /// A line of text without a head goes on with the record above.
    text_joins: bool,
    /// Whether a time behind a few words is a head.
    named: bool,
    /// A line that begins with white space goes on with what is above.
    indent_joins: bool,
}

impl<'m> Joiner<'m> {
    pub(in crate::event) fn new(multiline: &'m Multiline, habit: Habit) -> Self {
        Self { multiline, habit }
    }

    /// Whether each line is an event.
    pub(in crate::event) fn is_off(self) -> bool {
        *self.multiline == Multiline::Off
    }

    /// What is known behind the first line of an event. `offset` is where the line begins in the file.
    pub(in crate::event) fn first(self, line: &[u8], offset: u64) -> State {
        let Some(rules) = self.rules(offset) else {
            return State::Text { headed: false };
        };
        match rules.head(line) {
            Some(Head::Object) => State::Complete,
            Some(_) => State::Text { headed: true },
            None => match rules
                .opens(line)
                .map(|(at, _)| at)
                .or_else(|| trace::joins(rules.language, line))
            {
                Some(at) => State::Trace { headed: false, at },
                None => State::Text { headed: false },
            },
        }
    }

    /// What is known behind `line`, if it goes on with the event; `before` is the line above it.
    pub(in crate::event) fn next(
        self,
        state: State,
        before: &[u8],
        line: &[u8],
        offset: u64,
    ) -> Option<State> {
        match self.multiline {
            Multiline::Off => None,
            Multiline::Start(pattern) => (!pattern.matches(line)).then_some(state),
            Multiline::Continue(pattern) => pattern.matches(line).then_some(state),
            Multiline::Auto | Multiline::Language(_) => self.rules(offset)?.next(state, before, line),
        }
    }

    /// Whether a line begins an event whatever stands above `before`, which is the line above it.
    pub(in crate::event) fn is_sure(self, before: &[u8], line: &[u8], offset: u64) -> bool {
        match self.multiline {
            Multiline::Off => true,
            Multiline::Start(pattern) => pattern.matches(line),
            Multiline::Continue(pattern) => !pattern.matches(line),
            Multiline::Auto | Multiline::Language(_) => self.rules(offset).is_some_and(|rules| {
                rules.head(line).is_some()
                    && !trace::takes_next(rules.language, before)
                    && !Head::is_second_line(before, line)
            }),
        }
    }

    /// Whether a line says nothing about what is above it: behind [`trace::STRANGERS`] such lines without a gap, the
    /// last one begins an event.
    pub(in crate::event) fn is_stranger(self, line: &[u8], offset: u64) -> bool {
        let Some(rules) = self.rules(offset) else {
            return false;
        };
        let plain = line.first().is_some_and(|byte| !byte.is_ascii_whitespace()) && !is_closing(line);
        plain && !rules.text_joins && rules.head(line).is_none() && trace::is_stranger(line)
    }

    /// Whether the first line of an event can only be the rest of another one.
    pub(in crate::event) fn is_rest(self, line: &[u8], offset: u64) -> bool {
        if is_blank(line) {
            return false;
        }
        match self.multiline {
            Multiline::Off => false,
            Multiline::Start(pattern) => !pattern.matches(line),
            Multiline::Continue(pattern) => pattern.matches(line),
            Multiline::Auto | Multiline::Language(_) => self.rules(offset).is_some_and(|rules| {
                let headed = State::Text { headed: true };
                let begins = rules.opens(line).is_some();
                !begins && rules.next(headed, b"", line).is_some()
            }),
        }
    }

    /// None where patterns decide.
    fn rules(self, offset: u64) -> Option<Rules> {
        let habit = if offset >= self.habit.from {
            self.habit
        } else {
            Habit::default()
        };
        match self.multiline {
            Multiline::Auto => Some(Rules {
                language: None,
                text_joins: habit.records != Records::Any,
                named: habit.records == Records::Named,
                indent_joins: !habit.indented,
            }),
            Multiline::Language(language) => Some(Rules {
                language: Some(*language),
                text_joins: false,
                named: false,
                indent_joins: false,
            }),
            Multiline::Off | Multiline::Start(_) | Multiline::Continue(_) => None,
        }
    }
}

impl Rules {
    fn head(self, line: &[u8]) -> Option<Head> {
        Head::of(line).filter(|head| self.named || *head != Head::Named)
    }

    fn opens(self, line: &[u8]) -> Option<(Trace, Opening)> {
        trace::opens(self.language, line)
    }

    fn next(self, state: State, before: &[u8], line: &[u8]) -> Option<State> {
        let headed = match state {
            State::Complete => return None,
            State::Level => true,
            State::Text { headed } | State::Trace { headed, .. } => headed,
        };
        let trace = |at| Some(State::Trace { headed, at });
        if is_blank(line) {
            return match state {
                State::Trace { at, .. } => trace(at.blank()),
                other => Some(other),
            };
        }
        if let State::Trace { at, .. } = state
            && at.takes_any()
        {
            return trace(at.next(line)?);
        }
        if self.head(line).is_some() {
            let second = state == State::Text { headed: true } && Head::is_second_line(before, line);
            return second.then_some(State::Level);
        }
        if let State::Trace { at, .. } = state
            && let Some(at) = at.next(line)
        {
            return trace(at);
        }
        if let Some((at, opening)) = self.opens(line) {
            return match state {
                // An exception that a record speaks of has no head of its own.
                State::Text { headed: true } | State::Level => trace(at),
                State::Trace { .. } if self.text_joins && opening == Opening::Exception => trace(at),
                _ => None,
            };
        }
        if let Some(at) = trace::joins(self.language, line) {
            return trace(at);
        }
        let joins = if is_indented(line) || is_closing(line) {
            self.indent_joins || self.text_joins
        } else {
            self.text_joins
        };
        joins.then_some(state)
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

fn is_indented(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// What closes something that an earlier line opened.
fn is_closing(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'}' | b']' | b')')) || line.starts_with(b"\"}")
}
