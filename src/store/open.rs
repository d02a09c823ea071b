//! Opening: from a folder to a store and everything in it.
//!
//! The order, each step trusting a little more than the one before:
//! 1. the folder is made or found, and locked;
//! 2. the file is made (0600) or found; a link or device in its place is refused;
//! 3. its schema is read: a newer one is refused, untouched;
//! 4. its pages are checked, then its rows; damage is set aside and told;
//! 5. only now the connection gets the settings under which it writes.
//!
//! The trap: "damaged" must mean that the *content* makes no sense. A full disk, a failing one or a file
//! held by another program must never move a good file aside.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::damage::{self, Damage, with};
use super::fault::{self, Fault};
use super::folder::{self, Made};
use super::lock::{self, Holder, Lock, Refused};
use super::mark::Mark;
use super::read::{self, Loaded};
use super::schema::{self, Kind};
use super::{Store, WAL, image};
use crate::model::{State, StoreId};

/// An open store and what was found in it.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Everything it holds. Timers are as they were saved: each row's `resume` is the caller's to call.
    pub state: State,
    /// Whether it was created just now: nothing was there, or what was there had to be set aside whole.
    pub fresh: bool,
    /// What could not be read and was set aside, and what is missing.
    pub damage: Vec<Damage>,
}

/// Why a store cannot be opened. Each text names the way out.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the folder.
    #[error(
        "the state folder {} is in use by {}; stop it first, or name another folder with --state-dir",
        dir.display(), pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    InUse {
        /// The folder.
        dir: PathBuf,
        /// The process, as it wrote itself down. In a container the number may be one of another container.
        pid: Option<u32>,
    },
    /// Neither the folder nor the one it would lie in exists.
    #[error(
        "the state folder {} cannot be made because the folder above it does not exist (running as uid {uid}); \
         create it, mount a writable volume there, or go without with --state-dir :memory:", dir.display()
    )]
    NoFolder {
        /// The folder.
        dir: PathBuf,
        /// Our user.
        uid: u32,
    },
    /// Something else lies in its place.
    #[error("{} is not a folder; name a folder with --state-dir", dir.display())]
    NotAFolder {
        /// The path.
        dir: PathBuf,
    },
    /// The system does not let us write.
    #[error(
        "the state at {} cannot be written: {source} (running as uid {uid}; {owner}); mount a writable volume \
         there, give it to this user (chown {uid} {}; the image runs as 65532), or go without with \
         --state-dir :memory:", path.display(), path.display()
    )]
    Denied {
        /// The folder or the file in it.
        path: PathBuf,
        /// Our user.
        uid: u32,
        /// Who may write, in words.
        owner: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody may write there.
    #[error(
        "the state at {} cannot be written: its file system is read-only; mount it writable (mount -o remount,rw, a \
         volume without :ro), or go without with --state-dir :memory:", path.display()
    )]
    ReadOnly {
        /// The folder or the file in it.
        path: PathBuf,
    },
    /// Others may put files into it.
    #[error(
        "the state folder {0} belongs to uid {owner} and has the mode {mode:o}, so somebody else may put files into it \
         (running as uid {uid}); give it to this user alone (chown {uid} {0} && chmod 700 {0}), or name a folder in it \
         that is not there yet, which tailgram makes for itself (--state-dir {0}/mine)",
        dir.display()
    )]
    Shared {
        /// The folder.
        dir: PathBuf,
        /// Our user.
        uid: u32,
        /// Whose it is.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// A file of ours has a second name somewhere.
    #[error(
        "{0} has another name somewhere (a hard link), under which others would see and change what is written; remove \
         that name, or put a copy in its place (cp {0} {0}.new && mv {0}.new {0})", path.display()
    )]
    Linked {
        /// The path.
        path: PathBuf,
    },
    /// A link, a pipe or a device lies where our file should be.
    #[error("{} is not a plain file; a link or device in its place is refused, remove it", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A later version of this program wrote it. Nothing was changed.
    #[error(
        "the state at {} was written by a newer version (schema {found}, this one knows {known}); run that \
         version again, or begin anew with another --state-dir", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i32,
        /// The newest schema this program knows.
        known: i32,
    },
    /// There is no room to begin.
    #[error("no room left on the disk of {}; free some, or move the state with --state-dir", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The disk or the system failed. The file was left where it is, since nothing shows that it is damaged.
    #[error(
        "the state at {} cannot be opened: {why}; see that the disk is sound and that no other program has \
         the file open", path.display()
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
}

