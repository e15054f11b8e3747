//! CPU time and CPU sets.

use oci_spec::runtime::LinuxCpu;

use super::{CgroupError, Planner, Version, Write, set};

const CPU: &str = "cpu";
const CPUSET: &str = "cpuset";
const SHARES: &str = "/linux/resources/cpu/shares";
const QUOTA: &str = "/linux/resources/cpu/quota";
const PERIOD: &str = "/linux/resources/cpu/period";
const BURST: &str = "/linux/resources/cpu/burst";
const IDLE: &str = "/linux/resources/cpu/idle";

/// The kernel's own period, needed on v2 where quota and period are one value.
const DEFAULT_PERIOD: u64 = 100_000;
const SHARES_MIN: u64 = 2;
const SHARES_MAX: u64 = 262_144;

pub(super) fn plan(plan: &mut Planner<'_>, cpu: &LinuxCpu) -> Result<(), CgroupError> {
    refuse_realtime(cpu)?;
    plan_time(plan, cpu)?;
    plan_set(plan, cpu.cpus().as_deref(), "cpuset.cpus", "/linux/resources/cpu/cpus")?;
    plan_set(plan, cpu.mems().as_deref(), "cpuset.mems", "/linux/resources/cpu/mems")
}

fn plan_time(plan: &mut Planner<'_>, cpu: &LinuxCpu) -> Result<(), CgroupError> {
    let first = [
        (set(cpu.shares()).is_some(), SHARES),
        (set(cpu.quota()).is_some(), QUOTA),
        (set(cpu.period()).is_some(), PERIOD),
        (cpu.burst().is_some(), BURST),
        (cpu.idle().is_some(), IDLE),
    ];
    let Some((_, pointer)) = first.iter().find(|(set, _)| *set) else { return Ok(()) };
    let version = plan.version(CPU, pointer)?;
    plan_shares(plan, set(cpu.shares()), version)?;
    match version {
        Version::V1 => plan_bandwidth_v1(plan, cpu),
        Version::V2 => plan_bandwidth_v2(plan, cpu),
    }
    if let Some(burst) = cpu.burst() {
        let file = if version == Version::V1 { "cpu.cfs_burst_us" } else { "cpu.max.burst" };
        let write = Write::new(CPU, file, burst, BURST);
        plan.push(if burst == 0 { write.optional() } else { write });
    }
    // Last, since the kernel refuses a weight for a cgroup that is idle already.
    match cpu.idle() {
        Some(0) => plan.push(Write::new(CPU, "cpu.idle", 0, IDLE).optional()),
        Some(1) => plan.write(CPU, "cpu.idle", 1, IDLE),
        Some(other) => return Err(CgroupError::invalid(IDLE, other, "is neither 0 nor 1")),
        None => {}
    }
    Ok(())
}

fn plan_shares(plan: &mut Planner<'_>, shares: Option<u64>, version: Version) -> Result<(), CgroupError> {
    match (shares, version) {
        (None, _) => {}
        (Some(shares), Version::V2) => plan.write(CPU, "cpu.weight", weight(shares), SHARES),
        // The kernel would clamp in silence.
        (Some(shares), Version::V1) if !(SHARES_MIN..=SHARES_MAX).contains(&shares) => {
            let reason = format!("is not in {SHARES_MIN} to {SHARES_MAX}");
            return Err(CgroupError::invalid(SHARES, shares, reason));
        }
        (Some(shares), Version::V1) => plan.write(CPU, "cpu.shares", shares, SHARES),
    }
    Ok(())
}

fn plan_bandwidth_v1(plan: &mut Planner<'_>, cpu: &LinuxCpu) {
    if let Some(period) = set(cpu.period()) {
        plan.write(CPU, "cpu.cfs_period_us", period, PERIOD);
    }
    if let Some(quota) = set(cpu.quota()) {
        plan.write(CPU, "cpu.cfs_quota_us", quota.max(-1), QUOTA);
    }
}

fn plan_bandwidth_v2(plan: &mut Planner<'_>, cpu: &LinuxCpu) {
    let (quota, period) = (set(cpu.quota()), set(cpu.period()));
    if quota.is_none() && period.is_none() {
        return;
    }
    let pointer = if quota.is_some() { QUOTA } else { PERIOD };
    let quota = quota.filter(|quota| *quota > 0).map_or("max".to_owned(), |quota| quota.to_string());
    plan.write(CPU, "cpu.max", format_args!("{quota} {}", period.unwrap_or(DEFAULT_PERIOD)), pointer);
}

/// Converts v1 shares (2 to 262144, default 1024) to a v2 weight (1 to 10000, default 100).
///
/// A straight line through both ranges would turn the default of 1024 into a weight of 39. This is
/// the curve that runc, crun and the kubelet agreed on: quadratic in the logarithm, through the
/// minimum, the default and the maximum.
fn weight(shares: u64) -> u64 {
    if shares <= SHARES_MIN {
        return 1;
    }
    if shares >= SHARES_MAX {
        return 10_000;
    }
    let log = (shares as f64).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    10_f64.powf(exponent).ceil() as u64
}

fn plan_set(
    plan: &mut Planner<'_>,
    list: Option<&str>,
    file: &str,
    pointer: &str,
) -> Result<(), CgroupError> {
    let Some(list) = list.filter(|list| !list.is_empty()) else { return Ok(()) };
    let allowed = |c: char| c.is_ascii_digit() || matches!(c, ',' | '-' | ':' | '/' | ' ');
    if !list.chars().all(allowed) {
        return Err(CgroupError::invalid(pointer, format!("{list:?}"), "is not a list such as 0-3,7"));
    }
    plan.version(CPUSET, pointer)?;
    plan.write(CPUSET, file, list, pointer);
    Ok(())
}

fn refuse_realtime(cpu: &LinuxCpu) -> Result<(), CgroupError> {
    let found = [
        ("realtimeRuntime", set(cpu.realtime_runtime()).is_some()),
        ("realtimePeriod", set(cpu.realtime_period()).is_some()),
    ];
    match found.iter().find(|(_, set)| *set) {
        Some((field, _)) => {
            Err(CgroupError::unsupported(format!("/linux/resources/cpu/{field}"), "not supported yet"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn shares_become_weights_on_the_agreed_curve() {
        // Minimum, a tenth of a CPU as the kubelet counts, the default, ten CPUs, and the maximum.
        let pairs =
            [(1, 1), (2, 1), (102, 17), (1024, 100), (10_240, 639), (262_143, 10_000), (262_144, 10_000)];
        for (shares, expected) in pairs {
            assert_eq!(weight(shares), expected, "{shares}");
        }
        assert!((2..262_144).step_by(97).all(|shares| weight(shares) <= weight(shares + 97)));
    }
}
