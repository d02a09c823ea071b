//! The texts of rules.toml and of the files it includes, as they were at one moment.
//!
//! Reading is a step of its own, apart from checking: what is watched is compared byte by byte, and what was good
//! is kept for the next start. The trap: the texts may hold a token, so they are never printed.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::problem::{Part, Source};
use super::{Environment, MAX_FILE, Problem, Problems, Settings, include, judge, not_text, read, too_large};

/// The version of [`Texts::keep`].
const VERSION: u32 = 1;

/// What stood in rules.toml and the files it includes at one moment, or why they could not be read.
#[derive(Clone, PartialEq, Eq)]
pub struct Texts {
    /// Never empty; the first one is rules.toml.
    files: Vec<Text>,
}

#[derive(Clone, PartialEq, Eq)]
struct Text {
    path: PathBuf,
    /// What it holds; or what is wrong, and the cure.
    bytes: Result<Vec<u8>, (String, String)>,
}

/// Good texts, on disk.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    files: Vec<(PathBuf, String)>,
}

/// All texts, one behind the other, so that every place in them is one number.
pub(super) struct Whole {
    text: String,
    parts: Vec<Part>,
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<&Path> = self.files.iter().map(|file| &*file.path).collect();
        f.debug_struct("Texts")
            .field("paths", &paths)
            .finish_non_exhaustive()
    }
}

impl Texts {
    /// Reads the file, and those it includes. Files that cannot be read are told when they are checked.
    pub fn read(path: &Path, env: &Environment) -> Self {
        let mut texts = Self {
            files: vec![Text {
                path: path.into(),
                bytes: read(path, MAX_FILE),
            }],
        };
        let mut known: HashSet<PathBuf> = HashSet::from([path.to_owned()]);
        let mut next = 0;
        while let Some(holder) = texts.files.get(next) {
            next += 1;
            let text = holder
                .bytes
                .as_ref()
                .ok()
                .and_then(|bytes| str::from_utf8(bytes).ok());
            for path in text.map_or_else(Vec::new, |text| include::files(&holder.path, text, env)) {
                if texts.files.len() < include::MOST_FILES && known.insert(path.clone()) {
                    let left = MAX_FILE.saturating_sub(texts.length());
                    let bytes = read(&path, left);
                    texts.files.push(Text { path, bytes });
                }
            }
        }
        texts
    }

    /// The folders of these files and of what they include, whether there is such a file already or not.
    pub fn folders(&self, env: &Environment) -> BTreeSet<PathBuf> {
        let texts = self.files.iter().filter_map(|file| {
            let text = str::from_utf8(file.bytes.as_ref().ok()?).ok()?;
            Some((&file.path, text))
        });
        let included = texts.flat_map(|(path, text)| include::patterns(path, text, env));
        let included = included.map(|pattern| pattern.folder().to_owned());
        let files = self.files.iter().flat_map(|file| {
            // A link may lead to another folder, and an editor replaces what it leads to.
            let ends = [Some(file.path.clone()), file.path.canonicalize().ok()];
            ends.into_iter().flatten()
        });
        let holding = files.map(|path| match path.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        });
        holding.chain(included).collect()
    }

    /// One text that includes nothing.
    pub(super) fn of(path: &Path, text: &str) -> Self {
        let bytes = if text.len() > MAX_FILE {
            Err(too_large())
        } else {
            Ok(text.as_bytes().to_vec())
        };
        Self {
            files: vec![Text {
                path: path.into(),
                bytes,
            }],
        }
    }

    /// Checks what was read. A file that could not be read is a problem like any other.
    pub fn check(&self, env: &Environment) -> Result<Settings, Problems> {
        let whole = self.whole()?;
        let (settings, problems) = judge(&whole, self, env);
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems)
        }
    }

    /// Whether what was read looks like `whole` while it is being written anew: no file has something else in it, and
    /// some have less, or are not there.
    pub fn is_beginning_of(&self, whole: &Self) -> bool {
        self != whole
            && self.files.iter().all(|file| {
                let same = whole.files.iter().find(|same| same.path == file.path);
                same.is_some_and(|same| match (&file.bytes, &same.bytes) {
                    (Ok(part), Ok(whole)) => whole.starts_with(part),
                    // Between the removal of the old file and the making of the new one.
                    (Err(_), _) => true,
                    (Ok(_), Err(_)) => false,
                })
            })
    }

    /// The texts as bytes for [`Texts::recall`]; absent if they are no text.
    pub fn keep(&self) -> Option<Vec<u8>> {
        let text = |file: &Text| {
            let text = String::from_utf8(file.bytes.clone().ok()?).ok()?;
            Some((file.path.clone(), text))
        };
        let kept = Kept {
            version: VERSION,
            files: self.files.iter().map(text).collect::<Option<_>>()?,
        };
        serde_json::to_vec(&kept).ok()
    }

    /// What [`Texts::keep`] made of the texts at `path`; absent if it was made of another path's, or is damaged.
    pub fn recall(kept: &[u8], path: &Path) -> Option<Self> {
        let kept: Kept = serde_json::from_slice(kept).ok()?;
        let fits = kept.version == VERSION && kept.files.first().is_some_and(|(first, _)| first == path);
        let file = |(path, text): (PathBuf, String)| Text {
            path,
            bytes: Ok(text.into_bytes()),
        };
        fits.then(|| Self {
            files: kept.files.into_iter().map(file).collect(),
        })
    }

    /// rules.toml.
    pub(super) fn path(&self) -> &Path {
        self.files.first().map_or(Path::new(""), |first| &first.path)
    }

    /// The files in the order of [`Source::parts`]: where they are, and why one could not be read.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, Option<&(String, String)>)> {
        self.files
            .iter()
            .map(|file| (&*file.path, file.bytes.as_ref().err()))
    }

    /// The line that a problem names.
    pub(super) fn line_of(&self, problem: &Problem) -> Option<&str> {
        let file = self.files.iter().find(|file| file.path == problem.path())?;
        let text = str::from_utf8(file.bytes.as_ref().ok()?).ok()?;
        text.lines().nth(problem.line()? - 1)
    }

    /// Puts them one behind the other. An included file that cannot be read is empty here: the line that includes it
    /// says so.
    pub(super) fn whole(&self) -> Result<Whole, Problems> {
        let mut whole = Whole {
            text: String::new(),
            parts: Vec::new(),
        };
        for file in &self.files {
            whole.parts.push(Part {
                at: whole.text.len(),
                path: file.path.clone(),
            });
            match &file.bytes {
                Err((what, cure)) if whole.parts.len() == 1 => {
                    return Err(Problems::of_file(&file.path, what.clone(), cure.clone()));
                }
                Err(_) => {}
                Ok(bytes) => match str::from_utf8(bytes) {
                    Ok(text) => whole.text.push_str(text),
                    Err(error) => return Err(not_text(&file.path, bytes, error.valid_up_to())),
                },
            }
            if self.files.len() > 1 {
                whole.text.push('\n');
            }
        }
        Ok(whole)
    }

    fn length(&self) -> usize {
        self.files
            .iter()
            .map(|file| file.bytes.as_ref().map_or(0, Vec::len))
            .sum()
    }
}

impl Whole {
    /// For a report.
    pub(super) fn source(&self) -> Source<'_> {
        Source {
            text: &self.text,
            parts: &self.parts,
        }
    }

    /// What is missing is told at the end of a text, and that must not be the line of a key.
    pub(super) fn end_with(&mut self, more: &str) {
        self.text.push_str(more);
    }
}
