//! Rooms of one floor do not know their neighbours.

use std::collections::BTreeMap;
use std::path::Path;

/// What every room may name: no rooms, but facts of the whole process.
const EVERYWHERE: [&str; 2] = ["failpoint", "fence"];

/// What each room may use of the others.
const ALLOWED: [(&str, &[&str]); 12] = [
    ("model", &[]),
    ("tail", &["model"]),
    ("gnu", &["model"]),
    ("event", &["model"]),
    ("scan", &["model"]),
    ("incident", &["model"]),
    ("message", &["model"]),
    ("store", &["model"]),
    ("telegram", &["model"]),
    (
        "config",
        &[
            "model", "tail", "event", "scan", "incident", "message", "telegram",
        ],
    ),
    (
        "engine",
        &[
            "model", "tail", "event", "scan", "incident", "message", "store", "telegram", "config",
        ],
    ),
    (
        "cli",
        &[
            "model", "tail", "gnu", "event", "scan", "incident", "message", "store", "telegram", "config",
            "engine",
        ],
    ),
];

#[test]
fn no_room_imports_upward_or_sideways() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    let mut seen = 0;
    for room in rooms(&src) {
        let row = allowed
            .get(room.as_str())
            .unwrap_or_else(|| panic!("src/{room} is not in the table of rooms"));
        for (file, used) in uses(&src.join(&room)) {
            seen += 1;
            if used != room && !EVERYWHERE.contains(&used.as_str()) && !row.contains(&used.as_str()) {
                broken.push(format!("{file} uses crate::{used}; {room} may use {row:?}"));
            }
        }
    }
    assert!(
        seen > 50,
        "the search for imports found only {seen}: it looks in the wrong place"
    );
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn rooms(src: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(src).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

/// Every `crate::ROOM` and `crate::{ROOM, …}` in the files of a folder, as (file, room).
fn uses(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(uses(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            for after in text.split("crate::").skip(1) {
                for room in heads(after) {
                    found.push((path.display().to_string(), room));
                }
            }
        }
    }
    found
}

/// The first path segments of what follows `crate::`.
fn heads(after: &str) -> Vec<String> {
    let word = |text: &str| {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    match after.strip_prefix('{') {
        None => vec![word(after)],
        Some(group) => {
            // Nested groups are taken away, so that what commas separate are heads.
            let mut depth = 0;
            let mut flat = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    c if depth == 0 => flat.push(c),
                    _ => {}
                }
            }
            flat.split(',')
                .map(|part| word(part.trim()))
                .filter(|head| !head.is_empty())
                .collect()
        }
    }
}
