//! Which faults a round consists of. Everything is drawn from the round's seed.

use std::time::Duration;

use botapi::FaultKind;
use serde_json::json;

use crate::container::Act;
use crate::fault::{Damage, Fault, api};
use crate::generator::Pace;
use crate::proxy::Harm;
use crate::site::Manner;

/// What a round is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// K1, with rotations.
    Kill,
    /// K2.
    Call,
    /// K3.
    Crash,
    /// K4.
    Error,
    /// K6.
    Terminate,
    /// K7.
    Damage,
    /// N1, and some of N2.
    Network,
    /// N2, with requests without a pause.
    Answers,
    /// V1.
    Disk,
    /// L1 and C1, with Telegram's limits in force.
    Load,
    /// All of them together, but for the damage, after which nothing is owed.
    All,
    /// The sidecar of compose.yaml, and what befalls a container. Only where there is an image to play it around.
    Container,
}

impl Theme {
    /// Those of a campaign around a process, in the order in which they are played: the long ones first.
    pub const ALL: [Self; 11] = [
        Self::Load,
        Self::Crash,
        Self::Call,
        Self::Kill,
        Self::Answers,
        Self::Network,
        Self::Error,
        Self::All,
        Self::Terminate,
        Self::Disk,
        Self::Damage,
    ];

    /// Its name on the command line and in folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Call => "call",
            Self::Crash => "crash",
            Self::Error => "error",
            Self::Terminate => "terminate",
            Self::Damage => "damage",
            Self::Network => "network",
            Self::Answers => "answers",
            Self::Disk => "disk",
            Self::Load => "load",
            Self::All => "all",
            Self::Container => "container",
        }
    }

    /// The theme of this name.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter().chain([Self::Container]);
        all.find(|theme| theme.name() == name)
    }
}

/// One round.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it is about.
    pub theme: Theme,
    /// What everything is drawn from.
    pub seed: u64,
    /// Who is told, and under which limits.
    pub manner: Manner,
    /// How fast is written, and how often rotated.
    pub pace: Pace,
    /// How long a new message takes at most, in milliseconds: kills should find some of them under way.
    pub slowness: u64,
    /// What is done, in this order.
    pub faults: Vec<Fault>,
}

