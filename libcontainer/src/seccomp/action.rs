//! OCI actions → the values that a filter returns to the kernel.

use oci_spec::runtime::LinuxSeccompAction;

use super::error::SeccompReason;

pub(super) const KILL_PROCESS: u32 = 0x8000_0000;
pub(super) const KILL_THREAD: u32 = 0;
pub(super) const TRAP: u32 = 0x0003_0000;
pub(super) const ERRNO: u32 = 0x0005_0000;
pub(super) const NOTIFY: u32 = 0x7fc0_0000;
pub(super) const TRACE: u32 = 0x7ff0_0000;
pub(super) const LOG: u32 = 0x7ffc_0000;
pub(super) const ALLOW: u32 = 0x7fff_0000;

/// The part of a return value that names the action; the rest is its data.
pub(super) const ACTION_MASK: u32 = 0xffff_0000;

/// What a filter returns for a system call that the kernel is too old, or the profile too old, to know.
pub(super) const ENOSYS: u32 = ERRNO | libc::ENOSYS as u32;

const MAX_ERRNO: u32 = 4095;
const MAX_TRACE_DATA: u32 = 0xffff;

/// The return value of `action` with `errno`, which the action must be able to carry.
pub(super) fn return_value(action: LinuxSeccompAction, errno: Option<u32>) -> Result<u32, SeccompReason> {
    use LinuxSeccompAction as Action;
    let plain = match action {
        Action::ScmpActErrno => return with_data(ERRNO, errno, MAX_ERRNO),
        Action::ScmpActTrace => return with_data(TRACE, errno, MAX_TRACE_DATA),
        Action::ScmpActNotify => NOTIFY,
        Action::ScmpActKill | Action::ScmpActKillThread => KILL_THREAD,
        Action::ScmpActKillProcess => KILL_PROCESS,
        Action::ScmpActTrap => TRAP,
        Action::ScmpActLog => LOG,
        Action::ScmpActAllow => ALLOW,
    };
    if errno.is_some() {
        return Err(SeccompReason::NoErrno(action));
    }
    Ok(plain)
}

fn with_data(action: u32, errno: Option<u32>, limit: u32) -> Result<u32, SeccompReason> {
    match errno.unwrap_or(libc::EPERM as u32) {
        value if value > limit => Err(SeccompReason::ErrnoTooLarge { value, limit }),
        value => Ok(action | value),
    }
}

/// Whether a filter that returns `value` lets the call happen, or leaves that to a tracer which is
/// expected to know about new calls itself.
pub(super) fn is_permissive(value: u32) -> bool {
    matches!(value & ACTION_MASK, ALLOW | LOG | TRACE)
}

/// Whether `one` names an action that the kernel prefers to that of `other`, given both by two filters.
pub(super) fn is_stricter(one: u32, other: u32) -> bool {
    (one & ACTION_MASK).cast_signed() < (other & ACTION_MASK).cast_signed()
}
