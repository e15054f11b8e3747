use oci_spec::runtime::{Arch, LinuxSeccompAction};
use thiserror::Error;

use super::bpf::MAX_INSTRUCTIONS;
use crate::ErrorKind;

/// Why a profile cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{pointer}: {reason}")]
pub struct SeccompError {
    /// JSON pointer of the wrong value.
    pub pointer: String,
    /// What is wrong with it.
    pub reason: SeccompReason,
}

/// What is wrong with a value of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SeccompReason {
    /// `errnoRet` or `defaultErrnoRet` beside an action that returns no error.
    #[error("{0} returns no errno; remove this value, or use SCMP_ACT_ERRNO or SCMP_ACT_TRACE")]
    NoErrno(LinuxSeccompAction),
    /// An `errnoRet` or `defaultErrnoRet` that the kernel would cut off.
    #[error("{value} is more than {limit}, the largest value that the kernel passes on")]
    ErrnoTooLarge {
        /// The value.
        value: u32,
        /// The largest one possible.
        limit: u32,
    },
    /// A rule for no system call.
    #[error("a rule must name at least one system call")]
    NoNames,
    /// An empty system call name.
    #[error("a system call name must not be empty")]
    EmptyName,
    /// A condition on an argument that no system call has.
    #[error("system calls have the arguments 0 to 5; there is no argument {0}")]
    NoSuchArgument(usize),
    /// `listenerMetadata` without `listenerPath`.
    #[error("listenerMetadata is passed to the listener: set listenerPath too")]
    MetadataWithoutListener,
    /// A default action that would stop the runtime's own last steps for ever.
    #[error("SCMP_ACT_NOTIFY cannot be the default action: nothing could answer the first call")]
    NotifyByDefault,
    /// `SCMP_ACT_NOTIFY` without `listenerPath`.
    #[error("SCMP_ACT_NOTIFY asks a listener: set listenerPath to the socket that it waits at")]
    NoListener,
    /// A machine without a table of system calls.
    #[error("there is no table of system calls for {0}")]
    Machine(Arch),
    /// A program that the kernel would refuse.
    #[error("the profile needs {0} instructions, the kernel takes {MAX_INSTRUCTIONS}: use fewer conditions")]
    TooLong(usize),
}

impl SeccompReason {
    /// Completes the reason with the `pointer` below `/linux/seccomp`.
    pub(super) fn at(self, pointer: impl AsRef<str>) -> SeccompError {
        SeccompError { pointer: format!("/linux/seccomp{}", pointer.as_ref()), reason: self }
    }
}

impl From<SeccompError> for crate::Error {
    fn from(error: SeccompError) -> Self {
        let message = error.to_string();
        let pointer = error.pointer;
        let kind = match error.reason {
            SeccompReason::Machine(_) | SeccompReason::TooLong(_) => ErrorKind::Unsupported { pointer },
            _ => ErrorKind::InvalidSpec { pointer },
        };
        Self::new(kind, message)
    }
}
