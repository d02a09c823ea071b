//! `init`: two files to start from, that work as they stand.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tailgram::config::{self, Environment};
use yaml_rust2::{Yaml, YamlLoader};

use crate::schema::Judge;
use crate::support::{ME, Sandbox, Terminal};

/// `init` in the sandbox's folder, with no answer from the environment.
fn init(sandbox: &Sandbox, args: &[&str]) -> Output {
    command(sandbox, args).output().unwrap()
}

fn command(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = sandbox.command(&["init"]);
    command
        .args(args)
        .env_remove("TAILGRAM_CONFIG")
        .env_remove("TELEGRAM_BOT_TOKEN");
    command.env("TAILGRAM_HOST", "web-1");
    command
}

/// The same, which must succeed; what it prints.
#[track_caller]
fn done(sandbox: &Sandbox, args: &[&str]) -> String {
    let output = init(sandbox, args);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "", "stderr is silent");
    String::from_utf8(output.stdout).unwrap()
}

/// Refused with this exit code and these words.
#[track_caller]
fn refused(output: &Output, code: i32, words: &[&str]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said:?}");
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The commands of a printed page, from one line to another.
fn commands<'p>(page: &'p str, from: &str, to: &str) -> Vec<&'p str> {
    let part = page.split_once(from).unwrap().1.split_once(to).unwrap().0;
    part.lines()
        .filter_map(|line| line.strip_prefix("    "))
        .collect()
}

