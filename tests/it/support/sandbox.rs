//! A folder with logs, rules and state, a Bot API server, and the real binary between them.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use botapi::{BotApi, ChatConfig, ChatKind, Config, LimitConfig};

/// The chat that [`Sandbox::rules`] declares as `me`.
pub const ME: i64 = 4242;

/// The released program, where a run is to judge that one: figures of memory mean nothing else, and tests need not be
/// built like it for them.
const RELEASED: &str = "TAILGRAM_RELEASE";

/// The program under test: the one that was built beside the tests, unless `TAILGRAM_RELEASE` names another.
fn program() -> PathBuf {
    let built = || env!("CARGO_BIN_EXE_tailgram").into();
    std::env::var_os(RELEASED).map_or_else(built, PathBuf::from)
}

/// Whether the program under test is what users get.
pub fn is_released() -> bool {
    !cfg!(debug_assertions) || std::env::var_os(RELEASED).is_some()
}

/// Everything one test plays with. Dropped, it stops what it started and removes its folder.
pub struct Sandbox {
    folder: tempfile::TempDir,
    pub api: BotApi,
}

impl Sandbox {
    /// A private chat `me`, limits as real as the server makes them.
    pub fn new() -> Self {
        Self::with(Config::default().chat(ChatConfig::new(ME, ChatKind::Private)))
    }

    /// The same without flood limits, for tests that restart faster than people do.
    pub fn unlimited() -> Self {
        let chat = ChatConfig::new(ME, ChatKind::Private);
        Self::with(Config::default().chat(chat).limits(LimitConfig::off()))
    }

    /// With a server of the test's own.
    pub fn with(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("logs")).unwrap();
        Self {
            folder,
            api: BotApi::spawn(config),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.path("logs").join(name)
    }

    /// Writes rules.toml: the chat `me` without notices, a log `app` over `logs/*.log` from the beginning, then `rules`.
    pub fn rules(&self, rules: &str) -> &Self {
        self.rules_of("", rules)
    }

    /// The same where each line is an event of its own: none waits for the next one, and once a log is read to its
    /// end nothing more is to be stored.
    pub fn rules_of_lines(&self, rules: &str) -> &Self {
        self.rules_of("multiline = \"off\"\n", rules)
    }

    fn rules_of(&self, log: &str, rules: &str) -> &Self {
        let logs = self.path("logs");
        let text = format!(
            "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false }}\n\
             [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\n{log}{rules}",
            logs.display()
        );
        self.rules_toml(&text)
    }

    /// Writes rules.toml as it stands.
    pub fn rules_toml(&self, text: &str) -> &Self {
        fs::write(self.path("rules.toml"), text).unwrap();
        self
    }

    /// A log `app` over `logs/*.log`, with more keys, and a rule `oops`, with more keys, that forwards every event it
    /// finds.
    pub fn forwarding(log: &str, rule: &str) -> Self {
        let sandbox = Self::unlimited();
        let files = sandbox.path("logs");
        sandbox.rules_toml(&format!(
            "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false, limit = \"3000/min\" }}\n\
             [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\n{log}\n\
             [[rules]]\nname = \"oops\"\nring = \"all\"\nwait = \"0s\"\nevery = \"50ms\"\nlimit = \"1000/s\"\n{rule}\n",
            files.display()
        ));
        sandbox
    }

    /// All that the chat was told, in one text.
    pub fn all_texts(&self) -> String {
        let messages = self.api.journal().messages(ME);
        messages
            .iter()
            .fold(String::new(), |all, message| all + &message.text + "\n")
    }

    /// Appends lines to a log.
    pub fn append(&self, name: &str, lines: &str) -> &Self {
        self.open(name).write_all(lines.as_bytes()).unwrap();
        self
    }

