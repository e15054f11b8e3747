//! Statistics of v1 cgroups. `None` where the cgroup is of another controller.

use std::collections::BTreeMap;

use super::read::{
    kinds_of_huge_pages, list, malformed, number, number_or_zero, pairs, parse, text, value_of,
};
use super::types::{CpuUsage, Cpuset, HugePages, Io, IoEntry, Memory, MemoryUse, Pids, Throttling};
use crate::cgroup::CgroupError;
use crate::cgroup::dir::Dir;

type Figures<T> = Result<Option<T>, CgroupError>;

/// `cpuacct.stat` counts in hundredths of a second (USER_HZ, the same on every architecture that we support).
const NANOSECONDS_A_TICK: u64 = 10_000_000;

pub(super) fn cpu_usage(dir: &Dir) -> Figures<CpuUsage> {
    let Some(total) = number(dir, "cpuacct.usage")? else { return Ok(None) };
    let ticks = pairs(dir, "cpuacct.stat")?.unwrap_or_default();
    let nanoseconds = |key| value_of(&ticks, key).saturating_mul(NANOSECONDS_A_TICK);
    let per_cpu = text(dir, "cpuacct.usage_percpu")?.unwrap_or_default();
    let (per_cpu_user, per_cpu_kernel) = usage_by_mode(dir)?;
    Ok(Some(CpuUsage {
        total,
        kernel: nanoseconds("system"),
        user: nanoseconds("user"),
        per_cpu: per_cpu
            .split_whitespace()
            .map(|word| parse(dir, "cpuacct.usage_percpu", word))
            .collect::<Result<_, _>>()?,
        per_cpu_kernel,
        per_cpu_user,
    }))
}

/// Lines of CPU, user time and system time, below a title.
fn usage_by_mode(dir: &Dir) -> Result<(Vec<u64>, Vec<u64>), CgroupError> {
    const FILE: &str = "cpuacct.usage_all";
    let text = text(dir, FILE)?.unwrap_or_default();
    let times = |line: &str| -> Result<(u64, u64), CgroupError> {
        let mut words = line.split(' ').skip(1);
        let (Some(user), Some(kernel)) = (words.next(), words.next()) else {
            return Err(malformed(dir, FILE, line));
        };
        Ok((parse(dir, FILE, user)?, parse(dir, FILE, kernel)?))
    };
    text.lines().skip(1).map(times).collect()
}

pub(super) fn throttling(dir: &Dir) -> Figures<Throttling> {
    let pairs = pairs(dir, "cpu.stat")?;
    Ok(pairs.map(|pairs| Throttling {
        periods: value_of(&pairs, "nr_periods"),
        throttled_periods: value_of(&pairs, "nr_throttled"),
        throttled_time: value_of(&pairs, "throttled_time"),
    }))
}

pub(super) fn cpuset(dir: &Dir) -> Figures<Cpuset> {
    if text(dir, "cpuset.cpus")?.is_none() {
        return Ok(None);
    }
    let flag = |file| number_or_zero(dir, file);
    let level = text(dir, "cpuset.sched_relax_domain_level")?;
    Ok(Some(Cpuset {
        cpus: list(dir, "cpuset.cpus")?,
        cpu_exclusive: flag("cpuset.cpu_exclusive")?,
        mems: list(dir, "cpuset.mems")?,
        mem_hardwall: flag("cpuset.mem_hardwall")?,
        mem_exclusive: flag("cpuset.mem_exclusive")?,
        memory_migrate: flag("cpuset.memory_migrate")?,
        memory_spread_page: flag("cpuset.memory_spread_page")?,
        memory_spread_slab: flag("cpuset.memory_spread_slab")?,
        memory_pressure: flag("cpuset.memory_pressure")?,
        sched_load_balance: flag("cpuset.sched_load_balance")?,
        sched_relax_domain_level: match level {
            Some(level) => parse(dir, "cpuset.sched_relax_domain_level", &level)?,
            None => 0,
        },
    }))
}

pub(super) fn memory(dir: &Dir) -> Figures<Memory> {
    if number(dir, "memory.usage_in_bytes")?.is_none() {
        return Ok(None);
    }
    let raw: BTreeMap<_, _> = pairs(dir, "memory.stat")?.unwrap_or_default().into_iter().collect();
    Ok(Some(Memory {
        cache: raw.get("cache").copied().unwrap_or_default(),
        usage: memory_use(dir, "memory")?,
        swap: memory_use(dir, "memory.memsw")?,
        kernel: memory_use(dir, "memory.kmem")?,
        kernel_tcp: memory_use(dir, "memory.kmem.tcp")?,
        raw,
        pressure: None,
    }))
}

