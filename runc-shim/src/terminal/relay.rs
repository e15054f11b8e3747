//! Bytes and window sizes between the caller's terminal and the container's.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{
    OptionalActions, OutputModes, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
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
    /// The caller's terminal, if it has one.
    terminal: Option<BorrowedFd<'a>>,
    /// That in raw mode, while we are in its foreground.
    host: Option<Raw<'a>>,
    screen: Screen<'a>,
    /// Input that the container has not taken yet.
    pending: Vec<u8>,
    /// Output that the caller has not taken yet.
    shown: Vec<u8>,
    input_ended: bool,
    hung_up: bool,
}

const CHUNK: usize = 8192;

/// As much output is read before it is written.
const MOST_SHOWN: usize = 1 << 16;

/// The kernel keeps a few KiB for a terminal. Whoever goes on writing after the container's first process has
/// ended would otherwise hold us here.
const MOST_READS: usize = 64;

/// Where in the list of what is waited for the relay's descriptors are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) terminal: Option<usize>,
    pub(crate) input: Option<usize>,
}

impl<'a> Relay<'a> {
    /// Joins `master` to the caller's terminal, which it makes raw until this is dropped.
    pub(crate) fn new(master: OwnedFd, streams: Streams<'a>) -> Result<Self, Failure> {
        nonblocking(&master).map_err(set_up)?;
        let peer = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let terminal = [streams.input, streams.output, streams.error].into_iter().find(|fd| isatty(fd));
        let mut relay = Self {
            streams,
            _peer: rustix::pty::ioctl_tiocgptpeer(&master, peer).ok(),
            master,
            terminal,
            host: None,
            screen: Screen::on(streams.output),
            pending: Vec::with_capacity(CHUNK),
            shown: Vec::new(),
            input_ended: false,
            hung_up: false,
        };
        relay.come_to_foreground()?;
        relay.resize()?;
        Ok(relay)
    }

    /// Whether the caller's terminal belongs to another job now: it is not ours to read or to change.
    pub(crate) fn is_in_background(&self) -> bool {
        self.terminal.is_some() && self.host.is_none()
    }

    /// Takes the terminal if this job is in its foreground, also after it was stopped: the shell has its own modes.
    pub(crate) fn come_to_foreground(&mut self) -> Result<(), Failure> {
        let Some(terminal) = self.terminal else { return Ok(()) };
        match (is_foreground(terminal), &self.host) {
            (true, Some(host)) => host.apply().map_err(set_up),
            (true, None) => {
                self.host = Some(Raw::enter(terminal).map_err(set_up)?);
                Ok(())
            }
            (false, _) => {
                self.leave_foreground();
                Ok(())
            }
        }
    }

