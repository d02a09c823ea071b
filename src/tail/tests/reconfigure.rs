//! The laws of other settings while files are held.

use super::*;

/// [`Rig::change`], for other laws.
pub(super) fn changed(rig: &mut Rig, change: impl FnOnce(&mut Settings)) {
    rig.change(change);
}

impl Rig {
    /// Other globs for the log `app`, while the process runs.
    fn change(&mut self, change: impl FnOnce(&mut Settings)) -> &mut Self {
        change(&mut self.settings);
        let let_go = self.tailer.as_mut().unwrap().reconfigure(self.settings.clone());
        for position in let_go.positions {
            self.positions.insert(position.key.0, position);
        }
        for key in let_go.forgotten {
            self.positions.remove(&key.0);
        }
        self
    }

    fn glob(&self, glob: &str) -> Glob {
        Glob::parse(self.path(glob).to_str().unwrap()).unwrap()
    }

    /// Another log with this glob, before the others or behind them.
    fn log(&self, name: &str, glob: &str, start: Start) -> LogSettings {
        LogSettings {
            name: LogName::new(name),
            files: vec![self.glob(glob)],
            start,
            ..self.settings.logs[0].clone()
        }
    }
}

#[test]
fn a_file_that_stays_reached_goes_on_where_it_was_half_lines_included() {
    let mut rig = Rig::new(&["a.log"]);
    rig.append("a.log", "one\ntw");
    rig.turn();
    let all = rig.glob("*.log");
    rig.change(|settings| settings.logs[0].files = vec![all]);
    rig.append("a.log", "o\nthree\n");
    rig.after(1).after(1).expect(&["one\n", "two\n", "three\n"]);
}

#[test]
fn a_deleted_file_is_read_to_its_end_through_other_settings() {
    let mut rig = Rig::new(&["a.log"]);
    let mut file = rig.append("a.log", "one\n");
    rig.turn();
    fs::remove_file(rig.path("a.log")).unwrap();
    file.write_all(b"two\n").unwrap();
    let all = rig.glob("*.log");
    rig.change(|settings| settings.logs[0].files = vec![all]);
    rig.after(1);
    file.write_all(b"three\n").unwrap();
    rig.after(1).expect(&["one\n", "two\n", "three\n"]);
    assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
}

#[test]
fn a_rotation_around_the_change_of_settings_loses_nothing() {
    let mut rig = Rig::new(&["a.log"]);
    rig.append("a.log", "one\n");
    rig.turn();
    rig.append("a.log", "two\n");
    rig.rename("a.log", "a.log.1");
    let all = rig.glob("*.log");
    rig.change(|settings| settings.logs[0].files = vec![all]);
    rig.append("a.log", "three\n");
    rig.after(1).after(1).expect(&["one\n", "two\n", "three\n"]);
}

#[test]
fn a_file_that_no_glob_reaches_any_more_is_let_go_and_goes_on_when_one_does_again() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", "one\n");
    rig.append("b.log", "eins\n");
    rig.turn();
    let only_a = vec![rig.glob("a.log")];
    rig.change(|settings| settings.logs[0].files = only_a);
    rig.append("a.log", "two\n");
    rig.append("b.log", "zwei\n");
    for _ in 0..3 {
        rig.after(1);
    }
    rig.expect(&["one\n", "eins\n", "two\n"]);
    // The store knows where it stopped, whether the process lives on or not.
    for restart in [false, true] {
        if restart {
            rig.kill();
            rig.after(1);
        }
        let all = vec![rig.glob("*.log")];
        rig.change(|settings| settings.logs[0].files = all);
        rig.after(1);
        let only_a = vec![rig.glob("a.log")];
        rig.change(|settings| settings.logs[0].files = only_a);
        rig.append("b.log", "drei\n");
        rig.after(1);
    }
    rig.expect(&["one\n", "eins\n", "two\n", "zwei\n", "drei\n"]);
}

