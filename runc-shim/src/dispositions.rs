//! What signals do to this process when nobody reads them.
#![allow(unsafe_code)]

use nix::sys::signal::{SigHandler, Signal, signal};

/// A reader that went away is an error of the write, and not the end of a runtime at its work.
#[cfg(not(test))]
pub(crate) fn survive_closed_pipes() {
    set(Signal::SIGPIPE, SigHandler::SigIgn);
}

/// A caller that ignores SIGCHLD leaves that to us, and then the kernel reaps our children before we know how they ended.
pub(crate) fn keep_zombies() {
    set(Signal::SIGCHLD, SigHandler::SigDfl);
}

fn set(number: Signal, action: SigHandler) {
    // It cannot fail: the signals of this module exist and may be set.
    // SAFETY: neither ignoring a signal nor its default action runs code of ours.
    let _ = unsafe { signal(number, action) };
}
