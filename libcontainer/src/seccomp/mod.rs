//! OCI seccomp profiles → classic BPF. Pure: no host is asked and nothing is installed here.
//!
//! A profile is lowered to a policy, which says for each architecture what each number leads to; the
//! policy is assembled to a program; and [`simulate`] runs a program as the kernel would.
//!
//! Where the specification is silent, the meaning is libseccomp's and runc's, so that a profile does
//! here what its author saw it do there:
//!
//! - A rule without conditions beats every conditional rule for the same call, wherever it stands; of
//!   two rules without conditions the first counts. Of several conditional rules whose conditions
//!   hold, the first in the profile counts (libseccomp refuses some such profiles and leaves the
//!   order of others open).
//! - A rule that returns exactly what the default does is left out before all of that.
//! - The conditions of a rule must all hold, unless two of them look at the same argument: then each
//!   counts as a rule of its own. Arguments compare unsigned; on 32-bit ABIs only their low halves do.
//!   `SCMP_CMP_MASKED_EQ` takes `value` as the mask and ignores the bits of `valueTwo` outside it.
//! - On x86 the socket and System V IPC calls are also reached through `socketcall` and `ipc`, so a
//!   rule for one of them covers both ways. Arguments cannot be seen there: a conditional rule covers
//!   the second way only if it is stricter than the default.
//! - The native architecture always counts as listed, and one that this machine cannot run is left
//!   out. A call from an architecture that is not listed kills the process: libseccomp kills the
//!   thread, which leaves a program running without the thread that it trusted.
//! - If the default denies, a number above all those that the profile names gets `ENOSYS`: the profile
//!   is older than the call, and C libraries fall back only on that error.
//! - Names that only architectures without a table have are left out silently, unknown ones with a warning.
//! - Without a `flags` list `SECCOMP_FILTER_FLAG_SPEC_ALLOW` is set, with an empty one it is not.

mod abi;
mod action;
mod assemble;
mod bpf;
mod error;
pub mod explain;
mod features;
mod listener;
mod policy;
mod simulate;
mod tables;
#[cfg(test)]
mod tests;

pub use abi::{native_arch, syscall_number};
pub use bpf::Instruction;
pub use error::{SeccompError, SeccompReason};
pub use explain::{Explanation, explain};
pub use features::{ACTIONS, ARCHITECTURES, KNOWN_FLAGS, OPERATORS, SUPPORTED_FLAGS};
pub use listener::Listener;
pub use simulate::{Blocked, Call, SeccompData, Trace, blocked, simulate, trace};

use oci_spec::runtime::{Arch, LinuxSeccomp};

use crate::spec::Warning;

/// A program for `seccomp(SECCOMP_SET_MODE_FILTER)`, and how to install it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The program, at most 4096 instructions.
    pub instructions: Vec<Instruction>,
    /// `SECCOMP_FILTER_FLAG_*`. Never `TSYNC`: the process that installs a filter has one thread.
    pub flags: u32,
    /// Who decides the calls that the profile leaves to somebody else, if there are such calls.
    pub listener: Option<Listener>,
    /// Parts of the profile that have no effect.
    pub warnings: Vec<Warning>,
}

/// Whether a filter that is installed with these flags has a listener.
#[must_use]
pub fn has_listener(flags: u32) -> bool {
    flags & features::NEW_LISTENER != 0
}

/// Compiles the profile at `/linux/seccomp` for a machine whose own architecture is `native`.
pub fn compile(profile: &LinuxSeccomp, native: Arch) -> Result<Filter, SeccompError> {
    let mut warnings = Vec::new();
    let listener = listener::listener(profile, &mut warnings)?;
    let flags = features::flags(profile, listener.is_some(), &mut warnings);
    let policy = policy::lower(profile, native, &mut warnings)?;
    let instructions = assemble::assemble(&policy)?;
    Ok(Filter { instructions, flags, listener, warnings })
}
