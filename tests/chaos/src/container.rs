//! The program as it is shipped for Docker: `compose.yaml` with its sidecar, and what befalls a container.
//!
//! Beside the round's folder lies that of the Compose project: `compose.yaml` as it is, the token, the folder with
//! rules.toml, and an override of what a round has to bring: images that are here, the round's logs as the volume,
//! and the proxy where Telegram would be. The container reaches it at the gateway of a network that leads nowhere else.
//! The trap: the token lies in the project's folder, and the checker looks for it everywhere in the round's.

mod act;

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use crate::line::OPS;
use crate::notes::Note;
use crate::site::{Site, TOKEN};
use crate::subject;
use crate::tools::works;

pub use act::Act;

/// The folder of the logs, as the container has it.
pub const LOGS: &str = "/logs";
/// The user that the image runs as; Compose hands over the token with the owner that it has.
const USER: &str = "65532";
/// Longer than the engine takes for anything.
const PATIENCE: Duration = Duration::from_mins(1);
/// The proxy sees within this that the program hung up.
const NOTICED: Duration = Duration::from_millis(100);

/// What a round is played around.
#[derive(Clone, Debug)]
pub struct Shipped {
    /// The image under test.
    pub image: String,
    /// An image with a shell, for the app beside it.
    pub base: String,
    /// `compose.yaml`.
    pub compose: PathBuf,
    /// What containers, volumes and networks are named after.
    pub project: String,
}

/// How it ended when it was asked to.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Its exit code.
    pub code: i32,
    /// When it had the signal.
    pub asked: Instant,
    /// When it was gone.
    pub gone: Instant,
}

impl End {
    /// How long it took.
    pub fn took(self) -> Duration {
        self.gone - self.asked
    }

    /// When the proxy must have seen that it hung up. Its next life begins later.
    pub fn noticed(self) -> Instant {
        self.gone + NOTICED
    }
}

/// One line of `docker events`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    actor: Actor,
    #[serde(rename = "timeNano")]
    at: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Actor {
    attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    exit_code: Option<String>,
}

/// A Compose project with the program as its sidecar; gone with all that belongs to it when dropped.
#[derive(Debug)]
pub struct Container {
    shipped: Shipped,
    site: Site,
    project: PathBuf,
    gateway: Ipv4Addr,
    /// The sidecar's, once it was started.
    id: String,
}

impl Container {
    /// Lays out everything; nothing runs yet.
    pub fn lay_out(shipped: &Shipped, site: &Site) -> io::Result<Self> {
        let project = site.folder.with_extension("compose");
        if project.exists() {
            fs::remove_dir_all(&project)?;
        }
        fs::create_dir_all(project.join("tailgram"))?;
        run(Command::new("docker").args(["network", "create", "--internal", &shipped.project]))?;
        let mut container = Self {
            shipped: shipped.clone(),
            site: site.clone(),
            project,
            gateway: Ipv4Addr::UNSPECIFIED,
            id: String::new(),
        };
        let gateway = "{{(index .IPAM.Config 0).Gateway}}";
        let gateway = run(Command::new("docker").args([
            "network",
            "inspect",
            "--format",
            gateway,
            &container.shipped.project,
        ]))?;
        let none = |error| io::Error::other(format!("the network has no gateway, but {gateway:?}: {error}"));
        container.gateway = gateway.trim().parse().map_err(none)?;
        container.bring()?;
        Ok(container)
    }

    /// The files of the project, as docs/docker.md has a person make them.
    fn bring(&self) -> io::Result<()> {
        fs::copy(&self.shipped.compose, self.project.join("compose.yaml"))?;
        let rules = self.project.join("tailgram/rules.toml");
        fs::copy(self.site.rules(), &rules)?;
        // The user in the container is not the one who made these.
        readable(&rules, 0o644)?;
        for folder in [self.project.join("tailgram"), self.site.logs()] {
            readable(&folder, 0o755)?;
        }
        let token = self.project.join("telegram-token");
        fs::write(&token, format!("{TOKEN}\n"))?;
        readable(&token, 0o600)?;
        let here = format!("{}:/here", self.project.display());
        let mut owner = Command::new("docker");
        owner.args(["run", "--rm", "--network", "none", "--volume", &here]);
        run(owner.args([&self.shipped.base, "chown", USER, "/here/telegram-token"]))?;
        let logrotate = self.project.join("logrotate.conf");
        let app = self.site.logs().join("app.log");
        fs::write(
            &logrotate,
            format!(
                "{} {{\n rotate 10000\n create 0644\n nocompress\n}}\n",
                app.display()
            ),
        )?;
        readable(&logrotate, 0o644)
    }