/// Runs commands as a person would paste them, with the binary on the PATH.
#[track_caller]
fn paste(sandbox: &Sandbox, commands: &[&str]) -> String {
    let plain = sandbox.command(&[]);
    let bin = Path::new(plain.get_program()).parent().unwrap();
    let output = Command::new("/bin/sh")
        .args(["-ec", &commands.join("\n")])
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("TELEGRAM_API_URL", sandbox.api.url())
        .env("TZ", "UTC")
        .current_dir(sandbox.folder())
        .output()
        .unwrap();
    assert!(output.status.success(), "{commands:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn both_files_and_what_to_do_next_are_told() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!("next", done(&sandbox, &["deploy"]));
    assert_eq!(names(&sandbox.path("deploy")), ["compose.yaml", "rules.toml"]);
    let file = |name: &str| fs::read_to_string(sandbox.path("deploy").join(name)).unwrap();
    insta::assert_snapshot!("rules", file("rules.toml"));
    insta::assert_snapshot!("compose", file("compose.yaml"));
}

#[test]
fn flags_stand_in_the_files_and_are_not_told_to_be_set() {
    let sandbox = Sandbox::new();
    let args = [
        "--watch",
        "logs/*.log",
        "--watch",
        "/var/log/nginx/*.log",
        "--chat",
        "-1001234567890",
    ];
    insta::assert_snapshot!("next_with_flags", done(&sandbox, &args));
    let rules = fs::read_to_string(sandbox.path("rules.toml")).unwrap();
    assert!(rules.contains("\nme = -1001234567890\n"), "{rules}");
    assert!(
        rules.contains("\nfiles = [\n    \"logs/*.log\",\n    \"/var/log/nginx/*.log\",\n]\n"),
        "{rules}"
    );
    let compose = fs::read_to_string(sandbox.path("compose.yaml")).unwrap();
    assert!(!compose.contains("TELEGRAM_CHAT_ID"), "{compose}");
}

#[test]
fn the_commands_that_it_prints_work_as_they_stand() {
    let sandbox = Sandbox::new();
    let page = done(&sandbox, &["it's here"]);
    let rehearse = commands(&page, "See what", "Then send it");
    let printed = paste(&sandbox, &rehearse);
    assert!(printed.contains("is fine: 5 rules"), "{printed}");
    assert!(printed.contains("reaches nothing yet"), "{printed}");

    // A line for every rule; the folder was made by the commands.
    let lines = "a line\n12:01 ERROR disk 7 is full\nTraceback (most recent call last):\njava.lang.OutOfMemoryError: heap\n\
                 redis: connection refused\nsshd: Failed password for root from 203.0.113.7 port 22\n";
    fs::write(sandbox.path("it's here/logs/app.log"), lines).unwrap();
    let printed = paste(&sandbox, &rehearse);
    for rule in ["error", "crash", "out-of-memory", "database-away", "login-failed"] {
        assert!(
            printed.contains(&format!(" {rule} on ")),
            "{rule} is not in {printed}"
        );
    }
    assert_eq!(
        names(&sandbox.path("it's here")),
        ["compose.yaml", "logs", "rules.toml"]
    );
}

#[test]
fn with_a_token_and_a_chat_the_commands_reach_the_phone() {
    let sandbox = Sandbox::new();
    let page = done(&sandbox, &[]);
    let mut send = commands(&page, "Then send it", "Or in Docker");
    assert_eq!(send.pop(), Some("tailgram run"), "which does not end by itself");
    let filled = send.join("\n").replace("CHAT_ID=…", &format!("CHAT_ID={ME}"));
    let filled = filled.replace("TOKEN=…", &format!("TOKEN={}", sandbox.api.token()));
    paste(&sandbox, &[&filled]);
    assert_eq!(sandbox.last_text(), "hello");
}

#[test]
fn what_it_writes_passes_check_and_is_right_to_editors() {
    let sandbox = Sandbox::new();
    let judge = Judge::new();
    for (dir, args) in [
        ("plain", &[][..]),
        ("group", &["--chat", "-1001234567890"]),
        ("channel", &["--chat", "@my_channel"]),
        ("two", &["--watch", "a/*.log", "--watch", "/var/log/b/**/*.log"]),
    ] {
        done(&sandbox, &[&[dir], args].concat());
        let check = sandbox.finish(&["check", &format!("{dir}/rules.toml")]);
        assert!(check.status.success(), "{}", said(&check));
        assert_eq!(said(&check), "", "there is nothing to warn about");
        let text = fs::read_to_string(sandbox.path(dir).join("rules.toml")).unwrap();
        assert_eq!(judge.judge(&text), Ok(()), "{text}");
    }
}

/// What compose.yaml says of the service: where it starts, and its mounts from the folders outside.
fn container(dir: &Path) -> (PathBuf, BTreeMap<PathBuf, PathBuf>) {
    let text = fs::read_to_string(dir.join("compose.yaml")).unwrap();
    let documents = YamlLoader::load_from_str(&text).unwrap();
    let service = &documents[0]["services"]["tailgram"];
    let mut mounts = BTreeMap::new();
    for volume in service["volumes"].as_vec().unwrap() {
        // Compose takes `$$` for a dollar in every string.
        let text = |value: &Yaml| {
            let text = value.as_str().unwrap();
            assert!(!text.replace("$$", "").contains('$'), "a variable in {text}");
            text.replace("$$", "$")
        };
        let (source, target) = if let Some(short) = volume.as_str() {
            let parts: Vec<_> = short.split(':').map(str::to_owned).map(Yaml::String).collect();
            if text(&parts[0]) == "state" {
                continue;
            }
            assert!(parts.len() == 3 && parts[2].as_str() == Some("ro"), "{short}");
            (text(&parts[0]), text(&parts[1]))
        } else {
            assert_eq!(
                (volume["type"].as_str(), volume["read_only"].as_bool()),
                (Some("bind"), Some(true))
            );
            (text(&volume["source"]), text(&volume["target"]))
        };
        mounts.insert(PathBuf::from(target), dir.join(source));
    }
    let here = service["working_dir"].as_str().unwrap_or("/");
    (PathBuf::from(here), mounts)
}

/// The file of the machine that a path inside the container leads to.
fn outside(mounts: &BTreeMap<PathBuf, PathBuf>, inside: &Path) -> PathBuf {
    let above = inside.ancestors().find(|folder| mounts.contains_key(*folder));
    let above = above.unwrap_or_else(|| panic!("{} is not mounted: {mounts:?}", inside.display()));
    mounts[above].join(inside.strip_prefix(above).unwrap())
}

#[test]
fn whatever_a_path_is_made_of_the_files_mean_it_on_the_machine_and_in_the_container() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("deploy [1] {x}");
    // As typed, the file that it must reach, seen from DIR.
    let elsewhere = sandbox.path("else where/\"a.log");
    for (typed, file) in [
        ("logs/*.log", "logs/app.log"),
        ("*.txt", "top.txt"),
        ("./a/../b//*.log", "b/1.log"),
        ("with space/it's \"quoted\".log", "with space/it's \"quoted\".log"),
        ("'''/\"\"\"/#*.log", "'''/\"\"\"/#1.log"),
        ("${HOME}/$x/$$y/${*.log", "${HOME}/$x/$$y/${1.log"),
        ("$${A}/$${.log", "$${A}/$${.log"),
        ("back\\\\slash/\\[a\\]/*.log", "back\\slash/[a]/1.log"),
        ("co:lon/: #/- x/*.log", "co:lon/: #/- x/1.log"),
        ("한글/é*.log", "한글/é1.log"),
        ("<CHAT>/<FILES>/*.log", "<CHAT>/<FILES>/1.log"),
        ("../next door/*.log", "../next door/1.log"),
        (elsewhere.to_str().unwrap(), "../else where/\"a.log"),
    ] {
        let real = dir.join(file);
        fs::create_dir_all(real.parent().unwrap()).unwrap();
        fs::write(&real, "ERROR\n").unwrap();
        done(&sandbox, &[dir.to_str().unwrap(), "--force", "--watch", typed]);
        let settings = config::load(&dir.join("rules.toml"), &Environment::default()).unwrap();
        let glob = &settings.tail.logs[0].files[0];

        // On the machine: the walk of `check --logs`, started in DIR.
        let listed = sandbox
            .command(&["check", "--logs", "rules.toml"])
            .current_dir(&dir)
            .output()
            .unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(
            listed.contains("  6 B, plain\n"),
            "{typed}: {} in {listed}",
            glob.source()
        );

        // In the container: the same file, behind the mounts.
        let (here, mounts) = container(&dir);
        let seen = if glob.source().starts_with('/') {
            real.canonicalize().unwrap()
        } else {
            PathBuf::from(file)
        };
        assert!(
            glob.matches(&seen),
            "{typed}: {} and {}",
            glob.source(),
            seen.display()
        );
        let there = outside(&mounts, &here.join(&seen));
        assert_eq!(
            there.canonicalize().unwrap(),
            real.canonicalize().unwrap(),
            "{typed}"
        );
        fs::remove_file(&real).unwrap();
    }
}

