//! What this machine can do.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::fault::Fault;

/// What there is to break things with.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is there or not, whatever the others are"
)]
pub struct Tools {
    /// strace, and the right to trace.
    pub strace: bool,
    /// A tmpfs may be mounted.
    pub mount: bool,
    /// A process may have a clock of its own.
    pub clock: bool,
    /// There is a program with crash points.
    pub failpoints: bool,
}

impl Tools {
    /// Looks around.
    pub fn find(failpoints: bool) -> Self {
        Self {
            strace: works("strace", &["-o", "/dev/null", "true"]),
            mount: works("unshare", &["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]),
            clock: works("unshare", &["--time", "--monotonic", "5", "true"]),
            failpoints,
        }
    }

    /// Why a fault cannot be had here; none when it can.
    pub fn cannot(self, fault: &Fault) -> Option<&'static str> {
        match fault {
            Fault::KillAtCall(..) | Fault::CallFails(..) if !self.strace => {
                Some("no strace that may trace here")
            }
            Fault::KillAtPoint(..) if !self.failpoints => Some("no program that was built with crash points"),
            Fault::Clock(_) if !self.clock => Some("no right to give a process a clock of its own"),
            _ => None,
        }
    }
}

/// A program that does not outlive the rig, where the machine can see to that: one that goes on after a rig that was
/// killed would only cost time.
pub fn mortal(program: &Path) -> Command {
    static CAN: LazyLock<bool> = LazyLock::new(|| works("setpriv", &["--pdeathsig", "KILL", "true"]));
    if !*CAN {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Whether it is there and ends well.
pub fn works(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
