//! What this machine can do.

use std::process::{Command, Stdio};

use crate::fault::Fault;

/// What there is to break things with.
#[derive(Clone, Copy, Debug)]
pub struct Tools {
    /// strace, and the right to trace.
    pub strace: bool,
    /// A tmpfs may be mounted.
    pub mount: bool,
    /// A process may have a clock of its own.
    pub clock: bool,
}

impl Tools {
    /// Looks around.
    pub fn find() -> Self {
        Self {
            strace: works("strace", &["-o", "/dev/null", "true"]),
            mount: works("unshare", &["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]),
            clock: works("unshare", &["--time", "--monotonic", "5", "true"]),
        }
    }

    /// Why a fault cannot be had here; none when it can.
    pub fn cannot(self, fault: &Fault) -> Option<&'static str> {
        match fault {
            Fault::KillAtCall(..) | Fault::CallFails(..) if !self.strace => {
                Some("no strace that may trace here")
            }
            Fault::Clock(_) if !self.clock => Some("no right to give a process a clock of its own"),
            _ => None,
        }
    }
}

fn works(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
