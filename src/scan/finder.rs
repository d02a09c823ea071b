//! The first step: one search over a whole chunk for the next line that may matter.
//!
//! Its contract is the one of [`over`](super::over): it may name a line that no rule speaks of, and it never
//! passes over one that some rule does. Three roads, chosen once when the rules are read and logged then:
//!
//! 1. **fast**: all rules have something that a line must contain; one combined search finds it.
//! 2. **every line**: some rule can match an empty line, or only with a newline inside, so there is nothing to
//!    search for. Every line is then looked at, by the second step's own cheap narrowing. Slower by the price
//!    of a visit per line, and no worse than that.
//! 3. **nothing**: no rules, no lines.

use regex_automata::Input;
use regex_automata::meta::{self, BuildError};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::hir::Hir;

use super::{over, quoted};
use crate::model::Format;

/// The largest automaton, in bytes, that the rules of one log may need.
const AUTOMATON: usize = 64 << 20;
/// What the lazy automaton may keep of itself, in bytes, for rules of usual size. When it is full it begins
/// anew, so this is a matter of speed only.
const CACHE: usize = 2 << 20;
/// And for each pattern: an automaton that cannot keep even a few states does not run at all.
const CACHE_PER_PATTERN: usize = 4 << 10;

/// Where the next candidate is looked for.
#[derive(Clone, Debug)]
pub(super) enum Finder {
    /// No line matters.
    Nothing,
    /// Any line may matter.
    EveryLine,
    /// Lines that hold a match of this may matter.
    Fast(meta::Regex),
}

impl Finder {
    /// A finder of lines that hold a match of any of these over-approximations, none of which can match across
    /// lines.
    pub(super) fn compile(needles: Vec<Hir>) -> Result<Self, Box<BuildError>> {
        if needles.is_empty() {
            return Ok(Self::Nothing);
        }
        if needles.iter().any(over::matches_empty) {
            return Ok(Self::EveryLine);
        }
        tracing::debug!(needles = needles.len(), "fast path: one search over whole chunks");
        let config = small(meta::Config::new(), needles.len());
        let one = over::alternation(needles);
        Ok(Self::Fast(
            meta::Builder::new().configure(config).build_from_hir(&one)?,
        ))
    }

    /// The finder of lines that wrap what this one finds; `needles` are those of this one. Also whether it finds pieces
    /// that matter only together with others. Every line, if it would be too large.
    pub(super) fn wrapped(&self, format: Format, needles: &[Hir]) -> (Self, bool) {
        let Self::Fast(_) = self else {
            // All or nothing.
            return (self.clone(), true);
        };
        let wrapped = match format {
            Format::Docker => quoted::docker(needles),
            _ => quoted::cri(needles),
        };
        match Self::compile(wrapped.needles) {
            Ok(finder) => (finder, wrapped.pieces),
            Err(cause) => {
                let format = format.as_str();
                tracing::info!("slow path: all lines of {format} are decoded for these rules; {cause}");
                (Self::EveryLine, true)
            }
        }
    }

    /// A byte of the next line in `chunk` that may matter.
    pub(super) fn find(&self, chunk: &[u8]) -> Option<usize> {
        match self {
            Self::Nothing => None,
            Self::EveryLine => (!chunk.is_empty()).then_some(0),
            Self::Fast(regex) => {
                let end = regex.search_half(&Input::new(chunk).earliest(true))?.offset();
                // The match is not empty and holds no newline, so its last byte is on the line.
                Some(end - 1)
            }
        }
    }
}

/// What both automata of a scanner have in common: no groups, bytes instead of characters, bounded memory.
pub(super) fn small(config: meta::Config, patterns: usize) -> meta::Config {
    config
        .utf8_empty(false)
        // Not `None`: the engines for short texts would then report no place, and so no match at all.
        .which_captures(WhichCaptures::Implicit)
        .nfa_size_limit(Some(AUTOMATON))
        .hybrid_cache_capacity(CACHE + patterns * CACHE_PER_PATTERN)
        .onepass(false)
}
