//! A glob to watch: how rules.toml writes it, and which folder a container needs for it.
//!
//! The law: a path that the glob matches on the machine, seen from DIR, is matched in the container too, where
//! it leads to the same file.
//!
//! 1. A glob from `/` keeps its path: the folder is mounted where it is on the machine.
//! 2. A relative one is mounted below [`HERE`], which is the container's working directory.
//! 3. One that leaves DIR with `..` is made one from `/`, since nothing stands above the root of a container.

use std::path::{Path, PathBuf};

use crate::tail::Glob;

/// DIR, in the container.
pub(super) const HERE: &str = "/here";

/// What the container has of its own. A folder that holds one of these would hide it.
const KEPT: [&str; 6] = [
    "/etc/tailgram",
    "/etc/ssl/certs",
    "/run/secrets",
    "/var/lib/tailgram",
    "/tailgram",
    HERE,
];

/// Where nothing is a log.
const SYSTEM: [&str; 3] = ["/proc", "/sys", "/dev"];

/// What makes a name a pattern.
const WILD: [char; 6] = ['*', '?', '[', '{', '}', '\\'];

/// One checked glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    /// For rules.toml, before its own escapes.
    pub(super) glob: String,
    pub(super) mount: Mount,
}

/// A folder of the machine and its place in the container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mount {
    pub(super) inside: PathBuf,
    /// Absolute, or relative to DIR and then beginning with a dot.
    pub(super) outside: PathBuf,
}

impl Watched {
    /// Reads a glob as typed. The error is a sentence with its cure.
    pub(super) fn read(typed: &str, dir: &Path, home: Option<&str>) -> Result<Self, String> {
        let text = without_variables(&at_home(typed, home)?);
        refuse_no_files(&text, dir)?;
        Glob::parse(&text).map_err(|error| {
            format!("this is not a glob: {error}; a backslash takes the next character literally")
        })?;
        let split = Split::of(&text);
        let split = if split.leaves_dir() {
            split.rooted_at(dir)?
        } else {
            split
        };
        Ok(Self {
            glob: split.glob(),
            mount: split.mount()?,
        })
    }
}

/// A `~` at the beginning is the home of whoever asks; rules.toml itself does not know it.
fn at_home(typed: &str, home: Option<&str>) -> Result<String, String> {
    match (typed.strip_prefix("~/"), home) {
        (None, _) => Ok(typed.to_owned()),
        (Some(rest), Some(home)) => Ok(format!("{}/{rest}", escape(home.trim_end_matches('/')))),
        (Some(_), None) => {
            Err("HOME is not set, so nobody knows where `~` is; write the path from / on".into())
        }
    }
}

/// A `${` is no variable here, and braces behind a dollar are no alternatives: all of it is meant as it stands.
fn without_variables(text: &str) -> String {
    let mut glob = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("${") {
        glob.push_str(before);
        glob.push_str("$\\{");
        rest = inside;
        if let Some((name, after)) = inside.split_once('}') {
            glob.push_str(name);
            glob.push_str("\\}");
            rest = after;
        }
    }
    glob + rest
}

fn refuse_no_files(text: &str, dir: &Path) -> Result<(), String> {
    let folder = |text: &str| {
        format!(
            "this is a folder; name the files in it: {}/*.log",
            text.trim_end_matches('/')
        )
    };
    match text {
        "" => Err("this is empty; name files, such as logs/*.log".into()),
        "-" => Err(
            "stdin lies in no folder that could be mounted; name files here, and write \"-\" into rules.toml afterwards"
                .into(),
        ),
        _ if text.contains(char::is_control) => Err("this holds control characters; take them out".into()),
        _ if text.ends_with('/') || dir.join(text).is_dir() => Err(folder(text)),
        _ => Ok(()),
    }
}

