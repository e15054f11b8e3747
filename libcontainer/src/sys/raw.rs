//! The system calls that no safe wrapper offers.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::ptr;

use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::process::Pid;

use crate::Error;

/// The highest signal of Linux on every architecture that we support.
pub(crate) const LAST_SIGNAL: i32 = 64;

fn check(result: libc::c_long) -> Result<(), Errno> {
    if result != -1 {
        return Ok(());
    }
    let error = std::io::Error::last_os_error();
    Err(Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// Sends any signal number, real-time signals and 0 included.
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> Result<(), Errno> {
    let info = ptr::null::<libc::siginfo_t>();
    // SAFETY: the kernel reads no memory of ours: `info` may be null, the rest are numbers, and
    // `pidfd` is open for as long as it is borrowed.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, info, 0) })
}

/// Sets mount attributes (`MOUNT_ATTR_*`) of the mount that `mount` is the root of.
pub(crate) fn mount_setattr(mount: BorrowedFd<'_>, set: u64) -> Result<(), Errno> {
    let attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the path is an empty string with its NUL, and `attributes` is a live `mount_attr` whose
    // true size is passed; the kernel only reads both. `mount` is open for as long as it is borrowed.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    })
}

/// Closes the descriptor that this program was executed from, if it was one and `check` says so.
pub(crate) fn close_executed_if(check: impl FnOnce(BorrowedFd<'_>) -> bool) {
    let Some(number) = executed_from() else { return };
    // SAFETY: the process began with this descriptor, if it is open at all. Whoever else may have it by now as his own
    // cannot close it while it is borrowed, for no other thread runs before the executable is sealed.
    if check(unsafe { BorrowedFd::borrow_raw(number) }) {
        // SAFETY: close(2) takes no pointer. The one that `check` knows was inherited, and belongs to nobody.
        unsafe { libc::close(number) };
    }
}

/// The kernel names the descriptor in place of a path.
fn executed_from() -> Option<i32> {
    // SAFETY: getauxval takes a number.
    let executed = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const c_char;
    if executed.is_null() {
        return None;
    }
    // SAFETY: AT_EXECFN is a C string that lives as long as the process (getauxval(3)).
    let executed = unsafe { CStr::from_ptr(executed) };
    executed.to_str().ok()?.strip_prefix("/dev/fd/")?.parse().ok().filter(|number| *number >= 0)
}

/// `struct sched_attr` of linux/sched/types.h, second version.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct SchedAttr {
    /// Filled by [`sched_setattr`].
    pub(crate) size: u32,
    pub(crate) policy: u32,
    pub(crate) flags: u64,
    pub(crate) nice: i32,
    pub(crate) priority: u32,
    pub(crate) runtime: u64,
    pub(crate) deadline: u64,
    pub(crate) period: u64,
    pub(crate) util_min: u32,
    pub(crate) util_max: u32,
}

/// Sets policy and parameters by which the scheduler treats a process.
pub(crate) fn sched_setattr(pid: Pid, attributes: &SchedAttr) -> Result<(), Errno> {
    let attributes = SchedAttr { size: size_of::<SchedAttr>() as u32, ..*attributes };
    let pid = pid.as_raw_nonzero().get();
    // SAFETY: the kernel reads as many bytes as `size` says, and that is the true size.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, pid, &raw const attributes, 0) })
}

/// Sets class and level by which a process gets at disks, in one number (ioprio_set(2)).
pub(crate) fn ioprio_set(pid: Pid, value: u16) -> Result<(), Errno> {
    const WHO_PROCESS: libc::c_int = 1;
    let pid = pid.as_raw_nonzero().get();
    // SAFETY: no pointer is passed.
    check(unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, pid, libc::c_int::from(value)) })
}

