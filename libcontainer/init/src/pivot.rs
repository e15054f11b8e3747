//! The root file system: attached, then made the root.

use crate::attr::MountAttr;
use crate::buffer::Buffer;
use crate::program::{CText, Program, Text};
use crate::slot::ROOT;
use crate::{Fault, Result, sys};

const ROOT_PATH: CText<'static> = CText::literal(c"/");

/// Sets the propagation of every mount. With `detach_parent`, then makes the mount that holds that path private:
/// attached below a shared mount, the root would appear on the host, and `pivot_root` would refuse it.
pub(crate) fn propagate(program: &Program<'_>, propagation: u64, detach_parent: Option<Text>) -> Result<()> {
    let attr = MountAttr { propagation, ..MountAttr::default() };
    sys::mount_setattr_at(libc::AT_FDCWD, ROOT_PATH, true, &attr)?;
    match detach_parent {
        Some(path) => make_holder_private(program.text(path)?),
        None => Ok(()),
    }
}

/// Goes up from `path` to the root of the mount that holds it: elsewhere `mount_setattr` says EINVAL.
fn make_holder_private(path: CText<'_>) -> Result<()> {
    let private = MountAttr { propagation: libc::MS_PRIVATE, ..MountAttr::default() };
    let mut path = Buffer::from(&[path.bytes()])?;
    loop {
        match sys::mount_setattr_at(libc::AT_FDCWD, path.text()?, false, &private) {
            Err(Fault { errno: libc::EINVAL, .. }) if path.bytes().len() > 1 => {
                let slash = path.bytes().iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                path.truncate(slash.max(1));
            }
            other => return other,
        }
    }
}

pub(crate) fn attach(program: &Program<'_>, at: Text) -> Result<()> {
    let tree = program.slot(ROOT)?;
    let place = sys::openat2(libc::AT_FDCWD, program.text(at)?, libc::O_PATH | libc::O_DIRECTORY, 0)?;
    sys::move_mount(tree, place.fd())
}

/// Takes the root that setns(2) has left this process at, for the steps that stay below it.
pub(crate) fn open_root(program: &mut Program<'_>) -> Result<()> {
    let root = sys::openat2(libc::AT_FDCWD, ROOT_PATH, libc::O_PATH | libc::O_DIRECTORY, 0)?;
    program.fill(ROOT, root.keep())
}

/// `pivot_root(".", ".")` stacks the old root on the new one, where it is detached without a folder to put it on.
pub(crate) fn pivot(program: &Program<'_>) -> Result<()> {
    sys::fchdir(program.slot(ROOT)?)?;
    sys::pivot_root_here()?;
    // The unmounting of the old root must not travel to the host. A path that ends in ".." leads to what is stacked on
    // the root, one that ends in "." to the new root below it.
    let slave = MountAttr { propagation: libc::MS_SLAVE, ..MountAttr::default() };
    sys::mount_setattr_at(libc::AT_FDCWD, CText::literal(c".."), true, &slave)?;
    sys::detach_here()?;
    sys::chdir(ROOT_PATH)
}

/// No path leads from the tree up to the host: its top has no parent.
pub(crate) fn change_root(program: &Program<'_>) -> Result<()> {
    sys::fchdir(program.slot(ROOT)?)?;
    sys::chroot_here()?;
    sys::chdir(ROOT_PATH)
}

pub(crate) fn move_root(program: &Program<'_>) -> Result<()> {
    let root = program.slot(ROOT)?;
    let top = sys::openat2(libc::AT_FDCWD, ROOT_PATH, libc::O_PATH | libc::O_DIRECTORY, 0)?;
    sys::fchdir(root)?;
    sys::move_mount(root, top.fd())?;
    sys::chroot_here()?;
    sys::chdir(ROOT_PATH)
}
