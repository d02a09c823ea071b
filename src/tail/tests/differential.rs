//! The same operations before GNU `tail -F` and before us: where it can follow, the same lines come.
//!
//! Each operation waits until the other tail has shown what we have, since it loses what it was too slow for.

#![allow(clippy::print_stderr)]

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::*;

/// What happens to the followed path.
#[derive(Clone, Debug)]
enum Step {
    Lines(u8),
    /// The rest comes with the next line, or never.
    Half,
    /// Put aside, and begun anew with a line.
    Rename,
    Delete,
    Truncate,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u8..4).prop_map(Step::Lines),
        2 => Just(Step::Half),
        2 => Just(Step::Rename),
        2 => Just(Step::Delete),
        2 => Just(Step::Truncate),
    ]
}

/// GNU tail, and what it says; killed when dropped.
struct Gnu {
    child: Child,
    said: tempfile::TempDir,
}

impl Gnu {
    fn start(path: &Path) -> Self {
        let said = tempfile::tempdir().unwrap();
        let file = |name| File::create(said.path().join(name)).unwrap();
        let child = Command::new("tail")
            .args(["-q", "-n", "+1", "-F", "-s", "0.05", "--max-unchanged-stats=1"])
            .arg(path)
            .env("LC_ALL", "C")
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .unwrap();
        Self { child, said }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.said.path().join(name)).unwrap()
    }

    /// The lines that were shown, whatever their order.
    fn lines(&self) -> Vec<String> {
        sorted(&self.read("out"))
    }

    fn truncations(&self) -> usize {
        self.read("err").matches("file truncated").count()
    }
}

impl Drop for Gnu {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// A path that both follow, and all that was done to it.
struct Both {
    rig: Rig,
    gnu: Gnu,
    /// The path is a link, which is set anew where a file is put aside.
    linked: bool,
    /// How many lines were written, and files begun.
    lines: usize,
    files: usize,
    truncations: usize,
}

impl Both {
    fn new(linked: bool) -> Self {
        let mut rig = Rig::new(&["app.log"]);
        rig.settings.unit = Unit::Bytes;
        if linked {
            rig.append("target.0", "");
            std::os::unix::fs::symlink("target.0", rig.path("app.log")).unwrap();
        } else {
            rig.append("app.log", "");
        }
        let gnu = Gnu::start(&rig.path("app.log"));
        let mut both = Self {
            rig,
            gnu,
            linked,
            lines: 0,
            files: 0,
            truncations: 0,
        };
        both.write(1);
        both
    }

    fn write(&mut self, count: u8) {
        for _ in 0..count {
            self.rig.append("app.log", &format!("line {}\n", self.lines));
            self.lines += 1;
        }
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Lines(count) => self.write(*count),
            Step::Half => {
                self.rig.append("app.log", &format!("half {} ", self.lines));
                self.lines += 1;
            }
            Step::Rename | Step::Delete if self.linked => self.point_elsewhere(),
            Step::Rename => {
                self.files += 1;
                self.rig.rename("app.log", &format!("app.log.{}", self.files));
                self.write(1);
            }
            Step::Delete => {
                fs::remove_file(self.rig.path("app.log")).unwrap();
                self.write(1);
            }
            Step::Truncate => {
                let file = self.rig.append("app.log", "");
                if file.metadata().unwrap().len() > 0 {
                    file.set_len(0).unwrap();
                    self.truncations += 1;
                }
            }
        }
    }

    fn point_elsewhere(&mut self) {
        self.files += 1;
        let target = format!("target.{}", self.files);
        self.rig.append(&target, &format!("line {}\n", self.lines));
        self.lines += 1;
        std::os::unix::fs::symlink(&target, self.rig.path("link")).unwrap();
        self.rig.rename("link", "app.log");
    }

    /// Both look, until the other one has what we have. Whether it ever had.
    fn agree(&mut self) -> bool {
        self.rig.after(1).after(1);
        let ours = sorted(std::str::from_utf8(&self.rig.raw).unwrap());
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.gnu.lines() != ours || self.gnu.truncations() < self.truncations {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

fn is_gnu() -> bool {
    let version = Command::new("tail")
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    let gnu = version.is_ok_and(|output| output.stdout.starts_with(b"tail (GNU coreutils)"));
    if !gnu {
        eprintln!("SKIP: differential: no GNU tail to compare with");
    }
    gnu
}

/// How many histories are played: each takes seconds.
fn cases() -> u32 {
    if std::env::var_os("TAILGRAM_SOAK").is_some() {
        200
    } else {
        6
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn what_gnu_tail_can_follow_comes_to_the_same_lines(
        steps in prop::collection::vec(step(), 1..10), linked in any::<bool>(),
    ) {
        if !is_gnu() {
            return Ok(());
        }
        let mut both = Both::new(linked);
        prop_assert!(both.agree(), "they differ in the beginning");
        for (count, step) in steps.iter().enumerate() {
            both.apply(step);
            prop_assert!(
                both.agree(),
                "after step {count}, {step:?}\nours: {:?}\ntheirs: {:?}\n{}",
                String::from_utf8_lossy(&both.rig.raw), both.gnu.read("out"), both.gnu.read("err"),
            );
        }
        // Both may lose the same: each number that was written stands there once.
        let text = String::from_utf8_lossy(&both.rig.raw).into_owned();
        let words = text.split_whitespace().filter_map(|word| word.parse::<usize>().ok());
        let mut numbers: Vec<usize> = words.collect();
        numbers.sort_unstable();
        prop_assert_eq!(numbers, (0..both.lines).collect::<Vec<_>>());
    }
}
