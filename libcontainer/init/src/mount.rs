//! Mounts: made or lent as descriptors, attached to places that were opened below the root.

use libc::{O_DIRECTORY, O_PATH};

use crate::attr::MountAttr;
use crate::kernel::Kernel;
use crate::op::Op;
use crate::program::{CText, Program, Text, split};
use crate::resolve::{self, Parent};
use crate::slot::{ROOT, Slot};
use crate::step::Filesystem;
use crate::sys::{self, Handle};
use crate::{Fault, Result};

pub(crate) fn mount(
    program: &Program<'_>,
    kernel: &mut Kernel,
    fs: &Filesystem,
    attr: &MountAttr,
    target: Text,
    strict: bool,
) -> Result<()> {
    let root = program.slot(ROOT)?;
    let target = program.text(target)?;
    let (place, mode) = if fs.target_mode {
        place_with_mode(root, target)?
    } else {
        (place(root, target, false, strict)?, None)
    };
    let (fstype, config) = (program.text(fs.fstype)?, program.text(fs.config)?);
    let mount = filesystem(fstype, config, mode, fs.attributes)?;
    if !attr.is_empty() {
        sys::mount_setattr(mount.fd(), true, attr)?;
    }
    sys::move_mount(mount.fd(), place.fd())?;
    kernel.mounted(target, mount);
    Ok(())
}

/// The place, and the permission bits that what is mounted there is to have.
fn place_with_mode(root: i32, target: CText<'_>) -> Result<(Handle, Option<u32>)> {
    let is_new = matches!(resolve::open(root, target, O_PATH), Err(Fault { errno: libc::ENOENT, .. }));
    let place = resolve::place(root, target, false)?;
    let mode = if is_new { 0o1777 } else { sys::stat(place.fd(), CText::literal(c""), 0)?.mode & 0o7777 };
    Ok((place, Some(mode)))
}

/// A detached mount of a new instance. `config` is a list as in [`Filesystem`]; `mode` is one of its options, too, but
/// one that is known late.
pub fn filesystem(
    fstype: CText<'_>,
    config: CText<'_>,
    mode: Option<u32>,
    attributes: u64,
) -> Result<Handle> {
    let context = sys::fsopen(fstype)?;
    configure(&context, config)?;
    if let Some(mode) = mode {
        let digits = octal(mode);
        sys::fsconfig(context.fd(), CText::literal(c"mode"), Some(CText::new(&digits)?))?;
    }
    sys::fsconfig_create(context.fd())?;
    sys::fsmount(context.fd(), attributes)
}

pub(crate) fn configure(context: &Handle, config: CText<'_>) -> Result<()> {
    let mut config = split(config);
    while let (Some(key), Some(value)) = (config.next(), config.next()) {
        let value = match value.with_nul().split_first() {
            Some((b'=', value)) => Some(CText::new(value)?),
            _ => None,
        };
        sys::fsconfig(context.fd(), key, value)?;
    }
    Ok(())
}

/// Four octal digits and a NUL.
fn octal(mode: u32) -> [u8; 5] {
    let digit = |shift: u32| b'0'.wrapping_add((mode >> shift & 7) as u8);
    [digit(9), digit(6), digit(3), digit(0), 0]
}

/// What [`crate::Step::MountText`] says.
pub(crate) struct Texts {
    pub(crate) fstype: Text,
    pub(crate) source: Text,
    pub(crate) options: Text,
    pub(crate) flags: u64,
}

/// mount(2) knows places by path only. The path is `.`, so that the place is the one that was opened below the root.
pub(crate) fn mount_text(program: &Program<'_>, texts: &Texts, target: Text) -> Result<()> {
    let place = resolve::place(program.slot(ROOT)?, program.text(target)?, false)?;
    sys::fchdir(place.fd())?;
    let text = |text| program.text(text);
    sys::mount_here(text(texts.source)?, text(texts.fstype)?, texts.flags, text(texts.options)?)?;
    sys::chdir(CText::literal(c"/"))
}

pub(crate) fn reconfigure(program: &Program<'_>, config: Text, target: Text) -> Result<()> {
    let mount = resolve::open(program.slot(ROOT)?, program.text(target)?, O_PATH)?;
    let context = sys::fspick(mount.fd())?;
    configure(&context, program.text(config)?)?;
    sys::fsconfig_reconfigure(context.fd())
}

