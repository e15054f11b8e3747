//! A private socket on which the library hands over the terminal's master side.

use std::fs::DirBuilder;
use std::io::{ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::failure::Failure;
use crate::messages;

/// A listening socket in a folder that only its owner may enter; both go when this is dropped.
pub(crate) struct Reception {
    folder: PathBuf,
    socket: PathBuf,
    listener: UnixListener,
}

/// Bytes that the address of a Unix socket holds (`sun_path`), with room for our folder's name.
const LONGEST_BASE: usize = 108 - 40;

impl Reception {
    /// Listens in a new folder below `root`, or in the folder for temporary files if the path of `root` is
    /// longer than an address can be.
    pub(crate) fn open(root: &Path) -> Result<Self, Failure> {
        let temporary = std::env::temp_dir();
        let base = if root.as_os_str().len() > LONGEST_BASE { &temporary } else { root };
        let folder = private_folder(base)?;
        let socket = folder.join("console.sock");
        match listen(&socket) {
            Ok(listener) => Ok(Self { folder, socket, listener }),
            Err(error) => {
                drop(std::fs::remove_dir(&folder));
                Err(Failure::system(messages::opening(&socket), error))
            }
        }
    }

    /// Where to connect.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Takes the terminal that was sent. Never waits: it was sent before the container could run.
    pub(crate) fn receive(self) -> Result<OwnedFd, Failure> {
        let received = self.listener.accept().and_then(|(stream, _)| Ok(received(&stream)?));
        received
            .map_err(|error| Failure::system(messages::RECEIVING_TERMINAL, error))?
            .ok_or_else(|| Failure::Other(messages::TERMINAL_LOST.to_owned()))
    }
}

impl Drop for Reception {
    fn drop(&mut self) {
        // Nobody else can enter the folder, and what is left of it harms nobody.
        drop(std::fs::remove_file(&self.socket));
        drop(std::fs::remove_dir(&self.folder));
    }
}

/// `~` cannot be part of a container's name, so the folder is never taken for a container.
fn private_folder(base: &Path) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::system(messages::making(base), error);
    DirBuilder::new().recursive(true).mode(0o711).create(base).map_err(failed)?;
    let mut attempt = 0_u32;
    loop {
        let folder = base.join(format!("~console-{}-{attempt}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            // The same process number in another pid namespace, or a leftover.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => attempt += 1,
            Err(error) => return Err(failed(error)),
        }
    }
}

fn listen(path: &Path) -> std::io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn received(stream: &UnixStream) -> rustix::io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut name = [0; 128];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    recvmsg(stream, &mut [IoSliceMut::new(&mut name)], &mut ancillary, flags)?;
    let mut fds = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    Ok(fds.next().and_then(|mut fds| fds.next()))
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::os::fd::AsFd;
    use std::os::unix::fs::PermissionsExt;

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    use super::*;

    fn send(path: &Path, fd: &OwnedFd) {
        let stream = UnixStream::connect(path).unwrap();
        let fds = [fd.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
        sendmsg(&stream, &[IoSlice::new(b"/dev/pts/0")], &mut ancillary, SendFlags::empty()).unwrap();
    }

    #[test]
    fn what_was_sent_arrives_and_the_folder_goes() {
        let root = tempfile::tempdir().unwrap();
        let reception = Reception::open(root.path()).unwrap();
        let folder = reception.folder.clone();
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        send(reception.socket(), &writer);
        drop(writer);
        let received = reception.receive().unwrap();
        rustix::io::write(&received, b"x").unwrap();
        let mut byte = [0];
        assert_eq!(rustix::io::read(&reader, &mut byte), Ok(1));
        assert!(!folder.exists());
    }

    #[test]
    fn a_terminal_that_was_not_sent_is_an_error_at_once() {
        let root = tempfile::tempdir().unwrap();
        let reception = Reception::open(root.path()).unwrap();
        assert!(reception.receive().is_err());
        let reception = Reception::open(root.path()).unwrap();
        let _stream = UnixStream::connect(reception.socket()).unwrap();
        assert!(reception.receive().is_err());
        assert_eq!(root.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn two_at_once_and_a_long_root_get_folders_of_their_own() {
        let root = tempfile::tempdir().unwrap();
        let long = root.path().join("x".repeat(120));
        let receptions = [root.path(), root.path(), &long].map(|root| Reception::open(root).unwrap());
        assert_ne!(receptions[0].folder, receptions[1].folder);
        assert!(!receptions[2].folder.starts_with(root.path()));
    }
}
