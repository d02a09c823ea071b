//! Broken texts, and what has to be told of each.

use crate::reload::rule;

/// What is wrong with a broken text.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    Syntax,
    Key,
    Pattern,
    Test,
    Include,
}

pub const FAULTS: [Fault; 5] = [
    Fault::Syntax,
    Fault::Key,
    Fault::Pattern,
    Fault::Test,
    Fault::Include,
];

/// A text with a fault, and what is to be told of it.
pub struct Broken {
    pub text: String,
    /// File, line and column.
    pub place: String,
    pub what: String,
    pub cure: &'static str,
}

/// Puts the fault behind a good text, with a rule that finds canaries. Its line differs from edit to edit, so that no two
/// of them are told in the same words.
pub fn broken(good: &str, file: &str, fault: Fault, nth: u64) -> Broken {
    let pad = "\n".repeat(usize::try_from(nth % 89).unwrap());
    let bad = rule(&format!("bad-{nth}"), "^CANARY", "");
    let (marker, bad, what, cure) = match fault {
        // It is missed behind the word.
        Fault::Syntax => (
            "\n",
            bad + "[[rules\n",
            "this is not TOML: unclosed array table".to_owned(),
            "a line is [table], [[table]], key = value or # comment",
        ),
        Fault::Key => (
            "evry",
            bad + "evry = \"1s\"\n",
            "there is no key `evry`".to_owned(),
            "did you mean `every`",
        ),
        Fault::Pattern => (
            "('\n",
            bad.replace("^CANARY", "^CANARY("),
            "not a regular expression: unclosed group".to_owned(),
            "close the group with `)`",
        ),
        Fault::Test => (
            "\"CANARY\"",
            bad + "tests = [{ line = \"CANARY\", match = false }]\n",
            "this line was expected not to match; it does".to_owned(),
            "'^CANARY' of `match` finds this line",
        ),
        Fault::Include => (
            "\"missing",
            bad,
            format!("missing-{nth}.toml cannot be read: No such file"),
            "check the path; in a container",
        ),
    };
    let text = format!("{good}{pad}{bad}");
    let text = match fault {
        Fault::Include => text.replacen("*.toml\"", &format!("*.toml\", \"missing-{nth}.toml\""), 1),
        _ => text,
    };
    let at = text.rfind(marker).unwrap();
    let line = text[..at].matches('\n').count() + 1;
    let column = at - text[..at].rfind('\n').map_or(0, |newline| newline + 1) + 1;
    Broken {
        place: format!("{file}:{line}:{column}"),
        text,
        what,
        cure,
    }
}
