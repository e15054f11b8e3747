//! `delete`: removal of everything that a container left on the host.
//!
//! The order is kill, wait, last words, cgroup, poststop hooks, folder. The folder goes last, because it is what a repeated
//! `delete` starts from when this one is interrupted or fails.

use rustix::io::Errno;

use super::handle::{locked_status, wrong_status};
use super::record::Stored;
use super::store::{Claim, Folder, PATIENCE, Reading, not_found};
use super::watch::leave_last_words;
use super::{Container, Delete, Status, cgroups};
use crate::cgroup::systemd::Manager;
use crate::launch::hooks::run_poststop;
use crate::sys::pidfd::Process;
use crate::{Error, ErrorKind, Result, resctrl};

impl Container {
    /// Removes everything that the container left on the host.
    ///
    /// # Errors
    /// [`ErrorKind::WrongStatus`] if it still runs (never with [`Delete::Force`]); otherwise whatever
    /// could not be removed, and then the container still exists and `delete` can be repeated.
    pub fn delete(&self, how: Delete) -> Result<()> {
        let claim = self.folder()?.lock_after(PATIENCE, |folder| {
            if how == Delete::Force {
                self.interrupt(folder);
            }
        })?;
        match (claim.folder().read()?, how) {
            (Reading::Found(stored), _) if !self.is(&stored) => Err(not_found(self.id())),
            (Reading::Found(stored), _) => self.delete_known(claim, &stored, how),
            (Reading::Corrupt(error), Delete::Force) if error.kind() == &ErrorKind::Os => {
                tracing::warn!(%error, container = %self.id(), "removing a container with an illegible state; its cgroup may stay");
                claim.remove()
            }
            // Killed before it wrote a record, and hence before it made anything else.
            (Reading::Missing, Delete::Force) => claim.remove(),
            (Reading::Corrupt(_) | Reading::Missing, _) => self.current(claim.folder()).map(drop),
        }
    }

    pub(super) fn delete_known(&self, claim: Claim, stored: &Stored, how: Delete) -> Result<()> {
        // Force asks for nothing that could fail and so keep the container.
        if how == Delete::Stopped {
            let status = locked_status(&claim, stored)?;
            if !matches!(status, Status::Stopped | Status::Created) {
                return Err(wrong_status("delete", self.id(), status));
            }
        }
        tear_down(&claim, stored, how)
            .map_err(|error| error.context(format_args!("delete {}", self.id())))?;
        // The name is not free before they are done: a hook of the next container could meet them at their work.
        run_poststop(stored);
        claim.remove()
    }

    /// Kills the processes of a container that another command works on, so that it comes to an end:
    /// `create` then undoes what it did, and `start` fails. Errors show when we do the same locked.
    fn interrupt(&self, folder: &Folder) {
        let Ok(stored) = self.current(folder) else { return };
        if let Ok(Some(init)) = stored.live_process() {
            let _ = init.signal(libc::SIGKILL);
        }
        let _ = cgroups::kill_unwaited(&stored.cgroups);
    }
}

/// Ends all processes and removes the cgroup. Goes on after a failure, and reports all of them.
fn tear_down(claim: &Claim, stored: &Stored, how: Delete) -> Result<()> {
    let mut errors = Vec::new();
    let init = stored.process().unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    errors.extend(end_processes(stored, how, init.as_ref()).err());
    errors.extend(leave_last_words(claim, stored).err());
    errors.extend(stop_unit(stored, how).err());
    errors.extend(cgroups::remove(&stored.cgroups).err());
    errors.extend(resctrl::remove(&stored.resctrl.own).err());
    collected(errors)
}

/// Has systemd forget the scope. Its processes have ended, unless some joined from outside.
fn stop_unit(stored: &Stored, how: Delete) -> Result<()> {
    let Some(unit) = &stored.unit else { return Ok(()) };
    match Manager::connect(unit.user) {
        Ok(mut systemd) => Ok(systemd.stop(unit)?),
        // What systemd does not hear of now it sees when the cgroup goes.
        Err(error) if how == Delete::Force => {
            tracing::warn!(%error, unit = unit.name, "leaving a scope to systemd");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn end_processes(stored: &Stored, how: Delete, init: Option<&Process>) -> Result<()> {
    // Without it, what is left of the container (if anything) shows when the cgroup cannot be removed.
    let Some(init) = init else { return Ok(()) };
    match init.signal(libc::SIGKILL) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(errno) => return Err(Error::os(format_args!("kill process {}", init.pid()), errno)),
    }
    // The end of a pid namespace's init is the end of all in it, unless they are frozen and cannot end.
    if how == Delete::Force || !stored.own_pid_namespace {
        cgroups::kill_all(&stored.cgroups)?;
    }
    wait_for_end(init)
}

/// Waits for the end of a killed process. A process in an uninterruptible call may never end, and then
/// neither must we wait for it for ever.
fn wait_for_end(init: &Process) -> Result<()> {
    if init.wait_ended(Some(PATIENCE))? {
        // If it is our child: nobody else can.
        return init.reap();
    }
    let message = format!(
        "process {} has not ended within {PATIENCE:?} of SIGKILL; the kernel holds it, try again later",
        init.pid()
    );
    Err(Error::new(ErrorKind::Os, message))
}

/// One error that tells all of `errors`.
fn collected(errors: Vec<Error>) -> Result<()> {
    let mut errors = errors.into_iter();
    let Some(first) = errors.next() else { return Ok(()) };
    let others: Vec<String> = errors.map(|error| error.to_string()).collect();
    if others.is_empty() {
        return Err(first);
    }
    let message = format!("{first}; {}", others.join("; "));
    Err(Error::new(first.kind().clone(), message))
}

#[cfg(test)]
#[path = "delete_tests.rs"]
mod tests;
