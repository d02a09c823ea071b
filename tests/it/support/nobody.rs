//! Another user.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::Sandbox;

/// Makes a folder that is nobody's alone, as a state folder has to be; where the tests run without root, their own.
pub fn folder_of_nobody(path: &Path) {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
}

/// The command as a user who is not root: `nobody`, or whoever runs the tests if that is not root. None where that
/// cannot be had; tests/skips.txt lists who asks, by `test`.
pub fn as_nobody(sandbox: &Sandbox, test: &str, args: &[&str]) -> Option<Command> {
    let plain = sandbox.command(args);
    if !rustix::process::geteuid().is_root() {
        return Some(plain);
    }
    fs::set_permissions(sandbox.folder(), Permissions::from_mode(0o755)).unwrap();
    let lowered = |program: &std::ffi::OsStr| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"])
            .arg(program);
        command
    };
    let reaches = lowered(plain.get_program()).arg("--version").output();
    if !reaches.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIP: {test}: no setpriv, or another user cannot reach the binary");
        return None;
    }
    let mut command = lowered(plain.get_program());
    command
        .args(plain.get_args())
        .env_clear()
        .current_dir(sandbox.folder());
    for (name, value) in plain.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    Some(command)
}
