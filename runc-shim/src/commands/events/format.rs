//! Events as runc writes them: which figures there are, what they are called, and which are left out when they are zero.

use std::collections::BTreeMap;

use libcontainer::Stats;
use libcontainer::cgroup::stats as cgroup;
use libcontainer::resctrl;
use serde::{Serialize, Serializer};

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
struct Cpu<'a> {
    usage: CpuUsage<'a>,
    throttling: Throttling,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Serialize)]
struct CpuUsage<'a> {
    #[serde(skip_serializing_if = "is_zero")]
    total: u64,
    #[serde(skip_serializing_if = "is_empty")]
    percpu: &'a [u64],
    #[serde(skip_serializing_if = "is_empty")]
    percpu_kernel: &'a [u64],
    #[serde(skip_serializing_if = "is_empty")]
    percpu_user: &'a [u64],
    kernel: u64,
    user: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Throttling {
    #[serde(skip_serializing_if = "is_zero")]
    periods: u64,
    #[serde(skip_serializing_if = "is_zero")]
    throttled_periods: u64,
    #[serde(skip_serializing_if = "is_zero")]
    throttled_time: u64,
}

impl<'a> Cpu<'a> {
    fn of(cpu: &'a cgroup::Cpu) -> Self {
        let (usage, throttling) = (&cpu.usage, &cpu.throttling);
        Self {
            usage: CpuUsage {
                total: usage.total,
                percpu: &usage.per_cpu,
                percpu_kernel: &usage.per_cpu_kernel,
                percpu_user: &usage.per_cpu_user,
                kernel: usage.kernel,
                user: usage.user,
            },
            throttling: Throttling {
                periods: throttling.periods,
                throttled_periods: throttling.throttled_periods,
                throttled_time: throttling.throttled_time,
            },
            psi: cpu.pressure.as_ref().map(Pressure::of),
        }
    }
}

#[derive(Serialize)]
struct Cpuset<'a> {
    #[serde(skip_serializing_if = "is_empty")]
    cpus: &'a [u16],
    cpu_exclusive: u64,
    #[serde(skip_serializing_if = "is_empty")]
    mems: &'a [u16],
    mem_hardwall: u64,
    mem_exclusive: u64,
    memory_migrate: u64,
    memory_spread_page: u64,
    memory_spread_slab: u64,
    memory_pressure: u64,
    sched_load_balance: u64,
    sched_relax_domain_level: i64,
}

impl<'a> Cpuset<'a> {
    fn of(set: &'a cgroup::Cpuset) -> Self {
        Self {
            cpus: &set.cpus,
            cpu_exclusive: set.cpu_exclusive,
            mems: &set.mems,
            mem_hardwall: set.mem_hardwall,
            mem_exclusive: set.mem_exclusive,
            memory_migrate: set.memory_migrate,
            memory_spread_page: set.memory_spread_page,
            memory_spread_slab: set.memory_spread_slab,
            memory_pressure: set.memory_pressure,
            sched_load_balance: set.sched_load_balance,
            sched_relax_domain_level: set.sched_relax_domain_level,
        }
    }
}

#[derive(Serialize)]
struct Memory<'a> {
    #[serde(skip_serializing_if = "is_zero")]
    cache: u64,
    usage: MemoryUse,
    swap: MemoryUse,
    kernel: MemoryUse,
    #[serde(rename = "kernelTCP")]
    kernel_tcp: MemoryUse,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    raw: &'a BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Serialize)]
struct MemoryUse {
    limit: u64,
    #[serde(skip_serializing_if = "is_zero")]
    usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    max: u64,
    failcnt: u64,
}

impl<'a> Memory<'a> {
    fn of(memory: &'a cgroup::Memory) -> Self {
        let of = |kind: &cgroup::MemoryUse| MemoryUse {
            limit: kind.limit,
            usage: kind.usage,
            max: kind.max,
            failcnt: kind.failures,
        };
        Self {
            cache: memory.cache,
            usage: of(&memory.usage),
            swap: of(&memory.swap),
            kernel: of(&memory.kernel),
            kernel_tcp: of(&memory.kernel_tcp),
            raw: &memory.raw,
            psi: memory.pressure.as_ref().map(Pressure::of),
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Blkio<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_service_bytes_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_serviced_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_queue_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_service_time_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_wait_time_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_merged_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_time_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sectors_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Serialize)]
struct BlkioEntry<'a> {
    #[serde(skip_serializing_if = "is_zero")]
    major: u64,
    #[serde(skip_serializing_if = "is_zero")]
    minor: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    op: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    value: u64,
}

