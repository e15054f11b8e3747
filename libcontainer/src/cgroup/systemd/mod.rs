//! The systemd driver: a container's cgroup is a scope, which systemd makes and limits when it is told to by D-Bus.
//!
//! Pure, for the planner: [`Unit`] (which scope), [`properties`](fn@properties) (limits and annotations → properties of the scope).
//! [`Manager`] is the connection to systemd; nothing of it is touched unless systemd is asked for.

mod annotations;
mod bus;
mod manager;
mod name;
mod properties;
mod text;
mod unified;
mod value;

use serde::{Deserialize, Serialize};

use super::{CgroupError, Layout, Limits};

pub use annotations::properties as annotated;
pub use manager::Manager;
pub use name::Unit;
pub use properties::{always, devices, properties, rounded};
pub use value::{Property, Type, Value};

/// Changes the limits of a scope, and its device rules if there are any among them. It keeps them until it ends, and
/// through a reload of systemd's units.
///
/// # Errors
/// A systemd that cannot be reached, and values that it refuses.
pub fn update(unit: &Unit, limits: &Limits, layout: &Layout) -> Result<(), CgroupError> {
    let mut manager = Manager::connect(unit.user)?;
    let systemd = manager.facts(unit.user)?;
    let mut changed = properties(limits, layout, &systemd)?;
    if !limits.devices.is_empty() {
        changed.extend(devices(&limits.devices, layout));
    }
    manager.set(unit, &changed)
}

/// What the planner has to know of a systemd.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Systemd {
    /// Its version, 252 for example.
    pub version: u32,
    /// Whether it is the one of a user and not the host's.
    #[serde(default)]
    pub user: bool,
    /// Its own cgroup, below which its slices are; empty for the host's.
    #[serde(default)]
    pub control_group: String,
}
