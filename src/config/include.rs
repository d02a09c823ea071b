//! `include` of rules.toml: which files belong to it.
//!
//! What is read and what is checked are two steps, for a file may come or go between them. Reading collects every
//! file that a pattern reaches, each once; checking then says which pattern reaches nothing, or leads in a circle.

use std::path::{Path, PathBuf};

use super::Environment;
use super::expand::expand;
use super::problem::Report;
use super::table::{Word, Words};
use crate::fence;
use crate::tail::Glob;

/// So many files in all, and one less is allowed: that many and more look the same.
pub(super) const MOST_FILES: usize = 100;

/// What one pattern means, seen from the file that holds it.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    folder: PathBuf,
    name: Name,
}

#[derive(Clone, Debug)]
enum Name {
    /// This file.
    File(PathBuf),
    /// All files of the folder whose names match.
    Glob(Glob),
}

impl Pattern {
    /// Reads a pattern of the file at `holder`; the error is a sentence that says what is wrong with it.
    fn parse(holder: &Path, text: &str) -> Result<Self, String> {
        let whole = holder.parent().unwrap_or(Path::new("")).join(text);
        let folder = whole.parent().unwrap_or(Path::new("")).to_owned();
        let name = whole.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| format!("{text:?} names no file"))?;
        let wild = |text: &str| text.contains(['*', '?', '[', '{']);
        if Path::new(text)
            .parent()
            .is_some_and(|folder| wild(&folder.to_string_lossy()))
        {
            return Err(format!("{text:?} has a wildcard before the last slash"));
        }
        if !wild(&name) {
            return Ok(Self {
                folder,
                name: Name::File(whole),
            });
        }
        let glob = Glob::parse(&name).map_err(|error| format!("{text:?} is not a glob: {error}"))?;
        Ok(Self {
            folder,
            name: Name::Glob(glob),
        })
    }

    /// The files it reaches now, in the order of their names; a file that is named stands here, whether it is there or
    /// not. Hidden ones, as editors leave them, are not meant.
    fn files(&self) -> Vec<PathBuf> {
        match &self.name {
            Name::File(path) => vec![path.clone()],
            Name::Glob(_) => {
                let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
                let paths = entries.map(|entry| entry.path());
                let mut files: Vec<PathBuf> = paths
                    .filter(|path| self.reaches(path) && path.is_file())
                    .collect();
                files.sort();
                files
            }
        }
    }

    /// Where its files lie.
    pub(super) fn folder(&self) -> &Path {
        if self.folder == Path::new("") {
            Path::new(".")
        } else {
            &self.folder
        }
    }

    fn reaches(&self, path: &Path) -> bool {
        match &self.name {
            Name::File(file) => file == path,
            Name::Glob(glob) => {
                let name = path.file_name().map(|name| name.to_string_lossy());
                let fits = |name: &str| !name.starts_with('.') && glob.matches(Path::new(name));
                path.parent() == Some(&self.folder) && name.is_some_and(|name| fits(&name))
            }
        }
    }
}

/// The files that the text of the file at `holder` includes.
pub(super) fn files(holder: &Path, text: &str, env: &Environment) -> Vec<PathBuf> {
    let patterns = patterns(holder, text, env).into_iter();
    patterns.flat_map(|pattern| pattern.files()).collect()
}

/// What the text of the file at `holder` includes, as far as it can be understood.
pub(super) fn patterns(holder: &Path, text: &str, env: &Environment) -> Vec<Pattern> {
    // Most files include nothing, and this one is read twice a second.
    if !text.contains("include") {
        return Vec::new();
    }
    let (document, _) = toml::de::DeTable::parse_recoverable(text);
    let Some(value) = document.get_ref().get("include") else {
        return Vec::new();
    };
    let one = value.get_ref().as_str().into_iter();
    let list = value
        .get_ref()
        .as_array()
        .into_iter()
        .flat_map(|list| list.iter());
    let texts = one.chain(list.filter_map(|item| item.get_ref().as_str()));
    texts
        .filter_map(|text| Pattern::parse(holder, &expand(text, env).ok()?).ok())
        .collect()
}

/// One of the files, for checking.
pub(super) struct Included<'a> {
    pub(super) path: &'a Path,
    /// Why it could not be read, and the cure.
    pub(super) unread: Option<&'a (String, String)>,
    /// Its `include`.
    pub(super) patterns: Option<Words>,
}

/// Reports patterns that reach nothing and those that lead in a circle. The first of the files is rules.toml.
pub(super) fn check(files: &[Included<'_>], report: &mut Report<'_>) {
    // Where each file leads, and which pattern leads there.
    let mut ways: Vec<Vec<(usize, std::ops::Range<usize>)>> = Vec::new();
    for file in files {
        let mut leads = Vec::new();
        for word in file.patterns.iter().flat_map(|words| &words.value) {
            let pattern = match Pattern::parse(file.path, &word.value) {
                Ok(pattern) => pattern,
                Err(what) => {
                    report.problem(
                        &word.at,
                        what,
                        "name a file, or the files of one folder: include = [\"rules.d/*.toml\"]",
                    );
                    continue;
                }
            };
            let reached = files
                .iter()
                .enumerate()
                .filter(|(_, file)| pattern.reaches(file.path));
            let reached: Vec<usize> = reached.map(|(index, _)| index).collect();
            if reached.is_empty() && files.len() < MOST_FILES {
                unreached(word, &pattern, report);
            }
            for index in reached {
                if let Some((what, cure)) = files[index].unread {
                    report.problem(
                        &word.at,
                        format!("{} {what}", files[index].path.display()),
                        cure.clone(),
                    );
                }
                leads.push((index, word.at.clone()));
            }
        }
        ways.push(leads);
    }
    if let Some(words) = files.first().and_then(|first| first.patterns.as_ref())
        && files.len() >= MOST_FILES
    {
        let what = format!("{MOST_FILES} files or more are one rules.toml");
        report.problem(&words.at, what, "put more into each of them");
    }
    let mut way = Vec::new();
    let mut done = vec![false; files.len()];
    circles(0, &ways, &mut way, &mut done, files, report);
}

fn unreached(word: &Word, pattern: &Pattern, report: &mut Report<'_>) {
    if fence::shuts_out(&pattern.folder) {
        let what = format!("{} cannot be read: {}", pattern.folder.display(), fence::WHY);
        report.problem(&word.at, what, fence::CURE);
    } else if pattern.folder.is_dir() || pattern.folder == Path::new("") {
        let what = format!("no file matches {:?} yet", word.value);
        report.warn(Some(&word.at), what, "files that come later are read then");
    } else {
        let what = format!("there is no folder {}", pattern.folder.display());
        report.problem(
            &word.at,
            what,
            "make it, mount it, or take the line out; paths are seen from this file's folder",
        );
    }
}

/// Follows the ways from one file; one that leads back to a file on the way is a circle.
fn circles(
    from: usize,
    ways: &[Vec<(usize, std::ops::Range<usize>)>],
    way: &mut Vec<usize>,
    done: &mut [bool],
    files: &[Included<'_>],
    report: &mut Report<'_>,
) {
    if std::mem::replace(&mut done[from], true) {
        return;
    }
    way.push(from);
    for (to, at) in &ways[from] {
        if way.contains(to) {
            let what = format!("this leads back to {}", files[*to].path.display());
            report.problem(
                at,
                what,
                "every file is read once anyway: include each from one place",
            );
        } else {
            circles(*to, ways, way, done, files, report);
        }
    }
    way.pop();
}
