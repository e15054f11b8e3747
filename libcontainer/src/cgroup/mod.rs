//! Control groups: where a container's processes are accounted, limited and found again.
//!
//! Knows no container, only paths, processes and limits, in two halves. The first decides without
//! asking the host, from plain data: [`place`] says where a container's cgroups are, [`Limits`] are the
//! resources of a configuration, translated once, and [`writes`] spells them for the control files of
//! v1 and v2. The second carries it out: [`detect`] finds out how cgroups are mounted, [`create`] makes them,
//! [`Cgroups`] limits and fills them, [`kill_all`], [`freeze`] and [`processes`] deal with what runs in them,
//! [`stats()`](stats::stats) and [`OomWatch`] observe it, [`remove`] removes them.
//!
//! cgroup v1, v2 and hybrid hosts differ in the data only. On a hybrid host a container is in all v1
//! hierarchies and in the unified one.

mod bpf;
mod create;
mod detect;
mod devices;
mod dir;
mod error;
mod freezer;
mod handles;
mod layout;
mod limits;
mod oom;
mod place;
mod processes;
mod remove;
pub mod stats;
pub mod systemd;
mod update;
mod wait;
mod writes;

pub use create::{Controllers, Created, create};
pub use detect::{Want, detect};
pub use devices::{DEFAULT_RULES, Devices, Instruction, Kind, Rule, devices};
pub use error::{CgroupError, SystemFailure};
pub use freezer::{freeze, is_frozen, thaw};
pub use handles::{Cgroups, open_unified};
pub(crate) use layout::unescape;
pub use layout::{Hierarchy, Layout, LayoutKind, Unified};
pub use limits::{
    BlockIo, Bound, Cpu, Cpuset, DeviceNumber, DeviceWeight, HugePages, InterfacePriority, Limits, Memory,
    Network, Rdma, Throttle, ThrottleKind, UnifiedFile,
};
pub use oom::{Oom, OomWatch, oom_kills};
pub use place::{Group, Placement, place};
pub use processes::{Found, find, kill_all, processes, signal_all};
pub use remove::remove;
pub use update::update;
pub use writes::{Missing, Write, Writes, writes};

#[cfg(test)]
mod host_tests;
