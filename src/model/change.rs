//! What an edit of rules.toml changed, in words that fit into a message.

use serde::{Deserialize, Serialize};

/// So many names of one kind are told; the others are counted.
const TOLD: usize = 5;

/// What is different between the rules.toml in force and the one before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// `[[rules]]`.
    pub rules: Changed,
    /// `[[logs]]`.
    pub logs: Changed,
    /// `[chats]`.
    pub chats: Changed,
    /// Other keys that mean something else from now on, such as `host`.
    pub others: Names,
    /// Keys that mean something else only after a restart.
    pub restart: Names,
}

/// What became of the entries of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Those that are new.
    pub added: Names,
    /// Those that are still there and say something else.
    pub changed: Names,
    /// Those that are gone.
    pub removed: Names,
}

/// A few names, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// The first of them, at most five.
    pub first: Vec<String>,
    /// How many there are in all.
    pub count: u64,
}

/// What a rule that is new or changed would have found already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hindsight {
    /// The rule.
    pub rule: String,
    /// How many matches there are in the lines that were looked at.
    pub found: u64,
    /// How many lines were looked at: the newest of the files that its logs follow.
    pub of: u64,
}

impl Changes {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl FromIterator<String> for Names {
    fn from_iter<T: IntoIterator<Item = String>>(names: T) -> Self {
        let mut list = Self::default();
        list.extend(names);
        list
    }
}

impl Extend<String> for Names {
    fn extend<T: IntoIterator<Item = String>>(&mut self, names: T) {
        for name in names {
            self.count += 1;
            if self.first.len() < TOLD {
                self.first.push(name);
            }
        }
    }
}
