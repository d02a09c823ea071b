//! One name of the command line, and what became of it.
//!
//! ```text
//!             can be opened                   (by name) leads elsewhere: read to the end, then
//!   Away ---------------------> Held ------------------------------------------------> Held, another one
//!    ^                           | leads nowhere, or to what cannot be followed
//!    '---------------------------'                  (no --retry, cannot be followed) -> GivenUp
//! ```

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::beginning::{self, Audience, Failed};
use super::held::{Got, Held, Id, Kind};
use super::note::Note;
use super::screen::{End, Screen};
use super::settings::{Begin, By, Follow};

/// A name.
#[derive(Debug)]
pub(super) struct Operand {
    /// Its place on the command line.
    pub(super) index: usize,
    pub(super) name: OsString,
    state: State,
}

#[derive(Debug)]
enum State {
    Held(Held),
    /// There is nothing to read.
    Away(Why),
    /// And it is not looked at again.
    GivenUp,
}

/// Why there is nothing to read; it decides what is said when there is something again.
#[derive(Debug, PartialEq, Eq)]
enum Why {
    /// The name leads nowhere.
    Missing,
    /// It cannot be opened, for another reason: the error's number.
    Closed(Option<i32>),
    /// It cannot be followed.
    Untailable,
}

impl Why {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Missing,
            _ => Self::Closed(error.raw_os_error()),
        }
    }
}

impl Operand {
    pub(super) fn new(index: usize, name: OsString) -> Self {
        Self {
            index,
            name,
            state: State::GivenUp,
        }
    }

    pub(super) fn is_stdin(&self) -> bool {
        self.name == "-"
    }

    /// What is held and can be followed.
    pub(super) fn held(&self) -> Option<&Held> {
        match &self.state {
            State::Held(held) => Some(held),
            State::Away(_) | State::GivenUp => None,
        }
    }

    /// Whether anything can still come of it.
    pub(super) fn is_alive(&self, follow: Follow) -> bool {
        match self.state {
            State::Held(_) => true,
            State::Away(_) => follow.retry,
            State::GivenUp => false,
        }
    }

    /// Opens it for the first time and shows its beginning. Says whether all went well.
    pub(super) fn begin(
        &mut self,
        begin: Begin,
        line_end: u8,
        follow: Option<Follow>,
        stage: &mut Stage<'_>,
    ) -> Result<bool, End> {
        let given_up = !follow.is_some_and(|follow| follow.retry);
        let opened = if self.is_stdin() {
            Held::stdin()
        } else {
            Held::open(&self.name)
        };
        let mut held = match opened {
            Ok(held) => held,
            Err(error) => {
                self.away(Why::of(&error), given_up);
                stage.screen.say(&Note::CannotOpen(self.name.clone(), error));
                return Ok(false);
            }
        };
        stage.screen.head(self.index, &self.name)?;
        let mut well = true;
        let mut audience = Beginning { of: self, stage };
        match beginning::show(&mut held, begin, line_end, &mut audience) {
            Ok(()) => {}
            Err(Failed::Showing(end)) => return Err(end),
            Err(Failed::Reading(error)) => {
                stage.screen.say(&Note::CannotRead(self.name.clone(), error));
                well = false;
            }
        }
        if held.kind != Kind::Other {
            self.state = State::Held(held);
        } else if follow.is_some() {
            stage.screen.say(&Note::CannotFollow(self.name.clone(), given_up));
            self.away(Why::Untailable, given_up);
            well = false;
        }
        Ok(well)
    }

    /// Lets it go for good.
    pub(super) fn give_up(&mut self) {
        self.state = State::GivenUp;
    }

    fn away(&mut self, why: Why, for_good: bool) {
        self.state = if for_good {
            State::GivenUp
        } else {
            State::Away(why)
        };
    }

