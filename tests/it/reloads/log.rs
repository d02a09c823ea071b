//! What the program says on stderr.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use crate::support::Sandbox;

/// Read on from where it was read to.
pub struct Log {
    path: PathBuf,
    read: u64,
    text: String,
}

impl Log {
    pub fn new(sandbox: &Sandbox) -> Self {
        let path = sandbox.path("stderr");
        let read = fs::metadata(&path).unwrap().len();
        let text = String::new();
        Self { path, read, text }
    }

    /// What was said since the last [`Log::forget`].
    pub fn said(&mut self) -> &str {
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.read)).unwrap();
        self.read += file.read_to_string(&mut self.text).unwrap() as u64;
        &self.text
    }

    pub fn forget(&mut self) {
        self.text.clear();
    }
}
