//! The host's end of the socket pair.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;

use libcontainer_init::Record;
use rustix::fd::OwnedFd;
use rustix::io::{self, Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, send, sendmsg, socketpair,
};

pub(super) struct Link(OwnedFd);

/// What the child said.
pub(super) enum Heard {
    /// Its entries are done; `Enter` sends the pidfd of the process that it cloned.
    Done(Record, Option<OwnedFd>),
    /// One of them failed.
    Failed(Record),
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

    pub(super) fn go(&self) -> io::Result<()> {
        send(&self.0, &Record::go().to_bytes(), SendFlags::NOSIGNAL).map(drop)
    }

    /// A child that ends without having read everything resets the connection; what it said comes after that error.
    pub(super) fn hear(&self) -> io::Result<Heard> {
        match self.receive() {
            Err(Errno::CONNRESET) => self.receive(),
            other => other,
        }
    }

    fn receive(&self) -> io::Result<Heard> {
        let mut bytes = [0; Record::SIZE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let message =
            retry_on_intr(|| recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags))?;
        let pidfd = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        let record = Record::from_bytes(&bytes);
        match (message.bytes, record.kind) {
            (0, _) => Ok(Heard::Closed),
            (Record::SIZE, Record::DONE) => Ok(Heard::Done(record, pidfd)),
            (Record::SIZE, Record::FAILED) => Ok(Heard::Failed(record)),
            _ => Err(Errno::PROTO),
        }
    }
}

/// Sends a descriptor with a byte, as pidfd sockets get it.
pub(super) fn send_fd(socket: &OwnedFd, fd: impl rustix::fd::AsFd) -> io::Result<()> {
    let fds = [fd.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(Errno::NOBUFS);
    }
    sendmsg(socket, &[IoSlice::new(b"pidfd")], &mut ancillary, SendFlags::NOSIGNAL).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host lets a child go on before it has heard that the child failed.
    #[test]
    fn what_a_child_says_is_heard_although_it_did_not_listen() {
        let (ours, theirs) = Link::pair().unwrap();
        ours.go().unwrap();
        let failed = Record { kind: Record::FAILED, index: 7, ..Record::go() };
        send(&theirs, &failed.to_bytes(), SendFlags::NOSIGNAL).unwrap();
        drop(theirs);
        assert!(matches!(ours.hear(), Ok(Heard::Failed(Record { index: 7, .. }))));
        assert!(matches!(ours.hear(), Ok(Heard::Closed)));
    }
}
