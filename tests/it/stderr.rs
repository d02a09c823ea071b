//! What becomes of the log on stderr never becomes of the messages.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use crate::support::{Running, Sandbox, total, until};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::unlimited();
    sandbox.rules_of_lines(
        "[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"0s\"\nevery = \"100ms\"\nquiet = \"1h\"\n",
    );
    sandbox
}

fn is_told(sandbox: &Sandbox, count: u64) -> bool {
    let text = sandbox.last_text();
    !text.is_empty() && total(&text) == count
}

#[test]
fn with_a_stderr_that_takes_nothing_it_delivers_and_ends_well() {
    for stderr in ["2>&-", "2>/dev/full", "2> >(exec true)"] {
        let sandbox = sandbox();
        let script = format!("exec \"$0\" \"$@\" {stderr}");
        let running = sandbox.start_under(&["bash", "-c", &script]);
        sandbox.append("app.log", "ERROR one\n");
        until(&format!("it is told with {stderr}"), || is_told(&sandbox, 1));
        assert_eq!(running.terminate().code(), Some(0), "{stderr}");
    }
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up_and_says_later_how_much_is_missing() {
    let sandbox = sandbox();
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(&writer, 4_096).unwrap();
    writer.write_all(&[b'-'; 4_096]).unwrap();
    let mut command = sandbox.command(&["--log-level", "debug", "run"]);
    let child = command.stderr(writer).spawn().unwrap();
    // The command holds the pipe, too.
    drop(command);
    let running = Running::from(child);
    sandbox.append("app.log", "ERROR one\n");
    until("it is told though its log goes nowhere", || is_told(&sandbox, 1));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = heard.clone();
    let listener = std::thread::spawn(move || {
        let mut buffer = [0; 1_024];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            ear.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
    });
    until("the pipe is empty", || heard.lock().unwrap().len() >= 4_096);
    sandbox.append("app.log", "ERROR two\n");
    until("the next line is told", || is_told(&sandbox, 2));
    assert!(running.terminate().success());
    listener.join().unwrap();
    let heard = String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
    let said = heard.trim_start_matches('-');
    let first = said.lines().find(|line| !line.is_empty()).unwrap();
    assert!(first.contains("lines missing here: "), "{said}");
}
