//! What the documents say is so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use tailgram::config::{self, Environment};

/// The tables of rules.toml: how README.md calls them, and a file with a key in each that cannot exist.
const TABLES: [(&str, &str, &str); 8] = [
    ("", "the top level", "zzqx = 1\n"),
    ("[telegram]", "[telegram]", "[telegram]\nzzqx = 1\n"),
    ("[health]", "[health]", "[health]\nzzqx = 1\n"),
    ("[fence]", "[fence]", "[fence]\nzzqx = 1\n"),
    ("[chats]", "[chats.NAME]", "[chats.me]\nid = 1\nzzqx = 1\n"),
    ("[[logs]]", "[[logs]]", "[[logs]]\nname = \"app\"\nzzqx = 1\n"),
    ("[[rules]]", "[[rules]]", "[[rules]]\nname = \"oops\"\nzzqx = 1\n"),
    ("[defaults]", "[defaults]", "[defaults]\nzzqx = 1\n"),
];

fn document(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The keys that work in a table, as the program itself lists them for whoever writes one that does not exist.
fn accepted(title: &str, text: &str) -> BTreeSet<String> {
    let problems = config::parse(Path::new("rules.toml"), text, &Environment::default()).unwrap_err();
    let lead = format!("allowed in {title}: ");
    let list = problems
        .iter()
        .find_map(|problem| problem.help().strip_prefix(lead.as_str()));
    let list = list.unwrap_or_else(|| panic!("no list of the keys in {title}: {problems}"));
    list.split(", ").map(|key| key.trim().to_owned()).collect()
}

/// The keys in README.md, by the table they stand under. Those of rules that are marked with a star are those
/// of `[defaults]`.
fn documented() -> BTreeMap<&'static str, BTreeSet<String>> {
    let readme = document("README.md");
    let section = readme
        .split_once("\n### Keys\n")
        .unwrap()
        .1
        .split("\n## ")
        .next()
        .unwrap();
    let mut keys: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut table = "";
    for line in section.lines() {
        if let Some(heading) = line.strip_prefix("**`") {
            let heading = heading.split('`').next().unwrap();
            table = TABLES
                .iter()
                .find(|(name, ..)| *name == heading)
                .unwrap_or_else(|| panic!("{line}"))
                .0;
            keys.entry("")
                .or_default()
                .insert(heading.trim_matches(['[', ']']).to_owned());
        } else if let Some(row) = line.strip_prefix("| `") {
            let (key, rest) = row.split_once('`').unwrap();
            keys.entry(table).or_default().insert(key.to_owned());
            if rest.starts_with(" * |") {
                keys.entry("[defaults]").or_default().insert(key.to_owned());
            }
        }
    }
    keys.entry("").or_default().insert("defaults".to_owned());
    keys
}

#[test]
fn readme_names_every_key_that_works_and_no_other() {
    let documented = documented();
    for (table, title, text) in TABLES {
        assert_eq!(
            documented.get(table),
            Some(&accepted(title, text)),
            "the keys of {title} in README.md"
        );
    }
}

/// Those that README.md shows, and that of the repository.
pub fn every_rules_toml() -> Vec<String> {
    let readme = document("README.md");
    let blocks = readme
        .split("```toml\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap());
    // Within a list the block is indented; TOML does not mind.
    let mut examples: Vec<String> = blocks.map(str::to_owned).collect();
    assert!(examples.len() >= 2, "README.md shows rules.toml");
    examples.push(document("rules.toml"));
    examples
}

#[test]
fn every_rules_toml_in_the_documents_is_accepted() {
    for text in every_rules_toml() {
        let checked = config::parse(Path::new("rules.toml"), &text, &Environment::default());
        if let Err(problems) = checked {
            panic!("{text}\n{problems}");
        }
    }
}

#[test]
fn readme_names_every_command_and_option() {
    let help = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tailgram"))
            .args(args)
            .env_clear()
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let readme = document("README.md");
    let whole = help(&["--help"]);
    let commands = whole
        .split_once("Commands:\n")
        .unwrap()
        .1
        .split("\n\n")
        .next()
        .unwrap();
    let names = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for name in names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
    {
        assert!(
            readme.contains(&format!("| `tailgram {name}")),
            "README.md does not list `tailgram {name}`"
        );
        for word in help(&[name, "--help"])
            .split([' ', '\n', ','])
            .filter(|word| word.starts_with("--"))
        {
            let option = word.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
            if !["--help", "--version"].contains(&option) {
                assert!(
                    readme.contains(option),
                    "README.md does not name {option} of `tailgram {name}`"
                );
            }
        }
    }
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        for link in document(name).split("](").skip(1) {
            let link = link.split(')').next().unwrap().split('#').next().unwrap();
            if !link.is_empty() && !link.contains("://") {
                assert!(root.join(link).exists(), "{name} links to {link}");
            }
        }
    }
}

/// All Rust below a folder of the repository, in one text.
fn source(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &source(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &std::fs::read_to_string(&path).unwrap();
        }
    }
    text
}

#[test]
fn docs_following_has_a_row_for_every_fault_and_names_tests_that_exist() {
    let following = document("docs/following.md");
    for fault in 1..=49 {
        let id = format!("F{fault:02}");
        assert!(following.contains(&id), "docs/following.md does not have {id}");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = ["src", "tests"].map(|folder| source(&root.join(folder))).concat();
    // Sentences; keys and options have fewer words.
    let is_sentence = |word: &&str| {
        let plain = word
            .bytes()
            .all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit());
        plain && word.matches('_').count() >= 3
    };
    let named: BTreeSet<&str> = following
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(is_sentence)
        .collect();
    assert!(named.len() > 60, "only {} tests were recognised", named.len());
    for name in named {
        assert!(
            tests.contains(&format!("fn {name}(")),
            "docs/following.md names {name}, and there is no such test"
        );
    }
}
