//! The program: found at `create`, executed at the end.

use crate::op::Op;
use crate::program::{CText, Program, Text, split};
use crate::{Fault, Result, sys};

/// `_NSIG` of the kernel.
const LAST_SIGNAL: i32 = 64;

/// The first candidate that may be executed. If there is none, the errno of the only one; of several, found by `PATH`,
/// none is the one that was meant, and the program does not exist.
pub(crate) fn find<'a>(program: &Program<'a>, candidates: Text) -> Result<CText<'a>> {
    let (mut count, mut errno) = (0usize, libc::ENOENT);
    for candidate in split(program.text(candidates)?) {
        match check(candidate) {
            Ok(()) => return Ok(candidate),
            Err(fault) => errno = fault.errno,
        }
        count = count.wrapping_add(1);
    }
    Err(Fault { op: Op::Find, errno: if count > 1 { libc::ENOENT } else { errno } })
}

fn check(candidate: CText<'_>) -> Result<()> {
    if sys::stat(libc::AT_FDCWD, candidate, 0)?.is(libc::S_IFDIR) {
        return Err(Fault { op: Op::Find, errno: libc::EISDIR });
    }
    sys::may_execute(candidate)
}

/// Gives signals back to the program as it expects them, and becomes it.
pub(crate) fn exec(program: &Program<'_>, path: CText<'_>) -> Fault {
    // CLONE_CLEAR_SIGHAND leaves ignored signals ignored: the caller's, and SIGPIPE, which Rust's runtime ignores.
    for signal in (1..=LAST_SIGNAL).filter(|signal| !matches!(*signal, libc::SIGKILL | libc::SIGSTOP)) {
        if let Err(fault) = sys::default_signal(signal) {
            return fault;
        }
    }
    match sys::set_signal_mask(0) {
        Err(fault) => fault,
        Ok(_) => sys::execve(path, program.argv, program.envp),
    }
}
