//! The room's door: what is followed, whose turn it is to be read, and what is told about it.
//!
//! The steps of a turn are in files of their own beside this one; here is their order, and the state they
//! share. The trap: a key is held or shelved, never both, or a file is read twice.

mod begin;
mod cuts;
mod deleted;
mod ending;
mod lost;
mod names;
mod pipes;
mod reconfigure;
mod room;
mod shelf;
mod sweep;
mod unpack;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use self::reconfigure::LetGo;
pub use self::room::Descriptors;

use self::cuts::Cut;
use self::names::Names;
use self::room::Stray;
use self::shelf::Shelf;
use self::sweep::Vacant;
use super::descriptor::Budget;
use super::discover::Globs;
use super::distant;
use super::follow::{Follower, Progress, READ, Reading};
use super::handle::Handle;
use super::identity::{self, FileId, Seen};
use super::lookout::Lookout;
use super::packed::Search;
use super::watch::Watcher;
use super::{Chunk, FileState, FileStatus, LogSettings, Mode, Note, Settings, Source, Turn, Unit, Waker};
use crate::fence;
use crate::model::{FileKey, Head, LogName, Manner, Moment, Now, Position};

/// How many full reads one turn makes, over all files.
const MOST_READS: usize = 16;

/// So many sweeps without a question that is left open, and a mount is said to answer again.
const TRUSTED: u8 = 3;

/// Sweeps that hints ask for keep this distance.
const HINTED_SWEEP: Duration = Duration::from_millis(100);

/// How many files that ended `status` shows.
const MOST_ENDED: usize = 20;

/// So many subjects are remembered as told; beyond that everything may be told once more.
const MOST_SAID: usize = 10_000;

/// Follows files. Lives on a thread of its own and blocks it.
#[derive(Debug)]
pub struct Tailer {
    settings: Settings,
    mode: Mode,
    globs: Globs,
    /// Held files, in the order in which they were met.
    followers: Vec<Follower>,
    /// Pipes that no log names any more: held, and not read. A FIFO stays as long as its path leads to it.
    parked: Vec<Follower>,
    /// Those of them that were not told of yet.
    just_parked: Vec<PathBuf>,
    /// The last name that the lookout was given for a pipe; 0 where none was ever met.
    tokens: u64,
    /// Which of them are where, while a sweep meets new files.
    names: Option<Names>,
    /// Folders with their links resolved, within a sweep.
    real_folders: HashMap<PathBuf, PathBuf>,
    /// Stored positions of files that are not held. A key is here or in `followers`, never in both.
    shelf: Shelf,
    /// How many descriptors we may have, and have.
    budget: Budget,
    open: usize,
    /// Files that found none since the last sweep.
    waiting: usize,
    /// Bytes of the disk that deleted files took at the last sweep because they are held open.
    deleted: u64,
    /// Of the positions on the shelf, those that were held until now, and closed.
    strays: HashMap<FileKey, Stray>,
    /// Files that could not be opened, by id, with the log they belong to.
    unreadable: HashMap<FileId, (PathBuf, usize)>,
    /// Mounts that gave no answer, and how many more sweeps they have to answer all before that is believed.
    silent: BTreeMap<PathBuf, u8>,
    /// What could not be looked at when a log was read for the first time, per log: of what is there at the first look
    /// `start` still speaks.
    unseen: Vec<(LogName, PathBuf)>,
    /// Paths and folders that could not be looked at in the last sweep.
    hidden: HashSet<PathBuf>,
    /// Files that are left alone although a glob reaches them.
    refused: HashSet<FileId>,
    /// Cuts noticed in this turn, whose rest may stand in a copy.
    cuts: Vec<Cut>,
    /// What is looked for in archives, oldest first. A key that is here is neither held nor shelved.
    searches: VecDeque<Search>,
    /// Paths that lost their file and have none again; bounded by the held files.
    vacant: Vec<Vacant>,
    /// Per log: its name was never read with this store, up to the last sweep.
    fresh: Vec<bool>,
    /// The logs that were read with this store, those of earlier settings too.
    seen: HashSet<LogName>,
    /// The newest note about each subject.
    said: HashMap<String, Note>,
    /// The link through which a file is followed, by where the file lies; as of the last sweep.
    links: HashMap<PathBuf, PathBuf>,
    /// Logs of which not everything could be looked at in the last sweep.
    blind: HashSet<usize>,
    /// When the last sweep was; absent before the first.
    swept: Option<Now>,
    next_sweep: Moment,
    /// How many times as far from each other sweeps are, as of the last one.
    pace: u32,
    /// When files that are held open are looked at, if no sweep comes before that.
    next_glance: Moment,
    /// Which follower is read first in the next turn.
    first: usize,
    /// What was there at the first sweep is still being read, file by file.
    one_by_one: bool,
    random: fastrand::Rng,
    waker: Waker,
    watcher: Watcher,
    lookout: Lookout,
    /// Shared by all files: what is read stays here only for the length of a visit.
    buffer: Vec<u8>,
}

