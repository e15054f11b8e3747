//! The system calls of files and folders.

use core::mem::{size_of, zeroed};
use core::ptr::{from_mut, from_ref};

use libc::c_long;

use super::{Handle, check, handle};
use crate::op::Op;
use crate::program::CText;
use crate::{Fault, Result};

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

/// `fsetxattr(2)` of SELinux's attribute.
pub fn set_label(fd: i32, label: CText<'_>) -> Result<()> {
    let (name, value, len) = (c"security.selinux", label.bytes().as_ptr(), label.bytes().len());
    // SAFETY: the name ends with NUL; the kernel reads `len` bytes of the value.
    unsafe { call!(SetLabel, SYS_fsetxattr, fd, name.as_ptr(), value, len, 0) }.map(drop)
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

/// The mount and the file in it that `fd` refers to (`statx(2)`): equal for two descriptors of one place.
pub(crate) fn place(fd: i32) -> Result<(u64, u64)> {
    // SAFETY: statx is plain data, for which all-zero bytes are a value.
    let mut space: libc::statx = unsafe { zeroed() };
    let (path, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    let mask = libc::STATX_INO | libc::STATX_MNT_ID;
    // SAFETY: the path is an empty string that ends with NUL; the kernel writes one struct statx to `space`.
    unsafe { call!(Statx, SYS_statx, fd, path, flags, mask, from_mut(&mut space)) }?;
    Ok((space.stx_mnt_id, space.stx_ino))
}

/// Magic number of the file system behind `fd` (`fstatfs(2)`).
pub fn file_system(fd: i32) -> Result<i64> {
    // SAFETY: statfs is plain data, for which all-zero bytes are a value.
    let mut space: libc::statfs = unsafe { zeroed() };
    // SAFETY: the kernel writes one struct statfs to `space`.
    unsafe { call!(Fstatfs, SYS_fstatfs, fd, from_mut(&mut space)) }?;
    Ok(space.f_type as i64)
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

/// `umask(2)`.
pub fn umask(mask: u32) -> Result<()> {
    // SAFETY: no pointer is passed.
    unsafe { call!(Umask, SYS_umask, mask) }.map(drop)
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

/// `dup3(2)` to a number that stays open across exec.
pub fn dup_to(fd: i32, number: i32) -> Result<()> {
    // SAFETY: no pointer is passed.
    unsafe { call!(Dup, SYS_dup3, fd, number, 0) }.map(drop)
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
