//! The folder of one container below the runtime's root: `state.json` and, until `start`, the gate.
//!
//! The folder is opened once and everything in it is reached through that handle, so a container
//! that is deleted and made anew under the same name meanwhile is never mistaken for this one. The
//! folder itself is what is locked; the kernel drops the lock of a process that is killed.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, chmodat, flock, fstat, mkdirat, openat, statat, unlinkat,
};
use rustix::io::{self, Errno};

use super::record::Stored;
use crate::sys::{atomic, file::read_bounded};
use crate::{ContainerId, Error, ErrorKind, Result};

/// The name of the record in a container's folder.
const STATE: &str = "state.json";

/// The name of the copy of `config.json`: what a program that is executed in the container later has in common with the
/// container's own, whatever becomes of the bundle.
const CONFIG: &str = "config.json";

/// The name of the socket at which a created container waits.
pub(super) const GATE: &str = "gate";

/// Annotations are kept in the record, and nothing bounds them but the size of `config.json`.
const STATE_LIMIT: usize = 64 << 20;

const FOLDER_MODE: Mode = Mode::RWXU;
/// Of folders in it that a container is given.
const INNER_MODE: Mode = Mode::RWXU.union(Mode::RGRP).union(Mode::XGRP).union(Mode::ROTH).union(Mode::XOTH);
const STATE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// How long a command waits for another that works on the same container.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A container's folder, not locked.
#[derive(Debug)]
pub(crate) struct Folder {
    id: ContainerId,
    path: PathBuf,
    root: OwnedFd,
    dir: OwnedFd,
}

/// A container's folder, locked: the right to change the container.
#[derive(Debug)]
pub(crate) struct Claim(Folder);

/// What a container's folder says about it.
#[derive(Debug)]
pub(crate) enum Reading {
    /// The record.
    Found(Box<Stored>),
    /// `create` has not yet written a record, or was killed before it did.
    Missing,
    /// There is a record, and it cannot be understood.
    Corrupt(Error),
}

/// Makes a new container's folder. Whoever makes it owns the name: there is one winner.
pub(crate) fn claim(root: &Path, id: &ContainerId) -> Result<Claim> {
    make_root(root)?;
    let root_fd =
        open_root(root).map_err(|errno| Error::os(format_args!("open {}", root.display()), errno))?;
    let path = root.join(id.as_str());
    match mkdirat(&root_fd, id.as_str(), FOLDER_MODE) {
        Ok(()) => {}
        Err(Errno::EXIST) => {
            let message = format!("container with given ID already exists: {id}");
            return Err(Error::new(ErrorKind::Exists, message));
        }
        Err(errno) => return Err(Error::os(format_args!("mkdir {}", path.display()), errno)),
    }
    // Between mkdir and lock a `delete --force` may take the empty folder for a leftover: lock says so.
    Folder::open_below(root_fd, path, id)?.lock(PATIENCE)
}

/// The names of all containers, sorted. A root that was never made has none.
pub(crate) fn ids(root: &Path) -> Result<Vec<ContainerId>> {
    let failed = |errno| Error::os(format_args!("read folder {}", root.display()), errno);
    let dir = match openat(CWD, root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(dir) => dir,
        Err(Errno::NOENT) => return Ok(Vec::new()),
        Err(errno) => return Err(failed(errno)),
    };
    let mut ids = Vec::new();
    for entry in Dir::new(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let id = entry.file_name().to_str().ok().and_then(|name| ContainerId::new(name).ok());
        // `.` and `..` are not names of containers either.
        ids.extend(id);
    }
    ids.sort();
    Ok(ids)
}

fn make_root(root: &Path) -> Result<()> {
    // Others may pass through (to a socket that they were given), but not look around.
    DirBuilder::new().recursive(true).mode(0o711).create(root).map_err(|error| {
        let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
        Error::os(format_args!("make folder {}", root.display()), errno)
    })
}

