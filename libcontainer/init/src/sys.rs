//! System calls, raw: the only unsafe code of the crate. Each function passes pointers that live for the call to a
//! system call that neither keeps them nor writes beyond the lengths given with them.
//!
//! The host side uses the calls here that no crate wraps (`clone3`, `mount_setattr`, …).
#![allow(unsafe_code)]

use core::mem::{size_of, zeroed};
use core::ptr::{from_mut, from_ref, null, null_mut};

use libc::{c_int, c_long};

use crate::attr::MountAttr;
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

pub(crate) mod job;
mod socket;

pub use socket::enter_new_network;
pub(crate) use socket::{accept, loopback_up, receive, send};

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

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// `openat2(2)`; always close-on-exec.
pub fn openat2(dir: i32, path: CText<'_>, flags: i32, resolve: u64) -> Result<Handle> {
    let how = OpenHow { flags: (flags | libc::O_CLOEXEC) as u64, mode: 0, resolve };
    // SAFETY: path ends with NUL; the kernel reads exactly size_of::<OpenHow>() bytes of `how`.
    handle(unsafe { call!(Open, SYS_openat2, dir, path.as_ptr(), from_ref(&how), size_of::<OpenHow>()) })
}

/// `mkdirat(2)`.
pub fn mkdirat(dir: i32, name: CText<'_>, mode: u32) -> Result<()> {
    // SAFETY: name ends with NUL.
    unsafe { call!(Mkdir, SYS_mkdirat, dir, name.as_ptr(), mode) }.map(drop)
}

/// `mknodat(2)`; `device` in the kernel's encoding (`makedev(3)` below 32 bits).
pub fn mknodat(dir: i32, name: CText<'_>, mode: u32, device: u32) -> Result<()> {
    // SAFETY: name ends with NUL.
    unsafe { call!(Mknod, SYS_mknodat, dir, name.as_ptr(), mode, device) }.map(drop)
}

/// `symlinkat(2)`.
pub fn symlinkat(target: CText<'_>, dir: i32, name: CText<'_>) -> Result<()> {
    // SAFETY: both end with NUL.
    unsafe { call!(Symlink, SYS_symlinkat, target.as_ptr(), dir, name.as_ptr()) }.map(drop)
}

/// `readlinkat(2)`: bytes written to `space`.
pub fn readlinkat(dir: i32, name: CText<'_>, space: &mut [u8]) -> Result<usize> {
    // SAFETY: name ends with NUL; the kernel writes at most space.len() bytes.
    unsafe { call!(Readlink, SYS_readlinkat, dir, name.as_ptr(), space.as_mut_ptr(), space.len()) }
        .map(|len| len as usize)
}

/// `fchownat(2)` on a name that is not followed.
pub fn lchownat(dir: i32, name: CText<'_>, uid: u32, gid: u32) -> Result<()> {
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: name ends with NUL.
    unsafe { call!(Fchown, SYS_fchownat, dir, name.as_ptr(), uid, gid, flags) }.map(drop)
}

/// `fchown(2)`; `u32::MAX` leaves an id as it is.
pub fn fchown(fd: i32, uid: u32, gid: u32) -> Result<()> {
    // SAFETY: no pointer is passed.
    unsafe { call!(Fchown, SYS_fchown, fd, uid, gid) }.map(drop)
}

/// Type and permissions, and the device number of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// `st_mode`.
    pub mode: u32,
    /// Major and minor of the node itself.
    pub rdev: (u32, u32),
    /// The owner.
    pub uid: u32,
}

impl Stat {
    /// Whether the type bits are those of `kind` (`S_IFDIR`, …).
    #[must_use]
    pub fn is(&self, kind: u32) -> bool {
        self.mode & libc::S_IFMT == kind
    }
}

