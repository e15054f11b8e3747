//! `kill`: signals to a container's processes.

use rustix::io::Errno;

use super::handle::{status, wrong_status};
use super::{Container, Signals, cgroups};
use crate::sys::pidfd::Process;
use crate::sys::raw::LAST_SIGNAL;
use crate::{Error, ErrorKind, Result};

impl Container {
    /// Sends signal number `signal`. Takes no lock: a container whose `start` hangs can be killed.
    ///
    /// # Errors
    /// [`ErrorKind::WrongStatus`] if no process is left (fine with [`Signals::All`]),
    /// [`ErrorKind::NoProcess`] if it ended just now, [`ErrorKind::InvalidOption`] if there is no such signal.
    pub fn kill(&self, signal: i32, whom: Signals) -> Result<()> {
        if !(0..=LAST_SIGNAL).contains(&signal) {
            return Err(Error::new(ErrorKind::InvalidOption, format!("there is no signal {signal}")));
        }
        let folder = self.folder()?;
        let stored = self.current(&folder)?;
        if whom == Signals::All && !stored.cgroups.is_empty() {
            return cgroups::signal_all(&stored.cgroups, signal);
        }
        let Some(init) = stored.live_process()? else {
            // A container that has no cgroup of its own is known by its first process alone.
            if whom == Signals::All {
                return Ok(());
            }
            return Err(wrong_status("kill", self.id(), status(&folder, &stored)?));
        };
        self.signal_init(&init, signal)?;
        if signal == libc::SIGKILL {
            if !stored.own_pid_namespace {
                // No namespace ends the other processes with this one.
                return cgroups::kill_all(&stored.cgroups);
            }
            return cgroups::thaw_v1(&stored.cgroups);
        }
        Ok(())
    }

    fn signal_init(&self, init: &Process, signal: i32) -> Result<()> {
        match init.signal(signal) {
            Ok(()) => Ok(()),
            Err(Errno::SRCH) => {
                let message = format!("container {}: process already finished", self.id());
                Err(Error::new(ErrorKind::NoProcess, message))
            }
            Err(errno) => {
                let what =
                    format!("send signal {signal} to process {} of container {}", init.pid(), self.id());
                Err(Error::os(what, errno))
            }
        }
    }
}

#[cfg(test)]
#[path = "kill_tests.rs"]
mod tests;
