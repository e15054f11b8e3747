//! From the configuration's resources to what is written, decided without asking the host.

mod cpu;
mod memory;
mod refuse;

use std::fmt::Display;

use oci_spec::runtime::LinuxResources;

use super::devices::{self, Devices};
use super::{CgroupError, Layout, Unified};

const POINTER: &str = "/linux/resources";

/// What has to be written into a container's cgroups, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// What is written before the first process is placed.
    pub writes: Vec<Write>,
    /// What is written once the first process is inside: a limit of processes counts, and refuses, the
    /// runtime's own clones into the cgroup too.
    pub late: Vec<Write>,
    /// Which devices may be used.
    pub devices: Devices,
}

/// One value for one control file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The controller that the file belongs to.
    pub controller: &'static str,
    /// The control file.
    pub file: String,
    /// What is written to it.
    pub value: String,
    /// JSON pointer of the configuration value that it comes from.
    pub pointer: String,
    /// The value is what a kernel without the file does anyway, so a missing file is no failure.
    pub optional: bool,
    /// A file with the current usage, above which the value is refused instead of written.
    pub usage: Option<&'static str>,
}

impl Limits {
    /// The controllers that the limits need, each once.
    #[must_use]
    pub fn controllers(&self) -> Vec<&'static str> {
        let mut controllers: Vec<_> =
            self.writes.iter().chain(&self.late).map(|write| write.controller).collect();
        controllers.sort_unstable();
        controllers.dedup();
        controllers
    }
}

/// Translates the resources of a configuration for the cgroups of a host.
///
/// As everywhere in the field, an empty block and a zero mean "not set", except that `pids.limit` 0
/// is a limit. Without any device rule all devices but the [defaults](super::DEFAULT_RULES) are denied.
///
/// # Errors
/// Whatever the host's version of cgroups cannot express and this version does not support yet, and
/// values that are wrong anywhere; each names the JSON pointer of the value.
pub fn limits(resources: Option<&LinuxResources>, layout: &Layout) -> Result<Limits, CgroupError> {
    let mut plan = Planner { layout, writes: Vec::new() };
    let mut late = Vec::new();
    if let Some(resources) = resources {
        refuse::unsupported(resources)?;
        if let Some(memory) = resources.memory() {
            memory::plan(&mut plan, memory)?;
        }
        if let Some(cpu) = resources.cpu() {
            cpu::plan(&mut plan, cpu)?;
        }
        let limits = plan.writes.len();
        if let Some(pids) = resources.pids() {
            plan_pids(&mut plan, pids.limit())?;
        }
        late = plan.writes.split_off(limits);
    }
    let rules = resources.and_then(|resources| resources.devices().as_deref()).unwrap_or_default();
    let devices = devices::plan(rules, layout)?;
    Ok(Limits { writes: plan.writes, late, devices })
}

/// Whether [`limits`] needs to know which controllers the unified hierarchy has.
pub(super) fn needs_controllers(resources: Option<&LinuxResources>) -> bool {
    // With nothing known every controller counts as available, so this fails only for what is
    // refused anyway.
    let unknown = Unified { mount: "/".into(), own: None, controllers: None };
    let layout = Layout { v1: Vec::new(), v2: Some(unknown) };
    limits(resources, &layout).map_or(true, |limits| !limits.controllers().is_empty())
}

fn plan_pids(plan: &mut Planner<'_>, limit: i64) -> Result<(), CgroupError> {
    let pointer = "/linux/resources/pids/limit";
    let value = match limit {
        -1 => "max".to_owned(),
        // 0 and 1 both refuse every fork of a container that runs, but a process can still be
        // cloned into an empty cgroup with 1.
        0 => "1".to_owned(),
        limit if limit < 0 => return Err(CgroupError::invalid(pointer, limit, "only -1 means unlimited")),
        limit => limit.to_string(),
    };
    plan.version("pids", pointer)?;
    plan.write("pids", "pids.max", value, pointer);
    Ok(())
}

/// Which generation of cgroups has a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

struct Planner<'l> {
    layout: &'l Layout,
    writes: Vec<Write>,
}

impl Planner<'_> {
    fn version(&self, controller: &str, pointer: &str) -> Result<Version, CgroupError> {
        let in_v1 = |name: &String| name == controller;
        if self.layout.v1.iter().any(|hierarchy| hierarchy.controllers.iter().any(in_v1)) {
            return Ok(Version::V1);
        }
        match &self.layout.v2 {
            Some(unified) if unified.controllers.as_ref().is_none_or(|all| all.iter().any(in_v1)) => {
                Ok(Version::V2)
            }
            _ => Err(CgroupError::unsupported(
                pointer,
                format!("the {controller} controller is not available in the cgroups of this host"),
            )),
        }
    }

    fn write(&mut self, controller: &'static str, file: &str, value: impl Display, pointer: &str) {
        self.push(Write::new(controller, file, value, pointer));
    }

    fn push(&mut self, write: Write) {
        self.writes.push(write);
    }
}

impl Write {
    pub(super) fn new(controller: &'static str, file: &str, value: impl Display, pointer: &str) -> Self {
        let (file, value, pointer) = (file.to_owned(), value.to_string(), pointer.to_owned());
        Self { controller, file, value, pointer, optional: false, usage: None }
    }

    fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

/// A number that is set: neither absent nor zero.
fn set<N: Default + PartialEq>(value: Option<N>) -> Option<N> {
    value.filter(|value| *value != N::default())
}

#[cfg(test)]
mod tests;