impl Store {
    /// Opens the store in a folder, which it locks until it is dropped, and creates what is missing.
    ///
    /// Damaged content never fails: it is set aside and told. Fails when the folder cannot be written, is
    /// in use, or holds the store of a newer version.
    pub fn open(dir: &Path) -> Result<Opened, OpenError> {
        let dir = &folder::prepare(dir)?;
        folder::only_files(dir)?;
        let lock = Lock::take(dir).map_err(|refused| match refused {
            Refused::Held(pid) => OpenError::InUse {
                dir: dir.clone(),
                pid,
            },
            Refused::Io(error) => folder::refused(dir, error),
        })?;
        let mut damage = Vec::new();
        // A log whose file is gone: SQLite would delete it without a word.
        let orphan = !folder::has_file(dir) && with(dir, WAL).symlink_metadata().is_ok();
        let made = folder::make_file(dir)?;
        if made == Made::Empty || orphan {
            damage.push(set_aside(dir, "the file was empty or gone".to_owned())?);
        }
        let attempted = attempt(dir);
        if attempted.is_err() && made == Made::New && !orphan {
            folder::unmake(dir);
        }
        let (connection, loaded) = match attempted? {
            Attempt::Loaded(connection, loaded) => (connection, loaded),
            Attempt::Damaged(why) => {
                damage.push(set_aside(dir, why)?);
                again(dir)?
            }
        };
        let fresh = loaded.fresh;
        damage.extend(loaded.damage);
        let mark = Mark::open(dir);
        let found = loaded.state.turn;
        if let Some(committed) = mark.turn(loaded.state.store).filter(|turn| *turn > found) {
            damage.push(Damage::RolledBack { committed, found });
        }
        let store = Store {
            connection: Some(connection),
            path: Some(with(dir, "")),
            id: loaded.state.store,
            turn: loaded.state.turn,
            next_gap: loaded.next_gap,
            unsure: false,
            mark: Some(mark),
            _lock: Some(lock),
        };
        Ok(Opened {
            store,
            state: loaded.state,
            fresh,
            damage,
        })
    }

    /// Opens an empty store that ends with the process.
    pub fn memory() -> Result<Opened, OpenError> {
        let place = Path::new(":memory:");
        let begin = || {
            let mut connection = Connection::open_in_memory()?;
            schema::begin(&connection)?;
            let store = draw();
            schema::create(&mut connection, store)?;
            schema::settle(&connection)?;
            Ok((connection, store))
        };
        let (connection, store) = begin().map_err(|error: rusqlite::Error| fail(place, &error))?;
        let state = State::empty(store);
        let store = Store {
            connection: Some(connection),
            path: None,
            id: state.store,
            turn: state.turn,
            next_gap: 0,
            unsure: false,
            mark: None,
            _lock: None,
        };
        Ok(Opened {
            store,
            state,
            fresh: true,
            damage: Vec::new(),
        })
    }

    /// Which process has a folder now; absent if none has. Changes nothing. Fails when it cannot be told, as a
    /// rule because the folder belongs to another user.
    pub fn holder(dir: &Path) -> io::Result<Option<Holder>> {
        lock::holder(dir)
    }

    /// Reads what a folder holds without locking or changing anything, also while another process has it.
    ///
    /// What cannot be read is left out without a word, since nothing hangs on it: an empty state if there is
    /// nothing. Fails when the files cannot be read at all, or a newer version wrote them.
    pub fn peek(dir: &Path) -> Result<State, OpenError> {
        let path = with(dir, "");
        folder::only_files(dir)?;
        let Some(image) = image::take(dir).map_err(|error| folder::refused(&path, error))? else {
            return Ok(State::empty(draw()));
        };
        let read = || {
            let connection = image.open()?;
            match schema::check(&connection)? {
                Kind::Ours => read::all(&connection).map(|read| Ok(read.state(draw()))),
                Kind::Newer(found) => Ok(Err(found)),
                Kind::Fresh | Kind::Foreign(_) => Ok(Ok(State::empty(draw()))),
            }
        };
        match read() {
            Ok(Ok(state)) => Ok(state),
            Ok(Err(found)) => Err(OpenError::Newer {
                path,
                found,
                known: schema::SCHEMA,
            }),
            Err(error) if fault::sort(&error) == Fault::Damaged => Ok(State::empty(draw())),
            Err(error) => Err(fail(&path, &error)),
        }
    }
}

/// What came of opening the file as it is.
enum Attempt {
    Loaded(Connection, Box<Loaded>),
    Damaged(String),
}

