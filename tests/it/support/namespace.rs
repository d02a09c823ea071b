//! A mount namespace of a test's own. What is mounted in it nobody else sees, and all of it is gone with the last
//! process in it: a test that fails restores the machine by ending.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Running, Sandbox, until};

/// Dropped, everything in it is ended and unmounted.
pub struct Namespace {
    /// Keeps the namespace. It ends when its stdin does, and so with the test, however that ends.
    holder: Child,
}

impl Namespace {
    /// One that works; nothing where the system does not allow it. tests/skips.txt lists who asks, by `test`.
    pub fn new(test: &str) -> Option<Self> {
        let mut command = Command::new("unshare");
        command.args([
            "-m",
            "sh",
            "-c",
            "mount -t tmpfs none /mnt && echo ready && exec cat",
        ]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut said = String::new();
        let holder = command.spawn().ok().and_then(|mut holder| {
            BufReader::new(holder.stdout.take()?).read_line(&mut said).ok()?;
            Some(holder)
        });
        let Some(mut holder) = holder.filter(|_| said == "ready\n") else {
            eprintln!("SKIP: {test}: needs unshare, and the right to mount");
            return None;
        };
        // Whoever reads its stdout is gone, and it says nothing more.
        holder.stdout = None;
        Some(Self { holder })
    }

    fn inside(&self) -> [String; 5] {
        let pid = self.holder.id().to_string();
        ["nsenter", "-t", &pid, "-m", "--"].map(str::to_owned)
    }

    /// A command in it.
    pub fn command(&self, program: &str) -> Command {
        let [nsenter, args @ ..] = self.inside();
        let mut command = Command::new(nsenter);
        command.args(args).arg(program).stdin(Stdio::null());
        command
    }

    /// Runs a script of the shell in it, with arguments; it must succeed. What it printed.
    #[track_caller]
    pub fn run(&self, script: &str, args: &[&Path]) -> String {
        let output = self
            .command("sh")
            .args(["-euc", script, "sh"])
            .args(args)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The program in it.
    pub fn start(&self, sandbox: &Sandbox) -> Running {
        let inside = self.inside();
        sandbox.start_under(&inside.each_ref().map(String::as_str))
    }

    /// An absolute path in it, as seen from outside.
    pub fn path(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(path.strip_prefix("/").unwrap())
    }

    /// A file system on a loop device of its own, mounted at `at`. The device is let go with the mount.
    pub fn mount_image(&self, image: &Path, at: &Path) {
        let script = "d=$(losetup -f --show \"$1\"); mount \"$d\" \"$2\" || { losetup -d \"$d\"; exit 1; }; losetup -d \"$d\"";
        self.run(script, &[image, at]);
    }

    /// Takes it from there and mounts it again through another device, which is asked for before the first is let go.
    pub fn mount_image_elsewhere(&self, image: &Path, at: &Path) {
        let script = "d=$(losetup -f --show \"$1\"); umount \"$2\" && mount \"$d\" \"$2\" || { losetup -d \"$d\"; exit 1; }; \
                      losetup -d \"$d\"";
        self.run(script, &[image, at]);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// An empty ext4 of a few MiB in a file of the sandbox; nothing where there is no `mkfs.ext4`.
pub fn ext4(sandbox: &Sandbox, test: &str) -> Option<PathBuf> {
    let image = sandbox.path("image");
    fs::File::create(&image).unwrap().set_len(8 << 20).unwrap();
    let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("SKIP: {test}: needs mkfs.ext4");
        return None;
    }
    Some(image)
}

/// A folder served through FUSE, where faults can be ordered for the files in it.
pub struct Served {
    server: Child,
    faults: PathBuf,
}

impl Served {
    /// Serves `folder` at `at`; both lie in the sandbox. Nothing where the system has no FUSE.
    pub fn new(
        namespace: &Namespace,
        sandbox: &Sandbox,
        folder: &Path,
        at: &Path,
        test: &str,
    ) -> Option<Self> {
        let faults = sandbox.path("faults");
        fs::create_dir_all(&faults).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/passthrough.py");
        let mut command = namespace.command("python3");
        command.arg(script).args([folder, at, &faults]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut said = String::new();
        let server = command.spawn().ok().and_then(|mut server| {
            BufReader::new(server.stdout.take()?).read_line(&mut said).ok()?;
            Some(server)
        });
        let Some(server) = server.filter(|_| said == "ready\n") else {
            eprintln!("SKIP: {test}: needs python3, and FUSE");
            return None;
        };
        Some(Self { server, faults })
    }

    /// Every read of a file with this name hangs (`hang`), or fails with ESTALE (`stale`), until it is healed; `hang` for
    /// `EVERYTHING` leaves every question without an answer. Says when the first one does.
    pub fn order(&self, fault: &str, name: &str) {
        let order = self.faults.join(format!("{fault}-{name}"));
        fs::write(&order, "").unwrap();
    }

    /// Waits until a fault that was ordered has hit.
    #[track_caller]
    pub fn hit(&self, fault: &str, name: &str) {
        let hit = self.faults.join(format!("{fault}-{name}.hit"));
        until("the fault hits", || hit.exists());
    }

    pub fn heal(&self, fault: &str, name: &str) {
        fs::remove_file(self.faults.join(format!("{fault}-{name}"))).unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
