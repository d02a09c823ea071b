//! From the first look to the last.

use std::os::fd::AsFd;

use super::held::Kind;
use super::note::Note;
use super::operand::{Operand, Stage};
use super::screen::{End, Screen};
use super::settings::{By, Follow, Settings};
use super::wait::wait;
use super::watches::Watches;

/// Shows files as GNU tail does; `exists` says whether a process does. Says whether all went well: if not, the exit
/// code is 1.
pub fn tail(settings: &Settings, screen: &mut Screen, exists: impl Fn(u32) -> bool) -> Result<bool, End> {
    // Nobody would see whether a file can be opened.
    if settings.begin.is_nothing() && settings.follow.is_none() {
        return Ok(true);
    }
    screen.with_headers(settings.headers);
    let names = settings.files.iter().cloned().enumerate();
    let mut tail = Tail {
        settings,
        operands: names.map(|(index, name)| Operand::new(index, name)).collect(),
        over: || !settings.pids.is_empty() && !settings.pids.iter().any(|pid| exists(*pid)),
    };
    let well = tail.begin(screen)?;
    match settings.follow {
        Some(follow) if tail.leaves_pipes() => tail.go_on(follow, well, screen),
        _ => Ok(well),
    }
}

/// The files that are shown.
struct Tail<'a, O> {
    settings: &'a Settings,
    operands: Vec<Operand>,
    /// Whether all processes that it was to outlive are gone.
    over: O,
}

impl<O: Fn() -> bool> Tail<'_, O> {
    /// Shows the beginning of each file.
    fn begin(&mut self, screen: &mut Screen) -> Result<bool, End> {
        let Settings {
            begin,
            line_end,
            follow,
            sleep,
            ..
        } = *self.settings;
        let mut well = true;
        for operand in &mut self.operands {
            let mut wait = |screen: &Screen, stream: &dyn AsFd| {
                wait(screen, &[stream.as_fd()], sleep)?;
                Ok(!(self.over)())
            };
            let mut stage = Stage {
                screen,
                wait: &mut wait,
            };
            well &= operand.begin(begin, line_end, follow, &mut stage)?;
        }
        Ok(well)
    }

    /// A pipe at stdin was shown to its end and has no other. Says whether anything else was named.
    fn leaves_pipes(&mut self) -> bool {
        let is_pipe = |operand: &Operand| {
            let kind = operand.held().map(|held| held.kind);
            operand.is_stdin() && kind == Some(Kind::Fifo)
        };
        let mut others = false;
        for operand in &mut self.operands {
            if is_pipe(operand) {
                operand.give_up();
            } else {
                others = true;
            }
        }
        others
    }

    /// Follows until nothing is left to follow, or nobody to outlive.
    fn go_on(&mut self, follow: Follow, well: bool, screen: &mut Screen) -> Result<bool, End> {
        let mut watches = self.watches(follow, well, screen);
        loop {
            // Asked before the look: what a process wrote before it ended is there to be read then.
            let over = (self.over)();
            let folder_gone = watches.as_mut().is_some_and(Watches::take);
            for operand in &mut self.operands {
                operand.look(follow, screen)?;
            }
            if !self.operands.iter().any(|operand| operand.is_alive(follow)) {
                screen.say(&Note::NoneRemain);
                return Ok(false);
            }
            if over {
                // Where events told it when to look, GNU tail forgets here what it could not open.
                return Ok(well || watches.is_some());
            }
            let news = match &mut watches {
                Some(_) if folder_gone => Err(Note::FolderGone),
                Some(watches) => self.watch(watches),
                None => Ok(false),
            };
            match news {
                // What was written between the look and this would be told by nobody.
                Ok(true) => continue,
                Ok(false) => {}
                Err(note) => {
                    screen.say(&note);
                    screen.say(&Note::Reverting);
                    watches = None;
                }
            }
            self.wait(watches.as_ref(), screen)?;
        }
    }

    /// Asks the kernel for events, where GNU tail does.
    fn watches(&self, follow: Follow, well: bool, screen: &mut Screen) -> Option<Watches> {
        let settled = |operand: &Operand| match operand.held() {
            Some(held) => held.kind == Kind::Regular && !operand.is_stdin() && !is_link(operand),
            None => well || follow.by == By::Name,
        };
        let any = self.operands.iter().any(|operand| operand.held().is_some());
        let wanted = self.settings.events && any && self.operands.iter().all(settled);
        if self.settings.debug {
            let mode = match &self.operands[..] {
                _ if wanted => "notification",
                [only] if self.blocks(only, follow) => "blocking",
                _ => "polling",
            };
            screen.say(&Note::Mode(mode));
        }
        if !wanted {
            return None;
        }
        let watches = Watches::new()
            .ok()
            .map(|watches| self.watch_folders(watches, follow));
        match watches {
            Some(Ok(watches)) => return Some(watches),
            Some(Err(note)) => screen.say(&note),
            None => {}
        }
        screen.say(&Note::Reverting);
        None
    }

    /// Whether GNU tail would wait in a read.
    fn blocks(&self, only: &Operand, follow: Follow) -> bool {
        let stream = only.held().is_some_and(|held| held.kind != Kind::Regular);
        stream && follow.by == By::Descriptor && self.settings.pids.is_empty()
    }

    fn watch_folders(&self, mut watches: Watches, follow: Follow) -> Result<Watches, Note> {
        if follow.by == By::Name {
            for operand in &self.operands {
                watches.watch_folder(&operand.name).map_err(|error| {
                    no_watch(error, |error| {
                        Note::UnwatchableFolder(operand.name.clone(), error)
                    })
                })?;
            }
        }
        Ok(watches)
    }

    /// Watches what is held now, and says whether that is news. The note says what the kernel refused.
    fn watch(&self, watches: &mut Watches) -> Result<bool, Note> {
        let mut news = false;
        for operand in &self.operands {
            news |= watches
                .watch_file(operand.index, &operand.name, operand.held())
                .map_err(|error| no_watch(error, |error| Note::Unwatchable(operand.name.clone(), error)))?;
        }
        Ok(news)
    }

    fn wait(&self, watches: Option<&Watches>, screen: &Screen) -> Result<(), End> {
        let held = self.operands.iter().filter_map(Operand::held);
        let streams = held.filter(|held| held.open_ended).map(|held| held.file.as_fd());
        let others: Vec<_> = streams.chain(watches.map(Watches::as_fd)).collect();
        wait(screen, &others, self.settings.sleep)
    }
}

/// The kernel tells of what a link leads to, and not of the link being led elsewhere.
fn is_link(operand: &Operand) -> bool {
    std::fs::symlink_metadata(&operand.name).is_ok_and(|meta| meta.is_symlink())
}

fn no_watch(error: std::io::Error, otherwise: impl FnOnce(std::io::Error) -> Note) -> Note {
    match error.kind() {
        // How the kernel says that the limit of watches is reached.
        std::io::ErrorKind::StorageFull => Note::NoWatchLeft,
        _ => otherwise(error),
    }
}
