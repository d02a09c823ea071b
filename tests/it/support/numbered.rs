//! Lines with numbers, and reading them back from messages as a person would.
//!
//! Every line carries its number at both ends, so a torn or merged one is seen. A series is what one writer
//! wrote into one file: within it the order of the file is the order of the numbers.

use std::collections::BTreeMap;

use botapi::Message;

/// What a numbered line begins with; rules match it.
const WORD: &str = "ERROR ";

/// Which line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub series: u32,
    pub number: u64,
}

impl Line {
    /// As it stands in the file, without its newline.
    pub fn text(self) -> String {
        let Self { series, number } = self;
        format!("{WORD}{series:05}-{number:06} it broke {number:06}.")
    }

    /// The line that begins here, whatever its rest is.
    fn read(text: &str) -> Option<Self> {
        let id = text.strip_prefix(WORD)?.split_whitespace().next()?;
        let (series, number) = id.split_once('-')?;
        Some(Self {
            series: series.parse().ok()?,
            number: number.parse().ok()?,
        })
    }
}

/// A series being written.
#[derive(Clone, Debug)]
pub struct Series {
    pub series: u32,
    /// How many lines it has.
    pub count: u64,
}

impl Series {
    pub fn new(series: u32) -> Self {
        Self { series, count: 0 }
    }

    /// The next lines, with their newlines.
    pub fn next(&mut self, lines: u64) -> String {
        let from = self.count;
        self.count += lines;
        let text = |number| {
            Line {
                series: self.series,
                number,
            }
            .text()
                + "\n"
        };
        (from..self.count).map(text).collect()
    }
}

impl Series {
    /// The newest line.
    pub fn last(&self) -> String {
        let number = self.count - 1;
        Line {
            series: self.series,
            number,
        }
        .text()
    }
}

/// The lines that stood in messages.
#[derive(Debug, Default)]
pub struct Back {
    /// In which message each stood first.
    pub first: BTreeMap<Line, usize>,
    /// How many stood in a later message again; each of those said so.
    pub doubled: u64,
}

impl Back {
    /// Reads the texts with which messages came. Panics on a line that is not as it was written, one that is
    /// out of order in its series, and one that came again without "may repeat".
    pub fn read(messages: &[Message]) -> Self {
        let mut back = Self::default();
        let mut newest: BTreeMap<u32, u64> = BTreeMap::new();
        for (at, message) in messages.iter().enumerate() {
            let text = first_text(message);
            for found in text.lines().filter(|line| line.contains(WORD)) {
                let line = Line::read(found).unwrap_or_else(|| panic!("no line was written like {found:?}"));
                assert_eq!(found, line.text(), "torn or merged");
                if back.first.contains_key(&line) {
                    assert!(labelled(message), "{found:?} came again without a word:\n{text}");
                    back.doubled += 1;
                    continue;
                }
                let before = newest.insert(line.series, line.number);
                assert!(before < Some(line.number), "{found:?} came after {before:?}");
                back.first.insert(line, at);
            }
        }
        back
    }

    /// The written lines that no message showed. Panics on a line that nobody wrote.
    pub fn lost(&self, written: &[Series]) -> Vec<Line> {
        let all = |series: &Series| {
            let series = series.clone();
            (0..series.count).map(move |number| Line {
                series: series.series,
                number,
            })
        };
        let owed: Vec<Line> = written.iter().flat_map(all).collect();
        let lost: Vec<Line> = owed
            .iter()
            .filter(|line| !self.first.contains_key(line))
            .copied()
            .collect();
        assert_eq!(
            self.first.len(),
            owed.len() - lost.len(),
            "a line was delivered that nobody wrote"
        );
        lost
    }
}

/// The text with which a message came, before any edit.
pub fn first_text(message: &Message) -> &str {
    message
        .earlier
        .first()
        .map_or(&message.text, |version| &version.text)
}

/// Whether a message came with the words that it may repeat an earlier one.
pub fn labelled(message: &Message) -> bool {
    first_text(message).contains("may repeat")
}
