//! What the process was given from outside: variables, the machine's name, its time zone.
//!
//! A value, so that tests and `check` need no process environment.

use std::collections::BTreeMap;
use std::fmt;

use jiff::tz::TimeZone;

/// The environment that rules.toml is read in.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    hostname: Option<String>,
    /// The machine's zone; absent: UTC.
    zone: Option<TimeZone>,
}

impl Environment {
    /// What this process was started with.
    pub fn of_process() -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self {
            variables: std::env::vars_os()
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
            hostname: Some(rustix::system::uname().nodename().to_string_lossy().into_owned()),
            zone: Some(TimeZone::system()),
        }
    }

    /// The same with this machine name.
    #[must_use]
    pub fn with_hostname(self, name: &str) -> Self {
        Self {
            hostname: Some(name.to_owned()),
            ..self
        }
    }

    /// A variable, as it is set.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// A variable that holds more than white space. Compose files set variables to nothing when they mean
    /// "not set".
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// What messages call this machine where rules.toml does not say it.
    pub(crate) fn host(&self) -> &str {
        self.filled("TAILGRAM_HOST")
            .or(self.hostname())
            .unwrap_or("localhost")
    }

    /// The folder that `~` means.
    pub(crate) fn home(&self) -> Option<&str> {
        self.filled("HOME")
    }

    /// The names of all variables.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// The machine's name, if it has one.
    pub(super) fn hostname(&self) -> Option<&str> {
        self.hostname.as_deref().filter(|name| !name.is_empty())
    }

    /// The zone that `TZ` names, else the machine's, else UTC; and `TZ` itself if it names no zone.
    pub(super) fn zone(&self) -> (TimeZone, Option<&str>) {
        let machine = || self.zone.clone().unwrap_or(TimeZone::UTC);
        let Some(name) = self.filled("TZ") else {
            return (machine(), None);
        };
        // A leading colon is old spelling for "this is a name".
        let plain = name.trim_start_matches(':');
        match TimeZone::get(plain).or_else(|_| TimeZone::posix(plain)) {
            Ok(zone) => (zone, None),
            // A path, which only the machine's own reading understands.
            Err(_) if plain.starts_with('/') => (machine(), None),
            Err(_) => (machine(), Some(name)),
        }
    }
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for Environment {
    /// These variables, no machine name, UTC.
    fn from(variables: [(K, V); N]) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            variables,
            hostname: None,
            zone: None,
        }
    }
}

impl fmt::Debug for Environment {
    /// The names alone: the values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("names", &self.variables.keys())
            .finish_non_exhaustive()
    }
}
