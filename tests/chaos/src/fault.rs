//! What is done to the program: one value per fault, and how it is done.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use botapi::{Fault as ApiFault, FaultKind};
use rustix::process::Signal;
use serde_json::json;

use crate::container::Act;
use crate::notes::Note;
use crate::proxy::Harm;
use crate::stage::Stage;
use crate::subject::{Under, code, was_abort};

/// A crash that was ordered comes within this, or it does not come.
const CRASH_WITHIN: Duration = Duration::from_secs(4);
/// The same at one of its own crash points, with whatever has to happen before.
const POINT_WITHIN: Duration = Duration::from_mins(1);
/// Longer than the program takes to end when it is asked to, under a tracer as well.
const END_WITHIN: Duration = Duration::from_secs(30);
/// How long an aimed kill waits for a new message on the wire.
const MESSAGE_WITHIN: Duration = Duration::from_secs(2);
/// How long a cut waits for somebody to notice it.
const UNNOTICED: Duration = Duration::from_secs(2);
/// How likely each kind of wrong answer is, where the kinds before it did not strike: about half of all are wrong.
const CHANCE: f64 = 0.04;
/// Smaller than the database, larger than the status.
const TINY: u64 = 4_096;

/// How state files are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Some bytes have another value.
    Flip(u8),
    /// The end is missing.
    Truncate,
    /// A page is zeros.
    Zero,
}

/// One fault.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// K1: SIGKILL after so many milliseconds of life.
    Kill {
        /// Life.
        after: u64,
        /// Down for so long.
        down: u64,
        /// Not before a new message is on the wire, if one comes soon.
        aimed: bool,
    },
    /// K2: SIGKILL when a thread enters this call for the n-th time.
    KillAtCall(&'static str, u64),
    /// K3: it ends itself at this crash point, on its n-th visit.
    KillAtPoint(&'static str, u64),
    /// K4: a call fails with this error from the n-th time on, a few times.
    CallFails(&'static str, &'static str, u64),
    /// K6: SIGTERM after so many milliseconds.
    Terminate(u64),
    /// K7: the state is damaged while nobody uses it.
    Damage(Damage),
    /// N1: this goes wrong on the wire for so many milliseconds.
    Wire(Harm, u64),
    /// N2: the server answers so to the next requests.
    Api(ApiFault),
    /// N2: for so many milliseconds about every second answer is wrong, each time in another way.
    Answers(u64),
    /// V1: no room on the state's disk for so many milliseconds; killed meanwhile, or not.
    FullDisk(u64, bool),
    /// C1: restarted with a monotonic clock so many seconds ahead, and back again.
    Clock(u64),
    /// C1: stopped for so many milliseconds.
    Pause(u64),
    /// L1: so many lines at once.
    Burst(u64),
    /// Something befalls the container it runs in.
    Container(Act),
}

impl Fault {
    /// Its class, as the design calls it.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Kill { .. } => "K1",
            Self::KillAtCall(..) => "K2",
            Self::KillAtPoint(..) => "K3",
            Self::CallFails(..) => "K4",
            Self::Terminate(_) => "K6",
            Self::Damage(_) => "K7",
            Self::Wire(..) => "N1",
            Self::Api(_) | Self::Answers(_) => "N2",
            Self::FullDisk(..) => "V1",
            Self::Clock(_) | Self::Pause(_) => "C1",
            Self::Burst(_) => "L1",
            Self::Container(act) => act.class(),
        }
    }

    /// Does it. Afterwards the program runs undisturbed again.
    pub fn strike(&self, stage: &mut Stage) -> io::Result<()> {
        stage.notes.append(&Note::Fault {
            class: self.class().to_owned(),
            what: format!("{self:?}"),
        })?;
        match self {
            Self::Kill { after, down, aimed } => {
                pause(*after);
                if *aimed {
                    stage.proxy.until_in_flight(MESSAGE_WITHIN);
                }
                stage.kill()?;
                pause(*down);
                stage.start(&Under::Plain)
            }
            Self::KillAtCall(call, nth) => crash(stage, &traced(call, &format!("signal=KILL:when={nth}"))),
            Self::KillAtPoint(point, nth) => crash_at(stage, point, *nth),
            Self::CallFails(call, error, nth) => {
                let to = nth + 3;
                call_fails(stage, &traced(call, &format!("error={error}:when={nth}..{to}")))
            }
            Self::Terminate(after) => {
                stage.subject()?.until_it_hears()?;
                pause(*after);
                stage.terminate()?;
                stage.start(&Under::Plain)
            }
            Self::Damage(damage) => hurt(stage, *damage),
            Self::Wire(harm, ms) => {
                cut(stage, *harm, *ms);
                Ok(())
            }
            Self::Api(fault) => {
                stage.server.fault(fault)?;
                pause(200);
                Ok(())
            }
            Self::Answers(ms) => {
                for kind in answers() {
                    stage.server.fault(&ApiFault::always(kind).probability(CHANCE))?;
                }
                pause(*ms);
                stage.server.calm()
            }
            Self::FullDisk(ms, killed) => full_disk(stage, *ms, *killed),
            Self::Clock(ahead) => {
                stage.kill()?;
                stage.start(&Under::Clock(*ahead))?;
                pause(1_000);
                stage.kill()?;
                stage.start(&Under::Plain)
            }
            Self::Pause(ms) => {
                stage.subject()?.signal(Signal::STOP)?;
                pause(*ms);
                stage.subject()?.signal(Signal::CONT)
            }
            Self::Burst(lines) => stage.generator.burst(*lines),
            Self::Container(act) => act.strike(stage),
        }
    }
}