impl<'a> Blkio<'a> {
    fn of(io: &'a cgroup::Io) -> Self {
        let of = |list: &'a [cgroup::IoEntry]| list.iter().map(BlkioEntry::of).collect();
        Self {
            io_service_bytes_recursive: of(&io.service_bytes),
            io_serviced_recursive: of(&io.serviced),
            io_queue_recursive: of(&io.queued),
            io_service_time_recursive: of(&io.service_time),
            io_wait_time_recursive: of(&io.wait_time),
            io_merged_recursive: of(&io.merged),
            io_time_recursive: of(&io.time),
            sectors_recursive: of(&io.sectors),
            psi: io.pressure.as_ref().map(Pressure::of),
        }
    }
}

impl<'a> BlkioEntry<'a> {
    fn of(entry: &'a cgroup::IoEntry) -> Self {
        Self { major: entry.major, minor: entry.minor, op: &entry.operation, value: entry.value }
    }
}

#[derive(Serialize)]
struct HugePages {
    #[serde(skip_serializing_if = "is_zero")]
    usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    max: u64,
    failcnt: u64,
}

impl HugePages {
    fn of(pages: &cgroup::HugePages) -> Self {
        Self { usage: pages.usage, max: pages.max, failcnt: pages.failures }
    }
}

#[derive(Serialize)]
struct Pressure {
    some: Stall,
    full: Stall,
}

#[derive(Serialize)]
struct Stall {
    #[serde(serialize_with = "as_go_writes_it")]
    avg10: f64,
    #[serde(serialize_with = "as_go_writes_it")]
    avg60: f64,
    #[serde(serialize_with = "as_go_writes_it")]
    avg300: f64,
    total: u64,
}

impl Pressure {
    fn of(pressure: &cgroup::Pressure) -> Self {
        let of = |stall: &cgroup::Stall| Stall {
            avg10: stall.avg10,
            avg60: stall.avg60,
            avg300: stall.avg300,
            total: stall.total,
        };
        Self { some: of(&pressure.some), full: of(&pressure.full) }
    }
}

/// Whole numbers without a decimal point.
fn as_go_writes_it<S: Serializer>(percent: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    let whole = *percent as u64;
    if whole as f64 == *percent {
        serializer.serialize_u64(whole)
    } else {
        serializer.serialize_f64(*percent)
    }
}

#[derive(Default, Serialize)]
struct IntelRdt<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    l3_cache_info: Option<CacheInfo<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    l3_cache_schema_root: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    l3_cache_schema: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_bw_info: Option<MemoryBandwidthInfo>,
    #[serde(skip_serializing_if = "str::is_empty")]
    mem_bw_schema_root: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    mem_bw_schema: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mbm_stats: Vec<Bandwidth>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cmt_stats: Vec<Occupancy>,
}

#[derive(Serialize)]
struct CacheInfo<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    cbm_mask: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    min_cbm_bits: u64,
    #[serde(skip_serializing_if = "is_zero")]
    num_closids: u64,
}

#[derive(Serialize)]
struct MemoryBandwidthInfo {
    #[serde(skip_serializing_if = "is_zero")]
    bandwidth_gran: u64,
    #[serde(skip_serializing_if = "is_zero")]
    delay_linear: u64,
    #[serde(skip_serializing_if = "is_zero")]
    min_bandwidth: u64,
    #[serde(skip_serializing_if = "is_zero")]
    num_closids: u64,
}

#[derive(Serialize)]
struct Bandwidth {
    mbm_total_bytes: u64,
    mbm_local_bytes: u64,
}

#[derive(Serialize)]
struct Occupancy {
    llc_occupancy: u64,
}

impl<'a> IntelRdt<'a> {
    fn of(stats: &'a resctrl::Stats) -> Self {
        let (cache, bandwidth) = (stats.cache.as_ref(), stats.bandwidth.as_ref());
        Self {
            l3_cache_info: cache.map(|cache| CacheInfo {
                cbm_mask: &cache.info.cbm_mask,
                min_cbm_bits: cache.info.min_cbm_bits,
                num_closids: cache.info.num_closids,
            }),
            l3_cache_schema_root: cache.map_or("", |cache| &cache.root_schema),
            l3_cache_schema: cache.map_or("", |cache| &cache.schema),
            mem_bw_info: bandwidth.map(|bandwidth| MemoryBandwidthInfo {
                bandwidth_gran: bandwidth.info.bandwidth_gran,
                delay_linear: bandwidth.info.delay_linear,
                min_bandwidth: bandwidth.info.min_bandwidth,
                num_closids: bandwidth.info.num_closids,
            }),
            mem_bw_schema_root: bandwidth.map_or("", |bandwidth| &bandwidth.root_schema),
            mem_bw_schema: bandwidth.map_or("", |bandwidth| &bandwidth.schema),
            mbm_stats: stats
                .monitored
                .bandwidth
                .iter()
                .map(|moved| Bandwidth { mbm_total_bytes: moved.total, mbm_local_bytes: moved.local })
                .collect(),
            cmt_stats: stats
                .monitored
                .cache_occupancy
                .iter()
                .map(|bytes| Occupancy { llc_occupancy: *bytes })
                .collect(),
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_empty<T>(list: &&[T]) -> bool {
    list.is_empty()
}