fn open_root(root: &Path) -> io::Result<OwnedFd> {
    openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

pub(super) fn not_found(id: &ContainerId) -> Error {
    Error::new(ErrorKind::NotFound, format!("container does not exist: {id}"))
}

impl Folder {
    /// Opens the folder of container `id`.
    pub(crate) fn open(root: &Path, id: &ContainerId) -> Result<Self> {
        match open_root(root) {
            Ok(fd) => Self::open_below(fd, root.join(id.as_str()), id),
            Err(Errno::NOENT) => Err(not_found(id)),
            Err(errno) => Err(Error::os(format_args!("open {}", root.display()), errno)),
        }
    }

    fn open_below(root: OwnedFd, path: PathBuf, id: &ContainerId) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&root, id.as_str(), flags, Mode::empty()) {
            Ok(dir) => Ok(Self { id: id.clone(), path, root, dir }),
            Err(Errno::NOENT) => Err(not_found(id)),
            Err(errno) => Err(Error::os(format_args!("open {}", path.display()), errno)),
        }
    }

    /// The handle.
    pub(crate) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// Where the folder was found, to tell people and to bind sockets.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the record.
    pub(crate) fn read(&self) -> Result<Reading> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.dir, STATE, flags, Mode::empty());
        match file.and_then(|file| read_bounded(file, STATE_LIMIT)) {
            Ok(json) => Ok(match Stored::from_json(&json) {
                Ok(stored) => Reading::Found(Box::new(stored)),
                Err(error) => Reading::Corrupt(error.context(self.path.join(STATE).display())),
            }),
            Err(Errno::NOENT) => Ok(Reading::Missing),
            Err(errno) => Err(Error::os(format_args!("read {}", self.path.join(STATE).display()), errno)),
        }
    }

    /// Reads the copy of the configuration.
    pub(crate) fn read_config(&self) -> Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.dir, CONFIG, flags, Mode::empty())
            .and_then(|file| read_bounded(file, STATE_LIMIT))
            .map_err(|errno| Error::os(format_args!("read {}", self.path.join(CONFIG).display()), errno))
    }

    /// Whether a command works on the container at this moment.
    pub(crate) fn is_locked(&self) -> Result<bool> {
        // The lock is the open file's, so a second open is needed to ask and not to change it.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let lock = openat(&self.dir, ".", flags, Mode::empty())
            .and_then(|dir| flock(dir, FlockOperation::NonBlockingLockShared));
        match lock {
            Ok(()) => Ok(false),
            Err(Errno::WOULDBLOCK) => Ok(true),
            Err(errno) => Err(self.lock_failed(errno)),
        }
    }

    /// Takes the lock, waiting at most `patience` for another command that holds it.
    pub(crate) fn lock(self, patience: Duration) -> Result<Claim> {
        self.lock_after(patience, |_| ())
    }

    /// As [`Self::lock`]; if another command holds the lock, `contended` comes before the wait.
    pub(crate) fn lock_after(self, patience: Duration, contended: impl FnOnce(&Self)) -> Result<Claim> {
        match flock(&self.dir, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                contended(&self);
                self.wait_for_lock(patience)?;
            }
            Err(errno) => return Err(self.lock_failed(errno)),
        }
        if self.is_linked()? { Ok(Claim(self)) } else { Err(not_found(&self.id)) }
    }

    /// flock can wait without end or not at all, and a signal to end it would reach our caller's
    /// handlers. So a thread waits, on the same open file and hence for the same lock; if it comes too
    /// late it drops the last handle, and with it the lock, by itself.
    fn wait_for_lock(&self, patience: Duration) -> Result<()> {
        let dir = self
            .dir
            .try_clone()
            .map_err(|error| self.lock_failed(Errno::from_io_error(&error).unwrap_or(Errno::MFILE)))?;
        let (sender, receiver) = mpsc::channel();
        let wait = move || {
            let lock = || flock(&dir, FlockOperation::LockExclusive);
            // Nobody listens any more when it comes too late.
            let _ = sender.send(io::retry_on_intr(lock));
        };
        std::thread::Builder::new()
            .spawn(wait)
            .map_err(|error| self.lock_failed(Errno::from_io_error(&error).unwrap_or(Errno::AGAIN)))?;
        match receiver.recv_timeout(patience) {
            Ok(result) => result.map_err(|errno| self.lock_failed(errno)),
            Err(_) => Err(Error::new(
                ErrorKind::Busy,
                format!(
                    "another command has been working on container {} for {patience:?}; try again",
                    self.id
                ),
            )),
        }
    }

    fn lock_failed(&self, errno: Errno) -> Error {
        Error::os(format_args!("flock of {}", self.path.display()), errno)
    }

    /// Whether the name still leads to this folder: it may have been removed while we waited.
    fn is_linked(&self) -> Result<bool> {
        let failed = |errno| Error::os(format_args!("stat {}", self.path.display()), errno);
        let ours = fstat(&self.dir).map_err(failed)?;
        match statat(&self.root, self.id.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) => Ok((named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(failed(errno)),
        }
    }
}

