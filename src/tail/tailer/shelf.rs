//! Positions of files that are not held, asked for by key and by inode.
//!
//! The trap: an inode is no identity; what is found by it still has to be compared.

use std::collections::HashMap;

use crate::model::{FileKey, Position};

/// Positions by key.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    positions: HashMap<FileKey, Position>,
    inodes: HashMap<u64, Vec<FileKey>>,
}

impl Shelf {
    pub(super) fn insert(&mut self, position: Position) {
        self.remove(&position.key);
        let keys = self.inodes.entry(position.identity.ino).or_default();
        keys.push(position.key);
        self.positions.insert(position.key, position);
    }

    pub(super) fn remove(&mut self, key: &FileKey) -> Option<Position> {
        let position = self.positions.remove(key)?;
        let ino = position.identity.ino;
        if let Some(keys) = self.inodes.get_mut(&ino) {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.inodes.remove(&ino);
            }
        }
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

    pub(super) fn len(&self) -> usize {
        self.positions.len()
    }
}

impl FromIterator<Position> for Shelf {
    fn from_iter<I: IntoIterator<Item = Position>>(positions: I) -> Self {
        let mut shelf = Self::default();
        positions.into_iter().for_each(|position| shelf.insert(position));
        shelf
    }
}
