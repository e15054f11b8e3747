//! System calls, raw: the only unsafe code of the crate. Each function passes pointers that live for the call to a
//! system call that neither keeps them nor writes beyond the lengths given with them.
//!
//! The host side uses the calls here that no crate wraps (`clone3`, `mount_setattr`, …).
#![allow(unsafe_code)]

use core::mem::{size_of, zeroed};
use core::ptr::{from_mut, from_ref, null_mut};

use libc::{c_int, c_long};

use crate::op::Op;
use crate::program::CText;
use crate::step::Instruction;
use crate::{Fault, Result};

/// An open descriptor that is closed when it goes out of scope.
#[derive(Debug)]
pub struct Handle(i32);

impl Handle {
    /// The number.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.0
    }

    /// Gives the descriptor up: it stays open until the process ends or a slot's owner closes it.
    #[must_use]
    pub fn keep(self) -> i32 {
        let fd = self.0;
        core::mem::forget(self);
        fd
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: close(2) takes no pointer. The number is ours: it came from the call that made the handle.
        unsafe { libc::syscall(libc::SYS_close, self.0 as c_long) };
    }
}

macro_rules! call {
    ($op:ident, $number:ident $(, $argument:expr)*) => {
        check(Op::$op, libc::syscall(libc::$number $(, $argument as c_long)*))
    };
}

mod files;
pub(crate) mod job;
mod mounts;
mod socket;
mod terminal;

pub use files::*;
pub use mounts::*;
pub use socket::enter_new_network;
pub(crate) use socket::{MOST_FDS, accept, loopback_up, receive, send};
pub use terminal::*;

fn check(op: Op, result: c_long) -> Result<c_long> {
    if result >= 0 {
        return Ok(result);
    }
    // SAFETY: __errno_location returns this thread's errno, which is valid as long as the thread is.
    let errno = unsafe { *libc::__errno_location() };
    Err(Fault { op, errno })
}

fn handle(result: Result<c_long>) -> Result<Handle> {
    result.map(|fd| Handle(fd as i32))
}

/// `setns(2)`.
pub fn setns(fd: i32, kind: u32) -> Result<()> {
    // SAFETY: no pointer is passed.
    unsafe { call!(Setns, SYS_setns, fd, kind) }.map(drop)
}

/// `unshare(2)`, of namespaces only.
pub fn unshare(flags: u32) -> Result<()> {
    // SAFETY: no pointer is passed; the flags that unshare memory or descriptors are not given.
    unsafe { call!(Unshare, SYS_unshare, flags) }.map(drop)
}

/// Beyond 32 bits, where libc's constants overflow.
const CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// What `clone3(2)` is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clone {
    /// `CLONE_NEW*`, and `CLONE_PARENT`. Never `CLONE_VM`: the child works on a copy.
    pub flags: u64,
    /// The cgroup to be born in.
    pub cgroup: Option<i32>,
}

/// Which side of a clone this is.
#[derive(Debug)]
pub enum Side {
    /// The new process.
    Child,
    /// The old one, with the child's pid as the old one sees it, and its pidfd.
    Parent(i32, Handle),
}

/// `clone3(2)`, with a pidfd and default signal handlers for the child.
///
/// # Errors
/// `EINVAL` on flags that would share memory.
///
/// # Safety
/// In the child of a program with threads only code of this crate may run, which neither allocates nor locks.
pub unsafe fn clone(request: Clone) -> Result<Side> {
    const SHARING: u64 = (libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_FS | libc::CLONE_THREAD) as u64;
    if request.flags & SHARING != 0 {
        return Err(Fault { op: Op::Clone, errno: libc::EINVAL });
    }
    let mut pidfd: c_int = -1;
    // SAFETY: clone_args is plain data, for which all-zero bytes are a value.
    let mut args: libc::clone_args = unsafe { zeroed() };
    args.flags = request.flags | libc::CLONE_PIDFD as u64 | CLEAR_SIGHAND;
    args.pidfd = from_mut(&mut pidfd) as u64;
    // With CLONE_PARENT the exit signal is the one of the caller, and naming one is an error.
    args.exit_signal = if request.flags & libc::CLONE_PARENT as u64 == 0 { libc::SIGCHLD as u64 } else { 0 };
    if let Some(cgroup) = request.cgroup {
        args.flags |= INTO_CGROUP;
        args.cgroup = cgroup as u64;
    }
    // SAFETY: without CLONE_VM and without a stack the child goes on here, on its own copy of this stack; the
    // kernel reads size_of::<clone_args>() bytes of `args` and writes one int to `pidfd`.
    match unsafe { call!(Clone, SYS_clone3, from_ref(&args), size_of::<libc::clone_args>()) }? {
        0 => Ok(Side::Child),
        pid => Ok(Side::Parent(pid as i32, Handle(pidfd))),
    }
}

