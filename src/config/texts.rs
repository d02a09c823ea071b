//! The text of rules.toml as it was at one moment.
//!
//! Reading is a step of its own, apart from checking: what is watched is compared byte by byte, and what was good
//! is kept for the next start. The trap: the text may hold a token, so it is never printed.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Environment, Problems, Settings, not_text, parse, read};

/// The version of [`Texts::keep`].
const VERSION: u32 = 1;

/// What stood in rules.toml at one moment, or why it could not be read.
#[derive(Clone, PartialEq, Eq)]
pub struct Texts {
    path: PathBuf,
    bytes: Result<Vec<u8>, (String, String)>,
}

/// Good texts, on disk.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    path: PathBuf,
    text: String,
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Texts")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Texts {
    /// Reads the file. One that cannot be read is told when it is checked.
    pub fn read(path: &Path) -> Self {
        Self {
            path: path.into(),
            bytes: read(path),
        }
    }

    /// Checks what was read. A file that could not be read is a problem like any other, without a line.
    pub fn check(&self, env: &Environment) -> Result<Settings, Problems> {
        match &self.bytes {
            Err((what, cure)) => Err(Problems::of_file(&self.path, what.clone(), cure.clone())),
            Ok(bytes) => match str::from_utf8(bytes) {
                Ok(text) => parse(&self.path, text, env),
                Err(error) => Err(not_text(&self.path, bytes, error.valid_up_to())),
            },
        }
    }

    /// Whether what was read is the beginning of `whole`, and not all of it: so looks a file that is being written
    /// anew.
    pub fn is_beginning_of(&self, whole: &Self) -> bool {
        match (&self.bytes, &whole.bytes) {
            (Ok(part), Ok(whole)) => part.len() < whole.len() && whole.starts_with(part),
            // Between the removal of the old file and the making of the new one.
            (Err(_), Ok(_)) => true,
            _ => false,
        }
    }

    /// The texts as bytes for [`Texts::recall`]; absent if they are no text.
    pub fn keep(&self) -> Option<Vec<u8>> {
        let kept = Kept {
            version: VERSION,
            path: self.path.clone(),
            text: String::from_utf8(self.bytes.clone().ok()?).ok()?,
        };
        serde_json::to_vec(&kept).ok()
    }

    /// What [`Texts::keep`] made of the texts at `path`; absent if it was made of another path's, or is damaged.
    pub fn recall(kept: &[u8], path: &Path) -> Option<Self> {
        let kept: Kept = serde_json::from_slice(kept).ok()?;
        (kept.version == VERSION && kept.path == path).then(|| Self {
            path: kept.path,
            bytes: Ok(kept.text.into_bytes()),
        })
    }
}
