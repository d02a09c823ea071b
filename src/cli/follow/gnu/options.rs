//! Which words of a command line are options, as everything of GNU reads them.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::Refused;

/// An option of tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opt {
    Bytes,
    Debug,
    Follow,
    FollowName,
    Help,
    Lines,
    MaxUnchanged,
    NoEvents,
    Pid,
    Quiet,
    Retry,
    Sleep,
    Verbose,
    Version,
    Zero,
}

/// Whether an option has an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
    /// Only one behind `=`.
    Perhaps,
}

const LONG: [(&str, Opt, Takes); 15] = [
    ("bytes", Opt::Bytes, Takes::Value),
    ("debug", Opt::Debug, Takes::Nothing),
    ("follow", Opt::Follow, Takes::Perhaps),
    ("lines", Opt::Lines, Takes::Value),
    ("max-unchanged-stats", Opt::MaxUnchanged, Takes::Value),
    ("-disable-inotify", Opt::NoEvents, Takes::Nothing),
    ("pid", Opt::Pid, Takes::Value),
    ("quiet", Opt::Quiet, Takes::Nothing),
    ("retry", Opt::Retry, Takes::Nothing),
    ("silent", Opt::Quiet, Takes::Nothing),
    ("sleep-interval", Opt::Sleep, Takes::Value),
    ("verbose", Opt::Verbose, Takes::Nothing),
    ("zero-terminated", Opt::Zero, Takes::Nothing),
    ("help", Opt::Help, Takes::Nothing),
    ("version", Opt::Version, Takes::Nothing),
];

const SHORT: [(u8, Opt, Takes); 8] = [
    (b'c', Opt::Bytes, Takes::Value),
    (b'n', Opt::Lines, Takes::Value),
    (b's', Opt::Sleep, Takes::Value),
    (b'f', Opt::Follow, Takes::Nothing),
    (b'F', Opt::FollowName, Takes::Nothing),
    (b'q', Opt::Quiet, Takes::Nothing),
    (b'v', Opt::Verbose, Takes::Nothing),
    (b'z', Opt::Zero, Takes::Nothing),
];

/// A command line, sorted.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// In their order, for later ones win.
    pub(super) options: Vec<(Opt, Option<OsString>)>,
    pub(super) operands: Vec<OsString>,
}

/// Sorts a command line.
pub(super) fn given(args: Vec<OsString>) -> Result<Given, Refused> {
    let mut given = Given::default();
    let mut words = VecDeque::from(args);
    while let Some(word) = words.pop_front() {
        match word.as_bytes() {
            b"--" => {
                given.operands.extend(words);
                break;
            }
            [b'-', b'-', name @ ..] => given.options.push(long(name, &mut words)?),
            [b'-', cluster @ ..] if !cluster.is_empty() => short(cluster, &mut words, &mut given.options)?,
            _ => given.operands.push(word),
        }
    }
    Ok(given)
}

/// `--name`, `--name=value`, `--name value`; the name may be shortened as long as it is clear.
fn long(word: &[u8], words: &mut VecDeque<OsString>) -> Result<(Opt, Option<OsString>), Refused> {
    let (name, value) = match memchr::memchr(b'=', word) {
        Some(sign) => (&word[..sign], Some(OsString::from_vec(word[sign + 1..].to_vec()))),
        None => (word, None),
    };
    let name = OsStr::from_bytes(name).to_string_lossy();
    let typed = OsStr::from_bytes(word).display();
    let fitting: Vec<_> = match LONG.iter().find(|(whole, ..)| *whole == name) {
        Some(exactly) => vec![exactly],
        None => LONG
            .iter()
            .filter(|(whole, ..)| whole.starts_with(&*name))
            .collect(),
    };
    let &(whole, option, takes) = match fitting[..] {
        [only] => only,
        [] => return Err(Refused::Usage(format!("unrecognized option '--{typed}'"))),
        _ => {
            let names: Vec<_> = fitting.iter().map(|(whole, ..)| format!("'--{whole}'")).collect();
            let words = format!(
                "option '--{typed}' is ambiguous; possibilities: {}",
                names.join(" ")
            );
            return Err(Refused::Usage(words));
        }
    };
    let value = match (takes, value) {
        (Takes::Nothing, Some(_)) => {
            return Err(Refused::Usage(format!(
                "option '--{whole}' doesn't allow an argument"
            )));
        }
        (Takes::Value, None) => {
            let next = words.pop_front();
            let missing = || Refused::Usage(format!("option '--{whole}' requires an argument"));
            Some(next.ok_or_else(missing)?)
        }
        (_, value) => value,
    };
    Ok((option, value))
}

/// `-f`, `-fq`, `-n5`, `-n 5`, `-fn5`.
fn short(
    cluster: &[u8],
    words: &mut VecDeque<OsString>,
    options: &mut Vec<(Opt, Option<OsString>)>,
) -> Result<(), Refused> {
    for (place, letter) in cluster.iter().enumerate() {
        let known = SHORT.iter().find(|(known, ..)| known == letter);
        let letter = char::from(*letter);
        let Some(&(_, option, takes)) = known else {
            return Err(Refused::Usage(format!("invalid option -- '{letter}'")));
        };
        if takes == Takes::Nothing {
            options.push((option, None));
            continue;
        }
        let value = match &cluster[place + 1..] {
            [] => words.pop_front(),
            rest => Some(OsString::from_vec(rest.to_vec())),
        };
        let missing = || Refused::Usage(format!("option requires an argument -- '{letter}'"));
        options.push((option, Some(value.ok_or_else(missing)?)));
        break;
    }
    Ok(())
}