/// Cuts the wire for a while, and for as long as nobody noticed: a cut that met nothing tests nothing.
fn cut(stage: &Stage, harm: Harm, ms: u64) {
    let before = stage.proxy.met();
    stage.proxy.set(Some(harm));
    pause(ms);
    let deadline = Instant::now() + UNNOTICED;
    while stage.proxy.met() == before && Instant::now() < deadline {
        pause(10);
    }
    stage.proxy.set(None);
    pause(150);
}

/// Every way in which an answer can go wrong; those that refuse a message for good would owe nothing any more. A 429 is
/// not among them: two of them close the whole bot, and then nothing else goes wrong.
fn answers() -> Vec<FaultKind> {
    let mut kinds = vec![
        FaultKind::Error {
            status: 500,
            code: 500,
            description: "Internal Server Error".to_owned(),
        },
        FaultKind::AnswerLost,
        FaultKind::Refuse,
        FaultKind::Reset,
        FaultKind::Slow { ms_per_byte: 1 },
        FaultKind::Huge { bytes: 200_000 },
        FaultKind::Delay { ms: 300 },
        FaultKind::Late { ms: 300 },
    ];
    for store in [false, true] {
        kinds.push(FaultKind::Html { status: 502, store });
        kinds.push(FaultKind::Empty { store });
        kinds.push(FaultKind::Truncated { store });
        kinds.push(FaultKind::HalfAnswer { store });
        kinds.push(FaultKind::Stall { ms: 700, store });
    }
    kinds
}

/// A short name of what the server does wrong.
pub fn api(kind: FaultKind, times: u64) -> Fault {
    Fault::Api(ApiFault::once(kind).times(times))
}

fn pause(ms: u64) {
    sleep(Duration::from_millis(ms));
}

fn traced(call: &str, how: &str) -> Under {
    Under::Trace {
        call: call.to_owned(),
        how: how.to_owned(),
    }
}

/// Restarts it so that it will crash, waits for that, and starts it again. One that does not come by the place
/// is killed like any other.
fn crash(stage: &mut Stage, under: &Under) -> io::Result<()> {
    stage.kill()?;
    stage.start(under)?;
    if stage.subject()?.ended_within(CRASH_WITHIN)?.is_some() {
        stage.died(false)?;
    } else {
        stage.kill()?;
    }
    stage.start(&Under::Plain)
}

