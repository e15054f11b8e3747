//! Control files of cgroup v2, given by name, as properties of a scope.

use super::Property;
use super::properties::{bits, number};
use crate::cgroup::CgroupError;
use crate::cgroup::limits::{Bound, UnifiedFile, pointer};

/// The properties that say the same as a control file; none if systemd has none, and the file is only written.
pub(super) fn properties(file: &UnifiedFile, version: u32) -> Result<Vec<Property>, CgroupError> {
    let pointer = pointer::unified(&file.name);
    let value = file.value.trim();
    let one = |name: &str, value: u64| vec![Property::new(name, value).because_of(&pointer)];
    let bounded = |name: &str| match bound(value) {
        Some(bound) => Ok(one(name, number(bound))),
        None => Err(CgroupError::invalid(&pointer, format!("{value:?}"), "is neither a number nor max")),
    };
    let set =
        |name: &str| Ok(vec![Property::new(name, bits(value, &pointer)?.as_slice()).because_of(&pointer)]);
    match file.name.as_str() {
        "memory.min" => bounded("MemoryMin"),
        "memory.low" => bounded("MemoryLow"),
        "memory.high" => bounded("MemoryHigh"),
        "memory.max" => bounded("MemoryMax"),
        "memory.swap.max" => bounded("MemorySwapMax"),
        "pids.max" => bounded("TasksMax"),
        "cpu.weight" => bounded("CPUWeight"),
        "cpuset.cpus" if version >= super::properties::CPUSET_SINCE => set("AllowedCPUs"),
        "cpuset.mems" if version >= super::properties::CPUSET_SINCE => set("AllowedMemoryNodes"),
        "cpu.max" => bandwidth(value, version, &pointer),
        _ => Ok(Vec::new()),
    }
}

fn bound(value: &str) -> Option<Bound> {
    if value == "max" { Some(Bound::Max) } else { value.parse().ok().map(Bound::At) }
}

/// `QUOTA PERIOD`, of which the period may be missing.
fn bandwidth(value: &str, version: u32, pointer: &str) -> Result<Vec<Property>, CgroupError> {
    let mut words = value.split_whitespace();
    let quota = words.next().and_then(bound);
    let period = words.next().map(|word| word.parse::<u64>().ok().filter(|period| *period > 0));
    let (Some(quota), None | Some(Some(_)), None) = (quota, period, words.next()) else {
        let reason = "is not of the form QUOTA PERIOD";
        return Err(CgroupError::invalid(pointer, format!("{value:?}"), reason));
    };
    let period = period.flatten();
    Ok(super::properties::bandwidth(quota, period, version)
        .into_iter()
        .map(|property| property.because_of(pointer))
        .collect())
}