pub(crate) fn label(program: &Program<'_>, target: Text, label: Text) -> Result<()> {
    let folder = resolve::open(program.slot(ROOT)?, program.text(target)?, O_DIRECTORY)?;
    sys::set_label(folder.fd(), program.text(label)?)
}

/// The path is followed as the kernel does for mount(2): it is the caller's own, and so are the rights.
pub(crate) fn take(program: &mut Program<'_>, path: Text, slot: Slot, recursive: bool) -> Result<()> {
    let flags = libc::OPEN_TREE_CLONE | if recursive { libc::AT_RECURSIVE as u32 } else { 0 };
    let tree = sys::open_tree(libc::AT_FDCWD, program.text(path)?, flags)?;
    program.fill(slot, tree.keep())
}

pub(crate) fn attach<'a>(
    program: &Program<'a>,
    beside: &mut Option<Parent<'a>>,
    tree: Slot,
    target: Text,
    file: bool,
    strict: bool,
) -> Result<()> {
    if !file && !strict && attach_beside(program, beside, tree, target)? {
        return Ok(());
    }
    // What is mounted now may cover the folder.
    *beside = None;
    let place = place(program.slot(ROOT)?, program.text(target)?, file, strict)?;
    let tree = program.slot(tree)?;
    if strict && target_is(program, target, b"/proc")? && sys::file_system(tree)? != resolve::PROC_MAGIC {
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

/// Attaches the tree of a folder by name in the folder of the mount before it, if it can be had that simply. The kernel
/// does not follow a link that has taken the name, and no folder can be mounted on one.
fn attach_beside<'a>(
    program: &Program<'a>,
    beside: &mut Option<Parent<'a>>,
    tree: Slot,
    target: Text,
) -> Result<bool> {
    let Ok((folder, name)) = Parent::without_links(beside, program.slot(ROOT)?, program.text(target)?) else {
        return Ok(false);
    };
    Ok(sys::move_mount_to(program.slot(tree)?, folder.fd(), name).is_ok())
}

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

pub(crate) fn cover(
    program: &Program<'_>,
    kernel: &mut Kernel,
    target: Text,
    attr: &MountAttr,
    recursive: bool,
) -> Result<()> {
    let target = program.text(target)?;
    let place = resolve::open(program.slot(ROOT)?, target, O_PATH)?;
    // Of anything but a mount this is an error, as changing it would be.
    sys::fspick(place.fd())?;
    cover_place(program, kernel, (target, &place), attr, recursive)
}

/// Puts a copy of what is at a place, and of all mounts below it, over it, with its attributes changed. The root is
/// changed itself: paths begin below what covers it.
pub(crate) fn cover_place(
    program: &Program<'_>,
    kernel: &mut Kernel,
    (path, place): (CText<'_>, &Handle),
    attr: &MountAttr,
    recursive: bool,
) -> Result<()> {
    if sys::place(place.fd())? == sys::place(program.slot(ROOT)?)? {
        return sys::mount_setattr(place.fd(), recursive, attr);
    }
    let whole = libc::OPEN_TREE_CLONE | libc::AT_RECURSIVE as u32;
    let copy = sys::open_tree(place.fd(), CText::literal(c""), whole)?;
    sys::mount_setattr(copy.fd(), recursive, attr)?;
    sys::move_mount(copy.fd(), place.fd())?;
    kernel.covered(path, place, copy)
}

/// Opens the place of a mount. A strict place (`/proc`, `/sys`) must be reached without a symlink and be a folder:
/// otherwise an image could have the mount elsewhere, and what is later written below it with it.
fn place(root: i32, target: CText<'_>, file: bool, strict: bool) -> Result<Handle> {
    if !strict {
        return resolve::place(root, target, file);
    }
    match resolve::open_strict(root, target, O_PATH | O_DIRECTORY) {
        Err(Fault { errno: libc::ENOENT, .. }) => resolve::target(root, target, false),
        Err(Fault { errno: libc::ELOOP | libc::ENOTDIR, .. }) => {
            Err(Fault { op: Op::Verify, errno: libc::ENOTDIR })
        }
        other => other,
    }
}
