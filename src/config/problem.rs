//! What is wrong with a rules.toml, where, and what to do about it.
//!
//! A [`Problem`] is whole in itself: it carries its line of the file, so it can be logged or sent long after
//! the text is gone. The trap: that line may hold a token or a proxy's password, so everything quoted from
//! the file goes through [`secret::hide`](super::secret::hide) first.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::secret;

/// How many problems one reading keeps; the others are only counted.
const KEPT: usize = 100;

/// How many columns of a source line are shown.
const SHOWN: usize = 100;

/// One thing that is wrong, or (as a warning) probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    path: PathBuf,
    place: Option<Place>,
    what: String,
    help: String,
    warning: bool,
}

/// Where in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// In bytes of the text; what problems are sorted by.
    offset: usize,
    line: usize,
    column: usize,
    /// The line, fit to be shown.
    excerpt: String,
    /// Columns of a terminal before the caret.
    indent: usize,
    /// How many carets; at least one.
    carets: usize,
}

impl Problem {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line in the file, from 1; absent if the problem is the file as a whole.
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.line)
    }

    /// The column in characters, from 1; absent if the problem is the file as a whole.
    pub fn column(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.column)
    }

    /// What is wrong, in one sentence without a full stop.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do about it.
    pub fn help(&self) -> &str {
        &self.help
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.warning {
            f.write_str("warning: ")?;
        }
        write!(f, "{}", self.path.display())?;
        let gutter = match &self.place {
            None => {
                writeln!(f, ": {}", self.what)?;
                1
            }
            Some(place) => {
                let gutter = place.line.to_string().len();
                writeln!(f, ":{}:{}: {}", place.line, place.column, self.what)?;
                writeln!(f, "{:gutter$} |", "")?;
                writeln!(f, "{} | {}", place.line, place.excerpt)?;
                writeln!(
                    f,
                    "{:gutter$} | {:indent$}{:^<carets$}",
                    "",
                    "",
                    "",
                    indent = place.indent,
                    carets = place.carets
                )?;
                gutter
            }
        };
        let mut lines = self.help.lines();
        write!(f, "{:gutter$} = help: {}", "", lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| write!(f, "\n{:gutter$}   {line}", ""))
    }
}

/// Everything that is wrong with one file, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    list: Vec<Problem>,
    /// How many more there are.
    more: usize,
}

impl Problems {
    /// One problem of a file as a whole.
    pub(super) fn of_file(path: &Path, what: String, help: String) -> Self {
        Self {
            list: vec![Problem {
                path: path.into(),
                place: None,
                what,
                help,
                warning: false,
            }],
            more: 0,
        }
    }

    /// What the rules of a file are together, and none of them alone.
    pub(crate) fn of_rules(path: &Path, what: &str) -> Self {
        let help = "take rules out, or make their patterns simpler";
        Self::of_file(path, shown(what.to_owned()), help.to_owned())
    }

    /// Those of the kept problems that fit.
    pub(super) fn only(&self, fits: impl Fn(&Problem) -> bool) -> Self {
        Self {
            list: self
                .list
                .iter()
                .filter(|problem| fits(problem))
                .cloned()
                .collect(),
            more: 0,
        }
    }

    /// The problems that were kept; never empty in an `Err`.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many there are, those that were not kept included.
    pub fn count(&self) -> usize {
        self.list.len() + self.more
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            writeln!(f, "{problem}\n")?;
        }
        match self.count() {
            1 => write!(f, "1 problem"),
            all if self.more > 0 => write!(f, "{all} problems, the first {} are shown", self.list.len()),
            all => write!(f, "{all} problems"),
        }
    }
}

/// The texts being read, one behind the other: a place in them is one number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    /// Where each file begins; the first one at 0.
    pub(super) parts: &'a [Part],
}

/// One file of a [`Source`].
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) at: usize,
    pub(super) path: PathBuf,
}

impl<'a> Source<'a> {
    /// The texts of the files, each with the place where it begins.
    pub(super) fn texts(self) -> impl Iterator<Item = (usize, &'a str)> {
        let ends = self.parts.iter().skip(1).map(|part| part.at);
        let ends = ends.chain(std::iter::once(self.text.len()));
        let text = |(part, end): (&Part, usize)| (part.at, self.text.get(part.at..end).unwrap_or_default());
        self.parts.iter().zip(ends).map(text)
    }

    /// The file that holds this place.
    fn part(self, offset: usize) -> Option<&'a Part> {
        let before = self.parts.partition_point(|part| part.at <= offset);
        self.parts.get(before.saturating_sub(1))
    }

    /// The line of a place in its file, from 1.
    fn line(self, offset: usize) -> usize {
        let start = self.part(offset).map_or(0, |part| part.at);
        self.text
            .get(start..offset)
            .unwrap_or_default()
            .matches('\n')
            .count()
            + 1
    }
}

/// Collects problems and warnings while a file is read.
pub(super) struct Report<'a> {
    source: Source<'a>,
    /// Lines that are not TOML. What else is found on them follows from that and is not told.
    torn: Vec<Range<usize>>,
    problems: Vec<Problem>,
    /// Problems past [`KEPT`].
    more: usize,
    warnings: Vec<Problem>,
}

