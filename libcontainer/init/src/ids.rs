//! Who the process is: groups, user, capabilities.

use libc::{
    PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_RAISE, PR_CAPBSET_DROP, PR_SET_KEEPCAPS,
};

use crate::program::{CText, Program};
use crate::{Fault, Result, null, slot, sys};

/// Drops what is not in `keep`; the kernel knows capabilities 0 to `last`.
pub(crate) fn bounding(keep: u64, last: u8) -> Result<()> {
    for capability in 0..=u64::from(last.min(63)) {
        if keep & (1 << capability) == 0 {
            sys::prctl(PR_CAPBSET_DROP, capability, 0)?;
        }
    }
    Ok(())
}

/// Sets the supplementary groups. A user namespace may deny that to everybody in it.
pub(crate) fn groups(groups: &[u32], or_keep: bool) -> Result<()> {
    match sys::setgroups(groups) {
        Err(Fault { errno: libc::EPERM, .. }) if or_keep => Ok(()),
        other => other,
    }
}

/// Puts the lent streams on their numbers.
pub(crate) fn streams(program: &Program<'_>) -> Result<()> {
    for (number, slot) in (0..).zip(slot::STREAMS) {
        sys::dup_to(program.slot(slot)?, number)?;
    }
    Ok(())
}

/// Opens the container's null device in place of the host's on the standard streams, as far as it has one.
pub(crate) fn null_streams(program: &Program<'_>) -> Result<()> {
    let is_null = |fd| sys::stat(fd, CText::literal(c""), 0).is_ok_and(|stat| null::is(&stat));
    if !(0..3).any(is_null) {
        return Ok(());
    }
    let null = match null::open(program) {
        Err(Fault { errno: libc::ENOENT | libc::ENOTDIR | libc::ENODEV, .. }) => return Ok(()),
        opened => opened?,
    };
    (0..3).filter(|fd| is_null(*fd)).try_for_each(|fd| sys::dup_to(null.fd(), fd))
}

/// Gives the standard streams to `uid`, who may otherwise not open them again (`/dev/stdout`). The null device stays as
/// it is, for everybody has it open; and what cannot be given away is not: somebody else's file, one on a read-only
/// file system, a stream that is closed.
pub(crate) fn own_streams(uid: u32) -> Result<()> {
    for fd in 0..3 {
        let Ok(stat) = sys::stat(fd, CText::literal(c""), 0) else { continue };
        if stat.uid == uid || null::is(&stat) {
            continue;
        }
        match sys::fchown(fd, uid, u32::MAX) {
            Ok(()) | Err(Fault { errno: libc::EPERM | libc::EROFS | libc::EINVAL | libc::EOVERFLOW, .. }) => {
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// Takes on user and group. The permitted capabilities stay until [`capabilities`], since loading a filter and
/// setting the sets need some of them.
pub(crate) fn user(uid: u32, gid: u32) -> Result<()> {
    sys::setgid(gid)?;
    if uid == 0 {
        return sys::setuid(0);
    }
    sys::prctl(PR_SET_KEEPCAPS, 1, 0)?;
    sys::setuid(uid)
}

/// Makes the permitted capabilities effective again after the change of user took them.
pub(crate) fn regain(permitted: u64) -> Result<()> {
    sys::capset(permitted, permitted, 0)
}

/// The final sets. Raising an ambient capability is best effort, as for every runtime: the spec only asks for it.
pub(crate) fn capabilities(effective: u64, permitted: u64, inheritable: u64, ambient: u64) -> Result<()> {
    sys::capset(effective, permitted, inheritable)?;
    if ambient == 0 {
        return sys::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL as u64, 0);
    }
    for capability in 0..64 {
        if ambient & (1 << capability) != 0 {
            let _: Result<()> = sys::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE as u64, capability);
        }
    }
    Ok(())
}

/// Becomes 0:0 in the user namespace just mapped or joined.
pub(crate) fn become_root() -> Result<()> {
    sys::setgid(0)?;
    sys::setuid(0)
}
