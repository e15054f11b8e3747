//! Cgroup entries: made before the clone, so that the container is born in its place.

use super::build::Build;
use super::entry::HostStep;
use crate::Result;
use crate::cgroup::{self, Placement};

pub(super) fn plan(build: &mut Build<'_>) -> Result<Placement> {
    let config = build.request.config;
    let layout = &build.request.facts.cgroup;
    let placement = cgroup::place(layout, config.cgroups_path.as_deref(), build.request.id)?;
    build.host_for(HostStep::CreateCgroup { placement: placement.clone() }, "/linux/cgroupsPath");
    let Some(resources) = &config.resources else { return Ok(placement) };
    let limits = cgroup::limits(resources, layout)?;
    for write in limits.writes {
        let pointer = write.pointer.clone();
        build.host_for(HostStep::Limit(write), pointer);
    }
    build.host_for(HostStep::Devices(limits.devices), "/linux/resources/devices");
    Ok(placement)
}
