//! The system calls of running another program: its streams, its group, its time and its end.

use core::mem::{size_of, zeroed};
use core::ptr::{from_mut, from_ref, null, null_mut};

use libc::{c_int, c_long};

use super::{Handle, check, handle};
use crate::op::Op;
use crate::program::CText;
use crate::{Fault, Result};

/// `getpid(2)`: in the caller's own pid namespace.
pub(crate) fn own_pid() -> Result<u32> {
    // SAFETY: no pointer is passed.
    unsafe { call!(Decode, SYS_getpid) }.map(|pid| pid as u32)
}

/// `memfd_create(2)`: a file without a name on any file system.
pub(crate) fn memory_file(name: CText<'_>) -> Result<Handle> {
    let create = |flags: u32| {
        // SAFETY: name ends with NUL.
        handle(unsafe { call!(MemfdCreate, SYS_memfd_create, name.as_ptr(), flags) })
    };
    // A host may insist on the flag (vm.memfd_noexec), which kernels before 6.3 do not know.
    match create(libc::MFD_CLOEXEC | libc::MFD_NOEXEC_SEAL) {
        Err(Fault { errno: libc::EINVAL, .. }) => create(libc::MFD_CLOEXEC),
        other => other,
    }
}

/// Goes back to the beginning of a file (`lseek(2)`).
pub(crate) fn rewind(fd: i32) -> Result<()> {
    // SAFETY: no pointer is passed.
    unsafe { call!(Seek, SYS_lseek, fd, 0, libc::SEEK_SET) }.map(drop)
}

fn two(fds: [c_int; 2]) -> (Handle, Handle) {
    let [first, second] = fds;
    (Handle(first), Handle(second))
}

/// `pipe2(2)`: reading and writing end, close-on-exec.
pub(crate) fn pipe() -> Result<(Handle, Handle)> {
    let mut fds: [c_int; 2] = [-1; 2];
    // SAFETY: the kernel writes two ints.
    unsafe { call!(Pipe, SYS_pipe2, from_mut(&mut fds), libc::O_CLOEXEC) }?;
    Ok(two(fds))
}

/// `socketpair(2)` for records, close-on-exec.
pub(crate) fn record_pair() -> Result<(Handle, Handle)> {
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    let mut fds: [c_int; 2] = [-1; 2];
    // SAFETY: the kernel writes two ints.
    unsafe { call!(Socket, SYS_socketpair, libc::AF_UNIX, kind, 0, from_mut(&mut fds)) }?;
    Ok(two(fds))
}

/// `recvfrom(2)` without waiting: 0 if nothing is there.
pub(crate) fn receive_now(socket: i32, space: &mut [u8]) -> Result<usize> {
    let none: *mut u8 = null_mut();
    let flags = libc::MSG_DONTWAIT;
    // SAFETY: the kernel writes at most space.len() bytes; the address is not asked for.
    match unsafe { call!(Receive, SYS_recvfrom, socket, space.as_mut_ptr(), space.len(), flags, none, none) }
    {
        Err(Fault { errno: libc::EAGAIN, .. }) => Ok(0),
        other => other.map(|len| len as usize),
    }
}

/// `setpgid(0, 0)`: a process group of its own.
pub(crate) fn lead_group() -> Result<()> {
    // SAFETY: no pointer is passed.
    unsafe { call!(Setpgid, SYS_setpgid, 0, 0) }.map(drop)
}

/// Lets go at exec of every descriptor from `first` on (`close_range(2)`).
pub(crate) fn close_on_exec_from(first: u32) -> Result<()> {
    // SAFETY: no pointer is passed.
    unsafe { call!(CloseRange, SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) }.map(drop)
}

/// A descriptor that can be read when `seconds` have passed (`timerfd_create(2)`).
pub(crate) fn timer(seconds: u32) -> Result<Handle> {
    // SAFETY: no pointer is passed.
    let timer =
        handle(unsafe { call!(Timer, SYS_timerfd_create, libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) })?;
    // The kernel's struct itimerspec: interval and value, each of seconds and nanoseconds.
    let time = [0, 0, i64::from(seconds), 0];
    let old: *mut u8 = null_mut();
    // SAFETY: the kernel reads one struct itimerspec and, given a null pointer, writes nothing.
    unsafe { call!(Timer, SYS_timerfd_settime, timer.fd(), 0, from_ref(&time), old) }?;
    Ok(timer)
}

/// Waits until one of `fds` can be read or is closed; tells which. A negative descriptor never is.
pub(crate) fn wait_any<const N: usize>(fds: [i32; N]) -> Result<[bool; N]> {
    poll(fds, null())
}

/// Whether `fd` can be read now.
pub(crate) fn is_readable(fd: i32) -> Result<bool> {
    // The kernel's struct timespec.
    let at_once = [0i64; 2];
    poll([fd], from_ref(&at_once)).map(|[ready]| ready)
}

fn poll<const N: usize>(fds: [i32; N], timeout: *const [i64; 2]) -> Result<[bool; N]> {
    let mut polled = fds.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    let mask: *const u64 = null();
    loop {
        // SAFETY: the kernel reads and writes N structs pollfd, and reads a timeout and a mask unless they are null.
        match unsafe { call!(Poll, SYS_ppoll, polled.as_mut_ptr(), N, timeout, mask, size_of::<u64>()) } {
            Err(Fault { errno: libc::EINTR, .. }) => {}
            Err(fault) => return Err(fault),
            Ok(_) => return Ok(polled.map(|fd| fd.revents != 0)),
        }
    }
}

/// SIGKILL for a child that has not been waited for, and for the process group that it leads if it has come to
/// lead one.
pub(crate) fn kill_group(pid: i32, pidfd: i32) {
    let info: *const u8 = null();
    // SAFETY: no memory is read: the information about the signal may be null. While the child is not waited for,
    // its number is not another group's. Failure means that nobody is there.
    unsafe {
        libc::syscall(libc::SYS_kill, -c_long::from(pid), libc::SIGKILL as c_long);
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd as c_long,
            libc::SIGKILL as c_long,
            info,
            0 as c_long,
        );
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Waits for the end of a child, and reaps it (`waitid(2)`).
pub(crate) fn wait_child(pidfd: i32) -> Result<End> {
    // SAFETY: siginfo_t is plain data, for which all-zero bytes are a value.
    let mut info: libc::siginfo_t = unsafe { zeroed() };
    let usage: *mut u8 = null_mut();
    loop {
        // SAFETY: the kernel writes one siginfo_t and, given a null pointer, no resource usage.
        match unsafe {
            call!(Wait, SYS_waitid, libc::P_PIDFD, pidfd, from_mut(&mut info), libc::WEXITED, usage)
        } {
            Err(Fault { errno: libc::EINTR, .. }) => {}
            Err(fault) => return Err(fault),
            Ok(_) => break,
        }
    }
    // SAFETY: waitid has filled the structure for a child, so that its status is there.
    let status = unsafe { info.si_status() };
    Ok(if info.si_code == libc::CLD_EXITED { End::Code(status) } else { End::Signal(status) })
}
