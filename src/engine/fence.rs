//! What a run has to open, and the fence around it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::{self, Landlock};
use crate::fence::{self, Plan, Raised};

use super::reload::{MOUNTS, Watched};

/// What is looked at by the way: the mounts, how names become addresses, time zones, and the certificates of those who
/// vouch for servers, as the systems have them.
const SYSTEM: [&str; 13] = [
    MOUNTS,
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/etc/ca-certificates/extracted",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
];

/// Variables that name other places for some of that.
const NAMED: [&str; 3] = ["TZDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Folders of nothing but links, and where the links of containers that start later will lead.
const LINKS: [(&str, &[&str]); 2] = [
    (
        "/var/log/containers",
        &["/var/log/pods", "/var/lib/docker/containers"],
    ),
    ("/var/log/pods", &["/var/lib/docker/containers"]),
];

/// Raises the fence that these settings ask for, around this thread and all that it starts. To be called before the
/// first of them, and when everything is open that is opened once, such as the token. The error says why a run
/// that requires it may not begin.
pub fn enclose(settings: &config::Settings, watched: &Watched, state: Option<&Path>) -> Result<(), String> {
    let config::Fence { landlock, read } = &settings.fence;
    if *landlock == Landlock::Off {
        tracing::info!("no fence: rules.toml says landlock = \"off\"");
        return Ok(());
    }
    let plan = Plan {
        read: readable(settings, watched).chain(read.iter().cloned()).collect(),
        write: state.map(Path::to_owned),
    };
    match fence::raise(&plan) {
        Ok(Raised::Stands { folders, abi, wide }) => {
            let folders: Vec<_> = folders
                .iter()
                .map(|folder| folder.display().to_string())
                .collect();
            tracing::info!(
                abi,
                inside = folders.join(" "),
                "the fence stands: nothing else can be opened"
            );
            for folder in wide {
                tracing::warn!(
                    folder = %folder.display(),
                    "everything on this machine may be read, because a folder of the logs is / or is not there yet, nor \
                     is the one above it; make it before the start"
                );
            }
            Ok(())
        }
        Ok(Raised::Missing) => missing(
            *landlock,
            "this kernel has no Landlock, or the container may not use it",
        ),
        Err(error) => missing(*landlock, &format!("Landlock failed: {error}")),
    }
}

fn missing(landlock: Landlock, why: &str) -> Result<(), String> {
    if landlock == Landlock::Require {
        return Err(format!(
            "no fence: {why}; rules.toml requires it: landlock = \"auto\" below [fence] goes on without"
        ));
    }
    tracing::warn!("no fence: {why}; what tailgram may open is up to its user's rights alone");
    Ok(())
}

fn readable(settings: &config::Settings, watched: &Watched) -> impl Iterator<Item = PathBuf> {
    let logs = settings.tail.folders();
    let links: BTreeSet<PathBuf> = LINKS
        .iter()
        .filter(|(folder, _)| logs.iter().any(|log| log.starts_with(folder)))
        .flat_map(|(_, to)| to.iter().map(PathBuf::from))
        .filter(|folder| folder.exists())
        .collect();
    let system = SYSTEM.iter().map(PathBuf::from).filter(|path| path.exists());
    let named = NAMED.iter().filter_map(|name| watched.env.get(name));
    // SSL_CERT_DIR may hold several, with colons between.
    let named = named
        .flat_map(|paths| paths.split(':'))
        .map(PathBuf::from)
        .filter(|path| path.exists());
    logs.into_iter()
        .chain(links)
        .chain(watched.texts.folders(&watched.env))
        .chain(system)
        .chain(named)
}
