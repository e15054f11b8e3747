//! Undoing a plan that failed, in reverse, however far it came.

use std::time::Duration;

use super::net_devices::NetDevices;
use super::{Engine, criu_clones, hooks};
use crate::sys::pidfd::Process;
use crate::{Error, cgroup, resctrl};

/// How long a killed process and its cgroup may take to go.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

impl Engine<'_> {
    /// Undoes everything; whatever cannot be undone is added to `error`.
    pub(super) fn undo(mut self, error: Error) -> Error {
        let mut troubles = Vec::new();
        // What failed may have run out of descriptors, and to undo it takes some.
        self.slots.clear();
        self.launch.handles.sources.clear();
        // The sockets keep the container's network namespace, so the devices are there even if the child is not.
        troubles.extend(self.net_devices.take().map(NetDevices::undo).unwrap_or_default());
        // criu undoes what it has done so far.
        self.criu = None;
        // The child ends by itself when its link closes; killing it is faster.
        self.link = None;
        let children = [self.init.take(), self.enter.take()];
        for child in children.iter().flatten() {
            troubles.extend(kill(child).err());
        }
        if let Some(path) = self.pid_file.take()
            && let Err(cause) = std::fs::remove_file(&path)
        {
            troubles.push(Error::new(crate::ErrorKind::Os, format!("remove {}: {cause}", path.display())));
        }
        if let (Some(unit), Some(systemd)) = (self.unit.take(), &mut self.launch.handles.systemd) {
            troubles.extend(systemd.stop(&unit).err().map(Error::from));
        }
        if let Some(cgroup) = self.cgroup.take() {
            troubles.extend(empty(cgroup).err());
        }
        // Nothing of the container runs any more.
        troubles.extend(self.criu_since.take().and_then(|since| criu_clones::reap(since).err()));
        troubles.extend(resctrl::remove(&self.rdt_groups).err());
        if let Some(claim) = self.claim.take() {
            hooks::run_poststop(&self.stored);
            troubles.extend(claim.remove().err());
        }
        if troubles.is_empty() {
            return error;
        }
        let troubles: Vec<String> = troubles.iter().map(ToString::to_string).collect();
        error.while_undoing(&troubles.join("; "))
    }
}

fn kill(child: &Process) -> Result<(), Error> {
    // Failing with ESRCH means that it has ended, which is what we want.
    let _ = child.signal(libc::SIGKILL);
    if !child.wait_ended(Some(PATIENCE))? {
        let message = format!("process {} does not end", child.pid());
        return Err(Error::new(crate::ErrorKind::Os, message));
    }
    child.reap()
}

/// Removes the cgroup; processes that the child left in it go first.
fn empty(cgroup: cgroup::Created) -> Result<(), Error> {
    let killed = cgroup::kill_all(&cgroup.own(), PATIENCE);
    // That there is nothing to kill may be just what could not be found out. A cgroup in use is not removed.
    Ok(cgroup.undo().map_err(|error| killed.err().unwrap_or(error))?)
}
