//! A terminal with a program in it, and somebody who types.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::until;

/// stdin and stderr of the program are the terminal; its stdout is a pipe, since results go there.
pub struct Terminal {
    keyboard: File,
    /// All that the screen showed, what was typed included.
    screen: Arc<Mutex<Vec<u8>>>,
    /// How much of it stood there when the last question was answered: a question that is asked again is
    /// another one.
    answered: Cell<usize>,
    child: Child,
}

impl Terminal {
    /// Starts a program in a terminal of its own.
    pub fn start(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let open = || -> OwnedFd {
            rustix::fs::open(
                name.as_c_str(),
                OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
                Mode::empty(),
            )
            .unwrap()
        };
        command.stdin(open()).stderr(open()).stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        // It holds its ends of the terminal, and only the child may.
        drop(command);
        let keyboard = File::from(master);
        let screen = Arc::default();
        watch(keyboard.try_clone().unwrap(), Arc::clone(&screen));
        Self {
            keyboard,
            screen,
            answered: Cell::new(0),
            child,
        }
    }

    /// Waits for a question to stand last on the screen, and types the answer.
    #[track_caller]
    pub fn answer(&self, question: &str, answer: &str) {
        self.type_after(question, &format!("{answer}\n"));
    }

    /// Waits for a question, and ends the input as Ctrl-D does.
    #[track_caller]
    pub fn hang_up(&self, question: &str) {
        self.type_after(question, "\u{4}");
    }

    #[track_caller]
    fn type_after(&self, question: &str, keys: &str) {
        until(&format!("it asks {question}"), || {
            let screen = self.screen.lock().unwrap();
            let asked = screen[self.answered.get()..].ends_with(question.as_bytes());
            if asked {
                self.answered.set(screen.len());
            }
            asked
        });
        (&self.keyboard).write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end: how it went, stdout, and the screen.
    pub fn end(self) -> (ExitStatus, String, String) {
        let output = self.child.wait_with_output().unwrap();
        // The watcher holds the other half until the terminal has nothing more to show.
        until("the screen is complete", || Arc::strong_count(&self.screen) == 1);
        let screen = String::from_utf8(self.screen.lock().unwrap().clone()).unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        (output.status, stdout, screen.replace("\r\n", "\n"))
    }
}

/// Copies what the terminal shows until the last program has left it.
fn watch(mut terminal: File, screen: Arc<Mutex<Vec<u8>>>) {
    std::thread::spawn(move || {
        let mut bytes = [0; 1024];
        // Linux says EIO once nobody holds the other end.
        while let Ok(length @ 1..) = terminal.read(&mut bytes) {
            screen.lock().unwrap().extend_from_slice(&bytes[..length]);
        }
    });
}
