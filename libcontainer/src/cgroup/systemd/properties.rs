//! From limits and annotations to the properties of a scope.

use std::collections::BTreeMap;

use super::{Property, annotations};
use crate::cgroup::CgroupError;

/// The properties of a container's scope: what every container has, its limits, and what annotations ask for, which
/// is the last word.
///
/// # Errors
/// Values that the bus cannot say, by JSON pointer.
pub fn properties(id: &str, annotations: &BTreeMap<String, String>) -> Result<Vec<Property>, CgroupError> {
    let mut properties = always(id);
    let asked = annotations::properties(annotations)?;
    properties.retain(|property| asked.iter().all(|asked| asked.name != property.name));
    properties.extend(asked);
    Ok(properties)
}

fn always(id: &str) -> Vec<Property> {
    let mut properties = vec![
        Property::new("Description", format!("libcontainer container {id}")),
        // The container's cgroup is ours, and below it the container's own.
        Property::new("Delegate", true),
        // Else systemd would stop it as late as it can when the host goes down, and wait for it.
        Property::new("DefaultDependencies", false),
        // A container that was killed for want of memory is a scope that failed. Nobody would reset it.
        Property::new("CollectMode", "inactive-or-failed"),
    ];
    // The statistics of containers come from there.
    let accounts = ["CPUAccounting", "MemoryAccounting", "IOAccounting", "TasksAccounting"];
    properties.extend(accounts.map(|name| Property::new(name, true)));
    properties
}
