//! Bytes and window sizes between the caller's terminal and the container's.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{
    OptionalActions, OutputModes, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use crate::failure::Failure;
use crate::messages;

/// The caller's three streams. Any of them may be its terminal.
#[derive(Clone, Copy)]
pub(crate) struct Streams<'a> {
    pub(crate) input: BorrowedFd<'a>,
    pub(crate) output: BorrowedFd<'a>,
    pub(crate) error: BorrowedFd<'a>,
}

impl Streams<'static> {
    pub(crate) fn standard() -> Self {
        Self { input: stdin(), output: stdout(), error: stderr() }
    }
}

/// Both directions of a foreground container's terminal.
pub(crate) struct Relay<'a> {
    streams: Streams<'a>,
    master: OwnedFd,
    /// Held only so that a container that closes its terminal for a while does not end it.
    _peer: Option<OwnedFd>,
    host: Option<Raw<'a>>,
    /// Input that the container has not taken yet.
    pending: Vec<u8>,
    input_ended: bool,
    output_lost: bool,
    hung_up: bool,
}

const CHUNK: usize = 8192;

/// The kernel keeps a few KiB for a terminal. Whoever goes on writing after the container's first process has
/// ended would otherwise hold us here.
const MOST_READS: usize = 64;

impl<'a> Relay<'a> {
    /// Joins `master` to the caller's terminal, which it makes raw until this is dropped.
    pub(crate) fn new(master: OwnedFd, streams: Streams<'a>) -> Result<Self, Failure> {
        nonblocking(&master).map_err(set_up)?;
        let peer = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let relay = Self {
            streams,
            _peer: rustix::pty::ioctl_tiocgptpeer(&master, peer).ok(),
            master,
            host: Raw::enter(streams).map_err(set_up)?,
            pending: Vec::with_capacity(CHUNK),
            input_ended: false,
            output_lost: false,
            hung_up: false,
        };
        relay.resize()?;
        Ok(relay)
    }

    /// Gives the container's terminal the size of the caller's.
    pub(crate) fn resize(&self) -> Result<(), Failure> {
        let Some(host) = &self.host else { return Ok(()) };
        match tcgetwinsize(host.terminal).and_then(|size| tcsetwinsize(&self.master, size)) {
            // A terminal that was hung up has no size any more; its end is noticed by the reads.
            Ok(()) | Err(Errno::IO) => Ok(()),
            Err(errno) => Err(set_up(errno)),
        }
    }

    /// Adds what to wait for: the master, then, while input can be taken, the caller's input.
    pub(crate) fn watch<'fd>(&'fd self, fds: &mut Vec<PollFd<'fd>>) {
        if self.hung_up {
            // A hang-up is reported whatever is asked for, over and over: only not asking avoids it.
            return;
        }
        let full = !self.pending.is_empty();
        let mut wanted = PollFlags::IN;
        wanted.set(PollFlags::OUT, full);
        fds.push(PollFd::new(&self.master, wanted));
        if !full && !self.input_ended {
            fds.push(PollFd::from_borrowed_fd(self.streams.input, PollFlags::IN));
        }
    }

    /// Moves the bytes that are there. `terminal` and `input` say what [`Self::watch`] was woken by.
    pub(crate) fn pump(&mut self, input: bool, terminal: bool) -> Result<(), Failure> {
        if input {
            self.read_input();
        }
        if terminal {
            self.copy_output()?;
        }
        self.write_input()
    }

    /// Copies what the container wrote before it ended.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        for _ in 0..MOST_READS {
            if !self.copy_output()? {
                break;
            }
        }
        Ok(())
    }

    fn read_input(&mut self) {
        let mut chunk = [0; CHUNK];
        match rustix::io::read(self.streams.input, &mut chunk) {
            Ok(0) => self.input_ended = true,
            Ok(count) => self.pending.extend(chunk.iter().take(count)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            // Input that cannot be read is input that has ended, as for any filter.
            Err(_) => self.input_ended = true,
        }
    }

    fn write_input(&mut self) -> Result<(), Failure> {
        if self.pending.is_empty() || self.hung_up {
            return Ok(());
        }
        match rustix::io::write(&self.master, &self.pending) {
            Ok(count) => drop(self.pending.drain(..count)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(Errno::IO) => self.hung_up = true,
            Err(errno) => return Err(Failure::system(messages::RELAYING_TERMINAL, errno)),
        }
        Ok(())
    }

    /// Copies one chunk of output; whether there was one.
    fn copy_output(&mut self) -> Result<bool, Failure> {
        let mut chunk = [0; CHUNK];
        match rustix::io::read(&self.master, &mut chunk) {
            Ok(0) | Err(Errno::IO) => {
                self.hung_up = true;
                Ok(false)
            }
            Ok(count) => {
                self.show(chunk.get(..count).unwrap_or_default());
                Ok(true)
            }
            Err(Errno::INTR) => Ok(true),
            Err(Errno::AGAIN) => Ok(false),
            Err(errno) => Err(Failure::system(messages::RELAYING_TERMINAL, errno)),
        }
    }

    /// Output that nobody takes any more is dropped: the container must not be stopped by it.
    fn show(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.output_lost {
            match rustix::io::write(self.streams.output, bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.output_lost = !writable(self.streams.output),
                Err(_) => self.output_lost = true,
            }
        }
    }
}

/// Waits until the caller's output, which somebody else made non-blocking, takes bytes again.
fn writable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    matches!(rustix::event::poll(&mut fds, None), Ok(_) | Err(Errno::INTR))
}

fn nonblocking(fd: &OwnedFd) -> rustix::io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK)
}

fn set_up(errno: Errno) -> Failure {
    Failure::system(messages::SETTING_UP_TERMINAL, errno)
}

/// The caller's terminal in raw mode; back to what it was when this is dropped.
struct Raw<'a> {
    terminal: BorrowedFd<'a>,
    saved: Termios,
}

impl<'a> Raw<'a> {
    /// The first stream that is a terminal; `None` if none is.
    fn enter(streams: Streams<'a>) -> rustix::io::Result<Option<Self>> {
        for terminal in [streams.input, streams.output, streams.error] {
            if let Ok(saved) = tcgetattr(terminal) {
                let mut raw = saved.clone();
                raw.make_raw();
                // The container's terminal leaves line feeds alone for us, so ours has to make them.
                raw.output_modes |= OutputModes::OPOST;
                tcsetattr(terminal, OptionalActions::Now, &raw)?;
                return Ok(Some(Self { terminal, saved }));
            }
        }
        Ok(None)
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no mode.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.saved);
    }
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
