//! What is known of the containers whose logs are read: their paths tell, or a file that Docker keeps beside the log.
//!
//! It is looked at only for events that some rule looks at, and again after a while, for a container can be renamed.
//! The trap: that file belongs to root, and a sidecar often is not. Then name and image are not known, which is said
//! once, and nothing else changes.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::event::Place;
use crate::model::{Moment, Now};
use crate::tail::Source;

/// What was read is believed for so long.
const FRESH: Duration = Duration::from_secs(10);

/// So many files are known at once; beyond that all are asked again.
const MOST: usize = 4096;

/// What Docker keeps of a container takes some KiB.
const LARGEST: u64 = 1024 * 1024;

/// The containers that are known, by the paths of their logs.
#[derive(Debug, Default)]
pub(super) struct Places {
    known: HashMap<Arc<str>, (Arc<Place>, Moment)>,
    /// Files that could not be read, which was said.
    said: HashSet<PathBuf>,
}

impl Places {
    /// What is known of the container that writes this file; nothing, if it is not a container's.
    pub(super) fn of(&mut self, source: &Source, now: Now) -> Arc<Place> {
        if let Some((place, looked)) = self.known.get(&source.path)
            && (place.config().is_none() || now.moment - *looked < FRESH)
        {
            return place.clone();
        }
        let mut place = Place::of(&source.path);
        if let Some(config) = place.config().map(Path::to_owned) {
            match read(&config) {
                Ok(text) => place.learn(&text),
                Err(error) => self.say(config, &error),
            }
        }
        if self.known.len() >= MOST {
            self.known.clear();
        }
        let place = Arc::new(place);
        self.known
            .insert(source.path.clone(), (place.clone(), now.moment));
        place
    }

    fn say(&mut self, config: PathBuf, error: &io::Error) {
        if self.said.len() >= MOST {
            self.said.clear();
        }
        if !self.said.contains(&config) {
            tracing::warn!(path = %config.display(), %error, "the container's name and image are not known: they stand in a file that cannot be read");
            self.said.insert(config);
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut text)?;
    Ok(text)
}
