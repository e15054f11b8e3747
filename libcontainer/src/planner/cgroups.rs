//! Cgroup entries: made before the clone, so that the container is born in its place.

use super::build::Build;
use super::entry::HostStep;
use crate::Result;
use crate::cgroup::{self, Devices, Placement, Write};

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
    let placement = cgroup::place(layout, config.cgroups_path.as_deref(), build.request.id)?;
    let limits = cgroup::limits(config.resources.as_ref(), layout)?;
    let step = HostStep::CreateCgroup { placement: placement.clone(), limits: limits.clone() };
    build.host_for(step, "/linux/cgroupsPath");
    for write in limits.writes {
        limit(build, write);
    }
    Ok(Planned { placement, late: limits.late, devices: limits.devices })
}

pub(super) fn limit(build: &mut Build<'_>, write: Write) {
    let pointer = write.pointer.clone();
    build.host_for(HostStep::Limit(write), pointer);
}
