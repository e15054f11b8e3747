//! JSON pointers of the values that can be limited, for errors of every back end.

pub(in crate::cgroup) const MEMORY_LIMIT: &str = "/linux/resources/memory/limit";
pub(in crate::cgroup) const MEMORY_RESERVATION: &str = "/linux/resources/memory/reservation";
pub(in crate::cgroup) const MEMORY_SWAP: &str = "/linux/resources/memory/swap";
pub(in crate::cgroup) const MEMORY_KERNEL: &str = "/linux/resources/memory/kernel";
pub(in crate::cgroup) const MEMORY_KERNEL_TCP: &str = "/linux/resources/memory/kernelTCP";
pub(in crate::cgroup) const SWAPPINESS: &str = "/linux/resources/memory/swappiness";
pub(in crate::cgroup) const OOM_KILLER: &str = "/linux/resources/memory/disableOOMKiller";
pub(in crate::cgroup) const CPU_SHARES: &str = "/linux/resources/cpu/shares";
pub(in crate::cgroup) const CPU_QUOTA: &str = "/linux/resources/cpu/quota";
pub(in crate::cgroup) const CPU_PERIOD: &str = "/linux/resources/cpu/period";
pub(in crate::cgroup) const CPU_BURST: &str = "/linux/resources/cpu/burst";
pub(in crate::cgroup) const CPU_IDLE: &str = "/linux/resources/cpu/idle";
pub(in crate::cgroup) const REALTIME_RUNTIME: &str = "/linux/resources/cpu/realtimeRuntime";
pub(in crate::cgroup) const REALTIME_PERIOD: &str = "/linux/resources/cpu/realtimePeriod";
pub(in crate::cgroup) const CPUS: &str = "/linux/resources/cpu/cpus";
pub(in crate::cgroup) const MEMS: &str = "/linux/resources/cpu/mems";
pub(in crate::cgroup) const PIDS: &str = "/linux/resources/pids/limit";
pub(in crate::cgroup) const BLOCK_IO: &str = "/linux/resources/blockIO";
pub(in crate::cgroup) const BLOCK_WEIGHT: &str = "/linux/resources/blockIO/weight";
pub(in crate::cgroup) const HUGE_PAGES: &str = "/linux/resources/hugepageLimits";
pub(in crate::cgroup) const CLASS_ID: &str = "/linux/resources/network/classID";
pub(in crate::cgroup) const PRIORITIES: &str = "/linux/resources/network/priorities";
const RDMA: &str = "/linux/resources/rdma";
const UNIFIED: &str = "/linux/resources/unified";

/// The pointer of an entry of the map of RDMA devices.
pub(in crate::cgroup) fn rdma(device: &str) -> String {
    format!("{RDMA}/{}", token(device))
}

/// The pointer of an entry of the map of control files.
pub(in crate::cgroup) fn unified(file: &str) -> String {
    format!("{UNIFIED}/{}", token(file))
}

/// A key as a part of a JSON pointer (RFC 6901, section 3).
pub(in crate::cgroup) fn token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
