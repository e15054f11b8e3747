//! The clone. The only place of the library where two processes run the same code.
#![allow(unsafe_code)]

use std::os::fd::FromRawFd;

use libcontainer_init::sys::{Clone, Handle, Side, clone, set_signal_mask};
use libcontainer_init::{Fault, Program, run};
use rustix::fd::OwnedFd;

/// Clones a child that executes `program`; returns its pid and pidfd.
///
/// All signals are blocked around the clone, so that no handler of the embedder can run in the child; the program that
/// the child becomes gets an empty mask.
pub(super) fn spawn(program: &mut Program<'_>, request: Clone) -> Result<(i32, OwnedFd), Fault> {
    let mask = set_signal_mask(u64::MAX)?;
    // SAFETY: the child calls `run` and nothing else.
    let side = match unsafe { clone(request) } {
        Ok(Side::Child) => run(program),
        Ok(Side::Parent(pid, pidfd)) => Ok((pid, pidfd)),
        Err(fault) => Err(fault),
    };
    set_signal_mask(mask)?;
    let (pid, pidfd) = side?;
    Ok((pid, owned(pidfd)))
}

/// The same descriptor, as the standard library has it.
pub(super) fn owned(handle: Handle) -> OwnedFd {
    // SAFETY: the handle owned the descriptor, and gives it up.
    unsafe { OwnedFd::from_raw_fd(handle.keep()) }
}
