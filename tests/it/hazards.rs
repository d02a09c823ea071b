//! What writers, rotators, editors and people do to log files beside a reader that nobody tells.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::scope;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::{Sandbox, Series, as_nobody, soak, until};

fn append(path: &Path, text: &str) {
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Puts a text where a file is, as editors do: another file is given its name.
fn rewrite(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}

#[test]
fn a_log_that_is_written_anew_goes_on_where_its_bytes_agree_and_else_begins_anew() {
    let sandbox = Sandbox::delivering(&[], "");
    let log = sandbox.log("app.log");
    let mut written = vec![Series::new(0)];
    let mut text = written[0].next(60);
    append(&log, &text);
    let mut running = Some(sandbox.start(&[]));
    for round in 0..4 {
        sandbox.all_told(&written);
        // Every other time nobody is looking.
        let asleep = round % 2 == 1;
        if let Some(running) = running.take_if(|_| asleep) {
            assert!(running.terminate().success());
        }
        // The same lines, and some more.
        let inode = || fs::metadata(&log).unwrap().ino();
        let before = inode();
        let more = written.last_mut().unwrap().next(2);
        let last = more
            .lines()
            .map(|line| format!("-e $a{line}"))
            .collect::<Vec<_>>();
        let edited = Command::new("sed")
            .arg("-i")
            .args(&last)
            .arg(&log)
            .status()
            .unwrap();
        assert!(edited.success() && before != inode());
        text += &more;
        assert_eq!(fs::read_to_string(&log).unwrap(), text);
        running.get_or_insert_with(|| sandbox.start(&[]));
        sandbox.all_told(&written);
        // Other lines.
        let mut series = Series::new(round + 1);
        text = series.next(60 + u64::from(round));
        rewrite(&log, &text);
        written.push(series);
    }
    sandbox.exactly_once(&written);
}

/// `current.log` is another name of the newest file, set anew while the writer of the one before goes on.
fn hard_link_swaps(name: &str) {
    let sandbox = Sandbox::delivering(&[], "");
    let current = sandbox.log("current.log");
    let mut written: Vec<Series> = Vec::new();
    let mut running = None;
    let mut late: Option<File> = None;
    for number in 0..12 {
        let own = sandbox.log(&name.replace('N', &number.to_string()));
        let mut file = File::options().create(true).append(true).open(&own).unwrap();
        let mut series = Series::new(number);
        file.write_all(series.next(3).as_bytes()).unwrap();
        let linked = Command::new("ln")
            .arg("-f")
            .args([&own, &current])
            .status()
            .unwrap();
        assert!(linked.success());
        running.get_or_insert_with(|| sandbox.start(&[]));
        if let (Some(mut late), Some(before)) = (late.replace(file), written.last_mut()) {
            late.write_all(before.next(2).as_bytes()).unwrap();
        }
        written.push(series);
        sandbox.all_told(&written);
    }
    sandbox.exactly_once(&written);
}

#[test]
fn a_hard_link_that_is_set_anew_leads_to_the_newest_file() {
    hard_link_swaps("access-N");
}

#[test]
fn a_hard_link_that_is_set_anew_doubles_nothing_where_its_files_are_reached_too() {
    hard_link_swaps("access-N.log");
}

#[test]
fn a_folder_that_is_deleted_and_made_anew_again_and_again_is_followed() {
    let sandbox = Sandbox::unlimited();
    sandbox.deliver(&[sandbox.path("deep/er/*.log")], "");
    let mut running = sandbox.start(&[]);
    let mut written = Vec::new();
    for round in 0..if soak() { 200 } else { 20 } {
        let _ = fs::remove_dir_all(sandbox.path("deep"));
        fs::create_dir_all(sandbox.path("deep/er")).unwrap();
        let mut series = Series::new(round);
        append(&sandbox.path("deep/er/app.log"), &series.next(2));
        written.push(series);
        sandbox.all_told(&written);
    }
    sandbox.exactly_once(&written);
    assert_eq!(running.exited(), None);
}

/// More resident memory than this, in KiB, is too much.
const MOST_MEMORY: u64 = 64 * 1024;

#[test]
fn a_line_of_a_hundred_mebibytes_is_cut_and_the_next_one_is_told_within_bounded_memory() {
    let sandbox = Sandbox::delivering(&[], "partial = \"1s\"");
    let mut series = Series::new(1);
    sandbox.log_lines("app.log", &mut series, 1);
    let running = sandbox.start(&[]);
    sandbox.all_told(std::slice::from_ref(&series));
    let mut log = sandbox.open("app.log");
    let block = "x".repeat(1 << 20);
    for _ in 0..100 {
        log.write_all(block.as_bytes()).unwrap();
    }
    // It has no end yet; other files go on meanwhile.
    sandbox.append("other.log", "CANARY meanwhile\n");
    sandbox.told("CANARY meanwhile");
    log.write_all(b"\n").unwrap();
    sandbox.log_lines("app.log", &mut series, 2);
    sandbox.exactly_once(&[series]);
    let peak = running.memory("VmHWM");
    assert!(peak < MOST_MEMORY, "{peak} KiB");
}

#[test]
fn a_sparse_line_of_four_gibibytes_does_not_stop_what_comes_behind_it() {
    let sandbox = Sandbox::delivering(&[], "partial = \"1s\"");
    let mut series = Series::new(1);
    sandbox.log_lines("app.log", &mut series, 1);
    let running = sandbox.start(&[]);
    sandbox.all_told(std::slice::from_ref(&series));
    let log = sandbox.open("app.log");
    sandbox.append("app.log", "half a line");
    log.set_len(4 << 30).unwrap();
    sandbox.append("app.log", "its end\n");
    sandbox.log_lines("app.log", &mut series, 2);
    sandbox.exactly_once(&[series]);
    let peak = running.memory("VmHWM");
    assert!(peak < MOST_MEMORY, "{peak} KiB");
}

#[test]
fn every_byte_there_is_stands_in_a_line_that_is_told_whole() {
    let sandbox = Sandbox::delivering(&[], "");
    let _running = sandbox.start(&[]);
    let mut log = sandbox.open("app.log");
    let bytes = || (0..=u8::MAX).filter(|byte| *byte != b'\n');
    // Among them halves of letters, overlong ones, and surrogates by themselves.
    let odd: [&[u8]; 6] = [
        b"\xc3",
        b"\xe2\x82",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf0\x9f\x98",
    ];
    let mut all: Vec<Vec<u8>> = bytes().map(|byte| vec![byte]).collect();
    // These begin what a terminal swallows; a whole one each.
    all[usize::from(b'\x1b' - 1)].extend(b"[31m");
    all[usize::from(b'\x9b' - 1)].extend(b"31m");
    all.extend(odd.map(<[u8]>::to_vec));
    for (number, bytes) in all.iter().enumerate() {
        let mut line = format!("ERROR begin-{number} ").into_bytes();
        line.extend(bytes);
        line.extend(format!(" end-{number}\n").bytes());
        log.write_all(&line).unwrap();
    }
    sandbox.append("app.log", "CANARY behind them\n");
    sandbox.told("CANARY behind them");
    let told = sandbox.all_texts();
    for number in 0..all.len() {
        let (begin, end) = (format!("ERROR begin-{number} "), format!(" end-{number}\n"));
        let rest = told
            .split_once(&begin)
            .unwrap_or_else(|| panic!("{begin:?} is not in {told}"))
            .1;
        let line = rest
            .split_once(&end)
            .unwrap_or_else(|| panic!("{end:?} is not in {rest}"))
            .0;
        assert!(line.len() < 20, "between {begin:?} and its end stands {line:?}");
    }
    assert!(sandbox.api.journal().refusals().is_empty());
}

#[test]
fn a_progress_bar_is_one_line_and_windows_line_ends_are_none_of_the_text() {
    let sandbox = Sandbox::delivering(&[], "");
    let _running = sandbox.start(&[]);
    let mut log = sandbox.open("bar.log");
    for percent in 0..=100 {
        log.write_all(format!("\rdone {percent} %").as_bytes()).unwrap();
    }
    log.write_all(b" CANARY it broke\r\n").unwrap();
    let mut series = Series::new(1);
    let windows = series.next(20).replace('\n', "\r\n");
    for half in windows.as_bytes().chunks(7) {
        sandbox.open("windows.log").write_all(half).unwrap();
    }
    sandbox.told("CANARY it broke");
    let told = sandbox.all_texts();
    assert_eq!(
        told.matches("done 100 % CANARY it broke\n").count(),
        1,
        "{told:?}"
    );
    sandbox.all_told(&[series]);
    assert!(!sandbox.all_texts().contains('\r'));
}

#[test]
fn what_a_progress_bar_overwrote_is_neither_found_nor_shown_where_that_is_asked_for() {
    let sandbox = Sandbox::delivering(&[], "carriage_return = \"overwrite\"");
    let _running = sandbox.start(&[]);
    let bar = "\rERROR overwritten 1 %\rERROR overwritten 2 %\r";
    let write = |file: &str, line: &str| sandbox.open(file).write_all(line.as_bytes()).unwrap();
    write("plain.log", &format!("{bar}CANARY plain\r\n"));
    write("plain.log", "CANARY whole\n");
    let docker = |text: &str| {
        let text = serde_json::Value::from(text);
        format!("{{\"log\":{text},\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05.678901234Z\"}}\n")
    };
    write("docker.log", &docker(bar));
    write("docker.log", &docker("CANARY docker\r\r\n"));
    let cri = |tag: &str, text: &str| format!("2026-01-02T03:04:05.678901234Z stdout {tag} {text}\n");
    write("cri.log", &cri("P", bar));
    write("cri.log", &cri("F", "CANARY cri"));
    for text in ["CANARY plain", "CANARY whole", "CANARY docker", "CANARY cri"] {
        sandbox.told(text);
    }
    assert!(
        !sandbox.all_texts().contains("overwritten"),
        "{}",
        sandbox.all_texts()
    );
}

#[test]
fn lines_that_writers_tear_from_each_other_arrive_as_they_stand_and_files_are_never_mixed() {
    let sandbox = Sandbox::delivering(&[], "");
    let _running = sandbox.start(&[]);
    scope(|scope| {
        for writer in 0..8 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let mut file = sandbox.open("torn.log");
                let mut own = sandbox.open(&format!("whole-{writer}.log"));
                for number in 0..20 {
                    for piece in [
                        format!("ERROR {writer}"),
                        format!("-{number} it"),
                        " broke\n".to_owned(),
                    ] {
                        file.write_all(piece.as_bytes()).unwrap();
                        own.write_all(piece.replace("ERROR ", "ERROR own ").as_bytes())
                            .unwrap();
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    // What is left over has an end.
    sandbox.append("torn.log", "\nCANARY of the torn\n");
    sandbox.told("CANARY of the torn");
    let stands = fs::read_to_string(sandbox.log("torn.log")).unwrap();
    let torn: Vec<&str> = stands.lines().filter(|line| line.contains("ERROR")).collect();
    let own: BTreeSet<String> = (0..8)
        .flat_map(|writer| (0..20).map(move |number| format!("ERROR own {writer}-{number} it broke")))
        .collect();
    let told = || {
        let texts = sandbox.all_texts();
        texts
            .lines()
            .filter(|line| line.contains("ERROR"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    until("all are told", || told().len() >= torn.len() + own.len());
    let (told_own, told_torn): (Vec<String>, Vec<String>) =
        told().into_iter().partition(|line| line.contains("ERROR own "));
    assert_eq!(told_torn, torn);
    assert_eq!(told_own.len(), own.len());
    assert_eq!(told_own.into_iter().collect::<BTreeSet<_>>(), own);
}

/// Writes what stands on its stdin through a memory map into a file of 64 KiB that exists.
const MAPPED_WRITER: &str = "
import mmap, sys
with open(sys.argv[1], 'r+b') as file:
    at, view = 0, mmap.mmap(file.fileno(), 65536)
    for line in sys.stdin.buffer:
        view[at:at + len(line)] = line
        at += len(line)
        print(at, flush=True)
";

#[test]
fn what_is_written_through_a_memory_map_is_told() {
    let sandbox = Sandbox::delivering(&[], "");
    sandbox.open("app.log").set_len(65_536).unwrap();
    let writer = Command::new("python3")
        .args(["-c", MAPPED_WRITER])
        .arg(sandbox.log("app.log"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    let Ok(mut writer) = writer else {
        eprintln!("SKIP: hazards: needs python3, which writes through a memory map");
        return;
    };
    let mut stdin = writer.stdin.take().unwrap();
    let running = sandbox.start(&[]);
    let mut series = Series::new(1);
    for lines in [1, 1, 10, 1] {
        stdin.write_all(series.next(lines).as_bytes()).unwrap();
        sandbox.all_told(std::slice::from_ref(&series));
    }
    assert!(running.terminate().success());
    let _running = sandbox.start(&[]);
    stdin.write_all(series.next(3).as_bytes()).unwrap();
    sandbox.exactly_once(&[series]);
    drop(stdin);
    assert!(writer.wait().unwrap().success());
}

/// Logs of a container as a node of Kubernetes has them with Docker below: a link in one folder to a link in another to
/// the file in a third.
struct Node<'a> {
    sandbox: &'a Sandbox,
    written: Vec<Series>,
}

impl Node<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path(name)
    }

    /// Lines of a series of its own in a file that is new.
    fn write(&mut self, file: &str, lines: u64) {
        let mut series = Series::new(u32::try_from(self.written.len()).unwrap());
        append(&self.path(file), &series.next(lines));
        self.written.push(series);
    }

    /// Late lines of the series before the newest one.
    fn late(&mut self, file: &str) {
        let before = self.written.len() - 2;
        append(&self.path(file), &self.written[before].next(2));
    }

    /// Sets a link anew, at one stroke.
    fn link(&self, to: &str, link: &str) {
        let beside = self.path("beside");
        symlink(self.path(to), &beside).unwrap();
        fs::rename(beside, self.path(link)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    #[track_caller]
    fn all_told(&self) {
        self.sandbox.all_told(&self.written);
    }
}

#[test]
fn links_to_links_are_followed_whichever_of_them_is_set_anew_and_files_behind_them_rotate() {
    let sandbox = Sandbox::unlimited();
    sandbox.deliver(&[sandbox.path("containers/*.log")], "");
    for folder in ["containers", "pods", "pods/b", "docker", "docker/1", "docker/2"] {
        fs::create_dir(sandbox.path(folder)).unwrap();
    }
    let mut node = Node {
        sandbox: &sandbox,
        written: Vec::new(),
    };
    node.link("docker/1/json", "pods/0");
    // It leads nowhere yet.
    node.link("pods/0", "containers/app.log");
    let running = sandbox.start(&[]);
    node.write("docker/1/json", 3);
    node.all_told();
    // The engine rotates the file, once, and twice between two looks; the writer of the first is late.
    node.rename("docker/1/json", "docker/1/json.1");
    node.write("docker/1/json", 3);
    node.late("docker/1/json.1");
    node.all_told();
    for _ in 0..2 {
        node.rename("docker/1/json.1", "docker/1/json.2");
        node.rename("docker/1/json", "docker/1/json.1");
        node.write("docker/1/json", 3);
    }
    node.all_told();
    // The container begins anew: the link in the middle, then the outer one.
    node.write("docker/2/json", 3);
    node.link("docker/2/json", "pods/0");
    node.late("docker/1/json");
    node.all_told();
    node.write("pods/b/0", 3);
    node.link("pods/b/0", "containers/app.log");
    node.late("docker/2/json");
    node.all_told();
    assert!(running.terminate().success());
    // Rotated twice while nobody looks, with a rest that was not read.
    append(&node.path("pods/b/0"), &node.written.last_mut().unwrap().next(2));
    for number in 1..=2 {
        node.rename("pods/b/0", &format!("pods/b/0.2026010{number}"));
        node.write("pods/b/0", 3);
    }
    let _running = sandbox.start(&[]);
    sandbox.exactly_once(&node.written);
}

#[test]
fn the_rest_of_a_log_behind_a_link_is_read_from_its_archive() {
    let sandbox = Sandbox::delivering(&[], "");
    fs::create_dir(sandbox.path("files")).unwrap();
    let file = sandbox.path("files/0");
    symlink(&file, sandbox.log("app.log")).unwrap();
    let mut written = vec![Series::new(0), Series::new(1)];
    append(&file, &written[0].next(40));
    let running = sandbox.start(&[]);
    sandbox.all_told(&written[..1]);
    assert!(running.terminate().success());
    // As kubelet rotates: while nobody looks, with a rest that was not read.
    append(&file, &written[0].next(3));
    fs::rename(&file, sandbox.path("files/0.20260101-000000")).unwrap();
    append(&file, &written[1].next(3));
    let packed = Command::new("gzip")
        .arg(sandbox.path("files/0.20260101-000000"))
        .status();
    if !packed.is_ok_and(|status| status.success()) {
        eprintln!("SKIP: hazards: needs gzip");
        return;
    }
    let _running = sandbox.start(&[]);
    sandbox.exactly_once(&written);
}

#[test]
fn logs_with_odd_names_are_rotated_and_read_over_a_restart_like_any_other() {
    let sandbox = Sandbox::delivering(&[], "");
    let odd: [&[u8]; 7] = [
        b"caf\xe9",
        b"two\nlines",
        b"-n",
        b" blank ",
        b"'\"$(reboot)`<b>",
        "로그🔥".as_bytes(),
        &[b'x'; 245],
    ];
    let path = |name: &[u8], more: &[u8]| sandbox.log("").join(OsStr::from_bytes(&[name, more].concat()));
    let mut written = Vec::new();
    let mut next = |name: &[u8]| {
        let mut series = Series::new(u32::try_from(written.len()).unwrap());
        append(&path(name, b".log"), &series.next(3));
        written.push(series);
        written.clone()
    };
    let rotate = |name: &[u8], number: &[u8]| fs::rename(path(name, b".log"), path(name, number)).unwrap();
    let first = odd.map(&mut next);
    let running = sandbox.start(&[]);
    sandbox.all_told(first.last().unwrap());
    for name in odd {
        rotate(name, b".log.1");
        sandbox.all_told(&next(name));
    }
    assert!(running.terminate().success());
    let mut all = Vec::new();
    for name in odd {
        rotate(name, b".log.2");
        all = next(name);
    }
    let _running = sandbox.start(&[]);
    sandbox.exactly_once(&all);
    let said = sandbox.stderr();
    assert!(!said.contains("were destroyed"), "{said}");
}

#[test]
fn what_is_no_file_is_named_once_and_waited_for_by_nobody() {
    let sandbox = Sandbox::delivering(&[], "");
    let mut series = Series::new(1);
    sandbox.log_lines("app.log", &mut series, 3);
    let mode = Mode::from_raw_mode(0o666);
    mknodat(CWD, sandbox.log("fifo.log"), FileType::Fifo, mode, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(sandbox.log("socket.log")).unwrap();
    fs::create_dir(sandbox.log("folder.log")).unwrap();
    symlink("/dev/zero", sandbox.log("zero.log")).unwrap();
    symlink("/dev/tty", sandbox.log("tty.log")).unwrap();
    symlink("/proc/kmsg", sandbox.log("kmsg.log")).unwrap();
    // Itself, and nothing.
    symlink("loop.log", sandbox.log("loop.log")).unwrap();
    symlink("nowhere", sandbox.log("nowhere.log")).unwrap();
    let mut odd = vec!["fifo", "socket", "folder", "zero", "kmsg"];
    // A device of its own may only be made by root.
    let device = rustix::fs::makedev(1, 5);
    if mknodat(
        CWD,
        sandbox.log("device.log"),
        FileType::CharacterDevice,
        mode,
        device,
    )
    .is_ok()
    {
        odd.push("device");
    }
    let mut running = sandbox.start(&[]);
    sandbox.all_told(std::slice::from_ref(&series));
    until("all are named", || {
        let said = sandbox.stderr();
        odd.iter().all(|name| said.contains(name))
    });
    for _ in 0..3 {
        // A new name each time, and so a sweep that looks at all the others again.
        fs::create_dir(sandbox.log(&format!("{}.d", series.count))).unwrap();
        sandbox.log_lines("app.log", &mut series, 1);
        sandbox.all_told(std::slice::from_ref(&series));
    }
    sandbox.exactly_once(&[series]);
    let said = sandbox.stderr();
    for name in odd {
        assert_eq!(said.matches(&format!("/{name}")).count(), 1, "{name}: {said}");
    }
    assert_eq!(running.exited(), None);
    until("it is healthy", || sandbox.finish(&["health"]).status.success());
}

#[test]
fn a_log_that_may_not_be_read_for_a_moment_at_each_rotation_is_told_whole() {
    let sandbox = Sandbox::delivering(&[], "");
    let Some(command) = as_nobody(&sandbox, "hazards", &["run"]) else {
        return;
    };
    fs::create_dir(sandbox.path("state")).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(sandbox.path("state"), Some(65_534), Some(65_534)).unwrap();
    }
    let log = sandbox.log("app.log");
    let mut written = vec![Series::new(0)];
    append(&log, &written[0].next(1));
    let _running = sandbox.spawn(command);
    sandbox.all_told(&written);
    for number in 1..=5 {
        fs::rename(&log, sandbox.log(&format!("app.log.{number}"))).unwrap();
        fs::write(&log, "").unwrap();
        // As logrotate does with `create 0600`, before it hands the file over.
        fs::set_permissions(&log, Permissions::from_mode(0o000)).unwrap();
        let mut series = Series::new(number);
        append_as_owner(&log, &series.next(3));
        written.push(series);
        let refused = |said: &str| said.matches("app.log: Permission denied").count();
        until("it is told", || refused(&sandbox.stderr()) == number as usize);
        fs::set_permissions(&log, Permissions::from_mode(0o644)).unwrap();
        sandbox.all_told(&written);
    }
    sandbox.exactly_once(&written);
}

/// Writes to a file that nobody may open, through a moment in which one may.
fn append_as_owner(path: &Path, text: &str) {
    if rustix::process::geteuid().is_root() {
        return append(path, text);
    }
    fs::set_permissions(path, Permissions::from_mode(0o200)).unwrap();
    append(path, text);
    fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
}

#[test]
fn a_file_that_is_far_behind_does_not_keep_new_lines_of_others_waiting() {
    let sandbox = Sandbox::delivering(&[], "");
    let busy = sandbox.open("a.log");
    let block = "all is well, nothing to see here\n".repeat(32 * 1024);
    for number in 0..32 {
        busy.write_all_at(block.as_bytes(), number * block.len() as u64)
            .unwrap();
    }
    sandbox.append("a.log", "CANARY of the busy file\n");
    let mut written: Vec<Series> = (1..=20).map(Series::new).collect();
    for series in &mut written {
        sandbox.log_lines(&format!("b{}.log", series.series), series, 1);
    }
    let _running = sandbox.start(&[]);
    sandbox.told("CANARY of the busy file");
    let told = sandbox.all_texts();
    let behind = told.split_once("CANARY of the busy file").unwrap().1;
    assert!(!behind.contains("ERROR"), "{told}");
    sandbox.exactly_once(&written);
}
