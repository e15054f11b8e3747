//! sd_notify(3) between a container's program and the service manager that started this one: what the program says goes
//! to the manager as soon as it says that it is ready, with the number of the process to watch from now on.

use std::ffi::{OsStr, OsString};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use libcontainer::{Container, ErrorKind, Notifications};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType, connect, send, sendmsg, socket_with,
};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::failure::Failure;
use crate::messages;

/// How long a manager may take to read what it was sent; one that does not know the question never answers.
const PATIENCE: Duration = Duration::from_secs(30);

const MESSAGES_AT_ONCE: usize = 16;

/// The service manager's socket, if there is one.
pub(crate) fn manager() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty())
}

/// Waits for a program that says that it is ready.
pub(crate) struct Proxy {
    manager: OwnedFd,
    process: OwnedFd,
    pid: i32,
    stage: Stage,
}

enum Stage {
    /// The program has not said it yet.
    Listening(Notifications),
    /// The manager has not yet read it: then it closes the other end.
    Acknowledging(OwnedFd, Instant),
    Done,
}

impl Proxy {
    /// A proxy between the manager of the environment and a container that is about to be started; `None` if there is no
    /// manager, or the container was created without one.
    pub(crate) fn of_created(container: &Container) -> Result<Option<Self>, Failure> {
        let Some(path) = manager() else { return Ok(None) };
        let Some(notifications) = container.notifications()? else { return Ok(None) };
        let pid = container.state()?.pid;
        let process = match container.pidfd() {
            Ok(process) => process,
            // `start` has the words for it.
            Err(error) if matches!(error.kind(), ErrorKind::NoProcess) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let manager =
            connected(&path).map_err(|errno| Failure::system(messages::connecting(&path), errno))?;
        Ok(Some(Self { manager, process, pid, stage: Stage::Listening(notifications) }))
    }

    /// Has the manager watch this process instead of the container's.
    pub(crate) fn for_this_process(self) -> Self {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        Self { pid, ..self }
    }

    /// Serves until the program is ready and the manager knows, or the program's process has ended.
    pub(crate) fn serve(mut self) -> Result<(), Failure> {
        let mut ended = false;
        while let (Stage::Listening(notifications), false) = (&self.stage, ended) {
            let mut fds =
                [PollFd::new(notifications, PollFlags::IN), PollFd::new(&self.process, PollFlags::IN)];
            wait(&mut fds, None)?;
            let [_, process] = fds;
            ended = !process.revents().is_empty();
            self.advance()?;
        }
        self.finish()
    }

    /// The descriptor that can be read from when [`Self::advance`] has something to do; `None` when all is done.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.stage {
            Stage::Listening(notifications) => Some(notifications.as_fd()),
            Stage::Acknowledging(pipe, _) => Some(pipe.as_fd()),
            Stage::Done => None,
        }
    }

    /// How long to wait for that at most.
    pub(crate) fn left(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Acknowledging(_, end) => Some(end.saturating_duration_since(Instant::now())),
            Stage::Listening(_) | Stage::Done => None,
        }
    }

    /// Does what can be done without waiting.
    pub(crate) fn advance(&mut self) -> Result<(), Failure> {
        match &self.stage {
            Stage::Listening(notifications) => {
                // Not all: a program that never stops talking must not keep everybody waiting.
                for _ in 0..MESSAGES_AT_ONCE {
                    let Some(message) = notifications.receive()? else { break };
                    if let Some(line) = ready(&message) {
                        let pipe = self.tell(line).map_err(failed)?;
                        self.stage = Stage::Acknowledging(pipe, Instant::now() + PATIENCE);
                        break;
                    }
                }
            }
            Stage::Acknowledging(pipe, end) => {
                let mut other = PollFd::new(pipe, PollFlags::IN);
                wait(std::slice::from_mut(&mut other), Some(Duration::ZERO))?;
                if !other.revents().is_empty() {
                    self.stage = Stage::Done;
                } else if *end <= Instant::now() {
                    tracing::warn!("{}", messages::NO_BARRIER);
                    self.stage = Stage::Done;
                }
            }
            Stage::Done => {}
        }
        Ok(())
    }

    /// What is left to do when the program's process has ended.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.advance()?;
        while let Stage::Acknowledging(pipe, _) = &self.stage {
            wait(&mut [PollFd::new(pipe, PollFlags::IN)], self.left())?;
            self.advance()?;
        }
        Ok(())
    }

    /// Tells the manager, and asks it to close the other end of the returned pipe when it has read all that.
    fn tell(&self, ready: &[u8]) -> Result<OwnedFd, Errno> {
        send(&self.manager, &[ready, b"\n"].concat(), SendFlags::NOSIGNAL)?;
        send(&self.manager, format!("MAINPID={}\n", self.pid).as_bytes(), SendFlags::NOSIGNAL)?;
        let (pipe, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        let fds = [theirs.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&fds));
        sendmsg(&self.manager, &[IoSlice::new(b"BARRIER=1")], &mut control, SendFlags::NOSIGNAL)?;
        Ok(pipe)
    }
}

/// A container that runs is not stopped because its manager cannot be told so.
pub(crate) fn not_told(failure: Failure) {
    tracing::warn!("{failure}");
}

/// The line of a message that says that the program is ready.
fn ready(message: &[u8]) -> Option<&[u8]> {
    message.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"READY="))
}

/// A path, or a name in the abstract name space, which starts with `@`.
fn connected(path: &OsStr) -> Result<OwnedFd, Errno> {
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name)?,
        path => SocketAddrUnix::new(path)?,
    };
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &address)?;
    Ok(socket)
}

fn wait(fds: &mut [PollFd<'_>], limit: Option<Duration>) -> Result<(), Failure> {
    let timeout = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match poll(fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(failed(errno)),
    }
}

fn failed(errno: Errno) -> Failure {
    Failure::system(messages::TELLING_MANAGER, errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_counts_may_be_any() {
        assert_eq!(ready(b"READY=1"), Some(&b"READY=1"[..]));
        assert_eq!(ready(b"STATUS=up\nREADY=1\nMAINPID=7\n"), Some(&b"READY=1"[..]));
        for message in [&b""[..], b"STATUS=READY=1", b"ALREADY=1\n", b"\n\n"] {
            assert_eq!(ready(message), None, "{message:?}");
        }
    }
}