#[test]
fn a_home_is_filled_in_and_a_name_stays_a_name() {
    let sandbox = Sandbox::new();
    let output = command(&sandbox, &["--watch", "~/log/*.log", "--chat", " @my_channel "])
        .env("HOME", "/srv/me")
        .env("TAILGRAM_HOST", "a \"b\" ${C} #d")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let rules = fs::read_to_string(sandbox.path("rules.toml")).unwrap();
    assert!(rules.contains("\nfiles = [\"/srv/me/log/*.log\"]\n"), "{rules}");
    assert!(rules.contains("\nme = \"@my_channel\"\n"), "{rules}");
    let compose = fs::read_to_string(sandbox.path("compose.yaml")).unwrap();
    let documents = YamlLoader::load_from_str(&compose).unwrap();
    let host = &documents[0]["services"]["tailgram"]["environment"]["TAILGRAM_HOST"];
    assert_eq!(host.as_str(), Some("a \"b\" $${C} #d"));
}

#[test]
fn the_container_has_no_right_that_it_does_not_need() {
    let sandbox = Sandbox::new();
    done(&sandbox, &[]);
    let parse = |text: &str| YamlLoader::load_from_str(text).unwrap().remove(0);
    let ours = parse(&fs::read_to_string(sandbox.path("compose.yaml")).unwrap());
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose.yaml");
    let theirs = parse(&fs::read_to_string(repository).unwrap());
    let service = |file: &Yaml| file["services"]["tailgram"].clone();
    for key in [
        "image",
        "restart",
        "secrets",
        "read_only",
        "cap_drop",
        "security_opt",
    ] {
        assert!(!service(&ours)[key].is_badvalue(), "{key}");
        assert_eq!(
            service(&ours)[key],
            service(&theirs)[key],
            "{key} as in the compose.yaml of this repository"
        );
    }
    assert_eq!(ours["secrets"], theirs["secrets"]);
    let token = |file: &Yaml| service(file)["environment"]["TELEGRAM_BOT_TOKEN_FILE"].clone();
    assert_eq!(token(&ours), token(&theirs));
}

#[test]
fn nothing_that_is_there_is_overwritten_unasked() {
    for (there, words) in [
        (
            &["rules.toml"][..],
            "rules.toml is there already; --force overwrites it",
        ),
        (
            &["compose.yaml"],
            "compose.yaml is there already; --force overwrites it",
        ),
        (
            &["rules.toml", "compose.yaml"],
            "are there already; --force overwrites them",
        ),
        (&["docker-compose.yml"], "docker-compose.yml is there already"),
        (
            &["compose.yml"],
            "such as ./tailgram, or write it all the same with --force",
        ),
    ] {
        let sandbox = Sandbox::new();
        for name in there {
            fs::write(sandbox.path(name), "mine\n").unwrap();
        }
        let before = names(sandbox.folder());
        refused(&init(&sandbox, &[]), 1, &[words, "--force"]);
        assert_eq!(names(sandbox.folder()), before);
        done(&sandbox, &["--force"]);
        for name in there {
            let kept = fs::read_to_string(sandbox.path(name)).unwrap() == "mine\n";
            assert_eq!(kept, !["rules.toml", "compose.yaml"].contains(name), "{name}");
        }
    }
}