/// `statx(2)` of `name` below `dir`; an empty name means `dir` itself.
pub fn stat(dir: i32, name: CText<'_>, flags: i32) -> Result<Stat> {
    // SAFETY: statx is plain data, for which all-zero bytes are a value.
    let mut space: libc::statx = unsafe { zeroed() };
    let flags = flags | libc::AT_EMPTY_PATH;
    let mask = libc::STATX_TYPE | libc::STATX_MODE | libc::STATX_UID;
    // SAFETY: name ends with NUL; the kernel writes one struct statx to `space`.
    unsafe { call!(Statx, SYS_statx, dir, name.as_ptr(), flags, mask, from_mut(&mut space)) }?;
    let rdev = (space.stx_rdev_major, space.stx_rdev_minor);
    Ok(Stat { mode: u32::from(space.stx_mode), rdev, uid: space.stx_uid })
}

/// Magic number of the file system behind `fd` (`fstatfs(2)`).
pub fn file_system(fd: i32) -> Result<i64> {
    // SAFETY: statfs is plain data, for which all-zero bytes are a value.
    let mut space: libc::statfs = unsafe { zeroed() };
    // SAFETY: the kernel writes one struct statfs to `space`.
    unsafe { call!(Fstatfs, SYS_fstatfs, fd, from_mut(&mut space)) }?;
    Ok(space.f_type as i64)
}

/// `fsopen(2)`.
pub fn fsopen(fstype: CText<'_>) -> Result<Handle> {
    // SAFETY: fstype ends with NUL.
    handle(unsafe { call!(Fsopen, SYS_fsopen, fstype.as_ptr(), libc::FSOPEN_CLOEXEC) })
}

/// `fsconfig(2)` with a key and perhaps a value.
pub fn fsconfig(fs: i32, key: CText<'_>, value: Option<CText<'_>>) -> Result<()> {
    let (command, value) = match value {
        Some(value) => (libc::FSCONFIG_SET_STRING, value.as_ptr()),
        None => (libc::FSCONFIG_SET_FLAG, null()),
    };
    // SAFETY: key and value end with NUL, or value is null as FSCONFIG_SET_FLAG wants.
    unsafe { call!(Fsconfig, SYS_fsconfig, fs, command, key.as_ptr(), value, 0) }.map(drop)
}

/// `fsconfig(2)`: makes the superblock.
pub fn fsconfig_create(fs: i32) -> Result<()> {
    let none: *const u8 = null();
    // SAFETY: FSCONFIG_CMD_CREATE takes null pointers.
    unsafe { call!(Fsconfig, SYS_fsconfig, fs, libc::FSCONFIG_CMD_CREATE, none, none, 0) }.map(drop)
}

/// `fspick(2)` of the file system whose mount's root is `mount`.
pub fn fspick(mount: i32) -> Result<Handle> {
    const EMPTY_PATH: u32 = 0x8;
    const CLOEXEC: u32 = 0x1;
    let path = CText::literal(c"").as_ptr();
    // SAFETY: the path is an empty string that ends with NUL.
    handle(unsafe { call!(Fspick, SYS_fspick, mount, path, EMPTY_PATH | CLOEXEC) })
}

/// `fsconfig(2)`: gives an existing superblock the options that were set.
pub fn fsconfig_reconfigure(fs: i32) -> Result<()> {
    let none: *const u8 = null();
    // SAFETY: FSCONFIG_CMD_RECONFIGURE takes null pointers.
    unsafe { call!(Fsconfig, SYS_fsconfig, fs, libc::FSCONFIG_CMD_RECONFIGURE, none, none, 0) }.map(drop)
}

/// `mount(2)` on the working folder.
pub fn mount_here(source: CText<'_>, fstype: CText<'_>, flags: u64, data: CText<'_>) -> Result<()> {
    let (source, fstype, data) = (source.as_ptr(), fstype.as_ptr(), data.as_ptr());
    // SAFETY: all four strings end with NUL.
    unsafe { call!(Mount, SYS_mount, source, c".".as_ptr(), fstype, flags, data) }.map(drop)
}

/// `fsmount(2)`.
pub fn fsmount(fs: i32, attributes: u64) -> Result<Handle> {
    // SAFETY: no pointer is passed.
    handle(unsafe { call!(Fsmount, SYS_fsmount, fs, libc::FSMOUNT_CLOEXEC, attributes) })
}