impl Tailer {
    /// Opens nothing yet; the first turn does.
    ///
    /// `known` are all stored positions. `seen` are the logs that were read before with this store: `start` no
    /// longer speaks of their files. `random` draws keys for new files; `waker` interrupts [`Tailer::wait`].
    pub fn open(
        settings: Settings,
        mode: Mode,
        known: Vec<Position>,
        seen: &[LogName],
        random: fastrand::Rng,
        waker: Waker,
    ) -> Self {
        let longest = longest(&settings);
        Self {
            mode,
            globs: Globs::new(&settings),
            followers: Vec::new(),
            parked: Vec::new(),
            just_parked: Vec::new(),
            tokens: 0,
            names: None,
            real_folders: HashMap::new(),
            shelf: known.into_iter().collect(),
            budget: match settings.unit {
                Unit::Lines => Budget::of_process(),
                Unit::Bytes => Budget::boundless(),
            },
            open: 0,
            waiting: 0,
            deleted: 0,
            strays: HashMap::new(),
            unreadable: HashMap::new(),
            silent: BTreeMap::new(),
            unseen: Vec::new(),
            hidden: HashSet::new(),
            refused: HashSet::new(),
            cuts: Vec::new(),
            searches: VecDeque::new(),
            vacant: Vec::new(),
            fresh: settings
                .logs
                .iter()
                .map(|log| !seen.contains(&log.name))
                .collect(),
            seen: seen.iter().cloned().collect(),
            said: HashMap::new(),
            links: HashMap::new(),
            blind: HashSet::new(),
            swept: None,
            next_sweep: Moment(0),
            pace: 1,
            next_glance: Moment(0),
            first: 0,
            one_by_one: settings.unit == Unit::Bytes,
            random,
            watcher: Watcher::new(waker.clone()),
            lookout: Lookout::default(),
            waker,
            // A KiB before the offset, a whole line, and room to read on.
            buffer: vec![0; Head::FULL as usize + longest + READ],
            settings,
        }
    }