/// Calls at which the program is killed. `fsync` is how SQLite syncs as it is built here; `fdatasync` is never called.
const CALLS: [&str; 10] = [
    "fsync", "pwrite64", "write", "openat", "sendto", "recvfrom", "rename", "unlink", "read", "pread64",
];
/// The program's own crash points, and at which of its visits it is to end there at the latest. Some are passed all the
/// time; two are passed once before a commit and once after it; one is where something else has to be done first.
pub const POINTS: [(&str, u64); 15] = [
    ("after-read", 12),
    ("after-match", 12),
    ("before-commit", 12),
    ("after-commit", 12),
    ("after-attempt-commit", 8),
    ("after-request-written", 8),
    ("after-response", 8),
    ("before-settle-commit", 8),
    ("after-settle-commit", 8),
    ("migrate", 2),
    ("notice", 2),
    ("rotate-switch", 2),
    ("config-swap", 2),
    ("shutdown-drain", 2),
    ("retry-after-commit", 2),
];
/// Calls that fail, and how.
const ERRORS: [(&str, &str); 12] = [
    ("fsync", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("pwrite64", "EIO"),
    ("pread64", "EIO"),
    ("openat", "EMFILE"),
    ("openat", "EACCES"),
    ("read", "EIO"),
    ("getdents64", "EIO"),
    ("statx", "ESTALE"),
    ("rename", "EIO"),
    ("connect", "ENETUNREACH"),
    ("sendto", "ECONNRESET"),
];
const HARMS: [Harm; 8] = [
    Harm::Refuse,
    Harm::ResetBefore,
    Harm::ResetAfter,
    Harm::Silence,
    Harm::Swallow,
    Harm::CutAnswer,
    Harm::Latency(700),
    Harm::Blackhole,
];

impl Plan {
    /// How many lines are written at full pace for each fault: about as many as a quick machine has time for.
    pub fn lines_per_fault(&self) -> i64 {
        match self.theme {
            Theme::Answers => 1_500,
            Theme::Crash | Theme::Call | Theme::Error => 150,
            _ => 80,
        }
    }

    /// Draws a round; `scale` multiplies how much is done.
    pub fn draw(theme: Theme, seed: u64, scale: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let faults = faults(theme, scale, &mut random);
        Self {
            theme,
            seed,
            manner: Manner {
                polite: theme == Theme::Load,
                chorus: matches!(theme, Theme::Network | Theme::Answers),
            },
            pace: pace(theme),
            slowness: match theme {
                Theme::Answers => 0,
                Theme::Load | Theme::Network => 50,
                Theme::Kill | Theme::Crash | Theme::All => 400,
                // The engine takes its time for a kill; something should be under way until then.
                Theme::Container => 600,
                _ => 200,
            },
            faults,
        }
    }
}

fn pace(theme: Theme) -> Pace {
    let rotate = match theme {
        // What lies in a renamed file is not looked for once the state is gone.
        // In a container's round logrotate does it.
        Theme::Damage | Theme::Container => None,
        Theme::Kill | Theme::Crash | Theme::All => Some(Duration::from_secs(2)),
        _ => Some(Duration::from_secs(4)),
    };
    Pace {
        pause: Duration::from_millis(if theme == Theme::Load { 4_000 } else { 120 }),
        burst: 6,
        rotate,
        // Beside restarts, what is written around two cuts may come out of order; docs/chaos.md says when.
        cuts: theme == Theme::Network,
        chorus: matches!(theme, Theme::Network | Theme::Answers),
    }
}

fn faults(theme: Theme, scale: usize, random: &mut fastrand::Rng) -> Vec<Fault> {
    let times = |count: usize| 0..count * scale;
    match theme {
        Theme::Kill => times(40).map(|_| kill(random)).collect(),
        Theme::Call => shuffled(random, times(12).map(|nth| CALLS[nth % CALLS.len()]))
            .into_iter()
            .map(|call| Fault::KillAtCall(call, nth(call, random)))
            .collect(),
        Theme::Crash => shuffled(random, times(POINTS.len()).map(|nth| POINTS[nth % POINTS.len()]))
            .into_iter()
            .map(|(point, visits)| Fault::KillAtPoint(point, random.u64(1..=visits)))
            .collect(),
        Theme::Error => shuffled(random, times(ERRORS.len()).map(|nth| ERRORS[nth % ERRORS.len()]))
            .into_iter()
            .map(|(call, error)| Fault::CallFails(call, error, nth(call, random)))
            .collect(),
        Theme::Terminate => times(20).map(|_| Fault::Terminate(random.u64(20..500))).collect(),
        Theme::Damage => times(12).map(|_| damage(random)).collect(),
        Theme::Network => {
            let wire = times(40).map(|nth| Fault::Wire(HARMS[nth % HARMS.len()], random.u64(100..600)));
            let mut all: Vec<_> = wire.collect();
            all.extend(times(15).map(answer));
            random.shuffle(&mut all);
            all
        }
        Theme::Answers => times(3).map(|_| Fault::Answers(10_000)).collect(),
        Theme::Disk => times(10)
            .map(|nth| Fault::FullDisk(random.u64(200..1_200), nth % 3 == 2))
            .collect(),
        Theme::Load => {
            let mut all: Vec<_> = times(6).map(|_| Fault::Burst(10_000)).collect();
            all.extend(times(4).map(|_| Fault::Pause(random.u64(500..4_000))));
            all.extend(times(3).map(|_| Fault::Clock(random.u64(1..1 << 20))));
            random.shuffle(&mut all);
            all
        }
        Theme::All => shuffled(random, times(30))
            .into_iter()
            .map(|nth| mixed(nth, random))
            .collect(),
        Theme::Container => container(scale, random),
    }
}

fn shuffled<T>(random: &mut fastrand::Rng, values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    random.shuffle(&mut values);
    values
}

fn kill(random: &mut fastrand::Rng) -> Fault {
    Fault::Kill {
        after: random.u64(30..900),
        down: if random.u8(..4) == 0 {
            random.u64(..1_000)
        } else {
            0
        },
        aimed: random.bool(),
    }
}

/// Some calls are made thousands of times, some rarely; a number that is never reached tests nothing.
fn nth(call: &str, random: &mut fastrand::Rng) -> u64 {
    let most = match call {
        "rename" | "unlink" | "connect" => 3,
        "getdents64" | "sendto" => 12,
        "fsync" | "recvfrom" => 30,
        _ => 150,
    };
    // The first calls of each kind are those of a start; small numbers are as likely as large ones.
    let least = if matches!(call, "openat" | "read" | "pread64") {
        8
    } else {
        1
    };
    (least + random.u64(..most) * random.u64(..=100) / 100).max(1)
}

fn damage(random: &mut fastrand::Rng) -> Fault {
    Fault::Damage(match random.u8(..4) {
        0 => Damage::Truncate,
        1 => Damage::Zero,
        _ => Damage::Flip(random.u8(1..9)),
    })
}

/// Every way in which an answer can go wrong; those that refuse a message for good would owe nothing any more.
fn answer(nth: usize) -> Fault {
    let server_error = FaultKind::Error {
        status: 500,
        code: 500,
        description: "Internal Server Error".to_owned(),
    };
    let retry_after = Some(json!(1));
    let store = nth.is_multiple_of(2);
    let kind = match nth % 15 {
        0 => FaultKind::TooMany { retry_after },
        1 => FaultKind::TooMany { retry_after: None },
        2 => server_error,
        3 => FaultKind::Html { status: 502, store },
        4 => FaultKind::Empty { store },
        5 => FaultKind::Truncated { store },
        6 => FaultKind::HalfAnswer { store },
        7 => FaultKind::Stall { ms: 1_500, store },
        8 => FaultKind::AnswerLost,
        9 => FaultKind::Refuse,
        10 => FaultKind::Reset,
        11 => FaultKind::Slow { ms_per_byte: 1 },
        12 => FaultKind::Huge { bytes: 200_000 },
        13 => FaultKind::Delay { ms: 300 },
        _ => FaultKind::Late { ms: 300 },
    };
    api(kind, 1 + nth as u64 % 3)
}

/// Each of its kinds several times; logrotate runs within every second one of those that last.
fn container(scale: usize, random: &mut fastrand::Rng) -> Vec<Fault> {
    let mut all = Vec::new();
    let mut add = |count: usize, random: &mut fastrand::Rng, act: fn(bool, &mut fastrand::Rng) -> Act| {
        all.extend((0..count * scale).map(|nth| Fault::Container(act(nth % 2 == 0, random))));
    };
    add(5, random, |rotated, random| Act::Kill {
        after: random.u64(30..900),
        down: random.u64(..1_500),
        aimed: true,
        rotated,
    });
    add(3, random, |rotated, random| Act::Kill {
        after: random.u64(30..900),
        down: random.u64(..1_500),
        aimed: false,
        rotated,
    });
    add(4, random, |rotated, random| Act::Stop {
        after: random.u64(20..900),
        down: random.u64(..1_500),
        rotated,
    });
    add(3, random, |_, random| Act::Restart(random.u64(20..900)));
    add(6, random, |rotated, random| Act::Unplug {
        ms: random.u64(500..5_000),
        rotated,
    });
    add(4, random, |rotated, random| Act::Pause {
        ms: random.u64(500..4_000),
        rotated,
    });
    add(3, random, |_, _| Act::Edit);
    add(5, random, |_, _| Act::Rotate);
    random.shuffle(&mut all);
    all
}

fn mixed(nth: usize, random: &mut fastrand::Rng) -> Fault {
    match nth % 9 {
        0 | 1 => kill(random),
        2 => {
            let call = CALLS[random.usize(..CALLS.len())];
            Fault::KillAtCall(call, self::nth(call, random))
        }
        3 => {
            let (call, error) = ERRORS[random.usize(..ERRORS.len())];
            Fault::CallFails(call, error, self::nth(call, random))
        }
        4 => Fault::Terminate(random.u64(50..700)),
        5 => Fault::Wire(HARMS[random.usize(..HARMS.len())], random.u64(200..1_500)),
        6 => answer(random.usize(..30)),
        7 => Fault::FullDisk(random.u64(300..1_500), random.bool()),
        _ => Fault::Pause(random.u64(300..2_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_of_a_container_has_each_act_several_times_and_rotations_within_those_that_last() {
        for seed in 0..50 {
            let plan = Plan::draw(Theme::Container, seed, 1);
            let count = |is: fn(&Act) -> bool| {
                let acts = plan.faults.iter().filter_map(|fault| match fault {
                    Fault::Container(act) => Some(act),
                    _ => None,
                });
                acts.filter(|act| is(act)).count()
            };
            let kinds: [fn(&Act) -> bool; 11] = [
                |act| matches!(act, Act::Kill { aimed: true, .. }),
                |act| matches!(act, Act::Kill { rotated: false, .. }),
                |act| matches!(act, Act::Kill { rotated: true, .. }),
                |act| matches!(act, Act::Stop { rotated: false, .. }),
                |act| matches!(act, Act::Stop { rotated: true, .. }),
                |act| matches!(act, Act::Restart(_)),
                |act| matches!(act, Act::Unplug { rotated: false, .. }),
                |act| matches!(act, Act::Unplug { rotated: true, .. }),
                |act| matches!(act, Act::Pause { rotated: true, .. }),
                |act| matches!(act, Act::Edit),
                |act| matches!(act, Act::Rotate),
            ];
            for (nth, kind) in kinds.into_iter().enumerate() {
                assert!(count(kind) > 1, "kind {nth} of seed {seed}");
            }
        }
    }
}
