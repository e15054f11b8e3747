//! The control files of cgroup v2.

use super::{CgroupError, Write};
use crate::cgroup::limits::{BlockIo, Bound, Cpu, Memory, Throttle, ThrottleKind, pointer};

/// The kernel's own period, for a period that is given without a quota.
const DEFAULT_PERIOD: u64 = 100_000;

pub(super) fn memory(memory: &Memory, out: &mut Vec<Write>) -> Result<(), CgroupError> {
    if memory.swappiness.is_some() {
        return Err(CgroupError::unsupported(pointer::SWAPPINESS, "cgroup v2 has no swappiness of a cgroup"));
    }
    if memory.disable_oom_killer {
        let reason = "cgroup v2 cannot switch the OOM killer off";
        return Err(CgroupError::unsupported(pointer::OOM_KILLER, reason));
    }
    if let Some((swap, pointer)) = memory.swap_alone() {
        // A kernel without swap accounting has no file; no swap and no limit are then both true.
        let same = matches!(swap, Bound::Max | Bound::At(0));
        out.push(Write::new("memory.swap.max", swap, pointer).or_skip_if(same));
    }
    if let Some(limit) = memory.limit {
        let mut write = Write::new("memory.max", limit, pointer::MEMORY_LIMIT);
        write.usage = (memory.check_before_update && limit != Bound::Max).then_some("memory.current");
        out.push(write);
    }
    if let Some(reservation) = memory.reservation {
        out.push(Write::new("memory.low", reservation, pointer::MEMORY_RESERVATION));
    }
    Ok(())
}

pub(super) fn cpu(cpu: &Cpu, out: &mut Vec<Write>) -> Result<(), CgroupError> {
    let realtime = [
        (cpu.realtime_runtime.is_some(), pointer::REALTIME_RUNTIME),
        (cpu.realtime_period.is_some(), pointer::REALTIME_PERIOD),
    ];
    if let Some((_, pointer)) = realtime.iter().find(|(set, _)| *set) {
        return Err(CgroupError::unsupported(*pointer, "cgroup v2 has no limits of real-time scheduling"));
    }
    if let Some(weight) = cpu.weight() {
        out.push(Write::new("cpu.weight", weight, pointer::CPU_SHARES));
    }
    if let Some((value, pointer)) = bandwidth(cpu) {
        out.push(Write::new("cpu.max", value, pointer));
    }
    if let Some(burst) = cpu.burst {
        out.push(Write::new("cpu.max.burst", burst, pointer::CPU_BURST).or_skip_if(burst == 0));
    }
    super::idle(cpu, out);
    Ok(())
}

fn bandwidth(cpu: &Cpu) -> Option<(String, &'static str)> {
    match (cpu.quota, cpu.period) {
        (None, None) => None,
        (None, Some(period)) => Some((format!("max {period}"), pointer::CPU_PERIOD)),
        (Some(quota), period) => {
            Some((format!("{quota} {}", period.unwrap_or(DEFAULT_PERIOD)), pointer::CPU_QUOTA))
        }
    }
}

/// Weights go to the BFQ scheduler where the kernel has it, as with runc, else to the cost model.
pub(super) fn block_io(block_io: &BlockIo, out: &mut Vec<Write>) {
    const BFQ: &str = "io.bfq.weight";
    const COST: &str = "io.weight";
    if let Some(weight) = block_io.weight {
        let write = Write::new(BFQ, weight, pointer::BLOCK_WEIGHT);
        out.push(write.or_instead(COST, BlockIo::wide_weight(weight)));
    }
    for entry in &block_io.weights {
        let write = Write::new(BFQ, format_args!("{} {}", entry.device, entry.weight), &entry.pointer);
        let wide = BlockIo::wide_weight(entry.weight);
        out.push(write.or_instead(COST, format_args!("{} {wide}", entry.device)));
    }
    for entry in &block_io.throttles {
        out.push(throttle(entry));
    }
}

fn throttle(entry: &Throttle) -> Write {
    let key = match entry.kind {
        ThrottleKind::ReadBytes => "rbps",
        ThrottleKind::WriteBytes => "wbps",
        ThrottleKind::Reads => "riops",
        ThrottleKind::Writes => "wiops",
    };
    let rate = if entry.rate == 0 { Bound::Max } else { Bound::At(entry.rate) };
    Write::new("io.max", format_args!("{} {key}={rate}", entry.device), &entry.pointer)
}