    /// Looks at what may have changed, and reads a fair share of it: at most one buffer of each file.
    ///
    /// `visit` gets chunks of whole lines (or of bytes, where those are the unit), in file order per file. The returned positions cover exactly them.
    pub fn turn(&mut self, now: Now, visit: &mut dyn FnMut(&Source, Chunk<'_>)) -> Turn {
        let mut turn = Turn::default();
        self.heed_hints(now);
        if !self.sweep_is_due(now) && self.mode == Mode::Forever && self.next_glance <= now.moment {
            self.glance(now, &mut turn);
        }
        let sweeps = self.sweep_is_due(now);
        if sweeps {
            self.sweep(now, &mut turn);
        }
        self.unpack(now, &mut turn);
        let flows = self.pump(now, &mut turn);
        turn.more = flows | self.read(now, &mut turn, visit);
        self.settle_cuts(now, &mut turn);
        self.flush(now, &mut turn, visit);
        self.finish(now, &mut turn);
        self.finish_pipes();
        if sweeps {
            self.weigh_deleted(&mut turn);
        }
        self.count_open();
        self.close_idle(now);
        self.hand_over(&mut turn);
        for index in 0..self.followers.len() {
            self.release(index);
        }
        turn.more |= self.has_packed();
        turn.more |= self
            .followers
            .iter()
            .any(|follower| follower.hot && !follower.waits() && !self.is_cut(follower.source.key));
        turn
    }

    /// Makes the next turn look at everything, hints or not.
    pub fn look_again(&mut self) {
        self.next_sweep = Moment(0);
    }

    /// Something is known to have changed its name: the next sweep comes as early as hints can make it come.
    fn look_soon(&mut self) {
        if let Some(swept) = self.swept {
            self.next_sweep = self.next_sweep.min(swept.moment + HINTED_SWEEP * self.pace);
        }
    }

    /// Holds no more files open than that.
    #[cfg(test)]
    pub(super) fn allow(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// Which of these logs, given by their places in [`Settings::logs`], had been read to their ends at the last sweep,
    /// and when that was; absent before the first. A log without a file, or with one that cannot be looked at or read,
    /// is not among them: nobody knows what would stand there. Half a line, or an event that goes on, is no rest.
    pub fn read_to_end(&self, logs: &[usize]) -> Option<(Moment, Vec<usize>)> {
        let swept = self.swept?;
        let is_read = |log: &&usize| {
            let mut own = self
                .followers
                .iter()
                .filter(|follower| follower.source.logs.contains(log));
            let mut sought = self.searches.iter().map(|search| &search.source.logs);
            let sighted = !sought.any(|logs| logs.contains(log))
                && !self.blind.contains(log)
                && self.unreadable.values().all(|(_, other)| other != *log);
            let followed = own.clone().next().is_some();
            sighted && followed && own.all(|follower| follower.is_read() && !follower.waits())
        };
        Some((swept.moment, logs.iter().filter(is_read).copied().collect()))
    }

    /// Whether nothing that was seen waits for what may follow it any longer: half a line, or the last event of a file.
    pub fn is_settled(&self, now: Now) -> bool {
        let mut halves = self.followers.iter().filter(|follower| follower.has_half());
        halves.all(|follower| follower.grew() + self.patience(follower) <= now.moment)
    }

    /// Blocks until a hint, [`Waker::wake`], or the next deadline of its own.
    pub fn wait(&mut self, now: Now) {
        let partials = self.followers.iter().filter(|follower| follower.has_half());
        let partials = partials.map(|follower| follower.grew() + self.patience(follower));
        // The turn before has served what was due; what is due still could not be, and is not hammered at.
        let soon = now.moment + HINTED_SWEEP;
        let sweep = match self.mode {
            // There is but one; a pipe is looked at all the same.
            Mode::Once => now.moment + self.settings.sweep,
            Mode::Forever => self.next_sweep.min(self.next_glance),
        };
        // What is late by then waits for something else.
        let held = self.followers.iter();
        let held = held.filter_map(|follower| follower.holds_out(self.settings.hold));
        let held = held.filter(|due| *due > now.moment);
        let deadline = partials
            .map(|due| due.max(soon))
            .chain(held)
            .fold(sweep, Moment::min);
        self.waker.wait(deadline - now.moment);
    }

    /// How long what waits in a file waits for growth.
    fn patience(&self, follower: &Follower) -> Duration {
        let log = &self.settings.logs[follower.source.logs[0]];
        if follower.has_open() {
            log.flush
        } else {
            log.partial
        }
    }

    /// Whether all that was to be read was read: for [`Mode::Once`] up to the sizes of the first turn, else up
    /// to the last look.
    #[cfg(test)]
    pub(super) fn caught_up(&self) -> bool {
        self.swept.is_some()
            && self
                .followers
                .iter()
                .all(|follower| follower.at_end() || follower.copy_of.is_some())
    }

    /// How far a held file was handed out; absent if it is not held.
    pub fn read_to(&self, file: FileKey) -> Option<u64> {
        Some(self.held(file)?.at)
    }

    /// Bytes of a held file that were handed out, read once more from its descriptor: those from here up to there,
    /// as far as they are there. Absent if the file is not held or cannot be read.
    pub fn peek(&self, file: FileKey, from: u64, to: u64) -> Option<Vec<u8>> {
        let follower = self.held(file)?;
        if follower.pipe.as_ref().is_some_and(|pipe| !pipe.has(from)) {
            return None;
        }
        let length = to.min(follower.at).checked_sub(from)?;
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        let read = identity::read_at(&*follower.file().ok()?, &mut bytes, from).ok()?;
        bytes.truncate(read);
        Some(bytes)
    }

    /// The generation that was read before this one, and how it is read; absent if it is not held any more.
    pub fn older(&self, file: FileKey) -> Option<(FileKey, Manner)> {
        let older = self.held(self.held(file)?.older?)?;
        Some((older.source.key, older.source.manner))
    }

    /// The generation that is read after this one, and how it is read; absent as long as there is none.
    pub fn younger(&self, file: FileKey) -> Option<(FileKey, Manner)> {
        let mut followers = self.followers.iter();
        let younger = followers.find(|follower| follower.older == Some(file))?;
        Some((younger.source.key, younger.source.manner))
    }

    fn held(&self, file: FileKey) -> Option<&Follower> {
        let mut followers = self.followers.iter();
        followers.find(|follower| follower.source.key == file)
    }

    /// Every file, for `status`; of those that ended, the newest few.
    pub fn files(&self) -> Vec<FileStatus> {
        let name = |log: usize| self.settings.logs[log].name.clone();
        let held = self.followers.iter().map(|follower| FileStatus {
            path: follower.source.path.to_string(),
            log: name(follower.source.logs[0]),
            state: if follower.pipe.is_some() && !follower.is_flowing() {
                FileState::Finished
            } else {
                FileState::Following
            },
            offset: follower.at,
            size: follower.size(),
        });
        let mut ended: Vec<&Position> = self.shelf.values().filter(|position| position.finished).collect();
        ended.sort_by_key(|position| std::cmp::Reverse(position.at));
        let ended = ended.into_iter().take(MOST_ENDED).map(|position| FileStatus {
            path: position.path.clone(),
            log: position.log.clone(),
            state: FileState::Finished,
            offset: position.offset,
            size: position.offset,
        });
        let empty = |path: String, log, state| FileStatus {
            path,
            log,
            state,
            offset: 0,
            size: 0,
        };
        let closed = self.unreadable.values();
        let closed =
            closed.map(|(path, log)| empty(path.display().to_string(), name(*log), FileState::Unreadable));
        let waiting = self.said.values().filter_map(|note| match note {
            Note::Missing { log, globs } => Some(empty(globs.join(", "), log.clone(), FileState::Waiting)),
            _ => None,
        });
        held.chain(ended).chain(closed).chain(waiting).collect()
    }

    /// Whether the kernel was asked for hints.
    #[cfg(test)]
    pub(super) fn has_kernel(&self) -> bool {
        self.watcher.is_asked()
    }

    fn heed_hints(&mut self, now: Now) {
        let hints = self.waker.take();
        self.wake_pipes(&hints.pipes);
        let linked: HashSet<&Path> = hints
            .paths
            .iter()
            .filter_map(|path| self.links.get(path).map(PathBuf::as_path))
            .collect();
        // Whole paths are not cheap to compare with those of ten thousand files.
        let meant = hints
            .paths
            .iter()
            .map(PathBuf::as_path)
            .chain(linked.iter().copied());
        let names: HashSet<Option<&OsStr>> = meant.map(Path::file_name).collect();
        let mut names_changed = hints.sweep;
        if !hints.paths.is_empty() {
            for follower in &mut self.followers {
                let path = follower.path();
                if !names.contains(&path.file_name())
                    || !(hints.paths.contains(&*as_kernel(path)) || linked.contains(path))
                {
                    continue;
                }
                // What cannot be looked at now is told by the sweep.
                let lost = follower
                    .look(now)
                    .is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
                if lost && !follower.is_open() {
                    // Whoever writes to a path that was just renamed writes to another file.
                    follower.missed |= !hints.sweep;
                    names_changed = true;
                }
            }
        }
        if names_changed {
            self.look_soon();
        }
    }

    fn sweep_is_due(&self, now: Now) -> bool {
        match self.mode {
            Mode::Once => self.swept.is_none(),
            Mode::Forever => self.swept.is_none() || self.next_sweep <= now.moment,
        }
    }

    /// Reads of every file that has something, in turns. Whether the turn ended before all were served.
    fn read(&mut self, now: Now, turn: &mut Turn, visit: &mut dyn FnMut(&Source, Chunk<'_>)) -> bool {
        let count = self.followers.len();
        let (mut full, known) = (0, self.cuts.len());
        // What was just met comes last: it may be what a rotator made of a file that was cut, which is noticed by reading
        // that.
        for step in 0..2 * count {
            let index = (self.first + step) % count;
            let follower = &self.followers[index];
            let waits = follower.waits() || self.is_cut(follower.source.key);
            if !follower.hot || waits || follower.is_unread() != (step >= count) {
                continue;
            }
            if full == MOST_READS {
                self.first = index;
                return true;
            }
            if !self.open_again(index, turn) {
                continue;
            }
            let progress = self.lend(index, now, visit, Follower::read);
            let more = progress
                .as_ref()
                .is_ok_and(|progress| *progress == Progress::More);
            full += usize::from(more);
            self.note_progress(index, progress, now, turn);
            if self.cuts.len() > known {
                self.first = index + 1;
                return true;
            }
            self.close_idle_in_passing(now);
            if more && self.one_by_one {
                self.first = index;
                return true;
            }
        }
        self.one_by_one = false;
        self.first = self.first.wrapping_add(1).checked_rem(count).unwrap_or(0);
        false
    }

    /// Whether a file was cut, and it is not known yet what was copied until then: nothing is read behind that.
    fn is_cut(&self, file: FileKey) -> bool {
        self.cuts.iter().any(|cut| cut.new == file)
    }

    /// How a file's lines end, which its first bytes tell. The rest is learned once it is read: a file that nobody
    /// writes to is not looked into.
    fn manner(&self, file: &Handle, log: usize) -> io::Result<Manner> {
        let mut manner = Manner::default();
        if let Some(joints) = &self.settings.logs[log].joints {
            let mut first = [0; 4];
            let read = identity::read_at(file, &mut first, 0)?;
            manner.line_end = joints.manner("", &first[..read]).line_end;
        }
        manner.open = true;
        Ok(manner)
    }

    /// Gives the shared buffer to one file.
    fn lend(
        &mut self,
        index: usize,
        now: Now,
        visit: &mut dyn FnMut(&Source, Chunk<'_>),
        act: fn(&mut Follower, &mut Reading<'_>) -> io::Result<Progress>,
    ) -> io::Result<Progress> {
        let follower = &mut self.followers[index];
        let max_line = self.settings.logs[follower.source.logs[0]].max_line;
        act(
            follower,
            &mut Reading {
                buffer: &mut self.buffer,
                unit: self.settings.unit,
                max_line,
                logs: &self.settings.logs,
                now,
                visit,
            },
        )
    }

    fn note_progress(&mut self, index: usize, progress: io::Result<Progress>, now: Now, turn: &mut Turn) {
        let path = self.followers[index].path().to_owned();
        if progress.is_ok() && std::mem::take(&mut self.followers[index].failed) {
            self.say(Note::Readable { path: path.clone() }, turn);
        }
        match progress {
            Ok(Progress::Idle | Progress::More) => {}
            Ok(Progress::Truncated { lost }) => self.cut(index, lost, now, turn),
            Ok(Progress::Compressed) => {
                self.refused.insert(self.followers[index].id());
                turn.forgotten.push(self.followers[index].source.key);
                self.followers[index].refused = true;
                self.say(Note::Compressed { path }, turn);
            }
            Err(error) => {
                self.followers[index].cool_down();
                let note = failed(&mut self.followers[index], &error);
                self.say(note, turn);
            }
        }
    }

    /// A copy's position is not stored while its original reads the same bytes, nor that of a file behind a cut before it is
    /// known what was copied: until then the position of what was cut stays. That of a pipe never is.
    fn hand_over(&mut self, turn: &mut Turn) {
        let cuts = &self.cuts;
        let cut = |file: FileKey| cuts.iter().any(|cut| cut.new == file && !cut.is_hollow());
        let due = |follower: &&mut Follower| {
            follower.dirty
                && follower.copy_of.is_none()
                && follower.pipe.is_none()
                && !cut(follower.source.key)
        };
        for follower in self.followers.iter_mut().filter(due) {
            follower.dirty = false;
            let log = &self.settings.logs[follower.source.logs[0]].name;
            turn.positions.push(follower.position(log, false));
        }
    }

    /// Says it once, until there is something else to say about the same subject.
    fn say(&mut self, note: Note, turn: &mut Turn) {
        let subject = note.subject();
        if let Note::Silent { mount, .. } = &note {
            // Of a whole mount it is said once, whichever of its files were asked about.
            if self.silent.insert(mount.clone(), TRUSTED).is_some() {
                return;
            }
        } else if self.said.get(&subject) == Some(&note) {
            return;
        }
        if self.said.len() >= MOST_SAID {
            self.said.clear();
        }
        self.said.insert(subject, note.clone());
        turn.notes.push(note);
    }
}

/// How many bytes of a file one event may need. Where events are held back, one may lie before the line.
fn longest(settings: &Settings) -> usize {
    let longest = |log: &LogSettings| log.max_line * (1 + usize::from(log.joints.is_some()));
    settings.logs.iter().map(longest).max().unwrap_or_default()
}

fn silent(mount: &Path, path: &Path) -> Note {
    Note::Silent {
        mount: mount.to_owned(),
        path: path.to_owned(),
    }
}

/// What is told of a held file that cannot be looked at or read right now.
fn failed(follower: &mut Follower, error: &io::Error) -> Note {
    if let Some(mount) = distant::silent(error) {
        return silent(mount, follower.path());
    }
    follower.failed = true;
    Note::Failed {
        path: follower.path().to_owned(),
        error: error.to_string(),
    }
}

fn unreadable(path: &Path, seen: Option<&Seen>, error: &io::Error) -> Note {
    if identity::is_out_of_descriptors(error) {
        return Note::TooManyOpen;
    }
    if let Some(mount) = distant::silent(error) {
        return silent(mount, path);
    }
    Note::Unreadable {
        path: path.to_owned(),
        owner: seen.map_or(0, |seen| seen.owner),
        mode: seen.map_or(0, |seen| seen.mode),
        uid: rustix::process::geteuid().as_raw(),
        error: why(path, error),
    }
}

/// Why a file is refused; the kernel's own words would name the wrong reason for a file behind the fence.
fn why(path: &Path, error: &io::Error) -> String {
    let shut_out = |path: &Path| Ok(fence::shuts_out(path));
    if error.kind() == io::ErrorKind::PermissionDenied && distant::ask(path, shut_out).unwrap_or(false) {
        return format!("{}; {}", fence::WHY, fence::CURE);
    }
    error.to_string()
}

/// A path as events name it: they know no other than absolute ones. One without a working folder is heard of at
/// the next sweep.
fn as_kernel(path: &Path) -> Cow<'_, Path> {
    if path.is_absolute() {
        return Cow::Borrowed(path);
    }
    std::path::absolute(path).map_or(Cow::Borrowed(path), Cow::Owned)
}

fn text(path: &Path) -> Arc<str> {
    path.to_string_lossy().into()
}