/// `open_tree(2)`; always close-on-exec. An empty path means `dir` itself.
pub fn open_tree(dir: i32, path: CText<'_>, flags: u32) -> Result<Handle> {
    let flags = flags | libc::OPEN_TREE_CLOEXEC | libc::AT_EMPTY_PATH as u32;
    // SAFETY: path ends with NUL.
    handle(unsafe { call!(OpenTree, SYS_open_tree, dir, path.as_ptr(), flags) })
}

/// `mount_setattr(2)` of the mount whose root is `fd`.
pub fn mount_setattr(fd: i32, recursive: bool, attr: &MountAttr) -> Result<()> {
    mount_setattr_at(fd, CText::literal(c""), recursive, attr)
}

/// `mount_setattr(2)` of the mount at `path`.
pub fn mount_setattr_at(dir: i32, path: CText<'_>, recursive: bool, attr: &MountAttr) -> Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    let size = size_of::<MountAttr>();
    // SAFETY: path ends with NUL; the kernel reads `size` bytes of `attr`.
    unsafe { call!(MountSetattr, SYS_mount_setattr, dir, path.as_ptr(), flags, from_ref(attr), size) }
        .map(drop)
}

/// `move_mount(2)`: puts the tree behind `tree` on the place behind `place`.
pub fn move_mount(tree: i32, place: i32) -> Result<()> {
    let empty = CText::literal(c"").as_ptr();
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: the paths are empty strings that end with NUL.
    unsafe { call!(MoveMount, SYS_move_mount, tree, empty, place, empty, flags) }.map(drop)
}

/// Attaches a detached tree on `name` in `folder`, which is not followed if it is a symlink.
pub fn move_mount_to(tree: i32, folder: i32, name: CText<'_>) -> Result<()> {
    let empty = CText::literal(c"").as_ptr();
    // SAFETY: both paths end with NUL and outlive the call.
    unsafe {
        call!(MoveMount, SYS_move_mount, tree, empty, folder, name.as_ptr(), libc::MOVE_MOUNT_F_EMPTY_PATH)
    }
    .map(drop)
}

/// `fchdir(2)`.
pub fn fchdir(fd: i32) -> Result<()> {
    // SAFETY: no pointer is passed.
    unsafe { call!(Fchdir, SYS_fchdir, fd) }.map(drop)
}

/// `chdir(2)`.
pub fn chdir(path: CText<'_>) -> Result<()> {
    // SAFETY: path ends with NUL.
    unsafe { call!(Chdir, SYS_chdir, path.as_ptr()) }.map(drop)
}

/// `chroot(".")`.
pub fn chroot_here() -> Result<()> {
    // SAFETY: the path is a literal that ends with NUL.
    unsafe { call!(Chroot, SYS_chroot, c".".as_ptr()) }.map(drop)
}

/// `pivot_root(".", ".")`: the old root then lies on top of the new one.
pub fn pivot_root_here() -> Result<()> {
    // SAFETY: the paths are literals that end with NUL.
    unsafe { call!(PivotRoot, SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) }.map(drop)
}

