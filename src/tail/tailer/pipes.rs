//! Stdin, and FIFOs that are named: taken up, pumped, told when they end, and set aside when no log names them any more.
//!
//! No position of a pipe is ever stored, for nothing of it can be read twice. What no log names any more is held and not
//! read: nothing of it is lost if a later rules.toml names it again, and closing it would make its writer fail.
//!
//! The trap: a pipe has no file that a sweep could find. It is known by being stdin, or by the FIFO it was opened from,
//! never by the file in memory that its lines are read from.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use super::super::discover::Reached;
use super::super::follow::Follower;
use super::super::identity::{self, FileId, Seen};
use super::super::pipe::{self, Kind, Pipe, STDIN};
use super::super::{Chunk, Mode, Note, Source, Turn, distant};
use super::sweep::Group;
use super::{Tailer, text, unreadable};
use crate::model::{FileKey, Now};

impl Tailer {
    /// Takes up the pipes that logs name and that are not held yet. `fifos` are those that the sweep met.
    pub(super) fn take_up_pipes(
        &mut self,
        fifos: &BTreeMap<FileId, Group>,
        reached: &Reached,
        now: Now,
        turn: &mut Turn,
    ) {
        self.let_go_of_fifos(fifos, reached);
        let stdin: Vec<usize> = (0..self.settings.logs.len())
            .filter(|&log| self.settings.logs[log].reads_stdin())
            .collect();
        if !stdin.is_empty() && !self.resume_pipe(Kind::Stdin, &stdin) {
            self.take_up_stdin(stdin, now, turn);
        }
        for (id, group) in fifos {
            let logs: Vec<usize> = group.logs.iter().copied().collect();
            if !self.resume_pipe(Kind::Fifo(*id), &logs) {
                self.take_up_fifo(group, logs, now, turn);
            }
        }
        for path in std::mem::take(&mut self.just_parked) {
            self.say(Note::Parked { path }, turn);
        }
    }

    /// Of a FIFO whose path is gone, the end of its writers is the end. One that nobody wants has none to wait for.
    fn let_go_of_fifos(&mut self, fifos: &BTreeMap<FileId, Group>, reached: &Reached) {
        for follower in &mut self.followers {
            let hidden = reached.hides(follower.path());
            let Some(pipe) = &mut follower.pipe else { continue };
            // The clock asks, too: what was hinted at may have been lost.
            pipe.quiet = false;
            if let Kind::Fifo(id) = pipe.kind {
                pipe.gone = !hidden && !fifos.contains_key(&id);
            }
        }
        self.parked
            .retain(|parked| match parked.pipe.as_ref().map(|pipe| pipe.kind) {
                Some(Kind::Fifo(id)) => match Seen::at(parked.path()) {
                    Ok(seen) => seen.id == id,
                    Err(error) => identity::may_pass(&error),
                },
                _ => true,
            });
    }

    /// Whether this pipe is held, for these logs from now on.
    fn resume_pipe(&mut self, kind: Kind, logs: &[usize]) -> bool {
        let is_it = |follower: &Follower| follower.pipe.as_ref().is_some_and(|pipe| pipe.kind == kind);
        if let Some(held) = self.followers.iter_mut().find(|follower| is_it(follower)) {
            if held.source.logs != logs {
                held.source.logs = logs.to_vec();
            }
            return true;
        }
        let Some(index) = self.parked.iter().position(is_it) else {
            return false;
        };
        let mut parked = self.parked.remove(index);
        if let Some(pipe) = &mut parked.pipe {
            // Whatever the lookout told meanwhile, nobody heard it.
            pipe.woken();
        }
        self.said.remove(
            &Note::Parked {
                path: parked.path().to_owned(),
            }
            .subject(),
        );
        let told = self.settings.logs[logs[0]].joints.is_some();
        parked.belongs_to(logs.to_vec(), told);
        self.hold(parked);
        true
    }

    fn take_up_stdin(&mut self, logs: Vec<usize>, now: Now, turn: &mut Turn) {
        let kind = pipe::stdin();
        match kind {
            Ok(pipe::Stdin::Terminal) => return self.say(Note::Terminal, turn),
            Ok(pipe::Stdin::File) => self.say(Note::StdinIsFile, turn),
            Ok(pipe::Stdin::Stream) | Err(_) => {}
        }
        self.look_out(turn);
        let token = self.token();
        let longest = super::longest(&self.settings);
        let path = PathBuf::from(STDIN);
        let opened = kind.and_then(|_| Pipe::stdin(token, longest));
        match opened.and_then(|pipe| self.pipe_follower(pipe, &path, logs, now)) {
            Ok(follower) => self.hold(follower),
            Err(error) => {
                let error = error.to_string();
                self.say(Note::Failed { path, error }, turn);
            }
        }
    }

