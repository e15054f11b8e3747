//! CPU time and CPU sets.

use oci_spec::runtime::LinuxCpu;

use super::{Bound, CgroupError, pointer, set};

const SHARES_MIN: u64 = 2;
const SHARES_MAX: u64 = 262_144;

/// Limits of CPU time; times are in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// The weight against others as v1 counts it, 1024 by default.
    pub shares: Option<u64>,
    /// CPU time in each period.
    pub quota: Option<Bound>,
    /// The period.
    pub period: Option<u64>,
    /// Unused quota that may be saved up.
    pub burst: Option<u64>,
    /// Whether it runs only when nobody else wants to.
    pub idle: Option<bool>,
    /// Time for real-time scheduling in each real-time period; -1 for no limit (v1).
    pub realtime_runtime: Option<i64>,
    /// The real-time period (v1).
    pub realtime_period: Option<u64>,
}

/// The CPUs and memory nodes, as lists such as `0-3,7`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpuset {
    /// CPUs.
    pub cpus: Option<String>,
    /// Memory nodes.
    pub mems: Option<String>,
}

impl Cpu {
    pub(super) fn new(cpu: &LinuxCpu) -> Result<Self, CgroupError> {
        let idle = match cpu.idle() {
            None => None,
            Some(value @ (0 | 1)) => Some(value == 1),
            Some(value) => return Err(CgroupError::invalid(pointer::CPU_IDLE, value, "is neither 0 nor 1")),
        };
        // Clients write any negative number for no limit.
        let quota = set(cpu.quota()).map(|quota| u64::try_from(quota).map_or(Bound::Max, Bound::At));
        Ok(Self {
            shares: set(cpu.shares()),
            quota,
            period: set(cpu.period()),
            burst: cpu.burst(),
            idle,
            realtime_runtime: set(cpu.realtime_runtime()),
            realtime_period: set(cpu.realtime_period()),
        })
    }

    /// The pointer of the first value that is set.
    pub(in crate::cgroup) fn first(&self) -> Option<&'static str> {
        let set = [
            (self.shares.is_some(), pointer::CPU_SHARES),
            (self.quota.is_some(), pointer::CPU_QUOTA),
            (self.period.is_some(), pointer::CPU_PERIOD),
            (self.burst.is_some(), pointer::CPU_BURST),
            (self.idle.is_some(), pointer::CPU_IDLE),
            (self.realtime_runtime.is_some(), pointer::REALTIME_RUNTIME),
            (self.realtime_period.is_some(), pointer::REALTIME_PERIOD),
        ];
        set.iter().find_map(|(set, pointer)| set.then_some(*pointer))
    }

    /// Refuses shares that a v1 kernel would clamp in silence.
    pub(in crate::cgroup) fn check_shares(&self) -> Result<(), CgroupError> {
        match self.shares {
            Some(shares) if !(SHARES_MIN..=SHARES_MAX).contains(&shares) => {
                let reason = format!("is not in {SHARES_MIN} to {SHARES_MAX}");
                Err(CgroupError::invalid(pointer::CPU_SHARES, shares, reason))
            }
            _ => Ok(()),
        }
    }

    /// The shares as a v2 weight (1 to 10000, default 100).
    #[must_use]
    pub fn weight(&self) -> Option<u64> {
        self.shares.map(weight)
    }
}

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

impl Cpuset {
    pub(super) fn new(cpu: &LinuxCpu) -> Result<Self, CgroupError> {
        Ok(Self {
            cpus: list(cpu.cpus().as_deref(), pointer::CPUS)?,
            mems: list(cpu.mems().as_deref(), pointer::MEMS)?,
        })
    }
}

fn list(list: Option<&str>, pointer: &str) -> Result<Option<String>, CgroupError> {
    let allowed = |c: char| c.is_ascii_digit() || matches!(c, ',' | '-' | ':' | '/' | ' ');
    match list.filter(|list| !list.is_empty()) {
        Some(list) if !list.chars().all(allowed) => {
            Err(CgroupError::invalid(pointer, format!("{list:?}"), "is not a list such as 0-3,7"))
        }
        list => Ok(list.map(str::to_owned)),
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
