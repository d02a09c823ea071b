//! The folder of a round, and what stands in its files.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::line::{CHORUS, DESK, OPS, Rule, TEAM};

/// The bot's token in all rounds; its second half must be nowhere but in requests.
pub const TOKEN: &str = "777000777:AAcanary-chaos_token_0123456789abcdef";
/// The half that is secret.
pub const SECRET: &str = "AAcanary-chaos_token_0123456789abcdef";

/// Who is told, and under which limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Telegram's limits are in force, on both sides.
    pub polite: bool,
    /// There are many more chats, and a rule for them.
    pub chorus: bool,
}

impl Manner {
    /// The chats of a round.
    pub fn chats(self) -> impl Iterator<Item = i64> {
        let more = CHORUS.into_iter().filter(move |_| self.chorus);
        [OPS, TEAM, DESK].into_iter().chain(more)
    }
}

/// A round's folder.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where it is.
    pub folder: PathBuf,
}

impl Site {
    /// An empty folder with rules.toml in it.
    pub fn build(folder: &Path, manner: Manner) -> io::Result<Self> {
        Self::build_for(folder, manner, &Self::at(folder).logs())
    }

    /// The same for a program that sees the logs in another place.
    pub fn build_for(folder: &Path, manner: Manner, seen: &Path) -> io::Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        let site = Self::at(folder);
        fs::create_dir_all(site.logs())?;
        fs::create_dir_all(site.state())?;
        fs::write(site.rules(), rules(seen, manner))?;
        Ok(site)
    }

    /// A folder that was built before.
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The logs.
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// The state of the program under test.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Its rules.
    pub fn rules(&self) -> PathBuf {
        self.folder.join("rules.toml")
    }

    /// What it logged.
    pub fn log(&self) -> PathBuf {
        self.folder.join("stderr")
    }

    /// What it said of itself at the end.
    pub fn status(&self) -> PathBuf {
        self.folder.join("status.json")
    }

    /// What the generator did.
    pub fn truth(&self) -> PathBuf {
        self.folder.join("truth.jsonl")
    }

    /// What the server took.
    pub fn record(&self) -> PathBuf {
        self.folder.join("record.jsonl")
    }

    /// What was done to the program.
    pub fn notes(&self) -> PathBuf {
        self.folder.join("notes.jsonl")
    }
}

/// How each rule is delivered.
fn delivery(rule: Rule) -> &'static str {
    match rule {
        Rule::Every => "ring = \"all\"\nevery = \"200ms\"\nquiet = \"1h\"",
        Rule::Chorus => "ring = \"all\"\nevery = \"100ms\"\nquiet = \"1h\"",
        Rule::Canary => "ring = \"all\"\nevery = \"50ms\"\nquiet = \"1h\"",
        Rule::Storm => "by = [\"unit\"]\nevery = \"300ms\"\nquiet = \"1h\"\nlimit = \"100000/min\"",
        Rule::Mend => {
            "by = [\"unit\"]\nevery = \"300ms\"\nquiet = \"1h\"\nlimit = \"100000/min\"\n\
             resolve = 'LINE mended unit=(?P<unit>\\w+)'"
        }
        Rule::Brief => "by = [\"unit\"]\nevery = \"500ms\"\nquiet = \"3s\"\nlimit = \"100000/min\"",
        Rule::Few => "by = [\"unit\"]\nevery = \"500ms\"\nquiet = \"2s\"\nlimit = \"1/s\"",
    }
}

fn rules(logs: &Path, manner: Manner) -> String {
    let mut text = "host = \"chaos\"\n[telegram]\nupdates = \"off\"\n".to_owned();
    for chat in manner.chats() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "[chats.{}]\nid = {chat}", chat_name(chat));
        if !manner.polite {
            text.push_str("limit = \"100000/min\"\n");
        }
        if CHORUS.contains(&chat) {
            text.push_str("notices = false\n");
        }
    }
    let files = logs.join("*.log");
    let _ = writeln!(
        text,
        "[[logs]]\nname = \"app\"\nfiles = [\"{}\"]\nstart = \"beginning\"",
        files.display()
    );
    for rule in Rule::of_round(manner.chorus) {
        let chats: Vec<_> = rule.chats().iter().map(|chat| chat_name(*chat)).collect();
        let name = rule.name();
        let wait = if rule == Rule::Brief { "500ms" } else { "0s" };
        let _ = writeln!(
            text,
            "[[rules]]\nname = \"{name}\"\nmatch = 'LINE {name} unit=(?P<unit>\\w+)'\nchats = {chats:?}\n\
             wait = \"{wait}\"\n{}",
            delivery(rule)
        );
    }
    text
}

/// A chat's name in rules.toml and in the ledger.
pub fn chat_name(chat: i64) -> String {
    match chat {
        OPS => "ops".to_owned(),
        TEAM => "team".to_owned(),
        DESK => "desk".to_owned(),
        voice => format!("voice{voice}"),
    }
}
