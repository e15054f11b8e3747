//! Cgroup entries: made before the clone, so that the container is born in its place. Where systemd has its hand on them
//! they are limited after the clone, for systemd makes no scope without a process.

use super::build::Build;
use super::entry::{HostStep, ScopeUnit};
use super::idmap;
use crate::cgroup::systemd::{Systemd, Unit};
use crate::cgroup::{self, Controllers, Devices, Layout, Limits, Placement, Write, Writes, systemd};
use crate::spec::{Membership, Mount, MountKind, attr};
use crate::{Error, ErrorKind, Result};

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
    let limits = Limits::new(config.resources.as_ref())?;
    if let Some(systemd) = &build.request.facts.systemd {
        return with_unit(build, layout, systemd, &limits);
    }
    let writes = written(build, &limits)?;
    if build.request.facts.cgroup_denied {
        return without(&writes);
    }
    let placement = cgroup::place(layout, config.cgroups_path.as_deref(), build.request.id)?;
    let controllers = writes.controllers(layout);
    let step = HostStep::CreateCgroup { placement: placement.clone(), controllers };
    build.host_for(step, POINTER);
    delegate(build);
    for write in writes.early {
        limit(build, write);
    }
    let devices = cgroup::devices(&limits.devices, layout)?;
    Ok(Planned { placement, unit: None, late: writes.late, devices })
}

/// What is to be written, with a warning of what is not.
fn written(build: &mut Build<'_>, limits: &Limits) -> Result<Writes> {
    let writes = cgroup::writes(limits, &build.request.facts.cgroup)?;
    for ignored in &writes.ignored {
        build.warn(ignored.pointer, ignored.reason);
    }
    Ok(writes)
}

fn delegate(build: &mut Build<'_>) {
    if let Some(uid) = delegate_to(build) {
        build.host_for(HostStep::DelegateCgroup { uid }, POINTER);
    }
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
    Ok(Planned { placement, unit: None, late: Vec::new(), devices: Devices::Unrestricted })
}

/// The cgroup is made all the same, so that what mounts it need not wait for the scope: systemd takes it over.
fn with_unit(build: &mut Build<'_>, layout: &Layout, systemd: &Systemd, limits: &Limits) -> Result<Planned> {
    let config = build.request.config;
    let limits = &systemd::rounded(limits);
    let unit = Unit::of(config.cgroups_path.as_deref(), build.request.id, systemd.user)?;
    let path = format!("{}{}", systemd.control_group, unit.cgroup());
    let placement = cgroup::place(layout, Some(&path), build.request.id)?;
    let mut properties = systemd::properties(limits, layout, systemd)?;
    properties.extend(systemd::devices(&limits.devices, layout));
    let asked = systemd::annotated(&config.annotations)?;
    properties.retain(|property| asked.iter().all(|asked| asked.name != property.name));
    let always = systemd::always(build.request.id, &asked);
    let properties = always.into_iter().chain(properties).chain(asked).collect();
    // The controllers are systemd's to enable.
    let step = HostStep::CreateCgroup { placement: placement.clone(), controllers: Controllers::default() };
    build.host_for(step, POINTER);
    let writes = written(build, limits)?;
    let scope =
        ScopeUnit { unit, properties, placement: placement.clone(), controllers: writes.controllers(layout) };
    let devices = cgroup::devices(&limits.devices, layout)?;
    let late = writes.early.into_iter().chain(writes.late).collect();
    Ok(Planned { placement, unit: Some(Box::new(scope)), late, devices })
}

/// What is to be done when the first process exists and waits.
pub(super) fn take_in(build: &mut Build<'_>, planned: Planned) {
    if let Some(unit) = planned.unit {
        build.host_for(HostStep::StartUnit(unit), POINTER);
        delegate(build);
    }
    if planned.placement.groups.iter().any(|group| !group.unified) {
        build.host_for(HostStep::JoinCgroup, POINTER);
    }
    late_limits(build, planned.late);
}

/// Likewise of criu, which is not born in the cgroup, and passes its own on to the processes that it restores.
pub(super) fn take_in_criu(build: &mut Build<'_>, planned: Planned) {
    let has_cgroup = !planned.placement.groups.is_empty();
    if let Some(unit) = planned.unit {
        build.host_for(HostStep::StartUnit(unit), POINTER);
        delegate(build);
    }
    if has_cgroup {
        build.host_for(HostStep::JoinCgroup, POINTER);
    }
    late_limits(build, planned.late);
}

fn late_limits(build: &mut Build<'_>, late: Vec<Write>) {
    for write in late {
        limit(build, write);
    }
}

fn limit(build: &mut Build<'_>, write: Write) {
    let pointer = write.pointer.clone();
    build.host_for(HostStep::Limit(write), pointer);
}
