//! Every line of some logs, forwarded to the phone and read back from there.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Back, ME, Sandbox};

impl Sandbox {
    /// A log `app` over these files of `logs`, noticed this way and with more keys, of which every line is forwarded; a line with CANARY
    /// in it comes in a message of its own.
    pub fn forwarding_all(files: &[&str], watch: &str, log: &str) -> Self {
        let sandbox = Self::unlimited();
        let files: Vec<_> = files.iter().map(|file| sandbox.log(file)).collect();
        sandbox.rules_toml(&format!(
            "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n[chats.me]\nid = {ME}\nnotices = false\nlimit = \"100000/min\"\n\
             [[logs]]\nname = \"app\"\nfiles = {files:?}\nstart = \"beginning\"\nwatch = \"{watch}\"\n{log}\n\
             [[rules]]\nname = \"lines\"\nmatch = 'ERROR'\nring = \"all\"\nwait = \"0s\"\nevery = \"50ms\"\n\
             quiet = \"1h\"\nlimit = \"100000/min\"\n\
             [[rules]]\nname = \"canary\"\nmatch = 'CANARY'\nwait = \"0s\"\n"
        ));
        sandbox
    }

    /// Waits until a later line of another rule came through, then reads back what came before. That line is written
    /// to `canary` once it is enough, or a minute is over.
    pub fn read_back(&self, canary: &str, enough: impl Fn(&Back) -> bool) -> Back {
        let journal = self.api.journal();
        let deadline = Instant::now() + Duration::from_mins(1);
        while !enough(&Back::read(&journal.messages(ME))) && Instant::now() < deadline {
            sleep(Duration::from_millis(200));
        }
        self.append(canary, "CANARY\n");
        let sung = || {
            let messages = journal.messages(ME);
            messages.iter().any(|message| message.text.contains("CANARY"))
        };
        super::until("the canary sings", sung);
        Back::read(&journal.messages(ME))
    }
}

/// Whether a tool is there, whatever it says to having nothing to do.
pub fn is_there(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where other users' tools are is not always on a user's path.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(tool)).any(|tool| tool.exists())
}
