//! A round being played: everything that runs, and the order of things.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::checker;
use crate::container::{self, Container};
use crate::fault::Fault;
use crate::generator::Generator;
use crate::jsonl::Journal;
use crate::line::{TEAM, supergroup};
use crate::notes::Note;
use crate::plan::{Plan, Theme};
use crate::proxy::Proxy;
use crate::server::Server;
use crate::site::{Manner, Site};
use crate::status::Status;
use crate::subject::{Binaries, Subject, Under, code, environment};
use crate::tools::Tools;
use crate::verdict::Verdict;

/// What was written must be told within this after the last fault, or since more was last read or told than ever before.
const DRAIN_WITHIN: Duration = Duration::from_mins(3);
/// The same where Telegram's limits are in force.
const DRAIN_WITHIN_POLITE: Duration = Duration::from_mins(6);
/// So many times that at the most.
const LONGEST_DRAIN: u32 = 5;
/// What was summed up while its message was under way is told by the rule's next message; so there is one.
const ONCE_MORE: Duration = Duration::from_secs(4);
/// The same where Telegram's limits are in force, and each such line takes a place.
const ONCE_MORE_POLITE: Duration = Duration::from_secs(45);
/// Longer than the program's own patience with a request under way.
const END_WITHIN: Duration = Duration::from_secs(30);

/// How the canaries are paced, before and after an edit of rules.toml.
const PACES: [&str; 2] = ["every = \"50ms\"", "every = \"60ms\""];

/// All that runs in a round.
#[derive(Debug)]
pub struct Stage {
    /// Its folder.
    pub site: Site,
    /// What was done.
    pub notes: Journal<Note>,
    /// Where messages go.
    pub server: Server,
    /// What lies between.
    pub proxy: Proxy,
    /// Who writes.
    pub generator: Generator,
    /// Where everything is drawn from.
    pub random: fastrand::Rng,
    /// Where the group is now, which becomes another supergroup now and then.
    pub team: i64,
    /// Whether the state lies on a disk of its own, which may be filled.
    pub own_disk: bool,
    manner: Manner,
    binaries: Binaries,
    subject: Option<Subject>,
    /// What runs in its place.
    container: Option<Container>,
    disk: Option<Disk>,
}

impl Stage {
    /// The program under test.
    pub fn subject(&mut self) -> io::Result<&mut Subject> {
        self.subject
            .as_mut()
            .ok_or_else(|| io::Error::other("nothing runs"))
    }

    /// The container in which the program runs.
    pub fn container(&mut self) -> io::Result<&mut Container> {
        self.container
            .as_mut()
            .ok_or_else(|| io::Error::other("no container runs"))
    }

    /// Starts it.
    pub fn start(&mut self, under: &Under) -> io::Result<()> {
        let url = self.proxy.url();
        if let Some(container) = &mut self.container {
            return container.up(&url);
        }
        self.subject = Some(Subject::start(&self.binaries, &self.site, &url, under)?);
        Ok(())
    }

    /// Kills it if it still runs, and writes down what it had under way.
    pub fn kill(&mut self) -> io::Result<()> {
        self.sample()?;
        if let Some(container) = &self.container {
            let alive = Instant::now();
            container.kill()?;
            return self.dead(true, alive);
        }
        self.subject()?.kill()?;
        self.died(true)
    }

    /// Writes down that it died, and what it had under way.
    pub fn died(&mut self, random: bool) -> io::Result<()> {
        let alive = self.subject()?.seen_alive();
        self.subject = None;
        self.dead(random, alive)
    }

    fn dead(&self, random: bool, alive: Instant) -> io::Result<()> {
        let in_flight = self.proxy.take_in_flight(alive);
        self.notes.append(&Note::Death { random, in_flight })
    }

    /// Asks it to end, which it must do well.
    pub fn terminate(&mut self) -> io::Result<()> {
        self.sample()?;
        let (code, begun, took) = if let Some(container) = &self.container {
            let end = container.stop()?;
            (Some(end.code), end.asked, end.took())
        } else {
            let begun = Instant::now();
            let status = self.subject()?.terminate(END_WITHIN)?;
            self.subject = None;
            (status.and_then(code), begun, begun.elapsed())
        };
        // It may let go of a request some time before its end.
        let in_flight = self.proxy.take_in_flight(begun);
        self.notes.append(&Note::Ended {
            code,
            in_flight,
            took: millis(took),
        })
    }

