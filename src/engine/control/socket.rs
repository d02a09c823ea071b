//! The socket file: made, reached and removed.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};

use super::SOCKET;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 16;

/// A way to a name in a folder that is short enough for a socket's address, which has room for 107 bytes.
pub(super) struct Address {
    pub(super) path: PathBuf,
    /// What a detour goes through.
    _folder: Option<File>,
}

impl Address {
    /// The path itself, or a detour through the descriptor of a folder that lies deep.
    pub(super) fn of(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(name);
        if SocketAddrUnix::new(&path).is_ok() {
            return Ok(Self { path, _folder: None });
        }
        let folder = File::open(folder)?;
        let path = format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()).into();
        Ok(Self {
            path,
            _folder: Some(folder),
        })
    }
}

/// Listens in a folder whose lock we hold, so a socket that lies there was left by a process that was killed.
///
/// It is made under another name and takes its own when it is ready: whoever finds it can connect, and it was never
/// open to other users. Linux gives the file the rights that its socket has before it is bound, whatever the folder's
/// are.
pub(super) fn listener(folder: &Path) -> io::Result<UnixListener> {
    let new = format!("{SOCKET}.new");
    let address = Address::of(folder, &new)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    remove_file(&folder.join(&new))?;
    bind(&socket, &SocketAddrUnix::new(&address.path)?)?;
    ours_alone(&folder.join(&new))?;
    listen(&socket, BACKLOG)?;
    fs::rename(folder.join(&new), folder.join(SOCKET))?;
    Ok(socket.into())
}

/// A file system may have its own mind about rights; then there is no socket.
fn ours_alone(path: &Path) -> io::Result<()> {
    let mode = fs::symlink_metadata(path)?.permissions().mode();
    if !Mode::from_raw_mode(mode).intersects(Mode::RWXG | Mode::RWXO) {
        return Ok(());
    }
    remove_file(path)?;
    Err(io::Error::other(format!(
        "this file system gives it the mode {:o}, which lets others in",
        mode & 0o7777
    )))
}

/// Takes the socket away.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    remove_file(&folder.join(SOCKET))
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_socket_is_its_owners_alone_and_replaces_what_was_left_however_deep_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        for deep in [
            "near".to_owned(),
            "d".repeat(200),
            format!("{0}/{0}", "é".repeat(100)),
        ] {
            let state = folder.path().join(deep);
            fs::create_dir_all(&state).unwrap();
            fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).unwrap();
            fs::write(state.join(SOCKET), "left by whoever").unwrap();
            fs::write(state.join(format!("{SOCKET}.new")), "left half way").unwrap();
            let first = listener(&state).unwrap();
            let mode = fs::symlink_metadata(state.join(SOCKET))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o7777, 0o600);
            assert_eq!(fs::read_dir(&state).unwrap().count(), 1);
            drop(first);
            let address = Address::of(&state, SOCKET).unwrap();
            assert!(UnixStream::connect(&address.path).is_err(), "nobody listens");
            let second = listener(&state).unwrap();
            let _asker = UnixStream::connect(&address.path).unwrap();
            second.accept().unwrap();
            remove(&state).unwrap();
            remove(&state).unwrap();
            assert_eq!(fs::read_dir(&state).unwrap().count(), 0);
        }
    }
}
