//! Copies of the host's mounts whose flags the root of a user namespace cannot clear.
//!
//! The kernel locks what a mount forbids (`ro`, `nosuid`, `nodev`, `noexec`, how it keeps access times) when a mount
//! namespace is copied for another user namespace (mount_namespaces(7)). A tree that is copied from the host's own
//! namespace comes without locks, and a volume that the host keeps read-only could be made writable inside. So it is
//! copied from such a copy of the mounts. A thread goes there and not a child, for the sources must be reached with the
//! rights of this process.

use std::path::PathBuf;
use std::thread;

use libcontainer_init::sys;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, fstat};
use rustix::io::{self, Errno};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use super::id_namespace::Holder;
use super::{Engine, Fault};
use crate::facts::Source;
use crate::spec::MountKind;
use crate::sys::tree;

const USER_AND_MOUNTS: i32 = libc::CLONE_NEWUSER | libc::CLONE_NEWNS;

/// A source that was opened on the host.
struct Opened<'a> {
    /// Its place in `/mounts`; `None` for the root file system.
    mount: Option<usize>,
    path: PathBuf,
    recursive: bool,
    handle: BorrowedFd<'a>,
}

impl Engine<'_> {
    /// Copies the sources of mounts, and the root file system, from where their flags are locked. One that is not found
    /// there is lent as it is: a folder in the middle of which something is mounted cannot be copied alone.
    pub(super) fn lock_mounts(&mut self) -> Result<(), Fault> {
        let holder = Holder::new(USER_AND_MOUNTS)?;
        let copies = thread::scope(|scope| {
            let thread = thread::Builder::new().spawn_scoped(scope, || self.copy_in(&holder));
            let thread = thread.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))?;
            thread.join().unwrap_or(Err(Errno::CHILD))
        });
        holder.end()?;
        match copies {
            Ok(copies) => copies.into_iter().for_each(|(mount, tree)| self.keep(mount, tree)),
            // Without CAP_SYS_PTRACE, for example: the container works, but its root could clear them.
            Err(errno) => {
                tracing::warn!(%errno, "the flags of the host's mounts are not locked for the container")
            }
        }
        Ok(())
    }

    fn keep(&mut self, mount: Option<usize>, tree: OwnedFd) {
        match mount {
            Some(index) => drop(self.launch.handles.sources.insert(index, Source::Tree(tree))),
            None => self.locked_root = Some(tree),
        }
    }

    fn copy_in(&self, holder: &Holder) -> io::Result<Vec<(Option<usize>, OwnedFd)>> {
        // A working folder that is shared with other threads cannot move to another mount namespace.
        sys::unshare(libc::CLONE_FS as u32).map_err(|fault| Errno::from_raw_os_error(fault.errno))?;
        move_into_thread_name_spaces(holder.as_fd(), ThreadNameSpaceType::MOUNT)?;
        let copied = self.opened().into_iter().filter_map(|source| Some((source.mount, source.copy()?)));
        Ok(copied.collect())
    }

    fn opened(&self) -> Vec<Opened<'_>> {
        let (config, handles) = (self.launch.config, &self.launch.handles);
        let root = handles.root.as_ref().map(|handle| Opened {
            mount: None,
            path: config.root.path.clone(),
            recursive: true,
            handle: handle.as_fd(),
        });
        let binds =
            config.mounts.iter().filter_map(|mount| match (&mount.kind, handles.sources.get(&mount.index)) {
                (MountKind::Bind { source, recursive }, Some(Source::Path(handle))) => Some(Opened {
                    mount: Some(mount.index),
                    path: source.clone(),
                    recursive: *recursive,
                    handle: handle.as_fd(),
                }),
                _ => None,
            });
        root.into_iter().chain(binds).collect()
    }
}

impl Opened<'_> {
    /// A copy, if what is found at the path is what was opened.
    fn copy(&self) -> Option<OwnedFd> {
        let tree = tree::copy(CWD, &self.path, self.recursive).ok()?;
        let identity = |fd: BorrowedFd<'_>| fstat(fd).map(|stat| (stat.st_dev, stat.st_ino)).ok();
        let same = identity(tree.as_fd()).is_some_and(|found| Some(found) == identity(self.handle));
        same.then_some(tree)
    }
}
