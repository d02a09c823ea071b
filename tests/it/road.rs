//! The main job: a line in a file reaches the phone.

use crate::support::{ME, Sandbox, total, until};

#[test]
fn a_line_in_a_file_reaches_the_phone() {
    let sandbox = Sandbox::new();
    sandbox.rules("[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"100ms\"\n");
    let running = sandbox.start(&[]);
    sandbox.append("app.log", "INFO fine\nERROR the disk is on fire\n");
    assert!(
        sandbox
            .api
            .journal()
            .wait(std::time::Duration::from_secs(30), |journal| !journal
                .messages(ME)
                .is_empty())
    );
    let text = sandbox.last_text();
    assert!(text.contains("the disk is on fire"), "{text}");
    assert!(text.contains("test-host"), "{text}");
    assert_eq!(total(&text), 1);
    assert!(running.terminate().success(), "{}", sandbox.stderr());
}

#[test]
fn a_second_process_is_refused_and_the_first_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.rules("[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"100ms\"\n");
    let running = sandbox.start(&[]);
    until("the first one started", || sandbox.stderr().contains("started"));
    let second = sandbox.finish(&["run"]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("in use by process"), "{said}");
    sandbox.append("app.log", "ERROR still here\n");
    until("the first one delivers", || {
        sandbox.last_text().contains("still here")
    });
    assert!(running.terminate().success());
}

#[test]
fn an_incident_ends_while_its_log_goes_on_with_other_lines() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(
        "[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"100ms\"\nevery = \"100ms\"\nquiet = \"1s\"\n",
    );
    let running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR once\n");
    until("it opens", || sandbox.last_text().contains("ERROR once"));
    // Batches without a match come faster than commits all the while.
    until("it is over although the log goes on", || {
        sandbox.append("app.log", "INFO all is well\n");
        sandbox.last_text().contains("over after")
    });
    assert!(running.terminate().success());
}
