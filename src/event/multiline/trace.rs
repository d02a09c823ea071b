//! Stack traces: which line begins one, and which lines go on with it, language by language.
//!
//! A trace is read line by line with the little that has to be remembered ([`Trace`]), so where it ends is told by
//! its own lines alone. Lines that begin with white space are left to the language too: only it knows whether the
//! line behind a header is source code.
//!
//! Three questions about a line, from weak to strong: does it go on with this trace ([`Trace::next`]); does it
//! begin one ([`opens`]); is it such that it can only go on with something ([`joins`])?

mod dotnet;
mod go;
mod jvm;
mod native;
mod node;
mod php;
mod python;
mod ruby;
mod rust;

use super::Language;

/// What is known inside a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::event) enum Trace {
    Python(python::At),
    Jvm,
    Go(go::At),
    Rust(rust::At),
    Node(node::At),
    Ruby,
    Php,
    Dotnet,
    /// What C libraries say when a program aborts.
    Native,
}

/// How sure it is that a line begins a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// It begins what a runtime prints when a program crashes.
    Crash,
    /// It names an exception, perhaps as part of a text.
    Exception,
}

impl Trace {
    /// What is known behind `line`, if that goes on with the trace. Blank lines are not asked about.
    pub(super) fn next(self, line: &[u8]) -> Option<Self> {
        match self {
            Self::Python(at) => at.next(line).map(Self::Python),
            Self::Jvm => jvm::goes_on(line).then_some(self),
            Self::Go(at) => at.next(line).map(Self::Go),
            Self::Rust(at) => at.next(line).map(Self::Rust),
            Self::Node(at) => at.next(line).map(Self::Node),
            Self::Ruby => ruby::goes_on(line).then_some(self),
            Self::Php => php::goes_on(line).then_some(self),
            Self::Dotnet => dotnet::goes_on(line).then_some(self),
            Self::Native => native::goes_on(line).then_some(self),
        }
    }

    /// What is known behind a blank line.
    pub(super) fn blank(self) -> Self {
        match self {
            Self::Node(at) => Self::Node(at.blank()),
            // A line is taken whatever it is only if the line right above it says so.
            Self::Rust(_) => Self::Rust(rust::At::Message),
            other => other,
        }
    }

    /// Whether the next line belongs to it, even if it looks like a record.
    pub(super) fn takes_any(self) -> bool {
        matches!(self, Self::Rust(rust::At::Place) | Self::Node(node::At::Place))
    }

    /// The states in which any number of lines may go on.
    const LASTING: [Self; 12] = [
        Self::Python(python::At::Prelude),
        Self::Python(python::At::Done),
        Self::Jvm,
        Self::Go(go::At::START),
        Self::Go(go::At::RUNNING),
        Self::Rust(rust::At::Message),
        Self::Node(node::At::Source),
        Self::Node(node::At::Frames),
        Self::Ruby,
        Self::Php,
        Self::Dotnet,
        Self::Native,
    ];
}

/// So many lines that are no part of any trace may stand inside one: the message of an error.
pub(super) const STRANGERS: usize = node::MESSAGE as usize + 1;

/// Whether a line says nothing about traces: behind [`STRANGERS`] such lines no trace is open any more, whatever
/// stood above them.
pub(super) fn is_stranger(line: &[u8]) -> bool {
    opens(None, line).is_none()
        && joins(None, line).is_none()
        && !python::is_thread(line)
        && Trace::LASTING.iter().all(|trace| trace.next(line).is_none())
}

/// The trace that a line begins, of one language or of any.
pub(super) fn opens(language: Option<Language>, line: &[u8]) -> Option<(Trace, Opening)> {
    let of = |wanted: Language| language.is_none_or(|language| language == wanted);
    let python = || python::opens(line).map(|at| (Trace::Python(at), Opening::Crash));
    let go = || go::opens(line).map(|at| (Trace::Go(at), Opening::Crash));
    let rust = || rust::opens(line).map(|at| (Trace::Rust(at), Opening::Crash));
    let ruby = || ruby::opens(line).then_some((Trace::Ruby, Opening::Crash));
    let php = || php::opens(line).then_some((Trace::Php, Opening::Crash));
    let dotnet = || dotnet::opens(line).map(|opening| (Trace::Dotnet, opening));
    let jvm = || jvm::opens(line).map(|opening| (Trace::Jvm, opening));
    let node = || node::opens(line).map(|(at, opening)| (Trace::Node(at), opening));
    let native = || native::opens(line).then_some((Trace::Native, Opening::Crash));
    None.or_else(|| of(Language::Python).then(python)?)
        .or_else(|| of(Language::Go).then(go)?)
        .or_else(|| of(Language::Rust).then(rust)?)
        .or_else(|| of(Language::Ruby).then(ruby)?)
        .or_else(|| of(Language::Php).then(php)?)
        .or_else(|| of(Language::Dotnet).then(dotnet)?)
        .or_else(|| of(Language::Java).then(jvm)?)
        .or_else(|| of(Language::Node).then(node)?)
        .or_else(|| language.is_none().then(native)?)
}

/// Whether the line below this one belongs to the trace that this one begins, even if it looks like a record.
pub(super) fn takes_next(language: Option<Language>, line: &[u8]) -> bool {
    // Asked at the end of every chunk, and nearly always in vain: nobody else has such a place.
    let place = rust::opens(line) == Some(rust::At::Place) || node::is_place(line);
    place && opens(language, line).is_some_and(|(at, _)| at.takes_any())
}

/// The trace that a line goes on with, whatever stands above it.
pub(super) fn joins(language: Option<Language>, line: &[u8]) -> Option<Trace> {
    let of = |wanted: Language| language.is_none_or(|language| language == wanted);
    if of(Language::Python)
        && let Some(at) = python::joins(line)
    {
        return Some(Trace::Python(at));
    }
    if of(Language::Java) && jvm::joins(line) {
        return Some(Trace::Jvm);
    }
    if of(Language::Rust)
        && let Some(at) = rust::joins(line)
    {
        return Some(Trace::Rust(at));
    }
    if of(Language::Php) && php::joins(line) {
        return Some(Trace::Php);
    }
    None
}

/// Whether a line begins with white space.
fn is_indented(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// Whether a text has the form of a name of an exception with packages before it, and how long that is:
/// `java.lang.Error`, `System.IO.IOException`.
fn qualified(text: &[u8]) -> Option<usize> {
    let part =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'+' | b'`' | b'/');
    let len = text.iter().position(|byte| !part(byte)).unwrap_or(text.len());
    let name = &text[..len];
    let (packages, class) = name.split_at(memchr::memrchr(b'.', name)?);
    let class = &class[1..];
    let begins =
        packages.first().is_some_and(u8::is_ascii_alphabetic) && !name.windows(2).any(|two| two == b"..");
    let thrown = ["Exception", "Error", "Throwable", "Failure", "Interrupt", "Fault"];
    let thrown = thrown
        .iter()
        .any(|word| memchr::memmem::find(class, word.as_bytes()).is_some());
    let ends = matches!(text.get(len), None | Some(b':')) || text[len..].starts_with(b" (");
    (begins && thrown && ends && class.first().is_some_and(u8::is_ascii_uppercase)).then_some(len)
}
