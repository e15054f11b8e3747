//! Resource groups: made before the clone, joined after it.

use std::path::{Path, PathBuf};

use super::Plan;
use super::build::Build;
use super::entry::{Action, HostStep};
use crate::resctrl::{Group, Membership, disagreement};
use crate::spec::IntelRdt;
use crate::{Error, ErrorKind, Result};

const POINTER: &str = "/linux/intelRdt";

/// Plans the groups that have to be made; returns those that the container joins.
pub(super) fn plan(build: &mut Build<'_>) -> Result<Vec<PathBuf>> {
    let request = build.request;
    let Some(rdt) = &request.config.intel_rdt else { return Ok(Vec::new()) };
    let Some(host) = &request.facts.resctrl else {
        let why = "no resctrl file system is mounted on this host \
                   (hint: mount -t resctrl resctrl /sys/fs/resctrl, if its processor can do this)";
        return Err(unsupported(POINTER, why));
    };
    let class = match rdt.class.as_deref() {
        None => host.root.join(request.id),
        Some("/") => host.root.clone(),
        Some(name) => host.root.join(name),
    };
    match &host.class {
        Some(existing) => agrees(rdt, existing, &class)?,
        None => make(build, rdt, &class)?,
    }
    if !rdt.enable_monitoring {
        return Ok(vec![class]);
    }
    if !host.monitoring {
        let why = format!("this host cannot monitor groups: there is no {}/mon_groups", host.root.display());
        return Err(unsupported("/linux/intelRdt/enableMonitoring", &why));
    }
    let path = class.join("mon_groups").join(request.id);
    let group = Group { path: path.clone(), schemata: Vec::new(), own: true };
    build.host_for(HostStep::CreateRdtGroup(group), "/linux/intelRdt/enableMonitoring");
    // The kernel takes a process into a monitoring group only within its class.
    Ok(vec![class, path])
}

/// A class that exists is shared, so it is taken as it is or not at all.
fn agrees(rdt: &IntelRdt, existing: &str, class: &Path) -> Result<()> {
    let Some(share) = disagreement(&rdt.schemata, existing) else { return Ok(()) };
    let pointer = "/linux/intelRdt/closID".to_owned();
    let message = format!(
        "{pointer}: {} exists and does not have {share} (hint: use another class, or its own schemata)",
        class.display()
    );
    Err(Error::new(ErrorKind::InvalidSpec { pointer }, message))
}

fn make(build: &mut Build<'_>, rdt: &IntelRdt, class: &Path) -> Result<()> {
    if rdt.class.is_some() && rdt.schemata.is_empty() {
        let why = format!("there is no {} and no schemata to make it with", class.display());
        return Err(unsupported("/linux/intelRdt/closID", &why));
    }
    let group = Group { path: class.to_owned(), schemata: rdt.schemata.clone(), own: rdt.class.is_none() };
    build.host_for(HostStep::CreateRdtGroup(group), POINTER);
    Ok(())
}

/// Called when the container's first process exists.
pub(super) fn join(build: &mut Build<'_>, groups: Vec<PathBuf>) {
    if !groups.is_empty() {
        build.host_for(HostStep::JoinRdtGroups(groups), POINTER);
    }
}

fn unsupported(pointer: &str, why: &str) -> Error {
    Error::new(ErrorKind::Unsupported { pointer: pointer.into() }, format!("{pointer}: {why}"))
}

impl Plan {
    /// The groups that the container will be in, for those who come later.
    pub(crate) fn resctrl(&self) -> Membership {
        let mut membership = Membership::default();
        for entry in &self.entries {
            match &entry.action {
                Action::Host(HostStep::CreateRdtGroup(group)) if group.own => {
                    membership.own.push(group.path.clone());
                }
                Action::Host(HostStep::JoinRdtGroups(groups)) => membership.groups.clone_from(groups),
                _ => {}
            }
        }
        membership
    }
}

#[cfg(test)]
#[path = "resctrl_tests.rs"]
mod tests;
