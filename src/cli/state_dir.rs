//! Where state is kept.

use std::path::{Path, PathBuf};

use crate::config::Environment;
use crate::model::State;
use crate::store::{Opened, Store};

use super::{Failure, Options};

/// The folder that containers mount a volume at.
const SYSTEM: &str = "/var/lib/tailgram";

/// Where state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StateDir {
    /// In this folder.
    Folder(PathBuf),
    /// Nowhere: it ends with the process.
    Memory,
}

impl StateDir {
    /// What the options and the environment say.
    pub(super) fn choose(options: &Options, env: &Environment) -> Result<Self, Failure> {
        if let Some(dir) = &options.state_dir {
            return Ok(if dir.as_os_str() == ":memory:" {
                Self::Memory
            } else {
                Self::Folder(dir.clone())
            });
        }
        if Path::new(SYSTEM).is_dir() {
            return Ok(Self::Folder(SYSTEM.into()));
        }
        let base = match (env.get("XDG_STATE_HOME"), env.get("HOME")) {
            (Some(base), _) if !base.is_empty() => PathBuf::from(base),
            (_, Some(home)) if !home.is_empty() => Path::new(home).join(".local/state"),
            _ => {
                return Err(Failure::Running(format!(
                    "there is no place for state: mount a writable volume at {SYSTEM}, name a folder with \
                     --state-dir, or go without with --state-dir :memory:"
                )));
            }
        };
        Ok(Self::Folder(base.join("tailgram")))
    }

    /// Opens the store there, and says what was found damaged.
    pub(super) fn open(&self) -> Result<Opened, Failure> {
        let opened = match self {
            Self::Memory => Store::memory(),
            Self::Folder(dir) => {
                make_parents(dir);
                Store::open(dir)
            }
        };
        let opened = opened.map_err(Failure::running)?;
        for damage in &opened.damage {
            tracing::error!("{damage}");
        }
        Ok(opened)
    }

    /// What is stored there, without changing or locking anything.
    pub(super) fn peek(&self) -> Result<Option<State>, Failure> {
        match self {
            Self::Memory => Ok(None),
            Self::Folder(dir) => Store::peek(dir).map(Some).map_err(Failure::running),
        }
    }

    /// The folder, if there is one.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(dir) => Some(dir),
            Self::Memory => None,
        }
    }
}

/// The store makes its own folder only; the ones above it are made here, and a failure shows when the store
/// is opened.
fn make_parents(dir: &Path) {
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        drop(std::fs::create_dir_all(parent));
    }
}
