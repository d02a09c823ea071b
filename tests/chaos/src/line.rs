//! A line as it stands in a log: which rule must find it, which one it is, and a checksum over both.
//!
//! Numbers are decimal, so that all lines of a rule have one shape, or two. Every line says all of that itself, so that one look at a message tells whether it arrived whole. Its text is a
//! function of its parts; what is read back is compared with what its parts make.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What every line begins with.
pub const MARK: &str = "LINE ";

/// The rules of the campaign; each is delivered in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// `ring = "all"`: every line is owed.
    Every,
    /// `ring = "new"` by unit; a unit has one incident.
    Storm,
    /// The same, and a line says that the unit is mended.
    Mend,
    /// Over after three seconds without a match.
    Brief,
    /// So few rings are allowed that most incidents are summed up.
    Few,
    /// Proves that the road is open.
    Canary,
    /// `ring = "all"` again, to many people at once: requests without a pause. Only some rounds have it.
    Chorus,
}

/// A person.
pub const OPS: i64 = 4242;
/// A group.
pub const TEAM: i64 = -77;
/// Another person.
pub const DESK: i64 = 4343;
/// Many more persons.
pub const CHORUS: [i64; 32] = {
    let mut ids = [0; 32];
    let (mut at, mut id) = (0, 5_000);
    while at < ids.len() {
        ids[at] = id;
        (at, id) = (at + 1, id + 1);
    }
    ids
};

/// Ids of the supergroups that the group may become lie below this.
const SUPERGROUPS: i64 = -1_007_700_000_000;

/// The id of a supergroup that the group may become.
pub fn supergroup(number: u64) -> i64 {
    SUPERGROUPS.saturating_sub_unsigned(number)
}

/// Which chat of rules.toml lies at this id now.
pub fn home(id: i64) -> i64 {
    if id <= SUPERGROUPS { TEAM } else { id }
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Every,
        Self::Storm,
        Self::Mend,
        Self::Brief,
        Self::Few,
        Self::Canary,
        Self::Chorus,
    ];

    /// Those of a round.
    pub fn of_round(chorus: bool) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |rule| chorus || *rule != Self::Chorus)
    }

    /// Its name in rules.toml and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Every => "every",
            Self::Storm => "storm",
            Self::Mend => "mend",
            Self::Brief => "brief",
            Self::Few => "few",
            Self::Canary => "canary",
            Self::Chorus => "voices",
        }
    }

    /// The rule of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// Who is told.
    pub fn chats(self) -> &'static [i64] {
        match self {
            Self::Every | Self::Storm => &[OPS, TEAM],
            Self::Mend => &[OPS],
            Self::Brief => &[TEAM],
            Self::Few => &[DESK],
            Self::Canary => &[OPS, TEAM, DESK],
            Self::Chorus => &CHORUS,
        }
    }

    /// Whether each of its lines is forwarded.
    pub fn forwards(self) -> bool {
        matches!(self, Self::Every | Self::Canary | Self::Chorus)
    }

    /// Whether a unit has one incident for ever: `quiet` is longer than any run.
    pub fn lasts(self) -> bool {
        matches!(self, Self::Storm | Self::Mend)
    }
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// It ends the unit's incident of [`Rule::Mend`]; no match.
    Mended,
    /// No rule wants it.
    Noise,
    /// This rule must match it.
    #[serde(untagged)]
    Rule(Rule),
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Self::Rule(rule) => rule.name(),
            Self::Mended => "mended",
            Self::Noise => "noise",
        }
    }

    fn read(text: &str) -> Option<Self> {
        match text {
            "mended" => Some(Self::Mended),
            "noise" => Some(Self::Noise),
            name => Rule::named(name).map(Self::Rule),
        }
    }
}

/// Which line: what one writer wrote through one descriptor is a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id {
    /// The series.
    pub series: u32,
    /// Its place in the series, from 0.
    pub number: u64,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Line {
    /// What it is about.
    pub word: Word,
    /// Of which unit it speaks.
    pub unit: String,
    /// Which one it is.
    pub id: Id,
    /// Whether it has the second of two shapes.
    pub leaks: bool,
}

impl Line {
    /// The line that begins in `text`, if it is whole and nothing stands behind it.
    pub fn read(text: &str) -> Option<Self> {
        let mut words = text.strip_prefix(MARK)?.split(' ');
        let word = Word::read(words.next()?)?;
        let unit = words.next()?.strip_prefix("unit=")?.to_owned();
        let (series, number) = words.next()?.strip_prefix("id=")?.split_once('-')?;
        let id = Id {
            series: series.parse().ok()?,
            number: number.parse().ok()?,
        };
        let leaks = words.nth(1)? == "leaks";
        let line = Self {
            word,
            unit,
            id,
            leaks,
        };
        (line.to_string() == text).then_some(line)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Id { series, number } = self.id;
        let what = if self.leaks { "leaks" } else { "broke" };
        let (word, unit) = (self.word.text(), &self.unit);
        let told = format!("{MARK}{word} unit={unit} id={series:06}-{number:06} it {what}");
        write!(out, "{told} sum={:010}.", checksum(told.as_bytes()))
    }
}

/// CRC-32 as in zip files, bit by bit.
pub fn checksum(bytes: &[u8]) -> u32 {
    let bit = |sum: u32, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
    let byte = |sum: u32, byte: &u8| (0..8).fold(sum ^ u32::from(*byte), bit);
    !bytes.iter().fold(!0, byte)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line() -> Line {
        Line {
            word: Word::Rule(Rule::Storm),
            unit: "s7u1".to_owned(),
            id: Id {
                series: 7,
                number: 41,
            },
            leaks: true,
        }
    }

    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_line_is_read_back_and_any_other_byte_is_noticed() {
        let text = line().to_string();
        assert_eq!(Line::read(&text), Some(line()));
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(Line::read(&changed).is_none(), "{changed}");
            assert!(Line::read(&text[..at]).is_none());
        }
        assert!(Line::read(&format!("{text}{text}")).is_none());
    }
}
