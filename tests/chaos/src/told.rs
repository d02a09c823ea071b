//! What a person was told: messages from the server's record, and what stands in them.

use std::collections::BTreeMap;

use botapi::{Request, Verdict};

use crate::line::{Line, MARK, Rule, home};

/// A message as it came, and as it stands at the end.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its chat, as rules.toml has it.
    pub chat: i64,
    /// Where that was when it came: a group may become a supergroup, where none of the old messages is.
    pub place: i64,
    /// Its text when it came.
    pub first: String,
    /// Its text now.
    pub last: String,
    /// When it came, Unix milliseconds.
    pub at: u64,
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The live message of an incident, or a batch of lines.
    Opening,
    /// A new shape in an incident that is known.
    FollowUp,
    /// It quotes what resolved it.
    Resolved,
}

/// The messages of a record, in the order in which they came. What the server stored counts as told, whether the program
/// heard of it or not: a person would have seen it.
pub fn messages(record: &[Request]) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let mut places: BTreeMap<(i64, i64), usize> = BTreeMap::new();
    for request in record {
        let text = request.body["text"].as_str().unwrap_or_default().to_owned();
        let place = request.chat.unwrap_or_default();
        match request.verdict {
            Verdict::Stored { message_id } => {
                places.insert((place, message_id), told.len());
                told.push(Told {
                    chat: home(place),
                    place,
                    first: text.clone(),
                    last: text,
                    at: request.at,
                });
            }
            Verdict::Edited { message_id } => {
                if let Some(place) = places.get(&(place, message_id)) {
                    told[*place].last = text;
                }
            }
            _ => {}
        }
    }
    told
}

impl Told {
    /// Of which rule it speaks; none for what the program says about itself.
    pub fn rule(&self) -> Option<Rule> {
        let (_, after) = self.first.lines().next()?.split_once(' ')?;
        let after = after.strip_prefix("new in ").unwrap_or(after);
        Rule::named(after.split_once(" on ")?.0)
    }

    /// What kind it is.
    pub fn kind(&self) -> Kind {
        let head = self.first.lines().next().unwrap_or_default();
        if head.contains(" new in ") {
            Kind::FollowUp
        } else if self.first.contains("\nresolved by:\n") {
            Kind::Resolved
        } else {
            Kind::Opening
        }
    }

    /// Of which unit it speaks.
    pub fn unit(&self) -> &str {
        let unit = self.first.lines().find_map(|line| line.strip_prefix("unit="));
        unit.unwrap_or_default()
    }

    /// Whether it came with the words that it may repeat an earlier one.
    pub fn is_labelled(&self) -> bool {
        self.first.contains("may repeat")
    }

    /// When its incident began, in its own words: with rule and unit the name of the incident.
    pub fn since(&self) -> &str {
        let mut lines = self.first.lines();
        let total = lines.find(|line| is_total(line));
        let span = total.and_then(|_| lines.next()).unwrap_or_default();
        span.split(" – ").next().unwrap_or_default()
    }

    /// How many matches its incident has now, less those that another message told before.
    pub fn total(&self) -> u64 {
        let Some(line) = self.last.lines().find(|line| is_total(line)) else {
            return 0;
        };
        let before = line.split_once(", of them ");
        let before = before.and_then(|(_, rest)| number(rest.split(' ').next()?));
        count(line)
            .unwrap_or_default()
            .saturating_sub(before.unwrap_or_default())
    }

    /// How many matches of other incidents it tells.
    pub fn carried(&self) -> u64 {
        let line = self.last.lines().find(|line| is_carried(line));
        line.and_then(count).unwrap_or_default()
    }
}

fn is_carried(line: &str) -> bool {
    line.contains(" held back") && line.contains(" earlier incident")
}

fn is_total(line: &str) -> bool {
    !line.contains(MARK) && !is_carried(line) && count(line).is_some()
}

/// The number before the word `match` or `matches`.
fn count(line: &str) -> Option<u64> {
    let words: Vec<&str> = line.split(' ').collect();
    let is_match = |word: &str| matches!(word.trim_end_matches(','), "match" | "matches");
    let pair = words.windows(2).find(|pair| is_match(pair[1]))?;
    number(pair[0])
}

fn number(text: &str) -> Option<u64> {
    text.replace(',', "").parse().ok()
}

/// The log lines in a text; an error is one that is not as any was written.
pub fn lines(text: &str) -> impl Iterator<Item = Result<Line, &str>> {
    text.lines().filter_map(|line| {
        let found = &line[line.find(MARK)?..];
        Some(Line::read(found).ok_or(found))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Told {
        Told {
            chat: 1,
            place: 1,
            first: text.to_owned(),
            last: text.to_owned(),
            at: 0,
        }
    }

    #[test]
    fn a_message_is_read_as_a_person_would() {
        let live = told(
            "✅ few on chaos\nunit=s1f2\n⚠ may repeat an earlier message\nover after 3 s, 1,204 matches, of them 4 told before\n\
             02:10:07 – 02:11:09\n/tmp/app.log\n7 earlier incidents, 2,000 matches, 02:10 – 02:12, were held back\n2× LINE x",
        );
        assert_eq!(live.rule(), Some(Rule::Few));
        assert_eq!((live.kind(), live.unit()), (Kind::Opening, "s1f2"));
        assert_eq!(
            (live.total(), live.carried(), live.since()),
            (1_200, 2_000, "02:10:07")
        );
        assert!(live.is_labelled());
        assert_eq!(lines(&live.first).collect::<Vec<_>>(), [Err("LINE x")]);
        let reply = told("🔴 new in storm on chaos\nunit=s1\n1 match\n02:10:07");
        assert_eq!(
            (reply.rule(), reply.kind(), reply.total()),
            (Some(Rule::Storm), Kind::FollowUp, 1)
        );
        assert_eq!(told("ℹ started on chaos, following 3 files").rule(), None);
    }
}