/// Executes the file that `executable` refers to. Returns only the reason why that failed.
pub(crate) fn execveat(executable: BorrowedFd<'_>, arguments: &[CString], environment: &[CString]) -> Errno {
    let arguments = null_terminated(arguments);
    let environment = null_terminated(environment);
    // SAFETY: both arrays end with a null pointer, and their other entries point to strings with a NUL
    // that are borrowed until the call returns; the kernel only reads them. On success nothing of this
    // process is left that could use them.
    let result = check(unsafe {
        libc::syscall(
            libc::SYS_execveat,
            executable.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    });
    result.err().unwrap_or(Errno::IO)
}

/// The kernel explains errors in words.
pub(crate) const NETLINK_EXT_ACK: i32 = 11;
/// The kernel refuses what it does not understand, and lists only what was asked for.
pub(crate) const NETLINK_GET_STRICT_CHK: i32 = 12;
/// The header of an acknowledgement: of the request, only the header is repeated.
pub(crate) const NLM_F_CAPPED: u16 = 0x100;
/// The header of an acknowledgement: attributes follow.
pub(crate) const NLM_F_ACK_TLVS: u16 = 0x200;
/// Such an attribute: the kernel's words.
pub(crate) const NLMSGERR_ATTR_MSG: u16 = 1;

/// Switches an option of a netlink socket on.
pub(crate) fn netlink_option(socket: BorrowedFd<'_>, option: i32) -> Result<(), Errno> {
    let on: i32 = 1;
    // SAFETY: the kernel only reads `on`, whose true size is passed, and `socket` is open for as long as it is
    // borrowed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const on).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    check(result.into())
}

/// Runs two closures in a thread with signals blocked: `prepare` with `mounts` in a mount namespace of its own, then
/// `execute` with a table of descriptors of its own as well, in which programs inherit nothing but the standard streams.
///
/// So the threads of an embedder, and the programs that these execute, never get what `execute` makes to be inherited.
/// For the same reason it must not give back any descriptor that it has opened.
pub(crate) fn apart<P: Send, T: Send>(
    mounts: bool,
    prepare: impl FnOnce() -> crate::Result<P> + Send,
    execute: impl FnOnce(&P) -> crate::Result<T> + Send,
) -> crate::Result<(P, T)> {
    let in_thread = || {
        if mounts {
            unshare(libc::CLONE_NEWNS)?;
        }
        let prepared = prepare()?;
        // What is prepared is dropped outside, by the table in which it was opened.
        let executed =
            unshare(libc::CLONE_FILES).and_then(|()| inherit_nothing()).and_then(|()| execute(&prepared));
        Ok((prepared, executed))
    };
    let mask = block_signals();
    let ended = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, in_thread);
        // The thread has inherited what is blocked.
        restore_signals(&mask);
        thread.map(|thread| thread.join())
    });
    match ended {
        Ok(Ok(result)) => result.and_then(|(prepared, executed)| Ok((prepared, executed?))),
        Ok(Err(_)) => Err(Error::os("join a thread", Errno::CHILD)),
        Err(error) => {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::AGAIN);
            Err(Error::os("make a thread", errno))
        }
    }
}

/// Of the calling thread, which must not give descriptors away that it opens after `CLONE_FILES`.
fn unshare(flag: libc::c_int) -> crate::Result<()> {
    // SAFETY: no pointer is passed. A new table is a copy: it has every descriptor that the thread has borrowed, by the
    // same number.
    check(unsafe { libc::syscall(libc::SYS_unshare, flag) })
        .map_err(|errno| Error::os("unshare of a thread", errno))
}

fn inherit_nothing() -> crate::Result<()> {
    let (first, last) = (libc::STDERR_FILENO + 1, libc::c_int::MAX);
    // SAFETY: no pointer is passed, and nothing is closed before a program is executed.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_CLOEXEC) })
        .map_err(|errno| Error::os("close_range of a thread", errno))
}

/// The signals by which a person at a terminal ends or stops a program.
const OF_PEOPLE: [libc::c_int; 5] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGTSTP];

/// Starts a program that must learn of its children's ends and its alarms, whatever signals the calling thread has
/// blocked, and must not be ended halfway by a key that was meant for us: it ends with its connection to us.
pub(crate) fn spawn_heedless(command: &mut Command) -> std::io::Result<Child> {
    // SAFETY: between fork and exec the closure takes no memory and no lock: it makes three calls, all of which are
    // async-signal-safe (signal-safety(7)), on a set of its own stack.
    unsafe { command.pre_exec(block_signals_of_people) };
    command.spawn()
}

fn block_signals_of_people() -> std::io::Result<()> {
    // SAFETY: a set of signals is plain data, for which all-zero bytes are a value; it lives until the calls return,
    // which fill and read it. The old set is not asked for.
    unsafe {
        let mut blocked = std::mem::zeroed();
        libc::sigemptyset(&raw mut blocked);
        for signal in OF_PEOPLE {
            libc::sigaddset(&raw mut blocked, signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const blocked, ptr::null_mut());
    }
    Ok(())
}

/// Blocks all signals but those that the C library needs; what was blocked before.
fn block_signals() -> libc::sigset_t {
    // SAFETY: a set of signals is plain data, for which all-zero bytes are a value; both sets live until the calls
    // return, which fill and read them.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        before
    }
}

fn restore_signals(mask: &libc::sigset_t) {
    // SAFETY: the set lives until the call returns, which only reads it; the old one is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, ptr::null_mut()) };
}

fn null_terminated(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(CString::as_c_str).map(CStr::as_ptr).chain([ptr::null()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn failures_carry_the_errno() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(pidfd_send_signal(file.as_fd(), 0), Err(Errno::BADF));
        assert_eq!(mount_setattr(file.as_fd(), libc::MOUNT_ATTR_RDONLY), Err(Errno::INVAL));
        assert_eq!(execveat(file.as_fd(), &[], &[]), Errno::ACCESS);
    }
}
