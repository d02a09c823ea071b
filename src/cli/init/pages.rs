//! What the two files say, and what to do next.
//!
//! The files beside this one are what is written, with a `<MARK>` where an answer goes. The traps are the
//! quotings: rules.toml has TOML's and `$${` for `${`; compose.yaml has YAML's and `$$` for `$`.

use std::fmt::Write as _;
use std::path::Path;

use crate::model::ChatTarget;

use super::answers::Answers;
use super::watched::{self, HERE, Mount};
use super::{COMPOSE, RULES};

const RULES_PAGE: &str = include_str!("rules.toml");
const COMPOSE_PAGE: &str = include_str!("compose.yaml");

/// rules.toml.
pub(super) fn rules(answers: &Answers) -> String {
    fill(
        RULES_PAGE,
        &[
            ("<CHAT>", rules_chat(answers)),
            ("<ABOUT FILES>", about_files(answers)),
            ("<FILES>", files(answers)),
        ],
    )
}

/// compose.yaml, for a machine of this name.
pub(super) fn compose(answers: &Answers, host: &str) -> String {
    let relative = has_relative(answers);
    let working_dir = format!("    working_dir: {HERE} # Where the relative globs of rules.toml begin.\n");
    let needs_chat = "#     TELEGRAM_CHAT_ID  your chat's id, in the environment or in a file .env\n";
    let chat = "      TELEGRAM_CHAT_ID: ${TELEGRAM_CHAT_ID:?your chat's id, a number}\n";
    let when = |whether: bool, line: &str| if whether { line.to_owned() } else { String::new() };
    let same_place = if relative {
        " Each folder stands where the globs of rules.toml look for it."
    } else {
        " Each folder keeps its path, so that rules.toml is right on the machine too."
    };
    fill(
        COMPOSE_PAGE,
        &[
            ("<NEEDS CHAT>\n", when(answers.chat.is_none(), needs_chat)),
            ("<WORKING DIR>\n", when(relative, &working_dir)),
            ("<HOST>", yaml(host)),
            ("<CHAT>\n", when(answers.chat.is_none(), chat)),
            ("<SAME PLACE>", same_place.to_owned()),
            ("<MOUNTS>\n", mounts(answers)),
        ],
    )
}

/// What was written, and the commands that work from here on.
pub(super) fn next(dir: &Path, answers: &Answers) -> String {
    let here = dir == Path::new(".");
    let path = |name: &str| if here { name.into() } else { dir.join(name) };
    let (rules, compose) = (path(RULES), path(COMPOSE));
    let mut page = format!(
        "wrote {} and {}\n\nSee what it would send for the lines that are there now:\n\n",
        rules.display(),
        compose.display()
    );
    if !here {
        let _ = writeln!(page, "    cd {}", shell(&dir.display().to_string()));
    }
    for folder in missing(dir, answers) {
        let _ = writeln!(page, "    mkdir -p {}", shell(&folder));
    }
    page.push_str(REHEARSE);
    let export = if answers.chat.is_none() {
        "    export TELEGRAM_CHAT_ID=…\n"
    } else {
        ""
    };
    let store = if answers.chat.is_none() {
        "    echo TELEGRAM_CHAT_ID=… >>.env\n"
    } else {
        ""
    };
    let _ = write!(page, "{RUN}{export}{START}{DOCKER}{store}{UP}");
    page
}

const REHEARSE: &str = "    tailgram check --logs
    tailgram run --dry-run --once --from beginning --state-dir :memory:
";

const RUN: &str = "
Then send it. @BotFather in Telegram makes a bot and its token. Write to the bot once, so that it may answer;
`tailgram chats` says which chats it can see, with their ids:

    export TELEGRAM_BOT_TOKEN=…
";

const START: &str = "    tailgram send hello
    tailgram run
";

const DOCKER: &str = "
Or in Docker, with the image built from a clone of tailgram by `docker build -t tailgram .`:

    (umask 077; cat >telegram-token)        # paste the token, Enter, Ctrl-D; keep this file and .env out of git
    sudo chown 65532 telegram-token
";

const UP: &str = "    docker compose run --rm tailgram check --logs
    docker compose up -d
";

/// A page with its marks filled in, in one pass: an answer that looks like a mark is none.
fn fill(page: &str, answers: &[(&str, String)]) -> String {
    let mut out = String::new();
    let mut rest = page;
    while let Some((at, mark, answer)) = answers
        .iter()
        .filter_map(|(mark, answer)| Some((rest.find(mark)?, mark, answer)))
        .min_by_key(|(at, ..)| *at)
    {
        out.push_str(&rest[..at]);
        out.push_str(answer);
        rest = &rest[at + mark.len()..];
    }
    out + rest
}

fn rules_chat(answers: &Answers) -> String {
    match &answers.chat {
        Some(ChatTarget::Id(id)) => format!("me = {id}"),
        Some(ChatTarget::Username(name)) => format!("me = {}", toml(name)),
        None => "# 1 is nobody; it is there for `check` and `--dry-run`, which need no chat.\nme = \"${TELEGRAM_CHAT_ID:-1}\""
            .to_owned(),
    }
}

fn about_files(answers: &Answers) -> String {
    let relative = "# Relative globs begin where tailgram is started, so start it in this folder. In the container that is
# the working_dir of compose.yaml, which mounts the same folders below it: this file is right in both.";
    let absolute = "# compose.yaml mounts these folders at the paths that they have here: this file is right on the machine and in
# the container.";
    if has_relative(answers) { relative } else { absolute }.to_owned()
}

fn has_relative(answers: &Answers) -> bool {
    answers
        .watched
        .iter()
        .any(|watched| !watched.glob.starts_with('/'))
}

fn files(answers: &Answers) -> String {
    let globs: Vec<_> = answers
        .watched
        .iter()
        .map(|watched| toml(&watched.glob))
        .collect();
    match globs.as_slice() {
        [only] => format!("files = [{only}]"),
        several => format!("files = [\n    {},\n]", several.join(",\n    ")),
    }
}

fn mounts(answers: &Answers) -> String {
    watched::mounts(&answers.watched).iter().map(mount).collect()
}

/// The short form where it is clear, as people know it; it is cut at colons.
fn mount(Mount { inside, outside }: &Mount) -> String {
    let (inside, outside) = (inside.to_string_lossy(), outside.to_string_lossy());
    if outside.contains(':') {
        let (source, target) = (yaml(&outside), yaml(&inside));
        format!(
            "      - type: bind\n        source: {source}\n        target: {target}\n        read_only: true\n"
        )
    } else {
        format!("      - {}\n", yaml(&format!("{outside}:{inside}:ro")))
    }
}

/// Folders of logs below DIR that are not there yet. Docker would make them, for root alone.
fn missing(dir: &Path, answers: &Answers) -> Vec<String> {
    let folders = watched::mounts(&answers.watched).into_iter();
    folders
        .filter(|mount| mount.outside.is_relative() && !dir.join(&mount.outside).exists())
        .map(|mount| mount.outside.display().to_string())
        .map(|folder| folder.strip_prefix("./").unwrap_or(&folder).to_owned())
        .collect()
}

/// A string of rules.toml that means this text.
fn toml(text: &str) -> String {
    toml::Value::from(text.replace("${", "$${")).to_string()
}

/// A string of compose.yaml that means this text. YAML reads the strings of JSON.
fn yaml(text: &str) -> String {
    serde_json::Value::from(text.replace('$', "$$")).to_string()
}

/// A word of a shell that means this text.
fn shell(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+@%,:".contains(c);
    if text.starts_with('-') {
        shell(&format!("./{text}"))
    } else if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
