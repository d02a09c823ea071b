//! Heartbeats: a GET once a minute to the URL that rules.toml names, only while reading and delivering work.
//!
//! Whoever listens there tells people when it hears nothing: that notices what no message of a dead process can say.
//! Well is what `health` calls well; it is judged for every beat anew, by the herald. While it is not, the
//! herald is asked every second, so the first beat after an illness comes at once if one is due.
//!
//! One beat is under way at most, and a failed one is not repeated before its time: the switch has a grace of its own.
//! The URL may change with a reload. The proxy is that of the start, as for Telegram.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::config::Health;
use crate::telegram::{Heartbeat, HeartbeatUrl};

use super::counts::Counts;
use super::courier::lanes::Roster;
use super::herald::Listen;

/// Between two beats.
const EVERY: Duration = Duration::from_mins(1);
/// Between two looks while it is not well.
const LOOK: Duration = Duration::from_secs(1);
/// The herald answers within this, or it is not well.
const KNOWING: Duration = Duration::from_secs(3);

/// How heartbeats travel.
#[derive(Clone)]
pub(super) struct Way {
    /// The proxy of rules.toml; absent: what the environment says.
    pub(super) proxy: Option<String>,
}

/// Heartbeats at work. Dropped, there are no more of them.
pub(super) struct Heart(JoinHandle<()>);

impl Heart {
    /// Begins; as long as rules.toml names no URL, it waits.
    pub(super) fn start(
        way: Way,
        reports: &Listen,
        roster: &watch::Receiver<Arc<Roster>>,
        counts: &Counts,
    ) -> Self {
        let beating = Beating {
            way,
            reports: reports.clone(),
            roster: roster.clone(),
            counts: counts.clone(),
            line: None,
        };
        Self(tokio::spawn(beating.run()))
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Beating {
    way: Way,
    reports: Listen,
    roster: watch::Receiver<Arc<Roster>>,
    counts: Counts,
    /// To the URL in force.
    line: Option<Line>,
}

/// The connection to one URL, and what was said of it.
struct Line {
    url: HeartbeatUrl,
    /// Absent where there can be none.
    heartbeat: Option<Heartbeat>,
    /// When the last one began; absent before the first.
    last: Option<Instant>,
    /// What the log said last.
    said: Option<Said>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Heard,
    Failed,
    Withheld,
}

impl Beating {
    async fn run(mut self) {
        loop {
            let health = self.roster.borrow_and_update().health.clone();
            let due = self.due(&health);
            tokio::select! {
                changed = self.roster.changed() => if changed.is_err() { return },
                () = at(due) => if !self.beat().await { sleep(LOOK).await },
            }
        }
    }

    /// When the next one is due; never without a URL.
    fn due(&mut self, health: &Health) -> Option<Instant> {
        let Some(url) = &health.heartbeat else {
            self.line = None;
            return None;
        };
        if self.line.as_ref().is_none_or(|line| line.url != *url) {
            self.line = Some(Line::to(url, &self.way));
        }
        let last = self.line.as_ref().and_then(|line| line.last);
        Some(last.map_or_else(Instant::now, |last| last + every(health)))
    }

    /// Sends one, if all is well; says whether it is.
    async fn beat(&mut self) -> bool {
        let reasons = self.reasons().await;
        let Some(line) = &mut self.line else { return true };
        if !reasons.is_empty() {
            line.withheld(&reasons);
            return false;
        }
        line.last = Some(Instant::now());
        if let Some(heartbeat) = &line.heartbeat {
            let heard = heartbeat.beat().await;
            self.counts.heartbeat(heard.is_ok());
            line.say(heard);
        } else {
            self.counts.heartbeat(false);
        }
        true
    }

    /// Why it is not well; none if it is.
    async fn reasons(&self) -> Vec<String> {
        let asking = async {
            let (reply, report) = oneshot::channel();
            self.reports.send(reply).await.ok()?;
            report.await.ok()
        };
        match timeout(KNOWING, asking).await {
            Ok(Some(report)) => report.status.reasons,
            Ok(None) | Err(_) => vec!["the process does not answer in time".to_owned()],
        }
    }
}

impl Line {
    fn to(url: &HeartbeatUrl, way: &Way) -> Self {
        let built = Heartbeat::build(url, way.proxy.as_deref());
        if let Err(error) = &built {
            tracing::error!(%error, "no heartbeat can be sent");
        }
        Self {
            url: url.clone(),
            heartbeat: built.ok(),
            last: None,
            said: None,
        }
    }

    /// Before the first beat nobody waits for one.
    fn withheld(&mut self, reasons: &[String]) {
        if self.last.is_some() && self.said.replace(Said::Withheld) != Some(Said::Withheld) {
            let reasons = reasons.join("; ");
            tracing::warn!(reasons, "no heartbeat until this is over");
        }
    }

    /// A change is said, and what stays as it is is not.
    fn say(&mut self, heard: Result<(), String>) {
        match heard {
            Ok(()) => {
                if self.said.replace(Said::Heard) != Some(Said::Heard) {
                    tracing::info!("the heartbeat is heard");
                }
            }
            Err(why) => {
                if self.said.replace(Said::Failed) != Some(Said::Failed) {
                    tracing::warn!(
                        why,
                        "the heartbeat is not heard; look at heartbeat_url and the way there"
                    );
                }
            }
        }
    }
}

/// Who wants to hear sooner of a silence hears more often: twice the time in which a reader is missed is a minute, if
/// rules.toml does not ask for less.
fn every(health: &Health) -> Duration {
    EVERY.min(health.read_within * 2)
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_comes_once_a_minute_and_more_often_for_whoever_is_less_patient() {
        assert_eq!(every(&Health::default()), Duration::from_mins(1));
        let within = |seconds| {
            every(&Health {
                read_within: Duration::from_secs(seconds),
                ..Health::default()
            })
        };
        assert_eq!(within(3), Duration::from_secs(6));
        assert_eq!(within(3_600), Duration::from_mins(1));
    }
}
