//! The system calls of sockets.

use core::mem::{size_of, zeroed};
use core::ptr::{from_mut, from_ref, null_mut};

use libc::c_long;

use super::{Handle, check, handle, ioctl, ioctl_number};
use crate::op::Op;
use crate::{Fault, Result};

/// A control message with up to `N` descriptors: `struct cmsghdr` of a 64-bit kernel (length, level, type), and the
/// descriptors.
#[repr(C, align(8))]
struct Rights<const N: usize> {
    header: [u64; 2],
    fds: [i32; N],
}

/// Bytes of the header.
const HEADER: usize = 16;

impl<const N: usize> Rights<N> {
    fn empty() -> Self {
        Self { header: [0; 2], fds: [-1; N] }
    }

    /// How many descriptors a control message of this header has.
    fn count(&self) -> usize {
        match self.header {
            [length, kind] if kind == Self::kind() => {
                (length as usize).saturating_sub(HEADER) / size_of::<i32>()
            }
            _ => 0,
        }
    }

    /// Level and type, which are 32 bits each.
    fn kind() -> u64 {
        let kind = u64::from(libc::SCM_RIGHTS as u32);
        let level = u64::from(libc::SOL_SOCKET as u32);
        if cfg!(target_endian = "little") { level | kind << 32 } else { level << 32 | kind }
    }
}

/// `sendmsg(2)` without `SIGPIPE`, with a descriptor if there is one.
pub(crate) fn send(socket: i32, bytes: &[u8], fd: Option<i32>) -> Result<()> {
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // Two, for a control message is a multiple of 8 bytes long.
    let mut rights = Rights::<2>::empty();
    rights.header = [(HEADER + size_of::<i32>()) as u64, Rights::<2>::kind()];
    rights.fds = [fd.unwrap_or(-1), 0];
    // SAFETY: msghdr is plain data, for which all-zero bytes are a value.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = from_mut(&mut part);
    message.msg_iovlen = 1;
    if fd.is_some() {
        message.msg_control = from_mut(&mut rights).cast();
        message.msg_controllen = size_of::<Rights<2>>() as _;
    }
    // SAFETY: the kernel reads the message, its one part and its one control header, which all live here.
    match unsafe { call!(Send, SYS_sendmsg, socket, from_ref(&message), libc::MSG_NOSIGNAL) }? {
        len if len as usize == bytes.len() => Ok(()),
        _ => Err(Fault { op: Op::Send, errno: libc::EIO }),
    }
}

/// The most descriptors that come with one message. The kernel's limit is 253 (`SCM_MAX_FD`).
pub(crate) const MOST_FDS: usize = 252;

/// Descriptors that came with a message, in order. Those that are not taken are closed.
pub(crate) struct Received {
    rights: Rights<MOST_FDS>,
    next: usize,
}

impl Iterator for Received {
    type Item = Handle;

    fn next(&mut self) -> Option<Handle> {
        let fd = self.rights.fds.get(..self.rights.count())?.get(self.next)?;
        self.next = self.next.wrapping_add(1);
        Some(Handle(*fd))
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

/// `recvmsg(2)`: bytes received, 0 when the other end is closed, and the descriptors that came with them.
pub(crate) fn receive(socket: i32, space: &mut [u8]) -> Result<(usize, Received)> {
    let mut part = libc::iovec { iov_base: space.as_mut_ptr().cast(), iov_len: space.len() };
    let mut rights = Rights::<MOST_FDS>::empty();
    let len = loop {
        // SAFETY: msghdr is plain data, for which all-zero bytes are a value.
        let mut message: libc::msghdr = unsafe { zeroed() };
        message.msg_iov = from_mut(&mut part);
        message.msg_iovlen = 1;
        message.msg_control = from_mut(&mut rights).cast();
        message.msg_controllen = size_of::<Rights<MOST_FDS>>() as _;
        // SAFETY: the kernel writes at most space.len() bytes there, and one control message into `rights`.
        match unsafe { call!(Receive, SYS_recvmsg, socket, from_mut(&mut message), libc::MSG_CMSG_CLOEXEC) } {
            Err(Fault { errno: libc::EINTR, .. }) => {}
            other => break other? as usize,
        }
    };
    Ok((len, Received { rights, next: 0 }))
}

/// `accept4(2)`; close-on-exec.
pub(crate) fn accept(listener: i32) -> Result<Handle> {
    let none: *mut u8 = null_mut();
    loop {
        // SAFETY: given null pointers, the kernel writes no address.
        match handle(unsafe { call!(Accept, SYS_accept4, listener, none, none, libc::SOCK_CLOEXEC) }) {
            Err(Fault { errno: libc::EINTR | libc::ECONNABORTED, .. }) => {}
            other => return other,
        }
    }
}

/// `socket(2)` of a UDP kind, for interface requests.
fn inet_socket() -> Result<Handle> {
    // SAFETY: no pointer is passed.
    handle(unsafe { call!(Socket, SYS_socket, libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })
}

/// Brings the interface `lo` up.
pub(crate) fn loopback_up() -> Result<()> {
    inet_socket().and_then(|socket| bring_up(&socket))
}

fn bring_up(socket: &Handle) -> Result<()> {
    // SAFETY: ifreq is plain data, for which all-zero bytes are a value.
    let mut request: libc::ifreq = unsafe { zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as _;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: SIOCSIFFLAGS reads a struct ifreq.
    unsafe { ioctl(socket.fd(), libc::SIOCSIFFLAGS as libc::Ioctl, &mut request) }.map(drop)
}

/// Moves this thread to a new network namespace, brings `lo` up in it, and returns the namespace.
pub fn enter_new_network() -> Result<Handle> {
    super::unshare(libc::CLONE_NEWNET as u32)?;
    let socket = inet_socket()?;
    bring_up(&socket)?;
    // A socket knows where it is, without any procfs.
    ioctl_number(socket.fd(), SIOCGSKNS, 0).map(Handle)
}

/// `ioctl(2)` of a socket: its network namespace, close-on-exec. libc does not have it.
const SIOCGSKNS: libc::Ioctl = 0x894c;
