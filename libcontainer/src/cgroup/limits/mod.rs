//! What a container may use: the configuration's resources, translated once.
//!
//! [`Limits`] says what is limited and not how. Whatever is wrong on every host is found here; a back
//! end ([`writes`](super::writes) for the control files of v1 and v2) only spells the same values in
//! its own words, and says what it has no words for.

mod block_io;
mod cpu;
mod huge_pages;
mod memory;
mod network;
mod pids;
pub(super) mod pointer;
mod rdma;
mod unified;

pub use block_io::{BlockIo, DeviceNumber, DeviceWeight, Throttle, ThrottleKind};
pub use cpu::{Cpu, Cpuset};
pub use huge_pages::HugePages;
pub use memory::Memory;
pub use network::{InterfacePriority, Network};
pub use rdma::Rdma;
pub use unified::UnifiedFile;

use std::fmt;

use oci_spec::runtime::LinuxResources;

use super::{CgroupError, Rule, devices};

/// The limits of a container. What is `None` or empty is not limited, or left as it is by an update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory and swap.
    pub memory: Memory,
    /// CPU time.
    pub cpu: Cpu,
    /// CPUs and memory nodes.
    pub cpuset: Cpuset,
    /// The number of processes and threads.
    pub pids: Option<Bound>,
    /// Block devices.
    pub block_io: BlockIo,
    /// Huge pages, one entry a page size.
    pub huge_pages: Vec<HugePages>,
    /// Marks on network packets, which only cgroup v1 has.
    pub network: Network,
    /// RDMA devices, sorted by name.
    pub rdma: Vec<Rdma>,
    /// Control files of cgroup v2 by name, sorted.
    pub unified: Vec<UnifiedFile>,
    /// The configuration's device rules, without the [defaults](super::DEFAULT_RULES).
    pub devices: Vec<Rule>,
}

/// A number that is not to be exceeded, or the word that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// No limit.
    Max,
    /// At most this.
    At(u64),
}

impl Bound {
    /// From a number in which -1 means no limit.
    fn from_signed(value: i64, pointer: &str) -> Result<Self, CgroupError> {
        match u64::try_from(value) {
            Ok(value) => Ok(Self::At(value)),
            Err(_) if value == -1 => Ok(Self::Max),
            Err(_) => Err(CgroupError::invalid(pointer, value, "only -1 means unlimited")),
        }
    }
}

/// In the words of cgroup v2.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::At(value) => value.fmt(f),
        }
    }
}

impl Limits {
    /// Translates the resources of a configuration.
    ///
    /// As everywhere in the field, an empty block and a zero mean "not set", except that `pids.limit` 0
    /// is a limit.
    ///
    /// # Errors
    /// Values that are wrong on every host, by JSON pointer.
    pub fn new(resources: Option<&LinuxResources>) -> Result<Self, CgroupError> {
        let Some(resources) = resources else { return Ok(Self::default()) };
        let mut limits = Self::default();
        if let Some(memory) = resources.memory() {
            limits.memory = Memory::new(memory)?;
        }
        if let Some(cpu) = resources.cpu() {
            limits.cpu = Cpu::new(cpu)?;
            limits.cpuset = Cpuset::new(cpu)?;
        }
        limits.pids = resources.pids().map(|pids| pids::limit(pids.limit())).transpose()?;
        if let Some(block_io) = resources.block_io() {
            limits.block_io = BlockIo::new(block_io)?;
        }
        limits.huge_pages = HugePages::all(resources.hugepage_limits().as_deref().unwrap_or_default())?;
        if let Some(network) = resources.network() {
            limits.network = Network::new(network)?;
        }
        if let Some(rdma) = resources.rdma() {
            limits.rdma = Rdma::all(rdma)?;
        }
        if let Some(files) = resources.unified() {
            limits.unified = UnifiedFile::all(files)?;
        }
        limits.devices = devices::parse(resources.devices().as_deref().unwrap_or_default())?;
        Ok(limits)
    }
}

/// A number that is set: neither absent nor zero.
fn set<N: Default + PartialEq>(value: Option<N>) -> Option<N> {
    value.filter(|value| *value != N::default())
}

#[cfg(test)]
mod tests;