    /// Has the container restarted, where it must end well.
    pub fn restart(&mut self) -> io::Result<()> {
        self.sample()?;
        let end = self.container()?.restart()?;
        self.notes.append(&Note::Ended {
            code: Some(end.code),
            in_flight: self.proxy.take_hung_up(end.asked, end.noticed()),
            took: millis(end.took()),
        })
    }

    /// The group becomes a supergroup, or another one.
    pub fn migrate(&mut self) -> io::Result<()> {
        let to = supergroup(self.random.u64(..1 << 20));
        self.server.migrate(self.team, to)?;
        self.team = to;
        Ok(())
    }

    /// Edits rules.toml as an editor does, in something that changes no sum: the new file takes the name of the old one.
    pub fn edit_rules(&mut self) -> io::Result<()> {
        // Only what is edited while it runs is a change to it.
        self.subject()?.until_it_hears()?;
        sleep(Duration::from_millis(500));
        let (path, new) = (self.site.rules(), self.site.rules().with_extension("new"));
        let text = fs::read_to_string(&path)?;
        let (from, to) = if text.contains(PACES[0]) {
            (PACES[0], PACES[1])
        } else {
            (PACES[1], PACES[0])
        };
        fs::write(&new, text.replace(from, to))?;
        fs::rename(new, path)
    }

    fn sample(&mut self) -> io::Result<()> {
        if let Some(container) = &self.container {
            // Whoever ends by itself is started again by the engine, and nobody would know.
            for _ in 0..container.ended_alone()? {
                self.notes.append(&Note::Ended {
                    code: None,
                    in_flight: 0,
                    took: 0,
                })?;
            }
            return container
                .sample()
                .map_or(Ok(()), |sample| self.notes.append(&sample));
        }
        let sample = self
            .subject
            .as_ref()
            .and_then(|subject| subject.sample(&self.site));
        sample.map_or(Ok(()), |sample| self.notes.append(&sample))
    }

    /// Asks the program what it says of itself; none while it does not answer.
    fn ask_status(&self) -> io::Result<Option<Status>> {
        let said = if let Some(container) = &self.container {
            container.status()?
        } else {
            let mut command = Command::new(&self.binaries.plain);
            command.args(["status", "--json"]);
            environment(&mut command, &self.site, &self.proxy.url());
            let output = command.output()?;
            output.status.success().then_some(output.stdout)
        };
        let Some(said) = said else {
            return Ok(None);
        };
        fs::write(self.site.status(), &said)?;
        Ok(serde_json::from_slice(&said).ok())
    }

    /// Waits until the three logs are followed; a file that was renamed before that is nobody's.
    fn until_it_follows(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_mins(1);
        while Instant::now() < deadline {
            if self.ask_status()?.is_some_and(|status| status.followed() >= 3) {
                return Ok(());
            }
            sleep(Duration::from_millis(100));
        }
        Err(io::Error::other("the logs are not followed within a minute"))
    }

    fn drain(&mut self) -> io::Result<()> {
        let (every, within) = if self.manner.polite {
            (ONCE_MORE_POLITE, DRAIN_WITHIN_POLITE)
        } else {
            (ONCE_MORE, DRAIN_WITHIN)
        };
        let (end, mut again) = (Instant::now() + within * LONGEST_DRAIN, Instant::now() + every);
        let (mut farthest, mut deadline) = (0, Instant::now() + within);
        while Instant::now() < deadline.min(end) {
            if Instant::now() > again {
                again += every;
                self.generator.canary()?;
            }
            let status = self.ask_status()?;
            let progress = status.as_ref().map(Status::progress);
            if let Some(progress) = progress.filter(|progress| *progress > farthest) {
                // A backlog of thousands takes its time on a slow machine, which may read it only now.
                (farthest, deadline) = (progress, Instant::now() + within);
            }
            let quiet = status.is_some_and(|status| status.owes_nothing());
            if quiet && checker::read(&self.site)?.is_settled() {
                break;
            }
            sleep(Duration::from_millis(300));
        }
        Ok(())
    }
}

