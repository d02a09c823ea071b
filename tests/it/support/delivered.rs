//! Comparing what was written with what arrived: every line, once.

use std::path::PathBuf;
use std::time::Duration;

use super::{Back, ME, Sandbox, Series, eventually};

impl Sandbox {
    /// A log `app` over `logs/*.log` and more globs, with more keys, each line of which that holds ERROR or CANARY is
    /// forwarded; no limit keeps it waiting.
    pub fn delivering(globs: &[PathBuf], log: &str) -> Self {
        let sandbox = Self::unlimited();
        sandbox.deliver(globs, log);
        sandbox
    }

    /// The rules.toml of [`Sandbox::delivering`], for globs that lie in the sandbox.
    pub fn deliver(&self, globs: &[PathBuf], log: &str) -> &Self {
        let own = [self.log("*.log")];
        let files: Vec<String> = own
            .iter()
            .chain(globs)
            .map(|glob| format!("{:?}", glob.display().to_string()))
            .collect();
        self.rules_toml(&format!(
            "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n\
             [chats.me]\nid = {ME}\nnotices = false\nlimit = \"100000/min\"\n\
             [[logs]]\nname = \"app\"\nfiles = [{}]\nstart = \"beginning\"\nmultiline = \"off\"\n{log}\n\
             [[rules]]\nname = \"lines\"\nmatch = ['ERROR', 'CANARY']\nring = \"all\"\nwait = \"0s\"\nevery = \"50ms\"\n\
             limit = \"100000/min\"\n",
            files.join(", ")
        ))
    }

    /// Appends lines of a series.
    pub fn log_lines(&self, name: &str, series: &mut Series, lines: u64) {
        self.append(name, &series.next(lines));
    }

    /// Waits until the chat was told something.
    #[track_caller]
    pub fn told(&self, text: &str) {
        let told = eventually(Duration::from_mins(1), || self.all_texts().contains(text));
        assert!(
            told,
            "{text:?} was not told: {}\n{}",
            self.all_texts(),
            self.stderr()
        );
    }

    /// Waits until all that was written was told, then for a canary in another log, so that what comes twice had its time.
    /// Panics on what is lost, doubled, torn or out of order.
    #[track_caller]
    pub fn exactly_once(&self, written: &[Series]) {
        let back = || Back::read(&self.api.journal().messages(ME));
        eventually(Duration::from_mins(1), || back().lost(written).is_empty());
        // Few enough digits that it is never taken for the number of a card.
        let canary = format!("CANARY {}", fastrand::u32(..));
        self.append("canary.log", &format!("{canary}\n"));
        self.told(&canary);
        let back = back();
        let lost = back.lost(written);
        assert!(
            lost.is_empty(),
            "{} are lost: {lost:?}\n{}",
            lost.len(),
            self.stderr()
        );
        assert_eq!(back.doubled, 0);
    }

    /// Waits until all that was written was told.
    #[track_caller]
    pub fn all_told(&self, written: &[Series]) {
        let lost = || Back::read(&self.api.journal().messages(ME)).lost(written);
        let told = eventually(Duration::from_mins(1), || lost().is_empty());
        assert!(told, "{:?} are lost\n{}", lost(), self.stderr());
    }
}
