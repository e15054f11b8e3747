//! What a namespace's descriptor can be asked (ioctl_nsfs(2)).
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, FromRawFd};

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{fstat, stat};
use rustix::io::{self, Errno};

use crate::{Error, Result};

/// `CLONE_NEW*` of a namespace; an error for anything else.
pub(crate) fn kind(namespace: BorrowedFd<'_>) -> io::Result<i32> {
    ask(namespace, libc::NS_GET_NSTYPE)
}

/// Whether it is the calling thread's own; `file` is its name in `/proc/thread-self/ns`.
pub(crate) fn is_own(namespace: BorrowedFd<'_>, file: &str) -> Result<bool> {
    let path = format!("/proc/thread-self/ns/{file}");
    let own = stat(&path).map_err(|errno| Error::os(format_args!("stat {path}"), errno))?;
    let other = fstat(namespace).map_err(|errno| Error::os("fstat of a namespace", errno))?;
    Ok((own.st_dev, own.st_ino) == (other.st_dev, other.st_ino))
}

/// The user namespace that owns a namespace.
pub(crate) fn owner(namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    open(namespace, libc::NS_GET_USERNS)
}

/// The user namespace above a user namespace; `EPERM` if that is not below the caller's.
pub(crate) fn parent(user: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    open(user, libc::NS_GET_PARENT)
}

fn open(namespace: BorrowedFd<'_>, request: libc::Ioctl) -> io::Result<OwnedFd> {
    let fd = ask(namespace, request)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn ask(namespace: BorrowedFd<'_>, request: libc::Ioctl) -> io::Result<i32> {
    // SAFETY: the requests take no argument; the descriptor is open for as long as it is borrowed.
    match unsafe { libc::ioctl(namespace.as_raw_fd(), request) } {
        -1 => {
            let error = std::io::Error::last_os_error();
            Err(Errno::from_io_error(&error).unwrap_or(Errno::IO))
        }
        answer => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_namespace_tells_its_kind_and_owner_and_a_file_does_not() {
        let open = |path: &str| std::fs::File::open(path).unwrap();
        assert_eq!(kind(open("/proc/self/ns/net").as_fd()), Ok(libc::CLONE_NEWNET));
        assert_eq!(kind(owner(open("/proc/self/ns/net").as_fd()).unwrap().as_fd()), Ok(libc::CLONE_NEWUSER));
        assert_eq!(kind(open("/proc/self/status").as_fd()), Err(Errno::NOTTY));
    }
}
