//! The `bpf(2)` calls that put a device program into force, and replace one.
#![allow(unsafe_code, reason = "no safe wrapper of bpf(2) is small enough for six calls")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

use super::devices::Instruction;

const PROG_LOAD: i64 = 5;
const PROG_ATTACH: i64 = 8;
const PROG_DETACH: i64 = 9;
const PROG_GET_FD_BY_ID: i64 = 13;
const OBJ_GET_INFO_BY_FD: i64 = 15;
const PROG_QUERY: i64 = 16;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_TYPE_CGROUP_DEVICE: u32 = 6;
/// Programs of the cgroups above keep their say, and the cgroup may get more than one.
const ALLOW_MULTI: u32 = 2;
/// In the place of another program, at one stroke.
const REPLACE: u32 = 4;

/// By this name our own programs are found again.
const NAME: [u8; 16] = *b"device_rules\0\0\0\0";

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

/// The part of `union bpf_attr` that attaching and detaching a program reads.
#[repr(C)]
struct Attach {
    target: i32,
    program: i32,
    kind: u32,
    flags: u32,
    replaced: i32,
}

/// The part of `union bpf_attr` that asking for the programs of a cgroup reads, and writes in newer kernels.
#[repr(C)]
#[derive(Default)]
struct Query {
    target: i32,
    kind: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    zero: u32,
    later: [u64; 4],
}

/// The part of `union bpf_attr` that opening a program reads.
#[repr(C)]
struct Open {
    id: u32,
    next: u32,
    flags: u32,
}

/// The part of `union bpf_attr` that asking about a program reads.
#[repr(C)]
struct About {
    program: i32,
    length: u32,
    info: u64,
}

/// The first part of `struct bpf_prog_info`, up to the name.
#[repr(C)]
#[derive(Default)]
struct Info {
    before: [u64; 8],
    name: [u8; 16],
}

/// How often a program is offered to a kernel that says it was interrupted.
const ATTEMPTS: usize = 10;

/// How many programs of one cgroup are looked at; the kernel takes no more (`BPF_CGROUP_MAX_PROGS`).
const PROGRAMS: usize = 64;

/// Loads a device program. The kernel's verifier stops with EAGAIN when anything waits for this thread, a signal of the
/// embedder as a rule; by the next attempt that has been dealt with.
pub(super) fn load(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let mut attempts = std::iter::repeat_with(|| load_once(program)).take(ATTEMPTS);
    attempts.find(|loaded| !matches!(loaded, Err(Errno::AGAIN))).unwrap_or(Err(Errno::AGAIN))
}

fn load_once(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let mut attributes = Load {
        kind: PROG_TYPE_CGROUP_DEVICE,
        count: u32::try_from(program.len()).map_err(|_| Errno::TOOBIG)?,
        instructions: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel: 0,
        flags: 0,
        name: NAME,
    };
    // SAFETY: the kernel reads `count` instructions of its own layout from `program`, borrowed for this
    // call, and a static C string.
    let fd = unsafe { call(PROG_LOAD, &mut attributes) }?;
    owned(fd)
}

/// Attaches a loaded program to a cgroup, which keeps it from then on, in the place of another one if there is one.
pub(super) fn attach(
    cgroup: BorrowedFd<'_>,
    program: &OwnedFd,
    replaced: Option<&OwnedFd>,
) -> Result<(), Errno> {
    let flags = if replaced.is_some() { ALLOW_MULTI | REPLACE } else { ALLOW_MULTI };
    change(PROG_ATTACH, cgroup, program, flags, replaced)
}

/// Takes a program away from a cgroup.
pub(super) fn detach(cgroup: BorrowedFd<'_>, program: &OwnedFd) -> Result<(), Errno> {
    change(PROG_DETACH, cgroup, program, 0, None)
}

fn change(
    command: i64,
    cgroup: BorrowedFd<'_>,
    program: &OwnedFd,
    flags: u32,
    replaced: Option<&OwnedFd>,
) -> Result<(), Errno> {
    let mut attributes = Attach {
        target: cgroup.as_raw_fd(),
        program: program.as_fd().as_raw_fd(),
        kind: ATTACH_TYPE_CGROUP_DEVICE,
        flags,
        replaced: replaced.map_or(0, AsRawFd::as_raw_fd),
    };
    // SAFETY: these attributes hold no pointers; the descriptors are borrowed for this call.
    unsafe { call(command, &mut attributes) }.map(drop)
}

/// Our own programs that are attached to a cgroup.
pub(super) fn attached(cgroup: BorrowedFd<'_>) -> Result<Vec<OwnedFd>, Errno> {
    let mut ids = [0_u32; PROGRAMS];
    let mut query = Query {
        target: cgroup.as_raw_fd(),
        kind: ATTACH_TYPE_CGROUP_DEVICE,
        ids: ids.as_mut_ptr() as u64,
        count: PROGRAMS as u32,
        ..Query::default()
    };
    // SAFETY: the kernel writes at most `count` numbers to `ids`, which has room for them and outlives the call.
    unsafe { call(PROG_QUERY, &mut query) }?;
    let count = usize::try_from(query.count).unwrap_or(0);
    let mut ours = Vec::new();
    for id in ids.iter().take(count) {
        let mut open = Open { id: *id, next: 0, flags: 0 };
        // SAFETY: these attributes hold no pointers.
        let program = match unsafe { call(PROG_GET_FD_BY_ID, &mut open) } {
            Err(Errno::NOENT) => continue,
            fd => owned(fd?)?,
        };
        if name(&program)? == NAME {
            ours.push(program);
        }
    }
    Ok(ours)
}

fn name(program: &OwnedFd) -> Result<[u8; 16], Errno> {
    let mut info = Info::default();
    let mut about = About {
        program: program.as_raw_fd(),
        length: size_of::<Info>() as u32,
        info: (&raw mut info) as u64,
    };
    // SAFETY: the kernel writes at most `length` bytes, the size of `info`, which is made of integers and outlives
    // the call.
    unsafe { call(OBJ_GET_INFO_BY_FD, &mut about) }?;
    Ok(info.name)
}

/// Calls `bpf(2)`.
///
/// # Safety
/// `attributes` must be the beginning of `union bpf_attr` for `command`, initialised and without padding, and what its
/// pointers lead to must be as large as the command says and live until the call returns.
unsafe fn call<T>(command: i64, attributes: &mut T) -> Result<libc::c_long, Errno> {
    // SAFETY: the kernel reads and writes no more of `attributes` than the size that it is given; for what is behind
    // its pointers the caller vouches.
    let returned = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size_of::<T>()) };
    if returned >= 0 {
        return Ok(returned);
    }
    Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL))
}

/// A descriptor that a call returned.
fn owned(fd: libc::c_long) -> Result<OwnedFd, Errno> {
    let fd = i32::try_from(fd).map_err(|_| Errno::BADF)?;
    // SAFETY: only called with the new descriptor, close-on-exec as all of bpf(2)'s, of a call that opens a program;
    // nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
