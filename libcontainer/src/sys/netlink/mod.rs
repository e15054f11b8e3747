//! Questions and orders to the kernel's network stack (rtnetlink(7)).

mod address;
mod link;
mod wire;

use std::fmt;
use std::thread;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{self, Errno, retry_on_intr};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use super::raw;
use crate::error::describe_errno;
use wire::{Message, Request};

pub(crate) use address::Address;
pub(crate) use link::Link;

/// The kernel fills no datagram with more than this.
const DATAGRAM: usize = 64 << 10;

/// How often a list that changed while it was read is read again.
const ATTEMPTS: usize = 16;

/// A request that failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The `RTM_*` of the request, or the system call.
    request: &'static str,
    pub(crate) errno: Errno,
    /// The kernel's own words, where it has any.
    words: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.request, describe_errno(self.errno.raw_os_error()))?;
        self.words.as_ref().map_or(Ok(()), |words| write!(f, " (the kernel says: {words})"))
    }
}

type Result<T> = std::result::Result<T, Refused>;

fn call(request: &'static str) -> impl Fn(Errno) -> Refused {
    move |errno| Refused { request, errno, words: None }
}

/// A socket that speaks to one network namespace: the one in which it was made, wherever it is used.
pub(crate) struct Socket {
    fd: OwnedFd,
    /// Numbers the requests, so that answers are known by it.
    sequence: u32,
}

impl Socket {
    /// For the network namespace of the calling thread.
    pub(crate) fn open() -> Result<Self> {
        // No protocol is protocol 0, which is NETLINK_ROUTE.
        let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)
            .map_err(call("socket"))?;
        for option in [raw::NETLINK_EXT_ACK, raw::NETLINK_GET_STRICT_CHK] {
            raw::netlink_option(fd.as_fd(), option).map_err(call("setsockopt"))?;
        }
        Ok(Self { fd, sequence: 0 })
    }

    /// For the network namespace of the process behind `pidfd`.
    ///
    /// A thread of its own enters the namespace, makes the socket and ends: no other thread of this process is ever
    /// in that namespace. The socket has the credentials of this process, which a socket made by the container
    /// would not have: only with them can a device be moved back out of a user namespace.
    pub(crate) fn open_in(pidfd: BorrowedFd<'_>) -> Result<Self> {
        let enter = || {
            move_into_thread_name_spaces(pidfd, ThreadNameSpaceType::NETWORK).map_err(call("setns"))?;
            Self::open()
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new().spawn_scoped(scope, enter);
            let thread = thread
                .map_err(|error| call("clone")(Errno::from_io_error(&error).unwrap_or(Errno::AGAIN)))?;
            thread.join().unwrap_or(Err(call("clone")(Errno::CHILD)))
        })
    }

    /// Sends an order and waits for its acknowledgement.
    fn order(&mut self, name: &'static str, request: Request) -> Result<()> {
        self.send(request).map_err(call(name))?;
        self.receive(name, |_| Ok(()))
    }

    /// Asks for one thing. `None` if there is no such device.
    fn ask<T>(
        &mut self,
        name: &'static str,
        request: Request,
        read: fn(&[u8]) -> io::Result<T>,
    ) -> Result<Option<T>> {
        self.send(request).map_err(call(name))?;
        let mut found = None;
        let answer = self.receive(name, |message| {
            found = Some(read(message.body)?);
            Ok(())
        });
        match answer {
            Err(Refused { errno: Errno::NODEV, .. }) => Ok(None),
            answer => answer.map(|()| found),
        }
    }

    /// Asks for all that `read` takes; `None` from it leaves something out.
    fn list<T>(
        &mut self,
        name: &'static str,
        request: impl Fn() -> Request,
        read: impl Fn(&[u8]) -> io::Result<Option<T>>,
    ) -> Result<Vec<T>> {
        for _ in 0..ATTEMPTS {
            self.send(request()).map_err(call(name))?;
            let mut found = Vec::new();
            let mut is_consistent = true;
            self.receive(name, |message| {
                is_consistent &= message.flags & libc::NLM_F_DUMP_INTR as u16 == 0;
                found.extend(read(message.body)?);
                Ok(())
            })?;
            if is_consistent {
                return Ok(found);
            }
        }
        Err(call(name)(Errno::INTR))
    }

    fn send(&mut self, request: Request) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = request.finish(self.sequence);
        retry_on_intr(|| send(&self.fd, &bytes, SendFlags::empty())).map(drop)
    }

    /// Gives every message of the answer to `each`, up to the one that ends it.
    fn receive(
        &self,
        name: &'static str,
        mut each: impl FnMut(&Message<'_>) -> io::Result<()>,
    ) -> Result<()> {
        let mut space = vec![0; DATAGRAM];
        loop {
            let (_, length) = retry_on_intr(|| recv(&self.fd, space.as_mut_slice(), RecvFlags::TRUNC))
                .map_err(call(name))?;
            let mut bytes = space.get(..length).ok_or(call(name)(Errno::MSGSIZE))?;
            while !bytes.is_empty() {
                let message = wire::message(&mut bytes).map_err(call(name))?;
                if message.sequence != self.sequence {
                    continue;
                }
                match i32::from(message.kind) {
                    libc::NLMSG_ERROR | libc::NLMSG_DONE => return ended(name, &message),
                    _ => each(&message).map_err(call(name))?,
                }
            }
        }
    }
}

/// What the last message of an answer says: 0 or a negative errno, the request again, and the kernel's words.
fn ended(name: &'static str, message: &Message<'_>) -> Result<()> {
    /// The request's header is copied into the answer; without its body, which is what `NLM_F_CAPPED` says.
    const REQUEST_HEADER: usize = 16;
    let status = wire::u32_at(message.body, 0).map_err(call(name))?.cast_signed();
    if status == 0 {
        return Ok(());
    }
    let errno = Errno::from_raw_os_error(status.saturating_neg());
    let is_capped = message.flags & raw::NLM_F_CAPPED != 0;
    let copied = match i32::from(message.kind) {
        libc::NLMSG_DONE => 0,
        _ if is_capped => REQUEST_HEADER,
        _ => wire::u32_at(message.body, 4).map_err(call(name))?.next_multiple_of(4) as usize,
    };
    let attributes = message.body.get(4 + copied..).unwrap_or_default();
    let has_words = message.flags & raw::NLM_F_ACK_TLVS != 0;
    let attributes = if has_words { wire::attributes(attributes).map_err(call(name))? } else { Vec::new() };
    let words = attributes.into_iter().find(|(kind, _)| *kind == raw::NLMSGERR_ATTR_MSG);
    Err(Refused { request: name, errno, words: words.map(|(_, words)| wire::text(words)) })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
