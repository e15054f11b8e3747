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

pub use annotations::properties as annotated;
pub use manager::Manager;
pub use name::Unit;
pub use properties::{always, properties, rounded};
pub use value::{Property, Type, Value};

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