/// Plays a round to its end and reads its files.
pub fn play(plan: &Plan, folder: &Path, binaries: &Binaries, tools: Tools) -> io::Result<Verdict> {
    let mut stage = set(plan, folder, binaries, tools)?;
    stage.generator.canary()?;
    stage.start(&Under::Plain)?;
    stage.until_it_follows()?;
    let mut random = stage.random.fork();
    stage.generator.rotate(&mut random);
    for fault in &plan.faults {
        if let Some(why) = tools.cannot(fault) {
            stage.notes.append(&Note::Skipped {
                class: fault.class().to_owned(),
                why: why.to_owned(),
            })?;
            continue;
        }
        stage.generator.grant(plan.lines_per_fault());
        fault.strike(&mut stage)?;
    }
    finish(stage)
}

/// Removes a round's files. A rig that was killed could not clean up behind itself, and may have left a disk there.
pub fn clear(folder: &Path) -> io::Result<()> {
    drop(Disk(Site::at(folder).state()));
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn set(plan: &Plan, folder: &Path, binaries: &Binaries, tools: Tools) -> io::Result<Stage> {
    let mut random = fastrand::Rng::with_seed(plan.seed);
    clear(folder)?;
    let (site, container) = build(plan, folder, binaries)?;
    let notes = Journal::open(&site.notes())?;
    notes.append(&Note::Round {
        theme: plan.theme.name().to_owned(),
        seed: plan.seed,
        polite: plan.manner.polite,
        chorus: plan.manner.chorus,
    })?;
    let wants_disk = plan
        .faults
        .iter()
        .any(|fault| matches!(fault, Fault::FullDisk(..)));
    let disk = if wants_disk && tools.mount {
        Some(Disk::mount(&site.state())?)
    } else {
        None
    };
    let server = Server::start(&binaries.botapi, &site, plan.manner)?;
    let here = container.as_ref().map_or(Ipv4Addr::LOCALHOST, Container::gateway);
    let proxy = Proxy::start(here, server.addr(), plan.slowness, notes.clone(), random.fork())?;
    let generator = Generator::start(
        &site.logs(),
        Journal::open(&site.truth())?,
        plan.pace,
        &mut random,
    )?;
    Ok(Stage {
        notes,
        server,
        proxy,
        generator,
        random,
        team: TEAM,
        own_disk: disk.is_some(),
        manner: plan.manner,
        binaries: binaries.clone(),
        subject: None,
        container,
        disk,
        site,
    })
}

/// The round's folder, and what it is played around where that is a container.
fn build(plan: &Plan, folder: &Path, binaries: &Binaries) -> io::Result<(Site, Option<Container>)> {
    if plan.theme != Theme::Container {
        return Ok((Site::build(folder, plan.manner)?, None));
    }
    let shipped = binaries.shipped.as_ref();
    let shipped = shipped.ok_or_else(|| io::Error::other("a container needs an image to be made of"))?;
    let site = Site::build_for(folder, plan.manner, Path::new(container::LOGS))?;
    let container = Container::lay_out(shipped, &site)?;
    Ok((site, Some(container)))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Lets the dust settle, ends the program, and judges.
fn finish(mut stage: Stage) -> io::Result<Verdict> {
    stage.generator.stop()?;
    stage.proxy.calm();
    stage.server.calm()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    stage.notes.append(&Note::Calm { at: millis(now) })?;
    stage.generator.canary()?;
    stage.drain()?;
    stage.terminate()?;
    if let Some(container) = &stage.container {
        container.keep()?;
    }
    let site = stage.site.clone();
    let last = site.folder.join("state.end");
    fs::create_dir_all(&last)?;
    for entry in fs::read_dir(site.state())? {
        let entry = entry?;
        fs::copy(entry.path(), last.join(entry.file_name()))?;
    }
    drop(stage.disk.take());
    drop(stage);
    Ok(checker::read(&site)?.verdict())
}

/// A small disk of the round's own; gone when dropped.
#[derive(Debug)]
struct Disk(std::path::PathBuf);

impl Disk {
    fn mount(at: &Path) -> io::Result<Self> {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=48m,mode=0700", "none"])
            .arg(at);
        if mount.status()?.success() {
            return Ok(Self(at.to_owned()));
        }
        Err(io::Error::other("a tmpfs cannot be mounted any more"))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // One that is busy is left to the machine; the folder's name says whose it was.
        let mut umount = Command::new("umount");
        drop(umount.arg("-q").arg(&self.0).stderr(Stdio::null()).status());
    }
}
