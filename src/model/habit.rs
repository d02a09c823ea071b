//! What the first lines of a file say about all of it.

/// How the records of a file begin, learned once from its first lines. A function of these bytes alone, so it is
/// never stored: a restart reads them again and learns the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habit {
    /// What a line of text that begins no record by itself is.
    pub records: Records,
    /// Whether lines that begin with white space are records of their own, because most lines do.
    pub indented: bool,
    /// Where this begins to hold: the end of the lines it was learned from, in bytes of the file.
    pub from: u64,
}

/// What almost all records of a file begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Records {
    /// Nothing that all have in common: each line of text is a record.
    #[default]
    Any,
    /// A time or a level. A line without belongs to the record above it.
    Headed,
    /// A few words, such as a host, and then a time. A line without belongs to the record above it.
    Named,
}
