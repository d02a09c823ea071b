//! `tailgram follow --gnu` shows and says what GNU tail does: the same play before both, where GNU tail is there.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use crate::support::{Running, Sandbox, until};

/// Larger than any process id that Linux gives.
const NOBODY: &str = "2147483647";

/// Both ways to notice something.
const MODES: [&[&str]; 2] = [&[], &["---disable-inotify"]];

/// Whose manners are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Ours,
    Gnu,
}

impl Program {
    /// Ours, and GNU's if that is the tail of this machine.
    fn both() -> Vec<Self> {
        let version = Command::new("tail").arg("--version").output();
        let gnu =
            version.is_ok_and(|output| output.stdout.windows(13).any(|words| words == b"GNU coreutils"));
        if gnu {
            return vec![Self::Ours, Self::Gnu];
        }
        eprintln!("SKIP: gnu: no GNU tail to compare with");
        vec![Self::Ours]
    }

    fn command<S: AsRef<OsStr>>(self, folder: &Path, args: &[S]) -> Command {
        let mut command = match self {
            Self::Ours => Command::new(env!("CARGO_BIN_EXE_tailgram")),
            Self::Gnu => Command::new("tail"),
        };
        if self == Self::Ours {
            command.args(["follow", "--gnu"]);
        }
        command.args(args).current_dir(folder).env("LC_ALL", "C");
        command.stdin(Stdio::null());
        command
    }
}

