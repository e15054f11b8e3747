//! The system calls of mounts.

use core::mem::size_of;
use core::ptr::{from_ref, null};

use libc::c_long;

use super::{Handle, check, handle};
use crate::Result;
use crate::attr::MountAttr;
use crate::op::Op;
use crate::program::CText;

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
