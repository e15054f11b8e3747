//! Mounts: made or lent as descriptors, attached to places that were opened below the root.

use libc::{O_DIRECTORY, O_PATH};

use crate::attr::MountAttr;
use crate::op::Op;
use crate::program::{CText, Program, Text, split};
use crate::resolve;
use crate::slot::{ROOT, Slot};
use crate::step::Filesystem;
use crate::sys::{self, Handle};
use crate::{Fault, Result};

pub(crate) fn mount(
    program: &Program<'_>,
    fs: &Filesystem,
    attr: &MountAttr,
    target: Text,
    strict: bool,
) -> Result<()> {
    let root = program.slot(ROOT)?;
    let place = place(root, program.text(target)?, false, strict)?;
    let mount = create(program, fs)?;
    if !attr.is_empty() {
        sys::mount_setattr(mount.fd(), true, attr)?;
    }
    sys::move_mount(mount.fd(), place.fd())
}

/// A detached mount of a new instance.
pub(crate) fn create(program: &Program<'_>, fs: &Filesystem) -> Result<Handle> {
    let context = sys::fsopen(program.text(fs.fstype)?)?;
    let mut config = split(program.text(fs.config)?);
    while let (Some(key), Some(value)) = (config.next(), config.next()) {
        let value = match value.with_nul().split_first() {
            Some((b'=', value)) => Some(CText::new(value)?),
            _ => None,
        };
        sys::fsconfig(context.fd(), key, value)?;
    }
    sys::fsconfig_create(context.fd())?;
    sys::fsmount(context.fd(), fs.attributes)
}

pub(crate) fn attach(
    program: &Program<'_>,
    tree: Slot,
    target: Text,
    file: bool,
    strict: bool,
) -> Result<()> {
    let place = place(program.slot(ROOT)?, program.text(target)?, file, strict)?;
    let tree = program.slot(tree)?;
    if strict && target_is(program, target, b"/proc")? && sys::file_system(tree)? != PROC_MAGIC {
        return Err(Fault { op: Op::Fstatfs, errno: libc::EINVAL });
    }
    match sys::move_mount(tree, place.fd()) {
        // What mount(2) says of a file on a folder, or the reverse.
        Err(Fault { op, errno: libc::EINVAL }) if is_folder(tree)? != is_folder(place.fd())? => {
            Err(Fault { op, errno: libc::ENOTDIR })
        }
        other => other,
    }
}

const PROC_MAGIC: i64 = 0x9fa0;

fn target_is(program: &Program<'_>, target: Text, path: &[u8]) -> Result<bool> {
    Ok(program.text(target)?.bytes() == path)
}

fn is_folder(fd: i32) -> Result<bool> {
    Ok(sys::stat(fd, CText::literal(c""), 0)?.is(libc::S_IFDIR))
}

pub(crate) fn attributes(
    program: &Program<'_>,
    target: Text,
    attr: &MountAttr,
    recursive: bool,
) -> Result<()> {
    let mount = resolve::open(program.slot(ROOT)?, program.text(target)?, O_PATH)?;
    sys::mount_setattr(mount.fd(), recursive, attr)
}

/// Opens the place of a mount. A strict place (`/proc`, `/sys`) must be reached without a symlink and be a folder:
/// otherwise an image could have the mount elsewhere, and what is later written below it with it.
fn place(root: i32, target: CText<'_>, file: bool, strict: bool) -> Result<Handle> {
    if !strict {
        return resolve::target(root, target, file);
    }
    match resolve::open_strict(root, target, O_PATH | O_DIRECTORY) {
        Err(Fault { errno: libc::ENOENT, .. }) => resolve::target(root, target, false),
        Err(Fault { errno: libc::ELOOP | libc::ENOTDIR, .. }) => {
            Err(Fault { op: Op::Verify, errno: libc::ENOTDIR })
        }
        other => other,
    }
}