    /// Where the container finds this machine.
    pub fn gateway(&self) -> Ipv4Addr {
        self.gateway
    }

    /// Starts the project for the first time.
    pub fn up(&mut self, url: &str) -> io::Result<()> {
        let Shipped {
            image, base, project, ..
        } = &self.shipped;
        let logs = self.site.logs();
        let yaml = format!(
            "services:\n  app: {{ image: {base:?} }}\n  tailgram:\n    image: {image:?}\n    \
             environment: {{ TELEGRAM_API_URL: {url:?}, TAILGRAM_LOG: debug }}\n    networks: [test]\nvolumes:\n  logs:\n    \
             driver_opts: {{ type: none, o: bind, device: {:?} }}\nnetworks:\n  test: {{ external: true, name: {project:?} }}\n",
            logs.to_string_lossy()
        );
        fs::write(self.project.join("override.yaml"), yaml)?;
        run(self.compose().args(["up", "--detach", "--no-build"]))?;
        let id = run(self.compose().args(["ps", "--quiet", "tailgram"]))?;
        id.trim().clone_into(&mut self.id);
        if self.id.is_empty() {
            return Err(io::Error::other("compose.yaml has no service tailgram that runs"));
        }
        Ok(())
    }

    /// Starts it again after a stop.
    fn start(&self) -> io::Result<()> {
        run(self.compose().args(["start", "tailgram"])).map(drop)
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&self) -> io::Result<()> {
        run(Command::new("docker").args(["kill", "--signal", "KILL", &self.id])).map(drop)
    }

    /// Asks it to end.
    pub fn stop(&self) -> io::Result<End> {
        let begun = SystemTime::now();
        run(self.compose().args(["stop", "tailgram"]))?;
        self.end_since(begun)
    }

    /// Asks it to end, and starts it again.
    pub fn restart(&self) -> io::Result<End> {
        let begun = SystemTime::now();
        run(self.compose().args(["restart", "tailgram"]))?;
        self.end_since(begun)
    }

    /// How often the engine had to start it because it had ended by itself, since it was last started by hand.
    pub fn ended_alone(&self) -> io::Result<u64> {
        let count = self.inspect("{{.RestartCount}}")?;
        count.parse().map_err(io::Error::other)
    }

    /// Any command that takes the container alone.
    fn docker(&self, command: &str) -> io::Result<()> {
        run(Command::new("docker").args([command, &self.id])).map(drop)
    }

    /// `connect` or `disconnect`.
    fn network(&self, command: &str) -> io::Result<()> {
        run(Command::new("docker").args(["network", command, &self.shipped.project, &self.id])).map(drop)
    }

    fn inspect(&self, what: &str) -> io::Result<String> {
        let said = run(Command::new("docker").args(["inspect", "--format", what, &self.id]))?;
        Ok(said.trim().to_owned())
    }

    /// Its process, as this machine numbers it.
    fn pid(&self) -> io::Result<u32> {
        self.inspect("{{.State.Pid}}")?.parse().map_err(io::Error::other)
    }