    /// Shows what was written since, and finds out where the name leads.
    pub(super) fn look(&mut self, follow: Follow, screen: &mut Screen) -> Result<(), End> {
        let by_name = follow.by == By::Name && !self.is_stdin();
        match &mut self.state {
            State::GivenUp => Ok(()),
            State::Held(held) => {
                // Asked first: what was written before the name led elsewhere is there to be read then.
                let there = by_name.then(|| Path::new(&self.name).metadata());
                if let Err(error) = read_on(held, self.index, &self.name, screen)? {
                    self.state = State::Away(Why::of(&error));
                    screen.say(&Note::CannotRead(self.name.clone(), error));
                    return Ok(());
                }
                match there {
                    None => Ok(()),
                    Some(Ok(meta)) if Id::of(&meta) == held.id => Ok(()),
                    Some(Ok(_)) => self.open_anew(follow, screen),
                    Some(Err(error)) => {
                        self.lost(error, follow, screen);
                        Ok(())
                    }
                }
            }
            State::Away(_) => self.open_anew(follow, screen),
        }
    }

    /// Opens what the name leads to now.
    fn open_anew(&mut self, follow: Follow, screen: &mut Screen) -> Result<(), End> {
        let mut held = match Held::open(&self.name) {
            Ok(held) => held,
            Err(error) => {
                self.lost(error, follow, screen);
                return Ok(());
            }
        };
        if held.kind == Kind::Other {
            self.untailable(follow, screen);
            return Ok(());
        }
        let name = self.name.clone();
        let note = match &self.state {
            State::Away(Why::Missing) => Note::Appeared(name),
            State::Away(_) => Note::Accessible(name),
            State::Held(old) if old.id == held.id => return Ok(()),
            State::Held(_) | State::GivenUp => Note::Replaced(name),
        };
        screen.say(&note);
        // An error repeats itself in the next turn.
        let _ = read_on(&mut held, self.index, &self.name, screen)?;
        self.state = State::Held(held);
        Ok(())
    }

    /// It cannot be opened (any more).
    fn lost(&mut self, error: io::Error, follow: Follow, screen: &mut Screen) {
        let why = Why::of(&error);
        let name = self.name.clone();
        match &self.state {
            State::Held(_) if follow.retry => screen.say(&Note::Inaccessible(name, error)),
            State::Away(known) if follow.retry || *known == why => {}
            _ => screen.say(&Note::Gone(name, error)),
        }
        self.state = State::Away(why);
    }

    fn untailable(&mut self, follow: Follow, screen: &mut Screen) {
        let given_up = !(follow.retry && follow.by == By::Name);
        if !matches!(self.state, State::Away(Why::Untailable)) {
            screen.say(&Note::Untailable(self.name.clone(), given_up));
        }
        self.away(Why::Untailable, given_up);
    }
}

/// Shows what comes next of what is held, up to its end. The inner error is one of reading.
fn read_on(
    held: &mut Held,
    index: usize,
    name: &OsString,
    screen: &mut Screen,
) -> Result<io::Result<()>, End> {
    if held.kind == Kind::Regular {
        match held.size() {
            Ok(size) if size < held.at => {
                screen.say(&Note::Truncated(name.clone()));
                held.at = 0;
            }
            Ok(size) if size == held.at => return Ok(Ok(())),
            Ok(_) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    let mut buffer = vec![0; beginning::BLOCK];
    loop {
        match held.next(&mut buffer) {
            Ok(Got::Bytes(count)) => screen.show(index, name, &buffer[..count])?,
            Ok(Got::End | Got::Later) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// What an operand needs to begin.
pub(super) struct Stage<'a> {
    pub(super) screen: &'a mut Screen,
    /// Waits for more of a stream; says whether to go on waiting.
    pub(super) wait: &'a mut dyn FnMut(&Screen, &dyn std::os::fd::AsFd) -> Result<bool, End>,
}

/// The beginning of an operand on its way to the screen.
struct Beginning<'a, 'b> {
    of: &'a Operand,
    stage: &'a mut Stage<'b>,
}

impl Audience for Beginning<'_, '_> {
    fn show(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.stage.screen.show(self.of.index, &self.of.name, bytes)
    }

    fn wait(&mut self, stream: &dyn std::os::fd::AsFd) -> Result<bool, End> {
        (self.stage.wait)(self.stage.screen, stream)
    }
}
