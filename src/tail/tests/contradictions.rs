//! Stored positions that contradict each other: one that fits the bytes is taken, and the others are not kept for ever.

use std::os::unix::fs::MetadataExt;

use super::*;
use crate::model::{FileKey, Head, Identity};

/// What a position says, and whether that is so.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
struct Claim {
    /// After so many lines of those that there are.
    line: usize,
    head: bool,
    before: bool,
    ino: bool,
    dev: bool,
    finished: bool,
    /// Seconds before now.
    age: u8,
}

fn claim() -> impl Strategy<Value = Claim> {
    let odds = |so: f64| prop::bool::weighted(so);
    (
        0usize..60,
        odds(0.7),
        odds(0.7),
        odds(0.7),
        odds(0.5),
        odds(0.2),
        0u8..100,
    )
        .prop_map(|(line, head, before, ino, dev, finished, age)| Claim {
            line,
            head,
            before,
            ino,
            dev,
            finished,
            age,
        })
}

impl Claim {
    fn position(self, key: u128, lines: &[String], rig: &Rig) -> Position {
        let text = lines.concat();
        let offset = self.offset(lines);
        let full = Head::FULL as usize;
        let seen = fs::metadata(rig.path("app.log")).unwrap();
        let hash = |bytes: &[u8], so: bool| {
            let head = Head::of(bytes);
            let hash = if so { head.hash } else { !head.hash };
            Head { hash, ..head }
        };
        Position {
            key: FileKey(key),
            identity: Identity {
                dev: seen.dev() + u64::from(!self.dev),
                ino: seen.ino() + u64::from(!self.ino) * 1_000_000_007,
                head: hash(&text.as_bytes()[..full.min(text.len())], self.head),
            },
            path: rig.path("app.log").display().to_string(),
            log: LogName::new("app"),
            offset: offset as u64,
            before: hash(&text.as_bytes()[offset.saturating_sub(full)..offset], self.before),
            trail: Vec::new(),
            finished: self.finished,
            inside_line: false,
            at: Timestamp(rig.now().wall.0 - i64::from(self.age) * 1000),
        }
    }

    fn offset(self, lines: &[String]) -> usize {
        lines[..self.line.min(lines.len())].concat().len()
    }

    /// Whether the bytes are what it says. Before the first byte there is nothing to be wrong about.
    fn fits(self, lines: &[String]) -> bool {
        self.head && (self.before || self.offset(lines) == 0)
    }

    /// Whether reading may go on from here: of the same inode, or of the same path with a KiB that agrees.
    fn may_win(self, lines: &[String]) -> bool {
        let rewritten = !self.finished && self.offset(lines) >= Head::FULL as usize;
        self.fits(lines) && (self.ino || rewritten)
    }
}

proptest! {
    #[test]
    fn of_positions_that_contradict_each_other_one_that_fits_the_bytes_is_taken_and_the_others_are_dropped(
        claims in prop::collection::vec(claim(), 1..6),
        lines in 1usize..60,
    ) {
        let mut rig = Rig::new(&["app.log"]);
        let line = |number| format!("{number:03} {}\n", "x".repeat(40));
        let lines: Vec<String> = (0..lines).map(line).collect();
        rig.append("app.log", &lines.concat());
        rig.seen.push(LogName::new("app"));
        for (key, claim) in (1..).zip(&claims) {
            let position = claim.position(key, &lines, &rig);
            rig.positions.insert(key, position);
        }
        let mut begins: Vec<usize> = claims
            .iter()
            .filter(|claim| claim.may_win(&lines) && claim.ino)
            .map(|claim| claim.line.min(lines.len()))
            .collect();
        if begins.is_empty() {
            let by_path = claims.iter().filter(|claim| claim.may_win(&lines));
            begins.extend(by_path.map(|claim| claim.line.min(lines.len())));
        }
        if begins.is_empty() {
            begins.push(0);
        }
        rig.turn().after(1).after(1);
        let got = rig.lines().len();
        prop_assert_eq!(rig.lines(), lines[lines.len() - got..].iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert!(begins.contains(&(lines.len() - got)), "{got} of {} lines, {begins:?}", lines.len());
        let owed = rig.positions.values().filter(|position| !position.finished);
        prop_assert_eq!(owed.count(), 1);
        rig.append("app.log", "another\n");
        rig.kill().turn();
        prop_assert_eq!(rig.lines()[got..].to_vec(), ["another\n"]);
    }
}
