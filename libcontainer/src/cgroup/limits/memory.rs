//! Memory limits. The configuration's `swap` is memory and swap together, as in v1; v2 limits swap alone.

use oci_spec::runtime::LinuxMemory;

use super::{CgroupError, Planner, Version, Write, set};

const LIMIT: &str = "/linux/resources/memory/limit";
const RESERVATION: &str = "/linux/resources/memory/reservation";
const SWAP: &str = "/linux/resources/memory/swap";
const SWAPPINESS: &str = "/linux/resources/memory/swappiness";
const OOM: &str = "/linux/resources/memory/disableOOMKiller";
const MEMORY: &str = "memory";

/// The values that are set, each checked against what any kernel accepts.
struct Wanted {
    limit: Option<i64>,
    reservation: Option<i64>,
    swap: Option<i64>,
    swappiness: Option<u64>,
    keep_alive: bool,
    check: bool,
}

pub(super) fn plan(plan: &mut Planner<'_>, memory: &LinuxMemory) -> Result<(), CgroupError> {
    refuse_kernel_memory(memory)?;
    let wanted = Wanted {
        limit: bytes(memory.limit(), LIMIT)?,
        reservation: bytes(memory.reservation(), RESERVATION)?,
        swap: bytes(memory.swap(), SWAP)?,
        // -1 in a field without a sign is how clients say "the default".
        swappiness: memory.swappiness().filter(|value| *value != u64::MAX),
        keep_alive: memory.disable_oom_killer() == Some(true),
        check: memory.check_before_update() == Some(true),
    };
    let Some(pointer) = wanted.first_pointer() else { return Ok(()) };
    wanted.check_swap()?;
    match plan.version(MEMORY, pointer)? {
        Version::V1 => plan_v1(plan, &wanted),
        Version::V2 => plan_v2(plan, &wanted),
    }
}

impl Wanted {
    fn first_pointer(&self) -> Option<&'static str> {
        [
            (self.limit.is_some(), LIMIT),
            (self.reservation.is_some(), RESERVATION),
            (self.swap.is_some(), SWAP),
            (self.swappiness.is_some(), SWAPPINESS),
            (self.keep_alive, OOM),
        ]
        .iter()
        .find_map(|(set, pointer)| set.then_some(*pointer))
    }

    fn check_swap(&self) -> Result<(), CgroupError> {
        match (self.limit, self.swap) {
            (Some(limit), Some(swap)) if limit > 0 && swap > 0 && swap < limit => {
                let reason = format!("is memory and swap together, so at least the memory limit {limit}");
                Err(CgroupError::invalid(SWAP, swap, reason))
            }
            (None, Some(swap)) if swap > 0 => {
                Err(CgroupError::invalid(SWAP, swap, "cannot be set without a memory limit"))
            }
            _ => Ok(()),
        }
    }
}

fn plan_v1(plan: &mut Planner<'_>, wanted: &Wanted) -> Result<(), CgroupError> {
    if let Some(limit) = wanted.limit {
        plan.write(MEMORY, "memory.limit_in_bytes", limit, LIMIT);
    }
    let combined = "memory.memsw.limit_in_bytes";
    match (wanted.swap, wanted.limit) {
        (Some(swap), _) => {
            let write = Write::new(MEMORY, combined, swap, SWAP);
            plan.push(if swap == -1 { write.optional() } else { write });
        }
        // No limit of memory means no limit of both.
        (None, Some(-1)) => plan.push(Write::new(MEMORY, combined, -1, LIMIT).optional()),
        _ => {}
    }
    if let Some(reservation) = wanted.reservation {
        plan.write(MEMORY, "memory.soft_limit_in_bytes", reservation, RESERVATION);
    }
    if wanted.keep_alive {
        plan.write(MEMORY, "memory.oom_control", 1, OOM);
    }
    match wanted.swappiness {
        Some(value) if value > 100 => Err(CgroupError::invalid(SWAPPINESS, value, "is not in 0 to 100")),
        Some(value) => {
            plan.write(MEMORY, "memory.swappiness", value, SWAPPINESS);
            Ok(())
        }
        None => Ok(()),
    }
}

fn plan_v2(plan: &mut Planner<'_>, wanted: &Wanted) -> Result<(), CgroupError> {
    if wanted.swappiness.is_some() {
        return Err(CgroupError::unsupported(SWAPPINESS, "cgroup v2 has no swappiness of a cgroup"));
    }
    if wanted.keep_alive {
        return Err(CgroupError::unsupported(OOM, "cgroup v2 cannot switch the OOM killer off"));
    }
    if let Some((value, pointer)) = swap_alone(wanted) {
        let write = Write::new(MEMORY, "memory.swap.max", max_or(value), pointer);
        // A kernel without swap accounting has no file; no swap and no limit are then both true.
        plan.push(if value <= 0 { write.optional() } else { write });
    }
    if let Some(limit) = wanted.limit {
        let mut write = Write::new(MEMORY, "memory.max", max_or(limit), LIMIT);
        write.usage = (wanted.check && limit > 0).then_some("memory.current");
        plan.push(write);
    }
    if let Some(reservation) = wanted.reservation {
        plan.write(MEMORY, "memory.low", max_or(reservation), RESERVATION);
    }
    Ok(())
}

/// The limit of swap without memory, -1 for none; 0 forbids swapping.
fn swap_alone(wanted: &Wanted) -> Option<(i64, &'static str)> {
    match (wanted.swap, wanted.limit) {
        (Some(swap), Some(limit)) if swap > 0 && limit > 0 => Some((swap.saturating_sub(limit), SWAP)),
        (Some(swap), _) => Some((swap, SWAP)),
        (None, Some(-1)) => Some((-1, LIMIT)),
        (None, _) => None,
    }
}

fn max_or(value: i64) -> String {
    if value == -1 { "max".to_owned() } else { value.to_string() }
}

fn bytes(value: Option<i64>, pointer: &str) -> Result<Option<i64>, CgroupError> {
    match set(value) {
        Some(value) if value < -1 => Err(CgroupError::invalid(pointer, value, "only -1 means unlimited")),
        value => Ok(value),
    }
}

fn refuse_kernel_memory(memory: &LinuxMemory) -> Result<(), CgroupError> {
    let unlimited = |value: Option<i64>| value.is_none_or(|value| value == 0 || value == -1);
    let found = [("kernel", memory.kernel()), ("kernelTCP", memory.kernel_tcp())];
    match found.iter().find(|(_, value)| !unlimited(*value)) {
        Some((field, _)) => Err(CgroupError::unsupported(
            format!("/linux/resources/memory/{field}"),
            "kernels since 5.16 have no limit of kernel memory; use memory/limit, which counts it",
        )),
        None => Ok(()),
    }
}
