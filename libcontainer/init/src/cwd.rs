//! The working folder.

use libc::{O_DIRECTORY, O_PATH};

use crate::buffer::Buffer;
use crate::op::Op;
use crate::program::{Program, Text};
use crate::slot::ROOT;
use crate::{Fault, Result, resolve, sys};

/// Makes the working folder if it is missing. What hinders that shows again, and is told, when it is entered.
pub(crate) fn make(program: &Program<'_>, path: Text) -> Result<()> {
    let (root, path) = (program.slot(ROOT)?, program.text(path)?);
    resolve::target(root, path, false).map(drop).or(Ok(()))
}

/// Enters the working folder as root. `false` if root may not (NFS, FUSE), but the user may be able to.
pub(crate) fn enter(program: &Program<'_>, path: Text, make: bool) -> Result<bool> {
    let path = program.text(path)?;
    let root = program.slot(ROOT)?;
    let found = match resolve::open(root, path, O_PATH | O_DIRECTORY) {
        Err(Fault { errno: libc::ENOENT, .. }) if make => resolve::target(root, path, false),
        other => other,
    };
    match found.and_then(|folder| sys::fchdir(folder.fd())) {
        Ok(()) => Ok(true),
        Err(Fault { errno: libc::EPERM | libc::EACCES, .. }) => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Enters it as the user if root could not, and makes sure that it is inside the root (CVE-2024-21626): of a folder
/// outside the kernel says `(unreachable)`.
pub(crate) fn enter_again(program: &Program<'_>, path: Text, entered: bool) -> Result<()> {
    if !entered {
        let folder = resolve::open(program.slot(ROOT)?, program.text(path)?, O_PATH | O_DIRECTORY)?;
        sys::fchdir(folder.fd())?;
    }
    let mut space = Buffer::new();
    sys::getcwd(space.space())?;
    match space.space().first() {
        Some(b'/') => Ok(()),
        _ => Err(Fault { op: Op::Getcwd, errno: libc::ENOENT }),
    }
}