#[test]
fn a_link_that_leads_nowhere_is_not_written_through() {
    let sandbox = Sandbox::new();
    symlink(sandbox.path("nowhere"), sandbox.path("compose.yaml")).unwrap();
    refused(&init(&sandbox, &[]), 1, &["compose.yaml is there already"]);
    done(&sandbox, &["--force"]);
    assert_eq!(names(sandbox.folder()), ["compose.yaml", "logs", "rules.toml"]);
    assert!(sandbox.path("compose.yaml").symlink_metadata().unwrap().is_file());
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("taken/compose.yaml")).unwrap();
    refused(
        &init(&sandbox, &["taken", "--force"]),
        1,
        &["taken/compose.yaml is a folder"],
    );
    assert_eq!(names(&sandbox.path("taken")), ["compose.yaml"]);
    // What a shell makes of a glob without quotes.
    fs::write(sandbox.path("b.log"), "").unwrap();
    refused(
        &init(&sandbox, &["--watch", "a.log", "b.log"]),
        1,
        &["b.log cannot be made", "stands in quotes"],
    );
    assert_eq!(names(sandbox.folder()), ["b.log", "logs", "taken"]);
}

#[test]
fn answers_that_make_no_sense_end_with_two_and_their_cure() {
    let sandbox = Sandbox::new();
    for (args, words) in [
        (
            &["--chat", "me"][..],
            &["--chat \"me\"", "an id is a number such as", "tailgram chats"][..],
        ),
        (&["--chat", "0"], &["--chat \"0\""]),
        (
            &["--chat", "${CHAT}"],
            &["--chat \"${CHAT}\"", "TELEGRAM_CHAT_ID"],
        ),
        (&["--chat", "1\"\nx = 1"], &["is not a chat's id"]),
        (
            &["--watch", "logs"],
            &["--watch \"logs\"", "name the files in it: logs/*.log"],
        ),
        (&["--watch", "x[.log"], &["not a glob"]),
        (
            &["--watch", "ok.log", "--watch", ""],
            &["--watch \"\"", "is empty"],
        ),
        (
            &["--watch", "/**/*.log"],
            &["a deeper folder, such as /var/log/**/*.log"],
        ),
        (&["--watch"], &["--help"]),
        (&["here", "there"], &["--help"]),
    ] {
        refused(&init(&sandbox, args), 2, words);
        assert_eq!(names(sandbox.folder()), ["logs"], "{args:?}");
    }
}

#[test]
fn an_id_that_is_probably_not_meant_is_warned_about() {
    let sandbox = Sandbox::new();
    let output = init(&sandbox, &["--chat", "1001234567890"]);
    assert!(output.status.success());
    let said = said(&output);
    assert!(said.contains("warning: rules.toml:20:"), "{said}");
    assert!(said.contains("did you mean -1001234567890?"), "{said}");
}

#[test]
fn on_a_terminal_it_asks_what_no_flag_says_until_the_answer_is_good() {
    let sandbox = Sandbox::new();
    let terminal = Terminal::start(command(&sandbox, &["deploy"]));
    terminal.answer("[logs/*.log]: ", "logs/");
    terminal.answer("[logs/*.log]: ", "app logs/*.log");
    terminal.answer("[TELEGRAM_CHAT_ID]: ", "nobody");
    terminal.answer("[TELEGRAM_CHAT_ID]: ", "4242");
    let (status, stdout, said) = terminal.end();
    assert!(status.success(), "{said}");
    assert!(
        stdout.starts_with("wrote deploy/rules.toml and deploy/compose.yaml\n"),
        "{stdout}"
    );
    insta::assert_snapshot!("asked", said);
    let rules = fs::read_to_string(sandbox.path("deploy/rules.toml")).unwrap();
    assert!(
        rules.contains("\nfiles = [\"app logs/*.log\"]\n") && rules.contains("\nme = 4242\n"),
        "{rules}"
    );
}

#[test]
fn on_a_terminal_enter_takes_the_default_and_a_flag_is_not_asked_for() {
    let sandbox = Sandbox::new();
    done(&sandbox, &["unasked", "--watch", "x/*.log"]);
    let terminal = Terminal::start(command(&sandbox, &["asked", "--watch", "x/*.log"]));
    terminal.answer("[TELEGRAM_CHAT_ID]: ", "");
    let (status, _, said) = terminal.end();
    assert!(status.success() && !said.contains("What to watch"), "{said}");
    for name in ["rules.toml", "compose.yaml"] {
        let read = |dir: &str| fs::read_to_string(sandbox.path(dir).join(name)).unwrap();
        assert_eq!(
            read("asked"),
            read("unasked"),
            "the default on a terminal is that without one"
        );
    }
}

#[test]
fn on_a_terminal_an_answer_that_never_comes_writes_nothing() {
    let sandbox = Sandbox::new();
    let terminal = Terminal::start(command(&sandbox, &["deploy"]));
    terminal.answer("[logs/*.log]: ", "logs/*.log");
    terminal.hang_up("[TELEGRAM_CHAT_ID]: ");
    let (status, stdout, said) = terminal.end();
    assert_eq!((status.code(), stdout.as_str()), (Some(1), ""));
    assert!(said.contains("nothing was written"), "{said}");
    assert!(!sandbox.path("deploy").exists());
}
