//! What signals do to this process when nobody reads them.
#![allow(unsafe_code)]

use std::mem::transmute;

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};

/// A reader that went away is an error of the write, and not the end of a runtime at its work.
#[cfg(not(test))]
pub(crate) fn survive_closed_pipes() {
    set(Signal::SIGPIPE, SigHandler::SigIgn);
}

/// A caller that ignores SIGCHLD leaves that to us, and then the kernel reaps our children before we know how they ended.
pub(crate) fn keep_zombies() {
    set(Signal::SIGCHLD, SigHandler::SigDfl);
}

/// Those too that the C library keeps for itself, of which musl has one more: what glibc calls `SIGRTMIN`.
pub(crate) fn every_signal() -> SigSet {
    const WORDS: usize = size_of::<libc::sigset_t>() / size_of::<u64>();
    // SAFETY: a set is plain data: bit N-1 is signal N, and the kernel reads those that it has.
    unsafe { SigSet::from_sigset_t_unchecked(transmute::<[u64; WORDS], libc::sigset_t>([u64::MAX; WORDS])) }
}

fn set(number: Signal, action: SigHandler) {
    // It cannot fail: the signals of this module exist and may be set.
    // SAFETY: neither ignoring a signal nor its default action runs code of ours.
    let _ = unsafe { signal(number, action) };
}
