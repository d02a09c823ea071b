//! What befalls a container, one act after the other.

use std::fs;
use std::io;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{NOTICED, PATIENCE, readable, run};
use crate::notes::Note;
use crate::proxy::Harm;
use crate::stage::Stage;

/// How long an aimed kill waits for a new message on the wire.
const MESSAGE_WITHIN: Duration = Duration::from_secs(2);

/// One thing that befalls it. `rotated`: logrotate runs meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// `docker kill` after so many milliseconds, and `docker start`.
    Kill {
        /// Life.
        after: u64,
        /// Down for so long.
        down: u64,
        /// Not before a new message is on the wire, if one comes soon.
        aimed: bool,
        /// A rotation while it is dead.
        rotated: bool,
    },
    /// `compose stop` and `compose start`.
    Stop {
        /// Life.
        after: u64,
        /// Down for so long.
        down: u64,
        /// A rotation while it is stopped.
        rotated: bool,
    },
    /// `compose restart` after so many milliseconds.
    Restart(u64),
    /// `docker network disconnect` and `connect`.
    Unplug {
        /// Alone for so long.
        ms: u64,
        /// A rotation while nobody can be told.
        rotated: bool,
    },
    /// `docker pause` and `unpause`.
    Pause {
        /// Frozen for so long.
        ms: u64,
        /// A rotation while it is frozen.
        rotated: bool,
    },
    /// rules.toml is replaced in the folder that is mounted.
    Edit,
    /// `logrotate --force` while it runs.
    Rotate,
}

impl Act {
    /// Its class, as the design calls it; an edit has none there.
    pub fn class(self) -> &'static str {
        match self {
            Self::Kill { .. } => "K1",
            Self::Stop { .. } | Self::Restart(_) => "K6",
            Self::Unplug { .. } => "N1",
            Self::Pause { .. } => "C1",
            Self::Edit => "edit",
            Self::Rotate => "R1",
        }
    }

    /// Does it. Afterwards the container runs undisturbed again.
    pub fn strike(self, stage: &mut Stage) -> io::Result<()> {
        match self {
            Self::Kill {
                after,
                down,
                aimed,
                rotated,
            } => {
                pause(after);
                if aimed {
                    stage.proxy.until_in_flight(MESSAGE_WITHIN);
                }
                stage.kill()?;
                meanwhile(stage, down, rotated, "while it was dead")?;
                stage.container()?.docker("start")
            }
            Self::Stop { after, down, rotated } => {
                stage.container()?.until_it_hears()?;
                pause(after);
                stage.terminate()?;
                meanwhile(stage, down, rotated, "while it was stopped")?;
                stage.container()?.start()
            }
            Self::Restart(after) => {
                stage.container()?.until_it_hears()?;
                pause(after);
                stage.restart()
            }
            Self::Unplug { ms, rotated } => unplug(stage, ms, rotated),
            Self::Pause { ms, rotated } => {
                stage.container()?.docker("pause")?;
                meanwhile(stage, ms, rotated, "while it was frozen")?;
                stage.container()?.docker("unpause")
            }
            Self::Edit => edit(stage),
            Self::Rotate => rotate(stage),
        }
    }
}

fn pause(ms: u64) {
    sleep(Duration::from_millis(ms));
}

/// So much time passes, and perhaps a rotation falls into it.
fn meanwhile(stage: &mut Stage, ms: u64, rotated: bool, when: &str) -> io::Result<()> {
    let until = Instant::now() + Duration::from_millis(ms);
    if rotated {
        stage.notes.append(&Note::Fault {
            class: Act::Rotate.class().to_owned(),
            what: format!("logrotate {when}"),
        })?;
        rotate(stage)?;
    }
    sleep(until.saturating_duration_since(Instant::now()));
    Ok(())
}

/// The machine's own logrotate, as it would run beside it. Writers that have the old file keep it for a while.
fn rotate(stage: &mut Stage) -> io::Result<()> {
    let mut command = Command::new("logrotate");
    let project = &stage.container()?.project;
    command
        .args(["--force", "--state"])
        .arg(project.join("logrotate.state"))
        .arg(project.join("logrotate.conf"));
    stage.generator.rotate_by(|| run(&mut command).map(drop))
}

/// First nothing is answered any more, and then the network is gone: so it is known which requests it cut.
fn unplug(stage: &mut Stage, ms: u64, rotated: bool) -> io::Result<()> {
    stage.proxy.set(Some(Harm::Unplugged));
    stage.container()?.network("disconnect")?;
    meanwhile(stage, ms, rotated, "while the network was cut")?;
    // What was under way is over before the network is back, and cannot arrive behind its own repetition.
    stage.proxy.set(None);
    sleep(NOTICED);
    stage.container()?.network("connect")
}

/// Replaces rules.toml as an editor does: the new file takes the name of the old one. It changes no sum, but it names
/// another host, which messages name from then on.
fn edit(stage: &mut Stage) -> io::Result<()> {
    // Only what is edited while it runs is a change to it.
    stage.container()?.until_it_hears()?;
    let path = stage.container()?.project.join("tailgram/rules.toml");
    let text = fs::read_to_string(&path)?;
    let (_, rest) = text
        .split_once('\n')
        .ok_or_else(|| io::Error::other("rules.toml without a host"))?;
    let host = format!("chaos-{}", stage.random.u32(..));
    let new = path.with_extension("new");
    fs::write(&new, format!("host = \"{host}\"\n{rest}"))?;
    readable(&new, 0o644)?;
    stage.notes.append(&Note::Edited { host: host.clone() })?;
    fs::rename(new, path)?;
    let deadline = Instant::now() + PATIENCE;
    let named = format!(" on {host}");
    while Instant::now() < deadline && !fs::read_to_string(stage.site.record())?.contains(&named) {
        stage.generator.canary()?;
        pause(300);
    }
    Ok(())
}