/// [`clone`] by this crate itself, whose code goes on in the child until that executes a program or exits.
pub(crate) fn clone_in_child(request: Clone) -> Result<Side> {
    // SAFETY: the callers are `run` and `hook`, which call nothing but this crate in the child.
    unsafe { clone(request) }
}

/// `exit_group(2)`.
pub fn exit(code: i32) -> ! {
    loop {
        // SAFETY: no pointer is passed, and it does not return.
        unsafe { libc::syscall(libc::SYS_exit_group, code as c_long) };
    }
}

/// `close_range(2)`.
pub fn close_range(first: u32, last: u32) -> Result<()> {
    // SAFETY: no pointer is passed; the caller owns every descriptor of this process.
    unsafe { call!(CloseRange, SYS_close_range, first, last, 0) }.map(drop)
}

/// `prctl(2)` with numbers only.
pub fn prctl(option: i32, argument: u64, second: u64) -> Result<()> {
    // SAFETY: the options used take numbers, not pointers.
    unsafe { call!(Prctl, SYS_prctl, option, argument, second, 0, 0) }.map(drop)
}

/// `capset(2)` of this process.
pub fn capset(effective: u64, permitted: u64, inheritable: u64) -> Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let half = |set: u64, shift: u32| (set >> shift) as u32;
    let data = [
        [half(effective, 0), half(permitted, 0), half(inheritable, 0)],
        [half(effective, 32), half(permitted, 32), half(inheritable, 32)],
    ];
    // SAFETY: version 3 reads a header of two and data of six 32-bit words.
    unsafe { call!(Capset, SYS_capset, from_ref(&header), from_ref(&data)) }.map(drop)
}

/// `setgroups(2)`.
pub fn setgroups(groups: &[u32]) -> Result<()> {
    // SAFETY: the kernel reads groups.len() words.
    unsafe { call!(Setgroups, SYS_setgroups, groups.len(), groups.as_ptr()) }.map(drop)
}

/// `setresgid(2)` of all three.
pub fn setgid(gid: u32) -> Result<()> {
    // SAFETY: no pointer is passed.
    unsafe { call!(Setgid, SYS_setresgid, gid, gid, gid) }.map(drop)
}

/// `setresuid(2)` of all three.
pub fn setuid(uid: u32) -> Result<()> {
    // SAFETY: no pointer is passed.
    unsafe { call!(Setuid, SYS_setresuid, uid, uid, uid) }.map(drop)
}

/// `setsid(2)`.
pub fn setsid() -> Result<()> {
    // SAFETY: no pointer is passed.
    unsafe { call!(Setsid, SYS_setsid) }.map(drop)
}

/// `sethostname(2)`.
pub fn sethostname(name: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads name.len() bytes.
    unsafe { call!(Sethostname, SYS_sethostname, name.as_ptr(), name.len()) }.map(drop)
}

/// `setdomainname(2)`.
pub fn setdomainname(name: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads name.len() bytes.
    unsafe { call!(Setdomainname, SYS_setdomainname, name.as_ptr(), name.len()) }.map(drop)
}

/// `prlimit64(2)` of this process.
pub fn setrlimit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = [soft, hard];
    let old: *mut u8 = null_mut();
    // SAFETY: the kernel reads two 64-bit words and, given a null pointer, writes nothing.
    unsafe { call!(Prlimit, SYS_prlimit64, 0, resource, from_ref(&limit), old) }.map(drop)
}

/// `keyctl(KEYCTL_JOIN_SESSION_KEYRING, name)`.
pub fn join_session_keyring(name: CText<'_>) -> Result<()> {
    // SAFETY: name ends with NUL.
    unsafe { call!(Keyctl, SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr()) }.map(drop)
}

