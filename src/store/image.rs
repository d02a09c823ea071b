//! A picture of the store taken from outside: two files read into memory, nothing locked, nothing written.
//!
//! A running process holds the database for itself, and opening a database beside its log is a write in
//! `SQLite`'s eyes. So a peek reads the bytes and lays the committed pages of the log over those of the file,
//! as the file format (public, and promised not to change) describes.
//!
//! The trap is the order: first the file, then the log. Pages that the owner copies into the file while we
//! read are in the log as well, unless it was begun anew meanwhile; then its header differs and the picture
//! is taken again.

use std::io;
use std::path::Path;

use rusqlite::{Connection, MAIN_DB};

use super::damage::with;
use super::{WAL, schema};

const HEADER: usize = 32;
const FRAME: usize = 24;
/// How often a picture is taken before one that may be blurred is used; the reader then leaves out what does
/// not fit its checksum.
const TRIES: usize = 5;

/// The bytes of a whole database.
pub(super) struct Image(Vec<u8>);

/// Takes the picture; nothing if there is no database.
pub(super) fn take(dir: &Path) -> io::Result<Option<Image>> {
    for attempt in 1.. {
        let before = bytes(&with(dir, WAL))?;
        let mut image = bytes(&with(dir, ""))?;
        let log = bytes(&with(dir, WAL))?;
        if log.get(..HEADER) != before.get(..HEADER) && attempt < TRIES {
            continue;
        }
        overlay(&mut image, &log);
        return Ok((!image.is_empty()).then_some(Image(image)));
    }
    Ok(None)
}

impl Image {
    /// A connection to a copy of the picture. What is damaged in it shows when it is read.
    pub(super) fn open(&self) -> rusqlite::Result<Connection> {
        let mut connection = Connection::open_in_memory()?;
        let mut bytes = self.0.clone();
        // "Has a log" is written in the header; in memory there is none.
        if let Some(flags) = bytes.get_mut(18..20) {
            flags.fill(1);
        }
        connection.deserialize_read_exact(MAIN_DB, bytes.as_slice(), bytes.len(), true)?;
        schema::begin(&connection)?;
        Ok(connection)
    }
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

/// Lays the committed pages of a log over a database. Stops at the first frame that does not fit, as
/// recovery does.
fn overlay(image: &mut Vec<u8>, log: &[u8]) {
    let Some(header) = Header::read(log) else { return };
    let mut sum = header.sum;
    let mut waiting = Vec::new();
    for frame in log[HEADER..].chunks_exact(FRAME + header.page) {
        let (head, page) = frame.split_at(FRAME);
        sum = header.add(header.add(sum, &head[..8]), page);
        if head[8..16] != header.salt || (word(head, 16), word(head, 20)) != sum {
            return;
        }
        waiting.push((word(head, 0) as usize, page));
        let pages = word(head, 4) as usize;
        // The last frame of a transaction says how many pages the database has after it.
        if pages > 0 {
            image.resize(pages * header.page, 0);
            for (number, page) in waiting.drain(..) {
                let Some(at) = number.checked_sub(1).map(|before| before * header.page) else {
                    return;
                };
                if let Some(place) = image.get_mut(at..at + header.page) {
                    place.copy_from_slice(page);
                }
            }
        }
    }
}

/// The header of a log.
struct Header {
    page: usize,
    salt: [u8; 8],
    sum: (u32, u32),
    /// Whether its checksums take words in big-endian order; everything else always is.
    big: bool,
}

impl Header {
    fn read(log: &[u8]) -> Option<Self> {
        let bytes = log.get(..HEADER)?;
        let big = match word(bytes, 0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return None,
        };
        let page = word(bytes, 8) as usize;
        let salt = bytes[16..24].try_into().ok()?;
        let mut header = Self {
            page,
            salt,
            sum: (0, 0),
            big,
        };
        header.sum = header.add((0, 0), &bytes[..24]);
        let fits = header.sum == (word(bytes, 24), word(bytes, 28));
        (fits && page.is_power_of_two() && (512..=65_536).contains(&page)).then_some(header)
    }

    fn add(&self, (mut a, mut b): (u32, u32), bytes: &[u8]) -> (u32, u32) {
        for pair in bytes.chunks_exact(8) {
            a = a.wrapping_add(self.native(pair, 0)).wrapping_add(b);
            b = b.wrapping_add(self.native(pair, 4)).wrapping_add(a);
        }
        (a, b)
    }

    fn native(&self, bytes: &[u8], at: usize) -> u32 {
        let word = word(bytes, at);
        if self.big { word } else { word.swap_bytes() }
    }
}

/// Four bytes, big-endian. The callers' slices have fixed lengths that hold `at + 4`.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4]
        .iter()
        .fold(0, |word, byte| word << 8 | u32::from(*byte))
}
