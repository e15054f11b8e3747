//! Events as runc writes them: which figures there are, what they are called, and which are left out when they are zero.

mod blkio;
mod cpu;
mod intel_rdt;
mod memory;
mod pressure;

use std::collections::BTreeMap;

use libcontainer::Stats;
use serde::Serialize;

use blkio::Blkio;
use cpu::{Cpu, Cpuset};
use intel_rdt::IntelRdt;
use memory::{HugePages, Memory};

/// A line of `events`.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
}

/// Memory ran out.
pub(super) fn out_of_memory(id: &str) -> Line<'_> {
    Line { kind: "oom", id, data: None }
}

/// The statistics of a moment.
pub(super) fn statistics<'a>(id: &'a str, stats: &'a Stats) -> Line<'a> {
    Line { kind: "stats", id, data: Some(Data::of(stats)) }
}

#[derive(Serialize)]
struct Data<'a> {
    cpu: Cpu<'a>,
    cpuset: Cpuset<'a>,
    memory: Memory<'a>,
    pids: Pids,
    blkio: Blkio<'a>,
    hugetlb: BTreeMap<&'a str, HugePages>,
    intel_rdt: IntelRdt<'a>,
    /// Only interfaces that the runtime made itself would be here, and it makes none.
    network_interfaces: Option<()>,
}

impl<'a> Data<'a> {
    fn of(stats: &'a Stats) -> Self {
        let cgroup = &stats.cgroup;
        Self {
            cpu: Cpu::of(&cgroup.cpu),
            cpuset: Cpuset::of(&cgroup.cpuset),
            memory: Memory::of(&cgroup.memory),
            pids: Pids { current: cgroup.pids.current, limit: cgroup.pids.limit },
            blkio: Blkio::of(&cgroup.io),
            hugetlb: cgroup
                .huge_pages
                .iter()
                .map(|(size, pages)| (size.as_str(), HugePages::of(pages)))
                .collect(),
            intel_rdt: stats.resctrl.as_ref().map(IntelRdt::of).unwrap_or_default(),
            network_interfaces: None,
        }
    }
}

#[derive(Serialize)]
struct Pids {
    #[serde(skip_serializing_if = "is_zero")]
    current: u64,
    #[serde(skip_serializing_if = "is_zero")]
    limit: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_empty<T>(list: &&[T]) -> bool {
    list.is_empty()
}
