//! Somebody who edits rules.toml in every way there is, and knows what has to come of each edit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;

use super::broken::{Broken, FAULTS, Fault, broken};
use super::log::Log;
use crate::reload::{found, replace, rule, text};
use crate::support::{ME, Running, Sandbox, total, until};

/// Ways of editing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Written over, in one go.
    InPlace,
    /// Cut, then written in two pieces.
    Pieces,
    /// A new file is renamed over it.
    Replace,
    /// The old one is renamed away, as vim does with its backup, and a new one is written.
    Backup,
    /// As Kubernetes does it: the link `..data`, through which the file is reached, is swapped.
    ConfigMap,
    /// rules.toml is a link, and leads to another file.
    Retarget,
    /// An included file is written over.
    Part,
    /// A new file is renamed over an included one.
    PartReplace,
    /// An included file goes, or comes.
    PartComesOrGoes,
    /// The times change, and the same text is written again: nothing to tell.
    Touch,
}

pub const WAYS: [Way; 10] = [
    Way::InPlace,
    Way::Pieces,
    Way::Replace,
    Way::Backup,
    Way::ConfigMap,
    Way::Retarget,
    Way::Part,
    Way::PartReplace,
    Way::PartComesOrGoes,
    Way::Touch,
];

/// What can be done to a file that is a mount of its own.
pub const MOUNTED_WAYS: [Way; 3] = [Way::InPlace, Way::Pieces, Way::Touch];

impl Way {
    fn is_of_part(self) -> bool {
        matches!(self, Self::Part | Self::PartReplace | Self::PartComesOrGoes)
    }
}

/// Somebody who edits, and knows what has to come of it.
pub struct Editor<'s> {
    sandbox: &'s Sandbox,
    /// The file that is written; outside of the mount, if there is one.
    path: PathBuf,
    part: PathBuf,
    log: Log,
    random: fastrand::Rng,
    /// The number of the edit that is in force, and that of the included file's.
    main: u64,
    parts: Option<u64>,
    /// Which of both is broken now.
    dirty: Option<bool>,
    /// How often the link was swapped; names are never used again.
    swaps: u64,
    /// Lines that each rule has to find.
    pub expected: BTreeMap<String, u64>,
    /// What has to be told: words of each notice.
    pub notices: Vec<Vec<String>>,
    per_way: BTreeMap<Way, [u64; 2]>,
    pub took: Vec<Duration>,
    pub paused: Vec<Duration>,
}

impl<'s> Editor<'s> {
    pub fn new(sandbox: &'s Sandbox, path: PathBuf, random: fastrand::Rng) -> Self {
        Self {
            part: sandbox.path("rules.d/part.toml"),
            log: Log::new(sandbox),
            sandbox,
            path,
            random,
            main: 0,
            parts: None,
            dirty: None,
            swaps: 0,
            expected: BTreeMap::new(),
            notices: Vec::new(),
            per_way: BTreeMap::new(),
            took: Vec::new(),
            paused: Vec::new(),
        }
    }

    /// The main text of an edit: two rules that stay, of which one changes, and one of its own.
    pub fn main_text(sandbox: &Sandbox, nth: u64) -> String {
        let every = format!("every = \"{}ms\"", 100 + nth);
        let always = rule("always", "^ALWAYS", "ring = \"first\"").replace("every = \"100ms\"", &every);
        let canary = rule("canary", "^CANARY", "ring = \"first\"");
        let own = rule(
            &format!("good-{nth}"),
            &format!("^GOOD {nth} "),
            "ring = \"first\"",
        );
        let text = text(sandbox, &(always + &canary + &own));
        // No line waits for the next one.
        let text = text.replacen("[[logs]]\n", "[[logs]]\nmultiline = \"off\"\n", 1);
        format!("include = [\"rules.d/*.toml\"]\n{text}")
    }

    fn part_text(nth: u64) -> String {
        rule(
            &format!("part-{nth}"),
            &format!("^PART {nth} "),
            "ring = \"first\"",
        )
    }

