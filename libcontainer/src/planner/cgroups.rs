//! Cgroup entries: made before the clone, so that the container is born in its place.

use super::build::Build;
use super::entry::HostStep;
use crate::cgroup::{self, Devices, Placement, Write};
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
    if build.request.facts.cgroup_denied {
        return without(build);
    }
    let placement = cgroup::place(layout, config.cgroups_path.as_deref(), build.request.id)?;
    let limits = cgroup::limits(config.resources.as_ref(), layout)?;
    let step = HostStep::CreateCgroup { placement: placement.clone(), limits: limits.clone() };
    build.host_for(step, "/linux/cgroupsPath");
    for write in limits.writes {
        limit(build, write);
    }
    Ok(Planned { placement, late: limits.late, devices: limits.devices })
}

/// The container stays in the caller's cgroups, as the caller may make none and names none. Devices are not restricted
/// then: who may not make cgroups may not make nodes either, and opens those of the host as far as their modes let it.
fn without(build: &Build<'_>) -> Result<Planned> {
    let resources = build.request.config.resources.as_ref();
    let limits = cgroup::limits(resources, &build.request.facts.cgroup)?;
    if let Some(write) = limits.writes.iter().chain(&limits.late).next() {
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