impl<'a> Report<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self {
            source,
            torn: Vec::new(),
            problems: Vec::new(),
            more: 0,
            warnings: Vec::new(),
        }
    }

    /// The text being read.
    pub(super) fn text(&self) -> &'a str {
        self.source.text
    }

    /// The text of rules.toml itself.
    pub(super) fn first_text(&self) -> &'a str {
        self.source.texts().next().map_or("", |(_, text)| text)
    }

    /// What a place is called by someone at another one: `line 7`, or in another file `line 7 of rules.d/a.toml`.
    pub(super) fn called(&self, place: usize, from: usize) -> String {
        let line = self.source.line(place);
        match (self.source.part(place), self.source.part(from)) {
            (Some(there), Some(here)) if there.at != here.at => {
                format!("line {line} of {}", there.path.display())
            }
            _ => format!("line {line}"),
        }
    }

    /// Something is wrong at these bytes.
    pub(super) fn problem(&mut self, at: &Range<usize>, what: String, help: impl Into<String>) {
        if self.torn.iter().any(|line| line.contains(&at.start)) {
            return;
        }
        self.keep(Some(at), what, help.into());
    }

    /// Something that should be here is not: a key, a name, a capture. Where the text is torn the missing
    /// thing may stand in the torn part, so nothing is said.
    pub(super) fn missing(&mut self, at: &Range<usize>, what: String, help: impl Into<String>) {
        if self.torn.is_empty() {
            self.keep(Some(at), what, help.into());
        }
    }

    /// The text is not TOML here.
    pub(super) fn syntax(&mut self, at: &Range<usize>, what: String, help: impl Into<String>) {
        let line = line_around(self.source.text, at.start);
        if !self.torn.contains(&line) && self.torn.len() < KEPT {
            self.torn.push(line);
            self.keep(Some(at), what, help.into());
        }
    }

    /// Something outside the file is wrong: a variable that speaks where the file is silent.
    pub(super) fn outside(&mut self, what: String, help: impl Into<String>) {
        self.keep(None, what, help.into());
    }

    /// Allowed, but probably not meant.
    pub(super) fn warn(&mut self, at: Option<&Range<usize>>, what: String, help: impl Into<String>) {
        if self.warnings.len() < KEPT {
            let place = at.map(|at| place(self.source, at));
            self.warnings.push(Problem {
                warning: true,
                ..self.build(place, what, help.into())
            });
        }
    }

    fn keep(&mut self, at: Option<&Range<usize>>, what: String, help: String) {
        if self.problems.len() < KEPT {
            let problem = self.build(at.map(|at| place(self.source, at)), what, help);
            self.problems.push(problem);
        } else {
            self.more += 1;
        }
    }

    fn build(&self, place: Option<Place>, what: String, help: String) -> Problem {
        let (what, help) = (shown(what), shown(help));
        let offset = place.as_ref().map_or(0, |place| place.offset);
        Problem {
            path: self
                .source
                .part(offset)
                .map(|part| part.path.clone())
                .unwrap_or_default(),
            place,
            what,
            help,
            warning: false,
        }
    }

    /// Problems and warnings in the order of the file.
    pub(super) fn finish(mut self) -> (Problems, Vec<Problem>) {
        let offset = |problem: &Problem| problem.place.as_ref().map(|place| place.offset);
        self.problems.sort_by_key(offset);
        self.warnings.sort_by_key(offset);
        (
            Problems {
                list: self.problems,
                more: self.more,
            },
            self.warnings,
        )
    }
}

/// A sentence that quotes the file, fit for a terminal: no secrets, no control characters.
fn shown(sentence: String) -> String {
    let control = |c: char| c.is_control() && c != '\n';
    secret::hide(sentence).replace(control, "\u{fffd}")
}

/// The bytes of the line that holds `offset`, its newline included.
fn line_around(text: &str, offset: usize) -> Range<usize> {
    let offset = text.floor_char_boundary(offset.min(text.len()));
    let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[offset..]
        .find('\n')
        .map_or(text.len() + 1, |newline| offset + newline + 1);
    start..end
}

fn place(source: Source<'_>, at: &Range<usize>) -> Place {
    let text = source.text;
    let offset = text.floor_char_boundary(at.start.min(text.len()));
    let end = text.ceil_char_boundary(at.end.clamp(offset, text.len()));
    let start = line_around(text, offset).start;
    let line = text[start..].lines().next().unwrap_or_default();
    // Hiding keeps the number of characters, so that columns still hold.
    let shown = secret::hide(line);
    let before = text[start..offset].chars().count();
    let inside = text[offset..end]
        .chars()
        .take_while(|c| *c != '\n' && *c != '\r')
        .count();
    let (excerpt, indent, carets) = window(&shown, before, inside);
    let line = source.line(start);
    Place {
        offset,
        line,
        column: before + 1,
        excerpt,
        indent,
        carets,
    }
}

/// The part of a line around the `inside` characters after the first `before`, the columns before them and
/// the columns they take.
fn window(line: &str, before: usize, inside: usize) -> (String, usize, usize) {
    let from = if before + inside.min(SHOWN / 2) > SHOWN {
        before.saturating_sub(SHOWN / 2)
    } else {
        0
    };
    let mut excerpt = String::from(if from > 0 { "…" } else { "" });
    let (mut indent, mut carets) = (excerpt.chars().count(), 0);
    for (at, c) in line.chars().enumerate().skip(from).take(SHOWN) {
        let c = if c == '\t' {
            ' '
        } else if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        };
        match at {
            _ if at < before => indent += columns(c),
            _ if at < before + inside => carets += columns(c),
            _ => {}
        }
        excerpt.push(c);
    }
    if line.chars().count() > from + SHOWN {
        excerpt.push('…');
    }
    (excerpt, indent, carets.max(1))
}

/// How many columns of a terminal a character takes, nearly: enough to keep a caret below Korean, Chinese
/// and Japanese text.
fn columns(c: char) -> usize {
    match u32::from(c) {
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0x1f300..=0x1faff => 2,
        _ => 1,
    }
}