    /// One edit, and all that has to come of it.
    pub fn edit(&mut self, nth: u64, way: Way, running: &Running) {
        // What is broken is mended where it is broken.
        let way = match self.dirty {
            Some(true) if !way.is_of_part() => Way::Part,
            Some(false) if way.is_of_part() => Way::InPlace,
            _ => way,
        };
        if way == Way::Touch {
            return self.touch();
        }
        let goes = way == Way::PartComesOrGoes && self.parts.is_some() && self.dirty.is_none();
        let fault = (!goes && self.random.u8(..4) == 0).then(|| self.fault(way));
        self.per_way.entry(way).or_default()[usize::from(fault.is_some())] += 1;
        // SIGHUP spares the wait until the file rests; some do without.
        let (ask, began) = (self.random.u8(..5) > 0, Instant::now());
        match fault {
            Some(fault) => self.break_it(nth, way, fault),
            None if goes => self.remove_part(),
            None => self.improve(nth, way),
        }
        // Later than this it may have rested already, and would be judged once more.
        if ask && began.elapsed() < Duration::from_millis(200) {
            running.signal(Signal::HUP);
        }
        let words = self.notices.last().unwrap().clone();
        match fault {
            Some(_) => self.is_refused(&words),
            None => self.is_taken(&words),
        }
        self.log.forget();
        if fault.is_some() {
            self.write_and_find("canary", "CANARY");
        } else if !goes {
            let name = if way.is_of_part() { "part" } else { "good" };
            let lines = self.random.u64(1..20);
            for _ in 0..lines {
                self.sandbox
                    .append("batch.log", &format!("{} {nth} x\n", name.to_uppercase()));
            }
            self.expect(&format!("{name}-{nth}"), lines);
        }
    }

    fn fault(&mut self, way: Way) -> Fault {
        let known = if way.is_of_part() { 4 } else { FAULTS.len() };
        FAULTS[self.random.usize(..known)]
    }

    fn break_it(&mut self, nth: u64, way: Way, fault: Fault) {
        let (good, file) = if way.is_of_part() {
            (Self::part_text(nth), "rules.d/part.toml")
        } else {
            (Self::main_text(self.sandbox, nth), "rules.toml")
        };
        let Broken {
            text,
            place,
            what,
            cure,
        } = broken(&good, file, fault, nth);
        self.write(&text, way);
        self.dirty = Some(way.is_of_part());
        let words = ["rules broken, those in force stay: ", &place, &what, cure];
        self.notices.push(words.map(str::to_owned).to_vec());
    }

    fn remove_part(&mut self) {
        fs::remove_file(&self.part).unwrap();
        let gone = self.parts.take().unwrap();
        self.notices
            .push(vec![format!("rules reloaded: -1 rule part-{gone}")]);
    }

    fn improve(&mut self, nth: u64, way: Way) {
        let change = if way.is_of_part() {
            self.write(&Self::part_text(nth), way);
            match self.parts.replace(nth) {
                Some(old) => format!("+1 rule part-{nth}, -1 rule part-{old}; "),
                None => format!("+1 rule part-{nth}; "),
            }
        } else {
            self.write(&Self::main_text(self.sandbox, nth), way);
            let old = std::mem::replace(&mut self.main, nth);
            format!("+1 rule good-{nth}, ~1 rule always, -1 rule good-{old}; ")
        };
        self.dirty = None;
        self.notices.push(vec![format!("rules reloaded: {change}")]);
    }