    fn take_up_fifo(&mut self, group: &Group, logs: Vec<usize>, now: Now, turn: &mut Turn) {
        let once = self.mode == Mode::Once;
        if self.refused.contains(&group.seen.id) || (once && self.swept.is_some()) {
            return;
        }
        let (path, log) = (&group.paths[0], logs[0]);
        match self.try_fifo(path, group.seen.id, logs, now, turn) {
            Ok(None) => {}
            Ok(Some(follower)) => {
                if self.unreadable.remove(&group.seen.id).is_some() {
                    self.say(Note::Readable { path: path.clone() }, turn);
                }
                self.hold(follower);
            }
            Err(error) => {
                self.unreadable.insert(group.seen.id, (path.clone(), log));
                if identity::is_out_of_descriptors(&error) {
                    return self.starve(turn);
                }
                self.say(unreadable(path, Some(&group.seen), &error), turn);
            }
        }
    }

    fn try_fifo(
        &mut self,
        path: &Path,
        id: FileId,
        logs: Vec<usize>,
        now: Now,
        turn: &mut Turn,
    ) -> io::Result<Option<Follower>> {
        let real = distant::real(path)?;
        if self.globs.forbids(&real) {
            self.refused.insert(id);
            self.say(Note::Forbidden { path: real }, turn);
            return Ok(None);
        }
        self.make_room()?;
        self.look_out(turn);
        let (token, longest) = (self.token(), super::longest(&self.settings));
        let opened = Pipe::fifo(path, id, token, longest, self.mode == Mode::Once)?;
        opened
            .map(|pipe| self.pipe_follower(pipe, path, logs, now))
            .transpose()
    }

    fn pipe_follower(&mut self, pipe: Pipe, path: &Path, logs: Vec<usize>, now: Now) -> io::Result<Follower> {
        let file = pipe.file();
        let source = Source {
            key: FileKey::draw(&mut self.random),
            path: text(path),
            manner: self.manner(&file, logs[0])?,
            logs,
        };
        let mut follower = Follower::new(file, source, 0, 0, now)?;
        // Without a look it would count as never read, and wait for the next sweep.
        follower.changed(now)?;
        follower.hot = false;
        follower.pipe = Some(Box::new(pipe));
        Ok(follower)
    }

    fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    /// Somebody has to wait for pipes while we wait for everything.
    fn look_out(&mut self, turn: &mut Turn) {
        if let Err(error) = self.lookout.start(&self.waker) {
            let error = error.to_string();
            self.say(Note::NoHints { error, asked: false }, turn);
        }
    }

    /// Whether one was ever taken up. Ten thousand files are not looked through for nothing.
    fn has_met_pipes(&self) -> bool {
        self.tokens > 0
    }

    /// How many descriptors pipes take beyond that of the file which is followed.
    pub(super) fn more_descriptors(&self) -> usize {
        if !self.has_met_pipes() {
            return 0;
        }
        let held = self.followers.iter().filter(|follower| follower.pipe.is_some());
        held.count() + 2 * self.parked.len()
    }

    /// Heeds what the lookout told.
    pub(super) fn wake_pipes(&mut self, told: &HashSet<u64>) {
        if !self.has_met_pipes() {
            return;
        }
        for pipe in self.followers.iter_mut().filter_map(|f| f.pipe.as_mut()) {
            if told.contains(&pipe.token) {
                pipe.woken();
            } else if self.mode == Mode::Once {
                // No sweep will ask.
                pipe.quiet = false;
            }
        }
    }

