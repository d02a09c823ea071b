//! Which rules.toml to read.

use std::path::{Path, PathBuf};

use super::Environment;

/// The variable that names the file.
const VARIABLE: &str = "TAILGRAM_CONFIG";

/// Where it is looked for when nobody names it.
const PLACES: [&str; 2] = ["./rules.toml", "/etc/tailgram/rules.toml"];

/// Why there is no rules.toml. For the user to mend before anything starts (exit code 2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The one that was named is not there.
    #[error("{path} (from {named_by}) does not exist; check the path, or, in a container, that its folder is mounted", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The flag or variable that names it.
        named_by: &'static str,
    },
    /// None was named, and none is where one is looked for.
    #[error(
        "no rules.toml found; looked for {looked}. `tailgram init` writes one; or name yours with --config FILE or TAILGRAM_CONFIG"
    )]
    Nowhere {
        /// All places, joined with commas.
        looked: String,
    },
}

/// The rules.toml to read: `--config` (`flag`), `TAILGRAM_CONFIG`, `./rules.toml`,
/// `/etc/tailgram/rules.toml`. A file that was named must be there; the next place is not tried for it.
pub fn find(flag: Option<&Path>, env: &Environment) -> Result<PathBuf, ConfigError> {
    find_among(flag, env, &PLACES.map(PathBuf::from))
}

fn find_among(flag: Option<&Path>, env: &Environment, places: &[PathBuf]) -> Result<PathBuf, ConfigError> {
    let variable = env.filled(VARIABLE).map(|path| (Path::new(path), VARIABLE));
    if let Some((path, named_by)) = flag.map(|path| (path, "--config")).or(variable) {
        let missing = || ConfigError::Missing {
            path: path.into(),
            named_by,
        };
        return if path.exists() {
            Ok(path.into())
        } else {
            Err(missing())
        };
    }
    places.iter().find(|path| path.exists()).cloned().ok_or_else(|| {
        let looked: Vec<_> = places.iter().map(|path| path.display().to_string()).collect();
        ConfigError::Nowhere {
            looked: looked.join(", "),
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_flag_comes_before_the_variable_before_the_places() {
        let folder = tempfile::tempdir().unwrap();
        let [flag, named, here, etc] = ["flag", "named", "here", "etc"].map(|name| folder.path().join(name));
        for path in [&flag, &named, &here, &etc] {
            std::fs::write(path, "").unwrap();
        }
        let env = Environment::from([(VARIABLE, named.to_str().unwrap())]);
        let none = Environment::default();
        let places = [here.clone(), etc.clone()];
        assert_eq!(find_among(Some(&flag), &env, &places), Ok(flag));
        assert_eq!(find_among(None, &env, &places), Ok(named));
        assert_eq!(find_among(None, &none, &places), Ok(here.clone()));
        std::fs::remove_file(here).unwrap();
        assert_eq!(find_among(None, &none, &places), Ok(etc));
    }

    #[test]
    fn a_named_file_that_is_missing_is_told_with_who_named_it() {
        let missing = Path::new("/nonexistent/rules.toml");
        let by_flag = find(Some(missing), &Environment::default())
            .unwrap_err()
            .to_string();
        assert!(
            by_flag.contains("/nonexistent/rules.toml (from --config)"),
            "{by_flag}"
        );
        let by_variable = find(None, &Environment::from([(VARIABLE, "/nonexistent/r")]))
            .unwrap_err()
            .to_string();
        assert!(
            by_variable.contains("/nonexistent/r (from TAILGRAM_CONFIG)"),
            "{by_variable}"
        );
    }

    #[test]
    fn finding_nothing_names_all_places_and_the_cure() {
        let places = ["/nonexistent/a".into(), "/nonexistent/b".into()];
        let text = find_among(None, &Environment::default(), &places)
            .unwrap_err()
            .to_string();
        for word in ["/nonexistent/a", "/nonexistent/b", "--config", "TAILGRAM_CONFIG"] {
            assert!(text.contains(word), "{text}");
        }
    }
}