#[test]
fn a_new_log_begins_where_its_start_says_and_one_that_came_back_where_it_stopped() {
    let mut rig = Rig::new(&["a.log"]);
    rig.append("a.log", "a1\n");
    rig.append("b.log", "b1\n");
    rig.append("c.log", "c1\n");
    rig.turn();
    let end = rig.log("b", "b.log", Start::End);
    let beginning = rig.log("c", "c.log", Start::Beginning);
    rig.change(|settings| settings.logs.extend([end.clone(), beginning]));
    rig.after(1);
    rig.append("b.log", "b2\n");
    rig.after(1);
    rig.expect(&["a1\n", "c1\n", "b2\n"]);
    rig.change(|settings| settings.logs.truncate(1));
    rig.append("b.log", "b3\n");
    rig.after(1);
    rig.expect(&["a1\n", "c1\n", "b2\n"]);
    rig.change(|settings| settings.logs.insert(0, end));
    rig.after(1).expect(&["a1\n", "c1\n", "b2\n", "b3\n"]);
}

#[test]
fn indexes_of_logs_follow_their_order() {
    let mut rig = Rig::new(&["a.log"]);
    rig.append("a.log", "a1\n");
    rig.append("b.log", "b1\n");
    rig.turn();
    let other = rig.log("b", "b.log", Start::Beginning);
    rig.change(|settings| settings.logs.insert(0, other));
    rig.append("a.log", "a2\n");
    rig.after(1);
    let files = rig.tailer.as_ref().unwrap().files();
    let of = |name: &str| {
        let path = rig.path(name).display().to_string();
        files.iter().find(|file| file.path == path).unwrap().log.clone()
    };
    assert_eq!((of("a.log").as_str(), of("b.log").as_str()), ("app", "b"));
    // A change that takes the first one away again leaves no index behind that points nowhere.
    rig.change(|settings| drop(settings.logs.remove(0)));
    rig.append("a.log", "a3\n");
    rig.after(1).expect(&["a1\n", "a2\n", "b1\n", "a3\n"]);
}

#[test]
fn a_log_that_is_missing_is_told_once_whatever_else_changes() {
    let mut rig = Rig::new(&["a.log"]);
    rig.turn();
    assert_eq!(rig.notes.len(), 1);
    let other = rig.log("b", "b.log", Start::Beginning);
    rig.change(|settings| settings.logs.push(other));
    rig.after(1);
    assert_eq!(rig.notes.len(), 2, "{:?}", rig.notes);
    rig.change(|settings| settings.logs.truncate(1));
    rig.after(1);
    assert_eq!(rig.notes.len(), 2, "{:?}", rig.notes);
    let waiting = rig.tailer.as_ref().unwrap().files();
    assert_eq!(
        waiting.len(),
        1,
        "a log that is gone waits for nothing: {waiting:?}"
    );
}

proptest! {
    /// Whatever the settings become, and whenever: a file that a glob reaches all the time is read once and whole.
    #[test]
    fn no_change_of_settings_loses_or_doubles_a_line(
        steps in proptest::collection::vec(0_u8..6, 1..40),
    ) {
        let mut rig = Rig::new(&["a.log"]);
        let mut written = Vec::new();
        let mut files = vec![rig.append("a.log", "")];
        for (nth, step) in steps.into_iter().enumerate() {
            match step {
                0 | 1 => {
                    let line = format!("{nth}\n");
                    let newest = files.last_mut().unwrap();
                    newest.write_all(line.as_bytes()).unwrap();
                    written.push(line);
                }
                2 => {
                    rig.after(1);
                }
                3 if rig.tailer.is_some() => {
                    let files = vec![rig.glob(if nth % 2 == 0 { "*.log" } else { "a.log" })];
                    rig.change(|settings| {
                        if let Some(log) = settings.logs.last_mut() {
                            log.files = files;
                        }
                    });
                }
                4 if rig.tailer.is_some() => {
                    let other = rig.log(&format!("l{}", nth % 3), "nothing*", Start::End);
                    rig.change(|settings| {
                        if settings.logs.len() > 1 {
                            settings.logs.retain(|log| log.name.as_str() == "app");
                        } else {
                            settings.logs.insert(0, other);
                        }
                    });
                }
                5 => {
                    rig.after(1);
                    rig.rename("a.log", &format!("a.log.{nth}"));
                    files.push(rig.append("a.log", ""));
                }
                _ => {}
            }
        }
        rig.after(1).after(1).after(1);
        prop_assert_eq!(rig.lines(), written);
        prop_assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
    }
}
