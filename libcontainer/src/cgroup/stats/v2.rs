//! Statistics of the unified hierarchy.

use std::collections::BTreeMap;

use super::read::{kinds_of_huge_pages, malformed, number, number_or_zero, pairs, parse, text, value_of};
use super::types::{CpuUsage, HugePages, Io, IoEntry, Memory, MemoryUse, Pids, Pressure, Stall, Throttling};
use crate::cgroup::CgroupError;
use crate::cgroup::dir::Dir;

const NANOSECONDS_A_MICROSECOND: u64 = 1_000;

pub(super) fn cpu_usage(dir: &Dir) -> Result<CpuUsage, CgroupError> {
    let pairs = pairs(dir, "cpu.stat")?.unwrap_or_default();
    let nanoseconds = |key| value_of(&pairs, key).saturating_mul(NANOSECONDS_A_MICROSECOND);
    Ok(CpuUsage {
        total: nanoseconds("usage_usec"),
        kernel: nanoseconds("system_usec"),
        user: nanoseconds("user_usec"),
        ..CpuUsage::default()
    })
}

pub(super) fn throttling(dir: &Dir) -> Result<Throttling, CgroupError> {
    let pairs = pairs(dir, "cpu.stat")?.unwrap_or_default();
    Ok(Throttling {
        periods: value_of(&pairs, "nr_periods"),
        throttled_periods: value_of(&pairs, "nr_throttled"),
        throttled_time: value_of(&pairs, "throttled_usec").saturating_mul(NANOSECONDS_A_MICROSECOND),
    })
}

/// In the terms of v1, where swap is counted together with memory.
pub(super) fn memory(dir: &Dir) -> Result<Memory, CgroupError> {
    let Some(usage) = number(dir, "memory.current")? else { return Ok(Memory::default()) };
    let raw: BTreeMap<_, _> = pairs(dir, "memory.stat")?.unwrap_or_default().into_iter().collect();
    let limit = number_or_zero(dir, "memory.max")?;
    // Without swap accounting there is no such limit, and nothing swapped out.
    let swap_limit = number_or_zero(dir, "memory.swap.max")?;
    Ok(Memory {
        cache: raw.get("file").copied().unwrap_or_default(),
        usage: MemoryUse { limit, usage, max: number_or_zero(dir, "memory.peak")?, failures: 0 },
        swap: MemoryUse {
            limit: swap_limit.saturating_add(limit),
            usage: number_or_zero(dir, "memory.swap.current")?.saturating_add(usage),
            max: 0,
            failures: 0,
        },
        raw,
        ..Memory::default()
    })
}

pub(super) fn pids(dir: &Dir) -> Result<Pids, CgroupError> {
    let Some(current) = number(dir, "pids.current")? else {
        let listed = text(dir, "cgroup.procs")?.unwrap_or_default();
        return Ok(Pids { current: listed.lines().count() as u64, limit: 0 });
    };
    let limit = number_or_zero(dir, "pids.max")?;
    Ok(Pids { current, limit: if limit == u64::MAX { 0 } else { limit } })
}

/// Lines like `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`; what v1 has no list for is left out.
pub(super) fn io(dir: &Dir) -> Result<Io, CgroupError> {
    const FILE: &str = "io.stat";
    let mut io = Io::default();
    for line in text(dir, FILE)?.unwrap_or_default().lines() {
        let mut words = line.split_whitespace();
        // A device that was removed while the file was written has no figures, and may have no number.
        let Some((major, minor)) = words.next().and_then(|device| device.split_once(':')) else { continue };
        let (major, minor) = (parse(dir, FILE, major)?, parse(dir, FILE, minor)?);
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            let (list, operation) = match name {
                "rbytes" => (&mut io.service_bytes, "Read"),
                "wbytes" => (&mut io.service_bytes, "Write"),
                "rios" => (&mut io.serviced, "Read"),
                "wios" => (&mut io.serviced, "Write"),
                _ => continue,
            };
            let value = parse(dir, FILE, value)?;
            list.push(IoEntry { major, minor, operation: operation.to_owned(), value });
        }
    }
    Ok(io)
}

pub(super) fn huge_pages(dir: &Dir) -> Result<BTreeMap<String, HugePages>, CgroupError> {
    let mut pages = BTreeMap::new();
    for (size, kind) in kinds_of_huge_pages(dir, "current")? {
        let usage = number_or_zero(dir, &format!("hugetlb.{kind}.current"))?;
        let events = pairs(dir, &format!("hugetlb.{size}.events"))?.unwrap_or_default();
        pages.insert(size, HugePages { usage, max: 0, failures: value_of(&events, "max") });
    }
    Ok(pages)
}

/// Lines like `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
pub(super) fn pressure(dir: &Dir, file: &str) -> Result<Option<Pressure>, CgroupError> {
    let Some(text) = text(dir, file)? else { return Ok(None) };
    let mut pressure = Pressure::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let stall = match words.next() {
            Some("some") => &mut pressure.some,
            Some("full") => &mut pressure.full,
            _ => continue,
        };
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(|| malformed(dir, file, line))?;
            set(stall, name, value).ok_or_else(|| malformed(dir, file, line))?;
        }
    }
    Ok(Some(pressure))
}

/// A figure of a newer kernel is passed over; `None` for a value that is no number.
fn set(stall: &mut Stall, name: &str, value: &str) -> Option<()> {
    let percent = || value.parse().ok().filter(|percent: &f64| percent.is_finite());
    match name {
        "avg10" => stall.avg10 = percent()?,
        "avg60" => stall.avg60 = percent()?,
        "avg300" => stall.avg300 = percent()?,
        "total" => stall.total = value.parse().ok()?,
        _ => {}
    }
    Some(())
}
