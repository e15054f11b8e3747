use std::path::PathBuf;

use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompFilterFlag, LinuxSyscall};
use serde::Deserialize;

use super::problem::{Checked, Problem};

/// `/linux/seccomp`: oci-spec's type, but `{}` is no profile, as with runc.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Seccomp {
    default_action: Option<LinuxSeccompAction>,
    default_errno_ret: Option<u32>,
    architectures: Option<Vec<Arch>>,
    flags: Option<Vec<LinuxSeccompFilterFlag>>,
    listener_path: Option<PathBuf>,
    listener_metadata: Option<String>,
    syscalls: Option<Vec<LinuxSyscall>>,
}

pub(super) fn profile(raw: Option<Seccomp>) -> Checked<Option<LinuxSeccomp>> {
    let Some(raw) = raw else { return Ok(None) };
    let Some(action) = raw.default_action else {
        return match raw.syscalls.is_none_or(|rules| rules.is_empty()) {
            true => Ok(None),
            false => Err(Problem::invalid(
                "/linux/seccomp/defaultAction",
                "the action for system calls without a rule is missing; give for example SCMP_ACT_ERRNO",
            )),
        };
    };
    let mut profile = LinuxSeccomp::default();
    profile
        .set_default_action(action)
        .set_default_errno_ret(raw.default_errno_ret)
        .set_architectures(raw.architectures)
        .set_flags(raw.flags)
        .set_listener_path(raw.listener_path)
        .set_listener_metadata(raw.listener_metadata)
        .set_syscalls(raw.syscalls);
    Ok(Some(profile))
}
