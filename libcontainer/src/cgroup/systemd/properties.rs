//! From limits to the properties of a scope.

use super::value::{Type, Value};
use super::{Property, Systemd, unified};
use crate::cgroup::devices::units::{self, Listed};
use crate::cgroup::limits::{BlockIo, Bound, Cpuset, Limits, ThrottleKind, pointer};
use crate::cgroup::{CgroupError, Layout, LayoutKind, Rule};

/// The kernel's own period, in microseconds.
const DEFAULT_PERIOD: u64 = 100_000;
const SECOND: u64 = 1_000_000;
/// What systemd keeps of a quota: hundredths of a CPU.
const STEP: u64 = 10_000;

/// From which versions on systemd has a property.
const PERIOD_SINCE: u32 = 242;
pub(super) const CPUSET_SINCE: u32 = 244;
const IDLE_SINCE: u32 = 252;

/// What every container's scope is like, unless `asked` says otherwise.
pub fn always(id: &str, asked: &[Property]) -> Vec<Property> {
    let mut properties = vec![
        Property::new("Description", format!("libcontainer container {id}")),
        // The container's cgroup is ours, and below it the container's own.
        Property::new("Delegate", true),
        // Else systemd would stop it as late as it can when the host goes down, and wait for it.
        Property::new("DefaultDependencies", false),
        // A container that was killed for want of memory is a scope that failed. Nobody would reset it.
        Property::new("CollectMode", "inactive-or-failed"),
    ];
    // The statistics of containers come from there.
    let accounts = ["CPUAccounting", "MemoryAccounting", "IOAccounting", "TasksAccounting"];
    properties.extend(accounts.map(|name| Property::new(name, true)));
    properties.retain(|property| asked.iter().all(|asked| asked.name != property.name));
    properties
}

/// The same limits with a CPU quota that systemd can keep. It would write the rounded one itself, if not now then when
/// it reloads its units.
#[must_use]
pub fn rounded(limits: &Limits) -> Limits {
    let mut limits = limits.clone();
    if let Some(Bound::At(quota)) = limits.cpu.quota {
        let period = limits.cpu.period.unwrap_or(DEFAULT_PERIOD);
        let quota = u128::from(per_second(quota, period)) * u128::from(period) / u128::from(SECOND);
        limits.cpu.quota = Some(Bound::At(u64::try_from(quota).unwrap_or(u64::MAX)));
    }
    limits
}

/// A quota in microseconds of CPU time a second, in steps that systemd keeps, and never less than what was asked for.
fn per_second(quota: u64, period: u64) -> u64 {
    let exact = u128::from(quota) * u128::from(SECOND) / u128::from(period.max(1));
    u64::try_from(exact.next_multiple_of(u128::from(STEP))).unwrap_or(u64::MAX)
}

/// The properties that say how much CPU time there is in a period.
pub(super) fn bandwidth(quota: Bound, period: Option<u64>, version: u32) -> Vec<Property> {
    let quota = match quota {
        Bound::Max => u64::MAX,
        Bound::At(quota) => per_second(quota, period.unwrap_or(DEFAULT_PERIOD)),
    };
    let period = period.filter(|_| version >= PERIOD_SINCE);
    let period = period.map(|period| Property::new("CPUQuotaPeriodUSec", period));
    period.into_iter().chain([Property::new("CPUQuotaPerSecUSec", quota)]).collect()
}

/// The properties that limits become, those of devices aside. What there is no property for is written to the control files, as is all the
/// rest: what systemd has been told is what stays when it reloads.
///
/// # Errors
/// Values that systemd's properties cannot express, by JSON pointer.
pub fn properties(limits: &Limits, layout: &Layout, systemd: &Systemd) -> Result<Vec<Property>, CgroupError> {
    let is_v2 = layout.kind() == LayoutKind::V2;
    let mut out = Properties { list: Vec::new(), is_v2, version: systemd.version };
    out.memory(limits);
    out.cpu(limits);
    out.cpuset(&limits.cpuset)?;
    if let Some(limit) = limits.pids {
        out.bound("TasksMax", limit, pointer::PIDS);
    }
    out.block_io(&limits.block_io);
    for file in &limits.unified {
        let asked = unified::properties(file, systemd.version)?;
        out.list.retain(|property| asked.iter().all(|asked| asked.name != property.name));
        out.list.extend(asked);
    }
    Ok(out.list)
}

struct Properties {
    list: Vec<Property>,
    is_v2: bool,
    version: u32,
}

impl Properties {
    fn push(&mut self, name: &str, value: impl Into<Value>, pointer: &str) {
        self.list.push(Property::new(name, value).because_of(pointer));
    }

    fn bound(&mut self, name: &str, bound: Bound, pointer: &str) {
        self.push(name, number(bound), pointer);
    }

    fn memory(&mut self, limits: &Limits) {
        let memory = &limits.memory;
        if let Some(limit) = memory.limit {
            let name = if self.is_v2 { "MemoryMax" } else { "MemoryLimit" };
            self.bound(name, limit, pointer::MEMORY_LIMIT);
        }
        if !self.is_v2 {
            return;
        }
        if let Some(reservation) = memory.reservation {
            self.bound("MemoryLow", reservation, pointer::MEMORY_RESERVATION);
        }
        if let Some((swap, pointer)) = memory.swap_alone() {
            self.bound("MemorySwapMax", swap, pointer);
        }
    }

