//! A container as its user holds it: finding it, its state, and its end.

use std::path::{Path, PathBuf};

use rustix::io::fcntl_dupfd_cloexec;

use super::record::{Phase, Stored};
use super::store::{self, Claim, Folder, Reading, not_found};
use super::{ExitStatus, State, Status, cgroups, exit_status, gate, owner};
use crate::sys::pidfd::Process;
use crate::{ContainerId, Error, ErrorKind, Result};

/// A container that exists.
///
/// It is little more than a name: its state is looked up when it is asked for, so any number of them can be
/// held and sent between threads (the one that `create` and `run` return holds a pidfd as well). If the container is deleted and another one made under the same
/// name, this one is [`ErrorKind::NotFound`] and never means the other.
#[derive(Debug)]
pub struct Container {
    pub(super) root: PathBuf,
    id: ContainerId,
    /// The record when the container was found; absent if there was none, or none that is legible.
    known: Option<Box<Stored>>,
    /// The first process, if it was made by the caller.
    process: Option<Process>,
}

impl Container {
    /// The container that `create` has just made.
    pub(crate) fn new(root: &Path, id: &ContainerId, stored: Stored, process: Option<Process>) -> Self {
        Self { root: root.into(), id: id.clone(), known: Some(Box::new(stored)), process }
    }

    /// Finds a container. One with an illegible record is found too: it can still be deleted by force.
    pub(super) fn load(root: &Path, id: &ContainerId) -> Result<Self> {
        let folder = Folder::open(root, id)?;
        let known = match folder.read()? {
            Reading::Found(stored) => Some(stored),
            Reading::Missing => None,
            Reading::Corrupt(error) => {
                tracing::warn!(%error, container = %id, "cannot read the state of a container");
                None
            }
        };
        Ok(Self { root: root.into(), id: id.clone(), known, process: None })
    }

