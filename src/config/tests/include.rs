//! `include`: several files that are one rules.toml.

use std::path::{Path, PathBuf};

use super::super::{Texts, load, reach};
use super::*;

const REST: &str = "[[rules]]\nname = \"first\"\nmatch = 'x'\n";

struct Folder(tempfile::TempDir);

impl Folder {
    /// A folder with these files.
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn load(&self) -> Result<Settings, Problems> {
        load(&self.path("rules.toml"), &Environment::default())
    }

    /// What is wrong, with the folder cut away.
    #[track_caller]
    fn wrong(&self) -> String {
        let text = self.load().map(|_| ()).unwrap_err().to_string();
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn names(settings: &Settings) -> Vec<&str> {
    settings
        .incident
        .rules
        .iter()
        .map(|rule| rule.name.as_str())
        .collect()
}

fn main_with(more: &str) -> String {
    format!("include = [\"rules.d/*.toml\"]\n{BASE}{REST}{more}")
}

#[test]
fn included_files_and_the_one_that_includes_them_are_one_rules_toml() {
    let folder = Folder::with(&[
        ("rules.toml", &main_with("[defaults]\nquiet = \"7m\"\n")),
        (
            "rules.d/b.toml",
            "[[rules]]\nname = \"b\"\nmatch = 'b'\nlogs = [\"web\"]\n",
        ),
        (
            "rules.d/a.toml",
            "\u{feff}[chats]\nops = 7\n[[logs]]\nname = \"web\"\nfiles = [\"/w/*.log\"]\n[[rules]]\nname = \"a\"\nmatch = 'a'\nchats = [\"ops\"]\n",
        ),
        ("rules.d/c.off", "rubbish"),
        ("rules.d/.hidden.toml", "rubbish"),
    ]);
    // Two chats, so rules have to name theirs.
    let first = main_with("").replace("match = 'x'", "match = 'x'\nchats = [\"me\"]");
    folder.write(
        "rules.toml",
        &format!("{first}[defaults]\nquiet = \"7m\"\nchats = [\"me\"]\n"),
    );
    let settings = folder.load().unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(names(&settings), ["first", "a", "b"]);
    assert_eq!(settings.telegram.chats.len(), 2);
    assert_eq!(
        settings.logs[1].scan.rules.len(),
        3,
        "every rule that names no log, and b"
    );
    assert!(
        settings
            .incident
            .rules
            .iter()
            .all(|rule| rule.quiet.as_secs() == 7 * 60)
    );
}

#[test]
fn problems_name_the_file_they_are_in() {
    let folder = Folder::with(&[
        ("rules.toml", &main_with("")),
        ("rules.d/a.toml", "[[rules]]\nname = \"a\"\nmatch = '('\n"),
        (
            "rules.d/b.toml",
            "[[rules]]\nname = \"first\"\nmatch = 'x'\nevry = 1\n",
        ),
        ("rules.d/c.toml", "\n\nnonsense\n"),
    ]);
    insta::assert_snapshot!(folder.wrong(), @r##"
    rules.d/a.toml:3:10: not a regular expression: unclosed group
      |
    3 | match = '('
      |          ^
      = help: close the group with `)`; a literal parenthesis is written \(

    rules.d/b.toml:2:8: there is a rule named "first" already, in line 8 of rules.toml
      |
    2 | name = "first"
      |        ^^^^^^^
      = help: give each rule its own name

    rules.d/b.toml:4:1: there is no key `evry` in [[rules]]
      |
    4 | evry = 1
      | ^^^^
      = help: did you mean `every`?

    rules.d/c.toml:3:9: this is not TOML: key with no value, expected `=`
      |
    3 | nonsense
      |         ^
      = help: a line is [table], [[table]], key = value or # comment

    4 problems
    "##);
}

#[test]
fn what_may_stand_once_is_told_where_it_stands_again() {
    let folder = Folder::with(&[
        ("rules.toml", &main_with("[health]\nread_within = \"1m\"\n")),
        (
            "rules.d/a.toml",
            "[health]\nread_within = \"2m\"\n[chats]\nme = 8\n[[logs]]\nname = \"app\"\nfiles = [\"/x\"]\n",
        ),
    ]);
    insta::assert_snapshot!(folder.wrong(), @r##"
    rules.toml:7:1: this rule must say which chats it tells, as there are several
      |
    7 | [[rules]]
      | ^^^^^^^^^
      = help: write chats = ["me", "me"] with those it is for, here or once below [defaults]

    rules.d/a.toml:1:1: `health` stands in line 10 of rules.toml already
      |
    1 | [health]
      | ^^^^^^^^
      = help: all files together are one rules.toml: keep one of them

    rules.d/a.toml:4:1: there is a chat named "me" already, in line 3 of rules.toml
      |
    4 | me = 8
      | ^^
      = help: give each chat its own name

    rules.d/a.toml:6:8: there is a log named "app" already, in line 5 of rules.toml
      |
    6 | name = "app"
      |        ^^^^^
      = help: give each log its own name

    4 problems
    "##);
}

#[test]
fn what_is_missing_and_what_leads_in_a_circle_is_told_where_it_is_included() {
    let folder = Folder::with(&[
        (
            "rules.toml",
            &format!(
                "include = [\"gone.toml\", \"away/*.toml\", \"a*/b.toml\", \"one.toml\", \"e/*.toml\"]\n{BASE}{REST}"
            ),
        ),
        ("one.toml", "include = \"two.toml\"\n"),
        ("two.toml", "include = [\"rules.toml\"]\n"),
        ("e/readme", ""),
    ]);
    insta::assert_snapshot!(folder.wrong(), @r##"
    rules.toml:1:12: gone.toml cannot be read: No such file or directory (os error 2)
      |
    1 | include = ["gone.toml", "away/*.toml", "a*/b.toml", "one.toml", "e/*.toml"]
      |            ^^^^^^^^^^^
      = help: check the path; in a container, check that the folder is mounted

    rules.toml:1:25: there is no folder away
      |
    1 | include = ["gone.toml", "away/*.toml", "a*/b.toml", "one.toml", "e/*.toml"]
      |                         ^^^^^^^^^^^^^
      = help: make it, mount it, or take the line out; paths are seen from this file's folder

    rules.toml:1:40: "a*/b.toml" has a wildcard before the last slash
      |
    1 | include = ["gone.toml", "away/*.toml", "a*/b.toml", "one.toml", "e/*.toml"]
      |                                        ^^^^^^^^^^^
      = help: name a file, or the files of one folder: include = ["rules.d/*.toml"]

    two.toml:1:12: this leads back to rules.toml
      |
    1 | include = ["rules.toml"]
      |            ^^^^^^^^^^^^
      = help: every file is read once anyway: include each from one place

    4 problems
    "##);
}

#[test]
fn a_pattern_that_reaches_nothing_yet_is_a_warning() {
    let folder = Folder::with(&[("rules.toml", &main_with("")), ("rules.d/readme", "")]);
    let settings = folder.load().unwrap_or_else(|problems| panic!("{problems}"));
    let warned: Vec<_> = settings
        .warnings
        .iter()
        .map(|warning| warning.what().to_owned())
        .collect();
    assert!(
        warned.contains(&"no file matches \"rules.d/*.toml\" yet".to_owned()),
        "{warned:?}"
    );
}

#[test]
fn a_file_that_two_patterns_reach_is_read_once() {
    let text = main_with("").replace("[\"rules.d/*.toml\"]", "[\"rules.d/*.toml\", \"rules.d/a.toml\"]");
    let folder = Folder::with(&[
        ("rules.toml", &text),
        ("rules.d/a.toml", "[[rules]]\nname = \"a\"\nmatch = 'a'\n"),
    ]);
    assert_eq!(names(&folder.load().unwrap()), ["first", "a"]);
}

#[test]
fn all_files_together_have_the_bound_of_one() {
    let long = format!("#{}\n", "x".repeat(super::super::MAX_FILE));
    let folder = Folder::with(&[("rules.toml", &main_with("")), ("rules.d/a.toml", &long)]);
    assert!(
        folder.wrong().contains("rules.d/a.toml is larger than"),
        "{}",
        folder.wrong()
    );
    let folder = Folder::with(&[("rules.toml", &main_with(""))]);
    for number in 0..120 {
        folder.write(&format!("rules.d/{number}.toml"), "# nothing\n");
    }
    assert_eq!(
        Texts::read(&folder.path("rules.toml"), &Environment::default())
            .files()
            .count(),
        100
    );
    assert!(
        folder.wrong().contains("100 files or more are one rules.toml"),
        "{}",
        folder.wrong()
    );
}

#[test]
fn what_is_kept_holds_every_file_and_is_the_beginning_of_what_it_was_cut_from() {
    let env = Environment::default();
    let folder = Folder::with(&[
        ("rules.toml", &main_with("")),
        ("rules.d/a.toml", "[[rules]]\nname = \"a\"\nmatch = 'a'\n"),
    ]);
    let path = folder.path("rules.toml");
    let whole = Texts::read(&path, &env);
    assert_eq!(Texts::recall(&whole.keep().unwrap(), &path).unwrap(), whole);
    assert!(!whole.is_beginning_of(&whole));
    folder.write("rules.d/a.toml", "[[rul");
    assert!(Texts::read(&path, &env).is_beginning_of(&whole), "cut");
    std::fs::remove_file(folder.path("rules.d/a.toml")).unwrap();
    assert!(
        Texts::read(&path, &env).is_beginning_of(&whole),
        "away for a moment"
    );
    folder.write("rules.d/a.toml", "something else");
    assert!(!Texts::read(&path, &env).is_beginning_of(&whole));
}

#[test]
fn the_way_to_telegram_may_stand_in_an_included_file() {
    let folder = Folder::with(&[
        ("rules.toml", &main_with("")),
        ("rules.d/t.toml", "[telegram]\nproxy = \"socks5h://p:1\"\n"),
        ("rules.d/x.toml", "[[rules]]\noops\n"),
    ]);
    let way = reach(Some(&folder.path("rules.toml")), &Environment::default()).unwrap();
    assert_eq!(way.telegram.proxy.as_deref(), Some("socks5h://p:1"));
    folder.write("rules.d/t.toml", "[telegram]\nproxy = 5\n");
    let problems = reach(Some(&folder.path("rules.toml")), &Environment::default()).unwrap_err();
    assert_eq!(
        problems.iter().next().unwrap().path(),
        Path::new(&folder.path("rules.d/t.toml"))
    );
}
