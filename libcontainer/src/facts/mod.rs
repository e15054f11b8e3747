//! What the host is like: asked once, before anything is planned, without changing anything.
//!
//! [`Facts`] are plain data, so that a plan can be made anywhere from a file of them. What was opened to find them
//! out is kept as [`Handles`]: a bind source is mounted through the same descriptor that told what it is.

mod container;
mod devices;
mod lsm;
mod network;
mod probe;
mod resctrl;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rustix::fd::OwnedFd;
use serde::{Deserialize, Serialize};

pub use container::{Container, Member};
pub use probe::probe;

pub(crate) use container::{Look, probe as probe_container};
pub(crate) use probe::is_nested;
pub(crate) use resctrl::root as resctrl_root;

use crate::cgroup::Layout;
use crate::cgroup::systemd::{Manager, Systemd};
use crate::spec::{Config, Membership};
use crate::sys::pidfd::Process;

/// What the planner needs to know of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Facts {
    /// Where the cgroup hierarchies are.
    pub cgroup: Layout,
    /// The caller's permitted capabilities; bit N is capability N.
    pub capabilities: u64,
    /// The highest capability that the kernel knows.
    pub last_capability: u8,
    /// The security modules of the running kernel; asked only if the configuration has a label.
    #[serde(default)]
    pub lsms: Vec<String>,
    /// The labels of the configuration that SELinux's policy does not know.
    #[serde(default)]
    pub unknown_labels: BTreeSet<String>,
    /// The root file system.
    pub root: PathFact,
    /// The sources of bind mounts, by index in `/mounts`.
    #[serde(default)]
    pub sources: BTreeMap<usize, PathFact>,
    /// The host's devices that are bound into a user namespace.
    #[serde(default)]
    pub devices: BTreeMap<PathBuf, PathFact>,
    /// Those of them that are not what the configuration says: of another kind, or with other numbers.
    #[serde(default)]
    pub other_devices: BTreeSet<PathBuf>,
    /// `CLONE_NEW*` of the namespaces to be joined that belong to the user namespace to be joined.
    #[serde(default)]
    pub owned_by_joined_user: BTreeSet<u32>,
    /// The caller, if the configuration has id maps that it may not write with a capability of its own.
    #[serde(default)]
    pub unprivileged: Option<Unprivileged>,
    /// Whether the caller is in a user namespace below the host's, and so can make no device nodes.
    #[serde(default)]
    pub nested_user: bool,
    /// Whether the configuration names no cgroup, and a caller without root's rights on the host may make none.
    #[serde(default)]
    pub cgroup_denied: bool,
    /// The `/linux/netDevices` that the caller's network namespace does not have.
    #[serde(default)]
    pub missing_net_devices: BTreeSet<String>,
    /// Whether the network namespace to be joined is the caller's own; asked only if devices are to be moved or
    /// parameters to be set there.
    #[serde(default)]
    pub joins_own_network: bool,
    /// The resctrl file system, if there is one; asked only if the configuration has an `/linux/intelRdt`.
    #[serde(default)]
    pub resctrl: Option<crate::resctrl::Resctrl>,
    /// The kernel's version; asked only of a host whose mount namespace is the container's.
    #[serde(default)]
    pub kernel: Option<(u32, u32)>,
    /// The systemd that is to make the cgroup, if one is.
    #[serde(default)]
    pub systemd: Option<Systemd>,
    /// The container that a program is to be executed in; asked only then, and most of the rest is not.
    #[serde(default)]
    pub container: Option<Container>,
}

/// A caller without the capabilities to write any id map.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unprivileged {
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
    /// The program that writes user maps for others, from `PATH`.
    pub newuidmap: Option<PathBuf>,
    /// Likewise for groups.
    pub newgidmap: Option<PathBuf>,
}

/// What is behind a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PathFact {
    /// A folder.
    #[default]
    Folder,
    /// Anything else.
    File,
    /// Nothing that could be opened.
    Missing {
        /// Why.
        errno: i32,
    },
}

impl Facts {
    /// The capabilities that a container can be given: all that exist in a user namespace, else the caller's.
    pub(crate) fn grantable_capabilities(&self, config: &Config) -> u64 {
        match config.namespaces.user.membership {
            Membership::Host => self.capabilities,
            Membership::New | Membership::Join(_) => u64::MAX >> (63 - self.last_capability.min(63)),
        }
    }
}

/// What was opened to find the facts, for the plan's execution.
#[derive(Debug, Default)]
pub struct Handles {
    pub(crate) root: Option<OwnedFd>,
    pub(crate) sources: BTreeMap<usize, Source>,
    pub(crate) devices: BTreeMap<PathBuf, OwnedFd>,
    pub(crate) namespaces: BTreeMap<u32, OwnedFd>,
    /// The connection to systemd.
    pub(crate) systemd: Option<Manager>,
    /// The first process of the container that a program is to be executed in.
    pub(crate) container: Option<Process>,
    /// What the program gets as its standard streams.
    pub(crate) streams: Option<[OwnedFd; 3]>,
}

/// The opened source of a bind.
#[derive(Debug)]
pub(crate) enum Source {
    /// A detached copy of the tree, ready to be attached.
    Tree(OwnedFd),
    /// The file or folder, where nothing is to be mounted or the copy could not be made.
    Path(OwnedFd),
}

/// What facts are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A plan that is only shown, perhaps by somebody who may not mount.
    Plan,
    /// A plan that is executed: what is opened is what is mounted.
    Create,
}