    /// Gives the terminal back as it was, until [`Self::come_to_foreground`].
    pub(crate) fn leave_foreground(&mut self) {
        drop(self.host.take());
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

    /// Adds what to wait for. Nothing more is read than the other side takes.
    pub(crate) fn watch<'fd>(&'fd self, fds: &mut Vec<PollFd<'fd>>) -> Watched {
        let mut watched = Watched::default();
        let mut add = |place: &mut Option<usize>, fd| {
            *place = Some(fds.len());
            fds.push(fd);
        };
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN, self.shown.is_empty());
        wanted.set(PollFlags::OUT, !self.pending.is_empty());
        // A hang-up is reported whatever is asked for, over and over: only not asking avoids it.
        if !self.hung_up && !wanted.is_empty() {
            add(&mut watched.terminal, PollFd::new(&self.master, wanted));
        }
        if !self.hung_up && self.pending.is_empty() && !self.input_ended && !self.is_in_background() {
            add(&mut watched.input, PollFd::from_borrowed_fd(self.streams.input, PollFlags::IN));
        }
        if !self.shown.is_empty() {
            fds.push(PollFd::from_borrowed_fd(self.screen.fd(), PollFlags::OUT));
        }
        watched
    }

    /// Where the output goes, to wait until it takes more.
    pub(crate) fn screen(&self) -> BorrowedFd<'_> {
        self.screen.fd()
    }

    /// Moves the bytes that are there. `terminal` and `input` say what [`Self::watch`] was woken by.
    pub(crate) fn pump(&mut self, input: bool, terminal: bool) -> Result<(), Failure> {
        if input && !self.is_in_background() {
            self.read_input();
        }
        if terminal {
            self.copy_output()?;
        }
        self.show();
        self.write_input()
    }

    /// Copies what the container wrote before it ended; whether the caller has taken all of it.
    pub(crate) fn finish(&mut self) -> Result<bool, Failure> {
        self.show();
        for _ in 0..MOST_READS {
            if !self.shown.is_empty() || !self.copy_output()? {
                break;
            }
            self.show();
        }
        Ok(self.shown.is_empty())
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

    /// Reads the output that is there; whether there was any.
    fn copy_output(&mut self) -> Result<bool, Failure> {
        let mut chunk = [0; CHUNK];
        let before = self.shown.len();
        while self.shown.len() < MOST_SHOWN {
            match rustix::io::read(&self.master, &mut chunk) {
                Ok(0) | Err(Errno::IO) => {
                    self.hung_up = true;
                    break;
                }
                Ok(count) => self.shown.extend(chunk.iter().take(count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(Failure::system(messages::RELAYING_TERMINAL, errno)),
            }
        }
        Ok(self.shown.len() > before)
    }

    /// Writes as much output as the caller takes without waiting. What nobody takes any more is dropped: the container
    /// must not be stopped by it.
    fn show(&mut self) {
        while !self.shown.is_empty() {
            match self.screen.write(&self.shown) {
                Ok(count) => drop(self.shown.drain(..count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => self.shown.clear(),
            }
        }
    }
}

/// Where the output goes. Whoever reads it may stop, and signals must be served meanwhile.
enum Screen<'a> {
    /// A terminal or pipe opened once more: that it does not block is nobody else's concern.
    Own(OwnedFd),
    /// Anything else, which is asked before it is written to.
    Shared(BorrowedFd<'a>),
}

/// A pipe that can be written to takes this much at once (`PIPE_BUF`).
const PIECE: usize = 4096;

impl<'a> Screen<'a> {
    fn on(output: BorrowedFd<'a>) -> Self {
        let is_pipe = || {
            rustix::fs::fstat(output)
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
        };
        if !isatty(output) && !is_pipe() {
            return Self::Shared(output);
        }
        let path = format!("/proc/self/fd/{}", output.as_raw_fd());
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty()).map_or(Self::Shared(output), Self::Own)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Own(fd) => fd.as_fd(),
            Self::Shared(fd) => *fd,
        }
    }

    fn write(&self, bytes: &[u8]) -> rustix::io::Result<usize> {
        match self {
            Self::Own(fd) => rustix::io::write(fd, bytes),
            Self::Shared(fd) => {
                let mut fds = [PollFd::from_borrowed_fd(*fd, PollFlags::OUT)];
                match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? {
                    0 => Err(Errno::AGAIN),
                    _ => rustix::io::write(fd, bytes.get(..PIECE).unwrap_or(bytes)),
                }
            }
        }
    }
}

/// Whether this job may read from the terminal and change it. One that is not the session's own does not say.
fn is_foreground(terminal: BorrowedFd<'_>) -> bool {
    rustix::termios::tcgetpgrp(terminal).map_or(true, |group| group == rustix::process::getpgrp())
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
    fn enter(terminal: BorrowedFd<'a>) -> rustix::io::Result<Self> {
        let raw = Self { terminal, saved: tcgetattr(terminal)? };
        raw.apply()?;
        Ok(raw)
    }

    fn apply(&self) -> rustix::io::Result<()> {
        let mut raw = self.saved.clone();
        raw.make_raw();
        // The container's terminal leaves line ends alone (clients expect that); ours has to make them.
        raw.output_modes |= OutputModes::OPOST;
        tcsetattr(self.terminal, OptionalActions::Now, &raw)
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        // In the background its modes are the shell's, and setting them would stop us.
        if is_foreground(self.terminal) {
            // A terminal that is gone needs no mode.
            let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.saved);
        }
    }
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
