//! File systems that do what file systems do: use inodes again, come back under another number, copy files up, raise no
//! events, forget handles, hang, and show a single file of a folder.
//!
//! Each test has a mount namespace of its own; nothing outside it changes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use crate::support::{ME, Namespace, Sandbox, Series, Served, ext4, until};

/// A folder of the sandbox where something is to be mounted.
fn folder(sandbox: &Sandbox, name: &str) -> PathBuf {
    let folder = sandbox.path(name);
    fs::create_dir(&folder).unwrap();
    folder
}

fn append(path: &Path, text: &str) {
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// The next lines of a series, at the end of a file.
fn write(path: &Path, series: &mut Series, lines: u64) {
    append(path, &series.next(lines));
}

/// Device and inode.
fn id(path: &Path) -> (u64, u64) {
    let seen = fs::metadata(path).unwrap();
    (seen.dev(), seen.ino())
}

#[test]
fn a_file_in_a_used_inode_is_read_from_its_beginning() {
    let sandbox = Sandbox::unlimited();
    let disk = folder(&sandbox, "disk");
    sandbox.deliver(&[disk.join("*.log")], "");
    let Some(namespace) = Namespace::new("filesystems") else {
        return;
    };
    let Some(image) = ext4(&sandbox, "filesystems") else {
        return;
    };
    namespace.mount_image(&image, &disk);
    let log = namespace.path(&disk.join("app.log"));
    let mut written = Vec::new();
    let mut used = BTreeSet::new();
    let mut reused = 0;
    // Shorter than before, as long, and longer.
    for (round, lines) in [40, 10, 10, 60, 1, 2].into_iter().enumerate() {
        let _ = fs::remove_file(&log);
        let mut series = Series::new(u32::try_from(round).unwrap());
        write(&log, &mut series, lines);
        reused += u32::from(!used.insert(id(&log).1));
        written.push(series);
        let running = namespace.start(&sandbox);
        sandbox.all_told(&written);
        // Under its eyes: the descriptor it holds keeps the inode from being used.
        fs::remove_file(&log).unwrap();
        let mut series = Series::new(100 + u32::try_from(round).unwrap());
        write(&log, &mut series, lines);
        used.insert(id(&log).1);
        written.push(series);
        sandbox.all_told(&written);
        assert!(running.terminate().success());
    }
    assert!(
        reused >= 3,
        "the file system used an inode again {reused} times only"
    );
    let _running = namespace.start(&sandbox);
    sandbox.exactly_once(&written);
}

#[test]
fn a_file_under_another_device_number_goes_on_where_it_was_after_a_restart() {
    let sandbox = Sandbox::unlimited();
    let disk = folder(&sandbox, "disk");
    sandbox.deliver(&[disk.join("*.log")], "");
    let Some(namespace) = Namespace::new("filesystems") else {
        return;
    };
    let Some(image) = ext4(&sandbox, "filesystems") else {
        return;
    };
    namespace.mount_image(&image, &disk);
    let mut written = vec![Series::new(1), Series::new(2)];
    let log = |series: &Series| namespace.path(&disk.join(format!("{}.log", series.series)));
    for (series, lines) in written.iter_mut().zip([100, 1]) {
        write(&log(series), series, lines);
    }
    let before = id(&log(&written[0]));
    let running = namespace.start(&sandbox);
    sandbox.all_told(&written);
    assert!(running.terminate().success());
    namespace.mount_image_elsewhere(&image, &disk);
    let after = id(&log(&written[0]));
    assert!(
        before.0 != after.0 && before.1 == after.1,
        "{before:?}, {after:?}"
    );
    for series in &mut written {
        write(&log(series), series, 3);
    }
    let _running = namespace.start(&sandbox);
    sandbox.exactly_once(&written);
}

#[test]
fn a_folder_that_is_unmounted_and_mounted_again_goes_on_where_it_was() {
    let sandbox = Sandbox::unlimited();
    let (outside, inside) = (folder(&sandbox, "outside"), folder(&sandbox, "inside"));
    sandbox.deliver(&[inside.join("*.log")], "");
    let Some(namespace) = Namespace::new("filesystems") else {
        return;
    };
    let log = outside.join("app.log");
    let mut series = Series::new(1);
    write(&log, &mut series, 5);
    let _running = namespace.start(&sandbox);
    for _ in 0..3 {
        namespace.run("mount --bind \"$1\" \"$2\"", &[&outside, &inside]);
        sandbox.all_told(std::slice::from_ref(&series));
        namespace.run("umount -l \"$1\"", &[&inside]);
        write(&log, &mut series, 5);
    }
    namespace.run("mount --bind \"$1\" \"$2\"", &[&outside, &inside]);
    sandbox.exactly_once(&[series]);
}

#[test]
fn a_network_folder_that_comes_back_under_another_device_number_goes_on_where_it_was() {
    let sandbox = Sandbox::unlimited();
    let (outside, inside) = (folder(&sandbox, "outside"), folder(&sandbox, "inside"));
    sandbox.deliver(&[inside.join("*.log")], "");
    let Some(namespace) = Namespace::new("filesystems") else {
        return;
    };
    let serve = || Served::new(&namespace, &sandbox, &outside, &inside, "filesystems");
    let Some(mut server) = serve() else { return };
    let mut written = vec![Series::new(1), Series::new(2)];
    let log = |series: &Series| outside.join(format!("{}.log", series.series));
    let write_all = |written: &mut Vec<Series>, lines| {
        for (series, lines) in written.iter_mut().zip(lines) {
            write(&log(series), series, lines);
        }
    };
    write_all(&mut written, [100, 1]);
    let _running = namespace.start(&sandbox);
    sandbox.all_told(&written);
    let seen = namespace.path(&inside.join("1.log"));
    for _ in 0..3 {
        let before = id(&seen);
        namespace.run("umount -l \"$1\"", &[&inside]);
        write_all(&mut written, [3, 3]);
        let Some(another) = serve() else { return };
        // The old one serves the descriptors that are still held until here.
        let after = id(&seen);
        assert!(
            before.0 != after.0 && before.1 == after.1,
            "{before:?}, {after:?}"
        );
        sandbox.all_told(&written);
        write_all(&mut written, [1, 1]);
        sandbox.all_told(&written);
        server = another;
    }
    sandbox.exactly_once(&written);
    drop(server);
}

#[test]
fn a_file_that_an_overlay_copies_up_goes_on_where_it_was() {
    let sandbox = Sandbox::unlimited();
    let merged = folder(&sandbox, "merged");
    sandbox.deliver(&[merged.join("*.log")], "");
    let Some(namespace) = Namespace::new("filesystems") else {
        return;
    };
    // As an image and a container's own layer, on different file systems.
    namespace.run(
        "mkdir /mnt/lower /mnt/upper; mount -t tmpfs none /mnt/upper; mkdir /mnt/upper/up /mnt/upper/work",
        &[],
    );
    let mut written = vec![Series::new(1), Series::new(2)];
    for series in &mut written {
        let lower = namespace.path(Path::new("/mnt/lower"));
        write(&lower.join(format!("{}.log", series.series)), series, 40);
    }
    let mount = "mount -t overlay overlay -o xino=off,lowerdir=/mnt/lower,upperdir=/mnt/upper/up,workdir=/mnt/upper/work \"$1\"";
    namespace.run(mount, &[&merged]);
    let log = |series: &Series| namespace.path(&merged.join(format!("{}.log", series.series)));
    let running = namespace.start(&sandbox);
    sandbox.all_told(&written);
    write(&log(&written[0]), &mut written[0], 3);
    let copied = namespace.path(Path::new("/mnt/upper/up/1.log"));
    assert!(copied.exists(), "it was copied up");
    sandbox.all_told(&written);
    assert!(running.terminate().success());
    write(&log(&written[1]), &mut written[1], 3);
    namespace.run(&format!("umount \"$1\"; {mount}"), &[&merged]);
    let _running = namespace.start(&sandbox);
    sandbox.exactly_once(&written);
}

#[test]
fn on_a_file_system_without_events_rotations_lose_and_double_nothing() {
    let sandbox = Sandbox::unlimited();
    let (outside, inside) = (folder(&sandbox, "outside"), folder(&sandbox, "inside"));
    sandbox.deliver(&[inside.join("*.log")], "");
    let Some(namespace) = Namespace::new("filesystems") else {
        return;
    };
    let Some(_server) = Served::new(&namespace, &sandbox, &outside, &inside, "filesystems") else {
        return;
    };
    let log = outside.join("app.log");
    let mut written = vec![Series::new(0)];
    write(&log, &mut written[0], 3);
    let _running = namespace.start(&sandbox);
    sandbox.all_told(&written);
    for number in 1..=3 {
        let mut late = File::options().append(true).open(&log).unwrap();
        let aside = |number: u32| outside.join(format!("app.log.{number}"));
        for old in (1..number).rev() {
            fs::rename(aside(old), aside(old + 1)).unwrap();
        }
        fs::rename(&log, aside(1)).unwrap();
        let mut series = Series::new(number);
        write(&log, &mut series, 3);
        let old = written.last_mut().unwrap();
        late.write_all(old.next(2).as_bytes()).unwrap();
        written.push(series);
        sandbox.all_told(&written);
        let before = written.len() - 2;
        late.write_all(written[before].next(1).as_bytes()).unwrap();
    }
    sandbox.exactly_once(&written);
}

#[test]
fn a_handle_that_went_stale_is_told_and_read_again_and_stops_no_other_file() {
    let sandbox = Sandbox::unlimited();
    let (outside, inside) = (folder(&sandbox, "outside"), folder(&sandbox, "inside"));
    sandbox.deliver(&[inside.join("*.log")], "");
    let Some(namespace) = Namespace::new("filesystems") else {
        return;
    };
    let Some(server) = Served::new(&namespace, &sandbox, &outside, &inside, "filesystems") else {
        return;
    };
    let mut written = vec![Series::new(1), Series::new(2)];
    let log = |series: &Series| outside.join(format!("{}.log", series.series));
    for series in &mut written {
        write(&log(series), series, 30);
    }
    let _running = namespace.start(&sandbox);
    sandbox.all_told(&written);
    server.order("stale", "1.log");
    let other = written[1].clone();
    for series in &mut written {
        write(&log(series), series, 3);
    }
    server.hit("stale", "1.log");
    sandbox.told("00002-000032");
    until("it is told", || {
        sandbox.stderr().contains("1.log failed: Stale file handle")
    });
    assert!(other.count == 30 && !sandbox.all_texts().contains("00001-000030"));
    server.heal("stale", "1.log");
    sandbox.exactly_once(&written);
}

/// Two logs behind FUSE and one on the disk are followed; then something of what is behind FUSE hangs.
fn beside_what_hangs(hangs: &str, behind_too: bool) {
    let sandbox = Sandbox::unlimited();
    let (outside, inside) = (folder(&sandbox, "outside"), folder(&sandbox, "inside"));
    // By way of a link, too: where a path leads must be found out without asking who does not answer.
    symlink(&inside, sandbox.path("link")).unwrap();
    let logs = [sandbox.path("link").join("app.log"), inside.join("be*.log")];
    sandbox.deliver(&logs, "[health]\nread_within = \"15s\"\n");
    let Some(namespace) = Namespace::new("filesystems") else {
        return;
    };
    let Some(server) = Served::new(&namespace, &sandbox, &outside, &inside, "filesystems") else {
        return;
    };
    let (app, beside) = (outside.join("app.log"), outside.join("beside.log"));
    let mut written = vec![Series::new(1), Series::new(2), Series::new(3)];
    let last = |series: &Series| format!("{:05}-{:06}", series.series, series.count - 1);
    write(&app, &mut written[0], 3);
    write(&beside, &mut written[1], 3);
    sandbox.log_lines("near.log", &mut written[2], 3);
    let running = namespace.start(&sandbox);
    sandbox.all_told(&written);
    for round in 1..=2 {
        server.order("hang", hangs);
        write(&app, &mut written[0], 3);
        server.hit("hang", hangs);
        // What is read now is read beside what hangs.
        write(&beside, &mut written[1], 3);
        sandbox.log_lines("near.log", &mut written[2], 3);
        for series in &written[if behind_too { 1 } else { 2 }..] {
            sandbox.told(&last(series));
        }
        let told = |what: &str| sandbox.stderr().matches(what).count();
        until("it is told", || told("gives no answer") >= round);
        let health = sandbox.finish(&["health"]);
        assert!(
            health.status.success(),
            "{}",
            String::from_utf8_lossy(&health.stderr)
        );
        assert!(
            !sandbox.all_texts().contains(&last(&written[0])),
            "it did not hang"
        );
        server.heal("hang", hangs);
        sandbox.all_told(&written);
        until("it is told that it goes on", || told("can be read now") >= round);
    }
    assert!(running.memory("Threads") < 20);
    sandbox.exactly_once(&written);
}

#[test]
fn a_read_that_hangs_keeps_no_other_file_waiting_and_loses_nothing() {
    beside_what_hangs("app.log", true);
}

#[test]
fn a_file_system_that_answers_nothing_keeps_no_other_waiting_and_loses_nothing() {
    beside_what_hangs("EVERYTHING", false);
}

#[test]
fn a_log_that_is_mounted_as_a_single_file_is_told_at_the_start_and_when_it_was_rotated_outside() {
    let sandbox = Sandbox::unlimited();
    // Through a link, as /logs may be.
    std::os::unix::fs::symlink("logs", sandbox.path("link")).unwrap();
    sandbox.rules_toml(&format!(
        "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n[chats]\nme = {ME}\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\n\
         [[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"0s\"\nevery = \"100ms\"\n",
        sandbox.path("link").display()
    ));
    let Some(namespace) = Namespace::new("filesystems") else {
        return;
    };
    let outside = sandbox.path("outside.log");
    append(&outside, "ERROR one\n");
    sandbox.append("app.log", "").append("plain.log", "");
    namespace.run("mount --bind \"$1\" \"$2\"", &[&outside, &sandbox.log("app.log")]);
    let _running = namespace.start(&sandbox);
    sandbox.told("app.log. When they are rotated outside, that is not seen here: mount their folder instead, and restart");
    assert!(
        !sandbox.all_texts().contains("plain.log"),
        "{}",
        sandbox.all_texts()
    );
    let said = sandbox.stderr();
    let line = said
        .lines()
        .find(|line| line.contains("log files are mounted one by one"));
    assert!(
        line.is_some_and(|line| line.contains("ERROR") && line.contains("app.log")),
        "{said}"
    );
    fs::rename(&outside, sandbox.path("outside.log.1")).unwrap();
    append(&outside, "ERROR unseen\n");
    sandbox.told("is mounted as a single file and was replaced outside");
    // What is written to the old one still arrives.
    append(&sandbox.path("outside.log.1"), "ERROR late\n");
    sandbox.told("ERROR late");
    assert!(!sandbox.all_texts().contains("unseen"));
}
