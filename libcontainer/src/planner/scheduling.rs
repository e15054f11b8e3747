//! When and where the program runs: CPU time, disk time, execution domain, memory nodes.

use libcontainer_init::{Step, Words};

use super::build::Build;
use super::entry::HostStep;
use crate::spec::{Process, Scheduler, TimeOffset};

/// What the process sets for itself. It needs no privilege, and the program keeps it.
pub(super) fn by_init(build: &mut Build<'_>) {
    let config = build.request.config;
    if let Some(domain) = config.personality {
        build.init_for(Step::Personality { domain }, "/linux/personality");
    }
    if let Some(policy) = &config.memory_policy {
        let nodes = mask(build, &policy.nodes);
        build.init_for(Step::MemoryPolicy { mode: policy.mode, nodes }, "/linux/memoryPolicy");
    }
}

/// A bit mask for a step.
pub(super) fn mask(build: &mut Build<'_>, words: &[u64]) -> Words {
    let halves: Vec<u32> = words.iter().flat_map(|word| halves(*word)).collect();
    build.pool.words(&halves)
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

pub(super) fn describe(scheduler: &Scheduler) -> String {
    let Scheduler { name, flags, nice, priority, runtime, deadline, period, .. } = scheduler;
    let parts = [
        ("nice", i128::from(*nice)),
        ("priority", i128::from(*priority)),
        ("flags", i128::from(*flags)),
        ("runtime", i128::from(*runtime)),
        ("deadline", i128::from(*deadline)),
        ("period", i128::from(*period)),
    ];
    let set = parts.iter().filter(|(_, value)| *value != 0);
    set.fold(format!("schedule with {name}"), |text, (key, value)| format!("{text} {key} {value}"))
}

pub(super) fn describe_clocks(offsets: &[TimeOffset]) -> String {
    let shown =
        offsets.iter().map(|TimeOffset { clock, secs, nanosecs }| format!("{clock} {secs} s {nanosecs} ns"));
    format!("set clocks {}", shown.collect::<Vec<_>>().join(", "))
}

/// The numbers of the bits that are set.
pub(super) fn describe_bits(words: &[u32]) -> String {
    let all = words.iter().enumerate().flat_map(|(index, word)| {
        (0..32).filter(move |bit| word & (1 << bit) != 0).map(move |bit| index * 32 + bit)
    });
    let shown: Vec<String> = all.map(|number| number.to_string()).collect();
    if shown.is_empty() { "none".into() } else { shown.join(",") }
}