    /// Waits until its handler for SIGTERM stands; before that, the first process of a container is deaf to it.
    pub fn until_it_hears(&self) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if subject::hears(self.pid()?) {
                return Ok(());
            }
            sleep(Duration::from_millis(20));
        }
        Err(io::Error::other("the program does not hear SIGTERM"))
    }

    /// What it holds now; nothing where this machine does not say.
    pub fn sample(&self) -> Option<Note> {
        subject::sample(self.pid().ok()?, &self.site)
    }

    /// `status --json`, asked within the container; none while it does not answer.
    pub fn status(&self) -> io::Result<Option<Vec<u8>>> {
        let mut command = Command::new("docker");
        command.args(["exec", &self.id, "/tailgram", "status", "--json"]);
        let output = command.stdin(Stdio::null()).output()?;
        Ok(output.status.success().then_some(output.stdout))
    }

    /// Brings home what a process would have left in the round's folder, and what the engine says of it.
    pub fn keep(&self) -> io::Result<()> {
        let state = format!("{}:/var/lib/tailgram/.", self.id);
        run(Command::new("docker").args(["cp", &state]).arg(self.site.state()))?;
        let said = run(Command::new("docker").args(["inspect", &self.id]))?;
        fs::write(self.site.folder.join("inspect.json"), said)?;
        self.keep_log()
    }

    fn keep_log(&self) -> io::Result<()> {
        let log = fs::File::create(self.site.log())?;
        let mut command = Command::new("docker");
        command
            .args(["logs", &self.id])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        command.status().map(drop)
    }

    /// The engine's own word on it: when it was told to end, when it did, and with what.
    fn end_since(&self, begun: SystemTime) -> io::Result<End> {
        let (since, filter) = (seconds(begun), format!("container={}", self.id));
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let mut command = Command::new("docker");
            command.args([
                "events",
                "--since",
                &since,
                "--until",
                &seconds(SystemTime::now()),
            ]);
            command.args([
                "--filter",
                &filter,
                "--filter",
                "event=kill",
                "--filter",
                "event=die",
            ]);
            let said = run(command.args(["--format", "{{json .}}"]))?;
            let events = said.lines().map(serde_json::from_str);
            let events: Vec<Event> = events.collect::<Result<_, _>>()?;
            let told = events.iter().find(|event| event.action == "kill");
            let died = events.iter().find(|event| event.action == "die");
            if let (Some(told), Some(died)) = (told, died) {
                let code = died.actor.attributes.exit_code.as_deref().unwrap_or_default();
                return Ok(End {
                    code: code.parse().map_err(io::Error::other)?,
                    asked: instant(told.at),
                    gone: instant(died.at),
                });
            }
            sleep(Duration::from_millis(50));
        }
        Err(io::Error::other(
            "the engine does not say how the container ended",
        ))
    }

    fn compose(&self) -> Command {
        static PLUGIN: LazyLock<bool> = LazyLock::new(|| works("docker", &["compose", "version"]));
        let mut command = if *PLUGIN {
            let mut docker = Command::new("docker");
            docker.arg("compose");
            docker
        } else {
            Command::new("docker-compose")
        };
        command.args(["--project-name", &self.shipped.project]);
        command.args(["--file", "compose.yaml", "--file", "override.yaml"]);
        command
            .current_dir(&self.project)
            .env("TELEGRAM_CHAT_ID", OPS.to_string());
        command
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // A round that failed before its end wants its log most; one that is over has it already.
        if !self.id.is_empty() {
            drop(self.keep_log());
        }
        // What was never started is not there to be removed.
        drop(run(self.compose().args(["down", "--volumes", "--timeout", "1"])));
        drop(run(Command::new("docker").args([
            "network",
            "rm",
            &self.shipped.project,
        ])));
        drop(fs::remove_dir_all(&self.project));
    }
}

fn readable(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Unix seconds with their fraction, as the engine reads them.
fn seconds(at: SystemTime) -> String {
    let at = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:09}", at.as_secs(), at.subsec_nanos())
}

/// A time of the wall clock that is not long ago, by the clock that only goes forward.
fn instant(nanos: u64) -> Instant {
    let ago = SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_nanos(nanos));
    let now = Instant::now();
    now.checked_sub(ago.unwrap_or_default()).unwrap_or(now)
}

/// What a command says; its complaint when it fails.
fn run(command: &mut Command) -> io::Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{command:?}: {}", complaint.trim())))
}
