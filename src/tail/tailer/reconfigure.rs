//! Taking other settings while files are held.
//!
//! A held file is never closed and opened again: one that was deleted meanwhile would be lost with what was not read
//! of it. So held files keep their descriptor, their place and their half line, and only learn which logs they belong
//! to now. What no glob reaches any more is let go, with its position, in case a later glob reaches it.
//!
//! The trap: logs are indexes into the settings, and indexes of the old settings mean nothing in the new ones.

use std::path::Path;

use super::super::follow::{Follower, READ};
use super::super::pipe::Kind;
use super::super::{Note, Settings};
use super::Tailer;
use crate::model::{FileKey, Head, LogName, Manner, Moment, Position};

/// What comes of other settings at once; the rest is found by the next turn.
#[derive(Debug, Default)]
pub struct LetGo {
    /// Where reading stopped in files that no glob reaches any more.
    pub positions: Vec<Position>,
    /// Of these, the ones that have no name any more and so can never come back.
    pub forgotten: Vec<FileKey>,
}

impl Tailer {
    /// Follows what these settings say from the next turn on. To be called between two turns: everything that was
    /// handed out before belongs to the old ones.
    ///
    /// `start` speaks of the files of a log only if its name was never read with this store.
    pub fn reconfigure(&mut self, settings: Settings) -> LetGo {
        self.end_searches();
        let fresh = settings.logs.iter().map(|log| self.is_fresh(log));
        self.fresh = fresh.collect();
        // What no glob reaches any more was not looked at again, and is nobody's trouble.
        self.hidden.clear();
        self.globs = super::Globs::new(&settings);
        let longest = super::longest(&settings);
        self.buffer.resize(Head::FULL as usize + longest + READ, 0);
        self.buffer.shrink_to_fit();
        let globs = &self.globs;
        let logs_of = |path: &str| globs.logs_of(Path::new(path));
        let mut let_go = LetGo::default();
        let mut kept = Vec::with_capacity(self.followers.len());
        for mut follower in std::mem::take(&mut self.followers) {
            if let Some(pipe) = &mut follower.pipe {
                pipe.widen(longest);
            }
            let logs = match follower.pipe.as_ref().map(|pipe| pipe.kind) {
                None => logs_of(&follower.source.path),
                Some(Kind::Stdin) => (0..settings.logs.len())
                    .filter(|&log| settings.logs[log].reads_stdin())
                    .collect(),
                Some(Kind::Fifo(_)) => logs_of(&follower.source.path)
                    .into_iter()
                    .filter(|&log| settings.logs[log].names(follower.path()))
                    .collect(),
            };
            let old = &self.settings.logs[follower.source.logs[0]].name;
            match logs.first() {
                Some(first) => {
                    follower.dirty |= *old != settings.logs[*first].name;
                    let told = settings.logs[*first].joints.is_some();
                    follower.belongs_to(logs, told);
                    kept.push(follower);
                }
                None if follower.pipe.is_some() => {
                    self.just_parked.push(follower.path().to_owned());
                    self.parked.push(follower);
                }
                None if follower.is_deleted().unwrap_or(false) => let_go.forgotten.push(follower.source.key),
                None => {
                    // It counts as read to its end: nobody owes the rest to anyone.
                    let position = follower.position(old, true);
                    self.shelf.insert(position.clone());
                    let_go.positions.push(position);
                }
            }
        }
        self.followers = kept;
        self.vacant.retain_mut(|vacant| {
            vacant.last.logs = logs_of(&vacant.last.path);
            !vacant.last.logs.is_empty()
        });
        // Whatever is still so is found again by the next sweep, and told only if it was not told before.
        self.unreadable
            .retain(|_, (path, log)| match globs.logs_of(path).first() {
                Some(first) => {
                    *log = *first;
                    true
                }
                None => false,
            });
        self.refused.clear();
        let known = |name: &LogName| settings.logs.iter().any(|log| log.name == *name);
        self.said.retain(|_, note| match note {
            Note::Missing { log, .. } => known(log),
            _ => true,
        });
        self.settings = settings;
        self.next_sweep = Moment(0);
        let_go
    }

    fn is_fresh(&self, log: &super::super::LogSettings) -> bool {
        !self.seen.contains(&log.name)
    }
}

impl Follower {
    /// It is read for these logs from now on; what lies there half read is looked at again, and where its first bytes
    /// have something to tell, those too.
    pub(super) fn belongs_to(&mut self, logs: Vec<usize>, told: bool) {
        self.source.logs = logs;
        self.source.manner = Manner {
            open: true,
            ..if told {
                self.source.manner
            } else {
                Manner::default()
            }
        };
        self.hot = true;
    }
}
