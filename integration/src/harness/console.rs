//! The client's side of `--console-socket`.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recv, recvmsg};

use super::invocation::PATIENCE;
use super::stream::{Stream, wait_readable};

/// A listening socket that a runtime sends a file descriptor to.
pub struct Console {
    listener: UnixListener,
    path: PathBuf,
}

impl Console {
    /// Listens in `directory`.
    pub fn listen(directory: &Path) -> Self {
        let path = directory.join("console.sock");
        Self { listener: UnixListener::bind(&path).expect("bind"), path }
    }

    /// The value for `--console-socket`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.to_str().expect("a plain path")
    }

    /// Takes the one message with its one descriptor, which a runtime must have sent before its command returned.
    pub fn receive(&self) -> (OwnedFd, String) {
        let ready = wait_readable(&[self.listener.as_fd()], Instant::now() + PATIENCE);
        assert!(ready[0], "nobody connected to the console socket");
        let (stream, _) = self.listener.accept().expect("accept");
        let ready = wait_readable(&[stream.as_fd()], Instant::now() + PATIENCE);
        assert!(ready[0], "nothing was sent to the console socket");
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; 4096];
        let mut data = [IoSliceMut::new(&mut bytes)];
        let message = recvmsg(&stream, &mut data, &mut control, RecvFlags::CMSG_CLOEXEC).expect("recvmsg");
        let mut fds: Vec<OwnedFd> = control
            .drain()
            .filter_map(|part| if let RecvAncillaryMessage::ScmRights(fds) = part { Some(fds) } else { None })
            .flatten()
            .collect();
        assert_eq!(fds.len(), 1, "one descriptor is sent");
        let more = recv(&stream, &mut [0; 1], RecvFlags::DONTWAIT);
        assert!(matches!(more, Err(Errno::AGAIN) | Ok((_, 0))), "there is one message");
        let name = String::from_utf8_lossy(&bytes[..message.bytes]).into_owned();
        (fds.remove(0), name)
    }

    /// The terminal's master as a stream of what the container prints.
    pub fn terminal(&self) -> (Stream, String) {
        let (master, name) = self.receive();
        (Stream::over(master), name)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // So that another one can listen there; a test may have taken it away already.
        let _ = std::fs::remove_file(&self.path);
    }
}
