//! Who of the held files a new one is to be compared with, so that ten thousand new ones are not compared with each other.
//!
//! The trap: what is noted here is where followers stand in their list, and which paths they had when it was made; it
//! is good for one sweep.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::super::follow::Follower;
use super::super::identity::FileId;

/// The places of followers, by what is asked for.
#[derive(Debug, Default)]
pub(super) struct Names {
    ids: HashSet<FileId>,
    paths: HashMap<Arc<str>, Vec<usize>>,
    /// The lengths of all these paths.
    lengths: BTreeSet<usize>,
}

impl Names {
    pub(super) fn of(followers: &[Follower]) -> Self {
        let mut names = Self::default();
        for (index, follower) in followers.iter().enumerate() {
            names.add(index, follower);
        }
        names
    }

    pub(super) fn add(&mut self, index: usize, follower: &Follower) {
        let path = &follower.source.path;
        self.ids.insert(follower.id());
        self.lengths.insert(path.len());
        self.paths.entry(path.clone()).or_default().push(index);
    }

    pub(super) fn has(&self, id: FileId) -> bool {
        self.ids.contains(&id)
    }

    /// Those at this path, and those whose whole path its text begins with, in the order in which they were met.
    pub(super) fn related(&self, path: &Path) -> Vec<usize> {
        let path = path.to_string_lossy();
        let beginnings = self.lengths.range(..=path.len()).map(|&len| path.get(..len));
        let known = beginnings.flatten().filter_map(|path| self.paths.get(path));
        let mut related: Vec<usize> = known.flatten().copied().collect();
        related.sort_unstable();
        related
    }
}