    fn cpu(&mut self, limits: &Limits) {
        let cpu = &limits.cpu;
        let idle = cpu.idle == Some(true) && self.is_v2 && self.version >= IDLE_SINCE;
        if idle {
            // The weight that no weight is.
            self.push("CPUWeight", 0u64, pointer::CPU_IDLE);
        } else if let (Some(weight), true) = (cpu.weight(), self.is_v2) {
            self.push("CPUWeight", weight, pointer::CPU_SHARES);
        } else if let Some(shares) = cpu.shares.filter(|_| !self.is_v2) {
            self.push("CPUShares", shares, pointer::CPU_SHARES);
        }
        if cpu.quota.is_some() || cpu.period.is_some() {
            let pointer = if cpu.quota.is_some() { pointer::CPU_QUOTA } else { pointer::CPU_PERIOD };
            let bandwidth = bandwidth(cpu.quota.unwrap_or(Bound::Max), cpu.period, self.version);
            self.list.extend(bandwidth.into_iter().map(|property| property.because_of(pointer)));
        }
    }

    fn cpuset(&mut self, cpuset: &Cpuset) -> Result<(), CgroupError> {
        let lists = [
            ("AllowedCPUs", &cpuset.cpus, pointer::CPUS),
            ("AllowedMemoryNodes", &cpuset.mems, pointer::MEMS),
        ];
        for (name, list, pointer) in lists {
            if let Some(list) = list.as_ref().filter(|_| self.version >= CPUSET_SINCE) {
                self.push(name, bits(list, pointer)?.as_slice(), pointer);
            }
        }
        Ok(())
    }

    fn block_io(&mut self, block_io: &BlockIo) {
        let (whole, each) = if self.is_v2 {
            ("IOWeight", "IODeviceWeight")
        } else {
            ("BlockIOWeight", "BlockIODeviceWeight")
        };
        let is_v2 = self.is_v2;
        let weight = |weight: u16| if is_v2 { BlockIo::wide_weight(weight) } else { weight.into() };
        if let Some(wanted) = block_io.weight {
            self.push(whole, weight(wanted), pointer::BLOCK_WEIGHT);
        }
        let weights = block_io.weights.iter();
        let weights: Vec<_> =
            weights.map(|entry| (entry.device.to_string(), Value::U64(weight(entry.weight)))).collect();
        self.of_devices(each, weights, pointer::BLOCK_IO);
        if !self.is_v2 {
            return;
        }
        for (kind, name) in [
            (ThrottleKind::ReadBytes, "IOReadBandwidthMax"),
            (ThrottleKind::WriteBytes, "IOWriteBandwidthMax"),
            (ThrottleKind::Reads, "IOReadIOPSMax"),
            (ThrottleKind::Writes, "IOWriteIOPSMax"),
        ] {
            let of_kind = block_io.throttles.iter().filter(|entry| entry.kind == kind && entry.rate != 0);
            let rates = of_kind.map(|entry| (entry.device.to_string(), Value::U64(entry.rate))).collect();
            self.of_devices(name, rates, pointer::BLOCK_IO);
        }
    }

    fn of_devices(&mut self, name: &str, values: Vec<(String, Value)>, pointer: &str) {
        if !values.is_empty() {
            let values = values.into_iter().map(|(device, value)| (format!("/dev/block/{device}"), value));
            self.push(name, Value::pairs(values, Type::U64), pointer);
        }
    }
}

/// The properties that device rules become.
///
/// systemd can list what is allowed and nothing else. Where that is not enough it is left out on v2, for its program
/// would stand beside ours; on v1 it denies all until the control files have been written.
#[must_use]
pub fn devices(rules: &[Rule], layout: &Layout) -> Vec<Property> {
    const POINTER: &str = "/linux/resources/devices";
    let (policy, list) = match units::list(rules) {
        Listed::All => ("auto", Vec::new()),
        Listed::Unsaid if layout.kind() == LayoutKind::V2 => ("auto", Vec::new()),
        Listed::Unsaid => ("strict", Vec::new()),
        Listed::Only(list) => ("strict", list),
    };
    let allow = |list: Vec<(String, String)>| {
        let list = list.into_iter().map(|(name, access)| (name, Value::Text(access)));
        Property::new("DeviceAllow", Value::pairs(list, Type::Text))
    };
    // What was listed before, by an earlier update, is dropped by an empty list.
    let mut properties = vec![Property::new("DevicePolicy", policy), allow(Vec::new())];
    if !list.is_empty() {
        properties.push(allow(list));
    }
    properties.into_iter().map(|property| property.because_of(POINTER)).collect()
}

/// systemd's number for no limit is the largest.
pub(super) fn number(bound: Bound) -> u64 {
    match bound {
        Bound::Max => u64::MAX,
        Bound::At(value) => value,
    }
}

/// A list such as `0-3,7` as the bits that the bus has: number 0 is the lowest of the first byte.
pub(super) fn bits(list: &str, pointer: &str) -> Result<Vec<u8>, CgroupError> {
    /// More than any kernel can be built for.
    const MOST: usize = 1 << 16;
    let invalid = |reason: &str| CgroupError::invalid(pointer, format!("{list:?}"), reason);
    let number = |text: &str| text.trim().parse::<usize>().ok().filter(|number| *number < MOST);
    let mut bits = Vec::new();
    for part in list.split(',').filter(|part| !part.trim().is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = number(first)
            .zip(number(last))
            .filter(|(first, last)| first <= last)
            .ok_or_else(|| invalid("is not a list that systemd's properties can have, such as 0-3,7"))?;
        for number in first..=last {
            if bits.len() <= number / 8 {
                bits.resize(number / 8 + 1, 0);
            }
            if let Some(byte) = bits.get_mut(number / 8) {
                *byte |= 1 << (number % 8);
            }
        }
    }
    if bits.is_empty() { Err(invalid("is an empty list")) } else { Ok(bits) }
}

#[cfg(test)]
#[path = "properties_tests.rs"]
mod tests;
