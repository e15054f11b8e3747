//! Cgroup entries: made before the clone, so that the container is born in its place.

use super::build::Build;
use super::entry::HostStep;
use crate::Result;
use crate::cgroup::{self, Devices, Limits, Placement, Write};

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
    let limits = Limits::new(config.resources.as_ref())?;
    for pointer in &limits.memory.ignored {
        build.warn(
            *pointer,
            "ignored: kernels since 5.16 have no limit of kernel memory; memory/limit counts it",
        );
    }
    let writes = cgroup::writes(&limits, layout)?;
    let controllers = writes.controllers(layout);
    build
        .host_for(HostStep::CreateCgroup { placement: placement.clone(), controllers }, "/linux/cgroupsPath");
    for write in writes.early {
        limit(build, write);
    }
    let devices = cgroup::devices(&limits.devices, layout)?;
    Ok(Planned { placement, late: writes.late, devices })
}

pub(super) fn limit(build: &mut Build<'_>, write: Write) {
    let pointer = write.pointer.clone();
    build.host_for(HostStep::Limit(write), pointer);
}