    /// All containers with a legible record, sorted by name.
    pub(super) fn list(root: &Path) -> Result<Vec<Self>> {
        let mut containers = Vec::new();
        for id in store::ids(root)? {
            match Self::load(root, &id) {
                Ok(container) if container.known.is_some() => containers.push(container),
                // Corrupt, which `load` has told, or just being made.
                Ok(_) => {}
                Err(error) if error.kind() == &ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(%error, container = %id, "skipping a container"),
            }
        }
        Ok(containers)
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &ContainerId {
        &self.id
    }

    /// What `state` prints, as of now.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it has been deleted, [`ErrorKind::WrongStatus`] if it is so far
    /// from being created that nothing is known of it.
    pub fn state(&self) -> Result<State> {
        let folder = self.folder()?;
        let stored = self.current(&folder)?;
        let status = status(&folder, &stored)?;
        let pid = match status {
            Status::Stopped => 0,
            _ => stored.init.map_or(0, |init| init.pid),
        };
        Ok(State {
            oci_version: crate::SPEC_VERSION.to_owned(),
            id: stored.id,
            pid,
            status,
            bundle: stored.bundle,
            rootfs: stored.rootfs,
            created: stored.created,
            annotations: stored.annotations,
            owner: owner::name(stored.owner),
        })
    }

    /// Waits until the container's first process has ended. The status is known only to its parent,
    /// and only once: the process is reaped.
    pub fn wait(&self) -> Result<Option<ExitStatus>> {
        let found;
        let process = match &self.process {
            Some(process) => process,
            None => match self.snapshot()?.process()? {
                Some(process) => {
                    found = process;
                    &found
                }
                None => return Ok(None),
            },
        };
        if let Some(status) = process.wait_child()? {
            return Ok(exit_status(&status));
        }
        process.wait_ended(None)?;
        Ok(None)
    }

    /// The host's numbers of all processes in the container's cgroups and those below, in ascending order; none if it is
    /// stopped. Those that the caller's pid namespace does not show are left out.
    ///
    /// # Errors
    /// As of [`Self::state`], and cgroups that cannot be read.
    pub fn processes(&self) -> Result<Vec<i32>> {
        cgroups::processes(&self.current(&self.folder()?)?.cgroups)
    }

    /// A pidfd of the container's first process: to poll for its end, or to forward signals to.
    ///
    /// # Errors
    /// [`ErrorKind::NoProcess`] if it has ended and was reaped.
    pub fn pidfd(&self) -> Result<rustix::fd::OwnedFd> {
        if let Some(process) = &self.process {
            return fcntl_dupfd_cloexec(process, 0).map_err(|errno| Error::os("duplicate a pidfd", errno));
        }
        match self.snapshot()?.process()? {
            Some(process) => Ok(process.into_pidfd()),
            None => Err(Error::new(
                ErrorKind::NoProcess,
                format!("container {}: process already finished", self.id),
            )),
        }
    }

    /// Opens its folder.
    pub(super) fn folder(&self) -> Result<Folder> {
        Folder::open(&self.root, &self.id)
    }

    /// Its record as of now.
    pub(super) fn current(&self, folder: &Folder) -> Result<Stored> {
        match folder.read()? {
            Reading::Found(stored) if self.is(&stored) => Ok(*stored),
            Reading::Found(_) => Err(not_found(&self.id)),
            Reading::Corrupt(error) => Err(error.context(format_args!("container {}", self.id))),
            Reading::Missing => {
                let message = format!(
                    "container {} is being created, or its creation was interrupted (delete --force removes it)",
                    self.id
                );
                Err(Error::new(ErrorKind::WrongStatus(Status::Creating), message))
            }
        }
    }

    /// Whether `stored` is about this container and not about a later one of the same name.
    pub(super) fn is(&self, stored: &Stored) -> bool {
        self.known.as_ref().is_none_or(|known| known.created == stored.created)
    }

    /// A record with the first process in it: the process stays the same, so the one we know will do,
    /// even after the container was deleted.
    fn snapshot(&self) -> Result<Stored> {
        match &self.known {
            Some(known) if known.init.is_some() => Ok(Stored::clone(known)),
            _ => self.current(&self.folder()?),
        }
    }
}

/// The status of a container that we have not locked.
pub(super) fn status(folder: &Folder, stored: &Stored) -> Result<Status> {
    let status = own_status(folder, stored)?;
    // Without a process, only the lock tells a creator at work from one that was killed.
    if status == Status::Stopped && stored.phase == Phase::Creating && folder.is_locked()? {
        return Ok(Status::Creating);
    }
    Ok(status)
}

/// The status of a container that we have locked, so that nobody can be creating it.
pub(super) fn locked_status(claim: &Claim, stored: &Stored) -> Result<Status> {
    own_status(claim.folder(), stored)
}

fn own_status(folder: &Folder, stored: &Stored) -> Result<Status> {
    match status_but_for_gate(stored)? {
        Some(status) => Ok(status),
        None if gate::has_waiter(folder)? => Ok(Status::Created),
        None => Ok(Status::Running),
    }
}

/// The status as far as it does not depend on the gate: `None` means created or running.
pub(super) fn status_but_for_gate(stored: &Stored) -> Result<Option<Status>> {
    if stored.live_process()?.is_none() {
        return Ok(Some(Status::Stopped));
    }
    match stored.phase {
        Phase::Creating => Ok(Some(Status::Creating)),
        _ if cgroups::is_frozen(&stored.cgroups)? => Ok(Some(Status::Paused)),
        Phase::Created => Ok(None),
        Phase::Running => Ok(Some(Status::Running)),
    }
}

/// The error of an operation that the container's status does not allow.
pub(super) fn wrong_status(operation: &str, id: &ContainerId, status: Status) -> Error {
    let message = format!("cannot {operation} container {id}: it is {}", status.as_str());
    Error::new(ErrorKind::WrongStatus(status), message)
}

#[cfg(test)]
#[path = "handle_tests.rs"]
mod tests;
