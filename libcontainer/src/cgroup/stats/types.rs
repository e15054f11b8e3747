use std::collections::BTreeMap;

/// Statistics of a container's cgroups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Processor time.
    pub cpu: Cpu,
    /// Where the processes may run; only v1 tells.
    pub cpuset: Cpuset,
    /// Memory.
    pub memory: Memory,
    /// Processes and threads.
    pub pids: Pids,
    /// Block devices.
    pub io: Io,
    /// Huge pages by their size (`2MB`).
    pub huge_pages: BTreeMap<String, HugePages>,
}

/// Processor time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cpu {
    /// How much was used.
    pub usage: CpuUsage,
    /// How often it was withheld.
    pub throttling: Throttling,
    /// How long processes waited for it.
    pub pressure: Option<Pressure>,
}

/// Processor time that was used, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuUsage {
    /// All of it.
    pub total: u64,
    /// In kernel mode.
    pub kernel: u64,
    /// In user mode.
    pub user: u64,
    /// By CPU; v1 only, as the two below.
    pub per_cpu: Vec<u64>,
    /// By CPU, in kernel mode.
    pub per_cpu_kernel: Vec<u64>,
    /// By CPU, in user mode.
    pub per_cpu_user: Vec<u64>,
}

/// What the CPU quota did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttling {
    /// Periods in which something ran.
    pub periods: u64,
    /// Periods in which the quota was used up.
    pub throttled_periods: u64,
    /// How long processes were held back, in nanoseconds.
    pub throttled_time: u64,
}

/// A v1 cpuset (cpuset(7)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the names are those of the files
pub struct Cpuset {
    pub cpus: Vec<u16>,
    pub cpu_exclusive: u64,
    pub mems: Vec<u16>,
    pub mem_hardwall: u64,
    pub mem_exclusive: u64,
    pub memory_migrate: u64,
    pub memory_spread_page: u64,
    pub memory_spread_slab: u64,
    pub memory_pressure: u64,
    pub sched_load_balance: u64,
    pub sched_relax_domain_level: i64,
}

/// Memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// The page cache, in bytes.
    pub cache: u64,
    /// Memory without swap.
    pub usage: MemoryUse,
    /// Memory and swap together.
    pub swap: MemoryUse,
    /// The kernel's part; v1 only.
    pub kernel: MemoryUse,
    /// The part of TCP's buffers; v1 only.
    pub kernel_tcp: MemoryUse,
    /// The kernel's `memory.stat`.
    pub raw: BTreeMap<String, u64>,
    /// How long processes waited for it.
    pub pressure: Option<Pressure>,
}

/// One kind of memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// How much may be used; `u64::MAX` for any amount.
    pub limit: u64,
    /// How much is used.
    pub usage: u64,
    /// The most that was ever used.
    pub max: u64,
    /// How often the limit was hit; v1 only.
    pub failures: u64,
}

/// Processes and threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pids {
    /// How many there are.
    pub current: u64,
    /// How many there may be; 0 for any number.
    pub limit: u64,
}

/// Block devices: one list a figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Io {
    /// Bytes.
    pub service_bytes: Vec<IoEntry>,
    /// Operations.
    pub serviced: Vec<IoEntry>,
    /// Operations that wait; v1 only, as all below.
    pub queued: Vec<IoEntry>,
    /// Nanoseconds from dispatch to completion.
    pub service_time: Vec<IoEntry>,
    /// Nanoseconds in queues.
    pub wait_time: Vec<IoEntry>,
    /// Operations that became part of others.
    pub merged: Vec<IoEntry>,
    /// Milliseconds of the device.
    pub time: Vec<IoEntry>,
    /// Sectors.
    pub sectors: Vec<IoEntry>,
    /// How long processes waited for devices.
    pub pressure: Option<Pressure>,
}

/// A figure of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IoEntry {
    /// Major number.
    pub major: u64,
    /// Minor number.
    pub minor: u64,
    /// `Read`, `Write` and the like; empty where the figure is not divided.
    pub operation: String,
    /// The figure.
    pub value: u64,
}

/// Huge pages of one size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HugePages {
    /// Bytes in use or reserved.
    pub usage: u64,
    /// The most there ever were; v1 only.
    pub max: u64,
    /// How often the limit was hit.
    pub failures: u64,
}

/// How long processes waited for a resource (pressure stall information).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// At least one of them waited.
    pub some: Stall,
    /// All of them waited.
    pub full: Stall,
}

/// A share of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stall {
    /// Percent of the last 10 seconds.
    pub avg10: f64,
    /// Percent of the last minute.
    pub avg60: f64,
    /// Percent of the last 5 minutes.
    pub avg300: f64,
    /// Microseconds since the cgroup was made.
    pub total: u64,
}
