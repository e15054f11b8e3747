//! What profiles may contain, as `features` reports it.

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompFilterFlag};

use crate::spec::Warning;

/// Actions that can be used.
pub const ACTIONS: &[&str] = &[
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];

/// Operators that conditions can use.
pub const OPERATORS: &[&str] = &[
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_LE",
    "SCMP_CMP_LT",
    "SCMP_CMP_MASKED_EQ",
    "SCMP_CMP_NE",
];

/// Architectures with a table of system calls.
pub const ARCHITECTURES: &[&str] = &[
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
];

/// Flags that a profile may contain.
pub const KNOWN_FLAGS: &[&str] = &[
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
];

/// Flags that have their effect, on a kernel that knows them.
pub const SUPPORTED_FLAGS: &[&str] = KNOWN_FLAGS;

const LOG: u32 = 1 << 1;
const SPEC_ALLOW: u32 = 1 << 2;
pub(super) const NEW_LISTENER: u32 = 1 << 3;
const WAIT_KILLABLE_RECV: u32 = 1 << 5;

/// The flags to install the filter with.
pub(super) fn flags(profile: &LinuxSeccomp, has_listener: bool, warnings: &mut Vec<Warning>) -> u32 {
    let mut flags = if has_listener { NEW_LISTENER } else { 0 };
    let Some(list) = profile.flags() else { return flags | SPEC_ALLOW };
    for (index, flag) in list.iter().enumerate() {
        flags |= match flag {
            LinuxSeccompFilterFlag::SeccompFilterFlagLog => LOG,
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => SPEC_ALLOW,
            // The process that installs the filter has one thread.
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync => 0,
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv if has_listener => WAIT_KILLABLE_RECV,
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => {
                warnings.push(Warning {
                    pointer: format!("/linux/seccomp/flags/{index}"),
                    message: format!("{flag} has no effect without SCMP_ACT_NOTIFY"),
                });
                0
            }
        };
    }
    flags
}
