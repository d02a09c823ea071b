//! `[fence]`.

use std::path::PathBuf;

use super::word;
use crate::config::problem::Report;
use crate::config::{Fence, Landlock, raw};

pub(super) fn check(fence: &raw::Fence, report: &mut Report<'_>) -> Fence {
    let choices = [
        ("auto", Landlock::Auto),
        ("require", Landlock::Require),
        ("off", Landlock::Off),
    ];
    let others = [
        ("on", "auto"),
        ("true", "auto"),
        ("required", "require"),
        ("false", "off"),
    ];
    let landlock = word::choice(fence.landlock.as_ref(), "landlock", &choices, &others, report);
    let words = fence.read.iter().flat_map(|words| &words.value);
    let read = words.filter(|word| {
        let whole = word.value.starts_with('/') && !word.value.contains(['*', '?', '\0']);
        if !whole {
            let what = format!("{:?} is not the whole path of a folder", word.value);
            report.problem(&word.at, what, "name a folder: read = [\"/var/log/pods\"]");
        }
        whole
    });
    Fence {
        read: read.map(|word| PathBuf::from(&word.value)).collect(),
        landlock: landlock.unwrap_or_default(),
    }
}