    /// A log opened for appending.
    pub fn open(&self, name: &str) -> File {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log(name))
            .unwrap()
    }

    /// The binary with this sandbox's environment, and nothing of the test's own.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).env_clear().current_dir(self.folder.path());
        command
            .env("TELEGRAM_BOT_TOKEN", self.api.token())
            .env("TELEGRAM_API_URL", self.api.url());
        command
            .env("TAILGRAM_CONFIG", self.path("rules.toml"))
            .env("TAILGRAM_STATE_DIR", self.path("state"));
        command.env("TZ", "UTC").stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn finish(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// `run --once`, which must succeed.
    #[track_caller]
    pub fn once(&self) -> Output {
        let output = self.finish(&["run", "--once"]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    /// Starts `run`; its stderr is appended to the file `stderr`.
    pub fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command(&["run"]);
        command.args(args);
        self.spawn(command)
    }

    /// Starts `run` under a tracer, which must leave the process it was given to be the traced one.
    pub fn start_under(&self, tracer: &[&str]) -> Running {
        let plain = self.command(&["run"]);
        let mut command = Command::new(tracer[0]);
        command
            .args(&tracer[1..])
            .arg(plain.get_program())
            .args(plain.get_args());
        command
            .env_clear()
            .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.folder()).stdin(Stdio::null());
        self.spawn(command)
    }

    /// Starts a command of the test's own making; its stderr is appended to the file `stderr`.
    pub fn spawn(&self, mut command: Command) -> Running {
        let stderr = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("stderr"))
            .unwrap();
        let child = command.stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        Running { child: Some(child) }
    }

    /// All that [`Sandbox::start`]ed processes said on stderr.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.path("stderr")).unwrap_or_default()).into_owned()
    }

    /// The current text of the last message of `me`.
    pub fn last_text(&self) -> String {
        let last = self.api.journal().last_message(ME);
        last.map(|message| message.text).unwrap_or_default()
    }

    /// The current text of the first message of `me`: the live one of the first incident.
    pub fn last_text_of_first(&self) -> String {
        self.api
            .journal()
            .messages(ME)
            .first()
            .map(|message| message.text.clone())
            .unwrap_or_default()
    }

    /// How many requests the server got that say something to a chat; the bot's own introduction is none.
    pub fn requests(&self) -> usize {
        let requests = self.api.journal().requests();
        requests
            .iter()
            .filter(|request| request.method != "getMe")
            .count()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A process under test; killed when dropped.
pub struct Running {
    child: Option<Child>,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill_nine(mut self) {
        self.end();
    }

    /// SIGTERM, and waits for its end.
    pub fn terminate(mut self) -> ExitStatus {
        self.ask_to_end();
        self.child.take().unwrap().wait().unwrap()
    }

    /// SIGTERM alone.
    pub fn ask_to_end(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Any signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(self.child.as_ref().unwrap());
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// SIGSTOP, and waits until no thread runs any more.
    pub fn stop(&self) {
        self.signal(rustix::process::Signal::STOP);
        let stands = |thread: std::io::Result<fs::DirEntry>| {
            let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap_or_default();
            let state = status.lines().find_map(|line| line.strip_prefix("State:\t"));
            state.is_some_and(|state| state.starts_with(['T', 't']))
        };
        until("it stands still", || {
            fs::read_dir(format!("/proc/{}/task", self.pid()))
                .unwrap()
                .all(stands)
        });
    }

    /// A figure of `/proc/PID/status` in KiB: `VmHWM`, the most memory that was ever resident, or `VmRSS`.
    pub fn memory(&self, what: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Whether its handler for SIGTERM stands; before that, the signal ends any program at once.
    pub fn hears_sigterm(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let caught = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))
            .unwrap();
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        caught & 1 << (15 - 1) != 0
    }

    /// Whether it has ended by itself.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().unwrap().try_wait().unwrap()
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl From<Child> for Running {
    fn from(child: Child) -> Self {
        Self { child: Some(child) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Polls until `done`, for at most a minute; says what was waited for if it never comes.
#[track_caller]
pub fn until(what: &str, done: impl FnMut() -> bool) {
    until_within(Duration::from_mins(1), what, done);
}

/// The same with another patience.
#[track_caller]
pub fn until_within(longest: Duration, what: &str, done: impl FnMut() -> bool) {
    assert!(
        eventually(longest, done),
        "waited {longest:?} in vain until {what}"
    );
}

/// The same for those who can say more about what did not come than that it did not.
pub fn eventually(longest: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + longest;
    while !done() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}