impl Claim {
    /// The folder.
    pub(crate) fn folder(&self) -> &Folder {
        &self.0
    }

    /// The folder's handle.
    pub(crate) fn dir(&self) -> BorrowedFd<'_> {
        self.0.dir()
    }

    /// Writes the record.
    pub(crate) fn save(&self, stored: &Stored) -> Result<()> {
        atomic::replace(self.dir(), STATE, &stored.to_json()?, STATE_MODE)
            .map_err(|errno| Error::os(format_args!("write {}", self.0.path.join(STATE).display()), errno))
    }

    /// Makes a folder in it that others may pass through.
    pub(crate) fn make_folder(&self, name: &str) -> Result<()> {
        mkdirat(self.dir(), name, INNER_MODE)
            // Whatever the caller's umask is.
            .and_then(|()| chmodat(self.dir(), name, INNER_MODE, AtFlags::empty()))
            .map_err(|errno| Error::os(format_args!("mkdir {}", self.0.path.join(name).display()), errno))
    }

    /// Removes an empty folder in it.
    pub(crate) fn remove_folder(&self, name: &str) -> Result<()> {
        unlinkat(self.dir(), name, AtFlags::REMOVEDIR)
            .map_err(|errno| Error::os(format_args!("rmdir {}", self.0.path.join(name).display()), errno))
    }

    /// Keeps a copy of the configuration. Nobody reads it before a record says that the container is created.
    pub(crate) fn save_config(&self, text: &[u8]) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let written = openat(self.dir(), CONFIG, flags, STATE_MODE).and_then(|file| {
            File::from(file)
                .write_all(text)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
        });
        written
            .map_err(|errno| Error::os(format_args!("write {}", self.0.path.join(CONFIG).display()), errno))
    }

    /// Removes the gate: from now on the container counts as started.
    pub(super) fn remove_gate(&self) -> Result<()> {
        unlinkat(self.dir(), GATE, AtFlags::empty())
            .map_err(|errno| Error::os(format_args!("unlink {}", self.0.path.join(GATE).display()), errno))
    }

    /// Removes the folder with all that is in it, leftovers of a killed command included; the name is free then.
    pub(crate) fn remove(self) -> Result<()> {
        let Folder { id, path, root, dir } = &self.0;
        let failed = |errno| Error::os(format_args!("remove {}", path.display()), errno);
        let remove_folder = || unlinkat(root, id.as_str(), AtFlags::REMOVEDIR);
        // These are all that there is, as a rule.
        for file in [STATE, CONFIG] {
            match unlinkat(dir, file, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        match remove_folder() {
            Err(Errno::NOTEMPTY) => {}
            removed => return removed.map_err(failed),
        }
        empty(dir.as_fd()).map_err(failed)?;
        remove_folder().map_err(failed)
    }
}

/// Removes everything in a folder. There are no folders but those that this library made.
fn empty(dir: BorrowedFd<'_>) -> io::Result<()> {
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        match unlinkat(dir, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                empty(openat(dir, name, flags, Mode::empty())?.as_fd())?;
                unlinkat(dir, name, AtFlags::REMOVEDIR)?;
            }
            removed => removed?,
        }
    }
    Ok(())
}

impl Drop for Claim {
    /// Closing alone would not do: a child process that was just forked has copies of all descriptors
    /// until it executes, and the lock would last as long.
    fn drop(&mut self) {
        let _ = flock(self.dir(), FlockOperation::Unlock);
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
