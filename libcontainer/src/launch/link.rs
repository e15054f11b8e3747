//! The host's end of the socket pair.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;

use libcontainer_init::{Message, Record, Slot};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::{self, Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, send, sendmsg, socketpair,
};

use crate::sys::pidfd::Process;

pub(super) struct Link(OwnedFd);

/// What the child said.
pub(crate) enum Heard {
    /// Its entries are done; `Enter` sends the pidfd of the process that it cloned, `Init` the listener of its filter.
    Done(Record, Option<OwnedFd>),
    /// One of them failed; a hook's last words come with it.
    Failed(Record, Vec<u8>),
    /// Nothing, and nobody is left to say anything.
    Closed,
}

impl Link {
    /// Both ends: ours, and the one for the child.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(ours), theirs))
    }

    /// The number of our end, which a child must not keep.
    pub(super) fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }

    pub(super) fn go(&self) -> io::Result<()> {
        send(&self.0, &Record::go().to_bytes(), SendFlags::NOSIGNAL).map(drop)
    }

    /// Gives the child descriptors for `slot` and those behind it, before its next turn: [`Record::MOST_LENT`] at most.
    pub(super) fn lend(&self, slot: Slot, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        send_with(&self.0, &Record::lend(slot).to_bytes(), fds)
    }

    /// Waits until there is something to hear; `false` if `process` has ended and nothing ever will. The link alone does
    /// not tell: a process that it cloned holds it too, and waits for us.
    pub(super) fn speaks_before_end_of(&self, process: &Process) -> io::Result<bool> {
        let mut both = [PollFd::new(&self.0, PollFlags::IN), PollFd::new(process, PollFlags::IN)];
        retry_on_intr(|| poll(&mut both, None))?;
        // In this order: what it said before its end may have come after the first look at the link.
        let mut link = [PollFd::new(&self.0, PollFlags::IN)];
        retry_on_intr(|| poll(&mut link, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))).map(|ready| ready > 0)
    }

    pub(super) fn hear(&self) -> io::Result<Heard> {
        match hear(&self.0) {
            // The child ended without having read our last message. The kernel tells that once, and before what the
            // child said at its end.
            Err(Errno::CONNRESET) => hear(&self.0),
            heard => heard,
        }
    }
}

/// Receives one message of a child.
pub(crate) fn hear(socket: &OwnedFd) -> io::Result<Heard> {
    let mut bytes = [0; Message::SIZE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let message =
        retry_on_intr(|| recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags))?;
    let fd = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    let message = bytes.get(..message.bytes).unwrap_or_default();
    match Message::split(message) {
        None if message.is_empty() => Ok(Heard::Closed),
        Some((record, [])) if record.kind == Record::DONE => Ok(Heard::Done(record, fd)),
        Some((record, output)) if record.kind == Record::FAILED => Ok(Heard::Failed(record, output.to_vec())),
        _ => Err(Errno::PROTO),
    }
}

/// Sends a descriptor as pidfd sockets get it.
pub(super) fn send_fd(socket: &OwnedFd, fd: impl AsFd) -> io::Result<()> {
    send_with(socket, b"pidfd", &[fd.as_fd()])
}

pub(super) fn send_with(socket: &OwnedFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(Record::MOST_LENT))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::NOBUFS);
    }
    sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL).map(drop)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::*;

    fn process(child: &std::process::Child) -> Process {
        let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).unwrap();
        Process::from_parts(i32::try_from(child.id()).unwrap(), pidfd).unwrap()
    }

    #[test]
    fn the_end_of_a_process_is_noticed_although_somebody_else_holds_the_link() {
        let (link, theirs) = Link::pair().unwrap();
        let mut child = Command::new("true").spawn().unwrap();
        assert!(!link.speaks_before_end_of(&process(&child)).unwrap());
        child.wait().unwrap();
        send(&theirs, &Record::go().to_bytes(), SendFlags::NOSIGNAL).unwrap();
        let mut child = Command::new("true").spawn().unwrap();
        assert!(link.speaks_before_end_of(&process(&child)).unwrap(), "its last words are heard");
        child.wait().unwrap();
        let mut alive = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(link.speaks_before_end_of(&process(&alive)).unwrap());
        drop(alive.stdin.take());
        alive.wait().unwrap();
    }
}
