//! When and where the program runs: CPU time, disk time, execution domain, memory nodes.

use libcontainer_init::Step;

use super::build::Build;
use super::entry::HostStep;
use crate::spec::Process;

/// What the process sets for itself. It needs no privilege, and the program keeps it.
pub(super) fn by_init(build: &mut Build<'_>) {
    let config = build.request.config;
    if let Some(domain) = config.personality {
        build.init_for(Step::Personality { domain }, "/linux/personality");
    }
    if let Some(policy) = &config.memory_policy {
        let halves: Vec<u32> = policy.nodes.iter().flat_map(|word| halves(*word)).collect();
        let nodes = build.pool.words(&halves);
        build.init_for(Step::MemoryPolicy { mode: policy.mode, nodes }, "/linux/memoryPolicy");
    }
}

/// A word as it lies in memory.
fn halves(word: u64) -> [u32; 2] {
    let (low, high) = (word as u32, (word >> 32) as u32);
    if cfg!(target_endian = "little") { [low, high] } else { [high, low] }
}

/// What the host sets for it, with privileges that it may not have.
pub(super) fn by_host(build: &mut Build<'_>, process: &Process) {
    if let Some(scheduler) = process.scheduler {
        build.host_for(HostStep::Schedule(scheduler), "/process/scheduler");
    }
    if let Some(priority) = process.io_priority {
        build.host_for(HostStep::IoPriority(priority), "/process/ioPriority");
    }
}
