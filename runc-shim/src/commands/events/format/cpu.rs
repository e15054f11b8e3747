//! The time on CPUs, and which ones.

use libcontainer::cgroup::stats as cgroup;
use serde::Serialize;

use super::pressure::Pressure;
use super::{is_empty, is_zero};

#[derive(Serialize)]
pub(super) struct Cpu<'a> {
    usage: CpuUsage<'a>,
    throttling: Throttling,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Serialize)]
pub(super) struct CpuUsage<'a> {
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
    pub(super) fn of(cpu: &'a cgroup::Cpu) -> Self {
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
pub(super) struct Cpuset<'a> {
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
    pub(super) fn of(set: &'a cgroup::Cpuset) -> Self {
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
