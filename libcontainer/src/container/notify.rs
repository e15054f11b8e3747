//! What a container's program says by sd_notify(3).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Mode, OFlags, chmodat, openat, unlinkat};
use rustix::io::{self, Errno};
use rustix::net::{
    AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, bind, connect, recv, socket_with,
};

use super::Container;
use super::gate::PATH_LIMIT;
use super::store::PATIENCE;
use crate::planner::notify::{FOLDER, SOCKET};
use crate::sys::procfs::own_descriptor;
use crate::{Error, ErrorKind, Result};

/// The messages of a container's program. Its descriptor, that of [`AsFd`], can be read from when there is one.
#[derive(Debug)]
pub struct Notifications(OwnedFd);

/// Longer messages are cut off, as by systemd.
const MESSAGE_LIMIT: usize = 4096;
/// Every user in the container may write to the socket.
const SOCKET_MODE: Mode = Mode::RWXU.union(Mode::RWXG).union(Mode::RWXO);

impl Container {
    /// Listens to what the program says by sd_notify(3) from now on, so this comes before [`Self::start`]; `None` if the
    /// container was created [without a socket](crate::CreateOptions::notify) for that.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if somebody listens already.
    pub fn notifications(&self) -> Result<Option<Notifications>> {
        let claim = self.folder()?.lock(PATIENCE)?;
        self.current(claim.folder())?;
        let path = claim.folder().path().join(FOLDER);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = match openat(claim.dir(), FOLDER, flags, Mode::empty()) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(Error::os(format_args!("open {}", path.display()), errno)),
        };
        match listen(folder.as_fd(), path.join(SOCKET)) {
            Ok(socket) => Ok(Some(Notifications(socket))),
            Err(Errno::ADDRINUSE) => {
                let message =
                    format!("another command listens to the notifications of container {}", self.id());
                Err(Error::new(ErrorKind::Busy, message))
            }
            Err(errno) => Err(Error::os(format_args!("listen at {}", path.join(SOCKET).display()), errno)),
        }
    }
}

impl Notifications {
    /// The next message, `NAME=VALUE` lines as a rule; `None` if there is none now. Does not wait.
    ///
    /// # Errors
    /// Failures of system calls.
    pub fn receive(&self) -> Result<Option<Vec<u8>>> {
        let mut message = vec![0; MESSAGE_LIMIT];
        // Descriptors that come with it are closed by the kernel, which is what sd_notify_barrier(3) waits for.
        match io::retry_on_intr(|| recv(&self.0, &mut message, RecvFlags::DONTWAIT)) {
            Ok((length, _)) => {
                message.truncate(length);
                Ok(Some(message))
            }
            Err(Errno::AGAIN) => Ok(None),
            Err(errno) => Err(Error::os("receive a notification", errno)),
        }
    }
}

impl AsFd for Notifications {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Binds a socket in the folder. One that nobody listens at any more, since its command was killed, is replaced.
fn listen(folder: BorrowedFd<'_>, path: PathBuf) -> io::Result<OwnedFd> {
    let address = if path.as_os_str().as_bytes().len() <= PATH_LIMIT {
        SocketAddrUnix::new(path)?
    } else {
        SocketAddrUnix::new(PathBuf::from(own_descriptor(folder)).join(SOCKET))?
    };
    let socket = datagrams()?;
    match bind(&socket, &address) {
        Err(Errno::ADDRINUSE) if connect(datagrams()?, &address) == Err(Errno::CONNREFUSED) => {
            unlinkat(folder, SOCKET, AtFlags::empty())?;
            bind(&socket, &address)?;
        }
        bound => bound?,
    }
    chmodat(folder, SOCKET, SOCKET_MODE, AtFlags::empty())?;
    Ok(socket)
}

fn datagrams() -> io::Result<OwnedFd> {
    socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixDatagram;

    use rustix::fs::open;

    use super::*;

    fn folder(path: &std::path::Path) -> OwnedFd {
        open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap()
    }

    #[test]
    fn one_listens_at_a_time_and_the_dead_do_not_count() {
        // The second folder's path does not fit into a socket address.
        for depth in [1, 50] {
            let root = tempfile::tempdir().unwrap();
            let below = root.path().join("long".repeat(depth));
            std::fs::create_dir(&below).unwrap();
            let (folder, path) = (folder(&below), below.join(SOCKET));
            let first = listen(folder.as_fd(), path.clone()).unwrap();
            assert_eq!(listen(folder.as_fd(), path.clone()).unwrap_err(), Errno::ADDRINUSE);
            // A child that another test just forked may have a copy.
            rustix::net::shutdown(&first, rustix::net::Shutdown::Both).unwrap();
            drop(first);
            while listen(folder.as_fd(), path.clone()).err() == Some(Errno::ADDRINUSE) {
                std::thread::yield_now();
            }
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o777);
        }
    }

    #[test]
    fn messages_come_one_by_one_and_are_cut_off_if_they_are_long() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(SOCKET);
        let heard = Notifications(listen(folder(root.path()).as_fd(), path.clone()).unwrap());
        assert_eq!(heard.receive().unwrap(), None);
        let speaker = UnixDatagram::unbound().unwrap();
        for message in [&b"READY=1"[..], b"", &[b'x'; 10_000]] {
            speaker.send_to(message, &path).unwrap();
        }
        assert_eq!(heard.receive().unwrap().unwrap(), b"READY=1");
        assert_eq!(heard.receive().unwrap().unwrap(), b"");
        assert_eq!(heard.receive().unwrap().unwrap(), [b'x'; MESSAGE_LIMIT]);
        assert_eq!(heard.receive().unwrap(), None);
    }
}
