//! Copies of mounts that are attached nowhere (open_tree(2)).

use rustix::fd::{AsFd, OwnedFd};
use rustix::io;
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::path::Arg;

/// A copy of the mount at `path`, of the part below it; with `recursive` also of what is mounted there. An empty path is
/// what `folder` is.
pub(crate) fn copy(folder: impl AsFd, path: impl Arg, recursive: bool) -> io::Result<OwnedFd> {
    let below = if recursive { OpenTreeFlags::AT_RECURSIVE } else { OpenTreeFlags::empty() };
    let copy = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(folder, path, copy | below | OpenTreeFlags::AT_EMPTY_PATH)
}