/// `umount2(".", MNT_DETACH)`.
pub fn detach_here() -> Result<()> {
    // SAFETY: the path is a literal that ends with NUL.
    unsafe { call!(Umount, SYS_umount2, c".".as_ptr(), libc::MNT_DETACH) }.map(drop)
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

/// `umask(2)`.
pub fn umask(mask: u32) -> Result<()> {
    // SAFETY: no pointer is passed.
    unsafe { call!(Umask, SYS_umask, mask) }.map(drop)
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

/// `read(2)`.
pub fn read(fd: i32, space: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most space.len() bytes.
    unsafe { call!(Read, SYS_read, fd, space.as_mut_ptr(), space.len()) }.map(|len| len as usize)
}

/// `write(2)`, all at once: a short write is an error, as it is for the kernel's own files.
pub fn write(fd: i32, bytes: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads bytes.len() bytes.
    match unsafe { call!(Write, SYS_write, fd, bytes.as_ptr(), bytes.len()) }? {
        len if len as usize == bytes.len() => Ok(()),
        _ => Err(Fault { op: Op::Write, errno: libc::EIO }),
    }
}

/// `ioctl(2)` on a structure.
///
/// # Safety
/// `T` must be the structure that `request` reads or writes.
pub(crate) unsafe fn ioctl<T>(fd: i32, request: libc::Ioctl, argument: &mut T) -> Result<i32> {
    // SAFETY: by the contract above the kernel stays within `argument`.
    unsafe { call!(Ioctl, SYS_ioctl, fd, request, from_mut(argument)) }.map(|value| value as i32)
}

/// `ioctl(2)` with a number.
pub(crate) fn ioctl_number(fd: i32, request: libc::Ioctl, argument: u64) -> Result<i32> {
    // SAFETY: the requests used (TIOCSCTTY, TIOCGPTPEER, SIOCGSKNS) take a number or nothing, not a pointer.
    unsafe { call!(Ioctl, SYS_ioctl, fd, request, argument) }.map(|value| value as i32)
}

/// Unlocks the terminal behind master side `fd`, sets its size if one is given; returns its number.
pub fn prepare_pty(fd: i32, rows: u16, columns: u16) -> Result<u32> {
    let mut unlock: c_int = 0;
    let mut number: c_int = 0;
    // SAFETY: TIOCSPTLCK reads and TIOCGPTN writes an int.
    unsafe { ioctl(fd, libc::TIOCSPTLCK, &mut unlock) }?;
    // SAFETY: as above.
    unsafe { ioctl(fd, libc::TIOCGPTN, &mut number) }?;
    if rows != 0 || columns != 0 {
        let mut size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: TIOCSWINSZ reads a struct winsize.
        unsafe { ioctl(fd, libc::TIOCSWINSZ, &mut size) }?;
    }
    Ok(number as u32)
}

/// Clears `ONLCR`: a line feed does not become a carriage return and a line feed.
pub fn keep_line_feeds(fd: i32) -> Result<()> {
    // SAFETY: termios is plain data, for which all-zero bytes are a value.
    let mut settings: libc::termios = unsafe { zeroed() };
    // SAFETY: TCGETS writes and TCSETS reads the kernel's struct termios, which is a prefix of libc's.
    unsafe { ioctl(fd, libc::TCGETS, &mut settings) }?;
    settings.c_oflag &= !libc::ONLCR;
    // SAFETY: as above.
    unsafe { ioctl(fd, libc::TCSETS, &mut settings) }.map(drop)
}

/// The other side of the terminal whose master is `master` (`TIOCGPTPEER`): no path is involved.
pub fn pty_peer(master: i32) -> Result<Handle> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    ioctl_number(master, libc::TIOCGPTPEER, flags as u64).map(Handle)
}

/// `dup3(2)` to a number that stays open across exec.
pub fn dup_to(fd: i32, number: i32) -> Result<()> {
    // SAFETY: no pointer is passed.
    unsafe { call!(Dup, SYS_dup3, fd, number, 0) }.map(drop)
}

/// `seccomp(SECCOMP_SET_MODE_FILTER)`: the listener, close-on-exec, if the flags ask for one, else 0.
pub fn load_filter(filter: &[Instruction], flags: u32) -> Result<i32> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut().cast() };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: Instruction has the layout of sock_filter; the kernel reads `len` of them.
    unsafe { call!(Seccomp, SYS_seccomp, mode, flags, from_ref(&program)) }.map(|fd| fd as i32)
}

/// `faccessat2(path, X_OK, AT_EACCESS)`.
pub fn may_execute(path: CText<'_>) -> Result<()> {
    let flags = libc::AT_EACCESS;
    // SAFETY: path ends with NUL.
    unsafe { call!(Access, SYS_faccessat2, libc::AT_FDCWD, path.as_ptr(), libc::X_OK, flags) }.map(drop)
}

/// `getcwd(2)`: the bytes written, including the NUL.
pub fn getcwd(space: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most space.len() bytes.
    unsafe { call!(Getcwd, SYS_getcwd, space.as_mut_ptr(), space.len()) }.map(|len| len as usize)
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