/// A glob in two: the longest literal folder, and the rest.
struct Split {
    /// Whether it begins at `/`.
    rooted: bool,
    /// The names on the way to the folder. `..` stands at the beginning only, and only if not `rooted`.
    folder: Vec<String>,
    /// From the first wildcard or the file's name on.
    rest: String,
}

impl Split {
    fn of(text: &str) -> Self {
        let names: Vec<&str> = text.split('/').collect();
        let literal = names.iter().take_while(|name| !name.contains(WILD)).count();
        // A file's name is no folder.
        let literal = literal.min(names.len() - 1);
        let rooted = text.starts_with('/');
        Self {
            rooted,
            folder: tidy(rooted, &names[..literal]),
            rest: names[literal..].join("/"),
        }
    }

    fn leaves_dir(&self) -> bool {
        self.folder.first().is_some_and(|name| name == "..")
    }

    /// The same from `/` on.
    fn rooted_at(self, dir: &Path) -> Result<Self, String> {
        let dir = std::path::absolute(dir)
            .map_err(|error| format!("nobody knows where {} is: {error}", dir.display()))?;
        let Some(dir) = dir.to_str() else {
            return Err(format!(
                "{} is not UTF-8; write the path from / on",
                dir.display()
            ));
        };
        let names: Vec<&str> = dir
            .split('/')
            .chain(self.folder.iter().map(String::as_str))
            .collect();
        Ok(Self {
            rooted: true,
            folder: tidy(true, &names),
            rest: self.rest,
        })
    }

    fn glob(&self) -> String {
        let root = if self.rooted { "/" } else { "" };
        let folder: String = self.folder.iter().map(|name| escape(name) + "/").collect();
        format!("{root}{folder}{}", self.rest)
    }

    fn mount(&self) -> Result<Mount, String> {
        if self.rest.split('/').any(|name| name == "..") {
            return Err(
                "`..` behind a wildcard leads nowhere; begin the glob in the folder that is meant".into(),
            );
        }
        let names: PathBuf = self.folder.iter().collect();
        if !self.rooted {
            return Ok(Mount {
                inside: join(HERE, &names),
                outside: join(".", &names),
            });
        }
        let folder = Path::new("/").join(names);
        let shown = folder.display();
        if SYSTEM.iter().any(|system| folder.starts_with(system)) {
            return Err(format!("nothing in {shown} is a log"));
        }
        if KEPT.iter().any(|kept| Path::new(kept).starts_with(&folder)) {
            return Err(format!(
                "a container cannot show {shown}, since it needs things of its own there; begin the glob with a \
                 deeper folder, such as /var/log/**/*.log"
            ));
        }
        Ok(Mount {
            inside: folder.clone(),
            outside: folder,
        })
    }
}

/// Without a slash at the end where there is nothing to join.
fn join(root: &str, names: &Path) -> PathBuf {
    if names.as_os_str().is_empty() {
        root.into()
    } else {
        Path::new(root).join(names)
    }
}

/// Names without `.`; a `..` takes back the name before it. Nothing is above the root.
fn tidy(rooted: bool, names: &[&str]) -> Vec<String> {
    let mut tidy: Vec<String> = Vec::new();
    for name in names {
        match *name {
            "" | "." => {}
            ".." if tidy.last().is_some_and(|last| last != "..") => {
                tidy.pop();
            }
            ".." if rooted => {}
            name => tidy.push(name.to_owned()),
        }
    }
    tidy
}

/// The glob that matches this path alone.
fn escape(path: &str) -> String {
    let mut glob = String::new();
    for c in path.chars() {
        if WILD.contains(&c) {
            glob.push('\\');
        }
        glob.push(c);
    }
    glob
}

