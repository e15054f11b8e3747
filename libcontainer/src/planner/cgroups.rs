//! Cgroup entries: made before the clone, so that the container is born in its place.

use super::build::Build;
use super::entry::HostStep;
use super::idmap;
use crate::cgroup::{self, Devices, Limits, Placement, Write, Writes};
use crate::spec::{Membership, Mount, MountKind, attr};
use crate::{Error, ErrorKind, Result};

/// What later entries need to know of the cgroup.
pub(super) struct Planned {
    pub(super) placement: Placement,
    /// Limits that count processes: they are set when the container's first process is inside.
    pub(super) late: Vec<Write>,
    /// What it may do with devices: restricted when the set-up has made its own.
    pub(super) devices: Devices,
}

pub(super) fn plan(build: &mut Build<'_>) -> Result<Planned> {
    let config = build.request.config;
    let layout = &build.request.facts.cgroup;
    let limits = Limits::new(config.resources.as_ref())?;
    let writes = cgroup::writes(&limits, layout)?;
    for pointer in &limits.memory.ignored {
        build.warn(*pointer, cgroup::KERNEL_MEMORY);
    }
    if build.request.facts.cgroup_denied {
        return without(&writes);
    }
    let placement = cgroup::place(layout, config.cgroups_path.as_deref(), build.request.id)?;
    let controllers = writes.controllers(layout);
    let step = HostStep::CreateCgroup { placement: placement.clone(), controllers };
    build.host_for(step, "/linux/cgroupsPath");
    if let Some(uid) = delegate_to(build) {
        build.host_for(HostStep::DelegateCgroup { uid }, "/linux/cgroupsPath");
    }
    for write in writes.early {
        limit(build, write);
    }
    let devices = cgroup::devices(&limits.devices, layout)?;
    Ok(Planned { placement, late: writes.late, devices })
}

/// The host's id of the user who gets the cgroup, by the rules of the runtime-spec ("Cgroup ownership"): on v2 alone, for
/// a container that sees its own cgroup as the root, and may write there.
fn delegate_to(build: &Build<'_>) -> Option<u32> {
    const CAP_CHOWN: u64 = 1;
    let (config, facts) = (build.request.config, build.request.facts);
    let is_writable = |mount: &Mount| {
        matches!(mount.kind, MountKind::Cgroup)
            && mount.lexical_destination() == ["sys", "fs", "cgroup"]
            && mount.attributes.set & attr::RDONLY == 0
    };
    let applies = facts.cgroup.v1.is_empty()
        && facts.capabilities & CAP_CHOWN != 0
        && config.namespaces.cgroup.membership == Membership::New
        && config.mounts.iter().any(is_writable);
    if !applies {
        return None;
    }
    let user = config.process.as_ref().map_or(0, |process| process.uid);
    match config.namespaces.user.membership {
        // It is root's already.
        Membership::Host => Some(user).filter(|user| *user != 0),
        Membership::New | Membership::Join(_) => idmap::to_host(&config.uid_maps, user),
    }
}

/// The container stays in the caller's cgroups, as the caller may make none and names none. Devices are not restricted
/// then: who may not make cgroups may not make nodes either, and opens those of the host as far as their modes let it.
fn without(writes: &Writes) -> Result<Planned> {
    if let Some(write) = writes.early.iter().chain(&writes.late).next() {
        let pointer = write.pointer.clone();
        let message = format!(
            "{pointer}: a limit needs a cgroup, and this user may make none (drop the limit, or give a cgroupsPath \
             below a cgroup that the user owns)"
        );
        return Err(Error::new(ErrorKind::Unsupported { pointer }, message));
    }
    let placement = Placement { groups: Vec::new() };
    Ok(Planned { placement, late: Vec::new(), devices: Devices::Unrestricted })
}

pub(super) fn limit(build: &mut Build<'_>, write: Write) {
    let pointer = write.pointer.clone();
    build.host_for(HostStep::Limit(write), pointer);
}
