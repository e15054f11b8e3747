//! The control files of cgroup v1.

use super::{CgroupError, Host, Write, or_minus_one};
use crate::cgroup::limits::{BlockIo, Bound, Cpu, Memory, Network, ThrottleKind, pointer};

/// The limit before the sum with swap, which is never below it.
pub(super) fn memory(memory: &Memory, out: &mut Vec<Write>) {
    let combined = "memory.memsw.limit_in_bytes";
    if let Some(limit) = memory.limit {
        out.push(Write::new("memory.limit_in_bytes", or_minus_one(limit), pointer::MEMORY_LIMIT));
    }
    // A kernel without accounting of swap has no file, and no limit of the sum either.
    match (memory.swap, memory.limit) {
        (Some(swap), _) => {
            let write = Write::new(combined, or_minus_one(swap), pointer::MEMORY_SWAP);
            out.push(write.or_skip_if(swap == Bound::Max));
        }
        // No limit of memory means no limit of both.
        (None, Some(Bound::Max)) => out.push(Write::new(combined, -1, pointer::MEMORY_LIMIT).or_skip()),
        (None, _) => {}
    }
    if let Some(reservation) = memory.reservation {
        let value = or_minus_one(reservation);
        out.push(Write::new("memory.soft_limit_in_bytes", value, pointer::MEMORY_RESERVATION));
    }
    if memory.disable_oom_killer {
        out.push(Write::new("memory.oom_control", 1, pointer::OOM_KILLER));
    }
    if let Some(swappiness) = memory.swappiness {
        out.push(Write::new("memory.swappiness", swappiness, pointer::SWAPPINESS));
    }
}

pub(super) fn kernel_tcp(limit: Bound, out: &mut Vec<Write>) {
    let file = "memory.kmem.tcp.limit_in_bytes";
    // A kernel without the file has no such limit.
    out.push(
        Write::new(file, or_minus_one(limit), pointer::MEMORY_KERNEL_TCP).or_skip_if(limit == Bound::Max),
    );
}

pub(super) fn cpu(cpu: &Cpu, out: &mut Vec<Write>) -> Result<(), CgroupError> {
    cpu.check_shares()?;
    if let Some(shares) = cpu.shares {
        out.push(Write::new("cpu.shares", shares, pointer::CPU_SHARES));
    }
    if let Some(period) = cpu.period {
        out.push(Write::new("cpu.cfs_period_us", period, pointer::CPU_PERIOD));
    }
    if let Some(quota) = cpu.quota {
        out.push(Write::new("cpu.cfs_quota_us", or_minus_one(quota), pointer::CPU_QUOTA));
    }
    if let Some(burst) = cpu.burst {
        out.push(Write::new("cpu.cfs_burst_us", burst, pointer::CPU_BURST).or_skip_if(burst == 0));
    }
    if let Some(period) = cpu.realtime_period {
        out.push(Write::new("cpu.rt_period_us", period, pointer::REALTIME_PERIOD));
    }
    if let Some(runtime) = cpu.realtime_runtime {
        out.push(Write::new("cpu.rt_runtime_us", runtime, pointer::REALTIME_RUNTIME));
    }
    super::idle(cpu, out);
    Ok(())
}

/// Weights are those of the BFQ scheduler, the only one that kernels since 5.0 have them for.
pub(super) fn block_io(block_io: &BlockIo, out: &mut Vec<Write>) {
    if let Some(weight) = block_io.weight {
        out.push(Write::new("blkio.bfq.weight", weight, pointer::BLOCK_WEIGHT));
    }
    for entry in &block_io.weights {
        let value = format_args!("{} {}", entry.device, entry.weight);
        out.push(Write::new("blkio.bfq.weight_device", value, &entry.pointer));
    }
    for entry in &block_io.throttles {
        let file = match entry.kind {
            ThrottleKind::ReadBytes => "blkio.throttle.read_bps_device",
            ThrottleKind::WriteBytes => "blkio.throttle.write_bps_device",
            ThrottleKind::Reads => "blkio.throttle.read_iops_device",
            ThrottleKind::Writes => "blkio.throttle.write_iops_device",
        };
        out.push(Write::new(file, format_args!("{} {}", entry.device, entry.rate), &entry.pointer));
    }
}

/// Marks on packets have no successor in v2, where firewalls match on cgroups instead.
pub(super) fn network(network: &Network, host: &Host<'_>, out: &mut Vec<Write>) -> Result<(), CgroupError> {
    let require = |controller: &str, pointer: &str| match host.in_v1(controller) {
        true => Ok(()),
        false => Err(CgroupError::unsupported(
            pointer,
            format!("needs the {controller} controller of cgroup v1, which this host does not have"),
        )),
    };
    if let Some(class) = network.class_id {
        require("net_cls", pointer::CLASS_ID)?;
        out.push(Write::new("net_cls.classid", class, pointer::CLASS_ID));
    }
    for (index, entry) in network.priorities.iter().enumerate() {
        let pointer = format!("{}/{index}", pointer::PRIORITIES);
        require("net_prio", &pointer)?;
        let value = format_args!("{} {}", entry.name, entry.priority);
        out.push(Write::new("net_prio.ifpriomap", value, pointer));
    }
    Ok(())
}