    fn write(&mut self, text: &str, way: Way) {
        match way {
            Way::InPlace => fs::write(&self.path, text).unwrap(),
            Way::Pieces => {
                let mut file = File::create(&self.path).unwrap();
                let (one, other) = text.split_at(text.len() / 2);
                file.write_all(one.as_bytes()).unwrap();
                sleep(Duration::from_millis(5));
                file.write_all(other.as_bytes()).unwrap();
            }
            Way::Replace => replace(&self.path, text),
            Way::Backup => {
                fs::rename(&self.path, self.path.with_extension("toml~")).unwrap();
                fs::write(&self.path, text).unwrap();
            }
            Way::ConfigMap => self.swap_folders(text),
            Way::Retarget => {
                self.swaps += 1;
                let target = format!("target-{}", self.swaps);
                fs::write(self.sandbox.path(&target), text).unwrap();
                self.point(&target, "rules.toml");
                let _ = fs::remove_file(self.sandbox.path(&format!("target-{}", self.swaps - 1)));
            }
            Way::Part | Way::PartComesOrGoes => fs::write(&self.part, text).unwrap(),
            Way::PartReplace => replace(&self.part, text),
            Way::Touch => unreachable!(),
        }
    }

    fn swap_folders(&mut self, text: &str) {
        let old = fs::read_link(self.sandbox.path("..data")).ok();
        self.swaps += 1;
        let new = format!("..version-{}", self.swaps);
        fs::create_dir(self.sandbox.path(&new)).unwrap();
        fs::write(self.sandbox.path(&new).join("rules.toml"), text).unwrap();
        self.point(&new, "..data");
        if fs::read_link(&self.path).ok().as_deref() != Some(Path::new("..data/rules.toml")) {
            self.point("..data/rules.toml", "rules.toml");
        }
        if let Some(old) = old {
            fs::remove_dir_all(self.sandbox.path("x").with_file_name(old)).unwrap();
        }
    }

    /// Swaps a link, in one step.
    fn point(&self, target: &str, link: &str) {
        symlink(target, self.sandbox.path("..tmp")).unwrap();
        fs::rename(self.sandbox.path("..tmp"), self.sandbox.path(link)).unwrap();
    }

    /// The same again; that nothing is said of it is seen from what is said of the next edit.
    fn touch(&mut self) {
        self.per_way.entry(Way::Touch).or_default()[0] += 1;
        let text = fs::read(&self.path).unwrap();
        fs::write(&self.path, text).unwrap();
        let file = File::options().append(true).open(&self.path).unwrap();
        file.set_modified(SystemTime::now()).unwrap();
    }

    /// The log says in its own words what the notice says, and nothing else about rules.
    fn is_taken(&mut self, words: &[String]) {
        let sign = "what is read from now on meets the new rules";
        until("the edit is in force", || self.log.said().contains(sign));
        let said = self.log.said();
        // The phone says "+1 rule a", the log "+1 rules (a)".
        let change = words[0]
            .trim_start_matches("rules reloaded: ")
            .trim_end_matches("; ");
        let change: Vec<String> = change
            .split(", ")
            .map(|piece| piece.replacen(" rule ", " rules (", 1) + ")")
            .collect();
        let change = format!("rules reloaded: {}", change.join(", "));
        assert!(said.contains(&change), "{change}\n{said}");
        assert_eq!(said.matches("rules reloaded: ").count(), 1, "{said}");
        assert!(!said.contains("rules.toml is broken"), "{said}");
        let line = said.lines().find(|line| line.contains(sign)).unwrap().to_owned();
        self.took.push(measured(&line, "took="));
        self.paused.push(measured(&line, "paused="));
    }

    fn is_refused(&mut self, words: &[String]) {
        until("the edit is refused", || {
            let said = self.log.said();
            said.contains("rules.toml is broken; the rules in force stay") && said.contains(" problem\n")
        });
        let said = self.log.said();
        for word in &words[1..] {
            assert!(said.contains(word), "{word}\n{said}");
        }
        assert_eq!(said.matches("rules.toml is broken").count(), 1, "{said}");
        assert!(!said.contains("rules reloaded: "), "{said}");
    }

    /// Writes a line and waits until it is found.
    fn write_and_find(&mut self, rule: &str, line: &str) {
        self.sandbox.append("batch.log", &format!("{line}\n"));
        self.expect(rule, 1);
    }