/// The folders that hold all of them: none twice, none below another.
pub(super) fn mounts(watched: &[Watched]) -> Vec<Mount> {
    let mut sorted: Vec<_> = watched.iter().map(|watched| watched.mount.clone()).collect();
    sorted.sort();
    let mut kept: Vec<Mount> = Vec::new();
    for mount in sorted {
        if !kept.iter().any(|above| mount.inside.starts_with(&above.inside)) {
            kept.push(mount);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(typed: &str) -> Result<Watched, String> {
        Watched::read(typed, Path::new("/srv/shop/deploy"), Some("/srv/[me]"))
    }

    /// The glob as written to rules.toml, and the mount.
    fn gives(typed: &str) -> (String, String) {
        let watched = read(typed).unwrap();
        let Mount { inside, outside } = watched.mount;
        (
            watched.glob,
            format!("{}:{}", outside.display(), inside.display()),
        )
    }

    #[test]
    fn a_glob_is_written_so_that_it_means_the_same_in_a_container() {
        for (typed, glob, mount) in [
            ("logs/*.log", "logs/*.log", "./logs:/here/logs"),
            (
                "./logs//app/**/*.log",
                "logs/app/**/*.log",
                "./logs/app:/here/logs/app",
            ),
            ("*.log", "*.log", ".:/here"),
            ("one.log", "one.log", ".:/here"),
            ("logs/one.log", "logs/one.log", "./logs:/here/logs"),
            ("logs/{a,b/c}.log", "logs/{a,b/c}.log", "./logs:/here/logs"),
            ("a/../b/*.log", "b/*.log", "./b:/here/b"),
            (
                "a b/'c\"/$d/*.log",
                "a b/'c\"/$d/*.log",
                "./a b/'c\"/$d:/here/a b/'c\"/$d",
            ),
            (
                "/var/log/nginx/*access*.log",
                "/var/log/nginx/*access*.log",
                "/var/log/nginx:/var/log/nginx",
            ),
            ("/var/log/syslog", "/var/log/syslog", "/var/log:/var/log"),
            ("/srv/\\[x\\]/*.log", "/srv/\\[x\\]/*.log", "/srv:/srv"),
            (
                "../app/log/*.log",
                "/srv/shop/app/log/*.log",
                "/srv/shop/app/log:/srv/shop/app/log",
            ),
            ("~/log/*.log", "/srv/\\[me]/log/*.log", "/srv:/srv"),
        ] {
            assert_eq!(gives(typed), (glob.to_owned(), mount.to_owned()), "{typed}");
        }
    }

    #[test]
    fn what_cannot_be_watched_is_refused_with_its_cure() {
        for (typed, words) in [
            ("", "name files"),
            ("-", "stdin"),
            ("logs/", "name the files in it: logs/*.log"),
            ("/usr", "name the files in it: /usr/*.log"),
            ("a\nb.log", "control characters"),
            ("a[.log", "not a glob"),
            ("a*/../b.log", "behind a wildcard"),
            ("/*.log", "deeper folder"),
            ("/var/**/*.log", "deeper folder"),
            ("/etc/*.log", "deeper folder"),
            ("../../../../*.log", "deeper folder"),
            ("/proc/1/*.log", "nothing in /proc/1 is a log"),
        ] {
            let why = read(typed).unwrap_err();
            assert!(why.contains(words), "{typed}: {why}");
        }
        let homeless = Watched::read("~/x.log", Path::new("."), None).unwrap_err();
        assert!(homeless.contains("HOME is not set"), "{homeless}");
    }

    #[test]
    fn a_folder_below_another_needs_no_mount_of_its_own() {
        let watched = [
            "logs/app/*.log",
            "logs/*.log",
            "logs-b/*.log",
            "/opt/x/*.log",
            "logs/z/*.log",
        ];
        let watched: Vec<_> = watched.into_iter().map(|typed| read(typed).unwrap()).collect();
        let inside: Vec<_> = mounts(&watched).into_iter().map(|mount| mount.inside).collect();
        assert_eq!(
            inside,
            ["/here/logs", "/here/logs-b", "/opt/x"].map(PathBuf::from)
        );
    }
}
