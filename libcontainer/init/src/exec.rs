//! The program: found at `create`, executed at the end.

use crate::op::Op;
use crate::program::{CText, Program, Text, split};
use crate::{Fault, Result, sys};

/// `_NSIG` of the kernel.
const LAST_SIGNAL: i32 = 64;

/// The first candidate that may be executed. If there is none, the errno of the only one; of those that `PATH` gives
/// none is the one that was meant, and the program does not exist.
pub(crate) fn find<'a>(program: &Program<'a>, candidates: Text, in_path: bool) -> Result<CText<'a>> {
    let mut errno = libc::ENOENT;
    for candidate in split(program.text(candidates)?) {
        match check(candidate) {
            Ok(()) => return Ok(candidate),
            Err(fault) => errno = fault.errno,
        }
    }
    Err(Fault { op: Op::Find, errno: if in_path { libc::ENOENT } else { errno } })
}

fn check(candidate: CText<'_>) -> Result<()> {
    if sys::stat(libc::AT_FDCWD, candidate, 0)?.is(libc::S_IFDIR) {
        return Err(Fault { op: Op::Find, errno: libc::EISDIR });
    }
    sys::may_execute(candidate)
}

/// Gives signals back to the program as it expects them.
pub(crate) fn signals() -> Result<()> {
    // CLONE_CLEAR_SIGHAND leaves ignored signals ignored: the caller's, and SIGPIPE, which Rust's runtime ignores.
    for signal in (1..=LAST_SIGNAL).filter(|signal| !matches!(*signal, libc::SIGKILL | libc::SIGSTOP)) {
        sys::default_signal(signal)?;
    }
    sys::set_signal_mask(0).map(drop)
}