/// Restarts it so that it ends at a crash point, and does what brings it there.
fn crash_at(stage: &mut Stage, point: &str, nth: u64) -> io::Result<()> {
    stage.kill()?;
    stage.start(&Under::Failpoint {
        point: point.to_owned(),
        nth,
    })?;
    match point {
        "migrate" => stage.migrate()?,
        "retry-after-commit" => {
            let retry_after = Some(json!(1));
            // The bot's introduction takes one of them, and Telegram may ask two chats at once.
            let too_many = ApiFault::once(FaultKind::TooMany { retry_after }).times(2 * nth + 2);
            stage.server.fault(&too_many)?;
        }
        "config-swap" => stage.edit_rules()?,
        "shutdown-drain" => {
            stage.subject()?.until_it_hears()?;
            pause(stage.random.u64(100..800));
            stage.subject()?.signal(Signal::TERM)?;
        }
        _ => {}
    }
    let ended = stage.subject()?.ended_within(POINT_WITHIN)?;
    stage.notes.append(&Note::Point {
        point: point.to_owned(),
        reached: ended.is_some_and(was_abort),
    })?;
    if ended.is_some() {
        stage.died(false)?;
    } else {
        stage.kill()?;
    }
    stage.start(&Under::Plain)
}

/// Lets it live with failing calls for a while. It may go on or end; both are fine, if nothing is lost.
fn call_fails(stage: &mut Stage, under: &Under) -> io::Result<()> {
    stage.kill()?;
    stage.start(under)?;
    if stage
        .subject()?
        .ended_within(Duration::from_millis(2_500))?
        .is_none()
    {
        // Whether it ends well is not asked of a program whose calls fail.
        stage.subject()?.terminate(END_WITHIN)?;
    }
    stage.died(false)?;
    stage.start(&Under::Plain)
}

/// Damages the database or its log, and starts the program over it.
fn hurt(stage: &mut Stage, damage: Damage) -> io::Result<()> {
    pause(300);
    stage.kill()?;
    let name = if stage.random.bool() {
        "state.db"
    } else {
        "state.db-wal"
    };
    match OpenOptions::new()
        .read(true)
        .write(true)
        .open(stage.site.state().join(name))
    {
        Ok(file) => alter(&file, damage, &mut stage.random)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    stage.start(&Under::Plain)?;
    stage.subject()?.until_it_hears()?;
    if let Some(status) = stage.subject()?.ended_within(Duration::from_millis(700))? {
        let alive = stage.subject()?.seen_alive();
        stage.notes.append(&Note::Ended {
            code: code(status),
            in_flight: stage.proxy.take_in_flight(alive),
            took: u64::MAX,
        })?;
        return stage.start(&Under::Plain);
    }
    Ok(())
}

fn alter(file: &File, damage: Damage, random: &mut fastrand::Rng) -> io::Result<()> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(());
    }
    match damage {
        Damage::Flip(bytes) => (0..bytes).try_for_each(|_| {
            let (at, mut byte) = (random.u64(..length), [0]);
            file.read_exact_at(&mut byte, at)?;
            file.write_all_at(&[byte[0] ^ random.u8(1..)], at)
        }),
        Damage::Truncate => file.set_len(random.u64(..length)),
        Damage::Zero => file.write_all_at(&[0; 4_096], random.u64(..length) / 4_096 * 4_096),
    }
}

/// Fills the disk on which the state lies, or forbids it to grow where that is not ours to fill.
fn full_disk(stage: &mut Stage, ms: u64, killed: bool) -> io::Result<()> {
    let ballast = stage.site.state().join("ballast");
    if stage.own_disk {
        fill(&ballast)?;
    } else {
        stage.subject()?.limit_files(Some(TINY))?;
    }
    pause(ms);
    if killed {
        stage.kill()?;
    }
    if stage.own_disk {
        fs::remove_file(&ballast)?;
    } else if !killed {
        stage.subject()?.limit_files(None)?;
    }
    if killed {
        stage.start(&Under::Plain)?;
    }
    pause(200);
    Ok(())
}

fn fill(ballast: &std::path::Path) -> io::Result<()> {
    let mut file = File::create(ballast)?;
    let block = [7; 4_096];
    loop {
        match file.write_all(&block) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