/// Damage is only believed when every byte can be read and it is still there: `SQLite` tells a disk that fails to
/// read in the same words as pages that make no sense, and the disk condemns nothing.
fn attempt(dir: &Path) -> Result<Attempt, OpenError> {
    let path = with(dir, "");
    match look(dir)? {
        Attempt::Damaged(_) => {
            read_through(&path).map_err(|error| fail(&path, &error))?;
            look(dir)
        }
        loaded @ Attempt::Loaded(..) => Ok(loaded),
    }
}

fn look(dir: &Path) -> Result<Attempt, OpenError> {
    let path = with(dir, "");
    match load(&path) {
        Ok(Ok(attempt)) => Ok(attempt),
        Ok(Err(found)) => Err(OpenError::Newer {
            path,
            found,
            known: schema::SCHEMA,
        }),
        // We could open the file for writing a moment ago. If SQLite takes it for read-only, the bytes in its
        // header say so, and those are content.
        Err(error) if matches!(fault::sort(&error), Fault::Damaged | Fault::ReadOnly) => {
            Ok(Attempt::Damaged(error.to_string()))
        }
        Err(error) => Err(fail(&path, &error)),
    }
}

/// The second attempt, after the damaged file was moved away. It meets an empty folder.
fn again(dir: &Path) -> Result<(Connection, Box<Loaded>), OpenError> {
    folder::make_file(dir)?;
    match attempt(dir)? {
        Attempt::Loaded(connection, loaded) => Ok((connection, loaded)),
        Attempt::Damaged(why) => Err(OpenError::Io {
            path: with(dir, ""),
            why,
        }),
    }
}

/// The inner error is the schema of a newer store.
fn load(path: &Path) -> rusqlite::Result<Result<Attempt, i32>> {
    let mut connection = connect(path)?;
    match schema::check(&connection)? {
        Kind::Newer(found) => return Ok(Err(found)),
        Kind::Foreign(why) => return Ok(Ok(Attempt::Damaged(why))),
        Kind::Fresh => {
            let store = draw();
            schema::settle(&connection)?;
            schema::create(&mut connection, store)?;
            // From now on the file says that it is a store, even if its log is lost.
            schema::copy_log(&connection)?;
            let loaded = Loaded {
                state: State::empty(store),
                next_gap: 0,
                fresh: true,
                damage: Vec::new(),
            };
            return Ok(Ok(Attempt::Loaded(connection, Box::new(loaded))));
        }
        Kind::Ours => {}
    }
    if let Some(why) = schema::broken(&connection)? {
        return Ok(Ok(Attempt::Damaged(why)));
    }
    let read = read::all(&connection)?;
    schema::settle(&connection)?;
    let loaded = read.settle(&mut connection, draw())?;
    Ok(Ok(Attempt::Loaded(connection, Box::new(loaded))))
}

/// Reads every byte of the file, by the call that `SQLite` uses. Fails where the disk does.
fn read_through(path: &Path) -> rusqlite::Result<()> {
    let read = || -> io::Result<()> {
        let (file, mut page, mut at) = (File::open(path)?, vec![0; 1 << 16], 0);
        loop {
            match file.read_at(&mut page, at)? {
                0 => return Ok(()),
                read => at += read as u64,
            }
        }
    };
    read().map_err(|error| {
        let failed = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_READ);
        rusqlite::Error::SqliteFailure(failed, Some(error.to_string()))
    })
}

/// Opens the file for reading and writing, and writes nothing.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    schema::begin(&connection)?;
    Ok(connection)
}

fn set_aside(dir: &Path, why: String) -> Result<Damage, OpenError> {
    let damage = damage::set_aside(dir, why).and_then(|damage| folder::sync(dir).map(|()| damage));
    let damage = damage.map_err(|error| folder::refused(dir, error))?;
    folder::make_file(dir)?;
    Ok(damage)
}

fn fail(path: &Path, error: &rusqlite::Error) -> OpenError {
    match fault::sort(error) {
        Fault::Full => OpenError::Full {
            path: path.to_owned(),
        },
        _ => OpenError::Io {
            path: path.to_owned(),
            why: error.to_string(),
        },
    }
}

/// The id of a new store. Two stores that begin at the same moment must differ, so the seed is the
/// system's; if it has none to give (it always does once it has booted), the generator's own must do.
fn draw() -> StoreId {
    let mut random = getrandom::u64().map_or_else(|_| fastrand::Rng::new(), fastrand::Rng::with_seed);
    StoreId::draw(&mut random)
}