fn memory_use(dir: &Dir, kind: &str) -> Result<MemoryUse, CgroupError> {
    let of = |name| number_or_zero(dir, &format!("{kind}.{name}"));
    Ok(MemoryUse {
        limit: of("limit_in_bytes")?,
        usage: of("usage_in_bytes")?,
        max: of("max_usage_in_bytes")?,
        failures: of("failcnt")?,
    })
}

pub(super) fn pids(dir: &Dir) -> Figures<Pids> {
    let Some(current) = number(dir, "pids.current")? else { return Ok(None) };
    let limit = number_or_zero(dir, "pids.max")?;
    Ok(Some(Pids { current, limit: if limit == u64::MAX { 0 } else { limit } }))
}

/// The files of a scheduler, or of the throttling below all of them. Whichever are there first and not empty tell
/// everything.
const FAMILIES: &[(&str, &str, &[&str])] = &[
    ("blkio.bfq.", "_recursive", ALL),
    ("blkio.bfq.", "_recursive", SERVICED),
    ("blkio.", "_recursive", ALL),
    ("blkio.throttle.", "_recursive", SERVICED),
    ("blkio.throttle.", "", SERVICED),
];
const SERVICED: &[&str] = &["io_serviced", "io_service_bytes"];
const ALL: &[&str] = &[
    "sectors",
    "io_service_time",
    "io_wait_time",
    "io_merged",
    "io_queued",
    "time",
    "io_serviced",
    "io_service_bytes",
];

pub(super) fn io(dir: &Dir) -> Figures<Io> {
    if text(dir, "blkio.throttle.io_serviced")?.is_none() {
        return Ok(None);
    }
    let mut io = Io::default();
    for (prefix, suffix, names) in FAMILIES {
        let entries = |name: &&str| io_entries(dir, &format!("{prefix}{name}{suffix}"));
        let lists = names.iter().map(entries).collect::<Result<Vec<_>, _>>()?;
        if lists.first().is_none_or(Vec::is_empty) {
            continue;
        }
        for (name, list) in names.iter().zip(lists) {
            *field(&mut io, name) = list;
        }
        break;
    }
    Ok(Some(io))
}

fn field<'i>(io: &'i mut Io, name: &str) -> &'i mut Vec<IoEntry> {
    match name {
        "sectors" => &mut io.sectors,
        "io_service_time" => &mut io.service_time,
        "io_wait_time" => &mut io.wait_time,
        "io_merged" => &mut io.merged,
        "io_queued" => &mut io.queued,
        "time" => &mut io.time,
        "io_serviced" => &mut io.serviced,
        _ => &mut io.service_bytes,
    }
}

/// Lines like `8:0 Read 124` or `8:0 124`, and a sum that is left out.
fn io_entries(dir: &Dir, file: &str) -> Result<Vec<IoEntry>, CgroupError> {
    let text = text(dir, file)?.unwrap_or_default();
    let entry = |line: &str| {
        let words: Vec<&str> = line.split([' ', ':']).filter(|word| !word.is_empty()).collect();
        let (major, minor, operation, value) = match words.as_slice() {
            [major, minor, value] => (major, minor, "", value),
            [major, minor, operation, value] => (major, minor, *operation, value),
            _ => return Err(malformed(dir, file, line)),
        };
        Ok(IoEntry {
            major: parse(dir, file, major)?,
            minor: parse(dir, file, minor)?,
            operation: operation.to_owned(),
            value: parse(dir, file, value)?,
        })
    };
    text.lines().filter(|line| !line.starts_with("Total ")).map(entry).collect()
}

pub(super) fn huge_pages(dir: &Dir) -> Figures<BTreeMap<String, HugePages>> {
    let mut pages = BTreeMap::new();
    for (size, kind) in kinds_of_huge_pages(dir, "usage_in_bytes")? {
        let of = |name| number_or_zero(dir, &format!("hugetlb.{kind}.{name}"));
        let (usage, max, failures) = (of("usage_in_bytes")?, of("max_usage_in_bytes")?, of("failcnt")?);
        pages.insert(size, HugePages { usage, max, failures });
    }
    Ok(Some(pages).filter(|pages| !pages.is_empty()))
}
