//! Resource groups of the resctrl file system: what share of cache and memory bandwidth processes have, and what they
//! use (`/linux/intelRdt`).

mod host;
mod schemata;
mod stats;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use host::{change, create, find, join, look, remove};
pub(crate) use schemata::disagreement;
pub(crate) use stats::stats;
pub use stats::{Allocation, Bandwidth, CacheInfo, MemoryBandwidthInfo, Monitored, Stats};

/// What the host has; asked only if the configuration needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resctrl {
    /// Where it is mounted.
    pub root: PathBuf,
    /// The schemata of the class that the configuration names, if there is one of that name.
    pub class: Option<String>,
    /// Whether groups can be monitored.
    pub monitoring: bool,
}

/// A resource group to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its folder.
    pub path: PathBuf,
    /// Lines of its schemata; none for the kernel's defaults.
    pub schemata: Vec<String>,
    /// Whether it ends with the container. A class with a name of its own does not: others may use it too.
    pub own: bool,
}

/// The groups of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Membership {
    /// Those that its processes belong to, in the order in which they are joined.
    pub(crate) groups: Vec<PathBuf>,
    /// Those that end with it, in the order in which they were made.
    pub(crate) own: Vec<PathBuf>,
}