    pub fn expect(&mut self, rule: &str, lines: u64) {
        let expected = self.expected.entry(rule.to_owned()).or_default();
        *expected += lines;
        let expected = *expected;
        until("it is found", || found(self.sandbox).get(rule) == Some(&expected));
    }

    /// All that was to be told was told, in these words, once. How many were told, and how many were only counted: one
    /// message holds twenty.
    pub fn all_is_told(&self) -> [usize; 2] {
        let told = || {
            let mut told = Vec::new();
            let mut more = 0;
            for message in self.sandbox.api.journal().messages(ME) {
                let lines = message.text.lines();
                let about_rules: Vec<_> = lines
                    .filter(|line| line.contains(" rules reloaded: ") || line.contains(" rules broken, "))
                    .map(str::to_owned)
                    .collect();
                if !about_rules.is_empty() {
                    let rest = message.text.lines().find_map(|line| {
                        let (number, _) = line.strip_prefix("and ")?.split_once(" more, in the log")?;
                        number.replace(',', "").parse::<usize>().ok()
                    });
                    more += rest.unwrap_or_default();
                    told.extend(about_rules);
                }
            }
            (told, more)
        };
        let all = self.notices.len();
        until("every edit is told", || {
            let (told, more) = told();
            told.len() + more >= all
        });
        let (told, more) = told();
        assert_eq!(
            told.len() + more,
            all,
            "of {all}, {} were told and {more} counted",
            told.len()
        );
        // In their order, with those left out that a message only counted.
        let mut expected = self.notices.iter();
        for line in &told {
            let is_it = |words: &Vec<String>| {
                words
                    .iter()
                    .all(|word| format!("{line}; ").contains(word.as_str()))
            };
            assert!(expected.any(is_it), "nobody was to be told this here: {line}");
        }
        [told.len(), more]
    }

    /// Every rule found what was written for it, nothing more, and the phone says so.
    pub fn adds_up(&self) {
        for (rule, expected) in &self.expected {
            let texts = || {
                let head = format!(" {rule} ");
                let messages = self.sandbox.api.journal().messages(ME);
                let texts = messages.into_iter().map(|message| message.text);
                texts
                    .filter(|text| {
                        text.lines()
                            .next()
                            .is_some_and(|line| format!("{line} ").contains(&head))
                    })
                    .collect::<Vec<_>>()
            };
            let sum = || texts().iter().map(|text| total(text)).sum::<u64>();
            until("the phone says the total", || sum() >= *expected);
            assert_eq!(sum(), *expected, "{rule}: {:#?}", texts());
        }
        let known: BTreeSet<&str> = self.expected.keys().map(String::as_str).collect();
        for (rule, count) in found(self.sandbox) {
            assert!(!rule.starts_with("bad-"), "{rule} was in force");
            assert!(
                known.contains(rule.as_str()) || count == 0,
                "{rule} found {count}"
            );
        }
        for message in self.sandbox.api.journal().messages(ME) {
            let head = message.text.lines().next().unwrap_or_default();
            assert!(!head.contains("bad-"), "{}", message.text);
        }
    }

    pub fn counts(&self) -> [u64; 2] {
        let of = |which: usize| {
            let ways = self.per_way.iter().filter(|(way, _)| **way != Way::Touch);
            ways.map(|(_, counts)| counts[which]).sum()
        };
        [of(0), of(1)]
    }

    pub fn ways(&self) -> String {
        let ways = self.per_way.iter();
        let ways = ways.map(|(way, [good, broken])| format!("{way:?} {good}+{broken}"));
        ways.collect::<Vec<_>>().join(", ")
    }
}

/// What a field of a line of the log says.
pub fn measured(line: &str, field: &str) -> Duration {
    let (_, rest) = line
        .split_once(field)
        .unwrap_or_else(|| panic!("{field} in {line}"));
    let text = rest.split_whitespace().next().unwrap();
    let units = [("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    let (number, unit) = units
        .iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)))
        .unwrap();
    Duration::from_secs_f64(number.parse::<f64>().unwrap() * unit)
}
