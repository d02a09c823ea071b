//! `tailgram health`: for HEALTHCHECK.

use crate::config::Environment;
use crate::engine::{Status, process};

use super::state_dir::StateDir;
use super::{Failure, Options};

pub(super) fn run(options: &Options, env: &Environment) -> Result<(), Failure> {
    let state_dir = StateDir::choose(options, env)?;
    let Some(folder) = state_dir.folder() else {
        return Err(Failure::Running(
            "with --state-dir :memory: there is no status to ask for".to_owned(),
        ));
    };
    let Some(status) = Status::read(folder) else {
        return Err(Failure::Running(format!(
            "unhealthy: no process uses the state in {}",
            folder.display()
        )));
    };
    // HEALTHCHECK runs in the container of the process it asks about, so both count processes alike.
    if !process::exists(status.pid) {
        return Err(Failure::Running(format!(
            "unhealthy: process {} is gone",
            status.pid
        )));
    }
    if status.is_stale() {
        let age = status.age().as_secs();
        return Err(Failure::Running(format!(
            "unhealthy: process {} gave no sign of life for {age} s",
            status.pid
        )));
    }
    if status.healthy {
        Ok(())
    } else {
        Err(Failure::Running(format!(
            "unhealthy: {}",
            status.reasons.join("; ")
        )))
    }
}
