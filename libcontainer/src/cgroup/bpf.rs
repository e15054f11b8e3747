//! The two `bpf(2)` calls that put a device program into force.
#![allow(unsafe_code, reason = "no safe wrapper of bpf(2) is small enough for two calls")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

use super::devices::Instruction;

const PROG_LOAD: i64 = 5;
const PROG_ATTACH: i64 = 8;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_TYPE_CGROUP_DEVICE: u32 = 6;
/// Programs of the cgroups above keep their say, and the cgroup may get more than one.
const ALLOW_MULTI: u32 = 2;

/// The part of `union bpf_attr` that loading a program reads.
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel: u32,
    flags: u32,
    name: [u8; 16],
}

/// The part of `union bpf_attr` that attaching a program reads.
#[repr(C)]
struct Attach {
    target: i32,
    program: i32,
    kind: u32,
    flags: u32,
}

/// How often a program is offered to a kernel that says it was interrupted.
const ATTEMPTS: usize = 10;

/// Loads a device program. The kernel's verifier stops with EAGAIN when anything waits for this thread, a signal of the
/// embedder as a rule; by the next attempt that has been dealt with.
pub(super) fn load(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let mut attempts = std::iter::repeat_with(|| load_once(program)).take(ATTEMPTS);
    attempts.find(|loaded| !matches!(loaded, Err(Errno::AGAIN))).unwrap_or(Err(Errno::AGAIN))
}

fn load_once(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let attributes = Load {
        kind: PROG_TYPE_CGROUP_DEVICE,
        count: u32::try_from(program.len()).map_err(|_| Errno::TOOBIG)?,
        instructions: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel: 0,
        flags: 0,
        name: *b"device_rules\0\0\0\0",
    };
    // SAFETY: `attributes` is what PROG_LOAD reads, all of it initialised and without padding, and
    // the size passed is its own. The pointers in it are to `program`, borrowed for this call with
    // `count` instructions of the kernel's layout, and to a static C string; the kernel only reads.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw const attributes, size_of::<Load>()) };
    let fd = i32::try_from(result(fd)?).map_err(|_| Errno::BADF)?;
    // SAFETY: PROG_LOAD returned a new descriptor, close-on-exec as all of bpf(2)'s, that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Attaches a loaded program to a cgroup, which keeps it from then on.
pub(super) fn attach(cgroup: BorrowedFd<'_>, program: &OwnedFd) -> Result<(), Errno> {
    let attributes = Attach {
        target: cgroup.as_raw_fd(),
        program: program.as_fd().as_raw_fd(),
        kind: ATTACH_TYPE_CGROUP_DEVICE,
        flags: ALLOW_MULTI,
    };
    // SAFETY: `attributes` is what PROG_ATTACH reads, all of it initialised and without padding or
    // pointers, and the size passed is its own. Both descriptors are borrowed for this call.
    let done =
        unsafe { libc::syscall(libc::SYS_bpf, PROG_ATTACH, &raw const attributes, size_of::<Attach>()) };
    result(done).map(drop)
}

fn result(returned: libc::c_long) -> Result<libc::c_long, Errno> {
    if returned >= 0 {
        return Ok(returned);
    }
    Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL))
}
