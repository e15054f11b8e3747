//! Device nodes and links, made in folders that were opened below the root.

use libc::{S_IFIFO, S_IFMT};

use crate::op::Op;
use crate::program::{Program, Text};
use crate::resolve::Parent;
use crate::slot::ROOT;
use crate::sys;
use crate::{Fault, Result};

pub(crate) struct Node {
    pub(crate) path: Text,
    pub(crate) mode: u32,
    pub(crate) device: (u32, u32),
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

pub(crate) fn node<'a>(program: &Program<'a>, parent: &mut Option<Parent<'a>>, node: &Node) -> Result<()> {
    let (folder, name) = Parent::of(parent, program.slot(ROOT)?, program.text(node.path)?)?;
    let (major, minor) = node.device;
    match sys::mknodat(folder.fd(), name, node.mode, encode(major, minor)) {
        Ok(()) => {}
        // An image may bring the node, as long as it is the very same device.
        Err(Fault { errno: libc::EEXIST, op }) => {
            let found = sys::stat(folder.fd(), name, libc::AT_SYMLINK_NOFOLLOW)?;
            let same_device = node.mode & S_IFMT == S_IFIFO || found.rdev == node.device;
            return if found.is(node.mode & S_IFMT) && same_device {
                Ok(())
            } else {
                Err(Fault { op, errno: libc::EEXIST })
            };
        }
        Err(fault) => return Err(fault),
    }
    if node.uid != 0 || node.gid != 0 {
        sys::lchownat(folder.fd(), name, node.uid, node.gid)?;
    }
    Ok(())
}

/// The kernel's encoding of a device number for `mknod` (`new_encode_dev`).
fn encode(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

pub(crate) fn link<'a>(
    program: &Program<'a>,
    parent: &mut Option<Parent<'a>>,
    path: Text,
    target: Text,
) -> Result<()> {
    let (folder, name) = Parent::of(parent, program.slot(ROOT)?, program.text(path)?)?;
    match sys::symlinkat(program.text(target)?, folder.fd(), name) {
        Err(Fault { op: Op::Symlink, errno: libc::EEXIST }) => Ok(()),
        other => other,
    }
}
