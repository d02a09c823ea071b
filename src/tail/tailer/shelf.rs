//! Positions of files that are not held, asked for by key, by inode and by path.
//!
//! The trap: an inode is no identity; what is found by it still has to be compared.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::Path;

use crate::model::{FileKey, Position};

/// Positions by key.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    positions: HashMap<FileKey, Position>,
    inodes: HashMap<u64, Vec<FileKey>>,
    paths: HashMap<String, Vec<FileKey>>,
}

impl Shelf {
    pub(super) fn insert(&mut self, position: Position) {
        self.remove(&position.key);
        let inode = self.inodes.entry(position.identity.ino).or_default();
        inode.push(position.key);
        let path = self.paths.entry(position.path.clone()).or_default();
        path.push(position.key);
        self.positions.insert(position.key, position);
    }

    pub(super) fn remove(&mut self, key: &FileKey) -> Option<Position> {
        let position = self.positions.remove(key)?;
        take(&mut self.inodes, &position.identity.ino, key);
        take(&mut self.paths, &position.path, key);
        Some(position)
    }

    pub(super) fn contains_key(&self, key: &FileKey) -> bool {
        self.positions.contains_key(key)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Position> {
        self.positions.values()
    }

    /// Those of files that had this inode.
    pub(super) fn with_inode(&self, ino: u64) -> impl Iterator<Item = &Position> {
        let keys = self.inodes.get(&ino).into_iter().flatten();
        keys.filter_map(|key| self.positions.get(key))
    }

    /// Those of files that were last seen at this path.
    pub(super) fn at_path(&self, path: &Path) -> impl Iterator<Item = &Position> {
        let keys = self.paths.get(&*path.to_string_lossy()).into_iter().flatten();
        keys.filter_map(|key| self.positions.get(key))
    }

    pub(super) fn len(&self) -> usize {
        self.positions.len()
    }
}

fn take<K: Eq + Hash>(index: &mut HashMap<K, Vec<FileKey>>, at: &K, key: &FileKey) {
    if let Some(keys) = index.get_mut(at) {
        keys.retain(|other| other != key);
        if keys.is_empty() {
            index.remove(at);
        }
    }
}

impl FromIterator<Position> for Shelf {
    fn from_iter<I: IntoIterator<Item = Position>>(positions: I) -> Self {
        let mut shelf = Self::default();
        positions.into_iter().for_each(|position| shelf.insert(position));
        shelf
    }
}