fn append_to(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

/// A program at work, what it shows and says, and where.
struct Stage {
    folder: TempDir,
    running: Running,
    about: String,
    /// What it must have shown and said by now.
    expected: String,
}

impl Stage {
    /// Begins with these files, each with its content.
    fn begin(program: Program, args: &[&str], files: &[(&str, &str)], expected: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        // Both into one file, so that their order is seen.
        let seen = append_to(&folder.path().join(".seen"));
        let mut command = program.command(folder.path(), args);
        command.stderr(seen.try_clone().unwrap()).stdout(seen);
        let mut stage = Self {
            running: command.spawn().unwrap().into(),
            folder,
            about: format!("{program:?} {args:?}"),
            expected: String::new(),
        };
        stage.expect(expected);
        stage
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        append_to(&self.path(name)).write_all(text.as_bytes()).unwrap();
    }

    /// Waits until this was shown and said besides, and nothing else was.
    #[track_caller]
    fn expect(&mut self, more: &str) {
        self.expected.push_str(more);
        until(&format!("{}: {:?}", self.about, self.expected), || {
            let seen = fs::read(self.path(".seen")).unwrap();
            let seen = String::from_utf8(seen).unwrap();
            let expected = &self.expected;
            assert!(
                expected.starts_with(&seen),
                "{}: {seen:?} is not the beginning of {expected:?}",
                self.about
            );
            seen == *expected
        });
    }

    #[track_caller]
    fn ends(mut self, code: i32, last_words: &str) {
        self.expect(last_words);
        let mut status = None;
        until("it ends", || {
            status = self.running.exited();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(code), "{}", self.about);
    }
}

/// Plays before each program, in each mode.
fn play(args: &[&str], scenes: impl Fn(Program, &[&str])) {
    for program in Program::both() {
        for mode in MODES {
            let quick = ["-s", "0.05", "--max-unchanged-stats=1"];
            scenes(program, &[&quick, mode, args].concat());
        }
    }
}

/// Puts a folder where a file is, or the other way round, in one step.
fn swap(stage: &Stage, one: &str, other: &str) {
    renameat_with(
        CWD,
        stage.path(one),
        CWD,
        stage.path(other),
        RenameFlags::EXCHANGE,
    )
    .unwrap();
}

#[test]
fn each_turn_of_a_name_is_shown_and_told_as_gnu_tail_does() {
    play(&["-F", "a", "b"], |program, args| {
        let files = [("a", "a1\n"), ("b", "b1\n")];
        let mut stage = Stage::begin(program, args, &files, "==> a <==\na1\n\n==> b <==\nb1\n");
        stage.append("a", "a2\n");
        stage.expect("\n==> a <==\na2\n");
        fs::remove_file(stage.path("a")).unwrap();
        stage.expect("tail: 'a' has become inaccessible: No such file or directory\n");
        stage.append("b", "b2\n");
        stage.expect("\n==> b <==\nb2\n");
        fs::write(stage.path("new"), "a3\n").unwrap();
        fs::rename(stage.path("new"), stage.path("a")).unwrap();
        stage.expect("tail: 'a' has appeared;  following new file\n\n==> a <==\na3\n");
        fs::write(stage.path("new"), "a4\n").unwrap();
        fs::rename(stage.path("new"), stage.path("a")).unwrap();
        stage.expect("tail: 'a' has been replaced;  following new file\na4\n");
        File::create(stage.path("a")).unwrap();
        stage.expect("tail: a: file truncated\n");
        stage.append("a", "a5\n");
        stage.expect("a5\n");
        fs::create_dir(stage.path("folder")).unwrap();
        swap(&stage, "a", "folder");
        stage.expect("tail: 'a' has been replaced with an untailable file\n");
        swap(&stage, "a", "folder");
        stage.expect("tail: 'a' has become accessible\na5\n");
    });
}

#[test]
fn without_retry_what_is_gone_may_come_back_as_long_as_something_is_left() {
    play(&["--follow=name", "a", "b", "c"], |program, args| {
        let files = [("a", "a1\n"), ("b", "b1\n")];
        let cannot = "tail: cannot open 'c' for reading: No such file or directory\n";
        let mut stage = Stage::begin(
            program,
            args,
            &files,
            &format!("==> a <==\na1\n\n==> b <==\nb1\n{cannot}"),
        );
        fs::remove_file(stage.path("b")).unwrap();
        stage.expect("tail: b: No such file or directory\n");
        stage.append("a", "a2\n");
        stage.expect("\n==> a <==\na2\n");
        fs::write(stage.path("new"), "b2\n").unwrap();
        fs::rename(stage.path("new"), stage.path("b")).unwrap();
        stage.expect("tail: 'b' has appeared;  following new file\n\n==> b <==\nb2\n");
        fs::create_dir(stage.path("folder")).unwrap();
        swap(&stage, "b", "folder");
        stage.expect("tail: 'b' has been replaced with an untailable file; giving up on this name\n");
        fs::remove_file(stage.path("a")).unwrap();
        // Versions of GNU tail do not see that this was the last, and wait for ever.
        if program == Program::Ours {
            stage.ends(
                1,
                "tail: a: No such file or directory\ntail: no files remaining\n",
            );
        }
    });
}

#[test]
fn a_descriptor_is_followed_whatever_its_name_is() {
    play(&["-f", "a"], |program, args| {
        let mut stage = Stage::begin(program, args, &[("a", "1\n2\n")], "1\n2\n");
        fs::rename(stage.path("a"), stage.path("b")).unwrap();
        stage.append("a", "another\n");
        stage.append("b", "3\n");
        stage.expect("3\n");
        fs::write(stage.path("b"), "4\n").unwrap();
        stage.expect("tail: a: file truncated\n4\n");
        fs::remove_file(stage.path("b")).unwrap();
        assert!(stage.running.exited().is_none());
    });
    play(&["-f", "--retry", "a"], |program, args| {
        let once = "tail: warning: --retry only effective for the initial open\n";
        let cannot = "tail: cannot open 'a' for reading: No such file or directory\n";
        let mut stage = Stage::begin(program, args, &[("new", "1\n")], &format!("{once}{cannot}"));
        fs::rename(stage.path("new"), stage.path("a")).unwrap();
        stage.expect("tail: 'a' has appeared;  following new file\n1\n");
        let stage = Stage::begin(program, args, &[], &format!("{once}{cannot}"));
        fs::create_dir(stage.path("a")).unwrap();
        let giving_up = "tail: 'a' has been replaced with an untailable file; giving up on this name\n";
        stage.ends(1, &format!("{giving_up}tail: no files remaining\n"));
    });
}

#[test]
fn a_folder_that_is_gone_ends_the_events_and_not_the_following() {
    for program in Program::both() {
        let mut stage = Stage::begin(program, &["-s", "0.05", "-F", "folder/a", "b"], &[("b", "")], {
            "tail: cannot open 'folder/a' for reading: No such file or directory\n==> b <==\n\
             tail: cannot watch parent directory of 'folder/a': No such file or directory\n\
             tail: inotify cannot be used, reverting to polling\n"
        });
        fs::create_dir(stage.path("folder")).unwrap();
        fs::write(stage.path("new"), "1\n").unwrap();
        fs::rename(stage.path("new"), stage.path("folder/a")).unwrap();
        stage.expect("tail: 'folder/a' has appeared;  following new file\n\n==> folder/a <==\n1\n");
    }
}

/// What a program prints, and how it ends.
fn done(program: Program, folder: &Path, args: &[&OsStr]) -> (String, Option<i32>) {
    let output: Output = program.command(folder, args).output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (
        text(&output.stdout) + "stderr:\n" + &text(&output.stderr),
        output.status.code(),
    )
}

#[test]
fn what_ends_by_itself_shows_says_and_exits_as_gnu_tail_does() {
    let sandbox = tempfile::tempdir().unwrap();
    let folder = sandbox.path();
    fs::create_dir(folder.join("folder")).unwrap();
    fs::write(folder.join("empty"), "").unwrap();
    fs::write(folder.join("zeros"), "a\0b\0c").unwrap();
    let lines: String = (0..50_000).fold(String::new(), |text, number| text + &number.to_string() + "\n");
    fs::write(folder.join("lines"), lines + "half").unwrap();
    let lines = [
        "lines",
        "-n3 lines",
        "-n0 lines",
        "-n +49998 lines",
        "-n +0 lines",
        "-n 100000 lines",
        "-n 40000 lines",
        "-c 7 lines",
        "-c +7 lines",
        "-c 200000 lines",
        "-c 1K lines",
        "-c 2kB lines",
        "-c 1b lines",
        "-c +1MiB lines",
        "-n +1G lines",
        "-z -n 2 zeros",
        "-zn+2 zeros",
        "-q lines empty",
        "lines empty zeros",
        "-v empty",
        "folder",
        "-v folder",
        "nothing",
        "lines folder nothing empty",
        "-n0 nothing",
        "-f nothing",
        "-f folder",
        "--follow=name nothing folder",
        "-f --retry folder",
        "--retry lines",
        "--retry nothing",
        "--pid=1 empty",
        "-f --pid=2147483647 lines",
        "-F --pid=2147483647 --pid=2147483646 lines nothing",
        "-F --pid=2147483647 ---disable-inotify lines nothing",
        "--follow=name -",
        "-x",
        "-fx",
        "--nothing",
        "--nothing=1",
        "--s lines",
        "--ver=1",
        "-n",
        "--pid",
        "--retry=1",
        "-n x lines",
        "-n ++1 lines",
        "-n --1 lines",
        "-n 1x lines",
        "-n 1kX lines",
        "-n k lines",
        "-c x lines",
        "-n 99999999999999999999 lines",
        "-n 1Y lines",
        "-s x lines",
        "-s -1 lines",
        "-s nan lines",
        "--pid=x lines",
        "--pid=-1 lines",
        "--max-unchanged-stats=x lines",
        "--follow=x lines",
        "--follow=na --pid=2147483647 -f lines",
    ];
    let programs = Program::both();
    for line in lines {
        let args: Vec<_> = line.split(' ').map(OsStr::new).collect();
        let [ours, theirs @ ..] = &programs
            .iter()
            .map(|program| done(*program, folder, &args))
            .collect::<Vec<_>>()[..]
        else {
            unreachable!("ours is always there")
        };
        for theirs in theirs {
            assert!(ours == theirs, "{line}: we {ours:.300?}\nthey {theirs:.300?}");
        }
    }
}

#[test]
fn names_are_quoted_as_gnu_tail_quotes_them() {
    let sandbox = tempfile::tempdir().unwrap();
    let programs = Program::both();
    let mut names: Vec<Vec<u8>> = Vec::new();
    for byte in (1..=255).filter(|byte| *byte != b'/') {
        names.extend([vec![byte, b'z'], vec![b'x', byte, b'y'], vec![b'\'', byte, b'q']]);
    }
    for name in names.chunks(64) {
        // Folders: what is said of them when followed quotes their names in both ways.
        for name in name {
            fs::create_dir(sandbox.path().join(OsStr::from_bytes(name))).unwrap();
        }
        let args = [OsStr::new("-f"), OsStr::new("--")].into_iter();
        let args: Vec<_> = args
            .chain(name.iter().map(|name| OsStr::from_bytes(name)))
            .collect();
        let said = |program: &Program| program.command(sandbox.path(), &args).output().unwrap().stderr;
        let said: Vec<_> = programs.iter().map(said).collect();
        let lines = |text: &[u8]| -> Vec<String> {
            text.split(|byte| *byte == b'\n')
                .map(|line| line.escape_ascii().to_string())
                .collect()
        };
        for theirs in &said[1..] {
            for (ours, theirs) in lines(&said[0]).iter().zip(lines(theirs)) {
                assert_eq!(*ours, theirs);
            }
            assert_eq!(said[0].len(), theirs.len());
        }
    }
}

#[test]
fn a_renamed_file_is_shown_again_under_its_new_name_here_and_never_by_follow_itself() {
    play(&["-F", "a", "b"], |program, args| {
        let mut stage = Stage::begin(
            program,
            args,
            &[("a", "x\n"), ("b", "")],
            "==> a <==\nx\n\n==> b <==\n",
        );
        fs::rename(stage.path("a"), stage.path("b")).unwrap();
        let gone = "tail: 'a' has become inaccessible: No such file or directory\n";
        let other = "tail: 'b' has been replaced;  following new file\n";
        stage.expect(&format!("{gone}{other}x\n"));
    });

    let sandbox = Sandbox::new();
    sandbox.append("a", "x\n").append("b", "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tailgram"));
    command
        .args(["follow", "a", "b"])
        .current_dir(sandbox.path("logs"));
    let shown = sandbox.path("stdout");
    command.stdin(Stdio::null()).stdout(File::create(&shown).unwrap());
    let running = Running::from(command.spawn().unwrap());
    let begun = "==> a <==\nx\n\n==> b <==\n";
    until("it began", || fs::read_to_string(&shown).unwrap() == begun);
    fs::rename(sandbox.log("a"), sandbox.log("b")).unwrap();
    sandbox.append("b", "y\n");
    // When this line is shown, what was to be shown before it was.
    until("the line behind is shown", || {
        fs::read_to_string(&shown).unwrap().contains("y\n")
    });
    sandbox.append("b", "z\n");
    until("and the last", || {
        fs::read_to_string(&shown).unwrap().contains("z\n")
    });
    assert_eq!(fs::read_to_string(&shown).unwrap().matches("x\n").count(), 1);
    assert_eq!(running.terminate().code(), Some(0));
}

#[test]
fn what_was_written_before_a_name_is_taken_away_is_shown() {
    for mode in MODES {
        let args = [&["-s", "0.02", "-F", "log"], mode].concat();
        let mut stage = Stage::begin(Program::Ours, &args, &[("log", "")], "");
        // A file that is held when it goes: the first line tells that.
        for round in 0..10 {
            stage.append("log", &format!("{round}\n"));
            stage.expect(&format!("{round}\n"));
            stage.append("log", &format!("{round} to the end\n"));
            fs::rename(stage.path("log"), stage.path("old")).unwrap();
            let gone = "tail: 'log' has become inaccessible: No such file or directory\n";
            stage.expect(&format!("{round} to the end\n{gone}"));
            fs::rename(stage.path("old"), stage.path("older")).unwrap();
            File::create(stage.path("log")).unwrap();
            stage.expect("tail: 'log' has appeared;  following new file\n");
        }
    }
}

#[test]
fn a_pipe_is_waited_for_and_followed_after_its_writer_left() {
    for (args, shown) in [
        (&["-n", "2", "-f", "pipe"][..], "2\n3\n"),
        (&["-n", "+2", "-f", "pipe"], "2\n3\n"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("mkfifo")
            .arg(folder.path().join("pipe"))
            .status()
            .unwrap();
        assert!(made.success());
        let mut child = Program::Ours
            .command(folder.path(), args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        let _running = Running::from(child);
        let write = |text: &str| {
            // Opening waits for a reader.
            let mut pipe = OpenOptions::new()
                .write(true)
                .open(folder.path().join("pipe"))
                .unwrap();
            pipe.write_all(text.as_bytes()).unwrap();
        };
        write("1\n2\n3\n");
        let mut seen = [0; 4];
        out.read_exact(&mut seen).unwrap();
        assert_eq!(seen, shown.as_bytes());
        write("4\n");
        out.read_exact(&mut seen[..2]).unwrap();
        assert_eq!(&seen[..2], b"4\n");
    }
}

#[test]
fn a_closed_stdout_ends_it_with_sigpipe_and_a_full_one_is_told() {
    for program in Program::both() {
        for mode in MODES {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("quiet"), "1\n").unwrap();
            let args = [&["-s", "0.05", "-F", "quiet"], mode].concat();
            let mut child = program
                .command(folder.path(), &args)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut out = child.stdout.take().unwrap();
            let mut running = Running::from(child);
            out.read_exact(&mut [0; 2]).unwrap();
            drop(out);
            let mut status = None;
            until("it ends", || {
                status = running.exited();
                status.is_some()
            });
            assert_eq!(
                status.unwrap().signal(),
                Some(rustix::process::Signal::PIPE.as_raw()),
                "{program:?}"
            );
        }
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "1\n").unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let args = ["-f", "--pid", NOBODY, "a"];
    let output = Program::Ours
        .command(folder.path(), &args)
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        said,
        "tail: error writing 'standard output': No space left on device\n"
    );
}
