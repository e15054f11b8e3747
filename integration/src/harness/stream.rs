//! The reading end of a pipe that some process writes to, read with a deadline.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Waits until one of `fds` can be read (or is closed), or until `deadline`; tells which.
pub fn wait_readable(fds: &[BorrowedFd<'_>], deadline: Instant) -> Vec<bool> {
    let mut polled: Vec<PollFd<'_>> =
        fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = Timespec::try_from(left).expect("a short time");
    match poll(&mut polled, Some(&timeout)) {
        Err(rustix::io::Errno::INTR) => return vec![false; fds.len()],
        other => other.expect("poll"),
    };
    polled.iter().map(|fd| !fd.revents().is_empty()).collect()
}

/// One of the standard streams of a process, as far as it has been read.
pub struct Stream {
    pipe: Option<OwnedFd>,
    buffer: Vec<u8>,
}

impl Stream {
    /// Reads from `pipe`, or from the master of a terminal.
    #[must_use]
    pub fn over(pipe: OwnedFd) -> Self {
        let flags = rustix::fs::fcntl_getfl(&pipe).expect("F_GETFL") | rustix::fs::OFlags::NONBLOCK;
        rustix::fs::fcntl_setfl(&pipe, flags).expect("F_SETFL");
        Self { pipe: Some(pipe), buffer: Vec::new() }
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Takes what is there now, without waiting.
    pub(crate) fn drain(&mut self) {
        let mut chunk = [0; 16384];
        while let Some(pipe) = &self.pipe {
            match rustix::io::read(pipe, &mut chunk) {
                // A pseudo terminal whose other side is closed answers EIO where a pipe answers 0.
                Ok(0) | Err(rustix::io::Errno::IO) => self.pipe = None,
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(rustix::io::Errno::AGAIN) => return,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("read: {error}"),
            }
        }
    }

    /// What has been read and not been taken by [`Stream::line`].
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// The next line, waited for until `deadline`.
    pub fn line(&mut self, deadline: Instant) -> String {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return String::from_utf8_lossy(&line).trim_end().to_owned();
            }
            self.more(deadline);
        }
    }

    /// Waits until nobody holds the writing end any more, and takes all that was written.
    pub fn rest(&mut self, deadline: Instant) -> String {
        while self.pipe.is_some() {
            self.more(deadline);
        }
        self.text()
    }

    fn more(&mut self, deadline: Instant) {
        let Some(fd) = self.fd() else { panic!("the stream ended after {:?}", self.text()) };
        let ready = wait_readable(&[fd], deadline);
        assert!(ready[0] || Instant::now() < deadline, "nothing more came in time after {:?}", self.text());
        self.drain();
    }
}
