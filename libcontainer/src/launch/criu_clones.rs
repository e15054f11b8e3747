//! Processes that a criu which failed has cloned, and nobody knows by number.
//!
//! The container's first process is a child of ours, not of criu; criu tells of it only when its namespaces are there.
//! Helpers of criu come to us if we are a subreaper. Their ends remain to be waited for, in a program that embeds this
//! library for as long as that lives.

use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};

use super::undo::PATIENCE;
use crate::Result;
use crate::sys::file::read_bounded;
use crate::sys::pidfd::Process;
use crate::sys::procfs::Procfs;

/// What the kernel calls a clone of criu.
const NAME: &[u8] = b"criu\n";
const LIMIT: usize = 64;

/// Waits for those clones of a criu that started at `since`, in its clock ticks, which have been killed. criu itself and
/// all other programs have executed something, which a clone has not.
pub(super) fn reap(since: u64) -> Result<()> {
    let procfs = Procfs::open()?;
    let pids = procfs.pids().map_err(|errno| crate::Error::os("read folder /proc", errno))?;
    for pid in pids {
        if is_clone(&procfs, pid, since)?
            && let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty())
        {
            let process = Process::from_parts(pid.as_raw_nonzero().get(), pidfd)?;
            process.wait_ended(Some(PATIENCE))?;
            process.reap()?;
        }
    }
    Ok(())
}

fn is_clone(procfs: &Procfs, pid: Pid, since: u64) -> Result<bool> {
    let Some(stat) = procfs.stat(pid)? else { return Ok(false) };
    let is_ours = stat.parent == getpid().as_raw_nonzero().get();
    Ok(is_ours
        && stat.is_exiting()
        && !stat.has_executed()
        && stat.start_time >= since
        && procfs
            .open_file(&format!("{}/comm", pid.as_raw_nonzero()), rustix::fs::OFlags::RDONLY)
            .and_then(|file| read_bounded(file, LIMIT))
            .is_ok_and(|name| name == NAME))
}
