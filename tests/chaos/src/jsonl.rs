//! Files of one JSON value per line: what the parts of the rig tell the checker, and nothing else does.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A file that several threads append to; every value is on disk before the call returns.
#[derive(Debug)]
pub struct Journal<T> {
    file: Arc<Mutex<File>>,
    of: PhantomData<fn(T)>,
}

impl<T> Clone for Journal<T> {
    fn clone(&self) -> Self {
        Self {
            file: Arc::clone(&self.file),
            of: PhantomData,
        }
    }
}

impl<T: Serialize> Journal<T> {
    /// Opens a file for appending.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self {
            file: Arc::new(Mutex::new(file)),
            of: PhantomData,
        })
    }

    /// Appends and syncs one value.
    pub fn append(&self, value: &T) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line)?;
        file.sync_data()
    }
}

/// All values of a file; a file that is not there has none. A last line that is not whole is left out: whoever
/// wrote it was still at it.
pub fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Vec<T>> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let value = |line: &str| serde_json::from_str(line).map_err(io::Error::other);
    whole.lines().map(value).collect()
}
