//! `pause` and `resume`: suspending all of a container's processes, and letting them run again.

use super::handle::{locked_status, wrong_status};
use super::store::{Claim, PATIENCE};
use super::{Container, Status, cgroups};
use crate::Result;

impl Container {
    /// Suspends all processes of the container, those in cgroups of its own included, and returns when the kernel has
    /// done it. They can be killed, and the container be deleted by force, all the same.
    ///
    /// # Errors
    /// [`ErrorKind::WrongStatus`](crate::ErrorKind::WrongStatus) unless it is created or running,
    /// [`ErrorKind::Cgroup`](crate::ErrorKind::Cgroup) if it has no cgroup that can freeze, or if some process cannot be
    /// suspended; all of them run on then.
    pub fn pause(&self) -> Result<()> {
        let (claim, status) = self.claim_with_status()?;
        if !matches!(status, Status::Created | Status::Running) {
            return Err(wrong_status("pause", self.id(), status));
        }
        cgroups::freeze(&self.current(claim.folder())?.cgroups)
    }

    /// Lets the processes of a paused container run again.
    ///
    /// # Errors
    /// [`ErrorKind::WrongStatus`](crate::ErrorKind::WrongStatus) unless it is paused,
    /// [`ErrorKind::Cgroup`](crate::ErrorKind::Cgroup) if it stays suspended, because a cgroup above its own is.
    pub fn resume(&self) -> Result<()> {
        let (claim, status) = self.claim_with_status()?;
        if status != Status::Paused {
            return Err(wrong_status("resume", self.id(), status));
        }
        cgroups::thaw(&self.current(claim.folder())?.cgroups)
    }

    /// Locked, for a cgroup that is frozen while `delete` kills what is in it would hold `delete` up.
    fn claim_with_status(&self) -> Result<(Claim, Status)> {
        let claim = self.folder()?.lock(PATIENCE)?;
        let status = locked_status(&claim, &self.current(claim.folder())?)?;
        Ok((claim, status))
    }
}
