//! What a container's life needs of its cgroup: one folder, or one per v1 hierarchy.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::store::PATIENCE;
use crate::cgroup::{self, CgroupError};
use crate::sys::raw;
use crate::{Error, ErrorKind, Result};

/// Whether the processes are frozen.
pub(super) fn is_frozen(cgroups: &[PathBuf]) -> Result<bool> {
    cgroup::is_frozen(cgroups).map_err(failed)
}

/// Freezes the processes.
pub(super) fn freeze(cgroups: &[PathBuf]) -> Result<()> {
    cgroup::freeze(cgroups, PATIENCE).map_err(failed)
}

/// Leaves frozen processes to the freezer of `dir`, one of `cgroups`, alone: whoever is told of that one can let them run.
pub(super) fn freeze_by(dir: &Path, cgroups: &[PathBuf]) -> Result<()> {
    cgroup::freeze(&[dir.to_owned()], PATIENCE).map_err(failed)?;
    let others: Vec<PathBuf> = cgroups.iter().filter(|other| *other != dir).cloned().collect();
    cgroup::thaw(&others).map_err(failed)
}

/// Lets frozen processes run again.
pub(super) fn thaw(cgroups: &[PathBuf]) -> Result<()> {
    cgroup::thaw(cgroups).map_err(failed)?;
    if is_frozen(cgroups)? {
        let message = "its processes stay frozen, for a cgroup above the container's is frozen";
        return Err(Error::new(ErrorKind::Cgroup, message));
    }
    Ok(())
}

/// All processes, in ascending order.
pub(super) fn processes(cgroups: &[PathBuf]) -> Result<Vec<i32>> {
    cgroup::processes(cgroups).map_err(failed)
}

/// Lets frozen processes of a v1 cgroup take the signal that was sent to them; v2 kills frozen ones.
pub(super) fn thaw_v1(cgroups: &[PathBuf]) -> Result<()> {
    // One look each is all that a container without a v1 freezer costs.
    let has_freezer = |folder: &&PathBuf| folder.join("freezer.state").exists();
    let freezers: Vec<PathBuf> = cgroups.iter().filter(has_freezer).cloned().collect();
    cgroup::thaw(&freezers).map_err(failed)
}

/// Sends signal number `signal` to every process; 0 reaches nobody.
pub(super) fn signal_all(cgroups: &[PathBuf], signal: i32) -> Result<()> {
    match Signal::from_named_raw(signal) {
        _ if signal == 0 => Ok(()),
        Some(Signal::KILL) => kill_all(cgroups),
        Some(signal) => cgroup::signal_all(cgroups, signal).map_err(failed),
        None => cgroup::processes(cgroups)
            .map_err(failed)?
            .into_iter()
            .try_for_each(|pid| signal_unnamed(cgroups, pid, signal)),
    }
}

/// Real-time signals have no name, and without one the safe wrappers do not take them.
fn signal_unnamed(cgroups: &[PathBuf], pid: i32, signal: i32) -> Result<()> {
    let failed_call = |errno| Error::os(format_args!("send signal {signal} to process {pid}"), errno);
    let Some(number) = Pid::from_raw(pid) else { return Ok(()) };
    let pidfd = match pidfd_open(number, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH) => return Ok(()),
        Err(errno) => return Err(failed_call(errno)),
    };
    // The number may have changed hands before it was opened, but not any more after.
    if !cgroup::processes(cgroups).map_err(failed)?.contains(&pid) {
        return Ok(());
    }
    match raw::pidfd_send_signal(pidfd.as_fd(), signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(errno) => Err(failed_call(errno)),
    }
}

/// Kills every process and waits until they are gone.
pub(super) fn kill_all(cgroups: &[PathBuf]) -> Result<()> {
    cgroup::kill_all(cgroups, PATIENCE).map_err(failed)
}

/// Sends every process that is there the signal that kills it, and leaves the waiting to somebody else. Two must not
/// wait for one cgroup: whoever comes second may wait for an event that is lost when the first removes it.
pub(super) fn kill_unwaited(cgroups: &[PathBuf]) -> Result<()> {
    cgroup::signal_all(cgroups, Signal::KILL).map_err(failed)?;
    thaw_v1(cgroups)
}

/// Removes the cgroup and those below it, and kills whatever process is still in the way.
pub(super) fn remove(cgroups: &[PathBuf]) -> Result<()> {
    // Processes that joined from outside of the container's pid namespace are rare enough to be
    // looked for only when they keep the cgroup busy.
    cgroup::remove(cgroups, Duration::ZERO).or_else(|_| {
        kill_all(cgroups)?;
        cgroup::remove(cgroups, PATIENCE).map_err(failed)
    })
}

pub(super) fn failed(error: CgroupError) -> Error {
    Error::new(ErrorKind::Cgroup, error.to_string()).with_source(error)
}
