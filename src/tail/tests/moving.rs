//! A rotator counts its old files up while a new process looks for what the one before was reading.

use super::super::recover;
use super::*;

#[test]
fn a_file_whose_name_leads_elsewhere_since_it_was_listed_is_not_gone() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "one line\n");
    rig.turn().rename("app.log", "app.log.1");
    let position = rig.kill().positions.values().next().unwrap().clone();
    let listed = recover::siblings(&rig.path("app.log")).unwrap();

    rig.rename("app.log.1", "app.log.2");
    let (_, error) = recover::find(&position, &listed).unwrap_err();
    assert!(recover::is_moved(&error), "nothing lies there: {error}");

    rig.append("app.log.1", "another line\n");
    let (_, error) = recover::find(&position, &listed).unwrap_err();
    assert!(recover::is_moved(&error), "another file lies there: {error}");

    let listed = recover::siblings(&rig.path("app.log")).unwrap();
    assert!(recover::find(&position, &listed).unwrap().is_some());
}