/// `seccomp(SECCOMP_SET_MODE_FILTER)`: the listener, close-on-exec, if the flags ask for one, else 0.
pub fn load_filter(filter: &[Instruction], flags: u32) -> Result<i32> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut().cast() };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: Instruction has the layout of sock_filter; the kernel reads `len` of them.
    unsafe { call!(Seccomp, SYS_seccomp, mode, flags, from_ref(&program)) }.map(|fd| fd as i32)
}

/// Lets this process run on every CPU of its cpuset (`sched_setaffinity(2)`).
pub fn reset_affinity() -> Result<()> {
    set_affinity(&[u32::MAX; 256])
}

/// Lets this process run on CPUs of a bit mask only (`sched_setaffinity(2)`).
pub fn set_affinity(cpus: &[u32]) -> Result<()> {
    // SAFETY: the kernel reads size_of_val(cpus) bytes, and ignores CPUs that do not exist.
    unsafe { call!(SchedSetaffinity, SYS_sched_setaffinity, 0, size_of_val(cpus), cpus.as_ptr()) }.map(drop)
}

/// `personality(2)`.
pub fn personality(domain: u32) -> Result<()> {
    // SAFETY: no pointer is passed.
    unsafe { call!(Personality, SYS_personality, domain) }.map(drop)
}

/// `set_mempolicy(2)`; `nodes` is a bit mask in the order of the machine, a whole number of 64-bit words.
pub fn set_mempolicy(mode: u32, nodes: &[u32]) -> Result<()> {
    // The kernel counts one bit more than it reads.
    let bits = nodes.len().wrapping_mul(32).wrapping_add(1);
    // SAFETY: the kernel reads (bits - 1) / 8 bytes, which `nodes` has.
    unsafe { call!(SetMempolicy, SYS_set_mempolicy, mode, nodes.as_ptr(), bits) }.map(drop)
}

const SIGSET_BYTES: usize = 8;

/// Sets this thread's signal mask (bit N-1 is signal N); returns the old one.
pub fn set_signal_mask(mask: u64) -> Result<u64> {
    let mut old = 0u64;
    let how = libc::SIG_SETMASK;
    // SAFETY: the kernel reads and writes SIGSET_BYTES bytes each.
    unsafe { call!(Sigmask, SYS_rt_sigprocmask, how, from_ref(&mask), from_mut(&mut old), SIGSET_BYTES) }?;
    Ok(old)
}

/// Gives `signal` its default action. `CLONE_CLEAR_SIGHAND` leaves ignored signals ignored.
pub fn default_signal(signal: i32) -> Result<()> {
    // The kernel's struct sigaction: handler, flags, restorer, mask. SIG_DFL is 0.
    let action = [0u64; 4];
    let old: *mut u8 = null_mut();
    // SAFETY: the kernel reads one struct sigaction and, given a null pointer, writes nothing.
    unsafe { call!(Sigaction, SYS_rt_sigaction, signal, from_ref(&action), old, SIGSET_BYTES) }.map(drop)
}

/// `execve(2)`: returns only on failure.
pub fn execve(path: CText<'_>, argv: &[*const u8], envp: &[*const u8]) -> Fault {
    let ended = |list: &[*const u8]| list.last().is_some_and(|last| last.is_null());
    if !ended(argv) || !ended(envp) {
        return Fault { op: Op::Exec, errno: libc::EFAULT };
    }
    // SAFETY: path ends with NUL; both lists end with a null pointer, as just checked, and their other pointers
    // are to strings in the program's text pool or in the child's stack, which both live until here.
    match unsafe { call!(Exec, SYS_execve, path.as_ptr(), argv.as_ptr(), envp.as_ptr()) } {
        Err(fault) => fault,
        Ok(_) => Fault { op: Op::Exec, errno: libc::EINVAL },
    }
}

/// Makes the call of a contended lock.
#[cfg(feature = "fault-injection")]
pub(crate) fn trip() -> Result<()> {
    let word = 0u32;
    let none: *mut u8 = null_mut();
    // SAFETY: FUTEX_WAKE reads no more than the address of `word`.
    unsafe { call!(Verify, SYS_futex, from_ref(&word), libc::FUTEX_WAKE, 1, none, none, 0) }.map(drop)
}
