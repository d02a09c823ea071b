//! Processes that may not ask the kernel for events of files.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

/// Goes on as the program that it is given, which SIGSYS ends at its first call that begins to watch files: a filter of
/// system calls sees to that (seccomp(2); the numbers are those of asm/unistd.h). One that ends well has made no such
/// call. A tracer would show it, too; but strace now and then stops a thread at every call, and then what is judged by
/// what it has read in a minute starves.
pub const NO_EVENTS: [&str; 3] = [
    "python3",
    "-c",
    "import ctypes, os, platform, struct, sys\n\
     calls = {'x86_64': (253, 254, 294), 'aarch64': (26, 27)}[platform.machine()]\n\
     step = lambda code, jump, value: struct.pack('HBBI', code, jump, 0, value)\n\
     steps = [step(0x20, 0, 0)]\n\
     steps += [step(0x15, len(calls) - place, call) for place, call in enumerate(calls)]\n\
     steps += [step(0x06, 0, 0x7fff0000), step(0x06, 0, 0x80000000)]\n\
     code = ctypes.create_string_buffer(b''.join(steps))\n\
     program = ctypes.create_string_buffer(struct.pack('HxxxxxxP', len(steps), ctypes.addressof(code)))\n\
     prctl = ctypes.CDLL(None).prctl\n\
     zero = ctypes.c_ulong(0)\n\
     if prctl(38, ctypes.c_ulong(1), zero, zero, zero) or prctl(22, ctypes.c_ulong(2), program):\n\
     \x20   sys.exit('no filter of system calls')\n\
     os.execvp(sys.argv[1], sys.argv[1:])",
];

/// Whether calls can be forbidden here; says so if not, for a test that tests/skips.txt lists under this name.
pub fn events_can_be_forbidden(test: &str) -> bool {
    let mut probe = Command::new(NO_EVENTS[0]);
    let probe = probe.args(&NO_EVENTS[1..]).arg("true").stderr(Stdio::null());
    let can = probe.status().is_ok_and(|status| status.success());
    if !can {
        eprintln!("SKIP: {test}: no python3, or no filter of system calls");
    }
    can
}

/// Whether a process was ended because it asked for events.
pub fn asked_for_events(status: ExitStatus) -> bool {
    status.signal() == Some(rustix::process::Signal::SYS.as_raw())
}