    /// Reads a step of every pipe whose lines are done with. Whether there may be more right now.
    pub(super) fn pump(&mut self, now: Now, turn: &mut Turn) -> bool {
        if !self.has_met_pipes() {
            return false;
        }
        let mut more = false;
        for index in 0..self.followers.len() {
            let follower = &mut self.followers[index];
            if !follower.is_flowing() {
                continue;
            }
            let pumped = follower.pump(&mut self.buffer, &self.lookout, now);
            let packed = follower.at == 0 && follower.has_compressed_bytes();
            let path = follower.path().to_owned();
            let ended = !follower.is_flowing();
            more |= follower
                .pipe
                .as_ref()
                .is_some_and(|pipe| pipe.may_have_more() && !pipe.is_full(follower.at));
            if let Err(error) = pumped {
                if let Some(pipe) = &mut self.followers[index].pipe {
                    // Until the next sweep.
                    pipe.quiet = true;
                }
                let error = error.to_string();
                self.say(
                    Note::Failed {
                        path: path.clone(),
                        error,
                    },
                    turn,
                );
            }
            if packed {
                self.say(Note::Packed { path: path.clone() }, turn);
            }
            // A FIFO that a single pass read to where it ends now has not ended.
            if ended && path.as_path() == Path::new(STDIN) {
                self.say(Note::Ended { path }, turn);
            }
        }
        more
    }

    /// FIFOs that nobody can write to any more, read to their ends, are forgotten.
    pub(super) fn finish_pipes(&mut self) {
        if !self.has_met_pipes() {
            return;
        }
        let over = |follower: &Follower| {
            let gone = follower.pipe.as_ref().is_some_and(|pipe| pipe.gone && pipe.ended);
            gone && follower.at_end() && !follower.has_half()
        };
        self.followers.retain(|follower| !over(follower));
    }

    /// How much memory the pipes take.
    #[cfg(test)]
    pub(in crate::tail) fn pipe_memory(&self) -> u64 {
        use std::os::unix::fs::MetadataExt as _;
        let files = self.followers.iter().filter(|follower| follower.pipe.is_some());
        let blocks = files.filter_map(|follower| Some(follower.file().ok()?.metadata().ok()?.blocks()));
        blocks.sum::<u64>() * 512
    }

    /// Whether one is held whose lines are wanted.
    pub fn has_pipes(&self) -> bool {
        self.followers.iter().any(|follower| follower.pipe.is_some())
    }

    /// Whether a single pass has to wait for what comes through a pipe.
    pub fn awaits_pipes(&self) -> bool {
        self.followers.iter().any(Follower::is_flowing)
    }

    /// Whether nothing will ever come any more: stdin is all that the logs read, and it ended, and all of it was handed
    /// out.
    pub fn is_over(&self) -> bool {
        let all = self.settings.logs.iter().flat_map(|log| &log.files);
        let mut others = all.filter(|glob| !glob.is_stdin());
        let done = |follower: &Follower| {
            let ended = follower.pipe.is_some() && !follower.is_flowing();
            ended && follower.at_end() && !follower.has_half()
        };
        others.next().is_none() && !self.followers.is_empty() && self.followers.iter().all(done)
    }

    /// The last turn of a run that is told to stop: what was read of pipes and waits for its rest is handed out, for nobody
    /// can read it again; so is what stands in stdin now, which ends with us. What stands in a FIFO stays for the next run.
    pub fn last_words(&mut self, now: Now, visit: &mut dyn FnMut(&Source, Chunk<'_>)) -> Turn {
        let mut turn = Turn::default();
        for index in 0..self.followers.len() {
            if self.followers[index].pipe.is_none() {
                continue;
            }
            self.read_up(index, now, &mut turn, visit);
            let follower = &mut self.followers[index];
            if let Some(pipe) = follower.pipe.as_mut().filter(|pipe| pipe.kind == Kind::Stdin) {
                pipe.quiet = false;
                // What fails now fails for good.
                let _ = follower.pump(&mut self.buffer, &self.lookout, now);
                self.read_up(index, now, &mut turn, visit);
            }
            // An event, and behind it half a line.
            for _ in 0..2 {
                if !self.followers[index].has_half() {
                    break;
                }
                let flushed = self.lend(index, now, visit, Follower::flush_all);
                self.note_progress(index, flushed, now, &mut turn);
            }
        }
        turn
    }

    /// Hands out all lines that were read of a pipe.
    fn read_up(
        &mut self,
        index: usize,
        now: Now,
        turn: &mut Turn,
        visit: &mut dyn FnMut(&Source, Chunk<'_>),
    ) {
        while self.followers[index].hot {
            let read = self.lend(index, now, visit, Follower::read);
            // One that fails is let rest, and so is no longer hot.
            self.note_progress(index, read, now, turn);
        }
    }
}
