//! Cgroup entries: made before the clone, so that the container is born in its place. Where systemd has its hand on them
//! they are limited after the clone, for systemd makes no scope without a process.

use super::build::Build;
use super::entry::{HostStep, ScopeUnit};
use crate::Result;
use crate::cgroup::systemd::{Systemd, Unit};
use crate::cgroup::{self, Devices, Layout, Limits, Placement, Write, systemd};

const POINTER: &str = "/linux/cgroupsPath";

/// What later entries need to know of the cgroup.
pub(super) struct Planned {
    pub(super) placement: Placement,
    /// What the container's first process becomes a part of, if systemd has to do with it.
    unit: Option<Box<ScopeUnit>>,
    /// Limits that are set when the container's first process is inside: because they count processes, or because
    /// systemd would write its own values over them.
    late: Vec<Write>,
    /// What it may do with devices: restricted when the set-up has made its own.
    pub(super) devices: Devices,
}

impl Planned {
    /// Whether the first process can be born in the cgroup. systemd takes only what is elsewhere.
    pub(super) fn is_birthplace(&self) -> bool {
        self.unit.is_none() && self.placement.unified().is_some()
    }
}

pub(super) fn plan(build: &mut Build<'_>) -> Result<Planned> {
    let config = build.request.config;
    let layout = &build.request.facts.cgroup;
    let limits = cgroup::limits(config.resources.as_ref(), layout)?;
    match &build.request.facts.systemd {
        None => {
            let placement = cgroup::place(layout, config.cgroups_path.as_deref(), build.request.id)?;
            let step = HostStep::CreateCgroup { placement: placement.clone(), limits: limits.clone() };
            build.host_for(step, POINTER);
            for write in limits.writes {
                limit(build, write);
            }
            Ok(Planned { placement, unit: None, late: limits.late, devices: limits.devices })
        }
        Some(systemd) => with_unit(build, layout, systemd, limits),
    }
}

/// The cgroup is made all the same, so that what mounts it need not wait for the scope: systemd takes it over.
fn with_unit(build: &mut Build<'_>, layout: &Layout, systemd: &Systemd, limits: Limits) -> Result<Planned> {
    let config = build.request.config;
    let unit = Unit::of(config.cgroups_path.as_deref(), build.request.id, systemd.user)?;
    let path = format!("{}{}", systemd.control_group, unit.cgroup());
    let placement = cgroup::place(layout, Some(&path), build.request.id)?;
    let properties = systemd::properties(build.request.id, &config.annotations)?;
    // The controllers are systemd's to enable.
    let step = HostStep::CreateCgroup { placement: placement.clone(), limits: Limits::default() };
    build.host_for(step, POINTER);
    let scope = ScopeUnit { unit, properties, placement: placement.clone() };
    let late = limits.writes.into_iter().chain(limits.late).collect();
    Ok(Planned { placement, unit: Some(Box::new(scope)), late, devices: limits.devices })
}

/// What is to be done when the first process exists and waits.
pub(super) fn take_in(build: &mut Build<'_>, planned: Planned) {
    if let Some(unit) = planned.unit {
        build.host_for(HostStep::StartUnit(unit), POINTER);
    }
    if !build.request.facts.cgroup.v1.is_empty() {
        build.host_for(HostStep::JoinCgroup, POINTER);
    }
    for write in planned.late {
        limit(build, write);
    }
}

fn limit(build: &mut Build<'_>, write: Write) {
    let pointer = write.pointer.clone();
    build.host_for(HostStep::Limit(write), pointer);
}
